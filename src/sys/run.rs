//! Commands as they are started: by a shell or by their words, with which variables, and in the place of this process or
//! behind its back.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A line for the shell: `/bin/sh -c LINE`, or `cmd.exe /C LINE`.
    Shell(OsString),
    /// A program and its arguments, without a shell.
    Words(OsString, Vec<OsString>),
}

impl Program {
    /// The program with `path` for each `{}` in it, and nothing around it: quotes are the line's affair, as in sops.
    #[must_use]
    pub fn with_path(&self, path: &Path) -> Self {
        let fill = |text: &OsString| platform::replace(text, b"{}", path.as_os_str());
        match self {
            Program::Shell(line) => Program::Shell(fill(line)),
            Program::Words(name, args) => Program::Words(fill(name), args.iter().map(fill).collect()),
        }
    }

    /// What is started: the shell or the program. Not what it is given, which may be secret.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        match self {
            Program::Shell(_) => OsStr::new(platform::SHELL[0]),
            Program::Words(name, _) => name,
        }
    }

    /// The command, ready to start.
    #[must_use]
    pub fn command(&self) -> Command {
        match self {
            Program::Shell(line) => {
                let mut command = Command::new(platform::SHELL[0]);
                command.arg(platform::SHELL[1]);
                platform::add_line(&mut command, line);
                command
            }
            Program::Words(name, args) => {
                let mut command = Command::new(name);
                command.args(args);
                command
            }
        }
    }
}

/// Puts `command` in the place of this process. Comes back only with the reason why that was not possible.
#[must_use]
pub fn replace_process(command: &mut Command) -> io::Error {
    platform::replace_process(command)
}

/// The text of a variable; `None` when this system cannot hold these bytes in one.
#[must_use]
pub fn variable_text(bytes: &[u8]) -> Option<&OsStr> {
    if bytes.contains(&0) { None } else { platform::from_bytes(bytes) }
}

/// Which of two processes this one is, after [`detach`].
pub enum Side {
    /// The one that was started. The other one has begun its work, or failed; this is what to end with.
    Front(ExitCode),
    /// The one in the background.
    Back(Back),
}

pub use platform::Back;

/// Goes on in a new process, in the background, as far as [`Back::begun`] with the terminal and the outputs of this one. To be
/// called before the first thread is started.
///
/// # Errors
/// When the system cannot make a process, or none in this way.
pub fn detach() -> io::Result<Side> {
    platform::detach()
}

#[cfg(unix)]
mod platform {
    use super::*;
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};
    use rustix::fd::OwnedFd;
    use rustix::pipe::{PipeFlags, pipe_with};
    use std::fs::File;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::os::unix::process::CommandExt;

    pub(super) const SHELL: [&str; 2] = ["/bin/sh", "-c"];

    pub(super) fn add_line(command: &mut Command, line: &OsStr) {
        command.arg(line);
    }

    pub(super) fn replace_process(command: &mut Command) -> io::Error {
        command.exec()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<&OsStr> {
        Some(OsStr::from_bytes(bytes))
    }

    pub(super) fn replace(text: &OsStr, old: &[u8], new: &OsStr) -> OsString {
        let mut out = Vec::new();
        let mut rest = text.as_bytes();
        while let Some(at) = memchr::memmem::find(rest, old) {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(new.as_bytes());
            rest = &rest[at + old.len()..];
        }
        out.extend_from_slice(rest);
        OsString::from_vec(out)
    }

    /// The process in the background.
    pub struct Back(OwnedFd);

    impl Back {
        /// Says that the work has begun: whoever started this program need not wait for it any longer, nor
        /// for the end of its outputs.
        ///
        /// # Errors
        /// When the system has no `/dev/null`.
        pub fn begun(self) -> io::Result<()> {
            let null = File::options().read(true).write(true).open("/dev/null")?;
            rustix::stdio::dup2_stdin(&null)?;
            rustix::stdio::dup2_stdout(&null)?;
            rustix::stdio::dup2_stderr(&null)?;
            rustix::io::write(&self.0, &[0])?;
            Ok(())
        }
    }

    pub(super) fn detach() -> io::Result<Side> {
        let (news, teller) = pipe_with(PipeFlags::CLOEXEC)?;
        // SAFETY: this process has one thread, as the caller sees to, so nothing is left locked in the new one.
        #[allow(unsafe_code)]
        let child = match unsafe { fork() }? {
            ForkResult::Child => return Ok(Side::Back(Back(teller))),
            ForkResult::Parent { child } => child,
        };
        drop(teller);
        let mut byte = [0];
        let begun = rustix::io::retry_on_intr(|| rustix::io::read(&news, &mut byte))? == 1;
        let code = match begun {
            true => 0,
            false => match waitpid(child, None)? {
                WaitStatus::Exited(_, code) => u8::try_from(code).unwrap_or(1),
                WaitStatus::Signaled(_, signal, _) => u8::try_from(128 + signal as i32).unwrap_or(1),
                _ => 1,
            },
        };
        Ok(Side::Front(ExitCode::from(code)))
    }
}

#[cfg(not(unix))]
mod platform {
    use super::*;

    pub(super) const SHELL: [&str; 2] = ["cmd.exe", "/C"];

    pub(super) fn add_line(command: &mut Command, line: &OsStr) {
        #[cfg(windows)]
        std::os::windows::process::CommandExt::raw_arg(command, line);
        #[cfg(not(windows))]
        command.arg(line);
    }

    pub(super) fn replace_process(_command: &mut Command) -> io::Error {
        io::Error::new(io::ErrorKind::Unsupported, "no program can take the place of another on this system")
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<&OsStr> {
        std::str::from_utf8(bytes).ok().map(OsStr::new)
    }

    pub(super) fn replace(text: &OsStr, old: &[u8], new: &OsStr) -> OsString {
        let old = String::from_utf8_lossy(old);
        text.to_string_lossy().replace(&*old, &new.to_string_lossy()).into()
    }

    /// The process in the background.
    pub struct Back(std::convert::Infallible);

    impl Back {
        /// Says that the work has begun.
        ///
        /// # Errors
        /// None.
        pub fn begun(self) -> io::Result<()> {
            match self.0 {}
        }
    }

    pub(super) fn detach() -> io::Result<Side> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "no process can be left in the background on this system"))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_path_stands_for_each_placeholder_and_nothing_is_put_around_it() {
        let path = Path::new("/run/a b/x");
        let shell = Program::Shell("cat {} '{}'; echo ${x} {} ".into());
        assert_eq!(shell.with_path(path), Program::Shell("cat /run/a b/x '/run/a b/x'; echo ${x} /run/a b/x ".into()));
        let words = Program::Words("{}/run".into(), vec!["--file={}".into(), "{".into(), String::new().into()]);
        let filled = Program::Words("/run/a b/x/run".into(), vec!["--file=/run/a b/x".into(), "{".into(), "".into()]);
        assert_eq!(words.with_path(path), filled);
        let odd = std::os::unix::ffi::OsStringExt::from_vec(b"\xff{}\xfe".to_vec());
        let Program::Shell(filled) = Program::Shell(odd).with_path(Path::new("/x")) else { unreachable!() };
        assert_eq!(filled.as_encoded_bytes(), b"\xff/x\xfe");
    }

    #[test]
    fn a_variable_holds_all_bytes_but_one() {
        assert_eq!(variable_text(b"a\n\xff=").unwrap().as_encoded_bytes(), b"a\n\xff=");
        assert_eq!(variable_text(b"a\0b"), None);
    }
}
