//! Where `.sops.yaml` is, and what a file's path is to it.
//!
//! Owns: paths as text. Nothing here resolves a symbolic link, since sops does not either.

use std::path::{Component, Path, PathBuf};

/// The name that sops looks for.
const NAME: &str = ".sops.yaml";

/// The name that it warns about.
const WRONG_NAME: &str = ".sops.yml";

/// What the search for `.sops.yaml` has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The file, absolute.
    pub path: Option<PathBuf>,
    /// What the user should hear of: a `.sops.yml`, which is never read.
    pub warnings: Vec<String>,
}

/// Looks upward from the folder of `file`, then upward from `working_dir`.
pub(super) fn find(file: Option<&Path>, working_dir: &Path) -> Found {
    let own_folder = file.map(|file| clean(&working_dir.join(file))).and_then(|file| file.parent().map(clean));
    let mut wrong_name = None;
    let mut search = |start: &Path| {
        start.ancestors().find_map(|folder| {
            let right = folder.join(NAME);
            if right.exists() {
                return Some(right);
            }
            wrong_name = wrong_name.take().or_else(|| Some(folder.join(WRONG_NAME)).filter(|path| path.exists()));
            None
        })
    };
    let path = own_folder.as_deref().and_then(&mut search).or_else(|| search(&clean(working_dir)));
    let warnings = wrong_name
        .map(|ignored| match &path {
            Some(path) => {
                format!("{} is ignored and {} used: the name must be {NAME}", ignored.display(), path.display())
            }
            None => format!("{} is ignored: the name must be {NAME}", ignored.display()),
        })
        .into_iter()
        .collect();
    Found { path, warnings }
}

/// The absolute form of a path, without `.` and `..`, as Go's `filepath.Abs` makes it.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    clean(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// Takes `.` and `..` out of a path by its text alone.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            _ => cleaned.push(component),
        }
    }
    cleaned
}

/// The text that `path_regex` is matched against: the file's path from the folder of `.sops.yaml`, or the absolute path
/// of a file that is not below it.
pub(super) fn relative(file: &Path, folder: &Path) -> String {
    let file = absolute(file);
    file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder with empty files in it.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    #[test]
    fn the_files_own_folder_comes_before_the_working_directory() {
        let root = tree(&[".sops.yaml", "app/.sops.yaml", "app/prod/db.yaml", "other/x.yaml", "work/.sops.yaml"]);
        let at = |path: &str| root.path().join(path);
        let found = |file: &str, from: &str| find(Some(Path::new(file)), &at(from)).path.unwrap();
        assert_eq!(found("app/prod/db.yaml", ""), at("app/.sops.yaml"));
        assert_eq!(found("db.yaml", "app/prod"), at("app/.sops.yaml"));
        assert_eq!(found("../other/./x.yaml", "app"), at(".sops.yaml"));
        assert_eq!(found(at("other/x.yaml").to_str().unwrap(), "work"), at(".sops.yaml"));
        assert_eq!(find(None, &at("work")).path, Some(at("work/.sops.yaml")));
    }

    #[test]
    fn the_working_directory_is_searched_when_the_files_folders_have_none() {
        let (project, elsewhere) = (tree(&[".sops.yaml"]), tree(&["x.yaml"]));
        let file = elsewhere.path().join("x.yaml");
        assert_eq!(find(Some(&file), project.path()).path, Some(project.path().join(".sops.yaml")));
    }

    #[test]
    fn a_file_that_does_not_exist_yet_has_a_folder_too() {
        let root = tree(&["app/.sops.yaml"]);
        assert_eq!(
            find(Some(Path::new("app/new/secret.yaml")), root.path()).path,
            Some(root.path().join("app/.sops.yaml"))
        );
    }

    #[test]
    fn the_wrong_extension_is_a_warning() {
        let root = tree(&[".sops.yaml", "app/.sops.yml", "app/x.yaml"]);
        let found = find(Some(Path::new("app/x.yaml")), root.path());
        assert_eq!(found.path, Some(root.path().join(".sops.yaml")));
        assert_eq!(found.warnings.len(), 1);
        assert!(found.warnings[0].contains(".sops.yml is ignored"), "{}", found.warnings[0]);
    }

    #[test]
    fn a_path_is_matched_from_the_folder_of_the_config() {
        let folder = absolute(Path::new("repo"));
        assert_eq!(relative(Path::new("repo/app/x.yaml"), &folder), format!("app{}x.yaml", std::path::MAIN_SEPARATOR));
        assert_eq!(relative(Path::new("repo/./app/../x.yaml"), &folder), "x.yaml");
        let outside = absolute(Path::new("repository/x.yaml"));
        assert_eq!(relative(&outside, &folder), outside.to_string_lossy());
    }
}
