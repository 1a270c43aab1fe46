//! Replacing pieces of a source in one pass.

use std::ops::Range;
use zeroize::Zeroize;

/// Writes a source with some of its pieces replaced, in ascending order; or compares what it would write
/// with one that is there already.
pub struct Splicer<'a> {
    source: &'a [u8],
    at: usize,
    out: Vec<u8>,
    /// What is still to be compared; nothing when it differed.
    wanted: Option<Option<&'a [u8]>>,
}

impl<'a> Splicer<'a> {
    /// Begins over `source`; `extra` is how many bytes the result is likely to be longer.
    #[must_use]
    pub fn new(source: &'a (impl AsRef<[u8]> + ?Sized), extra: usize) -> Self {
        Self::with_len(source, source.as_ref().len() + extra)
    }

    /// Begins over `source`, for a result of about `len` bytes.
    #[must_use]
    pub fn with_len(source: &'a (impl AsRef<[u8]> + ?Sized), len: usize) -> Self {
        Splicer { source: source.as_ref(), at: 0, out: Vec::with_capacity(len), wanted: None }
    }

    /// Begins over `source`, for a result that is only compared with `wanted`, which needs no memory for it.
    #[must_use]
    pub fn comparing(source: &'a [u8], wanted: &'a [u8]) -> Self {
        Splicer { source, at: 0, out: Vec::new(), wanted: Some(Some(wanted)) }
    }

    /// Copies the source up to `range`, leaves out `range`, and gives the output to write in its place.
    ///
    /// A range that begins before the end of the one before it is cut there.
    pub fn replace(&mut self, range: Range<usize>) -> &mut Vec<u8> {
        let start = range.start.max(self.at);
        self.copy(start);
        self.at = range.end.max(start);
        &mut self.out
    }

    /// Copies the rest and gives the result; nothing when that was only compared.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.copy(self.source.len());
        std::mem::take(&mut self.out)
    }

    /// Compares the rest. Whether all is what was wanted.
    #[must_use]
    pub fn is_same(mut self) -> bool {
        self.copy(self.source.len());
        self.out.zeroize();
        self.wanted.flatten().is_some_and(<[u8]>::is_empty)
    }

    fn copy(&mut self, end: usize) {
        let piece = &self.source[self.at..end];
        match &mut self.wanted {
            None => self.out.extend_from_slice(piece),
            Some(wanted) => {
                *wanted = wanted.and_then(|wanted| wanted.strip_prefix(self.out.as_slice())?.strip_prefix(piece));
                self.out.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_written_is_compared() {
        let same = |wanted: &str| {
            let mut splicer = Splicer::comparing(b"one two three", wanted.as_bytes());
            splicer.replace(4..7).extend_from_slice(b"2");
            splicer.replace(8..8).extend_from_slice(b"(");
            splicer.is_same()
        };
        assert!(same("one 2 (three"));
        for other in ["", "one 2 (thre", "one 2 (threes", "one 2 three", "one 3 (three", "One 2 (three"] {
            assert!(!same(other), "{other}");
        }
    }
}
