//! The `sops_` lines. They are the last ones of a file; each that stands elsewhere is read as well.

use super::super::{METADATA_KEY, flatten};
use crate::document::{Document, EntryId, Value};
use std::ops::Range;

/// Whether a key is one of the metadata.
pub(super) fn is_metadata(key: &str) -> bool {
    name(key).is_some()
}

/// What a key of the metadata is called there.
fn name(key: &str) -> Option<&str> {
    key.strip_prefix(METADATA_KEY)?.strip_prefix('_')
}

/// The entries of the metadata.
pub(super) fn entries(document: &Document) -> impl Iterator<Item = EntryId> + '_ {
    let keyed = (0..document.len()).filter(|&id| document.entry(id).has_key());
    keyed.filter(|&id| is_metadata(document.key(id)))
}

pub(super) fn read(document: &Document) -> Option<Value> {
    let mut lines = entries(document).filter_map(|id| Some((name(document.key(id))?, document.raw(id)))).peekable();
    lines.peek()?;
    Some(flatten::unflatten(lines))
}

/// The lines to take out. A file that does not end with a line break still does not with the metadata, which is
/// how their removal knows.
pub(super) fn spans(document: &Document) -> Vec<Range<usize>> {
    let text = document.text();
    let mut spans: Vec<Range<usize>> = Vec::new();
    for id in entries(document) {
        let value = document.entry(id).span();
        let start = document.key_start(id).unwrap_or(value.start);
        let end = (value.end + 1).min(text.len());
        match spans.last_mut().filter(|last| last.end == start) {
            Some(last) => last.end = end,
            None => spans.push(start..end),
        }
    }
    if let Some(last) = spans.last_mut().filter(|last| last.end == text.len() && !text.ends_with('\n')) {
        last.start = last.start.saturating_sub(1);
    }
    spans
}

/// Where to put `metadata`, and its text.
pub(super) fn insertion(document: &Document, metadata: &Value) -> (usize, String) {
    let text = document.text();
    let lines = flatten::flatten(metadata);
    let mut block: String = lines.iter().map(|(name, value)| format!("{METADATA_KEY}_{name}={value}\n")).collect();
    if !text.is_empty() && !text.ends_with('\n') {
        block.pop();
        block.insert(0, '\n');
    }
    (text.len(), block)
}
