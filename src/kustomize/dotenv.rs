//! dotenv as KSOPS reads it for `envs`, which is not how sops reads it: with quotes, escapes, `export` and
//! comments behind values.
//!
//! Source: `parser.go` of godotenv 1.5, but for one thing: `$NAME` in a value stays. There it is replaced by a
//! variable of whoever runs kustomize, which silently destroys any password with a `$` in it.

use crate::error::{Error, Kind, Result};

/// Reads `text` into keys and values, in its order.
///
/// # Errors
/// When a line is no assignment or a quote is not closed: with line and column, values masked.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = statement(text, at) {
        let (name, value_at) = key(text, start)?;
        let (value, end) = value(text, value_at)?;
        found.push((name.to_owned(), value));
        at = end;
    }
    Ok(found)
}

/// Spaces that do not end a line.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

fn skip(text: &str, at: usize, what: impl Fn(char) -> bool) -> usize {
    text[at..].find(|c| !what(c)).map_or(text.len(), |next| at + next)
}

/// The byte at which the next statement begins, behind comments and a YAML document mark.
fn statement(text: &str, mut at: usize) -> Option<usize> {
    loop {
        at = skip(text, at, char::is_whitespace);
        let rest = &text[at..];
        if rest.is_empty() {
            return None;
        }
        if !rest.starts_with('#') && rest.lines().next() != Some("---") {
            return Some(at);
        }
        at = text[at..].find('\n').map_or(text.len(), |end| at + end);
    }
}

/// Reads `export NAME =`; gives the name, and where the value begins.
fn key(text: &str, start: usize) -> Result<(&str, usize)> {
    let mut start = start;
    if let Some(rest) = text[start..].strip_prefix("export")
        && rest.starts_with(is_space)
    {
        start = skip(text, start + "export".len(), is_space);
    }
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.') || is_space(c);
    let end = skip(text, start, is_name);
    if !text[end..].starts_with(['=', ':']) {
        return Err(Error::new(Kind::Format, "this is no name of a variable with a value")
            .at(text, end)
            .hint("NAME=value, with letters, digits, _ and . in the name"));
    }
    Ok((text[start..end].trim_end(), skip(text, end + 1, is_space)))
}

fn value(text: &str, start: usize) -> Result<(String, usize)> {
    if let Some(quote) = text[start..].chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return quoted(text, start, quote);
    }
    let end = text[start..].find(['\n', '\r']).map_or(text.len(), |end| start + end);
    let line = &text[start..end];
    // A comment is a # behind a space; the first one counts.
    let comment = line.char_indices().zip(line.chars().skip(1)).find(|&((_, c), next)| is_space(c) && next == '#');
    let value = comment.map_or(line, |((at, _), _)| &line[..at]);
    Ok((value.trim_matches(is_space).to_owned(), end))
}

fn quoted(text: &str, start: usize, quote: char) -> Result<(String, usize)> {
    let inner = start + 1;
    let closing = text[inner..].match_indices(quote).map(|(at, _)| inner + at);
    let end = closing.into_iter().find(|&at| !text[..at].ends_with('\\')).ok_or_else(|| {
        Error::new(Kind::Format, "a value is missing its closing quote").at(text, start).hint("close the quote")
    })?;
    let raw = &text[inner..end];
    let value = if quote == '"' { unescape(raw) } else { raw.to_owned() };
    Ok((value, end + 1))
}

/// `\n` and `\r` are line breaks; before anything else but a `$` a backslash goes away.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                // `\$` is how a dollar is kept from being expanded.
                Some(next) => out.push(next),
                None => out.push('\\'),
            },
            (c, false) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_godotenv_reads_them() {
        for (text, value) in [
            ("A=b", "b"),
            ("A = b ", "b"),
            ("export A=b", "b"),
            ("A: b", "b"),
            ("A=", ""),
            ("A=b # c", "b"),
            ("A=b#c", "b#c"),
            ("A='b # c'", "b # c"),
            ("A=\"b\\nc\"", "b\nc"),
            ("A='b\\nc'", "b\\nc"),
            ("A=\"b\nc\"", "b\nc"),
            ("A=\"say \\\"hi\\\"\"", "say \"hi\""),
            ("# c\n\nA=b\r\n", "b"),
            ("---\nA=b\n", "b"),
            ("A=ü é", "ü é"),
        ] {
            assert_eq!(parse(text).unwrap(), [("A".to_owned(), value.to_owned())], "{text}");
        }
        assert_eq!(parse("A=1\nexport B='2'\n\nA=3\n").unwrap().len(), 3);
        assert_eq!(parse("\n# nothing\n").unwrap(), []);
    }

    #[test]
    fn a_dollar_is_a_dollar() {
        for (text, value) in [("A=pa$$word", "pa$$word"), ("A=\"$HOME\"", "$HOME"), ("A=\"\\$x\"", "$x")] {
            assert_eq!(parse(text).unwrap()[0].1, value, "{text}");
        }
    }

    #[test]
    fn what_is_no_assignment_is_refused_with_its_place() {
        let place = |text: &str| parse(text).unwrap_err().place().line_column;
        assert_eq!(place("A=1\nnot an assignment\n"), Some((2, 18)));
        assert_eq!(place("A=\"open\nB=2\n"), Some((1, 3)));
        assert_eq!(place("A-B=1\n"), Some((1, 2)));
    }
}
