//! A private folder in memory, for plaintext that another program must read.
//!
//! Owns: where such a folder may be, who may look into it, and that it is gone afterwards, also after a
//! `kill -9`: whoever makes a folder holds a lock on it (flock(2)) for as long as it lives, and the next one to make a folder
//! takes away those that nobody holds.
//!
//! A system that has no folder in memory gets an error, not a folder on a disk; who wants that
//! nevertheless must name one in [`PRIVATE_FOLDER_VARIABLE`]. Memory may be swapped: see `docs/edit.md`.

use super::Environment;
use crate::error::{Error, Kind, Result};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The variable that names a folder for plaintext, which is then taken as it is: in memory or not.
pub const PRIVATE_FOLDER_VARIABLE: &str = "LEAFCRYPT_PRIVATE_DIR";

/// How the names of these folders begin, and how many letters and digits follow. Nothing else may be called so: what is
/// left behind is taken away by its name.
const PREFIX: &str = "leafcrypt-plaintext-";
const RANDOM: usize = 16;

/// A folder that only its owner may enter (0700), in memory, removed with all that is in it when dropped.
pub struct PrivateFolder {
    path: PathBuf,
    /// Held for as long as the folder lives; the system lets go of it when the process dies.
    _lock: File,
}

impl PrivateFolder {
    /// Makes one, and removes those that were left behind by processes that were killed.
    ///
    /// It is made in `$LEAFCRYPT_PRIVATE_DIR` when that is set, or else in the first of these that is in
    /// memory: `$XDG_RUNTIME_DIR`, `/dev/shm`, `/run/user/UID`, `/run/shm`, `$TMPDIR`, `/tmp`.
    ///
    /// # Errors
    /// When there is no folder to make it in; the message says what is wrong with each.
    pub fn create(environment: &Environment) -> Result<Self> {
        let mut made = None;
        let mut reasons = Vec::new();
        for place in places(environment) {
            match place.check() {
                Err(reason) => reasons.push(format!("{}: {reason}", place.shown())),
                Ok(()) => {
                    sweep(&place.folder);
                    if made.is_none() {
                        match Self::create_in(&place.folder) {
                            Ok(folder) => made = Some(folder),
                            Err(error) => reasons.push(format!("{}: {error}", place.shown())),
                        }
                    }
                }
            }
        }
        made.ok_or_else(|| no_place(reasons))
    }

    /// Between making a folder and locking it there is a moment in which a sweeper may take it for one that
    /// was left behind. Then the sweeper has the lock, or the folder is gone, and another one is made.
    fn create_in(folder: &Path) -> io::Result<Self> {
        let mut names = tempfile::Builder::new();
        names.prefix(PREFIX).rand_bytes(RANDOM);
        #[cfg(unix)]
        names.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        for _ in 0..100 {
            let path = names.tempdir_in(folder)?.keep();
            if let Some(lock) = platform::lock(&path) {
                return Ok(PrivateFolder { path, _lock: lock });
            }
            // Nothing is in it yet.
            let _ = std::fs::remove_dir(&path);
        }
        Err(io::Error::other("no lock can be had in it"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a new file in it that only its owner may read and write (0600).
    ///
    /// # Errors
    /// When it cannot be written, for lack of memory, say.
    pub fn write(&self, name: &OsStr, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        let write = || super::file::private_file().open(&path)?.write_all(bytes);
        write().map_err(|error: io::Error| {
            let error = Error::new(Kind::WriteOutput, "the plaintext cannot be written to a private folder in memory")
                .in_file(path.display().to_string())
                .because(error);
            error.hint(format!("name another folder: {PRIVATE_FOLDER_VARIABLE}=FOLDER leafcrypt …"))
        })?;
        Ok(path)
    }

    /// Removes it, with all that is in it.
    ///
    /// # Errors
    /// When something of it is still there; dropping it would have said nothing.
    pub fn remove(self) -> Result<()> {
        remove(&self.path).map_err(|error| {
            let path = self.path.display();
            Error::new(Kind::WriteOutput, format!("the private folder {path} cannot be removed"))
                .because(error)
                .because("it holds plaintext")
                .hint(format!("rm -r {}", super::quoted(&self.path)))
        })
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        let _ = remove(&self.path);
    }
}

/// A folder in which a private one may be made.
struct Place {
    folder: PathBuf,
    /// The variable that it comes from.
    variable: Option<&'static str>,
    /// Whether it is right whatever it is on, since the user says so.
    chosen: bool,
}

impl Place {
    fn check(&self) -> Result<(), String> {
        if !self.folder.is_absolute() {
            return Err("it is not an absolute path".to_owned());
        }
        if self.chosen { Ok(()) } else { platform::check(&self.folder) }
    }

    fn shown(&self) -> String {
        let folder = self.folder.display();
        self.variable.map_or_else(|| folder.to_string(), |variable| format!("{folder} (${variable})"))
    }
}

fn places(environment: &Environment) -> Vec<Place> {
    let from = |variable: &'static str, chosen| {
        let folder = PathBuf::from(environment.get_filled(variable)?);
        Some(Place { folder, variable: Some(variable), chosen })
    };
    if let Some(chosen) = from(PRIVATE_FOLDER_VARIABLE, true) {
        return vec![chosen];
    }
    let usual = |folder: PathBuf| Some(Place { folder, variable: None, chosen: false });
    let mut places: Vec<Place> = [
        from("XDG_RUNTIME_DIR", false),
        usual("/dev/shm".into()),
        usual(platform::runtime_folder()),
        usual("/run/shm".into()),
        from("TMPDIR", false),
        usual("/tmp".into()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut seen = std::collections::HashSet::new();
    places.retain(|place| seen.insert(place.folder.clone()));
    places
}

fn no_place(reasons: Vec<String>) -> Error {
    let error = Error::new(Kind::WriteOutput, "there is no private folder in memory for the plaintext");
    let error = reasons.into_iter().fold(error, Error::because);
    error.hint(platform::HOW_TO_GET_ONE).hint(format!(
        "or name a folder that may hold plaintext for a while, on a disk as well: {PRIVATE_FOLDER_VARIABLE}=FOLDER leafcrypt …"
    ))
}

/// Removes the folders in `place` that were left behind: those of this user that nobody holds.
fn sweep(place: &Path) {
    let Ok(entries) = std::fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).unwrap_or_default();
        if random.len() == RANDOM
            && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && platform::is_own_folder(&entry.path())
            && let Some(_lock) = platform::lock(&entry.path())
        {
            let _ = remove(&entry.path());
        }
    }
}

/// Overwrites the files below `folder`, and removes it. A program that is just ending, an editor say, may
/// still write a file meanwhile, so a second attempt is made.
fn remove(folder: &Path) -> io::Result<()> {
    let mut last = Ok(());
    for _ in 0..5 {
        overwrite_files(folder);
        last = std::fs::remove_dir_all(folder);
        match &last {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            _ => break,
        }
    }
    last
}

/// Puts zeros over what the files hold, which in memory is what it says. Best effort: they are removed anyway.
fn overwrite_files(folder: &Path) {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    let _ = overwrite(&entry.path());
                }
                _ => {}
            }
        }
    }
}

fn overwrite(path: &Path) -> io::Result<()> {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    let (mut file, mut left) = platform::open_to_overwrite(path)?;
    while left > 0 {
        let part = ZEROS.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(&ZEROS[..part])?;
        left -= part as u64;
    }
    Ok(())
}

#[cfg(unix)]
mod platform {
    use super::*;
    use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat};
    use rustix::process::geteuid;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) const HOW_TO_GET_ONE: &str = "mount one: mount -t tmpfs -o mode=1777 tmpfs /dev/shm";
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) const HOW_TO_GET_ONE: &str = "make a disk in memory and name it in the variable below; on macOS: \
                                             diskutil erasevolume APFS leafcrypt $(hdiutil attach -nomount ram://65536)";

    pub(super) fn runtime_folder() -> PathBuf {
        format!("/run/user/{}", geteuid().as_raw()).into()
    }

    /// Whether private folders may be made in `folder`: it is in memory, and nobody else can put
    /// another folder in the place of ours.
    pub(super) fn check(folder: &Path) -> Result<(), String> {
        let facts = std::fs::metadata(folder).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "there is no such folder".to_owned(),
            _ => error.to_string(),
        })?;
        if !facts.is_dir() {
            return Err("it is not a folder".to_owned());
        }
        if !is_in_memory(folder).map_err(|error| error.to_string())? {
            return Err("it is not in memory".to_owned());
        }
        let trusted = [0, geteuid().as_raw()].contains(&facts.uid());
        let open_to_others = facts.mode() & 0o022 != 0 && facts.mode() & 0o1000 == 0;
        if !trusted || open_to_others {
            return Err("others can exchange what is in it".to_owned());
        }
        Ok(())
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn is_in_memory(folder: &Path) -> io::Result<bool> {
        // <linux/magic.h>
        const TMPFS: u64 = 0x0102_1994;
        const RAMFS: u64 = 0x8584_58f6;
        let kind = rustix::fs::statfs(folder)?.f_type as u64 & 0xffff_ffff;
        Ok(kind == TMPFS || kind == RAMFS)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn is_in_memory(_folder: &Path) -> io::Result<bool> {
        Ok(false) // no other system has such a folder without somebody having made it
    }

    pub(super) fn is_own_folder(path: &Path) -> bool {
        let is_own = |facts: std::fs::Metadata| {
            facts.is_dir() && facts.uid() == geteuid().as_raw() && facts.mode() & 0o777 == 0o700
        };
        std::fs::symlink_metadata(path).is_ok_and(is_own)
    }

    /// The lock of the folder at `path`; `None` when another process has it, or the folder is gone.
    pub(super) fn lock(path: &Path) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = File::from(openat(CWD, path, flags, Mode::empty()).ok()?);
        flock(&folder, FlockOperation::NonBlockingLockExclusive).ok()?;
        // It may have been removed between the two calls, which leaves a lock on nothing.
        let (locked, there) = (folder.metadata().ok()?, std::fs::symlink_metadata(path).ok()?);
        (locked.ino() == there.ino() && locked.dev() == there.dev()).then_some(folder)
    }

    /// The file, and how many of its bytes to overwrite: none of one that has a name elsewhere too.
    pub(super) fn open_to_overwrite(path: &Path) -> io::Result<(File, u64)> {
        let no_surprise = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = File::options().write(true).custom_flags(no_surprise).open(path)?;
        let facts = file.metadata()?;
        // A file with holes is longer than what it takes.
        let len = if facts.nlink() == 1 { facts.len().min(facts.blocks() * 512) } else { 0 };
        Ok((file, len))
    }
}

#[cfg(not(unix))]
mod platform {
    use super::*;

    pub(super) const HOW_TO_GET_ONE: &str = "this system has none: name a folder on an encrypted disk";

    pub(super) fn runtime_folder() -> PathBuf {
        PathBuf::new()
    }

    pub(super) fn check(_folder: &Path) -> Result<(), String> {
        Err("it is not in memory".to_owned())
    }

    pub(super) fn is_own_folder(path: &Path) -> bool {
        std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir())
    }

    pub(super) fn lock(path: &Path) -> Option<File> {
        File::create(path.join(".lock")).ok().filter(|lock| lock.try_lock().is_ok())
    }

    pub(super) fn open_to_overwrite(path: &Path) -> io::Result<(File, u64)> {
        let file = File::options().write(true).open(path)?;
        let len = file.metadata()?.len();
        Ok((file, len))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn in_folder(folder: &Path) -> Environment {
        Environment::of([(PRIVATE_FOLDER_VARIABLE, folder.into())])
    }

    fn names(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn it_is_private_and_gone_when_dropped() {
        let place = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::create(&in_folder(place.path())).unwrap();
        let file = folder.write(OsStr::new("a.yaml"), b"secret").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folder.path()), mode(&file)), (0o700, 0o600));
        // What editors leave beside a file.
        for name in [".a.yaml.swp", "a.yaml~", "#a.yaml#"] {
            std::fs::write(folder.path().join(name), "secret").unwrap();
        }
        std::fs::create_dir(folder.path().join("backup")).unwrap();
        std::fs::write(folder.path().join("backup/a"), "secret").unwrap();
        std::os::unix::fs::symlink("/nowhere", folder.path().join(".#a.yaml")).unwrap();
        drop(folder);
        assert_eq!(names(place.path()), 0);
    }

    #[test]
    fn what_it_held_is_overwritten_but_for_what_has_a_name_elsewhere() {
        use std::io::Read;
        let place = tempfile::tempdir().unwrap();
        let elsewhere = place.path().join("elsewhere");
        std::fs::write(&elsewhere, "kept").unwrap();
        let folder = PrivateFolder::create(&in_folder(place.path())).unwrap();
        std::fs::hard_link(&elsewhere, folder.path().join("link")).unwrap();
        let path = folder.write(OsStr::new("a"), &[b'x'; 100_000]).unwrap();
        let mut open = File::open(path).unwrap();
        folder.remove().unwrap();
        let mut left = Vec::new();
        open.read_to_end(&mut left).unwrap();
        assert_eq!(left, [0; 100_000]);
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"kept");
    }

    #[test]
    fn the_next_one_sweeps_what_was_left_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let living = PrivateFolder::create(&in_folder(place.path())).unwrap();
        let living_file = living.write(OsStr::new("a"), b"secret").unwrap();
        // A folder without a lock is that of a process which was killed.
        let dead = format!("{PREFIX}0123456789abcdeF");
        let open = format!("{PREFIX}0123456789abcde0");
        let others = ["other", "leafcrypt-project", "leafcrypt-plaintext-notes", &open];
        for name in others.into_iter().chain([dead.as_str()]) {
            std::fs::create_dir(place.path().join(name)).unwrap();
            let mode = if name == open { 0o755 } else { 0o700 };
            std::fs::set_permissions(place.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
            std::fs::write(place.path().join(name).join("a"), "secret").unwrap();
        }
        let next = PrivateFolder::create(&in_folder(place.path())).unwrap();
        assert!(!place.path().join(dead).exists());
        assert!(others.iter().all(|name| place.path().join(name).join("a").exists()));
        assert!(living_file.exists() && next.path().exists());
    }

    #[test]
    fn a_sweeper_never_takes_a_folder_that_is_being_made() {
        let place = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let folder = PrivateFolder::create(&in_folder(place.path())).unwrap();
                        let file = folder.write(OsStr::new("a"), b"secret").unwrap();
                        std::thread::yield_now();
                        assert!(file.exists());
                    }
                });
            }
        });
        assert_eq!(names(place.path()), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_is_refused_unless_it_is_named() {
        assert_eq!(platform::check(Path::new("/proc")), Err("it is not in memory".to_owned()));
        assert_eq!(platform::check(Path::new("/dev/shm")), Ok(()));
        let disk = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
        let runtime = Environment::of([("XDG_RUNTIME_DIR", disk.into()), ("TMPDIR", "here".into())]);
        let folder = PrivateFolder::create(&runtime).unwrap();
        assert!(platform::check(folder.path()).is_ok(), "{}", folder.path().display());
        let error = no_place(vec!["/tmp: it is not in memory".to_owned()]);
        assert_eq!((error.exit_code(), error.hints().len()), (3, 2));
    }

    #[test]
    fn a_place_where_others_can_exchange_folders_is_refused() {
        let place = tempfile::tempdir_in("/dev/shm").unwrap();
        for (mode, fine) in [(0o777, false), (0o1777, true), (0o700, true)] {
            std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(platform::check(place.path()).is_ok(), fine, "{mode:o}");
        }
    }
}
