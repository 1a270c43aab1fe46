//! dotenv: a line `KEY=VALUE` for each value, as sops reads it.
//!
//! Owns: the lines ([`index`]), values and comments in their places and whole files ([`write`]), the `sops_` lines
//! that hold the metadata ([`metadata`]). Must not know: ciphers, rules, recipients, files on a disk.
//!
//! sops knows nothing of quotes, `export` or blanks here: all that stands before the first `=` is the key and all
//! behind it is the value, to the line feed. `docs/dotenv-ini-binary.md` says for users what follows from that.

mod edit;
mod index;
mod metadata;
#[cfg(test)]
mod tests;
mod write;

use super::{Format, METADATA_KEY, fields, flatten};
use crate::document::{Document, EntryId, Indent, Node, Place, Scalar, Splice, Step, Value};
use crate::error::Result;
use std::ops::Range;

/// dotenv.
pub struct Dotenv;

impl Format for Dotenv {
    fn name(&self) -> &'static str {
        "dotenv"
    }

    fn is_named(&self, file_name: &str) -> bool {
        file_name.ends_with(".env")
    }

    fn example(&self) -> &'static str {
        include_str!("example.env")
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

    fn metadata_entries(&self, document: &Document) -> Vec<EntryId> {
        metadata::entries(document).collect()
    }

    fn metadata(&self, document: &Document) -> Option<Value> {
        metadata::read(document)
    }

    fn metadata_spans(&self, document: &Document) -> Vec<Range<usize>> {
        metadata::spans(document)
    }

    fn metadata_insertions(&self, document: &Document, metadata: &Value) -> Vec<(usize, String)> {
        vec![metadata::insertion(document, metadata)]
    }

    fn change_metadata(&self, document: &Document, metadata: &Value) -> Result<Vec<Splice>> {
        let path = |name: &str| vec![Step::Key(format!("{METADATA_KEY}_{name}"))];
        let text = |text: String| text.replace("\\n", "\n");
        let change = |span| fields::change_flat(self, document, span, metadata, path, text);
        metadata::spans(document).into_iter().map(change).collect()
    }

    fn adapt(&self, value: Document) -> Result<Document> {
        flatten::texts(&value, "dotenv")
    }

    fn put(&self, document: &Document, place: &Place, value: Node<'_>) -> Result<Vec<Splice>> {
        edit::put(document, place, value)
    }

    fn remove(&self, document: &Document, id: EntryId) -> Result<Vec<Splice>> {
        Ok(edit::remove(document, id))
    }

    fn emit(&self, document: &Document, _indent: Indent) -> Result<Vec<u8>> {
        write::document(document)
    }

    fn emit_value(&self, document: &Document, id: EntryId, _indent: Indent) -> Result<Vec<u8>> {
        write::value(document, id)
    }
}
