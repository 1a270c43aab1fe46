//! PGP: the keys of GnuPG, through `gpg`.
//!
//! Owns: what is asked of gpg, in sops' words, and what its answers mean. gpg owns all else: keyrings,
//! trust, the agent, passphrases, smartcards. Must not know: key groups, metadata.
//!
//! sops looks into the keyrings of GnuPG 1 by itself before it asks gpg; gpg reads those too.
//!
//! Source: `pgp/keysource.go` of sops 3.11, and the arguments with which it ran a gpg that wrote them down.

mod gpg;
mod message;
mod opener;

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Backend, Environment, Opener, Stanza};
use crate::document::Value;
use crate::error::{Error, Kind, Result};

/// The back end.
pub struct Pgp;

/// The field of a stanza that holds the fingerprint, or the id of the key.
const FINGERPRINT: &str = "fp";
/// The length of a long key id: gpg takes nothing shorter for a trusted key.
const ID_LENGTH: usize = 16;

impl Backend for Pgp {
    fn name(&self) -> &'static str {
        "pgp"
    }

    fn rule_field(&self) -> &'static str {
        "pgp"
    }

    fn flag(&self) -> &'static str {
        "pgp"
    }

    fn recipients_env(&self) -> &'static str {
        "SOPS_PGP_FP"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[Stanza::CREATED_AT, Stanza::ENC, FINGERPRINT]
    }

    /// A fingerprint is the same number, however it is written.
    fn canonical<'a>(&self, field: &str, text: &'a str) -> Cow<'a, str> {
        if field == FINGERPRINT { digits(text).to_ascii_uppercase().into() } else { text.into() }
    }

    fn parse(&self, text: &str) -> Result<Vec<Stanza>> {
        let mut seen = HashSet::new();
        let mut stanzas = Vec::new();
        for item in text.split([',', '\n']) {
            let fingerprint: String = item.split_whitespace().collect();
            if fingerprint.is_empty() {
                continue;
            }
            if seen.insert(id(&fingerprint)?.to_ascii_uppercase()) {
                stanzas.push(Stanza::new(self.name(), vec![(FINGERPRINT.to_owned(), Value::Str(fingerprint))]));
            }
        }
        Ok(stanzas)
    }

    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<()> {
        let fingerprint = stanza.text(FINGERPRINT);
        let enc = gpg::encrypt(&Environment::of_process(), fingerprint, id(fingerprint)?, part)
            .map_err(|trouble| trouble.cannot_wrap(&stanza.title()))?;
        stanza.set_wrapped(enc);
        Ok(())
    }

    fn opener(&self, environment: &Environment) -> Box<dyn Opener> {
        Box::new(opener::SecretKeys::new(environment.clone()))
    }
}

/// The hexadecimal digits of a fingerprint or a long key id, with the `!` behind them by which gpg is told to take this
/// very subkey and no other one of the same owner.
///
/// What is neither is shown only if it could be a piece of one: it may be a secret, pasted in the wrong place.
fn id(fingerprint: &str) -> Result<&str> {
    let id = digits(fingerprint);
    let digits = id.strip_suffix('!').unwrap_or(id);
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Fingerprints of version 3, 4 and 5.
    if is_hexadecimal && matches!(digits.len(), ID_LENGTH | 32 | 40 | 64) {
        return Ok(id);
    }
    let message = if is_hexadecimal && digits.len() < ID_LENGTH {
        format!("too short for a PGP fingerprint: {fingerprint}")
    } else {
        "not a PGP fingerprint".to_owned()
    };
    Err(Error::new(Kind::Generic, message)
        .because("a fingerprint has 40 hexadecimal digits, and a long key id 16")
        .hint("gpg --list-keys --with-subkey-fingerprint NAME"))
}

/// A fingerprint without the mark of a hexadecimal number that may stand before it.
fn digits(fingerprint: &str) -> &str {
    fingerprint.strip_prefix("0x").or_else(|| fingerprint.strip_prefix("0X")).unwrap_or(fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "85D77543B3D624B63CEA9E6DBC17301B491B3F21";

    #[test]
    fn fingerprints_are_kept_as_they_are_written_and_counted_once() {
        let spaced = "85D7 7543 B3D6 24B6 3CEA  9E6D BC17 301B 491B 3F21";
        let text = format!("{spaced}, {FULL}\n{}, 0xBC17301B491B3F21 ,", FULL.to_lowercase());
        let stanzas = Pgp.parse(&text).unwrap();
        let names: Vec<_> = stanzas.iter().map(|stanza| stanza.text(FINGERPRINT)).collect();
        assert_eq!(names, [FULL, "0xBC17301B491B3F21"]);
        assert!(stanzas.iter().all(|stanza| !stanza.is_wrapped()));
        assert_eq!(Pgp.parse("\n").unwrap(), []);
        // A subkey that gpg is to take, and whichever it likes best, are two.
        let forced = Pgp.parse(&format!("{FULL}!,{FULL},{}!", FULL.to_lowercase())).unwrap();
        let names: Vec<_> = forced.iter().map(|stanza| stanza.text(FINGERPRINT)).collect();
        assert_eq!(names, [&format!("{FULL}!"), FULL]);
    }

    #[test]
    fn what_is_no_fingerprint_is_refused_before_gpg_is_asked() {
        for text in ["491B3F21", "alice@example.com", "hunter2", "--output", "85D7 7543 B3D6 24B6 3CEA", "hunter2!"] {
            let error = Pgp.parse(text).unwrap_err();
            assert!(error.to_string().contains("40 hexadecimal digits"), "{error}");
            assert_eq!(error.to_string().contains(text), text == "491B3F21", "{error}");
        }
    }
}
