//! Private keys of ssh as age identities.
//!
//! An ed25519 key is two: the ssh key that `age -R key.pub` encrypts for, and the age key that `ssh-to-age` and sops
//! make of it. Both open without the user knowing the difference.
//!
//! Sources: `agessh` of age, `age/ssh_parse.go` of sops 3.13, PROTOCOL.key of OpenSSH.

use std::io::Cursor;

use ::age::{ssh, x25519};
use age_core::primitives::bech32_encode;
use bech32::Hrp;
use sha2::{Digest as _, Sha512};
use ssh_key::{Error, LineEnding, PrivateKey};
use zeroize::{Zeroize as _, Zeroizing};

use super::recipient;
use super::sources::Key;

const OPENSSH: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const RSA: &str = "-----BEGIN RSA PRIVATE KEY-----";

/// What a private key file holds.
pub(super) enum Private {
    /// Keys that can be used at once.
    Open(Vec<Key>),
    /// A key that needs a passphrase.
    Locked(Locked),
    /// Why there is no key that age can use.
    Unusable(&'static str),
}

/// A key that needs a passphrase. Its public half is known without.
pub(super) struct Locked {
    key: Box<PrivateKey>,
    publics: Vec<String>,
}

/// Whether `text` is a private key of ssh, told by its first line.
pub(super) fn is_private_key(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY")
}

/// Reads a private key.
pub(super) fn read(text: &str) -> Private {
    const CONVERT: &str = "in an old form: ssh-keygen -p -f KEYFILE writes it in the new one";
    if text.starts_with(RSA) {
        let usable = native(text).filter(|_| !text.contains("\nProc-Type:"));
        return usable.map_or(Private::Unusable(CONVERT), |key| Private::Open(vec![key]));
    }
    if !text.starts_with(OPENSSH) {
        return Private::Unusable(CONVERT);
    }
    const FOREIGN: Private = Private::Unusable("of a kind that age cannot use: it takes ssh-ed25519 and ssh-rsa");
    let key = match PrivateKey::from_openssh(text.trim_end()) {
        Ok(key) => key,
        Err(Error::AlgorithmUnknown | Error::AlgorithmUnsupported { .. }) => return FOREIGN,
        Err(_) => return Private::Unusable("damaged"),
    };
    if !matches!(key.algorithm().as_str(), "ssh-ed25519" | "ssh-rsa") {
        return FOREIGN;
    }
    if !key.is_encrypted() {
        let keys = open(&key, text);
        return if keys.is_empty() { Private::Unusable("damaged") } else { Private::Open(keys) };
    }
    let publics = publics(&key);
    Private::Locked(Locked { key: Box::new(key), publics })
}

/// The public key, and the age recipient that it also is.
fn publics(key: &PrivateKey) -> Vec<String> {
    let Ok(public) = key.public_key().to_openssh() else { return Vec::new() };
    let public = recipient::canonical(&public).into_owned();
    let also = recipient::of_ssh_key(&public);
    std::iter::once(public).chain(also).collect()
}

impl Locked {
    /// The names under which a file may be for it.
    pub(super) fn publics(&self) -> &[String] {
        &self.publics
    }

    /// Its keys; `None` when the passphrase is wrong.
    pub(super) fn open(&self, passphrase: &[u8]) -> Option<Vec<Key>> {
        let key = self.key.decrypt(passphrase).ok()?;
        let text = key.to_openssh(LineEnding::LF).ok()?;
        Some(open(&key, &text))
    }
}

/// The keys in `key`, whose text is `text`.
fn open(key: &PrivateKey, text: &str) -> Vec<Key> {
    let also = key.key_data().ed25519().and_then(|pair| {
        let mut seed = pair.private.to_bytes();
        let mut hash = Sha512::digest(seed);
        seed.zeroize();
        let prefix = Hrp::parse_unchecked("age-secret-key-");
        let mut line = Zeroizing::new(bech32_encode(prefix, &hash[..32]));
        hash.as_mut_slice().zeroize();
        line.make_ascii_uppercase();
        let identity: x25519::Identity = line.parse().ok()?;
        Some(Key::new(identity.to_public().to_string(), identity))
    });
    native(text).into_iter().chain(also).collect()
}

/// The ssh key as age itself uses it.
fn native(text: &str) -> Option<Key> {
    let identity = ssh::Identity::from_buffer(Cursor::new(text), None).ok()?;
    let public = ssh::Recipient::try_from(identity.clone()).ok()?;
    Some(Key::new(public.to_string(), identity))
}
