//! The document a command works on.

use super::unsealed::read_metadata;
use crate::crypto::TOKEN_START;
use crate::document::Encoding;
use crate::error::{Error, Kind, Result};
use crate::format::{self, Format, Pieces, binary, binary::Binary, json::Json};
use crate::key::Others;
use crate::{config, event, sys};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which document, what is in it, and what is to come out.
#[derive(Clone)]
pub struct Source {
    /// The file, or a name of the standard input.
    pub path: PathBuf,
    /// The name to go by instead, for types and rules.
    pub name: Option<PathBuf>,
    /// The type of the input, whatever its name says.
    pub input_type: Option<&'static dyn Format>,
    /// The type of the output, whatever the name says.
    pub output_type: Option<&'static dyn Format>,
}

/// A document's bytes, and the formats to read and to write it in.
pub struct Opened {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Its format.
    pub input: &'static dyn Format,
    /// The format of what is to come out.
    pub output: &'static dyn Format,
}

impl Source {
    /// What is at `path`, by its name.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Source { path, name: None, input_type: None, output_type: None }
    }

    /// The name that decides on types and rules.
    #[must_use]
    pub fn name(&self) -> &Path {
        self.name.as_deref().unwrap_or(&self.path)
    }

    /// What messages call the document.
    #[must_use]
    pub fn shown(&self) -> String {
        if sys::is_stdin(&self.path) { "standard input".to_owned() } else { self.path.display().to_string() }
    }

    /// The formats of the input and of the output.
    ///
    /// As in sops, the name decides on each that is not given, so `--input-type json` for a file that is
    /// named `.yaml` converts. A name that says nothing is that of a binary file, but leaves the output in the format of
    /// the input.
    pub(super) fn formats(&self) -> (&'static dyn Format, &'static dyn Format) {
        let named = format::by_file_name(&self.name().to_string_lossy());
        let input = self.input_type.or(named).unwrap_or(&Binary);
        (input, self.output_type.or(named).unwrap_or(input))
    }

    /// Refuses a plaintext on the standard input whose type nobody said. Asked first: nobody should have to type a text
    /// for nothing.
    ///
    /// # Errors
    /// When neither a name nor a type says what the input is.
    pub(super) fn require_type(&self) -> Result<()> {
        if !sys::is_stdin(&self.path) || self.name.is_some() || self.input_type.is_some() {
            return Ok(());
        }
        let types: Vec<_> = format::ALL.iter().map(|format| format.name()).collect();
        Err(Error::new(Kind::ConflictingArguments, "the standard input has no name to tell its type from")
            .hint(format!("say it with --input-type {} or --filename-override NAME", types.join("|"))))
    }

    /// Reads the encrypted document and tells its formats.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(&self) -> Result<Opened> {
        self.announce();
        self.read_encrypted()
    }

    /// The same as [`Self::open`], of the document that is worked on already.
    ///
    /// Where nothing says a type, JSON with more in it than a binary file has is a document of its own.
    pub(super) fn read_encrypted(&self) -> Result<Opened> {
        let mut opened = self.read()?;
        let is_said = self.input_type.is_some() || format::by_file_name(&self.name().to_string_lossy()).is_some();
        if !is_said && binary::is_other_json(&opened.bytes) {
            opened.input = &Json;
            opened.output = self.output_type.unwrap_or(&Json);
        }
        Ok(opened)
    }

    /// Says that it is this document that is worked on.
    pub(super) fn announce(&self) {
        event::about(|| match sys::is_stdin(&self.path) {
            true => "/dev/stdin".to_owned(),
            false => config::absolute(&self.path).to_string_lossy().into_owned(),
        });
    }

    /// Reads a document that may be none of sops', and tells its formats.
    pub(super) fn read(&self) -> Result<Opened> {
        let bytes = sys::read_input(&self.path)?;
        let (input, output) = self.formats();
        Ok(Opened { bytes, input, output })
    }
}

/// What a file held before the work on it began. Keys may take long, and what somebody else wrote meanwhile would be lost.
pub struct Version {
    path: PathBuf,
    digest: [u8; 32],
}

impl Version {
    /// The version of the file at `path`. Nothing for what is no regular file or cannot be read: reading it says so
    /// better.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        Some(Version { path: path.to_owned(), digest: digest(path).ok()?? })
    }

    /// Refuses to go on when the file is another by now: to be asked right before it is replaced.
    ///
    /// # Errors
    /// When somebody else has changed or removed it, or it cannot be read any more.
    pub fn require_same(&self) -> Result<()> {
        let exists = match digest(&self.path) {
            Ok(Some(now)) if now == self.digest => return Ok(()),
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                let message = format!("{} cannot be read any more", self.path.display());
                return Err(Error::new(Kind::ReadInput, message).because(error));
            }
        };
        let error = changed_meanwhile(&self.path, true, exists);
        Err(if exists { error.hint("look at what has changed, and run the command again") } else { error })
    }
}

/// The digest of a regular file; others are not read, since nobody could read them again.
fn digest(path: &Path) -> io::Result<Option<[u8; 32]>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Some(digest.finalize().into())),
            len => digest.update(&piece[..len]),
        }
    }
}

/// That somebody else wrote the file at `path` while it was worked on; whether it was there `before`, and is `now`.
pub(super) fn changed_meanwhile(path: &Path, before: bool, now: bool) -> Error {
    let what = match (before, now) {
        (true, true) => "changed",
        (true, false) => "removed",
        _ => "made",
    };
    Error::new(Kind::WriteOutput, format!("{} was {what} by someone else meanwhile", path.display()))
        .because("nothing was overwritten")
}

/// A file that is so large that it is better worked on in pieces.
pub(super) struct Large {
    pub(super) format: &'static dyn Format,
    file: File,
    pub(super) len: usize,
}

impl Large {
    const LEN: u64 = 1 << 20;
    const PIECE: usize = 256 << 10;
    const TAIL: i64 = 64 << 10;

    /// The file of `source`, if it is one and stays in its format.
    pub(super) fn of(source: &Source) -> Option<Self> {
        let (format, output) = source.formats();
        let (file, len) = sys::open_large(&source.path, Self::LEN).filter(|_| format.name() == output.name())?;
        Some(Large { format, file, len })
    }

    /// The metadata at its end, as a text of its own; a guess of its format.
    pub(super) fn metadata_in_tail(&mut self) -> Option<String> {
        let mut tail = Vec::with_capacity(Self::TAIL as usize);
        self.file.seek(SeekFrom::End(-Self::TAIL)).ok()?;
        self.file.read_to_end(&mut tail).ok()?;
        self.format.metadata_in_tail(&tail)
    }

    /// Its pieces, from the beginning. Nothing for a format that has none.
    pub(super) fn pieces(&mut self) -> Option<Pieces<'_>> {
        self.file.rewind().ok()?;
        self.format.pieces(Box::new(&self.file), Self::PIECE)
    }
}

/// Refuses a file outside of the folder `root`, by `..`, by being absolute or by a symbolic link: who may say which
/// files are read should not read those of others.
///
/// # Errors
/// When it is outside. One that is not there is no failure here: opening it says so better.
pub fn require_inside(path: &Path, root: &Path) -> Result<()> {
    let Ok(real) = path.canonicalize() else { return Ok(()) };
    if real.starts_with(root) {
        return Ok(());
    }
    Err(Error::new(Kind::ReadInput, format!("{} is outside of the folder", path.display()))
        .because(format!("it is {}, and only files below {} may be read here", real.display(), root.display()))
        .hint("move it into the folder, or leave --root-only and LEAFCRYPT_ROOT_ONLY away"))
}

/// The stanzas of many encrypted files, for [`Keyring::expecting`](crate::key::Keyring::expecting). What cannot be read
/// has none: whoever works on it will say why.
#[must_use]
pub fn stanzas_of(sources: Vec<Source>) -> Others {
    let of = |source: &Source| {
        // Not opened: it is another document that is worked on.
        let opened = source.read_encrypted().ok()?;
        let document = opened.input.index_bytes(opened.bytes).ok()?;
        read_metadata(opened.input, &document, true).ok().map(|metadata| metadata.key_groups)
    };
    Arc::new(move || sources.iter().filter_map(of).flatten().collect())
}

/// Whether the file at `path` is worth a look by a command that works on all encrypted files of a folder:
/// it has a token in it, or it cannot be read, which that command will say.
#[must_use]
pub fn looks_encrypted(path: &Path) -> bool {
    sys::read_input(path).map_or(true, |bytes| holds_token(&bytes))
}

/// Whether there is a token in a file.
#[must_use]
pub fn holds_token(file: &[u8]) -> bool {
    match Encoding::of(file) {
        Encoding::Utf8 => memchr::memmem::find(file, TOKEN_START.as_bytes()).is_some(),
        utf16 => utf16.decode(file.to_vec()).unwrap_or_else(|text| text).contains(TOKEN_START),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str) -> Source {
        Source::at(path.into())
    }

    #[test]
    fn a_name_or_a_type_decides() {
        let json = format::by_name("json");
        let names = |source: Source| {
            let (input, output) = source.formats();
            (input.name(), output.name())
        };
        assert_eq!(names(source("a/b.yml")), ("yaml", "yaml"));
        assert_eq!(names(Source { output_type: json, ..source("b.yaml") }), ("yaml", "json"));
        assert_eq!(names(Source { input_type: json, ..source("b.yaml") }), ("json", "yaml"));
        assert_eq!(names(Source { input_type: json, ..source("b.txt") }), ("json", "json"));
        assert_eq!(names(Source { name: Some("x.json".into()), ..source("-") }), ("json", "json"));
        assert_eq!(names(source("a/.env")), ("dotenv", "dotenv"));
        assert_eq!(names(source("a.ini")), ("ini", "ini"));
        assert_eq!(names(source("b.txt")), ("binary", "binary"));
        assert_eq!(names(source("-")), ("binary", "binary"));
        assert_eq!(names(Source { output_type: json, ..source("b.txt") }), ("binary", "json"));
        assert_eq!(source("-").require_type().err().map(|error| error.exit_code()), Some(8));
        assert!(Source { input_type: json, ..source("-") }.require_type().is_ok());
        assert!(source("b.txt").require_type().is_ok());
    }
}
