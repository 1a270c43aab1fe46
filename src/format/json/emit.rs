//! Prints a document of any format as sops prints it in JSON: tabs, one value a line, comments left out.

use super::{cannot_hold, write};
use crate::document::{Document, EntryId, Kind};
use crate::error::{self, Error, Result};

/// Go's `encoding/json` refuses to print what is deeper. The output of this format grows with the
/// square of the depth, since each line is indented.
const MAX_DEPTH: usize = 10_000;

/// Prints the whole document.
pub(super) fn document(document: &Document) -> Result<String> {
    let mut roots = document.roots().iter().copied();
    let Some(first) = roots.next() else {
        return Ok("{}\n".to_owned());
    };
    if let Some(lost) = roots.find(|&root| !is_nothing(document, root)) {
        // sops prints the first document alone, and the others are lost without a word.
        return Err(Error::new(error::Kind::Format, "a stream of several documents cannot be written as JSON")
            .at(document.text(), document.entry(lost).span().start)
            .because("JSON holds one document; sops would print the first and drop the others")
            .hint("keep the format: --output-type yaml; or split the file at its --- lines"));
    }
    match document.entry(first).kind() {
        Kind::Map => value(document, first),
        _ if is_nothing(document, first) => Ok("{}\n".to_owned()),
        _ => Err(Error::new(error::Kind::Format, "only a map can stand at the top of a JSON file of sops")
            .at(document.text(), document.entry(first).span().start)
            .hint("give the value a key of its own")),
    }
}

/// Whether nothing is lost when this root is not printed.
fn is_nothing(document: &Document, root: EntryId) -> bool {
    match document.entry(root).kind() {
        Kind::Null => true,
        Kind::Map | Kind::List => document.children(root).next().is_none(),
        _ => false,
    }
}

/// Prints the subtree at `id`. A map ends with a line break, as a whole file does; nothing else does.
pub(super) fn value(document: &Document, id: EntryId) -> Result<String> {
    let mut out = Vec::with_capacity(document.text().len());
    tree(document, id, &mut out)?;
    if document.entry(id).kind() == Kind::Map {
        out.push(b'\n');
    }
    // All pieces are `str`s: a value that is not Unicode has been refused.
    String::from_utf8(out).map_err(|_| cannot_hold(document, id, "it is not Unicode"))
}

/// A container that is open in the output.
struct Open {
    /// The first entry behind it.
    end: EntryId,
    bracket: u8,
    is_empty: bool,
}

fn tree(document: &Document, id: EntryId, out: &mut Vec<u8>) -> Result<()> {
    let mut open: Vec<Open> = Vec::new();
    for at in document.subtree(id) {
        let entry = document.entry(at);
        while open.last().is_some_and(|container| container.end <= at) {
            close(&mut open, out);
        }
        if entry.kind() == Kind::Comment {
            continue;
        }
        let depth = open.len();
        if let Some(container) = open.last_mut() {
            if !container.is_empty {
                out.push(b',');
            }
            container.is_empty = false;
            break_line(depth, out);
            if entry.has_key() {
                write::string(document.key(at), out);
                out.extend_from_slice(b": ");
            }
        }
        let (begin, bracket) = match entry.kind() {
            Kind::Map => (b'{', b'}'),
            Kind::List => (b'[', b']'),
            _ => {
                write::scalar(document.scalar(at), out).map_err(|reason| cannot_hold(document, at, reason))?;
                continue;
            }
        };
        if depth == MAX_DEPTH {
            return Err(Error::new(error::Kind::Format, "the values are nested too deeply to be printed as JSON")
                .because(format!("sops prints no more than {MAX_DEPTH} levels"))
                .hint("keep the format of the file, which needs no printing"));
        }
        out.push(begin);
        open.push(Open { end: document.subtree(at).end, bracket, is_empty: true });
    }
    while !open.is_empty() {
        close(&mut open, out);
    }
    Ok(())
}

fn close(open: &mut Vec<Open>, out: &mut Vec<u8>) {
    if let Some(container) = open.pop() {
        if !container.is_empty {
            break_line(open.len(), out);
        }
        out.push(container.bracket);
    }
}

fn break_line(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + depth, b'\t');
}
