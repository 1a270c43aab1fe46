//! GCM under a nonce of any length.
//!
//! leafcrypt and sops write nonces of 32 bytes, and sops reads any. The library has the length of a nonce in its types, so what
//! is known only when the token is read is put together here from the parts that the library itself is made of
//! (NIST SP 800-38D, 7.1 and 7.2).

use aes_gcm::aead::array::Array;
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::{BlockCipherEncrypt, InnerIvInit, StreamCipherCore};
use ghash::{GHash, universal_hash::UniversalHash};

type Block = Array<u8, aes_gcm::aead::consts::U16>;

/// Decrypts `data` in place; `false`, and nothing done, when `tag` is not the one of `data` and `additional`.
pub(super) fn decrypt(aes: &Aes256, nonce: &[u8], additional: &[u8], data: &mut [u8], tag: &[u8; 16]) -> bool {
    let mut hash_key = Block::default();
    aes.encrypt_block(&mut hash_key);
    let hash = GHash::new(&hash_key);
    let start = match <[u8; 12]>::try_from(nonce) {
        Ok(nonce) => {
            let mut start = Block::default();
            start[..12].copy_from_slice(&nonce);
            start[15] = 1;
            start
        }
        Err(_) => digest(&hash, &[], nonce),
    };
    let mut counter = ctr::CtrCore::<_, ctr::flavors::Ctr32BE>::inner_iv_init(aes, &start);
    let mut mask = Block::default();
    counter.write_keystream_block(&mut mask);
    let digest = digest(&hash, additional, data);
    // All bytes are looked at, whichever differ.
    let difference = (0..tag.len()).fold(0, |all, at| all | (tag[at] ^ digest[at] ^ mask[at]));
    if difference == 0 {
        counter.apply_keystream_partial(data.into());
    }
    difference == 0
}

/// GHASH of two texts, each filled up to whole blocks, and of their lengths in bits.
fn digest(hash: &GHash, first: &[u8], second: &[u8]) -> Block {
    let mut hash = hash.clone();
    hash.update_padded(first);
    hash.update_padded(second);
    let bits = |text: &[u8]| (8 * text.len() as u64).to_be_bytes();
    let mut lengths = Block::default();
    lengths[..8].copy_from_slice(&bits(first));
    lengths[8..].copy_from_slice(&bits(second));
    hash.update(&[lengths]);
    hash.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes_gcm::aead::{AeadInOut, array::ArraySize, consts, inout::InOutBuf};
    use aes_gcm::{AesGcm, KeyInit};

    fn agree<N: ArraySize>() {
        let nonce = Array::<u8, N>::from_fn(|at| at as u8 ^ 0x5A);
        for len in [0, 1, 16, 33] {
            let (aes, text) = (Aes256::new(&Array([7; 32])), vec![3; len]);
            let mut data = text.clone();
            let library = AesGcm::<Aes256, N>::from(aes.clone());
            let tag = library.encrypt_inout_detached(&nonce, b"a:b:", InOutBuf::from(data.as_mut_slice())).unwrap();
            let tag = <[u8; 16]>::try_from(tag.as_slice()).unwrap();
            let encrypted = data.clone();
            assert!(!decrypt(&aes, &nonce, b"a:c:", &mut data, &tag));
            let mut other = tag;
            other[15] ^= 1;
            assert!(!decrypt(&aes, &nonce, b"a:b:", &mut data, &other));
            assert!(data == encrypted, "what is not authentic is left as it is");
            assert!(decrypt(&aes, &nonce, b"a:b:", &mut data, &tag));
            assert_eq!(data, text);
        }
    }

    #[test]
    fn it_agrees_with_the_library_wherever_that_knows_the_length() {
        agree::<consts::U1>();
        agree::<consts::U12>();
        agree::<consts::U16>();
        agree::<consts::U17>();
        agree::<consts::U32>();
        agree::<consts::U64>();
    }
}
