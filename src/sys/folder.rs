//! The files of a folder.

use crate::error::{Error, Kind, Result};
use std::ffi::OsStr;
use std::fs::FileType;
use std::path::{Path, PathBuf};

/// The files of a folder, and what in it is a link.
#[derive(Default)]
pub struct Below {
    /// The files, and the links to files; those that lead nowhere are among them.
    pub files: Vec<PathBuf>,
    /// The links to folders.
    pub folder_links: Vec<PathBuf>,
}

/// All files below `folder`, at any depth, in the order of their names. Links are not followed; Git's own folder is
/// left out, and what is left of a file that was to be replaced when something ended the process.
///
/// # Errors
/// When a folder cannot be read.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(walk(folder)?.into_iter().filter(|(_, kind)| kind.is_file()).map(|(path, _)| path).collect())
}

/// The same, with the links to files among them.
///
/// # Errors
/// When a folder cannot be read.
pub fn files_and_links_below(folder: &Path) -> Result<Below> {
    let mut below = Below::default();
    for (path, kind) in walk(folder)? {
        if kind.is_file() || (kind.is_symlink() && !path.is_dir()) {
            below.files.push(path);
        } else if kind.is_symlink() {
            below.folder_links.push(path);
        }
    }
    Ok(below)
}

fn walk(folder: &Path) -> Result<Vec<(PathBuf, FileType)>> {
    let mut found = Vec::new();
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    let is_ours = |name: &OsStr| name.to_str().is_some_and(super::replace::is_draft);
    for entry in entries.filter_entry(|entry| entry.file_name() != ".git" && !is_ours(entry.file_name())) {
        let entry = entry.map_err(|error| {
            let place = error.path().unwrap_or(folder).display().to_string();
            Error::new(Kind::ReadInput, "the folder cannot be read")
                .in_file(place)
                .because(error.io_error().map_or_else(|| error.to_string(), ToString::to_string))
        })?;
        let kind = entry.file_type();
        found.push((entry.into_path(), kind));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_at_any_depth_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/z", "b/a/x", "a", ".git/config", ".hidden", "c/.git/x", "b/.z.leafcrypt-aB3dE9"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = files_below(folder.path()).unwrap();
        let names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, [".hidden", "a", "b/a/x", "b/z"]);
        assert_eq!(files_and_links_below(folder.path()).unwrap().files, found);
        assert_eq!(files_below(&folder.path().join("none")).unwrap_err().exit_code(), 2);
    }
}
