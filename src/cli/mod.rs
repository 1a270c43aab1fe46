//! The command line: arguments, help, messages, and what is printed.
//!
//! Owns: every word the user types and reads, and the mapping of failures to exit codes. Must not know:
//! how anything is done; each subcommand turns its arguments into a request for [`crate::ops`] and
//! prints the outcome. A subcommand is one file and one line of [`Command`].
//!
//! What goes where: documents and what was asked for to the standard output, everything else to the
//! standard error, so that a pipe never carries a message.

mod args;
mod decrypt;
mod encrypt;
mod init;
mod keygen;
mod legacy;
mod output;
mod report;

use crate::error::{Error, Kind};
use crate::sys;
use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Keeps secrets in Git: encrypts the values of YAML and JSON files and gives every file back byte for byte.
///
/// Files are in the format of sops: each reads what the other writes.
#[derive(Parser)]
#[command(
    name = "leafcrypt",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  leafcrypt init                                 an identity and a .sops.yaml for this folder
  leafcrypt encrypt -i secrets/prod.yaml         encrypt in place, by the rules of .sops.yaml
  leafcrypt decrypt secrets/prod.yaml            print the plaintext
  leafcrypt decrypt --extract '[\"db\"][\"password\"]' secrets/prod.yaml

The old forms of sops work too: leafcrypt -e -i FILE, leafcrypt -d FILE."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every subcommand takes, before or after its name.
#[derive(clap::Args)]
struct Global {
    /// Use this .sops.yaml and search for no other
    #[arg(long, global = true, value_name = "FILE", env = "SOPS_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
}

impl Global {
    /// The `.sops.yaml` to use; an empty variable says nothing.
    fn config(&self) -> Option<PathBuf> {
        self.config.clone().filter(|path| !path.as_os_str().is_empty())
    }
}

#[derive(Subcommand)]
enum Command {
    Encrypt(encrypt::Args),
    Decrypt(decrypt::Args),
    Init(init::Args),
    Keygen(keygen::Args),
}

/// Runs the program on its arguments, the first of which is its own name.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    sys::harden();
    report::install_panic_hook();
    let command = Cli::command();
    let parsed = legacy::rewrite(args.into_iter().collect(), &command).map(|args| command.try_get_matches_from(args));
    let outcome = match parsed {
        Err(error) => Err(error),
        Ok(Err(usage)) => return explain_usage(&usage),
        Ok(Ok(matches)) => match Cli::from_arg_matches(&matches) {
            Err(usage) => return explain_usage(&usage),
            Ok(Cli { global, command }) => match command {
                Command::Encrypt(args) => encrypt::run(args, &global),
                Command::Decrypt(args) => decrypt::run(args),
                Command::Init(args) => init::run(args),
                Command::Keygen(args) => keygen::run(args),
            },
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Prints what clap has to say (help and version are among it) and gives the exit code of sops for it.
fn explain_usage(usage: &clap::Error) -> ExitCode {
    let printed = usage.print();
    ExitCode::from(match usage.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if printed.is_err() => sys::BROKEN_PIPE,
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Kind::NoFile.exit_code(),
        ErrorKind::ArgumentConflict => Kind::ConflictingArguments.exit_code(),
        ErrorKind::InvalidSubcommand => {
            // `sops FILE` opens an editor, which this version does not have; say what it has.
            if let Some(name) = usage.get(ContextKind::InvalidSubcommand)
                && std::path::Path::new(&name.to_string()).exists()
            {
                let name = name.to_string();
                let hint = Error::new(Kind::Generic, format!("{name} is a file, and no command was given"))
                    .hint(format!("leafcrypt decrypt {name}"));
                report::error(&hint);
            }
            Kind::Generic.exit_code()
        }
        _ => Kind::Generic.exit_code(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
