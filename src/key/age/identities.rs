//! The age identities of this machine.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ::age::armor::ArmoredReader;
use ::age::{DecryptError, Decryptor, x25519};
use zeroize::Zeroizing;

use super::RECIPIENT;
use super::sources::{self, Found};
use crate::key::{Answer, Environment, Opener, Search, Stanza};
use crate::secret::SecretBytes;

/// More than a data key or a share of one ever has.
const PART_LIMIT: u64 = 1024;
/// So many stanzas that should have opened are listed in a message.
const FAILURES_LISTED: usize = 20;

/// The identities, read at the first need and once.
pub(super) struct Identities {
    environment: Environment,
    fixed: OnceLock<Ring>,
    /// What the command gave for each recipient: it may answer by recipient.
    by_command: Mutex<HashMap<String, Arc<Ring>>>,
}

/// Identities that can be found by their public key.
struct Ring {
    found: Found,
    by_public: HashMap<String, usize>,
}

impl Ring {
    fn new(found: Found) -> Self {
        let by_public = found.identities.iter().enumerate().map(|(at, (public, _))| (public.clone(), at)).collect();
        Ring { found, by_public }
    }

    fn identity(&self, public: &str) -> Option<&x25519::Identity> {
        self.by_public.get(public).map(|&at| &self.found.identities[at].1)
    }
}

impl Identities {
    pub(super) fn new(environment: Environment) -> Self {
        Identities { environment, fixed: OnceLock::new(), by_command: Mutex::default() }
    }

    fn fixed(&self) -> &Ring {
        self.fixed.get_or_init(|| Ring::new(sources::read_fixed(&self.environment)))
    }

    /// The command's identities for `recipient`. The lock is held while the command runs: it may ask
    /// the user something, and should do so once.
    fn by_command(&self, line: &str, recipient: &str) -> Arc<Ring> {
        let mut known = self.by_command.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ring) = known.get(recipient) {
            return Arc::clone(ring);
        }
        let ring = Arc::new(Ring::new(sources::read_command(line, recipient)));
        known.insert(recipient.to_owned(), Arc::clone(&ring));
        ring
    }
}

impl Opener for Identities {
    /// Cheapest first: a stanza that names one of our public keys costs one scalar multiplication. The
    /// command is run only when no key at rest is named, and stanzas are tried with keys that they do
    /// not name only when nothing else is left: the name beside a stanza is a hint and may be wrong.
    fn unwrap(&self, stanzas: &[&Stanza]) -> Answer {
        let fixed = self.fixed();
        let mut search = Search::default();
        let mut failed = HashSet::new();
        for (at, stanza) in stanzas.iter().enumerate() {
            if let Some(identity) = fixed.identity(stanza.text(RECIPIENT)) {
                match open(stanza, [identity]) {
                    Ok(part) => return Answer::Here(part),
                    Err(why) => fail(&mut search, &mut failed, at, stanza, why),
                }
            }
        }

        let mut from_command = Vec::new();
        let command = sources::command(&self.environment);
        if let Some(line) = &command {
            let by_recipient: HashMap<&str, usize> =
                stanzas.iter().enumerate().map(|(at, stanza)| (stanza.text(RECIPIENT), at)).collect();
            for stanza in stanzas {
                let ring = self.by_command(line, stanza.text(RECIPIENT));
                for (public, identity) in &ring.found.identities {
                    let Some(&at) = by_recipient.get(public.as_str()) else { continue };
                    if failed.contains(&at) {
                        continue;
                    }
                    match open(stanzas[at], [identity]) {
                        Ok(part) => return Answer::Here(part),
                        Err(why) => fail(&mut search, &mut failed, at, stanzas[at], why),
                    }
                }
                from_command.push(ring);
            }
        }

        let mut tried = HashSet::new();
        let all: Vec<&x25519::Identity> = std::iter::once(fixed)
            .chain(from_command.iter().map(Arc::as_ref))
            .flat_map(|ring| &ring.found.identities)
            .filter(|(public, _)| tried.insert(public.as_str()))
            .map(|(_, identity)| identity)
            .collect();
        for (at, stanza) in stanzas.iter().enumerate() {
            if all.is_empty() || failed.contains(&at) {
                continue;
            }
            if let Ok(part) = open(stanza, all.iter().copied()) {
                return Answer::Here(part);
            }
        }

        search.looked_at.extend(fixed.found.report.iter().cloned());
        match command {
            None => search.looked_at.push(sources::no_command()),
            Some(_) => {
                let mut said = HashSet::new();
                let lines = from_command.iter().flat_map(|ring| &ring.found.report);
                search.looked_at.extend(lines.filter(|line| said.insert(line.as_str())).cloned());
            }
        }
        if !search.failures.is_empty() {
            return Answer::Failed(search);
        }
        search.hints = self.hints(all.is_empty(), tried.into_iter().next());
        Answer::NotMine(search)
    }
}

impl Identities {
    fn hints(&self, none: bool, public: Option<&str>) -> Vec<String> {
        let mut hints = vec!["name the file with the matching identity: export SOPS_AGE_KEY_FILE=KEYFILE".to_owned()];
        match (none, public) {
            (false, Some(public)) => {
                hints.push(format!(
                    "or ask someone who can open the file to add you: sops rotate -i --add-age {public} FILE"
                ));
            }
            _ => {
                hints.push("or make an identity, and have its recipient added to the file: leafcrypt keygen".to_owned())
            }
        }
        hints
    }
}

fn fail(search: &mut Search, failed: &mut HashSet<usize>, at: usize, stanza: &Stanza, why: &str) {
    failed.insert(at);
    if search.failures.len() < FAILURES_LISTED {
        search.failures.push(format!("{}: {why}", stanza.recipient()));
    }
}

/// Opens a stanza with one of `identities`.
fn open<'a>(
    stanza: &Stanza,
    identities: impl IntoIterator<Item = &'a x25519::Identity>,
) -> Result<SecretBytes, &'static str> {
    let enc = stanza.text(Stanza::ENC);
    if enc.is_empty() {
        return Err("the field enc is missing");
    }
    // A file with the line endings of Windows, or one that lost its last newline, is still the same.
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(enc.as_bytes())).map_err(|error| explain(&error))?;
    let mut reader = decryptor
        .decrypt(identities.into_iter().map(|identity| identity as &dyn ::age::Identity))
        .map_err(|error| explain(&error))?
        .take(PART_LIMIT);
    let mut part = Zeroizing::new(Vec::with_capacity(PART_LIMIT as usize));
    reader.read_to_end(&mut part).map_err(|_| DAMAGED)?;
    // A copy of the right size; the roomy one is wiped.
    Ok(SecretBytes::from(part.to_vec()))
}

const DAMAGED: &str = "the age file in enc is damaged";

/// In our words: the crate's come through its own translations.
fn explain(error: &DecryptError) -> &'static str {
    match error {
        DecryptError::NoMatchingKeys => "the age file in enc was made for another key",
        DecryptError::ExcessiveWork { .. } => "the age file in enc is locked with a passphrase",
        DecryptError::UnknownFormat => "the age file in enc is of an unknown version",
        _ => DAMAGED,
    }
}

#[cfg(test)]
mod tests;
