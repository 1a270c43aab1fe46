//! The messages. What a key looks like in one follows from the registry, so that there is no list of kinds here.

use crate::document::Value;
use crate::key::Stanza;
use crate::key::registry::{self, List, Part};
use prost::DecodeError;
use prost::Message;
use prost::bytes::{Buf, BufMut};
use prost::encoding::{self, DecodeContext, WireType};
use std::collections::HashSet;
use zeroize::Zeroize as _;

/// A key: a field for its kind, and in that a field for each part of its name.
#[derive(Default)]
pub(super) struct Key(Option<Stanza>);

impl Key {
    /// The key of `stanza`; `None` when the format of messages has none of its kind.
    pub(super) fn of(stanza: &Stanza) -> Option<Self> {
        registry::list(stanza.list()).map(|_| Key(Some(stanza.clone())))
    }

    /// The key as a stanza in which nothing is wrapped; `None` when there is none, or one of a kind that nobody knows.
    pub(super) fn into_stanza(self) -> Option<Stanza> {
        self.0
    }

    /// The field's number and its content.
    fn field(&self) -> Option<(u32, Vec<u8>)> {
        let stanza = self.0.as_ref()?;
        let list = registry::list(stanza.list())?;
        let mut content = Vec::new();
        for (number, part) in (1..).zip(list.parts) {
            match part {
                Part::Text(name) if !stanza.text(name).is_empty() => {
                    encoding::string::encode(number, &stanza.text(name).to_owned(), &mut content);
                }
                Part::Text(_) => {}
                Part::Map(name) => {
                    let entries = if let Some(Value::Map(entries)) = stanza.get(name) { &entries[..] } else { &[] };
                    for (key, value) in entries {
                        let Some(value) = value.as_str() else { continue };
                        encoding::message::encode(number, &Entry::new(key, value), &mut content);
                    }
                }
            }
        }
        Some((list.number, content))
    }
}

/// An entry of a map.
#[derive(Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

impl Entry {
    fn new(key: &str, value: &str) -> Self {
        Entry { key: key.to_owned(), value: value.to_owned() }
    }
}

impl Message for Key {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        if let Some((number, content)) = self.field() {
            encoding::bytes::encode(number, &content, buf);
        }
    }

    fn merge_field(
        &mut self,
        number: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        let Some(list) = registry::LISTS.iter().find(|list| list.number == number) else {
            return encoding::skip_field(wire_type, number, buf, context);
        };
        let mut content = Vec::new();
        encoding::bytes::merge(wire_type, &mut content, buf, context)?;
        self.0 = Some(read(list, &content)?);
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.field().map_or(0, |(number, content)| encoding::bytes::encoded_len(number, &content))
    }

    fn clear(&mut self) {
        self.0 = None;
    }
}

/// Reads the content of a key's field.
fn read(list: &List, mut content: &[u8]) -> Result<Stanza, DecodeError> {
    let mut stanza = Stanza::new(list.name, Vec::new());
    // A part that is not said is empty, which is another thing than one that is not there.
    for part in list.parts {
        if let Part::Text(name) = part {
            stanza.set(name, Value::Str(String::new()));
        }
    }
    let mut maps: Vec<(&str, Vec<Entry>)> = Vec::new();
    while !content.is_empty() {
        let (number, wire_type) = encoding::decode_key(&mut content)?;
        let part = usize::try_from(number).ok().and_then(|number| list.parts.get(number.checked_sub(1)?));
        match part {
            None => encoding::skip_field(wire_type, number, &mut content, DecodeContext::default())?,
            Some(Part::Text(name)) => {
                let mut text = String::new();
                encoding::string::merge(wire_type, &mut text, &mut content, DecodeContext::default())?;
                stanza.set(name, Value::Str(text));
            }
            Some(Part::Map(name)) => {
                let mut entry = Entry::default();
                encoding::message::merge(wire_type, &mut entry, &mut content, DecodeContext::default())?;
                match maps.iter_mut().find(|(known, _)| known == name) {
                    Some((_, entries)) => entries.push(entry),
                    None => maps.push((*name, vec![entry])),
                }
            }
        }
    }
    for (name, entries) in maps {
        stanza.set(name, Value::Map(last_of_each_key(entries)));
    }
    Ok(stanza)
}

/// Of a key that is sent twice the last entry counts. Linear: whoever may connect decides how many there are.
fn last_of_each_key(entries: Vec<Entry>) -> Vec<(String, Value)> {
    let mut seen = HashSet::new();
    let entries = entries.into_iter().rev().filter(|entry| seen.insert(entry.key.clone()));
    let mut kept: Vec<_> = entries.map(|entry| (entry.key, Value::Str(entry.value))).collect();
    kept.reverse();
    kept
}

/// What is to be wrapped or opened, and by which key.
#[derive(Message)]
#[prost(skip_debug)]
pub(super) struct Request {
    #[prost(message, optional, tag = "1")]
    pub(super) key: Option<Key>,
    /// The data key to encrypt, or what is in a stanza to decrypt.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) content: Vec<u8>,
}

/// What came of it.
#[derive(Message)]
#[prost(skip_debug)]
pub(super) struct Response {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) content: Vec<u8>,
}

impl Drop for Request {
    fn drop(&mut self) {
        self.content.zeroize();
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        self.content.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::registry::backends;

    fn stanza(list: &str, fields: &[(&str, Value)]) -> Stanza {
        Stanza::new(list, fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    /// Bytes as protoc writes them.
    #[test]
    fn a_request_is_what_the_schema_of_sops_says() {
        let age = stanza("age", &[("recipient", text("age1x")), ("enc", text("left out"))]);
        let request = Request { key: Key::of(&age), content: b"key".to_vec() };
        let expected = [&[0x0a, 9, 0x32, 7, 0x0a, 5][..], b"age1x", &[0x12, 3], b"key"].concat();
        assert_eq!(request.encode_to_vec(), expected);
        let context = Value::Map(vec![("a".to_owned(), text("1"))]);
        let kms = stanza("kms", &[("arn", text("A")), ("context", context), ("aws_profile", text("p"))]);
        let request = Request { key: Key::of(&kms), content: Vec::new() };
        let expected = [0x0a, 16, 0x0a, 14, 0x0a, 1, b'A', 0x1a, 6, 0x0a, 1, b'a', 0x12, 1, b'1', 0x22, 1, b'p'];
        assert_eq!(request.encode_to_vec(), expected);
        assert_eq!(request.encoded_len(), expected.len());
    }

    #[test]
    fn every_kind_of_key_comes_back() {
        for list in registry::LISTS {
            let mut sent = Stanza::new(list.name, Vec::new());
            for part in list.parts {
                match part {
                    Part::Text(name) => sent.set(name, text(&format!("some {name}"))),
                    Part::Map(name) => sent.set(name, Value::Map(vec![("k".to_owned(), text("v"))])),
                }
            }
            let request = Request { key: Key::of(&sent), content: b"x".to_vec() };
            let mut read = Request::decode(&request.encode_to_vec()[..]).unwrap();
            let read = read.key.take().and_then(Key::into_stanza).unwrap();
            assert!(read.is_same_key(&sent), "{}: {:?}", list.name, read.fields());
        }
        for backend in backends() {
            let list = registry::list(backend.name()).unwrap();
            let names = list.parts.iter().map(|part| match part {
                Part::Text(name) | Part::Map(name) => *name,
            });
            assert!(names.into_iter().all(|name| backend.fields().contains(&name)), "{}", backend.name());
        }
    }

    #[test]
    fn of_an_entry_that_is_sent_twice_the_last_counts() {
        let sent: Vec<_> =
            [("a", "1"), ("b", "2"), ("a", "3")].map(|(key, value)| (key.to_owned(), text(value))).into();
        let read = |entries: Vec<(String, Value)>| {
            let key = Key::of(&stanza("kms", &[("arn", text("A")), ("context", Value::Map(entries))]));
            let mut read = Request::decode(&Request { key, content: Vec::new() }.encode_to_vec()[..]).unwrap();
            read.key.take().and_then(Key::into_stanza).and_then(|stanza| stanza.get("context").cloned())
        };
        let kept = [("b", "2"), ("a", "3")].map(|(key, value)| (key.to_owned(), text(value))).into();
        assert_eq!(read(sent), Some(Value::Map(kept)));
        // As many as a message may hold cost no more than their number.
        let many = (0..60_000).map(|number| (number.to_string(), text("x"))).collect();
        assert!(matches!(read(many), Some(Value::Map(entries)) if entries.len() == 60_000));
    }

    #[test]
    fn what_is_no_key_is_none_and_no_bytes_stop_the_program() {
        let empty = Request { key: Some(Key::default()), content: b"x".to_vec() };
        let read = Request::decode(&empty.encode_to_vec()[..]).unwrap();
        assert!(read.key.as_ref().is_some_and(|key| key.0.is_none()));
        // A kind that came later.
        let mut unknown = Request::decode(&[0x0a, 4, 0xfa, 0x01, 1, b'x'][..]).unwrap();
        assert!(unknown.key.take().is_some_and(|key| key.into_stanza().is_none()));
        let good = Request { key: Key::of(&stanza("age", &[("recipient", text("age1x"))])), content: b"abc".to_vec() };
        let good = good.encode_to_vec();
        for at in 0..good.len() {
            for byte in 0..=255 {
                let mut bad = good.clone();
                bad[at] = byte;
                let _ = Request::decode(&bad[..]);
            }
            let _ = Request::decode(&good[..at]);
        }
    }
}
