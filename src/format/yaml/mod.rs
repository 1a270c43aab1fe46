//! YAML, as go-yaml v3 reads it and sops holds it.
//!
//! Owns: the index ([`index`]), which values plain scalars have ([`resolve`]), where sops sees comments
//! ([`comments`]), writing into a place ([`place`], [`scalar`]), changing the tree ([`mod@edit`]), the `sops` block
//! ([`block`]) and whole documents ([`emit`]). Must not know: ciphers, rules, recipients.

mod block;
mod comments;
mod edit;
mod emit;
mod index;
mod lines;
mod place;
mod quoted;
mod resolve;
mod scalar;
mod strict;
mod tabs;

pub use scalar::is_old_bool;

use super::{Format, no_indent};
use crate::document::{Document, Encoding, EntryId, Indent, Kind, Node, Place, Scalar, Splice, Value};
use crate::error::Result;
use std::ops::Range;

/// YAML.
pub struct Yaml;

/// Prints a map of any shape as a YAML document, as sops would.
#[must_use]
pub fn print(map: &Value) -> String {
    emit::emit_block(map, 0, "\n", Indent::OfSops)
}

impl Format for Yaml {
    fn name(&self) -> &'static str {
        "yaml"
    }

    fn is_named(&self, file_name: &str) -> bool {
        file_name.ends_with(".yaml") || file_name.ends_with(".yml")
    }

    fn example(&self) -> &'static str {
        include_str!("example.yaml")
    }

    fn index(&self, text: String) -> Result<Document> {
        index::index(text)
    }

    fn encoding(&self, bytes: &[u8]) -> Encoding {
        Encoding::of(bytes)
    }

    fn write_token(&self, document: &Document, id: EntryId, token: &str, out: &mut Vec<u8>) {
        place::write_token(document, id, token, out);
    }

    fn write_scalar(&self, document: &Document, id: EntryId, scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<()> {
        place::write_scalar(document, id, scalar, out)
    }

    fn outgrown(&self, document: &Document, id: EntryId, scalar: Scalar<'_>) -> Option<Splice> {
        place::outgrown(document, id, scalar)
    }

    fn write_clear(&self, document: &Document, id: EntryId, _: &mut Vec<u8>) -> Result<bool> {
        strict::clear(document, id).map(|()| false).map_err(|refused| index::refuse(document.text(), refused))
    }

    fn write_copy(
        &self,
        document: &Document,
        id: EntryId,
        leaf: &mut dyn FnMut(EntryId, &mut Vec<u8>) -> Result<()>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        place::write_copy(document, id, leaf, out)
    }

    fn item_span(&self, document: &Document, id: EntryId) -> Range<usize> {
        let span = place::whole_span(document, id);
        let before = document.text()[..span.start].trim_end_matches(' ');
        match before.strip_suffix('-') {
            Some(before) if document.entry(id).parent().is_some_and(|p| document.entry(p).kind() == Kind::List) => {
                before.len()..span.end
            }
            _ => span,
        }
    }

    fn empty_list(&self, document: &Document, id: EntryId, comments: &[String]) -> (Range<usize>, String) {
        place::empty_list(document, id, comments)
    }

    fn metadata_spans(&self, document: &Document) -> Vec<Range<usize>> {
        block::spans(document, &self.metadata_entries(document))
    }

    fn metadata_insertions(&self, document: &Document, metadata: &Value) -> Vec<(usize, String)> {
        block::insertions(document, metadata)
    }

    fn change_metadata(&self, document: &Document, metadata: &Value) -> Result<Vec<Splice>> {
        let blocks = self.metadata_entries(document);
        let change = |&block: &EntryId| {
            let (range, around) = block::lines(document, block);
            super::fields::change(self, document, range, around, metadata)
        };
        blocks.iter().map(change).collect()
    }

    fn put(&self, document: &Document, place: &Place, value: Node<'_>) -> Result<Vec<Splice>> {
        edit::put(document, place, value)
    }

    fn remove(&self, document: &Document, id: EntryId) -> Result<Vec<Splice>> {
        edit::remove(document, id)
    }

    fn indent(&self, number: i64) -> Result<Indent> {
        match number {
            ..0 => Err(no_indent("YAML", number, "2 to 9 spaces")),
            0 => Ok(Indent::OfSops),
            // As go-yaml has it, and so sops.
            2..=9 => Ok(Indent::Spaces(u8::try_from(number).unwrap_or(2))),
            _ => Ok(Indent::Spaces(2)),
        }
    }

    fn block_indent(&self, encrypted: &Document) -> Indent {
        block::indent(encrypted, &self.metadata_entries(encrypted))
    }

    fn emit(&self, document: &Document, indent: Indent) -> Result<Vec<u8>> {
        emit::emit(document, indent).map(String::into_bytes)
    }

    /// sops has one indentation for these.
    fn emit_value(&self, document: &Document, id: EntryId, _indent: Indent) -> Result<Vec<u8>> {
        emit::emit_value(document, id).map(String::into_bytes)
    }
}
