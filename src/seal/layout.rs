//! The layout record: how values were written that their token's place cannot say.
//!
//! A map from the position of an entry (among the data entries) to its original text, and to that of its
//! key where that was an alias; and the encoding of the whole, where that is not UTF-8. It is encrypted
//! under the data key like a leaf and lies in the `sops` block as `leafcrypt_layout`; sops ignores it and
//! drops it when it rewrites a file. Nothing depends on it but spelling: a text is used only where it
//! reads as exactly the decrypted value.

use crate::crypto::{Cipher, Token};
use crate::document::{Encoding, Kind};
use crate::error::{self, Error, Result};
use std::collections::BTreeMap;
use zeroize::Zeroize;

/// The record. Holds plaintext: wiped when dropped.
#[derive(Default)]
pub(super) struct Layout {
    texts: BTreeMap<u32, String>,
}

impl Drop for Layout {
    fn drop(&mut self) {
        self.texts.values_mut().for_each(Zeroize::zeroize);
    }
}

impl Layout {
    /// Set in the positions of keys. No file has so many entries.
    const KEY: u32 = 1 << 31;
    /// Where the name of the encoding is.
    const ENCODING: u32 = u32::MAX;

    /// How many bytes the texts are.
    pub(super) fn len(&self) -> usize {
        self.texts.values().map(String::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// How the plaintext was written down.
    pub(super) fn encoding(&self) -> Encoding {
        self.get(Self::ENCODING).and_then(Encoding::named).unwrap_or_default()
    }

    pub(super) fn set_encoding(&mut self, encoding: Encoding) {
        self.texts.extend(encoding.name().map(|name| (Self::ENCODING, name.to_owned())));
    }

    pub(super) fn insert(&mut self, position: u32, text: &str) {
        self.texts.insert(position, text.to_owned());
    }

    pub(super) fn get(&self, position: u32) -> Option<&str> {
        self.texts.get(&position).map(String::as_str)
    }

    /// The key of the entry at `position`.
    pub(super) fn insert_key(&mut self, position: u32, text: &str) {
        self.insert(position | Self::KEY, text);
    }

    /// The texts of keys, by position.
    pub(super) fn keys(&self) -> impl Iterator<Item = (u32, &str)> {
        self.texts.range(Self::KEY..Self::ENCODING).map(|(position, text)| (position & !Self::KEY, text.as_str()))
    }

    /// What it says of a part of the document that begins at `position`, for a document of `len` entries in which
    /// `before` entries stand before that part.
    pub(super) fn part(&self, position: u32, before: u32, len: u32) -> Layout {
        let own = position..position + (len - before);
        let part = |mark: u32| {
            let texts = self.texts.range(own.start | mark..own.end | mark);
            texts.map(move |(at, text)| (at - own.start + before, text.clone()))
        };
        Layout { texts: part(0).chain(part(Self::KEY)).collect() }
    }

    /// Takes up what is said of such a part: the counterpart of [`Self::part`].
    pub(super) fn join(&mut self, mut part: Layout, position: u32, before: u32) {
        let own = std::mem::take(&mut part.texts).into_iter();
        self.texts.extend(own.map(|(at, text)| (at - before + position, text)));
    }

    /// Forgets the texts of `position`; whether there was one.
    pub(super) fn remove(&mut self, position: u32) -> bool {
        let key = self.texts.remove(&(position | Self::KEY)).is_some();
        self.texts.remove(&position).is_some() || key
    }

    pub(super) fn clear(&mut self) {
        self.texts.clear();
    }

    /// Bound to the time of the last change, so that it cannot be taken from another version of the file.
    fn additional(last_modified: &str) -> Vec<u8> {
        format!("leafcrypt_layout:{last_modified}").into_bytes()
    }

    /// The record as a token.
    pub(super) fn seal(&self, cipher: &mut Cipher, last_modified: &str) -> Result<String> {
        let mut json = serde_json::to_vec(&self.texts).map_err(|error| {
            Error::new(error::Kind::EncryptTree, "the layout record could not be written").because(error)
        })?;
        let mut token = Vec::new();
        cipher.encrypt(Kind::Str, &json, &Self::additional(last_modified), None, &mut token)?;
        json.zeroize();
        Ok(String::from_utf8(token).unwrap_or_default())
    }

    /// Reads a token; `None` when it is not from this version of the file.
    pub(super) fn open(token: &str, cipher: &Cipher, last_modified: &str) -> Option<Self> {
        let (_, json) = cipher.decrypt(&Token::parse(token.as_bytes())?, &Self::additional(last_modified)).ok()?;
        Some(Layout { texts: serde_json::from_slice(json.expose()).ok()? })
    }
}
