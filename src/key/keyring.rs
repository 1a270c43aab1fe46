//! All keys of this machine, asked as one.

use std::sync::OnceLock;

use super::{Answer, Environment, Opener, Search, Stanza, registry};
use crate::secret::SecretBytes;

/// Opens stanzas with whatever keys this machine has: one for a run of the program, shared by all
/// files and threads. A back end's key sources are read when a file first needs them.
pub struct Keyring {
    environment: Environment,
    /// Beside the registry's back ends, in their order.
    openers: Vec<OnceLock<Box<dyn Opener>>>,
}

/// Why no stanza of a group opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// What the back ends tried.
    pub search: Search,
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
    pub fn unwrap(&self, group: &[Stanza]) -> Result<SecretBytes, Refusal> {
        let mut refusal = Refusal::default();
        for (backend, opener) in registry::backends().iter().zip(&self.openers) {
            let stanzas: Vec<&Stanza> = group.iter().filter(|stanza| stanza.list() == backend.name()).collect();
            if stanzas.is_empty() {
                continue;
            }
            match opener.get_or_init(|| backend.opener(&self.environment)).unwrap(&stanzas) {
                Answer::Here(part) => return Ok(part),
                Answer::NotMine(search) | Answer::Failed(search) => refusal.search.extend(search),
            }
        }
        for stanza in group.iter().filter(|stanza| registry::backend(stanza.list()).is_none()) {
            refusal.search.looked_at.push(format!(
                "{} {}: this build cannot open {} keys",
                stanza.list(),
                stanza.recipient(),
                stanza.list()
            ));
        }
        Err(refusal)
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
