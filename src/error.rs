//! The error type of every room.
//!
//! Owns: what went wrong, where, why, what to do about it, and which exit code it is worth.
//! Must not know: how an error is printed (that is `cli`'s), nor anything of a format or a back end.
//!
//! No message, note or hint may hold a plaintext value or key material. A source line shown beside a
//! parse error goes through [`Snippet`], which masks what could be a value.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// The result of nearly everything in leafcrypt.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure this is. The kind alone decides the exit code, so that scripts written for
/// sops keep working (source: `cmd/sops/codes` of sops 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Anything without a code of its own: 1.
    Generic,
    /// The input could not be read: 2.
    ReadInput,
    /// The output could not be written: 3.
    WriteOutput,
    /// The input could not be parsed, or a tree could not be written in the wanted format: 4.
    Format,
    /// `.sops.yaml` could not be read or is wrong: 5.
    Config,
    /// An encryption context that is not of its form: 6.
    EncryptionContext,
    /// Arguments that exclude each other: 8.
    ConflictingArguments,
    /// A value to set that is no JSON: 7.
    SetFormat,
    /// The tree could not be encrypted: 23.
    EncryptTree,
    /// The MAC could not be decrypted: 24.
    DecryptMac,
    /// A leaf could not be decrypted: 25.
    DecryptTree,
    /// Keys of a file that does not exist were to be changed: 49.
    NoFileToRekey,
    /// The MAC does not match the values: 51.
    MacMismatch,
    /// The file has no MAC: 52.
    MacMissing,
    /// No `.sops.yaml`, or none of its rules matches: 61.
    ConfigMissing,
    /// The user interrupted: 85.
    Interrupted,
    /// A key path that cannot be understood: 91.
    TreePath,
    /// A key path that leads nowhere: 1.
    NoSuchPath,
    /// The input holds no document: 92.
    NoDocument,
    /// No file was named: 100.
    NoFile,
    /// No recipient to encrypt for: 111.
    NoRecipient,
    /// A decryption order that names a kind of key twice: 112.
    DuplicateKeyType,
    /// The command to run could not be started: 126, as in shells.
    NotRunnable,
    /// The command to run was not found: 127, as in shells.
    NoCommand,
    /// No identity could open the data key: 128.
    NoDataKey,
    /// There is no editor, or it failed: 201.
    NoEditor,
    /// The file is encrypted already: 203.
    AlreadyEncrypted,
}

impl Kind {
    /// The process exit code, equal to sops'.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Generic | Kind::NoSuchPath => 1,
            Kind::ReadInput => 2,
            Kind::WriteOutput => 3,
            Kind::Format => 4,
            Kind::Config => 5,
            Kind::EncryptionContext => 6,
            Kind::ConflictingArguments => 8,
            Kind::SetFormat => 7,
            Kind::EncryptTree => 23,
            Kind::DecryptMac => 24,
            Kind::DecryptTree => 25,
            Kind::NoFileToRekey => 49,
            Kind::MacMismatch => 51,
            Kind::MacMissing => 52,
            Kind::ConfigMissing => 61,
            Kind::Interrupted => 85,
            Kind::TreePath => 91,
            Kind::NoDocument => 92,
            Kind::NoFile => 100,
            Kind::NoRecipient => 111,
            Kind::DuplicateKeyType => 112,
            Kind::NotRunnable => 126,
            Kind::NoCommand => 127,
            Kind::NoDataKey => 128,
            Kind::NoEditor => 201,
            Kind::AlreadyEncrypted => 203,
        }
    }
}

/// A failure: what, where, why and what to do.
///
/// ```
/// use leafcrypt::error::{Error, Kind};
/// let error = Error::new(Kind::NoRecipient, "there is no recipient to encrypt for")
///     .in_file("secrets.yaml")
///     .hint("name one with --age, or write a creation rule: leafcrypt init");
/// assert_eq!(error.exit_code(), 111);
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    place: Place,
    notes: Vec<String>,
    hints: Vec<String>,
}

/// Where in the user's files an error stands. Every part is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it.
    pub file: Option<String>,
    /// Line and column, both from 1; the column counts characters.
    pub line_column: Option<(usize, usize)>,
    /// The key path of the leaf, `spec.env[0].value`.
    pub key_path: Option<String>,
    /// The source line with its caret, values masked.
    pub snippet: Option<Snippet>,
}

/// One source line for an error message, with everything that could be a value masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    line: String,
    caret: usize,
}

impl Snippet {
    /// Shows `line` with a caret below character `column` (from 1).
    ///
    /// All outside of what looks like a map key becomes `*`, but blanks and a mark of punctuation above the caret, so that a
    /// plaintext document can be quoted in an error without showing its secrets.
    #[must_use]
    pub fn new(line: &str, column: usize) -> Self {
        // A window around the caret: minified JSON is one line of megabytes. What stands before it
        // is looked at a little further, so that a key at its edge is known as one.
        const BEFORE: usize = 60;
        const AFTER: usize = 40;
        const CONTEXT: usize = 200;
        let caret = column.saturating_sub(1);
        let skip = caret.saturating_sub(BEFORE);
        let context = skip.min(CONTEXT);
        let line = line.trim_end_matches(['\r', '\n']);
        let window: Vec<char> = line.chars().skip(skip - context).take(context + BEFORE + AFTER).collect();
        let shown = mask(&window, caret - (skip - context));
        let shown = shown.chars().skip(context).map(|c| if c == '\t' { ' ' } else { c }).collect();
        Snippet { line: shown, caret: caret - skip }
    }

    /// The masked line.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// How many characters stand before the caret.
    #[must_use]
    pub fn caret(&self) -> usize {
        self.caret
    }
}

/// Masks all but blanks, the mark at `caret` and map keys: a word (quoted or not) directly before a `:`, with what stands before
/// it.
fn mask(chars: &[char], caret: usize) -> String {
    let mut visible = vec![false; chars.len()];
    for (at, &c) in chars.iter().enumerate() {
        let ends_key = c == ':' && chars.get(at + 1).is_none_or(|n| n.is_whitespace() || *n == '"');
        if !ends_key {
            continue;
        }
        let mut start = at;
        if start > 0 && matches!(chars[start - 1], '"' | '\'') {
            let quote = chars[start - 1];
            start -= 1;
            while start > 0 && chars[start - 1] != quote {
                start -= 1;
            }
        } else {
            while start > 0 && (chars[start - 1].is_alphanumeric() || "-_./".contains(chars[start - 1])) {
                start -= 1;
            }
        }
        // Only a key at the start of the line or after an opening mark: `pass: a: b` shows `pass` alone.
        let is_around = |c: &char| matches!(c, '"' | '\'') || c.is_whitespace();
        let before = chars[..start].iter().rposition(|c| !is_around(c));
        if before.is_none_or(|before| matches!(chars[before], '{' | ',' | '-' | '?' | '[')) {
            visible[before.unwrap_or(0)..=at].fill(true);
        }
    }
    let is_shown = |at: usize, c: char| visible[at] || c.is_whitespace() || at == caret && c.is_ascii_punctuation();
    chars.iter().enumerate().map(|(at, &c)| if is_shown(at, c) { c } else { '*' }).collect()
}

impl Error {
    /// A new error. `message` says what failed in one line, without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            place: Place::default(),
            notes: Vec::new(),
            hints: Vec::new(),
        }))
    }

    /// Says in which file, if that is not known yet.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.0.place.file.get_or_insert_with(|| file.into());
        self
    }

    /// Says at which byte of `text`: line, column and a masked snippet follow from it.
    #[must_use]
    pub fn at(mut self, text: &str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let (line, column) = line_column(text, offset);
        let start = text[..offset].rfind('\n').map_or(0, |n| n + 1);
        let end = text[offset..].find('\n').map_or(text.len(), |n| offset + n);
        self.0.place.line_column = Some((line, column));
        self.0.place.snippet = Some(Snippet::new(&text[start..end], column));
        self
    }

    /// Says at which place, in whole.
    #[must_use]
    pub fn in_place(mut self, place: Place) -> Self {
        self.0.place = place;
        self
    }

    /// Says at which key path; the empty one, of the whole document, says nothing.
    #[must_use]
    pub fn at_path(mut self, path: impl Into<String>) -> Self {
        self.0.place.key_path = Some(path.into()).filter(|path| !path.is_empty());
        self
    }

    /// Adds a reason or a detail, one line each.
    #[must_use]
    pub fn because(mut self, note: impl fmt::Display) -> Self {
        self.0.notes.push(note.to_string());
        self
    }

    /// Adds what the user can do, a command to type where there is one. The word `FILE` in it is the file that the error
    /// is about; other files have longer names. What was said already is not said again.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.0.hints.contains(&hint) {
            self.0.hints.push(hint);
        }
        self
    }

    /// The same failure, which counts as another kind to the command that it stops.
    #[must_use]
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The exit code of [`Self::kind`].
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.0.kind.exit_code()
    }

    /// What failed.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// Why, most general first.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// What to do.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// What to do, as it can be typed: with the file that the error is about, if there is one of that name, in the place of
    /// the word `FILE`.
    pub fn typed_hints(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.hints.iter().map(|hint| with_file(hint, self.0.place.file.as_deref()))
    }
}

/// `hint` with `file` in the place of the word `FILE`.
fn with_file<'a>(hint: &'a str, file: Option<&str>) -> Cow<'a, str> {
    match file.filter(|file| hint.contains("FILE") && Path::new(file).is_file()) {
        Some(file) => {
            let named = |word: &str| match word.strip_prefix("FILE") {
                Some(mark @ ("" | "," | ";" | ":")) => format!("{}{mark}", shell_words::quote(file)),
                _ => word.to_owned(),
            };
            hint.split(' ').map(named).collect::<Vec<_>>().join(" ").into()
        }
        None => hint.into(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.0.place.file {
            write!(f, "{file}: ")?;
        }
        if let Some((line, column)) = self.0.place.line_column {
            write!(f, "{line}:{column}: ")?;
        }
        f.write_str(&self.0.message)?;
        for note in &self.0.notes {
            write!(f, "; {note}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Which of the `known` names is meant by `name`, if it looks like one: for "did you mean".
#[must_use]
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    /// How alike two names must be, from 0 to 1.
    const ALIKE: f64 = 0.85;
    let alike = known.iter().map(|known| (strsim::jaro_winkler(name, known), *known));
    alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// Whether a character, in the name of a file or a key, is a command to a terminal, breaks a line, or turns the direction
/// of what is behind it.
#[must_use]
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Line and column of a byte offset, both from 1; the column counts characters.
#[must_use]
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    (line, before[start..].trim_start_matches('\u{feff}').chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_shows_keys_and_masks_values() {
        let cases = [
            ("password: hunter2", "password: *******"),
            ("  - name: a b", "  - name: * *"),
            (r#"{"user": "root", "pass": "x1"}"#, r#"{"user": ******, "pass": *****"#),
            (r##"pin: "!#$%" 1"##, "pin: ****** *"),
            ("!#$%", "!***"),
            ("  some literal text", "  **** ******* ****"),
            ("url: http://a:b@c", "url: ************"),
            ("pass: a: b", "pass: ** *"),
        ];
        for (line, shown) in cases {
            assert_eq!(Snippet::new(line, 1).line(), shown);
        }
    }

    #[test]
    fn a_snippet_of_a_long_line_is_a_window_around_the_caret() {
        let line = format!("{}!{}", "a".repeat(1_000_000), "b".repeat(1_000_000));
        let snippet = Snippet::new(&line, 1_000_001);
        assert_eq!(snippet.line().chars().count(), 100);
        assert_eq!(snippet.line().chars().nth(snippet.caret()), Some('!'));
    }

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let error = Error::new(Kind::Format, "x").at("a: 1\nü: [\n", 8);
        assert_eq!(error.place().line_column, Some((2, 3)));
    }
}
