//! The variables of the environment, and the folders that follow from them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The variables that were changed, as they were.
static ORIGINALS: OnceLock<Vec<(&'static str, Option<OsString>)>> = OnceLock::new();

/// Changes variables of this process: to these values, or to none. Only once, and before it has threads.
///
/// For libraries that read the environment by themselves, and not as sops does.
pub(crate) fn change_variables(changes: Vec<(&'static str, Option<String>)>) {
    let mut originals = Vec::new();
    for (name, value) in changes {
        originals.push((name, std::env::var_os(name)));
        // SAFETY: no other thread reads the environment, since there is none yet.
        #[allow(unsafe_code)]
        unsafe {
            match value {
                Some(value) => std::env::set_var(name, value),
                None => std::env::remove_var(name),
            }
        }
    }
    let _ = ORIGINALS.set(originals);
}

/// Gives `command` the variables of this process as they were before it changed them.
pub(crate) fn give_originals(command: &mut Command) {
    // What was changed twice is as it was before the first time.
    for (name, value) in ORIGINALS.get().into_iter().flatten().rev() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// Where environment variables are read from: the process, or a fixed set.
///
/// Handed in, so that a test or a server needs not change the variables of its whole process.
#[derive(Clone, Default)]
pub struct Environment(Option<HashMap<String, OsString>>);

impl Environment {
    /// That of the process, read when a variable is asked for and not before.
    #[must_use]
    pub fn of_process() -> Self {
        Environment(None)
    }

    /// These variables and no others.
    #[must_use]
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, OsString)>) -> Self {
        Environment(Some(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
    }

    /// The value of a variable, `None` when it is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<OsString> {
        match &self.0 {
            None => std::env::var_os(name),
            Some(variables) => variables.get(name).cloned(),
        }
    }

    /// The value of a variable, `None` when it is not set or empty.
    #[must_use]
    pub fn get_filled(&self, name: &str) -> Option<OsString> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Lets `command` run with these variables; those of the process as they were before it changed them.
    pub fn give_to(&self, command: &mut Command) {
        match &self.0 {
            Some(variables) => drop(command.env_clear().envs(variables)),
            None => give_originals(command),
        }
    }

    /// The user's home folder.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.get_filled(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from)
    }

    /// The folder of the user's configuration files, by the rule of sops: Go's `os.UserConfigDir`,
    /// and on macOS `XDG_CONFIG_HOME` before it.
    #[must_use]
    pub fn config_folder(&self) -> Option<PathBuf> {
        if cfg!(windows) {
            return self.get_filled("AppData").map(PathBuf::from);
        }
        if let Some(folder) = self.get_filled("XDG_CONFIG_HOME").map(PathBuf::from) {
            // Go refuses a relative one, but not on macOS, where sops reads the variable by itself.
            return (folder.is_absolute() || cfg!(target_os = "macos")).then_some(folder);
        }
        let below_home = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
        self.home().map(|home| home.join(below_home))
    }

    /// The folder for what a program keeps between two runs and the user need not look after: by the XDG Base
    /// Directory Specification, and on Windows that of local application data.
    #[must_use]
    pub fn state_folder(&self) -> Option<PathBuf> {
        if cfg!(windows) {
            return self.get_filled("LocalAppData").map(PathBuf::from);
        }
        let named = self.get_filled("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
        named.or_else(|| self.home().map(|home| home.join(".local/state")))
    }

    /// The folder in which programs keep settings that do not go by `XDG_CONFIG_HOME`: gcloud's, for one.
    #[must_use]
    pub fn settings_folder(&self) -> Option<PathBuf> {
        if cfg!(windows) {
            return self.get_filled("AppData").map(PathBuf::from);
        }
        self.home().map(|home| home.join(".config"))
    }

    /// The folder of a user's own data that programs share: by the XDG Base Directory Specification, on macOS `~/Library`,
    /// on Windows that of roaming application data.
    #[must_use]
    pub fn data_folder(&self) -> Option<PathBuf> {
        let named = self.get_filled(if cfg!(windows) { "AppData" } else { "XDG_DATA_HOME" }).map(PathBuf::from);
        let below_home = if cfg!(target_os = "macos") { "Library" } else { ".local/share" };
        named.or_else(|| self.home().map(|home| home.join(below_home)))
    }

    /// A path as it is shown in messages, with `~` for the home folder.
    #[must_use]
    pub fn show(&self, path: &Path) -> String {
        match self.home().and_then(|home| path.strip_prefix(home).ok().map(Path::to_path_buf)) {
            Some(rest) => Path::new("~").join(rest).display().to_string(),
            None => path.display().to_string(),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_config_folder_is_where_go_looks() {
        let folder = |variables: &[(&str, &str)]| {
            Environment::of(variables.iter().map(|(name, value)| (*name, value.into()))).config_folder()
        };
        assert_eq!(folder(&[("HOME", "/h")]), Some("/h/.config".into()));
        assert_eq!(folder(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]), Some("/x".into()));
        assert_eq!(folder(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "")]), Some("/h/.config".into()));
        assert_eq!(folder(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")]), None);
        assert_eq!(folder(&[("HOME", "")]), None);
    }
}
