//! The age identities of this machine.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ::age::armor::ArmoredReader;
use ::age::{DecryptError, Decryptor, x25519};
use zeroize::Zeroizing;

use super::sources::{self, Found};
use super::{RECIPIENT, foreign_kind};
use crate::key::stanza::printable;
use crate::key::{Answer, Environment, Opener, Search, Stanza};
use crate::secret::SecretBytes;

/// More than a data key or a share of one ever has.
const PART_LIMIT: u64 = 1024;
/// So many stanzas that should have opened are listed in a message.
const FAILURES_LISTED: usize = 20;

/// The identities, read at the first need and once.
pub(super) struct Identities {
    environment: Environment,
    fixed: OnceLock<Found>,
    /// What the command gave for each recipient: it may answer by recipient.
    by_command: Mutex<HashMap<String, Arc<Found>>>,
}

impl Identities {
    pub(super) fn new(environment: Environment) -> Self {
        Identities { environment, fixed: OnceLock::new(), by_command: Mutex::default() }
    }

    /// The identities that are the same for every recipient.
    fn fixed(&self) -> &Found {
        self.fixed.get_or_init(|| sources::read_fixed(&self.environment))
    }

    /// The command's identities for `recipient`. The lock is held while the command runs: it may ask
    /// the user something, and should do so once.
    fn by_command(&self, line: &str, recipient: &str) -> Arc<Found> {
        let mut known = self.by_command.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(recipient) {
            return Arc::clone(found);
        }
        let found = Arc::new(sources::read_command(line, recipient));
        known.insert(recipient.to_owned(), Arc::clone(&found));
        found
    }
}

impl Opener for Identities {
    /// Cheapest first: a stanza that names one of our public keys costs one exchange of keys. The
    /// command is run only when no key at rest is named, and stanzas are tried with keys that they do
    /// not name only when nothing else is left: the name beside a stanza is a hint and may be wrong.
    fn unwrap(&self, stanzas: &[&Stanza]) -> Answer {
        let by_name = ByName::new(stanzas);
        let mut failures = Vec::new();
        let fixed = self.fixed();
        if let Some(opened) = by_name.open(fixed, &mut failures) {
            return opened;
        }

        let command = sources::command(&self.environment);
        let mut from_command = Vec::new();
        for stanza in stanzas.iter().filter(|_| command.is_some()) {
            let found = self.by_command(command.as_deref().unwrap_or_default(), stanza.text(RECIPIENT));
            if let Some(opened) = by_name.open(&found, &mut failures) {
                return opened;
            }
            from_command.push(found);
        }

        let mut publics = HashSet::new();
        let all: Vec<&x25519::Identity> = std::iter::once(fixed)
            .chain(from_command.iter().map(Arc::as_ref))
            .flat_map(|found| &found.identities)
            .filter(|(public, _)| publics.insert(public.as_str()))
            .map(|(_, identity)| identity)
            .collect();
        if !all.is_empty() {
            for (by, stanza) in stanzas.iter().enumerate() {
                if let Ok(part) = open(stanza, all.iter().copied()) {
                    return Answer::Here { part, by };
                }
            }
        }

        let foreign = stanzas.iter().filter_map(|stanza| {
            let kind = foreign_kind(stanza.text(RECIPIENT))?;
            Some(printable(&format!("{}: this build cannot use {kind}", stanza.recipient())))
        });
        let mut looked_at: Vec<String> = foreign.take(FAILURES_LISTED).collect();
        looked_at.extend(fixed.report.iter().cloned());
        if command.is_none() {
            looked_at.push(sources::no_command());
        }
        let mut said = HashSet::new();
        let lines = from_command.iter().flat_map(|found| &found.report);
        looked_at.extend(lines.filter(|line| said.insert(line.as_str())).cloned());

        if failures.is_empty() {
            let hints = hints(publics.into_iter().min());
            Answer::NotMine(Search { failures, looked_at, hints })
        } else {
            let hints = vec!["take the file's sops block from an earlier version: git log -p FILE".to_owned()];
            Answer::Failed(Search { failures, looked_at, hints })
        }
    }
}

/// What to do without a matching identity; `public` is the public key of one that is there.
fn hints(public: Option<&str>) -> Vec<String> {
    let then = match public {
        // Real sops' command: whoever has the key may not have leafcrypt.
        Some(public) => {
            format!("or have someone who can open the file add you: sops rotate -i --add-age {public} FILE")
        }
        None => "or make an identity and have its recipient added to the file: leafcrypt keygen".to_owned(),
    };
    vec!["name the file with the matching identity: export SOPS_AGE_KEY_FILE=KEYFILE".to_owned(), then]
}

/// The stanzas, and the place of each by the public key that it names.
struct ByName<'a> {
    stanzas: &'a [&'a Stanza],
    places: HashMap<&'a str, usize>,
}

impl<'a> ByName<'a> {
    fn new(stanzas: &'a [&'a Stanza]) -> Self {
        ByName { stanzas, places: stanzas.iter().map(|stanza| stanza.text(RECIPIENT)).zip(0..).collect() }
    }

    /// Opens a stanza that names one of the identities found; notes those that should open and do not.
    fn open(&self, found: &Found, failures: &mut Vec<String>) -> Option<Answer> {
        for (public, identity) in &found.identities {
            let Some(&by) = self.places.get(public.as_str()) else { continue };
            match open(self.stanzas[by], [identity]) {
                Ok(part) => return Some(Answer::Here { part, by }),
                Err(why) => {
                    let line = format!("{public}: {why}");
                    if failures.len() < FAILURES_LISTED && !failures.contains(&line) {
                        failures.push(line);
                    }
                }
            }
        }
        None
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
