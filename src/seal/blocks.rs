//! Where the `sops` blocks of a file go and how they are written: as in the version before, or, in what is new, as
//! sops would.

use super::previous::{Kept, Previous};
use crate::document::{Document, EntryId, Kind, Splice, Style};
use crate::error::Result;
use crate::format::Format;
use crate::metadata::Metadata;
use std::ops::Range;

/// The blocks of a document that is being sealed.
pub(super) struct Blocks<'a> {
    format: &'a dyn Format,
    document: &'a Document,
    /// The version before, and of its blocks those that stay.
    edited: Option<(&'a Previous, Vec<Edited>)>,
}

/// A block of the version before.
struct Edited {
    /// Where it stands there.
    source: Range<usize>,
    /// What it takes the place of in the new plaintext: mostly nothing.
    target: Range<usize>,
}

impl<'a> Blocks<'a> {
    /// All blocks new.
    pub(super) fn new(format: &'a dyn Format, document: &'a Document) -> Self {
        Blocks { format, document, edited: None }
    }

    /// The blocks of the version before, where they can stay.
    pub(super) fn edited(
        format: &'a dyn Format,
        document: &'a Document,
        previous: &'a Previous,
        kept: &Kept<'_>,
    ) -> Self {
        if format.is_whole() {
            return Self::around(format, document, previous, kept);
        }
        let mut edited = Vec::new();
        for (source, target) in &kept.blocks {
            let emptied = emptied(document, target.as_ref(), is_block(previous.document(), source));
            if let Some(target) = emptied.or_else(|| target.clone()) {
                edited.push(Edited { source: source.clone(), target });
            }
        }
        Blocks { format, document, edited: Some((previous, edited)) }
    }

    /// The two parts of the block of a file that is a single value: they stand around it.
    fn around(format: &'a dyn Format, document: &'a Document, previous: &'a Previous, kept: &Kept<'_>) -> Self {
        let end = document.bytes().len();
        let [(before, _), (after, _)] = &kept.blocks[..] else { return Blocks::new(format, document) };
        if end == 0 {
            // The value itself is then part of the block.
            return Blocks::new(format, document);
        }
        let part = |source: &Range<usize>, at: usize| Edited { source: source.clone(), target: at..at };
        let edited = vec![part(before, 0), part(after, end)];
        Blocks { format, document, edited: Some((previous, edited)) }
    }

    /// What each block takes the place of in the plaintext, ascending, and its text for `metadata`.
    ///
    /// # Errors
    /// When a block cannot be changed so.
    pub(super) fn texts(&self, metadata: &Metadata) -> Result<Vec<(Range<usize>, String)>> {
        let fresh = |(at, text): (usize, String)| (at..at, text);
        let Some((previous, edited)) = &self.edited else {
            let blocks = self.format.metadata_insertions(self.document, &metadata.to_value());
            return Ok(blocks.into_iter().map(fresh).collect());
        };
        let old = previous.document();
        let value = match self.format.metadata(old) {
            Some(before) => metadata.to_value_after(&before),
            None => metadata.to_value(),
        };
        let splices = self.format.change_metadata(old, &value)?;
        let mut blocks: Vec<_> =
            edited.iter().map(|block| (block.target.clone(), changed(old, &block.source, &splices))).collect();
        // Documents that are new in the stream have none yet.
        let roots: Vec<_> = blocks.iter().map(|(target, _)| self.root_at(target.start)).collect();
        if self.format.metadata_entries(old).len() >= maps(old) {
            let new = self.format.metadata_insertions(self.document, &metadata.to_value());
            blocks.extend(new.into_iter().filter(|(at, _)| !roots.contains(&self.root_at(*at))).map(fresh));
            blocks.sort_by_key(|(target, _)| target.start);
        }
        Ok(blocks)
    }

    /// Which document of the stream a place is in.
    fn root_at(&self, at: usize) -> usize {
        let starts = self.document.roots().iter().map(|&root| self.document.entry(root).span().start);
        starts.skip(1).take_while(|&start| start <= at).count()
    }
}

/// How many documents of a stream are maps.
fn maps(document: &Document) -> usize {
    document.roots().iter().filter(|&&root| document.entry(root).kind() == Kind::Map).count()
}

/// The text of a block with what of `splices` is in it.
fn changed(document: &Document, source: &Range<usize>, splices: &[Splice]) -> String {
    let text = document.text();
    let mut changed = String::new();
    let mut at = source.start;
    for (range, new) in splices.iter().filter(|(range, _)| source.start <= range.start && range.end <= source.end) {
        changed.push_str(&text[at..range.start]);
        changed.push_str(new);
        at = range.end;
    }
    changed.push_str(&text[at..source.end]);
    changed
}

/// Whether the block at `source` stands in a document by indentation.
fn is_block(document: &Document, source: &Range<usize>) -> bool {
    let is_around = |root: &&EntryId| document.entry(**root).span().start <= source.end;
    let root = document.roots().iter().rev().find(is_around);
    root.is_some_and(|&root| document.entry(root).style() == Style::Block)
}

/// The empty brackets, with their line break, that a block by indentation takes the place of: it is then all that is
/// in the document, which decrypting gives back as `{}`.
fn emptied(document: &Document, target: Option<&Range<usize>>, is_block: bool) -> Option<Range<usize>> {
    let is_empty = |&&root: &&EntryId| document.raw(root) == "{}" && document.entry(root).style() == Style::Flow;
    let mut empty = document.roots().iter().filter(is_empty).filter(|_| is_block);
    let root = match target {
        Some(target) => {
            *empty.find(|&&root| (0..=1).contains(&(target.start.wrapping_sub(document.entry(root).span().end))))?
        }
        None => *empty.next()?,
    };
    let span = document.entry(root).span();
    document.text()[span.end..].starts_with('\n').then_some(span.start..span.end + 1)
}
