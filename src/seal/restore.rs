//! From an encrypted document and its values to the source that was encrypted.
//!
//! One function for both sides: decrypting writes its result with it, and encrypting proves with it,
//! before anything is written, that the file will come back.

use super::layout::Layout;
use crate::document::{Document, EntryId, Flags, Kind, Scalar, Splicer, Style};
use crate::error::Result;
use crate::format::Format;
use std::ops::Range;
use zeroize::Zeroize;

/// Where the value of an entry comes from.
pub(super) enum Source<'a> {
    /// What stands in the document is the value.
    Clear,
    /// A token stands there, and this is its value.
    Sealed(Scalar<'a>),
}

/// Writes the plaintext of `document` with `splicer`, which is one over its source. `data` are its data entries,
/// `value` says for each what it is.
pub(super) fn restore<'a, 's>(
    format: &dyn Format,
    document: &Document,
    data: &[u32],
    layout: &Layout,
    mut splicer: Splicer<'s>,
    value: impl Fn(EntryId) -> Source<'a>,
) -> Result<Splicer<'s>> {
    let mut blocks = format.metadata_spans(document).into_iter().peekable();
    let mut scratch = Vec::new();
    let mut skip_to = 0;
    let mut keys = keys(document, data, layout).into_iter().peekable();
    for (position, &id) in data.iter().enumerate() {
        let id = id as usize;
        if id < skip_to {
            continue;
        }
        let entry = document.entry(id);
        let span = entry.span();
        while blocks.next_if(|block| block.end <= span.start).map(|block| splicer.replace(block)).is_some() {}
        while let Some((key, text)) = keys.next_if(|(key, _)| key.start < span.start) {
            splicer.replace(key).extend_from_slice(text.as_bytes());
        }
        let text = layout.get(position as u32);
        let root = entry.parent().is_none();
        if root && text.is_none() && entry.style() == Style::Block && is_emptied(document, data, position) {
            // What sops prints for a document with nothing but its block in it.
            if let Some(block) = blocks.next_if(|block| block.start <= span.start) {
                splicer.replace(block).extend_from_slice(b"{}\n");
            }
        }
        while blocks.next_if(|block| block.start <= span.start).map(|block| splicer.replace(block)).is_some() {}
        if entry.kind().is_container() {
            if entry.kind() == Kind::List && entry.style() == Style::Block && text.is_none() {
                let comments = only_comments(document, id, &value);
                if !comments.is_empty() {
                    let (span, text) = format.empty_list(document, id, &comments);
                    splicer.replace(span).extend_from_slice(text.as_bytes());
                    skip_to = document.subtree(id).end;
                    continue;
                }
            }
            // Else only an alias that was written out has a text of its own, and a null that was the whole document.
            if let Some(text) = text.filter(|text| !root || !text.is_empty()) {
                splicer.replace(span).extend_from_slice(text.as_bytes());
                skip_to = document.subtree(id).end;
            }
            continue;
        }
        if entry.is(Flags::ALIAS) || entry.is(Flags::COPIED) {
            continue;
        }
        match (value(id), text) {
            (_, Some(text)) => splicer.replace(span).extend_from_slice(text.as_bytes()),
            (Source::Clear, None) if entry.is(Flags::REWRITTEN) => {
                scratch.clear();
                format.write_scalar(document, id, document.scalar(id), &mut scratch)?;
                splicer.replace(span).extend_from_slice(&scratch);
            }
            (Source::Clear, None) => {}
            (Source::Sealed(scalar), None) => {
                scratch.clear();
                format.write_scalar(document, id, scalar, &mut scratch)?;
                // sops writes a comment of a list as an item of it.
                let as_item = scalar.kind == Kind::Comment && entry.kind() != Kind::Comment;
                let span = if as_item { format.item_span(document, id) } else { span };
                splicer.replace(span).extend_from_slice(&scratch);
            }
        }
    }
    for block in blocks {
        splicer.replace(block);
    }
    scratch.zeroize();
    Ok(splicer)
}

/// The keys that were aliases: where they are written out, in quotes, and the aliases.
fn keys<'a>(document: &Document, data: &[u32], layout: &'a Layout) -> Vec<(Range<usize>, &'a str)> {
    let mut keys: Vec<_> = layout
        .keys()
        .filter_map(|(position, text)| {
            let id = *data.get(position as usize)? as usize;
            let start = document.key_start(id)?;
            let span = start.checked_sub(1)?..start + document.key(id).len() + 1;
            let written = document.text().get(span.clone())?;
            (written.starts_with('"') && written.ends_with('"')).then_some((span, text))
        })
        .collect();
    keys.sort_by_key(|(span, _)| span.start);
    keys
}

/// The comments of a list whose items are all comments that sops wrote as such: it has no items. Empty if
/// there is any other item, or none.
fn only_comments<'a>(document: &Document, list: EntryId, value: &impl Fn(EntryId) -> Source<'a>) -> Vec<String> {
    let mut comments = Vec::new();
    let mut has_items = false;
    for id in document.subtree(list).skip(1) {
        let is_comment = document.entry(id).kind() == Kind::Comment;
        match value(id) {
            Source::Sealed(scalar) if scalar.kind == Kind::Comment => {
                has_items |= !is_comment;
                comments.push(format!("#{}", String::from_utf8_lossy(scalar.bytes)));
            }
            _ if is_comment => comments.push(document.raw(id).to_owned()),
            _ => return Vec::new(),
        }
    }
    if has_items { comments } else { Vec::new() }
}

/// Whether the root at `position` of the data entries holds no value but the `sops` block.
fn is_emptied(document: &Document, data: &[u32], position: usize) -> bool {
    let end = document.subtree(data[position] as usize).end;
    data[position + 1..]
        .iter()
        .map(|&id| id as usize)
        .take_while(|&id| id < end)
        .all(|id| document.entry(id).kind() == Kind::Comment)
}
