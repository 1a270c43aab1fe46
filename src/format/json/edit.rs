//! Putting values into a document and taking them out.

use super::cannot_hold;
use super::layout::Layout;
use crate::document::{Document, EntryId, Node, Place, Splice};
use crate::error::Result;

/// The splices that put `value` in `place`.
pub(super) fn put(document: &Document, place: &Place, value: Node<'_>) -> Result<Vec<Splice>> {
    let mut out = Vec::new();
    let (range, container) = match place {
        Place::Of(id) => (document.entry(*id).span(), document.entry(*id).parent().unwrap_or(*id)),
        Place::Member(container, _) | Place::Item(container) => {
            let inside = inside(document, *container);
            let last = document.children(*container).last().map(|last| document.entry(last).span().end);
            (last.map_or(inside, |end| end..end), *container)
        }
    };
    let layout = Layout::of(document, container);
    let is_first = document.children(container).next().is_none();
    if !matches!(place, Place::Of(_)) {
        out.extend_from_slice(if is_first { b"" } else { b"," });
        layout.break_line(0, if is_first { "" } else { layout.gap }, &mut out);
    }
    let written = match place {
        Place::Member(_, key) => layout.member(key, value, &mut out),
        Place::Of(_) | Place::Item(_) => layout.value(value, &mut out),
    };
    written.map_err(|reason| cannot_hold(document, container, reason))?;
    if is_first && !matches!(place, Place::Of(_)) {
        layout.break_before_closing(&mut out);
    }
    Ok(vec![(range, String::from_utf8(out).unwrap_or_default())])
}

/// The splices that take out the member or item `id`.
pub(super) fn remove(document: &Document, id: EntryId) -> Vec<Splice> {
    let Some(container) = document.entry(id).parent() else { return Vec::new() };
    let end = document.entry(id).span().end;
    let mut children = document.children(container);
    let previous = children.by_ref().take_while(|&child| child != id).last();
    let range = match (previous, children.next()) {
        (Some(previous), _) => document.entry(previous).span().end..end,
        (None, None) => inside(document, container),
        (None, Some(_)) => {
            let text = document.text();
            let space = |from: usize| from + text[from..].len() - text[from..].trim_start().len();
            let comma = space(end);
            space(inside(document, container).start)..space(comma + 1)
        }
    };
    vec![(range, String::new())]
}

/// What stands between the brackets of a container.
fn inside(document: &Document, container: EntryId) -> std::ops::Range<usize> {
    let span = document.entry(container).span();
    span.start + 1..span.end - 1
}
