//! Numbers: the grammar of JSON, the types of sops and the spellings of Go.

use crate::document::{Kind, float};

/// Why a text is not a number, and at which byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) reason: &'static str,
}

/// The end of the number at `start`, and whether it is an integer literal.
pub(super) fn scan(bytes: &[u8], start: usize) -> Result<(usize, bool), Fault> {
    let digits = |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = start + usize::from(bytes[start] == b'-');
    let mut end = digits(whole);
    if end == whole {
        return Err(Fault { at: whole, reason: "a digit must follow the minus sign" });
    }
    if bytes[whole] == b'0' && end > whole + 1 {
        return Err(Fault { at: whole, reason: "a number does not begin with 0 in JSON" });
    }
    let mut is_integer = true;
    if bytes.get(end) == Some(&b'.') {
        is_integer = false;
        let fraction = end + 1;
        end = digits(fraction);
        if end == fraction {
            return Err(Fault { at: fraction, reason: "a digit must follow the decimal point" });
        }
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        is_integer = false;
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = end + 1 + sign;
        end = digits(exponent);
        if end == exponent {
            return Err(Fault { at: exponent, reason: "a digit must follow the exponent" });
        }
    }
    if bytes.get(end).is_some_and(|&byte| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte)) {
        return Err(Fault { at: end, reason: "JSON has decimal numbers only, like -12, 0.5 and 6.02e23" });
    }
    Ok((end, is_integer))
}

/// The type of a number, its canonical spelling in `out`. `None` when it is too large for a float.
///
/// sops 3.13.2 reads an integer that fits in 64 bits as an `int`, and before all numbers as `float`.
/// The canonical bytes of both are equal up to 2^53, and `int` keeps what lies beyond. `-0` is a float:
/// no integer has that value.
pub(super) fn resolve(literal: &str, is_integer: bool, out: &mut String) -> Option<Kind> {
    // What has at most 18 digits fits; -0 is the one short literal that is not an integer's spelling.
    if is_integer && literal != "-0" && (literal.len() <= 18 || literal.parse::<i64>().is_ok()) {
        out.push_str(literal);
        return Some(Kind::Int);
    }
    let value: f64 = literal.parse().ok()?;
    if !value.is_finite() {
        return None;
    }
    out.push_str(&float::fixed(value));
    Some(Kind::Float)
}

/// Writes a float as Go's `encoding/json` does: as ECMAScript does, in short, with an exponent for
/// what is very small or very large. `None` for an infinity and for what is not a number.
pub(super) fn write_float(canonical: &str, out: &mut Vec<u8>) -> Option<()> {
    let value: f64 = canonical.parse().ok().filter(|value: &f64| value.is_finite())?;
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let (digits, power) = float::scientific(value);
        out.extend_from_slice(format!("{digits}e{power:+}").as_bytes());
    } else {
        out.extend_from_slice(float::fixed(value).as_bytes());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(literal: &str) -> Option<(Kind, String)> {
        let (end, is_integer) = scan(literal.as_bytes(), 0).unwrap();
        assert_eq!(end, literal.len());
        let mut out = String::new();
        resolve(literal, is_integer, &mut out).map(|kind| (kind, out))
    }

    /// Literal, type, token plaintext, and what sops prints for it: seen in real sops 3.11, but for the
    /// type of integers, which is that of 3.13.2.
    #[test]
    fn numbers_have_the_canonical_bytes_and_the_print_of_sops() {
        let tiny = format!("0.{}5", "0".repeat(323));
        let cases = [
            ("1", Kind::Int, "1", "1"),
            ("0", Kind::Int, "0", "0"),
            ("-0", Kind::Float, "-0", "-0"),
            ("-0.0", Kind::Float, "-0", "-0"),
            ("1.0", Kind::Float, "1", "1"),
            ("1e3", Kind::Float, "1000", "1000"),
            ("1E+2", Kind::Float, "100", "100"),
            ("123456789012345678", Kind::Int, "123456789012345678", "123456789012345678"),
            ("9007199254740993", Kind::Int, "9007199254740993", "9007199254740993"),
            ("9223372036854775807", Kind::Int, "9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", Kind::Int, "-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775808", Kind::Float, "9223372036854776000", "9223372036854776000"),
            ("18446744073709551615", Kind::Float, "18446744073709552000", "18446744073709552000"),
            ("0.1e-7", Kind::Float, "0.00000001", "1e-8"),
            ("1e21", Kind::Float, "1000000000000000000000", "1e+21"),
            ("1e20", Kind::Float, "100000000000000000000", "100000000000000000000"),
            ("1e-7", Kind::Float, "0.0000001", "1e-7"),
            ("0.000001", Kind::Float, "0.000001", "0.000001"),
            ("1e-400", Kind::Float, "0", "0"),
            ("5e-324", Kind::Float, tiny.as_str(), "5e-324"),
            ("123456789.123", Kind::Float, "123456789.123", "123456789.123"),
        ];
        for (literal, kind, bytes, printed) in cases {
            assert_eq!(canonical(literal), Some((kind, bytes.to_owned())), "{literal}");
            if kind == Kind::Float {
                let mut out = Vec::new();
                write_float(bytes, &mut out).unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), printed, "{literal}");
            }
        }
        let mut large = Vec::new();
        write_float(&canonical("1.7976931348623157e308").unwrap().1, &mut large).unwrap();
        assert_eq!(large, b"1.7976931348623157e+308");
        assert_eq!(canonical("1E400"), None);
    }

    #[test]
    fn what_is_not_a_number_says_where() {
        let cases =
            [("-", 1), ("01", 0), ("-01", 1), ("1.", 2), ("1.e5", 2), ("1e", 2), ("1e+", 3), ("0x1F", 1), ("1_000", 1)];
        for (text, at) in cases {
            assert_eq!(scan(text.as_bytes(), 0).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn no_infinity_is_written() {
        for text in ["+Inf", "-Inf", "NaN", "x"] {
            assert_eq!(write_float(text, &mut Vec::new()), None);
        }
    }
}
