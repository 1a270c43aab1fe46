//! The URL of a key: `https://VAULT.vault.azure.net/keys/NAME/VERSION`.

use crate::error::{Error, Kind, Result};

const FORM: &str = "https://VAULT.vault.azure.net/keys/NAME/VERSION";

/// The parts of a key's URL as the metadata keeps them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// `https://` and the vault's host.
    pub(super) vault: String,
    /// The key's name.
    pub(super) name: String,
    /// Its version; empty for the newest.
    pub(super) version: String,
}

/// Takes a URL apart.
pub(super) fn parse(text: &str) -> Result<Key> {
    let refused = |why: &str| {
        let error = Error::new(Kind::Generic, format!("not the URL of an Azure Key Vault key: {text:?}"));
        Err(error.because(why).hint(format!("write it as {FORM}; without the version the newest one is used")))
    };
    let Some(rest) = text.strip_prefix("https://") else {
        return refused("it does not begin with https://");
    };
    let parts: Vec<&str> = rest.split('/').collect();
    let (host, name, version) = match parts[..] {
        [host, "keys", name] => (host, name, ""),
        [host, "keys", name, version] => (host, name, version),
        _ => return refused("it has not the parts of a key's"),
    };
    let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_host = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:".contains(&b)) && !host.is_empty();
    if !is_host || name.is_empty() || !is_word(name) || !is_word(version) {
        return refused("a host, a name and a version are of letters, digits and -");
    }
    Ok(Key { vault: format!("https://{host}"), name: name.to_owned(), version: version.to_owned() })
}

/// The version in the URL of a key.
pub(super) fn version_of(kid: &str) -> Option<String> {
    parse(kid).ok().map(|key| key.version).filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_as_sops_does_it() {
        let of = |text: &str| parse(text).map(|key| (key.vault, key.name, key.version)).unwrap();
        let vault = "https://v.vault.azure.net".to_owned();
        assert_eq!(of("https://v.vault.azure.net/keys/k-1/0a"), (vault.clone(), "k-1".into(), "0a".into()));
        assert_eq!(of("https://v.vault.azure.net/keys/k"), (vault.clone(), "k".into(), String::new()));
        assert_eq!(of("https://v.vault.azure.net/keys/k/"), (vault, "k".into(), String::new()));
        assert_eq!(version_of("https://v.vault.azure.net/keys/k/0a").as_deref(), Some("0a"));
        for wrong in [
            "http://v.vault.azure.net/keys/k/0a",
            "https://v.vault.azure.net/secrets/k/0a",
            "https://v.vault.azure.net/keys//0a",
            "https://v.vault.azure.net/keys/k/0a/1",
            "https://me@v.vault.azure.net/keys/k",
            "https://v.vault.azure.net/keys/../x",
            "https://v.vault.azure.net/keys/k?x",
        ] {
            assert!(parse(wrong).unwrap_err().hints()[0].contains("keys/NAME"), "{wrong}");
        }
    }
}
