//! Local sockets: those of Unix, which have a path and a mode. Elsewhere there are none.

pub use platform::{LocalIncoming, LocalListener, LocalStream};

#[cfg(unix)]
mod platform {
    use std::io;
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};

    use rustix::fs::Mode;
    use rustix::process::umask;

    /// A connection.
    pub type LocalStream = tokio::net::UnixStream;

    /// A socket that takes connections of this user alone. It is gone when this is dropped.
    pub struct LocalListener {
        listener: UnixListener,
        path: PathBuf,
        /// Which file it is: another process may have put another one in its place.
        file: (u64, u64),
    }

    impl LocalListener {
        /// Makes the socket `path`. One that a process left behind is replaced.
        ///
        /// # Errors
        /// When something is there that somebody listens at, or that is no socket.
        pub fn bind(path: &Path) -> io::Result<Self> {
            // Others must not connect before the mode is set; nothing else makes files in this process meanwhile.
            let before = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
            let bound = UnixListener::bind(path).or_else(|error| {
                // The system refuses connections to other files as well.
                let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
                let abandoned = error.kind() == io::ErrorKind::AddrInUse
                    && is_socket
                    && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
                if !abandoned {
                    return Err(error);
                }
                std::fs::remove_file(path)?;
                UnixListener::bind(path)
            });
            umask(before);
            let listener = bound?;
            let file = identity(path)?;
            let made = LocalListener { listener, path: path.to_owned(), file };
            // Where a folder has default permissions of its own, the mask says nothing.
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
            made.listener.set_nonblocking(true)?;
            Ok(made)
        }

        /// Its connections, for the runtime in which this is called.
        ///
        /// # Errors
        /// When the system refuses.
        pub fn incoming(&self) -> io::Result<LocalIncoming> {
            self.listener.try_clone().and_then(tokio::net::UnixListener::from_std).map(LocalIncoming)
        }
    }

    impl Drop for LocalListener {
        fn drop(&mut self) {
            if identity(&self.path).is_ok_and(|file| file == self.file) {
                let _ = std::fs::remove_file(&self.path);
            }
        }
    }

    fn identity(path: &Path) -> io::Result<(u64, u64)> {
        std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
    }

    /// Connections as they come.
    pub struct LocalIncoming(tokio::net::UnixListener);

    impl LocalIncoming {
        /// The next connection.
        ///
        /// # Errors
        /// When the system has none to give, for want of descriptors say.
        pub async fn accept(&self) -> io::Result<LocalStream> {
            self.0.accept().await.map(|(stream, _)| stream)
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use std::io;
    use std::path::Path;

    /// A connection, of which there are none.
    pub type LocalStream = tokio::io::DuplexStream;

    /// A socket, of which there are none.
    pub enum LocalListener {}

    impl LocalListener {
        /// Fails.
        ///
        /// # Errors
        /// Always.
        pub fn bind(_: &Path) -> io::Result<Self> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no local sockets"))
        }

        /// Its connections.
        ///
        /// # Errors
        /// None.
        pub fn incoming(&self) -> io::Result<LocalIncoming> {
            match *self {}
        }
    }

    /// Connections, of which there are none.
    pub enum LocalIncoming {}

    impl LocalIncoming {
        /// The next connection.
        ///
        /// # Errors
        /// None.
        pub async fn accept(&self) -> io::Result<LocalStream> {
            match *self {}
        }
    }
}
