//! Puts the pieces of a block document on their lines.
//!
//! Owns: lines, columns and indents, as go-yaml v3's emitter sets them with an indent of 4, or as the habits
//! of a document are. Must not know: where the pieces come from.

use crate::document::Kind;
use crate::document::Scalar;
use crate::error::{self, Error, Result};
use crate::format::yaml::edit::habit::Habit;
use crate::format::yaml::scalar::{Context, is_complex_key, write_quoted};

/// A kind of container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Map,
    List,
}

/// Prints a block document piece by piece. After [`Self::key`] or [`Self::item`] comes exactly one of
/// [`Self::scalar`], [`Self::empty`] and [`Self::open`]; each opened container is closed.
pub(super) struct Printer {
    out: Vec<u8>,
    habit: Habit,
    /// The column of the root's keys.
    origin: usize,
    /// The column from which whole steps are counted.
    base: usize,
    levels: Vec<Level>,
    /// What the next node stands behind.
    behind: Behind,
    /// How far the line under way has come; 0 between lines.
    column: usize,
}

struct Level {
    container: Container,
    /// The column of its keys or dashes.
    indent: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// `key:`, the value of a block begins on the next line.
    Key,
    /// The `:` of a key on lines of its own: a block begins on this line.
    Mark,
    /// `-`: likewise, and so does a scalar, as far behind it as the habit is.
    Dash,
}

impl Printer {
    /// Begins with the keys of the root at column `origin`; whole steps are counted from `base`.
    pub(super) fn new(origin: usize, base: usize, habit: Habit) -> Printer {
        Printer { out: Vec::new(), habit, origin, base, levels: Vec::new(), behind: Behind::Nothing, column: 0 }
    }

    /// Separates two documents.
    pub(super) fn document_marker(&mut self) {
        self.write(b"---");
        self.end_line();
    }

    /// A comment on lines of its own, where the next key or item of the open container would stand.
    pub(super) fn comment(&mut self, text: &str) {
        let indent = self.levels.last().map_or(self.origin, |level| level.indent);
        for (at, line) in text.split(['\n', '\r']).enumerate() {
            self.move_to(indent);
            // A comment that was edited into several lines stays one on each of them.
            self.write(if at == 0 || line.starts_with('#') { b"#" } else { b"# " });
            self.write(line.strip_prefix('#').filter(|_| at > 0).unwrap_or(line).as_bytes());
            self.end_line();
        }
    }

    /// Begins an entry of the open map.
    pub(super) fn key(&mut self, key: &str) {
        let indent = self.levels.last().map_or(self.origin, |level| level.indent);
        let complex = is_complex_key(key);
        self.move_to(indent);
        if complex {
            self.write(b"? ");
        }
        let context = Context { is_key: !complex, ..self.context() };
        let key = Scalar { kind: Kind::Str, bytes: key.as_bytes() };
        write_quoted(key, self.habit.key_quotes, context, &mut self.out);
        if complex {
            self.end_line();
            self.move_to(indent);
        }
        self.write(b":");
        self.behind = if complex { Behind::Mark } else { Behind::Key };
    }

    /// Begins an item of the open list.
    pub(super) fn item(&mut self) {
        let indent = self.levels.last().map_or(self.origin, |level| level.indent);
        self.move_to(indent);
        self.write(b"-");
        self.behind = Behind::Dash;
    }

    /// A leaf.
    pub(super) fn scalar(&mut self, scalar: Scalar<'_>) {
        self.space();
        let context = self.context();
        self.habit.write(scalar, context, &mut self.out);
        self.end_line();
    }

    /// A container that holds nothing.
    pub(super) fn empty(&mut self, container: Container) {
        self.space();
        self.write(if container == Container::Map { b"{}" } else { b"[]" });
        self.end_line();
    }

    /// Opens a container that holds something.
    pub(super) fn open(&mut self, container: Container) {
        if self.behind == Behind::Key {
            self.end_line();
        }
        self.behind = Behind::Nothing;
        let indent = if self.levels.is_empty() { self.origin } else { self.content_indent(container) };
        self.levels.push(Level { container, indent });
    }

    /// Closes the innermost open container.
    pub(super) fn close(&mut self) {
        self.levels.pop();
    }

    /// What has been printed.
    ///
    /// # Errors
    /// When a leaf that is no string held bytes that are no text.
    pub(super) fn finish(self) -> Result<String> {
        String::from_utf8(self.out)
            .map_err(|_| Error::new(error::Kind::Format, "a number or a time of the document is not text"))
    }

    /// The column of a container or of lines that are indented below an entry of the open container.
    fn content_indent(&self, kind: Container) -> usize {
        let kind = if kind == Container::Map { Kind::Map } else { Kind::List };
        match self.levels.last() {
            Some(Level { container, indent }) => {
                self.base + self.habit.below(indent - self.base, *container == Container::List, kind)
            }
            None => self.origin + self.habit.step,
        }
    }

    fn context(&self) -> Context {
        let base = self.levels.last().map_or(self.origin, |level| level.indent);
        Context {
            indent: self.content_indent(Container::Map),
            base,
            in_flow: false,
            is_key: false,
            newline: self.habit.newline,
        }
    }

    fn space(&mut self) {
        match self.behind {
            Behind::Nothing => {}
            Behind::Key | Behind::Mark => self.write(b" "),
            Behind::Dash => self.move_to(self.column + self.habit.dash - 1),
        }
        self.behind = Behind::Nothing;
    }

    /// Fills the line up to `column`, from its beginning or from behind a mark.
    fn move_to(&mut self, column: usize) {
        let missing = column.saturating_sub(self.column);
        self.out.resize(self.out.len() + missing, b' ');
        self.column = self.column.max(column);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.column += bytes.len();
    }

    fn end_line(&mut self) {
        self.out.extend_from_slice(self.habit.newline.as_bytes());
        self.column = 0;
    }
}
