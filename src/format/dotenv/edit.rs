//! Putting values into a document and taking them out.

use super::write;
use crate::document::{Document, EntryId, Node, Place, Splice};
use crate::error::{Error, Kind, Result};
use memchr::memmem;

/// The splices that put `value` in `place`.
pub(super) fn put(document: &Document, place: &Place, value: Node<'_>) -> Result<Vec<Splice>> {
    let (Place::Of(id) | Place::Member(id, _) | Place::Item(id)) = *place;
    let mut out = Vec::new();
    write::text(value.document.scalar(value.id), &mut out)
        .and_then(|()| check_value(value.document.scalar(value.id).bytes))
        .map_err(|reason| {
            write::cannot_hold(document, id, reason)
                .hint(r#"a key has one text: leafcrypt set FILE '["KEY"]' '"text"'"#)
        })?;
    let text = String::from_utf8(out).unwrap_or_default();
    let Place::Member(_, key) = place else { return Ok(vec![(document.entry(id).span(), text)]) };
    write::check_key(key).map_err(|reason| cannot_name(key, reason))?;
    Ok(vec![append(document, &format!("{key}={text}"))])
}

/// Says what is read as another value once it is written.
fn check_value(value: &[u8]) -> Result<(), &'static str> {
    match memmem::find(value, b"\\n") {
        Some(_) => Err("it has a backslash before an n in it, which is how a line break is written there"),
        None => Ok(()),
    }
}

fn cannot_name(key: &str, reason: &str) -> Error {
    Error::new(Kind::Format, format!("the key {key:?} cannot be written as dotenv"))
        .because(reason)
        .hint("take another name")
}

/// A new last line: behind the last one that is not blank.
fn append(document: &Document, line: &str) -> Splice {
    let text = document.text();
    let content = text.trim_end_matches([' ', '\t', '\r', '\n']).len();
    match memchr::memchr(b'\n', &text.as_bytes()[content..]) {
        _ if content == 0 => (0..0, format!("{line}\n")),
        Some(len) => (content + len + 1..content + len + 1, format!("{line}\n")),
        None => (text.len()..text.len(), format!("\n{line}")),
    }
}

/// The splices that take out the line of `id`.
pub(super) fn remove(document: &Document, id: EntryId) -> Vec<Splice> {
    let text = document.text();
    let value = document.entry(id).span();
    let start = document.key_start(id).unwrap_or(value.start);
    let range = if value.end < text.len() { start..value.end + 1 } else { start.saturating_sub(1)..value.end };
    vec![(range, String::new())]
}
