//! What is refused because sops' tree has no place for it: what each is called, and what to do about it.
//!
//! Messages hold no piece of a value; the name of an alias may be one.

use super::super::resolve::Unresolvable;
use super::Indexer;
use crate::error::{self, Error};
use crate::format::{AS_IT_IS, template};

const ONLY_STRINGS: &str = "sops holds only keys that are strings";
const ONLY_MAPS: &str = "sops holds only documents that are maps at the top";

impl Indexer<'_> {
    pub(super) fn refuse(&self, message: &str, at: usize) -> Error {
        Error::new(error::Kind::Format, message).at(self.source, at)
    }

    /// `error` for what is at `at`, with what to say of it when it is no template.
    pub(super) fn or_template(&self, error: Error, at: usize, otherwise: impl FnOnce(Error) -> Error) -> Error {
        match template::around(self.source, at) {
            Some(template) => template.explain(error, "YAML"),
            None => otherwise(error),
        }
    }

    pub(super) fn refuse_collection_key(&self, at: usize) -> Error {
        self.or_template(self.refuse("a key of this map is itself a map or a list", at), at, |error| {
            error.because(ONLY_STRINGS).hint("put the key in quotes, or a map or list in the place of its value")
        })
    }

    pub(super) fn refuse_list(&self, at: usize) -> Error {
        let error = self.refuse("this document is a list", at);
        error.because(ONLY_MAPS).hint("put the list under a key, such as `items:`").hint(AS_IT_IS)
    }

    pub(super) fn refuse_single_value(&self, at: usize) -> Error {
        let line = self.source[at..].lines().next().unwrap_or_default();
        let is_key = |(key, value): (&str, &str)| !key.contains(' ') && !value.is_empty() && !value.starts_with("//");
        self.or_template(self.refuse("this document is a single value", at), at, |error| {
            let error = error.because(ONLY_MAPS);
            match line.split_once(':').is_some_and(is_key) {
                true => error.hint("is it a key? put a blank behind its colon; else put the value under a key"),
                false => error.hint("put the value under a key").hint(AS_IT_IS),
            }
        })
    }

    /// A scalar that sops' format has no value for.
    pub(super) fn refuse_value(&self, reason: Unresolvable, at: usize) -> Error {
        // sops fails at what the tags say when it reads the file, and at the others when it encrypts them.
        let kind = match reason {
            Unresolvable::Mismatch { .. } | Unresolvable::Base64 => error::Kind::Format,
            Unresolvable::Unsigned | Unresolvable::Zone => error::Kind::EncryptTree,
        };
        let error = Error::new(kind, "this value cannot be kept").at(self.source, at);
        error.because(reason).hint(match reason {
            Unresolvable::Mismatch { tag, .. } => {
                let fits = match tag {
                    "!!int" => "5",
                    "!!float" => "1.5",
                    "!!bool" => "true or false",
                    "!!null" => "null",
                    _ => "2001-12-31T23:59:59Z",
                };
                format!("remove the tag, or write the value in its form: {fits}")
            }
            Unresolvable::Base64 => "remove the tag, or write what this prints: base64 DATA-FILE".to_owned(),
            Unresolvable::Unsigned => "put the integer in quotes, which makes it a text".to_owned(),
            Unresolvable::Zone => "write the time in UTC, with a Z at its end; or put it in quotes".to_owned(),
        })
    }

    /// A text that the parser takes and sops does not.
    pub(super) fn refuse_text(&self, message: &str, at: usize) -> Error {
        let error = self.refuse(message, at);
        error.because("how it is written is not allowed in YAML 1.1").hint("write it on one line, in double quotes")
    }

    pub(super) fn refuse_alias(&self, at: usize) -> Error {
        self.refuse("this alias refers to nothing", at).because("no anchor of its name stands before it").hint(
            "put it in quotes if it is a text that begins with `*`; else write `&` and its name before the first value",
        )
    }

    pub(super) fn refuse_alias_key(&self, at: usize) -> Error {
        let error = self.refuse("this key is an alias of something that is not a string", at);
        error.because(ONLY_STRINGS).hint("write the key itself, in quotes")
    }

    pub(super) fn refuse_alias_document(&self, at: usize) -> Error {
        let error = self.refuse("this document is an alias of something that is no map", at);
        error.because(ONLY_MAPS).hint("put the alias under a key")
    }
}

#[cfg(test)]
mod tests {
    use crate::format::{Format, yaml::Yaml};

    #[test]
    fn what_is_refused_has_a_place_a_reason_and_a_hint() {
        for (text, place, hint) in [
            ("a: 9223372036854775808", (1, 4), "quotes"),
            ("a: 2001-01-01T01:01:01+24:00", (1, 4), "UTC"),
            ("a: *b", (1, 4), "quotes"),
            ("*b : 1", (1, 1), "quotes"),
            ("a: &b 1\n*b : 1", (2, 1), "quotes"),
            ("a: &b 1\n--- *b", (2, 5), "key"),
            ("a: !!int x", (1, 10), "form: 5"),
            ("a: !!float x", (1, 12), "form: 1.5"),
            ("a: !!bool yes", (1, 11), "true or false"),
            ("a: !!null x", (1, 11), "null"),
            ("a: !!timestamp x", (1, 16), "23:59:59Z"),
            ("a: !!binary '%'", (1, 13), "base64 DATA-FILE"),
            ("? [a]\n: 1", (1, 3), "put the key in quotes"),
            ("- a", (1, 1), "under a key"),
            ("- a", (1, 1), "--input-type binary"),
            ("x", (1, 1), "under a key"),
            ("a: \u{ffff}", (1, 4), "does not show"),
            ("a:1\nb: 2", (1, 1), "blank behind its colon"),
            ("a: 1\n\tb: 2", (2, 1), "spaces instead of the tab"),
            ("a:\n\tb: 2", (2, 2), "spaces instead of the tab"),
            ("x: @a", (1, 4), "in quotes"),
            ("x: `a`", (1, 4), "in quotes"),
            ("x: %R%", (1, 4), "in quotes"),
            ("a: b: c", (1, 5), "in quotes"),
            ("a: 1\n  b: 2", (2, 4), "indentation"),
            (r#"a: "C:\Windows""#, (1, 4), "single quotes"),
            ("b: 1\na: {{ c }}", (2, 5), "\"{{ … }}\""),
            ("a: {{ c }} d", (1, 5), "\"{{ … }}\""),
            ("a:\n  - {{ c }}", (2, 6), "\"{{ … }}\""),
            ("{{ include \"a\" . }}", (1, 2), "binary"),
            ("a: 1\n{{- if .b }}\nc: 1\n{{- end }}", (2, 3), "binary"),
            ("a: 1\n{% if b %}\nc: 1\n{% endif %}", (2, 2), "binary"),
            ("{# c #}\na: 1", (1, 1), "binary"),
            ("<% if b %>\na: 1", (1, 1), "binary"),
            ("a: 1\n<% if b %>\nc: 1", (2, 1), "binary"),
            ("a: {% c %}", (1, 5), "\"{% … %}\""),
            ("a: [1\nb: 2", (2, 2), "lines above"),
        ] {
            let error = Yaml.index(text.to_owned()).err().unwrap_or_else(|| panic!("{text:?} is accepted"));
            assert_eq!(error.place().line_column, Some(place), "{text:?}: {error}");
            assert!(!error.notes().is_empty(), "{text:?}: {error}");
            assert!(error.hints().iter().any(|found| found.contains(hint)), "{text:?}: {:?}", error.hints());
        }
    }
}
