//! How a document is written: columns, quotes, gaps. What is put into it is written likewise.

use super::around::{column, head};
use crate::document::{Document, EntryId, Flags, Indent, Kind, Scalar, Style};
use crate::format::yaml::place::newline_of;
use crate::format::yaml::scalar::{Context, Quotes, write_double_quoted, write_quoted};

/// The habits of a document around one of its containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::format::yaml) struct Habit {
    /// How far the keys of a map stand to the right of the key that it is the value of.
    pub(in crate::format::yaml) step: usize,
    /// How far the dashes of a list do.
    pub(in crate::format::yaml) list: usize,
    /// How far behind the dash its item begins.
    pub(in crate::format::yaml) dash: usize,
    /// Whether columns are multiples of the step, whatever is around, as go-yaml prints them.
    pub(in crate::format::yaml) is_aligned: bool,
    /// Whether a text may end with empty lines (`|+`), which blank lines behind it would add to.
    pub(in crate::format::yaml) keeps: bool,
    /// Whether a text may stand as a block scalar at all.
    pub(in crate::format::yaml) blocks: bool,
    /// The quotes of strings.
    pub(in crate::format::yaml) quotes: Quotes,
    /// The quotes of keys.
    pub(in crate::format::yaml) key_quotes: Quotes,
    /// The line break.
    pub(in crate::format::yaml) newline: &'static str,
    /// The gap behind a comma between brackets.
    pub(in crate::format::yaml) comma_gap: &'static str,
    /// The gap behind a colon between brackets; none is possible only behind a quoted key.
    pub(in crate::format::yaml) colon_gap: &'static str,
}

impl Habit {
    /// What sops prints.
    pub(in crate::format::yaml) const fn of_sops(newline: &'static str) -> Self {
        Habit {
            step: 4,
            list: 4,
            dash: 2,
            is_aligned: true,
            keeps: true,
            blocks: true,
            quotes: Quotes::None,
            key_quotes: Quotes::None,
            newline,
            comma_gap: " ",
            colon_gap: " ",
        }
    }

    /// The same with another indentation.
    pub(in crate::format::yaml) fn by(self, indent: Indent) -> Self {
        match indent {
            Indent::OfSops => self,
            // YAML has no tabs there.
            Indent::Tab => Habit { step: 2, list: 2, ..self },
            Indent::Spaces(width) => Habit { step: usize::from(width.max(1)), list: usize::from(width.max(1)), ..self },
        }
    }

    /// The habits around the container `id`: its own first, then those of the containers around it, then
    /// those of the document, then those of sops.
    pub(super) fn of(document: &Document, id: EntryId) -> Self {
        let text = document.text();
        let mut habit = Habit::of_sops(newline_of(text));
        let (step, list) = (step(document, id, Kind::Map), step(document, id, Kind::List));
        habit.step = step.or(list.filter(|&list| list > 0)).unwrap_or(habit.step);
        habit.list = list.unwrap_or(if step.is_some_and(|step| step != 4) { habit.step } else { habit.list });
        habit.is_aligned = habit.step == habit.list && habit.step == 4;
        habit.dash = dash(document, id).unwrap_or(habit.dash);
        habit.keeps = false;
        let siblings = || document.children(id).filter(|&child| is_written(document, child));
        let strings = siblings().filter(|&child| document.entry(child).kind() == Kind::Str);
        if let Some(last) = strings.last() {
            habit.quotes = Quotes::of(document.entry(last).style());
        }
        if let Some(last) = siblings().last().filter(|&child| document.entry(child).has_key()) {
            habit.key_quotes = key_quotes(document, last);
        }
        if document.entry(id).style() == Style::Flow {
            let mut children = document.children(id);
            if let (Some(first), Some(second)) = (children.next(), children.next()) {
                let between = &text[document.entry(first).span().end..document.entry(second).span().start];
                let is_close =
                    between.split_once(',').is_some_and(|(_, rest)| !rest.starts_with([' ', '\n', '\r', '\t']));
                habit.comma_gap = if is_close { "" } else { " " };
            }
            let is_close = |child: EntryId| text[..document.entry(child).span().start].ends_with(':');
            if habit.key_quotes != Quotes::None && document.children(id).any(is_close) {
                habit.colon_gap = "";
            }
        }
        habit
    }

    /// Appends a scalar.
    pub(in crate::format::yaml) fn write(&self, scalar: Scalar<'_>, context: Context, out: &mut Vec<u8>) {
        let ends_empty = scalar.bytes == b"\n" || scalar.bytes.ends_with(b"\n\n");
        let no_block = ends_empty && !self.keeps || !self.blocks && scalar.bytes.contains(&b'\n');
        match std::str::from_utf8(scalar.bytes) {
            Ok(text) if scalar.kind == Kind::Str && no_block => write_double_quoted(text, out),
            _ => write_quoted(scalar, self.quotes, context, out),
        }
    }

    /// The column of what stands in a container of `kind` below a key or dash at `column`.
    pub(in crate::format::yaml) fn below(&self, column: usize, is_item: bool, kind: Kind) -> usize {
        if is_item {
            return column + self.dash;
        }
        let step = if kind == Kind::List { self.list } else { self.step };
        if self.is_aligned { (column + step) / step * step } else { column + step }
    }
}

/// Whether the value has a text of its own.
fn is_written(document: &Document, id: EntryId) -> bool {
    !document.entry(id).is(Flags::COPIED) && !document.entry(id).is(Flags::ALIAS)
}

/// How far a block of `kind` stands to the right of its key: near `id`, or in the first place of the document
/// where there is such a block.
fn step(document: &Document, id: EntryId, kind: Kind) -> Option<usize> {
    let measure = |at: EntryId| {
        let entry = document.entry(at);
        let parent = entry.parent()?;
        let is_block = |id: EntryId| document.entry(id).style() == Style::Block;
        if entry.kind() != kind || !entry.has_key() || !is_block(at) || !is_block(parent) || !is_written(document, at) {
            return None;
        }
        let first = document.children(at).next()?;
        let text = document.text();
        let own = column(text, head(document, at, first));
        // A list may stand in the column of its key; nothing else may.
        own.checked_sub(key_column(document, parent)).filter(|&step| step > 0 || kind == Kind::List)
    };
    document
        .children(id)
        .find_map(measure)
        .or_else(|| std::iter::successors(Some(id), |&at| document.entry(at).parent()).find_map(measure))
        .or_else(|| (0..document.len()).find_map(measure))
}

/// The column of the keys of a block map.
pub(super) fn key_column(document: &Document, map: EntryId) -> usize {
    match document.children(map).next() {
        Some(first) => column(document.text(), head(document, map, first)),
        None => 0,
    }
}

/// How far behind its dash an item stands, in the list `id` or in the first of the document.
fn dash(document: &Document, id: EntryId) -> Option<usize> {
    let text = document.text();
    let measure = |list: EntryId| {
        let entry = document.entry(list);
        if entry.kind() != Kind::List || entry.style() != Style::Block || !is_written(document, list) {
            return None;
        }
        document.children(list).find_map(|item| {
            let dash = head(document, list, item);
            let behind = &text[dash + 1..];
            let gap = behind.len() - behind.trim_start_matches(' ').len();
            (gap > 0 && !behind[gap..].starts_with(['\n', '\r', '#'])).then_some(1 + gap)
        })
    };
    measure(id).or_else(|| (0..document.len()).find_map(measure))
}

/// The quotes around the key of `id`.
fn key_quotes(document: &Document, id: EntryId) -> Quotes {
    match document.key_start(id) {
        Some(start) => match document.text()[..start].chars().next_back() {
            Some('"') => Quotes::Double,
            Some('\'') => Quotes::Single,
            _ => Quotes::None,
        },
        // Only double quotes hold what has to be interned; and aliases, of which one learns nothing.
        None => Quotes::None,
    }
}
