//! `leafcrypt rotate`.

use super::args::{self, InputArgs, KeyArgs, LayoutArgs, OutputArgs};
use super::files::{self, Done};
use super::recipients::ChangedRecipientArgs;
use crate::error::{Error, Kind, Result};
use crate::ops::rotate::{self, Rotate};
use crate::secret::SecretBytes;

/// Encrypt all values anew, under a new data key
///
/// Whoever was removed knows the old data key and what was encrypted with it, and nothing that is written afterwards. The
/// plaintext stays as it is, byte for byte. Recipients can be added and removed in the same step.
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt rotate [OPTIONS] FILE...",
    after_help = "\
Examples:
  leafcrypt rotate -i secrets/prod.yaml
  leafcrypt rotate -i --rm-age age1… --add-age age1… secrets/*.yaml
  leafcrypt rotate -i secrets/                    every encrypted file below the folder
  leafcrypt rotate --output new.yaml old.yaml"
)]
pub(super) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    layout: LayoutArgs,
    #[command(flatten)]
    recipients: ChangedRecipientArgs,

    /// Rotate even if the file was tampered with or damaged
    #[arg(long)]
    ignore_mac: bool,
}

pub(super) fn run(args: Args) -> Result<()> {
    if args.input.names_none() {
        return Err(Error::new(Kind::NoFile, "no file is named").hint("leafcrypt rotate -i FILE"));
    }
    let (add, remove) = (args.recipients.added()?, args.recipients.removed()?);
    let request = Rotate { add, remove, ignore_mac: args.ignore_mac, rules: args.layout.rules() };
    let keyring = args.keys.keyring()?;
    let jobs = args::jobs(args.input.with_folders(&args.output)?, &args.output)?;
    let keyring = keyring.expecting(args::others(&jobs));
    files::do_each(&jobs, "Rotating", |job| {
        let rotated = rotate::rotate(&job.source, &request, &keyring)?;
        Ok(Done { bytes: SecretBytes::from(rotated.text), warnings: rotated.warnings })
    })
}
