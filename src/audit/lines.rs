//! A file of this machine with a JSON object on each line.

use super::{Record, Sink};
use crate::error::{Error, Kind, Result};
use crate::sys;
use serde::Deserialize;
use std::path::PathBuf;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lines {
    path: PathBuf,
}

impl Lines {
    /// The same, if its path is one everywhere: who is recorded chooses the folder in which a command runs.
    pub(super) fn checked(self) -> std::result::Result<Self, String> {
        match self.path.is_absolute() {
            true => Ok(self),
            false => Err(format!("the path of json_lines is not absolute: {}", self.path.display())),
        }
    }
}

impl Sink for Lines {
    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn write(&self, record: &Record<'_>) -> Result<()> {
        let mut line = serde_json::to_vec(record).map_err(|error| Error::new(Kind::Generic, error.to_string()))?;
        line.push(b'\n');
        sys::append(&self.path, &line).map_err(|error| {
            let folder = self.path.parent().filter(|folder| !folder.exists());
            let made = folder.map(|folder| format!("mkdir -p {}; ", sys::quoted(folder))).unwrap_or_default();
            Error::new(Kind::Generic, error.to_string()).hint(format!(
                "whoever is recorded must be allowed to append to it: {made}touch {0}; chmod 0622 {0}",
                sys::quoted(&self.path)
            ))
        })
    }
}
