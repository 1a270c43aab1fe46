//! A scalar as real sops prints it.
//!
//! Owns: which style go-yaml v3's encoder chooses for a value, and the writing of each style. Follows
//! `stringv` of `encode.go` and the scalar analysis of `emitterc.go`, but where what those print does
//! not read back as the same value:
//! - a string with a line or paragraph separator (U+2028, U+2029) goes in double quotes: go-yaml
//!   folds it at that character, which no YAML 1.2 reader undoes;
//! - a multi-line string that begins with a tab goes in double quotes: go-yaml cannot read its own
//!   block scalar back, and sops then prints `null`;
//! - the indentation indicator counts from the column of the parent; go-yaml's says 4 always, which
//!   inside of a list is not what it indents by;
//! - the float −0 is `-0.0`: go-yaml's `-0` is the integer 0.
//!
//! Must not know: documents, comments, containers, where in a file it writes.

use super::super::flat::short_float;
use super::resolve::{Resolved, resolve_plain};
use crate::document::{Kind, Scalar, Style};
use base64::Engine;
use std::fmt::Write;

/// The place that a scalar is written in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// The column where the lines of a block scalar begin.
    pub(super) indent: usize,
    /// The column of the key or of the dash that the scalar belongs to; an indentation indicator counts
    /// from there.
    pub(super) base: usize,
    /// Whether it stands inside of brackets.
    pub(super) in_flow: bool,
    /// Whether it is a key that must stay on one line.
    pub(super) is_key: bool,
    /// The line break of the file.
    pub(super) newline: &'static str,
}

/// The quotes that a string gets where it could do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    /// None.
    None,
    /// Single ones.
    Single,
    /// Double ones.
    Double,
}

impl Quotes {
    /// Those of a value in this style.
    pub(super) fn of(style: Style) -> Self {
        match style {
            Style::SingleQuoted => Quotes::Single,
            Style::DoubleQuoted => Quotes::Double,
            _ => Quotes::None,
        }
    }
}

/// Appends `scalar` as [`write_canonical`] does, but a string of one line in `quotes` where they can hold it.
pub(super) fn write_quoted(scalar: Scalar<'_>, quotes: Quotes, context: Context, out: &mut Vec<u8>) {
    let text = std::str::from_utf8(scalar.bytes).ok();
    let text =
        text.filter(|text| scalar.kind == Kind::Str && (context.in_flow || context.is_key || !text.contains('\n')));
    match (text, quotes) {
        (Some(text), Quotes::Single) if write_single_quoted(text, out) => {}
        (Some(text), Quotes::Single | Quotes::Double) => write_double_quoted(text, out),
        _ => write_canonical(scalar, context, out),
    }
}

/// Appends `scalar` as real sops prints it. The line break that ends the last line of a block scalar is
/// not written, as little as that behind any other scalar; the caller ends the line.
pub(super) fn write_canonical(scalar: Scalar<'_>, context: Context, out: &mut Vec<u8>) {
    match scalar.kind {
        Kind::Str => match std::str::from_utf8(scalar.bytes) {
            Ok(text) => write_string(text, context, out),
            Err(_) => write_binary(scalar.bytes, context, out),
        },
        Kind::Float => out.extend_from_slice(float(scalar.bytes).as_bytes()),
        Kind::Bool => out.extend_from_slice(if scalar.bytes == b"True" { b"true" } else { b"false" }),
        Kind::Int | Kind::Time => out.extend_from_slice(scalar.bytes),
        Kind::Null | Kind::Map | Kind::List | Kind::Comment => out.extend_from_slice(b"null"),
    }
}

/// Appends `text` in single quotes, or does nothing and says so when one line in single quotes cannot
/// hold it.
pub(super) fn write_single_quoted(text: &str, out: &mut Vec<u8>) -> bool {
    if !text.chars().all(stands_unescaped) {
        return false;
    }
    out.push(b'\'');
    for (at, part) in text.split('\'').enumerate() {
        if at > 0 {
            out.extend_from_slice(b"''");
        }
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'\'');
    true
}

/// Appends `text` in double quotes, with the escapes that go-yaml uses.
pub(super) fn write_double_quoted(text: &str, out: &mut Vec<u8>) {
    // go-yaml asks at each character whether the *text* begins with a byte order mark.
    let escape_all = text.starts_with('\u{feff}');
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.find(|c| escape_all || matches!(c, '"' | '\\') || is_special(c)) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let mut chars = rest[at..].chars();
        chars.next().into_iter().for_each(|c| write_escape(c, out));
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// Whether a map key of this text is written behind `? `, on a line of its own. `emitterc.go` draws the
/// line at 128 bytes.
pub(super) fn is_complex_key(text: &str) -> bool {
    text.len() > 128 || text.chars().any(is_break)
}

fn write_string(text: &str, context: Context, out: &mut Vec<u8>) {
    let look = Look::at(text);
    if text.contains('\n') {
        match block_hints(text, &look, context) {
            Some(hints) => write_literal(text, &hints, context, out),
            None => write_double_quoted(text, out),
        }
    } else if text == "<<" && !context.in_flow {
        // As a plain scalar it is a merge key, and go-yaml keeps it one.
        out.extend_from_slice(b"!!merge <<");
    } else if look.breaks || !resolves_to_string(text) {
        write_double_quoted(text, out);
    } else if look.plain
        && !looks_like_marker(text)
        && stands_plain(text, false)
        && !(context.in_flow && look.flow_marks)
    {
        out.extend_from_slice(text.as_bytes());
    } else if !(look.single && write_single_quoted(text, out)) {
        write_double_quoted(text, out);
    }
}

/// Whether the plain text is a string, here and for a reader of YAML 1.1.
fn resolves_to_string(text: &str) -> bool {
    matches!(resolve_plain(text), Ok(Resolved { kind: Kind::Str, .. })) && !is_old_bool(text) && !is_base_60(text)
}

/// Whether the plain text is a boolean in YAML 1.1 and a string in YAML 1.2.
#[must_use]
pub fn is_old_bool(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF"
    )
}

/// The base-60 numbers of YAML 1.1, `190:20:30.15`: `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (number, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let mut parts = number.split(':');
    let first = parts.next().unwrap_or_default();
    let mut sixtieths = 0;
    let all_in_range = parts.inspect(|_| sixtieths += 1).all(|part| match part.as_bytes() {
        [ones] => ones.is_ascii_digit(),
        [b'0'..=b'5', ones] => ones.is_ascii_digit(),
        _ => false,
    });
    first.starts_with(|c: char| c.is_ascii_digit())
        && digits(first)
        && digits(fraction)
        && all_in_range
        && sixtieths > 0
}

/// What the styles ask of a text, from one pass over it.
#[derive(Default)]
struct Look {
    /// It holds a line break of YAML 1.1, line feeds apart.
    breaks: bool,
    /// It holds a character that only an escape can carry, or that go-yaml believes to be one.
    special: bool,
    /// A space stands before a line break.
    space_before_break: bool,
    /// It holds a mark that cannot stand plain between brackets.
    flow_marks: bool,
    /// Go-yaml would consider single quotes.
    single: bool,
    /// Go-yaml would consider no quotes.
    plain: bool,
}

impl Look {
    fn at(text: &str) -> Look {
        let mut look = Look::default();
        let mut tabs = false;
        let mut after_space = false;
        for c in text.chars() {
            match c {
                '\t' => tabs = true,
                '\n' => look.space_before_break |= after_space,
                ',' | '[' | ']' | '{' | '}' | '?' | ':' => look.flow_marks = true,
                _ if is_break(c) => {
                    look.breaks = true;
                    look.space_before_break |= after_space;
                }
                // Go-yaml counts nothing outside of the basic plane as printable.
                _ => look.special |= is_special(c),
            }
            after_space = c == ' ';
        }
        look.single = !tabs && !look.special;
        look.plain = look.single && !look.breaks;
        look
    }
}

/// What stands between `|` and the end of its line, or `None` where a literal block cannot hold `text`.
fn block_hints(text: &str, look: &Look, context: Context) -> Option<String> {
    let impossible = context.in_flow || context.is_key;
    if impossible
        || look.special
        || look.breaks
        || look.space_before_break
        || text.ends_with(' ')
        || text.starts_with('\t')
    {
        return None;
    }
    let mut hints = String::new();
    if text.starts_with([' ', '\n']) {
        let step = context.indent.checked_sub(context.base).filter(|step| (1..=9).contains(step))?;
        let _ = write!(hints, "{step}");
    }
    match text.strip_suffix('\n') {
        None => hints.push('-'),
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => hints.push('+'),
        Some(_) => {}
    }
    Some(hints)
}

fn write_literal(text: &str, hints: &str, context: Context, out: &mut Vec<u8>) {
    out.push(b'|');
    out.extend_from_slice(hints.as_bytes());
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.extend_from_slice(context.newline.as_bytes());
        if !line.is_empty() {
            out.resize(out.len() + context.indent, b' ');
            out.extend_from_slice(line.as_bytes());
        }
    }
}

/// Bytes that are no text: base64 behind a tag, in lines of 70 where it is longer.
fn write_binary(bytes: &[u8], context: Context, out: &mut Vec<u8>) {
    const LINE: usize = 70;
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    out.extend_from_slice(b"!!binary ");
    if encoded.len() < LINE {
        out.extend_from_slice(encoded.as_bytes());
    } else if context.in_flow || context.is_key {
        write_double_quoted(&encoded, out);
    } else {
        let mut lines = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE));
            lines.push_str(line);
            lines.push('\n');
            rest = after;
        }
        write_literal(&lines, "", context, out);
    }
}

/// Go's `FormatFloat(value, 'g', -1, 64)` of the float with these canonical bytes, and YAML's words
/// for what is no number.
fn float(canonical: &[u8]) -> String {
    match canonical {
        b"NaN" => return ".nan".to_owned(),
        b"+Inf" => return ".inf".to_owned(),
        b"-Inf" => return "-.inf".to_owned(),
        b"-0" => return "-0.0".to_owned(),
        _ => {}
    }
    let canonical = String::from_utf8_lossy(canonical);
    // Canonical bytes of a token written by another tool may be anything; then they are kept.
    let Some(value) = canonical.parse::<f64>().ok().filter(|value| value.is_finite()) else {
        return canonical.into_owned();
    };
    short_float(value)
}

/// Whether `text` stands plain on one line for any reader, whatever it then means. Between brackets
/// go-yaml is stricter than YAML 1.2: there it reads no plain `a?b`, and none that begins with a colon.
fn stands_plain(text: &str, in_flow: bool) -> bool {
    let is_blank = |c: char| c == ' ' || c == '\t';
    let blank_or_end = |c: Option<char>| c.is_none_or(is_blank);
    let mut chars = text.chars();
    let begins_well = match chars.next() {
        None | Some('#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`') => false,
        Some(',' | '[' | ']' | '{' | '}') => false,
        Some('-' | '?') => !blank_or_end(chars.next()),
        Some(':') => !in_flow && !blank_or_end(chars.next()),
        Some(c) => !is_blank(c),
    };
    if !begins_well || text.ends_with(is_blank) || is_document_marker(text) {
        return false;
    }
    let mut previous = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let ends = match c {
            ':' => blank_or_end(chars.peek().copied()),
            '#' => previous.is_some_and(is_blank),
            ',' | '[' | ']' | '{' | '}' | '?' => in_flow,
            _ => !stands_unescaped(c),
        };
        if ends {
            return false;
        }
        previous = Some(c);
    }
    true
}

/// `---` or `...`, alone or before a blank.
fn is_document_marker(text: &str) -> bool {
    looks_like_marker(text) && text[3..].chars().next().is_none_or(|c| c == ' ' || c == '\t')
}

/// What go-yaml takes for a document marker.
fn looks_like_marker(text: &str) -> bool {
    text.starts_with("---") || text.starts_with("...")
}

/// The line breaks of YAML 1.1, which go-yaml still follows.
fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a reader takes the lines of `text` in a block scalar as they stand.
pub(super) fn stands_in_block(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || stands_unescaped(c))
}

/// Whether a reader takes `c` on one line as it stands; a tab is among these.
fn stands_unescaped(c: char) -> bool {
    match c {
        '\t' | '\u{10000}'.. => true,
        _ => !is_special(c),
    }
}

/// Whether go-yaml escapes `c` in double quotes for what it is, not for what it means there.
fn is_special(c: char) -> bool {
    !matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') || c == '\u{feff}' || is_break(c)
}

fn write_escape(c: char, out: &mut Vec<u8>) {
    let short = match c {
        '\0' => b'0',
        '\u{7}' => b'a',
        '\u{8}' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\u{b}' => b'v',
        '\u{c}' => b'f',
        '\r' => b'r',
        '\u{1b}' => b'e',
        '"' => b'"',
        '\\' => b'\\',
        '\u{85}' => b'N',
        '\u{a0}' => b'_',
        '\u{2028}' => b'L',
        '\u{2029}' => b'P',
        _ => {
            let code = u32::from(c);
            let escape = match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
            return out.extend_from_slice(escape.as_bytes());
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests;
