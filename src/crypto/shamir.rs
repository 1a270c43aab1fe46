//! Shamir's secret sharing over GF(2⁸), as in HashiCorp Vault.
//!
//! Owns: splitting a secret into shares and putting it together again. A share is one byte longer
//! than the secret; its last byte is the x coordinate. The field is AES' (x⁸ + x⁴ + x³ + x + 1).
//! Must not know: what is shared, or who gets a share.
//!
//! The reference looks products up in tables of logarithms, at places that depend on the secret. Here
//! they are computed without a branch or a look-up on a secret byte; x coordinates are public.
//!
//! Source: <https://github.com/hashicorp/vault/tree/main/shamir>, which sops carries a copy of.

use zeroize::Zeroizing;

use crate::error::{Error, Kind, Result};
use crate::secret::SecretBytes;

/// The most parts that a secret can be split into.
pub const MOST_PARTS: usize = 255;

/// Splits `secret` into `parts` shares, any `threshold` of which give it back.
///
/// # Errors
/// When `threshold` is below 2, `parts` is below `threshold` or above 255, `secret` is empty, or the
/// system has no random numbers to give.
pub fn split(secret: &[u8], parts: usize, threshold: usize) -> Result<Vec<SecretBytes>> {
    let refused = |why: String| Err(Error::new(Kind::Generic, "the data key cannot be split").because(why));
    if threshold < 2 {
        return refused(format!("the threshold is {threshold}, and must be at least 2"));
    }
    if parts < threshold {
        return refused(format!("the threshold is {threshold}, more than the {parts} parts"));
    }
    if parts > MOST_PARTS {
        return refused(format!("{parts} parts are wanted, and {MOST_PARTS} is the most"));
    }
    if secret.is_empty() {
        return refused("it is empty".to_owned());
    }

    let coordinates = coordinates()?;
    let mut shares: Vec<_> = (0..parts).map(|_| Zeroizing::new(Vec::with_capacity(secret.len() + 1))).collect();

    // One polynomial for each byte: the byte itself at x = 0, random above.
    let mut polynomial = Zeroizing::new(vec![0; threshold]);
    for &byte in secret {
        fill_random(&mut polynomial)?;
        polynomial[0] = byte;
        for (share, &x) in shares.iter_mut().zip(&coordinates) {
            share.push(evaluate(&polynomial, x));
        }
    }
    for (share, &x) in shares.iter_mut().zip(&coordinates) {
        share.push(x);
    }
    Ok(shares.into_iter().map(|mut share| SecretBytes::from(std::mem::take(&mut *share))).collect())
}

/// Gives the secret back from at least as many shares as the threshold was.
///
/// With fewer, or with shares of different secrets, the result is a wrong secret and no error: the
/// scheme has no check of its own.
///
/// # Errors
/// When there are fewer than two shares, or they differ in length, are too short, or two of them have
/// the same x coordinate, or one has 0.
pub fn combine(shares: &[SecretBytes]) -> Result<SecretBytes> {
    let refused = |why: &str| Err(Error::new(Kind::NoDataKey, "the data key cannot be put together").because(why));
    let Some(([first, _], _)) = shares.split_first_chunk::<2>() else {
        return refused("there are fewer than two parts");
    };
    let length = first.expose().len();
    if length < 2 {
        return refused("a part is shorter than two bytes");
    }
    if shares.iter().any(|share| share.expose().len() != length) {
        return refused("the parts differ in length");
    }
    let xs: Vec<u8> = shares.iter().map(|share| share.expose()[length - 1]).collect();
    let mut seen = [false; 256];
    for &x in &xs {
        if x == 0 {
            return refused("a part has the coordinate 0");
        }
        if std::mem::replace(&mut seen[usize::from(x)], true) {
            return refused("two parts are the same");
        }
    }

    let weights = weights_at_zero(&xs);
    let mut secret = Zeroizing::new(vec![0; length - 1]);
    for (share, &weight) in shares.iter().zip(&weights) {
        for (sum, &y) in secret.iter_mut().zip(share.expose()) {
            *sum ^= multiply(y, weight);
        }
    }
    Ok(SecretBytes::from(std::mem::take(&mut *secret)))
}

/// The Lagrange basis polynomials of `xs` at 0: ∏ xⱼ / (xᵢ − xⱼ) over j ≠ i. Only public numbers.
fn weights_at_zero(xs: &[u8]) -> Vec<u8> {
    let others = |i: usize| xs.iter().enumerate().filter(move |(j, _)| *j != i).map(|(_, &x)| x);
    (0..xs.len()).map(|i| others(i).fold(1, |weight, x| multiply(weight, multiply(x, invert(xs[i] ^ x))))).collect()
}

/// The polynomial's value at `x`, by Horner's rule; `coefficients` from the constant one upward.
fn evaluate(coefficients: &[u8], x: u8) -> u8 {
    coefficients.iter().rev().fold(0, |value, &coefficient| multiply(value, x) ^ coefficient)
}

/// The product in GF(2⁸), in constant time: shift and add, masks in place of branches.
fn multiply(a: u8, b: u8) -> u8 {
    let mut product = 0_u8;
    for bit in (0..8).rev() {
        product = (product << 1) ^ (0x1b & (product >> 7).wrapping_neg());
        product ^= a & ((b >> bit) & 1).wrapping_neg();
    }
    product
}

/// The inverse in GF(2⁸), a²⁵⁴; 0 for 0.
fn invert(a: u8) -> u8 {
    // 254 = 0b1111_1110: the product of the squares a², a⁴, …, a¹²⁸.
    let mut square = a;
    (0..7).fold(1, |inverse, _| {
        square = multiply(square, square);
        multiply(inverse, square)
    })
}

/// A random order of 1..=255, by Fisher and Yates.
fn coordinates() -> Result<[u8; 255]> {
    let mut all: [u8; 255] = std::array::from_fn(|i| i as u8 + 1);
    for last in (1..=254_u8).rev() {
        all.swap(usize::from(last), usize::from(random_up_to(last)?));
    }
    Ok(all)
}

/// A number of 0..=`last`, each equally likely: what would favour some is drawn again.
fn random_up_to(last: u8) -> Result<u8> {
    let count = u16::from(last) + 1;
    let fair = 256 - 256 % count;
    loop {
        let mut byte = [0];
        fill_random(&mut byte)?;
        let draw = u16::from(byte[0]);
        if draw < fair {
            return Ok((draw % count) as u8);
        }
    }
}

fn fill_random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|error| Error::new(Kind::Generic, "the system gave no random numbers").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(shares: &[SecretBytes], which: &[usize]) -> Vec<SecretBytes> {
        which.iter().map(|&i| SecretBytes::from(shares[i].expose().to_vec())).collect()
    }

    fn refusal<T>(result: Result<T>) -> String {
        result.err().expect("a refusal").notes().join("; ")
    }

    #[test]
    fn multiplication_is_that_of_aes() {
        // FIPS 197, section 4.2.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        for a in 0..=255 {
            assert_eq!(multiply(a, 0), 0);
            assert_eq!(multiply(a, 1), a);
            assert_eq!(multiply(a, invert(a)), u8::from(a != 0));
        }
    }

    #[test]
    fn any_threshold_of_shares_gives_the_secret_back() {
        let secret: Vec<u8> = (0..32).collect();
        let shares = split(&secret, 5, 3).unwrap();
        for a in 0..5 {
            for b in 0..5 {
                for c in 0..5 {
                    if a != b && b != c && a != c {
                        assert_eq!(combine(&pick(&shares, &[a, b, c])).unwrap().expose(), secret);
                    }
                }
            }
        }
        assert_eq!(combine(&shares).unwrap().expose(), secret);
        assert_ne!(combine(&pick(&shares, &[0, 1])).unwrap().expose(), secret);
    }

    #[test]
    fn shares_end_in_distinct_coordinates() {
        let shares = split(&[7; 32], 255, 255).unwrap();
        let mut xs: Vec<u8> = shares.iter().map(|share| share.expose()[32]).collect();
        assert!(shares.iter().all(|share| share.expose().len() == 33));
        xs.sort_unstable();
        assert_eq!(xs, (1..=255).collect::<Vec<u8>>());
        assert_eq!(combine(&shares).unwrap().expose(), [7; 32]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(refusal(split(b"k", 3, 1)).contains("at least 2"));
        assert!(refusal(split(b"k", 2, 3)).contains("more than the 2 parts"));
        assert!(refusal(split(b"k", 256, 2)).contains("255 is the most"));
        assert!(refusal(split(b"", 2, 2)).contains("empty"));

        let of = |parts: &[&[u8]]| parts.iter().map(|part| SecretBytes::from(part.to_vec())).collect::<Vec<_>>();
        assert!(refusal(combine(&of(&[b"ab"]))).contains("fewer than two"));
        assert!(refusal(combine(&of(&[b"a", b"b"]))).contains("shorter"));
        assert!(refusal(combine(&of(&[b"ab", b"abc"]))).contains("length"));
        assert!(refusal(combine(&of(&[b"ax", b"bx"]))).contains("the same"));
        assert!(refusal(combine(&of(&[b"a\0", b"bx"]))).contains("coordinate 0"));
    }
}
