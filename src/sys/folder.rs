//! The files of a folder.

use crate::error::{Error, Kind, Result};
use std::path::{Path, PathBuf};

/// All files below `folder`, at any depth, in the order of their names. Links are not followed, and Git's own folder is
/// left out.
///
/// # Errors
/// When a folder cannot be read.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| entry.file_name() != ".git") {
        let entry = entry.map_err(|error| {
            let place = error.path().unwrap_or(folder).display().to_string();
            Error::new(Kind::ReadInput, "the folder cannot be read")
                .in_file(place)
                .because(error.io_error().map_or_else(|| error.to_string(), ToString::to_string))
        })?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_at_any_depth_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/z", "b/a/x", "a", ".git/config", ".hidden", "c/.git/x"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = files_below(folder.path()).unwrap();
        let names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, [".hidden", "a", "b/a/x", "b/z"]);
        assert_eq!(files_below(&folder.path().join("none")).unwrap_err().exit_code(), 2);
    }
}
