//! `leafcrypt groups`.

use super::args::{KeyArgs, format_parser};
use super::output::Destination;
use super::recipients::GroupArgs;
use super::{plan, report};
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::ops::Source;
use crate::ops::groups::{self, Groups, Step};
use std::path::PathBuf;

/// Change the key groups of a file: the data key is split, and a share of it goes to each group
///
/// As many groups are needed to open the file as the threshold says: by default all of them.
#[derive(clap::Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "\
Examples:
  leafcrypt groups add -i -f root.yaml --age age1… --shamir-secret-sharing-threshold 2
  leafcrypt groups delete -i -f root.yaml 1       the second group: they are counted from 0"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Add a key group to a file, behind the others
    #[command(
        override_usage = "leafcrypt groups add [OPTIONS] --file FILE",
        after_help = "\
Examples:
  leafcrypt groups add -i -f root.yaml --age age1…,age1… --pgp 85D77543…
  leafcrypt groups add -i -f root.yaml --age age1… --shamir-secret-sharing-threshold 2"
    )]
    Add(Add),
    /// Delete a key group from a file
    #[command(
        override_usage = "leafcrypt groups delete [OPTIONS] --file FILE INDEX",
        after_help = "\
Examples:
  leafcrypt groups delete -i -f root.yaml 2
  leafcrypt groups delete -i -f root.yaml --shamir-secret-sharing-threshold 2 0"
    )]
    Delete(Delete),
}

#[derive(clap::Args)]
struct Add {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    recipients: GroupArgs,
}

#[derive(clap::Args)]
struct Delete {
    #[command(flatten)]
    target: Target,

    /// Which group, counted from 0
    #[arg(value_name = "INDEX")]
    index: Option<String>,
}

/// Which file, and where the result goes.
#[derive(clap::Args)]
struct Target {
    /// The file
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Replace the file by the result, instead of printing it
    #[arg(short, long)]
    in_place: bool,

    /// How many key groups are to be needed to decrypt
    #[arg(long, value_name = "NUMBER")]
    shamir_secret_sharing_threshold: Option<usize>,

    /// What the file is, whatever its name says
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    input_type: Option<&'static dyn Format>,

    #[command(flatten)]
    keys: KeyArgs,
}

pub(super) fn run(args: Args) -> Result<()> {
    match args.command {
        None => super::print_help("groups"),
        Some(Command::Add(Add { target, recipients })) => change(target, Step::Add(recipients.given.stanzas()?)),
        Some(Command::Delete(Delete { target, index })) => change(target, Step::Delete(place(index.as_deref())?)),
    }
}

fn place(index: Option<&str>) -> Result<usize> {
    let wrong = |message: String| Error::new(Kind::Generic, message).hint("leafcrypt groups delete -i -f FILE 1");
    let index = index.ok_or_else(|| wrong("no key group is named".to_owned()))?;
    index.parse().map_err(|_| wrong(format!("a key group is named by its place, counted from 0, and not by {index:?}")))
}

fn change(target: Target, step: Step) -> Result<()> {
    let Some(path) = target.file else {
        return Err(Error::new(Kind::ReadInput, "no file is named").hint(match step {
            Step::Add(_) => "leafcrypt groups add --file FILE --age RECIPIENT",
            Step::Delete(_) => "leafcrypt groups delete --file FILE 1",
        }));
    };
    let destination = if target.in_place { Destination::InPlace(path.clone()) } else { Destination::Stdout };
    let source = Source { path, name: None, input_type: target.input_type, output_type: None };
    let threshold = target.shamir_secret_sharing_threshold.filter(|&threshold| threshold > 0);
    let destination = destination.watch();
    let regrouped = groups::change(Groups { source, step, threshold }, &target.keys.keyring()?)?;
    destination.write(regrouped.text.as_bytes())?;
    report::styled(plan::render(&regrouped.plan).trim_end());
    Ok(())
}
