//! `leafcrypt encrypt`.

use super::args::{self, InputArgs, KeyServiceArgs, LayoutArgs, OutputArgs, SelectionArgs};
use super::files::{self, Done};
use super::recipients::RecipientArgs;
use crate::error::Result;
use crate::key::Keyring;
use crate::ops::encrypt::{self, Encrypt};
use crate::secret::SecretBytes;

/// Encrypt a file, and print it
///
/// For whom and how much of it comes from the rules of .sops.yaml, or from the options below.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  leafcrypt encrypt -i secrets/prod.yaml
  leafcrypt encrypt --age age1… --encrypted-regex '^(data|stringData)$' secret.yaml
  leafcrypt encrypt --output prod.enc.yaml prod.yaml
  kubectl create secret … -o yaml --dry-run=client |
    leafcrypt encrypt --filename-override secrets/db.yaml")]
pub(super) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    layout: LayoutArgs,
    #[command(flatten)]
    recipients: RecipientArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    services: KeyServiceArgs,

    /// Protect only encrypted values by the MAC, so that the others may be edited by hand
    #[arg(long)]
    mac_only_encrypted: bool,

    /// How many key groups are needed to decrypt
    #[arg(long, value_name = "NUMBER")]
    shamir_secret_sharing_threshold: Option<usize>,
}

pub(super) fn run(args: Args) -> Result<()> {
    let jobs = args::jobs(args.input, &args.output)?;
    let request = Encrypt {
        given: args.recipients.given,
        selection: args.selection.selection(),
        mac_only_encrypted: args.mac_only_encrypted,
        shamir_threshold: args.shamir_secret_sharing_threshold.filter(|&threshold| threshold > 0),
        rules: args.layout.rules(),
    };
    let keyring = args.services.onto(Keyring::of_process())?;
    files::do_each(&jobs, "Encrypting", |job| {
        let encrypted = encrypt::encrypt(&job.source, &request, &keyring)?;
        Ok(Done { bytes: SecretBytes::from(encrypted.text), warnings: encrypted.warnings })
    })
}
