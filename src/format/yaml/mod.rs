//! YAML.

use super::Format;
use crate::document::{Document, EntryId, Scalar, Value};
use crate::error::Result;
use std::ops::Range;

mod emit;
mod resolve;
mod scalar;

/// YAML.
pub struct Yaml;

impl Format for Yaml {
    fn name(&self) -> &'static str {
        "yaml"
    }

    fn is_named(&self, file_name: &str) -> bool {
        file_name.ends_with(".yaml")
    }

    fn index(&self, _text: String) -> Result<Document> {
        unreachable!("stub")
    }

    fn write_token(&self, _document: &Document, _id: EntryId, _token: &str, _out: &mut Vec<u8>) {
        unreachable!("stub")
    }

    fn write_scalar(&self, _document: &Document, _id: EntryId, _scalar: Scalar<'_>, _out: &mut Vec<u8>) -> Result<()> {
        unreachable!("stub")
    }

    fn metadata_spans(&self, _document: &Document) -> Vec<Range<usize>> {
        unreachable!("stub")
    }

    fn metadata_insertions(&self, _document: &Document, _metadata: &Value) -> Vec<(usize, String)> {
        unreachable!("stub")
    }

    fn emit(&self, _document: &Document) -> Result<String> {
        unreachable!("stub")
    }

    fn emit_value(&self, _document: &Document, _id: EntryId) -> Result<String> {
        unreachable!("stub")
    }
}
