//! A small tree of values, for data that is read as a whole: the `sops` block, the layout record.

use super::{Builder, Document, EntryId, Flags, Kind, Style, Text};

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

impl Value {
    /// A document of this value alone, to be written in any format. Recursive, as such values are small.
    #[must_use]
    pub fn to_document(&self) -> Document {
        let mut builder = Builder::default();
        self.add_to(&mut builder, None);
        builder.finish()
    }

    fn add_to(&self, builder: &mut Builder, key: Option<Text>) {
        let (kind, text) = match self {
            Value::Null => (Kind::Null, String::new()),
            Value::Bool(true) => (Kind::Bool, "True".to_owned()),
            Value::Bool(false) => (Kind::Bool, "False".to_owned()),
            Value::Int(number) => (Kind::Int, number.to_string()),
            Value::Str(text) => (Kind::Str, text.clone()),
            Value::List(items) => {
                builder.open(Kind::List, 0, key, Style::Flow, Flags::NONE);
                items.iter().for_each(|item| item.add_to(builder, None));
                return builder.close(0);
            }
            Value::Map(items) => {
                builder.open(Kind::Map, 0, key, Style::Flow, Flags::NONE);
                for (name, item) in items {
                    let name = builder.intern(name.as_bytes());
                    item.add_to(builder, Some(name));
                }
                return builder.close(0);
            }
        };
        let text = builder.intern(text.as_bytes());
        builder.leaf(kind, 0..0, key, text, Style::Plain, Flags::NONE);
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
