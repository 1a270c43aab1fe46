//! The `[sops]` section. It is the last one of a file, with a blank line before it.

use super::super::{METADATA_KEY, flatten};
use super::read;
use super::write::{key_spelling, newline_of, print_key, spelling};
use crate::document::{Document, EntryId, Style, Value};
use std::ops::Range;

pub(super) fn read(document: &Document, section: EntryId) -> Option<Value> {
    let text = |id: EntryId| std::str::from_utf8(document.scalar(id).bytes).unwrap_or_default();
    Some(flatten::unflatten(document.children(section).map(|id| (document.key(id), text(id)))))
}

/// The lines to take out. A file that does not end with a line break still does not with the metadata, which is
/// how their removal knows.
pub(super) fn span(document: &Document, section: EntryId) -> Range<usize> {
    let text = document.text();
    let header = document.entry(section).span().start;
    let line = text[..header].trim_end_matches([' ', '\t']).len();
    let start = if text[..line].ends_with(['\n', '\u{feff}']) { line } else { header };
    let last = document.subtree(section).map(|id| document.entry(id).span());
    let last = last.skip(1).map(|span| span.end).max().unwrap_or(header);
    let end = read::line_end(text, last);
    // The line breaks that came with it.
    let newline = newline_of(&text[start..]);
    let before = &text[..start];
    let blank_line = before.strip_suffix(newline).filter(|before| before.ends_with('\n'));
    let before = if end == text.len() && !text.ends_with('\n') {
        blank_line.and_then(|before| before.strip_suffix(newline)).unwrap_or(before)
    } else {
        blank_line.unwrap_or(before)
    };
    before.len()..end
}

/// Where to put `metadata`, and its text.
pub(super) fn insertion(document: &Document, metadata: &Value) -> (usize, String) {
    let text = document.text();
    let newline = newline_of(text);
    let lines = flatten::flatten(metadata);
    // Names and texts of all known fields have a spelling; those of unknown ones came from such a file.
    let lines: Vec<_> =
        lines.iter().filter_map(|(name, text)| Some((key_spelling(name)?, spelling(text, Style::Plain)?))).collect();
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut block = format!("[{METADATA_KEY}]{newline}").into_bytes();
    for (name, value) in &lines {
        print_key(name, width, &mut block);
        block.extend_from_slice(value.as_bytes());
        block.extend_from_slice(newline.as_bytes());
    }
    // Made of `str` pieces alone.
    let mut block = String::from_utf8(block).unwrap_or_default();
    if text.ends_with('\n') {
        block.insert_str(0, newline);
    } else if !text.trim_start_matches('\u{feff}').is_empty() {
        block.truncate(block.len() - newline.len());
        block.insert_str(0, newline);
        block.insert_str(0, newline);
    }
    (text.len(), block)
}
