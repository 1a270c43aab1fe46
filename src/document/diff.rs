//! Where two versions of a text differ.

use imara_diff::{Algorithm, Diff, InternedInput, sources::byte_lines};
use std::ops::Range;

/// A piece that differs; what stands between two of them is the same in both versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// In the version before.
    pub before: Range<usize>,
    /// In the version after.
    pub after: Range<usize>,
}

/// The pieces in which `after` differs from `before`, ascending. By lines first, as `diff` does, then without
/// what the two pieces begin and end with alike.
#[must_use]
pub fn diff(before: &[u8], after: &[u8]) -> Vec<Hunk> {
    let all = Hunk { before: 0..before.len(), after: 0..after.len() };
    let Some(changed) = narrowed(before, after, all) else { return Vec::new() };
    let line_start = |text: &[u8], at: usize| memchr::memrchr(b'\n', &text[..at]).map_or(0, |found| found + 1);
    let rest_of_line =
        |text: &[u8], at: usize| memchr::memchr(b'\n', &text[at..]).map_or(text.len() - at, |found| found + 1);
    // What is alike is lines alone, for that part.
    let start = line_start(before, changed.before.start);
    let tail = rest_of_line(before, changed.before.end);
    let lines = [start..changed.before.end + tail, start..changed.after.end + tail];
    let input = InternedInput::new(byte_lines(&before[lines[0].clone()]), byte_lines(&after[lines[1].clone()]));
    let ends = [ends(&before[lines[0].clone()], start), ends(&after[lines[1].clone()], start)];
    Diff::compute(Algorithm::Histogram, &input)
        .hunks()
        .filter_map(|hunk| {
            let at = |side: usize, line: u32| ends[side][line as usize];
            let hunk = Hunk {
                before: at(0, hunk.before.start)..at(0, hunk.before.end),
                after: at(1, hunk.after.start)..at(1, hunk.after.end),
            };
            narrowed(before, after, hunk)
        })
        .collect()
}

/// Where each line of `text` begins, and where the last one ends, counted from `offset`.
fn ends(text: &[u8], offset: usize) -> Vec<usize> {
    let breaks = memchr::memchr_iter(b'\n', text).map(|at| offset + at + 1);
    let mut ends: Vec<usize> = std::iter::once(offset).chain(breaks).collect();
    if ends.last() != Some(&(offset + text.len())) {
        ends.push(offset + text.len());
    }
    ends
}

/// A hunk without what both sides begin and end with; `None` when nothing is left.
fn narrowed(before: &[u8], after: &[u8], hunk: Hunk) -> Option<Hunk> {
    let (old, new) = (&before[hunk.before.clone()], &after[hunk.after.clone()]);
    let head = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(one, other)| one == other).count();
    let cut = |range: Range<usize>| range.start + head..range.end - tail;
    let hunk = Hunk { before: cut(hunk.before), after: cut(hunk.after) };
    (!hunk.before.is_empty() || !hunk.after.is_empty()).then_some(hunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(before: &str, after: &str) -> Vec<(String, String)> {
        let hunks = diff(before.as_bytes(), after.as_bytes());
        // All else is the same.
        let (mut at, mut twin) = (0, 0);
        for hunk in &hunks {
            assert_eq!(before[at..hunk.before.start], after[twin..hunk.after.start]);
            (at, twin) = (hunk.before.end, hunk.after.end);
        }
        assert_eq!(before[at..], after[twin..]);
        hunks
            .iter()
            .map(|hunk| (before[hunk.before.clone()].to_owned(), after[hunk.after.clone()].to_owned()))
            .collect()
    }

    fn wanted(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect()
    }

    #[test]
    fn what_differs_is_found() {
        assert_eq!(pieces("a\nb\n", "a\nb\n"), []);
        assert_eq!(pieces("", "a"), wanted(&[("", "a")]));
        assert_eq!(pieces("a: 1\nb: 2\nc: 3\n", "a: 9\nb: 2\nc: 33\n"), wanted(&[("1", "9"), ("", "3")]));
        assert_eq!(pieces("a\nb\nc", "c"), wanted(&[("a\nb\n", "")]));
        assert_eq!(pieces("x\ny\nz\n", "z\nx\ny\n"), wanted(&[("", "z\n"), ("z\n", "")]));
    }

    #[test]
    fn a_million_lines_are_no_trouble() {
        let before: String = (0..200_000).map(|n| format!("line {}\n", n % 1000)).collect();
        let after = before.replace("line 7\n", "line seven\n");
        assert_eq!(pieces(&before, &after).len(), 200);
    }
}
