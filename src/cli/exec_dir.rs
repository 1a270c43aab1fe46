//! `leafcrypt exec-dir`.

use super::exec::{ExecArgs, FlattenArgs};
use crate::error::Result;
use crate::ops::exec;
use std::process::ExitCode;

/// Run a command on a folder with a file for each value
///
/// In the command, {} stands for the path of the folder, which is private, in memory, and gone when the command
/// ends. Each key is a file that holds the value and nothing else, as Kubernetes mounts a Secret. Of a
/// Secret manifest the files are those that a pod would see: data decoded, and stringData.
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt exec-dir [OPTIONS] FILE COMMAND\n       leafcrypt exec-dir [OPTIONS] FILE -- PROGRAM [ARGUMENT]...",
    after_help = "\
Examples:
  leafcrypt exec-dir secrets.yaml 'psql \"passfile={}/pgpass\"'
  leafcrypt exec-dir secret-manifest.yaml -- ./server --secrets {}
  leafcrypt exec-dir --flatten=. values.yaml 'ls {}'         db: {user: x} becomes db.user"
)]
pub(super) struct Args {
    #[command(flatten)]
    exec: ExecArgs,
    #[command(flatten)]
    nested: FlattenArgs,
}

pub(super) fn run(args: Args) -> Result<ExitCode> {
    let separator = args.nested.flatten;
    args.exec
        .exec("exec-dir")?
        .go(|source, ignore_mac, keyring| exec::folder(&source, ignore_mac, separator.as_deref(), keyring))
}
