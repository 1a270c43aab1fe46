//! Law 1: what is accepted comes back byte for byte. Anything else is an error, never a panic.

use leafcrypt::document::Value;
use leafcrypt::format;
use leafcrypt::metadata::Metadata;
use leafcrypt::seal::{self, Nonces};
use leafcrypt::secret::DataKey;

fn metadata() -> Metadata {
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
        ("unencrypted_suffix", text("_unencrypted")),
        ("version", text("3.11.0")),
    ];
    Metadata::from_value(&Value::Map(fields.map(|(key, value)| (key.to_owned(), value)).into())).expect("a sops block")
}

fn key() -> DataKey {
    DataKey::from_bytes(vec![7; DataKey::SIZE]).expect("a data key")
}

/// Checks the law on `bytes` as a document of the format called `name`.
pub fn check(name: &str, bytes: &[u8]) {
    let format = format::by_name(name).expect("a format");
    let Ok(document) = format.index_plaintext(bytes.to_vec()) else { return };
    if document.roots().is_empty() || !format.metadata_entries(&document).is_empty() {
        return;
    }
    let Ok(sealed) = seal::encrypt(format, &document, &key(), &mut metadata(), &Nonces::default()) else { return };
    let document = format.index(sealed).expect("what was written is read");
    let block = format.metadata(&document).expect("there is a block");
    let block = Metadata::from_value(&block).expect("the block is read");
    let opened =
        seal::decrypt(format, &document, &key(), &block, false, None).expect("what was encrypted is decrypted");
    assert_eq!(opened.into_plaintext(), bytes);
}
