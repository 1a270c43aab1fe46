//! JSON: RFC 8259 with an object at the top, as sops wants it.
//!
//! Owns: the syntax of JSON, the numbers and strings of Go's `encoding/json` (which is what sops reads
//! and prints with), where the `sops` member stands. Must not know: ciphers, rules, recipients, files.
//!
//! `docs/json.md` says for users what is decided here, and why.

mod edit;
mod emit;
mod fault;
mod index;
mod keys;
mod layout;
mod metadata;
mod number;
mod pieces;
#[cfg(test)]
mod tests;
mod write;

use super::{Format, no_indent};
use crate::document::{Document, EntryId, Indent, Node, Place, Scalar, Splice, Value};
use crate::error::{Error, Kind, Result};
use std::io::Read;
use std::ops::Range;

/// As deep as Go's `encoding/json` reads and prints (`maxNestingDepth`), and so sops. What is printed grows with the
/// square of the depth, since each line is indented.
const MAX_DEPTH: usize = 10_000;

/// JSON.
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn is_named(&self, file_name: &str) -> bool {
        file_name.ends_with(".json")
    }

    fn example(&self) -> &'static str {
        include_str!("example.json")
    }

    fn index(&self, text: String) -> Result<Document> {
        index::index(text)
    }

    fn pieces<'a>(&self, source: Box<dyn Read + 'a>, size: usize) -> Option<super::Pieces<'a>> {
        Some(Box::new(pieces::Pieces::new(source, size)))
    }

    fn metadata_in_tail(&self, tail: &[u8]) -> Option<String> {
        pieces::metadata_in_tail(tail)
    }

    fn write_token(&self, _document: &Document, _id: EntryId, token: &str, out: &mut Vec<u8>) {
        write::string(token, out);
    }

    fn write_scalar(&self, document: &Document, id: EntryId, scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<()> {
        write::scalar(scalar, out).map_err(|reason| cannot_hold(document, id, reason))
    }

    fn metadata_spans(&self, document: &Document) -> Vec<Range<usize>> {
        metadata::spans(document)
    }

    fn metadata_insertions(&self, document: &Document, metadata: &Value) -> Vec<(usize, String)> {
        metadata::insertions(document, metadata)
    }

    fn change_metadata(&self, document: &Document, metadata: &Value) -> Result<Vec<Splice>> {
        let blocks = self.metadata_entries(document);
        let change = |&block: &EntryId| {
            let key = metadata::key_start(document, block);
            super::fields::change(self, document, key..document.entry(block).span().end, ["{", "}"], metadata)
        };
        blocks.iter().map(change).collect()
    }

    fn put(&self, document: &Document, place: &Place, value: Node<'_>) -> Result<Vec<Splice>> {
        edit::put(document, place, value)
    }

    fn remove(&self, document: &Document, id: EntryId) -> Result<Vec<Splice>> {
        Ok(edit::remove(document, id))
    }

    fn indent(&self, number: i64) -> Result<Indent> {
        if number == -1 {
            return Ok(Indent::Tab);
        }
        u8::try_from(number).map(Indent::Spaces).map_err(|_| no_indent("JSON", number, "-1, a tab, or 0 to 255 spaces"))
    }

    fn block_indent(&self, encrypted: &Document) -> Indent {
        metadata::indent(encrypted)
    }

    fn emit(&self, document: &Document, indent: Indent) -> Result<Vec<u8>> {
        emit::document(document, indent).map(String::into_bytes)
    }

    fn emit_value(&self, document: &Document, id: EntryId, indent: Indent) -> Result<Vec<u8>> {
        emit::value(document, id, indent).map(String::into_bytes)
    }
}

/// The text around the value of `key` in an object that holds it and the metadata, as sops prints it.
pub(super) fn around(key: &str, metadata: &Value, indent: Indent) -> (String, String) {
    metadata::around(key, metadata, indent)
}

/// The error for a value that JSON has no form for.
fn cannot_hold(document: &Document, id: EntryId, reason: &str) -> Error {
    Error::new(Kind::Format, "a value cannot be written as JSON")
        .at_path(document.path(id))
        .because(reason)
        .hint("write the file in a format that can hold it: --output-type yaml")
}
