//! Sealing and opening a document.
//!
//! Owns: which leaves are encrypted ([`select`]), encrypting and decrypting a whole document under its
//! data key, the MAC over it, the layout record, and the proof that what is written can be given back.
//! Must not know: where a data key comes from, files on a disk, arguments.

mod blocks;
mod decrypt;
mod encrypt;
mod layout;
mod open;
mod placeholder;
mod previous;
mod restore;
mod select;
#[cfg(test)]
mod tests;
mod twins;

pub use decrypt::{Decrypted, Values, Verified, decrypt, decrypt_pieces, text_in_pieces};
pub use encrypt::{encrypt, encrypt_pieces, now};
pub use placeholder::placeholder;
pub use previous::Previous;
pub use select::select;

use crate::document::{Document, EntryId, Kind, Style};
use crate::format::Format;

/// The additional data of entries, one after the other. Siblings share their parent's part.
struct AdditionalData<'a> {
    document: &'a Document,
    parent: Option<EntryId>,
    parent_len: usize,
    data: Vec<u8>,
}

impl<'a> AdditionalData<'a> {
    fn new(document: &'a Document) -> Self {
        AdditionalData { document, parent: None, parent_len: 0, data: Vec::new() }
    }

    fn of(&mut self, id: EntryId) -> &[u8] {
        let entry = self.document.entry(id);
        if entry.parent() != self.parent {
            self.parent = entry.parent();
            self.data = self.parent.map_or_else(Vec::new, |parent| self.document.key_prefix(parent));
            self.parent_len = self.data.len();
        }
        self.data.truncate(self.parent_len);
        if entry.has_key() {
            self.data.extend_from_slice(self.document.key_bytes(id));
            self.data.push(b':');
        }
        if self.data.is_empty() {
            self.data.push(b':');
        }
        &self.data
    }
}

/// The entries that are data: all but the `sops` blocks. The position in this list is what the layout
/// record counts by, since it is the same before and after encryption.
fn data_entries(format: &dyn Format, document: &Document) -> Vec<u32> {
    let blocks = format.metadata_entries(document);
    let mut data = Vec::with_capacity(document.len());
    let mut at = 0;
    for block in blocks {
        let mut end = document.subtree(block).end;
        // To the parser, comments below it that come before the next key are part of a block that ends there.
        let is_below = |id: EntryId| document.entry(id).kind() == Kind::Comment;
        while document.entry(block).style() == Style::Block && is_below(end - 1) {
            end -= 1;
        }
        data.extend((at as u32)..(block as u32));
        at = end;
    }
    data.extend((at as u32)..(document.len() as u32));
    data
}
