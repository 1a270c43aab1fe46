//! The differences between Go's dialect and Rust's, one row each.
//!
//! Every row was checked against the reference implementation (sops 3.11.0, built with Go 1.25), which ran the
//! pattern as `encrypted_regex` over keys that are the texts.

use super::Pattern;

/// A pattern, texts that it matches, texts that it does not match.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

const MATCHES: &[Row] = &[
    // Perl classes are ASCII in Go and Unicode in Rust.
    (r"^\d$", &["1"], &["\u{663}", "a"]),
    (r"^\D$", &["a", "\u{663}"], &["1"]),
    (r"^\w$", &["a", "_", "1"], &["é", "-"]),
    (r"^\W$", &["é", "-"], &["a", "_"]),
    (r"^\s$", &[" ", "\t", "\n", "\u{c}", "\r"], &["\u{b}", "\u{a0}", "\u{2003}"]),
    (r"^\S$", &["\u{b}", "\u{a0}", "a"], &[" "]),
    (r"^[\d\s]$", &["1", " "], &["\u{663}", "\u{b}"]),
    (r"^[^\w]$", &["é", "."], &["a"]),
    (r"^[\W]$", &["é"], &["a"]),
    // So are word boundaries.
    (r"a\b", &["a", "aé"], &["ab"]),
    (r"\B", &["", "é", "aa"], &["a"]),
    (r"\Bb", &["ab"], &["b", "éb"]),
    // But case folding is Unicode in both, inside of ASCII classes as well.
    (r"^(?i)k$", &["k", "K", "\u{212a}"], &[]),
    (r"^(?i)\w$", &["\u{212a}", "\u{17f}"], &["é"]),
    (r"^(?i)[^\W]$", &["\u{212a}"], &["é"]),
    (r"^(?i)[[:lower:]]$", &["A", "\u{212a}"], &["1"]),
    (r"^(?i)\p{Lu}$", &["a", "é", "ß"], &["漢"]),
    (r"^(?i)[^k]$", &["a"], &["K", "\u{212a}"]),
    // Literal text.
    (r"^\Qa.b\E$", &["a.b"], &["aXb"]),
    (r"^\Qa{,2}", &["a{,2}"], &["a"]),
    (r"^a\Q+\E+$", &["a+", "a++"], &["aa"]),
    (r"^a\Q\E*$", &["", "aa"], &["b"]),
    (r"^\Qa\$", &[], &["a"]),
    // POSIX classes, and what only looks like one.
    (r"^[[:alpha:]]$", &["a"], &["é", "1"]),
    (r"^[[:^alpha:]]$", &["é", "1"], &["a"]),
    (r"^[[:space:]]$", &["\u{b}", " "], &["\u{a0}"]),
    (r"^[[:word:].]$", &["_", "."], &["é"]),
    (r"^[[=a=]]$", &["[]", "a]", "=]"], &["a"]),
    (r"^[[:alpha]$", &["[", ":", "h"], &["b"]),
    // No nested classes, no set operations.
    (r"^[a[b]]$", &["a]", "[]", "b]"], &["a", "b"]),
    (r"^[a[]$", &["a", "["], &["b"]),
    (r"^[a&&b]$", &["a", "b", "&"], &[]),
    (r"^[+--b]$", &["+", ",", "-", "b"], &["a"]),
    (r"^[a~~b]$", &["a", "b", "~"], &[]),
    (r"^[--a]$", &["-", ".", "A", "a"], &["b"]),
    (r"^[a-b-c]$", &["a", "b", "-", "c"], &["d"]),
    (r"^[\d-z]$", &["1", "-", "z"], &["a"]),
    (r"^[]a]$", &["]", "a"], &["[]"]),
    (r"^[^]a]$", &["b"], &["]", "a"]),
    (r"^[a-]$", &["a", "-"], &["b"]),
    (r"^[^a]$", &["\n", "b"], &["a"]),
    // Unicode classes.
    (r"^\pL$", &["a", "é", "漢"], &["1"]),
    (r"^\PL$", &["1"], &["é"]),
    (r"^\pLu$", &["au"], &["A"]),
    (r"^\p{Greek}$", &["α"], &["a"]),
    (r"^\p{^Greek}$", &["a"], &["α"]),
    (r"^\P{^Greek}$", &["α"], &["a"]),
    (r"^\p{greek}$", &["α"], &["a"]),
    (r"^\p{Uppercase_Letter}$", &["A"], &["a"]),
    (r"^[\p{Lu}\d]$", &["A", "1"], &["a"]),
    (r"\p{Cs}", &[], &["a", "é"]),
    (r"^\p{Any}$", &["a", "\n"], &[]),
    // Escapes.
    (r"^\101\x42\x{43}$", &["ABC"], &[]),
    (r"^\08$", &["\u{0}8"], &["8"]),
    (r"^\377$", &["ÿ"], &[]),
    (r"^[\a\f\v]$", &["\u{7}", "\u{c}", "\u{b}"], &["a", "f", "v"]),
    (r"^\x{10FFFF}$", &["\u{10ffff}"], &[]),
    (r"^\<\>\_\-\ \%$", &["<>_- %"], &["_- %"]),
    (r"\<word\>", &["<word>"], &["word"]),
    (r"\x{D800}", &[], &["a", "\u{fffd}"]),
    (r"^[^\x{D800}]$", &["a"], &[]),
    (r"[\x{D800}]", &[], &["a"]),
    (r"[^\x00-\x{10FFFF}]", &[], &["a", ""]),
    // Flags.
    (r"^(?s).$", &["\n", "a"], &[]),
    (r"^.$", &["a"], &["\n"]),
    (r"^b$", &["b"], &["b\n", "a\nb"]),
    (r"(?m)^b$", &["b", "a\nb", "b\nc"], &["ab"]),
    (r"^b\z", &["b"], &["b\n"]),
    (r"(?U)^a+$", &["aa"], &["b"]),
    (r"^(?i:a)b$", &["Ab"], &["AB"]),
    (r"^(?i)a(?-i)b$", &["Ab"], &["AB"]),
    (r"^((?i)a)b$", &["Ab"], &["AB"]),
    (r"^(?:a(?i)|b)$", &["a", "b", "B"], &["A"]),
    (r"^a(?i)*$", &["", "aa"], &["A"]),
    (r"^(?ii)a(?)$", &["A"], &["b"]),
    // Groups and their names, which may repeat.
    (r"^(?P<n>a)(?<n>b)(?P<1>c)$", &["abc"], &["ab"]),
    (r"^(|a)$", &["", "a"], &["b"]),
    (r"^(?:a||b)$", &["", "a", "b"], &["ab"]),
    (r"^()*$", &[""], &["a"]),
    (r"^*a", &["a", "ba"], &["b"]),
    // Braces that are no repetition.
    (r"^a{,2}$", &["a{,2}"], &["aa"]),
    (r"^a{$", &["a{"], &["a"]),
    (r"^{}{a}$", &["{}{a}"], &[]),
    (r"^a{02}$", &["a{02}"], &["aa"]),
    (r"^a{2, 3}$", &["a{2, 3}"], &["aa"]),
    (r"^a{2}$", &["aa"], &["a", "aaa"]),
    (r"^a{2,}$", &["aa", "aaa"], &["a"]),
    (r"^a{0,1}?$", &["", "a"], &["aa"]),
    (r"^(?:a{2}){2}$", &["aaaa"], &["aa"]),
    (r"^((a{900}){0}){2}$", &[""], &["a"]),
    (r"^a*\Q\E*$", &["", "aa"], &["b"]),
    // Unanchored.
    (r"secret|token", &["my-secret-key", "token"], &["tok"]),
    (r"", &["", "a"], &[]),
];

/// What Go refuses: the pattern, and a part of the reason.
const REFUSED: &[(&str, &str)] = &[
    ("a**", "follows another repetition"),
    ("a++", "follows another repetition"),
    ("a{2}{3}", "follows another repetition"),
    ("a+?*", "follows another repetition"),
    ("*a", "nothing that `*` could repeat"),
    ("a|+", "nothing that `+` could repeat"),
    ("(?i)?", "nothing that `?` could repeat"),
    ("({2})", "nothing that `{2}` could repeat"),
    ("a{1001}", "above 1000"),
    ("a{0,99999999999999999999}", "above 1000"),
    ("a{3,2}", "above the second"),
    ("(a{100}){100}", "multiply to 10000"),
    ("((a{10}){10}){11}", "multiply to 1100"),
    ("(a", "never closed"),
    ("(?:a", "never closed"),
    ("(?i", "never closed"),
    ("a)", "closes no group"),
    ("[a", "character class is never closed"),
    ("[]", "character class is never closed"),
    ("[a-", "character class is never closed"),
    ("[z-a]", "ends before it begins"),
    ("[a--b]", "ends before it begins"),
    (r"[a-\d]", r"`\d` is not an escape"),
    (r"[\Qa\E]", r"`\Q` is not an escape"),
    (r"[\b]", r"`\b` is not an escape"),
    ("[[:foo:]]", "no character class `[:foo:]`"),
    (r"\p{Klingon}", "no Unicode category or script"),
    (r"\p{Alphabetic}", "no Unicode category or script"),
    (r"\p{script=Greek}", "no Unicode category or script"),
    (r"\p{Grek}", "no Unicode category or script"),
    (r"\p{Greek", "no Unicode category or script"),
    (r"\p", "no Unicode category or script"),
    (r"\1", r"`\1` is not an escape"),
    (r"\C", r"`\C` is not an escape"),
    (r"\Z", r"`\Z` is not an escape"),
    (r"\K", r"`\K` is not an escape"),
    (r"\u0041", r"`\u` is not an escape"),
    (r"\U0001F600", r"`\U` is not an escape"),
    (r"a\E", r"`\E` is not an escape"),
    (r"\é", r"`\é` is not an escape"),
    (r"a\", "backslash at the end"),
    (r"\x4", "hexadecimal"),
    (r"\x{}", "hexadecimal"),
    (r"\x{110000}", "hexadecimal"),
    (r"\xé", "hexadecimal"),
    ("(?x)a", "`x` cannot stand in the head of a group"),
    ("(?u)a", "`u` cannot stand in the head of a group"),
    ("(?R)a", "`R` cannot stand in the head of a group"),
    ("(?i-)a", "`)` cannot stand in the head of a group"),
    ("(?>a)", "`>` cannot stand in the head of a group"),
    ("(?#a)", "`#` cannot stand in the head of a group"),
    ("(?P=n)", "`P` cannot stand in the head of a group"),
    ("(?P<>a)", "not a name"),
    ("(?P<é>a)", "not a name"),
    ("(?P<n", "has no end"),
    ("(?=a)", "no look-ahead"),
    ("(?!a)", "no look-ahead"),
    ("(?<=a)b", "no look-behind"),
    ("(?<!a)b", "no look-behind"),
    (r"\b{start}a(", "never closed"),
];

#[test]
fn patterns_match_what_go_matches() {
    for (source, matching, others) in MATCHES {
        let pattern = Pattern::new(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        for text in *matching {
            assert!(pattern.is_match(text), "{source} must match {text:?}");
        }
        for text in *others {
            assert!(!pattern.is_match(text), "{source} must not match {text:?}");
        }
    }
}

#[test]
fn patterns_that_go_refuses_are_refused_with_a_reason_and_a_hint() {
    for (source, why) in REFUSED {
        let error = Pattern::new(source).expect_err(source);
        assert!(error.to_string().contains(why), "{source}: {error}");
        assert!(error.message().starts_with("the regular expression `"), "{error}");
        assert!(!error.hints().is_empty(), "{source}");
        assert_eq!(Pattern::check(source).expect_err(source).to_string(), error.to_string());
    }
}

#[test]
fn an_error_says_at_which_character() {
    let error = Pattern::new("äö(*)").unwrap_err();
    assert_eq!(error.message(), "the regular expression `äö(*)` is wrong at character 4");
}

#[test]
fn the_original_is_kept() {
    assert_eq!(Pattern::new(r"\d{2}\Q.\E").unwrap().as_str(), r"\d{2}\Q.\E");
}

#[test]
fn hostile_patterns_are_refused_or_compiled_within_bounds() {
    let deep = |n: usize, open: &str, close: &str| format!("{}a{}", open.repeat(n), close.repeat(n));
    assert!(Pattern::new(&deep(900, "(?:", ")")).unwrap().is_match("a"));
    assert!(Pattern::new(&deep(400, "(?:", ")*b")).unwrap().is_match(&"b".repeat(400)));
    for hostile in [
        deep(100_000, "(", ")"),
        deep(1_001, "(?:", ")*"),
        "(".repeat(1_000_000),
        "a{1000}".repeat(100_000),
        r"(\pL{1,100}){10}".repeat(1_000),
        "[".repeat(1_000_000),
    ] {
        assert!(Pattern::new(&hostile).is_err());
    }
}

#[test]
fn every_short_string_of_special_characters_is_translated_to_something_that_rust_compiles() {
    let alphabet = [r"\", "(", ")", "[", "]", "{", "}", "?", "*", "-", "^", ":", "a", "1", ",", "i", "p", "&", "é"];
    let mut patterns = vec![String::new()];
    for _ in 0..4 {
        patterns = patterns.iter().flat_map(|head| alphabet.iter().map(move |tail| format!("{head}{tail}"))).collect();
        for pattern in &patterns {
            if let Ok(translated) = super::translate::translate(pattern) {
                regex_syntax::parse(&translated).unwrap_or_else(|error| panic!("{pattern} → {translated}: {error}"));
            }
        }
    }
}
