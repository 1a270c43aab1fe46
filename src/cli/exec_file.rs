//! `leafcrypt exec-file`.

use super::args::{LayoutArgs, format_parser};
use super::exec::ExecArgs;
use crate::error::Result;
use crate::format::Format;
use crate::ops::exec::{self, FILE_NAME};
use std::process::ExitCode;
use std::sync::Arc;

/// Run a command on the plaintext of a file
///
/// In the command, {} stands for the path of the plaintext. It is a named pipe, which can be read from
/// beginning to end as often as one likes; for programs that want to seek or write in it there is --no-fifo, a file in
/// memory. Either is gone when the command ends.
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt exec-file [OPTIONS] FILE COMMAND\n       leafcrypt exec-file [OPTIONS] FILE -- PROGRAM [ARGUMENT]...",
    after_help = "\
Examples:
  leafcrypt exec-file secrets.yaml 'kubectl apply -f {}'
  leafcrypt exec-file secrets.yaml -- kubectl apply -f {}    without a shell
  leafcrypt exec-file --no-fifo --filename key.pem key.enc.pem 'ssh -i {} host'
  leafcrypt exec-file --output-type json values.yaml 'jq .db {}'"
)]
pub(super) struct Args {
    #[command(flatten)]
    exec: ExecArgs,

    /// Convert the plaintext to this type
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    output_type: Option<&'static dyn Format>,

    #[command(flatten)]
    layout: LayoutArgs,

    /// Use a file in memory instead of a named pipe
    #[arg(long)]
    no_fifo: bool,

    /// The name of the file
    #[arg(long, value_name = "NAME", default_value = FILE_NAME)]
    filename: String,
}

pub(super) fn run(args: Args) -> Result<ExitCode> {
    let name = if args.filename.is_empty() { FILE_NAME } else { &args.filename };
    args.exec.exec("exec-file")?.go(|source, ignore_mac, keyring| {
        let source = crate::ops::Source { output_type: args.output_type, ..source };
        exec::file(source, Arc::new(args.layout.rules()), ignore_mac, name, !args.no_fifo, keyring)
    })
}
