//! Lines, keys and values as sops reads them, which is as the Go package `ini.v1` does.
//!
//! Functions on a text and offsets alone: the index is made with them, and what is written is read back with them.
//!
//! Source: `readKeyName`, `readValue`, `readMultilines` and `readContinuationLines` in `parser.go` of ini.v1 1.67.1,
//! with its default options.

use crate::document::Style;
use std::borrow::Cow;
use std::ops::Range;

/// The marks of a comment.
pub(super) const MARKS: [char; 2] = ['#', ';'];

/// What ends a key.
const DELIMITERS: [char; 2] = ['=', ':'];

const TRIPLE: &str = "\"\"\"";

/// A value in its place.
pub(super) struct Value<'a> {
    /// Its text with quotes. What follows a closing quote, and means nothing, is part of it.
    pub(super) span: Range<usize>,
    /// What it says.
    pub(super) text: Cow<'a, str>,
    /// Its quotes.
    pub(super) style: Style,
    /// The comment behind it, with its mark.
    pub(super) comment: Option<Range<usize>>,
    /// Where the next line begins.
    pub(super) end: usize,
}

/// Why a line is no key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    NoDelimiter,
    EmptyKey,
    OpenKeyQuote,
    OpenValueQuote,
}

/// The end of the line that `at` is in, its line feed included.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |len| at + len + 1)
}

/// The quotes of a style.
pub(super) fn quote(style: Style) -> &'static str {
    match style {
        Style::SingleQuoted => "'",
        Style::DoubleQuoted => "\"",
        Style::TripleQuoted => TRIPLE,
        Style::BackQuoted => "`",
        _ => "",
    }
}

/// The key at the start of `line`, trimmed, and where its value begins.
pub(super) fn key(line: &str) -> Result<(Range<usize>, usize), Wrong> {
    let quote = if line.len() > 6 && line.starts_with(TRIPLE) {
        TRIPLE
    } else if line.starts_with('"') {
        "\""
    } else if line.starts_with('`') {
        "`"
    } else {
        ""
    };
    let (name, behind) = if quote.is_empty() {
        let end = line.find(DELIMITERS).ok_or(Wrong::NoDelimiter)?;
        (0..end, end + 1)
    } else {
        let start = quote.len();
        let end = start + line[start..].find(quote).ok_or(Wrong::OpenKeyQuote)?;
        let from = end + start;
        (start..end, from + line[from..].find(DELIMITERS).ok_or(Wrong::NoDelimiter)? + 1)
    };
    let name = trimmed(line, name);
    if name.is_empty() { Err(Wrong::EmptyKey) } else { Ok((name, behind)) }
}

/// `range` of `text` without the white space at its ends.
pub(super) fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let piece = &text[range.clone()];
    let start = range.end - piece.trim_start().len();
    start..start + piece.trim().len()
}

/// The comment that begins in `range` of `text`.
pub(super) fn comment_in(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let start = range.start + text[range.clone()].find(MARKS)?;
    Some(trimmed(text, start..range.end))
}

/// The value that begins at `from`, behind its delimiter.
pub(super) fn value(text: &str, from: usize) -> Result<Value<'_>, Wrong> {
    let end = line_end(text, from);
    let line = text[from..end].trim_start();
    if line.is_empty() {
        let at = from + text[from..end].trim_end_matches(['\r', '\n']).len();
        return Ok(Value { span: at..at, text: Cow::Borrowed(""), style: Style::Plain, comment: None, end });
    }
    let start = end - line.len();
    if line.len() > 3 && line.starts_with(TRIPLE) {
        return quoted(text, start, end, Style::TripleQuoted);
    }
    if line.starts_with('`') {
        return quoted(text, start, end, Style::BackQuoted);
    }
    let line = line.trim_end();
    if let Some(first) = line.strip_suffix('\\') {
        return Ok(continued(text, start, first, end));
    }
    let mark = line.find(MARKS);
    let comment = mark.map(|mark| start + mark..start + line.len());
    let value = line[..mark.unwrap_or(line.len())].trim_end();
    let span = start..start + value.len();
    let style = if is_surrounded(value, b'\'') {
        Style::SingleQuoted
    } else if is_surrounded(value, b'"') {
        Style::DoubleQuoted
    } else {
        Style::Plain
    };
    let inner = if style == Style::Plain { value } else { &value[1..value.len() - 1] };
    Ok(Value { span, text: Cow::Borrowed(inner), style, comment, end })
}

/// Whether there is a quote at both ends and no other.
fn is_surrounded(value: &str, quote: u8) -> bool {
    let bytes = value.as_bytes();
    bytes.len() >= 2 && bytes[0] == quote && memchr::memchr(quote, &bytes[1..]) == Some(bytes.len() - 2)
}

/// A value that begins with a quote that may span lines. It ends at the last such quote of its first line or, when
/// there is none, of the first line that has one.
fn quoted(text: &str, start: usize, end: usize, style: Style) -> Result<Value<'_>, Wrong> {
    let quote = quote(style);
    let inner = start + quote.len();
    if let Some(len) = text[inner..end].rfind(quote) {
        let span = trimmed(text, start..end);
        return Ok(Value { span, text: Cow::Borrowed(&text[inner..inner + len]), style, comment: None, end });
    }
    let mut line = end;
    loop {
        let end = line_end(text, line);
        if let Some(at) = text[line..end].rfind(quote) {
            let close = line + at;
            let comment = comment_in(text, close..end);
            let span = trimmed(text, start..comment.as_ref().map_or(end, |comment| comment.start));
            return Ok(Value { span, text: Cow::Borrowed(&text[inner..close]), style, comment, end });
        }
        if end == line {
            return Err(Wrong::OpenValueQuote);
        }
        line = end;
    }
}

/// A value that goes on behind the backslash at the end of its line.
fn continued<'a>(text: &'a str, start: usize, first: &'a str, end: usize) -> Value<'a> {
    let mut value = first.to_owned();
    let mut span = start..start + first.len() + 1;
    let mut line = end;
    loop {
        let end = line_end(text, line);
        let next = trimmed(text, line..end);
        line = end;
        if next.is_empty() {
            break;
        }
        value.push_str(&text[next.clone()]);
        span.end = next.end;
        if !value.ends_with('\\') {
            break;
        }
        value.pop();
    }
    Value { span, text: Cow::Owned(value), style: Style::Plain, comment: None, end: line }
}
