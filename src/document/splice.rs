//! Replacing pieces of a source in one pass.

use std::ops::Range;

/// Writes a source with some of its pieces replaced, in ascending order.
pub struct Splicer<'a> {
    source: &'a [u8],
    at: usize,
    out: Vec<u8>,
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
        Splicer { source: source.as_ref(), at: 0, out: Vec::with_capacity(len) }
    }

    /// Copies the source up to `range`, leaves out `range`, and gives the output to write in its place.
    ///
    /// A range that begins before the end of the one before it is cut there.
    pub fn replace(&mut self, range: Range<usize>) -> &mut Vec<u8> {
        let start = range.start.max(self.at);
        self.out.extend_from_slice(&self.source[self.at..start]);
        self.at = range.end.max(start);
        &mut self.out
    }

    /// Copies the rest and gives the result.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(&self.source[self.at..]);
        self.out
    }
}
