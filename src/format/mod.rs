//! The formats: each indexes a text, renders a scalar in a place, and places and reads the `sops` block.
//!
//! A format is one folder and one line of [`ALL`]. Owns: syntax. Must not know: ciphers, rules,
//! recipients, files on a disk.

pub mod binary;
pub mod change;
mod conflict;
pub mod dotenv;
mod fields;
mod flat;
mod flatten;
pub mod ini;
pub mod json;
mod template;
mod tree;
pub mod yaml;

pub use flat::flat;

use crate::document::{Document, Encoding, EntryId, Indent, Kind, Node, Place, Scalar, Splice, Value};
use crate::error::{self, Error, Result};
use std::io::Read;
use std::ops::Range;
use zeroize::Zeroize;

/// Every format, in the order in which help lists them.
pub static ALL: &[&dyn Format] = &[&yaml::Yaml, &json::Json, &dotenv::Dotenv, &ini::Ini, &binary::Binary];

/// The map key, section or prefix that holds the metadata.
pub const METADATA_KEY: &str = "sops";

/// A part of a large text, as a text of its own.
pub struct Piece {
    /// The text: what stands in the file, in the containers that are open there.
    pub text: String,
    /// What of it stands in the file.
    pub own: Range<usize>,
    /// How many containers are opened before that.
    pub depth: usize,
    /// Whether it holds the metadata.
    pub has_metadata: bool,
}

/// The pieces of a text; `None` for one that cannot be told from the others.
pub type Pieces<'a> = Box<dyn Iterator<Item = Option<Piece>> + 'a>;

/// A file format.
///
/// An implementation gives the index of a text; all else is said in terms of that index and of byte
/// ranges of its text. The law for implementers: what [`Format::write_scalar`] writes in an entry's
/// place is read back by [`Format::index`] as exactly that scalar.
pub trait Format: Sync {
    /// The name in `--input-type` and `--output-type`.
    fn name(&self) -> &'static str;

    /// Whether a file of this name is of this format.
    fn is_named(&self, file_name: &str) -> bool;

    /// Whether a file is a single value, which is encrypted whatever a rule says.
    fn is_whole(&self) -> bool {
        false
    }

    /// What a new file begins with in the editor.
    fn example(&self) -> &'static str;

    /// Indexes `text`, an encrypted file or a plaintext.
    ///
    /// # Errors
    /// When `text` is not of this format, or holds what sops' tree cannot: with place and reason.
    fn index(&self, text: String) -> Result<Document>;

    /// How `bytes`, a file or what it begins with, say their text.
    fn encoding(&self, bytes: &[u8]) -> Encoding {
        let _ = bytes;
        Encoding::Utf8
    }

    /// Indexes a file that holds a text, as an encrypted one does.
    ///
    /// # Errors
    /// Those of [`Self::index`]; when it is no text.
    fn index_bytes(&self, bytes: Vec<u8>) -> Result<Document> {
        let encoding = self.encoding(&bytes);
        let text = decode(bytes, encoding)?;
        let conflict = conflict::find(&text);
        let mut document = self.index(text).map_err(|error| conflict.unwrap_or(error))?;
        document.encoding = encoding;
        Ok(document)
    }

    /// Indexes a plaintext, which only in some formats may be other than a text.
    ///
    /// # Errors
    /// Those of [`Self::index_bytes`].
    fn index_plaintext(&self, bytes: Vec<u8>) -> Result<Document> {
        self.index_bytes(bytes)
    }

    /// The text of `source` in pieces of `size` bytes or a little more, with a comma between each two. Nothing for
    /// a format whose texts cannot be cut.
    fn pieces<'a>(&self, source: Box<dyn Read + 'a>, size: usize) -> Option<Pieces<'a>> {
        let _ = (source, size);
        None
    }

    /// The metadata of a text that ends with `tail`, as a text of its own, if it stands there as sops and leafcrypt
    /// write it. That is a guess: something further inside may be called the same.
    fn metadata_in_tail(&self, tail: &[u8]) -> Option<String> {
        let _ = tail;
        None
    }

    /// Appends what to write over `span` of entry `id`, so that a string value `token` stands there in
    /// the style of the value that stood there.
    fn write_token(&self, document: &Document, id: EntryId, token: &str, out: &mut Vec<u8>);

    /// Appends what to write over the span of entry `id`, so that `scalar` stands there, in the
    /// entry's style where that can carry it and else as sops would print it.
    ///
    /// # Errors
    /// When the format cannot hold the scalar at all.
    fn write_scalar(&self, document: &Document, id: EntryId, scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<()>;

    /// What to write where the style of entry `id` cannot hold `scalar` and more than its span says that style: over all
    /// of that, as sops would print it. `None` where [`Format::write_scalar`] does.
    fn outgrown(&self, document: &Document, id: EntryId, scalar: Scalar<'_>) -> Option<Splice> {
        let _ = (document, id, scalar);
        None
    }

    /// Appends what is written over the leaf `id` where no token takes its place and sops could not read the file with it
    /// as it stands. Whether there is such a thing.
    ///
    /// # Errors
    /// When sops could not read it, however it is written.
    fn write_clear(&self, document: &Document, id: EntryId, out: &mut Vec<u8>) -> Result<bool> {
        let _ = (document, id, out);
        Ok(false)
    }

    /// Appends the value of the alias `id` written out, each leaf by `leaf`.
    ///
    /// # Errors
    /// Those of `leaf`.
    fn write_copy(
        &self,
        document: &Document,
        id: EntryId,
        leaf: &mut dyn FnMut(EntryId, &mut Vec<u8>) -> Result<()>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let _ = document;
        leaf(id, out)
    }

    /// The bytes of a list item with its mark: what a comment replaces that sops wrote as an item.
    fn item_span(&self, document: &Document, id: EntryId) -> Range<usize> {
        document.entry(id).span()
    }

    /// What to write instead of the block list `id`, whose items all are comments: an empty list and
    /// `comments`, with the bytes that it replaces.
    fn empty_list(&self, document: &Document, id: EntryId, comments: &[String]) -> (Range<usize>, String) {
        let _ = comments;
        (document.entry(id).span(), "[]".to_owned())
    }

    /// The entries of the metadata of each document of the stream that has it.
    fn metadata_entries(&self, document: &Document) -> Vec<EntryId> {
        document
            .roots()
            .iter()
            .filter(|&&root| document.entry(root).kind() == Kind::Map)
            .filter_map(|&root| {
                document.children(root).find(|&child| document.key_bytes(child) == METADATA_KEY.as_bytes())
            })
            .collect()
    }

    /// The metadata: of a stream, that of its first document.
    fn metadata(&self, document: &Document) -> Option<Value> {
        self.metadata_entries(document).first().map(|&block| document.value(block))
    }

    /// The bytes to take out so that the metadata is gone as if it never was there; ascending.
    fn metadata_spans(&self, document: &Document) -> Vec<Range<usize>>;

    /// Where to put `metadata` in a document that has none: byte positions, ascending, and texts.
    fn metadata_insertions(&self, document: &Document, metadata: &Value) -> Vec<(usize, String)>;

    /// `value` as this format holds it; most hold any.
    ///
    /// # Errors
    /// When it has no form for something in it.
    fn adapt(&self, value: Document) -> Result<Document> {
        Ok(value)
    }

    /// The splices that make the metadata of `document`, in each place where it has it, say `metadata`: fields that do
    /// already stay as they are written, in their order.
    ///
    /// # Errors
    /// When that cannot be done; the metadata can still be taken out and put in anew.
    fn change_metadata(&self, document: &Document, metadata: &Value) -> Result<Vec<Splice>>;

    /// The splices that put `value` in `place`, laid out, indented and quoted as what stands around it. No
    /// other line changes. Aliases are the caller's to look at, and so is whether the result is what was
    /// wanted: see [`change::set`], which reads it again.
    ///
    /// # Errors
    /// When the format has no form for the value in this place.
    fn put(&self, document: &Document, place: &Place, value: Node<'_>) -> Result<Vec<Splice>>;

    /// The splices that take the value `id`, which is no root, out of its container, with its key. Comments
    /// that sops does not count to the value stay.
    ///
    /// # Errors
    /// When the format cannot be without it.
    fn remove(&self, document: &Document, id: EntryId) -> Result<Vec<Splice>>;

    /// The indentation that is called `number` in `.sops.yaml` and on the command line.
    ///
    /// # Errors
    /// When this format cannot be indented so.
    fn indent(&self, number: i64) -> Result<Indent> {
        let _ = number;
        Ok(Indent::OfSops)
    }

    /// How the `sops` block of an encrypted document is indented.
    fn block_indent(&self, encrypted: &Document) -> Indent {
        let _ = encrypted;
        Indent::OfSops
    }

    /// Prints a document of any format in this one: the plaintext of a conversion, as sops prints it.
    ///
    /// # Errors
    /// When this format has no form for something in it, with the key path and the reason.
    fn emit(&self, document: &Document, indent: Indent) -> Result<Vec<u8>>;

    /// Prints the subtree at `id` alone, as sops does for `--extract`.
    ///
    /// # Errors
    /// As [`Self::emit`].
    fn emit_value(&self, document: &Document, id: EntryId, indent: Indent) -> Result<Vec<u8>>;
}

/// The error for an indentation that there is none of.
fn no_indent(format: &str, number: i64, possible: &str) -> Error {
    Error::new(error::Kind::Format, format!("{format} cannot be indented by {number}"))
        .because(format!("possible are {possible}"))
}

/// The text that `bytes` are in UTF-8.
///
/// # Errors
/// When they are not UTF-8, with the place; they are wiped then.
pub fn into_text(bytes: Vec<u8>) -> Result<String> {
    decode(bytes, Encoding::Utf8)
}

/// The hint for a file that its format has no room for.
const AS_IT_IS: &str =
    "to encrypt the file as it is: --input-type binary --output-type binary, which decrypt has to be given as well";

/// The text that `bytes` say in `encoding`.
fn decode(bytes: Vec<u8>, encoding: Encoding) -> Result<String> {
    let begins_as = Encoding::of(&bytes);
    encoding.decode(bytes).map_err(|mut text| {
        let name = encoding.name().unwrap_or("UTF-8");
        let error = Error::new(error::Kind::Format, format!("the text is not {name}")).at(&text, text.len());
        text.zeroize();
        match begins_as.name() {
            Some(_) if begins_as == encoding => {
                error.because("its byte order mark says that it is").hint("save it as UTF-8").hint(AS_IT_IS)
            }
            Some(name) => {
                error.because(format!("it is {name}")).hint("save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE")
            }
            None => error.hint("save it as UTF-8: iconv -f LATIN1 -t UTF-8 FILE").hint(AS_IT_IS),
        }
    })
}

/// The format called `name`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    ALL.iter().copied().find(|format| format.name() == name)
}

/// The format that a file name says by its extension.
#[must_use]
pub fn by_file_name(file_name: &str) -> Option<&'static dyn Format> {
    ALL.iter().copied().find(|format| format.is_named(file_name))
}

/// Moves from a byte offset over what may stand between two marks of a syntax.
type Skip = fn(&str, usize) -> usize;

/// Where to put a new last member of the object in braces at `root`, and the text to put there.
fn member_insertion(document: &Document, root: EntryId, member: &str, space: &str, skip: Skip) -> (usize, String) {
    let text = document.text();
    let Some(last) = document.children(root).last() else {
        return (document.entry(root).span().start + 1, member.to_owned());
    };
    let end = document.entry(last).span().end;
    let next = skip(text, end);
    if text.as_bytes().get(next) == Some(&b',') {
        return (next + 1, format!("{space}{member},"));
    }
    if text[end..next].contains('#') {
        // Comments stay with the value that they stand behind.
        return (next, format!(",{space}{member}"));
    }
    // To sops, a comma right behind the colon of a plain key makes that a part of the key.
    let is_behind_colon = text[..end].ends_with(':') && text[end..].starts_with([' ', '\t', '\n', '\r']);
    let end = end + usize::from(is_behind_colon);
    (end, format!(",{space}{member}"))
}

/// What to take out of the object in braces at `root` so that its member `id` is gone: the counterpart
/// of [`member_insertion`].
fn member_span(document: &Document, root: EntryId, id: EntryId, skip: Skip) -> Range<usize> {
    let text = document.text();
    let comma_at = |from: usize| Some(skip(text, from)).filter(|&at| text.as_bytes().get(at) == Some(&b','));
    let end = document.entry(id).span().end;
    let previous = document.children(root).take_while(|&child| child != id).last();
    let (start, comma) = match previous {
        Some(previous) => {
            let start = document.entry(previous).span().end;
            comma_at(start).map_or((start, start), |comma| (comma, comma + 1))
        }
        None => {
            let start = document.entry(root).span().start + 1;
            (start, start)
        }
    };
    match comma_at(end) {
        Some(after) => comma..after + 1,
        None => start..end,
    }
}

/// The format of a file of this name: binary, when the name says nothing.
#[must_use]
pub fn of_file_name(file_name: &str) -> &'static dyn Format {
    by_file_name(file_name).unwrap_or(&binary::Binary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_is_not_put_right_behind_the_colon_of_a_key() {
        let metadata = Value::Map(Vec::new());
        for (text, with) in [
            ("{a: 1, x: }", "{a: 1, x: , \"sops\": {}}"),
            ("{x:\n}", "{x:\n, \"sops\": {}}"),
            ("{x:}", "{x:, \"sops\": {}}"),
            ("{a: 1}", "{a: 1, \"sops\": {}}"),
        ] {
            let document = yaml::Yaml.index(text.to_owned()).unwrap();
            let insertions = yaml::Yaml.metadata_insertions(&document, &metadata);
            let splices: Vec<Splice> = insertions.into_iter().map(|(at, new)| (at..at, new)).collect();
            assert_eq!(String::from_utf8_lossy(&document.spliced(&splices)), with);
            let written = yaml::Yaml.index(with.to_owned()).unwrap();
            let spans = yaml::Yaml.metadata_spans(&written).into_iter().map(|span| (span, String::new()));
            assert_eq!(String::from_utf8_lossy(&written.spliced(&spans.collect::<Vec<_>>())), text);
        }
    }

    #[test]
    fn what_is_not_utf8_is_refused_with_its_place() {
        let error = into_text(b"a: 1\nb: \xff\n".to_vec()).unwrap_err();
        assert_eq!(error.place().line_column, Some((2, 4)));
    }
}
