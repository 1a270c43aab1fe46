//! Quoted scalars as go-yaml reads them where YAML 1.2, and so the parser, does not.
//!
//! go-yaml takes `\'` for an escape, lines that are indented less than what they belong to, and three more
//! characters for line breaks (U+0085, U+2028, U+2029, as YAML 1.1 had it). Follows `yaml_parser_scan_flow_scalar` of its
//! `scannerc.go`.

use super::tabs::quoted_end;
use std::ops::Range;

/// What is a line break to go-yaml, but not in YAML 1.2.
pub(super) const SEPARATORS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// What is a line break to go-yaml.
pub(super) const BREAKS: [char; 5] = ['\n', '\r', SEPARATORS[0], SEPARATORS[1], SEPARATORS[2]];

/// The quoted scalar that `at` is in, when `from` is before it and in no other.
pub(super) fn around(text: &str, from: usize, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut start = from;
    while start <= at && start < bytes.len() {
        let begins_word =
            start == 0 || matches!(bytes[start - 1], b' ' | b'\t' | b'\n' | b'\r' | b'[' | b'{' | b',' | b':');
        match bytes[start] {
            b'#' if begins_word => start += memchr::memchr2(b'\n', b'\r', &bytes[start..])?,
            quote @ (b'"' | b'\'') if begins_word => {
                let end = quoted_end(bytes, start, quote);
                if at <= end {
                    return (end < bytes.len()).then_some(start..end + 1);
                }
                start = end;
            }
            _ => {}
        }
        start += 1;
    }
    None
}

/// `text` with the inside of the quoted scalar at `span` made such as any parser takes.
pub(super) fn masked(text: &str, span: &Range<usize>) -> String {
    let inside = span.start + 1..span.end - 1;
    format!("{}{}{}", &text[..inside.start], "x".repeat(inside.len()), &text[inside.end..])
}

/// The value of `raw`, a scalar with its quotes; `None` when go-yaml refuses it as well.
pub(super) fn value(raw: &str) -> Option<String> {
    let quote = raw.chars().next()?;
    let mut rest = raw.get(1..raw.len().checked_sub(1)?)?;
    let mut out = String::with_capacity(rest.len());
    loop {
        // What is no blank.
        let mut escaped_break = false;
        while let Some(c) = rest.chars().next().filter(|&c| !is_blank(c) && break_len(rest).is_none()) {
            rest = &rest[c.len_utf8()..];
            if quote == '\'' && c == '\'' {
                rest = rest.strip_prefix('\'')?;
                out.push(c);
            } else if quote == '"' && c == '\\' {
                if let Some(len) = break_len(rest) {
                    rest = &rest[len..];
                    escaped_break = true;
                    break;
                }
                rest = unescape(rest, &mut out)?;
            } else {
                out.push(c);
            }
        }
        // Blanks, and line breaks with blanks around them.
        let mut blanks = String::new();
        let mut first: Option<char> = None;
        let mut others = String::new();
        let mut on_next_line = escaped_break;
        loop {
            if let Some(len) = break_len(rest) {
                let line = if rest.starts_with(['\u{2028}', '\u{2029}']) { rest.chars().next()? } else { '\n' };
                rest = &rest[len..];
                if on_next_line {
                    others.push(line)
                } else {
                    first = Some(line)
                }
                on_next_line = true;
                let mark = rest.get(..3).filter(|mark| matches!(*mark, "---" | "..."));
                if mark.is_some()
                    && rest[3..].chars().next().is_none_or(|c| is_blank(c) || break_len(&rest[3..]).is_some())
                {
                    return None;
                }
            } else if let Some(blank) = rest.chars().next().filter(|&c| is_blank(c)) {
                rest = &rest[1..];
                if !on_next_line {
                    blanks.push(blank);
                }
            } else {
                break;
            }
        }
        match first {
            Some('\n') if others.is_empty() => out.push(' '),
            Some('\n') => out.push_str(&others),
            Some(separator) => {
                out.push(separator);
                out.push_str(&others);
            }
            None if on_next_line => out.push_str(&others),
            None => out.push_str(&blanks),
        }
        if rest.is_empty() {
            return Some(out);
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// How many bytes the line break is that `text` begins with.
pub(super) fn break_len(text: &str) -> Option<usize> {
    match text.chars().next()? {
        '\r' if text[1..].starts_with('\n') => Some(2),
        c if matches!(c, '\n' | '\r') || SEPARATORS.contains(&c) => Some(c.len_utf8()),
        _ => None,
    }
}

/// Reads what follows a backslash; gives what follows that.
fn unescape<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let code = text.chars().next()?;
    let rest = &text[code.len_utf8()..];
    let digits = match code {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => {
            out.push(match code {
                '0' => '\0',
                'a' => '\u{7}',
                'b' => '\u{8}',
                't' | '\t' => '\t',
                'n' => '\n',
                'v' => '\u{b}',
                'f' => '\u{c}',
                'r' => '\r',
                'e' => '\u{1b}',
                ' ' | '"' | '\'' | '\\' => code,
                'N' => '\u{85}',
                '_' => '\u{a0}',
                'L' => '\u{2028}',
                'P' => '\u{2029}',
                _ => return None,
            });
            return Some(rest);
        }
    };
    let number = rest.get(..digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    out.push(char::from_u32(u32::from_str_radix(number, 16).ok()?)?);
    Some(&rest[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_go_yaml() {
        for (raw, wanted) in [
            (r#""it\'s""#, "it's"),
            ("'it''s'", "it's"),
            ("\"a \n b\"", "a b"),
            ("\"a\n\n\nb\"", "a\n\nb"),
            ("\"a\\\n  b\"", "ab"),
            ("\"a\\\n\n  b\"", "a\nb"),
            ("\"a \\\n\\ b\"", "a  b"),
            ("' a\t\r\nb '", " a b "),
            ("\"a\u{85}b\"", "a b"),
            ("\"a \u{2028}  b\"", "a\u{2028}b"),
            ("\"a\u{2028}\nb\"", "a\u{2028}\nb"),
            (r#""\x41\u00e9\U0001f511\L""#, "Aé\u{1f511}\u{2028}"),
            ("\"\"", ""),
            ("\"\n\"", " "),
        ] {
            assert_eq!(value(raw).as_deref(), Some(wanted), "{raw:?}");
        }
        for raw in [r#""\q""#, r#""\ud83d""#, "\"a\n--- b\"", "\"a\n...\"", r#""\x4""#] {
            assert_eq!(value(raw), None, "{raw:?}");
        }
    }

    /// Errors near a quoted text, of which another text makes no difference.
    #[test]
    fn what_stays_an_error_ends() {
        use crate::format::Format;
        for text in [
            "a: b\n\"\"",
            "?\tkey\n:\n\"\"",
            "a:b: \"c\"\n\tbaz:d: \"\"\n\te",
            "a: \"x\" \"y\"\n",
            "a: [\n\t\"x\" \"\"\n",
        ] {
            assert!(super::super::Yaml.index(text.to_owned()).is_err(), "{text:?}");
        }
        for text in ["a: \"x\ny\"\n", "a: \"it\\'s\"\nb: 'x\ny'\nc: [\n\t\"\\'\"]\n"] {
            assert!(super::super::Yaml.index(text.to_owned()).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn the_scalar_around_a_place_is_found() {
        let text = "a: 'x' # it's\nb: \"c\n'd\" \n";
        let span = around(text, 2, 20).unwrap();
        assert_eq!(&text[span.clone()], "\"c\n'd\"");
        assert_eq!(masked(text, &span), "a: 'x' # it's\nb: \"xxxx\" \n");
        assert_eq!(around(text, 0, 16), None);
        assert_eq!(around("a: \"b", 0, 5), None);
    }
}
