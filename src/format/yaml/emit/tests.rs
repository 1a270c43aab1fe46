//! What sops 3.11 printed for the same trees, and that all of it reads back.

use super::super::edit::emit_flow;
use super::*;
use crate::document::{Builder, Flags, Style};
use crate::format::yaml::resolve::{resolve_plain, resolve_tagged};
use granit_parser::{Event, Parser, ScalarStyle};
use proptest::prelude::*;

/// A document of the values of `source`; its comments and aliases are not looked at.
fn index(source: &str) -> Document {
    let mut builder = Builder::new(String::new()).unwrap();
    let mut keys: Vec<Option<Option<String>>> = Vec::new(); // of each open container: is it a map, and what key waits
    for event in Parser::new_from_str(source) {
        let (event, _) = event.unwrap_or_else(|problem| panic!("{problem}: {source:?}"));
        if let (Event::Scalar(text, ..), Some(Some(waiting @ None))) = (&event, keys.last_mut()) {
            *waiting = Some(text.to_string());
            continue;
        }
        let key = match event {
            Event::Scalar(..) | Event::MappingStart(..) | Event::SequenceStart(..) => {
                keys.last_mut().and_then(Option::as_mut).and_then(Option::take)
            }
            _ => None,
        };
        let key = key.map(|key| builder.intern(key.as_bytes()));
        match event {
            Event::Scalar(text, style, _, tag) => {
                let resolved = match tag {
                    Some(tag) => resolve_tagged(&format!("!!{}", tag.suffix()), &text, style == ScalarStyle::Plain),
                    None if style == ScalarStyle::Plain => resolve_plain(&text),
                    None => resolve_tagged("!!str", &text, false),
                };
                let resolved = resolved.unwrap();
                let value = builder.intern(&resolved.canonical);
                builder.leaf(resolved.kind, 0..0, key, value, Style::Plain, Flags::NONE);
            }
            Event::MappingStart(..) => {
                builder.open(Kind::Map, 0, key, Style::Block, Flags::NONE);
                keys.push(Some(None));
            }
            Event::SequenceStart(..) => {
                builder.open(Kind::List, 0, key, Style::Block, Flags::NONE);
                keys.push(None);
            }
            Event::MappingEnd | Event::SequenceEnd => {
                builder.close(0);
                keys.pop();
            }
            _ => {}
        }
    }
    builder.finish()
}

/// Source and what sops printed.
const AS_SOPS: &[(&str, &str)] = &[
    ("{}", "{}\n"),
    ("a: {}\nb: []\n", "a: {}\nb: []\n"),
    ("{a: {b: {c: 1}}}", "a:\n    b:\n        c: 1\n"),
    ("[{a: 1, b: 2}, [1, [2]]]", "- a: 1\n  b: 2\n- - 1\n  - - 2\n"),
    ("eml: [{}, [], [[]], [{}], '']", "eml:\n    - {}\n    - []\n    - - []\n    - - {}\n    - \"\"\n"),
    (
        "{'': 1, '1': 2, 'null': 3, 'yes': 4, 'a: b': 5, e: '', n: ~}",
        "\"\": 1\n\"1\": 2\n\"null\": 3\n\"yes\": 4\n'a: b': 5\ne: \"\"\n\"n\": null\n",
    ),
    ("\"<<\": {a: 1}\n", "!!merge <<:\n    a: 1\n"),
    ("{\"a\\tb\": 1, \"a\\rb\": 1}", "\"a\\tb\": 1\n? \"a\\rb\"\n: 1\n"),
    (
        "{\"multi\\nline\": 6, \"multi\\nmap\": {a: 1, b: {c: 1}}, \"multi\\nlist\": [1, {a: 1, b: 2}, [1, [2]]], \"e\\n\": {}}",
        "? |-\n    multi\n    line\n: 6\n? |-\n    multi\n    map\n:   a: 1\n    b:\n        c: 1\n? |-\n    multi\n    list\n:   - 1\n    - a: 1\n      b: 2\n    - - 1\n      - - 2\n? |\n    e\n: {}\n",
    ),
    (
        "{\"m\\ns\": \"a\\nb\\n\", \"m\\nt\": \" a\\nb\\n\", \"m\\n\\n\": 1, \" l\\nx\": 1, \"\\nx\": 1}",
        "? |-\n    m\n    s\n: |\n    a\n    b\n? |-\n    m\n    t\n: |4\n     a\n    b\n? |+\n    m\n\n: 1\n? |4-\n     l\n    x\n: 1\n? |4-\n\n    x\n: 1\n",
    ),
    (
        "seq: [[1, 2], [3, [4, [5, {a: {b: [1, {c: 2}], d: \"x\\ny\"}}]]], \"x\\ny\\n\"]",
        "seq:\n    - - 1\n      - 2\n    - - 3\n      - - 4\n        - - 5\n          - a:\n                b:\n                    - 1\n                    - c: 2\n                d: |-\n                    x\n                    y\n    - |\n      x\n      y\n",
    ),
    (
        "s: [{\"a\\nb\": 1, c: 1}]\nd:\n  s: [{m: {n: 1, o: [1]}}]\n  ? \"a\\nb\"\n  : {x: 1}\n",
        "s:\n    - ? |-\n        a\n        b\n      : 1\n      c: 1\nd:\n    s:\n        - m:\n            \"n\": 1\n            o:\n                - 1\n    ? |-\n        a\n        b\n    :   x: 1\n",
    ),
    ("a: 1\n---\nb: 2\n---\n---\nc: |\n  x\n", "a: 1\n---\nb: 2\n---\n{}\n---\nc: |\n    x\n"),
];

#[test]
fn documents_are_printed_as_by_sops() {
    for (source, printed) in AS_SOPS {
        assert_eq!(emit(&index(source), Indent::OfSops).unwrap(), *printed, "{source:?}");
        assert_eq!(emit(&index(printed), Indent::OfSops).unwrap(), *printed, "again: {source:?}");
    }
}

#[test]
fn a_key_of_more_than_128_bytes_stands_alone() {
    let (fits, long) = ("é".repeat(64), "k".repeat(129));
    let printed = format!("{fits}: 1\n? {long}\n: 2\n");
    assert_eq!(emit(&index(&format!("{{{fits}: 1, \"{long}\": 2}}")), Indent::OfSops).unwrap(), printed);
}

#[test]
fn a_value_alone_is_printed_as_by_extract() {
    let document = index(
        "s: \"a\\nb\\n\"\ni: 5\nl: [1, {a: b}]\nm: {a: [1]}\ne: {}\nn: ~\nf: 1.5\nt: 2001-01-01\nb: !!binary /w==\n",
    );
    let root = document.roots()[0];
    let printed: Vec<String> =
        document.children(root).map(|id| emit_value(&document, id).unwrap_or_else(|error| error.to_string())).collect();
    let binary = "the value is binary data, which cannot be printed as text";
    let expected = [
        "a\nb\n",
        "5\n",
        "- 1\n- a: b\n",
        "a:\n    - 1\n",
        "{}\n",
        "null\n",
        "1.5\n",
        "2001-01-01T00:00:00Z\n",
        binary,
    ];
    assert_eq!(printed, expected);
}

/// Builds `text`'s lines as comments where the closure places them.
fn comment(builder: &mut Builder, text: &str) -> EntryId {
    let text = builder.intern(text.as_bytes());
    builder.comment(0..0, text)
}

#[test]
fn comments_stand_above_what_they_precede() {
    let mut b = Builder::new(String::new()).unwrap();
    let key = |b: &mut Builder, key: &str| Some(b.intern(key.as_bytes()));
    let leaf = |b: &mut Builder, key| {
        let one = b.intern(b"1");
        b.leaf(Kind::Int, 0..0, key, one, Style::Plain, Flags::NONE)
    };
    let root = b.open(Kind::Map, 0, None, Style::Block, Flags::NONE);
    let top = comment(&mut b, " top");
    let name = key(&mut b, "a");
    let a = leaf(&mut b, name);
    b.place_comment(top, root, Some(a));
    let name = key(&mut b, "m");
    let list = b.open(Kind::List, 0, name, Style::Block, Flags::NONE);
    let c1 = comment(&mut b, " of the list");
    let item = b.open(Kind::Map, 0, None, Style::Block, Flags::NONE);
    let c2 = comment(&mut b, " of the item");
    let name = key(&mut b, "b");
    let inner = leaf(&mut b, name);
    b.place_comment(c1, list, Some(item));
    b.place_comment(c2, item, Some(inner));
    let tail = comment(&mut b, "tail of the item\nand more\n#end");
    b.place_comment(tail, item, None);
    b.close(0);
    let foot = comment(&mut b, " foot of the list");
    b.place_comment(foot, list, None);
    b.close(0);
    let name = key(&mut b, "e");
    let empty = b.open(Kind::Map, 0, name, Style::Block, Flags::NONE);
    let only = comment(&mut b, " only");
    b.place_comment(only, empty, None);
    b.close(0);
    let end = comment(&mut b, " end");
    b.place_comment(end, root, None);
    let document = b.finish();
    let printed = "# top\na: 1\nm:\n    # of the list\n    # of the item\n    - b: 1\n      #tail of the item\n      # and more\n      #end\n    # foot of the list\n# only\ne: {}\n# end\n";
    assert_eq!(emit(&document, Indent::OfSops).unwrap(), printed);
    assert_eq!(emit_value(&document, item).unwrap(), "# of the item\nb: 1\n#tail of the item\n# and more\n#end\n");
}

#[test]
fn depth_needs_no_stack() {
    let mut builder = Builder::new(String::new()).unwrap();
    for level in 0..10_000 {
        let key = (level > 0 && level % 2 == 1).then(|| builder.intern(b"k"));
        builder.open(if level % 2 == 0 { Kind::Map } else { Kind::List }, 0, key, Style::Block, Flags::NONE);
    }
    assert_eq!(emit(&builder.finish(), Indent::OfSops).unwrap().lines().count(), 5_000);
}

/// The `sops` block of a file that sops 3.11 wrote.
#[test]
fn metadata_is_printed_as_by_sops() {
    let text = |text: &str| Value::Str(text.to_owned());
    let map =
        |items: Vec<(&str, Value)>| Value::Map(items.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
    let age = map(vec![
        ("recipient", text("age15fgvkun3x7lzktncxvu9pcwt8dqs5a0gzz92krlnc6d4kqehwczq442g6a")),
        ("enc", text("-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n")),
    ]);
    let block = map(vec![(
        "sops",
        map(vec![
            ("shamir_threshold", Value::Int(2)),
            ("kms", Value::List(vec![])),
            ("age", Value::List(vec![age])),
            ("lastmodified", text("2026-11-22T04:47:50Z")),
            ("mac", text("ENC[AES256_GCM,data:rW76,iv:Qq/t=,tag:ktlo==,type:str]")),
            ("mac_only_encrypted", Value::Bool(true)),
            ("pgp", Value::Null),
            ("version", text("3.11.0")),
        ]),
    )]);
    let printed = "sops:\n    shamir_threshold: 2\n    kms: []\n    age:\n        - recipient: age15fgvkun3x7lzktncxvu9pcwt8dqs5a0gzz92krlnc6d4kqehwczq442g6a\n          enc: |\n            -----BEGIN AGE ENCRYPTED FILE-----\n            YWdl\n            -----END AGE ENCRYPTED FILE-----\n    lastmodified: \"2026-11-22T04:47:50Z\"\n    mac: ENC[AES256_GCM,data:rW76,iv:Qq/t=,tag:ktlo==,type:str]\n    mac_only_encrypted: true\n    pgp: null\n    version: 3.11.0\n";
    assert_eq!(emit_block(&block, 0, "\n", Indent::OfSops), printed);
    let shifted: String = printed.lines().map(|line| format!("  {line}\r\n")).collect();
    assert_eq!(emit_block(&block, 2, "\r\n", Indent::OfSops), shifted);
    assert_eq!(
        emit_flow(&map(vec![("a", Value::List(vec![Value::Int(1), text("x\n\"y\"")])), ("b", map(vec![]))])),
        r#"{"a": [1, "x\n\"y\""], "b": {}}"#
    );
}

/// Puts a tree of odd strings into a document.
fn build(builder: &mut Builder, tree: &Value, key: Option<&str>) {
    let key = key.map(|key| builder.intern(key.as_bytes()));
    match tree {
        Value::Map(items) => {
            builder.open(Kind::Map, 0, key, Style::Block, Flags::NONE);
            items.iter().for_each(|(key, item)| build(builder, item, Some(key)));
            builder.close(0);
        }
        Value::List(items) => {
            builder.open(Kind::List, 0, key, Style::Block, Flags::NONE);
            items.iter().for_each(|item| build(builder, item, None));
            builder.close(0);
        }
        Value::Str(text) => {
            let value = builder.intern(text.as_bytes());
            builder.leaf(Kind::Str, 0..0, key, value, Style::Plain, Flags::NONE);
        }
        _ => {
            builder.leaf(Kind::Null, 0..0, key, crate::document::Text::EMPTY, Style::Plain, Flags::NONE);
        }
    }
}

fn odd_text() -> impl Strategy<Value = String> {
    "[ \\n\\t#:\\-?\"'{a0.|\u{2028}\\r]{0,5}"
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![odd_text().prop_map(Value::Str), Just(Value::Null)];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((odd_text(), inner), 0..4).prop_map(|items| {
                let unique: std::collections::BTreeMap<_, _> = items.into_iter().collect();
                Value::Map(unique.into_iter().collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn odd_trees_read_back(tree in tree()) {
        let root = Value::Map(vec![("root".to_owned(), tree)]);
        let mut builder = Builder::new(String::new()).unwrap();
        build(&mut builder, &root, None);
        let printed = emit(&builder.finish(), Indent::OfSops).unwrap();
        let document = index(&printed);
        prop_assert_eq!(document.value(document.roots()[0]), root.clone(), "{}", printed);
        prop_assert_eq!(emit_block(&root, 0, "\n", Indent::OfSops), printed);
        let document = index(&emit_flow(&root));
        prop_assert_eq!(document.value(document.roots()[0]), root);
    }
}
