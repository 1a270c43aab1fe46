//! Templates that are taken for the file they make: what to say of them.
//!
//! Owns: how the marks of Go templates, Helm, Ansible, Jinja and ERB are known in a text that a format has refused.
//! Must not know: any format. Nothing here decides what is accepted.

use super::AS_IT_IS;
use crate::error::Error;

/// Begins and ends what is filled in.
const MARKS: [(&str, &str); 4] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}"), ("<%", "%>")];

/// A template mark at the place of an error.
pub(super) struct Template<'a> {
    mark: (&'static str, &'static str),
    /// Whether the line begins with it.
    is_line: bool,
    /// The rest of the line, from the mark on.
    rest: &'a str,
}

/// The template on the line of `at` in `text` that begins there, or around it.
pub(super) fn around(text: &str, at: usize) -> Option<Template<'_>> {
    let at = (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at))?;
    let start = text[..at].rfind('\n').map_or(0, |found| found + 1);
    let end = text[at..].find('\n').map_or(text.len(), |found| at + found);
    let line = &text[start..end];
    let found = MARKS.into_iter().flat_map(|mark| line.match_indices(mark.0).map(move |(place, _)| (place, mark)));
    let (place, mark) = found.filter(|(place, _)| start + place <= at).max_by_key(|&(place, _)| place)?;
    let rest = &line[place..];
    if ['"', '\''].iter().any(|&quote| line[..place].matches(quote).count() % 2 == 1) {
        return None;
    }
    // Braces also stand in braces in YAML, and comments behind them.
    let is_sure = rest.contains(mark.1) || ["{{-", "{{/*", "{%", "<%"].iter().any(|sure| rest.starts_with(sure));
    is_sure.then(|| Template { mark, is_line: line[..place].trim().is_empty(), rest })
}

impl Template<'_> {
    /// `error` with what the template is, and what to do with it in a file of `format`.
    pub(super) fn explain(&self, error: Error, format: &str) -> Error {
        let (begin, end) = self.mark;
        if self.is_line {
            return error
                .because(format!(
                    "`{begin}` begins a piece of a template, which is not {format} before it is filled in"
                ))
                .hint("encrypt the values that the template is filled with, in a file of their own")
                .hint(AS_IT_IS);
        }
        let quote = if format == "YAML" && self.rest.contains('"') { '\'' } else { '"' };
        error
            .because(format!("`{begin}` begins a piece of a template, which is not {format} without quotes"))
            .hint(format!("put the value in quotes: {quote}{begin} … {end}{quote}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn hint(text: &str, at: usize) -> Option<String> {
        let error = around(text, at)?.explain(Error::new(Kind::Format, "x"), "YAML");
        Some(error.hints()[0].clone())
    }

    #[test]
    fn a_value_is_to_be_put_in_quotes() {
        for (text, at, quoted) in [
            ("b: 1\na: {{ c }}\nd: 1\n", 8, "\"{{ … }}\""),
            ("a: {{ c }}", 4, "\"{{ … }}\""),
            ("a: {{ c | default(\"d\") }}", 3, "'{{ … }}'"),
            ("- {% if c %}", 3, "\"{% … %}\""),
            ("a: [{{ c }}]", 5, "\"{{ … }}\""),
        ] {
            assert!(hint(text, at).is_some_and(|hint| hint.ends_with(quoted)), "{text}");
        }
    }

    #[test]
    fn a_line_is_one_of_a_template() {
        for text in ["{{- if .Values.x }}", "  {% if x %}", "{# c #}", "<% if x", "{{/* c", "{{ include \"a\" . }}"] {
            assert!(
                hint(text, text.len().min(3)).is_some_and(|hint| hint.contains("in a file of their own")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_template_is_not_called_one() {
        for (text, at) in [
            ("a: {{b: 1}: c}", 3),
            ("{ # c", 0),
            ("{#c", 0),
            ("a: b: {{ c }}", 3),
            ("a: \"{{ c }}\" d", 13),
            ("{{ c }}\n? [a]", 10),
            ("", 0),
        ] {
            assert_eq!(hint(text, at), None, "{text}");
        }
    }
}
