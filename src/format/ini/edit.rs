//! Putting values into a document and taking them out.

use super::read;
use super::write::{cannot_hold, key_spelling, newline_of, spelling};
use crate::document::{Document, EntryId, Kind, Node, Place, Splice, Style};
use crate::error::{self, Error, Result};
use std::ops::Range;

/// The splices that put `value` in `place`.
pub(super) fn put(document: &Document, place: &Place, value: Node<'_>) -> Result<Vec<Splice>> {
    let is_section = |id: EntryId| document.entry(id).kind() == Kind::Map;
    let is_map = value.document.entry(value.id).kind() == Kind::Map;
    match place {
        Place::Of(id) if is_section(*id) && is_map => replace_keys(document, *id, value),
        Place::Of(id) if !is_section(*id) && !is_map => replace_value(document, *id, value),
        Place::Member(root, name) if document.entry(*root).parent().is_none() && is_map => {
            add_section(document, name, value)
        }
        Place::Member(section, key) if document.entry(*section).parent().is_some() && !is_map => {
            let line = line(document, Some(*section), key, value)?;
            Ok(vec![add_lines(document, *section, vec![line])])
        }
        Place::Of(id) | Place::Member(id, _) | Place::Item(id) => {
            let is_at_top = match place {
                Place::Of(id) => is_section(*id),
                _ => document.entry(*id).parent().is_none(),
            };
            let reason = if is_at_top {
                "at the top of an INI file there are sections alone, that is, maps of texts"
            } else {
                "it is a map or a list, and a key in a section has one text"
            };
            Err(refuse(document, *id, reason))
        }
    }
}

fn refuse(document: &Document, at: EntryId, reason: &str) -> Error {
    cannot_hold(document, at, reason)
        .hint(r#"a section and a key have one text: leafcrypt set FILE '["section"]["key"]' '"text"'"#)
}

/// The text of a leaf of `value`.
fn text(document: &Document, at: EntryId, value: Node<'_>) -> Result<String> {
    let scalar = value.document.scalar(value.id);
    let text = std::str::from_utf8(scalar.bytes).ok().filter(|_| scalar.kind == Kind::Str);
    text.map(str::to_owned).ok_or_else(|| refuse(document, at, "it is no text, and a key in a section has one text"))
}

fn spelled(document: &Document, at: EntryId, text: &str, style: Style) -> Result<String> {
    spelling(text, style).map(String::from).ok_or_else(|| {
        cannot_hold(document, at, "it has line breaks and all quotes that a value of several lines can stand in")
            .hint("write it without one kind of quotes, or in base64")
    })
}

fn replace_value(document: &Document, id: EntryId, value: Node<'_>) -> Result<Vec<Splice>> {
    let id = last_of(document, id);
    let entry = document.entry(id);
    let mut text = spelled(document, id, &text(document, id, value)?, entry.style())?;
    let span = entry.span();
    let source = document.text();
    if span.is_empty() && !text.is_empty() {
        let before = &source[..span.start];
        let is_spaced = before.strip_suffix(['=', ':']).is_some_and(|key| key.ends_with([' ', '\t']));
        if is_spaced {
            text.insert(0, ' ');
        }
        if source[span.end..].starts_with(read::MARKS) {
            text.push(' ');
        }
    }
    Ok(vec![(span, text)])
}

/// The line that has the value of the key `id`: the last one of that key.
fn last_of(document: &Document, id: EntryId) -> EntryId {
    occurrences(document, id).last().unwrap_or(id)
}

/// All lines of the key `id`.
fn occurrences(document: &Document, id: EntryId) -> impl Iterator<Item = EntryId> + '_ {
    std::iter::once(id).chain(document.shadows().filter(move |&(_, by)| by == id).map(|(shadowed, _)| shadowed))
}

/// A line with `key` and `value`, laid out as the last one of its section, or of the last one that has any.
fn line(document: &Document, section: Option<EntryId>, key: &str, value: Node<'_>) -> Result<String> {
    let spelling = key_spelling(key).ok_or_else(|| {
        Error::new(error::Kind::Format, format!("the key {key:?} cannot be written as INI"))
            .because("it is empty, is a single -, has a line break in it or quotes of all kinds")
            .hint("take another name")
    })?;
    let style = Layout::of(document, section);
    let at = section.unwrap_or_default();
    let value = spelled(document, at, &text(document, at, value)?, style.quotes)?;
    let gap = style.width.saturating_sub(spelling.chars().count());
    Ok(format!("{}{spelling}{}{}{value}", style.indent, " ".repeat(gap), style.delimiter))
}

/// How the lines of a section are laid out.
struct Layout {
    indent: String,
    /// How many columns a key takes, when the delimiters stand below each other.
    width: usize,
    /// What stands between a key and its value.
    delimiter: String,
    quotes: Style,
}

impl Layout {
    fn of(document: &Document, section: Option<EntryId>) -> Self {
        let keys = |section: EntryId| document.children(section).collect::<Vec<_>>();
        let mut others: Vec<EntryId> = document.roots().iter().flat_map(|&root| document.children(root)).collect();
        others.reverse();
        let sections = section.into_iter().chain(others);
        let keys = sections.map(keys).find(|keys| !keys.is_empty()).unwrap_or_default();
        let lines: Vec<Line> = keys.iter().filter_map(|&key| Line::of(document, key)).collect();
        let Some(last) = lines.last() else {
            return Layout { indent: String::new(), width: 0, delimiter: " = ".to_owned(), quotes: Style::Plain };
        };
        let text = document.text();
        let width = |line: &Line| text[line.key.start..line.delimiter].chars().count();
        let trimmed = |line: &Line| text[line.key.clone()].chars().count();
        let is_aligned = lines.iter().all(|line| width(line) == width(last))
            && lines.iter().any(|line| trimmed(line) != trimmed(last));
        // The narrowest gap is that of the longest key.
        let gap = lines.iter().map(|line| width(line) - trimmed(line)).min().unwrap_or_default();
        let width = if is_aligned { width(last) - gap } else { 0 };
        let behind = &text[last.delimiter..last.value];
        let quotes = keys.last().map_or(Style::Plain, |&last| document.entry(last).style());
        Layout {
            indent: text[last.start..last.key.start].to_owned(),
            width,
            delimiter: format!("{}{behind}", " ".repeat(gap)),
            quotes: if matches!(quotes, Style::SingleQuoted | Style::DoubleQuoted) { quotes } else { Style::Plain },
        }
    }
}

/// Where the parts of a key's line stand.
struct Line {
    start: usize,
    /// With its quotes.
    key: Range<usize>,
    delimiter: usize,
    value: usize,
    /// Where the line behind it, and behind all lines of its value, begins.
    end: usize,
}

impl Line {
    fn of(document: &Document, id: EntryId) -> Option<Self> {
        let text = document.text();
        let value = document.entry(id).span().start;
        let start = text[..value]
            .rfind(['\n', '\u{feff}'])
            .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
        let end = read::line_end(text, start);
        let line = text[start..end].trim_start();
        let key = end - line.len();
        let (_, behind) = read::key(line).ok()?;
        let delimiter = key + behind - 1;
        let name = read::trimmed(text, key..delimiter);
        let read = read::value(text, delimiter + 1).ok()?;
        Some(Line { start, key: name, delimiter, value: read.span.start.max(delimiter + 1), end: read.end })
    }
}

/// The splice that puts `lines` behind the last key of a section.
fn add_lines(document: &Document, section: EntryId, lines: Vec<String>) -> Splice {
    let text = document.text();
    let newline = newline_of(text);
    let keys = document.subtree(section).skip(1).filter(|&id| document.entry(id).kind() != Kind::Comment);
    let end = match keys.max().and_then(|last| Line::of(document, last)) {
        Some(line) => line.end,
        None if is_implicit(document, section) => document.entry(section).span().start,
        None => read::line_end(text, document.entry(section).span().start),
    };
    let lines = lines.join(newline);
    // Before the first section, or the comments above it, a blank line.
    let gap = if is_implicit(document, section) && end == document.entry(section).span().start { newline } else { "" };
    if end < text.len() {
        (end..end, format!("{lines}{newline}{gap}"))
    } else if end == 0 || text[..end].ends_with(['\n', '\u{feff}']) {
        (end..end, format!("{lines}{newline}"))
    } else {
        (end..end, format!("{newline}{lines}"))
    }
}

/// Whether a section has no header: that of the keys before the first one.
fn is_implicit(document: &Document, section: EntryId) -> bool {
    document.key_start(section).is_none()
}

fn lines(document: &Document, section: Option<EntryId>, value: Node<'_>) -> Result<Vec<String>> {
    let Node { document: made, id } = value;
    made.children(id)
        .map(|child| line(document, section, made.key(child), Node { document: made, id: child }))
        .collect()
}

fn add_section(document: &Document, name: &str, value: Node<'_>) -> Result<Vec<Splice>> {
    if name.is_empty() || name.contains('\n') {
        return Err(Error::new(error::Kind::Format, format!("the section {name:?} cannot be written as INI"))
            .because("the name of a section is one line with something in it")
            .hint("take another name"));
    }
    let text = document.text();
    let newline = newline_of(text);
    let mut lines = lines(document, None, value)?;
    lines.insert(0, format!("[{name}]"));
    let lines = lines.join(newline);
    let is_empty = text.trim_start_matches('\u{feff}').is_empty();
    let is_separate = is_empty || text.ends_with("\n\n") || text.ends_with("\n\r\n") || text.trim().is_empty();
    let end = text.len()..text.len();
    Ok(vec![if is_separate {
        (end, format!("{lines}{newline}"))
    } else if text.ends_with('\n') {
        (end, format!("{newline}{lines}{newline}"))
    } else {
        (end, format!("{newline}{newline}{lines}"))
    }])
}

/// Other keys in the place of all those of a section, and of the comments between them.
fn replace_keys(document: &Document, section: EntryId, value: Node<'_>) -> Result<Vec<Splice>> {
    let new = lines(document, Some(section), value)?;
    let Some(old) = content(document, section) else { return Ok(vec![add_lines(document, section, new)]) };
    let newline = newline_of(document.text());
    let end = if document.text()[..old.end].ends_with('\n') { newline } else { "" };
    let text = if new.is_empty() { String::new() } else { new.join(newline) + end };
    Ok(vec![(old, text)])
}

/// The lines from the first key of a section to the last.
fn content(document: &Document, section: EntryId) -> Option<Range<usize>> {
    let keys = || document.subtree(section).skip(1).filter(|&id| document.entry(id).kind() != Kind::Comment);
    let first = Line::of(document, keys().next()?)?;
    let last = Line::of(document, keys().max()?)?;
    Some(first.start..last.end)
}

/// The splices that take out the key or the section `id`.
pub(super) fn remove(document: &Document, id: EntryId) -> Result<Vec<Splice>> {
    let text = document.text();
    if document.entry(id).kind() != Kind::Map {
        let lines = occurrences(document, id).filter_map(|id| Line::of(document, id)).map(|line| line.start..line.end);
        return Ok(lines.map(|range| (without_last_break(text, range), String::new())).collect());
    }
    if is_implicit(document, id) {
        return Err(Error::new(
            error::Kind::Generic,
            "the section of the keys before the first section cannot be removed",
        )
        .because("sops has the section DEFAULT in every INI file, also without keys")
        .hint("remove its keys one by one"));
    }
    let header = document.entry(id).span().start;
    let above = id
        .checked_sub(1)
        .filter(|&above| document.entry(above).kind() == Kind::Comment && document.entry(above).parent() == Some(id));
    let first = above.map_or(header, |above| document.entry(above).span().start);
    let start = text[..first].rfind('\n').map_or(first, |at| at + 1);
    let end = content(document, id).map_or_else(|| read::line_end(text, header), |content| content.end);
    let mut range = without_last_break(text, start..end);
    // One of the blank lines around it goes as well.
    let before = without_break(&text[..range.start]);
    let is_last = range.end == text.len();
    let is_blank_behind = is_last || text[range.end..].starts_with(['\r', '\n']);
    if is_last && !text.ends_with('\n') || is_blank_behind && before.ends_with('\n') {
        range.start = before.len();
    }
    Ok(vec![(range, String::new())])
}

/// The lines `range`, at the end of a text that does not end with a line break with the one before them instead.
fn without_last_break(text: &str, range: Range<usize>) -> Range<usize> {
    if range.end < text.len() || text.ends_with('\n') {
        return range;
    }
    without_break(&text[..range.start]).len()..range.end
}

/// `text` without the line break at its end.
fn without_break(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text))
}
