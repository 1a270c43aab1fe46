//! Records that are added to what is there: to a file, and to the system's log.

use std::fs::OpenOptions;
use std::io::{Error, Result, Write as _};
use std::path::Path;

/// Adds `line` at the end of a file in one step, so that lines of several programs do not run into each other. A file that is not
/// there is made, for this user alone.
///
/// # Errors
/// When the file cannot be opened, or takes less than the whole line.
pub fn append(path: &Path, line: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    private(&mut options);
    let written = options.open(path)?.write(line)?;
    if written == line.len() { Ok(()) } else { Err(Error::other("only a part of the line was written")) }
}

/// Sends `message` to the socket at `path` in one piece.
///
/// # Errors
/// When nobody listens there, or the system has no such sockets.
pub fn send_datagram(path: &Path, message: &[u8]) -> Result<()> {
    datagram(path, message)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    // A pipe that nobody reads is an error, and no wait without an end.
    options.mode(0o600).custom_flags(libc::O_NONBLOCK);
}

#[cfg(not(unix))]
fn private(_: &mut OpenOptions) {}

#[cfg(unix)]
fn datagram(path: &Path, message: &[u8]) -> Result<()> {
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;
    let socket = UnixDatagram::unbound()?;
    // A log that is stuck must not stop everybody for ever.
    socket.set_write_timeout(Some(Duration::from_secs(5)))?;
    socket.send_to(message, path).map(drop)
}

#[cfg(not(unix))]
fn datagram(_: &Path, _: &[u8]) -> Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        append(&file, b"a\n").unwrap();
        append(&file, b"b\n").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"a\nb\n");
        assert!(append(folder.path(), b"x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_that_nobody_reads_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(append(&pipe, b"x").is_err());
    }
}
