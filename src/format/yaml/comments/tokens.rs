//! The tokens of a text, from the parser's scanner or from lines that need none.

use super::super::lines::{self, Lines};
use granit_parser::{ScalarStyle, Scanner, StrInput, TokenType, options};

/// What matters of a token's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    StreamStart,
    StreamEnd,
    Directive,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    PlainScalar,
    QuotedScalar,
    BlockScalar,
}

/// A token that was found: its kind, and where its text stands.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The tokens of a text that was indexed already.
pub(in super::super) struct Tokens<'a> {
    source: &'a str,
    from: From<'a>,
}

enum From<'a> {
    Parser(Box<Scanner<'a, StrInput<'a>>>),
    /// The lines, and what comes before the next of their tokens.
    Lines(Lines<'a>, Option<Found>),
}

impl<'a> Tokens<'a> {
    /// Those of the parser for `parsed`, which stands for `source`.
    pub(in super::super) fn of_parser(source: &'a str, parsed: &'a str) -> Self {
        let options = options! {
            emit_comments: false,
            flow_nesting_limit: usize::MAX,
            block_nesting_limit: usize::MAX,
        };
        let scanner = Scanner::with_options(StrInput::new(parsed), options);
        Tokens { source, from: From::Parser(Box::new(scanner)) }
    }

    /// Those of `lines`, which are over `source` and at its beginning.
    pub(in super::super) fn of_lines(source: &'a str, lines: Lines<'a>) -> Self {
        let first = Found { kind: TokenKind::StreamStart, start: 0, end: 0 };
        Tokens { source, from: From::Lines(lines, Some(first)) }
    }

    /// The text.
    pub(super) fn source(&self) -> &'a str {
        self.source
    }

    /// The next token. A text that was indexed has no errors; the end stands in for them.
    pub(super) fn next(&mut self) -> Found {
        let end = Found { kind: TokenKind::StreamEnd, start: self.source.len(), end: self.source.len() };
        match &mut self.from {
            From::Parser(scanner) => of_parser(scanner).unwrap_or(end),
            From::Lines(lines, waiting) => waiting.take().or_else(|| of_lines(lines, waiting)).unwrap_or(end),
        }
    }
}

fn of_parser<'a>(scanner: &mut Scanner<'a, StrInput<'a>>) -> Option<Found> {
    loop {
        let (span, token) = scanner.next()?.ok()?.into_parts();
        let range = span.byte_range().unwrap_or_default();
        let kind = match token {
            // Around a pair between brackets that has no braces, `[a: 1]`. go-yaml has no tokens there.
            TokenType::FlowMappingStart | TokenType::FlowMappingEnd if range.is_empty() => continue,
            TokenType::StreamStart => TokenKind::StreamStart,
            TokenType::StreamEnd => TokenKind::StreamEnd,
            TokenType::VersionDirective(..) | TokenType::TagDirective(..) | TokenType::ReservedDirective(..) => {
                TokenKind::Directive
            }
            TokenType::DocumentStart => TokenKind::DocumentStart,
            TokenType::DocumentEnd => TokenKind::DocumentEnd,
            TokenType::BlockSequenceStart => TokenKind::BlockSequenceStart,
            TokenType::BlockMappingStart => TokenKind::BlockMappingStart,
            TokenType::BlockEnd => TokenKind::BlockEnd,
            TokenType::FlowSequenceStart => TokenKind::FlowSequenceStart,
            TokenType::FlowSequenceEnd => TokenKind::FlowSequenceEnd,
            TokenType::FlowMappingStart => TokenKind::FlowMappingStart,
            TokenType::FlowMappingEnd => TokenKind::FlowMappingEnd,
            TokenType::BlockEntry => TokenKind::BlockEntry,
            TokenType::FlowEntry => TokenKind::FlowEntry,
            TokenType::Key => TokenKind::Key,
            TokenType::Value => TokenKind::Value,
            TokenType::Alias(_) => TokenKind::Alias,
            TokenType::Anchor(_) => TokenKind::Anchor,
            TokenType::Tag(..) => TokenKind::Tag,
            TokenType::Scalar(ScalarStyle::Plain, _) => TokenKind::PlainScalar,
            TokenType::Scalar(ScalarStyle::Literal | ScalarStyle::Folded, _) => TokenKind::BlockScalar,
            TokenType::Scalar(..) => TokenKind::QuotedScalar,
            _ => continue,
        };
        return Some(Found { kind, start: range.start, end: range.end });
    }
}

fn of_lines(lines: &mut Lines<'_>, waiting: &mut Option<Found>) -> Option<Found> {
    use lines::TokenKind as L;
    loop {
        let token = lines.next().ok()??;
        let found = |kind, range: std::ops::Range<usize>| Found { kind, start: range.start, end: range.end };
        let brackets =
            |first, last| (found(first, token.start..token.start + 1), found(last, token.start + 1..token.end));
        let kind = match token.kind {
            L::DocumentStart => TokenKind::DocumentStart,
            L::MapStart => TokenKind::BlockMappingStart,
            L::ListStart => TokenKind::BlockSequenceStart,
            L::BlockEnd => TokenKind::BlockEnd,
            L::Key => TokenKind::Key,
            L::Colon => TokenKind::Value,
            L::Dash => TokenKind::BlockEntry,
            L::Plain => TokenKind::PlainScalar,
            L::SingleQuoted | L::DoubleQuoted => TokenKind::QuotedScalar,
            L::Literal { .. } => TokenKind::BlockScalar,
            L::FlatListStart | L::Absent | L::Comment => continue,
            L::EmptyList | L::EmptyMap => {
                let (first, last) = if token.kind == L::EmptyList {
                    brackets(TokenKind::FlowSequenceStart, TokenKind::FlowSequenceEnd)
                } else {
                    brackets(TokenKind::FlowMappingStart, TokenKind::FlowMappingEnd)
                };
                *waiting = Some(last);
                return Some(first);
            }
        };
        return Some(found(kind, token.range()));
    }
}
