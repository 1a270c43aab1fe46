//! Line breaks that go-yaml knows and YAML 1.2 does not (U+0085, U+2028, U+2029), outside of quotes.
//!
//! The parser gets a line feed in the place of each, and the values of scalars with one in them come from the source.

use super::super::quoted::{self, BREAKS, SEPARATORS};
use super::super::{place, strict};
use super::{Indexer, Stop, refuse};
use crate::error::Result;
use std::ops::Range;

impl Indexer<'_> {
    /// Checks that the parser took no separator in the scalar or comment at `range` for a letter.
    pub(super) fn separators(&self, range: &Range<usize>) -> Result<(), Stop> {
        let text = &self.parsed[range.clone()];
        let found = if text.is_ascii() { None } else { text.find(SEPARATORS) };
        let Some(found) = found.map(|found| range.start + found) else { return Ok(()) };
        let error = refuse(self.source, strict::separator(found));
        // Behind the first, quotes may begin in which another is a letter.
        let end = self.parsed[found..range.end].find(['"', '\'']).map_or(range.end, |quote| found + quote);
        Err(Stop { error, again: Some(with_breaks_in(self.parsed, &(found..end))) })
    }

    /// The last place on the line of `at`, in the brackets around it or behind what has been seen, that the parser reads otherwise for go-yaml's sake: a
    /// separator, or the comma behind a tag. It may end for that.
    pub(super) fn misread_before(&self, at: usize) -> Option<strict::Refused> {
        let before = if self.in_flow() { self.flow_start } else { self.at };
        let from = before.min(place::line_start(self.source, at));
        let mut found = self.source.get(from..at)?.match_indices([SEPARATORS[0], SEPARATORS[1], SEPARATORS[2], ',']);
        let (found, mark) = found.rfind(|&(found, mark)| !self.parsed[from + found..].starts_with(mark))?;
        let at = from + found;
        Some(if mark == "," { strict::mark_in_tag(at) } else { strict::separator(at) })
    }

    /// The value of the block scalar behind `self.at` that ends at `end`, when a separator stands in it, as go-yaml reads it:
    /// follows `yaml_parser_scan_block_scalar` of its `scannerc.go`. Its text is indented by `indent`, if it has one.
    pub(super) fn block_value(
        &self,
        end: usize,
        indent: Option<usize>,
        is_folded: bool,
    ) -> Result<Option<String>, Stop> {
        let start = place::header_start(self.source, self.at);
        let lines = place::header_end(self.source, start);
        let whole = start..end.max(lines);
        self.separators(&whole)?;
        let text = &self.source[whole];
        if text.is_ascii() || !text.contains(SEPARATORS) {
            return Ok(None);
        }
        let header = self.source[start..lines].split('#').next().unwrap_or_default();
        let mut rest = &self.source[lines..];
        let Some(indent) = indent else {
            let empty = empty_lines(&mut rest, usize::MAX);
            return Ok(Some(if header.contains('+') { empty } else { String::new() }));
        };
        let (mut value, mut line_break) = (String::new(), None);
        let mut empty = empty_lines(&mut rest, indent);
        let mut after_blank = false;
        while let Some(text) = rest.strip_prefix(&" ".repeat(indent)).filter(|text| !text.is_empty()) {
            let begins_blank = text.starts_with([' ', '\t']);
            let is_joined = is_folded && line_break == Some('\n') && !after_blank && !begins_blank;
            match line_break.take() {
                Some(_) if is_joined && empty.is_empty() => value.push(' '),
                Some(_) if is_joined => {}
                line_break => value.extend(line_break),
            }
            value.push_str(&std::mem::take(&mut empty));
            after_blank = begins_blank;
            let (line, behind) = text.split_at(text.find(BREAKS).unwrap_or(text.len()));
            value.push_str(line);
            rest = behind;
            line_break = read_break(&mut rest);
            empty = empty_lines(&mut rest, indent);
        }
        if !header.contains('-') {
            value.extend(line_break);
        }
        if header.contains('+') {
            value.push_str(&empty);
        }
        Ok(Some(value))
    }
}

/// The breaks of the lines that `text` begins with and that have nothing but blanks, which are taken from it.
fn empty_lines(text: &mut &str, indent: usize) -> String {
    let mut breaks = String::new();
    loop {
        let blanks = text.bytes().take(indent).take_while(|&byte| byte == b' ').count();
        let mut rest = &text[blanks..];
        let Some(line_break) = read_break(&mut rest) else { return breaks };
        breaks.push(line_break);
        *text = rest;
    }
}

/// The line break that `text` begins with, which is taken from it, as it is in a value.
fn read_break(text: &mut &str) -> Option<char> {
    let len = quoted::break_len(text)?;
    let line_break = text.chars().next().filter(|&c| matches!(c, '\u{2028}' | '\u{2029}'));
    *text = &text[len..];
    Some(line_break.unwrap_or('\n'))
}

/// `text` with line feeds for the separators in `range`, one for each of their bytes: empty lines make no difference to the
/// parser.
fn with_breaks_in(text: &str, range: &Range<usize>) -> String {
    let mut new = text.to_owned();
    for (at, separator) in text[range.clone()].match_indices(SEPARATORS) {
        put_breaks(&mut new, range.start + at, separator);
    }
    new
}

fn put_breaks(text: &mut String, at: usize, separator: &str) {
    text.replace_range(at..at + separator.len(), &"\n".repeat(separator.len()));
}

/// `parsed` with line feeds for all separators that are in no quotes; nothing when there are none. Which quotes begin a
/// text is a guess.
pub(super) fn without_separators(parsed: &str) -> Option<String> {
    let mut text: Option<String> = None;
    let mut from = 0;
    for (at, separator) in parsed.match_indices(SEPARATORS) {
        if at < from {
            continue;
        }
        match quoted::around(text.as_deref().unwrap_or(parsed), from, at) {
            Some(quotes) => from = quotes.end,
            None => {
                put_breaks(text.get_or_insert_with(|| parsed.to_owned()), at, separator);
                from = at + separator.len();
            }
        }
    }
    text
}

/// `source` with a single line feed, behind blanks, for each separator that `parsed` has them for; nothing when there are
/// none.
pub(super) fn with_breaks(source: &str, parsed: &str) -> Option<String> {
    let mut text: Option<String> = None;
    for (at, separator) in source.match_indices(SEPARATORS) {
        let end = at + separator.len();
        if parsed[at..end].starts_with('\n') {
            text.get_or_insert_with(|| source.to_owned())
                .replace_range(at..end, &format!("{:>1$}", '\n', separator.len()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::format::{Format, yaml::Yaml};

    /// The keys and values of `text`.
    fn pairs(text: &str) -> Vec<(String, String)> {
        let document = Yaml.index(text.to_owned()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let leaves = (0..document.len()).filter(|&id| !document.entry(id).kind().is_container());
        let value = |id| String::from_utf8_lossy(document.scalar(id).bytes).into_owned();
        leaves.map(|id| (document.key(id).to_owned(), value(id))).collect()
    }

    #[track_caller]
    fn are(text: &str, wanted: &[(&str, &str)]) {
        // The three in turn; of the first, go-yaml makes a line feed.
        for separator in ["\u{85}", "\u{2028}", "\u{2029}"] {
            let with = |text: &str, new: &str| text.replace('¶', new);
            let read = if separator == "\u{85}" { "\n" } else { separator };
            let wanted: Vec<_> = wanted.iter().map(|&(key, value)| (key.to_owned(), with(value, read))).collect();
            assert_eq!(pairs(&with(text, separator)), wanted, "{text:?} with {separator:?}");
        }
    }

    /// What real sops 3.11 reads, seen by running it.
    #[test]
    fn a_separator_ends_a_line() {
        are("a: b¶\nc: 1\n", &[("a", "b"), ("c", "1")]);
        are("a: 1¶b: 2\n", &[("a", "1"), ("b", "2")]);
        are("a: 1¶b:¶  c: [d,¶ e]¶", &[("a", "1"), ("", "d"), ("", "e")]);
        are("¶a: 1\n¶¶\nb: 2\n", &[("a", "1"), ("b", "2")]);
        are("a:¶  &b:c d\n", &[("a", "d")]);
        are("a: 1 # b¶c: 2\n", &[("a", "1"), ("", " b"), ("c", "2")]);
        are("a: 1\n# b ¶# c¶\nd: 2\n", &[("a", "1"), ("", " b "), ("", " c"), ("d", "2")]);
    }

    #[test]
    fn a_separator_in_a_block_scalar_ends_its_line() {
        are("a: |\n  b¶\n  c\n", &[("a", "b¶\nc\n")]);
        are("a: |\n  b¶  c\n", &[("a", "b¶c\n")]);
        are("a: |+\n  b¶¶c: 1\n", &[("a", "b¶¶"), ("c", "1")]);
        are("a: |\n ¶ b\n", &[("a", "¶b\n")]);
        are("a: |\n  b\n ¶ # c\nd: |+\n¶  ", &[("a", "b\n"), ("", " c"), ("d", "¶")]);
        are("a: |-\n  b¶\n ¶c: 1\n", &[("a", "b"), ("c", "1")]);
        are("a: |\n  b¶c: 1\n", &[("a", "b¶"), ("c", "1")]);
    }

    #[test]
    fn a_separator_joins_the_lines_of_a_plain_scalar() {
        for (text, value) in [
            ("a: b\u{2028}  c\n", "b\u{2028}c"),
            ("a: b \u{85}  c\n", "b c"),
            ("a: [b\u{2029} c]\n", "b\u{2029}c"),
            ("a: it's\u{2028}\n  c\n", "it's\u{2028}\nc"),
            ("a: >\n  b\u{2028}  c\n", "b\u{2028}c\n"),
            ("a: >\n  b\u{85}  c\n", "b c\n"),
            ("a: >\n  b\u{2028}\n  c\n", "b\u{2028}\nc\n"),
            ("a: >\n  b\u{85}\n  c\n", "b\nc\n"),
        ] {
            assert_eq!(pairs(text)[0].1, value, "{text:?}");
        }
    }

    #[test]
    fn a_separator_is_fine_in_quotes_and_behind_comments() {
        for text in [
            "a: \"b\u{2028}c\"\n",
            "a: 'b\u{85}c'\n",
            "a: 1 # b\u{2028}\n",
            "a: \"\\L\"\n",
            "? 'a\u{2029}b'\n: 1\n",
            "a: {? # b\n \"c\u{2028}\" : 1}\n",
        ] {
            assert!(Yaml.index(text.to_owned()).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn what_a_separator_breaks_is_refused_for_it() {
        for text in [
            "a: b\u{2028}c\n",
            "a: 1 # b\u{2028}c\n",
            "a: |\n  b\u{2029}c\n",
            "'a\u{2029}b': 1\n",
            "a: # ?\n  \"b\u{85}\": 1\n",
            "a:\n- !!str \"b\u{2028}c\" : 1\n",
            "a: {\"b\u{2028}c\": 1}\n",
            "a: ['b\u{2028}': 1]\n",
        ] {
            let error = Yaml.index(format!("x: 1\n---\n{text}")).map(drop).unwrap_err();
            assert!(error.to_string().contains("for a line break"), "{text:?}: {error}");
        }
    }
}
