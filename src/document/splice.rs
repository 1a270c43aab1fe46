//! Replacing pieces of a text in one pass.

use std::ops::Range;

/// Writes a text with some of its pieces replaced, in ascending order.
pub struct Splicer<'a> {
    source: &'a str,
    at: usize,
    out: Vec<u8>,
}

impl<'a> Splicer<'a> {
    /// Begins over `source`; `extra` is how many bytes the result is likely to be longer.
    #[must_use]
    pub fn new(source: &'a str, extra: usize) -> Self {
        Splicer { source, at: 0, out: Vec::with_capacity(source.len() + extra) }
    }

    /// Begins over `source`, for a result of about `len` bytes.
    #[must_use]
    pub fn with_len(source: &'a str, len: usize) -> Self {
        Splicer { source, at: 0, out: Vec::with_capacity(len) }
    }

    /// Copies the source up to `range`, leaves out `range`, and gives the output to write in its place.
    ///
    /// A range that begins before the end of the one before it is cut there.
    pub fn replace(&mut self, range: Range<usize>) -> &mut Vec<u8> {
        let start = range.start.max(self.at);
        self.out.extend_from_slice(&self.source.as_bytes()[self.at..start]);
        self.at = range.end.max(start);
        &mut self.out
    }

    /// Copies the rest and gives the result.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(&self.source.as_bytes()[self.at..]);
        self.out
    }
}
