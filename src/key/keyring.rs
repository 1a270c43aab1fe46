//! All keys of this machine, asked as one.

use std::sync::OnceLock;

use super::stanza::printable;
use super::{Answer, Environment, Opener, Search, Stanza, registry};
use crate::secret::SecretBytes;
use crate::trace;

/// Opens stanzas with whatever keys this machine has: one for a run of the program, shared by all
/// files and threads. A back end's key sources are read when a file first needs them.
pub struct Keyring {
    environment: Environment,
    /// Beside the registry's back ends, in their order.
    openers: Vec<OnceLock<Box<dyn Opener>>>,
}

impl Keyring {
    /// A keyring on the keys that `environment` leads to.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        let openers = registry::backends().iter().map(|_| OnceLock::new()).collect();
        Keyring { environment, openers }
    }

    /// A keyring on the keys of this process' user.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(Environment::of_process())
    }

    /// Opens one of `group`, whose stanzas all wrap the same bytes.
    ///
    /// # Errors
    /// What was tried, when none opens.
    pub fn unwrap(&self, group: &[Stanza]) -> Result<SecretBytes, Search> {
        let mut tried = Search::default();
        for (backend, opener) in registry::backends().iter().zip(&self.openers) {
            let stanzas: Vec<&Stanza> = group.iter().filter(|stanza| stanza.list() == backend.name()).collect();
            if stanzas.is_empty() {
                continue;
            }
            // Said before as well: a service, an agent or a person may take long to answer.
            trace::note(|| format!("asking {} to open the data key", backend.name()));
            let clock = trace::clock();
            match opener.get_or_init(|| backend.opener(&self.environment)).unwrap(&stanzas) {
                Answer::Here(part) => {
                    clock.done(|| format!("{} opened the data key", backend.name()));
                    return Ok(part);
                }
                Answer::NotMine(search) | Answer::Failed(search) => {
                    clock.done(|| format!("{} did not open the data key", backend.name()));
                    tried.extend(search);
                }
            }
        }
        for stanza in group.iter().filter(|stanza| registry::backend(stanza.list()).is_none()) {
            let kind = printable(stanza.list());
            tried.looked_at.push(format!("{}: this build cannot open {kind} keys", stanza.title()));
        }
        Err(tried)
    }
}

impl Search {
    /// Adds what another search found, each line once.
    pub fn extend(&mut self, other: Search) {
        let add = |to: &mut Vec<String>, from: Vec<String>| {
            for line in from {
                if !to.contains(&line) {
                    to.push(line);
                }
            }
        };
        add(&mut self.failures, other.failures);
        add(&mut self.looked_at, other.looked_at);
        add(&mut self.hints, other.hints);
    }
}
