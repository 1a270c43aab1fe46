//! JSON texts.

use super::Source;

const STRINGS: &[&str] = &[
    r#""a""#,
    r#""""#,
    r#""with space""#,
    r#""\u00e9\u00FC""#,
    r#""é日本語🎉""#,
    r#""\ud83c\udf89""#,
    r#""\n\t\r\b\f\/\\\"""#,
    r#""a/b""#,
    r#""<b>&amp;</b>""#,
    r#""\u003cb\u003e""#,
    r#""line\u2028sep""#,
    r#""true""#,
    r#""1.0""#,
    r#""2001-12-14""#,
    r#""-----BEGIN THING-----\nAAAA\n-----END THING-----\n""#,
    r#""{\"inner\": [1]}""#,
    r#""\u0000""#,
    r##""# no comment""##,
    "\"\u{7f}\"",
];

const OTHERS: &[&str] = &[
    "1",
    "0",
    "-1",
    "-0",
    "true",
    "false",
    "null",
    "1.0",
    "1.10",
    "1e3",
    "1E+3",
    "2.5e-7",
    "-0.0",
    "1e21",
    "1e-9",
    "123456789",
    "9007199254740993",
    "9223372036854775807",
    "0.1",
    "100000000000000000000",
    "3.0e0",
    "12.340",
];

/// A JSON text: always an object at the top, as sops wants it.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut source = Source::new(bytes);
    let style = source.below(4);
    let mut json = Json { unit: ["  ", "", "    ", "\t"][style], wild: source.chance(25), source, out: String::new() };
    json.space(0);
    json.object(1);
    json.space(0);
    let mut out = json.out;
    if json.source.chance(70) {
        out.push('\n');
    }
    if json.source.chance(10) {
        out = out.replace('\n', "\r\n");
    }
    out
}

struct Json<'a> {
    source: Source<'a>,
    out: String,
    /// What one level is indented by; empty: all on one line.
    unit: &'static str,
    /// Whether white space stands where no printer puts it.
    wild: bool,
}

impl Json<'_> {
    /// White space that no printer would write, at times.
    fn space(&mut self, _depth: usize) {
        if self.wild && self.source.chance(40) {
            let space = self.source.pick(&[" ", "  ", "\n", "\t", "\n\n  "]);
            self.out.push_str(space);
        }
    }

    fn line(&mut self, depth: usize) {
        if !self.unit.is_empty() {
            self.out.push('\n');
            self.out.push_str(&self.unit.repeat(depth));
        }
        self.space(depth);
    }

    fn object(&mut self, depth: usize) {
        let count = self.source.below(6);
        self.out.push('{');
        for item in 0..count {
            if item > 0 {
                self.space(depth);
                self.out.push(',');
            }
            self.line(depth);
            self.key(item);
            self.space(depth);
            self.out.push(':');
            if !self.unit.is_empty() {
                self.out.push(' ');
            }
            self.space(depth);
            self.value(depth);
        }
        if count > 0 {
            self.line(depth - 1);
        } else {
            self.space(depth);
        }
        self.out.push('}');
    }

    fn key(&mut self, item: usize) {
        let name = *self.source.pick(&[
            "key",
            "data",
            "value",
            "password",
            "a.b",
            "x y",
            "schlüssel",
            "\\u006bey",
            "a\\\"b",
            "k_unencrypted",
            "1",
        ]);
        // A number keeps the keys of an object apart.
        self.out.push_str(&if item == 0 { format!("\"{name}\"") } else { format!("\"{name}{item}\"") });
    }

    fn value(&mut self, depth: usize) {
        let kind = if depth > 6 || !self.source.has_more() { 0 } else { self.source.below(10) };
        match kind {
            0..4 => {
                let text = self.source.pick(STRINGS);
                self.out.push_str(text);
            }
            4..7 => {
                let text = if self.source.chance(15) { &self.source.float() } else { *self.source.pick(OTHERS) };
                self.out.push_str(text);
            }
            7 | 8 => self.object(depth + 1),
            _ => self.list(depth + 1),
        }
    }

    fn list(&mut self, depth: usize) {
        let count = self.source.below(5);
        self.out.push('[');
        for item in 0..count {
            if item > 0 {
                self.out.push(',');
            }
            self.line(depth);
            self.value(depth);
        }
        if count > 0 {
            self.line(depth - 1);
        } else {
            self.space(depth);
        }
        self.out.push(']');
    }
}
