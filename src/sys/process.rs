//! The process itself, and the programs it may start.

use super::Environment;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The exit code of a program whose reader went away: what a shell shows for SIGPIPE, 128 + 13.
pub const BROKEN_PIPE: u8 = 141;

/// Keeps plaintext and keys out of core dumps and out of reach of a debugger of the same user.
///
/// Best effort: a system that refuses is no reason not to work.
pub fn harden() {
    // A core limit does not bind a `core_pattern` that pipes to a program, and programs that this one starts would
    // inherit it. This ends with the next execve(2).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    // The soft limit alone, which a program that this one starts may raise again.
    #[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..getrlimit(Resource::Core) });
    }
}

/// The file that is run for the command `name`: itself when it is a path, else the first in the folders of
/// `PATH` that this user may run. Folders that are relative are passed over, as by Go: others may write where this
/// process happens to stand.
#[must_use]
pub fn find_program(name: &str, environment: &Environment) -> Option<PathBuf> {
    if Path::new(name).components().count() > 1 {
        return Some(PathBuf::from(name)).filter(|file| is_program(file));
    }
    // Where the variable is not set, those of the system, as for execvp(3).
    let folders = environment.get("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let folders = std::env::split_paths(&folders).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// A command that runs the program `name`, found as by [`find_program`], with the variables of `environment`.
///
/// # Errors
/// When there is no such program in the folders of `PATH`. That a path leads to none is seen when it is started.
pub fn command(name: &OsStr, environment: &Environment) -> io::Result<Command> {
    let is_path = Path::new(name).components().count() > 1;
    let found = name.to_str().filter(|_| !is_path).and_then(|name| find_program(name, environment));
    let mut command = match found {
        Some(file) if cfg!(unix) => Command::new(file),
        // Windows knows by itself what may stand behind the name, and does not look in the current folder.
        _ if is_path || cfg!(not(unix)) => Command::new(name),
        _ => return Err(io::Error::new(io::ErrorKind::NotFound, "it is in none of the folders of PATH")),
    };
    environment.give_to(&mut command);
    Ok(command)
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use rustix::fs::{Access, access};
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file() || ["exe", "cmd", "bat"].iter().any(|extension| file.with_extension(extension).is_file())
}
