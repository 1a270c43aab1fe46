//! The URL of a transit key: `https://vault.example:8200/v1/ENGINE/keys/NAME`.

use crate::error::{Error, Kind, Result};

const FORM: &str = "https://vault.example.com:8200/v1/transit/keys/NAME";

/// The parts of a key's URL as the metadata keeps them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Scheme, host and port, as written.
    pub(super) address: String,
    /// Where the engine is mounted; may have slashes in it.
    pub(super) engine: String,
    /// The key's name.
    pub(super) name: String,
}

/// Takes a URL apart.
pub(super) fn parse(text: &str) -> Result<Key> {
    let refused = |why: &str| {
        // What stands in front of an @ is a password.
        let shown = text.rsplit_once('@').map_or(text, |(_, host)| host);
        let error = Error::new(Kind::Generic, format!("not the URL of a Vault transit key: {shown:?}"));
        Err(error.because(why).hint(format!("write it as {FORM}")))
    };
    let Some((scheme, rest)) = text.split_once("://") else {
        return refused("it begins with no scheme");
    };
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return refused("its scheme is neither http nor https");
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.contains('@') {
        return refused("it has a user name or password in it, which would stand in the file for all to read");
    }
    if host.is_empty() || reqwest::Url::parse(&format!("{scheme}://{host}/")).is_err() {
        return refused("its host is none");
    }
    if path.contains(['?', '#']) {
        return refused("it has more than a path behind its host");
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_version = |part: &str| {
        part.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let Some(version) = parts.iter().position(|part| is_version(part)) else {
        return refused("its path does not begin with /v1/");
    };
    if version > 0 {
        return refused("Vault below a prefix is not supported: its path must begin with /v1/");
    }
    let [_, engine @ .., _, name] = &parts[..] else {
        return refused("its path has not the parts of a key's");
    };
    if engine.is_empty() || parts.iter().any(|part| [".", ".."].contains(part)) {
        return refused("its path has not the parts of a key's");
    }
    Ok(Key { address: format!("{scheme}://{host}"), engine: engine.join("/"), name: (*name).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_as_sops_does_it() {
        let parsed = |text: &str| {
            let key = parse(text).unwrap();
            (key.address, key.engine, key.name)
        };
        let parts = |address: &str, engine: &str, name: &str| (address.to_owned(), engine.to_owned(), name.to_owned());
        assert_eq!(parsed("https://v:8200/v1/transit/keys/k"), parts("https://v:8200", "transit", "k"));
        assert_eq!(parsed("https://v.example:8200/v1/a/b/c/keys/k/"), parts("https://v.example:8200", "a/b/c", "k"));
        assert_eq!(parsed("http://127.0.0.1:1//v1//sops/keys/k"), parts("http://127.0.0.1:1", "sops", "k"));
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        for (text, why) in [
            ("v:8200/v1/transit/keys/k", "no scheme"),
            ("ftp://v/v1/transit/keys/k", "neither http"),
            ("https://v/transit/keys/k", "does not begin with /v1/"),
            ("https://v/v1/keys/k", "not the parts"),
            ("https://v/v1/k", "not the parts"),
            ("https://v/prefix/v1/transit/keys/k", "prefix"),
            ("https:///v1/transit/keys/k", "host"),
            ("https://v/v1/transit/keys/k?x", "more than a path"),
            ("https://v/v1/../keys/k", "not the parts"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.notes()[0].contains(why), "{text}: {error}");
        }
        assert!(!format!("{:?}", parse("https://me:hunter2@v/v1/transit/keys/k").unwrap_err()).contains("hunter2"));
    }
}
