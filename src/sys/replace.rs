//! Replacing a file in one step, or not at all.

use crate::error::{Error, Kind, Result};
use crate::trace;
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

const MARK: &str = ".leafcrypt-";
/// As many links in a row as Linux follows.
const MAX_LINKS: usize = 40;

/// Puts `bytes` in the place of the file at `path`, atomically: whatever happens, a full disk or a kill
/// included, either the old file is there, whole, or the new one is.
///
/// A symbolic link stays and its target is replaced; mode, owner and labels of the old file are kept; a
/// new file has the mode that the user's umask gives. What is no regular file (a pipe, `/dev/stdout`)
/// is written to, since replacing it would break it.
///
/// # Errors
/// When it cannot be done; the old file is untouched then and no temporary file is left.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_file_if(path, bytes, || Ok(()))
}

/// The same, if `check` says so right before the new file takes its place. No other process that replaces a file of the
/// folder by this function does so between the two.
///
/// # Errors
/// Those of [`replace_file`] and of `check`.
pub fn replace_file_if(path: &Path, bytes: &[u8], check: impl FnOnce() -> Result<()>) -> Result<()> {
    let clock = trace::clock();
    let failed = |error: io::Error| cannot_write(path, &error);
    match Target::of(path).map_err(failed)? {
        Target::Stream => {
            check()?;
            File::options().write(true).open(path).and_then(|mut file| file.write_all(bytes)).map_err(failed)?;
        }
        Target::File { target, old } => {
            let folder = folder_of(&target);
            let draft = write_draft(folder, &target, bytes, old.as_ref()).map_err(failed)?;
            // One that may be written to and not be read cannot be made sure of.
            let opened = File::open(folder).ok();
            let lock = opened.as_ref().map(platform::lock);
            check()?;
            // What is plaintext has a name beside the old file for no longer than it takes to give it that one's.
            let draft = draft.named(folder, &target, bytes, old.as_ref()).map_err(failed)?;
            draft.persist(&target).map_err(|persist| failed(persist.error))?;
            drop(lock);
            opened.map_or(Ok(()), |folder| sync_folder(&folder)).map_err(|error| not_on_disk(path, &error))?;
        }
    }
    clock.done(|| format!("wrote {}, {} bytes", path.display(), bytes.len()));
    Ok(())
}

/// Puts a new file at `path`, whole or not at all, and never in the place of one that is there.
///
/// # Errors
/// When it cannot be done, or something is there; no temporary file is left.
pub fn create_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let create = || {
        let target = follow_links(path)?;
        let folder = folder_of(&target);
        let draft = write_draft(folder, &target, bytes, None)?.named(folder, &target, bytes, None)?;
        let folder = File::open(folder).ok();
        draft.persist_noclobber(&target).map_err(|failed| failed.error)?;
        Ok(folder)
    };
    let folder = create().map_err(|error| cannot_write(path, &error))?;
    folder.map_or(Ok(()), |folder| sync_folder(&folder)).map_err(|error| not_on_disk(path, &error))
}

/// Says early what [`replace_file`], or [`create_file`] where there is no file yet, would run into: before
/// somebody has spent an hour on what then cannot be written.
///
/// # Errors
/// When the file is a folder or read-only, or its folder is missing or may not be written to.
pub fn require_replaceable(path: &Path) -> Result<()> {
    let check = || {
        let target = match std::fs::metadata(path) {
            Ok(facts) if facts.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(facts) if !facts.is_file() => return Ok(()),
            Ok(_) => path.canonicalize()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => follow_links(path)?,
            Err(error) => return Err(error),
        };
        if target.exists() {
            require_writable(&target)?;
        }
        require_writable(folder_of(&target))
    };
    check().map_err(|error| cannot_write(path, &error))
}

/// What a path leads to.
enum Target {
    /// What is no regular file: replacing it would break it.
    Stream,
    /// A file, and what is known of the one that is there.
    File { target: PathBuf, old: Option<Metadata> },
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        let (target, old) = match std::fs::metadata(path) {
            Ok(facts) if facts.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(facts) if !facts.is_file() => return Ok(Target::Stream),
            Ok(facts) => (path.canonicalize()?, Some(facts)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (follow_links(path)?, None),
            Err(error) => return Err(error),
        };
        if old.is_some() {
            require_writable(&target)?;
        }
        Ok(Target::File { target, old })
    }
}

fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file that `path` leads to, which does not exist; `canonicalize` is for those that do.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&at) {
            Ok(link) => at = at.parent().unwrap_or(Path::new("")).join(link),
            // Not a link, or nothing there at all.
            Err(_) => return Ok(at),
        }
    }
    Err(io::Error::other("its symbolic links go in a circle"))
}

/// A file with everything in it and on the disk. Dropped, it is gone.
enum Draft {
    /// Without a name, so that nothing stays behind whatever ends this process.
    Nameless(File),
    /// Beside the target, where the file system has no files without a name.
    Named(TempPath),
}

fn write_draft(folder: &Path, target: &Path, bytes: &[u8], old: Option<&Metadata>) -> io::Result<Draft> {
    match open_nameless(folder, old.is_none()) {
        Some(file) => fill(&file, target, bytes, old).map(|()| Draft::Nameless(file)),
        None => write_named(folder, target, bytes, old).map(Draft::Named),
    }
}

impl Draft {
    /// The same with a name beside the target.
    fn named(self, folder: &Path, target: &Path, bytes: &[u8], old: Option<&Metadata>) -> io::Result<TempPath> {
        let file = match self {
            Draft::Named(path) => return Ok(path),
            Draft::Nameless(file) => file,
        };
        let prefix = prefix_of(target);
        let named = tempfile::Builder::new().prefix(&prefix).make_in(folder, |path| give_name(&file, path));
        named.map_or_else(|_| write_named(folder, target, bytes, old), |named| Ok(named.into_temp_path()))
    }
}

fn write_named(folder: &Path, target: &Path, bytes: &[u8], old: Option<&Metadata>) -> io::Result<TempPath> {
    let (prefix, mut names) = (prefix_of(target), tempfile::Builder::new());
    names.prefix(&prefix);
    set_first_mode(&mut names, old.is_none());
    let named = names.tempfile_in(folder)?;
    fill(named.as_file(), target, bytes, old)?;
    Ok(named.into_temp_path())
}

/// What the name of a draft begins with. A file name has at most 255 bytes, which is at least 60 characters.
fn prefix_of(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    format!(".{}{MARK}", name.chars().take(40).collect::<String>())
}

/// Whether a file is named as a draft is that something kept from taking its place.
pub(super) fn is_draft(name: &str) -> bool {
    const RANDOM: usize = 6; // of `tempfile`
    let behind = name.strip_prefix('.').and_then(|name| name.rsplit_once(MARK)).map(|(_, behind)| behind);
    behind.is_some_and(|behind| behind.len() == RANDOM && behind.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn fill(mut file: &File, target: &Path, bytes: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    file.write_all(bytes)?;
    if let Some(old) = old {
        keep_attributes(file, target, old)?;
    }
    file.sync_all()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;

    /// Opens a file that has no name yet, so that not even `kill -9` leaves one behind while it is
    /// being written. `None` where the file system has no such thing.
    pub(super) fn open_nameless(folder: &Path, is_new: bool) -> Option<File> {
        File::options()
            .write(true)
            .custom_flags(rustix::fs::OFlags::TMPFILE.bits().cast_signed())
            .mode(first_mode(is_new))
            .open(folder)
            .ok()
    }

    /// Gives such a file its name.
    pub(super) fn give_name(file: &File, path: &Path) -> io::Result<()> {
        use rustix::fs::{AtFlags, CWD, linkat};
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(linkat(CWD, unnamed, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// Keeps access lists and labels, where the file system has them. Best effort: the mode that is set
    /// afterwards bounds what an access list allows, and most files have neither.
    pub(super) fn keep_labels(file: &File, target: &Path) {
        use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, getxattr};
        const ACCESS: &str = "system.posix_acl_access";
        // A draft has the list that its folder gives to new files, which is not that of the old one.
        let _ = fremovexattr(file, ACCESS);
        let mut value = vec![0; 1 << 16];
        for name in [ACCESS, "security.selinux"] {
            if let Ok(len) = getxattr(target, name, &mut value) {
                let _ = fsetxattr(file, name, &value[..len], XattrFlags::empty());
            }
        }
    }

    /// Keeps others from replacing a file of this folder meanwhile. Whoever holds the folder for long, as a program that
    /// runs this one may, does not keep it from doing so.
    pub(super) fn lock(folder: &File) -> Locked<'_> {
        use rustix::fs::{FlockOperation, flock};
        const TRIES: u32 = 200;
        let mut has_it = false;
        for _ in 0..TRIES {
            match flock(folder, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(std::time::Duration::from_millis(10)),
                locked => {
                    has_it = locked.is_ok();
                    break;
                }
            }
        }
        Locked { folder, has_it }
    }

    /// A folder that is held until this is dropped.
    pub(super) struct Locked<'a> {
        folder: &'a File,
        has_it: bool,
    }

    impl Drop for Locked<'_> {
        fn drop(&mut self) {
            if self.has_it {
                let _ = rustix::fs::flock(self.folder, rustix::fs::FlockOperation::Unlock);
            }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod platform {
    use super::*;

    pub(super) fn open_nameless(_folder: &Path, _is_new: bool) -> Option<File> {
        None
    }

    pub(super) fn give_name(_file: &File, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(unix)]
    pub(super) fn keep_labels(_file: &File, _target: &Path) {}

    pub(super) fn lock(_folder: &File) {}
}

use platform::{give_name, open_nameless};

/// The mode a draft begins with: nobody else may read what takes the place of a file whose mode is
/// copied later; a new file is born with the mode that it will have (less the umask).
#[cfg(unix)]
fn first_mode(is_new: bool) -> u32 {
    if is_new { 0o666 } else { 0o600 }
}

#[cfg(unix)]
fn set_first_mode(names: &mut tempfile::Builder<'_, '_>, is_new: bool) {
    use std::os::unix::fs::PermissionsExt;
    names.permissions(std::fs::Permissions::from_mode(first_mode(is_new)));
}

#[cfg(not(unix))]
fn set_first_mode(_names: &mut tempfile::Builder<'_, '_>, _is_new: bool) {}

/// A rename asks only for the folder's permission; a file that is marked read-only means it.
#[cfg(unix)]
fn require_writable(target: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(target, rustix::fs::Access::WRITE_OK)?)
}

#[cfg(not(unix))]
fn require_writable(target: &Path) -> io::Result<()> {
    if std::fs::metadata(target)?.permissions().readonly() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

#[cfg(unix)]
fn keep_attributes(file: &File, target: &Path, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let mut mode = old.mode() & 0o7777;
    let new = file.metadata()?;
    // Only root may give a file away; a member of the group may at least keep the group.
    if new.uid() != old.uid() {
        let _ = fchown(file, Some(old.uid()), None);
    }
    if new.gid() != old.gid() && fchown(file, None, Some(old.gid())).is_err() {
        // Another group must not get what the old one was allowed.
        mode &= 0o7707 | (mode & 0o007) << 3;
    }
    platform::keep_labels(file, target);
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_attributes(_file: &File, _target: &Path, _old: &Metadata) -> io::Result<()> {
    Ok(())
}

/// The rename itself is on the disk only when the folder is.
#[cfg(unix)]
fn sync_folder(folder: &File) -> io::Result<()> {
    match folder.sync_all() {
        // Some network and FUSE file systems have no such thing; the rename is done all the same.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

#[cfg(not(unix))]
fn sync_folder(_folder: &File) -> io::Result<()> {
    Ok(())
}

/// That the new file is there, and that only the disk may not have it yet.
fn not_on_disk(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::WriteOutput, format!("{} is written, but the disk may not have it", path.display()))
        .because(error)
        .hint("sync, and look at what the system says of the disk")
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    let name = path.display();
    // The temporary file of which the error may tell as well is no file that anybody knows.
    let reason = error.to_string();
    let reason = reason.split(" at path \"").next().unwrap_or_default();
    let problem = Error::new(Kind::WriteOutput, format!("{name} cannot be written")).because(reason);
    let folder = super::quoted(folder_of(path));
    match error.kind() {
        io::ErrorKind::NotFound => problem.because("its folder must exist").hint(format!("mkdir -p {folder}")),
        io::ErrorKind::IsADirectory => problem.hint("name a file in it"),
        io::ErrorKind::PermissionDenied => problem
            .because("both the file and its folder must be writable")
            .hint(format!("ls -ld {} {folder}", super::quoted(path))),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            problem.because("the old file is unchanged").hint("make room and try again")
        }
        // A single file mounted into a container cannot be renamed over.
        io::ErrorKind::ResourceBusy => problem
            .because("it is a mount point, which cannot be replaced in one step")
            .hint("leave --in-place away and write to another file with --output"),
        _ => problem,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    /// A folder may give each new file an access list; the old file's own is what counts.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_gives_nobody_access() {
        use rustix::fs::{XattrFlags, getxattr, setxattr};
        const ANY: u32 = u32::MAX;
        // <linux/posix_acl_xattr.h>: tag, permissions and id of owner, one user, group, mask and others.
        let entries: [(u16, u16, u32); 5] = [(1, 7, ANY), (2, 7, 12345), (4, 5, ANY), (0x10, 7, ANY), (0x20, 0, ANY)];
        let mut list = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            list.extend([tag.to_le_bytes(), permissions.to_le_bytes()].concat());
            list.extend(id.to_le_bytes());
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.yaml");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        setxattr(folder.path(), "system.posix_acl_default", &list, XattrFlags::empty()).unwrap();
        replace_file(&file, b"new").unwrap();
        assert_eq!(mode(&file), 0o640);
        let mut found = [0; 256];
        assert!(getxattr(&file, "system.posix_acl_access", &mut found).is_err());
        // One that the file has stays.
        setxattr(&file, "system.posix_acl_access", &list, XattrFlags::empty()).unwrap();
        let before = mode(&file);
        replace_file(&file, b"newer").unwrap();
        let len = getxattr(&file, "system.posix_acl_access", &mut found).unwrap();
        assert_eq!((&found[..len], mode(&file)), (&list[..], before));
    }

    #[test]
    fn a_check_that_fails_leaves_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.yaml");
        fs::write(&file, "old").unwrap();
        let refused = replace_file_if(&file, b"new", || Err(Error::new(Kind::WriteOutput, "changed")));
        assert!(refused.is_err() && fs::read(&file).unwrap() == b"old");
        assert_eq!(names(folder.path()), ["secret.yaml"]);
    }

    #[test]
    fn the_mode_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.yaml");
        for wanted in [0o600, 0o640, 0o755] {
            fs::write(&file, "old").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(wanted)).unwrap();
            replace_file(&file, b"new").unwrap();
            assert_eq!(mode(&file), wanted);
            assert_eq!(fs::read(&file).unwrap(), b"new");
        }
        assert_eq!(names(folder.path()), ["secret.yaml"]);
    }

    #[test]
    fn links_stay_and_their_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/real"), "old").unwrap();
        symlink("sub/hop", at("link")).unwrap();
        symlink("real", at("sub/hop")).unwrap();
        replace_file(&at("link"), b"new").unwrap();
        assert_eq!(fs::read(at("sub/real")).unwrap(), b"new");
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());

        symlink("not-yet", at("dangling")).unwrap();
        replace_file(&at("dangling"), b"made").unwrap();
        assert_eq!(fs::read(at("not-yet")).unwrap(), b"made");

        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        let error = replace_file(&at("a"), b"never").unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.notes()[0].contains("symbolic links"), "{error}");
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        for target in [at("folder"), at("no/such/folder"), PathBuf::from("/dev/full")] {
            assert_eq!(replace_file(&target, b"x").unwrap_err().exit_code(), 3, "{}", target.display());
        }
        assert_eq!(names(folder.path()), ["folder"]);
    }

    #[test]
    fn a_device_is_written_to_and_stays() {
        replace_file(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn read_only_means_read_only() {
        if rustix::process::geteuid().is_root() {
            return; // root may write everywhere; the integration tests do this as another user
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.yaml");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        assert_eq!(replace_file(&file, b"new").unwrap_err().exit_code(), 3);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
        assert_eq!(replace_file(&file, b"new").unwrap_err().exit_code(), 3);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["secret.yaml"]);
    }

    #[test]
    fn a_long_name_has_room_for_its_draft() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("n".repeat(250));
        replace_file(&file, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }
}
