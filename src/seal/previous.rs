//! The version of a file before a change: what stood where, so that it stays.
//!
//! Decrypting replaces pieces of an encrypted text: tokens, `sops` blocks, comments that sops wrote as items. Each
//! piece is remembered with what came in its place. When the plaintext was changed, the pieces in the parts that
//! were not are put back as they were: every token, and every other byte, of an unchanged part is the one of before.

use super::AdditionalData;
use super::decrypt::{Values, Verified};
use super::open::Opened;
use super::restore::Piece;
use crate::crypto::{Nonce, Token};
use crate::document::{Document, Encoding, EntryId, Flags, Hunk, Kind, Scalar, diff};
use crate::error::Result;
use crate::format::Format;
use crate::metadata::Metadata;
use crate::secret::DataKey;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use zeroize::Zeroize;

/// An encrypted document, opened to be sealed again.
pub struct Previous {
    document: Document,
    data: Vec<u32>,
    opened: Opened,
    pieces: Vec<Piece>,
    plaintext: Vec<u8>,
    encoding: Encoding,
    data_key: [u8; 32],
}

impl Drop for Previous {
    fn drop(&mut self) {
        self.plaintext.zeroize();
    }
}

impl Previous {
    /// Decrypts `document` and verifies its MAC, as [`super::decrypt`] does. Gives what the user should know as well.
    ///
    /// # Errors
    /// Those of [`super::decrypt`].
    pub fn open(
        format: &dyn Format,
        document: Document,
        data_key: &DataKey,
        metadata: &Metadata,
        ignore_mac: bool,
    ) -> Result<(Self, Vec<String>)> {
        let mut verified = Verified::open(format, &document, data_key, metadata, ignore_mac)?;
        let mut pieces = Vec::new();
        let (plaintext, encoding) = verified.plaintext(Some(&mut pieces))?;
        let Values { warnings, data, opened } = verified.into_values();
        let data_key = digest_of(data_key);
        Ok((Previous { document, data, opened, pieces, plaintext, encoding, data_key }, warnings))
    }

    /// The plaintext; of a text that was in UTF-16 that text in UTF-8.
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        &self.plaintext
    }

    /// How the plaintext was written down.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The encrypted document.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Whether `data_key` is the one that the document was encrypted under.
    pub(super) fn is_under(&self, data_key: &DataKey) -> bool {
        self.data_key == digest_of(data_key)
    }

    /// What stays when the plaintext becomes `document`: the pieces where nothing changed if `keeps`, and else their
    /// nonces alone.
    pub(super) fn kept(&self, document: &Document, keeps: bool) -> Kept<'_> {
        let hunks = diff(&self.plaintext, document.bytes());
        let mut mapped = Mapped { hunks: &hunks, shift: 0 };
        let mut kept = Kept {
            previous: self,
            spans: Vec::with_capacity(self.pieces.len()),
            blocks: Vec::new(),
            nonces: Nonces::default(),
            next: 0,
            additional: AdditionalData::new(&self.document),
        };
        for (at, piece) in self.pieces.iter().enumerate() {
            let target = mapped.range(piece.target.clone()).filter(|_| keeps);
            if piece.is_block {
                kept.blocks.push((piece.source.clone(), target));
            } else if piece.positions.is_empty() {
                // A key that is an alias; it is written the same way again.
            } else if let Some(target) = target {
                kept.spans.push((at as u32, target.start));
            } else {
                kept.nonces.add(self, piece);
            }
        }
        kept
    }

    /// The value of the data entry at `position`, and the entry.
    fn value(&self, position: usize) -> (EntryId, Scalar<'_>) {
        let id = self.data[position] as usize;
        (id, self.opened.get(id).unwrap_or_else(|| self.document.scalar(id)))
    }
}

/// Tells two keys apart without keeping either.
fn digest_of(data_key: &DataKey) -> [u8; 32] {
    Sha256::digest(data_key.expose()).into()
}

/// Finds pieces of a text in its new version; asked in ascending order.
struct Mapped<'a> {
    hunks: &'a [Hunk],
    /// What positions behind the hunks so far are off by.
    shift: isize,
}

impl Mapped<'_> {
    /// Where `range` is now, if no hunk reaches into it.
    fn range(&mut self, range: Range<usize>) -> Option<Range<usize>> {
        while let Some((hunk, rest)) = self.hunks.split_first()
            && hunk.before.end <= range.start
        {
            self.shift = hunk.after.end as isize - hunk.before.end as isize;
            self.hunks = rest;
        }
        let is_free = self.hunks.first().is_none_or(|hunk| hunk.before.start >= range.end);
        let moved = |at: usize| at.checked_add_signed(self.shift);
        if is_free { Some(moved(range.start)?..moved(range.end)?) } else { None }
    }
}

/// What stays of a [`Previous`] version.
pub(super) struct Kept<'a> {
    previous: &'a Previous,
    /// The pieces, and where in the new plaintext their text begins; ascending.
    spans: Vec<(u32, usize)>,
    /// The pieces that are not of the data, and where in the new plaintext each belongs, if that is known.
    pub(super) blocks: Vec<(Range<usize>, Option<Range<usize>>)>,
    /// The nonces of all other pieces.
    pub(super) nonces: Nonces,
    /// How many of the pieces have been asked for.
    next: usize,
    additional: AdditionalData<'a>,
}

/// A kept piece in the new document.
pub(super) struct Span<'a> {
    /// What of the new plaintext it stands for.
    pub(super) target: Range<usize>,
    /// What stood there when it was encrypted.
    pub(super) source: &'a str,
    /// Its entries in the new document.
    pub(super) entries: Range<EntryId>,
    /// For each entry, what it was.
    pub(super) was: Vec<Was<'a>>,
}

/// What an entry of a kept piece was.
pub(super) struct Was<'a> {
    /// Its token, and where that stands in the source of the piece; none for what was clear.
    pub(super) token: Option<(&'a str, Range<usize>)>,
    /// The additional data under which sops looked for it.
    pub(super) additional: Vec<u8>,
    /// The text of a comment, where its place in the file does not tell all of it.
    pub(super) other_text: Option<&'a [u8]>,
}

impl<'a> Kept<'a> {
    /// The kept piece that begins with the entry `id` of `document`, or before it in the text; those that are
    /// passed over give their nonces. `selected` says which entries are to be tokens. To be asked for each entry in
    /// order, but for those of what was given.
    pub(super) fn span(&mut self, document: &Document, id: EntryId, selected: &[bool]) -> Option<Span<'a>> {
        let start = document.entry(id).span().start;
        let may_begin_inside = document.entry(id).kind().is_container();
        loop {
            let &(at, target) = self.spans.get(self.next)?;
            if target > start {
                return None;
            }
            let piece = &self.previous.pieces[at as usize];
            let target = target..target + piece.target.len();
            let ahead = target.end > start;
            let span = self.match_entries(piece, &target, document, id);
            let fits = |span: &Span<'_>| {
                span.entries.clone().zip(&span.was).all(|(id, was)| was.token.is_none() || selected[id])
            };
            let span = span.filter(fits);
            if span.is_none() && ahead && may_begin_inside {
                // It may be the first value of this container.
                return None;
            }
            self.next += 1;
            match span {
                Some(span) => return Some(span),
                None => self.nonces.add(self.previous, piece),
            }
        }
    }

    /// The piece, if from `id` on the document holds the same entries as it.
    fn match_entries(
        &mut self,
        piece: &Piece,
        target: &Range<usize>,
        document: &Document,
        id: EntryId,
    ) -> Option<Span<'a>> {
        let previous = self.previous;
        let count = piece.positions.len();
        let entries = id..id + count;
        if entries.end > document.len() {
            return None;
        }
        // Blank lines at the end of a block scalar are part of what took its place, and not of its span.
        let behind = document.bytes().get(document.entry(entries.end - 1).span().end..target.end)?;
        if !behind.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let source = previous.document.text().get(piece.source.clone())?;
        let first = previous.data[piece.positions.start as usize] as usize;
        let mut was = Vec::with_capacity(count);
        for (id, position) in entries.clone().zip(piece.positions.clone()) {
            let (old, value) = previous.value(position as usize);
            let span = document.entry(id).span();
            let is_inside = target.start <= span.start && span.end <= target.end;
            let scalar = document.scalar(id);
            let differs = value.kind == Kind::Comment && value.bytes != scalar.bytes;
            let is_same =
                is_same_value(value, scalar) && document.entry(id).has_key() == previous.document.entry(old).has_key();
            let same_key = old == first || document.key_bytes(id) == previous.document.key_bytes(old);
            if !is_inside || !is_same || !same_key {
                return None;
            }
            let token = match previous.opened.get(old) {
                Some(_) => Some(find_token(previous, old, &piece.source)?),
                None => None,
            };
            let other_text = differs.then_some(value.bytes);
            was.push(Was { token, additional: self.additional.of(old).to_vec(), other_text });
        }
        Some(Span { target: target.clone(), source, entries, was })
    }
}

/// Whether an entry is what it was, as far as its text can tell.
fn is_same_value(was: Scalar<'_>, is: Scalar<'_>) -> bool {
    if was.kind == Kind::Comment && is.kind == Kind::Comment {
        return was.bytes == is.bytes || bare(was.bytes) == bare(is.bytes);
    }
    // JSON has no times.
    was.is_same_value(&is) || was.bytes == is.bytes && (was.kind, is.kind) == (Kind::Time, Kind::Str)
}

/// The lines of a comment that are not blank, without the blanks and marks around them: INI files do not keep those.
fn bare(comment: &[u8]) -> Vec<String> {
    let comment = String::from_utf8_lossy(comment);
    let is_around = |c: char| c.is_whitespace() || matches!(c, '#' | ';');
    comment.split('\n').map(|line| line.trim_matches(is_around).to_owned()).filter(|line| !line.is_empty()).collect()
}

/// The token of an entry, and where it stands in `source`, a piece of the text.
fn find_token<'a>(previous: &'a Previous, id: EntryId, source: &Range<usize>) -> Option<(&'a str, Range<usize>)> {
    let span = previous.document.entry(id).span();
    // Copies of an alias are written out on one line, each with a span of its own.
    if previous.document.entry(id).is(Flags::COPIED) || span.start < source.start || span.end > source.end {
        return None;
    }
    let raw = previous.document.raw(id);
    let start = raw.find("ENC[")?;
    let end = raw.rfind(']')? + 1;
    let token = raw.get(start..end)?;
    Token::parse(token.as_bytes())?;
    let offset = span.start - source.start;
    Some((token, offset + start..offset + end))
}

/// The nonces of tokens, by what they were used for, so that a leaf that only moved keeps its token. A nonce is only
/// ever used again for the same value at the same place, which gives the same token.
#[derive(Default)]
pub(super) struct Nonces(HashMap<[u8; 32], VecDeque<Nonce>>);

impl Nonces {
    fn digest(kind: Kind, canonical: &[u8], additional: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update([kind as u8]);
        hash.update((additional.len() as u64).to_le_bytes());
        hash.update(additional);
        hash.update(canonical);
        hash.finalize().into()
    }

    /// Adds those of a piece.
    fn add(&mut self, previous: &Previous, piece: &Piece) {
        for position in piece.positions.clone() {
            let id = previous.data[position as usize] as usize;
            let Some(value) = previous.opened.get(id) else { continue };
            let token = Token::parse(previous.document.scalar(id).bytes);
            let Some(nonce) = token.and_then(|token| token.nonce()) else { continue };
            let additional = match previous.opened.elsewhere(id) {
                Some(additional) => additional.to_vec(),
                None => previous.document.additional_data(id),
            };
            self.0.entry(Self::digest(value.kind, value.bytes, &additional)).or_default().push_back(nonce);
        }
    }

    /// The nonce for a value: of several that fit, the first that was not given yet.
    pub(super) fn take(&mut self, kind: Kind, canonical: &[u8], additional: &[u8]) -> Option<Nonce> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get_mut(&Self::digest(kind, canonical, additional))?.pop_front()
    }
}
