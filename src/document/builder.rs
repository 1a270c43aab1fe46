//! Filling the table, one entry after the other, in the order of the text.

use super::{CommentPlace, Document, Entry, EntryId, Flags, Kind, NO_PARENT, OddKey, Style, Text};
use crate::error::{self, Error, Result};
use crate::trace;
use std::ops::Range;
use std::sync::Arc;

/// Builds a [`Document`]; what an index of a format writes into. The default one has no text: its values
/// are made of whatever is known otherwise.
#[derive(Default)]
pub struct Builder {
    document: Document,
    open: Vec<u32>,
    /// Where the key of the entry that comes next stands, if it is odd, and what it is an alias of.
    odd_key: Option<(Range<usize>, Option<EntryId>)>,
    clock: trace::Clock,
}

impl Builder {
    /// How many entries the copies of aliases may make. A file of a few hundred bytes can expand to
    /// billions ("billion laughs"); no real one comes near this.
    pub const MAX_COPIES: usize = 4_000_000;

    /// Begins a document over `text`.
    ///
    /// # Errors
    /// When `text` is longer than 2 GiB, the reach of the compact table.
    pub fn new(text: String) -> Result<Self> {
        Self::check_size(text.len())?;
        Ok(Self::over(text, None))
    }

    /// Begins a document over `bytes`, which may be no text.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::check_size(bytes.len())?;
        Ok(Self::over(String::new(), Some(bytes)))
    }

    fn check_size(len: usize) -> Result<()> {
        if len < Text::IN_ARENA as usize {
            return Ok(());
        }
        Err(Error::new(error::Kind::Format, "the file is larger than 2 GiB")
            .hint("store large data outside of Git and keep only its key in a secret file"))
    }

    fn over(text: String, bytes: Option<Vec<u8>>) -> Self {
        let mut builder = Builder::default();
        builder.document.text = Arc::new(text);
        builder.document.bytes = bytes;
        builder.clock = trace::clock();
        builder
    }

    /// The source.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.document.text
    }

    /// The source, for a parser that borrows it while the table is filled. To be dropped before the
    /// document is used, so that there is one owner who wipes it.
    #[must_use]
    pub fn shared_text(&self) -> Arc<String> {
        Arc::clone(&self.document.text)
    }

    /// The id that the next entry will have.
    #[must_use]
    pub fn next_id(&self) -> EntryId {
        self.document.entries.len()
    }

    /// The innermost open container.
    #[must_use]
    pub fn open_container(&self) -> Option<EntryId> {
        self.open.last().map(|&id| id as usize)
    }

    /// How many containers are open.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// What has been built so far, for look-ups.
    #[must_use]
    pub fn so_far(&self) -> &Document {
        &self.document
    }

    /// A piece of the source.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Text {
        Text { start: range.start as u32, len: range.len() as u32 }
    }

    /// Bytes that do not stand in the source as they are: an unescaped key, a canonical value.
    #[must_use]
    pub fn intern(&mut self, bytes: &[u8]) -> Text {
        if bytes.is_empty() {
            return Text::EMPTY;
        }
        let start = self.document.arena.len() as u32;
        self.document.arena.extend_from_slice(bytes);
        Text { start, len: bytes.len() as u32 | Text::IN_ARENA }
    }

    /// Resolves a text of this document.
    #[must_use]
    pub fn resolve(&self, text: Text) -> &[u8] {
        self.document.resolve(text)
    }

    /// Opens a map or a list at `start`; entries that follow are inside of it until [`Self::close`].
    pub fn open(&mut self, kind: Kind, start: usize, key: Option<Text>, style: Style, flags: Flags) -> EntryId {
        let id = self.push(kind, start..start, key, Text::EMPTY, style, flags);
        self.open.push(id as u32);
        id
    }

    /// Closes the innermost open container, whose text ends at `end`.
    pub fn close(&mut self, end: usize) {
        if let Some(id) = self.open.pop() {
            let next = self.next_id() as u32;
            let entry = &mut self.document.entries[id as usize];
            entry.end = end as u32;
            entry.text.start = next;
        }
    }

    /// Adds a leaf.
    pub fn leaf(
        &mut self,
        kind: Kind,
        span: Range<usize>,
        key: Option<Text>,
        value: Text,
        style: Style,
        flags: Flags,
    ) -> EntryId {
        self.push(kind, span, key, value, style, flags)
    }

    /// Adds a comment, `span` with its mark and `text` without. It belongs to the open container until
    /// [`Self::place_comment`] says better.
    pub fn comment(&mut self, span: Range<usize>, text: Text) -> EntryId {
        self.comment_with(span, text, Style::Plain, Flags::NONE)
    }

    /// Adds a comment of which something is to be remembered.
    pub fn comment_with(&mut self, span: Range<usize>, text: Text, style: Style, flags: Flags) -> EntryId {
        let id = self.push(Kind::Comment, span, None, text, style, flags);
        if self.open.is_empty() {
            // Not a root: a comment outside of the root value belongs to no container yet.
            self.document.roots.pop();
        }
        id
    }

    /// Takes back the comment that was added last: it is a part of the value that comes.
    pub fn forget_comment(&mut self) {
        self.document.entries.pop_if(|entry| entry.kind == Kind::Comment);
    }

    /// Says to which container a comment belongs and before which child it stands there. Calls come
    /// in the order of the tree.
    pub fn place_comment(&mut self, comment: EntryId, container: EntryId, before: Option<EntryId>) {
        self.document.entries[comment].parent = container as u32;
        self.document.comments.push(CommentPlace {
            comment: comment as u32,
            container: container as u32,
            before: before.map_or(u32::MAX, |id| id as u32),
        });
    }

    /// Adds an alias: a copy of the subtree at `target`, its comments left out.
    ///
    /// # Errors
    /// When the copies grow past [`Self::MAX_COPIES`], or the target contains the alias itself.
    pub fn alias(&mut self, target: EntryId, span: Range<usize>, key: Option<Text>, flags: Flags) -> Result<EntryId> {
        let at = span.start;
        if self.open.contains(&(target as u32)) {
            return Err(Error::new(error::Kind::Format, "an alias refers to the value that contains it")
                .at(self.text(), at)
                .hint("such a value is endless and cannot be encrypted; write out what is meant"));
        }
        let subtree = self.document.subtree(target);
        if self.next_id() + subtree.len() > Self::MAX_COPIES + self.document.text.len() {
            return Err(Error::new(error::Kind::Format, "the aliases of this file expand to too many values")
                .at(self.text(), at)
                .because(format!(
                    "more than {} entries; this is how a \"billion laughs\" file looks",
                    Self::MAX_COPIES
                )));
        }
        let mut root = None;
        let mut ends: Vec<EntryId> = Vec::new(); // of the containers of the original that are open
        for original in subtree {
            while ends.last() == Some(&original) {
                ends.pop();
                self.close(span.end);
            }
            let entry = self.document.entries[original];
            if entry.kind == Kind::Comment {
                continue;
            }
            let mut facts = flags.with(if root.is_none() { Flags::ALIAS } else { Flags::COPIED });
            if root.is_some() {
                facts = facts.with(Flags::IN_FLOW);
            }
            let entry_key = if root.is_none() { key } else { entry.keyed.then_some(entry.key) };
            if entry.kind.is_container() {
                let id = self.open(entry.kind, span.start, entry_key, entry.style, facts);
                root.get_or_insert(id);
                ends.push(self.document.subtree(original).end);
            } else {
                let id = self.push(entry.kind, span.clone(), entry_key, entry.text, entry.style, facts);
                root.get_or_insert(id);
            }
        }
        for _ in ends {
            self.close(span.end);
        }
        // The subtree holds at least the target itself, which is never a comment.
        let root = root.unwrap_or(target);
        self.document.aliases.push((root as u32, target as u32));
        Ok(root)
    }

    /// Says that the key of the entry that comes next, at `span`, may not stand so in the file's other form; for an
    /// alias of the value `target`, where that is encrypted.
    pub fn odd_key(&mut self, span: Range<usize>, target: Option<EntryId>) {
        self.odd_key = Some((span, target));
    }

    /// Says that text behind the last value, even a line break, would be part of it.
    pub fn ends_open(&mut self) {
        self.document.ends_open = true;
    }

    /// Says that the leaf `first` stands in sops' tree with the value of the later leaf `shadowed`, whatever its own
    /// text says, and that one not at all.
    pub fn shadow(&mut self, shadowed: EntryId, first: EntryId) {
        let entry = &mut self.document.entries[shadowed];
        entry.flags = entry.flags.with(Flags::SHADOWED);
        self.document.entries[first].text = self.document.entries[shadowed].text;
        self.document.shadows.push((shadowed as u32, first as u32));
    }

    /// Gives the source back, when it is a text, and forgets what was built.
    #[must_use]
    pub fn into_text(self) -> String {
        self.document.into_text()
    }

    /// The finished document.
    #[must_use]
    pub fn finish(mut self) -> Document {
        while !self.open.is_empty() {
            self.close(self.document.bytes().len());
        }
        self.document.entries.shrink_to_fit();
        self.clock.done(|| format!("indexed {} bytes, {} entries", self.document.bytes().len(), self.document.len()));
        self.document
    }

    fn push(
        &mut self,
        kind: Kind,
        span: Range<usize>,
        key: Option<Text>,
        text: Text,
        style: Style,
        flags: Flags,
    ) -> EntryId {
        let id = self.next_id();
        let parent = self.open.last().copied();
        if let Some((span, target)) = self.odd_key.take_if(|_| key.is_some()) {
            self.document.odd_keys.push(OddKey { entry: id, span, target });
        }
        if parent.is_none() {
            self.document.roots.push(id);
        }
        self.document.entries.push(Entry {
            start: span.start as u32,
            end: span.end as u32,
            parent: parent.unwrap_or(NO_PARENT),
            key: key.unwrap_or(Text::EMPTY),
            text,
            kind,
            style,
            flags,
            keyed: key.is_some(),
        });
        id
    }
}
