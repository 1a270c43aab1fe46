//! `leafcrypt keygen`.

use super::{output, report};
use crate::error::Result;
use crate::key::Environment;
use crate::ops::keygen::{self, Identity, Outcome};
use std::path::{Path, PathBuf};

/// Make an age identity, and print its recipient
///
/// The identity is the secret half: it goes where sops and leafcrypt look for it, readable by you alone,
/// and never over another. The recipient is the public half: put it in .sops.yaml.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  leafcrypt keygen                      in the default place, unless there is one
  leafcrypt keygen --output ci.txt      in a file of its own
  leafcrypt keygen --output -           print it, as age-keygen does
  leafcrypt keygen --pq --output pq.txt a post-quantum identity")]
pub(super) struct Args {
    /// Write the identity to this file, or - to print it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Make a post-quantum identity (ML-KEM-768 with X25519): age 1.3 and sops 3.11 or later read it
    #[arg(long)]
    pq: bool,
}

pub(super) fn run(args: Args) -> Result<()> {
    let Identity { recipients, .. } = match args.output {
        Some(path) if path == Path::new("-") => {
            let (text, recipient) = keygen::generate(args.pq)?;
            output::print(text.expose())?;
            report::note(&format!("Public key: {recipient}"));
            return Ok(());
        }
        Some(path) => made(keygen::generate_into(path, args.pq)?),
        None => match keygen::ensure(&Environment::of_process(), args.pq)? {
            Outcome::Made(identity) => made(identity),
            Outcome::Found(identity) => {
                report::note(&format!("there is an identity already, in {}; nothing was changed", identity.place));
                identity
            }
        },
    };
    let lines: String = recipients.iter().map(|recipient| format!("{recipient}\n")).collect();
    output::print(lines.as_bytes())
}

fn made(identity: Identity) -> Identity {
    report::note(&format!("made an identity in {}; keep a copy in a safe place", identity.place));
    identity
}
