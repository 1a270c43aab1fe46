//! YAML texts: comments in all positions, all scalar styles, anchors, aliases and merge keys, all types,
//! nested lists and maps, flow collections, several documents, any indentation, CRLF.

use super::Source;
use std::collections::HashSet;

const PLAIN: &[&str] = &[
    "a",
    "word",
    "two words",
    "1",
    "0",
    "-1",
    "+3",
    "12345",
    "1.10",
    "1.0",
    "1e3",
    "-0.0",
    ".5",
    "0x1F",
    "0o17",
    "0755",
    "0b101",
    "1_000",
    "12345_54321",
    "true",
    "True",
    "FALSE",
    "yes",
    "no",
    "on",
    "Off",
    "y",
    "null",
    "~",
    "Null",
    ".inf",
    "-.Inf",
    ".NaN",
    "2001-12-14",
    "2001-12-14T21:59:43.10-05:00",
    "2001-12-14 21:59:43.10 -5",
    "2001-12-15 2:59:43.10",
    "2002-04-28T00:00:00Z",
    "12:30:45",
    "190:20:30",
    "1.2.3",
    "v1.2",
    "http://a.example/x?y=z#frag",
    "a:b",
    "-x",
    "a#b",
    "foo  bar   baz",
    "ünïcödé",
    "日本語",
    "🎉 party",
    "it's",
    "say \"hi\"",
    "back\\slash",
    "9223372036854775807",
    "-9223372036854775808",
    "12e03",
    "0.1e-5",
    "08",
    "0o8",
    "1__0",
    "_1",
    "1.",
    "0x",
    "a=b",
    "<none>",
    "(x)",
    "x|y",
    "10.0.0.0/8",
    "${VAR}",
    "$1",
    "100%",
    "a@b",
    "/etc/x",
    "NaN",
    "1e400",
    "6.02e+23",
    "==",
    "a\tb",
    "0.0",
    "007",
    "+.5",
    "-",
    "1 000",
];

/// Plain scalars that a flow collection would read otherwise.
const BLOCK_ONLY: &[&str] = &["a, b", "f(x[0])", "a{b}", "key,", "x]"];

const DOUBLE: &[&str] = &[
    "a",
    " ",
    "word",
    "#",
    ": ",
    "\\n",
    "\\t",
    "\\\"",
    "\\\\",
    "\\u00e9",
    "\\U0001F389",
    "\\x41",
    "\\e",
    "\\_",
    "'",
    "ü",
    "🎉",
    "- ",
    "{",
    "true",
    "1.0",
    "  ",
    "%",
    "&x",
    "*y",
];

const SINGLE: &[&str] =
    &["a", " ", "word", "''", "\"", "#", ": ", "\\n", "ü", "null", "0x1F", "[", "2001-12-14", "- ", "!"];

const COMMENT: &[&str] = &[
    " a comment",
    "",
    " the value below",
    "no space",
    " ünïcödé 🎉",
    "# two marks",
    " key: value",
    " - item",
    "!shebang",
    " trailing  ",
    " it's \"quoted\" # twice",
    "\ttab",
    " password: x",
    " {{ template }}",
    " ---",
    "  indented",
    " a",
];

const KEYS: &[&str] = &[
    "key",
    "name",
    "data",
    "value",
    "password",
    "a.b/c-d",
    "with space",
    "schlüssel",
    "k_unencrypted",
    "x:y",
    "UPPER",
    "stringData",
    "list",
    "_",
    "-dash",
    "enabled",
];

const QUOTED_KEYS: &[(&str, &str)] = &[
    ("\"quoted\"", "quoted"),
    ("'single'", "single"),
    ("\"a: b\"", "a: b"),
    ("'#x'", "#x"),
    ("\"esc\\u0061pe\"", "escape"),
    ("\"true\"", "true"),
    ("'1'", "1"),
    ("'it''s'", "it's"),
    ("\"\"", ""),
];

/// A YAML stream of maps.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut source = Source::new(bytes);
    let step = [2, 4, 2, 1, 3, 2, 4, 5, 6, 8][source.below(10)];
    let mut yaml = Yaml { source, out: String::new(), step, anchors: Vec::new(), names: 0, nodes: 0 };
    yaml.stream();
    let Yaml { mut source, out, .. } = yaml;
    // Valid, but go-yaml takes no tab behind a dash.
    let mut out = out.replace("-\t", "- ");
    if source.chance(12) {
        while out.ends_with('\n') {
            out.pop();
        }
    }
    if source.chance(8) {
        out = out.replace('\n', "\r\n");
    }
    if source.chance(2) {
        out.insert(0, '\u{feff}');
    }
    out
}

struct Anchor {
    name: String,
    is_map: bool,
}

struct Yaml<'a> {
    source: Source<'a>,
    out: String,
    /// What one level is indented by, mostly.
    step: usize,
    /// The anchors of this document whose nodes are complete.
    anchors: Vec<Anchor>,
    names: usize,
    nodes: usize,
}

impl Yaml<'_> {
    fn stream(&mut self) {
        self.gap(0, true);
        if self.source.chance(2) {
            self.out.push_str("%YAML 1.1\n---\n");
        } else if self.source.chance(25) {
            self.marker();
        }
        self.document();
        let more = if self.source.chance(15) { 1 + self.source.below(3) } else { 0 };
        for _ in 0..more {
            if self.source.chance(15) {
                self.out.push_str("...\n");
                self.gap(0, true);
            }
            self.marker();
            self.document();
        }
        if self.source.chance(4) {
            self.out.push_str("...\n");
            self.gap(0, true);
        }
    }

    fn marker(&mut self) {
        self.out.push_str("---");
        self.line_end();
    }

    fn document(&mut self) {
        self.anchors.clear();
        self.nodes = 0;
        self.gap(0, true);
        if self.source.chance(4) {
            self.flow_map(0, 0);
            self.line_end();
        } else {
            self.map(0, 0, false);
        }
        self.gap(0, true);
    }

    fn pad(&mut self, column: usize) {
        self.out.extend(std::iter::repeat_n(' ', column));
    }

    /// Blank lines and comment lines before something at `column`.
    fn gap(&mut self, column: usize, often: bool) {
        while self.source.chance(if often { 30 } else { 18 }) {
            match self.source.below(10) {
                0..3 => self.out.push('\n'),
                3 => {
                    // White space alone, never deeper than what follows.
                    let spaces = self.source.below(column + 1);
                    self.pad(spaces);
                    self.out.push('\n');
                }
                4..8 => self.comment_line(column),
                8 => {
                    let column = self.source.below(column + 1);
                    self.comment_line(column);
                }
                _ => {
                    let column = column + 1 + self.source.below(4);
                    self.comment_line(column);
                }
            }
        }
    }

    fn comment_line(&mut self, column: usize) {
        self.pad(column);
        self.comment();
        self.out.push('\n');
    }

    fn comment(&mut self) {
        let text = self.source.pick(COMMENT);
        self.out.push('#');
        self.out.push_str(text);
    }

    /// The end of a line, at times with spaces or a comment before it.
    fn line_end(&mut self) {
        match self.source.below(20) {
            17 => self.out.push_str(["  ", "\t"][self.source.below(2)]),
            18 | 19 => {
                let space = self.source.pick(&[" ", "  ", "\t", "     "]);
                self.out.push_str(space);
                self.comment();
            }
            _ => {}
        }
        self.out.push('\n');
    }

    /// How far a child of a collection at `column` stands.
    fn deeper(&mut self, column: usize) -> usize {
        column + if self.source.chance(10) { 1 + self.source.below(8) } else { self.step }
    }

    /// A block map at `column`; `compact` when its first key stands behind a dash.
    fn map(&mut self, column: usize, depth: usize, compact: bool) {
        let mut used = HashSet::new();
        let count = 1 + self.source.below(if depth == 0 { 7 } else { 4 });
        for item in 0..count {
            if item > 0 || !compact {
                self.gap(column, false);
                self.pad(column);
            }
            let merges = self.anchors.iter().any(|anchor| anchor.is_map);
            if merges && self.source.chance(8) && used.insert("<<".to_owned()) {
                self.merge();
                continue;
            }
            // An explicit key that begins a compact map is legal, and nobody's way to write.
            let explicit = self.source.chance(2) && !(compact && item == 0);
            if explicit {
                self.out.push_str("? ");
            }
            self.key(&mut used);
            if explicit {
                self.line_end();
                self.pad(column);
            } else if self.source.chance(2) {
                self.out.push(' ');
            }
            self.out.push(':');
            self.value(column, depth, true);
        }
    }

    fn merge(&mut self) {
        let maps: Vec<String> =
            self.anchors.iter().filter(|anchor| anchor.is_map).map(|anchor| anchor.name.clone()).collect();
        let one = self.source.pick(&maps).clone();
        if self.source.chance(20) {
            let two = self.source.pick(&maps).clone();
            self.out.push_str(&format!("<<: [*{one}, *{two}]"));
        } else {
            self.out.push_str(&format!("<<: *{one}"));
        }
        self.line_end();
    }

    fn key(&mut self, used: &mut HashSet<String>) {
        if self.source.chance(10) {
            let (text, name) = *self.source.pick(QUOTED_KEYS);
            if used.insert(name.to_owned()) {
                self.out.push_str(text);
                return;
            }
        }
        let name = *self.source.pick(KEYS);
        let mut unique = name.to_owned();
        let mut number = 1;
        while !used.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}{number}");
        }
        self.out.push_str(&unique);
    }

    /// Anchor and tag of a node, at times; gives the anchor's name.
    fn properties(&mut self) -> Option<String> {
        if !self.source.chance(6) {
            return None;
        }
        self.names += 1;
        let name = format!("{}{}", self.source.pick(&["a", "anchor-", "x_", "A_b"]), self.names);
        self.out.push_str(&format!(" &{name}"));
        Some(name)
    }

    /// What follows a key or a dash of a collection at `column`, to the end of its last line.
    fn value(&mut self, column: usize, depth: usize, in_map: bool) {
        self.nodes += 1;
        let full = self.nodes > 40 || depth > 6 || !self.source.has_more();
        if !self.anchors.is_empty() && self.source.chance(5) {
            let at = self.source.below(self.anchors.len());
            let name = self.anchors[at].name.clone();
            self.out.push_str(&format!(" *{name}"));
            self.line_end();
            return;
        }
        let anchor = self.properties();
        let mut is_map = false;
        match if full { 0 } else { self.source.below(100) } {
            0..44 => {
                self.separator();
                self.scalar(column, false);
                self.line_end();
            }
            44..54 => self.block_scalar(column),
            54..72 => {
                is_map = true;
                if !in_map && anchor.is_none() && self.source.chance(75) {
                    let spaces = if self.source.chance(15) { 1 + self.source.below(4) } else { 1 };
                    self.pad(spaces);
                    self.map(column + 1 + spaces, depth + 1, true);
                } else {
                    self.line_end();
                    let deeper = self.deeper(column);
                    self.map(deeper, depth + 1, false);
                }
            }
            72..88 => {
                if !in_map && anchor.is_none() && self.source.chance(60) {
                    self.pad(1);
                    self.list(column + 2, depth + 1, true);
                } else {
                    self.line_end();
                    let indentless = in_map && self.source.chance(40);
                    let deeper = if indentless { column } else { self.deeper(column) };
                    self.list(deeper, depth + 1, false);
                }
            }
            88..92 => {
                self.separator();
                self.flow_map(column, depth);
                is_map = true;
                self.line_end();
            }
            92..96 => {
                self.separator();
                self.flow_list(column, depth);
                self.line_end();
            }
            96..98 => self.line_end(),
            _ => {
                let tagged = self.source.pick(&[
                    "!!str 12",
                    "!local x",
                    "!!float 3",
                    "!!int \"3\"",
                    "!!str true",
                    "!!str",
                    "! y",
                ]);
                self.out.push(' ');
                self.out.push_str(tagged);
                self.line_end();
            }
        }
        self.anchors.extend(anchor.map(|name| Anchor { name, is_map }));
    }

    fn list(&mut self, column: usize, depth: usize, compact: bool) {
        let count = 1 + self.source.below(4);
        for item in 0..count {
            if item > 0 || !compact {
                self.gap(column, false);
                self.pad(column);
            }
            self.out.push('-');
            self.value(column, depth, false);
        }
    }

    /// White space between a mark and its value.
    fn separator(&mut self) {
        let space = if self.source.chance(6) { *self.source.pick(&["  ", "\t", "      "]) } else { " " };
        self.out.push_str(space);
    }

    /// A flow or quoted or plain scalar; one of several lines goes on right of `column`.
    fn scalar(&mut self, column: usize, in_flow: bool) {
        match self.source.below(20) {
            0..11 => {
                let text = if self.source.chance(4) { &self.source.float() } else { *self.source.pick(PLAIN) };
                // "-" alone is an indicator where nothing follows it, and brackets end a scalar of a flow collection.
                let misread = text == "-" || in_flow && text.contains(['{', '}', '[', ']', ',']);
                self.out.push_str(if misread { "-1x" } else { text });
            }
            11 => {
                let text = if in_flow { "flow" } else { self.source.pick(BLOCK_ONLY) };
                self.out.push_str(text);
            }
            12 => self.lines(column, &["word", "more words", "1.10", "last # not"][..3], "", ""),
            13..16 => self.pieces(DOUBLE, '"'),
            16 | 17 => self.pieces(SINGLE, '\''),
            18 => self.lines(column, &["first", "sec\\u006fnd ", "\\\"third\\\"", "end\\"], "\"", "\""),
            _ => self.lines(column, &["first", "se''cond", "# third"], "'", "'"),
        }
    }

    fn pieces(&mut self, all: &[&str], quote: char) {
        self.out.push(quote);
        for _ in 0..self.source.below(7) {
            let piece = self.source.pick(all);
            self.out.push_str(piece);
        }
        self.out.push(quote);
    }

    /// A scalar of several lines.
    fn lines(&mut self, column: usize, words: &[&str], open: &str, close: &str) {
        self.out.push_str(open);
        let deeper = column + 1 + self.source.below(5);
        let count = 1 + self.source.below(4);
        let mut last = "";
        for line in 0..count {
            if line > 0 {
                self.out.push('\n');
                // A blank line within; not behind an escaped line break, where it would be an error for no one.
                if self.source.chance(20) {
                    self.out.push('\n');
                }
                self.pad(deeper);
            }
            last = *self.source.pick::<&str>(words);
            self.out.push_str(if line == 0 { words[0] } else { last });
            if line == 0 {
                last = words[0];
            }
        }
        if !close.is_empty() && last.ends_with('\\') {
            self.out.push('\n');
            self.pad(deeper);
        }
        self.out.push_str(close);
    }

    fn block_scalar(&mut self, column: usize) {
        let style = *self.source.pick(&["|", ">"]);
        let chomp = *self.source.pick(&["", "-", "+"]);
        let by = 1 + if self.source.chance(50) { self.source.below(8) } else { self.step - 1 };
        let indicated = self.source.chance(20);
        self.out.push(' ');
        self.out.push_str(style);
        if indicated && self.source.chance(50) {
            self.out.push_str(&format!("{by}{chomp}"));
        } else if indicated {
            self.out.push_str(&format!("{chomp}{by}"));
        } else {
            self.out.push_str(chomp);
        }
        self.line_end();
        let mut begun = false;
        for _ in 0..self.source.below(7) {
            match self.source.below(10) {
                0 | 1 => self.out.push('\n'),
                kind => {
                    self.pad(column + by);
                    if kind > 7 && (begun || indicated) {
                        let more = *self.source.pick(&["  ", " ", "\t", "    "]);
                        self.out.push_str(more);
                    }
                    let text = self.source.pick(&[
                        "text", "two words", "# no comment", "key: value", "- item", "trailing  ", "ünï 🎉", "\"quoted\"",
                        "a rather long line of text that a folding printer would like to break somewhere near its eightieth column",
                        "-----BEGIN THING-----", "1.10",
                    ]);
                    self.out.push_str(text);
                    self.out.push('\n');
                    begun = true;
                }
            }
        }
    }

    /// White space within a flow collection of a node at `column`: at times a new line, with a comment before it.
    fn flow_space(&mut self, column: usize, broken: bool) {
        if !broken {
            return;
        }
        if self.source.chance(15) {
            self.out.push(' ');
            self.comment();
        }
        self.out.push('\n');
        if self.source.chance(8) {
            self.out.push('\n');
        }
        if self.source.chance(8) {
            self.comment_line(column + 2);
        }
        self.pad(column + 2);
    }

    fn flow_end(&mut self, column: usize, broken: bool, close: char) {
        if broken {
            self.out.push('\n');
            // Below the key, as most people write it, though YAML 1.2 wants it deeper.
            let deeper = usize::from(self.source.chance(50));
            self.pad(column + deeper);
        }
        self.out.push(close);
    }

    fn flow_map(&mut self, column: usize, depth: usize) {
        let broken = self.source.chance(25);
        let mut used = HashSet::new();
        self.out.push('{');
        for item in 0..self.source.below(4) {
            if item > 0 {
                self.out.push(',');
                if !broken && !self.source.chance(10) {
                    self.out.push(' ');
                }
            }
            self.flow_space(column, broken);
            self.key(&mut used);
            if self.source.chance(4) {
                continue; // a key alone
            }
            self.out.push_str(": ");
            self.flow_value(column, depth);
        }
        self.flow_end(column, broken, '}');
    }

    fn flow_list(&mut self, column: usize, depth: usize) {
        let broken = self.source.chance(25);
        let count = self.source.below(5);
        self.out.push('[');
        for item in 0..count {
            if item > 0 {
                self.out.push(',');
                if !broken && !self.source.chance(10) {
                    self.out.push(' ');
                }
            }
            self.flow_space(column, broken);
            if self.source.chance(10) {
                // A pair without braces: a map of its own.
                let mark = if self.source.chance(20) { "? " } else { "" };
                self.out.push_str(mark);
                self.key(&mut HashSet::new());
                self.out.push_str(": ");
            }
            self.flow_value(column, depth);
        }
        if count > 0 && self.source.chance(8) {
            self.out.push(',');
        }
        self.flow_end(column, broken, ']');
    }

    fn flow_value(&mut self, column: usize, depth: usize) {
        self.nodes += 1;
        if !self.anchors.is_empty() && self.source.chance(5) {
            let at = self.source.below(self.anchors.len());
            let name = self.anchors[at].name.clone();
            self.out.push_str(&format!("*{name} "));
            return;
        }
        match if depth > 5 { 0 } else { self.source.below(10) } {
            0..8 => self.scalar(column, true),
            8 => self.flow_map(column + 1, depth + 1),
            _ => self.flow_list(column + 1, depth + 1),
        }
    }
}
