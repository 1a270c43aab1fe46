//! The keys of a map: strings, each once.

use super::super::resolve::Resolved;
use super::super::{place, strict};
use super::{Indexer, refuse};
use crate::document::{EntryId, Kind, Text};
use crate::error::{self, Error, Result};
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::ops::Range;

/// An open map.
#[derive(Default)]
pub(super) struct MapFrame {
    /// The key whose value comes next.
    pub(super) key: Option<Text>,
    /// The keys so far and where they stand, to find duplicates.
    keys: Vec<(Text, u32)>,
    /// Above [`MapFrame::FEW`] keys: a hash of them.
    table: HashTable<u32>,
    /// Where the key `<<` stands whose value go-yaml merges, until that is known to be a map.
    merge: Option<Range<usize>>,
}

impl MapFrame {
    /// Up to here, looking through the keys is faster than hashing them.
    const FEW: usize = 8;
}

impl Indexer<'_> {
    pub(super) fn key(&mut self, resolved: &Resolved<'_>, range: Range<usize>) -> Result<Text> {
        if resolved.kind != Kind::Str {
            return Err(self.refuse_key(resolved.kind, range.start));
        }
        let Ok(name) = std::str::from_utf8(&resolved.canonical) else {
            return Err(self.refuse("this key is binary data", range.start));
        };
        let text = self.text_of(name.as_bytes(), &range);
        self.set_key(text, range.start)?;
        Ok(text)
    }

    /// Where the key at `at` begins: at its anchor or tag, if it has one. Nothing for a key with `?`.
    pub(super) fn implicit_key_start(&self, at: usize) -> Option<usize> {
        let mut start = self.node_end;
        while start < at {
            start = place::skip_to_mark(self.source, start);
            match self.source.as_bytes().get(start) {
                Some(b'&' | b'!') => break,
                Some(b'?') if start < at => return None,
                _ => start += 1,
            }
        }
        Some(start.min(at))
    }

    fn refuse_key(&self, kind: Kind, at: usize) -> Error {
        let what = match kind {
            Kind::Int => "an integer",
            Kind::Float => "a number",
            Kind::Bool => "a boolean",
            Kind::Time => "a date",
            _ => "empty",
        };
        self.refuse(&format!("this key is {what}, not a string"), at)
            .because("sops holds only keys that are strings")
            .hint("put the key in quotes")
    }

    /// Remembers the key at `key` when it is one whose value go-yaml merges: in the map that it looks for the `sops` block in.
    pub(super) fn see_merge(&mut self, is_merge: bool, key: Range<usize>) {
        let is_first = self.frames.len() == 1 && self.builder.so_far().roots().len() == 1;
        if let Some(map) = self.frames.last_mut().and_then(|frame| frame.map.as_mut()) {
            map.merge = (is_merge && is_first).then_some(key);
        }
    }

    pub(super) fn take_merge(&mut self) -> Option<Range<usize>> {
        self.frames.last_mut()?.map.as_mut()?.merge.take()
    }

    /// What comes is the value of a key, and no map: where go-yaml would merge it, the key stands in quotes in the encrypted
    /// file.
    pub(super) fn quote_merge(&mut self) {
        if let Some(key) = self.take_merge() {
            self.builder.odd_key(key, None);
        }
    }

    /// The value of a key is the container `id`, which has just begun.
    pub(super) fn merge(&mut self, id: EntryId) {
        if self.take_merge().is_some() && self.builder.so_far().entry(id).kind() == Kind::List {
            self.merged = Some(id);
        }
    }

    /// Checks the list that has ended, when go-yaml merges its items.
    pub(super) fn check_merged(&mut self) -> Result<()> {
        if self.frames.len() != 1 {
            return Ok(());
        }
        let Some(list) = self.merged.take() else { return Ok(()) };
        let so_far = self.builder.so_far();
        match so_far.children(list).find(|&item| so_far.entry(item).kind() != Kind::Map) {
            Some(item) => Err(refuse(self.source, strict::no_merge(so_far.entry(item).span().start))),
            None => Ok(()),
        }
    }

    /// Remembers the key of the value that comes, refusing one that the map has already.
    pub(super) fn set_key(&mut self, key: Text, at: usize) -> Result<()> {
        let (builder, hasher) = (&self.builder, &self.hasher);
        let Some(map) = self.frames.last_mut().and_then(|frame| frame.map.as_mut()) else { return Ok(()) };
        let bytes = builder.resolve(key);
        let same = |other: &Text| builder.resolve(*other) == bytes;
        let hash = |text: Text| hasher.hash_one(builder.resolve(text));
        let twin = if map.keys.len() <= MapFrame::FEW {
            map.keys.iter().position(|(other, _)| same(other))
        } else {
            if map.table.is_empty() {
                for (index, (other, _)) in map.keys.iter().enumerate() {
                    map.table.insert_unique(hash(*other), index as u32, |&i| hash(map.keys[i as usize].0));
                }
            }
            map.table.find(hash(key), |&index| same(&map.keys[index as usize].0)).map(|&index| index as usize)
        };
        if let Some(twin) = twin {
            let first = map.keys[twin].1 as usize;
            let (line, column) = error::line_column(self.source, first);
            let name = String::from_utf8_lossy(bytes).into_owned();
            return Err(self
                .refuse(&format!("the key {name:?} stands twice in this map"), at)
                .because(format!("the first is at {line}:{column}"))
                .hint("remove one of the two: which of them counts differs from tool to tool"));
        }
        map.key = Some(key);
        map.keys.push((key, at as u32));
        if map.keys.len() > MapFrame::FEW + 1 && !map.table.is_empty() {
            let index = map.keys.len() as u32 - 1;
            map.table.insert_unique(hash(key), index, |&i| hash(map.keys[i as usize].0));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::format::{Format, yaml::Yaml};

    /// What real sops 3.11 says of each, seen by running it.
    #[test]
    fn a_key_in_brackets_stands_on_the_line_of_its_anchor_and_tag() {
        for text in ["d: {d: 1,&a \r\n e: \"f\"}\n", "d: {!x\n e: f}\n", "d: {b: 1, # &\n &a !x\n e: f}\n"] {
            let error = Yaml.index(text.to_owned()).map(drop).unwrap_err();
            assert!(error.to_string().contains("do not stand on one line"), "{text:?}: {error}");
        }
        for text in ["d: {d: 1, # &x\n &a !x e: \"f\"}\n", "d: [&a\n e]\n", "d: {a: &b\n c, d: 1}\n"] {
            assert!(Yaml.index(text.to_owned()).is_ok(), "{text:?}");
        }
    }
}
