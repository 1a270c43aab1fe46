//! Tests of the format as a whole: generated texts, malformed texts, sizes.

use super::Json;
use crate::document::{Document, EntryId, Indent, Kind, Splicer, Value};
use crate::error::Error;
use crate::format::{Format, Piece};
use proptest::prelude::*;

fn index(text: &str) -> Document {
    Json.index(text.to_owned()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn refused(text: &str) -> Error {
    match Json.index(text.to_owned()) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error,
    }
}

fn metadata() -> Value {
    let text = |text: &str| Value::Str(text.to_owned());
    let recipient = Value::Map(vec![
        ("recipient".to_owned(), text("age1x")),
        ("enc".to_owned(), text("-----BEGIN AGE ENCRYPTED FILE-----\nYQ==\n")),
    ]);
    Value::Map(vec![
        ("age".to_owned(), Value::List(vec![recipient])),
        ("kms".to_owned(), Value::List(Vec::new())),
        ("lastmodified".to_owned(), text("2026-01-01T00:00:00Z")),
        ("shamir_threshold".to_owned(), Value::Int(2)),
        ("mac_only_encrypted".to_owned(), Value::Bool(true)),
        ("version".to_owned(), text("3.11.0")),
    ])
}

fn emitted(document: &Document) -> String {
    String::from_utf8(Json.emit(document, Indent::OfSops).unwrap()).unwrap()
}

fn insert(document: &Document) -> String {
    let mut splicer = Splicer::new(document.text(), 0);
    for (at, piece) in Json.metadata_insertions(document, &metadata()) {
        splicer.replace(at..at).extend_from_slice(piece.as_bytes());
    }
    String::from_utf8(splicer.finish()).unwrap()
}

fn remove(document: &Document) -> String {
    let mut splicer = Splicer::new(document.text(), 0);
    for span in Json.metadata_spans(document) {
        splicer.replace(span);
    }
    String::from_utf8(splicer.finish()).unwrap()
}

fn leaves(document: &Document) -> impl Iterator<Item = EntryId> + '_ {
    (0..document.len()).filter(|&id| !document.entry(id).kind().is_container())
}

/// Writes all leaves anew, in place.
fn rewrite(document: &Document, write: impl Fn(EntryId, &mut Vec<u8>)) -> Document {
    let mut splicer = Splicer::new(document.text(), 0);
    for id in leaves(document) {
        write(id, splicer.replace(document.entry(id).span()));
    }
    index(&String::from_utf8(splicer.finish()).unwrap())
}

/// A float with an integer's value is printed as that integer, by sops as well: the bytes are the same.
fn same_scalars(one: &Document, other: &Document) {
    assert_eq!(one.len(), other.len());
    for id in 0..one.len() {
        let (left, right) = (one.scalar(id), other.scalar(id));
        assert_eq!(one.key(id), other.key(id));
        assert_eq!(left.bytes, right.bytes, "{}", one.path(id));
        assert!(left.kind == right.kind || (left.kind == Kind::Float && right.kind == Kind::Int));
    }
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 2 => Just(" ".to_owned()), 1 => "[ \t\r\n]{0,3}", 1 => Just("\n  ".to_owned())]
}

fn string_body() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9 :,{}#<>&/'-]{0,6}",
        r#"\\(["\\/bfnrt]|u00[0-9a-f][0-9A-F]|u20[0-9]{2}|ud83d\\ude0[0-9])"#,
        "[éß€\u{7f}\u{2028}\u{feff}😀]",
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        string_body().prop_map(|body| format!("\"{body}\"")),
        r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,10})?([eE][+-]?[0-9]{1,2})?",
        r"-?(0|[1-9][0-9]{0,20})",
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
    ]
}

type Members = Vec<(String, String, String, String, String, String)>;

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = Members> {
    prop::collection::vec((space(), string_body(), space(), space(), value, space()), 0..5)
}

/// Keys get a number, so that they differ.
fn object((members, empty): (Members, String)) -> String {
    let members = members.into_iter().enumerate().map(|(number, (before, key, behind, colon, value, end))| {
        format!("{before}\"{key}{number}\"{behind}:{colon}{value}{end}")
    });
    let members: Vec<String> = members.collect();
    format!("{{{}}}", if members.is_empty() { empty } else { members.join(",") })
}

fn list((members, empty): (Members, String)) -> String {
    let items: Vec<String> =
        members.into_iter().map(|(before, _, _, _, value, end)| format!("{before}{value}{end}")).collect();
    format!("[{}]", if items.is_empty() { empty } else { items.join(",") })
}

fn json() -> impl Strategy<Value = String> {
    let value = leaf().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![(members(inner.clone()), space()).prop_map(object), (members(inner), space()).prop_map(list)]
    });
    let object = (members(value), space()).prop_map(object);
    (space(), object, space()).prop_map(|(before, object, end)| format!("{before}{object}{end}"))
}

proptest! {
    #[test]
    fn spans_and_values_are_right(text in json()) {
        let document = index(&text);
        for id in 0..document.len() {
            // serde_json is the judge of each piece alone.
            let judged: serde_json::Value = serde_json::from_str(document.raw(id)).unwrap();
            let scalar = document.scalar(id);
            let bytes = std::str::from_utf8(scalar.bytes).unwrap();
            match (scalar.kind, judged) {
                (Kind::Map, serde_json::Value::Object(map)) => {
                    prop_assert_eq!(map.len(), document.children(id).count());
                    prop_assert!(document.children(id).all(|child| map.contains_key(document.key(child))));
                }
                (Kind::List, serde_json::Value::Array(list)) => {
                    prop_assert_eq!(list.len(), document.children(id).count());
                }
                (Kind::Str, serde_json::Value::String(text)) => prop_assert_eq!(bytes, text),
                (Kind::Bool, serde_json::Value::Bool(value)) => {
                    prop_assert_eq!(bytes, if value { "True" } else { "False" });
                }
                (Kind::Null, serde_json::Value::Null) => prop_assert_eq!(bytes, ""),
                (Kind::Int, serde_json::Value::Number(number)) => prop_assert_eq!(bytes, number.to_string()),
                (Kind::Float, serde_json::Value::Number(_)) => {
                    prop_assert_eq!(bytes.parse::<f64>().unwrap(), document.raw(id).parse::<f64>().unwrap());
                    prop_assert!(!bytes.contains(['e', 'E']));
                }
                (kind, judged) => panic!("{kind:?} is not {judged}"),
            }
        }
    }

    #[test]
    fn metadata_goes_as_it_came(text in json()) {
        let document = index(&text);
        prop_assert!(Json.metadata_spans(&document).is_empty());
        let with = index(&insert(&document));
        let found = Json.metadata_entries(&with);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(with.children(0).last(), Some(found[0]));
        prop_assert_eq!(with.value(found[0]), metadata());
        prop_assert_eq!(remove(&with), text);
    }

    #[test]
    fn a_text_is_the_sum_of_its_pieces(text in json(), size in 1_usize..60) {
        let pieces: Option<Vec<_>> = Json.pieces(Box::new(text.as_bytes()), size).unwrap().collect();
        // Keys with escapes are left to others.
        if let Some(pieces) = pieces {
            let own: Vec<&str> = pieces.iter().map(|piece| &piece.text[piece.own.clone()]).collect();
            prop_assert_eq!(own.join(","), text.as_str());
            let entries = pieces.iter().map(|piece| index(&piece.text).len() - piece.depth).sum::<usize>();
            prop_assert_eq!(entries, index(&text).len());
        } else {
            prop_assert!(text.contains('\\'));
        }
    }

    #[test]
    fn a_written_scalar_is_read_as_the_same(text in json()) {
        let document = index(&text);
        let scalars = rewrite(&document, |id, out| Json.write_scalar(&document, id, document.scalar(id), out).unwrap());
        same_scalars(&document, &scalars);
        let tokens = rewrite(&document, |id, out| Json.write_token(&document, id, "ENC[AES256_GCM,data:+/=]", out));
        prop_assert!(leaves(&tokens).all(|id| tokens.scalar(id).bytes == b"ENC[AES256_GCM,data:+/=]"));
    }

    #[test]
    fn what_is_printed_has_the_same_values(text in json()) {
        let document = index(&text);
        let printed = emitted(&document);
        let again = index(&printed);
        same_scalars(&document, &again);
        prop_assert_eq!(emitted(&again), printed);
    }

    #[test]
    fn a_truncated_text_is_an_error(text in json()) {
        let whole = text.trim_end().len();
        for end in (0..whole).filter(|&end| text.is_char_boundary(end)) {
            let error = refused(&text[..end]);
            prop_assert!(error.place().line_column.is_some() && !error.hints().is_empty(), "{}", error);
        }
    }

    #[test]
    fn other_text_is_accepted_only_if_it_is_json(text in "[ {]?\\{?\"?[a\"]?[\\[\\]{}:,\"\\\\uda8Ecnrlst0-9.+ \n\t\u{1}é-]{0,16}\\}?") {
        let judged = serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|value| value.is_object());
        match Json.index(text) {
            Ok(_) => prop_assert!(judged),
            Err(error) => {
                prop_assert!(!judged || error.message().contains("stands twice"), "{}", error);
                prop_assert!(!error.hints().is_empty());
            }
        }
    }
}

#[test]
fn errors_say_what_and_where() {
    let cases = [
        ("", "the file is empty", (1, 1)),
        (" \n", "the file is empty", (2, 1)),
        ("[1]", "a list stands at the top", (1, 1)),
        ("\"x\"", "a string stands at the top", (1, 1)),
        ("null", "a single value stands at the top", (1, 1)),
        ("a: 1\n", "a JSON file begins with {", (1, 1)),
        ("\u{feff}{}", "byte order mark", (1, 1)),
        ("{\"a\":1} {}", "a second value follows", (1, 9)),
        ("{\"a\":1}}", "a bracket is closed that was not opened", (1, 8)),
        ("{\"a\":1} x", "text follows the end", (1, 9)),
        ("{\"a\":[1", "ends too early", (1, 8)),
        ("{\"a\"", "ends too early", (1, 5)),
        ("{\"a", "not closed", (1, 2)),
        ("{\"a\":1,}", "no value follows this comma", (1, 7)),
        ("{\"a\":[1,\n]}", "no value follows this comma", (1, 8)),
        ("{\"a\":1 \"b\":2}", "a comma is missing", (1, 8)),
        ("{\"a\":[1 2]}", "a comma is missing", (1, 9)),
        ("{\"a\":[1}", "a comma or ] must follow", (1, 8)),
        ("{\"a\" 1}", "a colon must follow", (1, 6)),
        ("{\"a\":,}", "a value is missing", (1, 6)),
        ("{,}", "a comma with nothing before it", (1, 2)),
        ("{\"a\":-Infinity}", "a malformed number", (1, 7)),
        ("{\"a\": {{ b }}}", "a key must stand here", (1, 8)),
        ("{// x\n}", "a comment stands here", (1, 2)),
        ("{\"a\": 1 # x\n}", "a comment stands here", (1, 9)),
        ("{'a': 1}", "a key must stand here", (1, 2)),
        ("{a: 1}", "a key must stand here", (1, 2)),
        ("{\"a\":'x'}", "a value must stand here", (1, 6)),
        ("{\"a\":NaN}", "a value must stand here", (1, 6)),
        ("{\"a\":nullx}", "a value must stand here", (1, 6)),
        ("{\"a\":+1}", "begins with +", (1, 6)),
        ("{\"a\":.5}", "begins with a point", (1, 6)),
        ("{\"a\":01}", "a malformed number", (1, 6)),
        ("{\"a\":1.}", "a malformed number", (1, 8)),
        ("{\"a\":1E400}", "larger than a 64-bit float", (1, 6)),
        ("{\"a\":\"\u{1}\"}", "the control character U+0001", (1, 7)),
        ("{\"a\":\"\n\"}", "a line break stands in a string", (1, 7)),
        ("{\"a\":\"é\t\"}", "a tab stands in a string", (1, 8)),
        ("{\"a\":\"\\x\"}", "an escape that JSON does not have", (1, 7)),
        ("{\"a\":\"\\u12G4\"}", "an escape that JSON does not have", (1, 7)),
        ("{\"a\":\"\\u+123\"}", "an escape that JSON does not have", (1, 7)),
        ("{\"a\":\"\\ud800\"}", "half of a surrogate pair", (1, 7)),
        ("{\"a\":\"\\ud800\\u0041\"}", "half of a surrogate pair", (1, 7)),
        ("{\"a\":\"\\udc00\"}", "half of a surrogate pair", (1, 7)),
        ("{\"SOPS\":\"x\"}", "sops takes this key for its own", (1, 2)),
        ("{\"\u{17f}ops\":[]}", "sops takes this key for its own", (1, 2)),
        ("{\"a\":1,\n \"\\u0061\":2}", "the key \"a\" stands twice", (2, 2)),
    ];
    for (text, message, place) in cases {
        let error = refused(text);
        assert!(error.message().contains(message), "{text}: {error}");
        assert_eq!(error.place().line_column, Some(place), "{text}: {error}");
        assert_eq!(error.exit_code(), 4);
        assert!(!error.notes().is_empty() && !error.hints().is_empty(), "{text}: {error}");
    }
}

#[test]
fn keys_like_sops_are_fine_where_sops_reads_them() {
    for text in [r#"{"SOPS":null}"#, r#"{"Sops":{"a":1}}"#, r#"{"a":{"SOPS":1}}"#, r#"{"sops":1}"#, r#"{"sopsy":1}"#] {
        index(text);
    }
}

#[test]
fn a_duplicate_names_both_places_however_large_the_object() {
    for count in [1, 8, 9, 10, 1000] {
        let keys: Vec<String> = (0..count).map(|number| format!("\"k{number}\":{{\"k0\":0}}")).collect();
        let error = refused(&format!("{{\n{},\n\"k{}\":0}}", keys.join(",\n"), count - 1));
        assert_eq!(error.place().line_column, Some((count + 2, 1)));
        assert_eq!(error.notes(), [format!("it stands first at {}:1", count + 1)]);
    }
}

#[test]
fn metadata_is_written_as_the_object_is() {
    let cases = [
        ("{\"a\":1}", "{\"a\":1,\"sops\": {\"age\": [{\"recipient\": \"age1x\",\"enc\": "),
        ("{\"a\": 1}", "{\"a\": 1, \"sops\": {\"age\": [{\"recipient\": \"age1x\", \"enc\": "),
        ("{ \"a\": 1 }\n", "{ \"a\": 1, \"sops\": {\"age\": [{"),
        (
            "{\n\t\"a\": 1\n}\n",
            "{\n\t\"a\": 1,\n\t\"sops\": {\n\t\t\"age\": [\n\t\t\t{\n\t\t\t\t\"recipient\": \"age1x\",\n",
        ),
        ("{\r\n  \"a\": 1}", "{\r\n  \"a\": 1,\r\n  \"sops\": {\r\n    \"age\": [\r\n      {\r\n"),
        ("  {\n    \"a\": 1\n  }", "  {\n    \"a\": 1,\n    \"sops\": {\n      \"age\": ["),
        ("{\n\"a\":1,\n\"b\":2\n}", "{\n\"a\":1,\n\"b\":2,\n\"sops\": {\n\"age\": ["),
        ("{\n  \"a\": 1, \"b\": 2\n}", "{\n  \"a\": 1, \"b\": 2,\n  \"sops\": {\n"),
        ("{ \"a\": 1\n, \"b\": 2\n}", "{ \"a\": 1\n, \"b\": 2,\n\"sops\": {\n\"age\": ["),
        ("{}", "{\n\t\"sops\": {\n\t\t\"age\": ["),
        ("{ }", "{\"sops\": {\"age\": ["),
        ("{\n}", "{\"sops\": {\"age\": ["),
    ];
    for (text, beginning) in cases {
        let with = insert(&index(text));
        assert!(with.starts_with(beginning), "{with}");
        assert_eq!(remove(&index(&with)), text);
    }
}

#[test]
fn metadata_is_taken_out_wherever_it_stands() {
    let cases = [
        ("{\n\t\"a\": 1,\n\t\"sops\": {\n\t\t\"mac\": \"}\"\n\t}\n}\n", "{\n\t\"a\": 1\n}\n"),
        ("{\n\t\"sops\": {\n\t\t\"mac\": \"}\"\n\t}\n}\n", "{}\n"),
        ("{\"sops\": {} , \"a\": 1}", "{ \"a\": 1}"),
        ("{\n  \"sops\": {},\n  \"a\": 1\n}", "{\n  \"a\": 1\n}"),
        ("{\"a\": [1] , \"sops\": {}, \"b\": 2}", "{\"a\": [1], \"b\": 2}"),
        ("{\"a\": 1}", "{\"a\": 1}"),
        ("{\"a\": {\"sops\": {}}}", "{\"a\": {\"sops\": {}}}"),
        (r#"{"\u0073ops":{}}"#, "{}"),
    ];
    for (with, without) in cases {
        assert_eq!(remove(&index(with)), without);
    }
}

#[test]
fn metadata_at_the_end_is_found_where_it_is_a_member_of_the_whole() {
    let found = |text: &str| Json.metadata_in_tail(text.as_bytes()).filter(|found| Json.index(found.clone()).is_ok());
    assert_eq!(found("3, \"sops\": {\"mac\": 1}\n}\n").as_deref(), Some("{\"sops\": {\"mac\": 1}\n}\n"));
    for other in
        ["{\"a\": {\"sops\": {}}}", "[{\"sops\": {}}]", "{\"sops\": {\"sops\": {}}}", "{\"a\": \"\\\"sops\\\"\"}", "{}"]
    {
        assert_eq!(found(other), None, "{other}");
    }
}

#[test]
fn pieces_of_what_is_no_document_do_not_index() {
    let index = |text: &str| {
        let mut pieces = Json.pieces(Box::new(text.as_bytes()), 1).unwrap();
        pieces.all(|piece| piece.is_some_and(|piece| Json.index(piece.text).is_ok()))
    };
    assert!(index(r#"{"a": [1, {"b": "\"", "a": 3}], "c": {}}"#));
    for broken in [
        "",
        "1,2",
        r#"{"a": 1, "b": 2"#,
        r#"{"a": 1, "b": "2"#,
        r#"{"a": [1, 2}, "b": 2}"#,
        r#"{"a": 1, "b": 2, "a": 3}"#,
        r#"{"x": {"a": 1, "b": 2, "a": 3}}"#,
        r#"{"a": 1, "b": 2}}"#,
        r#"{"a": 1, "b": 2} 3"#,
        r#"{"a": 1, "b": 2,}"#,
        r#"{"a": 1,, "b": 2}"#,
        r#"{"a": 1, "\u0061": 2}"#,
    ] {
        assert!(!index(broken), "{broken}");
    }
}

#[test]
fn metadata_stays_in_one_piece_with_what_goes_away_with_it() {
    for text in [
        r#"{"sops": {"a": [1, 2], "b": 3}, "c": 4, "d": {"e": 5, "f": 6}}"#,
        r#"{"c": {"e": 5, "f": 6},   "sops": {"a": [1, 2], "b": 3} , "d": 4}"#,
        r#"{"c": 4, "d": {"e": 5, "f": 6}, "sops": {"a": [1, 2], "b": 3}}"#,
        r#"{"sops": {"a": [1, 2], "b": 3}}"#,
    ] {
        for size in 1..text.len() {
            let pieces: Vec<_> = Json.pieces(Box::new(text.as_bytes()), size).unwrap().map(Option::unwrap).collect();
            let own = |piece: &Piece| {
                let left = remove(&index(&piece.text));
                left[piece.own.start..left.len() - (piece.text.len() - piece.own.end)].to_owned()
            };
            let left: Vec<_> = pieces.iter().map(own).collect();
            assert_eq!(left.join(","), remove(&index(text)), "{text} in pieces of {size}");
            assert_eq!(pieces.iter().filter(|piece| piece.has_metadata).count(), 1);
        }
    }
}

#[test]
fn a_document_is_printed_as_sops_does() {
    let text = r#" {"a<":[1.0,{},[],[[1E21]]],"b":{"c":null,"d":true},"e":"\u0007\/"}"#;
    let printed = "{\n\t\"a\\u003c\": [\n\t\t1,\n\t\t{},\n\t\t[],\n\t\t[\n\t\t\t[\n\t\t\t\t1e+21\n\t\t\t]\n\t\t]\n\t],\n\t\"b\": {\n\t\t\"c\": null,\n\t\t\"d\": true\n\t},\n\t\"e\": \"\\u0007/\"\n}\n";
    let document = index(text);
    assert_eq!(emitted(&document), printed);
    assert_eq!(emitted(&index("{ }")), "{}\n");
    let children: Vec<EntryId> = document.children(0).collect();
    let value = |id| String::from_utf8(Json.emit_value(&document, id, Indent::OfSops).unwrap()).unwrap();
    assert_eq!(value(children[0]), "[\n\t1,\n\t{},\n\t[],\n\t[\n\t\t[\n\t\t\t1e+21\n\t\t]\n\t]\n]");
    assert_eq!(value(children[1]), "{\n\t\"c\": null,\n\t\"d\": true\n}\n");
    assert_eq!(value(children[0] + 1), "1");
    assert_eq!(value(children[0] + 2), "{}\n");
}

#[test]
fn what_sops_takes_for_its_own_block_is_refused() {
    for text in [r#"{"SOPS": 1}"#, r#"{"Sops": {"Age": "x"}}"#, r#"{"\u017fops": {"a": 1, "mac": null}}"#] {
        assert!(refused(text).message().contains("sops takes this key for its own"), "{text}");
    }
    index(r#"{"Sops": {"x": 1, "y": {"age": 1}}, "a": {"age": 1}}"#);
}

#[test]
fn depth_needs_no_stack() {
    let nested = |maps, lists| {
        format!("{}{}1{}{}", "{\"a\":".repeat(maps), "[".repeat(lists), "]".repeat(lists), "}".repeat(maps))
    };
    // As deep as sops goes.
    for text in [nested(10_000, 0), nested(1, 9_999), nested(5_000, 5_000)] {
        let document = index(&text);
        assert_eq!(document.len(), 10_001);
        assert_eq!(remove(&index(&insert(&document))), text);
        refused(&text[..text.len() / 2]);
    }
    for text in [nested(10_001, 0), nested(1, 10_000), nested(1, 1_000_000)] {
        assert!(refused(&text).message().contains("more than 10,000"));
    }
    // YAML counts indentation and brackets apart.
    let text = format!("a:\n{}{}1{}\n", "- ".repeat(6_000), "[".repeat(6_000), "]".repeat(6_000));
    let document = crate::format::yaml::Yaml.index(text).unwrap();
    assert!(Json.emit(&document, Indent::OfSops).unwrap_err().message().contains("nested too deeply"));
}

#[test]
fn a_flat_object_of_a_million_keys_is_no_trouble() {
    const KEYS: usize = 1_000_000;
    let mut text = String::from("{");
    for number in 0..KEYS {
        text.push_str(&format!("\"key{number}\":{number},"));
    }
    let document = index(&format!("{text}\"last\":0}}"));
    assert_eq!(document.len(), KEYS + 2);
    assert_eq!(remove(&index(&insert(&document))), document.text());
    // Not `refused`: a short last line, since the error shows a piece of it.
    let error = refused(&format!("{text}\n\"key0\":0}}"));
    assert!(error.message().contains("\"key0\" stands twice"));
}

/// A document, a path, a value (none to take it out), and the document then.
#[test]
fn changes_are_laid_out_as_what_is_around() {
    use crate::document::{KeyPath, Node};
    use crate::format::change;
    for (text, path, value, expected) in [
        ("{\"a\":1,\"b\":[2]}", "b[0]", Some("{\"x\": [1, null]}"), "{\"a\":1,\"b\":[{\"x\":[1,null]}]}"),
        ("{\"a\":1,\"b\":[2]}", "c", Some("\"<\""), "{\"a\":1,\"b\":[2],\"c\":\"\\u003c\"}"),
        ("{\"a\": 1, \"b\": [2]}\n", "b[9]", Some("3.50"), "{\"a\": 1, \"b\": [2, 3.5]}\n"),
        (
            "{\n  \"a\": 1\n}\n",
            "b",
            Some("{\"x\": [1, {}]}"),
            "{\n  \"a\": 1,\n  \"b\": {\n    \"x\": [\n      1,\n      {}\n    ]\n  }\n}\n",
        ),
        ("{\n\t\"a\": {}\n}", "a.b", Some("1"), "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}"),
        (
            "{\n\t\"a\": 1\n}",
            "a.b[7].c",
            Some("true"),
            "{\n\t\"a\": {\n\t\t\"b\": [\n\t\t\t{\n\t\t\t\t\"c\": true\n\t\t\t}\n\t\t]\n\t}\n}",
        ),
        ("{\r\n  \"a\" : [\r\n    1\r\n  ]\r\n}", "a[1]", Some("2"), "{\r\n  \"a\" : [\r\n    1,\r\n    2\r\n  ]\r\n}"),
        ("{}", "a", Some("1"), "{\n\t\"a\": 1\n}"),
        ("{\"a\": {\"b\": 1}}", "a", Some("[]"), "{\"a\": []}"),
        ("{\"a\": 1, \"b\": 2, \"c\": 3}", "a", None, "{\"b\": 2, \"c\": 3}"),
        ("{\"a\": 1, \"b\": 2, \"c\": 3}", "b", None, "{\"a\": 1, \"c\": 3}"),
        ("{\"a\": 1, \"b\": 2, \"c\": 3}", "c", None, "{\"a\": 1, \"b\": 2}"),
        ("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "a", None, "{\n  \"b\": 2\n}\n"),
        ("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "b", None, "{\n  \"a\": 1\n}\n"),
        ("{\n  \"a\": [\n    1\n  ]\n}\n", "a[0]", None, "{\n  \"a\": []\n}\n"),
        ("{\n  \"a\": 1\n}\n", "a", None, "{}\n"),
    ] {
        let document = Json.index(text.to_owned()).unwrap();
        let path = KeyPath::parse(path).unwrap();
        let changed = match value {
            Some(value) => {
                let value = Json.index(format!("{{\"value\": {value}}}")).unwrap();
                change::set(&Json, &document, 0, path.steps(), Node { document: &value, id: 1 })
            }
            None => change::unset(&Json, &document, 0, path.steps()),
        };
        assert_eq!(changed.unwrap().into_text(), expected, "{text} {value:?}");
    }
}

#[test]
fn a_binary_value_has_no_form() {
    use crate::document::{KeyPath, Node};
    use crate::format::{change, yaml::Yaml};
    let document = Json.index("{\"a\": 1}".to_owned()).unwrap();
    let value = Yaml.index("v: !!binary /w==\n".to_owned()).unwrap();
    let path = KeyPath::parse("a").unwrap();
    let error = change::set(&Json, &document, 0, path.steps(), Node { document: &value, id: 1 }).err().unwrap();
    assert!(error.notes()[0].contains("binary data"), "{error}");
}
