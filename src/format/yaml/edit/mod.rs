//! Putting values into a document and taking them out, line by line.
//!
//! A value in a block has a part behind its mark, on the same line, and a part below. Either may be missing:
//! a scalar has only the first, a map by indentation only the second, a block scalar both (its header and its
//! lines). To put one value in the place of another is to replace part by part, so that what else stands
//! on the line, a comment most often, stays.

mod around;
mod flow;
pub(super) mod habit;

#[cfg(test)]
mod tests;

use super::block::document_end;
use super::emit;
use super::place::{line_start, next_line};
use super::scalar::{self, Context};
use crate::document::{Document, EntryId, Flags, Kind, Node, Place, Splice, Style};
use crate::error::Result;
pub(super) use around::end;
use around::{Around, column, comments_of, comments_of_others, head, line_end};
pub(super) use flow::{emit_flow, member as flow_member};
use habit::Habit;
use std::ops::Range;

/// The splices that put `value` in `place`.
pub(super) fn put(document: &Document, place: &Place, value: Node<'_>) -> Result<Vec<Splice>> {
    match place {
        Place::Of(id) if document.entry(*id).is(Flags::IN_FLOW) => Ok(flow::replace(document, *id, value)),
        Place::Of(id) => replace(document, *id, value),
        Place::Member(container, _) | Place::Item(container) if is_vacant(document, *container) => {
            // Brackets with nothing in them say nothing about the style: the value is written as if new.
            let step = match place {
                Place::Member(_, key) => crate::document::Step::Key(key.clone()),
                _ => crate::document::Step::Index(0),
            };
            let made = value.within(&[step]);
            replace(document, *container, Node::root(&made))
        }
        Place::Member(container, key) if document.entry(*container).style() == Style::Flow => {
            Ok(flow::add(document, *container, Some(key), value))
        }
        Place::Item(container) if document.entry(*container).style() == Style::Flow => {
            Ok(flow::add(document, *container, None, value))
        }
        Place::Member(container, key) => add(document, *container, Some(key), value),
        Place::Item(container) => add(document, *container, None, value),
    }
}

/// The splices that take out the value `id`.
pub(super) fn remove(document: &Document, id: EntryId) -> Result<Vec<Splice>> {
    let Some(container) = document.entry(id).parent() else { return Ok(Vec::new()) };
    if document.entry(container).style() == Style::Flow {
        return Ok(flow::remove(document, container, id));
    }
    if document.children(container).nth(1).is_none() {
        return Ok(empty(document, container, id));
    }
    let text = document.text();
    let start = head(document, container, id);
    let mut behind = around::behind(document, id);
    let indent = " ".repeat(column(text, start));
    let newline = super::place::newline_of(text);
    if around::follows_keeper(document, id) {
        behind = around::behind_blank_lines(text, behind);
    }
    // A block scalar above would take a comment that stands to the right of its key for a line of its own.
    while around::follows_block_scalar(document, id) && is_before_deep_comment(text, behind, indent.len()) {
        behind = next_line(text, around::behind_blank_lines(text, behind));
    }
    let kept = comments_of_others(document, id, start..behind);
    let mut lines = String::new();
    for comment in kept {
        lines.push_str(&indent);
        lines.push_str(document.raw(comment));
        lines.push_str(newline);
    }
    let line = line_start(text, start);
    if text[line..start].trim_start_matches('\u{feff}').chars().all(|c| c == ' ') {
        let begin = start - indent.len();
        return Ok(vec![lines_out(document, id, begin..behind, lines)]);
    }
    // On the line of a dash: what comes next moves up, behind the dash.
    let next = behind + text[behind..].len() - text[behind..].trim_start_matches([' ', '\n', '\r']).len();
    Ok(vec![match lines.trim_start() {
        "" => (start..next, String::new()),
        lines => (start..behind, lines.to_owned()),
    }])
}

/// Replaces the lines of `id`; a text that did not end with a line break still does not, unless a block scalar
/// before them needs one.
fn lines_out(document: &Document, id: EntryId, range: Range<usize>, lines: String) -> Splice {
    let text = document.text();
    if around::follows_block_scalar(document, id) && lines.is_empty()
        || range.end < text.len()
        || text.ends_with(['\n', '\r'])
        || !lines.is_empty() && range.start == 0
    {
        return (range, lines);
    }
    let start = text[..range.start].trim_end_matches(['\n', '\r']).len();
    let start = if lines.is_empty() { start } else { range.start };
    (start..range.end, lines.trim_end_matches(['\n', '\r']).to_owned())
}

/// Writes brackets for the block `container`, whose only value `id` goes with all that is in it. Other comments of the
/// block stay below it.
fn empty(document: &Document, container: EntryId, id: EntryId) -> Vec<Splice> {
    let brackets = if document.entry(container).kind() == Kind::List { "[]" } else { "{}" };
    let around = Around::of(document, container);
    let feet = around::feet(document, id).max().unwrap_or_default();
    let last = end(document, container).max(feet);
    match around.below {
        Some(below) if document.entry(container).parent().is_some() => {
            let behind = around.properties.last().map_or(around.mark, |last| last.end);
            let kept = comments_but_of(document, container, id, below.start..last);
            vec![(behind..behind, format!(" {brackets}")), (below.start..last, kept)]
        }
        // On the line of a dash, or the root.
        _ => {
            let range = document.entry(container).span().start..last;
            let kept = comments_but_of(document, container, id, range.clone());
            vec![(range, format!("{brackets}{kept}"))]
        }
    }
}

/// The comments in `range` that are not of the only value `id` of a block, each on a line of its own.
fn comments_but_of(document: &Document, container: EntryId, id: EntryId, range: Range<usize>) -> String {
    let newline = super::place::newline_of(document.text());
    let indent = " ".repeat(habit::key_column(document, container));
    around::comments_but_of(document, container, id, range)
        .into_iter()
        .map(|comment| format!("{newline}{indent}{}", document.raw(comment)))
        .collect()
}

/// Whether nothing is between the brackets of a container that stands in a block.
fn is_vacant(document: &Document, container: EntryId) -> bool {
    let entry = document.entry(container);
    entry.style() == Style::Flow
        && !entry.is(Flags::IN_FLOW)
        && document.children(container).next().is_none()
        && document.raw(container).trim_matches(['{', '}', '[', ']']).trim().is_empty()
}

/// A value as it is written in a block.
struct Written {
    /// What stands behind the mark; empty for a block.
    inline: String,
    /// The lines below, without the break before the first and behind the last.
    below: Option<String>,
}

impl Written {
    /// Splits at the first line break.
    fn of_lines(text: &str) -> Self {
        match text.find(['\n', '\r']) {
            Some(end) => {
                Written { inline: text[..end].to_owned(), below: Some(text[next_line(text, end)..].to_owned()) }
            }
            None => Written { inline: text.to_owned(), below: None },
        }
    }
}

/// Puts a value in the place of the block or scalar `id`.
fn replace(document: &Document, id: EntryId, value: Node<'_>) -> Result<Vec<Splice>> {
    let text = document.text();
    let entry = document.entry(id);
    let around = Around::of(document, id);
    let Some(parent) = entry.parent() else { return replace_root(document, id, &around, value) };
    let mut habit = Habit::of(document, parent);
    if entry.kind() == Kind::Str && !entry.is(Flags::ALIAS) {
        habit.quotes = scalar::Quotes::of(entry.style());
    }
    let own_column = column(text, head(document, parent, id));
    let kind = value.document.entry(value.id).kind();
    let (stripped, kept_properties) = keep_properties(document, id, &around, kind);
    let behind = around.properties.last().map_or(around.mark, |last| last.end);

    // All that is the old value's, comments of its own included.
    let last_comment = comments_of(document, id).map(|comment| document.entry(comment).span().end).max();
    let is_item = !entry.has_key();
    let comment_behind_mark = text[behind..around.inline.start.max(behind)].contains('#')
        || around.inline.is_empty() && text[behind..line_end(text, behind)].trim_start().starts_with('#');
    let compact = is_item && kept_properties.is_empty() && !comment_behind_mark && {
        let rest = &text[around.inline.end..line_end(text, around.inline.end)];
        around.below.is_some() && around.inline.is_empty() || rest.trim().is_empty() || last_comment.is_some()
    };
    let old_indent = around.below.clone().filter(|_| entry.kind() == Kind::Str).and_then(|below| {
        let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let line = text[below].lines().find(|line| !line.trim().is_empty())?;
        let content = String::from_utf8_lossy(document.scalar(id).bytes);
        let inner = content.lines().find(|line| !line.trim().is_empty()).map_or(0, spaces);
        spaces(line).checked_sub(inner)
    });
    // What begins on the line of the dash goes on below where it begins.
    let is_beside_mark = is_item && !around.inline.is_empty() && kept_properties.is_empty();
    if is_beside_mark && line_start(text, around.inline.start) == line_start(text, around.mark) {
        habit.dash = column(text, around.inline.start) - own_column;
    }
    let gap = " ".repeat(if is_item { habit.dash - 1 } else { 1 });
    // Nothing may stand between the header of a block scalar and its lines.
    let has_between = around.below.as_ref().is_some_and(|below| text[behind..below.start].contains('\n'));
    habit.blocks = !has_between && !is_before_deep_comment(text, around::behind(document, id), own_column);
    let written = write(value, own_column, is_item, compact, old_indent.filter(|&indent| indent > own_column), &habit)?;

    let newline = habit.newline;
    let below = written.below.map(|below| format!("{newline}{below}"));
    if !is_item && !text[..around.mark].ends_with(':') {
        // A key behind a `?` whose value is not there has no colon either.
        let at = line_end(text, around.mark);
        let gap = if written.inline.is_empty() { "" } else { &gap };
        let line = format!("{newline}{}:{gap}{}", " ".repeat(own_column), written.inline);
        let mut splices = vec![(at..at, line + &below.unwrap_or_default())];
        end_line(document, &mut splices, value, newline);
        return Ok(splices);
    }
    let is_block = entry.kind().is_container() && entry.style() == Style::Block && !entry.is(Flags::ALIAS);
    if is_block && around.below.is_none() {
        // A block on the line of its dash, all of it.
        let mut stop = behind_blanks(text, last_comment.unwrap_or(0).max(around.inline.end));
        let mut at = stop;
        if text[stop..].starts_with('#') {
            // A comment of others stays one, with blanks before it, and behind what stands on its line.
            stop = text[..stop].trim_end_matches([' ', '\t']).len();
            at = line_end(text, stop);
        }
        let gap = if written.inline.is_empty() { "" } else { &gap };
        let mut splices = vec![(around.mark..stop, format!("{kept_properties}{gap}{}", written.inline))];
        splices.extend(below.map(|below| (at..at, below)));
        end_line(document, &mut splices, value, newline);
        return Ok(splices);
    }
    let mut splices = Vec::new();
    let mut inline = if stripped || around.inline.is_empty() {
        let from = if stripped { around.mark } else { behind };
        let gap = if written.inline.is_empty() { "" } else { &gap };
        let new = format!("{}{gap}{}", if stripped { kept_properties.as_str() } else { "" }, written.inline);
        (from..around.inline.end.max(behind), new)
    } else if written.inline.is_empty() {
        let before = &text[behind..around.inline.start];
        let from = if before.contains('#') { behind + before.trim_end().len() } else { behind };
        (from..around.inline.end, String::new())
    } else {
        (around.inline.clone(), written.inline)
    };
    // Between a dash and a comment sops takes spaces alone.
    let comment = text[inline.0.end..].trim_start_matches([' ', '\t']);
    if is_item && inline.1.is_empty() && !inline.0.is_empty() && comment.starts_with('#') {
        inline = (inline.0.start..text.len() - comment.len(), " ".to_owned());
    }
    // Nor does it take a tab behind the mark, where nothing but a block below follows.
    if inline.1.is_empty() && !inline.0.is_empty() && comment.starts_with(['\n', '\r']) {
        inline.0.end = text.len() - comment.len();
    }
    let inline_end = inline.0.end;
    splices.push(inline);
    match around.below {
        Some(old) => {
            let stop = last_comment.unwrap_or(0).max(old.end).max(line_end_before(text, around::behind(document, id)));
            let stop = behind_blanks(text, stop.max(old.start));
            splices.push((old.start.max(inline_end)..stop, below.unwrap_or_default()));
        }
        None => {
            let at = line_end(text, inline_end);
            splices.extend(below.map(|below| (at..at, below)));
        }
    }
    end_line(document, &mut splices, value, newline);
    Ok(splices)
}

/// A text that ends with a line break cannot end a file that ends without one.
fn end_line(document: &Document, splices: &mut [Splice], value: Node<'_>, newline: &str) {
    let text = document.text();
    let last = value.document.subtree(value.id).rev().find(|&at| value.document.entry(at).kind() != Kind::Comment);
    let breaks = last.is_some_and(|last| value.document.scalar(last).bytes.ends_with(b"\n"));
    if let Some((range, new)) = splices.last_mut()
        && breaks
        && range.end == text.len()
        && !text.ends_with(['\n', '\r'])
    {
        new.push_str(newline);
    }
}

/// Whether the next line from `at` that is not blank is a comment behind `column`: the lines of a block scalar there
/// would take it for one of them.
fn is_before_deep_comment(text: &str, at: usize, column: usize) -> bool {
    let line = &text[around::behind_blank_lines(text, at)..];
    let bare = line.trim_start_matches(' ');
    bare.starts_with('#') && line.len() - bare.len() > column
}

/// The end of the line above the one that begins at `at`, or `at` at the end of a text without a last line break.
fn line_end_before(text: &str, at: usize) -> usize {
    let above = &text[..at];
    above.strip_suffix("\r\n").or(above.strip_suffix(['\n', '\r'])).map_or(at, str::len)
}

/// Puts a map in the place of a document that is empty.
fn replace_root(document: &Document, id: EntryId, around: &Around, value: Node<'_>) -> Result<Vec<Splice>> {
    let text = document.text();
    let habit = Habit::of(document, id);
    let mut lines = emit::print(value, 0, &habit)?;
    let span = document.entry(id).span();
    let inline = around.inline.clone();
    if !span.is_empty() && text[line_start(text, inline.start)..inline.start].trim_start_matches('\u{feff}').is_empty()
    {
        lines.truncate(lines.trim_end_matches(['\n', '\r']).len());
        let stop = behind_blanks(text, inline.end);
        let end = line_end(text, stop);
        let mut splices = if end > stop {
            // A comment behind the brackets stays above what comes in their place.
            vec![(inline.start..stop, String::new()), (end..end, format!("{}{lines}", habit.newline))]
        } else {
            vec![(inline.start..stop, lines)]
        };
        end_line(document, &mut splices, value, habit.newline);
        return Ok(splices);
    }
    let at = document_end(text, span.end);
    if at == text.len() && !text.is_empty() && !text.ends_with(['\n', '\r']) {
        lines = format!("{}{}", habit.newline, lines.trim_end_matches(['\n', '\r']));
    }
    let behind = around.properties.last().map_or(around.mark, |last| last.end);
    let mut splices = Vec::new();
    if !span.is_empty() {
        splices.push((behind..inline.end, String::new()));
    }
    splices.push((at..at, lines));
    end_line(document, &mut splices, value, habit.newline);
    Ok(splices)
}

/// Where the blanks behind `at` end.
fn behind_blanks(text: &str, at: usize) -> usize {
    at + text[at..].len() - text[at..].trim_start_matches([' ', '\t']).len()
}

/// Whether tags have to go for a value of `kind` to stand here, and the anchors that stay then, each with
/// a space before it.
fn keep_properties(document: &Document, id: EntryId, around: &Around, kind: Kind) -> (bool, String) {
    let text = document.text();
    let entry = document.entry(id);
    let is_tag = |word: &&Range<usize>| text[(*word).clone()].starts_with('!');
    let fits = !entry.is(Flags::TAGGED) && entry.kind() == kind && (kind == Kind::Str || kind.is_container());
    let stripped = !fits && around.properties.iter().any(|word| is_tag(&word));
    let kept = around.properties.iter().filter(|word| !stripped || !is_tag(word));
    (stripped, kept.map(|word| format!(" {}", &text[word.clone()])).collect())
}

/// Adds a last member or item to a block.
fn add(document: &Document, container: EntryId, key: Option<&str>, value: Node<'_>) -> Result<Vec<Splice>> {
    let text = document.text();
    let mut habit = Habit::of(document, container);
    let column = habit::key_column(document, container);
    let made = value.within(&[match key {
        Some(key) => crate::document::Step::Key(key.to_owned()),
        None => crate::document::Step::Index(0),
    }]);
    let at = around::behind(document, container);
    habit.blocks = !is_before_deep_comment(text, at, column);
    let lines = emit::print(Node::root(&made), column, &habit)?;
    let mut splices = Vec::new();
    if let Some(open) = open_ended(document, container) {
        splices.push(open);
    }
    let ends_open = at == text.len() && !text.ends_with(['\n', '\r']);
    let lines = if ends_open { format!("{}{}", habit.newline, lines.trim_end_matches(['\n', '\r'])) } else { lines };
    splices.push((at..at, lines));
    end_line(document, &mut splices, value, habit.newline);
    Ok(splices)
}

/// A block scalar that the end of the file cuts off has no line break at its end, and is to have none when
/// a line follows: its header says so then.
fn open_ended(document: &Document, container: EntryId) -> Option<Splice> {
    let mut at = container;
    while let Some(last) = document.children(at).last() {
        at = last;
    }
    let is_block = matches!(document.entry(at).style(), Style::Literal | Style::Folded);
    let text = document.text();
    if !is_block || text.ends_with(['\n', '\r']) || document.entry(at).span().end < text.trim_end().len() {
        return None;
    }
    let header = Around::of(document, at).inline;
    let digits = text[header.clone()].trim_matches(['|', '>', '+', '-']);
    Some((header.clone(), format!("{}{digits}-", &text[header.start..=header.start])))
}

/// Writes a value behind the mark of a key or dash at `column`.
fn write(
    value: Node<'_>,
    column: usize,
    is_item: bool,
    is_compact: bool,
    indent: Option<usize>,
    habit: &Habit,
) -> Result<Written> {
    let kind = value.document.entry(value.id).kind();
    if kind.is_container() {
        if value.document.children(value.id).next().is_none() {
            return Ok(Written { inline: if kind == Kind::Map { "{}" } else { "[]" }.to_owned(), below: None });
        }
        let lines = emit::print(value, habit.below(column, is_item, kind), habit)?;
        let lines = lines.trim_end_matches(['\n', '\r']);
        return Ok(match is_compact {
            true => Written::of_lines(lines.trim_start_matches(' ')),
            false => Written { inline: String::new(), below: Some(lines.to_owned()) },
        });
    }
    let indent = indent.unwrap_or(habit.below(column, is_item, Kind::Map));
    let context = Context { indent, base: column, in_flow: false, is_key: false, newline: habit.newline };
    let mut out = Vec::new();
    habit.write(value.document.scalar(value.id), context, &mut out);
    let text = String::from_utf8(out).unwrap_or_default();
    Ok(Written::of_lines(&text))
}
