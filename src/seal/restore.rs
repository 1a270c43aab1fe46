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

/// A piece of an encrypted text, and what stands in its place in the plaintext.
pub(super) struct Piece {
    /// Where it stands in the encrypted text.
    pub(super) source: Range<usize>,
    /// What took its place, in the plaintext.
    pub(super) target: Range<usize>,
    /// The data entries that it is made of, by position.
    pub(super) positions: Range<u32>,
    /// Whether it is one of the `sops` blocks.
    pub(super) is_block: bool,
}

/// Writes the plaintext, and remembers its pieces where that is wanted.
struct Writer<'a, 's> {
    splicer: Splicer<'s>,
    pieces: Option<&'a mut Vec<Piece>>,
}

impl Writer<'_, '_> {
    /// Puts `text` in the place of `source`, which is the entries at `positions`.
    fn put(&mut self, source: Range<usize>, text: &[u8], positions: Range<usize>) {
        self.write(source, text, positions, false);
    }

    /// Puts `text` in the place of a `sops` block.
    fn put_for_block(&mut self, source: Range<usize>, text: &[u8]) {
        self.write(source, text, 0..0, true);
    }

    fn write(&mut self, source: Range<usize>, text: &[u8], positions: Range<usize>, is_block: bool) {
        let out = self.splicer.replace(source.clone());
        let start = out.len();
        out.extend_from_slice(text);
        let target = start..out.len();
        if let Some(pieces) = &mut self.pieces {
            let positions = positions.start as u32..positions.end as u32;
            pieces.push(Piece { source, target, positions, is_block });
        }
    }

    /// Remembers a comment that stays as it is: whether it was ever encrypted cannot be seen.
    fn keep(&mut self, document: &Document, id: EntryId, position: usize) {
        if self.pieces.is_some() {
            let span = document.entry(id).span();
            self.put(span.clone(), &document.bytes()[span], position..position + 1);
        }
    }
}

/// Writes the plaintext of `document` with `splicer`, which is one over its source. `data` are its data entries,
/// `value` says for each what it is. `pieces` takes up what was replaced; only a splicer that writes tells it.
pub(super) fn restore<'a, 's>(
    format: &dyn Format,
    document: &Document,
    data: &[u32],
    layout: &Layout,
    splicer: Splicer<'s>,
    value: impl Fn(EntryId) -> Source<'a>,
    pieces: Option<&mut Vec<Piece>>,
) -> Result<Splicer<'s>> {
    let mut writer = Writer { splicer, pieces };
    let mut blocks = format.metadata_spans(document).into_iter().peekable();
    let mut scratch = Vec::new();
    let mut skip_to = 0;
    let mut keys = keys(document, data, layout).into_iter().peekable();
    // What is written over the whole of a block scalar, where it cannot hold the value or is a comment.
    let anew = |position: usize| {
        let id = *data.get(position)? as usize;
        if !matches!(document.entry(id).style(), Style::Literal | Style::Folded) {
            return None;
        }
        match (value(id), layout.get(position as u32)) {
            (Source::Sealed(scalar), None) if scalar.kind == Kind::Comment => {
                Some((format.item_span(document, id), format!("#{}", String::from_utf8_lossy(scalar.bytes))))
            }
            (Source::Sealed(scalar), None) => format.outgrown(document, id, scalar),
            _ => None,
        }
    };
    // The comment on the first line of such a one, which then stands behind it.
    let mut behind = String::new();
    for (position, &id) in data.iter().enumerate() {
        let id = id as usize;
        if id < skip_to {
            continue;
        }
        let entry = document.entry(id);
        let span = entry.span();
        let text = layout.get(position as u32);
        let root = entry.parent().is_none();
        loop {
            // Behind a key without a value, the block may begin where that is.
            let next_key = keys.peek().map_or(usize::MAX, |(key, _)| key.start);
            if let Some(block) = blocks.next_if(|block| block.start <= span.start.min(next_key)) {
                // What sops prints for a document with nothing but its block in it.
                let is_all = root && text.is_none() && entry.style() == Style::Block && block.end > span.start;
                let instead: &[u8] = if is_all && is_emptied(document, data, position) { b"{}\n" } else { b"" };
                writer.put_for_block(block, instead);
            } else if let Some((key, text)) = keys.next_if(|(key, _)| key.start < span.start) {
                writer.put(key, text.as_bytes(), 0..0);
            } else {
                break;
            }
        }
        if entry.kind().is_container() {
            if entry.kind() == Kind::List && entry.style() == Style::Block && text.is_none() {
                let comments = only_comments(document, id, &value);
                if !comments.is_empty() {
                    let (span, text) = format.empty_list(document, id, &comments);
                    writer.put(span, text.as_bytes(), position..position + document.subtree(id).len());
                    skip_to = document.subtree(id).end;
                    continue;
                }
            }
            // Else only an alias that was written out has a text of its own, and a null that was the whole document.
            if let Some(text) = text.filter(|text| !root || !text.is_empty()) {
                let end = document.subtree(id).end;
                let count = data[position..].iter().take_while(|&&at| (at as usize) < end).count();
                writer.put(span, text.as_bytes(), position..position + count);
                skip_to = document.subtree(id).end;
            }
            continue;
        }
        if entry.is(Flags::ALIAS) || entry.is(Flags::COPIED) {
            continue;
        }
        if entry.kind() == Kind::Comment
            && let Some((_, mut next)) = anew(position + 1).filter(|(range, _)| range.contains(&span.start))
        {
            next.zeroize();
            behind = match (value(id), text) {
                (_, Some(text)) => format!(" {text}"),
                (Source::Sealed(scalar), None) => format!(" #{}", String::from_utf8_lossy(scalar.bytes)),
                (Source::Clear, None) => format!(" {}", document.raw(id)),
            };
            continue;
        }
        if let Some((range, mut instead)) = anew(position) {
            let first = if behind.is_empty() { position } else { position - 1 };
            instead.push_str(&behind);
            writer.put(range, instead.as_bytes(), first..position + 1);
            behind.zeroize();
            instead.zeroize();
            continue;
        }
        match (value(id), text) {
            (_, Some(text)) => writer.put(span, text.as_bytes(), position..position + 1),
            (Source::Clear, None) if entry.is(Flags::REWRITTEN) => {
                scratch.clear();
                format.write_scalar(document, id, document.scalar(id), &mut scratch)?;
                writer.put(span, &scratch, position..position + 1);
            }
            (Source::Clear, None) if entry.kind() == Kind::Comment => writer.keep(document, id, position),
            (Source::Clear, None) => {}
            (Source::Sealed(scalar), None) => {
                scratch.clear();
                format.write_scalar(document, id, scalar, &mut scratch)?;
                // sops writes a comment of a list as an item of it.
                let as_item = scalar.kind == Kind::Comment && entry.kind() != Kind::Comment;
                let span = if as_item { format.item_span(document, id) } else { span };
                writer.put(span, &scratch, position..position + 1);
            }
        }
    }
    for block in blocks {
        writer.put_for_block(block, b"");
    }
    scratch.zeroize();
    Ok(writer.splicer)
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
