//! The token: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

use super::any_nonce;
use crate::document::{Kind, float};
use crate::secret::{DataKey, SecretBytes};
use aes_gcm::aead::{AeadInOut, KeyInit, array::Array, consts::U32, inout::InOutBuf};
use aes_gcm::{AesGcm, aes::Aes256};
use base64::prelude::{BASE64_STANDARD, Engine};
use base64::{alphabet, engine::GeneralPurpose, engine::GeneralPurposeConfig};
use zeroize::Zeroize;

/// Bytes of a nonce in the tokens that leafcrypt and sops write; others are read as they come.
pub const NONCE_SIZE: usize = 32;
const TAG_SIZE: usize = 16;

/// A nonce. 32 bytes are hashed by GCM into its first counter block.
pub type Nonce = [u8; NONCE_SIZE];

/// AES-256-GCM under one data key. Keeps the expanded key, which is most of the cost of a small leaf.
pub struct Cipher {
    aes: AesGcm<Aes256, U32>,
    /// For nonces of other lengths.
    block: Aes256,
    nonces: NonceSource,
}

/// Random nonces, drawn from the system some hundred at a time: one call for each leaf would be most
/// of the cost of encrypting it.
struct NonceSource {
    pool: Vec<u8>,
}

impl NonceSource {
    const BATCH: usize = 128;

    fn draw(&mut self) -> crate::Result<Nonce> {
        if self.pool.is_empty() {
            self.pool.resize(Self::BATCH * NONCE_SIZE, 0);
            if let Err(error) = getrandom::fill(&mut self.pool) {
                self.pool.clear();
                return Err(
                    crate::Error::new(crate::error::Kind::Generic, "the system gave no random numbers").because(error)
                );
            }
        }
        let mut nonce = [0; NONCE_SIZE];
        let rest = self.pool.len() - NONCE_SIZE;
        nonce.copy_from_slice(&self.pool[rest..]);
        self.pool.truncate(rest);
        Ok(nonce)
    }
}

/// That a value has more bytes than AES-GCM takes, 64 GiB. No document has as many.
fn too_large() -> crate::error::Error {
    crate::error::Error::new(crate::error::Kind::EncryptTree, "the value is too large to be encrypted")
        .hint("encrypt the file in parts")
}

/// What every token begins with.
pub const TOKEN_START: &str = "ENC[AES256_GCM,";

/// Why a token could not be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The text is not of the token's form.
    #[error("it is not of the form ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]")]
    Form,
    /// A part is not base64.
    #[error("a part of it is not base64")]
    Base64,
    /// The tag does not fit: another data key, another key path, or changed bytes.
    #[error("it was not encrypted under this data key and at this key path, or was changed")]
    Tag,
    /// There is no nonce.
    #[error("its nonce (iv) is empty")]
    NonceSize,
    /// The type is not one that is known, or the value is not of that type.
    #[error("its type is unknown or does not fit its value")]
    Type,
}

/// A token taken apart; the parts are still base64.
#[derive(Clone, Copy)]
pub struct Token<'a> {
    data: &'a [u8],
    iv: &'a [u8],
    tag: &'a [u8],
    kind: &'a [u8],
}

impl<'a> Token<'a> {
    /// Takes `text` apart as sops' regular expression does
    /// (`^ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]`; what follows is not looked at).
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = text.strip_prefix(b"ENC[AES256_GCM,data:")?;
        let line = &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())];
        let line = &line[..memchr::memrchr(b']', line)?];
        let (line, kind) = split_at_last(line, b",type:")?;
        let (line, tag) = split_at_last(line, b",tag:")?;
        let (data, iv) = split_at_last(line, b",iv:")?;
        let parts = [data, iv, tag, kind];
        (!parts.iter().any(|part| part.is_empty())).then_some(Token { data, iv, tag, kind })
    }

    /// Whether this is the token of a comment, which sops writes into lists as an item.
    #[must_use]
    pub fn is_comment(&self) -> bool {
        self.kind == b"comment"
    }

    /// The type of its value. A type that is not known is taken for text.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let known = [Kind::Int, Kind::Float, Kind::Bool, Kind::Time, Kind::Comment];
        known.into_iter().find(|&kind| type_name(kind).as_bytes() == self.kind).unwrap_or(Kind::Str)
    }

    /// So many bytes its value takes at most, while it is decrypted and after.
    #[must_use]
    pub fn room(&self) -> usize {
        const LONGEST_FLOAT: usize = 327; // the smallest, without an exponent
        let rewritten = match self.kind {
            b"float" => LONGEST_FLOAT,
            b"bool" => "False".len(),
            _ => 0,
        };
        rewritten + (self.data.len().div_ceil(4) + self.tag.len().div_ceil(4)) * 3
    }

    /// The nonce, when it has the usual length.
    #[must_use]
    pub fn nonce(&self) -> Option<Nonce> {
        // The decoder wants room for whole groups of three bytes.
        let mut bytes = [0; NONCE_SIZE.next_multiple_of(3)];
        let len = LENIENT.decode_slice(self.iv, &mut bytes).ok()?;
        bytes.first_chunk().copied().filter(|_| len == NONCE_SIZE)
    }
}

impl Cipher {
    /// Prepares the cipher.
    #[must_use]
    pub fn new(key: &DataKey) -> Self {
        let block = Aes256::new(&Array(*key.expose()));
        Cipher { aes: AesGcm::from(block.clone()), block, nonces: NonceSource { pool: Vec::new() } }
    }

    /// Appends the token of a value to `out`. Under `nonce` only when the same value was encrypted under
    /// it at the same place before; else under a new one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn encrypt(
        &mut self,
        kind: Kind,
        canonical: &[u8],
        additional: &[u8],
        nonce: Option<Nonce>,
        out: &mut Vec<u8>,
    ) -> crate::Result<()> {
        let nonce = match nonce {
            Some(nonce) => nonce,
            None => self.nonces.draw()?,
        };
        let mut data = canonical.to_vec();
        let tag = self
            .aes
            .encrypt_inout_detached(&Array(nonce), additional, InOutBuf::from(data.as_mut_slice()))
            .map_err(|_| too_large())?;
        out.extend_from_slice(b"ENC[AES256_GCM,data:");
        push_base64(&data, out);
        out.extend_from_slice(b",iv:");
        push_base64(&nonce, out);
        out.extend_from_slice(b",tag:");
        push_base64(&tag, out);
        out.extend_from_slice(b",type:");
        out.extend_from_slice(type_name(kind).as_bytes());
        out.push(b']');
        Ok(())
    }

    /// Decrypts a token and gives its value in canonical bytes.
    ///
    /// # Errors
    /// Says which part does not fit.
    pub fn decrypt(&self, token: &Token<'_>, additional: &[u8]) -> Result<(Kind, SecretBytes), Rejected> {
        let mut value = Vec::new();
        let decrypted = self.decrypt_onto(token, additional, &mut value);
        let value = SecretBytes::from(value);
        Ok((decrypted?, value))
    }

    /// Decrypts a token and appends its value to `out`, in canonical bytes; nothing when it fails. `out` does not move
    /// when it has [`Token::room`].
    ///
    /// # Errors
    /// Says which part does not fit.
    pub fn decrypt_onto(&self, token: &Token<'_>, additional: &[u8], out: &mut Vec<u8>) -> Result<Kind, Rejected> {
        let start = out.len();
        let kind = self.open(token, additional, out, start).and_then(|()| canonical(token.kind, out, start));
        if kind.is_err() {
            out[start..].zeroize();
            out.truncate(start);
        }
        kind
    }

    /// Appends what is in the token to `out`, which has `start` bytes.
    fn open(&self, token: &Token<'_>, additional: &[u8], out: &mut Vec<u8>, start: usize) -> Result<(), Rejected> {
        push_from_base64(token.data, out)?;
        // Go has the tag at the end of the data: what follows `data:` and `tag:` is one text to it.
        push_from_base64(token.tag, out)?;
        let (rest, tag) = out[start..].split_last_chunk::<TAG_SIZE>().ok_or(Rejected::Tag)?;
        let (len, tag) = (start + rest.len(), *tag);
        out.truncate(len);
        let data = &mut out[start..];
        let is_authentic = match token.nonce() {
            Some(nonce) => {
                self.aes.decrypt_inout_detached(&Array(nonce), additional, InOutBuf::from(data), &Array(tag)).is_ok()
            }
            None => {
                let mut nonce = Vec::new();
                push_from_base64(token.iv, &mut nonce)?;
                if nonce.is_empty() {
                    return Err(Rejected::NonceSize);
                }
                any_nonce::decrypt(&self.block, &nonce, additional, data, &tag)
            }
        };
        if is_authentic { Ok(()) } else { Err(Rejected::Tag) }
    }
}

/// `text.rsplit_once(mark)` for a mark that begins with a comma. No part of a token has a comma in it, so
/// the last one is the one; preparing a search of its own for each mark would take longer.
fn split_at_last<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut end = text.len();
    loop {
        let comma = memchr::memrchr(b',', &text[..end])?;
        if let Some(rest) = text[comma..].strip_prefix(mark) {
            return Some((&text[..comma], rest));
        }
        end = comma;
    }
}

/// Reads base64 as Go does, which does not look at the bits that the last character has too many.
static LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

fn push_from_base64(text: &[u8], out: &mut Vec<u8>) -> Result<(), Rejected> {
    LENIENT.decode_vec(text, out).map_err(|_| Rejected::Base64)
}

fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The slice has exactly the length that standard base64 with padding needs.
    let _ = BASE64_STANDARD.encode_slice(bytes, &mut out[start..]);
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "int",
        Kind::Float => "float",
        Kind::Bool => "bool",
        Kind::Time => "time",
        Kind::Comment => "comment",
        Kind::Str | Kind::Null | Kind::Map | Kind::List => "str",
    }
}

/// The kind of a decrypted value, which is `out` from `start` on and is made canonical there. Types that are not text are
/// read and written anew, as sops does, since the MAC is over what it then has (`True` may have been stored as `true`).
fn canonical(kind: &[u8], out: &mut Vec<u8>, start: usize) -> Result<Kind, Rejected> {
    let text = || std::str::from_utf8(&out[start..]).map_err(|_| Rejected::Type);
    let (kind, rewritten) = match kind {
        b"int" | b"int64" if is_canonical_int(&out[start..]) => return Ok(Kind::Int),
        b"bool" if matches!(&out[start..], b"True" | b"False") => return Ok(Kind::Bool),
        b"str" | b"bytes" => return Ok(Kind::Str),
        b"comment" => return Ok(Kind::Comment),
        b"time" => return Ok(Kind::Time),
        b"int" | b"int64" => (Kind::Int, text()?.parse::<i64>().map_err(|_| Rejected::Type)?.to_string()),
        b"float" => (Kind::Float, text()?.parse().map(float::fixed).map_err(|_| Rejected::Type)?),
        b"bool" => (
            Kind::Bool,
            match text()? {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => "True".to_owned(),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => "False".to_owned(),
                _ => return Err(Rejected::Type),
            },
        ),
        _ => return Err(Rejected::Type),
    };
    let rewritten = SecretBytes::from(rewritten);
    if rewritten.expose() != &out[start..] {
        out[start..].zeroize();
        out.truncate(start);
        out.extend_from_slice(rewritten.expose());
    }
    Ok(kind)
}

/// Whether it is an integer as it is printed, of a size that surely fits; most are.
fn is_canonical_int(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_zero = text == b"0";
    (is_zero || digits.first().is_some_and(|&first| first != b'0'))
        && digits.len() < 19
        && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> DataKey {
        DataKey::from_bytes(vec![7; 32]).unwrap()
    }

    fn token(kind: Kind, value: &[u8], additional: &[u8]) -> String {
        let mut out = Vec::new();
        Cipher::new(&key()).encrypt(kind, value, additional, None, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_value_comes_back_with_its_type() {
        for (kind, value) in [
            (Kind::Str, "héllo\n"),
            (Kind::Int, "-42"),
            (Kind::Float, "0.1"),
            (Kind::Bool, "True"),
            (Kind::Time, "2020-01-01T00:00:00Z"),
            (Kind::Comment, " why"),
        ] {
            let text = token(kind, value.as_bytes(), b"a:b:");
            let parsed = Token::parse(text.as_bytes()).unwrap();
            let (got, bytes) = Cipher::new(&key()).decrypt(&parsed, b"a:b:").ok().unwrap();
            assert_eq!((got, bytes.expose()), (kind, value.as_bytes()));
        }
    }

    #[test]
    fn another_path_another_key_and_changed_bytes_are_rejected() {
        let text = token(Kind::Str, b"secret", b"a:");
        let parsed = Token::parse(text.as_bytes()).unwrap();
        let reject = |cipher: Cipher, token: &Token<'_>, path: &[u8]| cipher.decrypt(token, path).err();
        assert_eq!(reject(Cipher::new(&key()), &parsed, b"b:"), Some(Rejected::Tag));
        let other = DataKey::from_bytes(vec![8; 32]).unwrap();
        assert_eq!(reject(Cipher::new(&other), &parsed, b"a:"), Some(Rejected::Tag));
        let changed = text.replacen("data:", "data:AAAA", 1);
        assert_eq!(reject(Cipher::new(&key()), &Token::parse(changed.as_bytes()).unwrap(), b"a:"), Some(Rejected::Tag));
        let changed = text.replacen("data:", "data:*", 1);
        assert_eq!(
            reject(Cipher::new(&key()), &Token::parse(changed.as_bytes()).unwrap(), b"a:"),
            Some(Rejected::Base64)
        );
    }

    #[test]
    fn tokens_of_others_are_read_as_sops_reads_them() {
        let text = token(Kind::Str, b"secret", b"a:");
        let parsed = Token::parse(text.as_bytes()).unwrap();
        let bytes = |text: &[u8]| BASE64_STANDARD.decode(text).unwrap();
        let (mut data, mut tag) = (bytes(parsed.data), bytes(parsed.tag));
        tag.insert(0, data.pop().unwrap());
        let (data, tag) = (BASE64_STANDARD.encode(data), BASE64_STANDARD.encode(tag));
        let moved = Token { data: data.as_bytes(), tag: tag.as_bytes(), ..parsed };
        let decrypt =
            |token: &Token<'_>| Cipher::new(&key()).decrypt(token, b"a:").map(|(_, value)| value.expose().to_vec());
        assert_eq!(decrypt(&moved), Ok(b"secret".to_vec()));
        assert_eq!(decrypt(&Token { data: b"AAAA", tag: b"AAAA", ..parsed }), Err(Rejected::Tag));
        // The last character of 16 bytes has four bits too many.
        let mut odd = parsed.tag.to_vec();
        let at = odd.len() - 3;
        assert!(odd.ends_with(b"==") && b"AQgw".contains(&odd[at]));
        odd[at] += 1;
        assert_eq!(decrypt(&Token { tag: &odd, ..parsed }), Ok(b"secret".to_vec()));
    }

    #[test]
    fn a_nonce_is_never_drawn_twice() {
        let mut source = NonceSource { pool: Vec::new() };
        let drawn: std::collections::HashSet<Nonce> = (0..1000).map(|_| source.draw().unwrap()).collect();
        assert_eq!(drawn.len(), 1000);
    }

    #[test]
    fn what_is_not_a_token_is_not_taken_for_one() {
        for text in
            ["", "ENC[", "ENC[AES256_GCM,data:,iv:a,tag:b,type:c]", "x ENC[AES256_GCM,data:a,iv:b,tag:c,type:d]"]
        {
            assert!(Token::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Token::parse(b"ENC[AES256_GCM,data:a,iv:b,tag:c,type:d]\n").is_some());
    }

    #[test]
    fn floats_are_canonical_as_in_go() {
        for (text, canonical) in
            [("1.0", "1"), ("1e3", "1000"), ("-0", "-0"), ("99.970367431640625", "99.97036743164062")]
        {
            let token = token(Kind::Float, text.as_bytes(), b"a:");
            let (_, value) = Cipher::new(&key()).decrypt(&Token::parse(token.as_bytes()).unwrap(), b"a:").ok().unwrap();
            assert_eq!(value.expose(), canonical.as_bytes());
        }
        let longest = token(Kind::Float, b"-5e-324", b"a:");
        let longest = Token::parse(longest.as_bytes()).unwrap();
        let (_, value) = Cipher::new(&key()).decrypt(&longest, b"a:").ok().unwrap();
        assert!(value.expose().len() == 327 && longest.room() >= 327);
    }
}
