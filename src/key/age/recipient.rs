//! Recipients of every kind that age has.

use std::borrow::Cow;
use std::io::{self, Write as _};

use ::age::armor::{ArmoredWriter, Format};
use ::age::{EncryptError, Encryptor, ssh, tag, tagpq, x25519};
use age_core::primitives::bech32_encode;
use bech32::Hrp;

use super::{hybrid, plugin};
use crate::error::{Error, Kind, Result};
use crate::key::Environment;

/// Who an age file can be made for.
pub(super) enum Recipient {
    X25519(x25519::Recipient),
    Hybrid(Box<hybrid::Recipient>),
    /// A key in hardware, of a kind that age knows by itself; only a plugin opens what is made for it.
    Tag(tag::Recipient),
    TagPq(Box<tagpq::Recipient>),
    Ssh(ssh::Recipient),
    Plugin(plugin::Recipient),
}

impl Recipient {
    /// Reads one recipient.
    ///
    /// What is no recipient is shown only if it starts as one: it may well be an identity, pasted in the
    /// wrong place.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let known = if text.starts_with("ssh-") {
            return ssh_recipient(text);
        } else if text.starts_with("age1pq1") {
            text.parse().ok().map(Box::new).map(Recipient::Hybrid)
        } else if text.starts_with("age1tag1") {
            text.parse().ok().map(Recipient::Tag)
        } else if text.starts_with("age1tagpq1") {
            text.parse().ok().map(Box::new).map(Recipient::TagPq)
        } else {
            let native = text.parse().ok().map(Recipient::X25519);
            native.or_else(|| plugin::Recipient::parse(text).map(Recipient::Plugin))
        };
        if let Some(recipient) = known {
            return Ok(recipient);
        }
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("age-secret-key-") || lower.starts_with("age-plugin-") {
            return Err(Error::new(Kind::Generic, "a secret identity is given where a recipient belongs")
                .hint("give its public key, which starts with age1: age-keygen -y KEYFILE"));
        }
        if lower.starts_with("age1") {
            let message = format!("not an age recipient, a letter may be wrong or missing: {text:?}");
            return Err(Error::new(Kind::Generic, message).hint("copy it anew; age-keygen -y KEYFILE prints it"));
        }
        if lower.starts_with("ecdsa-") || lower.starts_with("sk-") {
            return Err(Error::new(Kind::Generic, FOREIGN_SSH).hint("ssh-keygen -t ed25519"));
        }
        Err(Error::new(Kind::Generic, "not an age recipient: one starts with age1, or is an ssh public key")
            .hint("age-keygen -y KEYFILE prints that of an identity; leafcrypt keygen makes an identity"))
    }

    /// Makes an armored age file of `part` for this recipient alone.
    pub(super) fn encrypt(&self, part: &[u8], environment: &Environment) -> Result<String, String> {
        match self {
            Recipient::X25519(recipient) => armored(recipient, part),
            Recipient::Hybrid(recipient) => armored(&**recipient, part),
            Recipient::Tag(recipient) => armored(recipient, part),
            Recipient::TagPq(recipient) => armored(&**recipient, part),
            Recipient::Ssh(recipient) => armored(recipient, part),
            Recipient::Plugin(recipient) => armored(&recipient.on(environment), part),
        }
    }
}

/// What `age::encrypt_and_armor` does, which stops the program when a recipient fails.
fn armored(recipient: &dyn ::age::Recipient, part: &[u8]) -> Result<String, String> {
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient)).map_err(|error| match error {
        EncryptError::Io(error) => error.to_string(),
        other => other.to_string(),
    })?;
    let mut text = Vec::new();
    let write = |text: &mut Vec<u8>| {
        let mut writer = encryptor.wrap_output(ArmoredWriter::wrap_output(text, Format::AsciiArmor)?)?;
        writer.write_all(part)?;
        writer.finish()?.finish().map(drop)
    };
    write(&mut text).map_err(|error: io::Error| error.to_string())?;
    // The crate ends lines in the platform's way; the file's text must not depend on it.
    Ok(String::from_utf8_lossy(&text).replace("\r\n", "\n"))
}

const FOREIGN_SSH: &str = "age cannot encrypt for this kind of ssh key, but for ssh-ed25519 and ssh-rsa";

fn ssh_recipient(text: &str) -> Result<Recipient> {
    use ssh::ParseRecipientKeyError as Wrong;
    let message = match text.parse() {
        Ok(recipient) => return Ok(Recipient::Ssh(recipient)),
        Err(Wrong::RsaModulusTooSmall) => "an RSA key of less than 2048 bits is too weak to encrypt for",
        Err(Wrong::RsaModulusTooLarge) => "an RSA key of more than 4096 bits is too large to encrypt for",
        Err(Wrong::Unsupported(_) | Wrong::Ignore) => FOREIGN_SSH,
        Err(_) => "not an ssh public key, a letter may be wrong or missing",
    };
    Err(Error::new(Kind::Generic, format!("{message}: {text:?}")).hint("ssh-keygen -t ed25519"))
}

/// A recipient as files have it. Bech32 may be in capitals as a whole, as codes of squares have it, and age takes that; sops
/// does not, so that it could not read such a file to change its recipients.
pub(super) fn spelled(name: &str) -> Cow<'_, str> {
    match name.starts_with("AGE1") && !name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}

/// What tells a recipient from others: of an ssh key its comment does not.
pub(super) fn canonical(name: &str) -> Cow<'_, str> {
    let name = name.trim();
    if !name.starts_with("ssh-") {
        return spelled(name);
    }
    let mut words = name.split_ascii_whitespace();
    match (words.next(), words.next()) {
        (Some(kind), Some(key)) if words.next().is_some() => Cow::Owned(format!("{kind} {key}")),
        _ => Cow::Borrowed(name),
    }
}

/// The age recipient that an ssh-ed25519 public key also is: sops and `ssh-to-age` use the same point on
/// the curve in its other form.
pub(super) fn of_ssh_key(public: &str) -> Option<String> {
    let Ok(ssh::Recipient::SshEd25519(_, point)) = public.parse() else { return None };
    Some(bech32_encode(Hrp::parse_unchecked("age"), &point.to_montgomery().to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_comment_of_an_ssh_key_nor_capitals_tell_it_from_others() {
        for (name, same) in [
            ("age1x", "age1x"),
            (" age1x ", "age1x"),
            ("AGE1X", "age1x"),
            ("ssh-ed25519 AAAA", "ssh-ed25519 AAAA"),
            ("ssh-ed25519 AAAA me@here", "ssh-ed25519 AAAA"),
            ("ssh-rsa  AAAA  me  too", "ssh-rsa AAAA"),
            ("ssh-", "ssh-"),
        ] {
            assert_eq!(canonical(name), same);
        }
    }

    /// As computed with another library: the seed of the key is the bytes 0 to 31.
    #[test]
    fn an_ed25519_key_is_an_age_key_too() {
        let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
        let age = "age1guqappygg504gkjqn76c4cl9skqu5s9v8al3z35ce4caatrnegqsayk6a2";
        assert_eq!(of_ssh_key(public).as_deref(), Some(age));
        assert_eq!(of_ssh_key(&format!("{public} me@here")).as_deref(), Some(age));
        assert_eq!(of_ssh_key("ssh-rsa AAAA"), None);
    }
}
