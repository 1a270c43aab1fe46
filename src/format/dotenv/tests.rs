use super::*;
use crate::document::{Indent, KeyPath, Kind};
use crate::error::Kind as ErrorKind;
use crate::format::change;
use crate::format::{json::Json, yaml::Yaml};
use proptest::prelude::*;

fn index(text: &str) -> Document {
    Dotenv.index(text.to_owned()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Keys and values.
fn values(text: &str) -> Vec<(String, String)> {
    let document = index(text);
    let value = |id| String::from_utf8_lossy(document.scalar(id).bytes).into_owned();
    document.children(0).map(|id| (document.key(id).to_owned(), value(id))).collect()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

#[test]
fn lines_are_read_as_sops_does() {
    let text = "# c\nA=1\n\nexport B = \"x y\" # no comment\nC=\n=D\nA=two\\nlines\\\\nx=y\n #c=d\nE=\\";
    let read = pairs([
        ("A", "1"),
        ("export B ", " \"x y\" # no comment"),
        ("C", ""),
        ("", "D"),
        ("A", "two\nlines\\\nx=y"),
        (" #c", "d"),
        ("E", "\\"),
    ]);
    assert_eq!(values(text), read);
    assert_eq!(values("\u{feff}A=1\r\nB=\r\n"), pairs([("\u{feff}A", "1\r"), ("B", "\r")]));
    assert_eq!(values(""), []);
    let document = index("#a\n\nA=1\n# b");
    let comments: Vec<&[u8]> =
        document.comment_places().iter().map(|place| document.scalar(place.comment as usize).bytes).collect();
    assert_eq!(comments, [&b"a"[..], b" b"]);
    assert_eq!(document.comment_places()[1].before, u32::MAX);
}

#[test]
fn what_sops_refuses_for_white_space_alone_is_read() {
    for (text, sealed) in [("A=1\r\n\r\n", "A=1\r\n\n"), ("  \nA=1\n", "\nA=1\n"), ("  # c\nA=1\n", "# c\nA=1\n")] {
        let document = index(text);
        let mut splicer = crate::document::Splicer::new(text, 0);
        for id in 1..document.len() {
            if document.entry(id).is(crate::document::Flags::REWRITTEN) {
                let out = splicer.replace(document.entry(id).span());
                Dotenv.write_scalar(&document, id, document.scalar(id), out).unwrap();
            }
        }
        assert_eq!(String::from_utf8(splicer.finish()).unwrap(), sealed);
        assert_eq!(index(sealed).len(), document.len());
    }
}

#[test]
fn a_line_without_a_mark_is_an_error_with_its_place() {
    for (text, place, hint) in [
        ("A=1\nB\n", (2, 1), "write a `=`"),
        ("export B\n", (1, 1), "write a `=`"),
        ("K=\"-----BEGIN\nMII\n", (2, 1), "write a `=`"),
        ("A=1\nsome text\n", (2, 1), "a value of several lines"),
    ] {
        let error = Dotenv.index(text.to_owned()).map(drop).unwrap_err();
        assert_eq!(error.place().line_column, Some(place));
        assert!(error.hints()[0].starts_with(hint), "{error}: {:?}", error.hints());
        assert!(!format!("{:?}", error.place().snippet).contains("some"), "no value is shown");
    }
}

#[test]
fn metadata_goes_behind_the_text_and_leaves_no_trace() {
    let block = Value::Map(vec![
        ("version".to_owned(), Value::Str("3.11.0".to_owned())),
        ("age".to_owned(), Value::List(vec![Value::Map(vec![("enc".to_owned(), Value::Str("a\nb".to_owned()))])])),
    ]);
    for text in ["", "A=1\n", "A=1", "\n", "#c", "A=1\r\n", "A=1\n\n\n"] {
        let (at, inserted) = Dotenv.metadata_insertions(&index(text), &block).remove(0);
        let sealed = format!("{}{inserted}{}", &text[..at], &text[at..]);
        let document = index(&sealed);
        assert_eq!(Dotenv.metadata(&document).and_then(|read| read.get("age").cloned()), block.get("age").cloned());
        let mut splicer = crate::document::Splicer::new(&sealed, 0);
        Dotenv.metadata_spans(&document).into_iter().for_each(|span| _ = splicer.replace(span));
        assert_eq!(splicer.finish(), text.as_bytes(), "{sealed:?}");
    }
    let moved = index("sops_version=1\nA=1\nsops_mac=2\nsops_x=3\nB=2\n");
    assert_eq!(Dotenv.metadata_spans(&moved), [0..15, 19..39]);
    assert_eq!(Dotenv.metadata_entries(&moved).len(), 3);
    assert!(Dotenv.metadata(&index("SOPS_version=1\nsops=2\n")).is_none());
}

#[test]
fn other_formats_are_printed_as_sops_does() {
    let text = "# top\na: 1\nb: 1.5\nc: true\n# above\nd: \"x\\ny\"\ne: 2001-01-02T03:04:05Z\n# end\n";
    let document = Yaml.index(text.to_owned()).unwrap();
    let printed = "# top\na=1\nb=1.5\nc=true\n# above\nd=x\\ny\ne=2001-01-02T03:04:05Z\n# end\n";
    assert_eq!(Dotenv.emit(&document, Indent::OfSops).unwrap(), printed.as_bytes());
    let nested = Json.index(r#"{"a": {"b": {"x": 1, "y": "z"}, "l": [1]}, "n": null}"#.to_owned()).unwrap();
    let inner = nested.find(0, KeyPath::parse("a.b").unwrap().steps()).unwrap();
    assert_eq!(Dotenv.emit_value(&nested, inner, Indent::OfSops).unwrap(), b"x=1\ny=z\n");
    assert_eq!(Dotenv.emit(&Yaml.index("---\n".to_owned()).unwrap(), Indent::OfSops).unwrap(), b"");
}

#[test]
fn what_has_no_form_is_refused_with_its_path_and_a_hint() {
    for (text, path, reason) in [
        ("a: {b: 1}", "a", "nested"),
        ("a: [1]", "a", "list"),
        ("a: ~", "a", "null"),
        ("a=b: 1", "[\"a=b\"]", "`=`"),
        ("\"a\\nb\": 1", "[\"a\nb\"]", "line break"),
        ("'#a': 1", "[\"#a\"]", "comment"),
        ("a: 1\n---\nb: 2\n", "", "holds one document"),
    ] {
        let document = Yaml.index(text.to_owned()).unwrap();
        let error = Dotenv.emit(&document, Indent::OfSops).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{text}");
        assert_eq!(error.place().key_path.as_deref().unwrap_or_default(), path, "{text}");
        assert!(error.notes().iter().any(|note| note.contains(reason)), "{text}: {:?}", error.notes());
        assert!(!error.hints().is_empty());
    }
}

fn set(text: &str, path: &str, json: &str) -> Result<String> {
    let document = index(text);
    let value = Json.index(format!("{{\"v\": {json}}}")).unwrap();
    let node = Node { document: &value, id: 1 };
    let changed = change::set(&Dotenv, &document, 0, KeyPath::parse(path).unwrap().steps(), node)?;
    Ok(changed.into_text())
}

#[test]
fn values_are_set_in_their_line_or_in_a_new_one() {
    for (before, path, json, after) in [
        ("# c\nA=1\n\nB=2\n", "A", "\"x=\\ny\"", "# c\nA=x=\\ny\n\nB=2\n"),
        ("A=1\nB=2", "B", "true", "A=1\nB=true"),
        ("A=1\nA=2\n", "A", "3", "A=3\nA=2\n"),
        ("A=1\n", "B", "1.5", "A=1\nB=1.5\n"),
        ("A=1\n# c\n\n\n", "B", "\"\"", "A=1\n# c\nB=\n\n\n"),
        ("A=1", "B", "\"2\"", "A=1\nB=2"),
        ("", "B", "\"2\"", "B=2\n"),
        ("\n\n", "B", "\"2\"", "B=2\n\n\n"),
        ("A=1\r\n", "B", "\"2\"", "A=1\r\nB=2\n"),
    ] {
        assert_eq!(set(before, path, json).unwrap(), after);
    }
    for (path, json, reason) in [
        ("A", "{\"a\": 1}", "cannot be nested"),
        ("A", "[1]", "list"),
        ("A.b", "1", "cannot be nested"),
        ("A", "null", "null"),
        ("[\"a=b\"]", "1", "ends a key"),
        ("A", "\"C:\\\\new\"", "backslash before an n"),
    ] {
        let error = set("A=1\n", path, json).unwrap_err();
        assert!(error.notes().iter().any(|note| note.contains(reason)), "{path} {json}: {error}");
    }
    // The key of the metadata is found by who seals the text.
    assert_eq!(set("A=1\n", "sops_x", "1").unwrap(), "A=1\nsops_x=1\n");
}

#[test]
fn a_key_is_taken_out_with_its_line() {
    let unset = |text: &str, path: &str| {
        change::unset(&Dotenv, &index(text), 0, KeyPath::parse(path).unwrap().steps()).map(Document::into_text)
    };
    for (before, path, after) in [
        ("A=1\n# b\nB=2\n", "B", "A=1\n# b\n"),
        ("A=1\nB=2", "B", "A=1"),
        ("A=1\nB=2", "A", "B=2"),
        ("A=1", "A", ""),
        ("A=1\nA=2\n", "A", "A=2\n"),
    ] {
        assert_eq!(unset(before, path).unwrap(), after);
    }
    assert_eq!(unset("A=1\n", "B").unwrap_err().kind(), ErrorKind::NoSuchPath);
}

proptest! {
    #[test]
    fn any_text_is_an_error_or_comes_back(text in "([#=\\\\n \t\r\u{feff}aé\"]{0,6}\n?){0,6}") {
        let Ok(document) = Dotenv.index(text.clone()) else {
            return Ok(());
        };
        let mut splicer = crate::document::Splicer::new(&text, 0);
        for id in (1..document.len()).filter(|&id| !document.entry(id).is(crate::document::Flags::REWRITTEN)) {
            let out = splicer.replace(document.entry(id).span());
            Dotenv.write_scalar(&document, id, document.scalar(id), out).unwrap();
        }
        prop_assert_eq!(String::from_utf8(splicer.finish()).unwrap(), text);
        prop_assert!((1..document.len()).all(|id| matches!(document.entry(id).kind(), Kind::Str | Kind::Comment)));
    }
}
