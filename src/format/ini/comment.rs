//! What sops takes for a comment, and how it prints one.
//!
//! The lines above a key and what follows its value are one comment to sops, which it prints above the key; so for
//! a section. Here they are two entries, in their places. The first holds the text of both, so that sops gets all of
//! it, and only the lines above are written in its place; the second, behind the value, is tied to it.
//!
//! Source: `stripCommentChar` in `stores/ini/store.go` of sops 3.11, `writeToBuffer` in `file.go` of ini.v1 1.67.1.

use super::read::MARKS;
use crate::document::{Document, EntryId, Flags, Kind, Style};

/// A comment's text without the marks and blanks before it. sops cannot print one whose first line is empty: it
/// panics. So that it can read ours, empty lines at the start are no part of the text.
pub(super) fn stripped(comment: &str) -> &str {
    let text = without_mark(comment.trim());
    text.trim_start_matches('\n')
}

fn without_mark(comment: &str) -> &str {
    match comment.chars().next() {
        Some(mark) if MARKS.contains(&mark) => comment.trim_start_matches([mark, ' ']),
        _ => comment,
    }
}

/// The marks and blanks before the text of the comment `id`.
fn mark(document: &Document, id: EntryId) -> &str {
    let raw = document.raw(id);
    let mark = raw.len() - without_mark(raw).len();
    if mark == 0 { "; " } else { &raw[..mark] }
}

/// Whether the text of the comment `id` ends with that of another, which stands behind the value.
fn has_tied(document: &Document, id: EntryId) -> bool {
    let next = id + 2;
    next < document.len() && document.entry(next).is(Flags::TIED) && !document.scalar(next).bytes.is_empty()
}

/// Whether sops has the comment `id` at a section.
fn is_of_section(document: &Document, id: EntryId) -> bool {
    let is_map = |id: EntryId| id < document.len() && document.entry(id).kind() == Kind::Map;
    let is_inline = document.entry(id).style() == Style::Flow;
    is_map(id + 1) || is_inline && id.checked_sub(1).is_some_and(is_map)
}

/// Appends the token of a comment over its span.
pub(super) fn write_token(document: &Document, id: EntryId, token: &str, out: &mut Vec<u8>) {
    if document.entry(id).is(Flags::NO_TOKEN) {
        out.push(b';');
        return;
    }
    out.extend_from_slice(mark(document, id).as_bytes());
    out.extend_from_slice(token.as_bytes());
}

/// Appends a clear comment over its span without the empty lines at its start, at which sops panics. Whether there are any.
pub(super) fn write_clear(document: &Document, id: EntryId, out: &mut Vec<u8>) -> bool {
    let is_comment = document.entry(id).kind() == Kind::Comment;
    let raw = document.raw(id);
    let is_above = id + 2 < document.len() && document.entry(id + 2).is(Flags::TIED);
    let text = without_mark(raw);
    // A line that is not quite empty, as one before CRLF, sops can print.
    let ends_there = || document.text()[document.entry(id).span().end..].starts_with('\n');
    if !is_comment || !(text.starts_with('\n') || is_above && text.is_empty() && ends_there()) {
        return false;
    }
    let text = String::from_utf8_lossy(document.scalar(id).bytes);
    // What stands behind the value stays there.
    let above = if is_above { text.rsplit_once('\n').map_or("", |(above, _)| above.trim_end()) } else { &text };
    // Behind another mark, a mark is text to sops.
    let rest = without_mark(above);
    if above.is_empty() || rest.starts_with('\n') || is_above && rest.trim().is_empty() {
        out.extend_from_slice(if above.starts_with('#') { b";" } else { b"#" });
    }
    out.extend_from_slice(if above.is_empty() { b";" } else { above.as_bytes() });
    true
}

/// Appends a comment over its span: as sops prints it, but with the marks that stand there.
pub(super) fn write(document: &Document, id: EntryId, text: &str, newline: &str, out: &mut Vec<u8>) {
    let text = if has_tied(document, id) { text.rsplit_once('\n').map_or("", |(above, _)| above) } else { text };
    let trims = !is_of_section(document, id);
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.extend_from_slice(newline.as_bytes());
        }
        let line = if trims { line.trim() } else { line };
        let line = if newline.len() > 1 { line.strip_suffix('\r').unwrap_or(line) } else { line };
        let (mark, line) = match line.strip_prefix(MARKS) {
            Some(rest) if line.starts_with('#') => ("# ", rest.trim()),
            Some(rest) => ("; ", rest.trim()),
            None if at > 0 => ("; ", line),
            None => (mark(document, id), line),
        };
        out.extend_from_slice(mark.as_bytes());
        out.extend_from_slice(line.as_bytes());
    }
}
