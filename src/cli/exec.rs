//! What `exec-env`, `exec-file` and `exec-dir` have in common: the file, the command, and how it is run.

use super::args::{KeyArgs, format_parser};
use super::report;
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::key::Keyring;
use crate::ops::Source;
use crate::ops::exec::{Opened, Outcome, Run};
use crate::sys::{self, Program, Side, Signals};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

/// The file, the command, and how it is run.
#[derive(clap::Args)]
pub(super) struct ExecArgs {
    /// The encrypted file
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// The command, for the shell: one word, so mostly in quotes
    #[arg(value_name = "COMMAND")]
    line: Vec<OsString>,

    /// A program and its arguments instead, which no shell reads
    #[arg(value_name = "PROGRAM", last = true)]
    words: Vec<OsString>,

    /// What the file is, whatever its name says
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    input_type: Option<&'static dyn Format>,

    /// Give the command no variables of this process, but those of --user and with exec-env those of the file
    #[arg(long)]
    pristine: bool,

    /// Run the command as this user, with its groups and home
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Do not wait for the command, which gets no input then and whose output is dropped
    #[arg(long)]
    background: bool,

    /// Decrypt even if the file was tampered with or damaged
    #[arg(long)]
    ignore_mac: bool,

    #[command(flatten)]
    keys: KeyArgs,
}

/// How nested values get names.
#[derive(clap::Args)]
pub(super) struct FlattenArgs {
    /// Take nested values too, their keys and positions put together with SEPARATOR (default: _)
    #[arg(long, value_name = "SEPARATOR", num_args = 0..=1, require_equals = true, default_missing_value = "_")]
    pub(super) flatten: Option<String>,
}

/// A document to open and a command to run on it.
pub(super) struct Exec {
    /// The document.
    pub(super) source: Source,
    /// Whether a MAC that does not match is no failure.
    pub(super) ignore_mac: bool,
    /// The command.
    pub(super) run: Run,
    keys: KeyArgs,
    background: bool,
}

impl ExecArgs {
    /// What is to be done by the subcommand `command`.
    pub(super) fn exec(self, command: &str) -> Result<Exec> {
        let (path, program) = file_and_program(self.file, self.line, self.words).map_err(|error| {
            let [line, words] = if command == "exec-env" { ["$variable", "ARGUMENT"] } else { ["{}", "{}"] };
            error
                .hint(format!("a line for the shell: leafcrypt {command} FILE 'PROGRAM {line}'"))
                .hint(format!("a program, without a shell: leafcrypt {command} FILE -- PROGRAM {words}"))
        })?;
        Ok(Exec {
            source: Source { path, name: None, input_type: self.input_type, output_type: None },
            ignore_mac: self.ignore_mac,
            run: Run {
                program,
                pristine: self.pristine,
                user: self.user.filter(|name| !name.is_empty()),
                same_process: false,
            },
            keys: self.keys,
            background: self.background,
        })
    }
}

impl Exec {
    /// Opens the document by `open`, runs the command, and ends as it ended.
    pub(super) fn go(self, open: impl FnOnce(Source, bool, &Keyring) -> Result<Opened>) -> Result<ExitCode> {
        let back = match self.background.then(sys::detach).transpose().map_err(no_background)? {
            Some(Side::Front(code)) => return Ok(code),
            Some(Side::Back(back)) => Some(back),
            None => None,
        };
        let opened = open(self.source, self.ignore_mac, &self.keys.keyring()?)?;
        report::warnings(&opened.warnings);
        Ok(match self.run.run(opened.content, back)? {
            Outcome::LeftAlone => ExitCode::SUCCESS,
            Outcome::Ended(ended) => match ended.signal() {
                Some(signal) => Signals::end_by(signal),
                None => ExitCode::from(ended.exit_code()),
            },
        })
    }
}

fn no_background(error: std::io::Error) -> Error {
    Error::new(Kind::Generic, "the command cannot be left in the background").because(error)
}

/// What the words around `--` say. Before it stand the file and a line for the shell, behind it a program and its arguments.
///
/// As in sops the line may stand behind it as well, and the file too, so a single word is a program only if a
/// shell would find nothing else in it.
fn file_and_program(
    file: Option<PathBuf>,
    mut line: Vec<OsString>,
    words: Vec<OsString>,
) -> Result<(PathBuf, Program)> {
    let mut words = words.into_iter().peekable();
    let file = match file {
        Some(file) => file,
        None => {
            let file = words.next().map(PathBuf::from).ok_or_else(|| usage("no file is named"))?;
            if words.next_if(|word| word == "--").is_none() {
                line.extend(words.by_ref());
            }
            file
        }
    };
    let program = words.next().map(|name| (name, words.collect::<Vec<_>>()));
    let program = match (program, <[OsString; 1]>::try_from(line)) {
        (None, Ok([line])) => Program::Shell(line),
        (Some((line, args)), Err(none)) if none.is_empty() && args.is_empty() && !is_plain_word(&line) => {
            Program::Shell(line)
        }
        (Some((name, args)), Err(none)) if none.is_empty() => Program::Words(name, args),
        (None, Err(none)) if none.is_empty() => return Err(usage("no command is named")),
        _ => return Err(usage("the command is one word for the shell, or a program and its arguments behind --")),
    };
    Ok((file, program))
}

/// Whether a shell would take `word` for the name of a program and nothing else.
fn is_plain_word(word: &OsStr) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./+,:@%".contains(byte);
    !word.is_empty() && word.as_encoded_bytes().iter().all(is_plain)
}

fn usage(message: &str) -> Error {
    Error::new(Kind::Generic, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let words: Vec<&str> = line.split('|').filter(|word| !word.is_empty()).collect();
        let before = words.iter().position(|&word| word == "--").unwrap_or(words.len());
        let mut first = words[..before].iter();
        let file = first.next().map(PathBuf::from);
        let line = first.map(OsString::from).collect();
        let words = words[(before + 1).min(words.len())..].iter().map(OsString::from).collect();
        match file_and_program(file, line, words) {
            Ok((file, Program::Shell(line))) => format!("{}: sh {}", file.display(), line.display()),
            Ok((file, Program::Words(name, args))) => {
                let args: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap()).collect();
                format!("{}: {} [{}]", file.display(), name.display(), args.join("|"))
            }
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn a_command_is_a_line_or_words() {
        for (line, expected) in [
            ("a.yaml|env", "a.yaml: sh env"),
            ("a.yaml|echo $A", "a.yaml: sh echo $A"),
            ("a.yaml|--|env", "a.yaml: env []"),
            ("a.yaml|--|echo|$A", "a.yaml: echo [$A]"),
            ("a.yaml|--|sh|-c|--|x", "a.yaml: sh [-c|--|x]"),
            // These are understood by sops.
            ("a.yaml|--|echo $A", "a.yaml: sh echo $A"),
            ("a.yaml|--|A=1", "a.yaml: sh A=1"),
            ("--|a.yaml|echo $A", "a.yaml: sh echo $A"),
            ("--|a.yaml|env", "a.yaml: sh env"),
            ("--|a.yaml|--|env|-0", "a.yaml: env [-0]"),
            ("", "no file is named"),
            ("a.yaml", "no command is named"),
            ("a.yaml|--", "no command is named"),
            ("--|a.yaml", "no command is named"),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
        for wrong in ["a.yaml|echo|x", "a.yaml|echo|--|x", "--|a.yaml|echo|x"] {
            assert!(read(wrong).starts_with("the command is one word for the shell"), "{wrong}");
        }
    }
}
