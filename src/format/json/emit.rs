//! Prints a document of any format as sops prints it in JSON: tabs or spaces, one value a line, comments left out.

use super::super::tree;
use super::{MAX_DEPTH, cannot_hold, write};
use crate::document::{Document, EntryId, Flags, Indent, Kind};
use crate::error::{self, Error, Result};

/// Prints the whole document.
pub(super) fn document(document: &Document, indent: Indent) -> Result<String> {
    match tree::only_root(document, "JSON")? {
        Some(root) => value(document, root, indent),
        None => Ok("{}\n".to_owned()),
    }
}

/// Prints the subtree at `id`. A map ends with a line break, as a whole file does; nothing else does.
pub(super) fn value(document: &Document, id: EntryId, indent: Indent) -> Result<String> {
    let mut out = Vec::with_capacity(document.text().len());
    tree(document, id, indent, &mut out)?;
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

fn tree(document: &Document, id: EntryId, indent: Indent, out: &mut Vec<u8>) -> Result<()> {
    let mut open: Vec<Open> = Vec::new();
    for at in document.subtree(id) {
        let entry = document.entry(at);
        while open.last().is_some_and(|container| container.end <= at) {
            close(&mut open, indent, out);
        }
        if entry.kind() == Kind::Comment || entry.is(Flags::SHADOWED) {
            continue;
        }
        let depth = open.len();
        if let Some(container) = open.last_mut() {
            if !container.is_empty {
                out.push(b',');
            }
            container.is_empty = false;
            break_line(depth, indent, out);
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
        close(&mut open, indent, out);
    }
    Ok(())
}

fn close(open: &mut Vec<Open>, indent: Indent, out: &mut Vec<u8>) {
    if let Some(container) = open.pop() {
        if !container.is_empty {
            break_line(open.len(), indent, out);
        }
        out.push(container.bracket);
    }
}

fn break_line(depth: usize, indent: Indent, out: &mut Vec<u8>) {
    let (width, space) = match indent {
        Indent::OfSops | Indent::Tab => (1, b'\t'),
        Indent::Spaces(width) => (usize::from(width), b' '),
    };
    out.push(b'\n');
    out.resize(out.len() + depth * width, space);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Builder, Flags, Style, Text};

    fn builder() -> Builder {
        Builder::new("a: 1\n---\nb: 2\n".to_owned()).unwrap()
    }

    fn leaf(builder: &mut Builder, key: Option<&str>, kind: Kind, bytes: &[u8]) -> EntryId {
        let key = key.map(|key| builder.intern(key.as_bytes()));
        let value = builder.intern(bytes);
        builder.leaf(kind, 9..10, key, value, Style::Plain, Flags::NONE)
    }

    fn open(builder: &mut Builder, key: Option<&str>, kind: Kind) -> EntryId {
        let key = key.map(|key| builder.intern(key.as_bytes()));
        builder.open(kind, 9, key, Style::Block, Flags::NONE)
    }

    /// A document of one map with one value.
    fn of_one(kind: Kind, bytes: &[u8]) -> Document {
        let mut builder = builder();
        open(&mut builder, None, Kind::Map);
        leaf(&mut builder, Some("k"), kind, bytes);
        builder.finish()
    }

    #[test]
    fn what_yaml_has_more_is_printed_as_sops_does() {
        let mut builder = builder();
        open(&mut builder, None, Kind::Map);
        builder.comment(0..1, Text::EMPTY);
        let base = open(&mut builder, Some("base"), Kind::Map);
        leaf(&mut builder, Some("t"), Kind::Time, b"2001-12-14T21:59:43.1-05:00");
        builder.comment(0..1, Text::EMPTY);
        builder.close(10);
        open(&mut builder, Some("z"), Kind::Map);
        let merge = builder.intern(b"<<");
        builder.alias(base, 9..10, Some(merge), Flags::NONE).unwrap();
        builder.close(10);
        open(&mut builder, Some("l"), Kind::List);
        builder.comment(0..1, Text::EMPTY);
        builder.close(10);
        builder.close(10);
        // The document behind it holds nothing, and so nothing is lost.
        leaf(&mut builder, None, Kind::Null, b"");
        let printed = document(&builder.finish(), Indent::OfSops).unwrap();
        assert_eq!(
            printed,
            concat!(
                "{\n\t\"base\": {\n\t\t\"t\": \"2001-12-14T21:59:43.1-05:00\"\n\t},\n",
                "\t\"z\": {\n\t\t\"\\u003c\\u003c\": {\n\t\t\t\"t\": \"2001-12-14T21:59:43.1-05:00\"\n\t\t}\n\t},\n",
                "\t\"l\": []\n}\n"
            )
        );
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        for (kind, bytes, reason) in
            [(Kind::Str, &b"\xff"[..], "binary data"), (Kind::Float, b"+Inf", "infinity"), (Kind::Float, b"NaN", "NaN")]
        {
            let error = document(&of_one(kind, bytes), Indent::OfSops).unwrap_err();
            assert!(error.notes()[0].contains(reason), "{error}");
            assert_eq!(error.place().key_path.as_deref(), Some("k"));
        }
        for first in [Kind::Map, Kind::Null] {
            let mut builder = builder();
            match first {
                Kind::Map => {
                    open(&mut builder, None, Kind::Map);
                    builder.close(4);
                }
                _ => _ = leaf(&mut builder, None, first, b""),
            }
            open(&mut builder, None, Kind::Map);
            leaf(&mut builder, Some("b"), Kind::Int, b"2");
            let error = document(&builder.finish(), Indent::OfSops).unwrap_err();
            assert!(error.message().contains("several documents"));
            assert_eq!(error.place().line_column, Some((3, 1)));
        }
    }

    #[test]
    fn nothing_is_printed_as_an_empty_object() {
        assert_eq!(document(&builder().finish(), Indent::OfSops).unwrap(), "{}\n");
        let mut null = builder();
        leaf(&mut null, None, Kind::Null, b"");
        assert_eq!(document(&null.finish(), Indent::OfSops).unwrap(), "{}\n");
        let mut text = builder();
        leaf(&mut text, None, Kind::Str, b"x");
        assert!(document(&text.finish(), Indent::OfSops).is_err());
    }

    #[test]
    fn single_values_are_printed_bare() {
        for (kind, bytes, printed) in
            [(Kind::Bool, &b"True"[..], "true"), (Kind::Null, b"", "null"), (Kind::Float, b"0.0000001", "1e-7")]
        {
            assert_eq!(value(&of_one(kind, bytes), 1, Indent::OfSops).unwrap(), printed);
        }
    }
}
