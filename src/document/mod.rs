//! The indexed text: what a file is to leafcrypt.
//!
//! A [`Document`] is the source text and an ordered, compact table of [`Entry`]s over it: containers,
//! leaves and comments, each with its byte span, its key, its style and its resolved value. Nothing is
//! ever printed back from a tree; a change is a splice on the text ([`Splicer`]).
//!
//! Owns: the table, paths, values, splices and tree queries. Must not know: any format's syntax, any
//! cipher, what a rule or a recipient is.

mod builder;
mod diff;
mod edit;
mod encoding;
pub mod float;
mod path;
mod splice;
mod value;

pub use builder::Builder;
pub use diff::{Hunk, diff};
pub use edit::{Node, Place, Splice};
pub use encoding::Encoding;
pub use path::{KeyPath, Step};
pub use splice::Splicer;
pub use value::Value;

use std::ops::Range;
use std::sync::Arc;
use zeroize::Zeroize;

/// The place of an entry in its document's table, from 0, in the order of the text.
pub type EntryId = usize;

/// What stands in the `parent` of a root.
const NO_PARENT: u32 = u32::MAX;

/// What an entry is; for a leaf, also the type of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A map; its children carry keys.
    Map,
    /// A list; its children carry none.
    List,
    /// A string leaf.
    Str,
    /// An integer leaf, canonically in decimal.
    Int,
    /// A floating-point leaf, canonically as Go's `FormatFloat(v, 'f', -1, 64)`.
    Float,
    /// A boolean leaf, canonically `True` or `False`.
    Bool,
    /// A point in time, canonically as RFC 3339 with trailing zeros of the nanoseconds left out.
    Time,
    /// Nothing; never encrypted and not part of the MAC.
    Null,
    /// A comment; its value is the text behind its mark.
    Comment,
}

impl Kind {
    /// Whether entries of this kind hold other entries.
    #[must_use]
    pub fn is_container(self) -> bool {
        matches!(self, Kind::Map | Kind::List)
    }
}

/// How the value of an entry is written in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single quotes.
    SingleQuoted,
    /// In double quotes.
    DoubleQuoted,
    /// A literal block scalar (`|`).
    Literal,
    /// A folded block scalar (`>`).
    Folded,
    /// Between three double quotes.
    TripleQuoted,
    /// In back quotes.
    BackQuoted,
    /// A container by indentation.
    Block,
    /// A container in brackets; a comment on the line of what it belongs to.
    Flow,
}

/// Facts about an entry, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// No fact.
    pub const NONE: Flags = Flags(0);
    /// The entry stands inside brackets.
    pub const IN_FLOW: Flags = Flags(1);
    /// The entry is an alias: the text at its span is a reference, and its value, or the entries below
    /// it, are a copy of what it refers to.
    pub const ALIAS: Flags = Flags(2);
    /// The entry is part of such a copy and has no text of its own.
    pub const COPIED: Flags = Flags(4);
    /// The span begins with a type tag that only fits the value that stands there now.
    pub const TAGGED: Flags = Flags(8);
    /// The value may not stand as it does now in the file's other form, encrypted or plain, even where it is
    /// not encrypted: it is always written anew there.
    pub const REWRITTEN: Flags = Flags(16);
    /// The entry is not in sops' tree: another of the same key took its place. Encrypted all the same.
    pub const SHADOWED: Flags = Flags(32);
    /// The comment is a part of the one that stands two entries before, and is encrypted where that is.
    pub const TIED: Flags = Flags(64);
    /// No token can stand in its place: where it is encrypted, the layout record alone has it.
    pub const NO_TOKEN: Flags = Flags(128);

    /// Whether all facts of `other` are in this set.
    #[must_use]
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set and `other`.
    #[must_use]
    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// This set and `other`, if `condition` holds.
    #[must_use]
    pub fn with_if(self, condition: bool, other: Flags) -> Flags {
        if condition { self.with(other) } else { self }
    }
}

/// A piece of the source or of the document's arena. 8 bytes, since there is one for each key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    start: u32,
    len: u32,
}

impl Text {
    const IN_ARENA: u32 = 1 << 31;
    /// The empty text.
    pub const EMPTY: Text = Text { start: 0, len: 0 };
}

/// One row of the table. 36 bytes: a million leaves are 36 MB.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Byte span of the value in the source, without key, anchor and comment; for a comment, with its mark.
    start: u32,
    end: u32,
    /// The container that holds this entry; for a comment, the one whose path it is encrypted under.
    parent: u32,
    key: Text,
    /// A leaf's canonical value or a comment's text; a container has its subtree's end in `start`.
    text: Text,
    kind: Kind,
    style: Style,
    flags: Flags,
    keyed: bool,
}

impl Entry {
    /// What the entry is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How its value is written.
    #[must_use]
    pub fn style(&self) -> Style {
        self.style
    }

    /// Whether the entry has all of `flags`.
    #[must_use]
    pub fn is(&self, flags: Flags) -> bool {
        self.flags.has(flags)
    }

    /// The bytes of the source that hold its value.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The container that holds it; for a comment, the one whose path it is encrypted under.
    #[must_use]
    pub fn parent(&self) -> Option<EntryId> {
        (self.parent != NO_PARENT).then_some(self.parent as usize)
    }

    /// Whether it has a key, as children of maps have.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.keyed
    }
}

/// How much further than what it stands in something is indented that is written anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Indent {
    /// As sops does when nobody says how.
    #[default]
    OfSops,
    /// By a tab.
    Tab,
    /// By so many spaces.
    Spaces(u8),
}

/// Where a comment stands among the values of its container, for rules that look at comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommentPlace {
    /// The comment.
    pub comment: u32,
    /// The container it belongs to.
    pub container: u32,
    /// The child of that container that it precedes; `u32::MAX` when it follows them all.
    pub before: u32,
}

/// A key that may not stand as it does now in the file's other form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddKey {
    /// The entry whose key it is.
    pub entry: EntryId,
    /// Where the key stands.
    pub span: Range<usize>,
    /// For an alias, the value that it repeats: it is written out where that is encrypted. All others always are.
    pub target: Option<EntryId>,
}

/// A typed leaf value in its canonical bytes, the ones that are encrypted and hashed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scalar<'a> {
    /// The type; never a container.
    pub kind: Kind,
    /// The canonical bytes. UTF-8 for every kind but a `Str` that was written as binary data.
    pub bytes: &'a [u8],
}

impl Scalar<'_> {
    /// Whether both are the same value to sops' format: type and bytes, but that a float without a
    /// fraction and an integer are one, since both are written the same.
    #[must_use]
    pub fn is_same_value(&self, other: &Scalar<'_>) -> bool {
        let number = |kind: Kind| matches!(kind, Kind::Int | Kind::Float);
        self.bytes == other.bytes && (self.kind == other.kind || number(self.kind) && number(other.kind))
    }
}

/// A source text and the table of its entries.
#[derive(Default)]
pub struct Document {
    /// Shared with the parser alone, while the table is being filled.
    text: Arc<String>,
    /// The source instead of `text` where it is no text.
    bytes: Option<Vec<u8>>,
    arena: Vec<u8>,
    entries: Vec<Entry>,
    roots: Vec<EntryId>,
    aliases: Vec<(u32, u32)>,
    odd_keys: Vec<OddKey>,
    comments: Vec<CommentPlace>,
    ends_open: bool,
    shadows: Vec<(u32, u32)>,
    /// How the `sops` block is indented that is put into it, where nothing around says how.
    pub block_indent: Indent,
    /// How the source was written down before it was this text.
    pub encoding: Encoding,
}

impl Drop for Document {
    /// Wipes the values that do not stand in the source as they are. The source is its owner's to wipe,
    /// who takes it out by [`Document::into_text`]: of an encrypted file it is no secret.
    fn drop(&mut self) {
        self.arena.zeroize();
    }
}

impl Document {
    /// The source, when it is a text; of binary data, nothing.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The source.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(self.text.as_bytes())
    }

    /// Gives the source back, when it is a text, and drops the table.
    #[must_use]
    pub fn into_text(mut self) -> String {
        Arc::unwrap_or_clone(std::mem::take(&mut self.text))
    }

    /// Gives the source back and drops the table.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.take().unwrap_or_else(|| self.into_text().into_bytes())
    }

    /// Says more of an entry.
    pub fn mark(&mut self, id: EntryId, flags: Flags) {
        self.entries[id].flags = self.entries[id].flags.with(flags);
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry `id`.
    ///
    /// # Panics
    /// When `id` is not from this document.
    #[must_use]
    pub fn entry(&self, id: EntryId) -> &Entry {
        &self.entries[id]
    }

    /// All entries in the order of the text.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The root of each document of the stream.
    #[must_use]
    pub fn roots(&self) -> &[EntryId] {
        &self.roots
    }

    /// The entry's key, empty for list items and roots.
    #[must_use]
    pub fn key(&self, id: EntryId) -> &str {
        // Keys are made from `str` slices alone; arena pieces never split a character.
        std::str::from_utf8(self.resolve(self.entries[id].key)).unwrap_or_default()
    }

    /// The bytes of [`Self::key`].
    #[must_use]
    pub fn key_bytes(&self, id: EntryId) -> &[u8] {
        self.resolve(self.entries[id].key)
    }

    /// The byte at which the entry's key stands in the source, behind its quote; `None` when it has no
    /// key, or one with escapes.
    #[must_use]
    pub fn key_start(&self, id: EntryId) -> Option<usize> {
        let entry = &self.entries[id];
        (entry.keyed && entry.key.len & Text::IN_ARENA == 0).then_some(entry.key.start as usize)
    }

    /// The typed value of a leaf or the text of a comment; of a container, its kind and no bytes.
    #[must_use]
    pub fn scalar(&self, id: EntryId) -> Scalar<'_> {
        let entry = &self.entries[id];
        let bytes = if entry.kind.is_container() { &[] } else { self.resolve(entry.text) };
        Scalar { kind: entry.kind, bytes }
    }

    /// The source at the entry's span, when it is a text; of binary data, nothing.
    #[must_use]
    pub fn raw(&self, id: EntryId) -> &str {
        self.text.get(self.entries[id].span()).unwrap_or_default()
    }

    /// The bytes of the source at the entry's span.
    #[must_use]
    pub fn raw_bytes(&self, id: EntryId) -> &[u8] {
        &self.bytes()[self.entries[id].span()]
    }

    /// The entries of the subtree at `id`, itself first. Comments among them included.
    #[must_use]
    pub fn subtree(&self, id: EntryId) -> Range<EntryId> {
        let entry = &self.entries[id];
        id..if entry.kind.is_container() { entry.text.start as usize } else { id + 1 }
    }

    /// The value of `key` in the map `id`, the first where the key stands twice; `None` when `id` is no map.
    #[must_use]
    pub fn child(&self, id: EntryId, key: &str) -> Option<EntryId> {
        let is_map = self.entries[id].kind == Kind::Map;
        self.children(id).find(|&child| is_map && self.key(child) == key)
    }

    /// The values directly below a container, in order, without comments and what is not in sops' tree.
    pub fn children(&self, id: EntryId) -> impl Iterator<Item = EntryId> + '_ {
        let end = self.subtree(id).end;
        let mut next = id + 1;
        std::iter::from_fn(move || {
            while next < end {
                let child = next;
                next = self.subtree(child).end;
                let entry = &self.entries[child];
                if entry.kind != Kind::Comment && !entry.is(Flags::SHADOWED) {
                    return Some(child);
                }
            }
            None
        })
    }

    /// Whether text behind the last value, even a line break, would be part of it.
    #[must_use]
    pub fn ends_open(&self) -> bool {
        self.ends_open
    }

    /// What the alias `id` refers to.
    #[must_use]
    pub fn alias_target(&self, id: EntryId) -> Option<EntryId> {
        let found = self.aliases.binary_search_by_key(&(id as u32), |&(alias, _)| alias).ok()?;
        Some(self.aliases[found].1 as usize)
    }

    /// The aliases and what each refers to, in the order of the text.
    pub fn aliases(&self) -> impl Iterator<Item = (EntryId, EntryId)> + '_ {
        self.aliases.iter().map(|&(alias, target)| (alias as usize, target as usize))
    }

    /// The keys that are not always written as they stand, in the order of the text.
    #[must_use]
    pub fn odd_keys(&self) -> &[OddKey] {
        &self.odd_keys
    }

    /// The entries that are not in sops' tree, each with the one of the same key that is: in the order of the text.
    pub fn shadows(&self) -> impl Iterator<Item = (EntryId, EntryId)> + '_ {
        self.shadows.iter().map(|&(shadowed, by)| (shadowed as usize, by as usize))
    }

    /// The comments in the order of the tree, which for a comment behind a value is before that value.
    #[must_use]
    pub fn comment_places(&self) -> &[CommentPlace] {
        &self.comments
    }

    fn resolve(&self, text: Text) -> &[u8] {
        let start = text.start as usize;
        let len = (text.len & !Text::IN_ARENA) as usize;
        let bytes = if text.len & Text::IN_ARENA == 0 { self.bytes() } else { &self.arena };
        &bytes[start..start + len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_compact() {
        assert!(size_of::<Entry>() <= 36, "{} bytes", size_of::<Entry>());
    }
}
