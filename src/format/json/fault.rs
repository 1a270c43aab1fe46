//! What can be wrong with a JSON text: what each fault is called, and what to do about it.
//!
//! Messages hold keys and single marks, never a piece of a value.

use crate::document::Builder;
use crate::error::{self, Error, Kind, line_column};
use crate::format::{AS_IT_IS, template};

/// A fault and the byte where it is.
pub(super) struct Fault {
    pub(super) error: Error,
    pub(super) at: usize,
}

/// The result of what reads JSON.
pub(super) type Result<T> = error::Result<T, Fault>;

fn fault(at: usize, message: impl Into<String>) -> Fault {
    Fault { error: Error::new(Kind::Format, message), at }
}

impl Fault {
    fn because(mut self, note: impl std::fmt::Display) -> Self {
        self.error = self.error.because(note);
        self
    }

    fn hint(mut self, hint: &str) -> Self {
        self.error = self.error.hint(hint);
        self
    }
}

pub(super) fn top_level(text: &str, at: usize) -> Fault {
    let rest = &text[at..];
    if rest.is_empty() {
        return fault(at, "the file is empty")
            .because("sops' files have an object at the top")
            .hint("write one; the smallest is {}");
    }
    if rest.starts_with('\u{feff}') {
        return fault(at, "the file begins with a byte order mark, which JSON forbids")
            .because("sops could not read the file once it is encrypted")
            .hint("save it as UTF-8 without BOM, or: sed -i '1s/^\\xEF\\xBB\\xBF//' FILE");
    }
    let found = match rest.as_bytes()[0] {
        b'[' => "a list",
        b'"' => "a string",
        b'-' | b'0'..=b'9' => "a number",
        _ if ["true", "false", "null"].iter().any(|word| rest.starts_with(word)) => "a single value",
        _ => return not_json(text, at, "a JSON file begins with {"),
    };
    fault(at, format!("{found} stands at the top"))
        .because("sops' files have an object there")
        .hint(r#"give it a name: {"data": …}"#)
        .hint(AS_IT_IS)
}

pub(super) fn cut_off(builder: &Builder, at: usize) -> Fault {
    let fault = fault(at, "the file ends too early");
    let Some(open) = builder.open_container() else {
        return fault.because("no object is in it").hint("compare it with an older version");
    };
    let entry = builder.so_far().entry(open);
    let (what, mark) = if entry.kind() == crate::document::Kind::Map { ("object", '}') } else { ("list", ']') };
    let (line, column) = line_column(builder.text(), entry.span().start);
    fault
        .because(format!("the {what} that begins at {line}:{column} is not closed with {mark}"))
        .hint("the end of the file may be lost: compare it with an older version; else close what is open")
}

pub(super) fn unclosed_string(at: usize) -> Fault {
    fault(at, "the string that begins here is not closed")
        .because("the file ends before a \" that closes it")
        .hint("write the closing \"; if the end of the file is lost, compare it with an older version")
}

pub(super) fn trailing_comma(at: usize) -> Fault {
    fault(at, "no value follows this comma").because("JSON has no comma behind the last value").hint("remove it")
}

const BRACKETS: &str = "{ is closed by }, and [ by ]";

pub(super) fn no_comma(text: &str, at: usize, in_map: bool) -> Fault {
    let what = if in_map { "object" } else { "list" };
    let wanted = if in_map {
        "a comma or } must follow a value of an object"
    } else {
        "a comma or ] must follow a value of a list"
    };
    match text.as_bytes()[at] {
        b'"' | b'{' | b'[' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n' => {
            fault(at, format!("a comma is missing before this value of the {what}"))
                .because("JSON has one between two values")
                .hint("write it")
        }
        b'}' | b']' => {
            fault(at, wanted).because(BRACKETS).hint("write the other bracket, or close first what is open inside")
        }
        _ => not_json(text, at, wanted),
    }
}

pub(super) fn no_colon(at: usize) -> Fault {
    fault(at, "a colon must follow a key")
        .because("each member of an object is a key and a value")
        .hint(r#"write it as "key": value"#)
}

pub(super) fn no_key(text: &str, at: usize) -> Fault {
    match text.as_bytes()[at] {
        b',' => fault(at, "a comma with nothing before it")
            .because("JSON has commas between two values alone")
            .hint("remove it"),
        b']' => fault(at, "an object is not closed by ]").because(BRACKETS).hint("write } for it"),
        _ => not_json(text, at, "a key must stand here, in double quotes"),
    }
}

pub(super) fn no_value(text: &str, at: usize) -> Fault {
    match text.as_bytes()[at] {
        b',' | b'}' | b']' => fault(at, "a value is missing")
            .because("JSON has a value behind each colon, and commas between two values alone")
            .hint(r#"write null, or "" for an empty string; or remove what is left of it"#),
        b'+' => fault(at, "a number begins with +").because("JSON has no sign but -").hint("leave the + out"),
        b'.' => fault(at, "a number begins with a point")
            .because("JSON has a digit before it")
            .hint("write a 0 before the point"),
        _ => not_json(text, at, "a value must stand here"),
    }
}

pub(super) fn number(text: &str, at: usize, reason: &'static str) -> Fault {
    if text[at..].starts_with("Infinity") {
        return not_json(text, at, "a malformed number");
    }
    fault(at, "a malformed number").because(reason).hint("write it in JSON's form, or as a string in double quotes")
}

pub(super) fn too_large(at: usize) -> Fault {
    fault(at, "the number is larger than a 64-bit float can be")
        .because("sops refuses it as well")
        .hint("write it as a string in double quotes")
}

pub(super) fn too_deep(at: usize) -> Fault {
    fault(at, "more than 10,000 objects and lists stand in each other here")
        .because("sops refuses it as well")
        .hint(AS_IT_IS)
}

pub(super) fn control_character(byte: u8, at: usize) -> Fault {
    let (what, escape) = match byte {
        b'\n' | b'\r' => ("a line break".to_owned(), r"a string ends on its line; write \n for a line break in it"),
        b'\t' => ("a tab".to_owned(), r"write \t"),
        _ => (format!("the control character U+{byte:04X}"), r"write it as \u and four hexadecimal digits"),
    };
    fault(at, format!("{what} stands in a string")).because("JSON has it there as an escape alone").hint(escape)
}

pub(super) fn bad_escape(at: usize) -> Fault {
    fault(at, "an escape that JSON does not have")
        .because(r#"there are \" \\ \/ \b \f \n \r \t and \u with four hexadecimal digits"#)
        .hint(r"write a backslash itself as \\")
}

pub(super) fn lone_surrogate(at: usize) -> Fault {
    fault(at, "half of a surrogate pair, which is no character")
        .because("sops would replace it by U+FFFD")
        .hint(r"a character beyond U+FFFF is written as two escapes, \ud83d\ude00, or as itself")
}

pub(super) fn duplicate_key(text: &str, at: usize, first: usize, key: &str) -> Fault {
    let (line, column) = line_column(text, first);
    fault(at, format!("the key {key:?} stands twice in one object"))
        .because(format!("it stands first at {line}:{column}"))
        .hint("remove or rename one of them: most programs read the last one alone")
}

pub(super) fn shadows_metadata(at: usize) -> Fault {
    fault(at, "sops takes this key for its own \"sops\" and could not decrypt the file")
        .because("it does not tell upper from lower case there")
        .hint("rename the key, or put it into an object with another name")
}

pub(super) fn text_after_the_end(text: &str, at: usize) -> Fault {
    match text.as_bytes()[at] {
        b'{' | b'[' => fault(at, "a second value follows the first")
            .because("sops would drop it in silence")
            .hint("a JSON file holds one object; of JSON lines, encrypt each as a file of its own"),
        b'}' | b']' => fault(at, "a bracket is closed that was not opened")
            .because("the object that the file is ends before it")
            .hint("remove it, or look for an extra one before"),
        _ => {
            let fault = not_json(text, at, "text follows the end of the object");
            Fault { error: fault.error.because("sops would drop it in silence"), at }
        }
    }
}

/// For text that is of some other language: says which, if it shows.
fn not_json(text: &str, at: usize, wanted: &str) -> Fault {
    let rest = &text[at..];
    let is = |words: &[&str]| words.iter().any(|word| rest.starts_with(word));
    if is(&["//", "/*", "#"]) {
        return fault(at, "a comment stands here")
            .because("JSON has no comments")
            .hint("remove it, or keep the file as YAML: nearly all JSON is YAML, and comments stay there");
    }
    let fault = fault(at, wanted);
    if let Some(template) = template::around(text, at) {
        return Fault { error: template.explain(fault.error, "JSON"), at };
    }
    let (reason, hint) = if is(&["'"]) {
        ("JSON has no single quotes", "write double quotes")
    } else if is(&["NaN", "Infinity", "nan", "inf"]) {
        ("JSON has no infinity and no NaN", "write null, or a string")
    } else if is(&["True", "False", "None"]) {
        ("JSON has true, false and null, in lower case", "write it so")
    } else if is(&["\u{a0}", "\u{2028}", "\u{2029}", "\u{feff}", "\u{b}", "\u{c}"]) {
        ("an invisible character stands here, which is no white space of JSON", "remove it, or write a space")
    } else if is(&["---"]) || wanted.contains("begins with {") {
        ("this is of another format", "name it with --input-type, such as --input-type yaml")
    } else if wanted.contains("a key") {
        ("JSON has no keys without double quotes", r#"put the key in them: "key": value"#)
    } else if wanted.contains("end of the object") {
        ("a JSON file is one object", "remove the text behind it")
    } else {
        (
            "JSON has strings in double quotes, numbers, true, false, null, objects and lists",
            "put a string in double quotes; look whether one before is closed too early",
        )
    };
    fault.because(reason).hint(hint)
}
