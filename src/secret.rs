//! Bytes that must not outlive their use.
//!
//! Owns: the containers for key material and plaintext. They wipe themselves when dropped and have no
//! `Debug`, `Display`, `Clone` or `PartialEq`, so that none of them ends in a log or a comparison that
//! leaks time. Must not know: what the bytes are for.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The 32 random bytes that encrypt one file's leaves (sops' *data key*).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DataKey(Box<[u8; 32]>);

impl DataKey {
    /// Size in bytes.
    pub const SIZE: usize = 32;

    /// Draws a new data key from the system's random numbers.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn generate() -> crate::Result<Self> {
        let mut bytes = Box::new([0; Self::SIZE]);
        getrandom::fill(&mut bytes[..]).map_err(|error| {
            crate::Error::new(crate::error::Kind::Generic, "the system gave no random numbers").because(error)
        })?;
        Ok(DataKey(bytes))
    }

    /// Takes over `bytes`, wiping them; `None` when they are not 32.
    #[must_use]
    pub fn from_bytes(mut bytes: Vec<u8>) -> Option<Self> {
        let key = <[u8; Self::SIZE]>::try_from(bytes.as_slice()).ok().map(|key| DataKey(Box::new(key)));
        bytes.zeroize();
        key
    }

    /// The bytes, for a cipher or a key back end.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::SIZE] {
        &self.0
    }
}

/// A byte string that is wiped when dropped: identities, decrypted leaves, plaintext documents.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        SecretBytes(bytes)
    }
}

impl From<String> for SecretBytes {
    fn from(text: String) -> Self {
        SecretBytes(text.into_bytes())
    }
}
