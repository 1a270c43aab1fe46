use super::super::{Indexer, index_parsed};
use crate::document::{Builder, Document};
use std::fmt::Write as _;
use std::path::Path;

/// The table in words: all that is known of a document.
fn dump(document: &Document) -> String {
    let mut out = String::new();
    for (id, entry) in document.entries().iter().enumerate() {
        let (key, value) = (document.key(id), document.scalar(id));
        writeln!(
            out,
            "{id}: {:?} in {:?}, {:?} {} key {key:?} at {:?}, {:?}, {:?} {:?}, {:?}",
            entry.span(),
            entry.parent(),
            entry.style(),
            entry.has_key(),
            document.key_start(id),
            value.kind,
            String::from_utf8_lossy(value.bytes),
            document.subtree(id),
            (0..8).filter(|bit| entry.is(flag(1 << bit))).collect::<Vec<u8>>(),
        )
        .unwrap();
    }
    let rest = (document.roots(), document.odd_keys(), document.comment_places(), document.ends_open());
    writeln!(out, "{rest:?} {:?}", document.shadows().collect::<Vec<_>>()).unwrap();
    out
}

fn flag(bit: u8) -> crate::document::Flags {
    use crate::document::Flags as F;
    let all = [F::IN_FLOW, F::ALIAS, F::COPIED, F::TAGGED, F::REWRITTEN, F::SHADOWED, F::TIED, F::NO_TOKEN];
    all[bit.trailing_zeros() as usize]
}

/// Whether the lines of `text` are simple; if they are, the parser must say the same of them.
fn is_simple_and_same(text: &str) -> bool {
    let builder = Builder::new(text.to_owned()).unwrap();
    let source = builder.shared_text();
    let filled = Indexer::run_simple(&source, builder);
    drop(source);
    let Ok(filled) = filled else { return false };
    let simple = dump(&filled.finish());
    let parsed = match index_parsed(Builder::new(text.to_owned()).unwrap()) {
        Ok(document) => dump(&document),
        Err(error) => panic!("simple, but refused: {error:?}\n{text}\n{simple}"),
    };
    assert!(simple == parsed, "of\n{text}\nthe lines say\n{simple}\nand the parser\n{parsed}");
    true
}

fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.extend(std::fs::read_to_string(&path));
        }
    }
}

fn corpus() -> Vec<String> {
    let mut found = Vec::new();
    files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata")), &mut found);
    found.sort();
    found
}

const SIMPLE: &[&str] = &[
    "a: 1\n",
    "a: 1",
    "---\na: 1\n",
    "# before\n\n---\n# head\n\na: 1 # line\nb:\n  - 2\n",
    "\n# head\na: 1 # line\n# foot\n\n# next\nb:\n  c: x\n  # end of b\n",
    "a:\n- x\n-  y # line\n-   b: 1\n    c: 2\n- - 1\n  - 2\nd: 3\n",
    "a:\n  - b: 1\n    # in\n    c:\n      - d\n  # behind\n  - e: f\n",
    "a:\nb:\n  - \n  -\n  - x:\nc:\n",
    "a: \"x # y: z\" # c\n'b': 'it''s'\n\"c\\n\": \"q\\\"\\u0041\"\nd: [] # e\ne: {}\n",
    "a: |\n  one\n  two\n\n\nb: |-\n   x\n    y\nc:\n  - |\n    in a list\n  - d: |\n      deeper\n",
    "a: -1\nb: -x\nc: x - y\nd: http://x#y\ne: 2001-01-01\nf: ~\ng: 1e3\nh: <x>\ni: a:b\nj k: l  \n",
    "é: ü\n日本: \"語\" # 注\n",
    "  a: 1\n  b: 2\n",
];

#[test]
fn simple_lines_are_read_as_the_parser_reads_them() {
    for text in SIMPLE {
        assert!(is_simple_and_same(text), "not simple: {text}");
    }
    let files = corpus();
    let simple = files.iter().filter(|text| is_simple_and_same(text)).count();
    assert!(simple * 8 > files.len(), "{simple} of {}", files.len());
}

#[test]
fn all_else_is_left_to_the_parser() {
    for text in [
        "",
        "# c\n",
        "a",
        "- a\n",
        "--- # c\na: 1\n",
        "---\n---\na: 1\n",
        "a: 1\n---\nb: 2\n",
        "--- a: 1\n",
        "a: 1\n...\n",
        "a: 1\na: 2\n",
        "1: a\n",
        "a: x\n  y\n",
        "a: \"x\n  y\"\n",
        "a: b: c\n",
        "a: b:\n",
        "a: [b]\n",
        "a: &x 1\n",
        "a: *x\n",
        "a: !!str 1\n",
        "a: >\n  x\n",
        "a: |2\n  x\n",
        "a: |+\n  x\n",
        "a: |\n  x\n\n  y\n",
        "a: |\n  x",
        "a: |\nb: 1\n",
        "a: |\n  x\n \nb: 1\n",
        "a:\t1\n",
        "a: 1\r\n",
        "\u{feff}a: 1\n",
        "a: \u{85}\n",
        "a: 1\n b: 2\n",
        "  a: 1\nb: 2\n",
        "a:\n    b: 1\n  c: 2\n",
        "a:\n  - b\n  c: 1\n",
        "- - a\n",
        "a:\n  - # c\n    b\n",
        "? a\n: b\n",
        "a : 1\n",
        "\"a\" : 1\n",
        "a: 'b' c\n",
        "a: @b\n",
        "a: 1\n%TAG\n",
    ] {
        assert!(!is_simple_and_same(text), "simple: {text:?}");
    }
}

#[test]
fn what_chance_makes_of_simple_lines_is_read_as_the_parser_reads_it() {
    const PIECES: &[&str] = &[
        " ",
        "  ",
        "    ",
        "\n",
        "\n\n",
        ":",
        ": ",
        "- ",
        "-",
        "#",
        " # c\n",
        "\"",
        "'",
        "''",
        "\\",
        "\\n",
        "|\n",
        "|-\n",
        "[]",
        "{}",
        "a",
        "b: c\n",
        "\n  d: e",
        "\n- f",
        "\n  # g\n",
        "~",
        "1",
        ",",
        "?",
        "é",
        ">",
        "&x ",
        "*x",
        "!",
        "---",
        "[",
        "]",
        "\n   ",
    ];
    let mut texts = corpus();
    texts.retain(|text| text.len() < 4_000 && is_simple_and_same(text));
    texts.extend(SIMPLE.iter().map(|text| (*text).to_owned()));
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let rounds = std::env::var("LEAFCRYPT_LINES").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20_000);
    let mut simple = 0;
    for _ in 0..rounds {
        let mut text = texts[random(texts.len())].clone();
        for _ in 0..1 + random(3) {
            let boundary = |mut at: usize| {
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let start = boundary(random(text.len() + 1));
            let end = if random(2) == 0 { start } else { boundary((start + random(6)).min(text.len())).max(start) };
            let piece = if random(4) == 0 { "" } else { PIECES[random(PIECES.len())] };
            text.replace_range(start..end, piece);
        }
        // A text that is found to differ stands in the message.
        simple += usize::from(is_simple_and_same(&text));
    }
    assert!(simple * 10 > rounds, "{simple} of {rounds}");
}
