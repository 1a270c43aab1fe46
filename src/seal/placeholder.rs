//! An encrypted document with placeholders for its values, for which no key is needed.

use super::data_entries;
use super::layout::Layout;
use super::restore::{Source, restore};
use crate::crypto::Token;
use crate::document::{Document, EntryId, Kind, Scalar, Splicer};
use crate::error::Result;
use crate::format::Format;

/// Puts a value in the place of each token, and takes the `sops` block out. `text` gives the text for the
/// string token at an entry; other types have a value of their own.
///
/// # Errors
/// When the format cannot hold such a value at its place.
pub fn placeholder(
    format: &dyn Format,
    document: &Document,
    text: impl Fn(EntryId) -> &'static str,
) -> Result<Vec<u8>> {
    let data = data_entries(format, document);
    let splicer = Splicer::with_len(document.bytes(), document.bytes().len());
    let restored = restore(
        format,
        document,
        &data,
        &Layout::default(),
        splicer,
        |id| {
            let token = Token::parse(document.scalar(id).bytes);
            let Some(token) = token else { return Source::Clear };
            let kind = token.kind();
            let bytes = match kind {
                Kind::Int | Kind::Float => "0",
                Kind::Bool => "False",
                Kind::Time => "1970-01-01T00:00:00Z",
                _ => text(id),
            };
            Source::Sealed(Scalar { kind, bytes: bytes.as_bytes() })
        },
        None,
    )?;
    Ok(restored.finish())
}
