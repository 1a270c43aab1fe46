//! What the formats without nesting share: the metadata flattened into one level, and values as texts.
//!
//! `age: [{enc: x}]` becomes `age__list_0__map_enc`. Source: `stores/flatten.go` of sops 3.11.
//!
//! Owns: the flattened names and what stands for a line break in a flattened value. Must not know: where the lines
//! stand in a file.

use super::flat;
use crate::document::{Builder, Document, EntryId, Flags, Kind, Scalar, Style, Value};
use crate::error::{self, Error, Result};
use std::collections::BTreeMap;

const MAP: &str = "__map_";
const LIST: &str = "__list_";

/// Metadata is four levels deep. What is deeper is nothing that this format has.
const MAX_DEPTH: usize = 16;

/// Flattens `metadata`: names and texts in the order of the names, as sops writes them. Line breaks in a text
/// become `\n`. Null, and what is empty, has no line.
pub(super) fn flatten(metadata: &Value) -> Vec<(String, String)> {
    let mut flat = Vec::new();
    if let Value::Map(fields) = metadata {
        for (name, value) in fields {
            flatten_into(name.clone(), value, &mut flat);
        }
    }
    flat.sort();
    flat
}

/// Recursive, as metadata is four levels deep.
fn flatten_into(name: String, value: &Value, flat: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Bool(truth) => flat.push((name, truth.to_string())),
        Value::Int(number) => flat.push((name, number.to_string())),
        Value::Str(text) => flat.push((name, text.replace('\n', "\\n"))),
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten_into(format!("{name}{LIST}{at}"), item, flat);
            }
        }
        Value::Map(fields) => {
            for (key, item) in fields {
                flatten_into(format!("{name}{MAP}{key}"), item, flat);
            }
        }
    }
}

/// A node of the metadata in the making.
enum Node {
    Leaf(String),
    List(BTreeMap<usize, Node>),
    Map(BTreeMap<String, Node>),
}

/// The metadata of flattened names and texts. Texts are strings whatever they say: who reads the metadata knows
/// which of them are numbers. What contradicts an earlier line, or is deeper than any metadata, is left out.
pub(super) fn unflatten<'a>(flat: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let mut root = BTreeMap::new();
    for (name, text) in flat {
        let steps = steps(name);
        if steps.len() <= MAX_DEPTH {
            insert(&mut root, &steps, unescape(text));
        }
    }
    value(Node::Map(root))
}

/// Line breaks were escaped twice in INI files of old versions.
fn unescape(text: &str) -> String {
    // A file whose line ends were changed on the way, by Git say.
    let text = text.strip_suffix('\r').unwrap_or(text);
    text.replace("\\\\n", "\n").replace("\\n", "\n")
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

fn steps(name: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = name;
    let mut is_item = false;
    loop {
        let next = match (rest.find(MAP), rest.find(LIST)) {
            (Some(map), Some(list)) => Some((map.min(list), list < map)),
            (Some(map), None) => Some((map, false)),
            (None, Some(list)) => Some((list, true)),
            (None, None) => None,
        };
        let step = &rest[..next.map_or(rest.len(), |(at, _)| at)];
        // As sops has it, what is no number is position 0.
        steps.push(if is_item { Step::Item(step.parse().unwrap_or(0)) } else { Step::Key(step) });
        let Some((at, next_is_item)) = next.filter(|_| steps.len() <= MAX_DEPTH) else { return steps };
        rest = &rest[at + if next_is_item { LIST.len() } else { MAP.len() }..];
        is_item = next_is_item;
    }
}

fn insert(root: &mut BTreeMap<String, Node>, steps: &[Step<'_>], text: String) {
    let [Step::Key(first), rest @ ..] = steps else { return };
    let mut node = root.entry((*first).to_owned()).or_insert_with(|| empty(rest.first()));
    for (at, step) in rest.iter().enumerate() {
        let next = rest.get(at + 1);
        node = match (step, node) {
            (Step::Key(key), Node::Map(fields)) => fields.entry((*key).to_owned()).or_insert_with(|| empty(next)),
            (Step::Item(position), Node::List(items)) => items.entry(*position).or_insert_with(|| empty(next)),
            _ => return,
        };
    }
    if let Node::Leaf(leaf) = node {
        *leaf = text;
    }
}

fn empty(next: Option<&Step<'_>>) -> Node {
    match next {
        None => Node::Leaf(String::new()),
        Some(Step::Key(_)) => Node::Map(BTreeMap::new()),
        Some(Step::Item(_)) => Node::List(BTreeMap::new()),
    }
}

/// Recursive, within [`MAX_DEPTH`].
fn value(node: Node) -> Value {
    match node {
        Node::Leaf(text) => Value::Str(text),
        Node::List(items) => Value::List(items.into_values().map(value).collect()),
        Node::Map(fields) => Value::Map(fields.into_iter().map(|(key, node)| (key, value(node))).collect()),
    }
}

/// Appends a leaf value as sops writes it in the formats that know texts alone; says why there is no form for it.
pub(super) fn write_text(scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match scalar.kind {
        Kind::Null => return Err("it is null, and every value is a text there"),
        Kind::Comment => return Err("it is a comment"),
        Kind::Map => return Err("it is a map, and values cannot be nested there"),
        Kind::List => return Err("it is a list, and there are none there"),
        Kind::Str => out.extend_from_slice(scalar.bytes),
        Kind::Int | Kind::Float | Kind::Bool | Kind::Time => out.extend_from_slice(&flat(scalar)),
    }
    Ok(())
}

/// The hint where a document is printed in a format that has no room for it.
pub(super) const ANOTHER_TYPE: &str =
    "a type that can hold it: --output-type yaml; or a part of the file: --extract PATH";

/// `value` with the texts that stand for its leaves.
///
/// # Errors
/// When there is no text for one.
pub(super) fn texts(value: &Document, format: &str) -> Result<Document> {
    let mut builder = Builder::default();
    let mut ends: Vec<EntryId> = Vec::new();
    for id in 0..value.len() {
        while ends.pop_if(|end| *end == id).is_some() {
            builder.close(0);
        }
        let entry = value.entry(id);
        let key = entry.has_key().then(|| builder.intern(value.key_bytes(id)));
        if entry.kind().is_container() {
            builder.open(entry.kind(), 0, key, Style::Flow, Flags::NONE);
            ends.push(value.subtree(id).end);
            continue;
        }
        let mut text = Vec::new();
        write_text(value.scalar(id), &mut text).map_err(|reason| {
            Error::new(error::Kind::Format, format!("this value cannot be written as {format}"))
                .because(reason)
                .hint(r#"an empty text is written "", and to take the key out: leafcrypt unset FILE PATH"#)
        })?;
        let text = builder.intern(&text);
        builder.leaf(Kind::Str, 0..0, key, text, Style::Plain, Flags::NONE);
    }
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    fn map(fields: Vec<(&str, Value)>) -> Value {
        Value::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    #[test]
    fn metadata_is_flattened_as_sops_does_and_comes_back() {
        let stanza = || map(vec![("enc", text("a\nb\n")), ("recipient", text("age1"))]);
        let metadata = map(vec![
            ("key_groups", Value::List(vec![map(vec![("age", Value::List(vec![stanza(), stanza()]))])])),
            ("kms", Value::Null),
            ("mac_only_encrypted", Value::Bool(true)),
            ("shamir_threshold", Value::Int(2)),
        ]);
        let flat = flatten(&metadata);
        let names: Vec<&str> = flat.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "key_groups__list_0__map_age__list_0__map_enc",
                "key_groups__list_0__map_age__list_0__map_recipient",
                "key_groups__list_0__map_age__list_1__map_enc",
                "key_groups__list_0__map_age__list_1__map_recipient",
                "mac_only_encrypted",
                "shamir_threshold",
            ]
        );
        assert_eq!(flat[0].1, "a\\nb\\n");
        let back = unflatten(flat.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        assert_eq!(back.get("key_groups"), metadata.get("key_groups"));
        assert_eq!(back.get("shamir_threshold"), Some(&text("2")));
        assert_eq!(back.get("kms"), None);
    }

    #[test]
    fn metadata_of_others_is_read() {
        let flat = [
            ("age__list_1__map_enc", "second\\\\n"),
            ("age__list_0__map_enc", "first\\n\r"),
            ("age__list_0", "is a map already"),
            ("age__list_x__map_recipient", "of the first"),
            ("a__list_99999999999999999999__map_b__list_4000000000", "far away"),
            ("version", "1"),
            ("version__map_x", "is a text already"),
            ("__map_", "odd"),
        ];
        let first = map(vec![("enc", text("first\n")), ("recipient", text("of the first"))]);
        let second = map(vec![("enc", text("second\n"))]);
        let far = Value::List(vec![map(vec![("b", Value::List(vec![text("far away")]))])]);
        assert_eq!(
            unflatten(flat),
            map(vec![
                ("", map(vec![("", text("odd"))])),
                ("a", far),
                ("age", Value::List(vec![first, second])),
                ("version", text("1"))
            ])
        );
        let deep = "__map_a".repeat(100_000);
        assert_eq!(unflatten([(deep.as_str(), "x")]), Value::Map(Vec::new()));
    }
}
