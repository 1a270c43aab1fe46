//! The typed `sops` block.
//!
//! Owns: what the block says ([`Metadata`]), key groups, wrapping the data key for all of them and
//! getting it back. Must not know: where the block stands in a file or how it is spelled there, what a
//! key back end does, leaves, the MAC's meaning.
//!
//! What this build does not understand is kept and written back: stanzas of back ends that it lacks,
//! and fields of a newer version. Real sops drops the latter.
//!
//! Source: `stores/stores.go` and `sops.go` of sops 3.11.

mod read;
mod selection;
mod write;

pub use selection::Selection;

use crate::crypto::shamir;
use crate::document::Value;
use crate::error::{Error, Kind, Result};
use crate::event;
use crate::key::{Keyring, Opened, Search, Share, Stanza};
use crate::secret::{DataKey, SecretBytes};
use crate::trace;

/// The version of sops' format that new files declare: the newest whose reader and writer this one was
/// checked against, both ways. Real sops refuses a file whose version is no semantic version.
pub const FORMAT_VERSION: &str = "3.11.0";

/// So many recipients are listed in a message.
const RECIPIENTS_LISTED: usize = 50;

/// The `sops` block of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The key groups; one, unless the data key is split. Within a group, in the order of the file.
    pub key_groups: Vec<Vec<Stanza>>,
    /// How many key groups are needed; 0 for all of them, and with a single group.
    pub shamir_threshold: usize,
    /// `lastmodified`, as written: RFC 3339 in UTC.
    pub last_modified: String,
    /// The MAC's token. Empty only before the file is sealed, and when read without one.
    pub mac: String,
    /// Which leaves are encrypted.
    pub selection: Selection,
    /// Whether the MAC is over encrypted leaves alone.
    pub mac_only_encrypted: bool,
    /// The version of sops' format.
    pub version: String,
    /// The layout record's token (`leafcrypt_layout`).
    pub layout: Option<String>,
    /// Fields that this build does not know, in their order.
    pub unknown: Vec<(String, Value)>,
}

impl Metadata {
    /// The block of a new file, for the recipients of `key_groups`. The data key is not wrapped yet and
    /// `lastmodified` and `mac` are empty.
    #[must_use]
    pub fn new(
        key_groups: Vec<Vec<Stanza>>,
        shamir_threshold: usize,
        selection: Selection,
        mac_only_encrypted: bool,
    ) -> Self {
        Metadata {
            key_groups,
            shamir_threshold,
            last_modified: String::new(),
            mac: String::new(),
            selection,
            mac_only_encrypted,
            version: FORMAT_VERSION.to_owned(),
            layout: None,
            unknown: Vec::new(),
        }
    }

    /// Reads the block.
    ///
    /// # Errors
    /// When a field is missing or of the wrong kind, two selectors are given, or there is no key. A
    /// file without a MAC is an error of its own ([`Kind::MacMissing`]).
    pub fn from_value(block: &Value) -> Result<Self> {
        let metadata = read::read(block)?;
        if metadata.mac.is_empty() {
            return Err(Error::new(Kind::MacMissing, "the file has no MAC, so its values cannot be verified")
                .because("the field mac of its sops block is missing or empty")
                .hint("to decrypt it all the same: leafcrypt decrypt --ignore-mac FILE"));
        }
        Ok(metadata)
    }

    /// Reads the block of a file whose MAC will not be looked at (`--ignore-mac`), and may be missing.
    ///
    /// # Errors
    /// Those of [`Self::from_value`] but for the MAC.
    pub fn from_value_ignoring_mac(block: &Value) -> Result<Self> {
        read::read(block)
    }

    /// The block as it is written, its fields in the order of sops 3.12 and before.
    #[must_use]
    pub fn to_value(&self) -> Value {
        write::write(self)
    }

    /// The block as it is written in the place of `before`: its fields, in their order and as they are, but for what has
    /// changed since.
    #[must_use]
    pub fn to_value_after(&self, before: &Value) -> Value {
        write::write_after(self, before)
    }

    /// All stanzas of all groups.
    pub fn stanzas(&self) -> impl Iterator<Item = &Stanza> {
        self.key_groups.iter().flatten()
    }

    /// How many groups it takes to get the data key.
    #[must_use]
    pub fn groups_needed(&self) -> usize {
        match (self.key_groups.len(), self.shamir_threshold) {
            (groups, 0) => groups,
            (0 | 1, _) => 1,
            (_, threshold) => threshold,
        }
    }

    /// Wraps `data_key` for every stanza: whole with one group, else split, a share for each group. A
    /// threshold of 0 becomes the number of groups. When it fails nothing has changed.
    ///
    /// # Errors
    /// When there is no recipient, a group is empty, the threshold does not fit the groups, or this
    /// build lacks a back end; those of the back ends.
    pub fn wrap(&mut self, data_key: &DataKey, keyring: &Keyring) -> Result<()> {
        self.wrap_for(data_key, keyring, |_| true)
    }

    /// As [`Self::wrap`] with a single group, but for those alone for whom nothing is wrapped yet: the
    /// others must hold this data key.
    ///
    /// # Errors
    /// Those of [`Self::wrap`].
    pub fn wrap_for_new(&mut self, data_key: &DataKey, keyring: &Keyring) -> Result<()> {
        let split = self.key_groups.len() > 1;
        self.wrap_for(data_key, keyring, |stanza| split || !stanza.is_wrapped())
    }

    fn wrap_for(&mut self, data_key: &DataKey, keyring: &Keyring, wanted: impl Fn(&Stanza) -> bool) -> Result<()> {
        if self.key_groups.iter().all(Vec::is_empty) {
            return Err(Error::new(Kind::NoRecipient, "there is no recipient to encrypt for")
                .hint("name one with --age, or write a creation rule: leafcrypt init"));
        }
        if let Some(empty) = self.key_groups.iter().position(Vec::is_empty) {
            return Err(Error::new(Kind::NoRecipient, format!("key group {} has no recipient", empty + 1))
                .because("nobody could open its share of the data key"));
        }
        let threshold = if self.key_groups.len() == 1 { 0 } else { self.groups_needed() };
        let parts = match self.key_groups.len() {
            1 => vec![SecretBytes::from(data_key.expose().to_vec())],
            groups => shamir::split(data_key.expose(), groups, threshold)?,
        };
        let mut wrapped = self.key_groups.clone();
        let with_part = wrapped.iter_mut().zip(&parts);
        let stanzas = with_part.flat_map(|(group, part)| group.iter_mut().map(|stanza| (stanza, part.expose())));
        keyring.wrap_all(stanzas.filter(|(stanza, _)| wanted(stanza)))?;
        self.key_groups = wrapped;
        self.shamir_threshold = threshold;
        Ok(())
    }

    /// Gets the data key with whichever keys are at hand. No more groups are opened than are needed.
    ///
    /// # Errors
    /// When too few groups open ([`Kind::NoDataKey`]): with the file's recipients, everywhere that was
    /// looked for a key, and what was found there.
    pub fn unwrap(&self, keyring: &Keyring) -> Result<DataKey> {
        let needed = self.groups_needed();
        let Opened { shares, refused } = keyring.unwrap_groups(&self.key_groups, needed);
        if self.key_groups.len() > 1 {
            shares.iter().for_each(|share| trace::note(|| self.opened_by(share)));
        }
        if shares.len() < needed || shares.is_empty() {
            return Err(self.no_data_key(&shares, refused));
        }
        event::opened_by(|| {
            let names = shares.iter().map(|share| self.key_groups[share.group][share.by].title());
            names.collect()
        });
        let mut parts: Vec<SecretBytes> = shares.into_iter().map(|share| share.part).collect();
        let bytes = if self.key_groups.len() == 1 { parts.remove(0) } else { shamir::combine(&parts)? };
        let bytes = bytes.expose().to_vec();
        let size = bytes.len();
        DataKey::from_bytes(bytes).ok_or_else(|| {
            Error::new(Kind::NoDataKey, "the data key is damaged")
                .because(format!("it has {size} bytes and not {}", DataKey::SIZE))
        })
    }

    /// Which key opened a group, for people.
    fn opened_by(&self, share: &Share) -> String {
        format!("key group {} was opened by {}", share.group + 1, self.key_groups[share.group][share.by].title())
    }

    fn no_data_key(&self, opened: &[Share], refused: Vec<(usize, Search)>) -> Error {
        let many = self.key_groups.len() > 1;
        let mut error = Error::new(
            Kind::NoDataKey,
            if many {
                format!(
                    "{} of {} key groups opened, and {} are needed",
                    opened.len(),
                    self.key_groups.len(),
                    self.groups_needed()
                )
            } else {
                "no key on this machine opens the file".to_owned()
            },
        );
        if many {
            error = opened.iter().fold(error, |error, share| error.because(self.opened_by(share)));
        }
        let mut listed = 0;
        let mut search = Search::default();
        for (at, mut tried) in refused {
            let whose = if many { format!("key group {}", at + 1) } else { "the file".to_owned() };
            for stanza in &self.key_groups[at] {
                if listed < RECIPIENTS_LISTED {
                    error = error.because(format!("{whose} is for {}", stanza.title()));
                }
                listed += 1;
            }
            if many {
                tried.failures.iter_mut().for_each(|failure| *failure = format!("{whose}: {failure}"));
            }
            search.extend(tried);
        }
        if listed > RECIPIENTS_LISTED {
            error = error.because(format!("and for {} more", listed - RECIPIENTS_LISTED));
        }
        for note in search.failures.into_iter().chain(search.looked_at) {
            error = error.because(note);
        }
        search.hints.into_iter().fold(error, Error::hint)
    }
}

#[cfg(test)]
mod tests;
