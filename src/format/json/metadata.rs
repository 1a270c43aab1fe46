//! Where the `sops` member stands in the text.
//!
//! The law: what [`insertions`] puts in, [`spans`] takes out, and the text is what it was, whatever its
//! layout. The member goes behind the last value, and everything from the end of that value to the end of
//! the member goes away with it.

use super::super::METADATA_KEY;
use super::layout::Layout;
use crate::document::{Document, EntryId, Indent, Kind, Node, Value};
use std::ops::Range;

/// Where the quoted key of the member `id` begins.
pub(super) fn key_start(document: &Document, id: EntryId) -> usize {
    let key = document.key_start(id).map(|start| start - 1);
    key.unwrap_or_else(|| document.entry(id).span().start)
}

/// The bytes to take out so that the metadata is gone.
pub(super) fn spans(document: &Document) -> Vec<Range<usize>> {
    document.roots().iter().filter_map(|&root| span(document, root)).collect()
}

fn span(document: &Document, root: EntryId) -> Option<Range<usize>> {
    if document.entry(root).kind() != Kind::Map {
        return None;
    }
    let object = document.entry(root).span();
    let mut children = document.children(root);
    let mut previous = None;
    let sops = loop {
        let child = children.next()?;
        if document.key_bytes(child) == METADATA_KEY.as_bytes() {
            break child;
        }
        previous = Some(child);
    };
    let end = document.entry(sops).span().end;
    if let Some(previous) = previous {
        return Some(document.entry(previous).span().end..end);
    }
    let text = document.text();
    let inside = object.start + 1;
    if children.next().is_some() {
        // The first of several: its comma goes with it, the white space behind stays for the next one.
        return Some(inside..end + text[end..].find(',')? + 1);
    }
    // The only one. Directly behind the bracket it was put into an object of white space, which stays;
    // written over several lines, as sops does, the object was `{}`.
    let is_put_into_space = text[inside..].starts_with('"');
    Some(inside..if is_put_into_space { end } else { object.end - 1 })
}

/// How far the members of the block are indented further than its key, where both begin a line.
pub(super) fn indent(document: &Document) -> Indent {
    let text = document.text();
    let unit = || {
        let root = *document.roots().first()?;
        let sops = document.children(root).find(|&child| document.key_bytes(child) == METADATA_KEY.as_bytes())?;
        let space = |start: usize| {
            let line = text[..start].rfind('\n')? + 1;
            Some(text[line..start].trim_end_matches('"')).filter(|space| space.trim_ascii().is_empty())
        };
        // The members stand behind the bracket of the block; the first is as good as any.
        let object = document.entry(sops).span();
        let first = object.start + 1 + text[object.start + 1..].find(|c: char| !c.is_ascii_whitespace())?;
        let outer = text[..object.start].rfind('\n').map(|line| &text[line + 1..])?;
        let outer = &outer[..outer.len() - outer.trim_ascii_start().len()];
        space(first)?.strip_prefix(outer)
    };
    match unit() {
        Some(tabs) if tabs.starts_with('\t') => Indent::Tab,
        Some(spaces) => u8::try_from(spaces.len()).map_or(Indent::OfSops, Indent::Spaces),
        None => Indent::OfSops,
    }
}

/// Where to put `metadata`.
pub(super) fn insertions(document: &Document, metadata: &Value) -> Vec<(usize, String)> {
    let metadata = metadata.to_document();
    let maps = document.roots().iter().filter(|&&root| document.entry(root).kind() == Kind::Map);
    maps.map(|&root| insertion(document, root, Node::root(&metadata))).collect()
}

fn insertion(document: &Document, root: EntryId, metadata: Node<'_>) -> (usize, String) {
    let mut out = Vec::new();
    let object = document.entry(root).span();
    let inside = object.start + 1..object.end - 1;
    let last = document.children(root).last().map(|last| document.entry(last).span().end);
    let layout = match last {
        Some(_) => Layout::of(document, root),
        None if inside.is_empty() => Layout::of_sops(document.block_indent),
        None => Layout::one_line(),
    };
    // Flux takes a file for encrypted, whatever its layout, when it finds `"mac": "ENC[` in it.
    let layout = layout.with_colon_gaps();
    if last.is_some() {
        out.push(b',');
        layout.break_line(0, layout.gap, &mut out);
    } else {
        layout.break_line(0, "", &mut out);
    }
    // Metadata has nothing in it for which JSON has no form.
    let _ = layout.member(METADATA_KEY, metadata, &mut out);
    if last.is_none() && layout.line_break.is_some() {
        out.push(b'\n');
    }
    // Written from `str` pieces alone.
    (last.unwrap_or(inside.start), String::from_utf8(out).unwrap_or_default())
}

/// The text before and behind the value of `key`, in an object that holds it and `metadata` alone.
pub(super) fn around(key: &str, metadata: &Value, indent: Indent) -> (String, String) {
    let layout = Layout::of_sops(indent);
    let mut before = vec![b'{'];
    layout.break_line(0, "", &mut before);
    layout.key(key, &mut before);
    let mut after = vec![b','];
    layout.break_line(0, "", &mut after);
    // Metadata has nothing in it for which JSON has no form.
    let _ = layout.member(METADATA_KEY, Node::root(&metadata.to_document()), &mut after);
    after.extend_from_slice(b"\n}\n");
    // Written from `str` pieces alone.
    (String::from_utf8(before).unwrap_or_default(), String::from_utf8(after).unwrap_or_default())
}
