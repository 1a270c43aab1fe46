//! Where a document goes.

use crate::error::{Error, Kind, Result};
use crate::ops::Version;
use crate::sys;
use std::io::{self, Write};
use std::path::PathBuf;

/// Where a document goes.
pub(super) enum Destination {
    /// To the standard output.
    Stdout,
    /// To a file, which is replaced in one step.
    File(PathBuf),
    /// To the file that the document is read from, unless somebody else writes it meanwhile.
    InPlace(PathBuf),
}

/// A destination, as it was before the document was read.
pub(super) struct Watched<'a> {
    destination: &'a Destination,
    before: Option<Version>,
}

impl Destination {
    /// To be called before the document is read.
    pub(super) fn watch(&self) -> Watched<'_> {
        let before = match self {
            Destination::InPlace(path) => Version::of(path),
            Destination::Stdout | Destination::File(_) => None,
        };
        Watched { destination: self, before }
    }
}

impl Watched<'_> {
    /// Writes `bytes` there, unchanged.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        match self.destination {
            Destination::Stdout => print(bytes),
            Destination::File(path) | Destination::InPlace(path) => {
                sys::replace_file_if(path, bytes, || self.before.as_ref().map_or(Ok(()), Version::require_same))
            }
        }
    }
}

/// Writes `bytes` to the standard output. Not through `anstream`: a document is not ours to strip.
pub(super) fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        // Whoever read has read enough: `leafcrypt decrypt FILE | head -1`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(sys::BROKEN_PIPE.into()),
        Err(error) => Err(Error::new(Kind::WriteOutput, "the standard output cannot be written").because(error)),
    }
}

/// Prints a text of ours, in colours where the terminal has them.
pub(super) fn print_styled(text: &str) -> Result<()> {
    let colours = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    if colours { print(text.as_bytes()) } else { print(anstream::adapter::strip_str(text).to_string().as_bytes()) }
}
