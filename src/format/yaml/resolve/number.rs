//! Integers and floats: what Go's `strconv` makes of the spellings that go-yaml hands to it.

use super::Resolved;
use crate::document::{Kind, float};
use std::borrow::Cow;

/// What a text that begins with a sign or a digit is.
pub(super) enum Number<'a> {
    /// A number.
    Is(Resolved<'a>),
    /// An integer of 64 bits that needs all of them: sops has no type for it.
    Unsigned,
    /// No number.
    Not,
}

impl Number<'_> {
    /// The float of an integer's canonical text, as `!!float 3` makes it.
    pub(super) fn float_of_int(canonical: &[u8]) -> Resolved<'static> {
        // Through the integer, as Go converts it: to the nearest float, ties to even.
        let digits = std::str::from_utf8(canonical).unwrap_or_default();
        of_float(digits.parse::<i64>().unwrap_or_default() as f64)
    }
}

/// Reads a text that begins with a sign or a digit.
pub(super) fn parse(text: &str) -> Number<'_> {
    if is_canonical_int(text) {
        return Number::Is(Resolved { kind: Kind::Int, canonical: Cow::Borrowed(text.as_bytes()) });
    }
    // Underscores count for nothing here, wherever they stand.
    let plain: Cow<'_, str> = if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    match integer(&plain) {
        Integer::Signed(value) => Number::Is(Resolved { kind: Kind::Int, canonical: owned(value.to_string()) }),
        Integer::Unsigned => Number::Unsigned,
        Integer::Not => match finite_float(&plain).or_else(|| inner_sign(&plain)) {
            Some(resolved) => Number::Is(resolved),
            None => Number::Not,
        },
    }
}

/// Reads a text that begins with a point. Unlike behind a digit, underscores must stand between digits.
pub(super) fn pointed_float(text: &str) -> Option<Resolved<'static>> {
    if !text.contains('_') {
        return finite_float(text);
    }
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let between_digits =
        bytes.iter().enumerate().all(|(at, &b)| b != b'_' || (at > 0 && is_digit(at - 1) && is_digit(at + 1)));
    if between_digits { finite_float(&text.replace('_', "")) } else { None }
}

/// Up to 18 digits without leading zero: the spelling that most integers have is its own canonical form.
fn is_canonical_int(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    match digits {
        [b'1'..=b'9', rest @ ..] => rest.len() < 18 && rest.iter().all(u8::is_ascii_digit),
        b"0" => text == "0",
        _ => false,
    }
}

enum Integer {
    Signed(i64),
    Unsigned,
    Not,
}

/// `strconv.ParseInt(text, 0, 64)`, and `ParseUint` where that overflows.
fn integer(text: &str) -> Integer {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let Some(value) = magnitude(digits, radix) else { return Integer::Not };
    let signed = if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() };
    match signed {
        Some(value) => Integer::Signed(value),
        // `ParseUint` takes no sign, so a signed one goes on to be tried as a float.
        None if text.starts_with(['+', '-']) => Integer::Not,
        None => Integer::Unsigned,
    }
}

/// Digits without a sign, which Rust's own parser would accept.
fn magnitude(digits: &str, radix: u32) -> Option<u64> {
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// `0b-101` and `0o+7`: go-yaml tries again what follows the prefix, and there a sign may stand.
fn inner_sign(text: &str) -> Option<Resolved<'static>> {
    let radix = match text.as_bytes() {
        [b'0', b'b', b'+' | b'-', ..] => 2,
        [b'0', b'o', b'+' | b'-', ..] => 8,
        _ => return None,
    };
    let digits = &text[2..];
    // Not `+-7`.
    if digits[1..].starts_with(['+', '-']) {
        return None;
    }
    let value = i64::from_str_radix(digits, radix).ok()?;
    Some(Resolved { kind: Kind::Int, canonical: owned(value.to_string()) })
}

/// A decimal float, with or without a sign, that does not overflow; an overflow leaves the text a string.
fn finite_float(text: &str) -> Option<Resolved<'static>> {
    if !is_decimal_float(text.strip_prefix(['+', '-']).unwrap_or(text).as_bytes()) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then(|| of_float(value))
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal_float(text: &[u8]) -> bool {
    let digits = |from: &[u8]| from.iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(text);
    let mut rest = &text[whole..];
    let mut fraction = 0;
    if let [b'.', after @ ..] = rest {
        fraction = digits(after);
        rest = &after[fraction..];
    }
    if whole + fraction == 0 {
        return false;
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', power @ ..] | [b'e' | b'E', power @ ..] => {
            !power.is_empty() && digits(power) == power.len()
        }
        _ => false,
    }
}

fn of_float(value: f64) -> Resolved<'static> {
    Resolved { kind: Kind::Float, canonical: owned(float::fixed(value)) }
}

fn owned(text: String) -> Cow<'static, [u8]> {
    Cow::Owned(text.into_bytes())
}
