//! INI texts.

use super::Source;

const SECTIONS: &[&str] = &[
    "server",
    "db.primary",
    "with space",
    "data",
    "DEFAULT",
    "a]b",
    "ünï",
    "server",
    "\"quoted\"",
    " padded ",
    "Keys",
];

const KEYS: &[&str] = &[
    "host",
    "port",
    "password",
    "name",
    "value",
    "API_KEY",
    "token_unencrypted",
    "two words",
    "dotted.key",
    "Host",
    "`a=b`",
    "\"c:d\"",
    "\"\"\"e`f\"\"\"",
    "é🎉",
    "x;y",
    "keys",
];

const VALUES: &[&str] = &[
    "1",
    "",
    "hunter2",
    "\"in double quotes\"",
    "'in single quotes'",
    "\"a\"b\"",
    "\"it's\"",
    "'say \"hi\"'",
    "\"q # z\"",
    "`in ; back # quotes`",
    "`two\nlines`",
    "\"\"\"one line\"\"\"",
    "\"\"\"two\n  lines # here\"\"\"",
    "\"\"\"\"quoted\" inside\"\"\"",
    "`a` and `b`",
    "long \\\n    goes on \\\n\tand on",
    "back\\slash",
    "\" padded \"",
    "postgres://user:p%40ss@host:5432/db",
    "a = b : c",
    "é日本語🎉",
    "%(host)s",
    "100%",
    "\"",
    "''",
    "\"\"",
    "ENC[no token]",
    "-----BEGIN KEY-----\\nAAAA==\\n-----END KEY-----",
    "tab\tinside",
];

const COMMENTS: &[&str] = &[
    "; a comment",
    "# a comment",
    "#no space",
    ";no space",
    "## two",
    ";; two",
    ";# mixed",
    ";  the password of the database  ",
    "# [not a section]",
    "# key = value",
    "# é🎉",
    ";\ttab",
];

/// Of many of these sops panics, so they are rare.
const EMPTY_COMMENTS: &[&str] = &["#", ";", "; \t"];

/// An INI text that sops takes.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut source = Source::new(bytes);
    let newline = if source.chance(12) { "\r\n" } else { "\n" };
    let delimiter = *source.pick(&["=", " = ", ": ", " : ", "= ", "   =  ", "\t=\t", ":"]);
    let indent = *source.pick(&["", "", "", "  ", "\t"]);
    let mut out = String::new();
    if source.chance(4) {
        out.push('\u{feff}');
    }
    while source.has_more() {
        match source.below(16) {
            0 | 1 => {
                out.push('[');
                out.push_str(source.pick::<&str>(SECTIONS));
                out.push(']');
                if source.chance(10) {
                    out.push_str(&format!(" {}", source.pick(&["; inline", "# inline", ";inline"])));
                }
            }
            2..5 => {
                let indent = if source.chance(10) { indent } else { "" };
                let comments = if source.chance(12) { EMPTY_COMMENTS } else { COMMENTS };
                out.push_str(&format!("{indent}{}", source.pick::<&str>(comments)));
            }
            5 => {}
            _ => {
                let value = source.pick(VALUES).replace('\n', newline);
                out.push_str(&format!("{indent}{}{delimiter}{value}", source.pick::<&str>(KEYS)));
                if source.chance(12) {
                    out.push_str(&format!(
                        " {}",
                        source.pick(&["; inline", "# inline #2", ";inline", "#inline", ";", "#"])
                    ));
                }
            }
        }
        out.push_str(newline);
    }
    if !source.has_more() && bytes.len().is_multiple_of(3) {
        out.truncate(out.trim_end_matches(['\r', '\n', '\\']).len());
    }
    out
}
