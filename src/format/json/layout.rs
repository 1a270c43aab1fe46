//! How the members of an object and the items of a list are laid out: line breaks, indentation, gaps.
//!
//! What is put into a document is laid out as what stands around it.

use super::write;
use crate::document::{Document, EntryId, Indent, Kind, Node};

/// The layout of a container.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// The line break, if there is one between members.
    pub(super) line_break: Option<&'static str>,
    /// The white space before a member on a line of its own.
    indent: String,
    /// That of the line of the closing bracket.
    closing: String,
    /// What one level of nesting adds to it.
    unit: String,
    /// The space behind the comma, where there is no line break.
    pub(super) gap: &'static str,
    /// The space behind the colon.
    colon_gap: &'static str,
}

impl Layout {
    /// What sops writes.
    pub(super) fn of_sops(indent: Indent) -> Self {
        let unit = match indent {
            Indent::OfSops | Indent::Tab => "\t".to_owned(),
            Indent::Spaces(width) => " ".repeat(usize::from(width)),
        };
        Layout { line_break: Some("\n"), indent: unit.clone(), unit, gap: "", ..Self::one_line() }
    }

    /// All on one line.
    pub(super) fn one_line() -> Self {
        let nothing = String::new;
        Layout { line_break: None, indent: nothing(), closing: nothing(), unit: nothing(), gap: " ", colon_gap: " " }
    }

    /// The same with a space behind each colon.
    pub(super) fn with_colon_gaps(self) -> Self {
        Layout { colon_gap: " ", ..self }
    }

    /// The layout of the container `id`, or the one that it would have if anything were in it.
    pub(super) fn of(document: &Document, id: EntryId) -> Self {
        // The innermost container around that has something in it.
        let mut at = id;
        let mut levels = 0;
        while document.children(at).next().is_none() {
            match document.entry(at).parent() {
                Some(parent) => (at, levels) = (parent, levels + 1),
                None => return Self::of_sops(document.block_indent),
            }
        }
        let mut layout = Self::of_members(document, at);
        for _ in 0..levels {
            layout.closing.clone_from(&layout.indent);
            layout.indent.push_str(&layout.unit);
        }
        layout
    }

    fn of_members(document: &Document, id: EntryId) -> Self {
        let text = document.text();
        let container = document.entry(id).span();
        let mut before = container.start + 1;
        let mut first_head = None;
        let mut last_head = "";
        let mut colon_gap = None;
        for child in document.children(id) {
            let value = document.entry(child).span();
            last_head = head(&text[before..value.start], document.entry(child).has_key());
            first_head.get_or_insert(last_head);
            if document.entry(child).has_key() {
                colon_gap = Some(space_if(!text[..value.start].ends_with(':')));
            }
            before = value.end;
        }
        let colon_gap = colon_gap.unwrap_or_else(|| Self::colon_gap_around(document, id));
        // One member on a line of its own is enough to call the container written over several lines, also
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
            return Layout { gap, colon_gap, ..Self::one_line() };
        };
        let tail = &text[before..container.end - 1];
        let closing = tail.rsplit_once('\n').map_or("", |(_, indent)| indent);
        let unit = indent.strip_prefix(closing).unwrap_or(indent);
        let [indent, closing, unit] = [indent, closing, unit].map(str::to_owned);
        Layout { line_break: Some(line_break), indent, closing, unit, gap: "", colon_gap }
    }

    /// What stands behind the colon before the list `id`.
    fn colon_gap_around(document: &Document, id: EntryId) -> &'static str {
        let keyed = std::iter::successors(Some(id), |&at| document.entry(at).parent())
            .find(|&at| document.entry(at).has_key())
            .map(|at| document.entry(at).span().start);
        space_if(keyed.is_none_or(|start| !document.text()[..start].ends_with(':')))
    }

    /// Writes a member.
    pub(super) fn member(&self, key: &str, value: Node<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
        self.key(key, out);
        self.value(value, out)
    }

    /// Writes the key of a member, to the place of its value.
    pub(super) fn key(&self, key: &str, out: &mut Vec<u8>) {
        write::string(key, out);
        out.push(b':');
        out.extend_from_slice(self.colon_gap.as_bytes());
    }

    /// Writes a value of this container, or says why JSON has no form for it.
    pub(super) fn value(&self, node: Node<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let Node { document, id } = node;
        // The containers that are open: where each ends, its bracket, and whether nothing is in it yet.
        let mut open: Vec<(EntryId, u8, bool)> = Vec::new();
        for at in document.subtree(id) {
            let entry = document.entry(at);
            while open.last().is_some_and(|&(end, ..)| end == at) {
                self.close(&mut open, out);
            }
            if entry.kind() == Kind::Comment {
                continue;
            }
            let depth = open.len();
            if let Some((_, _, is_empty)) = open.last_mut() {
                let is_first = std::mem::replace(is_empty, false);
                out.extend_from_slice(if is_first { b"" } else { b"," });
                self.break_line(depth, if is_first { "" } else { self.gap }, out);
                if entry.has_key() {
                    self.key(document.key(at), out);
                }
            }
            let brackets = match entry.kind() {
                Kind::Map => (b'{', b'}'),
                Kind::List => (b'[', b']'),
                _ => {
                    write::scalar(document.scalar(at), out)?;
                    continue;
                }
            };
            out.push(brackets.0);
            open.push((document.subtree(at).end, brackets.1, true));
        }
        while !open.is_empty() {
            self.close(&mut open, out);
        }
        Ok(())
    }

    fn close(&self, open: &mut Vec<(EntryId, u8, bool)>, out: &mut Vec<u8>) {
        if let Some((_, bracket, is_empty)) = open.pop() {
            if !is_empty {
                self.break_line(open.len(), "", out);
            }
            out.push(bracket);
        }
    }

    /// Begins a line `depth` levels below a member of this container, or writes `gap` where all is on one line.
    pub(super) fn break_line(&self, depth: usize, gap: &str, out: &mut Vec<u8>) {
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

    /// Begins the line of the closing bracket.
    pub(super) fn break_before_closing(&self, out: &mut Vec<u8>) {
        if let Some(line_break) = self.line_break {
            out.extend_from_slice(line_break.as_bytes());
            out.extend_from_slice(self.closing.as_bytes());
        }
    }
}

fn space_if(is_spaced: bool) -> &'static str {
    if is_spaced { " " } else { "" }
}

/// What stands before a member: white space, and a comma unless it is the first. `text` ends with its value.
fn head(text: &str, has_key: bool) -> &str {
    if has_key { &text[..text.find('"').unwrap_or_default()] } else { text }
}
