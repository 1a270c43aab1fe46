//! Scalars as sops prints them in JSON, which is as Go's `encoding/json` does.

use super::number;
use crate::document::{Kind, Scalar};

/// Writes a string in quotes with the escapes of Go: also `<`, `>`, `&` and the two line separators of
/// Unicode, so that the text may stand in HTML and JavaScript.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut copied = 0;
    let bytes = text.as_bytes();
    let mut next = 0;
    while let Some(found) = bytes[next..].iter().position(|&byte| MAY_NEED_ESCAPE[usize::from(byte)]) {
        let at = next + found;
        next = at + 1;
        let byte = bytes[at];
        let (escape, len): (&[u8], usize) = match byte {
            b'"' => (b"\\\"", 1),
            b'\\' => (b"\\\\", 1),
            0x08 => (b"\\b", 1),
            0x0C => (b"\\f", 1),
            b'\n' => (b"\\n", 1),
            b'\r' => (b"\\r", 1),
            b'\t' => (b"\\t", 1),
            0..0x20 | b'<' | b'>' | b'&' => (&unicode_escape(byte), 1),
            0xE2 if bytes[at..].starts_with("\u{2028}".as_bytes()) => (b"\\u2028", 3),
            0xE2 if bytes[at..].starts_with("\u{2029}".as_bytes()) => (b"\\u2029", 3),
            _ => continue,
        };
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(escape);
        copied = at + len;
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

/// The bytes that [`string`] has to look at; most texts have none.
static MAY_NEED_ESCAPE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = byte < 0x20 || matches!(byte as u8, b'"' | b'\\' | b'<' | b'>' | b'&' | 0xE2);
        byte += 1;
    }
    table
};

fn unicode_escape(byte: u8) -> [u8; 6] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [b'\\', b'u', b'0', b'0', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// Writes a leaf value, or says why JSON has no form for it.
pub(super) fn scalar(scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match scalar.kind {
        Kind::Str | Kind::Time => {
            let text = std::str::from_utf8(scalar.bytes).map_err(
                |_| "it is binary data, and the strings of JSON are Unicode; sops would replace bytes of it",
            )?;
            string(text, out);
        }
        Kind::Int => out.extend_from_slice(scalar.bytes),
        Kind::Float => std::str::from_utf8(scalar.bytes)
            .ok()
            .and_then(|canonical| number::write_float(canonical, out))
            .ok_or("JSON has no infinity and no NaN")?,
        Kind::Bool => out.extend_from_slice(if scalar.bytes == b"True" { b"true" } else { b"false" }),
        Kind::Null => out.extend_from_slice(b"null"),
        Kind::Comment => return Err("it is a comment, and JSON has none"),
        Kind::Map | Kind::List => return Err("it is not a single value"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        let mut out = Vec::new();
        string("\0\u{8}\t\n\u{b}\u{c}\r\u{1f}\"\\/<>&\u{7f}\u{2027}\u{2028}\u{2029}\u{feff}é😀", &mut out);
        let wanted = concat!(
            r#""\u0000\b\t\n\u000b\f\r\u001f\"\\/\u003c\u003e\u0026"#,
            "\u{7f}\u{2027}",
            r"\u2028\u2029",
            "\u{feff}é😀\""
        );
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }

    #[test]
    fn what_json_cannot_hold_is_refused() {
        for (kind, bytes) in
            [(Kind::Str, &b"\xff"[..]), (Kind::Float, b"+Inf"), (Kind::Float, b"NaN"), (Kind::Comment, b"x")]
        {
            assert!(scalar(Scalar { kind, bytes }, &mut Vec::new()).is_err());
        }
    }
}
