//! Completion for bash. The script that `clap_complete` has for it puts what is offered on the command line as it is,
//! where a key called `$(…)` in somebody else's file would be run with the line; so this one quotes.

use clap::Command;
use clap_complete::env::EnvCompleter;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

/// The word that is completed, as it is typed, with its quotes.
const RAW: &str = "_CLAP_COMPLETE_RAW";
const INDEX: &str = "_CLAP_COMPLETE_INDEX";

/// The script and its answers.
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == self.name()
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        let completer = shell_words::quote(completer);
        writeln!(
            buf,
            r#"_clap_complete_{name}() {{
    local candidate words=("${{COMP_WORDS[@]}}")
    if [[ "${{BASH_VERSINFO[0]}}" -ge 4 ]]; then
        words[COMP_CWORD]="$2"
    fi
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <({var}=bash {INDEX}="$COMP_CWORD" {RAW}="${{COMP_WORDS[COMP_CWORD]}}" {completer} -- "${{words[@]}}")
    if compopt +o nospace 2> /dev/null && [[ "${{COMPREPLY-}}" =~ [=/:]$ ]]; then
        compopt -o nospace
    fi
}}
if [[ "${{BASH_VERSINFO[0]}}" -eq 4 && "${{BASH_VERSINFO[1]}}" -ge 4 || "${{BASH_VERSINFO[0]}}" -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _clap_complete_{name} {bin}
else
    complete -o nospace -o bashdefault -F _clap_complete_{name} {bin}
fi"#
        )
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let index = variable(INDEX).parse().unwrap_or_default();
        let (_, open) = unquote(&variable(RAW));
        let plain = |(at, word): (usize, OsString)| match (word.into_string(), open) {
            (Ok(word), Some(_)) if at == index => word.into(), // Its opening quote is not there.
            (Ok(word), _) => unquote(&word).0.into(),
            (Err(word), _) => word,
        };
        let words = words.into_iter().enumerate().map(plain).collect();
        for candidate in clap_complete::engine::complete(command, words, index, folder)? {
            if let Some(word) = quote(&candidate.get_value().to_string_lossy(), open) {
                writeln!(buf, "{word}")?;
            }
        }
        Ok(())
    }
}

/// The text of a word that may be unfinished, and the quote that is open at its end.
pub(super) fn unquote(word: &str) -> (String, Option<char>) {
    let mut text = String::new();
    let mut open = None;
    let mut chars = word.chars();
    while let Some(c) = chars.next() {
        match (c, open) {
            ('\\', None) => text.extend(chars.next()),
            ('\\', Some('"')) => match chars.next() {
                Some(next @ ('"' | '\\' | '$' | '`')) => text.push(next),
                next => text.extend(std::iter::once('\\').chain(next)),
            },
            ('"' | '\'', None) => open = Some(c),
            (c, Some(quote)) if c == quote => open = None,
            _ => text.push(c),
        }
    }
    (text, open)
}

/// How to write `text` in a line, where the quote `open` is open. `None` for what could be anything but a word there,
/// should that be wrong.
fn quote(text: &str, open: Option<char>) -> Option<String> {
    match open {
        Some(quote) => {
            let is_active =
                |c| c == quote || matches!(c, '$' | '`' | '\\' | '!' | ';' | '&' | '|' | '<' | '>' | '(' | ')');
            (!text.contains(is_active)).then(|| text.to_owned())
        }
        None => {
            let is_plain =
                |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ',' | ':' | '=' | '@' | '%' | '+');
            Some(text.chars().flat_map(|c| (!is_plain(c)).then_some('\\').into_iter().chain([c])).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_one_word_and_the_same() {
        for text in ["db.password", "[\"a b\"][0]", "$(touch x)", "it's `x` \"y\" \\ ! * ~ # {a,b}", "ä;b|c&d<e>f"] {
            let quoted = quote(text, None).unwrap();
            assert_eq!(unquote(&quoted), (text.to_owned(), None), "{quoted}");
            assert_eq!(shell_words::split(&quoted).unwrap(), [text]);
            let said =
                std::process::Command::new("bash").args(["-c", &format!("printf %s {quoted}")]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&said.stdout), text);
        }
        assert_eq!(quote("[\"a b\"]", Some('\'')).as_deref(), Some("[\"a b\"]"));
        assert_eq!(quote("[\"a b\"]", Some('"')), None);
        assert_eq!(quote("$(x)", Some('"')), None);
        assert_eq!(quote("a'b", Some('\'')), None);
        for (word, text, open) in [
            ("'[\"a", "[\"a", Some('\'')),
            ("\"a\\$b\\c", "a$b\\c", Some('"')),
            ("a\\ b'c'", "a bc", None),
            ("a\\", "a", None),
        ] {
            assert_eq!(unquote(word), (text.to_owned(), open));
        }
    }
}
