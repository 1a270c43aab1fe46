//! What a change does to the text: tables of a document, a path, a value and the document then.

use crate::document::{KeyPath, Node};
use crate::error::Result;
use crate::format::{Format, change, json::Json, yaml::Yaml};

fn set(text: &str, path: &str, json: &str) -> Result<String> {
    let document = Yaml.index(text.to_owned())?;
    let value = Json.index(format!("{{\"value\": {json}}}")).unwrap();
    let path = KeyPath::parse(path).unwrap();
    change::set(&Yaml, &document, document.roots()[0], path.steps(), Node { document: &value, id: 1 })
        .map(|changed| changed.into_text())
}

fn unset(text: &str, path: &str) -> Result<String> {
    let document = Yaml.index(text.to_owned())?;
    let path = KeyPath::parse(path).unwrap();
    change::unset(&Yaml, &document, document.roots()[0], path.steps()).map(|changed| changed.into_text())
}

#[track_caller]
fn check_set(cases: &[(&str, &str, &str, &str)]) {
    let mut wrong = String::new();
    for &(text, path, value, expected) in cases {
        let found = set(text, path, value).unwrap_or_else(|error| format!("error: {error}"));
        if found != expected {
            wrong += &format!("--- set {path} {value}\n{text}\n--- expected\n{expected}\n--- found\n{found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[track_caller]
fn check_unset(cases: &[(&str, &str, &str)]) {
    let mut wrong = String::new();
    for &(text, path, expected) in cases {
        let found = unset(text, path).unwrap_or_else(|error| format!("error: {error}"));
        if found != expected {
            wrong += &format!("--- unset {path}\n{text}\n--- expected\n{expected}\n--- found\n{found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_scalar_takes_the_place_of_a_scalar() {
    check_set(&[
        ("a: 1\nb: 2\n", "b", "3", "a: 1\nb: 3\n"),
        ("a: 1 # one\nb: 2\n", "a", "\"x\"", "a: x # one\nb: 2\n"),
        ("a: 'x'\n", "a", "\"it's\"", "a: 'it''s'\n"),
        ("a: \"x\" # c\n", "a", "\"y\"", "a: \"y\" # c\n"),
        ("a: \"x\"\n", "a", "true", "a: true\n"),
        ("a: x\n", "a", "\"true\"", "a: \"true\"\n"),
        ("a:   x\n", "a", "null", "a:   null\n"),
        ("a:\nb: 1\n", "a", "1", "a: 1\nb: 1\n"),
        ("a: # why\nb: 1\n", "a", "1", "a: 1 # why\nb: 1\n"),
        ("a:\n  x\nb: 1\n", "a", "\"v\"", "a:\n  v\nb: 1\n"),
        ("a: one\n  two # c\nb: 1\n", "a", "5", "a: 5 # c\nb: 1\n"),
        ("l:\n- 1 # c\n-\n- 3\n", "l[0]", "\"x\"", "l:\n- x # c\n-\n- 3\n"),
        ("l:\n- 1\n-\n- 3\n", "l[1]", "\"x\"", "l:\n- 1\n- x\n- 3\n"),
        ("a:\n- - q\n  - -   #c\n    - b\n", "a[0][1]", "5", "a:\n- - q\n  - 5\n"),
        ("a:\n- - - q\n  - - -   #c\n    - b\n", "a[0][1][0]", "5", "a:\n- - - q\n  - - 5   #c\n    - b\n"),
        ("a: 1", "a", "1.50", "a: 1.5"),
        ("a: 1\r\nb: 2\r\n", "a", "\"p\\nq\"", "a: |-\r\n    p\r\n    q\r\nb: 2\r\n"),
        ("? a\n: 1\n", "a", "2", "? a\n: 2\n"),
        ("\"\\x61\": 1\n", "a", "2", "\"\\x61\": 2\n"),
    ]);
}

#[test]
fn texts_of_several_lines_stand_as_blocks() {
    check_set(&[
        ("a: x\nb: 1\n", "a", "\"p\\nq\\n\"", "a: |\n    p\n    q\nb: 1\n"),
        ("m:\n  a: x # c\n", "m.a", "\"p\\nq\"", "m:\n  a: |- # c\n    p\n    q\n"),
        ("l:\n  - x\n", "l[0]", "\"p\\nq\\n\\n\"", "l:\n  - \"p\\nq\\n\\n\"\n"),
        ("a: |\n  p\n  q\nb: 1\n", "a", "\"r\\ns\\n\"", "a: |\n  r\n  s\nb: 1\n"),
        ("a: |- # c\n   p\n\n   q\n\nb: 1\n", "a", "\"r\"", "a: r # c\n\nb: 1\n"),
        ("a: >\n  p\n  q\nb: 1\n", "a", "\"r\\ns\"", "a: |-\n  r\n  s\nb: 1\n"),
        ("a: |+\n  p\n\n\nb: 1\n", "a", "\"r\"", "a: r\nb: 1\n"),
        ("a: |\n\nb: 1\n", "a", "1", "a: 1\nb: 1\n"),
        ("a: |2\n   p\n", "a", "\"  r\\ns\"", "a: |2-\n    r\n  s\n"),
        ("b: x\n", "a", "\"p\\nq\\n\"", "b: x\na: |\n    p\n    q\n"),
        ("a: |\n  p", "a", "\"r\\ns\"", "a: |-\n  r\n  s"),
        ("a: |\n  p", "b", "1", "a: |-\n  p\nb: 1"),
    ]);
}

#[test]
fn containers_and_scalars_take_each_others_places() {
    check_set(&[
        (
            "a: 1 # c\nb: 2\n",
            "a",
            "{\"x\": 1, \"k\": [1, {}]}",
            "a: # c\n    x: 1\n    k:\n        - 1\n        - {}\nb: 2\n",
        ),
        ("m:\n  n: 1\na: 1\n", "a", "{\"x\": [1]}", "m:\n  n: 1\na:\n  x:\n    - 1\n"),
        ("l:\n- 1\na: 1\n", "a", "{\"x\": [1]}", "l:\n- 1\na:\n    x:\n    - 1\n"),
        ("a: # c\n  x: 1\n  # in\n  k: 2\nb: 2\n", "a", "5", "a: 5 # c\nb: 2\n"),
        ("a:\n  x: 1\n  # foot\n\nb: 2\n", "a", "\"z\"", "a: z\n\nb: 2\n"),
        ("a:\n  x: 1 # c\nb: 2\n", "a", "{\"k\": 2}", "a:\n  k: 2\nb: 2\n"),
        ("a:\n- 1\n- 2\nb: 2\n", "a", "[]", "a: []\nb: 2\n"),
        ("l:\n- x: 1\n  k: 2 # c\n- 3\n", "l[0]", "5", "l:\n- 5\n- 3\n"),
        ("l:\n- x: 1\n  k: 2\n- 3\n", "l[0]", "{\"z\": 1, \"w\": 2}", "l:\n- z: 1\n  w: 2\n- 3\n"),
        (
            "l:\n  - 1\n  - 3 # c\n",
            "l[0]",
            "{\"z\": 1, \"w\": [2, 3]}",
            "l:\n  - z: 1\n    w:\n      - 2\n      - 3\n  - 3 # c\n",
        ),
        ("l:\n  - 3 # c\n", "l[0]", "{\"z\": 1}", "l:\n  - # c\n    z: 1\n"),
        ("l:\n- - 1\n  - 2\n- 3\n", "l[0]", "[[4], 5]", "l:\n- - - 4\n  - 5\n- 3\n"),
        ("l:\n-   a: 1\n-   b: 1\n", "l[1]", "{\"z\": 1, \"w\": 2}", "l:\n-   a: 1\n-   z: 1\n    w: 2\n"),
        ("a: {x: 1} # c\n", "a", "{\"k\": 1}", "a: # c\n    k: 1\n"),
        ("a: |\n  p\n  q\nb: 1\n", "a", "[1]", "a:\n    - 1\nb: 1\n"),
        ("a: 1\n", "a.b[3].c", "2", "a:\n    b:\n        - c: 2\n"),
        ("a:\n  x: 1", "a", "2", "a: 2"),
    ]);
}

#[test]
fn new_keys_come_last_in_the_style_of_their_neighbours() {
    check_set(&[
        ("a: 1\n", "b", "2", "a: 1\nb: 2\n"),
        ("a: 1", "b", "2", "a: 1\nb: 2"),
        ("a: 1\n\n# end\n", "b", "2", "a: 1\n\n# end\nb: 2\n"),
        ("a:\n  x: 1 # c\n\nb: 2\n", "a.k", "\"v\"", "a:\n  x: 1 # c\n  k: v\n\nb: 2\n"),
        ("a:\n  x: 1\n  # foot\nb: 2\n", "a.k", "2", "a:\n  x: 1\n  # foot\n  k: 2\nb: 2\n"),
        (
            "a:\n   x:\n      z: 1\n# head\nb: 2\n",
            "a.k.w",
            "2",
            "a:\n   x:\n      z: 1\n   k:\n      w: 2\n# head\nb: 2\n",
        ),
        ("'a': 'x'\n", "b", "\"y\"", "'a': 'x'\n'b': 'y'\n"),
        ("\"a\": \"x\"\n\"c\": 1\n", "b", "{\"d\": \"y\"}", "\"a\": \"x\"\n\"c\": 1\n\"b\":\n    \"d\": \"y\"\n"),
        ("a: |+\n  p\n\nb: |\n  q\n\n", "c", "1", "a: |+\n  p\n\nb: |\n  q\nc: 1\n\n"),
        ("m:\n  a: |+\n    p\n\n", "m.c", "1", "m:\n  a: |+\n    p\n\n  c: 1\n"),
        ("l:\n- a: 1\n- b: 1\n", "l[0].c", "2", "l:\n- a: 1\n  c: 2\n- b: 1\n"),
        ("l:\n  - 1\n  # foot\nb: 2\n", "l[9]", "3", "l:\n  - 1\n  # foot\n  - 3\nb: 2\n"),
        ("l:\n-   1\n", "/l/-", "{\"a\": 1, \"b\": 2}", "l:\n-   1\n-   a: 1\n    b: 2\n"),
        ("a: {}\n", "a.b", "1", "a:\n    b: 1\n"),
        ("l: [] # c\n", "l[0]", "1", "l: # c\n    - 1\n"),
        ("l:\n- {}\n", "l[0].b", "1", "l:\n- b: 1\n"),
        ("{}\n", "a", "1", "a: 1\n"),
        ("--- {}\n", "a", "1", "---\na: 1\n"),
        ("---\n# c\n", "a", "1", "---\n# c\na: 1\n"),
        ("---\n# c", "a", "1", "---\n# c\na: 1"),
        ("---\n---\nb: 1\n", "a", "1", "---\na: 1\n---\nb: 1\n"),
        ("a: 1\n...\n---\nb: 1\n", "c", "1", "a: 1\nc: 1\n...\n---\nb: 1\n"),
        ("a: 1\n", "[\"odd: key\"]", "1", "a: 1\n'odd: key': 1\n"),
        ("a: 1\r\n", "b", "{\"x\": [1]}", "a: 1\r\nb:\r\n    x:\r\n        - 1\r\n"),
        ("a:\nb: 1\n", "a.x", "1", "a:\n    x: 1\nb: 1\n"),
    ]);
}

#[test]
fn brackets_stay_brackets() {
    check_set(&[
        ("a: {x: 1, k: 2} # c\n", "a.x", "\"p: q\"", "a: {x: 'p: q', k: 2} # c\n"),
        ("a: {x: 1, k: 2} # c\n", "a.z", "[1, {\"w\": null}]", "a: {x: 1, k: 2, z: [1, {w: null}]} # c\n"),
        ("a: {\"x\":\"1\",\"k\":2}\n", "a.z", "\"s\"", "a: {\"x\":\"1\",\"k\":2,\"z\":\"s\"}\n"),
        ("a: [1,2]\n", "a[5]", "3", "a: [1,2,3]\n"),
        ("a: [1, 2,]\n", "a[5]", "3", "a: [1, 2, 3,]\n"),
        ("a: [\n  1,\n  2\n]\n", "a[5]", "3", "a: [\n  1,\n  2,\n  3\n]\n"),
        ("a: [\n  1, # one\n  2 # two\n]\n", "a[5]", "3", "a: [\n  1, # one\n  2, # two\n  3\n]\n"),
        ("a: [\n  1,\n  2, # two\n]\n", "a[5]", "3", "a: [\n  1,\n  2, # two\n  3,\n]\n"),
        ("a: {x: , k: 2}\n", "a.x", "1", "a: {x: 1 , k: 2}\n"),
        ("a: {x, k: 2}\n", "a.x", "1", "a: {x: 1, k: 2}\n"),
        ("a: {b: {}}\n", "a.b.c", "1", "a: {b: {c: 1}}\n"),
        ("{a: 1}\n", "b", "2", "{a: 1, b: 2}\n"),
        ("a: [x, 'y']\n", "a[1]", "\"z\"", "a: [x, 'z']\n"),
        ("a: [x, \"y\"]\n", "a[2]", "\"z\"", "a: [x, \"y\", \"z\"]\n"),
        ("a: [x, y]\n", "a[0]", "{\"b\": \"c\\nd\"}", "a: [{b: \"c\\nd\"}, y]\n"),
        ("a: {\n  # c\n}\n", "a.b", "1", "a: {b: 1\n  # c\n}\n"),
    ]);
    check_unset(&[
        ("a: {x: 1, k: 2, z: 3} # c\n", "a.x", "a: {k: 2, z: 3} # c\n"),
        ("a: {x: 1, k: 2, z: 3}\n", "a.k", "a: {x: 1, z: 3}\n"),
        ("a: {x: 1, k: 2, z: 3}\n", "a.z", "a: {x: 1, k: 2}\n"),
        ("a: {x: 1}\n", "a.x", "a: {}\n"),
        ("a: [\n  1,\n  2\n]\n", "a[0]", "a: [\n  2\n]\n"),
        ("a: [\n  1,\n  2\n]\n", "a[1]", "a: [\n  1\n]\n"),
        ("a: [\n  1, # one\n  2, # two\n  3 # three\n]\n", "a[1]", "a: [\n  1, # one\n  # two\n  3 # three\n]\n"),
        ("a: [1, 2,]\n", "a[1]", "a: [1,]\n"),
    ]);
}

#[test]
fn lines_go_and_comments_of_others_stay() {
    check_unset(&[
        ("a: 1\nb: 2\nc: 3\n", "b", "a: 1\nc: 3\n"),
        ("a: 1\nb: 2", "b", "a: 1"),
        ("a: 1\nb: 2", "a", "b: 2"),
        ("a: 1\n\n# about b\nb: 2 # two\n\nc: 3\n", "b", "a: 1\n\n# about b\n# two\n\nc: 3\n"),
        ("a:\n  x: 1\n  # foot\n# head\nb: 2\n", "a", "# head\nb: 2\n"),
        ("a: # c\n  x: 1\nb: 2\n", "a", "# c\nb: 2\n"),
        ("a: |\n  p\n\n  q\nb: 2\n", "a", "b: 2\n"),
        ("a: |+\n  p\n\n\nb: 2\n", "a", "b: 2\n"),
        ("a:\n  x: 1\nb: 2\n", "a.x", "a: {}\nb: 2\n"),
        ("a: # c\n  # in\n  x: 1\nb: 2\n", "a.x", "a: {} # c\n  # in\nb: 2\n"),
        ("l:\n- 1\nb: 2\n", "l[0]", "l: []\nb: 2\n"),
        ("l:\n- - 1\n- 2\n", "l[0][0]", "l:\n- []\n- 2\n"),
        ("l:\n- x: 1\n- 2\n", "l[0].x", "l:\n- {}\n- 2\n"),
        ("l:\n- x: 1\n  k: 2\n- 3\n", "l[0].x", "l:\n- k: 2\n- 3\n"),
        ("l:\n- x: 1 # c\n  k: 2\n- 3\n", "l[0].x", "l:\n- # c\n  k: 2\n- 3\n"),
        ("l:\n- - 1\n  - 2\n", "l[0][0]", "l:\n- - 2\n"),
        ("l:\n- 1\n# c\n- 2\n- 3\n", "l[1]", "l:\n- 1\n# c\n- 3\n"),
        ("l:\n  - 1\n  -\n  - 3\n", "l[1]", "l:\n  - 1\n  - 3\n"),
        ("? a\n: 1\n? b\n: 2\n", "b", "? a\n: 1\n"),
        ("? a\n: 1\n? b\n: 2\n", "a", "? b\n: 2\n"),
        ("&x a: 1\nb: 2\n", "a", "b: 2\n"),
        ("a: 1\n", "a", "{}\n"),
        ("# c\na: 1\n", "a", "# c\n{}\n"),
        ("a: 1\nb:\n", "b", "a: 1\n"),
        ("a:\nb: 1\n", "a", "b: 1\n"),
        ("\u{feff}a: 1\nb: 2\n", "a", "\u{feff}b: 2\n"),
        ("a: 1\r\nb: 2\r\nc: 3\r\n", "b", "a: 1\r\nc: 3\r\n"),
    ]);
}

#[test]
fn tags_that_do_not_fit_go_and_anchors_stay() {
    check_set(&[
        ("a: !!str 5\n", "a", "6", "a: 6\n"),
        ("a: !!str 5\n", "a", "\"x\"", "a: !!str x\n"),
        ("a: !!int \"5\"\n", "a", "\"x\"", "a: x\n"),
        ("a: &n !!int 5\n", "a", "\"x\"", "a: &n x\n"),
        ("a: !vault |\n  x\nb: 1\n", "a", "\"v\"", "a: !vault v\nb: 1\n"),
        ("a: !vault |\n  x\nb: 1\n", "a", "{\"k\": 1}", "a:\n    k: 1\nb: 1\n"),
        ("a: &x\n  b: 1\n", "a", "2", "a: &x 2\n"),
        ("l:\n- &x 1\n- 2\n", "l[0]", "{\"a\": 1}", "l:\n- &x\n  a: 1\n- 2\n"),
        ("a: !!map\n  b: 1\n", "a", "[1]", "a:\n  - 1\n"),
    ]);
}

#[test]
fn aliases_carry_no_change_to_other_places() {
    let text = "base: &b\n  x: 1\n  k: &y 2\nuse: *b\nmerged:\n  <<: *b\n  own: 1\nkey: &k name\n*k : 1\nlast: *y\n";
    for path in ["base.x", "base.k", "base", "use.x", "merged[\"<<\"].x", "key", "base.new", "use.new"] {
        let error = set(text, path, "3").unwrap_err();
        assert!(error.to_string().contains("alias"), "{path}: {error}");
    }
    for path in ["base.x", "base.k", "base", "use.x", "key"] {
        let error = unset(text, path).unwrap_err();
        assert!(error.to_string().contains("alias"), "{path}: {error}");
    }
    check_set(&[
        (text, "use", "3", &text.replace("use: *b", "use: 3")),
        (text, "last", "{\"a\": 1}", &text.replace("last: *y", "last:\n  a: 1")),
        (text, "merged.x", "5", &text.replace("own: 1\n", "own: 1\n  x: 5\n")),
    ]);
    check_unset(&[
        (text, "use", &text.replace("use: *b\n", "")),
        (text, "merged[\"<<\"]", &text.replace("  <<: *b\n", "")),
        (text, "last", &text.replace("last: *y\n", "")),
        ("a: &x 1\nb: 2\n", "a", "b: 2\n"),
    ]);
    // An anchor of a key, which the index does not take for a value.
    assert!(unset("&k a: 1\nb: *k\n", "a").is_err());
}

#[test]
fn what_cannot_be_is_refused() {
    for (text, path, why) in [
        ("a: 1\n", "", "empty"),
        ("a: {b: 1}\n", "a[0]", "is a map"),
        ("a: [1]\n", "a.b", "is a list"),
        ("a: [1]\n", "/a/x", "is a list"),
    ] {
        let error = set(text, path, "1").unwrap_err();
        assert!(error.message().contains(why), "{error}");
    }
    for (text, path, why) in [
        ("a: 1\n", "b", "no key"),
        ("a: [1]\n", "a[1]", "one item"),
        ("a: 1\n", "a.b", "single value"),
        ("a: 1\n", "", "empty"),
    ] {
        let error = unset(text, path).unwrap_err();
        assert!(error.message().contains(why), "{error}");
    }
}

#[test]
fn odd_layouts() {
    check_set(&[
        (
            "a:\n -\n    - k\n    - !!str 12\n\n -\n",
            "a[0][1]",
            "\"p\\nq\\n\"",
            "a:\n -\n    - k\n    - !!str |\n      p\n      q\n\n -\n",
        ),
        ("a: 1\n...\n# c\n", "b", "2", "a: 1\nb: 2\n...\n# c\n"),
        ("l:\n  -  k\n  - >+\n", "l[0]", "[1, 2]", "l:\n  -  -  1\n     -  2\n  - >+\n"),
        ("a: 1\n? k\n: {a: 1}\t\nb: 2\n", "k", "{\"x\": 1}", "a: 1\n? k\n:\n    x: 1\nb: 2\n"),
        ("l:\n- # c\n\n  k: 1\n", "l[0]", "\"p\\nq\"", "l:\n- |- # c\n  p\n  q\n"),
    ]);
    check_unset(&[("l:\n- >+\n- k\n\nb: 1\n", "l[1]", "l:\n- >+\nb: 1\n")]);
}

#[test]
fn comments_do_not_become_lines_of_a_text() {
    check_unset(&[
        ("a: >-\nb: 1\n # c\n", "b", "a: >-\n# c\n"),
        ("a: |\n  x\nb: 1\n\n    # c\nd: 1\n", "b", "a: |\n  x\n# c\nd: 1\n"),
    ]);
    check_set(&[
        ("l:\n- 1\n   # c\nb: 1\n", "l[1]", "\"p\\nq\"", "l:\n- 1\n- \"p\\nq\"\n   # c\nb: 1\n"),
        ("a: 1\n  # c\nb: 1\n", "a", "\"p\\nq\"", "a: \"p\\nq\"\n  # c\nb: 1\n"),
        ("a:\n# c\n- !!str\n", "a", "\"p\\nq\"", "a: \"p\\nq\"\n# c\n"),
        ("{} # c\n", "a", "1", "# c\na: 1\n"),
    ]);
}

#[test]
fn comments_in_an_only_value_go_with_it() {
    check_unset(&[
        (
            "db:\n  creds:\n    user: a\n    # old password: hunter2\n    pw: b\napp: 1\n",
            "db.creds",
            "db: {}\napp: 1\n",
        ),
        ("p:\n- h: 1\n  # between\n  z: 3\nq: 1\n", "p[0]", "p: []\nq: 1\n"),
        ("p:\n  - h: 1 # in\n    z: 3 # in\nq: 1\n", "p[0]", "p: []\nq: 1\n"),
        (
            "a:\n  # about b\n  b:\n    x: 1\n    # foot of x\n# about c\nc: 1\n",
            "a.b",
            "a: {}\n  # about b\n# about c\nc: 1\n",
        ),
        ("a:\n  b: {x: 1, # in\n    y: 2}\nc: 1\n", "a.b", "a: {}\nc: 1\n"),
        ("a: {b: {x: 1, # in\n    y: 2}}\nc: 1\n", "a.b", "a: {}\nc: 1\n"),
        ("a: [ # of a\n  {x: 1, # in\n    y: 2}\n]\nc: 1\n", "a[0]", "a: [ # of a\n]\nc: 1\n"),
        ("a:\n  b: # behind\n    # in\n    x: 1\n", "a.b", "a: {}\n  # behind\n"),
        ("l:\n- - x: 1\n    # in\n    y: 2\n- 2\n", "l[0][0]", "l:\n- []\n- 2\n"),
        ("a:\n  x: 1\n  # in\n  y:\n    # in\n    z: 2\n", "a", "{}\n"),
        ("# top\na:\n  x: 1\n  # in\n  y: 2\n# end\n", "a", "# top\n{}\n# end\n"),
        ("a:\n  b:\n    - 1\n    # in\n    - 2", "a.b", "a: {}"),
    ]);
}

#[test]
fn pairs_in_a_list_have_no_braces_until_they_need_them() {
    let text = "r:\n- a: [x, pkg: nginx, ? k : v, ? z]\nb: 1\n";
    let with = |list: &str| format!("r:\n- a: [{list}]\nb: 1\n");
    check_set(&[
        (text, "b", "5", &text.replace("b: 1", "b: 5")),
        (text, "r[0].a[1].pkg", "[1]", &with("x, pkg: [1], ? k : v, ? z")),
        (text, "r[0].a[1].new", "1", &with("x, {pkg: nginx, new: 1}, ? k : v, ? z")),
        (text, "r[0].a[2].k", "1", &with("x, pkg: nginx, ? k : 1, ? z")),
        (text, "r[0].a[2].new", "1", &with("x, pkg: nginx, {? k : v, new: 1}, ? z")),
        (text, "r[0].a[2]", "1", &with("x, pkg: nginx, 1, ? z")),
        (text, "r[0].a[3].z", "1", &with("x, pkg: nginx, ? k : v, ? z: 1")),
        (text, "r[0].a[9]", "1", &with("x, pkg: nginx, ? k : v, ? z, 1")),
        ("a: [x: ]\n", "a[0].b", "1", "a: [{x: , b: 1} ]\n"),
        ("a: {x: }\n", "a.b", "1", "a: {x: , b: 1 }\n"),
        ("a: {x:}\n", "a.b", "1", "a: {x:, b: 1}\n"),
    ]);
    check_unset(&[
        (text, "b", &text.replace("b: 1\n", "")),
        (text, "r[0].a[1].pkg", &with("x, {}, ? k : v, ? z")),
        (text, "r[0].a[2].k", &with("x, pkg: nginx, {}, ? z")),
        (text, "r[0].a[3].z", &with("x, pkg: nginx, ? k : v, {}")),
        (text, "r[0].a[0]", &with("pkg: nginx, ? k : v, ? z")),
        (text, "r[0].a[1]", &with("x, ? k : v, ? z")),
        (text, "r[0].a[2]", &with("x, pkg: nginx, ? z")),
        (text, "r[0].a[3]", &with("x, pkg: nginx, ? k : v")),
        ("a: [pkg: # c\n  nginx]\n", "a[0].pkg", "a: [{} # c\n]\n"),
    ]);
}

#[test]
fn keys_without_a_value_get_a_colon() {
    check_set(&[
        ("? a\n? c\n", "c", "5", "? a\n? c\n: 5\n"),
        ("? a\n? c\n", "a", "5", "? a\n: 5\n? c\n"),
        ("? a\n? c", "c", "{\"x\": 1}", "? a\n? c\n:\n    x: 1"),
        ("m:\n  ? a # c\n  # d\n  ? c\n", "m.a", "\"p\\nq\"", "m:\n  ? a # c\n  : |-\n    p\n    q\n  # d\n  ? c\n"),
        ("l:\n- ? a\n- ? c\n  ? d\n", "l[1].c", "5", "l:\n- ? a\n- ? c\n  : 5\n  ? d\n"),
        ("? a\n? c\n", "d", "5", "? a\n? c\nd: 5\n"),
    ]);
    check_unset(&[("? a\n? c\n", "a", "? c\n"), ("? a\n? c\n", "c", "? a\n")]);
}
