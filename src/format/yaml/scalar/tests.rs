//! What sops 3.11 printed, and that all of it reads back.

use super::*;
use crate::document::float;
use crate::format::yaml::resolve::resolve_tagged;
use granit_parser::{Event, Parser, ScalarStyle};
use proptest::prelude::*;

/// Whether `text` can stand as a plain scalar on one line and is then a string.
fn plain_allowed(text: &str, in_flow: bool) -> bool {
    matches!(resolve_plain(text), Ok(Resolved { kind: Kind::Str, .. })) && stands_plain(text, in_flow)
}

const IN_MAP: Context = Context { indent: 8, base: 4, in_flow: false, is_key: false, newline: "\n" };
const IN_LIST: Context = Context { indent: 6, ..IN_MAP };
const IN_FLOW: Context = Context { in_flow: true, ..IN_MAP };
const AS_KEY: Context = Context { is_key: true, ..IN_MAP };

fn print(kind: Kind, bytes: &[u8], context: Context) -> String {
    let mut out = Vec::new();
    write_canonical(Scalar { kind, bytes }, context, &mut out);
    String::from_utf8(out).unwrap()
}

/// A value of a map at column 4, as sops 3.11 printed it.
#[test]
fn strings_are_printed_as_by_sops() {
    let table = [
        ("", "\"\""),
        ("~", "\"~\""),
        ("true", "\"true\""),
        ("yes", "\"yes\""),
        ("No", "\"No\""),
        ("y", "\"y\""),
        ("on", "\"on\""),
        ("1", "\"1\""),
        ("0x1f", "\"0x1f\""),
        ("0o9", "0o9"),
        ("1_", "\"1_\""),
        ("1e400", "1e400"),
        (".inf", "\".inf\""),
        ("2001-01-01", "\"2001-01-01\""),
        ("2020-02-30", "2020-02-30"),
        ("1:30", "\"1:30\""),
        ("12:60", "12:60"),
        ("190:20:30", "\"190:20:30\""),
        ("9223372036854775808", "\"9223372036854775808\""),
        ("<<", "!!merge <<"),
        ("=", "="),
        ("-", "'-'"),
        ("-a", "-a"),
        ("- a", "'- a'"),
        ("---", "'---'"),
        ("---a", "'---a'"),
        ("...", "'...'"),
        ("? a", "'? a'"),
        ("?a", "?a"),
        (": a", "': a'"),
        (":a", ":a"),
        ("a:", "'a:'"),
        ("a: b", "'a: b'"),
        ("a:b", "a:b"),
        ("a #b", "'a #b'"),
        ("a#b", "a#b"),
        ("#a", "'#a'"),
        ("[a", "'[a'"),
        ("a]", "a]"),
        ("{ a", "'{ a'"),
        ("a, ,", "a, ,"),
        ("@a", "'@a'"),
        ("`a", "'`a'"),
        ("%a", "'%a'"),
        ("!a", "'!a'"),
        ("&a", "'&a'"),
        ("*a", "'*a'"),
        ("|a", "'|a'"),
        (">a", "'>a'"),
        ("'a'", "'''a'''"),
        ("\"a\"", "'\"a\"'"),
        ("it's", "it's"),
        ("back\\slash", "back\\slash"),
        (" lead", "' lead'"),
        ("trail ", "'trail '"),
        ("tab\there", "\"tab\\there\""),
        ("a  b", "a  b"),
        ("http://a.b/c?d=e#f", "http://a.b/c?d=e#f"),
        ("\n", "|4+\n"),
        ("\n\n", "|4+\n\n"),
        ("a\n", "|\n        a"),
        ("a\n\n", "|+\n        a\n"),
        ("a\nb", "|-\n        a\n        b"),
        ("a\n\nb\n", "|\n        a\n\n        b"),
        (" a\nb", "|4-\n         a\n        b"),
        ("\na", "|4-\n\n        a"),
        ("a \nb", "\"a \\nb\""),
        ("a\nb ", "\"a\\nb \""),
        ("a\n\tb\n", "|\n        a\n        \tb"),
        ("\n\ta", "|4-\n\n        \ta"),
        ("a\n \nb", "\"a\\n \\nb\""),
        ("a\n \n", "\"a\\n \\n\""),
        ("a\r\nb", "\"a\\r\\nb\""),
        ("\r", "\"\\r\""),
        ("# a\nb\n", "|\n        # a\n        b"),
        ("---\na\n", "|\n        ---\n        a"),
        ("null\n", "|\n        null"),
        ("\u{e9}", "\u{e9}"),
        ("\u{65e5}\u{672c}\u{8a9e}", "\u{65e5}\u{672c}\u{8a9e}"),
        ("\u{1f600}", "\"\\U0001F600\""),
        ("a\n\u{1f600}", "\"a\\n\\U0001F600\""),
        ("\u{85}", "\"\\N\""),
        ("\u{a0}", "\u{a0}"),
        ("\u{200b}", "\u{200b}"),
        ("\u{feff}abc", "\"\\uFEFF\\x61\\x62\\x63\""),
        ("a\u{feff}b", "\"a\\uFEFFb\""),
        ("\u{fffd}", "\u{fffd}"),
        ("\u{ffff}", "\"\\uFFFF\""),
        ("\u{e000}", "\u{e000}"),
        ("\u{7f}", "\"\\x7F\""),
        ("\u{80}", "\"\\x80\""),
        ("\u{1b}[0m", "\"\\e[0m\""),
        ("a\u{0}b", "\"a\\0b\""),
        ("\u{7}\u{8}\u{b}\u{c}", "\"\\a\\b\\v\\f\""),
        ("+", "+"),
        (".", "."),
        ("\u{ad}", "\u{ad}"),
    ];
    for (text, printed) in table {
        assert_eq!(print(Kind::Str, text.as_bytes(), IN_MAP), printed, "{text:?}");
    }
    let long = "x y ".repeat(400) + "x";
    assert_eq!(print(Kind::Str, long.as_bytes(), IN_MAP), long, "lines are never folded");
}

#[test]
fn what_go_yaml_prints_wrongly_is_printed_rightly() {
    let table = [("a\u{2028}b", "\"a\\Lb\""), ("a\nb\u{2029}", "\"a\\nb\\P\""), ("\ta\nb", "\"\\ta\\nb\"")];
    for (text, printed) in table {
        assert_eq!(print(Kind::Str, text.as_bytes(), IN_MAP), printed, "{text:?}");
    }
    assert_eq!(print(Kind::Str, b" a\nb", IN_LIST), "|2-\n       a\n      b");
}

#[test]
fn other_places_allow_other_styles() {
    let table = [
        ("a\nb", IN_FLOW, "\"a\\nb\""),
        ("a,b", IN_FLOW, "'a,b'"),
        ("a,b", IN_MAP, "a,b"),
        ("a:b", IN_FLOW, "'a:b'"),
        ("a\nb", AS_KEY, "\"a\\nb\""),
        ("a b", AS_KEY, "a b"),
        ("null", AS_KEY, "\"null\""),
        ("a\nb\n", Context { newline: "\r\n", ..IN_MAP }, "|\r\n        a\r\n        b"),
        (" a\nb\n", Context { indent: 20, ..IN_MAP }, "\" a\\nb\\n\""),
    ];
    for (text, context, printed) in table {
        assert_eq!(print(Kind::Str, text.as_bytes(), context), printed, "{text:?} {context:?}");
    }
}

#[test]
fn other_types_are_printed_as_by_sops() {
    let table: [(Kind, &[u8], &str); 20] = [
        (Kind::Int, b"-5", "-5"),
        (Kind::Bool, b"True", "true"),
        (Kind::Bool, b"False", "false"),
        (Kind::Null, b"", "null"),
        (Kind::Time, b"2001-12-14T21:59:43.1-05:00", "2001-12-14T21:59:43.1-05:00"),
        (Kind::Float, b"1", "1"),
        (Kind::Float, b"1.5", "1.5"),
        (Kind::Float, b"100000", "100000"),
        (Kind::Float, b"1000000", "1e+06"),
        (Kind::Float, b"-1234567.5", "-1.2345675e+06"),
        (Kind::Float, b"0.0001", "0.0001"),
        (Kind::Float, b"0.00001", "1e-05"),
        (Kind::Float, b"0.0000001", "1e-07"),
        (Kind::Float, b"1000000000000000000000", "1e+21"),
        (Kind::Float, b"0", "0"),
        (Kind::Float, b"-0", "-0.0"),
        (Kind::Float, b"NaN", ".nan"),
        (Kind::Float, b"+Inf", ".inf"),
        (Kind::Float, b"-Inf", "-.inf"),
        (Kind::Str, b"\xff", "!!binary /w=="),
    ];
    for (kind, bytes, printed) in table {
        assert_eq!(print(kind, bytes, IN_MAP), printed);
    }
    assert_eq!(print(Kind::Float, &[b'9'; 400], IN_MAP).len(), 400, "not canonical, so kept");
    let lines = print(Kind::Str, &[0xff; 60], IN_MAP);
    assert_eq!(lines, format!("!!binary |\n        {}\n        {}", "/".repeat(70), "/".repeat(10)));
}

#[test]
fn plain_is_allowed_where_it_reads_back() {
    for text in ["a", "yes", "a\u{1f600}", "-a", "a#b", "a:b", "---a", "x\ty", "1:30"] {
        assert!(plain_allowed(text, false), "{text:?}");
    }
    for text in ["", "1", "true", "a: b", "a #b", " a", "a ", "- a", "---", "--- a", "'a", "a\nb", "2001-01-01", "-"] {
        assert!(!plain_allowed(text, false), "{text:?}");
    }
    for text in ["a,b", "[", "a]", "-,", "a:", "?", "a?b", ":a"] {
        assert!(!plain_allowed(text, true), "{text:?}");
    }
    assert!(plain_allowed("a:b", true));
    let mut out = Vec::new();
    assert!(write_single_quoted("it's\t\u{1f600}", &mut out));
    assert_eq!(out, "'it''s\t\u{1f600}'".as_bytes());
    assert!(!write_single_quoted("a\nb", &mut out) && !write_single_quoted("\u{7f}", &mut out));
}

/// What a scalar printed behind `before` is read back as.
fn read_back(source: &str) -> (Kind, Vec<u8>) {
    let mut found = None;
    for event in Parser::new_from_str(source) {
        if let (Event::Scalar(text, style, _, tag), _) = event.unwrap_or_else(|e| panic!("{e}: {source:?}")) {
            let plain = style == ScalarStyle::Plain;
            let tag = tag.map_or(String::new(), |tag| format!("!!{}", tag.suffix()));
            let resolved = match tag.as_str() {
                "" if !plain => Ok(Resolved { kind: Kind::Str, canonical: text.as_bytes().into() }),
                tag => resolve_tagged(tag, &text, plain),
            };
            let resolved = resolved.unwrap_or_else(|problem| panic!("{problem}: {source:?}"));
            found = Some((resolved.kind, resolved.canonical.into_owned()));
        }
    }
    found.unwrap_or_else(|| panic!("no scalar: {source:?}"))
}

fn check_everywhere(kind: Kind, bytes: &[u8]) {
    let sources = [
        format!("m:\n    k: {}\n", print(kind, bytes, IN_MAP)),
        format!("m:\n    - {}\n", print(kind, bytes, IN_LIST)),
        format!("m: [k, {}]\n", print(kind, bytes, IN_FLOW)),
        format!("m: {{k: {}}}\n", print(kind, bytes, IN_FLOW)),
    ];
    for source in sources {
        assert_eq!(read_back(&source), (kind, bytes.to_vec()), "{source:?}");
    }
    if let Ok(text) = std::str::from_utf8(bytes).map(str::to_owned)
        && kind == Kind::Str
    {
        let mut out = b"k: ".to_vec();
        write_double_quoted(&text, &mut out);
        assert_eq!(read_back(std::str::from_utf8(&out).unwrap()), (kind, bytes.to_vec()), "{text:?}");
        let mut out = b"k: ".to_vec();
        if write_single_quoted(&text, &mut out) {
            assert_eq!(read_back(std::str::from_utf8(&out).unwrap()), (kind, bytes.to_vec()), "{text:?}");
        }
        if plain_allowed(&text, false) {
            assert_eq!(read_back(&format!("k: {text}\n")), (kind, bytes.to_vec()), "{text:?}");
        }
        if plain_allowed(&text, true) {
            assert_eq!(read_back(&format!("k: [a, {text}]\n")), (kind, bytes.to_vec()), "{text:?}");
            assert_eq!(read_back(&format!("k: {{a: {text}}}\n")), (kind, bytes.to_vec()), "{text:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn odd_strings_read_back(text in "[ \\n\\t#:\\-?\"'\\[\\],{}a01._|\u{2028}\u{85}\u{feff}\u{1f600}\\r]{0,9}") {
        check_everywhere(Kind::Str, text.as_bytes());
    }

    #[test]
    fn any_strings_read_back(text in any::<String>()) {
        check_everywhere(Kind::Str, text.as_bytes());
    }

    #[test]
    fn bytes_read_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_everywhere(Kind::Str, &bytes);
    }

    #[test]
    fn floats_read_back(value in any::<f64>()) {
        prop_assume!(value.fract() != 0.0 || value.abs() >= 1e6 || value.to_bits() == (-0.0f64).to_bits());
        prop_assume!(value.is_finite());
        check_everywhere(Kind::Float, float::fixed(value).as_bytes());
    }
}
