//! The index of a dotenv text: one pass over its lines.

use super::metadata::is_metadata;
use crate::document::{Builder, Document, EntryId, Flags, Kind, Style, Text};
use crate::error::{self, Error, Result};
use crate::format::template;
use memchr::memmem::Finder;
use std::ops::Range;

/// Indexes `text`.
pub(super) fn index(text: String) -> Result<Document> {
    let mut builder = Builder::new(text)?;
    let source = builder.shared_text();
    let root = builder.open(Kind::Map, 0, None, Style::Flow, Flags::NONE);
    let mut lines = Lines { builder: &mut builder, root, escape: Finder::new("\\n"), above: Vec::new() };
    let mut at = 0;
    while at < source.len() {
        let end = memchr::memchr(b'\n', &source.as_bytes()[at..]).map_or(source.len(), |len| at + len);
        lines.line(&source, at..end)?;
        at = end + 1;
    }
    lines.place_comments(None);
    builder.close(source.len());
    drop(source);
    Ok(builder.finish())
}

struct Lines<'a> {
    builder: &'a mut Builder,
    root: EntryId,
    /// What stands for a line break in a value.
    escape: Finder<'static>,
    /// The comments that no value has followed yet.
    above: Vec<EntryId>,
}

impl Lines<'_> {
    fn line(&mut self, source: &str, line: Range<usize>) -> Result<()> {
        let text = &source[line.clone()];
        if text.starts_with('#') {
            let comment = self.builder.slice(line.start + 1..line.end);
            let id = self.builder.comment(line, comment);
            self.above.push(id);
            return Ok(());
        }
        if let Some(mark) = memchr::memchr(b'=', text.as_bytes()) {
            let (key, value) = (&text[..mark], line.start + mark + 1..line.end);
            let canonical = self.value(&source[value.clone()], &value);
            let name = self.builder.slice(line.start..line.start + mark);
            let id = self.builder.leaf(Kind::Str, value, Some(name), canonical, Style::Plain, Flags::NONE);
            if !is_metadata(key) {
                self.place_comments(Some(id));
            }
            return Ok(());
        }
        // sops refuses a line that is neither, if there is anything in it, were it a carriage return. So an
        // encrypted file has nothing in a blank line, and a comment in the first column.
        let content = text.trim_start();
        if content.is_empty() {
            let flags = Flags::NONE.with_if(!text.is_empty(), Flags::REWRITTEN);
            self.builder.comment_with(line, Text::EMPTY, Style::Plain, flags);
            return Ok(());
        }
        if content.starts_with('#') {
            let start = line.end - content.len() + 1;
            let comment = self.builder.slice(start..line.end);
            let id = self.builder.comment_with(line, comment, Style::Plain, Flags::REWRITTEN);
            self.above.push(id);
            return Ok(());
        }
        Err(no_mark(source, line))
    }

    /// The value that stands at `range`: the same text but for its line breaks.
    fn value(&mut self, text: &str, range: &Range<usize>) -> Text {
        if self.escape.find(text.as_bytes()).is_none() {
            return self.builder.slice(range.clone());
        }
        self.builder.intern(text.replace("\\n", "\n").as_bytes())
    }

    fn place_comments(&mut self, before: Option<EntryId>) {
        for comment in self.above.drain(..) {
            self.builder.place_comment(comment, self.root, before);
        }
    }
}

fn no_mark(source: &str, line: Range<usize>) -> Error {
    let text = source[line.clone()].trim();
    let error = Error::new(error::Kind::Format, "this line has no `=`").at(source, line.start);
    if let Some(template) = template::around(source, line.end - source[line.clone()].trim_start().len()) {
        return template.explain(error, "dotenv");
    }
    let error = error.because("each line of a dotenv file is KEY=VALUE or, with a # in front, a comment");
    let word = text.strip_prefix("export ").unwrap_or(text);
    let is_name = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name {
        return error.hint("write a `=` behind the key, also when its value is empty");
    }
    error.hint("a value of several lines is written on one, with \\n for each line break; of a file of another kind, say which: --input-type TYPE")
}
