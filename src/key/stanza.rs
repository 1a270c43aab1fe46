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

    /// Whether a wrapped copy of the data key is in it.
    #[must_use]
    pub fn is_wrapped(&self) -> bool {
        !self.text(Self::ENC).is_empty()
    }
}
