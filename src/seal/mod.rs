//! Encrypting and decrypting a document.

use crate::document::Document;
use crate::error::Result;
use crate::format::Format;
use crate::metadata::Metadata;
use crate::secret::DataKey;

/// What came out of [`decrypt`].
pub struct Decrypted {
    /// The plaintext, byte for byte the file that was encrypted.
    pub text: String,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

/// Encrypts `document` under `data_key` and gives the file to write, its `sops` block in place.
/// Sets `last_modified`, `mac` and `layout` of `metadata`.
///
/// # Errors
/// When something in the document could not be given back, with the place; nothing is written then.
pub fn encrypt(
    format: &dyn Format,
    document: &Document,
    data_key: &DataKey,
    metadata: &mut Metadata,
) -> Result<String> {
    let _ = (format, document, data_key, metadata);
    unreachable!("stub")
}

/// Decrypts `document` and verifies its MAC (unless `ignore_mac`).
///
/// # Errors
/// A leaf that does not decrypt, with its key path; a MAC that does not match.
pub fn decrypt(
    format: &dyn Format,
    document: &Document,
    data_key: &DataKey,
    metadata: &Metadata,
    ignore_mac: bool,
) -> Result<Decrypted> {
    let _ = (format, document, data_key, metadata, ignore_mac);
    unreachable!("stub")
}
