//! The process itself.

/// The exit code of a program whose reader went away: what a shell shows for SIGPIPE, 128 + 13.
pub const BROKEN_PIPE: u8 = 141;

/// Keeps plaintext and keys out of core dumps and out of reach of a debugger of the same user.
///
/// Best effort: a system that refuses is no reason not to work.
pub fn harden() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // A core limit does not bind a `core_pattern` that pipes to a program; this does.
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// The program called `name` on the PATH.
#[must_use]
pub fn find_program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).map(|folder| folder.join(&file)).find(|program| program.is_file())
}
