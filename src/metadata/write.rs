//! From the typed block to its fields.

use super::{Metadata, Selection};
use crate::document::Value;
use crate::key::{Stanza, registry};
use std::collections::{HashMap, HashSet};

/// The order of the key lists within a key group, which is not the one at the top.
///
/// Source: `keygroup` in `stores/stores.go` of sops 3.11.
const IN_A_GROUP: [&str; 7] = ["pgp", "kms", "gcp_kms", "hckms", "azure_kv", "hc_vault", "age"];

pub(super) fn write(metadata: &Metadata) -> Value {
    let mut fields = Vec::new();
    let text = |text: &str| Value::Str(text.to_owned());
    let mut put = |name: &str, value: Value| fields.push((name.to_owned(), value));

    let group = match &metadata.key_groups[..] {
        [only] => only.as_slice(),
        groups => {
            put("shamir_threshold", Value::Int(metadata.groups_needed() as i64));
            put("key_groups", Value::List(groups.iter().map(|group| Value::Map(lists(group, &IN_A_GROUP))).collect()));
            &[]
        }
    };
    // pgp comes after the MAC: it did so when sops had no other keys than kms and pgp.
    let before_mac: Vec<_> = registry::LISTS.iter().map(|list| list.name).filter(|name| *name != "pgp").collect();
    let others = |stanza: &&Stanza| stanza.list() != "pgp";
    let (other, pgp): (Vec<&Stanza>, Vec<&Stanza>) = group.iter().partition(others);
    for (name, list) in lists(other, &before_mac) {
        put(&name, list);
    }
    put("lastmodified", text(&metadata.last_modified));
    put("mac", text(&metadata.mac));
    for (name, list) in lists(pgp, &["pgp"]) {
        put(&name, list);
    }
    if !matches!(metadata.selection, Selection::Implied) {
        put(metadata.selection.field(), text(metadata.selection.text()));
    }
    if metadata.mac_only_encrypted {
        put("mac_only_encrypted", Value::Bool(true));
    }
    if let Some(layout) = &metadata.layout {
        put("leafcrypt_layout", text(layout));
    }
    put("version", text(&metadata.version));
    fields.extend(metadata.unknown.iter().cloned());
    Value::Map(fields)
}

/// The fields of `before` with the values that they have by now.
pub(super) fn write_after(metadata: &Metadata, before: &Value) -> Value {
    let now = write(metadata);
    let (Value::Map(old), Value::Map(new), Ok(was)) = (before, &now, super::read::read(before)) else { return now };
    let same_keys = was.key_groups == metadata.key_groups && was.groups_needed() == metadata.groups_needed();
    let is_of_keys = |name: &str| {
        registry::list(name).is_some()
            || matches!(name, "key_groups" | "shamir_threshold")
            || metadata.stanzas().any(|stanza| stanza.list() == name)
    };
    let by_name: HashMap<&str, &Value> = new.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let mut fields = Vec::new();
    for (name, value) in old {
        if is_of_keys(name) && same_keys {
            fields.push((name.clone(), value.clone()));
            continue;
        }
        match by_name.get(name.as_str()) {
            Some(now) if says_the_same(value, now) => fields.push((name.clone(), value.clone())),
            Some(&now) => fields.push((name.clone(), now.clone())),
            // Old versions write what there is none of as empty.
            None if is_nothing(value) => fields.push((name.clone(), value.clone())),
            None => {}
        }
    }
    let old: HashSet<&str> = old.iter().map(|(name, _)| name.as_str()).collect();
    fields.extend(
        new.iter().filter(|(name, _)| !(old.contains(name.as_str()) || is_of_keys(name) && same_keys)).cloned(),
    );
    Value::Map(fields)
}

/// Whether two values are one in the block: formats without types have strings alone.
fn says_the_same(one: &Value, other: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Str(text) => Some(text.clone()),
        _ => None,
    };
    one == other || text(one).is_some_and(|one| text(other) == Some(one))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Int(number) => *number == 0,
        Value::Str(text) => text.is_empty() || text == "false" || text == "0",
        Value::List(items) => items.is_empty(),
        Value::Map(fields) => fields.is_empty(),
    }
}

/// The stanzas as key lists: those of `order` first, then what the format does not know. Empty lists
/// are left out.
fn lists<'a>(stanzas: impl IntoIterator<Item = &'a Stanza>, order: &[&str]) -> Vec<(String, Value)> {
    let mut lists: Vec<(String, Vec<Value>)> = order.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
    for stanza in stanzas {
        let item = Value::Map(stanza.fields().to_vec());
        match lists.iter_mut().find(|(name, _)| name == stanza.list()) {
            Some((_, items)) => items.push(item),
            None => lists.push((stanza.list().to_owned(), vec![item])),
        }
    }
    lists.retain(|(_, items)| !items.is_empty());
    lists.into_iter().map(|(name, items)| (name, Value::List(items))).collect()
}
