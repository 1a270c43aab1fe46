//! The value of a YAML scalar as sops sees it.
//!
//! Owns: which type a scalar has and its canonical bytes, exactly as go-yaml v3 and the sops tree give
//! them. The MAC and the tokens of every file depend on it, so it follows `resolve.go` of go-yaml and
//! `ToBytes` of sops to the letter, odd cases included; the tables below were seen on sops 3.11.
//! Must not know: spans, styles other than "plain or not", documents, how a value is printed.

mod number;
mod timestamp;

use crate::document::Kind;
use number::Number;
use std::borrow::Cow;
use std::fmt;

/// A scalar's type and the bytes that are encrypted and hashed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved<'a> {
    /// The type; never a container or a comment.
    pub(super) kind: Kind,
    /// The canonical bytes; none for null.
    pub(super) canonical: Cow<'a, [u8]>,
}

/// Why a scalar has no value. Real sops refuses the file in each of these cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unresolvable {
    /// The tag says one type and the text is of another.
    Mismatch {
        /// The tag, in its short form.
        tag: &'static str,
        /// What the text is.
        found: Kind,
    },
    /// The text behind `!!binary` is not base64.
    Base64,
    /// An integer that only an unsigned 64-bit integer holds.
    Unsigned,
    /// A time whose zone is a day or more away from UTC.
    Zone,
}

impl fmt::Display for Unresolvable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unresolvable::Mismatch { tag, found } => {
                let found = match found {
                    Kind::Int => "an integer",
                    Kind::Float => "a float",
                    Kind::Bool => "a boolean",
                    Kind::Time => "a timestamp",
                    Kind::Null => "nothing (null)",
                    _ => "a string",
                };
                write!(f, "the tag {tag} does not fit the value, which is {found}")
            }
            Unresolvable::Base64 => f.write_str("the value behind !!binary is not base64"),
            Unresolvable::Unsigned => {
                f.write_str("the integer is larger than 9223372036854775807, which sops' format cannot hold")
            }
            Unresolvable::Zone => f.write_str("the time zone of the timestamp is 24 hours or more away from UTC"),
        }
    }
}

/// The value of a plain scalar without a tag.
///
/// # Errors
/// For an integer or a time that sops' format cannot hold.
pub(super) fn resolve_plain(text: &str) -> Result<Resolved<'_>, Unresolvable> {
    resolve_text(text, true)
}

/// The value of a scalar with a tag in its short form: `!!int`, `!custom`, or the non-specific `!`.
/// `plain` is whether the scalar stands without quotes and outside of a block.
///
/// # Errors
/// When the tag does not fit the text, or as for [`resolve_plain`].
pub(super) fn resolve_tagged<'a>(tag: &str, text: &'a str, plain: bool) -> Result<Resolved<'a>, Unresolvable> {
    let (tag, kind) = match tag {
        "" | "!" if plain => return resolve_plain(text),
        "!!binary" => return binary(text),
        "!!int" => ("!!int", Kind::Int),
        "!!float" => ("!!float", Kind::Float),
        "!!bool" => ("!!bool", Kind::Bool),
        "!!null" => ("!!null", Kind::Null),
        "!!timestamp" => ("!!timestamp", Kind::Time),
        // `!!str`, `!custom`, but also `!!set` and other types that a scalar cannot be.
        _ => return Ok(string(text)),
    };
    // Only a timestamp's own tag lets a text that looks like one be read as one.
    let resolved = resolve_text(text, kind == Kind::Time).map_err(|problem| match (problem, kind) {
        (Unresolvable::Unsigned, Kind::Int) | (Unresolvable::Zone, Kind::Time) => problem,
        (Unresolvable::Zone, _) => Unresolvable::Mismatch { tag, found: Kind::Time },
        _ => Unresolvable::Mismatch { tag, found: Kind::Int },
    })?;
    match (kind, resolved.kind) {
        (wanted, found) if wanted == found => Ok(resolved),
        (Kind::Float, Kind::Int) => Ok(Number::float_of_int(&resolved.canonical)),
        (_, found) => Err(Unresolvable::Mismatch { tag, found }),
    }
}

/// A string leaf of exactly this text.
fn string(text: &str) -> Resolved<'_> {
    Resolved { kind: Kind::Str, canonical: Cow::Borrowed(text.as_bytes()) }
}

fn resolve_text(text: &str, times: bool) -> Result<Resolved<'_>, Unresolvable> {
    // The first byte is hint enough: nearly every string is decided here.
    let Some(&first) = text.as_bytes().first() else { return Ok(word(Kind::Null, "")) };
    Ok(match first {
        b'0'..=b'9' | b'+' | b'-' => match infinity(text) {
            Some(word) => word,
            None => return resolve_digits(text, times),
        },
        b'.' => match text {
            ".nan" | ".NaN" | ".NAN" => word(Kind::Float, "NaN"),
            _ => infinity(text).or_else(|| number::pointed_float(text)).unwrap_or_else(|| string(text)),
        },
        b'~' | b'n' | b'N' if matches!(text, "~" | "null" | "Null" | "NULL") => word(Kind::Null, ""),
        b't' | b'T' if matches!(text, "true" | "True" | "TRUE") => word(Kind::Bool, "True"),
        b'f' | b'F' if matches!(text, "false" | "False" | "FALSE") => word(Kind::Bool, "False"),
        _ => string(text),
    })
}

fn resolve_digits(text: &str, times: bool) -> Result<Resolved<'_>, Unresolvable> {
    if times && let Some(time) = timestamp::parse(text) {
        let canonical = time.map_err(|timestamp::ZoneTooFar| Unresolvable::Zone)?;
        return Ok(Resolved { kind: Kind::Time, canonical: Cow::Owned(canonical.into_bytes()) });
    }
    match number::parse(text) {
        Number::Is(resolved) => Ok(resolved),
        Number::Unsigned => Err(Unresolvable::Unsigned),
        Number::Not => Ok(string(text)),
    }
}

fn word(kind: Kind, canonical: &'static str) -> Resolved<'static> {
    Resolved { kind, canonical: Cow::Borrowed(canonical.as_bytes()) }
}

fn infinity(text: &str) -> Option<Resolved<'static>> {
    let (canonical, name) = match text.strip_prefix('-') {
        Some(name) => ("-Inf", name),
        None => ("+Inf", text.strip_prefix('+').unwrap_or(text)),
    };
    matches!(name, ".inf" | ".Inf" | ".INF").then(|| word(Kind::Float, canonical))
}

/// Go's standard base64: padded, line breaks anywhere are skipped, bits behind the last byte are free.
fn binary(text: &str) -> Result<Resolved<'_>, Unresolvable> {
    use base64::Engine;
    use base64::alphabet::STANDARD;
    use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
    const LIKE_GO: GeneralPurpose =
        GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
    let compact: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\n' | b'\r')).collect();
    let bytes = LIKE_GO.decode(compact).map_err(|_| Unresolvable::Base64)?;
    Ok(Resolved { kind: Kind::Str, canonical: Cow::Owned(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::{Bool, Float, Int, Null, Str, Time};

    fn check(text: &str, kind: Kind, canonical: &str) {
        let resolved = resolve_plain(text).unwrap_or_else(|problem| panic!("{text:?}: {problem}"));
        let found = String::from_utf8_lossy(&resolved.canonical).into_owned();
        assert_eq!((resolved.kind, found.as_str()), (kind, canonical), "{text:?}");
    }

    /// What sops 3.11 put in the token of each of these plain scalars.
    #[test]
    fn plain_scalars_resolve_as_in_sops() {
        let table = [
            ("", Null, ""),
            ("~", Null, ""),
            ("NULL", Null, ""),
            ("nULL", Str, "nULL"),
            ("True", Bool, "True"),
            ("FALSE", Bool, "False"),
            ("tRUE", Str, "tRUE"),
            ("yes", Str, "yes"),
            ("On", Str, "On"),
            ("<<", Str, "<<"),
            ("0", Int, "0"),
            ("-0", Int, "0"),
            ("+1", Int, "1"),
            ("-_1", Int, "-1"),
            ("1_000", Int, "1000"),
            ("12345_54321", Int, "1234554321"),
            ("0755", Int, "493"),
            ("0o755", Int, "493"),
            ("0O755", Int, "493"),
            ("-0o7", Int, "-7"),
            ("0o-7", Int, "-7"),
            ("0x1F", Int, "31"),
            ("-0X1f", Int, "-31"),
            ("0b101", Int, "5"),
            ("-0b101", Int, "-5"),
            ("0b-101", Int, "-5"),
            ("0b+1", Int, "1"),
            ("-0b-1", Str, "-0b-1"),
            ("0o8", Str, "0o8"),
            ("00", Int, "0"),
            ("0_", Int, "0"),
            ("0x_1f", Int, "31"),
            ("1_0.5_0", Float, "10.5"),
            ("0e0", Float, "0"),
            ("1:30", Str, "1:30"),
            ("18446744073709551616", Float, "18446744073709552000"),
            ("0b", Str, "0b"),
            ("0x", Str, "0x"),
            ("08", Float, "8"),
            ("09.5", Float, "9.5"),
            ("9223372036854775807", Int, "9223372036854775807"),
            ("-9223372036854775808", Int, "-9223372036854775808"),
            ("-9223372036854775809", Float, "-9223372036854776000"),
            ("+9223372036854775808", Float, "9223372036854776000"),
            ("99999999999999999999", Float, "100000000000000000000"),
            ("1.0", Float, "1"),
            ("1.", Float, "1"),
            ("1.10", Float, "1.1"),
            ("1e3", Float, "1000"),
            ("1e-7", Float, "0.0000001"),
            ("-0.0", Float, "-0"),
            ("1e400", Str, "1e400"),
            ("1e-400", Float, "0"),
            ("-.5", Float, "-0.5"),
            ("+.5_0", Float, "0.5"),
            (".5", Float, "0.5"),
            (".5_0", Float, "0.5"),
            (".5e1_0", Float, "5000000000"),
            ("._5", Str, "._5"),
            (".5_", Str, ".5_"),
            (".5e", Str, ".5e"),
            (".0x1", Str, ".0x1"),
            (".", Str, "."),
            ("-", Str, "-"),
            ("--1", Str, "--1"),
            ("1.2.3", Str, "1.2.3"),
            ("0x1p-2", Str, "0x1p-2"),
            ("1e", Str, "1e"),
            (".inf", Float, "+Inf"),
            ("+.INF", Float, "+Inf"),
            ("-.Inf", Float, "-Inf"),
            (".iNF", Str, ".iNF"),
            (".NaN", Float, "NaN"),
            ("-.nan", Str, "-.nan"),
            ("inf", Str, "inf"),
            ("infinity", Str, "infinity"),
            ("+infinity", Str, "+infinity"),
            ("2001-01-01", Time, "2001-01-01T00:00:00Z"),
            ("2001-1-1T1:1:1,5Z", Time, "2001-01-01T01:01:01.5Z"),
            ("2001-1-1   1:1:1.12345678901", Time, "2001-01-01T01:01:01.123456789Z"),
            ("2001-01-01T01:01:01+23:59", Time, "2001-01-01T01:01:01+23:59"),
            ("2001-01-01T01:01:01-00:00", Time, "2001-01-01T01:01:01Z"),
            ("2001-13-01", Str, "2001-13-01"),
            ("a plain string", Str, "a plain string"),
        ];
        for (text, kind, canonical) in table {
            check(text, kind, canonical);
        }
    }

    #[test]
    fn what_sops_cannot_hold_is_refused() {
        for text in ["9223372036854775808", "18446744073709551615", "0x8000000000000000", "9_223372036854775808"] {
            assert_eq!(resolve_plain(text), Err(Unresolvable::Unsigned), "{text}");
        }
        assert_eq!(resolve_plain("2001-01-01T01:01:01+24:00"), Err(Unresolvable::Zone));
    }

    #[test]
    fn tags_decide_as_in_sops() {
        let table: [(&str, &str, bool, Kind, &[u8]); 22] = [
            ("!!str", "5", true, Str, b"5"),
            ("!!str", "", true, Str, b""),
            ("!!int", "5", false, Int, b"5"),
            ("!!float", "3", true, Float, b"3"),
            ("!!float", ".inf", true, Float, b"+Inf"),
            ("!!float", "0x10", false, Float, b"16"),
            ("!!float", "9007199254740993", true, Float, b"9007199254740992"),
            ("!!bool", "true", false, Bool, b"True"),
            ("!!null", "", false, Null, b""),
            ("!!null", "~", true, Null, b""),
            ("!!timestamp", "2001-01-01", false, Time, b"2001-01-01T00:00:00Z"),
            ("!!binary", "aGk=", true, Str, b"hi"),
            ("!!binary", "/w==", true, Str, b"\xff"),
            ("!!binary", "a\nG\nk=\n", false, Str, b"hi"),
            ("!!binary", "", false, Str, b""),
            ("!!merge", "x", true, Str, b"x"),
            ("!!set", "x", true, Str, b"x"),
            ("!custom", "5", true, Str, b"5"),
            ("!", "5", true, Int, b"5"),
            ("!", "5", false, Str, b"5"),
            ("!", "x", true, Str, b"x"),
            ("!!binary", "aGl=", true, Str, b"hi"),
        ];
        for (tag, text, plain, kind, canonical) in table {
            let resolved =
                resolve_tagged(tag, text, plain).unwrap_or_else(|problem| panic!("{tag} {text:?}: {problem}"));
            assert_eq!((resolved.kind, &*resolved.canonical), (kind, canonical), "{tag} {text:?}");
        }
    }

    #[test]
    fn a_tag_that_does_not_fit_is_refused() {
        let table = [
            ("!!int", "x", Str),
            ("!!int", "1.5", Float),
            ("!!int", "", Null),
            ("!!int", "5\n", Str),
            ("!!int", "2001-01-01", Str),
            ("!!float", "2001-01-01", Str),
            ("!!float", "18446744073709551615", Int),
            ("!!float", "1e400", Str),
            ("!!bool", "yes", Str),
            ("!!null", "a", Str),
            ("!!timestamp", "5", Int),
            ("!!timestamp", "x", Str),
        ];
        for (tag, text, found) in table {
            assert_eq!(resolve_tagged(tag, text, true), Err(Unresolvable::Mismatch { tag, found }), "{tag} {text:?}");
        }
        for text in ["%%", "aGk", "aG k="] {
            assert_eq!(resolve_tagged("!!binary", text, true), Err(Unresolvable::Base64), "{text}");
        }
        assert_eq!(resolve_tagged("!!int", "18446744073709551615", true), Err(Unresolvable::Unsigned));
    }

    #[test]
    fn strings_cost_no_allocation() {
        for text in ["a string", "true story", "null and void", "1.2.3.4", "ENC[AES256_GCM,data:x]", "10", "-5"] {
            assert!(matches!(resolve_plain(text).unwrap().canonical, Cow::Borrowed(_)), "{text}");
        }
    }
}
