//! What go-yaml takes and the parser does not: a text in its place that the parser takes.
//!
//! No position is another in such a text. Whoever handles the event for the place that was changed takes the value from the
//! source.

use super::super::{place, quoted, strict, tabs};
use super::{Indexer, Stop, breaks, refuse};
use crate::error::{self, Error, Result};
use granit_parser::{ErrorKind, ScanError};
use std::ops::Range;
use zeroize::Zeroize;

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
            ErrorKind::CommentNotSeparated => without_comment(self.parsed, offset),
            ErrorKind::InvalidBlockScalarIndent => at_line_start(self.parsed, offset),
            ErrorKind::BomInsideDocument => with_letter(self.parsed, offset),
            ErrorKind::MissingDocumentEndBeforeDirective => with_end(self.parsed, offset),
            ErrorKind::SimpleKeyExpected => {
                let mut lines = breaks::with_breaks(self.source, self.parsed);
                let again = behind_key(lines.as_deref().unwrap_or(self.source), self.parsed, offset);
                lines.zeroize();
                again
            }
            ErrorKind::PlainScalarStartsWithDashFlowIndicator => exchanged(self.parsed, offset, "-", "x"),
            ErrorKind::InvalidTagTerminator => plain_tag(self.parsed, offset),
            _ => None,
        };
        // Without a change it would go on for ever.
        let again = masked().or_else(own).filter(|text| text != self.parsed);
        let hint = match error.kind() {
            ErrorKind::CommentNotSeparated => "put a space before the `#`",
            ErrorKind::MissingDocumentEndBeforeDirective => "put a line `...` above, or remove the directive",
            ErrorKind::BomInsideDocument => "remove the byte order mark, which does not show",
            ErrorKind::TabInPlainScalar
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabNotAllowed => "write spaces instead of the tab: YAML indents by spaces alone",
            ErrorKind::UnexpectedCharacter { .. }
                if self.source[offset..]
                    .starts_with(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) =>
            {
                "remove this character, which does not show; is the file a text in UTF-8?"
            }
            ErrorKind::UnexpectedCharacter { .. } => "put a text that begins with this character in quotes",
            ErrorKind::MappingValueNotAllowed => {
                "put a text with a colon and a blank in it in quotes; else look at the indentation, also of the lines above"
            }
            ErrorKind::UnknownQuotedScalarEscape
            | ErrorKind::InvalidQuotedScalarHexEscape
            | ErrorKind::InvalidUnicodeEscape => {
                r"in double quotes a backslash begins an escape: write \\ for one, or take single quotes"
            }
            _ => "look at the lines above too: a quote or bracket that is not closed shows later",
        };
        if let Some(refused) = self.misread_before(offset) {
            return Stop { error: refuse(self.source, refused), again };
        }
        let place = match error.kind() {
            // The parser names the text that goes on with the line, not the tab before it.
            ErrorKind::TabInPlainScalar => {
                let line = offset + self.source[offset..].find('\n').unwrap_or(0);
                line + self.source[line..].find('\t').unwrap_or(0)
            }
            _ => offset,
        };
        let stop = Error::new(error::Kind::Format, "this is not valid YAML").at(self.source, place);
        Stop { error: self.or_template(stop, offset, |stop| stop.because(error.info()).hint(hint)), again }
    }

    /// Another text than the parser's for a byte order mark between two documents, which the parser passes over.
    pub(super) fn mark_between(&self, start: usize, end: usize) -> Option<Stop> {
        let at = strict::mark_before_document(self.source, start, end)?;
        let error = refuse(self.source, strict::second_mark(at));
        let is_second = self.source[..at].ends_with(MARK);
        Some(Stop { error, again: with_letter(self.parsed, at).filter(|_| !is_second) })
    }

    /// Where the comment begins that the parser has at `start`: see [`at_line_start`].
    pub(super) fn comment_start(&self, start: usize) -> usize {
        let source = self.source.as_bytes();
        start + source[start..].iter().take_while(|&&byte| byte == b' ').count()
    }

    /// Another text than the parser's for a colon at `at` that ends a text in brackets, and no key, to go-yaml.
    pub(super) fn pair_colon(&self, at: usize) -> Result<(), Stop> {
        strict::pair_colon(&self.source[at + 1..], at).map_err(|refused| Stop {
            error: refuse(self.source, refused),
            again: exchanged(self.parsed, at, ":", "x"),
        })
    }

    /// Another text than the parser's for a tag that go-yaml takes the comma behind it for a part of.
    pub(super) fn misread_tag(&self, refused: strict::Refused) -> Stop {
        let is_comma = |tag: &str| tag.find([',', ']', '}']).is_some_and(|found| tag[found..].starts_with(','));
        let tag = plain_tag(self.parsed, refused.at).filter(|text| text != self.parsed);
        let again = tag.filter(|_| is_comma(&self.parsed[refused.at..]));
        Stop { error: refuse(self.source, refused), again }
    }

    /// The value of the plain scalar at `range`, where the parser read something else.
    pub(super) fn plain_value(&self, range: &Range<usize>) -> Result<String> {
        let (raw, parsed) = (&self.source[range.clone()], &self.parsed[range.clone()]);
        if raw.contains(LETTER) {
            let error = self.refuse("a byte order mark stands within a document", range.start);
            return Err(error.because("it is no letter in YAML").hint("remove it; it does not show"));
        }
        let is_joined = |(source, parsed): (u8, u8)| parsed == b' ' && matches!(source, b'\n' | b'\r');
        if raw.bytes().zip(parsed.bytes()).any(is_joined) {
            return Err(self
                .refuse("this is not valid YAML", range.start)
                .because("a `|` or `>` begins no value here")
                .hint("put the value in quotes"));
        }
        // Its lines are joined like those of a text in quotes.
        quoted::value(&format!("'{}'", raw.replace('\'', "''")))
            .ok_or_else(|| self.refuse_text("sops does not read this text", range.start))
    }
}

/// The comments of `text` that have blanks for them in `parsed`.
pub(super) fn hidden_comments(text: &str, parsed: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (source, parsed) = (text.as_bytes(), parsed.as_bytes());
    let mut at = 0;
    while let Some(mark) = memchr::memchr(b'#', &source[at..]).map(|mark| at + mark) {
        at = mark + 1;
        if parsed[mark] == b' ' && parsed[place::line_start(text, mark)] != b'#' {
            let end = memchr::memchr2(b'\n', b'\r', &source[mark..]).map_or(source.len(), |end| mark + end);
            at = text[mark..end].find(quoted::SEPARATORS).map_or(end, |found| mark + found);
            found.push(mark..at);
        }
    }
    found
}

/// `parsed` with the directives of `source` that it has the end of a document for; nothing when there are none.
pub(super) fn with_directives(source: &str, parsed: &str) -> Option<String> {
    let mut found = source.match_indices('%').filter(|&(at, _)| parsed[at..].starts_with(END)).peekable();
    found.peek()?;
    let (mut text, mut from) = (String::with_capacity(parsed.len()), 0);
    for (at, _) in found {
        let end = source[at..].find(['\n', '\r']).map_or(source.len(), |len| at + len);
        text.push_str(&parsed[from..at]);
        text.push_str(&source[at..end]);
        from = end;
    }
    text.push_str(&parsed[from..]);
    Some(text)
}

/// Stands for a byte order mark: as many bytes, and of no meaning either.
const LETTER: &str = "\u{e000}";

/// The byte order mark.
const MARK: &str = "\u{feff}";

/// What ends a document.
const END: &str = "...";

/// `text` with `new`, which is as long, in the place of the `old` at `at`.
fn exchanged(text: &str, at: usize, old: &str, new: &str) -> Option<String> {
    let rest = text.get(at..)?.strip_prefix(old)?;
    Some(format!("{}{new}{rest}", &text[..at]))
}

/// `text` with blanks for the comment at `at`: go-yaml takes one right behind a quote, a bracket, or the header of a
/// block scalar.
fn without_comment(text: &str, at: usize) -> Option<String> {
    let rest = text.get(at..).filter(|rest| rest.starts_with('#'))?;
    let len = rest.find(quoted::BREAKS).unwrap_or(rest.len());
    exchanged(text, at, &rest[..len], &" ".repeat(len))
}

/// `text` with the end of a document before the directive at `at`, which go-yaml takes right behind a document. One that
/// says which version this is has its place; of the other, which gives a name to tags that mean nothing here, the end
/// of the document takes the place of a part.
fn with_end(text: &str, at: usize) -> Option<String> {
    let line = text.get(at..)?.split(['\n', '\r']).next().filter(|line| strict::is_known_directive(line))?;
    let directive = line.split('#').next()?.trim_end();
    let next = &text[place::skip_to_mark(text, at + line.len())..];
    let is_version = directive.starts_with("%YAML");
    if !(next.starts_with("---") || next.starts_with(if is_version { "%TAG" } else { "%" })) {
        return None;
    }
    let new = if is_version {
        format!("{END:width$}", width = directive.len())
    } else {
        let prefix = directive.rfind([' ', '\t'])? + 1;
        let (old, new) = (&directive[prefix..], directive.get(prefix + END.len() + 1..)?);
        let means_nothing = |tags: &str| {
            const KNOWN: &str = "tag:yaml.org,2002:";
            !tags.is_empty() && !tags.starts_with(KNOWN) && !KNOWN.starts_with(tags)
        };
        if !means_nothing(old) || !means_nothing(new) || new.starts_with('!') {
            return None;
        }
        format!("{END}\n{}{new}", &directive[..prefix])
    };
    exchanged(text, at, directive, &new)
}

/// `parsed` with the header of the block scalar at `at` on the line of its key or dash: go-yaml takes one that is as deep
/// as the key, and none that is less. What stands between them, comments alone, becomes blanks.
fn behind_key(source: &str, parsed: &str, at: usize) -> Option<String> {
    parsed.get(at..).filter(|rest| rest.starts_with(['|', '>']))?;
    let mut line = place::line_start(source, at);
    let column = at - line;
    let mut from = line;
    let mut is_between = source[line..at].bytes().all(|byte| byte == b' ');
    if !is_between {
        return None;
    }
    while is_between && line > 0 {
        let end = line;
        let above = source[..end].trim_end_matches(['\n', '\r']).len();
        line = place::line_start(source, above);
        let text = &source[line..above];
        let is_comment = |found: &usize| quoted::around(source, line, line + found + 1).is_none();
        let comment = text.match_indices(" #").map(|(found, _)| found).find(is_comment);
        from = line + text[..comment.unwrap_or(text.len())].trim_end_matches(' ').len();
        is_between = text.trim_start_matches(' ').starts_with('#');
    }
    if key_column(source[line..from].trim_start_matches(MARK)) != column {
        return None;
    }
    exchanged(parsed, from, &parsed[from..at], &" ".repeat(at - from))
}

/// The column of the key in `line`, or of the dash that stands before no key.
fn key_column(line: &str) -> usize {
    let mut column = line.len() - line.trim_start_matches(' ').len();
    while let Some(behind) = line[column..].strip_prefix(['-', '?', ':']) {
        let is_property = |word: &str| word.is_empty() || word.starts_with(['&', '!']);
        if !behind.starts_with(' ') || behind.split(' ').all(is_property) {
            break;
        }
        column = line.len() - behind.trim_start_matches(' ').len();
    }
    column
}

/// `text` with a tag at `at` of characters that all tags may have: go-yaml knows more. No tag that means something has
/// any of them.
fn plain_tag(text: &str, at: usize) -> Option<String> {
    let rest = text.get(at..)?.strip_prefix('!')?;
    let len = rest.find([' ', '\t', '\n', '\r']).unwrap_or(rest.len());
    let handle = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'));
    let name = handle.filter(|&end| rest[end..].starts_with('!')).map_or(0, |end| end + 1);
    let other = rest[..len].get(name..)?.replace(['!', ',', '[', ']'], "_");
    exchanged(text, at + 1 + name, &rest[name..len], &other)
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
    exchanged(text, at, MARK, LETTER)
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
        are(
            "a: \"x\"#\nb: [1,'y'#\n]#",
            &[("#", "#"), ("#", "#"), ("#", "#"), ("1", "1"), ("x", "\"x\""), ("y", "'y'")],
        );
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
        are("# \u{feff}c\n\u{feff}a: 1\n", &[("# \u{feff}c", "# \u{feff}c"), ("1", "1")]);
        for (text, what) in [
            ("a: \u{feff}\u{e000}\n", "byte order mark"),
            ("\u{feff}\u{feff}a: 1\n", "byte order mark"),
            ("a: 1\n...\n\u{feff}b: 2\n", "wants a `---`"),
            ("# c\n\u{feff}\na: 1\n", "a single value"),
        ] {
            let error = Yaml.index(text.to_owned()).map(drop).unwrap_err();
            assert!(error.to_string().contains(what), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_directive_needs_no_end_before_it() {
        are("a: 1\n%YAML 1.1 # c\n# d\n---\nb: 2\n", &[("# c", "# c"), ("# d", "# d"), ("1", "1"), ("2", "2")]);
        are("a: 1\r\n%YAML 1.1\r\n%TAG ! tag:x,2000:\r\n---\r\nb: !y 2", &[("1", "1"), ("2", "2")]);
        are("a: 1\n%TAG !e! tag:x,2000: # c\n%YAML 1.1\n---\nb: !e!y 2\n", &[("# c", "# c"), ("1", "1"), ("2", "2")]);
        for text in [
            "a: 1\n%YAML 1.2\n---\nb: 2\n",
            "a: 1\n%YAML 1.1\n",
            "a: 1\n%YAML 1.1\nb: 2\n",
            "a: 1\n%TAG ! !x\n---\n",
            "a: 1\n%TAG ! tag:yaml.org,2002:\n---\nb: !int 2\n",
            "a: 1\n%TAG ! tag:tag:yaml\n---\nb: !.org,2002:int 2\n",
            "a: 1\n%TAG ! tag:!!\n---\nb: !int 2\n",
        ] {
            assert!(Yaml.index(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_block_scalar_may_be_as_deep_as_its_key() {
        are("a:\n>\n  x\n", &[("x\n", "  x")]);
        are(
            "a:\r\n- b: # c # d\r\n\r\n  # \"e\r\n  |#f\r\n   x",
            &[("# \"e", "# \"e"), ("# c # d", "# c # d"), ("#f", "#f"), ("x", "   x")],
        );
        are("\"a # b\": # c\n|\n x\n", &[("# c", "# c"), ("x\n", " x")]);
        are("a:\n- - b: &x\n    |\n     x\n  - &y\n  |\n   z\n", &[("x\n", "     x"), ("z\n", "   z")]);
        are("? a\n:\n|\n x\n\u{feff}b:\n>\n y\n", &[("x\n", " x"), ("y\n", " y")]);
        for text in ["l:\n  key: \r|\n    no\n    of", "a:\n  b:\n|2\n    c: 1\n", "a:\n- b:\n|\n   x\n"] {
            assert!(Yaml.index(text.to_owned()).is_err(), "{text:?}");
        }
        for text in ["a:\n- first:\n  |\n   d\n>2\n   e\nb: 1\n", "a:\n  b: |\n   d:\n>\n   e\n"] {
            assert!(Yaml.index(text.to_owned()).is_err(), "{text:?}");
        }
        for text in ["a:\n  b:\n |\n  x\n", "a\n>\n x\n", ">\n|\n x\n", "a: b\n>\n x\n", "a: b # c\n>\n x\n"] {
            assert!(Yaml.index(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_dash_between_brackets_is_a_text() {
        are("a: [-, -,{b: -, -: 1}]\n", &[("-", "-"), ("-", "-"), ("-", "-"), ("1", "1")]);
        assert!(Yaml.index("a: [- x]\n".to_owned()).is_err());
    }

    #[test]
    fn a_colon_before_a_comma_or_bracket_ends_a_text() {
        are("a: [b:, c]\n", &[("b:", "b:"), ("c", "c")]);
        are("a: [!x b:, &y c:, !z,&w d:]\n", &[("b:", "b:"), ("c:", "c:"), ("d:", "d:")]);
        are("a: [c, it's::, {d: [e:]}]\n", &[("c", "c"), ("e:", "e:"), ("it's::", "it's::")]);
        are("a: [\"b\":, c: , :d, ::1, e:f]\n", &[("", ""), ("", ""), ("::1", "::1"), (":d", ":d"), ("e:f", "e:f")]);
    }

    #[test]
    fn colons_in_brackets_are_where_both_read_the_same() {
        for text in
            ["a: [b: , c]\n", "a: {b:, c: 1}\n", "a: [\"b\":, c]\n", "a: [b: [c]]\n", "a: [:b, ::1]\n", "a: [b:c]\n"]
        {
            assert!(Yaml.index(text.to_owned()).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_comma_behind_a_tag_is_of_the_tag() {
        are("a: [!x, 1]\n", &[("1", "1")]);
        are("a: [!!str, [2], !x,y {z: !w, 3}]\n", &[("2", "2"), ("3", "3")]);
        are("{a: !!str, }\n", &[("", "!!str,")]);
        for text in ["a: [!x]\n", "a: [!x,y]\n", "a: {x: !x}\n", "a: [!x,]\n"] {
            assert!(Yaml.index(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn tags_have_the_characters_of_go_yaml() {
        are("a: !!s!x 1\nb: !y,[z] 2\nc: !!int 3\n", &[("1", "!!s!x 1"), ("2", "2"), ("3", "!!int 3")]);
        for text in ["a: !é 1\n", "a: !e!x 1\n", "a: !x#y 1\n", "a: !x#y [1]\n"] {
            assert!(Yaml.index(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_anchor_is_one_for_the_rest_of_the_stream() {
        are("a: &x 1\n---\nb: *x\n", &[("1", "*x"), ("1", "1")]);
        are("a: &x 1\n---\na: &x 2\n---\nb: *x\n", &[("1", "1"), ("2", "*x"), ("2", "2")]);
        are("a: &x {b: 1}\n--- *x\n", &[("1", "*x"), ("1", "1")]);
        for text in ["a: *x\n---\nb: &x 1\n", "a: &x [1]\n---\n*x\n"] {
            assert!(Yaml.index(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
