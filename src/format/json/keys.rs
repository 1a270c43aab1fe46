//! The keys of the objects that are open: finds a duplicate in constant time, without an allocation for
//! the small objects that most are.

use crate::document::{Builder, Text};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// Up to this many keys are compared one by one.
const SMALL: usize = 8;

/// The keys seen so far in each open object.
#[derive(Default)]
pub(super) struct Keys {
    seen: Vec<Seen>,
    scopes: Vec<Scope>,
    /// Seeded by the system: no file can be made whose keys all collide.
    random: RandomState,
}

/// A key and the offset of its opening quote.
struct Seen {
    key: Text,
    at: u32,
}

/// One open container.
struct Scope {
    is_map: bool,
    /// Where its keys begin in `seen`; those of the containers inside of it are gone when they close.
    first: usize,
    /// From the hash of a key to its place in `seen`, once there are more than [`SMALL`].
    table: Option<Table>,
}

type Table = HashMap<u64, u32, BuildHasherDefault<AsIs>>;

impl Keys {
    /// A container begins.
    pub(super) fn open(&mut self, is_map: bool) {
        self.scopes.push(Scope { is_map, first: self.seen.len(), table: None });
    }

    /// The innermost container ends.
    pub(super) fn close(&mut self) {
        if let Some(scope) = self.scopes.pop() {
            self.seen.truncate(scope.first);
        }
    }

    /// Whether the innermost container is an object; `None` when all are closed.
    pub(super) fn in_map(&self) -> Option<bool> {
        self.scopes.last().map(|scope| scope.is_map)
    }

    /// Adds a key of the innermost object. Gives the offset of an equal key, if there is one.
    pub(super) fn add(&mut self, builder: &Builder, key: Text, at: usize) -> Option<usize> {
        let bytes = builder.resolve(key);
        let scope = self.scopes.last_mut()?;
        let known = &self.seen[scope.first..];
        let scan = || known.iter().find(|seen| builder.resolve(seen.key) == bytes).map(|seen| seen.at as usize);
        let found = if known.len() <= SMALL {
            scan()
        } else {
            let table = scope.table.get_or_insert_with(|| {
                let hashes = known.iter().map(|seen| self.random.hash_one(builder.resolve(seen.key)));
                hashes.zip(scope.first as u32..).collect()
            });
            let hash = self.random.hash_one(bytes);
            match table.get(&hash) {
                None => {
                    table.insert(hash, self.seen.len() as u32);
                    None
                }
                Some(&place) if builder.resolve(self.seen[place as usize].key) == bytes => {
                    Some(self.seen[place as usize].at as usize)
                }
                // Two keys with one 64-bit hash: not in this universe's files, but right all the same.
                Some(_) => scan(),
            }
        };
        self.seen.push(Seen { key, at: at as u32 });
        found
    }
}

/// Takes a hash as its own hash.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only `write_u64` is ever called, by `u64`; this stays right for whatever else comes.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
