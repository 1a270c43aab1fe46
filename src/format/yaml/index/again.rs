//! What go-yaml takes and the parser does not: a text in its place that the parser takes.
//!
//! No position is another in such a text. Whoever handles the event for the place that was changed takes the value from the
//! source.

use super::super::{place, quoted, tabs};
use super::{Indexer, Stop};
use crate::error::{self, Error, Result};
use granit_parser::{ErrorKind, ScanError};
use std::ops::Range;

impl Indexer<'_> {
    /// Why the parser ends, and the text to try then.
    pub(super) fn stop(&self, error: &ScanError) -> Stop {
        let offset = error.marker().byte_offset().unwrap_or_default();
        let tab_in = || {
            // The parser looks some tokens ahead, where the collection may begin.
            let ahead = || self.source.get(self.at..offset)?.find(['[', '{']).map(|found| self.at + found);
            if self.in_flow() { Some(self.flow_start) } else { ahead() }
        };
        let masked = || {
            let span = quoted::around(self.parsed, self.at, offset)?;
            let is_new = self.source[span.clone()] == self.parsed[span.clone()];
            quoted::value(&self.source[span.clone()]).filter(|_| is_new)?;
            Some(quoted::masked(self.parsed, &span))
        };
        let own = || match error.kind() {
            ErrorKind::TabInBlockIndentation => tab_in().map(|start| tabs::spaced(self.parsed, start)),
            ErrorKind::CommentNotSeparated => apart(self.parsed, offset),
            ErrorKind::InvalidBlockScalarIndent => at_line_start(self.parsed, offset),
            ErrorKind::BomInsideDocument => with_letter(self.parsed, offset),
            _ => None,
        };
        // Without a change it would go on for ever.
        let again = masked().or_else(own).filter(|text| text != self.parsed);
        let hint = match error.kind() {
            ErrorKind::CommentNotSeparated => "put a space before the `#`",
            ErrorKind::MissingDocumentEndBeforeDirective => "put a line `...` above, or remove the directive",
            ErrorKind::BomInsideDocument => "remove the byte order mark, which does not show",
            _ => "look at the lines above too: a quote or bracket that is not closed shows later",
        };
        let stop = Error::new(error::Kind::Format, "this is not valid YAML").at(self.source, offset);
        Stop { error: stop.because(error.info()).hint(hint), again }
    }

    /// Where the comment begins that the parser has at `start`: see [`apart`] and [`at_line_start`].
    pub(super) fn comment_start(&self, start: usize) -> usize {
        let (source, parsed) = (self.source.as_bytes(), self.parsed.as_bytes());
        match start.checked_sub(1) {
            Some(before) if source[before] == b'#' && parsed[before] != b'#' => before,
            _ => start + source[start..].iter().take_while(|&&byte| byte == b' ').count(),
        }
    }

    /// The value that the plain scalar at `range` has, where the parser read something else: see [`with_letter`].
    pub(super) fn plain_value(&self, value: &str, range: Range<usize>) -> Result<String> {
        if self.source[range.clone()].contains(LETTER) {
            return Err(self.refuse("a byte order mark stands within a document", range.start));
        }
        Ok(value.replace(LETTER, "\u{feff}"))
    }
}

/// Stands for a byte order mark: as many bytes, and of no meaning either.
const LETTER: char = '\u{e000}';

/// `text` with a blank for the mark of the comment at `at`, and the mark behind it: go-yaml takes a comment right behind
/// a quote, a bracket, or the header of a block scalar.
fn apart(text: &str, at: usize) -> Option<String> {
    let comment = text.get(at..)?.strip_prefix('#')?;
    let first = comment.chars().next().filter(|first| !matches!(first, '\n' | '\r'))?.len_utf8();
    Some(format!("{} #{}{}", &text[..at], &"   "[..first - 1], &comment[first..]))
}

/// `text` with the mark of the comment at `at`, the first on its line, at the beginning of that: go-yaml takes a comment
/// behind an empty block scalar, however deep.
fn at_line_start(text: &str, at: usize) -> Option<String> {
    let comment = text.get(at..)?.strip_prefix('#')?;
    let line = place::line_start(text, at);
    let blanks = text.get(line..at).filter(|before| before.bytes().all(|byte| byte == b' '))?;
    Some(format!("{}#{blanks}{comment}", &text[..line]))
}

/// `text` with a letter for the byte order mark at `at`, which is a letter like others to go-yaml.
fn with_letter(text: &str, at: usize) -> Option<String> {
    let rest = text.get(at..)?.strip_prefix('\u{feff}')?;
    Some(format!("{}{LETTER}{rest}", &text[..at]))
}

#[cfg(test)]
mod tests {
    use crate::document::{Document, Kind};
    use crate::format::{Format, yaml::Yaml};

    /// The comments and the leaves, each by its value and its text.
    fn parts(text: &str) -> Vec<(String, String)> {
        let document: Document = Yaml.index(text.to_owned()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let ids = (0..document.len()).filter(|&id| !document.entry(id).kind().is_container());
        let value = |id| String::from_utf8_lossy(document.scalar(id).bytes).into_owned();
        let mut parts: Vec<_> = ids
            .map(|id| {
                let mark = if document.entry(id).kind() == Kind::Comment { "#" } else { "" };
                (format!("{mark}{}", value(id)), document.raw(id).to_owned())
            })
            .collect();
        parts.sort();
        parts
    }

    #[track_caller]
    fn are(text: &str, wanted: &[(&str, &str)]) {
        let wanted: Vec<_> = wanted.iter().map(|&(value, raw)| (value.to_owned(), raw.to_owned())).collect();
        assert_eq!(parts(text), wanted, "{text:?}");
    }

    /// What real sops 3.11 reads, seen by running it.
    #[test]
    fn comments_need_no_blank_before_them() {
        are("a: \"x\"# c\n", &[("# c", "# c"), ("x", "\"x\"")]);
        are("a: 'x'##c\r\nb: 1\r\n", &[("##c", "##c"), ("1", "1"), ("x", "'x'")]);
        are("a: [1]#é x\n", &[("#é x", "#é x"), ("1", "1")]);
        are("a: |#\u{1f511}\n  x\n", &[("#\u{1f511}", "#\u{1f511}"), ("x\n", "  x")]);
        are("a: >-# > 9\n  x\nb: \"y\"#d", &[("# > 9", "# > 9"), ("#d", "#d"), ("x", "  x"), ("y", "\"y\"")]);
        are("a: |+#c\n", &[("", ""), ("#c", "#c")]);
        assert!(Yaml.index("a: x\nb: [1]#\n".to_owned()).is_err(), "a comment without text");
    }

    #[test]
    fn comments_behind_an_empty_block_scalar_are_of_any_depth() {
        are("a: |3\n  # c\nb: 1\n", &[("", ""), ("# c", "# c"), ("1", "1")]);
        are("a: >\n    \n # c\n", &[("", "    "), ("# c", "# c")]);
        are("a:\n  b: |4\n   # c\n     # d\n", &[("", ""), ("# c", "# c"), ("# d", "# d")]);
        assert!(Yaml.index("a: |3\n  x\n".to_owned()).is_err());
    }

    #[test]
    fn a_byte_order_mark_is_a_letter() {
        are("\u{feff}a: 1\n---\n\u{feff}b: \u{feff}2\n", &[("1", "1"), ("\u{feff}2", "\u{feff}2")]);
        are("a: [\u{feff}x\n  y]\n", &[("\u{feff}x y", "\u{feff}x\n  y")]);
        let document = Yaml.index("a: 1\n\u{feff}b: 2\n".to_owned()).unwrap();
        assert_eq!(document.key(document.len() - 1), "\u{feff}b");
        for text in ["a: \u{feff}\u{e000}\n", "a: 1\n...\n\u{feff}b: 2\n", "\u{feff}\u{feff}a: 1\n"] {
            let error = Yaml.index(text.to_owned()).map(drop).unwrap_err();
            assert!(error.to_string().contains("byte order mark"), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_anchor_is_one_for_the_rest_of_the_stream() {
        are("a: &x 1\n---\nb: *x\n", &[("1", "*x"), ("1", "1")]);
        are("a: &x 1\n---\na: &x 2\n---\nb: *x\n", &[("1", "1"), ("2", "*x"), ("2", "2")]);
        for text in ["a: *x\n---\nb: &x 1\n", "a: &x {b: 1}\n---\n*x\n"] {
            assert!(Yaml.index(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
