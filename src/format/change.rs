//! Setting and removing values in a document of any format.
//!
//! Owns: what a change may do. A format writes the splices; here their result is read again, and it counts
//! only if it has the wanted value in the wanted place and everything else is what it was. Must not know:
//! any syntax.

use super::Format;
use crate::document::{Document, EntryId, Flags, Kind, Node, Place, Splice, Step};
use crate::error::{self, Error, Result};
use std::ops::Range;
use zeroize::Zeroize;

/// The document in which `value` stands at `path` below `root`: instead of what stands there, or in maps and
/// lists that are made for it. `changed` is whether anything differs.
///
/// # Errors
/// When the path is empty or meets a container of the other kind; when an alias repeats what would change;
/// when the format has no form for the value.
pub fn set(
    format: &dyn Format,
    document: &Document,
    root: EntryId,
    path: &[Step],
    value: Node<'_>,
) -> Result<Document> {
    let (place, rest) = document.place(root, path)?;
    let made = format.adapt(value.within(rest))?;
    let value = Node::root(&made);
    let (before, after) = match &place {
        Place::Of(id) => {
            refuse_repeated(document, *id, document.subtree(*id))?;
            (document.subtree(*id), value)
        }
        Place::Member(container, _) | Place::Item(container) => {
            let end = document.subtree(*container).end;
            refuse_repeated(document, *container, end..end)?;
            (end..end, value)
        }
    };
    apply(format, document, &format.put(document, &place, value)?, before, Some(after))
}

/// The document without what stands at `path` below `root`.
///
/// # Errors
/// When nothing stands there ([`error::Kind::NoSuchPath`]), the path is empty, or an alias repeats what would
/// go.
pub fn unset(format: &dyn Format, document: &Document, root: EntryId, path: &[Step]) -> Result<Document> {
    if path.is_empty() {
        document.place(root, path)?;
    }
    let id = document.find(root, path)?;
    refuse_repeated(document, id, document.subtree(id))?;
    apply(format, document, &format.remove(document, id)?, document.subtree(id), None)
}

/// Whether the value at `id` is `value`: what sops calls unchanged.
#[must_use]
pub fn is_same(document: &Document, id: EntryId, value: Node<'_>) -> bool {
    let made = outline(document, document.subtree(id), 0..0);
    let wanted = outline(value.document, value.document.subtree(value.id), 0..0);
    same(document, &made, value.document, &wanted)
}

/// Refuses a change of `changed`, which is at or below `at`, when aliases would carry it to other places.
fn refuse_repeated(document: &Document, at: EntryId, changed: Range<EntryId>) -> Result<()> {
    let refuse = |message: &str, because: String, at: usize| {
        Err(Error::new(error::Kind::Generic, message)
            .at(document.text(), at)
            .because(because)
            .hint("write the value out in both places first: leafcrypt edit FILE"))
    };
    let entry = document.entry(at);
    let is_whole_alias = entry.is(Flags::ALIAS) && changed.start == at;
    if entry.is(Flags::COPIED) || entry.is(Flags::ALIAS) && !is_whole_alias {
        let name = entry.span().start;
        return refuse("the value at this path is repeated by an alias", alias_note(document, name), name);
    }
    let around = |target: EntryId| document.subtree(target).contains(&at) || changed.contains(&target);
    let alias = document.aliases().find(|&(alias, target)| around(target) && !changed.contains(&alias));
    let key = document.odd_keys().iter().find(|key| key.target.is_some_and(around) && !changed.contains(&key.entry));
    let name = alias.map(|(alias, _)| document.entry(alias).span().start).or(key.map(|key| key.span.start));
    match name {
        Some(name) => {
            refuse("an alias repeats the value at this path in another place", alias_note(document, name), name)
        }
        None => Ok(()),
    }
}

fn alias_note(document: &Document, at: usize) -> String {
    let name = document.text()[at..].split([' ', ',', '\n', '\r', ']', '}', ':']).next().unwrap_or_default();
    let (line, _) = error::line_column(document.text(), at);
    format!("the alias {name} in line {line} would change with it")
}

/// Applies `splices`, which replace the entries `before` by `after`, and proves that they did.
fn apply(
    format: &dyn Format,
    document: &Document,
    splices: &[Splice],
    before: Range<EntryId>,
    after: Option<Node<'_>>,
) -> Result<Document> {
    let changed = format.index_plaintext(document.spliced(splices)).map_err(|error| not_possible().because(error))?;
    let old = outline(document, 0..document.len(), before.clone());
    // The entries in front of the place are as many as they were, so the new value is the one behind them.
    let position = old.iter().take_while(|(id, _)| *id < before.start).count();
    let new = after.map(|node| (node, (0..changed.len()).filter(|&id| is_value(&changed, id)).nth(position)));
    let hole = match new {
        Some((_, None)) => None,
        Some((_, Some(id))) => Some(changed.subtree(id)),
        None => Some(changed.len()..changed.len()),
    };
    let arrived = new.is_none_or(|(node, id)| id.is_some_and(|id| is_same(&changed, id, node)));
    let same_else = hole.is_some_and(|hole| {
        let new = outline(&changed, 0..changed.len(), hole);
        same(document, &old, &changed, &new)
    });
    if arrived && same_else {
        return Ok(changed);
    }
    changed.into_bytes().zeroize();
    Err(not_possible())
}

fn not_possible() -> Error {
    Error::new(error::Kind::Generic, "this change cannot be made in the text of this file")
        .because("each way to write it would change other values as well; nothing was changed")
        .hint("make it by hand: leafcrypt edit FILE")
}

fn is_value(document: &Document, id: EntryId) -> bool {
    document.entry(id).kind() != Kind::Comment && !document.entry(id).is(Flags::SHADOWED)
}

/// The values of `range` but those of `hole`, each with its depth below the first of `range`'s.
fn outline(document: &Document, range: Range<EntryId>, hole: Range<EntryId>) -> Vec<(EntryId, u32)> {
    let mut depths: Vec<u32> = Vec::with_capacity(range.len());
    let mut values = Vec::with_capacity(range.len());
    for id in range.clone() {
        let parent = document.entry(id).parent().filter(|parent| range.contains(parent) && *parent < id);
        let depth = parent.map_or(0, |parent| depths[parent - range.start] + 1);
        depths.push(depth);
        if is_value(document, id) && !hole.contains(&id) {
            values.push((id, depth));
        }
    }
    values
}

/// Whether both are the same values; the key of the first is no part of it.
fn same(one: &Document, values: &[(EntryId, u32)], other: &Document, others: &[(EntryId, u32)]) -> bool {
    values.len() == others.len()
        && values.iter().zip(others).all(|(&(id, depth), &(twin, twin_depth))| {
            depth == twin_depth
                && (depth == 0 || one.key_bytes(id) == other.key_bytes(twin))
                && one.scalar(id).is_same_value(&other.scalar(twin))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::KeyPath;
    use crate::format::yaml::Yaml;

    #[test]
    fn what_is_shown_can_be_typed() {
        let text = "a:\n  'b.c':\n  - {'d\"]e': 1, \"\": 2, '[0]': 3}\n/x: 1\ny/z: [[4]]\n";
        let document = Yaml.index(text.to_owned()).unwrap();
        for id in 1..document.len() {
            let path = document.path(id);
            let steps = KeyPath::parse(&path).unwrap();
            assert_eq!(document.find(0, steps.steps()).unwrap(), id, "{path}");
        }
    }

    #[test]
    fn a_wrong_path_says_where_it_ends_and_what_is_near() {
        let document = Yaml.index("db:\n  Password: x\n  user: y\nlist: [1, 2]\n".to_owned()).unwrap();
        let error = |path: &str| document.find(0, KeyPath::parse(path).unwrap().steps()).unwrap_err();
        for (path, message, hint) in [
            ("db.pasword", "db has no key \"pasword\"", "did you mean db.Password"),
            ("ddb.user", "the document has no key \"ddb\"", "did you mean db"),
            ("db[0]", "db is a map, and [0] is a position in a list", "a key of a map stands in quotes: [\"0\"]"),
            ("list[2]", "list is a list of 2 items, [0] to [1], so there is no [2]", ""),
            ("/list/2", "list is a list of 2 items, [0] to [1], so there is no [2]", ""),
            ("list.x", "list is a list, and \"x\" is no position in it", "positions are numbers from 0: [0]"),
            ("db.user.x", "db.user is a single value, so there is no key \"x\" in it", "end the key path at db.user"),
        ] {
            let error = error(path);
            assert_eq!(error.message(), message, "{path}");
            assert_eq!(error.hints().first().map(String::as_str).unwrap_or_default(), hint, "{path}");
        }
        assert_eq!(document.find(0, KeyPath::parse("/list/1").unwrap().steps()).unwrap(), 6);
    }
}
