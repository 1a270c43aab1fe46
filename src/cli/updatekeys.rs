//! `leafcrypt updatekeys`.

use super::args::{ConfigArgs, KeyArgs, format_parser};
use super::files::Teller;
use super::recipients::DetailArgs;
use super::report::harmless;
use super::{files, output, plan, report};
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::key::Keyring;
use crate::ops::updatekeys::{Planned, UpdateKeys};
use crate::ops::{Plan, Rules, Source};
use std::collections::HashMap;
use std::path::PathBuf;

/// So many names are listed of the files that share a plan.
const LISTED: usize = 20;

/// Give files the recipients that the rules of .sops.yaml name for them
///
/// Shows first who stays, who comes and who goes, and asks. Values are not encrypted anew: whoever is removed may
/// know the data key, until it is changed by `leafcrypt rotate`.
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt updatekeys [OPTIONS] FILE...",
    after_help = "\
Examples:
  leafcrypt updatekeys secrets/prod.yaml
  leafcrypt updatekeys -y secrets/*.yaml
  leafcrypt updatekeys .                          every encrypted file below this folder"
)]
pub(super) struct Args {
    /// The files; a folder stands for all encrypted files below it
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// What the files are, whatever their names say
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    input_type: Option<&'static dyn Format>,

    /// How many key groups are to be needed to decrypt, whatever the rule says
    #[arg(long, value_name = "NUMBER")]
    shamir_secret_sharing_threshold: Option<usize>,

    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    details: DetailArgs,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(super) fn run(args: Args) -> Result<()> {
    if args.files.is_empty() {
        return Err(Error::new(Kind::NoFile, "no file is named").hint("leafcrypt updatekeys FILE"));
    }
    let keyring = args.keys.keyring()?;
    let files = files::each_once(files::with_folders(args.files)?).into_iter();
    let request = UpdateKeys {
        rules: Rules::new(args.config.path()),
        threshold: args.shamir_secret_sharing_threshold.filter(|&threshold| threshold > 0),
        details: args.details.given,
    };
    let source = |path| Source { input_type: args.input_type, ..Source::at(path) };
    let sources: Vec<Source> = files.map(source).collect();
    let mut teller = Teller::new(sources.len());
    let mut removed = false;
    let batches = plan_all(&request, &sources, &mut teller);
    let changing: Vec<Source> =
        batches.iter().flat_map(|batch| batch.sources.iter().map(|source| (*source).clone())).collect();
    let keyring = if changing.len() > 1 { keyring.expecting(crate::ops::stanzas_of(changing)) } else { keyring };
    for batch in batches {
        if !args.yes {
            show(&batch)?;
            if !agreed(&batch)? {
                continue;
            }
        }
        let done = carry_out(&request, &batch, &keyring, &mut teller);
        if done.is_empty() {
            continue;
        }
        removed |= batch.plan.removes();
        // Who is not asked is shown what was done, and no plan that fails.
        if args.yes {
            show(&Batch { plan: batch.plan, sources: done })?;
        }
    }
    if removed {
        report::hint("whoever was removed may know the data key; for a new one: leafcrypt rotate -i FILE");
    }
    teller.end()
}

/// Files that share a plan, so that a question about it is asked once.
struct Batch<'a> {
    plan: Plan,
    sources: Vec<&'a Source>,
}

fn plan_all<'a>(request: &UpdateKeys, sources: &'a [Source], teller: &mut Teller) -> Vec<Batch<'a>> {
    let mut batches: Vec<Batch<'a>> = Vec::new();
    let mut places = HashMap::new();
    let mut in_step = Vec::new();
    let planned = |source: &'a Source, planned: Result<Planned>| match planned {
        Err(error) => teller.fail(error),
        Ok(Planned { plan, warnings }) => {
            teller.warn(warnings);
            if plan.is_empty() {
                return in_step.push(source);
            }
            let place = *places.entry(plan.clone()).or_insert(batches.len());
            if place == batches.len() {
                batches.push(Batch { plan, sources: Vec::new() });
            }
            batches[place].sources.push(source);
        }
    };
    files::each(sources, "Reading", |source| request.plan(source), planned);
    match in_step[..] {
        [] => {}
        [only] => report::note(&format!("{} already has the recipients of its rule", harmless(&only.shown()))),
        _ => report::note(&format!("{} files already have the recipients of their rules", in_step.len())),
    }
    batches
}

/// Changes the files, and gives those that were changed.
fn carry_out<'a>(request: &UpdateKeys, batch: &Batch<'a>, keyring: &Keyring, teller: &mut Teller) -> Vec<&'a Source> {
    let mut done = Vec::new();
    let work = |source: &&Source| -> Result<()> {
        let destination = output::Destination::InPlace(source.path.clone());
        let destination = destination.watch();
        destination.write(request.apply(source, &batch.plan, keyring)?.as_bytes())
    };
    files::each(&batch.sources, "Updating", work, |source, result| match result {
        Ok(()) => {
            done.push(*source);
            report::note(&format!("{} has its new recipients", harmless(&source.shown())));
        }
        Err(error) => teller.fail(error),
    });
    done
}

/// Asks whether the plan that was shown is to be carried out.
fn agreed(batch: &Batch<'_>) -> Result<bool> {
    match report::yes_or_no("Is this okay? (y/n): ") {
        Some(true) => Ok(true),
        Some(false) => {
            match batch.sources[..] {
                [only] => report::note(&format!("{} is left as it is", harmless(&only.shown()))),
                _ => report::note(&format!("{} files are left as they are", batch.sources.len())),
            }
            Ok(false)
        }
        None => Err(Error::new(Kind::Generic, "nobody has said whether the recipients are to be changed")
            .because("the standard input has ended")
            .hint("to go ahead without being asked: leafcrypt updatekeys --yes FILE")),
    }
}

/// Prints the plan, for whoever reads or keeps what was done.
fn show(batch: &Batch<'_>) -> Result<()> {
    let mut text = "The following changes will be made to ".to_owned();
    match &batch.sources[..] {
        [only] => text.push_str(&format!("{}:\n", harmless(&only.shown()))),
        many => {
            text.push_str(&format!("these {} files:\n", many.len()));
            many.iter().take(LISTED).for_each(|source| text.push_str(&format!("  {}\n", harmless(&source.shown()))));
            if many.len() > LISTED {
                text.push_str(&format!("  and {} more\n", many.len() - LISTED));
            }
        }
    }
    text.push_str(&plan::render(&batch.plan));
    output::print_styled(&text)
}
