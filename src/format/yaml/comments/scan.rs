//! The tokens as go-yaml's scanner gives them, with the comments it finds between them.
//!
//! This file walks the text between the tokens of a parser. go-yaml decides about comments while
//! it scans, from where it stands, how many line breaks it has just passed and how deep the blocks are,
//! so exactly these are kept here.

pub(super) use super::tokens::TokenKind;
use super::tokens::{Found, Tokens};
use std::cell::Cell;
use std::collections::VecDeque;

/// A token and the byte where it starts. Signed, since go-yaml lets a block end one before its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: isize,
}

/// How a run of comments leans on the text around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Head,
    Line,
    Foot,
}

/// A run of comments with one role.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// The token from which on the run is taken up.
    pub(super) token: isize,
    pub(super) role: Role,
    /// Numbers of the comments, in the order of the text.
    pub(super) comments: Vec<u32>,
    scan: isize,
    start: Mark,
    end: isize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    index: isize,
    line: usize,
    column: usize,
}

/// The scanner.
pub(super) struct Scan<'a> {
    source: &'a [u8],
    tokens: Tokens<'a>,
    /// Byte offsets of all comments, ascending, and the next one to come.
    offsets: &'a [usize],
    next_comment: usize,

    position: usize,
    line: usize,
    line_start: usize,
    /// A position and its column, for the next question.
    column_at: Cell<(usize, usize)>,
    /// Line breaks passed since the last character that is not blank.
    newlines: usize,
    flow_level: usize,
    indent: isize,
    indents: Vec<isize>,

    pub(super) queue: VecDeque<Token>,
    /// The last two tokens that were put into the queue.
    last: Option<Token>,
    second_last: Option<Token>,
    pub(super) runs: VecDeque<Run>,
    ended: bool,
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

impl<'a> Scan<'a> {
    /// How far go-yaml looks for the next comment or token.
    const LOOKAHEAD: usize = 512;
    /// How many tokens go-yaml scans ahead, so that foot comments are known in time.
    const QUEUE: usize = 3;

    pub(super) fn new(tokens: Tokens<'a>, offsets: &'a [usize]) -> Self {
        Scan {
            source: tokens.source().as_bytes(),
            tokens,
            offsets,
            next_comment: 0,
            position: 0,
            line: 0,
            line_start: 0,
            column_at: Cell::new((0, 0)),
            newlines: 0,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            queue: VecDeque::new(),
            last: None,
            second_last: None,
            runs: VecDeque::new(),
            ended: false,
        }
    }

    /// The next token, without taking it; scans ahead as go-yaml does.
    pub(super) fn peek(&mut self) -> Token {
        while self.queue.len() < Self::QUEUE && !self.ended {
            self.fetch();
        }
        self.queue.front().copied().unwrap_or(Token { kind: TokenKind::StreamEnd, start: self.source.len() as isize })
    }

    fn byte(&self, at: usize) -> u8 {
        self.source.get(at).copied().unwrap_or(0)
    }

    /// The length of the line break at `at`, 0 if there is none.
    fn break_at(&self, at: usize) -> usize {
        match self.byte(at) {
            b'\n' | b'\r' => 1,
            0xC2 if self.byte(at + 1) == 0x85 => 2,
            0xE2 if self.byte(at + 1) == 0x80 && matches!(self.byte(at + 2), 0xA8 | 0xA9) => 3,
            _ => 0,
        }
    }

    fn is_break_or_end(&self, at: usize) -> bool {
        at >= self.source.len() || self.break_at(at) > 0
    }

    fn column(&self) -> usize {
        // Counted on from where it was asked for last: a file may be one line.
        let (at, known) = self.column_at.get();
        let (at, known) = if at < self.line_start || at > self.position { (self.line_start, 0) } else { (at, known) };
        let end = self.position.min(self.source.len());
        let passed = &self.source[at.min(end)..end];
        let column = known + passed.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        self.column_at.set((end, column));
        column
    }

    fn mark(&self) -> Mark {
        Mark { index: self.position as isize, line: self.line, column: self.column() }
    }

    fn skip_line(&mut self) {
        let crlf = self.byte(self.position) == b'\r' && self.byte(self.position + 1) == b'\n';
        self.position += if crlf { 2 } else { self.break_at(self.position) };
        self.line += 1;
        self.line_start = self.position;
        self.newlines += 1;
    }

    /// Moves over the text of a token.
    fn skip_text(&mut self, end: usize) {
        let end = end.min(self.source.len());
        while self.position < end {
            let Some(found) = memchr::memchr2(b'\n', b'\r', &self.source[self.position..end]) else { break };
            self.position += found;
            self.skip_line();
        }
        self.position = self.position.max(end);
        self.newlines = 0;
    }

    /// Moves over blanks and line breaks, as the scanners of plain and block scalars do at their end.
    fn skip_blank_lines(&mut self) {
        loop {
            while is_blank(self.byte(self.position)) {
                self.position += 1;
            }
            if self.break_at(self.position) == 0 {
                return;
            }
            self.skip_line();
        }
    }

    fn push(&mut self, kind: TokenKind, start: isize) {
        let token = Token { kind, start };
        self.queue.push_back(token);
        self.second_last = self.last.replace(token);
    }

    /// Fetches tokens up to the next one that has text of its own.
    fn fetch(&mut self) {
        let mut gap_done = false;
        loop {
            let found = self.tokens.next();
            let kind = found.kind;
            match kind {
                TokenKind::StreamStart => {
                    if self.source.starts_with("\u{feff}".as_bytes()) {
                        self.position = 3;
                        self.line_start = 3;
                    }
                    self.push(TokenKind::StreamStart, self.position as isize);
                    return;
                }
                TokenKind::StreamEnd => {
                    self.finish();
                    return;
                }
                TokenKind::BlockEnd => continue, // go-yaml ends blocks elsewhere; see `unroll`.
                _ => {}
            }
            if !gap_done {
                self.gap(matches!(kind, TokenKind::Directive | TokenKind::DocumentStart | TokenKind::DocumentEnd));
                gap_done = true;
            }
            // The parser knows better where a token begins, should the two ever differ.
            if matches!(kind, TokenKind::Alias | TokenKind::Anchor | TokenKind::Tag) && found.start > self.position {
                self.skip_text(found.start);
            }
            let start = self.position as isize;
            let next = self.position + 1;
            let explicit =
                self.byte(self.position) == b'?' && (is_blank(self.byte(next)) || self.is_break_or_end(next));
            match kind {
                TokenKind::BlockSequenceStart | TokenKind::BlockMappingStart => {
                    self.indents.push(self.indent);
                    self.indent = self.column() as isize;
                    self.push(kind, start);
                    continue;
                }
                TokenKind::Key if !explicit => {
                    self.push(kind, start);
                    continue;
                }
                // A value without text (a key alone in braces) has no token in go-yaml.
                TokenKind::Value if self.byte(self.position) != b':' => continue,
                _ => {}
            }
            self.token(&found, start);
            return;
        }
    }

    /// A token with text: its place in the queue, where it leaves the scanner, and its line comment.
    fn token(&mut self, found: &Found, start: isize) {
        let (kind, end) = (found.kind, found.end);
        // Comments behind these belong to the token before.
        let leans_back = if self.flow_level == 0 { TokenKind::Value } else { TokenKind::FlowEntry };
        let comment_token = match self.last {
            Some(last) if kind == leans_back => last.start,
            _ => start,
        };
        match kind {
            TokenKind::Directive => {
                self.skip_text(end);
                while !self.is_break_or_end(self.position) {
                    self.position += 1;
                }
                self.skip_line();
                self.push(kind, start);
                return;
            }
            TokenKind::DocumentStart | TokenKind::DocumentEnd => {
                self.skip_text(self.position + 3);
                self.push(kind, start);
                return;
            }
            TokenKind::PlainScalar => {
                self.skip_text(end);
                self.skip_blank_lines();
            }
            TokenKind::BlockScalar => self.block_scalar(start, end),
            TokenKind::QuotedScalar | TokenKind::Alias | TokenKind::Anchor | TokenKind::Tag => self.skip_text(end),
            TokenKind::FlowSequenceStart | TokenKind::FlowMappingStart => {
                self.flow_level += 1;
                self.skip_text(self.position + 1);
            }
            TokenKind::FlowSequenceEnd | TokenKind::FlowMappingEnd => {
                self.flow_level = self.flow_level.saturating_sub(1);
                self.skip_text(self.position + 1);
            }
            _ => self.skip_text(self.position + 1),
        }
        self.push(kind, start);
        // A list's dash has no line comment: what follows it is a head comment of the item.
        if kind != TokenKind::BlockEntry {
            self.line_comment(comment_token);
        }
    }

    fn block_scalar(&mut self, start: isize, end: usize) {
        while !self.is_break_or_end(self.position) && self.byte(self.position) != b'#' {
            self.position += 1;
        }
        self.newlines = 0;
        self.line_comment(start);
        let content = self.source[..end].iter().rposition(|&byte| !is_blank(byte) && !matches!(byte, b'\n' | b'\r'));
        if let Some(content) = content
            && content + 1 > self.position
        {
            self.skip_text(content + 1);
        }
        self.skip_blank_lines();
    }

    fn take_comment(&mut self, offset: usize) -> Option<u32> {
        while self.offsets.get(self.next_comment).is_some_and(|&known| known < offset) {
            self.next_comment += 1;
        }
        (self.offsets.get(self.next_comment) == Some(&offset)).then_some(self.next_comment as u32)
    }

    /// Reads the comment whose mark is at `offset`, to the end of its line.
    fn read_comment(&mut self, offset: usize, comments: &mut Vec<u32>) {
        while self.position < offset {
            if self.is_break_or_end(self.position) {
                self.skip_line();
            } else {
                self.position += 1;
            }
        }
        comments.extend(self.take_comment(offset));
        let rest = &self.source[offset..];
        let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        self.position = offset + end;
        self.newlines = 0;
    }

    /// A comment on the same line behind a token.
    fn line_comment(&mut self, token: isize) {
        if self.newlines > 0 {
            return;
        }
        let mut at = self.position;
        while at - self.position < Self::LOOKAHEAD && is_blank(self.byte(at)) {
            at += 1;
        }
        if self.byte(at) != b'#' || at - self.position >= Self::LOOKAHEAD {
            return;
        }
        self.position = at;
        let start = self.mark();
        let mut comments = Vec::new();
        self.read_comment(at, &mut comments);
        self.runs.push_back(Run { token, role: Role::Line, comments, scan: 0, start, end: 0 });
    }

    /// The text between two tokens: blanks, line breaks and comments; then the blocks that end.
    fn gap(&mut self, ends_document: bool) {
        let scan = self.mark();
        loop {
            while is_blank(self.byte(self.position)) {
                self.position += 1;
            }
            self.line_comment_above_item();
            if self.byte(self.position) == b'#' {
                self.comments(scan);
            }
            if self.break_at(self.position) == 0 {
                break;
            }
            self.skip_line();
        }
        if self.flow_level == 0 {
            // Within a line no block can end.
            if self.newlines > 0 || self.position == self.line_start {
                self.unroll(self.column() as isize, scan.index);
            }
            if ends_document {
                self.unroll(-1, self.position as isize);
            }
        }
    }

    /// A line comment that looks like the head of the first item of a list becomes that.
    fn line_comment_above_item(&mut self) {
        let starts_list = self.second_last.is_some_and(|token| token.kind == TokenKind::BlockSequenceStart)
            && self.last.is_some_and(|token| token.kind == TokenKind::BlockEntry);
        if !starts_list || self.break_at(self.position) > 0 {
            return;
        }
        let (line, position) = (self.line, self.position as isize);
        if let Some(run) = self.runs.back_mut()
            && run.role == Role::Line
        {
            run.role = Role::Head;
            if run.start.line + 1 == line {
                run.token = position;
            }
        }
    }

    /// Comments on lines of their own, up to the next token. Splits them into those that are the foot
    /// of what came before and those that are the head of what comes.
    fn comments(&mut self, gap: Mark) {
        let mut scan = gap.index;
        let leaned_on = match (self.last, self.second_last) {
            (Some(last), Some(before)) if last.kind == TokenKind::FlowEntry => Some(before),
            (last, _) => last,
        };
        let mut token = leaned_on.map_or(0, |token| token.start);
        let behind_value = leaned_on.is_some_and(|token| token.kind == TokenKind::Value);
        let indent = self.indent.max(0) as usize;
        let mut after_empty_line = false;
        let mut first_part = self.newlines <= 1;
        let mut line = self.line;
        let mut column = self.column();
        // The line on which a comment still is a foot of what came before.
        let foot_line = (gap.line > 0)
            .then(|| (self.line + 1 + usize::from(self.newlines == 0 && column > 1)).saturating_sub(self.newlines));
        let mut run: Vec<u32> = Vec::new();
        let mut start = Mark::default();
        let mut ahead = 0;
        while ahead < Self::LOOKAHEAD {
            let at = self.position + ahead;
            column += 1;
            let byte = self.byte(at);
            if is_blank(byte) {
                ahead += 1;
                continue;
            }
            let closes_flow = self.flow_level > 0 && matches!(byte, b']' | b'}');
            if closes_flow || self.is_break_or_end(at) {
                if closes_flow || !after_empty_line {
                    let dedented = start.column < indent + 1;
                    let is_foot =
                        closes_flow || first_part && (foot_line == Some(start.line) && !behind_value || dedented);
                    if is_foot && !run.is_empty() {
                        if dedented {
                            token = start.index;
                        }
                        let comments = std::mem::take(&mut run);
                        let end = at as isize;
                        self.runs.push_back(Run { token, role: Role::Foot, comments, scan, start, end });
                        scan = end;
                        token = end;
                    }
                }
                if self.break_at(at) == 0 {
                    break;
                }
                first_part = false;
                after_empty_line = true;
                column = 0;
                line += 1;
                ahead += 1;
                continue;
            }
            if !run.is_empty() && column < indent + 1 && column != start.column {
                let comments = std::mem::take(&mut run);
                let end = at as isize;
                self.runs.push_back(Run { token, role: Role::Foot, comments, scan, start, end });
                scan = end;
                token = end;
            }
            if byte != b'#' {
                break;
            }
            if run.is_empty() {
                start = Mark { index: at as isize, line, column };
            }
            after_empty_line = false;
            self.read_comment(at, &mut run);
            // go-yaml goes on behind the line break without counting it.
            ahead = 1;
            column = 0;
            line = self.line;
        }
        if !run.is_empty() {
            let end = (self.position + ahead) as isize - 1;
            self.runs.push_back(Run { token: start.index, role: Role::Head, comments: run, scan, start, end });
        }
    }

    /// Ends the blocks that are deeper than `column`. A block ends before the comments behind it that
    /// stand at its own indentation.
    fn unroll(&mut self, column: isize, scan: isize) {
        let mut block = scan - 1;
        while self.indent > column {
            let mut stop = block;
            for run in self.runs.iter().rev() {
                if run.end < stop {
                    break;
                }
                if run.start.column as isize == self.indent + 1 {
                    block = run.start.index;
                }
                stop = run.scan;
            }
            self.push(TokenKind::BlockEnd, block);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn finish(&mut self) {
        if self.ended {
            return;
        }
        self.gap(false);
        if self.column() > 0 {
            self.line += 1;
        }
        self.unroll(-1, self.position as isize);
        self.push(TokenKind::StreamEnd, self.position as isize);
        self.ended = true;
    }
}
