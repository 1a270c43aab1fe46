//! The tokens of YAML that needs no whole parser: maps and lists in blocks, with a value on each line.
//!
//! Large files are such lines one after the other, and a parser for all of YAML takes most of the time there. What is
//! read here is the part of YAML in which a line means the same to everyone, whatever stands around it. At anything
//! else the walk ends with [`NotSimple`], and the whole text goes to the parser. The tokens are the parser's own, in its
//! order, which a test compares on all files that there are and on many that chance makes of them.

use std::collections::VecDeque;
use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// The `---` before the one document.
    DocumentStart,
    MapStart,
    /// A list that is indented deeper than its key.
    ListStart,
    /// A list that is not; the parser has no token for its beginning and its end.
    FlatListStart,
    /// The end of a map or list in a block.
    BlockEnd,
    /// Before a key.
    Key,
    /// The colon behind a key.
    Colon,
    /// Before an item.
    Dash,
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// A literal block scalar whose lines are indented by so many spaces; `keep` is whether it ends in a line break.
    Literal {
        indent: u32,
        keep: bool,
    },
    /// `[]`, which is two tokens of the parser.
    EmptyList,
    /// `{}`, likewise.
    EmptyMap,
    /// A value that is not there.
    Absent,
    Comment,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token {
    /// The bytes of the text that it is.
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// That there is something in a text which is not read here.
#[derive(Debug)]
pub(super) struct NotSimple;

/// An open map or list.
#[derive(Clone)]
struct Block {
    column: usize,
    kind: TokenKind,
}

/// The walk over a text.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    /// The beginning of the line that comes next.
    at: usize,
    blocks: Vec<Block>,
    /// Behind a key or dash whose value has not come: where the parser says that it is, should there be none.
    waiting: Option<usize>,
    /// Where the last comment is.
    comment_at: usize,
    queue: VecDeque<Token>,
    /// Whether the `---` has been.
    is_begun: bool,
    is_ended: bool,
}

impl<'a> Lines<'a> {
    /// Deeper ones are left to the parser.
    const DEPTH: usize = 500;
    /// A longer text before a colon is no key.
    const LONGEST_KEY: usize = 1_000;

    /// Begins at the start of `text`; `None` when a character in it alone says that it is not simple.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        is_printable(text.as_bytes()).then(|| Lines {
            bytes: text.as_bytes(),
            at: 0,
            blocks: Vec::new(),
            waiting: None,
            comment_at: 0,
            queue: VecDeque::new(),
            is_begun: false,
            is_ended: false,
        })
    }

    /// The next token; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, NotSimple> {
        loop {
            if let Some(token) = self.queue.pop_front() {
                return Ok(Some(token));
            }
            if self.is_ended {
                return Ok(None);
            }
            if self.at < self.bytes.len() {
                self.line()?;
            } else {
                self.finish()?;
            }
        }
    }

    fn push(&mut self, kind: TokenKind, range: Range<usize>) {
        self.queue.push_back(Token { kind, start: range.start, end: range.end });
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b'\n')
    }

    fn skip_spaces(&self, mut at: usize) -> usize {
        while self.byte(at) == b' ' {
            at += 1;
        }
        at
    }

    /// Whether the mark before `at` is one: a blank or the end of the line stands behind it.
    fn is_apart(&self, at: usize) -> bool {
        matches!(self.byte(at), b' ' | b'\n')
    }

    fn line_end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |found| at + found)
    }

    fn line(&mut self) -> Result<(), NotSimple> {
        let start = self.at;
        let end = self.line_end(start);
        self.at = (end + 1).min(self.bytes.len());
        let mut at = self.skip_spaces(start);
        match self.byte(at) {
            b'\n' => return Ok(()),
            b'#' => {
                self.comment(at..end);
                return Ok(());
            }
            b'-' if &self.bytes[start..end] == b"---" && self.blocks.is_empty() && !self.is_begun => {
                self.is_begun = true;
                self.push(TokenKind::DocumentStart, start..end);
                return Ok(());
            }
            b'-' | b'.' if at == start && matches!(&self.bytes[at..end.min(at + 3)], b"---" | b"...") => {
                return Err(NotSimple);
            }
            _ => {}
        }
        while self.byte(at) == b'-' && self.is_apart(at + 1) {
            self.place(at - start, at, true)?;
            self.push(TokenKind::Dash, at..at + 1);
            at = self.skip_spaces(at + 1);
            self.waiting = Some(at);
            match self.byte(at) {
                // A comment here is that of the item, and not of the line.
                b'#' => return Err(NotSimple),
                b'\n' => return Ok(()),
                _ => {}
            }
        }
        let Some((kind, key)) = self.key(at, end)? else {
            return if self.waiting.is_some_and(|mark| mark > start) { self.value(at, end) } else { Err(NotSimple) };
        };
        let colon = key.end;
        self.place(at - start, at, false)?;
        self.push(TokenKind::Key, at..at);
        self.push(kind, key);
        self.push(TokenKind::Colon, colon..colon + 1);
        self.waiting = Some(colon);
        let value = self.skip_spaces(colon + 1);
        match self.byte(value) {
            b'\n' => Ok(()),
            b'#' => {
                self.comment(value..end);
                Ok(())
            }
            _ => self.value(value, end),
        }
    }

    /// Comes to a key or dash at `column`: what is deeper ends, and what begins here is opened.
    fn place(&mut self, column: usize, at: usize, is_dash: bool) -> Result<(), NotSimple> {
        let mark = self.waiting.take();
        match (self.blocks.last(), mark) {
            (None, _) => {
                // The one that all others are in. A document that is a list is none for sops.
                return if is_dash { Err(NotSimple) } else { self.open(TokenKind::MapStart, column, at) };
            }
            (Some(top), Some(_)) if column > top.column => {
                let kind = if is_dash { TokenKind::ListStart } else { TokenKind::MapStart };
                return self.open(kind, column, at);
            }
            (Some(top), Some(_)) if is_dash && column == top.column && top.kind == TokenKind::MapStart => {
                // To the parser it begins with what its first item holds.
                let item = self.skip_spaces(at + 1);
                let is_empty = matches!(self.byte(item), b'\n' | b'#');
                return if is_empty { Err(NotSimple) } else { self.open(TokenKind::FlatListStart, column, item) };
            }
            (Some(_), Some(mark)) => self.absent(mark)?,
            (Some(_), None) => {}
        }
        while let Some(top) = self.blocks.last()
            && (top.column > column || top.column == column && top.kind == TokenKind::FlatListStart && !is_dash)
        {
            self.close(at);
        }
        let is_right = |top: &Block| top.column == column && is_dash == (top.kind != TokenKind::MapStart);
        if self.blocks.last().is_some_and(is_right) { Ok(()) } else { Err(NotSimple) }
    }

    /// No value came for the key or dash at `mark`. With a comment in between, the parser has its own order.
    fn absent(&mut self, mark: usize) -> Result<(), NotSimple> {
        if self.comment_at > mark {
            return Err(NotSimple);
        }
        self.push(TokenKind::Absent, mark..mark);
        Ok(())
    }

    fn comment(&mut self, range: Range<usize>) {
        self.comment_at = range.start;
        self.push(TokenKind::Comment, range);
    }

    fn open(&mut self, kind: TokenKind, column: usize, at: usize) -> Result<(), NotSimple> {
        if self.blocks.len() >= Self::DEPTH {
            return Err(NotSimple);
        }
        self.blocks.push(Block { column, kind });
        self.push(kind, at..at);
        Ok(())
    }

    fn close(&mut self, at: usize) {
        if self.blocks.pop().is_some() {
            self.push(TokenKind::BlockEnd, at..at);
        }
    }

    /// The key at `at`, which its colon follows at once; none when no key stands there.
    fn key(&self, at: usize, end: usize) -> Result<Option<(TokenKind, Range<usize>)>, NotSimple> {
        if let Some((kind, close)) = self.quoted(at, end)? {
            return match (self.byte(close), self.skip_spaces(close)) {
                (b':', _) if self.is_apart(close + 1) && close - at <= Self::LONGEST_KEY => Ok(Some((kind, at..close))),
                (b':', _) => Err(NotSimple),
                (_, next) if self.byte(next) == b':' => Err(NotSimple),
                _ => Ok(None),
            };
        }
        // Its colon is before the first space, or before the end of a line without one; all other spaces are in the value.
        let line = &self.bytes[at..end];
        let mut spaces = memchr::memchr_iter(b' ', line).chain([line.len()]);
        let found = spaces.find(|&space| space > 0 && line[space - 1] == b':' || line.get(space + 1) == Some(&b'#'));
        match found.map(|space| space - 1) {
            Some(colon) if line[colon] == b':' => {
                // A `<<` may be one whose value is merged.
                let is_key =
                    colon > 0 && &line[..colon] != b"<<" && line[colon - 1] != b' ' && colon <= Self::LONGEST_KEY;
                if is_key && self.begins_plain(at) {
                    Ok(Some((TokenKind::Plain, at..at + colon)))
                } else {
                    Err(NotSimple)
                }
            }
            _ => Ok(None),
        }
    }

    /// The kind of the quoted text at `at` and where it ends; none when there are no quotes.
    fn quoted(&self, at: usize, end: usize) -> Result<Option<(TokenKind, usize)>, NotSimple> {
        let line = &self.bytes[..end];
        let mut next = at + 1;
        match self.byte(at) {
            b'"' => loop {
                let found = next + memchr::memchr2(b'"', b'\\', &line[next..]).ok_or(NotSimple)?;
                if line[found] == b'"' {
                    return Ok(Some((TokenKind::DoubleQuoted, found + 1)));
                }
                next = found + 2;
                if next > end {
                    return Err(NotSimple);
                }
            },
            b'\'' => loop {
                let found = next + memchr::memchr(b'\'', &line[next..]).ok_or(NotSimple)?;
                if line.get(found + 1) != Some(&b'\'') {
                    return Ok(Some((TokenKind::SingleQuoted, found + 1)));
                }
                next = found + 2;
            },
            _ => Ok(None),
        }
    }

    fn begins_plain(&self, at: usize) -> bool {
        let byte = self.byte(at);
        let is_mark = br##",[]{}#&*!|>'"%@`?: "##.contains(&byte) || byte == b'\n';
        !(is_mark || byte == b'-' && self.is_apart(at + 1))
    }

    /// The value at `at`, on the line of its key or dash.
    fn value(&mut self, at: usize, end: usize) -> Result<(), NotSimple> {
        self.waiting = None;
        if let Some((kind, close)) = self.quoted(at, end)? {
            self.push(kind, at..close);
            return self.rest(close, end);
        }
        let brackets = match &self.bytes[at..end.min(at + 2)] {
            b"[]" => Some(TokenKind::EmptyList),
            b"{}" => Some(TokenKind::EmptyMap),
            _ => None,
        };
        if let Some(kind) = brackets {
            self.push(kind, at..at + 2);
            return self.rest(at + 2, end);
        }
        if self.byte(at) == b'|' {
            return self.literal(at, end);
        }
        if !self.begins_plain(at) {
            return Err(NotSimple);
        }
        // Only next to a space, or at the end, do a colon and a hash have a meaning.
        let line = &self.bytes[at..end];
        let mut len = line.len();
        for space in memchr::memchr_iter(b' ', line) {
            if line[space - 1] == b':' {
                return Err(NotSimple);
            }
            if line.get(space + 1) == Some(&b'#') {
                len = space;
                break;
            }
        }
        if line[..len].ends_with(b":") {
            return Err(NotSimple);
        }
        let text = line[..len].trim_ascii_end();
        let close = at + text.len();
        self.push(TokenKind::Plain, at..close);
        self.rest(close, end)
    }

    /// What follows a value on its line: nothing, or a comment.
    fn rest(&mut self, at: usize, end: usize) -> Result<(), NotSimple> {
        let next = self.skip_spaces(at);
        match self.byte(next) {
            b'\n' => Ok(()),
            b'#' if next > at => {
                self.comment(next..end);
                Ok(())
            }
            _ => Err(NotSimple),
        }
    }

    /// A literal block scalar without blank lines, but for those behind it.
    fn literal(&mut self, at: usize, end: usize) -> Result<(), NotSimple> {
        let keep = match &self.bytes[at..end] {
            b"|" => true,
            b"|-" => false,
            _ => return Err(NotSimple),
        };
        if !self.bytes.ends_with(b"\n") {
            return Err(NotSimple); // go-yaml and the parser differ in how such a value ends.
        }
        let around = self.blocks.last().map_or(0, |block| block.column);
        let first = self.at;
        let indent = self.skip_spaces(first) - first;
        if indent <= around {
            return Err(NotSimple);
        }
        let mut close = first;
        while self.at < self.bytes.len() {
            let line = self.at;
            let text = self.skip_spaces(line);
            let line_end = self.line_end(text);
            if text == line_end && text == line && close > first {
                break;
            }
            if text == line_end || text - line > around && text - line < indent {
                return Err(NotSimple);
            }
            if text - line <= around {
                break;
            }
            close = line_end + 1;
            self.at = close;
        }
        // The empty lines behind it, and none with text that would be a part of it after all.
        let mut next = close;
        while next < self.bytes.len() && self.bytes[next] == b'\n' {
            next += 1;
        }
        if close == first || self.skip_spaces(next) - next > around && next < self.bytes.len() {
            return Err(NotSimple);
        }
        // To the parser it ends where the next text begins.
        let behind = self.skip_spaces(next);
        self.push(TokenKind::Literal { indent: indent as u32, keep }, at..behind);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), NotSimple> {
        if self.blocks.is_empty() {
            return Err(NotSimple);
        }
        if let Some(mark) = self.waiting.take() {
            self.absent(mark)?;
        }
        while !self.blocks.is_empty() {
            self.close(self.bytes.len());
        }
        self.is_ended = true;
        Ok(())
    }
}

/// The value of a literal block scalar whose lines are `text`.
pub(super) fn literal_value(text: &str, indent: usize, keep: bool) -> String {
    let lines = text.trim_end_matches(' ').trim_end_matches('\n').split('\n');
    let mut value = String::with_capacity(text.len());
    for line in lines {
        value.push_str(line.get(indent..).unwrap_or_default());
        value.push('\n');
    }
    if !keep {
        value.pop();
    }
    value
}

/// Whether all characters are such as mean themselves and have a width: no control character but the line feed, no other
/// line break, no byte order mark.
fn is_printable(bytes: &[u8]) -> bool {
    let is_ascii_fine = bytes
        .chunks(1 << 12)
        .all(|chunk| chunk.iter().fold(true, |fine, &byte| fine & ((byte >= 0x20) | (byte == b'\n')) & (byte != 0x7F)));
    is_ascii_fine
        && (bytes.is_ascii()
            || memchr::memchr3_iter(0xC2, 0xE2, 0xEF, bytes).all(|at| match bytes[at..] {
                [0xC2, second, ..] => second >= 0xA0,
                [0xE2, second, third, ..] => second != 0x80 || third < 0xA8,
                _ => false,
            }))
}
