//! Decrypting a document and verifying it.

use super::data_entries;
use super::layout::Layout;
use super::open::{Opened, Opener};
use super::restore::{Piece as Replaced, Source, restore};
use crate::document::{Document, Encoding, EntryId, Flags, Kind, Scalar, Splicer, Step, Style};
use crate::error::{Error, Kind as Failure, Result};
use crate::format::{Format, Piece, Pieces};
use crate::metadata::Metadata;
use crate::secret::{DataKey, SecretBytes};
use crate::trace;
use std::ops::Range;
use zeroize::Zeroize;

/// What came out of [`decrypt`].
pub struct Decrypted {
    /// The plaintext: byte for byte the file that was encrypted, but where that was in UTF-16, its text in UTF-8.
    pub plaintext: Vec<u8>,
    /// How that file was written down.
    pub encoding: Encoding,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

impl Drop for Decrypted {
    fn drop(&mut self) {
        self.plaintext.zeroize();
    }
}

impl Decrypted {
    /// Takes the plaintext out: all bytes of the file that was encrypted.
    #[must_use]
    pub fn into_file(mut self) -> Vec<u8> {
        self.encoding.encode(std::mem::take(&mut self.plaintext))
    }
}

/// A document whose values are decrypted and verified, and not yet put in their places.
pub struct Verified<'a> {
    format: &'a dyn Format,
    document: &'a Document,
    opener: Opener<'a>,
    data: Vec<u32>,
    opened: Opened,
}

impl<'a> Verified<'a> {
    /// Decrypts the values of `document` under `data_key` and verifies its MAC; with `ignore_mac` a MAC that is
    /// missing or wrong is a warning.
    ///
    /// # Errors
    /// A leaf that does not decrypt, with its key path; a MAC that does not match.
    pub fn open(
        format: &'a dyn Format,
        document: &'a Document,
        data_key: &DataKey,
        metadata: &'a Metadata,
        ignore_mac: bool,
    ) -> Result<Self> {
        let data = data_entries(format, document);
        let mut opener = Opener::new(data_key, metadata);
        let clock = trace::clock();
        let opened = opener.open(format, document, &data)?;
        opener.verify(ignore_mac)?;
        clock.done(|| format!("decrypted {} values and comments and compared the MAC", opened.count()));
        Ok(Verified { format, document, opener, data, opened })
    }

    /// The value of entry `id`, when it was encrypted and its key path is the same in the plaintext: where sops wrote
    /// comments as items of a list, the indices are others.
    #[must_use]
    pub fn sealed(&self, id: EntryId) -> Option<Scalar<'_>> {
        let is_item = |value: EntryId, kind| kind == Kind::Comment && self.document.entry(value).kind() != kind;
        self.opened.get(id).filter(|_| !self.opened.kinds().any(|(value, kind)| is_item(value, kind)))
    }

    /// What the user should know though nothing failed.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.opener.warnings)
    }

    /// Puts the values in their places: the plaintext.
    ///
    /// # Errors
    /// When the values do not fit there.
    pub fn write(mut self) -> Result<Decrypted> {
        let clock = trace::clock();
        let (plaintext, encoding) = self.plaintext(None)?;
        clock.done(|| format!("put them in their places, {} bytes", plaintext.len()));
        Ok(Decrypted { plaintext, encoding, warnings: self.opener.warnings })
    }

    /// The plaintext, where it is a text in UTF-8, and how that was written down. `pieces` takes up what was replaced.
    pub(super) fn plaintext(&mut self, pieces: Option<&mut Vec<Replaced>>) -> Result<(Vec<u8>, Encoding)> {
        let layout = self.opener.layout();
        let encoding = layout.encoding();
        let text = write(self.format, self.document, &self.data, &self.opened, layout, pieces)?;
        Ok((text, encoding))
    }

    /// The values alone, for those who write none. They have the types under which they were encrypted, which a text
    /// does not always tell: a float of 1 is printed as `1`.
    #[must_use]
    pub fn into_values(self) -> Values {
        Values { warnings: self.opener.warnings, data: self.data, opened: self.opened }
    }
}

/// The values of an encrypted document.
pub struct Values {
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
    pub(super) data: Vec<u32>,
    pub(super) opened: Opened,
}

impl Values {
    /// The value of entry `id` of `document`, the one that these are the values of; `None` for what is part of the `sops` block. A
    /// comment that sops wrote as an item of a list is a comment here.
    #[must_use]
    pub fn get<'a>(&'a self, document: &'a Document, id: EntryId) -> Option<Scalar<'a>> {
        self.data.binary_search(&(id as u32)).ok()?;
        Some(self.opened.get(id).unwrap_or_else(|| document.scalar(id)))
    }
}

/// Decrypts all of `document`: [`Verified::open`] and [`Verified::write`]. Whoever wants to change the file and seal it
/// again opens a [`super::Previous`].
///
/// # Errors
/// Those of the two.
pub fn decrypt(
    format: &dyn Format,
    document: &Document,
    data_key: &DataKey,
    metadata: &Metadata,
    ignore_mac: bool,
) -> Result<Decrypted> {
    Verified::open(format, document, data_key, metadata, ignore_mac)?.write()
}

/// Decrypts a file of about `len` bytes from its pieces, so that it is never in memory as a whole. `None`
/// when that does not do, for whatever reason; [`decrypt`] then says more.
#[must_use]
pub fn decrypt_pieces(
    format: &dyn Format,
    pieces: Pieces<'_>,
    len: usize,
    data_key: &DataKey,
    metadata: &Metadata,
    ignore_mac: bool,
) -> Option<Decrypted> {
    let clock = trace::clock();
    let mut opener = Opener::new(data_key, metadata);
    let layout = opener.layout();
    // Growing would leave copies of plaintext behind, and memory that is not written to costs nothing.
    let (plaintext, encoding) = (Vec::with_capacity(len), Encoding::Utf8);
    let mut decrypted = Decrypted { plaintext, encoding, warnings: Vec::new() };
    let mut position = 0;
    open_pieces(format, pieces, &mut opener, ignore_mac, |OpenedPiece { document, data, opened, own, depth }| {
        let behind = document.bytes().len() - own.end;
        let layout = layout.part(position as u32, depth as u32, data.len() as u32);
        let mut bytes = write(format, document, data, opened, layout, None).ok()?;
        if !decrypted.plaintext.is_empty() {
            decrypted.plaintext.push(b',');
        }
        decrypted.plaintext.extend_from_slice(&bytes[own.start..bytes.len() - behind]);
        bytes.zeroize();
        position += data.len() - depth;
        Some(())
    })?;
    decrypted.plaintext.shrink_to_fit();
    clock.done(|| format!("decrypted all in pieces and compared the MAC, {} bytes", decrypted.plaintext.len()));
    decrypted.warnings = std::mem::take(&mut opener.warnings);
    Some(decrypted)
}

/// The one text to which `path`, of keys alone, leads in a file, from its pieces, all of which are verified; and what
/// the user should know. `None` when something else is there, or that does not do; [`Verified::open`] then says more.
#[must_use]
pub fn text_in_pieces(
    format: &dyn Format,
    pieces: Pieces<'_>,
    path: &[Step],
    data_key: &DataKey,
    metadata: &Metadata,
    ignore_mac: bool,
) -> Option<(SecretBytes, Vec<String>)> {
    // A list that is cut does not begin with its first item.
    if !path.iter().all(|step| matches!(step, Step::Key(_))) {
        return None;
    }
    let clock = trace::clock();
    let mut opener = Opener::new(data_key, metadata);
    let mut text = None;
    open_pieces(format, pieces, &mut opener, ignore_mac, |OpenedPiece { document, opened, .. }| {
        if let (id, []) = document.reach(*document.roots().first()?, path) {
            let value = opened.get(id).filter(|value| value.kind == Kind::Str)?;
            text = Some(SecretBytes::from(value.bytes.to_vec()));
        }
        Some(())
    })?;
    clock.done(|| "decrypted all in pieces and compared the MAC".to_owned());
    Some((text?, opener.warnings))
}

/// A piece of a file, with its values.
struct OpenedPiece<'a> {
    document: &'a Document,
    data: &'a [u32],
    opened: &'a Opened,
    /// What of its text stands in the file, and how many containers are opened before that.
    own: Range<usize>,
    depth: usize,
}

/// Has `each` see all pieces of a file, and verifies them.
fn open_pieces(
    format: &dyn Format,
    pieces: Pieces<'_>,
    opener: &mut Opener<'_>,
    ignore_mac: bool,
    mut each: impl FnMut(OpenedPiece<'_>) -> Option<()>,
) -> Option<()> {
    let mut has_metadata = false;
    for piece in pieces {
        let Piece { text, own, depth, has_metadata: has_it } = piece?;
        let document = format.index(text).ok()?;
        if has_it {
            has_metadata = opener.is_of(&format.metadata(&document)?, ignore_mac);
        }
        let data = data_entries(format, &document);
        let opened = opener.open(format, &document, &data).ok()?;
        each(OpenedPiece { document: &document, data: &data, opened: &opened, own, depth })?;
    }
    opener.verify(ignore_mac).ok().filter(|()| has_metadata)
}

/// Writes the plaintext. What the layout record says is believed only if the result reads as the
/// decrypted values; each text that does not is left out. `pieces` takes up what was replaced.
fn write(
    format: &dyn Format,
    document: &Document,
    data: &[u32],
    opened: &Opened,
    mut layout: Layout,
    mut pieces: Option<&mut Vec<Replaced>>,
) -> Result<Vec<u8>> {
    let value = |id| opened.get(id).map_or(Source::Clear, Source::Sealed);
    let in_block = |id| matches!(document.entry(id).style(), Style::Literal | Style::Folded);
    let must_prove = !layout.is_empty() || opened.ids().any(in_block);
    // Values instead of tokens, with some room for quotes and escapes: growing would leave copies behind.
    let tokens: usize = opened.ids().map(|id| document.entry(id).span().len()).sum();
    // Copies of an alias share its span, so a hostile file can have more of them than text.
    let len = document.bytes().len().saturating_sub(tokens) + opened.len() + opened.len() / 4 + layout.len() + 1024;
    loop {
        let splicer = Splicer::with_len(document.bytes(), len);
        if let Some(pieces) = &mut pieces {
            pieces.clear();
        }
        let plaintext = restore(format, document, data, &layout, splicer, value, pieces.as_deref_mut())?.finish();
        if !must_prove {
            return Ok(plaintext);
        }
        let Some(wrong) = first_difference(format, document, data, opened, &plaintext) else { return Ok(plaintext) };
        let first = match &wrong {
            Difference::At(positions) => positions.first().map(|&at| data[at as usize] as usize),
            Difference::Everywhere => None,
        };
        let dropped = match wrong {
            Difference::At(positions) => positions.into_iter().filter(|&at| layout.remove(at)).count(),
            Difference::Everywhere => {
                let dropped = usize::from(!layout.is_empty());
                layout.clear();
                dropped
            }
        };
        if dropped == 0 {
            let error = Error::new(Failure::Format, "the decrypted values do not fit their places")
                .because("the marks around a token were changed after it was encrypted, such as its tag")
                .hint("restore the file from Git");
            return Err(match first {
                Some(id) => error.at(document.text(), document.entry(id).span().start).at_path(document.path(id)),
                None => error,
            });
        }
    }
}

enum Difference {
    /// These entries read as something else; positions among the data entries.
    At(Vec<u32>),
    /// The text reads as another document.
    Everywhere,
}

fn first_difference(
    format: &dyn Format,
    document: &Document,
    data: &[u32],
    opened: &Opened,
    plaintext: &[u8],
) -> Option<Difference> {
    let Ok(plain) = format.index_plaintext(plaintext.to_vec()) else { return Some(Difference::Everywhere) };
    let expected = |id: EntryId| opened.get(id).unwrap_or_else(|| document.scalar(id));
    let mut wrong = Vec::new();
    let mut values = (0..plain.len()).filter(|&id| plain.entry(id).kind() != Kind::Comment);
    // An alias stands for all that is in it.
    let mut alias = (0, 0);
    for (position, &id) in data.iter().enumerate() {
        let id = id as usize;
        let scalar = expected(id);
        if scalar.kind == Kind::Comment {
            continue;
        }
        let Some(twin) = values.next() else { return Some(Difference::Everywhere) };
        if plain.entry(twin).is(Flags::ALIAS) {
            alias = (position as u32, plain.subtree(twin).end);
        }
        let found = plain.scalar(twin);
        let emptied = document.entry(id).parent().is_none() && found.kind == Kind::Null;
        if !(found.is_same_value(&scalar) || emptied) || plain.key_bytes(twin) != document.key_bytes(id) {
            wrong.push(if twin < alias.1 { alias.0 } else { position as u32 });
        }
    }
    if values.next().is_some() {
        return Some(Difference::Everywhere);
    }
    (!wrong.is_empty()).then_some(Difference::At(wrong))
}
