//! Setting and removing every value of generated documents.
//!
//! `change::set` proves by itself that its result has the value and is the same elsewhere. What is looked at here: that
//! it finds a way to write it for each value of each document, and that it touches no other line.

use crate::generate::{self, Case};
use crate::harness;
use leafcrypt::document::{Document, EntryId, Flags, KeyPath, Kind, Node};
use leafcrypt::format::{self, Format, change};

const VALUES: [&str; 6] =
    ["5", "\"two words\"", "\"p\\nq\\n\"", "{\"k1\": [1, \"x\"], \"k2\": {}}", "[[\"v\"], {\"k\": null}]", "{}"];

/// The refusals that are right. A list below `<<` merges maps, and sops reads nothing else there.
fn is_right(error: &str) -> bool {
    ["alias", "the key path is empty", "the list of `<<` holds something else than maps"]
        .iter()
        .any(|right| error.contains(right))
}

fn index(format: &dyn Format, text: &str) -> Option<Document> {
    format.index(text.to_owned()).ok().filter(|document| !document.roots().is_empty())
}

/// Lines that `after` lacks, of all that stood outside of `range` of the text.
fn lost_lines(before: &str, after: &str, range: std::ops::Range<usize>) -> Vec<String> {
    let mut rest = after.lines().peekable();
    let mut lost = Vec::new();
    let mut start = 0;
    for line in before.split_inclusive('\n') {
        let touched = start < range.end && start + line.len() > range.start;
        start += line.len();
        // What was the second in a block may now stand behind its dash.
        let bare = |line: &str| line.trim().trim_start_matches(['-', ' ']).to_owned();
        let line = bare(line);
        let line = line.as_str();
        if touched || matches!(line, "" | ",") {
            continue;
        }
        let mut ahead = rest.clone();
        if ahead.any(|other| bare(other) == line) {
            rest = ahead;
        } else {
            lost.push(line.to_owned());
        }
    }
    lost
}

/// The lines of an entry with its key, its comments and what separates it from others: generously. With those of
/// its container, if that is empty without it.
fn own_text(document: &Document, id: EntryId) -> std::ops::Range<usize> {
    let subtree = document.subtree(id);
    let text = document.text();
    let is_own = |at: EntryId| document.entry(at).parent().is_some_and(|parent| subtree.contains(&parent));
    let comments = (0..document.len()).filter(|&at| document.entry(at).kind() == Kind::Comment && is_own(at));
    let inner = subtree.clone().chain(comments).map(|at| document.entry(at).span());
    let (start, end) = inner.fold((usize::MAX, 0), |(start, end), span| (start.min(span.start), end.max(span.end)));
    let Some(parent) = document.entry(id).parent() else { return 0..text.len() };
    let siblings: Vec<_> = document.children(parent).collect();
    let around = own_text_of_first(document, parent);
    if siblings.len() == 1 {
        let end = end.max(document.entry(parent).span().end);
        return around..end;
    }
    let before = siblings.iter().take_while(|&&child| child != id).last();
    let before = before.map_or(around, |&before| document.entry(before).span().end);
    text[..before.min(start)].rfind('\n').map_or(0, |at| at + 1)..end.max(start)
}

/// Where the line of a container's key begins.
fn own_text_of_first(document: &Document, id: EntryId) -> usize {
    let start = document.entry(id).span().start;
    let key = document.key_start(id).unwrap_or(start).min(start);
    let line = |at: usize| document.text()[..at].rfind('\n').map_or(0, |at| at + 1);
    match document.entry(id).parent() {
        // A key with escapes is in the text behind what is before it.
        Some(parent) if document.entry(id).has_key() && document.key_start(id).is_none() => {
            let before = document.children(parent).take_while(|&child| child != id).last();
            line(before.map_or(document.entry(parent).span().start, |before| document.entry(before).span().end))
        }
        Some(parent) if !document.entry(id).has_key() => {
            let before = document.children(parent).take_while(|&child| child != id).last();
            before.map_or_else(|| own_text_of_first(document, parent), |before| line(document.entry(before).span().end))
        }
        _ => line(key),
    }
}

fn check(format: &dyn Format, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some(document) = index(format, text) else { return wrong };
    for root in document.roots().to_vec() {
        for id in document.subtree(root) {
            let entry = document.entry(id);
            if entry.kind() == Kind::Comment || entry.is(Flags::COPIED) {
                continue;
            }
            let path = document.path(id);
            let steps = KeyPath::parse(&path).unwrap();
            let mut report = |what: &str, why: String| wrong.push(format!("{what} {path:?}: {why}"));
            match change::unset(format, &document, root, steps.steps()) {
                Ok(changed) => {
                    let lost = lost_lines(text, changed.text(), own_text(&document, id));
                    // The line before may lose its comma, or get the brackets of what is empty now.
                    if lost.len() > 1 {
                        report("unset", format!("lines {lost:?} are gone\n{}", changed.text()));
                    }
                }
                Err(error) if is_right(&error.to_string()) => {}
                Err(error) => report("unset", error.to_string()),
            }
            for json in VALUES {
                let value = format::json::Json.index(format!("{{\"value\": {json}}}")).unwrap();
                let value = Node { document: &value, id: 1 };
                let mut set =
                    |path: &KeyPath, what: &str| match change::set(format, &document, root, path.steps(), value) {
                        Ok(changed) => {
                            let lost = lost_lines(text, changed.text(), own_text(&document, id));
                            if lost.len() > 1 {
                                report(what, format!("{json}: lines {lost:?} are gone\n{}", changed.text()));
                            }
                        }
                        Err(error) if is_right(&error.to_string()) => {}
                        Err(error) => report(what, format!("{json}: {error}")),
                    };
                set(&steps, "set");
                match entry.kind() {
                    Kind::Map => set(&KeyPath::parse(&format!("{path}[\"new key\"]")).unwrap(), "add to"),
                    Kind::List => set(&KeyPath::parse(&format!("{path}[99]")).unwrap(), "add to"),
                    _ => {}
                }
            }
        }
    }
    wrong
}

fn run(format_name: &str, cases: u64, longest: usize, make: fn(&[u8]) -> String) {
    let format = format::by_name(format_name).unwrap();
    let first = std::env::var("LEAFCRYPT_SEED").map_or(1, |text| text.parse().unwrap());
    let cases = std::env::var("LEAFCRYPT_PARITY_CASES").map_or(cases, |text| text.parse().unwrap());
    let mut failures = Vec::new();
    for seed in first..first + cases {
        let mut case = Case::new(seed, longest, make);
        let wrong = harness::watched("change", case.text().as_bytes(), || check(format, &case.text()));
        if wrong.is_empty() {
            continue;
        }
        let smallest = case.shrink(300, |text| !check(format, text).is_empty());
        let wrong = check(format, &smallest);
        failures.push(format!("seed {seed}:\n{smallest}\n=== {}", wrong.join("\n")));
        if failures.len() == 8 {
            break;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_value_of_yaml_can_be_set_and_removed() {
    run("yaml", 400, 250, generate::yaml::text);
}

#[test]
fn every_value_of_json_can_be_set_and_removed() {
    run("json", 200, 150, generate::json::text);
}
