//! `leafcrypt exec-env`.

use super::exec::{ExecArgs, FlattenArgs};
use crate::error::Result;
use crate::ops::exec;
use std::process::ExitCode;

/// Run a command with the values of a file in its environment
///
/// Each key becomes a variable. Its signals, its exit code and the terminal are the command's own. The
/// environment of a process is inherited by all that it starts and ends in logs and crash reports
/// easily: exec-file and exec-dir do not have that trouble.
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt exec-env [OPTIONS] FILE COMMAND\n       leafcrypt exec-env [OPTIONS] FILE -- PROGRAM [ARGUMENT]...",
    after_help = "\
Examples:
  leafcrypt exec-env secrets.env 'echo $password'          a line for the shell, in quotes
  leafcrypt exec-env secrets.yaml -- ./server --port 80    a program, without a shell
  leafcrypt exec-env --flatten values.yaml -- env          db: {user: x} becomes db_user
  leafcrypt exec-env --pristine --user www secrets.yaml -- ./server
  leafcrypt exec-env --same-process secrets.yaml -- ./server   in the place of leafcrypt"
)]
pub(super) struct Args {
    #[command(flatten)]
    exec: ExecArgs,
    #[command(flatten)]
    nested: FlattenArgs,

    /// Put the command in the place of this process, instead of waiting for it
    #[arg(long, conflicts_with = "background")]
    same_process: bool,
}

pub(super) fn run(args: Args) -> Result<ExitCode> {
    let separator = args.nested.flatten;
    let mut exec = args.exec.exec("exec-env")?;
    exec.run.same_process = args.same_process;
    exec.go(|source, ignore_mac, keyring| exec::variables(&source, ignore_mac, separator.as_deref(), keyring))
}
