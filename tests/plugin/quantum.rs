//! Opening what is encrypted for a post-quantum key of hardware, `age1tagpq1…`: ML-KEM-768 beside a point of P-256. The
//! age crate has the other half, encrypting, alone.
//!
//! Source: draft-ietf-hpke-pq, MLKEM768-P256.

use hpke::generic_array::typenum::{U0, U32};
use hpke::kem::{DhP256HkdfSha256, Kem, SharedSecret};
use hpke::rand_core::{CryptoRng, RngCore};
use hpke::{Deserializable, HpkeError, Serializable};
use ml_kem::kem::{Decapsulate as _, DecapsulationKey, EncapsulationKey};
use ml_kem::{KemCore as _, MlKem768, MlKem768Params};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use sha3::{Digest as _, Sha3_256};

/// Of ML-KEM-768.
const CIPHERTEXT: usize = 1088;

type Private = <DhP256HkdfSha256 as Kem>::PrivateKey;
type Public = <DhP256HkdfSha256 as Kem>::PublicKey;

/// The scheme. Its private key is that of P-256, of which the other half is made.
pub(crate) struct Hybrid;

/// The half of ML-KEM that goes with a key.
pub(crate) fn pair(key: &Private) -> (DecapsulationKey<MlKem768Params>, EncapsulationKey<MlKem768Params>) {
    let seed: [u8; 32] = key.to_bytes().into();
    MlKem768::generate_deterministic(&seed.into(), &seed.into())
}

impl Kem for Hybrid {
    type PublicKey = Public;
    type PrivateKey = Private;
    type EncappedKey = Sent;
    type NSecret = U32;
    const KEM_ID: u16 = 0x0050;

    fn sk_to_pk(key: &Private) -> Public {
        DhP256HkdfSha256::sk_to_pk(key)
    }

    fn derive_keypair(ikm: &[u8]) -> (Private, Public) {
        DhP256HkdfSha256::derive_keypair(ikm)
    }

    fn encap<R: CryptoRng + RngCore>(
        _: &Public,
        _: Option<(&Private, &Public)>,
        _: &mut R,
    ) -> Result<(SharedSecret<Self>, Sent), HpkeError> {
        Err(HpkeError::EncapError)
    }

    fn decap(key: &Private, _: Option<&Public>, sent: &Sent) -> Result<SharedSecret<Self>, HpkeError> {
        let wrong = || HpkeError::DecapError;
        let (ciphertext, point) = sent.0.split_first_chunk::<CIPHERTEXT>().ok_or_else(wrong)?;
        let secret = pair(key).0.decapsulate(&(*ciphertext).into()).map_err(|()| wrong())?;
        let theirs = p256::PublicKey::from_sec1_bytes(point).map_err(|_| wrong())?;
        let ours = p256::SecretKey::from_slice(&key.to_bytes()).map_err(|_| wrong())?;
        let shared = p256::ecdh::diffie_hellman(ours.to_nonzero_scalar(), theirs.as_affine());
        let public = ours.public_key().to_encoded_point(false);
        let parts: [&[u8]; 5] = [&secret, shared.raw_secret_bytes(), point, public.as_bytes(), b"MLKEM768-P256"];
        let mut combined = SharedSecret::default();
        parts.iter().fold(Sha3_256::new(), |hash, part| hash.chain_update(part)).finalize_into(&mut combined.0);
        Ok(combined)
    }
}

/// What is sent: a ciphertext of ML-KEM, and a point.
#[derive(Clone)]
pub(crate) struct Sent(Vec<u8>);

impl Deserializable for Sent {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        Ok(Sent(bytes.to_vec()))
    }
}

/// A part of the trait that only encrypting needs.
impl Serializable for Sent {
    type OutputSize = U0;

    fn write_exact(&self, _: &mut [u8]) {}
}
