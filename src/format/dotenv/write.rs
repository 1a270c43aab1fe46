//! Values and comments in their places, and whole files as sops prints them.

use super::super::{flatten, tree};
use crate::document::{Document, EntryId, Kind, Scalar};
use crate::error::{self, Error, Result};

/// Writes a token over the span of `id`.
pub(super) fn token(document: &Document, id: EntryId, token: &str, out: &mut Vec<u8>) {
    if document.entry(id).kind() == Kind::Comment {
        out.push(b'#');
    }
    out.extend_from_slice(token.as_bytes());
}

/// Writes a value over the span of `id`.
pub(super) fn scalar(document: &Document, id: EntryId, scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<()> {
    if scalar.kind != Kind::Comment {
        return text(scalar, out).map_err(|reason| cannot_hold(document, id, reason).hint(flatten::ANOTHER_TYPE));
    }
    // A blank line has no mark.
    if !document.raw_bytes(id).trim_ascii().is_empty() {
        comment(scalar.bytes, out);
    }
    Ok(())
}

/// A comment; one of several lines, which comes from another format, is one on each of them.
fn comment(text: &[u8], out: &mut Vec<u8>) {
    for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
        out.extend_from_slice(if at == 0 { b"#" } else { b"\n#" });
        out.extend_from_slice(line);
    }
}

/// Writes a value, or says why there is no form for it.
pub(super) fn text(scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if scalar.kind == Kind::Str && memchr::memchr(b'\n', scalar.bytes).is_some() {
        for &byte in scalar.bytes {
            if byte == b'\n' { out.extend_from_slice(b"\\n") } else { out.push(byte) }
        }
        return Ok(());
    }
    flatten::write_text(scalar, out)
}

pub(super) fn cannot_hold(document: &Document, id: EntryId, reason: &str) -> Error {
    Error::new(error::Kind::Format, "this value cannot be written as dotenv").at_path(document.path(id)).because(reason)
}

/// Prints the whole document.
pub(super) fn document(document: &Document) -> Result<Vec<u8>> {
    match tree::only_root(document, "dotenv")? {
        Some(root) => map(document, root),
        None => Ok(Vec::new()),
    }
}

/// Prints the value at `id` alone.
pub(super) fn value(document: &Document, id: EntryId) -> Result<Vec<u8>> {
    match document.entry(id).kind() {
        Kind::Map => map(document, id),
        Kind::Str => Ok(document.scalar(id).bytes.to_vec()),
        _ => {
            let mut out = Vec::new();
            flatten::write_text(document.scalar(id), &mut out)
                .map_err(|reason| cannot_hold(document, id, reason).hint(flatten::ANOTHER_TYPE))?;
            Ok(out)
        }
    }
}

fn map(document: &Document, id: EntryId) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(document.bytes().len());
    let comments = tree::Comments::of(document);
    for child in document.children(id) {
        for &above in comments.at(id, Some(child)) {
            comment(document.scalar(above).bytes, &mut out);
            out.push(b'\n');
        }
        let key = document.key(child);
        check_key(key).map_err(|reason| {
            Error::new(error::Kind::Format, "this key cannot be written as dotenv")
                .at_path(document.path(child))
                .because(reason)
                .hint("rename the key, or take a type that can hold it: --output-type yaml")
        })?;
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        text(document.scalar(child), &mut out)
            .map_err(|reason| cannot_hold(document, child, reason).hint(flatten::ANOTHER_TYPE))?;
        out.push(b'\n');
    }
    for &below in comments.at(id, None) {
        comment(document.scalar(below).bytes, &mut out);
        out.push(b'\n');
    }
    Ok(out)
}

/// Says what a key has that would make another line of it.
pub(super) fn check_key(key: &str) -> Result<(), &'static str> {
    if key.contains('=') {
        return Err("it has a `=` in it, which ends a key there");
    }
    if key.contains('\n') {
        return Err("it has a line break in it");
    }
    if key.starts_with('#') {
        return Err("it begins with #, as a comment does there");
    }
    Ok(())
}
