//! One recipient of a file, and its wrapped copy of the data key.

use super::registry;
use crate::document::Value;

/// One entry of a key list in the `sops` block: who may open the data key, and the copy wrapped for
/// them.
///
/// It is kept as it was read, field by field: also that of a back end that this build does not have,
/// which is written back unchanged. Before the data key was wrapped it is a bare recipient, without
/// the field `enc`. It holds nothing secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Stanza {
    list: String,
    fields: Vec<(String, Value)>,
}

impl Stanza {
    /// The field with the wrapped copy, the same for every back end.
    pub const ENC: &str = "enc";

    /// A stanza of the metadata list `list`.
    #[must_use]
    pub fn new(list: impl Into<String>, fields: Vec<(String, Value)>) -> Self {
        Stanza { list: list.into(), fields }
    }

    /// The metadata list it stands in, which is the name of its back end.
    #[must_use]
    pub fn list(&self) -> &str {
        &self.list
    }

    /// The fields, in their order.
    #[must_use]
    pub fn fields(&self) -> &[(String, Value)] {
        &self.fields
    }

    /// The text of a field; empty when it is missing or no text.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.fields.iter().find(|(name, _)| name == field).and_then(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Sets a field, in its old place or at the end.
    pub fn set(&mut self, field: &str, value: Value) {
        match self.fields.iter_mut().find(|(name, _)| name == field) {
            Some((_, old)) => *old = value,
            None => self.fields.push((field.to_owned(), value)),
        }
    }

    /// The name of the recipient for people: an age public key, a fingerprint, an ARN.
    #[must_use]
    pub fn recipient(&self) -> &str {
        let field = registry::list(&self.list).map(|list| list.names_key);
        match field.map(|field| self.text(field)) {
            Some(name) if !name.is_empty() => name,
            _ => "(unnamed)",
        }
    }

    /// What it is called in a message: its list and its recipient. The text comes from a file that
    /// anyone may have written, so control characters are escaped and a long name is cut.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", printable(&self.list), printable(self.recipient()))
    }

    /// Whether a wrapped copy of the data key is in it.
    #[must_use]
    pub fn is_wrapped(&self) -> bool {
        !self.text(Self::ENC).is_empty()
    }
}

/// `text` as it can be shown on a terminal.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == LONGEST {
            shown.push('…');
            break;
        }
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_steer_a_terminal() {
        let of = |name: &str| Stanza::new("age", vec![("recipient".to_owned(), Value::Str(name.to_owned()))]).title();
        assert_eq!(of("age1x"), "age age1x");
        assert_eq!(of("\u{1b}[2J\n"), "age \\u{1b}[2J\\n");
        assert!(of(&"x".repeat(10_000)).chars().count() < 300);
        assert_eq!(of(""), "age (unnamed)");
    }
}
