//! A small tree of values, for data that is read as a whole: the `sops` block, the layout record.

use super::{Document, EntryId, Kind};

/// A value without style, order of map keys kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A string; also what a float or a time is read as, in its canonical text.
    Str(String),
    /// A list.
    List(Vec<Value>),
    /// A map in its order.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The value of `key` in a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(items) => items.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }
}

impl Document {
    /// Reads the subtree at `id` as a [`Value`]. Meant for small subtrees: it is recursive, and gives
    /// `Null` below `depth` 64.
    #[must_use]
    pub fn value(&self, id: EntryId) -> Value {
        self.value_within(id, 64)
    }

    fn value_within(&self, id: EntryId, depth: usize) -> Value {
        if depth == 0 {
            return Value::Null;
        }
        let scalar = self.scalar(id);
        let text = || String::from_utf8_lossy(scalar.bytes).into_owned();
        match scalar.kind {
            Kind::Map => Value::Map(
                self.children(id)
                    .map(|child| (self.key(child).to_owned(), self.value_within(child, depth - 1)))
                    .collect(),
            ),
            Kind::List => Value::List(self.children(id).map(|child| self.value_within(child, depth - 1)).collect()),
            Kind::Null | Kind::Comment => Value::Null,
            Kind::Bool => Value::Bool(scalar.bytes == b"True"),
            Kind::Int => text().parse().map_or_else(|_| Value::Str(text()), Value::Int),
            Kind::Str | Kind::Float | Kind::Time => Value::Str(text()),
        }
    }
}
