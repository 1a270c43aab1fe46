//! Law 1: what is accepted comes back byte for byte, and a refusal is for a reason that stands in the
//! document. What cannot be opened is an error. Nothing is ever a panic.

use leafcrypt::document::Value;
use leafcrypt::format::{self, Format};
use leafcrypt::metadata::Metadata;
use leafcrypt::seal;
use leafcrypt::secret::DataKey;

/// Selectors; which one a document is tried under follows from its length, so that it is the same again.
const RULES: &[(&str, &str)] = &[
    EVERYTHING,
    ("encrypted_regex", "^[a-m]"),
    ("encrypted_comment_regex", "[aeiou]{1}[^aeiou]"),
    EVERYTHING,
    ("unencrypted_comment_regex", "the"),
    ("encrypted_suffix", "s"),
];

/// What sops encrypts when nothing is said.
pub const EVERYTHING: (&str, &str) = ("unencrypted_suffix", "_unencrypted");

/// For whom the data key is wrapped.
pub struct Stanza {
    pub recipient: String,
    pub enc: String,
}

impl Default for Stanza {
    /// The recipient of the all-zero example identity; nothing is wrapped for it.
    fn default() -> Self {
        let recipient = "age1cy0su9fwf3gf9mw868g5yut09p6nytfmmnktexz2ya5uqg9vl9sss4euqm";
        Stanza { recipient: recipient.to_owned(), enc: "none".to_owned() }
    }
}

fn metadata(rule: (&str, &str), stanza: &Stanza) -> Metadata {
    let text = |text: &str| Value::Str(text.to_owned());
    let stanza = vec![("recipient".to_owned(), text(&stanza.recipient)), ("enc".to_owned(), text(&stanza.enc))];
    let fields = [
        ("age", Value::List(vec![Value::Map(stanza)])),
        ("lastmodified", text("2026-01-02T03:04:05Z")),
        ("mac", text("ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]")),
        (rule.0, text(rule.1)),
        ("version", text("3.11.0")),
    ];
    Metadata::from_value(&Value::Map(fields.map(|(key, value)| (key.to_owned(), value)).into())).expect("a sops block")
}

/// The data key of all these documents.
pub fn key() -> DataKey {
    DataKey::from_bytes(vec![7; DataKey::SIZE]).expect("a data key")
}

/// Encrypts `bytes` as a document of the format called `name`; nothing when they are refused.
pub fn seal(name: &str, bytes: &[u8]) -> Option<String> {
    seal_for(name, bytes, RULES[bytes.len() % RULES.len()], &Stanza::default()).ok()
}

/// Encrypts `bytes` under a rule for someone; why not, when they are refused.
pub fn seal_for(name: &str, bytes: &[u8], rule: (&str, &str), stanza: &Stanza) -> Result<String, String> {
    let format = format::by_name(name).expect("a format");
    let document = format.index_plaintext(bytes.to_vec()).map_err(|error| error.to_string())?;
    if document.roots().is_empty() || !format.metadata_entries(&document).is_empty() {
        return Err("there is no document in the file, or a block".to_owned());
    }
    seal::encrypt(format, &document, &key(), &mut metadata(rule, stanza), None).map_err(|error| {
        let reasons = error.to_string();
        assert!(!reasons.contains("fault of leafcrypt"), "{reasons}");
        reasons
    })
}

fn open(format: &dyn Format, text: String, ignore_mac: bool) -> leafcrypt::Result<Vec<u8>> {
    let document = format.index(text)?;
    let metadata = Metadata::from_value(&format.metadata(&document).unwrap_or(Value::Null))?;
    Ok(seal::decrypt(format, &document, &key(), &metadata, ignore_mac)?.into_file())
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
