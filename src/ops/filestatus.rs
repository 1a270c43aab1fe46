//! `filestatus`: whether a file is encrypted.

use super::source::Source;
use crate::error::Result;
use crate::metadata::Metadata;

/// Whether the document is encrypted: it has a `sops` block, and that has a MAC. No key is looked for.
///
/// # Errors
/// When it cannot be read, or its block makes no sense.
pub fn is_encrypted(source: &Source) -> Result<bool> {
    let opened = source.open()?;
    let is_encrypted = || -> Result<bool> {
        let document = opened.input.index_bytes(opened.bytes)?;
        match opened.input.metadata(&document) {
            None => Ok(false),
            Some(block) => Ok(!Metadata::from_value_ignoring_mac(&block)?.mac.is_empty()),
        }
    };
    is_encrypted().map_err(|error| error.in_file(source.shown()))
}
