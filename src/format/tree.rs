//! What it takes to print a tree in a format that has less than it.

use crate::document::{Document, EntryId, Kind};
use crate::error::{self, Error, Result};
use std::collections::HashMap;

/// The comments of a document by place: the container and the child that they precede, or none when
/// they follow all.
pub(super) struct Comments(HashMap<(EntryId, Option<EntryId>), Vec<EntryId>>);

impl Comments {
    pub(super) fn of(document: &Document) -> Comments {
        let mut places: HashMap<_, Vec<_>> = HashMap::new();
        for place in document.comment_places() {
            let before = (place.before != u32::MAX).then_some(place.before as usize);
            places.entry((place.container as usize, before)).or_default().push(place.comment as usize);
        }
        Comments(places)
    }

    pub(super) fn at(&self, container: EntryId, before: Option<EntryId>) -> &[EntryId] {
        self.0.get(&(container, before)).map_or(&[], Vec::as_slice)
    }
}

/// The map that a document of `format` is to hold; none when there is nothing in the document.
///
/// # Errors
/// When there are several documents, of which sops would print the first and lose the others, or something else
/// than a map at the top.
pub(super) fn only_root(document: &Document, format: &str) -> Result<Option<EntryId>> {
    let mut roots = document.roots().iter().copied();
    let Some(first) = roots.next() else { return Ok(None) };
    if let Some(lost) = roots.find(|&root| !is_nothing(document, root)) {
        return Err(Error::new(
            error::Kind::Format,
            format!("a stream of several documents cannot be written as {format}"),
        )
        .at(document.text(), document.entry(lost).span().start)
        .because(format!("{format} holds one document; sops would print the first and drop the others"))
        .hint("keep the format: --output-type yaml; or split the file at its --- lines"));
    }
    match document.entry(first).kind() {
        Kind::Map => Ok(Some(first)),
        _ if is_nothing(document, first) => Ok(None),
        _ => {
            Err(Error::new(error::Kind::Format, format!("only a map can stand at the top of a {format} file of sops"))
                .at(document.text(), document.entry(first).span().start)
                .hint("give the value a key of its own"))
        }
    }
}

/// Whether nothing is lost when this root is not printed.
fn is_nothing(document: &Document, root: EntryId) -> bool {
    match document.entry(root).kind() {
        Kind::Null => true,
        Kind::Map | Kind::List => document.children(root).next().is_none(),
        _ => false,
    }
}
