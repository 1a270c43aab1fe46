//! binary: a file as a whole, of any bytes. Encrypted it is JSON, `{"data": "ENC[…]", "sops": {…}}`.
//!
//! Owns: the one value that such a file is, and the JSON around it. Must not know: ciphers, rules, recipients, files
//! on a disk.
//!
//! Seen as any other format, all of the JSON but the value is metadata: it is put around the bytes of the file, and
//! taken out again.

#[cfg(test)]
mod tests;

use super::Format;
use super::json::{self, Json};
use crate::document::{Builder, Document, EntryId, Flags, Indent, Kind, Node, Place, Scalar, Splice, Style, Value};
use crate::error::{self, Error, Result};
use std::ops::Range;

/// binary.
pub struct Binary;

/// The key that sops gives the content.
const DATA: &str = "data";

impl Format for Binary {
    fn name(&self) -> &'static str {
        "binary"
    }

    /// No name says that a file is binary: it is what has no other name.
    fn is_named(&self, _file_name: &str) -> bool {
        false
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn example(&self) -> &'static str {
        include_str!("example.txt")
    }

    /// Indexes an encrypted file.
    fn index(&self, text: String) -> Result<Document> {
        let mut document = Json.index(text).map_err(|error| {
            error
                .because("an encrypted binary file is JSON")
                .hint("if it is a file of another kind, say which: --input-type TYPE")
        })?;
        let data = data(&document)?;
        document.mark(data, Flags::REWRITTEN);
        Ok(document)
    }

    fn index_plaintext(&self, bytes: Vec<u8>) -> Result<Document> {
        let end = bytes.len();
        let mut builder = Builder::of_bytes(bytes)?;
        builder.open(Kind::Map, 0, None, Style::Flow, Flags::NONE);
        let key = builder.intern(DATA.as_bytes());
        let value = builder.slice(0..end);
        builder.leaf(Kind::Str, 0..end, Some(key), value, Style::Plain, Flags::NONE);
        builder.close(end);
        Ok(builder.finish())
    }

    fn write_token(&self, document: &Document, id: EntryId, token: &str, out: &mut Vec<u8>) {
        Json.write_token(document, id, token, out);
    }

    fn write_scalar(&self, document: &Document, id: EntryId, scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<()> {
        if scalar.kind != Kind::Str {
            return Err(not_binary().at_path(document.path(id)));
        }
        out.extend_from_slice(scalar.bytes);
        Ok(())
    }

    fn metadata_spans(&self, document: &Document) -> Vec<Range<usize>> {
        let Ok(data) = data(document) else { return Vec::new() };
        let span = document.entry(data).span();
        vec![0..span.start, span.end..document.bytes().len()]
    }

    fn metadata_insertions(&self, document: &Document, metadata: &Value) -> Vec<(usize, String)> {
        let end = document.bytes().len();
        let (before, after) = json::around(DATA, metadata, document.block_indent);
        if end == 0 {
            // What is empty is not encrypted.
            return vec![(0, format!("{before}\"\"{after}"))];
        }
        vec![(0, before), (end, after)]
    }

    fn change_metadata(&self, document: &Document, metadata: &Value) -> Result<Vec<Splice>> {
        Json.change_metadata(document, metadata)
    }

    fn put(&self, document: &Document, place: &Place, value: Node<'_>) -> Result<Vec<Splice>> {
        let scalar = value.document.scalar(value.id);
        match *place {
            Place::Of(id) if document.entry(id).has_key() && scalar.kind == Kind::Str => {
                let text = String::from_utf8_lossy(scalar.bytes).into_owned();
                Ok(vec![(document.entry(id).span(), text)])
            }
            _ => Err(one_text("only a text can be set in a binary file, at the key path [\"data\"]")),
        }
    }

    fn remove(&self, _document: &Document, _id: EntryId) -> Result<Vec<Splice>> {
        Err(one_text("nothing can be taken out of a binary file"))
    }

    fn indent(&self, number: i64) -> Result<Indent> {
        Json.indent(number)
    }

    fn block_indent(&self, encrypted: &Document) -> Indent {
        Json.block_indent(encrypted)
    }

    fn emit(&self, document: &Document, _indent: Indent) -> Result<Vec<u8>> {
        let roots = document.roots();
        let data = roots.first().filter(|_| roots.len() == 1).and_then(|&root| document.child(root, DATA));
        match data.filter(|&data| document.entry(data).kind() == Kind::Str) {
            Some(data) => Ok(document.scalar(data).bytes.to_vec()),
            None => Err(no_data().hint("print it as what it is: without --output-type, or with another type there")),
        }
    }

    fn emit_value(&self, document: &Document, id: EntryId, _indent: Indent) -> Result<Vec<u8>> {
        let scalar = document.scalar(id);
        if scalar.kind == Kind::Str {
            return Ok(scalar.bytes.to_vec());
        }
        Err(Error::new(error::Kind::Format, "only a text can be printed as binary")
            .at_path(document.path(id))
            .hint("say what to print it as: --output-type yaml"))
    }
}

/// Whether an encrypted file is one that holds nothing but data.
#[must_use]
pub fn holds_data(document: &Document) -> bool {
    data(document).is_ok()
}

/// Whether a file is encrypted JSON and holds something else than data.
#[must_use]
pub fn is_other_json(bytes: &[u8]) -> bool {
    let first = bytes.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    // What begins as every program writes a binary file is not read twice.
    let may_be = first.is_some_and(|first| !first.starts_with(b"\"data\""));
    let is = |document: Document| Json.metadata(&document).is_some() && !holds_data(&document);
    may_be && Json.index_bytes(bytes.to_vec()).is_ok_and(is)
}

/// The value that an encrypted file holds.
fn data(document: &Document) -> Result<EntryId> {
    let children = |&root: &EntryId| document.children(root).collect::<Vec<_>>();
    let children = document.roots().first().map(children).unwrap_or_default();
    let (values, _): (Vec<EntryId>, Vec<EntryId>) =
        children.into_iter().partition(|&child| document.key(child) != super::METADATA_KEY);
    match values[..] {
        [data] if document.key(data) == DATA && document.entry(data).kind() == Kind::Str => Ok(data),
        _ => Err(not_binary()),
    }
}

fn one_text(message: &str) -> Error {
    Error::new(error::Kind::Generic, message).because("it is one value, the content of the file")
}

fn no_data() -> Error {
    Error::new(error::Kind::Format, "this is no binary file: there is more or less in it than the text `data`")
        .because("as binary, sops encrypts a file as a whole, which becomes the value of `data` in a JSON file")
}

fn not_binary() -> Error {
    no_data().hint("if it is a file of another kind, say which: --input-type json --output-type json")
}
