//! An encrypted file whose recipients change and whose values do not: in its `sops` block the lines of those recipients change,
//! and everything else stays as it is, byte for byte.

use super::recipients::Change;
use super::unsealed::read_metadata;
use crate::document::{Document, Splicer, Value};
use crate::error::{Error, Kind, Result};
use crate::event::{self, Action};
use crate::format::{self, Format};
use crate::key::{Keyring, Stanza};
use crate::metadata::Metadata;

/// An encrypted file, as it stands.
pub(super) struct Locked {
    format: &'static dyn Format,
    document: Document,
    /// Its `sops` block.
    pub(super) metadata: Metadata,
}

impl Locked {
    /// Reads the encrypted file `bytes`.
    ///
    /// # Errors
    /// When it is not encrypted.
    pub(super) fn read(bytes: Vec<u8>, format: &'static dyn Format) -> Result<Self> {
        let document = format.index_bytes(bytes)?;
        let metadata = read_metadata(format, &document, false)?;
        Ok(Locked { format, document, metadata })
    }

    /// The file with the recipients of `change`.
    ///
    /// # Errors
    /// When no key opens the data key, or a new recipient cannot be used.
    pub(super) fn change(mut self, change: Change, keyring: &Keyring) -> Result<String> {
        let data_key = self.metadata.unwrap(keyring)?;
        let is_whole = change.make(&mut self.metadata);
        event::doing(Action::UpdateKeys, || self.metadata.stanzas().map(Stanza::title).collect())?;
        if is_whole {
            self.metadata.wrap_for_new(&data_key, keyring)?;
        } else {
            self.metadata.wrap(&data_key, keyring)?;
        }
        self.exchange()
    }

    /// The file with [`Self::metadata`] for its block: what says the same already stays as it is written, and where it stands.
    /// Where that does not do, the block is written anew.
    fn exchange(self) -> Result<String> {
        let ways: [fn(&Self) -> Result<String>; 2] = [Self::changed_in_place, Self::written_anew];
        for way in ways {
            // What is written is read again: the block says what it should, and it is all that has changed.
            let Ok(text) = way(&self) else { continue };
            let written = self.format.index(text)?;
            let read = read_metadata(self.format, &written, false)?;
            let same = in_order(read.to_value()) == in_order(self.metadata.to_value())
                && written.len() + block_len(self.format, &self.document)
                    == self.document.len() + block_len(self.format, &written);
            if same {
                return Ok(written.into_text());
            }
        }
        Err(Error::new(Kind::Generic, "the recipients cannot be exchanged in this file")
            .because("its sops block cannot be written anew without a change of something else"))
    }

    fn changed_in_place(&self) -> Result<String> {
        let value = match self.format.metadata(&self.document) {
            Some(before) => self.metadata.to_value_after(&before),
            None => self.metadata.to_value(),
        };
        let splices = self.format.change_metadata(&self.document, &value)?;
        format::into_text(self.document.spliced(&splices))
    }

    fn written_anew(&self) -> Result<String> {
        let Locked { format, document, metadata } = self;
        let mut bare = Splicer::new(document.text(), 0);
        for span in format.metadata_spans(document) {
            bare.replace(span);
        }
        let bare = bare.finish();
        // The block is all around the one value of a binary file, which alone is no JSON.
        let mut bare = if format.is_whole() { format.index_plaintext(bare)? } else { format.index_bytes(bare)? };
        bare.block_indent = format.block_indent(document);
        let mut text = Splicer::new(bare.bytes(), document.text().len());
        for (at, block) in format.metadata_insertions(&bare, &metadata.to_value()) {
            text.replace(at..at).extend_from_slice(block.as_bytes());
        }
        format::into_text(text.finish())
    }
}

/// `value` with the keys of its maps in order: dotenv and INI sort those of the block.
fn in_order(value: Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.into_iter().map(in_order).collect()),
        Value::Map(mut members) => {
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Map(members.into_iter().map(|(key, value)| (key, in_order(value))).collect())
        }
        leaf => leaf,
    }
}

/// How many entries the blocks of a document have.
fn block_len(format: &dyn Format, document: &Document) -> usize {
    format.metadata_entries(document).into_iter().map(|block| document.subtree(block).len()).sum()
}
