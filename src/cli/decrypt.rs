//! `leafcrypt decrypt`.

use super::args::{self, InputArgs, KeyArgs, LayoutArgs, OutputArgs};
use super::files::{self, Done};
use crate::document::KeyPath;
use crate::error::Result;
use crate::ops::decrypt::{self, Decrypt};
use std::sync::Arc;

/// Decrypt a file, and print it
///
/// Nothing is printed before the whole file is verified.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  leafcrypt decrypt secrets.yaml
  leafcrypt decrypt secrets.yaml | kubectl apply -f -
  leafcrypt decrypt --extract '[\"db\"][\"password\"]' secrets.yaml
  leafcrypt decrypt --decode-data --extract data.password secret.yaml
  leafcrypt decrypt --output-type json secrets.yaml
  leafcrypt decrypt -i secrets.yaml")]
pub(super) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    keys: KeyArgs,

    #[command(flatten)]
    layout: LayoutArgs,

    /// Print only this part: '["key"][0]'
    #[arg(long, value_name = "PATH")]
    extract: Option<String>,

    /// Which document of a stream that part is in, counted from 0
    #[arg(long, value_name = "NUMBER", requires = "extract", default_value_t = 0, hide_default_value = true)]
    document: usize,

    /// Show the data of Kubernetes Secrets as text instead of base64: to read, not to apply
    #[arg(long, conflicts_with = "in_place")]
    decode_data: bool,

    /// Decrypt even if the file was tampered with or damaged
    #[arg(long)]
    ignore_mac: bool,
}

pub(super) fn run(args: Args) -> Result<()> {
    let jobs = args::jobs(args.input, &args.output)?;
    let extract = KeyPath::parse(args.extract.as_deref().unwrap_or_default())?;
    let keyring = args.keys.keyring()?.expecting(args::others(&jobs));
    let rules = Arc::new(args.layout.rules());
    files::do_each(&jobs, "Decrypting", |job| {
        let (source, extract, rules) = (job.source.clone(), extract.clone(), Arc::clone(&rules));
        let request = Decrypt {
            source,
            extract,
            document: args.document,
            ignore_mac: args.ignore_mac,
            decode_data: args.decode_data,
            rules,
        };
        let mut decrypted = decrypt::decrypt(&request, &keyring)?;
        let warnings = std::mem::take(&mut decrypted.warnings);
        Ok(Done { warnings, bytes: decrypted.into_file() })
    })
}
