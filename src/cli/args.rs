//! Groups of arguments that several subcommands share.

use super::files;
#[cfg(feature = "keyservice")]
pub(super) use super::keyservice::KeyServiceArgs;
use super::output::Destination;
use crate::error::{Error, Kind, Result};
use crate::format::{self, Format};
use crate::key::{Keyring, Others};
use crate::metadata::Selection;
use crate::ops::{Rules, Source};
use crate::sys;
use clap::Args;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;

/// Which file, and what is in it.
#[derive(Args)]
pub(super) struct InputArgs {
    /// The file; the standard input when it is left out, - or /dev/stdin
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// What the input is, whatever its name says
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    input_type: Option<&'static dyn Format>,

    /// Take this name for the file: for its type, and to find its rule
    #[arg(long, value_name = "NAME")]
    filename_override: Option<PathBuf>,
}

impl InputArgs {
    /// Whether no file is named, not even the standard input.
    pub(super) fn names_none(&self) -> bool {
        self.files.is_empty()
    }

    /// The same, where a folder stands for all encrypted files below it, if they are changed in place.
    pub(super) fn with_folders(mut self, output: &OutputArgs) -> Result<Self> {
        if output.in_place {
            self.files = files::with_folders(self.files)?;
        }
        Ok(self)
    }
}

/// Where the result goes, and as what.
#[derive(Args)]
pub(super) struct OutputArgs {
    /// Replace the file by the result; several files may be named then
    #[arg(short, long)]
    in_place: bool,

    /// Write the result to this file
    #[arg(long, value_name = "FILE", conflicts_with = "in_place")]
    output: Option<PathBuf>,

    /// Convert the result to this type
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    output_type: Option<&'static dyn Format>,
}

impl OutputArgs {
    /// For a command whose result is another thing than its input: it goes to a file, or to the standard output.
    pub(super) fn of_file(output: Option<PathBuf>) -> Self {
        OutputArgs { in_place: false, output, output_type: None }
    }
}

/// Which rules.
#[derive(Args)]
pub(super) struct ConfigArgs {
    /// Use this .sops.yaml and search for no other
    // clap's own parser of paths refuses an empty one, in the variable as well.
    #[arg(
        long,
        value_name = "FILE",
        env = "SOPS_CONFIG",
        hide_env_values = true,
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    config: Option<PathBuf>,
}

impl ConfigArgs {
    /// The file; an empty name says nothing, as in sops.
    pub(super) fn path(self) -> Option<PathBuf> {
        self.config.filter(|path| !path.as_os_str().is_empty())
    }
}

/// How a document is laid out that is written anew.
#[derive(Args)]
pub(super) struct LayoutArgs {
    #[command(flatten)]
    config: ConfigArgs,

    /// Indent by so many columns what is written anew, as a conversion is; -1 is a tab, in JSON
    #[arg(long, value_name = "COLUMNS", allow_negative_numbers = true)]
    indent: Option<i64>,
}

impl LayoutArgs {
    /// The rules, which have a say in it as well.
    pub(super) fn rules(self) -> Rules {
        Rules::new(self.config.path()).indented(self.indent)
    }
}

/// Reads the name of a format; help and errors list them all.
pub(super) fn format_parser() -> impl TypedValueParser<Value = &'static dyn Format> {
    PossibleValuesParser::new(format::ALL.iter().map(|format| format.name()))
        .try_map(|name| format::by_name(&name).ok_or("there is no such format"))
}

/// A document, and where the result goes.
pub(super) struct Job {
    pub(super) source: Source,
    pub(super) destination: Destination,
}

/// The documents of a command that turns one into another, or several in place: what is not written back would run
/// together, and of several files sops then takes the first.
pub(super) fn jobs(input: InputArgs, output: &OutputArgs) -> Result<Vec<Job>> {
    let InputArgs { mut files, input_type, filename_override } = input;
    if files.is_empty() {
        files.push(PathBuf::from("-"));
    }
    if files.len() > 1 && !output.in_place {
        super::report::warnings(&[
            "of several files the first alone is taken without --in-place, as in sops".to_owned()
        ]);
        files.truncate(1);
    }
    if files.len() > 1 && filename_override.is_some() {
        return Err(Error::new(Kind::ConflictingArguments, "one name cannot be taken for several files")
            .hint("leave --filename-override away, or name one file"));
    }
    let files = files::each_once(files).into_iter();
    files.map(|path| job(path, input_type, filename_override.clone(), output)).collect()
}

/// What is to be opened in all of `jobs`.
pub(super) fn others(jobs: &[Job]) -> Others {
    let many = if jobs.len() > 1 { jobs } else { &[] };
    crate::ops::stanzas_of(many.iter().map(|job| job.source.clone()).collect())
}

/// The document of a command that takes one alone.
pub(super) fn only_job(input: InputArgs, output: &OutputArgs) -> Result<Job> {
    Ok(jobs(input, output)?.swap_remove(0))
}

fn job(
    path: PathBuf,
    input_type: Option<&'static dyn Format>,
    name: Option<PathBuf>,
    output: &OutputArgs,
) -> Result<Job> {
    if sys::is_stdin(&path) {
        if output.in_place {
            return Err(Error::new(Kind::ConflictingArguments, "the standard input cannot be replaced in place")
                .hint("name a file, or leave --in-place away"));
        }
        if sys::stdin_is_terminal() {
            super::report::note("reading from the terminal; end with Ctrl-D on a line of its own");
        }
    }
    let destination = match &output.output {
        Some(file) if sys::is_stdout(file) => Destination::Stdout,
        Some(file) => Destination::File(file.clone()),
        None if output.in_place => Destination::InPlace(path.clone()),
        None => Destination::Stdout,
    };
    Ok(Job { source: Source { path, name, input_type, output_type: output.output_type }, destination })
}

/// With which keys to open a file.
#[derive(Args)]
pub(super) struct KeyArgs {
    /// Ask these kinds of keys first: age,pgp,kms,…
    #[arg(long, value_name = "KINDS", env = "SOPS_DECRYPTION_ORDER", hide_env_values = true)]
    decryption_order: Option<String>,

    #[command(flatten)]
    services: KeyServiceArgs,
}

/// Which key services are asked; this build has none.
#[cfg(not(feature = "keyservice"))]
#[derive(Args)]
pub(super) struct KeyServiceArgs {}

#[cfg(not(feature = "keyservice"))]
impl KeyServiceArgs {
    pub(super) fn onto(self, keyring: Keyring) -> Result<Keyring> {
        Ok(keyring)
    }
}

impl KeyArgs {
    /// All keys of this process' user, in the order that was asked for.
    pub(super) fn keyring(self) -> Result<Keyring> {
        let mut warnings = Vec::new();
        let order = self.decryption_order.unwrap_or_default();
        let keyring = Keyring::of_process().in_order(&order, &mut warnings);
        super::report::warnings(&warnings);
        self.services.onto(keyring?)
    }
}

/// Which values are encrypted; at most one.
#[derive(Args)]
#[group(multiple = false)]
pub(super) struct SelectionArgs {
    /// Encrypt all but keys that end so (default: _unencrypted)
    #[arg(long, value_name = "SUFFIX")]
    unencrypted_suffix: Option<String>,

    /// Encrypt only keys that end so
    #[arg(long, value_name = "SUFFIX")]
    encrypted_suffix: Option<String>,

    /// Encrypt all but keys that match
    #[arg(long, value_name = "REGEX")]
    unencrypted_regex: Option<String>,

    /// Encrypt only keys that match
    #[arg(long, value_name = "REGEX")]
    encrypted_regex: Option<String>,

    /// Encrypt all but values below a comment that matches
    #[arg(long, value_name = "REGEX")]
    unencrypted_comment_regex: Option<String>,

    /// Encrypt only values below a comment that matches
    #[arg(long, value_name = "REGEX")]
    encrypted_comment_regex: Option<String>,
}

impl SelectionArgs {
    /// The flags that were typed.
    pub(super) fn typed(&self) -> impl Iterator<Item = &'static str> {
        let flags = [
            (&self.unencrypted_suffix, "--unencrypted-suffix"),
            (&self.encrypted_suffix, "--encrypted-suffix"),
            (&self.unencrypted_regex, "--unencrypted-regex"),
            (&self.encrypted_regex, "--encrypted-regex"),
            (&self.unencrypted_comment_regex, "--unencrypted-comment-regex"),
            (&self.encrypted_comment_regex, "--encrypted-comment-regex"),
        ];
        flags.into_iter().filter(|(value, _)| value.is_some()).map(|(_, flag)| flag)
    }

    /// The selection that was asked for; an empty value is none, as in sops.
    pub(super) fn selection(self) -> Option<Selection> {
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        given(self.unencrypted_suffix)
            .map(Selection::UnencryptedSuffix)
            .or_else(|| given(self.encrypted_suffix).map(Selection::EncryptedSuffix))
            .or_else(|| given(self.unencrypted_regex).map(Selection::UnencryptedRegex))
            .or_else(|| given(self.encrypted_regex).map(Selection::EncryptedRegex))
            .or_else(|| given(self.unencrypted_comment_regex).map(Selection::UnencryptedCommentRegex))
            .or_else(|| given(self.encrypted_comment_regex).map(Selection::EncryptedCommentRegex))
    }
}
