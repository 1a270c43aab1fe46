//! The `leafcrypt` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    leafcrypt::cli::run(std::env::args_os())
}
