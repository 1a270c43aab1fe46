//! INI: sections of keys and values, as sops reads them.
//!
//! Owns: how lines, keys and values are read ([`read`]), the index ([`index`]), what a comment is ([`comment`]),
//! values in their places and whole files ([`write`]), the `[sops]` section ([`metadata`]). Must not know: ciphers,
//! rules, recipients, files on a disk.
//!
//! `docs/dotenv-ini-binary.md` says for users what is decided here, and why.

mod comment;
mod edit;
mod index;
mod metadata;
mod read;
#[cfg(test)]
mod tests;
mod write;

use super::{Format, METADATA_KEY, fields, flatten};
use crate::document::{Document, EntryId, Indent, Node, Place, Scalar, Splice, Step, Value};
use crate::error::Result;
use std::ops::Range;

/// INI.
pub struct Ini;

/// The section of the keys before the first header. sops has it in every file.
const DEFAULT_SECTION: &str = "DEFAULT";

impl Format for Ini {
    fn name(&self) -> &'static str {
        "ini"
    }

    fn is_named(&self, file_name: &str) -> bool {
        file_name.ends_with(".ini")
    }

    fn example(&self) -> &'static str {
        include_str!("example.ini")
    }

    fn index(&self, text: String) -> Result<Document> {
        index::index(text)
    }

    fn write_token(&self, document: &Document, id: EntryId, token: &str, out: &mut Vec<u8>) {
        write::token(document, id, token, out);
    }

    fn write_scalar(&self, document: &Document, id: EntryId, scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<()> {
        write::scalar(document, id, scalar, out)
    }

    fn write_clear(&self, document: &Document, id: EntryId, out: &mut Vec<u8>) -> Result<bool> {
        Ok(comment::write_clear(document, id, out))
    }

    fn metadata(&self, document: &Document) -> Option<Value> {
        metadata::read(document, *self.metadata_entries(document).first()?)
    }

    fn metadata_spans(&self, document: &Document) -> Vec<Range<usize>> {
        self.metadata_entries(document).into_iter().map(|section| metadata::span(document, section)).collect()
    }

    fn metadata_insertions(&self, document: &Document, metadata: &Value) -> Vec<(usize, String)> {
        vec![metadata::insertion(document, metadata)]
    }

    fn change_metadata(&self, document: &Document, metadata: &Value) -> Result<Vec<Splice>> {
        let path = |name: &str| [METADATA_KEY, name].map(|key| Step::Key(key.to_owned())).to_vec();
        let change = |span| fields::change_flat(self, document, span, metadata, path, |text| text);
        self.metadata_spans(document).into_iter().map(change).collect()
    }

    fn adapt(&self, value: Document) -> Result<Document> {
        flatten::texts(&value, "INI")
    }

    fn put(&self, document: &Document, place: &Place, value: Node<'_>) -> Result<Vec<Splice>> {
        edit::put(document, place, value)
    }

    fn remove(&self, document: &Document, id: EntryId) -> Result<Vec<Splice>> {
        edit::remove(document, id)
    }

    fn emit(&self, document: &Document, _indent: Indent) -> Result<Vec<u8>> {
        write::document(document)
    }

    fn emit_value(&self, document: &Document, id: EntryId, _indent: Indent) -> Result<Vec<u8>> {
        write::value(document, id)
    }
}
