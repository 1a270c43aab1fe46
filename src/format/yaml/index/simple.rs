//! The table from lines that need no parser: the same as the parser's events would make.

use super::super::lines::{self, Lines, NotSimple, Token, TokenKind};
use super::super::{comments, quoted, resolve};
use super::{Indexer, Leaf};
use crate::document::{Builder, Flags, Kind, Style};
use crate::error::Error;
use granit_parser::StructureStyle;
use std::borrow::Cow;

/// Whatever is wrong, the parser's walk says it.
impl From<Error> for NotSimple {
    fn from(_: Error) -> Self {
        NotSimple
    }
}

impl<'a> Indexer<'a> {
    /// Fills `builder`, which is one over `source`, line by line. When that does not do, gives it back for its text.
    pub(super) fn run_simple(source: &'a str, builder: Builder) -> Result<Builder, Builder> {
        let Some(lines) = Lines::of(source) else { return Err(builder) };
        let mut indexer = Indexer::new(source, source, builder);
        let result = indexer.lines(lines.clone());
        let Indexer { mut builder, value_nodes, comments, .. } = indexer;
        if result.is_err() {
            return Err(builder);
        }
        if !comments.is_empty() {
            comments::place(comments::Tokens::of_lines(source, lines), &mut builder, &comments, &value_nodes);
        }
        Ok(builder)
    }

    fn lines(&mut self, mut lines: Lines<'_>) -> Result<(), NotSimple> {
        while let Some(token) = lines.next()? {
            self.token(token)?;
        }
        Ok(())
    }

    fn token(&mut self, token: Token) -> Result<(), NotSimple> {
        match token.kind {
            TokenKind::Key | TokenKind::Colon | TokenKind::Dash => return Ok(()),
            TokenKind::DocumentStart => {}
            TokenKind::MapStart => self.open(Kind::Map, StructureStyle::Block, 0, token.range())?,
            TokenKind::ListStart | TokenKind::FlatListStart => {
                self.open(Kind::List, StructureStyle::Block, 0, token.range())?;
            }
            TokenKind::BlockEnd => {
                self.frames.pop();
                self.builder.close(self.at);
                return Ok(());
            }
            TokenKind::EmptyList | TokenKind::EmptyMap => {
                let kind = if token.kind == TokenKind::EmptyList { Kind::List } else { Kind::Map };
                self.open(kind, StructureStyle::Flow, 0, token.range())?;
                self.frames.pop();
                self.builder.close(token.end);
            }
            TokenKind::Comment => {
                let text = self.builder.slice(token.start + 1..token.end);
                let id = self.builder.comment(token.range(), text);
                self.comments.push(id);
            }
            _ => self.simple_scalar(token)?,
        }
        self.at = self.at.max(token.end);
        Ok(())
    }

    fn simple_scalar(&mut self, token: Token) -> Result<(), NotSimple> {
        let range = token.range();
        let raw = &self.source[range.clone()];
        let (style, value) = match token.kind {
            TokenKind::SingleQuoted => (Style::SingleQuoted, unquoted(raw, "'")?),
            TokenKind::DoubleQuoted => (Style::DoubleQuoted, unquoted(raw, "\\")?),
            TokenKind::Literal { indent, keep } => {
                let lines = &raw[raw.find('\n').map_or(raw.len(), |found| found + 1)..];
                (Style::Literal, lines::literal_value(lines, indent as usize, keep).into())
            }
            _ => (Style::Plain, raw.into()),
        };
        let resolved = match style {
            Style::Plain => resolve::resolve_plain(&value).map_err(|_| NotSimple)?,
            _ => resolve::Resolved { kind: Kind::Str, canonical: value.as_bytes().into() },
        };
        if self.expects_key() {
            self.key(&resolved, range)?;
            return Ok(());
        }
        let value = self.text_of(&resolved.canonical, &range);
        let span = match token.kind {
            TokenKind::Literal { indent, .. } => self.block_content(&range, indent as usize),
            _ => range,
        };
        let (kind, key) = (resolved.kind, self.take_key());
        self.at = self.at.max(span.end);
        self.add(Leaf { kind, span, key, value, style, flags: Flags::NONE, anchor: 0, is_misread: false });
        Ok(())
    }
}

/// The value of `raw`, a scalar in quotes; only where `escape` stands in it is it another than what is in the quotes.
fn unquoted<'a>(raw: &'a str, escape: &str) -> Result<Cow<'a, str>, NotSimple> {
    let inside = &raw[1..raw.len() - 1];
    if inside.contains(escape) { quoted::value(raw).map(Cow::Owned).ok_or(NotSimple) } else { Ok(inside.into()) }
}

#[cfg(test)]
mod tests;
