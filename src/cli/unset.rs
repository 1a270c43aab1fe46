//! `leafcrypt unset`.

use super::set::{TargetArgs, key_path};
use crate::error::{Error, Kind, Result};
use std::ffi::OsString;
use std::path::PathBuf;

/// Remove one value from an encrypted file
///
/// The value goes with its key and its lines; no other line changes, but those of time and MAC.
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt unset [OPTIONS] FILE PATH",
    after_help = "\
Examples:
  leafcrypt unset secrets.yaml '[\"db\"][\"password\"]'
  leafcrypt unset secrets.yaml 'db.hosts[0]'
  leafcrypt unset --idempotent secrets.yaml /db/password    no error if it is not there"
)]
pub(super) struct Args {
    /// The file, which is changed in place
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// What is to go: '["key"][0]', key[0] or /key/0
    #[arg(value_name = "PATH")]
    path: Option<String>,

    /// What is too much, which is an error with the code of sops
    #[arg(hide = true)]
    more: Vec<OsString>,

    /// Leave the file as it is if nothing is there
    #[arg(long)]
    idempotent: bool,

    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: Args) -> Result<()> {
    let (Some(file), Some(path), true) = (args.file, args.path, args.more.is_empty()) else {
        return Err(Error::new(Kind::NoFile, "a file and a key path are needed, and nothing else")
            .hint("leafcrypt unset FILE '[\"db\"][\"password\"]'"));
    };
    args.target.change(file, key_path(&path)?, None, args.idempotent)
}
