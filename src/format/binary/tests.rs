use super::*;
use crate::document::{Indent, KeyPath, Splicer};
use crate::format::{change, yaml::Yaml};

fn sealed(bytes: &[u8], token: &str) -> String {
    let document = Binary.index_plaintext(bytes.to_vec()).unwrap();
    let metadata = Value::Map(vec![("version".to_owned(), Value::Str("3.11.0".to_owned()))]);
    let insertions = Binary.metadata_insertions(&document, &metadata);
    let mut out = insertions[0].1.clone().into_bytes();
    if !bytes.is_empty() {
        Binary.write_token(&document, 1, token, &mut out);
    }
    insertions[1..].iter().for_each(|(_, text)| out.extend_from_slice(text.as_bytes()));
    String::from_utf8(out).unwrap()
}

#[test]
fn a_file_is_one_value_in_json() {
    let text = sealed(b"\xff\0", "T");
    assert_eq!(text, "{\n\t\"data\": \"T\",\n\t\"sops\": {\n\t\t\"version\": \"3.11.0\"\n\t}\n}\n");
    let document = Binary.index(text.clone()).unwrap();
    let mut splicer = Splicer::new(&text, 0);
    let spans = Binary.metadata_spans(&document);
    splicer.replace(spans[0].clone());
    Binary
        .write_scalar(
            &document,
            1,
            Scalar { kind: Kind::Str, bytes: b"\xff\0" },
            splicer.replace(document.entry(1).span()),
        )
        .unwrap();
    splicer.replace(spans[1].clone());
    assert_eq!(splicer.finish(), b"\xff\0");
    assert_eq!(sealed(b"", "T"), text.replace("\"T\"", "\"\""));
}

#[test]
fn what_holds_no_data_is_refused() {
    for text in [
        "{}",
        "{\"sops\": {}}",
        "{\"data\": 1}",
        "{\"data\": {}}",
        "{\"data\": \"x\", \"more\": \"y\"}",
        "{\"x\": \"y\"}",
    ] {
        let error = Binary.index(text.to_owned()).map(drop).unwrap_err();
        assert!(error.message().contains("no binary file"), "{text}: {error}");
        assert!(error.hints()[0].contains("--input-type"));
    }
    let error = Binary.index("a: 1\n".to_owned()).map(drop).unwrap_err();
    assert!(error.hints().iter().any(|hint| hint.contains("--input-type")), "{:?}", error.hints());
}

#[test]
fn data_of_other_formats_is_printed_as_it_is() {
    let emit = |text: &str| Binary.emit(&Yaml.index(text.to_owned()).unwrap(), Indent::OfSops);
    assert_eq!(emit("data: !!binary /w==\nother: 1\n").unwrap(), b"\xff");
    for text in ["a: 1", "data: 1", "data: {}", "data: x\n---\ndata: y\n"] {
        assert_eq!(emit(text).unwrap_err().kind(), error::Kind::Format, "{text}");
    }
    let document = Yaml.index("a: x\nb: 1\n".to_owned()).unwrap();
    assert_eq!(Binary.emit_value(&document, 1, Indent::OfSops).unwrap(), b"x");
    assert!(Binary.emit_value(&document, 2, Indent::OfSops).is_err());
}

#[test]
fn the_one_value_can_be_set() {
    let document = Binary.index_plaintext(b"\xff".to_vec()).unwrap();
    let value = Json.index("{\"v\": \"new\\n\", \"w\": 1}".to_owned()).unwrap();
    let set = |path: &str, id| {
        let path = KeyPath::parse(path).unwrap();
        change::set(&Binary, &document, 0, path.steps(), Node { document: &value, id })
    };
    assert_eq!(set("data", 1).unwrap().into_bytes(), b"new\n");
    for (path, id) in [("data", 2), ("other", 1), ("data.x", 1)] {
        assert!(set(path, id).map(drop).unwrap_err().message().contains("[\"data\"]"), "{path}");
    }
    let path = KeyPath::parse("data").unwrap();
    assert!(change::unset(&Binary, &document, 0, path.steps()).is_err());
}
