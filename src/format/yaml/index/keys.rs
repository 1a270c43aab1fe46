//! The keys of a map: strings, each once.

use super::super::resolve::Resolved;
use super::Indexer;
use crate::document::{Kind, Text};
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
