//! Variables that name a file, a folder or a program, and hold what should stand there instead: a key, a token, JSON.
//!
//! Owns: what is no name of anything, and how that is said. Nothing of it is shown, since it is a secret more often than
//! not; every back end that reads such a variable asks here first. Must not know: what the variables are for.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use super::Environment;

/// The variables that take what others name, and what they take.
const TAKERS: [(&str, &str, &str); 5] = [
    ("SOPS_AGE_KEY_FILE", IDENTITY, "SOPS_AGE_KEY"),
    ("SOPS_AGE_KEY_CMD", IDENTITY, "SOPS_AGE_KEY"),
    ("GOOGLE_APPLICATION_CREDENTIALS", SETTINGS, "GOOGLE_CREDENTIALS"),
    ("VAULT_CACERT", CERTIFICATE, "VAULT_CACERT_BYTES"),
    ("BAO_CACERT", CERTIFICATE, "BAO_CACERT_BYTES"),
];
const IDENTITY: &str = "an age identity";
const SETTINGS: &str = "JSON or another text of settings";
const CERTIFICATE: &str = "a certificate";
const TOKEN: &str = "a token";
const BASE64: &str = "a text in base64";
/// No system has longer names of files, in bytes.
const LONGEST_NAME: usize = 255;
/// A single word of so many letters is rather a key than the name of a file.
const LONGEST_WORD: usize = 40;

/// A variable that holds something else than a name.
#[derive(Debug)]
pub(crate) struct Misplaced {
    variable: String,
    what: &'static str,
    name: &'static str,
}

/// In one line: `SOPS_AGE_KEY_FILE holds an age identity, not a path`.
impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} holds {}, not {}", self.variable, self.what, self.name)
    }
}

impl Misplaced {
    /// What to type instead.
    pub(crate) fn hint(&self) -> String {
        let variable = &self.variable;
        match TAKERS.iter().find(|(name, what, _)| name == variable && *what == self.what) {
            Some((.., taker)) => format!("export {taker}=\"${variable}\"; unset {variable}"),
            None if self.what == BASE64 => {
                format!("decode it into a file that only you can read, and name that: export {variable}=FILE")
            }
            None => format!("put it into a file that only you can read, and name that: export {variable}=FILE"),
        }
    }
}

/// The path that `variable` names, `None` when it is not set or empty.
pub(crate) fn path(environment: &Environment, variable: &str) -> Result<Option<PathBuf>, Misplaced> {
    environment.get_filled(variable).map(|value| check_path(variable, &value).map(|()| value.into())).transpose()
}

/// Whether `value` of `variable` may be a path. Whatever is there is one.
pub(crate) fn check_path(variable: &str, value: &OsStr) -> Result<(), Misplaced> {
    match content(&value.to_string_lossy()) {
        Some(what) if !Path::new(value).exists() => {
            Err(Misplaced { variable: variable.to_owned(), what, name: "a path" })
        }
        _ => Ok(()),
    }
}

/// Whether `program`, which is what `line` of `variable` begins with and cannot be run, may be one at all.
pub(crate) fn check_program(variable: &str, program: &str, line: &str) -> Result<(), Misplaced> {
    match content(program) {
        Some(what) => {
            Err(Misplaced { variable: variable.to_owned(), what: content(line).unwrap_or(what), name: "a command" })
        }
        None => Ok(()),
    }
}

/// What a text is that is no name of a file; nothing, when it may be one.
fn content(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let begins = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if text.contains("AGE-SECRET-KEY-") || text.contains("AGE-PLUGIN-") || begins("age-secret-key-1") {
        return Some(IDENTITY);
    }
    if text.contains("-----BEGIN") {
        return Some(match (text.contains("PRIVATE KEY"), text.contains("CERTIFICATE")) {
            (true, _) => "a private key",
            (false, true) => CERTIFICATE,
            _ => "a text in PEM",
        });
    }
    if text.starts_with(['{', '[']) {
        return Some(SETTINGS);
    }
    // What base64 makes of `{"`, of `{` and a line break, of `-----BEGIN` and of `AGE-SECRET-KEY-`.
    if text.starts_with("eyJ") {
        return Some(if text.matches('.').count() >= 2 { TOKEN } else { BASE64 });
    }
    if ["ewog", "ewoJ", "ew0K", "LS0tLS1CRUdJTi", "QUdFLVNFQ1JFVC"].iter().any(|start| text.starts_with(start)) {
        return Some(BASE64);
    }
    // Of Google and of Vault.
    if ["ya29.", "GOCSPX-", "hvs.", "hvb.", "hvr."].iter().any(|start| text.starts_with(start)) {
        return Some(TOKEN);
    }
    // DER in base64, in which a slash makes no path.
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r');
    if text.starts_with("MII") && text.len() > LONGEST_WORD && text.bytes().all(is_base64) {
        return Some("a key or certificate in base64");
    }
    if text.contains(['\n', '\r']) {
        return Some("a text of several lines");
    }
    let is_word = !text.contains(['/', '\\', '.', ' ']);
    if text.split(['/', '\\']).any(|name| name.len() > LONGEST_NAME) || (is_word && text.len() >= LONGEST_WORD) {
        return Some("what looks like a key or a token");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_path_is_named_and_not_shown() {
        let long = "x".repeat(LONGEST_NAME + 1);
        let cases = [
            ("AGE-SECRET-KEY-1HUNTER2", "an age identity"),
            ("# public key: age1x\nAGE-SECRET-KEY-1HUNTER2\n", "an age identity"),
            ("AGE-PLUGIN-HUNTER2-1X", "an age identity"),
            ("age-secret-key-1hunter2", "an age identity"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2", "a private key"),
            ("-----BEGIN CERTIFICATE-----\nhunter2", "a certificate"),
            ("-----BEGIN RSA PRIVATE KEY----- hunter2", "a private key"),
            (" {\"private_key\": \"hunter2\"}", "JSON or another text of settings"),
            ("[basic]\nsk = hunter2", "JSON or another text of settings"),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJodW50ZXIyIn0.x", "a token"),
            ("eyJodW50ZXIyIjogMX0=", "a text in base64"),
            ("ya29.a0hunter2", "a token"),
            ("hvs.hunter2", "a token"),
            ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC/hunter2/hunter2", "a key or certificate in base64"),
            ("LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t", "a text in base64"),
            ("ak = a\nsk = hunter2", "a text of several lines"),
            (&long, "what looks like a key or a token"),
            ("hunter2hunter2hunter2hunter2hunter2hunter2", "what looks like a key or a token"),
        ];
        for (text, what) in cases {
            let wrong = check_path("VAULT_CLIENT_KEY", OsStr::new(text)).unwrap_err();
            assert_eq!(wrong.to_string(), format!("VAULT_CLIENT_KEY holds {what}, not a path"), "{text}");
            assert!(!wrong.hint().to_lowercase().contains("hunter2"), "{text}");
            assert!(check_program("SOPS_AGE_KEY_CMD", text, text).is_err());
        }
    }

    #[test]
    fn paths_are_paths_whatever_they_are_called() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("{AGE-SECRET-KEY-1}");
        std::fs::write(&odd, "").unwrap();
        for path in [
            "keys.txt",
            "/no/such/age-secret-key-1.txt",
            "~/.config/sops/age/keys.txt",
            r"C:\Users\me\keys.txt",
            "/run/secrets/eyJ",
            "",
            odd.to_str().unwrap(),
        ] {
            assert!(check_path("X", OsStr::new(path)).is_ok(), "{path}");
        }
        let environment = Environment::of([("X", "".into()), ("Y", "a/b".into())]);
        let path = |name: &str| path(&environment, name).unwrap();
        assert_eq!((path("X"), path("Y"), path("Z")), (None, Some("a/b".into()), None));
    }

    #[test]
    fn the_hint_names_the_variable_that_takes_it() {
        let wrong = check_path("SOPS_AGE_KEY_FILE", OsStr::new("AGE-SECRET-KEY-1X")).unwrap_err();
        assert_eq!(wrong.hint(), "export SOPS_AGE_KEY=\"$SOPS_AGE_KEY_FILE\"; unset SOPS_AGE_KEY_FILE");
        let wrong = check_path("VAULT_CLIENT_KEY", OsStr::new("-----BEGIN")).unwrap_err();
        assert!(wrong.hint().ends_with("export VAULT_CLIENT_KEY=FILE"));
        let wrong = check_path("GOOGLE_APPLICATION_CREDENTIALS", OsStr::new("eyJ0eXBlIjogMX0=")).unwrap_err();
        assert!(wrong.hint().starts_with("decode it into a file") && !wrong.hint().contains("GOOGLE_CREDENTIALS="));
    }
}
