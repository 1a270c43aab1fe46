//! The MAC: SHA-512 over the canonical bytes of the leaves.

use sha2::{Digest, Sha512};

/// SHA-256 of `sops`: begins the hash of files whose MAC is over encrypted leaves alone, so that the
/// two kinds never agree (source: `MACOnlyEncryptedInitialization` in `sops.go`).
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// A MAC in the making.
pub struct Mac(Sha512);

impl Mac {
    /// Begins a MAC, over all leaves or over encrypted ones alone.
    #[must_use]
    pub fn new(only_encrypted: bool) -> Self {
        let mut hash = Sha512::new();
        if only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        Mac(hash)
    }

    /// Adds the canonical bytes of the next leaf.
    pub fn add(&mut self, canonical: &[u8]) {
        self.0.update(canonical);
    }

    /// The MAC as it is encrypted: 128 upper-case hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digest = self.0.finalize();
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

/// Whether two MACs are the same, in a time that does not tell how much of them is.
#[must_use]
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |difference, (one, other)| difference | (one ^ other));
    one.len() == other.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_of_nothing_is_the_digest_of_nothing() {
        let mac = Mac::new(false).finish();
        assert!(mac.starts_with("CF83E1357EEFB8BDF1542850D66D8007D620E4050B5715DC83F4A921D36CE9CE"));
        assert_eq!(mac.len(), 128);
    }

    #[test]
    fn a_mac_over_encrypted_leaves_alone_begins_differently() {
        assert_eq!(sha2::Sha256::digest(b"sops").as_slice(), ONLY_ENCRYPTED);
        assert_ne!(Mac::new(true).finish(), Mac::new(false).finish());
    }
}
