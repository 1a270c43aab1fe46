//! Groups of arguments that several subcommands share.

use super::output::Destination;
use crate::error::{Error, Kind, Result};
use crate::format::{self, Format};
use crate::key::{Backend, GivenDetails, Keyring, registry};
use crate::metadata::Selection;
use crate::ops::Source;
use crate::sys;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgMatches, Args, FromArgMatches};
use std::path::PathBuf;

/// Which file, and what is in it.
#[derive(Args)]
pub(super) struct InputArgs {
    /// The file; the standard input when it is left out, - or /dev/stdin
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// What the input is, whatever its name says
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    input_type: Option<&'static dyn Format>,

    /// Take this name for the file: for its type, and to find its rule
    #[arg(long, value_name = "NAME")]
    filename_override: Option<PathBuf>,
}

/// Where the result goes, and as what.
#[derive(Args)]
pub(super) struct OutputArgs {
    /// Replace the file by the result
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
    #[arg(long, value_name = "FILE", env = "SOPS_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
}

impl ConfigArgs {
    /// The file; an empty variable says nothing.
    pub(super) fn path(self) -> Option<PathBuf> {
        self.config.filter(|path| !path.as_os_str().is_empty())
    }
}

/// Reads the name of a format; help and errors list them all.
pub(super) fn format_parser() -> impl TypedValueParser<Value = &'static dyn Format> {
    PossibleValuesParser::new(format::ALL.iter().map(|format| format.name()))
        .try_map(|name| format::by_name(&name).ok_or("there is no such format"))
}

/// The input and the output of a command that turns one document into another.
pub(super) fn source_and_destination(input: InputArgs, output: &OutputArgs) -> Result<(Source, Destination)> {
    let path = input.file.unwrap_or_else(|| PathBuf::from("-"));
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
        None if output.in_place => Destination::File(path.clone()),
        None => Destination::Stdout,
    };
    let source =
        Source { path, name: input.filename_override, input_type: input.input_type, output_type: output.output_type };
    Ok((source, destination))
}

/// With which keys to open a file.
#[derive(Args)]
pub(super) struct KeyArgs {
    /// Ask these kinds of keys first: age,pgp,kms,…
    #[arg(long, value_name = "KINDS", env = "SOPS_DECRYPTION_ORDER", hide_env_values = true)]
    decryption_order: Option<String>,
}

impl KeyArgs {
    /// All keys of this process' user, in the order that was asked for.
    pub(super) fn keyring(self) -> Result<Keyring> {
        let mut warnings = Vec::new();
        let order = self.decryption_order.unwrap_or_default();
        let keyring = Keyring::of_process().in_order(&order, &mut warnings);
        super::report::warnings(&warnings);
        keyring
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

/// For whom to encrypt: a flag and a variable for each key back end.
pub(super) struct RecipientArgs {
    /// What was given, by back end.
    pub(super) given: Vec<(&'static dyn Backend, String)>,
    /// What else was said of the recipients.
    pub(super) details: GivenDetails,
}

impl Args for RecipientArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        registry::backends().iter().fold(command, |command, backend| {
            let name = backend.flag();
            let mut flag = Arg::new(name)
                .long(name)
                .env(backend.recipients_env())
                .hide_env_values(true)
                .value_name("RECIPIENTS")
                .help(format!("Encrypt for these {} recipients, separated by commas", backend.name()));
            // The letters that sops has for them.
            if let Some(&(_, letter)) = [("age", 'a'), ("pgp", 'p'), ("kms", 'k')].iter().find(|(of, _)| *of == name) {
                flag = flag.short(letter);
            }
            backend.details().iter().fold(command.arg(flag), |command, detail| {
                command.arg(Arg::new(detail.flag).long(detail.flag).value_name(detail.value_name).help(detail.help))
            })
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RecipientArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |flag: &str| matches.get_one::<String>(flag).filter(|text| !text.is_empty()).cloned();
        let mut args = RecipientArgs { given: Vec::new(), details: GivenDetails::new() };
        for &backend in registry::backends() {
            args.given.extend(value(backend.flag()).map(|recipients| (backend, recipients)));
            let details = backend.details().iter();
            let said = details.filter_map(|detail| Some((detail.name.to_owned(), value(detail.flag)?)));
            args.details.insert(backend.name(), said.collect());
        }
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
