//! A large text in pieces, each a JSON text of its own.
//!
//! A piece ends before a comma, wherever that stands. The brackets that are open there are closed at its
//! end, and opened again, as they and the keys that lead to them stand in the text, at the beginning of the next
//! piece: so every value keeps its path, and no piece needs another. What this walk does not understand it leaves
//! as it stands, for the index of the piece to refuse.

use crate::format::{METADATA_KEY, Piece};
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use zeroize::Zeroize;

/// How many bytes are read at a time.
const STEP: usize = 64 << 10;

/// Cuts what `source` gives into pieces of `size` bytes, or a little more.
pub(super) struct Pieces<'a> {
    source: Box<dyn Read + 'a>,
    size: usize,
    /// What is read and not yet given away, and how far it is walked through.
    buffer: Vec<u8>,
    at: usize,
    open: Vec<Open>,
    /// The brackets of `open`, each with what stands between it and the one before: white space and its key.
    path: Vec<u8>,
    /// What `path` was where the buffer begins, and how many brackets are in it.
    head: Vec<u8>,
    depth: usize,
    /// The hashes of the keys of `open`.
    keys: Vec<u64>,
    random: RandomState,
    /// Whether `at` is in the metadata, and whether any of it was walked through since the last cut.
    in_metadata: bool,
    has_metadata: bool,
    is_read: bool,
    is_done: bool,
}

/// The last member of a text that ends with `tail`, in an object of its own, if it is the metadata.
pub(super) fn metadata_in_tail(tail: &[u8]) -> Option<String> {
    let key = format!("\"{METADATA_KEY}\"");
    let member = &tail[memchr::memmem::rfind(tail, key.as_bytes())?..];
    Some(format!("{{{}", std::str::from_utf8(member).ok()?))
}

/// An open container.
struct Open {
    is_map: bool,
    /// Where it begins in `path` and its keys in `keys`.
    path: usize,
    keys: usize,
    /// Where the member or item at hand begins in the buffer, and whether its key was there.
    member: usize,
    has_key: bool,
    /// Whether a piece has ended in it: then no piece sees all of its keys.
    is_cut: bool,
}

impl Drop for Pieces<'_> {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

/// The walk met something that only a look at the whole text can judge.
struct Unclear;

impl Iterator for Pieces<'_> {
    type Item = Option<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let piece = self.walk().and_then(|is_cut| self.piece(is_cut));
        self.is_done |= piece.is_err();
        Some(piece.ok())
    }
}

impl<'a> Pieces<'a> {
    pub(super) fn new(source: Box<dyn Read + 'a>, size: usize) -> Self {
        Pieces {
            source,
            size,
            // Growing would leave copies behind, and what is read may be plaintext.
            buffer: Vec::with_capacity(size + 4 * STEP),
            at: 0,
            open: Vec::new(),
            path: Vec::new(),
            head: Vec::new(),
            depth: 0,
            keys: Vec::new(),
            random: RandomState::new(),
            in_metadata: false,
            has_metadata: false,
            is_read: false,
            is_done: false,
        }
    }

    /// What was walked through, as a text of its own.
    fn piece(&mut self, is_cut: bool) -> Result<Piece, Unclear> {
        let mut text = Vec::with_capacity(self.head.len() + self.at + self.open.len());
        text.extend_from_slice(&self.head);
        text.extend_from_slice(&self.buffer[..self.at]);
        let own = self.head.len()..text.len();
        let depth = self.depth;
        if is_cut {
            text.extend(self.open.iter().rev().map(|open| if open.is_map { b'}' } else { b']' }));
            self.head.clone_from(&self.path);
            self.depth = self.open.len();
            // The comma is nobody's.
            self.buffer.drain(..=self.at);
            self.at = 0;
            self.open.iter_mut().for_each(|open| (open.is_cut, open.member) = (true, 0));
        }
        self.is_done = !is_cut;
        let text = String::from_utf8(text).map_err(|_| Unclear)?;
        Ok(Piece { text, own, depth, has_metadata: std::mem::take(&mut self.has_metadata) })
    }

    /// Goes on to the next comma to cut at, or to the end. Whether it is a comma.
    fn walk(&mut self) -> Result<bool, Unclear> {
        // Long paths are repeated less often.
        let enough = self.size.max(4 * self.head.len());
        loop {
            let is_mark = |byte: &u8| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']' | b',');
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            self.at += rest.iter().position(is_mark).unwrap_or(rest.len());
            let Some(byte) = self.byte(self.at)? else { return Ok(false) };
            match byte {
                b'"' => self.string()?,
                b'{' | b'[' => self.open(byte),
                b'}' | b']' => self.close()?,
                b',' => {
                    let in_metadata = self.in_metadata;
                    self.in_metadata &= self.open.len() > 1;
                    if let Some(open) = self.open.last_mut() {
                        (open.member, open.has_key) = (self.at + 1, false);
                    }
                    if self.at >= enough && !in_metadata && self.may_cut()? {
                        return Ok(true);
                    }
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
    }

    fn open(&mut self, bracket: u8) {
        let (path, keys) = (self.path.len(), self.keys.len());
        if let Some(open) = self.open.last() {
            self.path.extend_from_slice(&self.buffer[open.member..self.at]);
        }
        self.path.push(bracket);
        self.at += 1;
        self.open.push(Open { is_map: bracket == b'{', path, keys, member: self.at, has_key: false, is_cut: false });
    }

    fn close(&mut self) -> Result<(), Unclear> {
        let open = self.open.pop().ok_or(Unclear)?;
        let keys = &mut self.keys[open.keys..];
        if open.is_cut {
            keys.sort_unstable();
            if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(Unclear);
            }
        }
        self.keys.truncate(open.keys);
        self.path.truncate(open.path);
        self.at += 1;
        if let Some(around) = self.open.last_mut() {
            around.member = self.at;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), Unclear> {
        let start = self.at;
        let mut at = start + 1;
        let mut has_escapes = false;
        loop {
            let rest = self.buffer.get(at..).unwrap_or_default();
            match memchr::memchr2(b'"', b'\\', rest) {
                Some(found) if rest[found] == b'"' => break self.at = at + found + 1,
                Some(found) => {
                    has_escapes = true;
                    at += found + 2;
                }
                None => {
                    at = at.max(self.buffer.len());
                    if !self.read()? {
                        return Err(Unclear);
                    }
                }
            }
        }
        let is_at_top = self.open.len() == 1;
        let Some(open) = self.open.last_mut().filter(|open| open.is_map && !open.has_key) else { return Ok(()) };
        if has_escapes {
            return Err(Unclear); // The same key may be written in another way.
        }
        let key = &self.buffer[start + 1..self.at - 1];
        self.keys.push(self.random.hash_one(key));
        if is_at_top && key == METADATA_KEY.as_bytes() {
            (self.in_metadata, self.has_metadata) = (true, true);
        }
        open.has_key = true;
        Ok(())
    }

    /// Whether a piece may end before the comma at hand: not where nothing comes behind it, which would not be seen,
    /// nor the metadata, which is taken out together with the comma.
    fn may_cut(&mut self) -> Result<bool, Unclear> {
        let mut at = self.at + 1;
        while self.byte(at)?.is_some_and(|byte| byte.is_ascii_whitespace()) {
            at += 1;
        }
        let end = at + METADATA_KEY.len() + 2;
        self.byte(end)?;
        let is_metadata = self.buffer.get(at + 1..end - 1) == Some(METADATA_KEY.as_bytes());
        let is_value = self.buffer.get(at).is_some_and(|byte| !matches!(byte, b'}' | b']'));
        Ok(is_value && !(is_metadata && self.open.len() == 1))
    }

    /// The byte at `at`, which is read if it must be; nothing behind the end.
    fn byte(&mut self, at: usize) -> Result<Option<u8>, Unclear> {
        while at >= self.buffer.len() && self.read()? {}
        Ok(self.buffer.get(at).copied())
    }

    /// Reads on; whether there was more.
    fn read(&mut self) -> Result<bool, Unclear> {
        if !self.is_read {
            let read = self.source.by_ref().take(STEP as u64).read_to_end(&mut self.buffer).map_err(|_| Unclear)?;
            self.is_read = read == 0;
        }
        Ok(!self.is_read)
    }
}
