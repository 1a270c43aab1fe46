//! The commands of `SOPS_AGE_KEY_CMD` and `SOPS_AGE_SSH_PRIVATE_KEY_CMD`.

use zeroize::Zeroizing;

use crate::key::named::{self, Misplaced};
use crate::key::{Environment, child};
use crate::sys;

/// Why a command gave nothing.
#[derive(Debug)]
pub(super) enum NoOutput {
    /// It is none.
    Misplaced(Misplaced),
    /// In one line.
    Other(String),
}

impl<T: Into<String>> From<T> for NoOutput {
    fn from(why: T) -> Self {
        NoOutput::Other(why.into())
    }
}

/// Runs `line` of `variable` for the identities of `recipient`, which the command finds in `SOPS_AGE_RECIPIENT`.
///
/// As in sops there is no shell: words are split by its quoting rules and nothing is expanded. The
/// command cannot read our standard input; what it prints on standard error goes to the user.
///
/// # Errors
/// Why it gave nothing. Its arguments are not shown, since they may hold a secret, nor is what cannot be a program.
pub(super) fn run(
    variable: &str,
    line: &str,
    recipient: &str,
    environment: &Environment,
    limit: u64,
) -> Result<Zeroizing<Vec<u8>>, NoOutput> {
    let words = split(line)?;
    let (program, arguments) = words.split_first().ok_or("it is empty")?;
    let ran = sys::command(program.as_ref(), environment)
        .and_then(|mut command| child::run(command.args(arguments).env("SOPS_AGE_RECIPIENT", recipient), b"", limit));
    let ran = ran.map_err(|error| match named::check_program(variable, program, line) {
        Ok(()) => format!("{program} cannot be run: {error}").into(),
        Err(misplaced) => NoOutput::Misplaced(misplaced),
    })?;
    if !ran.status.success() {
        return Err(format!("{program} failed: {}", ran.status).into());
    }
    Ok(ran.stdout)
}

/// Splits a line into words: blanks separate, `'…'` keeps all, `"…"` keeps all but `\`, `\` keeps the
/// next character, `#` at the start of a word begins a comment.
///
/// Source: <https://github.com/google/shlex>, which sops uses.
fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '#' if word.is_none() => {
                chars.by_ref().find(|c| *c == '\n');
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or("a ' is not closed")? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or("a \" is not closed")? {
                        '"' => break,
                        '\\' => word.push(chars.next().ok_or("a \" is not closed")?),
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().ok_or("it ends in a \\")?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_sops_splits_them() {
        let cases: &[(&str, &[&str])] = &[
            ("cat a.txt", &["cat", "a.txt"]),
            ("  op\tread 'op://v/k a' ", &["op", "read", "op://v/k a"]),
            (r#"sh -c "echo \"$X\" 'y'""#, &["sh", "-c", r#"echo "$X" 'y'"#]),
            (r"a\ b '' c'd'e", &["a b", "", "cde"]),
            ("cat a # b\nc a#b", &["cat", "a", "c", "a#b"]),
            ("", &[]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line).unwrap(), *words, "{line}");
        }
        assert!(split("a 'b").is_err());
        assert!(split("a \"b\\").is_err());
        assert!(split("a \\").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_command_gets_the_recipient_and_its_arguments_are_not_shown() {
        let run = |line: &str, recipient: &str| {
            run("SOPS_AGE_KEY_CMD", line, recipient, &Environment::of_process(), 100).map_err(|why| match why {
                NoOutput::Misplaced(misplaced) => misplaced.to_string(),
                NoOutput::Other(why) => why,
            })
        };
        let output = run("sh -c 'printf %s $SOPS_AGE_RECIPIENT'", "age1x").unwrap();
        assert_eq!(*output, b"age1x");
        let failed = run("sh -c 'exit 3' secret", "age1x").unwrap_err();
        assert!(failed.contains("sh failed") && failed.contains('3') && !failed.contains("secret"), "{failed}");
        assert!(run("/no/such/program secret", "").unwrap_err().contains("cannot be run"));
        assert!(run(" ", "").is_err());
    }
}
