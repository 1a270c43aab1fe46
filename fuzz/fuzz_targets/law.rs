//! Law 1: what is accepted comes back byte for byte, and a refusal is for a reason that stands in the
//! document. What cannot be opened is an error. Nothing is ever a panic.

use leafcrypt::document::Value;
use leafcrypt::format::{self, Format};
use leafcrypt::metadata::Metadata;
use leafcrypt::seal;
use leafcrypt::secret::DataKey;

/// Selectors; which one a document is tried under follows from its length, so that it is the same again.
const RULES: &[(&str, &str)] = &[
    ("unencrypted_suffix", "_unencrypted"),
    ("encrypted_regex", "^[a-m]"),
    ("encrypted_comment_regex", "[aeiou]{1}[^aeiou]"),
    ("unencrypted_suffix", "_unencrypted"),
    ("unencrypted_comment_regex", "the"),
    ("encrypted_suffix", "s"),
];

fn metadata(rule: (&str, &str)) -> Metadata {
    let text = |text: &str| Value::Str(text.to_owned());
    let stanza = vec![
        // The recipient of the all-zero example identity; nothing is wrapped for it here.
        ("recipient".to_owned(), text("age1cy0su9fwf3gf9mw868g5yut09p6nytfmmnktexz2ya5uqg9vl9sss4euqm")),
        ("enc".to_owned(), text("none")),
    ];
    let fields = [
        ("age", Value::List(vec![Value::Map(stanza)])),
        ("lastmodified", text("2026-01-02T03:04:05Z")),
        ("mac", text("ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]")),
        (rule.0, text(rule.1)),
        ("version", text("3.11.0")),
    ];
    Metadata::from_value(&Value::Map(fields.map(|(key, value)| (key.to_owned(), value)).into())).expect("a sops block")
}

fn key() -> DataKey {
    DataKey::from_bytes(vec![7; DataKey::SIZE]).expect("a data key")
}

/// Encrypts `bytes` as a document of the format called `name`; nothing when they are refused.
pub fn seal(name: &str, bytes: &[u8]) -> Option<String> {
    let format = format::by_name(name).expect("a format");
    let document = format.index_plaintext(bytes.to_vec()).ok()?;
    if document.roots().is_empty() || !format.metadata_entries(&document).is_empty() {
        return None;
    }
    let rule = RULES[bytes.len() % RULES.len()];
    match seal::encrypt(format, &document, &key(), &mut metadata(rule), None) {
        Ok(sealed) => Some(sealed),
        Err(error) => {
            let reasons = error.to_string();
            assert!(!reasons.contains("fault of leafcrypt"), "{reasons}");
            None
        }
    }
}

fn open(format: &dyn Format, text: String, ignore_mac: bool) -> leafcrypt::Result<Vec<u8>> {
    let document = format.index(text)?;
    let metadata = Metadata::from_value(&format.metadata(&document).unwrap_or(Value::Null))?;
    Ok(seal::decrypt(format, &document, &key(), &metadata, ignore_mac)?.into_plaintext())
}

/// Checks the law on `bytes` as a document of the format called `name`.
pub fn check(name: &str, bytes: &[u8]) {
    let Some(sealed) = seal(name, bytes) else { return };
    let format = format::by_name(name).expect("a format");
    let opened = open(format, sealed, false).expect("what was encrypted is decrypted");
    assert_eq!(opened, bytes);
}

/// Opens an encrypted document that may be damaged.
#[allow(dead_code, reason = "one of those who include this file has no damaged documents")]
pub fn check_damaged(name: &str, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let format = format::by_name(name).expect("a format");
    let _ = open(format, text.to_owned(), true);
}
