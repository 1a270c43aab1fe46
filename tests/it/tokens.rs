//! Tokens as other programs may write them, read by leafcrypt as by the real sops.

use crate::harness::{self, Rule, Sops};
use aes_gcm::aead::array::{Array, ArraySize};
use aes_gcm::aead::{AeadInOut, consts, inout::InOutBuf};
use aes_gcm::{AesGcm, KeyInit, aes::Aes256};
use base64::prelude::{BASE64_STANDARD, Engine};

/// The token of the text `value` at the key `a`, under a nonce of the length `N`.
fn token<N: ArraySize>() -> String {
    let mut data = b"value".to_vec();
    let aes = AesGcm::<Aes256, N>::new(&Array(*harness::data_key().expose()));
    let nonce = Array::<u8, N>::from_fn(|at| at as u8);
    let tag = aes.encrypt_inout_detached(&nonce, b"a:", InOutBuf::from(data.as_mut_slice())).unwrap();
    let [data, iv, tag] = [&data[..], &nonce[..], &tag[..]].map(|bytes| BASE64_STANDARD.encode(bytes));
    format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:str]")
}

#[test]
fn nonces_of_any_length_are_read() {
    let format = leafcrypt::format::by_name("yaml").unwrap();
    let plain = "a: value\n";
    let encrypted = harness::encrypt(format, plain, Rule::EVERYTHING).unwrap();
    let own = encrypted.lines().next().unwrap().strip_prefix("a: ").unwrap();
    let sops = Sops::new();
    for token in [token::<consts::U1>(), token::<consts::U12>(), token::<consts::U16>(), token::<consts::U48>()] {
        let encrypted = encrypted.replacen(own, &token, 1);
        assert_eq!(sops.decrypt(format, &encrypted).unwrap(), plain.as_bytes(), "{token}");
        assert_eq!(harness::decrypt(format, &encrypted).unwrap(), plain.as_bytes(), "{token}");
        let (before, tag) = token.split_once(",tag:").unwrap();
        let damaged = format!("{before},tag:{}", tag.replacen(|c: char| c.is_ascii_lowercase(), "A", 1));
        let damaged = encrypted.replacen(&token, &damaged, 1);
        assert!(sops.decrypt(format, &damaged).is_err());
        assert!(harness::decrypt(format, &damaged).is_err());
    }
}
