//! The `sops` block of a YAML document: where it goes and what to take out so that it never was there.
//!
//! In a document by indentation it is the last key, on lines of its own before the end of the document; or
//! the last but one where the last value is a block scalar that the end of the file cuts off, since whatever
//! follows would be part of it. In a document in braces it is the last member. A file that does not end with a
//! line break still does not with the block, which is how its removal knows.

use super::place::{line_behind, line_start, newline_of, next_line, own_line, skip_to_mark};
use super::quoted::SEPARATORS;
use super::{edit, emit};
use crate::document::{Document, EntryId, Flags, Indent, Kind, Style, Value};
use crate::format::METADATA_KEY;
use std::ops::Range;

/// What to take out of each document that has a block.
pub(super) fn spans(document: &Document, blocks: &[EntryId]) -> Vec<Range<usize>> {
    blocks.iter().map(|&block| span(document, block)).collect()
}

fn span(document: &Document, block: EntryId) -> Range<usize> {
    let text = document.text();
    let root = document.entry(block).parent().unwrap_or(block);
    let end = end(document, block);
    if document.entry(root).style() == Style::Flow {
        return crate::format::member_span(document, root, block, skip_to_mark);
    }
    let key = document.key_start(block).unwrap_or(document.entry(block).span().start);
    let start = own_line(text, key);
    if text[end..].contains(['\n', '\r']) {
        return start..next_line(text, end);
    }
    // The line break of the file's plaintext, which may have been another one than that of its tokens.
    let before = &text[..start];
    ["\r\n", "\n", "\r"].iter().find_map(|newline| before.strip_suffix(newline)).map_or(start, str::len)..text.len()
}

/// Where the text of the value `id` ends, comments below it left out.
fn end(document: &Document, id: EntryId) -> usize {
    let mut at = id;
    while document.entry(at).style() == Style::Block
        && let Some(last) = document.children(at).last()
    {
        at = last;
    }
    document.entry(at).span().end
}

/// The block alone, with its key, and what around it makes a document of it.
pub(super) fn lines(document: &Document, block: EntryId) -> (Range<usize>, [&'static str; 2]) {
    let text = document.text();
    let root = document.entry(block).parent().unwrap_or(block);
    if document.entry(root).style() == Style::Flow {
        return (edit::flow_member(document, root, block), ["{", "}"]);
    }
    let key = document.key_start(block).unwrap_or(document.entry(block).span().start);
    (own_line(text, key)..next_line(text, edit::end(document, block)), [""; 2])
}

/// How far the first of `blocks` is indented, so that a new one is likewise.
pub(super) fn indent(document: &Document, blocks: &[EntryId]) -> Indent {
    let column = |start: usize| start - own_line(document.text(), start);
    let step = blocks.first().and_then(|&block| {
        let first = document.children(block).next().and_then(|child| document.key_start(child))?;
        column(first).checked_sub(column(document.key_start(block)?))
    });
    // Of one in braces, whose first key stands behind it, nothing is learnt.
    match step.and_then(|step| u8::try_from(step).ok()) {
        Some(step @ 1..=9) if blocks.first().is_some_and(|&block| document.entry(block).style() == Style::Block) => {
            Indent::Spaces(step)
        }
        _ => Indent::OfSops,
    }
}

/// Where to put the block, and its text.
pub(super) fn insertions(document: &Document, metadata: &Value) -> Vec<(usize, String)> {
    let has_room = |&root: &EntryId| {
        let entry = document.entry(root);
        // A null that is written out leaves none, and an alias is replaced as a whole; the block is read from the first
        // document anyway, and there it takes the null's place.
        let is_map = entry.kind() == Kind::Map && !entry.is(Flags::ALIAS);
        is_map || entry.span().is_empty() || entry.is(Flags::REWRITTEN)
    };
    document.roots().iter().copied().filter(has_room).map(|root| insertion(document, root, metadata)).collect()
}

fn insertion(document: &Document, root: EntryId, metadata: &Value) -> (usize, String) {
    let entry = document.entry(root);
    let text = document.text();
    let member = || format!("\"{METADATA_KEY}\": {}", edit::emit_flow(metadata));
    if entry.is(Flags::REWRITTEN) {
        return (entry.span().start, format!("{{{}}}", member()));
    }
    if entry.kind() == Kind::Map && entry.style() == Style::Flow {
        let member = member();
        return crate::format::member_insertion(document, root, &member, " ", skip_to_mark);
    }
    let span = entry.span();
    let column = if entry.kind() == Kind::Map { span.start - own_line(text, span.start) } else { 0 };
    let block = Value::Map(vec![(METADATA_KEY.to_owned(), metadata.clone())]);
    let newline = newline_of(text);
    let block = emit::emit_block(&block, column, newline, document.block_indent);
    if document.ends_open() && document.roots().last() == Some(&root) {
        return (last_key(document, root, column), block);
    }
    let at = document_end(text, span.end);
    if at < text.len() || text.is_empty() || text.ends_with(['\n', '\r']) {
        (at, block)
    } else {
        (at, format!("{newline}{}", block.strip_suffix(newline).unwrap_or(&block)))
    }
}

/// Where the lines of the last key of `root` begin, with the comments directly above it. One that is indented deeper
/// than the keys, which are at `column`, stays behind the value above: behind the block, sops would take it for the block's.
fn last_key(document: &Document, root: EntryId, column: usize) -> usize {
    let text = document.text();
    let (before_last, _) = document.children(root).fold((None, None), |(_, last), next| (last, Some(next)));
    let Some(before_last) = before_last else { return own_line(text, document.entry(root).span().start) };
    // An empty block scalar ends where the next line begins.
    let end = end(document, before_last);
    let mut at = if line_start(text, end) == end { end } else { line_behind(text, end) };
    let mut comments = None;
    loop {
        let next = line_behind(text, at);
        let indented = text[at..next].trim_end_matches(SEPARATORS).trim_ascii_end();
        let line = indented.trim_ascii_start();
        match line.bytes().next() {
            None if at < text.len() => comments = None,
            Some(b'#') if indented.len() - line.len() > column => comments = None,
            Some(b'#') => _ = comments.get_or_insert(at),
            _ => return comments.unwrap_or(at),
        }
        at = next;
    }
}

/// Where the document that has its last value before `from` ends: before the next `---`, `...` or directive.
pub(super) fn document_end(text: &str, from: usize) -> usize {
    let mut at = from;
    // `from` may be at the start of a line already: behind a block scalar, or in an empty document.
    let mut at_line_start = line_start(text, from) == from;
    loop {
        if at_line_start {
            let line = &text[at..];
            let marker = line.starts_with("---") || line.starts_with("...");
            if line.starts_with('%') || marker && line[3..].chars().next().is_none_or(char::is_whitespace) {
                return at;
            }
        }
        if at == text.len() {
            return at;
        }
        at = line_behind(text, at);
        at_line_start = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, yaml::Yaml};

    /// The text with `sops:` where the block goes.
    fn with_block(text: &str) -> String {
        let document = Yaml.index(text.to_owned()).expect("YAML");
        let [(at, _)] = insertions(&document, &Value::Map(Vec::new()))[..] else { panic!("one block") };
        format!("{}sops:\n{}", &text[..at], &text[at..])
    }

    #[test]
    fn the_block_above_the_last_key_takes_no_comment_of_the_value_above() {
        for (above, below) in [
            ("a: 1\n", "# c\nb: |\n  t\n  "),
            ("a: 1\n\n", "# c\n# d\nb: |\n  t\n  "),
            ("a: 1\n  # c\n", "b: |\n  t\n  "),
            ("a:\n  b: 1\n  # c\n", "# d\nb: |\n  t\n  "),
            ("a:\n  b: 1\n# c\n\n\t # d\n", "b: |\n  t\n  "),
            (" a: 1\n  # c\n", " # d\n b: |\n  t\n  "),
            ("\u{feff}", "a: |\n  t"),
        ] {
            assert_eq!(with_block(&format!("{above}{below}")), format!("{above}sops:\n{below}"));
        }
    }
}
