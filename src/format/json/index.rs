//! The index of a JSON text: one pass, an explicit stack, no allocation per leaf.

use super::keys::Keys;
use super::{MAX_DEPTH, fault, number};
use crate::document::{Builder, Document, Flags, Kind, Style, Text};
use crate::error::{Error, Result};
use std::ops::Range;

/// The fields of the `sops` block, of which sops reads those of a key that it takes for `sops` too.
const FIELDS: [&[u8]; 19] = [
    b"shamir_threshold",
    b"key_groups",
    b"kms",
    b"gcp_kms",
    b"hckms",
    b"azure_kv",
    b"hc_vault",
    b"age",
    b"lastmodified",
    b"mac",
    b"pgp",
    b"unencrypted_suffix",
    b"encrypted_suffix",
    b"unencrypted_regex",
    b"encrypted_regex",
    b"unencrypted_comment_regex",
    b"encrypted_comment_regex",
    b"mac_only_encrypted",
    b"version",
];

/// Indexes `text`.
pub(super) fn index(text: String) -> Result<Document> {
    let builder = Builder::new(text)?;
    let mut indexer =
        Indexer { builder, keys: Keys::default(), in_twin: false, at: 0, bytes: Vec::new(), number: String::new() };
    match indexer.run() {
        Ok(()) => Ok(indexer.builder.finish()),
        Err(fault) => Err(fault.into_error(indexer.builder.so_far())),
    }
}

struct Indexer {
    builder: Builder,
    keys: Keys,
    /// Whether the top-level key at hand is one that sops takes for its own, such as `Sops`.
    in_twin: bool,
    at: usize,
    /// Used again for each unescaped string.
    bytes: Vec<u8>,
    /// Used again for each canonical number.
    number: String,
}

/// What stands before the place where the indexer is, in the innermost container.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Bracket,
    Comma { at: usize },
    Value,
}

impl Indexer {
    fn run(&mut self) -> fault::Result<()> {
        self.skip_space();
        if self.peek() != Some(b'{') {
            return Err(fault::top_level(self.builder.text(), self.at));
        }
        let mut before = self.value(None)?;
        while let Some(in_map) = self.keys.in_map() {
            self.skip_space();
            before = match (self.peek(), before) {
                (None, _) => return Err(self.cut_off()),
                (Some(b'}' | b']'), Before::Comma { at }) => return Err(fault::trailing_comma(at)),
                (Some(byte), _) if byte == if in_map { b'}' } else { b']' } => {
                    self.at += 1;
                    self.builder.close(self.at);
                    self.keys.close();
                    Before::Value
                }
                (Some(b','), Before::Value) => {
                    self.at += 1;
                    Before::Comma { at: self.at - 1 }
                }
                (Some(_), Before::Value) => return Err(fault::no_comma(self.builder.text(), self.at, in_map)),
                (Some(_), _) if in_map => {
                    let key = self.key()?;
                    self.value(Some(key))?
                }
                (Some(_), _) => self.value(None)?,
            };
        }
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(fault::text_after_the_end(self.builder.text(), self.at)),
        }
    }

    /// A key and its colon; leaves the indexer at the value.
    fn key(&mut self) -> fault::Result<Text> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(fault::no_key(self.builder.text(), start));
        }
        let key = self.string()?;
        if let Some(first) = self.keys.add(&self.builder, key, start) {
            let key = String::from_utf8_lossy(self.builder.resolve(key)).into_owned();
            return Err(fault::duplicate_key(self.builder.text(), start, first, &key));
        }
        self.skip_space();
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(fault::no_colon(self.at)),
            None => return Err(self.cut_off()),
        }
        self.skip_space();
        let name = self.builder.resolve(key);
        match self.builder.depth() {
            1 => {
                self.in_twin = looks_like_sops(name);
                if self.in_twin && !matches!(self.peek(), Some(b'{' | b'n')) {
                    return Err(fault::shadows_metadata(start));
                }
            }
            2 if self.in_twin && FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field)) => {
                return Err(fault::shadows_metadata(start));
            }
            _ => {}
        }
        Ok(key)
    }

    /// A leaf, or the opening bracket of a container.
    fn value(&mut self, key: Option<Text>) -> fault::Result<Before> {
        let start = self.at;
        match self.peek() {
            None => return Err(self.cut_off()),
            Some(b'{') => return self.open(Kind::Map, key),
            Some(b'[') => return self.open(Kind::List, key),
            Some(b'"') => {
                let value = self.string()?;
                self.leaf(Kind::Str, start..self.at, key, value, Style::DoubleQuoted);
            }
            Some(b'-' | b'0'..=b'9') => self.number(key)?,
            Some(b't') => self.literal("true", Kind::Bool, b"True", key)?,
            Some(b'f') => self.literal("false", Kind::Bool, b"False", key)?,
            Some(b'n') => self.literal("null", Kind::Null, b"", key)?,
            Some(_) => return Err(fault::no_value(self.builder.text(), start)),
        }
        Ok(Before::Value)
    }

    fn open(&mut self, kind: Kind, key: Option<Text>) -> fault::Result<Before> {
        if self.builder.depth() == MAX_DEPTH {
            return Err(fault::too_deep(self.at));
        }
        self.builder.open(kind, self.at, key, Style::Flow, self.flags());
        self.keys.open(kind == Kind::Map);
        self.at += 1;
        Ok(Before::Bracket)
    }

    fn leaf(&mut self, kind: Kind, span: Range<usize>, key: Option<Text>, value: Text, style: Style) {
        self.builder.leaf(kind, span, key, value, style, self.flags());
    }

    fn flags(&self) -> Flags {
        Flags::NONE.with_if(self.builder.depth() > 0, Flags::IN_FLOW)
    }

    fn literal(&mut self, word: &str, kind: Kind, canonical: &[u8], key: Option<Text>) -> fault::Result<()> {
        let start = self.at;
        let end = start + word.len();
        let rest = &self.builder.text().as_bytes()[start..];
        if !rest.starts_with(word.as_bytes()) || rest.get(word.len()).is_some_and(u8::is_ascii_alphanumeric) {
            return Err(fault::no_value(self.builder.text(), start));
        }
        self.at = end;
        let value = match kind {
            Kind::Null => Text::EMPTY,
            _ => self.builder.intern(canonical),
        };
        self.leaf(kind, start..end, key, value, Style::Plain);
        Ok(())
    }

    fn number(&mut self, key: Option<Text>) -> fault::Result<()> {
        let start = self.at;
        let (end, is_integer) = number::scan(self.builder.text().as_bytes(), start)
            .map_err(|fault| fault::number(self.builder.text(), fault.at, fault.reason))?;
        self.number.clear();
        let literal = &self.builder.text()[start..end];
        let kind = number::resolve(literal, is_integer, &mut self.number).ok_or_else(|| fault::too_large(start))?;
        let value = if literal == self.number {
            self.builder.slice(start..end)
        } else {
            self.builder.intern(self.number.as_bytes())
        };
        self.at = end;
        self.leaf(kind, start..end, key, value, Style::Plain);
        Ok(())
    }

    /// The string whose opening quote is here; leaves the indexer behind its closing quote.
    fn string(&mut self) -> fault::Result<Text> {
        let open = self.at;
        let mut at = open + 1;
        self.bytes.clear();
        loop {
            let bytes = self.builder.text().as_bytes();
            let plain = memchr::memchr2(b'"', b'\\', &bytes[at..]);
            let end = plain.map_or(bytes.len(), |len| at + len);
            // All at once is many times faster than one after the other.
            if bytes[at..end].iter().fold(false, |found, &byte| found | (byte < 0x20)) {
                let control = at + bytes[at..end].iter().take_while(|&&byte| byte >= 0x20).count();
                return Err(fault::control_character(bytes[control], control));
            }
            if plain.is_none() {
                return Err(fault::unclosed_string(open));
            }
            let unescaped = &bytes[at..end];
            if bytes[end] == b'"' {
                self.at = end + 1;
                if at == open + 1 {
                    return Ok(self.builder.slice(at..end));
                }
                self.bytes.extend_from_slice(unescaped);
                return Ok(self.builder.intern(&self.bytes));
            }
            self.bytes.extend_from_slice(unescaped);
            at = unescape(bytes, end, &mut self.bytes)?;
        }
    }

    fn skip_space(&mut self) {
        let rest = &self.builder.text().as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
    }

    fn peek(&self) -> Option<u8> {
        self.builder.text().as_bytes().get(self.at).copied()
    }

    fn cut_off(&self) -> fault::Fault {
        fault::cut_off(&self.builder, self.at)
    }
}

/// Reads the escape at the backslash `at` into `out` and gives the offset behind it.
fn unescape(bytes: &[u8], at: usize, out: &mut Vec<u8>) -> fault::Result<usize> {
    let simple = match bytes.get(at + 1) {
        Some(&mark @ (b'"' | b'\\' | b'/')) => mark,
        Some(b'b') => 0x08,
        Some(b'f') => 0x0C,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return unescape_unicode(bytes, at, out),
        _ => return Err(fault::bad_escape(at)),
    };
    out.push(simple);
    Ok(at + 2)
}

fn unescape_unicode(bytes: &[u8], at: usize, out: &mut Vec<u8>) -> fault::Result<usize> {
    let first = code_unit(bytes, at).ok_or_else(|| fault::bad_escape(at))?;
    let (code, end) = match first {
        0xD800..0xDC00 => match code_unit(bytes, at + 6) {
            Some(second @ 0xDC00..0xE000) => (0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00), at + 12),
            _ => return Err(fault::lone_surrogate(at)),
        },
        _ => (first, at + 6),
    };
    let character = char::from_u32(code).ok_or_else(|| fault::lone_surrogate(at))?;
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(end)
}

/// The UTF-16 code unit of a `\uXXXX` at `at`.
fn code_unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

/// Whether Go's `encoding/json`, which folds the case of field names, takes this key for `sops`.
fn looks_like_sops(key: &[u8]) -> bool {
    if !(4..=6).contains(&key.len()) || key == b"sops" {
        return false;
    }
    // U+017F is the one letter outside of ASCII that folds to one of these.
    let folded = String::from_utf8_lossy(key).replace('\u{17f}', "s");
    folded.eq_ignore_ascii_case("sops")
}

impl fault::Fault {
    fn into_error(self, document: &Document) -> Error {
        self.error.at(document.text(), self.at)
    }
}
