//! Placeholders for encrypted values: what a machine without keys can render and compare.

use super::source::{Opened, Source};
use super::unsealed::not_encrypted;
use crate::document::{Document, EntryId};
use crate::error::Result;
use crate::format::Format;
use crate::seal;
use crate::secret::SecretBytes;

/// What stands for a text, and its base64, which the `data` of a Kubernetes Secret must be.
const TEXT: &str = "placeholder";
const BASE64: &str = "cGxhY2Vob2xkZXI=";

/// The encrypted file of `source` with placeholders for its values. The MAC is not looked at.
///
/// # Errors
/// When it cannot be read, is not encrypted, or cannot hold a placeholder.
pub fn placeholder(source: &Source) -> Result<SecretBytes> {
    let shown = source.shown();
    let Opened { bytes, input, .. } = source.open()?;
    of_file(input, bytes).map(SecretBytes::from).map_err(|error| error.in_file(shown))
}

/// The encrypted file `file` with placeholders for its values.
///
/// # Errors
/// When it is not of `format`, is not encrypted, or cannot hold a placeholder.
pub fn of_file(format: &dyn Format, file: Vec<u8>) -> Result<Vec<u8>> {
    let document = format.index_bytes(file)?;
    if format.metadata_entries(&document).is_empty() {
        return Err(not_encrypted(&document));
    }
    seal::placeholder(format, &document, |id| if is_base64(&document, id) { BASE64 } else { TEXT })
}

/// Whether the entry is in the `data` of a Kubernetes Secret.
fn is_base64(document: &Document, id: EntryId) -> bool {
    let parent = document.entry(id).parent().filter(|&parent| document.key(parent) == "data");
    let root = parent.and_then(|parent| document.entry(parent).parent());
    root.filter(|&root| document.entry(root).parent().is_none()).is_some_and(|root| {
        document.children(root).any(|child| document.key(child) == "kind" && document.scalar(child).bytes == b"Secret")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::yaml::Yaml;

    #[test]
    fn each_type_has_a_placeholder_and_data_is_base64() {
        let token = |kind: &str| format!("ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:{kind}]");
        let text = format!(
            "kind: Secret\ndata:\n    a: {str}\nstringData:\n    b: {str}\n    c: {int}\n    d: {bool}\n    e: clear\nsops:\n    mac: x\n",
            str = token("str"),
            int = token("int"),
            bool = token("bool"),
        );
        let shown = String::from_utf8(of_file(&Yaml, text.into_bytes()).unwrap()).unwrap();
        assert_eq!(
            shown,
            "kind: Secret\ndata:\n    a: cGxhY2Vob2xkZXI=\nstringData:\n    b: placeholder\n    c: 0\n    d: false\n    e: clear\n"
        );
        assert_eq!(of_file(&Yaml, b"a: 1\n".to_vec()).unwrap_err().message(), "the file is not encrypted");
    }
}
