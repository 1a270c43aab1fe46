//! Documents made at random, directly as text, so that every way to write a value has its turn.
//!
//! A generator reads its decisions from a string of random bytes: a shorter string or smaller bytes make a
//! simpler document, and an exhausted one answers 0 for ever, the simplest decision of all. So
//! proptest's shrinking of a byte vector shrinks the document, which stays valid.

pub(crate) mod dotenv;
pub(crate) mod ini;
pub(crate) mod json;
pub(crate) mod yaml;

use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A generator's decisions.
pub(crate) struct Source<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Source<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Source { bytes, at: 0 }
    }

    /// A number below `count`, which is at most 256.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(byte) * count / 256
    }

    /// True in about `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of `all`.
    pub(crate) fn pick<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    /// A finite float, spelled in one of many ways; one of 32 bits more often than not, as many in real files once were.
    pub(crate) fn float(&mut self) -> String {
        let is_short = !self.chance(30);
        let bits = (0..if is_short { 3 } else { 8 }).fold(0, |bits: u64, _| bits << 8 | self.below(256) as u64);
        let value = match f64::from_bits(bits) {
            // All that 32 bits can say below 128, in steps of their precision there.
            _ if is_short => bits as f64 / 131_072.0,
            value if value.is_finite() => value,
            _ => 0.5,
        };
        match self.below(4) {
            0 if (1e-9..1e20).contains(&value.abs()) => format!("{value}"),
            1 if (1e-9..1e20).contains(&value.abs()) => format!("{value:.20}"),
            2 => format!("{value:.17e}"),
            _ => format!("{value:e}"),
        }
    }

    /// Whether decisions are left.
    pub(crate) fn has_more(&self) -> bool {
        self.at < self.bytes.len()
    }
}

/// A document in the making that can be simplified.
pub(crate) struct Case {
    tree: Box<dyn ValueTree<Value = Vec<u8>>>,
    make: fn(&[u8]) -> String,
}

impl Case {
    /// The document of a seed: always the same.
    pub(crate) fn new(seed: u64, longest: usize, make: fn(&[u8]) -> String) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let strategy = proptest::collection::vec(any::<u8>(), 8..=longest);
        let tree = strategy.new_tree(&mut runner).expect("a vector of bytes");
        Case { tree: Box::new(tree), make }
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        (self.make)(&self.tree.current())
    }

    /// Makes the document smaller for as long as `fails` says that it still fails, at most `steps` times.
    pub(crate) fn shrink(&mut self, steps: usize, mut fails: impl FnMut(&str) -> bool) -> String {
        let mut smallest = self.text();
        let mut more = true;
        for _ in 0..steps {
            if !more {
                break;
            }
            more = if fails(&self.text()) {
                smallest = self.text();
                self.tree.simplify()
            } else {
                self.tree.complicate()
            };
        }
        smallest
    }
}
