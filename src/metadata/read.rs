//! From the fields of the block to the typed one.

use super::{Metadata, Selection};
use crate::crypto::shamir;
use crate::document::Value;
use crate::error::{Error, Kind, Result};
use crate::key::{Stanza, registry};

pub(super) fn read(block: &Value) -> Result<Metadata> {
    let Value::Map(fields) = block else {
        return Err(invalid("it is no map"));
    };
    let mut metadata = Metadata::new(Vec::new(), 0, Selection::Implied, false);
    let mut top = Vec::new();
    let mut selections = Vec::new();
    let (mut last_modified, mut version) = (None, None);

    for (name, value) in fields {
        if registry::list(name).is_some() {
            read_list(name, name, value, &mut top)?;
        } else if let Some((_, make)) = Selection::SELECTORS.iter().find(|(field, _)| field == name) {
            let text = read_text(name, value)?;
            // Old versions write the ones that are not used as empty strings.
            selections.extend((!text.is_empty()).then(|| make(text)));
        } else {
            match name.as_str() {
                "shamir_threshold" => metadata.shamir_threshold = read_count(name, value)?,
                "key_groups" => metadata.key_groups = read_groups(value)?,
                "lastmodified" => last_modified = Some(read_text(name, value)?),
                "mac" => metadata.mac = read_text(name, value)?,
                "mac_only_encrypted" => metadata.mac_only_encrypted = read_bool(name, value)?,
                "version" => version = Some(read_text(name, value)?),
                // Of spelling alone, so whatever else stands there is no reason not to read the file.
                "leafcrypt_layout" => {
                    metadata.layout = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
                }
                _ => metadata.unknown.push((name.clone(), value.clone())),
            }
        }
    }

    // Lists at the top hide key groups, as in sops.
    if !top.is_empty() {
        metadata.key_groups = vec![top];
    }
    if metadata.key_groups.iter().all(Vec::is_empty) {
        return Err(invalid("it holds no key, so nobody can decrypt the file"));
    }
    let groups = metadata.key_groups.len();
    if groups > shamir::MOST_PARTS {
        return Err(invalid(format!(
            "it has {groups} key groups; a data key is split for {} at most",
            shamir::MOST_PARTS
        )));
    }
    if groups == 1 {
        metadata.shamir_threshold = 0;
    } else if metadata.shamir_threshold > groups {
        return Err(invalid(format!(
            "shamir_threshold is {}, but there are only {groups} key groups",
            metadata.shamir_threshold
        )));
    }

    if let [first, second, ..] = &selections[..] {
        return Err(invalid(format!(
            "it has both {} and {}, of which a file may have one",
            first.field(),
            second.field()
        )));
    }
    if let Some(selection) = selections.pop() {
        metadata.selection = selection;
    }
    metadata.last_modified = last_modified.ok_or_else(|| invalid("lastmodified is missing"))?;
    if metadata.last_modified.parse::<jiff::Timestamp>().is_err() {
        return Err(invalid(format!(
            "lastmodified is no time as 2025-01-31T12:00:00Z is: {:?}",
            metadata.last_modified
        )));
    }
    metadata.version = version.ok_or_else(|| invalid("version is missing"))?;
    if !is_semantic_version(&metadata.version) {
        return Err(invalid(format!(
            "version is no semantic version, such as {}: {:?}",
            super::FORMAT_VERSION,
            metadata.version
        )));
    }
    Ok(metadata)
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Generic, "the sops block of the file is not valid")
        .because(why)
        .hint("take the block from an earlier version of the file: git log -p FILE")
}

/// Adds the stanzas of a list to `group`. Old versions write unused lists as `[]` or null, and sops passes over items that
/// are null.
fn read_list(name: &str, place: &str, value: &Value, group: &mut Vec<Stanza>) -> Result<()> {
    let items = match value {
        Value::Null => return Ok(()),
        Value::List(items) => items,
        _ => return Err(invalid(format!("{place} is no list"))),
    };
    let items = items.iter().enumerate().filter(|(_, item)| **item != Value::Null);
    for (at, item) in items {
        let Value::Map(fields) = item else {
            return Err(invalid(format!("{place}[{at}] is no map")));
        };
        group.push(Stanza::new(name, fields.clone()));
    }
    Ok(())
}

fn read_groups(value: &Value) -> Result<Vec<Vec<Stanza>>> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::List(items) => items,
        _ => return Err(invalid("key_groups is no list")),
    };
    let read_group = |(at, item): (usize, &Value)| {
        let Value::Map(lists) = item else {
            return Err(invalid(format!("key_groups[{at}] is no map")));
        };
        let mut group = Vec::new();
        for (name, list) in lists {
            read_list(name, &format!("key_groups[{at}].{}", name.escape_debug()), list, &mut group)?;
        }
        Ok(group)
    };
    items.iter().enumerate().filter(|(_, item)| **item != Value::Null).map(read_group).collect()
}

fn read_text(name: &str, value: &Value) -> Result<String> {
    match value {
        Value::Str(text) => Ok(text.clone()),
        Value::Null => Ok(String::new()),
        _ => Err(invalid(format!("{name} is no string"))),
    }
}

/// A number, also as a string: formats without types have no other.
fn read_count(name: &str, value: &Value) -> Result<usize> {
    let number = match value {
        Value::Null => Some(0),
        Value::Int(number) => usize::try_from(*number).ok(),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| invalid(format!("{name} is no count")))
}

/// A boolean, also as a string.
fn read_bool(name: &str, value: &Value) -> Result<bool> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(value) => Ok(*value),
        Value::Str(text) if text == "true" => Ok(true),
        Value::Str(text) if text == "false" || text.is_empty() => Ok(false),
        _ => Err(invalid(format!("{name} is neither true nor false"))),
    }
}

/// Whether real sops reads `text` as a version: three numbers, perhaps a `v` before and a pre-release
/// or build name after. It looks no further at what begins with `1.`.
fn is_semantic_version(text: &str) -> bool {
    if text.starts_with("1.") {
        return true;
    }
    let text = text.strip_prefix('v').unwrap_or(text);
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}
