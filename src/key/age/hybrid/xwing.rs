//! The key encapsulation below post-quantum keys: X-Wing, which HPKE calls MLKEM768-X25519.
//!
//! Whoever breaks one of its halves, ML-KEM-768 or X25519, still has the other before them.
//!
//! Source: draft-connolly-cfrg-xwing-kem-10, sections 5.2 to 5.5; <https://filippo.io/hpke-pq> for its number in HPKE.

use std::io;

use hpke::generic_array::typenum::{Sum, U32, U96, U192, U1024};
use hpke::kem::SharedSecret;
use hpke::rand_core::{CryptoRng, Error as RandomError, RngCore};
use hpke::{Deserializable, HpkeError, Kem, Serializable};
use ml_kem::kem::{Decapsulate as _, DecapsulationKey, EncapsulationKey};
use ml_kem::{B32, EncapsulateDeterministic as _, EncodedSizeUser as _, KemCore as _, MlKem768, MlKem768Params};
use sha3::digest::{ExtendableOutput as _, Update as _, XofReader as _};
use sha3::{Digest as _, Sha3_256, Shake256};
use x25519_dalek as x25519;
use zeroize::{Zeroize as _, Zeroizing};

const SEED: usize = 32;
/// Of ML-KEM-768.
const PQ_PUBLIC: usize = 1184;
const PQ_CIPHERTEXT: usize = 1088;
const PUBLIC: usize = PQ_PUBLIC + 32;
const CIPHERTEXT: usize = PQ_CIPHERTEXT + 32;
const LABEL: &[u8] = br"\.//^\";

/// The scheme.
pub(super) struct XWing;

/// A public key: that of ML-KEM-768, and that of X25519.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey(Box<[u8; PUBLIC]>);

/// A private key: the seed of both.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PrivateKey(Zeroizing<[u8; SEED]>);

/// What is sent so that the owner of the private key gets the shared secret.
#[derive(Clone)]
pub(super) struct Encapsulated(Box<[u8; CIPHERTEXT]>);

impl PublicKey {
    fn of(pq: &EncapsulationKey<MlKem768Params>, classic: &x25519::PublicKey) -> Self {
        let mut bytes = Box::new([0; PUBLIC]);
        bytes[..PQ_PUBLIC].copy_from_slice(&pq.as_bytes());
        bytes[PQ_PUBLIC..].copy_from_slice(classic.as_bytes());
        PublicKey(bytes)
    }

    fn halves(&self) -> (EncapsulationKey<MlKem768Params>, x25519::PublicKey) {
        let (pq, classic) = halves::<PQ_PUBLIC>(&self.0[..]);
        (EncapsulationKey::from_bytes(&(*pq).into()), x25519::PublicKey::from(classic))
    }

    /// The shared secret for `random`, and what to send.
    fn encapsulate(&self, random: &Zeroizing<[u8; 64]>) -> Result<(SharedSecret<XWing>, Encapsulated), HpkeError> {
        let (pq, classic) = self.halves();
        let (first, second) = halves::<32>(&random[..]);
        let mut seed = B32::from(*first);
        let encapsulated = pq.encapsulate_deterministic(&seed);
        seed.zeroize();
        let (pq_ciphertext, mut pq_secret) = encapsulated.map_err(|()| HpkeError::EncapError)?;
        let ephemeral = x25519::StaticSecret::from(second);
        let sent = x25519::PublicKey::from(&ephemeral);
        let secret = ephemeral.diffie_hellman(&classic);
        let shared = combine(&pq_secret, &secret, &sent, &classic);
        pq_secret.zeroize();
        let mut bytes = Box::new([0; CIPHERTEXT]);
        bytes[..PQ_CIPHERTEXT].copy_from_slice(&pq_ciphertext);
        bytes[PQ_CIPHERTEXT..].copy_from_slice(sent.as_bytes());
        Ok((shared, Encapsulated(bytes)))
    }
}

impl PrivateKey {
    fn halves(&self) -> (DecapsulationKey<MlKem768Params>, EncapsulationKey<MlKem768Params>, x25519::StaticSecret) {
        let mut expanded = Zeroizing::new([0; 96]);
        Shake256::default().chain(&self.0[..]).finalize_xof().read(&mut expanded[..]);
        let part = |at: usize| expanded[at..at + 32].try_into().unwrap_or([0; 32]);
        let (mut d, mut z) = (B32::from(part(0)), B32::from(part(32)));
        let (private, public) = MlKem768::generate_deterministic(&d, &z);
        d.zeroize();
        z.zeroize();
        (private, public, x25519::StaticSecret::from(part(64)))
    }
}

/// Two parts, of which the second has 32 bytes.
fn halves<const FIRST: usize>(bytes: &[u8]) -> (&[u8; FIRST], [u8; 32]) {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(second)) if bytes.len() == FIRST + 32 => (first, *second),
        _ => unreachable!("keys and ciphertexts have their size by their type"),
    }
}

/// The shared secret of both halves.
fn combine(
    pq: &[u8],
    classic: &x25519::SharedSecret,
    sent: &x25519::PublicKey,
    public: &x25519::PublicKey,
) -> SharedSecret<XWing> {
    let hash = Sha3_256::new();
    let hash = hash.chain(pq).chain(classic.as_bytes()).chain(sent.as_bytes()).chain(public.as_bytes()).chain(LABEL);
    let mut shared = SharedSecret::default();
    hash.finalize_into(&mut shared.0);
    shared
}

impl Kem for XWing {
    type PublicKey = PublicKey;
    type PrivateKey = PrivateKey;
    type EncappedKey = Encapsulated;
    type NSecret = U32;
    const KEM_ID: u16 = 0x647A;

    fn sk_to_pk(key: &PrivateKey) -> PublicKey {
        let (_, pq, classic) = key.halves();
        PublicKey::of(&pq, &x25519::PublicKey::from(&classic))
    }

    fn derive_keypair(ikm: &[u8]) -> (PrivateKey, PublicKey) {
        // HPKE's labelled derivation in one stage. age draws its seeds and never comes here.
        let mut seed = Zeroizing::new([0; SEED]);
        let suite = [b"KEM".as_slice(), &Self::KEM_ID.to_be_bytes()].concat();
        let parts: [&[u8]; 7] = [ikm, b"HPKE-v1", &suite, &[0, 13], b"DeriveKeyPair", &[0, SEED as u8], b""];
        let hash = parts.iter().fold(Shake256::default(), |hash, part| hash.chain(part));
        hash.finalize_xof().read(&mut seed[..]);
        let key = PrivateKey(seed);
        let public = Self::sk_to_pk(&key);
        (key, public)
    }

    fn encap<R: CryptoRng + RngCore>(
        to: &PublicKey,
        sender: Option<(&PrivateKey, &PublicKey)>,
        random: &mut R,
    ) -> Result<(SharedSecret<Self>, Encapsulated), HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::EncapError); // there is no authenticated mode
        }
        let mut bytes = Zeroizing::new([0; 64]);
        random.fill_bytes(&mut bytes[..]);
        to.encapsulate(&bytes)
    }

    fn decap(
        key: &PrivateKey,
        sender: Option<&PublicKey>,
        encapsulated: &Encapsulated,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::DecapError);
        }
        let (pq, _, classic) = key.halves();
        let (pq_ciphertext, sent) = halves::<PQ_CIPHERTEXT>(&encapsulated.0[..]);
        let mut pq_secret = pq.decapsulate(&(*pq_ciphertext).into()).map_err(|()| HpkeError::DecapError)?;
        let sent = x25519::PublicKey::from(sent);
        let secret = classic.diffie_hellman(&sent);
        let shared = combine(&pq_secret, &secret, &sent, &x25519::PublicKey::from(&classic));
        pq_secret.zeroize();
        Ok(shared)
    }
}

impl Serializable for PublicKey {
    type OutputSize = Sum<U1024, U192>;

    fn write_exact(&self, to: &mut [u8]) {
        to.copy_from_slice(&self.0[..]);
    }
}

impl Deserializable for PublicKey {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        let key = PublicKey(Box::new(sized(bytes)?));
        // A coefficient beyond the modulus would be another key's, written differently (FIPS 203, 7.2).
        let (pq, classic) = key.halves();
        (PublicKey::of(&pq, &classic) == key).then_some(key).ok_or(HpkeError::ValidationError)
    }
}

impl Serializable for PrivateKey {
    type OutputSize = U32;

    fn write_exact(&self, to: &mut [u8]) {
        to.copy_from_slice(&self.0[..]);
    }
}

impl Deserializable for PrivateKey {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        sized(bytes).map(|seed| PrivateKey(Zeroizing::new(seed)))
    }
}

impl Serializable for Encapsulated {
    type OutputSize = Sum<U1024, U96>;

    fn write_exact(&self, to: &mut [u8]) {
        to.copy_from_slice(&self.0[..]);
    }
}

impl Deserializable for Encapsulated {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        sized(bytes).map(|bytes| Encapsulated(Box::new(bytes)))
    }
}

fn sized<const SIZE: usize>(bytes: &[u8]) -> Result<[u8; SIZE], HpkeError> {
    bytes.try_into().map_err(|_| HpkeError::IncorrectInputLength(SIZE, bytes.len()))
}

/// Enough of the system's random numbers for one encapsulation, drawn beforehand, so that it cannot fail later.
pub(super) struct SystemRandom(Option<Zeroizing<[u8; 64]>>);

impl SystemRandom {
    pub(super) fn new() -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; 64]);
        getrandom::fill(&mut bytes[..]).map_err(io::Error::other)?;
        Ok(SystemRandom(Some(bytes)))
    }
}

impl RngCore for SystemRandom {
    fn fill_bytes(&mut self, to: &mut [u8]) {
        match self.0.take() {
            Some(bytes) if bytes.len() == to.len() => to.copy_from_slice(&bytes[..]),
            _ => unreachable!("an encapsulation takes all bytes at once"),
        }
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), RandomError> {
        self.fill_bytes(to);
        Ok(())
    }

    fn next_u32(&mut self) -> u32 {
        unreachable!("an encapsulation takes all bytes at once")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("an encapsulation takes all bytes at once")
    }
}

impl CryptoRng for SystemRandom {}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// The first vector of the draft's appendix C; of the long values their SHA3-256.
    #[test]
    fn the_vector_of_the_draft() {
        let seed = "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26";
        let random = "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2\
                      35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2";
        let shared = "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384";
        let private = PrivateKey::from_bytes(&hex(seed)).unwrap();
        let public = XWing::sk_to_pk(&private);
        let random = Zeroizing::new(hex(random).try_into().unwrap());
        let (secret, encapsulated) = public.encapsulate(&random).unwrap();
        assert_eq!(secret.0.as_slice(), hex(shared));
        assert_eq!(XWing::decap(&private, None, &encapsulated).unwrap().0.as_slice(), hex(shared));
        assert_eq!(
            Sha3_256::digest(&public.0[..]).as_slice(),
            hex("5121745904643ad9dfacca7869292c19a8a69533b53e60666b7db910b4ad6367")
        );
        assert_eq!(
            Sha3_256::digest(&encapsulated.0[..]).as_slice(),
            hex("c0abd149f83f45324ac3a7ddc7606c71f257e5ea86113522834a0ee1bcb34e3e")
        );
    }

    #[test]
    fn a_public_key_beyond_the_modulus_is_none() {
        let (_, public) = XWing::derive_keypair(&[7; 32]);
        let mut bytes = public.to_bytes();
        assert!(PublicKey::from_bytes(&bytes).is_ok());
        bytes[..3].copy_from_slice(&[0xFF; 3]);
        assert!(PublicKey::from_bytes(&bytes).is_err());
        assert!(PublicKey::from_bytes(&bytes[1..]).is_err());
    }
}
