//! dotenv texts.

use super::Source;

const KEYS: &[&str] = &[
    "A",
    "DB_PASSWORD",
    "API_KEY",
    "data",
    "PORT_unencrypted",
    "export TOKEN",
    "spaced ",
    " indented",
    "name",
    "keys",
    "a.b-c/d",
    "ÜBER",
    "🎉",
    "A",
    "\"quoted\"",
    "with:colon",
    "",
];

const VALUES: &[&str] = &[
    "1",
    "",
    "hunter2",
    "\"in double quotes\"",
    "'in single quotes'",
    " spaced on both sides ",
    "a=b=c",
    "# no comment",
    "value # no comment",
    "line one\\nline two",
    "\\n",
    "a\\\\nb",
    "\\",
    "\t",
    "postgres://user:p%40ss@host:5432/db?sslmode=require",
    "-----BEGIN KEY-----\\nAAAA==\\n-----END KEY-----\\n",
    "{\"json\": [1, \"two\"]}",
    "${OTHER:-default}",
    "é日本語🎉",
    "true",
    "1e3",
    "ENC[no token]",
    "\u{b}\u{c}\u{85}\u{a0}",
    "x\ry",
];

const COMMENTS: &[&str] = &[
    "# a comment",
    "#",
    "#!shebang",
    "## two",
    "# A=1",
    "#\ttab",
    "# é🎉 ",
    "#  the password of the database",
    "#=",
    "# \\n",
];

/// A dotenv text that sops takes.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut source = Source::new(bytes);
    let style = source.below(8);
    // With carriage returns a blank line is not blank to sops.
    let newline = if style == 0 { "\r\n" } else { "\n" };
    let has_blanks = style != 0;
    let mut out = String::new();
    if source.chance(4) {
        out.push('\u{feff}');
        out.push_str("FIRST=1");
        out.push_str(newline);
    }
    while source.has_more() {
        match source.below(10) {
            0 if has_blanks => {}
            0..3 => out.push_str(source.pick::<&str>(COMMENTS)),
            _ => {
                out.push_str(source.pick::<&str>(KEYS));
                out.push('=');
                for _ in 0..=source.below(2) {
                    out.push_str(source.pick::<&str>(VALUES));
                }
            }
        }
        out.push_str(newline);
    }
    if !source.has_more() && bytes.len().is_multiple_of(3) {
        out.truncate(out.trim_end_matches(['\r', '\n']).len());
    }
    out
}
