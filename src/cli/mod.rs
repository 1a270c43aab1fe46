//! The command line: arguments, help, messages, and what is printed.
//!
//! Owns: every word the user types and reads, and the mapping of failures to exit codes. Must not know:
//! how anything is done; each subcommand turns its arguments into a request for [`crate::ops`] and
//! prints the outcome. A subcommand is one file, and a line each of [`Command`], its `run` and
//! [`SUBCOMMANDS`].
//!
//! What goes where: documents and what was asked for to the standard output, everything else to the
//! standard error, so that a pipe never carries a message.

mod args;
mod completion;
mod decrypt;
mod edit;
mod encrypt;
mod exec;
mod exec_dir;
mod exec_env;
mod exec_file;
mod files;
mod filestatus;
mod groups;
mod helm;
mod init;
mod keygen;
#[cfg(feature = "keyservice")]
mod keyservice;
mod kustomize;
mod legacy;
mod output;
mod plan;
mod publish;
mod recipients;
mod report;
mod rotate;
mod seal;
mod set;
mod unset;
mod updatekeys;

use crate::audit::Audit;
use crate::error::{Error, Kind};
use crate::event;
use crate::key::{self, registry};
use crate::sys;
use crate::trace;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Keeps secrets in Git: encrypts the values of a file and gives it back byte for byte
///
/// YAML, JSON, dotenv, INI and files of any kind, in the format of sops: each reads what the other writes.
#[derive(Parser)]
#[command(
    name = "leafcrypt",
    version,
    disable_version_flag = true,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  leafcrypt init                                 an identity and a .sops.yaml for this folder
  leafcrypt encrypt -i secrets/prod.yaml         encrypt in place, by the rules of .sops.yaml
  leafcrypt edit secrets/prod.yaml               change it in your editor
  leafcrypt decrypt secrets/prod.yaml            print the plaintext
  leafcrypt decrypt --extract '[\"db\"][\"password\"]' secrets/prod.yaml
  leafcrypt set secrets/prod.yaml '[\"db\"][\"port\"]' 5432
  leafcrypt exec-env secrets/prod.env -- ./server   run a program with the values in its environment

The old forms of sops work too: leafcrypt -e -i FILE, leafcrypt -d FILE, leafcrypt FILE."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What stands before and behind every subcommand.
#[derive(clap::Args)]
struct Global {
    /// Print the version
    #[arg(short = 'v', short_alias = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    /// Show what is done and how long it takes
    #[arg(long, global = true, display_order = 900)]
    verbose: bool,
    /// What sops takes so that it does not ask a server for its latest version; nothing is ever asked for here
    #[arg(long, global = true, hide = true)]
    disable_version_check: bool,
    /// What sops takes so that it does
    #[arg(long, global = true, hide = true)]
    check_for_updates: bool,
}

#[derive(Subcommand)]
enum Command {
    Encrypt(encrypt::Args),
    Decrypt(decrypt::Args),
    Edit(Box<edit::Args>),
    Set(Box<set::Args>),
    Unset(Box<unset::Args>),
    Rotate(rotate::Args),
    #[command(name = "updatekeys")]
    UpdateKeys(updatekeys::Args),
    Groups(groups::Args),
    #[command(name = "filestatus")]
    FileStatus(filestatus::Args),
    ExecEnv(exec_env::Args),
    ExecFile(exec_file::Args),
    ExecDir(exec_dir::Args),
    Publish(publish::Args),
    Init(init::Args),
    Keygen(keygen::Args),
    #[cfg(feature = "keyservice")]
    Keyservice(keyservice::Args),
    Kustomize(kustomize::Args),
    Helm(helm::Args),
    Seal(Box<seal::Args>),
    Completion(completion::Args),
}

/// Adds the arguments of a subcommand.
type Augment = fn(clap::Command) -> clap::Command;

/// Every subcommand by its name, for [`command_for`].
const SUBCOMMANDS: &[(&str, Augment)] = &[
    ("encrypt", encrypt::Args::augment_args),
    ("decrypt", decrypt::Args::augment_args),
    ("edit", edit::Args::augment_args),
    ("set", set::Args::augment_args),
    ("unset", unset::Args::augment_args),
    ("rotate", rotate::Args::augment_args),
    ("updatekeys", updatekeys::Args::augment_args),
    ("groups", groups::Args::augment_args),
    ("filestatus", filestatus::Args::augment_args),
    ("exec-env", exec_env::Args::augment_args),
    ("exec-file", exec_file::Args::augment_args),
    ("exec-dir", exec_dir::Args::augment_args),
    ("publish", publish::Args::augment_args),
    ("init", init::Args::augment_args),
    ("keygen", keygen::Args::augment_args),
    #[cfg(feature = "keyservice")]
    ("keyservice", keyservice::Args::augment_args),
    ("kustomize", kustomize::Args::augment_args),
    ("helm", helm::Args::augment_args),
    ("seal", seal::Args::augment_args),
    ("completion", completion::Args::augment_args),
];

pub use completion::script as completion_script;

/// Every command, flag and help text, for the reference and the man pages.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// The command line for a call whose first word is `word`: when that is the name of a subcommand, with that one alone.
/// All of them are a tenth of what a small job costs.
fn command_for(word: Option<&OsString>) -> clap::Command {
    let is_called = |(name, _): &&(&str, Augment)| word.is_some_and(|word| word == name);
    let Some(&(name, augment)) = SUBCOMMANDS.iter().find(is_called) else { return Cli::command() };
    let top = clap::Command::new("leafcrypt").version(env!("CARGO_PKG_VERSION")).disable_version_flag(true);
    Global::augment_args(top)
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(augment(clap::Command::new(name)))
}

/// Runs the program on its arguments, the first of which is its own name.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    sys::harden();
    key::settle_environment();
    report::install_panic_hook();
    event::listen(Box::new(Audit::default()));
    completion::answer(Cli::command);
    let args: Vec<OsString> = args.into_iter().collect();
    let args = under_other_name(args);
    let mut command = command_for(args.get(1));
    if is_called(&args, "sops") {
        // Scripts look for the version of sops in the second word.
        command = command.name("sops").bin_name("sops").version(concat!(
            "3.13.2 (leafcrypt ",
            env!("CARGO_PKG_VERSION"),
            ")"
        ));
    }
    let parsed = legacy::rewrite(args, &command).map(|args| command.try_get_matches_from(args));
    let outcome = match parsed {
        Err(error) => return fail(&error, error.exit_code()),
        Ok(Err(usage)) => return explain_usage(usage),
        Ok(Ok(matches)) => match Cli::from_arg_matches(&matches) {
            Err(usage) => return explain_usage(usage),
            Ok(Cli { command, global }) => {
                if global.verbose {
                    report::show_steps();
                }
                let clock = trace::clock();
                command.run().inspect(|_| clock.done(|| "done"))
            }
        },
    };
    match outcome {
        Ok(code) => code,
        Err((error, code)) => fail(&error, code),
    }
}

/// Under the name `ksops` this is the plugin of kustomize, whose arguments are those of `kustomize`.
fn under_other_name(mut args: Vec<OsString>) -> Vec<OsString> {
    if is_called(&args, "ksops") {
        args.insert(1, "kustomize".into());
    }
    args
}

/// Whether the program was started under the name `name`, as by a symbolic link.
fn is_called(args: &[OsString], name: &str) -> bool {
    args.first().is_some_and(|called| Path::new(called).file_stem().is_some_and(|called| called == name))
}

fn fail(error: &Error, code: u8) -> ExitCode {
    report::error(error);
    ExitCode::from(code)
}

impl Command {
    /// Runs the subcommand and gives its exit code; a failure comes with the one that sops gives for it.
    fn run(self) -> Result<ExitCode, (Error, u8)> {
        let encrypts = matches!(self, Command::Encrypt(_));
        let executes = matches!(self, Command::ExecEnv(_) | Command::ExecFile(_) | Command::ExecDir(_));
        let done = |()| ExitCode::SUCCESS;
        match self {
            Command::Encrypt(args) => encrypt::run(args).map(done),
            Command::Decrypt(args) => decrypt::run(args).map(done),
            Command::Edit(args) => edit::run(*args),
            Command::Set(args) => set::run(*args).map(done),
            Command::Unset(args) => unset::run(*args).map(done),
            Command::Rotate(args) => rotate::run(args).map(done),
            Command::UpdateKeys(args) => updatekeys::run(args).map(done),
            Command::Groups(args) => groups::run(args).map(done),
            Command::FileStatus(args) => filestatus::run(args).map(done),
            Command::ExecEnv(args) => exec_env::run(args),
            Command::ExecFile(args) => exec_file::run(args),
            Command::ExecDir(args) => exec_dir::run(args),
            Command::Publish(args) => publish::run(args).map(done),
            Command::Init(args) => init::run(args).map(done),
            Command::Keygen(args) => keygen::run(args).map(done),
            #[cfg(feature = "keyservice")]
            Command::Keyservice(args) => keyservice::run(args).map(done),
            Command::Kustomize(args) => kustomize::run(args).map(done),
            Command::Helm(args) => helm::run(args).map(done),
            Command::Seal(args) => seal::run(*args).map(done),
            Command::Completion(args) => completion::run(&args).map(done),
        }
        .map_err(|error| {
            let code = exit_code(&error, encrypts, executes);
            (error, code)
        })
    }
}

/// The exit code of sops 3.11, in which the same failure has other codes in other commands.
fn exit_code(error: &Error, encrypts: bool, executes: bool) -> u8 {
    match error.kind() {
        // Only here a missing file is one like any other that cannot be read.
        Kind::NoFile if executes => Kind::ReadInput.exit_code(),
        // A text that cannot be parsed, and so has a line, was "not read" when it is to be encrypted and
        // has no code of its own when it is to be decrypted; 4 is left for a tree that cannot be written.
        Kind::Format if error.place().line_column.is_some() => {
            if encrypts { Kind::ReadInput } else { Kind::Generic }.exit_code()
        }
        Kind::Config | Kind::ConfigMissing | Kind::NoRecipient => Kind::Generic.exit_code(),
        // To `decrypt` a MAC that is missing or does not decrypt is one that does not match.
        Kind::MacMissing | Kind::DecryptMac => Kind::MacMismatch.exit_code(),
        kind => kind.exit_code(),
    }
}

/// Prints the help of a subcommand that has others below it, when none of those is named: to sops that is no mistake.
fn print_help(subcommand: &str) -> crate::Result<()> {
    let mut command = Cli::command();
    command.build();
    let help = command.find_subcommand_mut(subcommand).map(|command| command.render_help().ansi().to_string());
    output::print_styled(&help.unwrap_or_default())
}

/// Prints what clap has to say (help and version are among it) and gives the exit code of sops for it.
fn explain_usage(mut usage: clap::Error) -> ExitCode {
    if let Some(ContextValue::Strings(near)) = usage.get(ContextKind::SuggestedSubcommand) {
        // The nearest comes last there.
        let near = near.iter().rev().cloned().collect();
        usage.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(near));
    }
    name_feature(&mut usage, registry::List::is_built, cfg!(feature = "keyservice"));
    if let Some(ContextValue::String(flag)) = usage.get(ContextKind::InvalidArg)
        && let (ErrorKind::ArgumentConflict, Some(name)) = (usage.kind(), flag.strip_suffix(" <RECIPIENTS>"))
        && usage.get(ContextKind::PriorArg) == usage.get(ContextKind::InvalidArg)
    {
        let tip = format!("several go into one, separated by commas: {name} RECIPIENT,RECIPIENT");
        usage.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    let printed = usage.print();
    ExitCode::from(match usage.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if printed.is_err() => sys::BROKEN_PIPE,
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Kind::NoFile.exit_code(),
        ErrorKind::ArgumentConflict => Kind::ConflictingArguments.exit_code(),
        _ => Kind::Generic.exit_code(),
    })
}

/// Says of a flag or a command that other builds have, that it is for want of a feature that this one does not: `keys` knows
/// which kinds of keys are built, and `services` is whether key services are.
fn name_feature(usage: &mut clap::Error, keys: impl Fn(&registry::List) -> bool, services: bool) {
    let text = |kind| match usage.get(kind) {
        Some(ContextValue::String(text)) => Some(text.trim_start_matches('-').to_owned()),
        _ => None,
    };
    let Some(word) = text(ContextKind::InvalidArg).or_else(|| text(ContextKind::InvalidSubcommand)) else { return };
    let of_services = ["keyservice", "enable-local-keyservice"].contains(&&*word);
    let (what, install) = match registry::LISTS.iter().find(|list| list.has_flag(&word) && !keys(list)) {
        Some(list) => list.lacking(),
        None if of_services && !services => {
            ("this build of leafcrypt has no key services".to_owned(), Some(registry::install("keyservice")))
        }
        None => return,
    };
    // What is near by its letters is not what was meant.
    for near in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedCommand] {
        usage.remove(near);
    }
    let tips = [Some(what), install].into_iter().flatten().map(Into::into).collect();
    usage.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flags of each kind of key, as a build without it sees them.
    #[test]
    fn of_what_a_build_lacks_the_feature_is_named() {
        let said = |line: &str, keys: bool, services: bool| {
            let bare = clap::Command::new("leafcrypt").subcommand(clap::Command::new("encrypt"));
            let mut usage = bare.try_get_matches_from(line.split(' ')).unwrap_err();
            name_feature(&mut usage, |_| keys, services);
            usage.to_string()
        };
        for (flag, title, feature) in [
            ("kms", "AWS KMS", "aws-kms"),
            ("encryption-context", "AWS KMS", "aws-kms"),
            ("add-gcp-kms", "Google Cloud KMS", "gcp-kms"),
            ("rm-azure-kv", "Azure Key Vault", "azure-kv"),
            ("hc-vault-transit", "HashiCorp Vault", "hc-vault"),
            ("hckms", "Huawei Cloud KMS", "hckms"),
        ] {
            for value in [" x", "=x"] {
                let line = format!("leafcrypt encrypt --{flag}{value}");
                let lacking = said(&line, false, true);
                assert!(lacking.contains(&format!("unexpected argument '--{flag}' found")), "{lacking}");
                assert!(lacking.contains(&format!("this build of leafcrypt has no {title} keys")), "{lacking}");
                assert!(lacking.contains(&format!("--features {feature},")), "{lacking}");
                assert!(!said(&line, true, true).contains("this build"));
            }
        }
        for line in ["leafcrypt keyservice", "leafcrypt encrypt --keyservice unix:///x"] {
            let lacking = said(line, true, false);
            assert!(lacking.contains("has no key services") && lacking.contains("--features keyservice,"), "{lacking}");
            assert!(!lacking.contains("similar"), "{lacking}");
            assert!(!said(line, true, true).contains("this build"));
        }
        assert!(!said("leafcrypt encrypt --nonsense", false, false).contains("this build"));
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_subcommand_alone_is_the_same() {
        let mut all = Cli::command();
        all.build();
        let names: Vec<String> = all.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert_eq!(names, SUBCOMMANDS.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
        for name in names {
            let mut alone = command_for(Some(&name.clone().into()));
            alone.build();
            let help = |of: &mut clap::Command| of.find_subcommand_mut(&name).unwrap().render_long_help().to_string();
            assert_eq!(alone.get_subcommands().count(), 1);
            assert_eq!(help(&mut alone), help(&mut all));
        }
    }
}
