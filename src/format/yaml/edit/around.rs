//! What stands around a value in the text: its mark, its tags and anchors, its lines, its comments.
//!
//! The index gives the span of a value without all that. Here it is found from the span: backwards over
//! blanks, line breaks, comments (which the index knows) and properties, which is everything that may
//! stand between a value and the mark before it.

use crate::document::{Document, EntryId, Flags, Kind, Style};
use crate::format::yaml::block::document_end;
use crate::format::yaml::place::{line_start, next_line, skip_to_mark};
use std::ops::Range;

/// What stands around the value of an entry.
pub(super) struct Around {
    /// Behind the mark that the value follows: `:`, `-`, or a bracket or comma; the start of the document for
    /// a root.
    pub(super) mark: usize,
    /// Tags and anchors before the value, in their order; those that the span begins with included.
    pub(super) properties: Vec<Range<usize>>,
    /// The value itself, without tags and anchors, as far as it stands on the line of its beginning: a
    /// scalar, brackets, or the header of a block scalar. Empty for a block, and where nothing stands.
    pub(super) inline: Range<usize>,
    /// The lines of a block or a block scalar: from the line break before the first to the end of the last.
    pub(super) below: Option<Range<usize>>,
}

impl Around {
    pub(super) fn of(document: &Document, id: EntryId) -> Self {
        let text = document.text();
        let entry = document.entry(id);
        let mut span = entry.span();
        let mut properties = Vec::new();
        if entry.is(Flags::TAGGED) {
            while text[span.clone()].starts_with(['!', '&']) {
                let word = span.start..span.start + word_len(&text[span.clone()]);
                let behind = &text[word.end..span.end];
                span.start = word.end + behind.len() - behind.trim_start().len();
                properties.push(word);
            }
        }
        let header = is_block_scalar(document, id).then(|| header(document, id));
        let mut start = header.as_ref().map_or(entry.span().start, |header| header.start);
        let (mut mark, mut before) = back_to_mark(document, id, start);
        // The span of a list in the column of its key begins behind the first dash.
        if entry.kind() == Kind::List && entry.has_key() && text[..mark].ends_with('-') {
            start = mark - 1;
            (mark, before) = back_to_mark(document, id, start);
        }
        properties.splice(0..0, before);
        let behind = properties.last().map_or(mark, |last| last.end);
        if let Some(header) = header {
            let below = line_end(text, header.end);
            let stop = if span.is_empty() { below } else { span.end.max(below) };
            return Around { mark, properties, inline: header, below: Some(below..stop) };
        }
        if entry.kind().is_container() && entry.style() == Style::Block && !entry.is(Flags::ALIAS) {
            let end = end(document, id);
            let first = line_start(text, start);
            // A block that begins on the line of its dash is all inline. Blank lines before it are its own, and so
            // are its comments.
            let below = (first > behind).then(|| {
                let mut comments = comments_of(document, id).map(|comment| document.entry(comment).span().start);
                let first = comments.find(|&comment| comment >= behind).map_or(first, |comment| comment.min(first));
                text[..first].trim_end().len().max(behind)..end
            });
            let inline = if below.is_some() { behind..behind } else { start..end };
            return Around { mark, properties, inline, below };
        }
        if span.is_empty() {
            return Around { mark, properties, inline: behind..behind, below: None };
        }
        Around { mark, properties, inline: span, below: None }
    }
}

/// The header of a block scalar: its `|` or `>` and what belongs to it.
fn header(document: &Document, id: EntryId) -> Range<usize> {
    let text = document.text();
    let start = document.entry(id).span().start;
    // On the line above the content, before a comment.
    let mut end = text[..start].trim_end_matches([' ', '\t', '\n', '\r']).len();
    if let Some(comment) = beside(document, id).into_iter().find(|comment| comment.start < end && end <= comment.end) {
        end = text[..comment.start].trim_end_matches([' ', '\t']).len();
    }
    text[..end].rfind([' ', '\t', '\n', '\r']).map_or(0, |found| found + 1)..end
}

/// Goes from `at`, where the value `id` stands, back to the mark before it. Gives the place behind the mark,
/// and the tags and anchors on the way.
fn back_to_mark(document: &Document, id: EntryId, at: usize) -> (usize, Vec<Range<usize>>) {
    let text = document.text();
    let mut properties = Vec::new();
    // A value that is not there stands before its colon, to the parser.
    if document.entry(id).span().is_empty() && document.entry(id).has_key() && text[at..].starts_with(':') {
        return (at + 1, properties);
    }
    let mut at = at;
    let mut comments = beside(document, id);
    loop {
        at = text[..at].trim_end_matches([' ', '\t', '\n', '\r']).len();
        while comments.pop_if(|comment| comment.start >= at).is_some() {}
        // The span of a comment has its trailing blanks in it.
        if let Some(comment) = comments.pop_if(|comment| comment.end >= at) {
            at = comment.start;
            continue;
        }
        let word = text[..at].rfind([' ', '\t', '\n', '\r', '[', '{', ',']).map_or(0, |found| found + 1);
        if word < at && text[word..at].starts_with(['!', '&']) {
            properties.insert(0, word..at);
            at = word;
            continue;
        }
        return (at, properties);
    }
}

/// The comments directly before `id` in the table and directly behind it, where those before a block may stand; in
/// the order of the text. The blocks that `id` is the beginning of do not part it from what is before them.
fn beside(document: &Document, id: EntryId) -> Vec<Range<usize>> {
    let is_comment = |at: &EntryId| document.entry(*at).kind() == Kind::Comment;
    let mut beginning = id;
    let before = (0..id).rev().take_while(|&at| {
        let is_around = document.entry(beginning).parent() == Some(at);
        if is_around {
            beginning = at;
        }
        is_around || is_comment(&at)
    });
    let behind = (id + 1..document.len()).take_while(is_comment);
    let comments = before.chain(behind).filter(is_comment);
    let mut comments: Vec<_> = comments.map(|at| document.entry(at).span()).collect();
    comments.sort_by_key(|comment| comment.start);
    comments
}

fn word_len(text: &str) -> usize {
    text.find([' ', '\t', '\n', '\r']).unwrap_or(text.len())
}

/// Where the value of `id` ends: its last scalar or bracket, without comments behind it.
pub(in crate::format::yaml) fn end(document: &Document, id: EntryId) -> usize {
    let mut at = id;
    loop {
        let entry = document.entry(at);
        let is_block = entry.kind().is_container() && entry.style() == Style::Block && !entry.is(Flags::ALIAS);
        match document.children(at).last().filter(|_| is_block) {
            Some(last) => at = last,
            None if entry.span().is_empty() => {
                let around = Around::of(document, at);
                return around.below.map_or(around.inline.end, |below| below.end);
            }
            None => return entry.span().end,
        }
    }
}

/// Where the key or the dash of the child `id` of a block begins; anchors and tags of the key are before its
/// text, and belong to it.
pub(super) fn head(document: &Document, container: EntryId, id: EntryId) -> usize {
    let text = document.text();
    if !document.entry(id).has_key() {
        // Behind the dash is the mark.
        return Around::of(document, id).mark - 1;
    }
    match document.children(container).take_while(|&child| child != id).last() {
        Some(previous) => skip_to_mark(text, end(document, previous)),
        None => document.entry(container).span().start,
    }
}

/// How many characters stand before `at` on its line.
pub(super) fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at].trim_start_matches('\u{feff}').chars().count()
}

/// The end of the line of `at`, before its line break.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find(['\n', '\r']).map_or(text.len(), |found| at + found)
}

/// The comments that sops counts to the value `id`: those in it, and below it by its indentation.
pub(super) fn comments_of(document: &Document, id: EntryId) -> impl Iterator<Item = EntryId> + '_ {
    let subtree = document.subtree(id);
    let near = nearby(document, &subtree);
    near.filter(move |&at| document.entry(at).parent().is_some_and(|parent| subtree.contains(&parent)))
}

/// The comments in the text of `range` that are not of the value `id`.
pub(super) fn comments_of_others(document: &Document, id: EntryId, range: Range<usize>) -> Vec<EntryId> {
    comments_but_of(document, id, id, range)
}

/// The comments in the text of `range`, which is within `around` or beside it, that are not of the value `id`.
pub(super) fn comments_but_of(document: &Document, around: EntryId, id: EntryId, range: Range<usize>) -> Vec<EntryId> {
    let subtree = document.subtree(id);
    nearby(document, &document.subtree(around))
        .filter(|&at| {
            let entry = document.entry(at);
            let stands_there = range.contains(&entry.span().start);
            stands_there && !entry.parent().is_some_and(|parent| subtree.contains(&parent))
        })
        .collect()
}

/// The comments in a subtree, directly before it and directly behind it.
fn nearby<'a>(document: &'a Document, subtree: &Range<EntryId>) -> impl Iterator<Item = EntryId> + use<'a> {
    let is_comment = |at: &EntryId| document.entry(*at).kind() == Kind::Comment;
    let first = (0..subtree.start).rev().take_while(is_comment).last().unwrap_or(subtree.start);
    let last = (subtree.end..document.len()).take_while(is_comment).last().map_or(subtree.end, |last| last + 1);
    (first..last).filter(move |&at| document.entry(at).kind() == Kind::Comment)
}

/// Where the line behind the last line of the value `id` begins: blank lines that are part of a block scalar
/// (`|+`) are lines of it, and so are comments that sops counts to it.
pub(super) fn behind(document: &Document, id: EntryId) -> usize {
    let text = document.text();
    let mut at = end(document, id);
    let last = last_leaf(document, id);
    let at_line_start = at > 0 && line_start(text, at) == at;
    if !at_line_start {
        at = next_line(text, at);
    }
    if is_keeper(document, last) {
        at = behind_blank_lines(text, at);
    }
    feet(document, id).max().map_or(at, |foot| at.max(next_line(text, foot)))
}

/// Where the comments of the value `id` end. Those behind the end of the document, which sops may count to it, stay there.
pub(super) fn feet(document: &Document, id: EntryId) -> impl Iterator<Item = usize> + '_ {
    let limit = document_end(document.text(), end(document, id));
    comments_of(document, id).map(|comment| document.entry(comment).span().end).filter(move |&end| end < limit)
}

/// Whether the value before `id` in the text takes blank lines behind it for its own.
pub(super) fn follows_keeper(document: &Document, id: EntryId) -> bool {
    leaf_before(document, id).is_some_and(|before| is_keeper(document, before))
}

/// Whether the value before `id` in the text is a block scalar, to which its last line break belongs.
pub(super) fn follows_block_scalar(document: &Document, id: EntryId) -> bool {
    leaf_before(document, id).is_some_and(|before| is_block_scalar(document, before))
}

fn leaf_before(document: &Document, id: EntryId) -> Option<EntryId> {
    (0..id).rev().find(|&at| !matches!(document.entry(at).kind(), Kind::Comment | Kind::Map | Kind::List))
}

fn is_block_scalar(document: &Document, id: EntryId) -> bool {
    let entry = document.entry(id);
    matches!(entry.style(), Style::Literal | Style::Folded) && !entry.is(Flags::ALIAS)
}

fn last_leaf(document: &Document, id: EntryId) -> EntryId {
    let mut at = id;
    while let Some(last) = document.children(at).last() {
        at = last;
    }
    at
}

/// Whether this is a block scalar that has the `+` in its header, or nothing but blank lines.
fn is_keeper(document: &Document, id: EntryId) -> bool {
    let entry = document.entry(id);
    is_block_scalar(document, id)
        && (entry.span().is_empty() || document.text()[Around::of(document, id).inline].contains('+'))
}

/// Where the first line at or behind `at` begins that is not blank.
pub(super) fn behind_blank_lines(text: &str, mut at: usize) -> usize {
    while at < text.len() && text[at..line_end(text, at)].bytes().all(|byte| matches!(byte, b' ' | b'\t')) {
        at = next_line(text, at);
    }
    at
}
