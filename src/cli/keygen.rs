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
  leafcrypt keygen --output -           print it, as age-keygen does")]
pub(super) struct Args {
    /// Write the identity to this file, or - to print it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Result<()> {
    let environment = Environment::of_process();
    let Identity { file: _, recipients } = match args.output {
        Some(path) if path == Path::new("-") => {
            let (text, recipient) = keygen::generate();
            output::print(text.expose())?;
            report::note(&format!("Public key: {recipient}"));
            return Ok(());
        }
        Some(path) => made(keygen::generate_into(path)?, &environment),
        None => match keygen::ensure(&environment)? {
            Outcome::Made(identity) => made(identity, &environment),
            Outcome::Found(identity) => {
                let file = environment.show(&identity.file);
                report::note(&format!("there is an identity already, in {file}; nothing was changed"));
                identity
            }
        },
    };
    let lines: String = recipients.iter().map(|recipient| format!("{recipient}\n")).collect();
    output::print(lines.as_bytes())
}

fn made(identity: Identity, environment: &Environment) -> Identity {
    report::note(&format!("made an identity in {}; keep a copy in a safe place", environment.show(&identity.file)));
    identity
}
