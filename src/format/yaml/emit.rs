//! A whole document or value as real sops prints YAML.
//!
//! Owns: the layout of containers, keys and comments: an indent of 4 if nobody wants another, lists indented inside of maps, a
//! container that begins on the line of its dash, keys too long for one line behind `? `. Comments
//! stand on lines of their own, above what they precede.
//! Must not know: where the values come from, what is secret, the text of the source document.
//!
//! Two cases where sops loses comments are not followed: those of an empty container are printed above
//! it, and a list's own is not replaced by that of its first item.

mod printer;

use super::edit::habit::Habit;
use crate::document::{Document, EntryId, Flags, Indent, Kind, Node, Value};
use crate::error::{self, Error, Result};
use crate::format::tree::Comments;
use printer::{Container, Printer};

/// Prints a document of any format as a YAML stream.
///
/// # Errors
/// None for what an index of a format gives; an internal inconsistency is one.
pub(super) fn emit(document: &Document, indent: Indent) -> Result<String> {
    let comments = Comments::of(document);
    let mut printer = Printer::new(0, 0, Habit::of_sops("\n").by(indent));
    for (at, &root) in document.roots().iter().enumerate() {
        if at > 0 {
            printer.document_marker();
        }
        if document.entry(root).kind() == Kind::Null {
            // An empty document is an empty tree for sops.
            printer.empty(Container::Map);
        } else {
            Walk { document, comments: &comments, printer: &mut printer }.root(root);
        }
    }
    printer.finish()
}

/// Prints the subtree at `id` alone: a string as it is, anything else as a YAML document.
///
/// # Errors
/// When the value is a string of bytes that are not text.
pub(super) fn emit_value(document: &Document, id: EntryId) -> Result<String> {
    let scalar = document.scalar(id);
    if scalar.kind == Kind::Str {
        return std::str::from_utf8(scalar.bytes).map(str::to_owned).map_err(|_| {
            Error::new(error::Kind::Format, "the value is binary data, which cannot be printed as text")
                .at_path(document.path(id))
                .hint("decrypt the whole file: YAML holds such a value as !!binary, in base64")
        });
    }
    let comments = Comments::of(document);
    let mut printer = Printer::new(0, 0, Habit::of_sops("\n"));
    Walk { document, comments: &comments, printer: &mut printer }.root(id);
    printer.finish()
}

/// Prints a map as the lines of a block mapping whose keys stand at column `column`.
pub(super) fn emit_block(value: &Value, column: usize, newline: &'static str, indent: Indent) -> String {
    let document = value.to_document();
    let mut printer = Printer::new(column, column, Habit::of_sops(newline).by(indent));
    Walk { document: &document, comments: &Comments::of(&document), printer: &mut printer }.root(0);
    printer.finish().unwrap_or_default()
}

/// Prints `node` as the lines of a block at column `indent`, with the habits of another document.
pub(super) fn print(node: Node<'_>, indent: usize, habit: &Habit) -> Result<String> {
    let Node { document, id } = node;
    let mut printer = Printer::new(indent, 0, *habit);
    Walk { document, comments: &Comments::of(document), printer: &mut printer }.root(id);
    printer.finish()
}

/// A walk over a subtree in order, without recursion: a document may be nested 10,000 levels deep.
struct Walk<'a> {
    document: &'a Document,
    comments: &'a Comments,
    printer: &'a mut Printer,
}

/// A container that is being printed.
struct Open {
    id: EntryId,
    is_map: bool,
    next: Option<EntryId>,
    /// Whether the comments above its first child have been printed above its dash.
    hoisted: bool,
}

impl Walk<'_> {
    fn root(&mut self, root: EntryId) {
        let mut open: Vec<Open> = Vec::new();
        self.comments_of_empty(root);
        open.extend(self.node(root, false));
        while let Some(level) = open.last_mut() {
            let Some(child) = level.next else {
                let id = level.id;
                open.pop();
                self.print_comments(id, None);
                self.printer.close();
                continue;
            };
            level.next = self.sibling(level.id, child);
            let (id, is_map, hoisted) = (level.id, level.is_map, std::mem::take(&mut level.hoisted));
            if !hoisted {
                self.print_comments(id, Some(child));
            }
            self.comments_of_empty(child);
            let hoist = !is_map && self.first_child(child).is_some();
            if is_map {
                self.printer.key(self.document.key(child));
            } else {
                if hoist {
                    self.print_comments(child, self.first_child(child));
                }
                self.printer.item();
            }
            open.extend(self.node(child, hoist));
        }
    }

    /// Prints a leaf or an empty container, or opens a container.
    fn node(&mut self, id: EntryId, hoisted: bool) -> Option<Open> {
        let container = match self.document.entry(id).kind() {
            Kind::Map => Container::Map,
            Kind::List => Container::List,
            _ => {
                self.printer.scalar(self.document.scalar(id));
                return None;
            }
        };
        let next = self.first_child(id);
        if next.is_none() {
            self.printer.empty(container);
            return None;
        }
        self.printer.open(container);
        Some(Open { id, is_map: container == Container::Map, next, hoisted })
    }

    fn first_child(&self, id: EntryId) -> Option<EntryId> {
        self.document.children(id).next()
    }

    fn sibling(&self, container: EntryId, child: EntryId) -> Option<EntryId> {
        let end = self.document.subtree(container).end;
        let mut next = self.document.subtree(child).end;
        let is_value = |id: EntryId| {
            let entry = self.document.entry(id);
            entry.kind() != Kind::Comment && !entry.is(Flags::SHADOWED)
        };
        while next < end && !is_value(next) {
            next += 1;
        }
        (next < end).then_some(next)
    }

    fn comments_of_empty(&mut self, id: EntryId) {
        if self.document.entry(id).kind().is_container() && self.first_child(id).is_none() {
            self.print_comments(id, None);
        }
    }

    fn print_comments(&mut self, container: EntryId, before: Option<EntryId>) {
        for &comment in self.comments.at(container, before) {
            self.printer.comment(&String::from_utf8_lossy(self.document.scalar(comment).bytes));
        }
    }
}

#[cfg(test)]
mod tests;
