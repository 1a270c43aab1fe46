//! Changing single fields of the metadata where it stands.
//!
//! The block is small and the document may be large, so the block is looked at as a document of its own: its
//! fields are set and removed there as any value would be.

use super::{Format, flatten};
use crate::document::{Document, Node, Splice, Step, Value};
use crate::error::{self, Error, Result};
use crate::format;
use std::collections::BTreeMap;
use std::ops::Range;

/// More items of a list than this come and go with the whole list.
const FEW: usize = 16;

/// The splice that makes the metadata at `range` of `document`, with its key, say `metadata`. `around` is what makes
/// a document of it.
///
/// # Errors
/// When the block would say something else then.
pub(super) fn change(
    format: &dyn Format,
    document: &Document,
    range: Range<usize>,
    around: [&str; 2],
    metadata: &Value,
) -> Result<Splice> {
    let mut block = format.index([around[0], &document.text()[range.clone()], around[1]].concat())?;
    let before = format.metadata(&block).ok_or_else(not_possible)?;
    let mut changes = Changes::default();
    changes.compare(&before, metadata, &mut vec![Step::Key(super::METADATA_KEY.to_owned())]);
    // Values in the place of others are far apart, and can all change at once.
    let mut splices = Vec::new();
    for (path, value) in &changes.replaced {
        let root = *block.roots().first().ok_or_else(not_possible)?;
        let (place, _) = block.place(root, path)?;
        splices.extend(format.put(&block, &place, Node::root(&value.to_document()))?);
    }
    splices.sort_by_key(|(range, _)| range.start);
    block = format.index_plaintext(block.spliced(&splices))?;
    for (path, value) in &changes.others {
        let root = *block.roots().first().ok_or_else(not_possible)?;
        let splices = match value {
            Some(value) => {
                let (place, rest) = block.place(root, path)?;
                let made = value.to_document();
                format.put(&block, &place, Node::root(&Node::root(&made).within(rest)))?
            }
            None => format.remove(&block, block.find(root, path)?)?,
        };
        block = format.index_plaintext(block.spliced(&splices))?;
    }
    if format.metadata(&block).is_none_or(|now| !is_same(&now, metadata)) {
        return Err(not_possible());
    }
    let text = block.into_text();
    Ok((range, text[around[0].len()..text.len() - around[1].len()].to_owned()))
}

/// As [`change`], for metadata flattened into lines, whose texts are `texts`. `path` says where the field of a flattened name
/// stands.
///
/// # Errors
/// Those of [`change`].
pub(super) fn change_flat(
    format: &dyn Format,
    document: &Document,
    range: Range<usize>,
    metadata: &Value,
    path: fn(&str) -> Vec<Step>,
    text: fn(String) -> String,
) -> Result<Splice> {
    let mut block = format.index(document.text()[range.clone()].to_owned())?;
    let before: BTreeMap<_, _> =
        flatten::flatten(&format.metadata(&block).ok_or_else(not_possible)?).into_iter().collect();
    let after = flatten::flatten(metadata);
    let splices = |block: &Document, path: &[Step], value: Option<String>| {
        let root = *block.roots().first().ok_or_else(not_possible)?;
        match value {
            Some(value) => {
                let (place, rest) = block.place(root, path)?;
                let value = Value::Str(value).to_document();
                format.put(block, &place, Node::root(&Node::root(&value).within(rest)))
            }
            None => format.remove(block, block.find(root, path)?),
        }
    };
    for (name, value) in &after {
        if before.get(name) != Some(value) {
            let splices = splices(&block, &path(name), Some(text(value.clone())))?;
            block = format.index(format::into_text(block.spliced(&splices))?)?;
        }
    }
    for name in before.keys().filter(|&name| after.iter().all(|(other, _)| other != name)) {
        let splices = splices(&block, &path(name), None)?;
        block = format.index(format::into_text(block.spliced(&splices))?)?;
    }
    if format.metadata(&block).is_none_or(|now| flatten::flatten(&now) != after) {
        return Err(not_possible());
    }
    Ok((range, block.into_text()))
}

fn not_possible() -> Error {
    Error::new(error::Kind::Generic, "the sops block of this file cannot be changed where it stands")
}

/// Whether both say the same; the order of fields says nothing.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Map(fields), Value::Map(others)) => {
            fields.len() == others.len()
                && fields.iter().all(|(name, value)| other.get(name).is_some_and(|other| is_same(value, other)))
        }
        (Value::List(items), Value::List(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(one, other)| is_same(one, other))
        }
        _ => one == other,
    }
}

/// What is to change, by path.
#[derive(Default)]
struct Changes {
    /// Other values in the same places.
    replaced: Vec<(Vec<Step>, Value)>,
    /// What comes, and what goes, in this order.
    others: Vec<(Vec<Step>, Option<Value>)>,
}

impl Changes {
    /// Recursive, as metadata is four levels deep.
    fn compare(&mut self, before: &Value, after: &Value, path: &mut Vec<Step>) {
        match (before, after) {
            _ if before == after => {}
            (Value::Map(fields), Value::Map(new)) if !fields.is_empty() && !new.is_empty() => {
                for (name, value) in new {
                    path.push(Step::Key(name.clone()));
                    match before.get(name) {
                        Some(old) => self.compare(old, value, path),
                        None => self.others.push((path.clone(), Some(value.clone()))),
                    }
                    path.pop();
                }
                for (name, _) in fields.iter().filter(|(name, _)| after.get(name).is_none()) {
                    path.push(Step::Key(name.clone()));
                    self.others.push((path.clone(), None));
                    path.pop();
                }
            }
            (Value::List(items), Value::List(new)) if !items.is_empty() && !new.is_empty() => {
                self.compare_lists(items, new, path);
            }
            _ => self.replaced.push((path.clone(), after.clone())),
        }
    }

    /// Items keep their order; new ones come last. Where that does not do, the whole list is another.
    fn compare_lists(&mut self, items: &[Value], new: &[Value], path: &mut Vec<Step>) {
        if path.last() == Some(&Step::Key("key_groups".to_owned())) && items.len() == new.len() {
            // The same groups with other recipients.
            for (at, (item, other)) in items.iter().zip(new).enumerate() {
                path.push(Step::Index(at));
                self.compare(item, other, path);
                path.pop();
            }
            return;
        }
        let mut pairs = Vec::new();
        let mut gone = Vec::new();
        let mut next = 0;
        for (at, item) in items.iter().enumerate() {
            match new.get(next) {
                Some(other) if is_alike(item, other) => {
                    pairs.push((at, next));
                    next += 1;
                }
                _ => gone.push(at),
            }
        }
        let is_known = |item: &Value| gone.iter().any(|&at| is_alike(&items[at], item));
        if gone.len() + new.len() - next > FEW || new[next..].iter().any(is_known) || pairs.is_empty() {
            self.replaced.push((path.clone(), Value::List(new.to_vec())));
            return;
        }
        let mut step = |changes: &mut Self, at: usize, then: &mut dyn FnMut(&mut Self, &mut Vec<Step>)| {
            path.push(Step::Index(at));
            then(changes, path);
            path.pop();
        };
        for (at, twin) in pairs {
            step(self, at, &mut |changes, path| changes.compare(&items[at], &new[twin], path));
        }
        for &at in gone.iter().rev() {
            step(self, at, &mut |changes, path| changes.others.push((path.clone(), None)));
        }
        for item in &new[next..] {
            step(self, usize::MAX, &mut |changes, path| changes.others.push((path.clone(), Some(item.clone()))));
        }
    }
}

/// Whether two items of a list are of the same recipient: all but the wrapped key and its date is equal.
fn is_alike(one: &Value, other: &Value) -> bool {
    let (Value::Map(fields), Value::Map(others)) = (one, other) else { return one == other };
    let names = |name: &str| !matches!(name, "enc" | "created_at");
    let known = |fields: &[(String, Value)]| fields.iter().filter(|(name, _)| names(name)).count();
    known(fields) == known(others)
        && fields.iter().filter(|(name, _)| names(name)).all(|(name, value)| other.get(name) == Some(value))
}
