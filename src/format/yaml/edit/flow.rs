//! Changes between brackets.

use super::around::{Around, line_end};
use super::habit::Habit;
use crate::document::{Document, EntryId, Kind, Node, Scalar, Splice, Value};
use crate::format::yaml::place::{line_start, newline_of, next_line, skip_to_mark};
use crate::format::yaml::scalar::{self, Context, Quotes};
use std::ops::Range;

/// Puts a value in the place of `id`.
pub(super) fn replace(document: &Document, id: EntryId, value: Node<'_>) -> Vec<Splice> {
    let text = document.text();
    let parent = document.entry(id).parent().unwrap_or(id);
    let mut habit = Habit::of(document, parent);
    if document.entry(id).kind() == Kind::Str {
        habit.quotes = Quotes::of(document.entry(id).style());
    }
    let around = Around::of(document, id);
    let kind = value.document.entry(value.id).kind();
    let (stripped, properties) = super::keep_properties(document, id, &around, kind);
    let new = write(value, &habit);
    if stripped {
        return vec![(around.mark..around.inline.end, format!("{properties} {new}"))];
    }
    if !around.inline.is_empty() {
        return vec![(around.inline, new)];
    }
    let at = around.inline.start;
    let has_mark =
        !document.entry(id).has_key() || text[..at].trim_end().ends_with(':') || !around.properties.is_empty();
    vec![(at..at, format!("{} {new}", if has_mark { "" } else { ":" }))]
}

/// Adds a last member or item.
pub(super) fn add(document: &Document, container: EntryId, key: Option<&str>, value: Node<'_>) -> Vec<Splice> {
    let text = document.text();
    let habit = Habit::of(document, container);
    let mut member = String::new();
    if let Some(key) = key {
        member.push_str(&write_key(key, &habit));
    }
    member.push_str(&write(value, &habit));
    let span = document.entry(container).span();
    if let Some(pair) = pair(document, container) {
        let new = format!("{}{}{member}}}", comma_behind(text, pair.end), habit.comma_gap);
        return vec![(pair.start..pair.start, "{".to_owned()), (pair.end..pair.end, new)];
    }
    let Some(last) = document.children(container).last() else {
        return vec![(span.start + 1..span.start + 1, member)];
    };
    let previous = document.children(container).take_while(|&child| child != last).last();
    let before = previous.map_or(span.start + 1, |previous| value_end(document, previous));
    let gap = gap(document, before, last, &habit);
    let end = value_end(document, last);
    let comma = skip_to_mark(text, end);
    let has_comma = text[comma..].starts_with(',');
    let behind = if has_comma { comma + 1 } else { end };
    // A comment on the line of the last member stays on it.
    let rest = &text[behind..line_end(text, behind)];
    let has_comment = rest.trim_start().starts_with('#');
    match (has_comma, has_comment) {
        (false, false) => vec![(end..end, format!("{}{gap}{member}", comma_behind(text, end)))],
        (true, false) => vec![(behind..behind, format!("{gap}{member},"))],
        (has_comma, true) => {
            let at = line_end(text, behind);
            let gap = if gap.contains('\n') { gap } else { format!("{}{gap}", habit.newline) };
            let mut splices = Vec::new();
            if !has_comma {
                splices.push((end..end, comma_behind(text, end).to_owned()));
            }
            splices.push((at..at, format!("{gap}{member}{}", if has_comma { "," } else { "" })));
            splices
        }
    }
}

/// A comma for the end of a member: to sops, one right behind a colon makes that a part of the key.
fn comma_behind(text: &str, end: usize) -> &'static str {
    let is_behind_colon = text[..end].ends_with(':') && text[end..].starts_with([' ', '\t', '\n', '\r']);
    if is_behind_colon { " ," } else { "," }
}

/// What stands between the comma and the member `last`: a gap, or a line break and an indentation.
fn gap(document: &Document, before: usize, last: EntryId, habit: &Habit) -> String {
    let text = document.text();
    let head = head(document, before, last);
    let line = line_start(text, head);
    match line > before && text[line..head].trim().is_empty() {
        true => format!("{}{}", habit.newline, &text[line..head]),
        false => habit.comma_gap.to_owned(),
    }
}

/// Where the member `id` begins, its key if it has one: `before` is the end of the one before it.
fn head(document: &Document, before: usize, id: EntryId) -> usize {
    let text = document.text();
    let at = skip_to_mark(text, before);
    let at = if text[at..].starts_with(',') { skip_to_mark(text, at + 1) } else { at };
    at.min(document.entry(id).span().start.max(before))
}

/// The text of the member `id` with its key.
pub(in crate::format::yaml) fn member(document: &Document, container: EntryId, id: EntryId) -> Range<usize> {
    let previous = document.children(container).take_while(|&child| child != id).last();
    let before = previous.map_or(document.entry(container).span().start + 1, |previous| value_end(document, previous));
    head(document, before, id)..value_end(document, id)
}

/// The text of `map` when it is a pair in a list, which has no braces: `[key: value]`.
fn pair(document: &Document, map: EntryId) -> Option<Range<usize>> {
    let entry = document.entry(map);
    let list = entry.parent().filter(|_| entry.kind() == Kind::Map)?;
    let only = document.children(map).next().filter(|_| !document.raw(map).starts_with('{'))?;
    Some(member(document, list, map).start..value_end(document, only))
}

/// Takes out the member or item `id`.
pub(super) fn remove(document: &Document, container: EntryId, id: EntryId) -> Vec<Splice> {
    let text = document.text();
    if let Some(pair) = pair(document, container) {
        let kept = kept_comments(document, id, pair.clone());
        return vec![(pair, format!("{{}}{kept}"))];
    }
    let mut children = document.children(container);
    let previous = children.by_ref().take_while(|&child| child != id).last();
    let before = previous.map_or(document.entry(container).span().start + 1, |previous| value_end(document, previous));
    let start = head(document, before, id);
    let end = value_end(document, id);
    let comma = |at: usize| Some(skip_to_mark(text, at)).filter(|&at| text[at..].starts_with(','));
    // With the comma behind it; the last one takes the comma before it along.
    let behind = comma(end).map_or(end, |comma| comma + 1);
    let before_it = comma(before).filter(|_| behind == end && previous.is_some());
    let line = line_start(text, start);
    let rest = &text[behind..line_end(text, behind)];
    let own = if !text[line..start].trim().is_empty() {
        // Among others on a line, with the gap before it or, of the first one, behind it.
        match previous {
            Some(_) => text[..start].trim_end_matches(' ').len()..behind,
            None => start..behind + rest.len() - rest.trim_start().len(),
        }
    } else if rest.trim().is_empty() {
        line..next_line(text, behind)
    } else {
        start..behind + rest.len() - rest.trim_start().len()
    };
    // A comment between a value and its comma ends with its line.
    let kept = kept_comments(document, id, own.clone());
    let mut splices = vec![(own, kept)];
    if let Some(comma) = before_it {
        splices.insert(0, (comma..comma + 1, String::new()));
    }
    splices
}

/// The comments in `range` that are not of `id`, each to the end of a line.
fn kept_comments(document: &Document, id: EntryId, range: Range<usize>) -> String {
    let newline = newline_of(document.text());
    let comments = super::comments_of_others(document, id, range).into_iter();
    comments.map(|comment| format!(" {}{newline}", document.raw(comment))).collect()
}

/// Where the value of `id` ends.
fn value_end(document: &Document, id: EntryId) -> usize {
    let span = document.entry(id).span();
    if span.is_empty() { Around::of(document, id).inline.end } else { span.end }
}

/// Prints a value on one line, all strings in double quotes, so that it can stand in braces.
pub(in crate::format::yaml) fn emit_flow(value: &Value) -> String {
    let habit = Habit { quotes: Quotes::Double, key_quotes: Quotes::Double, ..Habit::of_sops("\n") };
    write(Node::root(&value.to_document()), &habit)
}

/// A value in brackets, on one line.
fn write(value: Node<'_>, habit: &Habit) -> String {
    let Node { document, id } = value;
    let mut out = String::new();
    let mut open: Vec<(EntryId, char, bool)> = Vec::new();
    for at in document.subtree(id) {
        while open.last().is_some_and(|&(end, ..)| end == at) {
            out.extend(open.pop().map(|(_, bracket, _)| bracket));
        }
        let entry = document.entry(at);
        if entry.kind() == Kind::Comment {
            continue;
        }
        if let Some((_, _, is_empty)) = open.last_mut() {
            if !std::mem::replace(is_empty, false) {
                out.push(',');
                out.push_str(habit.comma_gap);
            }
            if entry.has_key() {
                out.push_str(&write_key(document.key(at), habit));
            }
        }
        let brackets = match entry.kind() {
            Kind::Map => ('{', '}'),
            Kind::List => ('[', ']'),
            _ => {
                let mut scalar = Vec::new();
                habit.write(document.scalar(at), CONTEXT, &mut scalar);
                out.push_str(&String::from_utf8_lossy(&scalar));
                continue;
            }
        };
        out.push(brackets.0);
        open.push((document.subtree(at).end, brackets.1, true));
    }
    out.extend(open.into_iter().rev().map(|(_, bracket, _)| bracket));
    out
}

const CONTEXT: Context = Context { indent: 0, base: 0, in_flow: true, is_key: false, newline: "\n" };

/// A key with its colon.
fn write_key(key: &str, habit: &Habit) -> String {
    let mut out = Vec::new();
    let scalar = Scalar { kind: Kind::Str, bytes: key.as_bytes() };
    scalar::write_quoted(scalar, habit.key_quotes, Context { is_key: true, ..CONTEXT }, &mut out);
    let quoted = out.starts_with(b"\"") || out.starts_with(b"'");
    out.push(b':');
    out.extend_from_slice(if quoted { habit.colon_gap } else { " " }.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}
