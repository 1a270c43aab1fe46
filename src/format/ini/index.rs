//! The index of an INI text: one pass over its lines.

use super::super::METADATA_KEY;
use super::read::{self, Wrong};
use super::{DEFAULT_SECTION, comment};
use crate::document::{Builder, Document, EntryId, Flags, Kind, Style, Text};
use crate::error::{self, Error, Result};
use crate::format::{AS_IT_IS, template};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// Indexes `text`.
pub(super) fn index(text: String) -> Result<Document> {
    let mut builder = Builder::new(text)?;
    let source = builder.shared_text();
    let start = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    builder.open(Kind::Map, start, None, Style::Flow, Flags::NONE);
    let name = builder.intern(DEFAULT_SECTION.as_bytes());
    let id = builder.open(Kind::Map, start, Some(name), Style::Flow, Flags::NONE);
    let section = Section::new(id, None);
    let mut indexer = Indexer { builder, text: &source, above: Vec::new(), section, placements: Vec::new() };
    let mut at = start;
    while at < source.len() {
        at = indexer.line(at)?;
    }
    let mut builder = indexer.finish();
    builder.close(source.len());
    drop(source);
    Ok(builder.finish())
}

struct Indexer<'a> {
    builder: Builder,
    text: &'a str,
    /// The comment lines that nothing has followed yet, each with its line feed.
    above: Vec<Range<usize>>,
    section: Section<'a>,
    placements: Vec<Placement>,
}

/// The section that is open.
struct Section<'a> {
    id: EntryId,
    comment: Option<EntryId>,
    keys: Vec<Key>,
    by_name: HashMap<Cow<'a, str>, usize>,
    /// How many keys were called `-`, which stands for a number.
    numbered: usize,
}

/// A key of sops' tree: where it stands first, and its comment.
struct Key {
    first: EntryId,
    comment: Option<EntryId>,
}

/// Where in sops' tree a comment stands.
struct Placement {
    before: Option<EntryId>,
    container: EntryId,
    comment: EntryId,
}

impl Section<'_> {
    fn new(id: EntryId, comment: Option<EntryId>) -> Self {
        Section { id, comment, keys: Vec::new(), by_name: HashMap::new(), numbered: 0 }
    }
}

impl<'a> Indexer<'a> {
    /// Reads what begins on the line at `at`; gives where the next line begins.
    fn line(&mut self, at: usize) -> Result<usize> {
        let end = read::line_end(self.text, at);
        let line = self.text[at..end].trim_start();
        let start = end - line.len();
        match line.bytes().next() {
            None => Ok(end),
            Some(b'#' | b';') => {
                self.above.push(start..end);
                Ok(end)
            }
            Some(b'[') => {
                self.header(start..end)?;
                Ok(end)
            }
            Some(_) => self.key(start, line),
        }
    }

    fn header(&mut self, line: Range<usize>) -> Result<()> {
        let text = &self.text[line.clone()];
        let close = line.start + text.rfind(']').ok_or_else(|| open_header(self.text, line.start))?;
        let name = line.start + 1..close;
        if name.is_empty() {
            return Err(empty_header(self.text, line.start));
        }
        let is_metadata = &self.text[name.clone()] == METADATA_KEY;
        let inline = read::comment_in(self.text, close + 1..line.end);
        if is_metadata {
            // Comments at the end stay what they were before the metadata came behind them.
            self.comment_above(None);
        }
        self.close_section(line.start);
        let above = self.comment_above(inline.as_ref());
        let name = self.builder.slice(name);
        let id = self.builder.open(Kind::Map, line.start, Some(name), Style::Flow, Flags::NONE);
        // A header ends at the last ] of its line, which would be that of the token.
        let inline = inline.map(|inline| self.inline_comment(inline, above.is_some(), Flags::NO_TOKEN));
        self.section = Section::new(id, above.or(inline));
        Ok(())
    }

    fn key(&mut self, start: usize, line: &str) -> Result<usize> {
        let wrong = |wrong| wrong_line(self.text, start, wrong);
        let (name, behind) = read::key(line).map_err(wrong)?;
        let value = read::value(self.text, start + behind).map_err(wrong)?;
        let name = start + name.start..start + name.end;
        let above = self.comment_above(value.comment.as_ref());
        let (key, name) = if &self.text[name.clone()] == "-" {
            self.section.numbered += 1;
            let name = format!("#{}", self.section.numbered);
            (self.builder.intern(name.as_bytes()), Cow::Owned(name))
        } else {
            (self.builder.slice(name.clone()), Cow::Borrowed(&self.text[name]))
        };
        let text = match &value.text {
            Cow::Borrowed("") => Text::EMPTY,
            Cow::Borrowed(text) => {
                let start = value.span.start + read::quote(value.style).len();
                self.builder.slice(start..start + text.len())
            }
            Cow::Owned(text) => self.builder.intern(text.as_bytes()),
        };
        let earlier = self.section.by_name.get(&name).copied();
        let id = self.builder.leaf(Kind::Str, value.span, Some(key), text, value.style, Flags::NONE);
        let inline = value.comment.map(|inline| self.inline_comment(inline, above.is_some(), Flags::NONE));
        let comment = above.or(inline);
        match earlier {
            // The last value and its comment count, in the place of the first.
            Some(earlier) => {
                let key = &mut self.section.keys[earlier];
                key.comment = comment;
                self.builder.shadow(id, key.first);
            }
            None => {
                self.section.by_name.insert(name, self.section.keys.len());
                self.section.keys.push(Key { first: id, comment });
            }
        }
        Ok(value.end)
    }

    /// The comment lines above, as one entry; its text goes on with that of the comment `inline`, if there is one.
    fn comment_above(&mut self, inline: Option<&Range<usize>>) -> Option<EntryId> {
        let (first, last) = (self.above.first()?.start, self.above.last()?.clone());
        let span = first..read::trimmed(self.text, last).end;
        let is_one_piece = self.above.windows(2).all(|pair| pair[0].end == pair[1].start);
        let text = if is_one_piece && inline.is_none() {
            let text = comment::stripped(&self.text[span.clone()]);
            self.builder.slice(span.end - text.len()..span.end)
        } else {
            let mut lines: String = self.above.iter().map(|line| &self.text[line.clone()]).collect();
            lines.push_str(inline.map_or("", |inline| &self.text[inline.clone()]));
            self.builder.intern(comment::stripped(&lines).as_bytes())
        };
        self.above.clear();
        Some(self.builder.comment(span, text))
    }

    /// The comment behind a value or a header.
    fn inline_comment(&mut self, span: Range<usize>, is_tied: bool, flags: Flags) -> EntryId {
        let text = comment::stripped(&self.text[span.clone()]);
        let text = self.builder.slice(span.end - text.len()..span.end);
        let flags = flags.with_if(is_tied, Flags::TIED);
        self.builder.comment_with(span, text, Style::Flow, flags)
    }

    fn close_section(&mut self, end: usize) {
        let Section { id, comment, keys, .. } = &self.section;
        let first = |at: usize| keys.get(at).map(|key| key.first);
        // sops has the comment of a key behind it.
        let of_keys = keys.iter().enumerate().map(|(at, key)| (key.comment, first(at + 1)));
        for (comment, before) in std::iter::once((*comment, first(0))).chain(of_keys) {
            self.placements.extend(comment.map(|comment| Placement { before, container: *id, comment }));
        }
        self.builder.close(end);
    }

    fn finish(mut self) -> Builder {
        // Comments at the end, which sops loses, belong to the last section.
        self.comment_above(None);
        self.close_section(self.text.len());
        self.placements.sort_by_key(|place| (place.before.unwrap_or(EntryId::MAX), place.container));
        for place in self.placements {
            self.builder.place_comment(place.comment, place.container, place.before);
        }
        self.builder
    }
}

fn fault(text: &str, at: usize, message: &str) -> Error {
    Error::new(error::Kind::Format, message).at(text, at)
}

fn open_header(text: &str, at: usize) -> Error {
    fault(text, at, "the name of this section is not closed")
        .because("it ends with the last ] of its line, and there is none")
        .hint("write a ] behind it")
}

fn empty_header(text: &str, at: usize) -> Error {
    fault(text, at, "this section has no name")
        .because("sops does not read one without")
        .hint("write one between [ and ]; keys before the first section need none")
}

fn wrong_line(text: &str, at: usize, wrong: Wrong) -> Error {
    let fault = |message| fault(text, at, message);
    match wrong {
        Wrong::NoDelimiter if let Some(template) = template::around(text, at) => {
            template.explain(fault("this line has neither `=` nor `:`"), "INI")
        }
        Wrong::NoDelimiter => fault("this line has neither `=` nor `:`")
            .because("each line of an INI file is a [section], a key and its value, or a comment with ; or # in front")
            .hint("write a `=` behind the key, also when its value is empty; a value of several lines stands between \"\"\" and \"\"\"")
            .hint(AS_IT_IS),
        Wrong::EmptyKey => fault("this line has no key before its `=`")
            .because("each value of an INI file has one")
            .hint("write one, or remove the line"),
        Wrong::OpenKeyQuote => fault("the quote that this key begins with is not closed")
            .because("what begins with a quote ends with one")
            .hint("close it before the `=`; or, when it is a part of the key, put the key between two `"),
        Wrong::OpenValueQuote => fault("the quote that the value of this key begins with is not closed")
            .because("the file ends before one that closes it")
            .hint("close it: a value between two ` or two \"\"\" may have several lines"),
    }
}
