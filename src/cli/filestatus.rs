//! `leafcrypt filestatus`.

use super::args::format_parser;
use super::{output, report};
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::ops::{Source, filestatus};
use std::path::PathBuf;

/// Say whether a file is encrypted, as JSON
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt filestatus [OPTIONS] FILE...",
    after_help = "\
Examples:
  leafcrypt filestatus secrets/prod.yaml          {\"encrypted\":true}
  leafcrypt filestatus secrets/prod.yaml | jq -e .encrypted"
)]
pub(super) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What the file is, whatever its name says
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    input_type: Option<&'static dyn Format>,
}

pub(super) fn run(args: Args) -> Result<()> {
    let mut files = args.files.into_iter();
    let path =
        files.next().ok_or_else(|| Error::new(Kind::NoFile, "no file is named").hint("leafcrypt filestatus FILE"))?;
    if files.len() > 0 {
        report::warnings(&["only the first file is looked at".to_owned()]);
    }
    let source = Source { path, name: None, input_type: args.input_type, output_type: None };
    // Whatever is wrong with the file has one code here.
    let encrypted = filestatus::is_encrypted(&source).map_err(|error| error.of_kind(Kind::Generic))?;
    output::print(format!("{{\"encrypted\":{encrypted}}}\n").as_bytes())
}
