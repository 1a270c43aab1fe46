//! The typed `sops` block.

use crate::document::Value;
use crate::error::Result;
use crate::key::Stanza;
use crate::secret::DataKey;

/// Which leaves are encrypted. Exactly one of sops' six selectors; patterns are in Go's syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All but those with a key on their way that ends so; the default, with `_unencrypted`.
    UnencryptedSuffix(String),
    /// Only those with a key on their way that ends so.
    EncryptedSuffix(String),
    /// All but those with a key on their way that matches.
    UnencryptedRegex(String),
    /// Only those with a key on their way that matches.
    EncryptedRegex(String),
    /// All but those below a comment that matches.
    UnencryptedCommentRegex(String),
    /// Only those below a comment that matches.
    EncryptedCommentRegex(String),
}

/// The `sops` block of a file.
pub struct Metadata {
    /// The key groups; one, unless the data key is split.
    pub key_groups: Vec<Vec<Stanza>>,
    /// How many key groups are needed; 0 with a single group.
    pub shamir_threshold: usize,
    /// `lastmodified`, as written: RFC 3339 in UTC.
    pub last_modified: String,
    /// The MAC's token.
    pub mac: String,
    /// Which leaves are encrypted.
    pub selection: Selection,
    /// Whether the MAC is over encrypted leaves alone.
    pub mac_only_encrypted: bool,
    /// The version of sops' format.
    pub version: String,
    /// The layout record's token (`leafcrypt_layout`).
    pub layout: Option<String>,
}

impl Metadata {
    /// Reads the block.
    ///
    /// # Errors
    /// When a field is missing or of the wrong kind.
    pub fn from_value(block: &Value) -> Result<Self> {
        let _ = block;
        unreachable!("stub")
    }

    /// The block as it is written.
    #[must_use]
    pub fn to_value(&self) -> Value {
        unreachable!("stub")
    }

    /// Wraps `data_key` for every stanza.
    ///
    /// # Errors
    /// Those of the back ends.
    pub fn wrap(&mut self, data_key: &DataKey) -> Result<()> {
        let _ = data_key;
        unreachable!("stub")
    }

    /// Gets the data key from whichever stanzas this machine has identities for.
    ///
    /// # Errors
    /// When none opens, with what was tried.
    pub fn unwrap(&self) -> Result<DataKey> {
        unreachable!("stub")
    }
}
