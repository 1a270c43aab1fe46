//! What a change of the tree is: a value from elsewhere, and the place that it goes to.
//!
//! Formats turn a place and a value into splices on their text ([`crate::format::Format::put`]).

use super::{Builder, Document, EntryId, Flags, Kind, Splicer, Step, Style, Text};
use crate::error::{self, Error, Result};
use std::ops::Range;

/// A value to write into another document, most often one of another format: a subtree.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    /// The document that holds it.
    pub document: &'a Document,
    /// Its entry there.
    pub id: EntryId,
}

/// A piece of a document's text, and what is to stand there instead.
pub type Splice = (Range<usize>, String);

/// Where in a document a value goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the place of the value of this entry.
    Of(EntryId),
    /// Behind the last member of this map, under this key, which it has not yet.
    Member(EntryId, String),
    /// Behind the last item of this list.
    Item(EntryId),
}

impl<'a> Node<'a> {
    /// The value that is the whole of `document`: its first root.
    ///
    /// # Panics
    /// When the document is empty.
    #[must_use]
    pub fn root(document: &'a Document) -> Self {
        Node { document, id: document.roots()[0] }
    }

    /// The value inside of the maps and lists that `path` says, the first step outermost: what sops makes
    /// for a path whose end is not there yet. Any position makes a list of one item.
    #[must_use]
    pub fn within(self, path: &[Step]) -> Document {
        let mut builder = Builder::default();
        let mut key = None;
        for step in path {
            let (kind, next) = match step {
                Step::Key(name) | Step::Name(name) => (Kind::Map, Some(builder.intern(name.as_bytes()))),
                Step::Index(_) => (Kind::List, None),
            };
            builder.open(kind, 0, key, Style::Flow, Flags::NONE);
            key = next;
        }
        builder.graft(self, key);
        builder.finish()
    }
}

impl Builder {
    /// Adds a copy of `node`, without comments and styles, under `key`.
    fn graft(&mut self, node: Node<'_>, key: Option<Text>) {
        let Node { document, id } = node;
        let mut ends: Vec<EntryId> = Vec::new();
        for at in document.subtree(id) {
            while ends.pop_if(|end| *end == at).is_some() {
                self.close(0);
            }
            let entry = document.entry(at);
            if entry.kind() == Kind::Comment {
                continue;
            }
            let own = entry.has_key().then(|| self.intern(document.key_bytes(at)));
            let key = if at == id { key } else { own };
            if entry.kind().is_container() {
                self.open(entry.kind(), 0, key, Style::Flow, Flags::NONE);
                ends.push(document.subtree(at).end);
            } else {
                let value = self.intern(document.scalar(at).bytes);
                self.leaf(entry.kind(), 0..0, key, value, Style::Plain, Flags::NONE);
            }
        }
        ends.into_iter().for_each(|_| self.close(0));
    }
}

impl Document {
    /// The place that `path` means below `root`, and the steps of it that are not there yet and have to be
    /// made around the value: as sops, which adds what is missing and puts maps and lists where a single
    /// value stands in the way. A position behind the end of a list means one more item.
    ///
    /// # Errors
    /// When the path is empty; when a position meets a map, or a key a list.
    pub fn place<'p>(&self, root: EntryId, path: &'p [Step]) -> Result<(Place, &'p [Step])> {
        if path.is_empty() {
            return Err(Error::new(error::Kind::TreePath, "the key path is empty")
                .because("it names the whole document, which cannot be replaced")
                .hint(r#"name a key, as in '["db"]["password"]'"#));
        }
        let (at, rest) = self.reach(root, path);
        let Some((step, beyond)) = rest.split_first() else { return Ok((Place::Of(at), &[])) };
        match (self.entry(at).kind(), step) {
            (Kind::Map, Step::Key(key) | Step::Name(key)) => Ok((Place::Member(at, key.clone()), beyond)),
            (Kind::List, Step::Index(_)) => Ok((Place::Item(at), beyond)),
            (Kind::List, Step::Name(name)) if name == "-" || name.parse::<usize>().is_ok() => {
                Ok((Place::Item(at), beyond))
            }
            (Kind::Map | Kind::List, _) => Err(self.leads_nowhere(at, step)),
            _ => Ok((Place::Of(at), rest)),
        }
    }

    /// The source with `splices` applied, ascending and apart from each other.
    #[must_use]
    pub fn spliced(&self, splices: &[Splice]) -> Vec<u8> {
        let mut splicer = Splicer::new(self.bytes(), splices.iter().map(|(_, new)| new.len()).sum());
        for (range, new) in splices {
            splicer.replace(range.clone()).extend_from_slice(new.as_bytes());
        }
        splicer.finish()
    }
}
