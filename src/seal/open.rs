//! Opening the tokens of a document, and verifying what was opened.

use super::AdditionalData;
use super::layout::Layout;
use super::select::select;
use crate::crypto::{Cipher, Mac, Rejected, Token, mac};
use crate::document::{Document, EntryId, Flags, Kind, Scalar, Value};
use crate::error::{self, Error, Result};
use crate::event;
use crate::format::Format;
use crate::metadata::Metadata;
use crate::secret::DataKey;
use std::collections::HashMap;
use zeroize::Zeroize;

/// The decrypted values of a document, wiped when dropped.
pub(super) struct Opened {
    bytes: Vec<u8>,
    /// By entry, ascending: kind and where in `bytes`.
    values: Vec<(u32, Kind, u32, u32)>,
    /// The additional data of comments that were encrypted elsewhere than where sops sees them now.
    elsewhere: HashMap<u32, Vec<u8>>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl Opened {
    /// Decrypts the value of entry `id`.
    fn decrypt(
        &mut self,
        id: EntryId,
        cipher: &Cipher,
        token: &Token<'_>,
        additional: &[u8],
    ) -> std::result::Result<Scalar<'_>, Rejected> {
        self.make_room(token.room());
        let start = self.bytes.len();
        let kind = cipher.decrypt_onto(token, additional, &mut self.bytes)?;
        let bytes = &self.bytes[start..];
        self.values.push((id as u32, kind, start as u32, bytes.len() as u32));
        Ok(Scalar { kind, bytes })
    }

    /// Makes room for so many bytes more. A vector that grew by itself would leave a copy of the values behind.
    fn make_room(&mut self, more: usize) {
        if self.bytes.capacity() - self.bytes.len() < more {
            let mut larger = Vec::with_capacity(2 * self.bytes.len() + more);
            larger.extend_from_slice(&self.bytes);
            std::mem::replace(&mut self.bytes, larger).zeroize();
        }
    }

    pub(super) fn get(&self, id: EntryId) -> Option<Scalar<'_>> {
        let found = self.values.binary_search_by_key(&(id as u32), |value| value.0).ok()?;
        let (_, kind, start, len) = self.values[found];
        Some(Scalar { kind, bytes: &self.bytes[start as usize..(start + len) as usize] })
    }

    /// The additional data of a comment that was encrypted elsewhere than where sops sees it now.
    pub(super) fn elsewhere(&self, id: EntryId) -> Option<&[u8]> {
        self.elsewhere.get(&(id as u32)).map(Vec::as_slice)
    }

    /// The entries that were opened.
    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> {
        self.values.iter().map(|&(id, ..)| id as EntryId)
    }

    /// The types under which they were encrypted.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (EntryId, Kind)> {
        self.values.iter().map(|&(id, kind, ..)| (id as EntryId, kind))
    }

    /// How many values there are.
    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    /// How many bytes all values are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Opens the tokens of a file, in the order of its text.
pub(super) struct Opener<'a> {
    metadata: &'a Metadata,
    cipher: Cipher,
    mac: Mac,
    /// What the user should know though nothing failed.
    pub(super) warnings: Vec<String>,
    /// A byte of the text, and its line.
    counted: (usize, usize),
}

impl<'a> Opener<'a> {
    pub(super) fn new(data_key: &DataKey, metadata: &'a Metadata) -> Self {
        let mac = Mac::new(metadata.mac_only_encrypted);
        Opener { metadata, cipher: Cipher::new(data_key), mac, warnings: Vec::new(), counted: (0, 1) }
    }

    /// Whether `block` says what it opens by.
    pub(super) fn is_of(&self, block: &Value, ignore_mac: bool) -> bool {
        let read = if ignore_mac { Metadata::from_value_ignoring_mac } else { Metadata::from_value };
        read(block).is_ok_and(|metadata| metadata == *self.metadata)
    }

    /// Opens the tokens of `document`, whose data entries are `data`.
    ///
    /// # Errors
    /// When the rule wants a token where none stands, or one does not open.
    pub(super) fn open(&mut self, format: &dyn Format, document: &Document, data: &[u32]) -> Result<Opened> {
        event::decrypting()?;
        let selected = select(format, document, &self.metadata.selection)?;
        // Enough for the tokens that leafcrypt and sops write, and not more, since all of it is wiped: the marks, nonce and
        // tag around a value are more than 100 bytes. The last value needs room for its tag while it is decrypted.
        let room: usize = data.iter().map(|&id| document.scalar(id as usize).bytes.len().saturating_sub(100)).sum();
        let mut opened = Opened {
            bytes: Vec::with_capacity(room + 32),
            values: Vec::with_capacity(data.len()),
            elsewhere: HashMap::new(),
        };
        let mut additional = AdditionalData::new(document);
        for &id in data {
            let id = id as usize;
            let scalar = document.scalar(id);
            match scalar.kind {
                Kind::Map | Kind::List | Kind::Null => continue,
                Kind::Comment => {
                    self.open_comment(document, id, &mut opened);
                    continue;
                }
                _ => {}
            }
            let counts = !document.entry(id).is(Flags::SHADOWED);
            if !selected[id] {
                if counts && !self.metadata.mac_only_encrypted {
                    self.mac.add(scalar.bytes);
                }
                continue;
            }
            if scalar.kind == Kind::Str && scalar.bytes.is_empty() {
                continue;
            }
            let Some(token) = Token::parse(scalar.bytes).filter(|_| scalar.kind == Kind::Str) else {
                return Err(not_opened(document, id, Rejected::Form));
            };
            let value = opened
                .decrypt(id, &self.cipher, &token, additional.of(id))
                .map_err(|rejected| not_opened(document, id, rejected))?;
            if counts && value.kind != Kind::Comment {
                self.mac.add(value.bytes);
            }
        }
        Ok(opened)
    }

    /// A comment that does not open is left as it is, as sops does: it may never have been encrypted.
    fn open_comment(&mut self, document: &Document, id: EntryId, opened: &mut Opened) {
        let Some(token) = Token::parse(document.scalar(id).bytes).filter(Token::is_comment) else { return };
        for (nth, additional) in comment_places(document, id).enumerate() {
            if opened.decrypt(id, &self.cipher, &token, &additional).is_ok() {
                if nth > 0 {
                    opened.elsewhere.insert(id as u32, additional);
                }
                return;
            }
        }
        let line = self.line_of(document, id);
        self.warnings.push(format!("the comment at line {line} could not be decrypted and is left as it is"));
    }

    /// The line of an entry. Counted on from the one before, which may be one of many.
    fn line_of(&mut self, document: &Document, id: EntryId) -> usize {
        let at = document.entry(id).span().start;
        let (from, line) = if self.counted.0 <= at { self.counted } else { (0, 1) };
        let (further, _) = error::line_column(&document.text()[from..], at - from);
        self.counted = (at, line + further - 1);
        self.counted.1
    }

    /// Verifies all that was opened; with `ignore_mac` what is wrong is a warning.
    ///
    /// # Errors
    /// When the MAC is missing, does not decrypt or does not match.
    pub(super) fn verify(&mut self, ignore_mac: bool) -> Result<()> {
        let mac = std::mem::replace(&mut self.mac, Mac::new(false)).finish();
        match verify(self.metadata, &self.cipher, &mac) {
            Err(error) if ignore_mac => {
                self.warnings.push(format!("{}; the values may have been changed", error.message()));
                Ok(())
            }
            verified => verified,
        }
    }

    /// The file's layout record; empty when it has none of its own.
    pub(super) fn layout(&mut self) -> Layout {
        let Some(token) = &self.metadata.layout else { return Layout::default() };
        Layout::open(token, &self.cipher, &self.metadata.last_modified).unwrap_or_else(|| {
            let warning = "the layout record is not of this version of the file: spelling may differ";
            self.warnings.push(warning.to_owned());
            Layout::default()
        })
    }
}

/// The paths under which a comment may have been encrypted: where sops sees it now, then the containers
/// around it and those of its neighbours, since other versions and tools place comments otherwise.
fn comment_places(document: &Document, id: EntryId) -> impl Iterator<Item = Vec<u8>> {
    let neighbours = [id.checked_sub(1), Some(id + 1).filter(|&next| next < document.len())];
    let starts = std::iter::once(id).chain(neighbours.into_iter().flatten());
    let mut tried: Vec<EntryId> = Vec::new();
    let root = std::iter::once(b":".to_vec());
    starts
        .flat_map(move |start| std::iter::successors(Some(start), |&at| document.entry(at).parent()))
        .filter(move |&at| {
            let wanted = at == id || document.entry(at).kind().is_container();
            let new = !tried.contains(&at);
            tried.push(at);
            wanted && new
        })
        .take(64)
        .map(|at| document.additional_data(at))
        .chain(root)
}

fn not_opened(document: &Document, id: EntryId, rejected: Rejected) -> Error {
    let error = Error::new(error::Kind::DecryptTree, "this value does not decrypt")
        .at(document.text(), document.entry(id).span().start)
        .at_path(document.path(id))
        .because(rejected);
    match rejected {
        Rejected::Form => error.because("the file's rule says that the value at this key path is encrypted").hint(
            "a value that was added by hand is clear text: decrypt the version before it, add it there and encrypt",
        ),
        Rejected::Tag => error.hint("a token cannot be moved or copied to another key; restore the file from Git"),
        Rejected::Base64 | Rejected::NonceSize | Rejected::Type => error.hint("restore the file from Git"),
    }
}

fn verify(metadata: &Metadata, cipher: &Cipher, computed: &str) -> Result<()> {
    if metadata.mac.is_empty() {
        return Err(Error::new(error::Kind::MacMissing, "the file has no MAC")
            .hint("restore the file from Git, or decrypt it with --ignore-mac and look at it with care"));
    }
    let written = Token::parse(metadata.mac.as_bytes())
        .ok_or(Rejected::Form)
        .and_then(|token| cipher.decrypt(&token, metadata.last_modified.as_bytes()))
        .map_err(|rejected| {
            Error::new(error::Kind::DecryptMac, "the MAC does not decrypt")
                .because(rejected)
                .because("its key path is the field lastmodified, which must be unchanged")
                .hint("restore the file from Git, or decrypt it with --ignore-mac and look at it with care")
        })?;
    if mac::is_same(written.1.expose(), computed.as_bytes()) {
        return Ok(());
    }
    Err(Error::new(error::Kind::MacMismatch, "the MAC does not match the values")
        .because("a value was changed, added, removed or moved without the data key")
        .hint("restore the file from Git, or decrypt it with --ignore-mac and look at it with care"))
}
