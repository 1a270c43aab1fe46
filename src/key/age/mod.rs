//! age: X25519 keys.
//!
//! Owns: age recipients and identities, in sops' use of them: the data key is wrapped once for each
//! recipient, as an ASCII-armored age file of its own. Must not know: key groups, metadata.
//!
//! ssh keys, plugins, passphrases and post-quantum keys are recognised and named, and refused.
//!
//! Sources: <https://age-encryption.org/v1>, `age/keysource.go` of sops 3.11 to 3.13.

mod command;
mod identities;
mod sources;

use std::collections::HashSet;
use std::path::PathBuf;

use ::age::secrecy::ExposeSecret as _;
use ::age::x25519;

use super::{Backend, Environment, Opener, Stanza};
use crate::document::Value;
use crate::error::{Error, Kind, Result};
use crate::secret::SecretBytes;

/// The back end.
pub struct Age;

/// The field of a stanza that holds the public key.
const RECIPIENT: &str = "recipient";

impl Backend for Age {
    fn name(&self) -> &'static str {
        "age"
    }

    fn rule_field(&self) -> &'static str {
        "age"
    }

    fn flag(&self) -> &'static str {
        "age"
    }

    fn recipients_env(&self) -> &'static str {
        "SOPS_AGE_RECIPIENTS"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[RECIPIENT, Stanza::ENC]
    }

    fn parse(&self, text: &str) -> Result<Vec<Stanza>> {
        let mut seen = HashSet::new();
        let mut stanzas = Vec::new();
        for item in text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty()) {
            let name = parse_recipient(item)?.to_string();
            if seen.insert(name.clone()) {
                stanzas.push(Stanza::new(self.name(), vec![(RECIPIENT.to_owned(), Value::Str(name))]));
            }
        }
        Ok(stanzas)
    }

    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<()> {
        let recipient = parse_recipient(stanza.text(RECIPIENT))?;
        let armored = ::age::encrypt_and_armor(&recipient, part).map_err(|error| {
            Error::new(Kind::Generic, format!("the data key cannot be wrapped for {recipient}")).because(error)
        })?;
        // The crate ends lines in the platform's way; the file's text must not depend on it.
        stanza.set(Stanza::ENC, Value::Str(armored.replace("\r\n", "\n")));
        Ok(())
    }

    fn opener(&self, environment: &Environment) -> Box<dyn Opener> {
        Box::new(identities::Identities::new(environment.clone()))
    }
}

/// A new identity and its recipient. The identity is the one line that stands in a key file.
#[must_use]
pub fn generate() -> (SecretBytes, String) {
    let identity = x25519::Identity::generate();
    let line = SecretBytes::from(identity.to_string().expose_secret().as_bytes().to_vec());
    (line, identity.to_public().to_string())
}

/// Where a new identity belongs: the file in the user's configuration folder that sops reads without
/// being told. `None` when this user has no such folder.
#[must_use]
pub fn default_identity_file() -> Option<PathBuf> {
    sources::default_file(&Environment::of_process())
}

/// Reads one recipient.
///
/// What is no recipient is shown only if it starts as one: it may well be an identity, pasted in the
/// wrong place.
fn parse_recipient(text: &str) -> Result<x25519::Recipient> {
    if let Ok(recipient) = text.parse() {
        return Ok(recipient);
    }
    let refused = |message: String| Err(Error::new(Kind::Generic, message));
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("age-secret-key-") || lower.starts_with("age-plugin-") {
        return Err(Error::new(Kind::Generic, "a secret identity is given where a recipient belongs")
            .hint("give its public key, which starts with age1: age-keygen -y KEYFILE"));
    }
    if let Some(kind) = foreign_kind(text) {
        return refused(format!("this build cannot encrypt for {kind}: {text:?}"));
    }
    if lower.starts_with("age1") {
        return refused(format!("not an age recipient, a letter may be wrong or missing: {text:?}"));
    }
    refused("not an age recipient: one starts with age1".to_owned())
}

/// The kind of a recipient that age has and this build has not.
fn foreign_kind(recipient: &str) -> Option<String> {
    if recipient.starts_with("ssh-") {
        return Some("ssh keys".to_owned());
    }
    // A recipient's data holds no 1, so that the last one ends the name of its kind.
    let (kind, _) = recipient.strip_prefix("age1")?.rsplit_once('1')?;
    Some(if kind == "pq" { "post-quantum keys".to_owned() } else { format!("keys of the age plugin {kind}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_separated_by_commas_or_newlines_and_counted_once() {
        let (_, a) = generate();
        let (_, b) = generate();
        let stanzas = Age.parse(&format!(" {a}, {b}\n{a}\r\n,")).unwrap();
        let names: Vec<_> = stanzas.iter().map(Stanza::recipient).collect();
        assert_eq!(names, [a, b]);
        assert!(stanzas.iter().all(|stanza| !stanza.is_wrapped()));
        assert_eq!(Age.parse("").unwrap(), []);
    }

    #[test]
    fn what_is_no_recipient_is_refused_and_an_identity_is_not_shown() {
        let (identity, recipient) = generate();
        let identity = std::str::from_utf8(identity.expose()).unwrap();
        for secret in [identity.to_owned(), identity.to_lowercase(), format!("x{identity}"), "hunter2".to_owned()] {
            let error = Age.parse(&secret).unwrap_err();
            assert!(!format!("{error:?}").contains(&secret[10.min(secret.len() - 2)..]), "{error}");
        }
        let said = |text: &str| Age.parse(text).unwrap_err().to_string();
        assert!(said(&recipient[..40]).contains("a letter may be wrong"));
        assert!(
            said("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t").contains("plugin yubikey")
        );
        assert!(said("age1pq1qqqq").contains("post-quantum"));
        assert!(said("ssh-ed25519 AAAA me@here").contains("ssh"));
    }

    #[test]
    fn a_wrapped_stanza_is_an_armored_age_file() {
        let (_, recipient) = generate();
        let mut stanza = Age.parse(&recipient).unwrap().remove(0);
        Age.wrap(&mut stanza, &[7; 32]).unwrap();
        let fields: Vec<_> = stanza.fields().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(fields, Age.fields());
        let enc = stanza.text(Stanza::ENC);
        assert!(enc.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
        assert!(enc.ends_with("\n-----END AGE ENCRYPTED FILE-----\n"));
        assert!(!enc.contains('\r'));
    }
}
