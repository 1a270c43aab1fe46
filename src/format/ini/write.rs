//! Values and keys in their places, and whole files as sops prints them.
//!
//! sops prints some values so that they are read as others: one that ends with a backslash, one in quotes. A
//! spelling is used only if it reads as exactly what it is to say; sops' own comes first.

use super::super::json::Json;
use super::super::{Format, flatten, tree};
use super::read::{self, MARKS};
use super::{DEFAULT_SECTION, comment};
use crate::document::{Document, EntryId, Indent, Kind, Scalar, Style};
use crate::error::{self, Error, Result};
use std::borrow::Cow;

/// The line break of a text: that of its first line.
pub(super) fn newline_of(text: &str) -> &'static str {
    match memchr::memchr(b'\n', text.as_bytes()) {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Writes a token over the span of `id`.
pub(super) fn token(document: &Document, id: EntryId, token: &str, out: &mut Vec<u8>) {
    if document.entry(id).kind() == Kind::Comment {
        return comment::write_token(document, id, token, out);
    }
    // sops sees the comment behind a value of several lines, but not behind one of one line in such quotes.
    let next = id + 1;
    let has_comment = next < document.len()
        && document.entry(next).kind() == Kind::Comment
        && document.entry(next).style() == Style::Flow;
    let quote = match document.entry(id).style() {
        Style::TripleQuoted | Style::BackQuoted if has_comment => "",
        style => read::quote(style),
    };
    for piece in [quote, token, quote] {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Writes a value over the span of `id`.
pub(super) fn scalar(document: &Document, id: EntryId, scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<()> {
    let entry = document.entry(id);
    if entry.kind() == Kind::Comment {
        let newline = newline_of(document.text());
        match std::str::from_utf8(scalar.bytes) {
            Ok(text) => comment::write(document, id, text, newline, out),
            // Of sops, which knows no encodings: each byte comes out as it is.
            Err(_) => {
                let text: String = scalar.bytes.iter().copied().map(char::from).collect();
                let mut written = Vec::new();
                comment::write(document, id, &text, newline, &mut written);
                out.extend(String::from_utf8_lossy(&written).chars().map(|byte| byte as u8));
            }
        }
        return Ok(());
    }
    value_text(scalar, entry.style(), out)
        .map_err(|reason| cannot_hold(document, id, reason).hint(flatten::ANOTHER_TYPE))
}

fn value_text(scalar: Scalar<'_>, style: Style, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if scalar.kind != Kind::Str {
        return flatten::write_text(scalar, out);
    }
    let Ok(value) = std::str::from_utf8(scalar.bytes) else {
        out.extend_from_slice(scalar.bytes);
        return Ok(());
    };
    let spelling =
        spelling(value, style).ok_or("it has line breaks and all quotes that a value of several lines can stand in")?;
    out.extend_from_slice(spelling.as_bytes());
    Ok(())
}

pub(super) fn cannot_hold(document: &Document, id: EntryId, reason: &str) -> Error {
    Error::new(error::Kind::Format, "this value cannot be written as INI").at_path(document.path(id)).because(reason)
}

/// How `value` is written where a value of `style` stands; `None` when there is no way.
pub(super) fn spelling(value: &str, style: Style) -> Option<Cow<'_, str>> {
    let quoted = |style: Style| {
        let quote = read::quote(style);
        if quote.is_empty() { Cow::Borrowed(value) } else { Cow::Owned(format!("{quote}{value}{quote}")) }
    };
    if is_simple(value) {
        return Some(quoted(style));
    }
    let of_sops = if value.contains(['\n', '`']) {
        Style::TripleQuoted
    } else if value.contains(MARKS) {
        Style::BackQuoted
    } else if value.trim().len() != value.len() {
        Style::DoubleQuoted
    } else {
        Style::Plain
    };
    let own = Some(style).filter(|&style| style != Style::Plain);
    let others = [Style::TripleQuoted, Style::BackQuoted, Style::DoubleQuoted, Style::SingleQuoted, Style::Plain];
    own.into_iter().chain([of_sops]).chain(others).map(quoted).find(|spelling| reads_as(spelling, value))
}

/// Whether there is nothing about a value that could make it read as another, in any quotes.
fn is_simple(value: &str) -> bool {
    value.trim().len() == value.len() && !value.contains(['\n', '`', '#', ';', '"', '\'', '\\'])
}

fn reads_as(spelling: &str, value: &str) -> bool {
    let line = format!("{spelling}\n");
    read::value(&line, 0).is_ok_and(|read| read.text == value && read.comment.is_none() && read.end == line.len())
}

/// How a key is written; `None` when there is no way.
pub(super) fn key_spelling(key: &str) -> Option<Cow<'_, str>> {
    let quoted = |quote: &str| Cow::Owned(format!("{quote}{key}{quote}"));
    let of_sops = if key.contains(['"', '=', ':']) {
        quoted("`")
    } else if key.contains('`') {
        quoted("\"\"\"")
    } else {
        Cow::Borrowed(key)
    };
    let reads_as = |spelling: &str| {
        let line = format!("{spelling} = ");
        let is_key = !spelling.contains('\n') && !line.trim_start().starts_with(['#', ';', '[']) && key != "-";
        let read = read::key(&line).ok().filter(|_| is_key);
        read.is_some_and(|(name, behind)| &line[name] == key && line[behind..].trim().is_empty())
    };
    [of_sops, quoted("`"), quoted("\"\"\""), quoted("\"")].into_iter().find(|spelling| reads_as(spelling))
}

/// Prints the whole document.
pub(super) fn document(document: &Document) -> Result<Vec<u8>> {
    match tree::only_root(document, "INI")? {
        Some(root) => sections(document, root),
        None => Ok(Vec::new()),
    }
}

/// Prints the value at `id` alone: a map of maps as sections, another one as the keys of one.
pub(super) fn value(document: &Document, id: EntryId) -> Result<Vec<u8>> {
    let scalar = document.scalar(id);
    match scalar.kind {
        Kind::Str => Ok(scalar.bytes.to_vec()),
        Kind::Map if document.children(id).any(|child| document.entry(child).kind() == Kind::Map) => {
            sections(document, id)
        }
        Kind::Map => {
            let mut out = Vec::new();
            keys(document, id, &tree::Comments::of(document), &mut out)?;
            Ok(out)
        }
        _ => Json.emit_value(document, id, Indent::OfSops),
    }
}

fn sections(document: &Document, root: EntryId) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(document.bytes().len());
    let comments = tree::Comments::of(document);
    for (at, section) in document.children(root).enumerate() {
        let name = document.key(section);
        if document.entry(section).kind() != Kind::Map {
            return Err(Error::new(error::Kind::Format, "this value cannot be written as INI")
                .at_path(document.path(section))
                .because("at the top of an INI file there are sections alone, that is, maps")
                .hint("put it into a map; or take a type that can hold it: --output-type yaml"));
        }
        let is_default = at == 0 && name == DEFAULT_SECTION;
        if is_default && document.children(section).next().is_none() {
            continue;
        }
        if !out.is_empty() {
            out.push(b'\n');
        }
        print_comments(document, comments.at(root, Some(section)), &mut out);
        if !is_default {
            if name.is_empty() || name.contains('\n') {
                return Err(cannot_name(document, section, "the name of a section is one line with something in it"));
            }
            out.extend_from_slice(format!("[{name}]\n").as_bytes());
        }
        keys(document, section, &comments, &mut out)?;
    }
    print_comments(document, comments.at(root, None), &mut out);
    Ok(out)
}

fn keys(document: &Document, section: EntryId, comments: &tree::Comments, out: &mut Vec<u8>) -> Result<()> {
    let spelled: Vec<(EntryId, Cow<'_, str>)> = document
        .children(section)
        .map(|child| {
            let spelling = key_spelling(document.key(child)).ok_or_else(|| {
                cannot_name(
                    document,
                    child,
                    "it is empty, is a single -, has a line break in it or quotes of all kinds",
                )
            })?;
            Ok((child, spelling))
        })
        .collect::<Result<_>>()?;
    let width = spelled.iter().map(|(_, key)| key.len()).max().unwrap_or_default();
    for (child, key) in spelled {
        print_comments(document, comments.at(section, Some(child)), out);
        print_key(&key, width, out);
        value_text(document.scalar(child), Style::Plain, out)
            .map_err(|reason| cannot_hold(document, child, reason).hint(flatten::ANOTHER_TYPE))?;
        out.push(b'\n');
    }
    print_comments(document, comments.at(section, None), out);
    Ok(())
}

/// A key and its `=`, which sops aligns in a section.
pub(super) fn print_key(key: &str, width: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(key.as_bytes());
    out.resize(out.len() + width.saturating_sub(key.len()), b' ');
    out.extend_from_slice(b" = ");
}

fn print_comments(document: &Document, comments: &[EntryId], out: &mut Vec<u8>) {
    for &comment in comments {
        for line in String::from_utf8_lossy(document.scalar(comment).bytes).lines() {
            out.extend_from_slice(if line.starts_with(MARKS) { b"" } else { b";" });
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
    }
}

fn cannot_name(document: &Document, id: EntryId, reason: &str) -> Error {
    Error::new(error::Kind::Format, "this key cannot be written as INI")
        .at_path(document.path(id))
        .because(reason)
        .hint("rename the key, or take a type that can hold it: --output-type yaml")
}
