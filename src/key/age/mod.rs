//! age: X25519 keys, post-quantum keys, ssh keys, and those of plugins.
//!
//! Owns: age recipients and identities, in sops' use of them: the data key is wrapped once for each
//! recipient, as an ASCII-armored age file of its own. Must not know: key groups, metadata.
//!
//! Sources: <https://age-encryption.org/v1>, `age/keysource.go` of sops 3.11 to 3.13.

mod command;
mod header;
mod hybrid;
mod identities;
mod locked;
mod plugin;
mod recipient;
mod sources;
mod ssh;

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::PathBuf;

use ::age::secrecy::ExposeSecret as _;
use ::age::x25519;

use self::recipient::{Recipient, canonical, spelled};
use super::stanza::printable;
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

    fn canonical<'a>(&self, field: &str, text: &'a str) -> Cow<'a, str> {
        if field == RECIPIENT { canonical(text) } else { Cow::Borrowed(text) }
    }

    fn parse(&self, text: &str) -> Result<Vec<Stanza>> {
        let mut seen = HashSet::new();
        let mut stanzas = Vec::new();
        for item in text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty()) {
            let item = spelled(item);
            Recipient::parse(&item)?;
            if seen.insert(canonical(&item).into_owned()) {
                stanzas.push(Stanza::new(self.name(), vec![(RECIPIENT.to_owned(), Value::Str(item.into_owned()))]));
            }
        }
        Ok(stanzas)
    }

    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<()> {
        let recipient = Recipient::parse(&spelled(stanza.text(RECIPIENT).trim()))?;
        let armored = recipient.encrypt(part, &Environment::of_process()).map_err(|why| {
            let error = Error::new(Kind::Generic, format!("the data key cannot be wrapped for {}", stanza.title()));
            error.because(why)
        })?;
        stanza.set(Stanza::ENC, Value::Str(armored));
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

/// A new post-quantum identity and its recipient, as [`generate`] gives them.
///
/// # Errors
/// When the system gives no random numbers.
pub fn generate_post_quantum() -> Result<(SecretBytes, String)> {
    let identity = hybrid::Identity::generate()
        .map_err(|error| Error::new(Kind::Generic, "the system gave no random numbers").because(error))?;
    Ok((SecretBytes::from(identity.line().as_bytes().to_vec()), identity.to_public().to_string()))
}

/// The recipients of the identities in `text`, which may be a key file: each key itself is asked, not the
/// comment above it. A plugin's identity does not tell its recipient.
#[must_use]
pub fn recipients_of(text: &str) -> Vec<String> {
    sources::recipients_of(text)
}

/// Where a new identity belongs: the file in the user's configuration folder that sops reads without
/// being told. `None` when this user has no such folder.
#[must_use]
pub fn default_identity_file() -> Option<PathBuf> {
    sources::default_file(&Environment::of_process())
}

/// A public key for a list of them: those of ssh and of the post-quantum kind are long.
fn shorten(public: &str) -> String {
    const LONGEST: usize = 90;
    if public.chars().count() <= LONGEST {
        return printable(public);
    }
    format!("{}…", printable(&public.chars().take(LONGEST).collect::<String>()))
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
        assert!(said("age1pq1qqqq").contains("a letter may be wrong"));
        assert!(said("age1yubikey1qqqq").contains("a letter may be wrong"));
        assert!(said("ssh-ed25519 AAAA me@here").contains("not an ssh public key"));
        assert!(said("ssh-dss AAAAB3NzaC1kc3MAAACBAA==").contains("this kind of ssh key"));
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
