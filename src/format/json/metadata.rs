//! Where the `sops` member stands in the text.
//!
//! The law: what [`insertions`] puts in, [`spans`] takes out, and the text is what it was, whatever its
//! layout. The member goes behind the last value, and everything from the end of that value to the end of
//! the member goes away with it.

use super::super::METADATA_KEY;
use super::write;
use crate::document::{Document, EntryId, Kind, Value};
use std::ops::Range;

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

/// Where to put `metadata`.
pub(super) fn insertions(document: &Document, metadata: &Value) -> Vec<(usize, String)> {
    let maps = document.roots().iter().filter(|&&root| document.entry(root).kind() == Kind::Map);
    maps.map(|&root| insertion(document, root, metadata)).collect()
}

fn insertion(document: &Document, root: EntryId, metadata: &Value) -> (usize, String) {
    let mut out = Vec::new();
    let object = document.entry(root).span();
    let inside = object.start + 1..object.end - 1;
    let place = match document.children(root).last() {
        Some(last) => {
            let layout = Layout::of(document, root, last);
            out.push(b',');
            layout.break_line(0, layout.gap, &mut out);
            layout.member(METADATA_KEY, metadata, 0, &mut out);
            document.entry(last).span().end
        }
        None if inside.is_empty() => {
            Layout::SOPS.break_line(0, "", &mut out);
            Layout::SOPS.member(METADATA_KEY, metadata, 0, &mut out);
            out.push(b'\n');
            inside.start
        }
        None => {
            Layout::ONE_LINE.member(METADATA_KEY, metadata, 0, &mut out);
            inside.start
        }
    };
    // Written from `str` pieces alone.
    (place, String::from_utf8(out).unwrap_or_default())
}

/// How the members of an object are laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Layout<'a> {
    /// The line break, if there is one between members.
    line_break: Option<&'a str>,
    /// The white space before a member on a line of its own.
    indent: &'a str,
    /// What one level of nesting adds to it.
    unit: &'a str,
    /// The space behind the comma, where there is no line break.
    gap: &'a str,
    /// The space behind the colon.
    colon_gap: &'a str,
}

impl<'a> Layout<'a> {
    /// What sops writes.
    const SOPS: Layout<'static> = Layout { line_break: Some("\n"), indent: "\t", unit: "\t", gap: "", colon_gap: " " };
    const ONE_LINE: Layout<'static> = Layout { line_break: None, indent: "", unit: "", gap: " ", colon_gap: " " };

    /// The layout of the object `root`, whose last value is `last`.
    fn of(document: &'a Document, root: EntryId, last: EntryId) -> Self {
        let text = document.text();
        let object = document.entry(root).span();
        let value = document.entry(last).span();
        let mut before = object.start + 1;
        let mut first_head = None;
        let mut last_head = "";
        for child in document.children(root) {
            last_head = head(&text[before..]);
            first_head.get_or_insert(last_head);
            before = document.entry(child).span().end;
        }
        let space_if = |is_spaced: bool| if is_spaced { " " } else { "" };
        let colon_gap = space_if(!text[..value.start].ends_with(':'));
        // One member on a line of its own is enough to call the object written over several lines, also
        // where the line begins with the comma.
        let heads = [last_head, first_head.unwrap_or_default()];
        let own_line = heads.iter().flat_map(|head| head.rsplit(',')).find_map(|space| {
            let (before, indent) = space.rsplit_once('\n')?;
            Some((if before.ends_with('\r') { "\r\n" } else { "\n" }, indent))
        });
        let Some((line_break, indent)) = own_line else {
            let gap = match last_head.split_once(',') {
                Some((_, space)) => space_if(!space.is_empty()),
                None => colon_gap,
            };
            return Layout { line_break: None, indent: "", unit: "", gap, colon_gap };
        };
        let tail = &text[value.end..object.end - 1];
        let closing = tail.rsplit_once('\n').map_or("", |(_, indent)| indent);
        let unit = indent.strip_prefix(closing).unwrap_or(indent);
        Layout { line_break: Some(line_break), indent, unit, gap: "", colon_gap }
    }

    fn member(&self, key: &str, value: &Value, depth: usize, out: &mut Vec<u8>) {
        write::string(key, out);
        out.push(b':');
        out.extend_from_slice(self.colon_gap.as_bytes());
        self.value(value, depth, out);
    }

    /// Recursive, as metadata is three levels deep.
    fn value(&self, value: &Value, depth: usize, out: &mut Vec<u8>) {
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Value::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Value::Str(value) => write::string(value, out),
            Value::List(items) => {
                self.container(b"[]", items, depth, out, |item, out| self.value(item, depth + 1, out));
            }
            Value::Map(items) => {
                self.container(b"{}", items, depth, out, |(key, item), out| self.member(key, item, depth + 1, out));
            }
        }
    }

    fn container<T>(
        &self,
        brackets: &[u8; 2],
        items: &[T],
        depth: usize,
        out: &mut Vec<u8>,
        write: impl Fn(&T, &mut Vec<u8>),
    ) {
        out.push(brackets[0]);
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            self.break_line(depth + 1, if position > 0 { self.gap } else { "" }, out);
            write(item, out);
        }
        if !items.is_empty() {
            self.break_line(depth, "", out);
        }
        out.push(brackets[1]);
    }

    /// Begins a line at `depth` below the `sops` member, or writes `gap` where all is on one line.
    fn break_line(&self, depth: usize, gap: &str, out: &mut Vec<u8>) {
        let Some(line_break) = self.line_break else {
            out.extend_from_slice(gap.as_bytes());
            return;
        };
        out.extend_from_slice(line_break.as_bytes());
        out.extend_from_slice(self.indent.as_bytes());
        for _ in 0..depth {
            out.extend_from_slice(self.unit.as_bytes());
        }
    }
}

/// What stands before the key of a member: white space, and a comma unless it is the first.
fn head(text: &str) -> &str {
    &text[..text.find('"').unwrap_or_default()]
}
