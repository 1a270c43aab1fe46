//! A named pipe that gives its content to whoever reads it.
//!
//! Owns: the pipe and the threads that write into it. Must not know: what the content is.

use crate::secret::SecretBytes;
use std::io;
use std::path::Path;

/// A named pipe at which one reader after the other gets the whole content.
///
/// A pipe has one stream of bytes for all that have it open. So each time a reader comes, a new pipe takes the place of
/// the one that it opened, before the first byte is written, and the next reader opens that. (Two that open it in
/// the same moment still share one stream; nobody can tell them apart.) Nobody has to come: dropping it ends the wait.
pub struct Fifo(platform::Server);

impl Fifo {
    /// Makes the pipe at `path`, for this user alone (0600), in a folder where nobody else can write.
    ///
    /// # Errors
    /// When it cannot be made, or this system has no such pipes.
    pub fn serve(path: &Path, content: SecretBytes) -> io::Result<Self> {
        platform::Server::begin(path, content).map(Fifo)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(unix)]
mod platform {
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use rustix::fs::OFlags;
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    pub(super) struct Server {
        path: PathBuf,
        ended: Arc<AtomicBool>,
        host: Option<JoinHandle<()>>,
    }

    impl Server {
        pub(super) fn begin(path: &Path, content: SecretBytes) -> io::Result<Self> {
            make(path)?;
            let ended = Arc::new(AtomicBool::new(false));
            let host = {
                let (path, ended) = (path.to_path_buf(), Arc::clone(&ended));
                thread::Builder::new().spawn(move || receive(&path, Arc::new(content), &ended))?
            };
            Ok(Server { path: path.to_path_buf(), ended, host: Some(host) })
        }

        /// Ends the wait for readers by being one. Those that are reading are left to it.
        pub(super) fn end(&mut self) {
            self.ended.store(true, Ordering::SeqCst);
            let Some(host) = self.host.take() else { return };
            // Again, since the host may just have been putting a new pipe in the place; but not for ever: the
            // command may have taken the pipe away, and then nobody can reach the host, which ends with the process.
            for _ in 0..100 {
                let reader = open(&self.path, false);
                if host.is_finished() || !reader.is_ok_and(|pipe| is_pipe(&pipe)) {
                    return;
                }
                thread::sleep(Duration::from_micros(500));
            }
        }
    }

    fn make(path: &Path) -> io::Result<()> {
        Ok(mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?)
    }

    fn is_pipe(file: &File) -> bool {
        file.metadata().is_ok_and(|facts| facts.file_type().is_fifo())
    }

    /// Opens the pipe to write, which waits for a reader, or to read, which does not wait.
    fn open(path: &Path, to_write: bool) -> io::Result<File> {
        let flags = if to_write { OFlags::NOFOLLOW } else { OFlags::NOFOLLOW | OFlags::NONBLOCK };
        File::options().read(!to_write).write(to_write).custom_flags(flags.bits().cast_signed()).open(path)
    }

    /// Receives one reader after the other, until it is over or the pipe is gone.
    fn receive(path: &Path, content: Arc<SecretBytes>, ended: &AtomicBool) {
        // Not made of the pipe's own name, which may be as long as a name can be.
        static PIPES: AtomicUsize = AtomicUsize::new(0);
        let next = path.with_file_name(format!(".leafcrypt-next-{}", PIPES.fetch_add(1, Ordering::Relaxed)));
        while let Ok(mut pipe) = open(path, true) {
            // The command may have put a file of its own there, which is not ours to write to.
            if ended.load(Ordering::SeqCst) || !is_pipe(&pipe) {
                return;
            }
            let replaced = make(&next).and_then(|()| std::fs::rename(&next, path));
            let content = Arc::clone(&content);
            // Whoever has read enough may go; that is no failure.
            let served = thread::Builder::new().spawn(move || drop(pipe.write_all(content.expose())));
            if replaced.is_err() || served.is_err() {
                return;
            }
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use super::*;

    pub(super) struct Server(());

    impl Server {
        pub(super) fn begin(_path: &Path, _content: SecretBytes) -> io::Result<Self> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no named pipes; use --no-fifo"))
        }

        pub(super) fn end(&mut self) {}
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};

    #[test]
    fn every_reader_gets_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        // More than a pipe holds, so that its writer has to wait.
        let content = vec![b'x'; 300_000];
        let fifo = Fifo::serve(&path, SecretBytes::from(content.clone())).unwrap();
        let facts = fs::metadata(&path).unwrap();
        assert!(facts.file_type().is_fifo() && facts.permissions().mode() & 0o777 == 0o600);
        for _ in 0..3 {
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        // A second one, while the first has only begun.
        let (mut one, mut byte) = (File::open(&path).unwrap(), [0]);
        one.read_exact(&mut byte).unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
        let mut rest = Vec::new();
        one.read_to_end(&mut rest).unwrap();
        assert_eq!(rest.len() + 1, content.len());
        // One that goes before the end.
        drop(File::open(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), content);
        drop(fifo);
    }

    #[test]
    fn nobody_has_to_come() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..20 {
            let path = folder.path().join(number.to_string());
            let fifo = Fifo::serve(&path, SecretBytes::from(b"secret".to_vec())).unwrap();
            if number % 2 == 0 {
                assert_eq!(fs::read(&path).unwrap(), b"secret");
            }
            drop(fifo);
        }
    }

    #[test]
    fn a_file_in_its_place_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let fifo = Fifo::serve(&path, SecretBytes::from(b"secret".to_vec())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        fs::write(folder.path().join("draft"), "mine").unwrap();
        fs::rename(folder.path().join("draft"), &path).unwrap();
        drop(fifo);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert!(Fifo::serve(&path, SecretBytes::default()).is_err());
    }
}
