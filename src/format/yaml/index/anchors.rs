//! Anchors, as sops names them, and what their aliases stand for.

use super::super::place;
use super::Indexer;
use crate::document::{EntryId, Flags, Kind, Style, Text};
use crate::error::{Error, Result};
use std::ops::Range;

/// What an anchor is of.
#[derive(Clone, Copy)]
pub(super) enum Anchored {
    Entry(EntryId),
    Key(Text),
    /// Something whose anchor sops reads otherwise.
    Misread,
}

impl Indexer<'_> {
    /// The anchor of the node at `node`, when sops reads it as one of another name and a value behind it. `anchor` is
    /// the number of the node's anchor.
    pub(super) fn misread_anchor(&self, anchor: usize, node: usize) -> Option<Range<usize>> {
        if anchor == 0 {
            return None;
        }
        let mut at = self.at;
        while at < node {
            at = place::skip_to_mark(self.source, at);
            let rest = self.source.get(at..node)?;
            let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
            if rest.starts_with('&') {
                return rest[..len].contains([':', '?']).then_some(at..at + len);
            }
            at += if rest.starts_with('!') { len } else { 1 };
        }
        None
    }

    /// The end of the tag that ends at `tag_end`, with the anchor behind it. `anchor` is the number of the node's anchor.
    pub(super) fn anchor_end(&self, anchor: usize, tag_end: usize) -> usize {
        let at = place::skip_to_mark(self.source, tag_end);
        let rest = &self.source[at..];
        if anchor == 0 || !rest.starts_with('&') {
            return tag_end;
        }
        let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}');
        at + rest.find(is_end).unwrap_or(rest.len())
    }

    /// Adds what the alias at `range` repeats; `id` is the number of its anchor.
    pub(super) fn alias(&mut self, id: usize, range: Range<usize>) -> Result<()> {
        let target = self.anchors.get(id).copied().flatten();
        if self.expects_key() {
            let name = match target {
                Some(Anchored::Key(text)) => text,
                Some(Anchored::Entry(entry)) if self.builder.so_far().entry(entry).kind() == Kind::Str => {
                    let bytes = self.builder.so_far().scalar(entry).bytes.to_vec();
                    self.builder.odd_key(range.clone(), Some(entry));
                    self.builder.intern(&bytes)
                }
                None => return Err(self.refuse_alias(range.start)),
                _ => return Err(self.refuse_alias_key(range.start)),
            };
            return self.set_key(name, range.start);
        }
        let is_map = |entry| self.builder.so_far().entry(entry).kind() == Kind::Map;
        if !matches!(target, Some(Anchored::Entry(entry)) if is_map(entry)) {
            self.quote_merge();
        }
        self.take_merge();
        let key = self.take_key();
        let flags = Flags::NONE.with_if(self.in_flow(), Flags::IN_FLOW);
        match target {
            Some(Anchored::Entry(target)) => {
                if self.frames.is_empty() && self.builder.so_far().entry(target).kind() != Kind::Map {
                    return Err(self.refuse_alias_document(range.start));
                }
                let id = self.builder.alias(target, range, key, flags)?;
                self.value_nodes.push(id);
            }
            Some(Anchored::Key(text)) => {
                let bytes = self.builder.resolve(text).to_vec();
                let value = self.builder.intern(&bytes);
                let flags = flags.with(Flags::ALIAS);
                let id = self.builder.leaf(Kind::Str, range, key, value, Style::Plain, flags);
                self.value_nodes.push(id);
            }
            Some(Anchored::Misread) => {
                return Err(self
                    .refuse("this alias is of an anchor that sops does not know by its name", range.start)
                    .because("the name of an anchor ends before any other character for sops")
                    .hint("use letters, digits, `_` and `-` for the name"));
            }
            None => return Err(self.refuse_alias(range.start)),
        }
        Ok(())
    }

    pub(super) fn refuse_anchor(&self, at: usize) -> Error {
        self.refuse("the name of this anchor has characters that sops does not know in one", at)
            .because("the name ends before them for sops, and what follows is no longer YAML, or another text")
            .hint("use letters, digits, `_` and `-`")
    }
}
