//! The document a command works on.

use crate::error::{Error, Kind, Result};
use crate::format::{self, Format};
use crate::sys;
use std::path::{Path, PathBuf};

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
    /// named `.yaml` converts. A name that says nothing leaves the output in the format of the input.
    ///
    /// # Errors
    /// When neither the name nor a type says what the input is.
    pub(super) fn formats(&self) -> Result<(&'static dyn Format, &'static dyn Format)> {
        let named = format::by_file_name(&self.name().to_string_lossy());
        let input = self.input_type.or(named).ok_or_else(|| self.unknown_type())?;
        Ok((input, self.output_type.or(named).unwrap_or(input)))
    }

    fn unknown_type(&self) -> Error {
        let types: Vec<_> = format::ALL.iter().map(|format| format.name()).collect();
        let types = types.join("|");
        if sys::is_stdin(&self.path) && self.name.is_none() {
            // sops gives this code when it is to encrypt the standard input without a name.
            return Error::new(Kind::ConflictingArguments, "the standard input has no name to tell its type from")
                .hint(format!("say it with --input-type {types} or --filename-override NAME"));
        }
        Error::new(Kind::Generic, "the file name does not tell the type of the file")
            .in_file(self.name().display().to_string())
            .because("other formats than these are to come")
            .hint(format!("say it with --input-type {types}"))
    }

    /// Reads the document and tells its formats.
    ///
    /// # Errors
    /// Those of [`Self::formats`]; when it cannot be read.
    pub fn open(&self) -> Result<Opened> {
        // Nobody should have to type a text for nothing; and of a missing file the type is no matter.
        if sys::is_stdin(&self.path) {
            self.formats()?;
        }
        let bytes = sys::read_input(&self.path)?;
        let (input, output) = self.formats()?;
        Ok(Opened { bytes, input, output })
    }
}

/// Whether the file at `path` is worth a look by a command that works on all encrypted files of a folder:
/// it has a token in it, or it cannot be read, which that command will say.
#[must_use]
pub fn looks_encrypted(path: &Path) -> bool {
    let holds_token = |bytes: Vec<u8>| memchr::memmem::find(&bytes, b"ENC[AES256_GCM,").is_some();
    sys::read_input(path).map_or(true, holds_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str) -> Source {
        Source { path: path.into(), name: None, input_type: None, output_type: None }
    }

    #[test]
    fn a_name_or_a_type_decides() {
        let json = format::by_name("json");
        let names = |source: Source| source.formats().map(|(input, output)| (input.name(), output.name())).ok();
        assert_eq!(names(source("a/b.yml")), Some(("yaml", "yaml")));
        assert_eq!(names(Source { output_type: json, ..source("b.yaml") }), Some(("yaml", "json")));
        assert_eq!(names(Source { input_type: json, ..source("b.yaml") }), Some(("json", "yaml")));
        assert_eq!(names(Source { input_type: json, ..source("b.txt") }), Some(("json", "json")));
        assert_eq!(names(Source { name: Some("x.json".into()), ..source("-") }), Some(("json", "json")));
        assert_eq!(source("b.txt").formats().err().map(|error| error.exit_code()), Some(1));
        assert_eq!(source("-").formats().err().map(|error| error.exit_code()), Some(8));
    }
}
