//! `set` and `unset`: one value of an encrypted file, changed without an editor.

use super::rules::Rules;
use super::source::{Opened, Source};
use super::unsealed::Unsealed;
use crate::document::{Document, EntryId, KeyPath, Kind as Type, Node, Place, Step};
use crate::error::{Error, Kind, Result};
use crate::format::{Format, change, json::Json};
use crate::key::Keyring;
use crate::secret::SecretBytes;
use crate::sys;
use zeroize::Zeroize;

/// What to change, and where.
pub struct Set {
    /// The file.
    pub source: Source,
    /// Which document of a stream, counted from 0. sops knows the first one alone.
    pub document: usize,
    /// Where in it.
    pub path: KeyPath,
    /// What is to be there, whatever stood there; `None` for nothing.
    pub value: Option<Value>,
    /// Whether a file that is as wanted already is left as it is: the value is there, or what is to be removed is not.
    pub idempotent: bool,
    /// Whether a MAC that does not match is no failure.
    pub ignore_mac: bool,
    /// What a conversion is indented by.
    pub rules: Rules,
}

/// A value that was given as JSON, of any shape. Wiped when dropped.
pub struct Value(Document);

impl Drop for Value {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).into_bytes().zeroize();
    }
}

impl Value {
    const KEY: &str = "{\"value\":\n";

    /// Reads `json`.
    ///
    /// # Errors
    /// When it is not one JSON value ([`Kind::SetFormat`]). Its text is not shown.
    pub fn parse(json: &SecretBytes) -> Result<Self> {
        let value = std::str::from_utf8(json.expose()).map_err(|_| not_json().because("it is not UTF-8"))?;
        let value = value.trim();
        // As the member of an object, since the top of a file is always one.
        let document = Json.index(format!("{}{value}\n}}", Self::KEY)).map_err(|error| {
            let place = error.place().line_column.map(|(line, column)| (line.saturating_sub(1).max(1), column));
            let last = value.lines().last().map_or(0, |line| line.chars().count());
            if place == Some((value.lines().count(), last + 1)) {
                return not_json().because("it ends too early: a quote or bracket is not closed");
            }
            let place = place.map(|(line, column)| format!(" (line {line}, column {column} of the value)"));
            not_json().because(format!("{}{}", error.message(), place.unwrap_or_default()))
        })?;
        let parsed = Value(document);
        // A comma does not make two of it.
        let whole = Self::KEY.len()..Self::KEY.len() + value.len();
        if parsed.0.entry(parsed.node().id).span() == whole { Ok(parsed) } else { Err(not_json()) }
    }

    fn node(&self) -> Node<'_> {
        Node { document: &self.0, id: 1 }
    }

    /// Whether an integer in it is too large for one, so that it becomes a float, as in sops.
    fn has_large_integer(&self) -> bool {
        let text = self.0.text();
        self.0.subtree(self.node().id).any(|id| {
            let entry = self.0.entry(id);
            entry.kind() == Type::Float && !text[entry.span()].contains(['.', 'e', 'E'])
        })
    }
}

fn not_json() -> Error {
    Error::new(Kind::SetFormat, "the value is not valid JSON")
        .hint("a text stands in double quotes, and those in single ones for the shell: '\"text\"'")
}

/// What came out.
pub struct Changed {
    /// What the file is to be.
    pub bytes: Vec<u8>,
    /// Whether that is another file than it was.
    pub is_new: bool,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

/// Makes the change. No other line of the file changes, but those of its time and MAC.
///
/// # Errors
/// When the file cannot be read, opened or verified, the path leads nowhere, or the format cannot hold the value there.
pub fn set(request: &Set, keyring: &Keyring) -> Result<Changed> {
    let source = &request.source;
    if sys::is_stdin(&source.path) {
        return Err(Error::new(Kind::ReadInput, "the standard input cannot be changed")
            .because("it is the file itself that changes")
            .hint("name a file; --output NEW-FILE leaves it as it is and writes the result elsewhere"));
    }
    // A file that is not there has another exit code here than elsewhere.
    let missing = |error: Error| if error.kind() == Kind::NoFile { error.of_kind(Kind::ReadInput) } else { error };
    let opened = source.open().map_err(missing)?;
    // So has a path.
    let wrong = |error: Error| if error.kind() == Kind::TreePath { error.of_kind(Kind::SetFormat) } else { error };
    change_file(request, opened, keyring).map_err(|error| wrong(error).in_file(source.shown()))
}

fn change_file(request: &Set, opened: Opened, keyring: &Keyring) -> Result<Changed> {
    let Opened { bytes, input, output } = opened;
    let before = if request.idempotent { bytes.clone() } else { Vec::new() };
    let mut unsealed = Unsealed::open(bytes, input, keyring, request.ignore_mac)?;
    let mut warnings = std::mem::take(&mut unsealed.warnings);
    let document = input.index_plaintext(unsealed.plaintext().to_vec())?;
    let changed = changed(request, input, &document, &mut warnings);
    document.into_bytes().zeroize();
    let Some(changed) = changed? else { return Ok(Changed { bytes: before, is_new: false, warnings }) };
    let sealed = if input.name() == output.name() {
        unsealed.seal_document(changed)?
    } else {
        let indent = request.rules.indent(request.source.name(), output, &mut warnings);
        let converted = indent.and_then(|indent| {
            unsealed.block_indent = indent;
            output.emit(&changed, indent)
        });
        changed.into_bytes().zeroize();
        unsealed.format = output;
        unsealed.seal(converted?)?
    };
    Ok(Changed { bytes: sealed.into_bytes(), is_new: true, warnings })
}

/// The changed plaintext; `None` when it is as wanted already and that is to count.
fn changed(
    request: &Set,
    format: &dyn Format,
    document: &Document,
    warnings: &mut Vec<String>,
) -> Result<Option<Document>> {
    let root = document.nth_root(request.document)?;
    let path = request.path.steps();
    match &request.value {
        Some(value) => {
            let is_there = |id: EntryId| change::is_same(document, id, value.node());
            if request.idempotent && document.find(root, path).is_ok_and(is_there) {
                return Ok(None);
            }
            warnings.extend(elsewhere(document, root, path));
            if value.has_large_integer() {
                warnings.push(
                    "an integer of the value has more than 64 bits and becomes a float, as in sops: write it in double quotes, or by leafcrypt edit"
                        .to_owned(),
                );
            }
            change::set(format, document, root, path, value.node()).map(Some)
        }
        None => match change::unset(format, document, root, path) {
            Err(error) if request.idempotent && error.kind() == Kind::NoSuchPath => Ok(None),
            changed => changed.map(Some),
        },
    }
}

/// Says where a value comes to stand whose position is further behind the end of a list than the next one. As in sops, it is
/// added at the end.
fn elsewhere(document: &Document, root: EntryId, path: &[Step]) -> Option<String> {
    let (place, rest) = document.place(root, path).ok()?;
    let position = |step: &Step| match step {
        Step::Index(index) => Some(*index),
        Step::Name(name) => name.parse().ok(),
        Step::Key(_) => None,
    };
    let (list, end) = match place {
        Place::Item(list) => (document.path(list), document.children(list).count()),
        _ => (String::new(), 0),
    };
    let asked = match place {
        Place::Item(_) => path.get(path.len() - rest.len() - 1).and_then(position).filter(|&index| index > end),
        _ => None,
    };
    if let Some(index) = asked {
        let list = if list.is_empty() { "the list".to_owned() } else { list };
        let items = if end == 1 { "item" } else { "items" };
        return Some(format!("{list} has {end} {items}, so there is no [{index}]: the value is added as [{end}]"));
    }
    let made = rest.iter().find_map(|step| match step {
        Step::Index(index) if *index > 0 => Some(*index),
        _ => None,
    })?;
    Some(format!("a list is made for the value, and has no [{made}]: the value is its only item, [0]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Value> {
        Value::parse(&SecretBytes::from(json.to_owned()))
    }

    #[test]
    fn any_value_of_json_is_read() {
        for json in [
            "1",
            " -1.5e3\n",
            "\"x\"",
            "null",
            "true",
            "[1, {\"a\": []}]",
            "{}",
            "{\"a\": 1, \"b\": [2]}",
            "\"\\u00fc\"",
        ] {
            assert!(parse(json).is_ok(), "{json}");
        }
    }

    #[test]
    fn integers_that_become_floats_are_known() {
        for (json, is_large) in [
            ("9223372036854775807", false),
            ("18446744073709551615", true),
            ("{\"a\": [-12345678901234567890123]}", true),
            ("1.5e30", false),
            ("\"18446744073709551615\"", false),
        ] {
            assert_eq!(parse(json).unwrap().has_large_integer(), is_large, "{json}");
        }
        let open = parse("\"x").map(drop).unwrap_err();
        assert!(open.notes()[0].contains("ends too early"), "{open}");
    }

    #[test]
    fn what_is_no_value_is_refused_and_not_shown() {
        for json in [
            "",
            "hunter2",
            "\"a\" \"hunter2\"",
            "1, \"b\": 2",
            "1}",
            "{\"a\": 1",
            "1} {",
            "'hunter2'",
            "1}, {\"c\": 1",
            "01",
        ] {
            let error = parse(json).map(drop).expect_err(json);
            assert_eq!(error.exit_code(), 7, "{json}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let error = parse("{\n  \"a\": 1,\n}").map(drop).unwrap_err();
        assert!(error.notes()[0].contains("(line 2, column 9 of the value)"), "{:?}", error.notes());
    }
}
