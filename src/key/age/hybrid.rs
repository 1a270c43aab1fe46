//! Post-quantum keys of age: ML-KEM-768 with X25519, which a quantum computer of the future does not open.
//!
//! Sources: <https://c2sp.org/age#the-mlkem768x25519-recipient-type>, `pq.go` of age 1.3; HPKE (RFC 9180) in base mode
//! with HKDF-SHA-256 and ChaCha20-Poly1305 on the KEM of <https://filippo.io/hpke-pq>.

mod xwing;

use std::collections::HashSet;
use std::str::FromStr;
use std::{fmt, io};

use ::age::{DecryptError, EncryptError};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{bech32_decode, bech32_encode, hpke_open};
use age_core::secrecy::ExposeSecret as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bech32::Hrp;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeS, Serializable as _};
use zeroize::{Zeroize as _, Zeroizing};

use self::xwing::{Encapsulated, PrivateKey, PublicKey, SystemRandom, XWing};

/// What a recipient begins with; the `1` behind it belongs to the encoding.
const RECIPIENT: Hrp = Hrp::parse_unchecked("age1pq");
const IDENTITY: Hrp = Hrp::parse_unchecked("age-secret-key-pq-");
/// The type of the stanza in the header of an age file.
const STANZA: &str = "mlkem768x25519";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
/// Of the stanza's body: the file key and an authentication tag.
const BODY: usize = FILE_KEY_BYTES + 16;
const SEED: usize = 32;

/// A public key.
pub(super) struct Recipient(PublicKey);

/// A secret key.
pub(super) struct Identity(PrivateKey);

impl FromStr for Recipient {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = decode(text, RECIPIENT)?;
        PublicKey::from_bytes(&bytes).map(Recipient).map_err(|_| ())
    }
}

impl FromStr for Identity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = decode(text, IDENTITY)?;
        PrivateKey::from_bytes(&bytes).map(Identity).map_err(|_| ())
    }
}

fn decode(text: &str, prefix: Hrp) -> Result<Zeroizing<Vec<u8>>, ()> {
    let right = |found: Hrp| (found == prefix).then_some(()).ok_or(());
    // With room for the longer of both, so that no outgrown buffer stays behind.
    let collect = |_, bytes: bech32::primitives::decode::ByteIter<'_>| {
        let mut all = Zeroizing::new(Vec::with_capacity(2048));
        all.extend(bytes);
        Ok(all)
    };
    bech32_decode(text, |_| (), right, collect)
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32_encode(RECIPIENT, &self.0.to_bytes()))
    }
}

impl Identity {
    /// Draws a new one.
    ///
    /// # Errors
    /// When the system has no random numbers to give.
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; SEED]);
        getrandom::fill(&mut seed[..])?;
        Ok(Identity(PrivateKey::from_bytes(&seed[..]).unwrap_or_else(|_| unreachable!("any 32 bytes are one"))))
    }

    /// Its public key.
    pub(super) fn to_public(&self) -> Recipient {
        Recipient(XWing::sk_to_pk(&self.0))
    }

    /// The line of a key file.
    pub(super) fn line(&self) -> Zeroizing<String> {
        let mut seed = self.0.to_bytes();
        let mut line = Zeroizing::new(bech32_encode(IDENTITY, &seed));
        seed.zeroize();
        line.make_ascii_uppercase();
        line
    }
}

impl ::age::Recipient for Recipient {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let sealed = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, XWing, _>(
            &OpModeS::Base,
            &self.0,
            INFO,
            file_key.expose_secret(),
            &[],
            &mut SystemRandom::new()?,
        );
        let (encapsulated, body) = sealed.map_err(|error| EncryptError::Io(io::Error::other(error.to_string())))?;
        let args = vec![STANDARD_NO_PAD.encode(encapsulated.to_bytes())];
        // age's label for what may stand beside each other in one file.
        let labels = HashSet::from(["postquantum".to_owned()]);
        Ok((vec![Stanza { tag: STANZA.to_owned(), args, body }], labels))
    }
}

impl ::age::Identity for Identity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != STANZA {
            return None;
        }
        let [encapsulated] = &stanza.args[..] else { return Some(Err(DecryptError::InvalidHeader)) };
        let encapsulated = STANDARD_NO_PAD.decode(encapsulated).ok();
        let encapsulated = encapsulated.and_then(|bytes| Encapsulated::from_bytes(&bytes).ok());
        let Some(encapsulated) = encapsulated.filter(|_| stanza.body.len() == BODY) else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        // A key that does not fit gives another secret, and shows here.
        let opened = Zeroizing::new(hpke_open::<XWing>(&encapsulated, &self.0, INFO, &stanza.body).ok()?);
        Some(file_key(&opened))
    }
}

/// The file key in `bytes`.
pub(super) fn file_key(bytes: &[u8]) -> Result<FileKey, DecryptError> {
    FileKey::try_init_with_mut(|key| {
        let right = bytes.len() == key.len();
        if right {
            key.copy_from_slice(bytes);
        }
        right.then_some(()).ok_or(DecryptError::DecryptionFailed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::age::{Identity as _, Recipient as _};

    #[test]
    fn keys_keep_their_text_and_open_what_was_wrapped_for_them() {
        let identity = Identity::generate().unwrap();
        let line = identity.line();
        assert!(line.starts_with("AGE-SECRET-KEY-PQ-1"));
        let recipient = identity.to_public().to_string();
        assert!(recipient.starts_with("age1pq1") && recipient.len() == 1959);
        let identity: Identity = line.parse().unwrap();
        let (stanzas, labels) =
            recipient.parse::<Recipient>().unwrap().wrap_file_key(&FileKey::new(Box::new([7; 16]))).unwrap();
        assert!(labels.contains("postquantum"));
        assert_eq!(identity.unwrap_stanzas(&stanzas).unwrap().unwrap().expose_secret(), &[7; 16]);
        let other = Identity::generate().unwrap();
        assert!(other.unwrap_stanzas(&stanzas).is_none());
    }

    /// A pair that the JavaScript implementation of age gives.
    #[test]
    fn a_public_key_is_that_of_other_implementations() {
        use sha2::{Digest as _, Sha256};
        let line = "AGE-SECRET-KEY-PQ-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0S5DYVQQ";
        let identity: Identity = line.parse().unwrap();
        assert_eq!(*identity.line(), line);
        let hash: String =
            Sha256::digest(identity.to_public().to_string()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, "e1704ce7caadaa4e436845c280d1527742f46a8af62d934c41b60c624e7cb185");
    }

    #[test]
    fn damaged_stanzas_are_errors_and_damaged_keys_are_refused() {
        let identity = Identity::generate().unwrap();
        let wrap = || identity.to_public().wrap_file_key(&FileKey::new(Box::new([7; 16]))).unwrap().0.remove(0);
        let damages: [fn(&mut Stanza); 4] = [
            |stanza| drop(stanza.args.pop()),
            |stanza| stanza.args.push("x".to_owned()),
            |stanza| stanza.args[0].truncate(100),
            |stanza| stanza.body.truncate(31),
        ];
        for damage in damages {
            let mut stanza = wrap();
            damage(&mut stanza);
            assert!(matches!(identity.unwrap_stanza(&stanza), Some(Err(DecryptError::InvalidHeader))));
        }
        let recipient = identity.to_public().to_string();
        for text in [&recipient[..1000], "age1pq1", &recipient.replace("age1pq1", "age1pr1"), &identity.line()] {
            assert!(text.parse::<Recipient>().is_err());
        }
        assert!(recipient.parse::<Identity>().is_err());
        assert!(identity.line()[..60].parse::<Identity>().is_err());
    }
}
