//! Writing into the places of a document: tokens on the way in, values on the way out.

use super::quoted::{BREAKS, SEPARATORS};
use super::scalar::{self, Context};
use crate::document::{Document, EntryId, Flags, Kind, Scalar, Splice, Style};
use crate::error::Result;
use std::ops::Range;

/// The end of the header line of the block scalar that follows `at`: where its content lines begin.
pub(super) fn header_end(source: &str, at: usize) -> usize {
    line_behind(source, header_start(source, at))
}

/// Where the block scalar that follows `at` begins: at its `|` or `>`.
pub(super) fn header_start(source: &str, at: usize) -> usize {
    let bytes = source.as_bytes();
    let line_end = |from: usize| memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |found| from + found + 1);
    let mut at = at;
    while at < bytes.len() {
        match bytes[at] {
            b'|' | b'>' => return at,
            b'#' => at = line_end(at),
            b'!' | b'&' => {
                while at < bytes.len() && !bytes[at].is_ascii_whitespace() {
                    at += 1;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Writes a token in the style of the value that it replaces.
pub(super) fn write_token(document: &Document, id: EntryId, token: &str, out: &mut Vec<u8>) {
    let entry = document.entry(id);
    let (before, after) = if entry.kind() == Kind::Comment {
        ("#", "")
    } else if entry.is(Flags::IN_FLOW) {
        ("\"", "\"")
    } else if entry.is(Flags::TAGGED) || entry.is(Flags::ALIAS) {
        // An anchor behind the tag goes with it: the copies of its aliases are written out.
        ("", "")
    } else {
        match entry.style() {
            Style::SingleQuoted => ("'", "'"),
            Style::DoubleQuoted => ("\"", "\""),
            Style::Literal | Style::Folded => {
                out.resize(out.len() + block_indent(document, id), b' ');
                ("", "")
            }
            _ => ("", ""),
        }
    };
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(token.as_bytes());
    out.extend_from_slice(after.as_bytes());
}

/// Writes a scalar in the style of the token that it replaces, or as sops prints it where that style
/// cannot hold it.
pub(super) fn write_scalar(document: &Document, id: EntryId, scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<()> {
    let entry = document.entry(id);
    if scalar.kind == Kind::Comment {
        out.push(b'#');
        out.extend_from_slice(scalar.bytes);
        return Ok(());
    }
    if entry.parent().is_none() {
        return Ok(()); // A null: the `sops` block takes its place.
    }
    let text = std::str::from_utf8(scalar.bytes).ok().filter(|_| scalar.kind == Kind::Str);
    if let Some(text) = text
        && !entry.is(Flags::TAGGED)
        && !entry.is(Flags::ALIAS)
        && !entry.is(Flags::COPIED)
    {
        match entry.style() {
            Style::SingleQuoted if scalar::write_single_quoted(text, out) => return Ok(()),
            Style::SingleQuoted | Style::DoubleQuoted => {
                scalar::write_double_quoted(text, out);
                return Ok(());
            }
            Style::Literal | Style::Folded => {
                write_block(document, id, text, out);
                return Ok(());
            }
            _ => {}
        }
    }
    // On one line where the whole text is to be replaced later, and where a comment stands behind it. What
    // is around is not looked at: a whole file in brackets may be one line.
    if [Flags::IN_FLOW, Flags::ALIAS, Flags::COPIED, Flags::REWRITTEN].iter().any(|&flag| entry.is(flag)) {
        let context = Context { indent: 0, base: 0, in_flow: true, is_key: false, newline: "\n" };
        scalar::write_canonical(scalar, context, out);
        return Ok(());
    }
    let rest = document.text()[entry.span().end..].split(['\n', '\r']).next().unwrap_or_default();
    let (base, indent) = columns(document, id);
    let context =
        Context { indent, base, in_flow: !rest.trim().is_empty(), is_key: false, newline: newline_of(document.text()) };
    scalar::write_canonical(scalar, context, out);
    Ok(())
}

/// The content lines of a block scalar whose header stays, and which [`outgrown`] says nothing of.
fn write_block(document: &Document, id: EntryId, text: &str, out: &mut Vec<u8>) {
    let indent = block_indent(document, id);
    let newline = newline_of(document.text());
    for (number, line) in text.trim_end_matches('\n').split('\n').enumerate() {
        if number > 0 {
            out.extend_from_slice(newline.as_bytes());
        }
        if !line.is_empty() {
            out.resize(out.len() + indent, b' ');
            out.extend_from_slice(line.as_bytes());
        }
    }
}

/// What stands instead of a whole block scalar, its header as well, where that is not one for `scalar`: programs that
/// write an encrypted file anew fold its tokens, whatever they hold.
pub(super) fn outgrown(document: &Document, id: EntryId, scalar: Scalar<'_>) -> Option<Splice> {
    let entry = document.entry(id);
    let (span, whole) = (entry.span(), whole_span(document, id));
    if whole == span || scalar.kind == Kind::Comment {
        return None;
    }
    let text = document.text();
    let indicators = text[whole.start..span.start].trim_end();
    let value = std::str::from_utf8(scalar.bytes).ok().filter(|_| scalar.kind == Kind::Str);
    let line_ends = |text: &[u8]| text.iter().rev().take_while(|&&byte| byte == b'\n').count();
    let holds = |text: &str| {
        let body = text.trim_end_matches('\n');
        let blank_first = body.trim_start_matches('\n').starts_with([' ', '\t']);
        let is_one_line = !body.contains('\n');
        !body.is_empty()
            && (entry.style() == Style::Literal || is_one_line)
            && line_ends(scalar.bytes) == line_ends(document.scalar(id).bytes)
            && (!blank_first || indent_digit(indicators).is_some())
            && scalar::stands_in_block(body)
    };
    if value.is_some_and(holds) {
        return None;
    }
    let line = text[line_start(text, whole.start)..whole.start].trim_start_matches('\u{feff}');
    let (_, indent) = mark_column(line, entry.has_key());
    // On one line before a comment, where blank lines follow that would become a part of the value, and where the header
    // would have to count from a column that is not known here.
    let has_comment = indicators.contains('#');
    let in_flow = has_comment || scalar.bytes.ends_with(b"\n\n");
    let context = Context { indent, base: indent, in_flow, is_key: false, newline: newline_of(text) };
    let mut out = Vec::new();
    scalar::write_canonical(scalar, context, &mut out);
    Some((whole, String::from_utf8(out).unwrap_or_default()))
}

/// The span of the value `id`, with its header where it is a block scalar.
pub(super) fn whole_span(document: &Document, id: EntryId) -> Range<usize> {
    let entry = document.entry(id);
    let span = entry.span();
    match entry.style() {
        Style::Literal | Style::Folded if !entry.is(Flags::TAGGED) && !entry.is(Flags::COPIED) => {
            header(document, id).1..span.end
        }
        _ => span,
    }
}

/// Where the line with the header of the block scalar `id` begins, and where the header does.
fn header(document: &Document, id: EntryId) -> (usize, usize) {
    let before = document.text()[..document.entry(id).span().start].trim_end_matches(BREAKS);
    let line = line_start(before, before.len());
    let key = document.key_start(id).map_or(0, |key| key + document.key(id).len());
    (line, header_start(before, line.max(key)))
}

/// How many columns deeper than what is around it a header says that its lines are.
fn indent_digit(header: &str) -> Option<u32> {
    let indicators = header.trim_start_matches(['|', '>']).chars();
    indicators.take_while(|&c| c.is_ascii_digit() || matches!(c, '+' | '-')).find_map(|c| c.to_digit(10))
}

/// Writes an alias out in braces and brackets, leaves by `leaf`.
pub(super) fn write_copy(
    document: &Document,
    id: EntryId,
    leaf: &mut dyn FnMut(EntryId, &mut Vec<u8>) -> Result<()>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut ends: Vec<(EntryId, u8)> = Vec::new();
    let mut first = true;
    for at in document.subtree(id) {
        while let Some(&(end, bracket)) = ends.last()
            && end == at
        {
            out.push(bracket);
            ends.pop();
            first = false;
        }
        if !first && !ends.is_empty() {
            out.extend_from_slice(b", ");
        }
        first = false;
        let entry = document.entry(at);
        if at != id && entry.has_key() {
            scalar::write_double_quoted(document.key(at), out);
            out.extend_from_slice(b": ");
        }
        let (open, close) = match entry.kind() {
            Kind::Map => (b'{', b'}'),
            Kind::List => (b'[', b']'),
            _ => {
                leaf(at, out)?;
                continue;
            }
        };
        out.push(open);
        ends.push((document.subtree(at).end, close));
        first = true;
    }
    for (_, bracket) in ends.into_iter().rev() {
        out.push(bracket);
    }
    Ok(())
}

/// An empty list on the line of its key or dash, its comments below, as sops prints it.
pub(super) fn empty_list(document: &Document, id: EntryId, comments: &[String]) -> (Range<usize>, String) {
    let text = document.text();
    let span = document.entry(id).span();
    let start = text[..span.start].trim_end_matches([' ', '\n', '\r']).len();
    let line = &text[line_start(text, start)..start];
    // The key may begin with a dash itself.
    let mut rest = line.trim_start_matches(' ');
    while let Some(item) = rest.strip_prefix('-').filter(|item| item.is_empty() || item.starts_with(' ')) {
        rest = item.trim_start_matches(' ');
    }
    let indent = line.len() - rest.len();
    let mut out = " []".to_owned();
    for comment in comments {
        out.push_str(newline_of(text));
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str(comment);
    }
    (start..span.end, out)
}

/// Where the line of `at` begins. A carriage return alone ends a line as well.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind(['\n', '\r']).map_or(0, |found| found + 1)
}

/// Where the line behind that of `at` begins, or the end of the text.
pub(super) fn next_line(text: &str, at: usize) -> usize {
    match text[at..].find(['\n', '\r']).map(|found| at + found) {
        Some(end) if text[end..].starts_with("\r\n") => end + 2,
        Some(end) => end + 1,
        None => text.len(),
    }
}

/// Where the line of the first key at `at` begins, to sops: no text stands between them, and no byte order mark.
pub(super) fn own_line(text: &str, at: usize) -> usize {
    let start = line_start(text, at);
    let is_mark = |c| SEPARATORS.contains(&c) || c == '\u{feff}';
    text[start..at].rmatch_indices(is_mark).next().map_or(start, |(found, mark)| start + found + mark.len())
}

/// Where the line behind that of `at` begins, to sops: from there on it holds no text in quotes.
pub(super) fn line_behind(text: &str, at: usize) -> usize {
    let next = next_line(text, at);
    let separator = text[at..next].match_indices(SEPARATORS).next();
    separator.map_or(next, |(found, separator)| at + found + separator.len())
}

/// The line break that a text uses.
pub(super) fn newline_of(text: &str) -> &'static str {
    match memchr::memchr2(b'\n', b'\r', text.as_bytes()) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}

/// The column at which the content lines of a block scalar stand.
fn block_indent(document: &Document, id: EntryId) -> usize {
    let text = document.text();
    let start = document.entry(id).span().start;
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let not_blank = |line: &&str| !line.trim_matches([' ', '\t', '\r']).is_empty();
    if let Some(line) = document.raw(id).split(BREAKS).find(not_blank) {
        // Spaces that are part of the value stand behind the indentation.
        let value = String::from_utf8_lossy(document.scalar(id).bytes);
        let inner = value.split(BREAKS).find(not_blank).map_or(0, spaces);
        return spaces(line).saturating_sub(inner);
    }
    // No line with text: as deep as the header says, or deeper than it, which is deeper than anything around.
    let (line, mark) = header(document, id);
    let before = text[line..mark].trim_start_matches('\u{feff}');
    match indent_digit(&text[mark..start]) {
        Some(digit) => mark_column(before, document.entry(id).has_key()).0 + digit as usize,
        None => {
            // Comments behind it, which end it, are not to be lines of it.
            let blank = |line: &&str| line.trim_matches([' ', '\r']).is_empty();
            let lines = text[start..].split('\n').filter(|line| !blank(line));
            let comments = lines.take_while(|line| line.trim_start_matches(' ').starts_with('#'));
            comments.map(|line| spaces(line) + 1).chain([before.len(), 1]).max().unwrap_or(1)
        }
    }
}

/// The column of the key or dash that a value belongs to, and the one at which sops' printer would put
/// the lines of a literal scalar there: the next step of four below a key, two behind a dash.
fn columns(document: &Document, id: EntryId) -> (usize, usize) {
    let start = document.entry(id).span().start;
    let text = document.text();
    let line = text[line_start(text, start)..start].trim_start_matches('\u{feff}');
    mark_column(line, document.entry(id).has_key())
}

/// What [`columns`] says, of a line.
fn mark_column(line: &str, has_key: bool) -> (usize, usize) {
    const STEP: usize = 4;
    let mut column = line.len() - line.trim_start_matches(' ').len();
    let mut dash = None;
    while line[column..].starts_with("- ") || line[column..].starts_with("? ") {
        dash = Some(column);
        let rest = &line[column + 2..];
        column += 2 + rest.len() - rest.trim_start_matches(' ').len();
    }
    match dash {
        Some(dash) if !has_key => (dash, dash + 2),
        _ => (column, STEP * ((column + STEP) / STEP)),
    }
}

/// Skips blanks, line breaks and comments.
pub(super) fn skip_to_mark(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => at += 1,
            b'#' => {
                let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |found| at + found);
                at = text[at..end].find(SEPARATORS).map_or(end, |found| at + found);
            }
            _ => match text.get(at..).and_then(|rest| rest.chars().next()).filter(|c| SEPARATORS.contains(c)) {
                Some(separator) => at += separator.len_utf8(),
                None => break,
            },
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, yaml::Yaml};

    #[test]
    fn comments_below_an_empty_list_stand_as_deep_as_its_key_or_dash() {
        for (text, wanted) in [
            ("-a:\n    - b\n", " []\n# c"),
            ("  -a-:\n    - b\n", " []\n  # c"),
            ("a:\n  - - b\n", " []\n   # c"),
            ("a:\n  - -b:\n      - d\n", " []\n    # c"),
        ] {
            let document = Yaml.index(text.to_owned()).unwrap();
            let list = (0..document.len()).rev().find(|&id| document.entry(id).kind() == Kind::List).unwrap();
            assert_eq!(empty_list(&document, list, &["# c".to_owned()]).1, wanted, "{text:?}");
        }
    }
}
