use super::write::{key_spelling, spelling};
use super::*;
use crate::document::{Flags, Indent, KeyPath, Kind, Node, Splicer, Style};
use crate::error::Kind as ErrorKind;
use crate::format::{change, json::Json, yaml::Yaml};
use proptest::prelude::*;

fn index(text: &str) -> Document {
    Ini.index(text.to_owned()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn bytes(document: &Document, id: EntryId) -> String {
    String::from_utf8_lossy(document.scalar(id).bytes).into_owned()
}

/// Sections, keys and values of sops' tree: `section.key=value`.
fn values(text: &str) -> Vec<String> {
    let document = index(text);
    let in_section = |section: EntryId| {
        let line = |key: EntryId| format!("{}.{}={}", document.key(section), document.key(key), bytes(&document, key));
        document.children(section).map(line).collect::<Vec<_>>()
    };
    document.children(0).flat_map(in_section).collect()
}

/// The comments of sops' tree: `section/before=text`.
fn comments(text: &str) -> Vec<String> {
    let document = index(text);
    let shown = |place: &crate::document::CommentPlace| {
        let before = if place.before == u32::MAX { "" } else { document.key(place.before as usize) };
        let text = bytes(&document, place.comment as usize);
        format!("{}/{before}={text}", document.key(place.container as usize))
    };
    document.comment_places().iter().map(shown).collect()
}

#[test]
fn keys_and_values_are_read_as_sops_does() {
    for (line, key, value) in [
        ("k=v", "k", "v"),
        ("  k  :  v  ", "k", "v"),
        ("k = a=b:c", "k", "a=b:c"),
        ("k", "", ""),
        ("two words = v", "two words", "v"),
        ("\"a=b\" = v", "a=b", "v"),
        ("`a:b`=v", "a:b", "v"),
        ("\"\"\"a\"b\"\"\" = v", "a\"b", "v"),
        ("k =", "k", ""),
        ("k = ; c", "k", ""),
        ("k = \"v\"", "k", "v"),
        ("k = 'v'", "k", "v"),
        ("k = 'it's'", "k", "'it's'"),
        ("k = \"\"", "k", ""),
        ("k = \"", "k", "\""),
        ("k = \"q # z\"", "k", "\"q"),
        ("k = `a # b` c", "k", "a # b"),
        ("k = `a` b`", "k", "a` b"),
        ("k = \"\"\"a \"b\"\"\"\"", "k", "a \"b\""),
        ("k = \"\"\"a\nb\n c \"\"\" x", "k", "a\nb\n c "),
        ("k = `a\nb` ; c", "k", "a\nb"),
        ("k = a \\\n  b \\\n c", "k", "a b c"),
        ("k = a \\\n\n", "k", "a "),
        ("k = \u{a0}v\u{85}", "k", "v"),
        ("x[y] = v", "x[y]", "v"),
        ("- = v", "#1", "v"),
    ] {
        if key.is_empty() {
            assert!(Ini.index(line.to_owned()).is_err());
        } else {
            assert_eq!(values(line), [format!("DEFAULT.{key}={value}")], "{line}");
        }
    }
}

#[test]
fn sections_are_read_as_sops_does() {
    let text = "\u{feff}a=1\n[s]\r\nb=2\n[ s ]\nc=3\n[s]\nb=4\n[DEFAULT]\nd=5\n[x]y] ; z\n-=6\n-=7\n";
    assert_eq!(values(text), ["DEFAULT.a=1", "s.b=2", " s .c=3", "s.b=4", "DEFAULT.d=5", "x]y.#1=6", "x]y.#2=7"]);
    assert_eq!(values("k=1\nK=2\nl=3\nk=4\n[s]\nk=5\nk=\n"), ["DEFAULT.k=4", "DEFAULT.K=2", "DEFAULT.l=3", "s.k="]);
    let document = index("k=1\nl=3\nk=4\n");
    assert_eq!(document.shadows().collect::<Vec<_>>(), [(4, 2)]);
    assert!(document.entry(4).is(Flags::SHADOWED));
    // The section of the keys before the first header is always there.
    assert_eq!(index("").children(0).count(), 1);
}

#[test]
fn comments_are_where_sops_has_them() {
    let text = "; a\n\n  # b\nk=1 ;c\nl=2\n#d\n[s] # e\nm=3\n; f\nm=4\n; end\n";
    assert_eq!(comments(text), ["DEFAULT/l=a\n# b\n;c", "s/m=d\n# e", "s/=f"]);
    assert_eq!(comments("k = \"\"\"a\nb\"\"\" ; c"), ["DEFAULT/=c"]);
    assert_eq!(comments("k = `a` ; c"), [""; 0], "sops does not see it");
    assert_eq!(comments("# a\n[sops]\nx=1\n"), [""; 0], "it was at the end");
    // What sops cannot print itself it gets without the empty lines.
    assert_eq!(comments("#\n# a\nk=1"), ["DEFAULT/=# a"]);
}

#[test]
fn what_is_no_ini_is_an_error_with_its_place_and_a_hint() {
    for (text, place) in [
        ("a=1\nb\n", (2, 1)),
        (" = 1\n", (1, 2)),
        ("a=1\n[]\n", (2, 1)),
        ("[s\n", (1, 1)),
        ("\"k = 1\n", (1, 1)),
        ("k = `a\nb\n", (1, 1)),
        ("k = \"\"\"a\n", (1, 1)),
    ] {
        let error = Ini.index(text.to_owned()).map(drop).unwrap_err();
        assert_eq!(error.place().line_column, Some(place), "{text}: {error}");
        assert!(!error.hints().is_empty(), "{text}: {error}");
    }
}

#[test]
fn tokens_stand_in_the_quotes_of_the_values() {
    for (line, sealed) in [
        ("k = v ; c", "k = T ; C"),
        ("k = \"v\"", "k = \"T\""),
        ("k = 'v' # c", "k = 'T' # C"),
        ("k = `v` ; is not seen", "k = `T`"),
        ("k = \"\"\"a\nb\"\"\" trash", "k = \"\"\"T\"\"\""),
        ("k = \"\"\"a\nb\"\"\" ; c", "k = T ; C"),
        ("k = a \\\n b", "k = T"),
        ("## a\n; b\nk = v", "## C\nk = T"),
        ("; a\n[s] ; b", "; C\n[s] ;"),
    ] {
        let document = index(line);
        let mut splicer = Splicer::new(line, 0);
        for id in (1..document.len()).filter(|&id| !document.entry(id).kind().is_container()) {
            let token = if document.entry(id).kind() == Kind::Comment { "C" } else { "T" };
            Ini.write_token(&document, id, token, splicer.replace(document.entry(id).span()));
        }
        assert_eq!(String::from_utf8(splicer.finish()).unwrap(), sealed);
        assert_eq!(index(sealed).len(), document.len());
    }
}

#[test]
fn spellings_are_those_of_sops_where_they_read_as_the_value() {
    for (value, spelled) in [
        ("v", "v"),
        ("", ""),
        ("a#b", "`a#b`"),
        ("a`b", "\"\"\"a`b\"\"\""),
        ("a\nb", "\"\"\"a\nb\"\"\""),
        (" v ", "\" v \""),
        ("it's", "it's"),
        ("a\\", "\"\"\"a\\\"\"\""),
        ("\"v\"", "\"\"\"\"v\"\"\"\""),
        ("a\n\"\"\"\nb", "`a\n\"\"\"\nb`"),
    ] {
        assert_eq!(spelling(value, Style::Plain).as_deref(), Some(spelled));
    }
    assert_eq!(spelling("a\n\"\"\"\n`\nb", Style::Plain), None);
    assert_eq!(spelling("it's", Style::SingleQuoted).as_deref(), Some("it's"));
    assert_eq!(spelling("a b", Style::SingleQuoted).as_deref(), Some("'a b'"));
    for (key, spelled) in [
        ("k", Some("k")),
        ("a=b", Some("`a=b`")),
        ("a`b", Some("\"\"\"a`b\"\"\"")),
        ("#a", Some("`#a`")),
        ("-", None),
        ("", None),
    ] {
        assert_eq!(key_spelling(key).as_deref(), spelled);
    }
}

fn printed(document: &Document) -> String {
    String::from_utf8(Ini.emit(document, Indent::OfSops).unwrap()).unwrap()
}

#[test]
fn other_formats_are_printed_as_sops_does() {
    let text = "# top\na:\n  # of b\n  b: 1\n  long key: [\nc: d";
    assert!(Yaml.index(text.to_owned()).is_err());
    let text = "a:\n  b: 1\n  long: 1.0\n  'x=y': ' z '\nDEFAULT:\n  t: true\n";
    let document = Yaml.index(text.to_owned()).unwrap();
    assert_eq!(printed(&document), "[a]\nb     = 1\nlong  = 1.0\n`x=y` = \" z \"\n\n[DEFAULT]\nt = true\n");
    let json = Json.index(r#"{"DEFAULT": {}, "s": {"k": "v"}}"#.to_owned()).unwrap();
    assert_eq!(printed(&json), "[s]\nk = v\n");
    let section = json.find(0, KeyPath::parse("s").unwrap().steps()).unwrap();
    assert_eq!(Ini.emit_value(&json, section, Indent::OfSops).unwrap(), b"k = v\n");
    let commented = Yaml.index("# top\na:\n  # of b\n  b: 1\n  # end\n".to_owned()).unwrap();
    let lines = printed(&commented);
    assert!(["; top\n", "; of b\n", "; end\n"].iter().all(|comment| lines.contains(comment)), "{lines}");
}

#[test]
fn what_has_no_form_is_refused_with_its_path_and_a_hint() {
    for (text, path, reason) in [
        ("a: 1", "a", "sections alone"),
        ("a: {b: [1]}", "a.b", "list"),
        ("a: {b: {c: 1}}", "a.b", "nested"),
        ("a: {b: ~}", "a.b", "null"),
        ("a: {'-': 1}", "a.-", "single -"),
        ("'': {b: 1}", "[\"\"]", "something in it"),
        ("a: {b: \"x\\n\\\"\\\"\\\"`\\ny\"}", "a.b", "all quotes"),
        ("a: {b: 1}\n---\nc: {d: 2}\n", "", "holds one document"),
    ] {
        let document = Yaml.index(text.to_owned()).unwrap();
        let error = Ini.emit(&document, Indent::OfSops).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{text}");
        assert_eq!(error.place().key_path.as_deref().unwrap_or_default(), path, "{text}");
        assert!(error.notes().iter().any(|note| note.contains(reason)), "{text}: {:?}", error.notes());
        assert!(!error.hints().is_empty());
    }
}

#[test]
fn metadata_goes_behind_the_text_and_leaves_no_trace() {
    let block = Value::Map(vec![
        ("version".to_owned(), Value::Str("3.11.0".to_owned())),
        ("unencrypted_regex".to_owned(), Value::Str("a;b".to_owned())),
        ("age".to_owned(), Value::List(vec![Value::Map(vec![("enc".to_owned(), Value::Str("a\nb".to_owned()))])])),
    ]);
    for text in [
        "",
        "\u{feff}",
        "\n",
        "a=1",
        "a=1\n",
        "a=1\n\n",
        "a=1\r\n",
        "a=1\r\n\r\n",
        "a=1\nb=2\r\n",
        "; c",
        "[s]",
        "[s]\n\n\n",
        "a = \"\"\"x\ny\"\"\"\r\n",
        "  ",
    ] {
        let (at, inserted) = Ini.metadata_insertions(&index(text), &block).remove(0);
        let sealed = format!("{}{inserted}{}", &text[..at], &text[at..]);
        let document = index(&sealed);
        let read = Ini.metadata(&document).unwrap();
        assert_eq!(read.get("age"), block.get("age"), "{sealed}");
        assert_eq!(read.get("unencrypted_regex"), block.get("unencrypted_regex"), "{sealed}");
        let mut splicer = Splicer::new(&sealed, 0);
        Ini.metadata_spans(&document).into_iter().for_each(|span| _ = splicer.replace(span));
        assert_eq!(splicer.finish(), text.as_bytes(), "{sealed:?}");
    }
    let moved = "[a]\nb=1\n\n[sops]\nmac=2\n\n[c]\nd=3\n";
    assert_eq!(Ini.metadata_spans(&index(moved)), vec![8..22]);
    assert!(Ini.metadata(&index("[SOPS]\na=1\n")).is_none());
}

fn set(text: &str, path: &str, json: &str) -> Result<String> {
    let value = Json.index(format!("{{\"v\": {json}}}")).unwrap();
    let node = Node { document: &value, id: 1 };
    let document = index(text);
    change::set(&Ini, &document, 0, KeyPath::parse(path).unwrap().steps(), node).map(Document::into_text)
}

fn unset(text: &str, path: &str) -> Result<String> {
    change::unset(&Ini, &index(text), 0, KeyPath::parse(path).unwrap().steps()).map(Document::into_text)
}

#[test]
fn values_are_set_in_their_place() {
    for (before, path, json, after) in [
        ("a=1 ; c\n", "DEFAULT.a", "2", "a=2 ; c\n"),
        ("[s]\na = \"x\"\n", "s.a", "\"y z\"", "[s]\na = \"y z\"\n"),
        ("[s]\na = \"x\"\n", "s.a", "\"say \\\"hi\\\"\"", "[s]\na = say \"hi\"\n"),
        ("[s]\na = `x`\n", "s.a", "\"a;b\"", "[s]\na = `a;b`\n"),
        ("[s]\na =\n", "s.a", "true", "[s]\na = true\n"),
        ("[s]\na=\n", "s.a", "true", "[s]\na=true\n"),
        ("[s]\na = ; c\n", "s.a", "1", "[s]\na = 1 ; c\n"),
        ("a=1\na=2\nb=3\n", "DEFAULT.a", "4", "a=1\na=4\nb=3\n"),
        ("a = x \\\n  y\nb=1\n", "DEFAULT.a", "\"l1\\nl2\"", "a = \"\"\"l1\nl2\"\"\"\nb=1\n"),
        ("[s]\na=1\n; c\nb=2\n\n[t]\n", "s", "{\"x\": 1, \"y\": \"z\"}", "[s]\nx=1\ny=z\n\n[t]\n"),
    ] {
        assert_eq!(set(before, path, json).unwrap(), after);
    }
}

#[test]
fn keys_and_sections_are_added_in_the_style_of_their_neighbours() {
    for (before, path, json, after) in [
        ("[s]\na=1\n\n[t]\nb=2\n", "s.c", "3", "[s]\na=1\nc=3\n\n[t]\nb=2\n"),
        ("[s]\n  a : \"1\"\n", "s.c", "3", "[s]\n  a : \"1\"\n  c : \"3\"\n"),
        ("[s]\na    = 1\nlong = 2\n", "s.b", "3", "[s]\na    = 1\nlong = 2\nb    = 3\n"),
        ("[s]\na    = 1\nlong = 2\n", "s.longest", "3", "[s]\na    = 1\nlong = 2\nlongest = 3\n"),
        ("[s]\na=1", "s.b", "2", "[s]\na=1\nb=2"),
        ("[s]\n\n[t]\nx: 1\n", "s.b", "2", "[s]\nb: 2\n\n[t]\nx: 1\n"),
        ("; c\n[s]\na=1\n", "DEFAULT.b", "2", "b=2\n\n; c\n[s]\na=1\n"),
        ("\u{feff}[s]\na=1\n", "DEFAULT.b", "2", "\u{feff}b=2\n\n[s]\na=1\n"),
        ("a=1\n[s]\n", "DEFAULT.b", "2", "a=1\nb=2\n[s]\n"),
        ("", "DEFAULT.b", "2", "b = 2\n"),
        ("[s]\na = `x\ny` ; c\n", "s.b", "2", "[s]\na = `x\ny` ; c\nb = 2\n"),
        ("[s]\r\na=1\r\n", "s.b", "2", "[s]\r\na=1\r\nb=2\r\n"),
        ("[s]\na=1\n", "t.b", "2", "[s]\na=1\n\n[t]\nb=2\n"),
        ("[s]\na=1\n\n", "t", "{\"b\": 2, \"c\": 3}", "[s]\na=1\n\n[t]\nb=2\nc=3\n"),
        ("[s]\na=1", "t.b", "2", "[s]\na=1\n\n[t]\nb=2"),
        ("", "t.b", "2", "[t]\nb = 2\n"),
        ("[s]\na=1\n; end\n", "t", "{}", "[s]\na=1\n; end\n\n[t]\n"),
    ] {
        assert_eq!(set(before, path, json).unwrap(), after, "{before:?} {path}");
    }
    for (path, json, reason) in [
        ("x", "1", "sections alone"),
        ("s", "1", "sections alone"),
        ("s.a", "{\"b\": 1}", "one text"),
        ("s.a", "[1]", "one text"),
        ("s.a.b", "1", "one text"),
        ("s.x", "null", "null"),
        ("s[\"-\"]", "1", "single -"),
        ("[\"\"].a", "1", "something in it"),
    ] {
        let error = set("[s]\na=1\n", path, json).unwrap_err();
        assert!(error.notes().iter().any(|note| note.contains(reason)), "{path} {json}: {error}");
    }
}

#[test]
fn keys_and_sections_are_taken_out_with_their_lines() {
    for (before, path, after) in [
        ("[s]\na=1 ; c\nb=2\n", "s.a", "[s]\nb=2\n"),
        ("[s]\na=1\n; c\nb=2", "s.b", "[s]\na=1\n; c"),
        ("a=1\nb=2\na=3\n", "DEFAULT.a", "b=2\n"),
        ("a = `x\ny` ; c\nb=2\n", "DEFAULT.a", "b=2\n"),
        ("a=1\n\n; of s\n[s]\nb=2\n; in s\nc=3\n\n; of t\n[t]\n", "s", "a=1\n\n; of t\n[t]\n"),
        ("a=1\n\n[s]\nb=2\n", "s", "a=1\n"),
        ("a=1\n\n[s]\nb=2", "s", "a=1"),
        ("[s]\n[t]\n", "s", "[t]\n"),
    ] {
        assert_eq!(unset(before, path).unwrap(), after, "{before:?} {path}");
    }
    assert!(unset("a=1\n", "DEFAULT").unwrap_err().message().contains("cannot be removed"));
    assert_eq!(unset("[s]\n", "s.a").unwrap_err().kind(), ErrorKind::NoSuchPath);
}

proptest! {
    #[test]
    fn every_value_that_is_written_reads_as_itself(value in "[a \"'`#;\\\\\n\t=é]{0,8}", quotes in 0..5usize) {
        let style = [Style::Plain, Style::SingleQuoted, Style::DoubleQuoted, Style::TripleQuoted, Style::BackQuoted][quotes];
        if let Some(spelled) = spelling(&value, style) {
            let text = format!("k = {spelled}\nl = 1\n");
            prop_assert_eq!(values(&text), [format!("DEFAULT.k={value}"), "DEFAULT.l=1".to_owned()]);
        }
    }

    #[test]
    fn every_key_that_is_written_reads_as_itself(key in "[a \"'`#;=:\\[\\]\\\\-]{0,6}") {
        if let Some(spelled) = key_spelling(&key) {
            prop_assert_eq!(values(&format!("{spelled} = v")), [format!("DEFAULT.{key}=v")]);
        }
    }

    #[test]
    fn any_text_is_an_error_or_an_index_in_order(text in "([\\[\\]#;=:\"'`\\\\ \t\r\u{feff}akék]{0,6}\n?){0,8}") {
        let Ok(document) = Ini.index(text) else {
            return Ok(());
        };
        let spans = (1..document.len()).map(|id| document.entry(id)).filter(|entry| !entry.kind().is_container());
        let mut at = 0;
        for entry in spans {
            prop_assert!(entry.span().start >= at && document.text().get(entry.span()).is_some());
            at = entry.span().end;
        }
    }
}
