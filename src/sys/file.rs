//! Reading what is asked for, and making files that only their owner may read.

use crate::error::{Error, Kind, Result};
use crate::trace;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The largest input: byte positions of a document are kept in 31 bits.
pub const MAX_INPUT: u64 = (1 << 31) - 1;

/// Whether `path` means the standard input: `-` or `/dev/stdin`.
#[must_use]
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdin")
}

/// Whether `path` means the standard output: `/dev/stdout`. As in sops, `-` is a file.
#[must_use]
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("/dev/stdout")
}

/// Reads the file at `path`, or the standard input when [`is_stdin`] says so.
///
/// # Errors
/// When it is missing ([`Kind::NoFile`], as in sops), a folder, unreadable, or over [`MAX_INPUT`].
pub fn read_input(path: &Path) -> Result<Vec<u8>> {
    let clock = trace::clock();
    let open = || {
        if is_stdin(path) {
            return read_within_limit(io::stdin().lock(), 0);
        }
        let file = File::open(path)?;
        let facts = file.metadata()?;
        if facts.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        read_within_limit(file, facts.len())
    };
    let bytes = open().map_err(|error| cannot_read(path, &error))?;
    clock.done(|| format!("read {}, {} bytes", path.display(), bytes.len()));
    Ok(bytes)
}

/// Reads to the end. `expected` is a hint: one allocation for a file, and no outgrown buffers that
/// stay behind in memory with plaintext in them.
fn read_within_limit(source: impl Read, expected: u64) -> io::Result<Vec<u8>> {
    let room = expected.min(MAX_INPUT) + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or_default());
    source.take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Opens the file at `path` when it has at least `len` bytes, and says how many; nothing when it is smaller, no
/// file that can be read twice, or cannot be read, which [`read_input`] then says.
#[must_use]
pub fn open_large(path: &Path, len: u64) -> Option<(File, usize)> {
    let facts = std::fs::metadata(path).ok().filter(|facts| facts.is_file() && !is_stdin(path))?;
    let size = Some(facts.len()).filter(|size| (len..=MAX_INPUT).contains(size))?;
    Some((File::open(path).ok()?, usize::try_from(size).ok()?))
}

fn cannot_read(path: &Path, error: &io::Error) -> Error {
    let name = if is_stdin(path) { "the standard input".to_owned() } else { path.display().to_string() };
    match error.kind() {
        io::ErrorKind::NotFound => {
            let near = std::env::current_dir().map(|folder| format!("paths start at {}", folder.display()));
            let missing = Error::new(Kind::NoFile, format!("there is no file {name}"));
            if let Ok(target) = std::fs::read_link(path) {
                return missing.because(format!("it is a symbolic link to {}, which is not there", target.display()));
            }
            if path.is_relative() { near.into_iter().fold(missing, Error::because) } else { missing }
        }
        io::ErrorKind::IsADirectory => {
            Error::new(Kind::ReadInput, format!("{name} is a folder")).hint("name a file in it")
        }
        io::ErrorKind::PermissionDenied => {
            Error::new(Kind::ReadInput, format!("{name} may not be read")).because(error).hint(format!("ls -l {name}"))
        }
        io::ErrorKind::FileTooLarge => {
            Error::new(Kind::ReadInput, format!("{name} is too large")).because("the limit is 2 GiB")
        }
        _ => Error::new(Kind::ReadInput, format!("{name} cannot be read")).because(error),
    }
}

/// Makes `to` another name of the file `from`; a copy of it where links need rights that users lack.
///
/// # Errors
/// When it cannot be made, or is there already.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(from, to);
    #[cfg(not(unix))]
    return std::fs::copy(from, to).map(drop);
}

/// The working folder, links resolved.
///
/// # Errors
/// When it is gone or may not be read.
pub fn working_folder() -> Result<PathBuf> {
    std::env::current_dir()
        .and_then(|folder| folder.canonicalize())
        .map_err(|error| Error::new(Kind::ReadInput, "the working folder cannot be read").because(error))
}

/// Lets everybody run the file at `path`, and read it.
///
/// # Errors
/// When its owner is somebody else.
pub fn make_runnable(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    let _ = path;
    Ok(())
}

/// Writes a new file that only its owner may read, and the folders on its way likewise.
///
/// # Errors
/// When the file exists (it is never overwritten) or cannot be written; nothing is left behind then.
pub fn create_new_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let create = || {
        if let Some(folder) = path.parent() {
            // A file that stands in the place of a folder "exists" as well.
            private_folders().create(folder).map_err(|error| io::Error::other(error.to_string()))?;
        }
        let mut file = private_file().open(path)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| {
            // Half an identity is worse than none; the error that matters is the first one.
            let _ = std::fs::remove_file(path);
        })
    };
    create().map_err(|error| {
        let name = path.display();
        match error.kind() {
            io::ErrorKind::AlreadyExists => Error::new(Kind::WriteOutput, format!("{name} exists already"))
                .because("an identity is never overwritten: what it opens would be lost")
                .hint("leafcrypt keygen --output ANOTHER-KEYFILE"),
            _ => Error::new(Kind::WriteOutput, format!("{name} cannot be created")).because(error),
        }
    })
}

/// Makes a folder that only its owner may enter, and those on its way, where they are missing.
///
/// # Errors
/// When it cannot be made.
pub fn create_private_folder(path: &Path) -> Result<()> {
    private_folders().create(path).map_err(|error| {
        Error::new(Kind::WriteOutput, format!("the folder {} cannot be made", path.display())).because(error)
    })
}

fn private_folders() -> std::fs::DirBuilder {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_new_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/keys.txt");
        create_new_private(&path, b"one").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        }
        let error = create_new_private(&path, b"two").unwrap_err();
        assert!(error.message().ends_with("exists already"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let missing = read_input(&folder.path().join("none.yaml")).unwrap_err();
        assert_eq!((missing.kind(), missing.exit_code()), (Kind::NoFile, 100));
        let folder = read_input(folder.path()).unwrap_err();
        assert_eq!((folder.kind(), folder.exit_code()), (Kind::ReadInput, 2));
        assert!(folder.message().ends_with("is a folder"), "{folder}");
    }

    #[test]
    fn the_standard_input_has_two_names() {
        assert!(is_stdin(Path::new("-")) && is_stdin(Path::new("/dev/stdin")));
        assert!(!is_stdin(Path::new("./-")));
    }
}
