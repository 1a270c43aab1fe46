//! What YAML 1.2 and the parser take and go-yaml does not.
//!
//! sops could not read the encrypted file, so it is not written. Each check names the place that go-yaml stumbles over; the
//! rules are those of its `scannerc.go`.

use super::quoted::SEPARATORS;
use crate::document::{Document, EntryId, Flags, Kind, Style};

/// What go-yaml refuses, or reads as something else: where, what it is, why that matters, and what to do.
pub(super) struct Refused {
    pub(super) at: usize,
    pub(super) what: &'static str,
    pub(super) why: &'static str,
    pub(super) hint: &'static str,
}

impl Refused {
    /// Of what sops refuses.
    fn new(at: usize, what: &'static str, hint: &'static str) -> Self {
        Refused { at, what, why: "sops could not read the encrypted file", hint }
    }

    /// Of what sops takes for something else than YAML 1.2 says.
    fn misread(at: usize, what: &'static str, hint: &'static str) -> Self {
        Refused { at, what, why: "YAML 1.2 does not, so what it means to sops is not what it says", hint }
    }
}

/// Checks what stands between `start` and the beginning of the next document.
pub(super) fn before_document(source: &str, start: usize, end: usize, is_first: bool) -> Result<(), Refused> {
    let mut at = start;
    for line in source[start..end].split_inclusive(['\n', '\r']) {
        let begins_line = at == 0 || source[..at].ends_with(['\n', '\r', '\u{feff}']);
        let line_at = at + line.len() - line.trim_start_matches('\u{feff}').len();
        let text = source[line_at..at + line.len()].trim_end();
        at += line.len();
        if !begins_line && line_at != 3 {
            continue;
        }
        if is_first && text.strip_prefix("...").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t'])) {
            return Err(Refused::new(line_at, "`...` ends a document here, and none has begun", "remove the line"));
        }
        if text.starts_with('%') && !is_known_directive(text) {
            return Err(Refused::new(
                line_at,
                "this directive is not known to sops",
                "sops knows %YAML 1.1 and %TAG alone; remove the line",
            ));
        }
    }
    Ok(())
}

/// Where a byte order mark stands before a document, behind the one that a file may begin with. In a comment it is a
/// letter like others.
pub(super) fn mark_before_document(source: &str, start: usize, end: usize) -> Option<usize> {
    let mut at = start;
    for line in source.get(start..end)?.split_inclusive(['\n', '\r']) {
        let text = line.split_once('#').map_or(line, |(text, _)| text);
        if let Some((found, _)) = text.match_indices('\u{feff}').find(|(found, _)| at + found > 0) {
            return Some(at + found);
        }
        at += line.len();
    }
    None
}

/// Refuses such a mark.
pub(super) fn second_mark(at: usize) -> Refused {
    Refused::new(at, "sops takes a byte order mark at the beginning of a file alone", "remove it")
}

/// Checks the beginning of a document: `is_marked` is whether it has a `---`, or needs none.
pub(super) fn document_start(at: usize, is_marked: bool) -> Result<(), Refused> {
    if is_marked {
        return Ok(());
    }
    Err(Refused::new(at, "sops wants a `---` before another document", "put a line `---` behind the `...`"))
}

/// Whether a text in quotes has a character that go-yaml reads only as an escape.
pub(super) fn has_control(text: &str) -> bool {
    let is_control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    text.chars().any(|c| is_control(c) || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// Whether a text in double quotes has an escape that go-yaml does not know: `\/`, or half a character of UTF-16.
pub(super) fn has_unknown_escape(quoted: &str) -> bool {
    let mut rest = quoted;
    while let Some((_, escape)) = rest.split_once('\\') {
        let half = escape.get(1..4).map(str::to_ascii_lowercase);
        let is_half = half.is_some_and(|digits| ("d80"..="dff").contains(&&*digits));
        if escape.starts_with('/') || escape.starts_with('u') && is_half {
            return true;
        }
        rest = escape.get(escape.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
    }
    false
}

/// Checks the leaf `id`, which stays as it is.
pub(super) fn clear(document: &Document, id: EntryId) -> Result<(), Refused> {
    clear_block(document, id)?;
    clear_plain(document, id)?;
    clear_tag(document, id)
}

/// Checks the leaf `id` when it is a plain text of several lines: go-yaml takes no tab at the beginning of one that is not
/// deeper than the key or dash.
fn clear_plain(document: &Document, id: EntryId) -> Result<(), Refused> {
    let raw = document.raw(id);
    if document.entry(id).style() != Style::Plain || !raw.contains('\n') {
        return Ok(());
    }
    let mut start = 0;
    while raw[start..].starts_with(['!', '&']) {
        start = behind_property(raw, start).1;
    }
    let mark = mark_column(document, id);
    for (at, _) in raw.match_indices('\n').filter(|&(at, _)| at > start) {
        let line = &raw[at + 1..];
        let blanks = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
        if let Some(tab) = blanks.find('\t').filter(|&tab| tab <= mark) {
            return Err(misplaced_tab(document.entry(id).span().start + at + 1 + tab));
        }
    }
    Ok(())
}

/// The column of the key or dash that the value `id`, or the lists and maps in brackets around it, belong to; 0 where it
/// does not stand right before.
fn mark_column(document: &Document, mut id: EntryId) -> usize {
    while document.entry(id).is(Flags::IN_FLOW) {
        let Some(parent) = document.entry(id).parent() else { return 0 };
        id = parent;
    }
    let text = document.text();
    let before = text[..document.entry(id).span().start].trim_end();
    let mark = document.key_start(id).or_else(|| before.ends_with('-').then(|| before.len() - 1));
    mark.map_or(0, |mark| mark - super::place::line_start(text, mark))
}

/// Checks the leaf `id` when a tag goes with it: before a value on a line below the tag go-yaml takes spaces alone.
fn clear_tag(document: &Document, id: EntryId) -> Result<(), Refused> {
    let entry = document.entry(id);
    if !entry.is(Flags::TAGGED) || entry.is(Flags::IN_FLOW) {
        return Ok(());
    }
    let raw = document.raw(id);
    let mut at = 0;
    while raw[at..].starts_with(['!', '&']) {
        let (end, value) = behind_property(raw, at);
        let line = super::place::line_start(raw, value);
        if let Some(tab) = raw[line.max(end)..value].find('\t').filter(|_| line > end) {
            return Err(misplaced_tab(entry.span().start + line + tab));
        }
        at = value;
    }
    Ok(())
}

/// The end of the tag or anchor at `at`, and where what follows it begins.
fn behind_property(raw: &str, at: usize) -> (usize, usize) {
    let end = at + raw[at..].find([' ', '\t', '\n', '\r']).unwrap_or(raw.len() - at);
    (end, raw.len() - raw[end..].trim_start_matches([' ', '\t', '\n', '\r']).len())
}

/// Refuses a tab.
fn misplaced_tab(at: usize) -> Refused {
    Refused::new(at, "a tab stands where sops takes only spaces", "replace it by spaces, or remove it")
}

/// Checks the leaf `id` when it is a block scalar: where its first text begins with a tab, its header has to say how deep its
/// lines are.
fn clear_block(document: &Document, id: EntryId) -> Result<(), Refused> {
    let entry = document.entry(id);
    if !matches!(entry.style(), Style::Literal | Style::Folded) {
        return Ok(());
    }
    let text = document.text();
    let blank = document.raw(id).len() - document.raw(id).trim_start_matches([' ', '\n', '\r']).len();
    let at = entry.span().start + blank;
    if !text[at..entry.span().end].starts_with('\t') {
        return Ok(());
    }
    let header = text[..entry.span().start].trim_end_matches(['\n', '\r']).lines().next_back().unwrap_or_default();
    let mark = header.split(" #").next().unwrap_or_default().rsplit(['|', '>']).next().unwrap_or_default();
    if mark.contains(|c: char| c.is_ascii_digit()) {
        return Ok(());
    }
    Err(Refused::new(
        at,
        "a tab stands where sops takes only spaces",
        "say in the header how deep the lines are, such as `|2`; where the value is encrypted it may stay",
    ))
}

/// Refuses a value of `<<` that is no map: go-yaml merges the keys of the document that it looks for the `sops` block in.
pub(super) fn no_merge(at: usize) -> Refused {
    Refused::new(
        at,
        "the list of `<<` holds something else than maps",
        "put the key in quotes if it is none of YAML's own: \"<<\"",
    )
}

/// Whether sops reads the directive that `line` is.
pub(super) fn is_known_directive(line: &str) -> bool {
    let mark = if line.starts_with("%YAML") { "#" } else { " #" };
    let line = line.split_once(mark).map_or(line, |(line, _)| line);
    let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        ["%TAG", _, prefix] => !prefix.contains('#'),
        words => words == ["%YAML", "1.1"],
    }
}

/// Refuses a separator outside of quotes.
pub(super) fn separator(at: usize) -> Refused {
    Refused {
        at,
        what: "sops takes the character here for a line break",
        why: "what follows it is a line of its own, which is no YAML there",
        hint: r"remove it, or write it in double quotes: \N is U+0085, \L is U+2028, \P is U+2029",
    }
}

/// Checks a key without `?`: `key` is what stands before its colon, with its anchor and tag.
pub(super) fn implicit_key(key: &str, at: usize) -> Result<(), Refused> {
    const MOST_CHARS: usize = 1_024;
    if key.len() <= MOST_CHARS && key.is_ascii() && !key.contains(['\n', '\r']) {
        return Ok(());
    }
    if let Some((found, _)) = key.match_indices(SEPARATORS).next() {
        return Err(Refused { why: "a key and its colon stand on one line", ..separator(at + found) });
    }
    if key.contains(['\n', '\r']) || key.chars().count() > MOST_CHARS {
        let hint = "put them on one line of at most 1024 characters";
        return Err(Refused::new(at, "the key here and its colon do not stand on one line", hint));
    }
    Ok(())
}

/// Checks what follows the colon at `at`, behind the plain key of a pair in a list.
pub(super) fn pair_colon(rest: &str, at: usize) -> Result<(), Refused> {
    if rest.starts_with([',', ']']) {
        return Err(Refused::misread(at, "sops takes the colon here for a part of the text", "put a space behind it"));
    }
    Ok(())
}

/// Checks the tag `tag` and what follows it.
pub(super) fn tag(tag: &str, rest: &str, at: usize, in_flow: bool) -> Result<(), Refused> {
    if let Some(found) = tag.find('#') {
        return Err(Refused::new(at + found, "sops takes no `#` in a tag", "write it as %23"));
    }
    if in_flow && rest.starts_with([',', ']', '}']) {
        return Err(mark_in_tag(at));
    }
    Ok(())
}

/// Refuses a tag with a comma or bracket behind it, or that comma.
pub(super) fn mark_in_tag(at: usize) -> Refused {
    Refused::misread(at, "sops takes the character behind this tag for a part of it", "put a space between them")
}

/// Checks the tabs between the values.
///
/// At the beginning of a line, or behind the `-`, `?` or `:` that stands there, go-yaml takes no tab, not even on a line
/// without text, but for four places: between brackets; behind a plain value, where the tab stands deeper than what
/// the value belongs to; between `?` or `:` and a comment; and between comments on lines of their own.
pub(super) fn tabs(document: &Document) -> Result<(), Refused> {
    let text = document.text();
    let mut next: EntryId = 0;
    let mut last: Option<EntryId> = None;
    let mut brackets_end = 0;
    let mut blank_from = 0;
    let mut line_end = 0;
    for tab in memchr::memchr_iter(b'\t', text.as_bytes()) {
        if tab < line_end {
            continue; // The first of a line decides.
        }
        let line = super::place::line_start(text, tab);
        line_end = super::place::next_line(text, tab);
        let before = text[line..tab].trim_start_matches('\u{feff}');
        if !before.split(' ').all(|word| matches!(word, "" | "-" | "?" | ":")) {
            continue;
        }
        let is_before_comment = text[tab..line_end].trim_start_matches([' ', '\t']).starts_with('#');
        if is_before_comment && before.trim_end_matches(' ').ends_with(['?', ':']) {
            continue; // Of the marks, only a dash is followed by nothing but spaces.
        }
        while next < document.len() && document.entry(next).span().start <= tab {
            let entry = document.entry(next);
            if entry.kind().is_container() {
                if entry.style() == Style::Flow {
                    brackets_end = brackets_end.max(entry.span().end);
                }
            } else if entry.kind() != Kind::Comment && !entry.is(Flags::COPIED) {
                last = Some(next);
                blank_from = entry.span().end;
            }
            next += 1;
        }
        let last_end = last.map_or(0, |last| document.entry(last).span().end);
        if tab < brackets_end || tab < last_end {
            continue;
        }
        let is_behind_plain = last.is_some_and(|last| {
            let entry = document.entry(last);
            let is_plain = entry.style() == Style::Plain && !entry.span().is_empty() && !entry.is(Flags::ALIAS);
            let is_blank = text[blank_from..tab].bytes().all(|byte| byte.is_ascii_whitespace());
            let column = entry.parent().map_or(0, |parent| {
                let start = document.entry(parent).span().start;
                start - super::place::line_start(text, start)
            });
            is_plain && is_blank && tab - line > column
        });
        if !is_behind_plain && !is_between_comments(text, last_end, line, tab) {
            return Err(misplaced_tab(tab));
        }
        blank_from = tab;
    }
    Ok(())
}

/// Whether nothing but blanks stands around the `tab` in the line that begins at `line`, up to a comment above and one
/// below: go-yaml looks behind a comment for the next one. The last value ends at `from`.
fn is_between_comments(text: &str, from: usize, line: usize, tab: usize) -> bool {
    /// As far as go-yaml looks, from the line break behind the comment.
    const FARTHEST: usize = 511;
    let bytes = text.as_bytes();
    let window = &bytes[line.saturating_sub(FARTHEST).max(from.min(line))..line];
    let above = line - window.len() + window.trim_ascii_end().len();
    let blanks = bytes[tab..].iter().take(FARTHEST).take_while(|byte| byte.is_ascii_whitespace()).count();
    let comment = super::place::line_start(text, above);
    let mut head = text.get(comment..above).unwrap_or_default().trim_ascii_start();
    while let Some(item) = head.strip_prefix("- ") {
        head = item.trim_ascii_start();
    }
    comment >= from
        && head.starts_with('#')
        && bytes[line..tab].iter().all(|&byte| byte == b' ')
        && bytes.get(tab + blanks) == Some(&b'#')
        && tab + blanks - above <= FARTHEST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, yaml::Yaml};

    /// What real sops 3.11 says of each, seen by running it.
    #[test]
    fn tabs_stand_where_go_yaml_takes_them() {
        for text in [
            "a: b\n  \t\nc: d\n",
            "a: [1,\n\t2]\nb: 1\n",
            "? key\n:\t# c\n  key: a\n",
            "?\t # c\n  key\n: a\n",
            "a: b\t\nc: d\n",
            "a:\t1\n",
            "a: 1\n--- \t\nb: 1\n",
            "a: 1\n...\t\n---\nb: 1\n",
            "a: &x\t\n  b: 1\n",
            "a:\t# c\n  b: 1\n",
            "? a\t\n: b\n",
            "a: x\n  \ty\nb: 1\n",
            "a: \"x\n\ty\"\n",
            "a: |\n  - \tx\n  \t\n",
            "a: {b: 1,\n\n\t# c\n\tc: 2\n}\n",
            "a: 1\n# c\n\t# d\nb: 2\n",
            "a: '1'\r\n  # c\r\n\t\r\n \t\r\n\t # d\r\nb: 2\r\n",
            "a:\n  # c\n\t# d\n  - 1\n  # e\n\t\n# f\n",
            "# c\n\t# d\na: 1\n",
            "a:\n  - # c\n  \t# d\n    - 1\n",
        ] {
            assert!(Yaml.index(text.to_owned()).is_ok(), "{text:?}");
        }
        for (text, at) in [
            ("a: b\n\t\nc: d\n", 5),
            ("a: \"b\"\n  \t\nc: d\n", 9),
            ("a:\n\t\n  b: 1\n", 3),
            ("a:\n  b: 1\n  \t\n  c: 1\n", 12),
            ("a: 1\n\t# c\nb: 2\n", 5),
            ("a: |\n  x\n\t\nb: 1\n", 9),
            ("\t\na: 1\n", 0),
            ("a: \"1\"\n\t", 7),
            ("a: [1]\n\t\nb: 1\n", 7),
            ("a:\n-\t1\n", 4),
            ("?\ta\n: b\n", 1),
            ("a: '1' # c\n\t# d\nb: 2\n", 11),
            ("a: '1\n  # c'\n\t# d\nb: 2\n", 13),
            ("a: '1'\n# c\n\t\nb: 2\n", 11),
            ("a:\n# c\n- \t# d\n", 9),
        ] {
            let error = Yaml.index(text.to_owned()).map(drop).unwrap_err();
            let (line, column) = crate::error::line_column(text, at);
            assert!(error.to_string().contains(&format!("{line}:{column}: a tab stands")), "{text:?}: {error}");
        }
    }

    #[test]
    fn tabs_between_a_tag_and_its_value_stand_on_the_line_of_the_tag() {
        let check = |text: &str| {
            let document = Yaml.index(text.to_owned()).unwrap();
            Yaml.write_clear(&document, document.len() - 1, &mut Vec::new())
        };
        for text in ["b: !!int\t5\n", "b: !!int \t\n  5\n", "b: [!!int\n\t5]\n", "b: &a !!int\n &b\n"] {
            if let Ok(document) = Yaml.index(text.to_owned()) {
                assert!(Yaml.write_clear(&document, document.len() - 1, &mut Vec::new()).is_ok(), "{text:?}");
            }
        }
        for (text, place) in [("b: !!int\n  \t5\n", (2, 3)), ("b: &anchor\n !!m\n  \ta\n", (3, 3))] {
            assert_eq!(check(text).unwrap_err().place().line_column, Some(place), "{text:?}");
        }
    }

    #[test]
    fn tabs_in_a_plain_text_are_deeper_than_its_key() {
        let check = |text: &str| {
            let document = Yaml.index(text.to_owned()).unwrap();
            let id = document.len() - 1;
            assert!(document.raw(id).contains('\t'), "{text:?}");
            Yaml.write_clear(&document, id, &mut Vec::new())
        };
        for text in ["a: b\n \t\n  c\n", "a:\n  b\n \tc\n", "a: \"b\n\t\n  c\"\n", "a: [b\n \t\n  c]\n"] {
            if let Ok(document) = Yaml.index(text.to_owned()) {
                assert!(Yaml.write_clear(&document, document.len() - 1, &mut Vec::new()).is_ok(), "{text:?}");
            }
        }
        for (text, place) in [
            ("a: b\n\t\n  c\n", (2, 1)),
            ("a: b\n  d\n\t\n  c\n", (3, 1)),
            ("x:\n  a: b\n \t\n    c\n", (3, 2)),
            ("a:\n  - b\n  \t\n    c\n", (3, 3)),
            ("a:\n- b\n\t\n  c\n", (3, 1)),
            ("a: [b\n\t\n  c]\n", (2, 1)),
        ] {
            assert_eq!(check(text).unwrap_err().place().line_column, Some(place), "{text:?}");
        }
    }

    #[test]
    fn many_lines_with_tabs_are_looked_at_once() {
        let text = format!("a: {}1{}\nb: x\n{}", "[\n\t".repeat(5_000), "]".repeat(5_000), "  \t\n".repeat(200_000));
        let document = Yaml.index(text).unwrap();
        assert!(tabs(&document).is_ok());
    }

    #[test]
    fn control_characters_are_those_of_go_yaml() {
        for text in ["\0", "a\u{7f}", "\u{80}", "\u{9f}", "\u{fffe}", "\u{ffff}", "\u{1b}"] {
            assert!(has_control(text), "{text:?}");
        }
        assert!(!has_control("\t\r\n\u{85}\u{a0}\u{d7ff}\u{fffd}\u{10ffff}\u{2028} ~"));
    }

    #[test]
    fn escapes_are_those_of_go_yaml() {
        for text in [r#""a\/b""#, r#""\ud83d\ude00""#, r#""\\\uDFFF""#, r#""\"\/""#] {
            assert!(has_unknown_escape(text), "{text}");
        }
        for text in
            [r#""a/b""#, r#""\\/ \\ud83d""#, r#""\ud7ff \ue000""#, r#""\U0001f600 \u00e9 \x2f""#, r#""é\"#, r#""\ud8"#]
        {
            assert!(!has_unknown_escape(text), "{text}");
        }
    }

    #[test]
    fn another_document_has_a_marker() {
        assert!(Yaml.index("a: 1\n...\n# c\n".to_owned()).is_ok());
        assert!(Yaml.index("a: 1\n...\n# c\n--- {b: 1}\n".to_owned()).is_ok());
        let error = Yaml.index("a: 1\n...\n# c\nb: 1\n".to_owned()).map(drop).unwrap_err();
        assert!(error.to_string().contains("4:1: sops wants a `---`"), "{error}");
    }

    #[test]
    fn directives_are_those_that_go_yaml_knows() {
        for (line, is_known) in [
            ("%YAML 1.1", true),
            ("%YAML   1.1 # c", true),
            ("%TAG ! tag:x,2000:", true),
            ("%TAG ! tag:x,2000:#x", false),
            ("%YAML 1.2", false),
            ("%YAML 1.1 1.1", false),
            ("%YAML", false),
            ("%FOO bar", false),
        ] {
            assert_eq!(is_known_directive(line), is_known, "{line}");
        }
        assert!(
            Yaml.index("\u{feff}# c\n%YAML 1.1\n---\na: \"%x\n%y\"\n...\n%TAG ! !a\n---\nb: 1\n".to_owned()).is_ok()
        );
        assert!(Yaml.index("a: 1\n...\n%YAML 1.2\n---\nb: 1\n".to_owned()).is_err());
        assert!(Yaml.index("a: 1\n...\n...\n---\nb: 1\n".to_owned()).is_ok());
    }
}
