//! Becoming another user, for good.

use crate::error::{Error, Kind, Result};
use std::ffi::OsString;

/// The user that this process runs as: the number where there are numbers, and the name, which is the number for one
/// that the system has no name for.
#[must_use]
pub fn who() -> (Option<u32>, String) {
    platform::who()
}

/// The names of the users that are listed on this machine itself, where there is such a list.
#[must_use]
pub fn user_names() -> Vec<String> {
    let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    list.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
}

/// A user of this system.
pub struct User(platform::User);

impl User {
    /// The user called `name`.
    ///
    /// # Errors
    /// When there is none of that name, or the system has no users to become.
    pub fn named(name: &str) -> Result<Self> {
        match platform::find(name) {
            Ok(Some(user)) => Ok(User(user)),
            Ok(None) => {
                Err(Error::new(Kind::Generic, format!("there is no user {name}")).hint(format!("getent passwd {name}")))
            }
            Err(error) => Err(Error::new(Kind::Generic, format!("the user {name} cannot be looked up")).because(error)),
        }
    }

    /// The variables that say who the user is: `HOME`, `USER` and `LOGNAME`.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, OsString); 3] {
        let (name, home) = platform::name_and_home(&self.0);
        [("HOME", home), ("USER", name.clone()), ("LOGNAME", name)]
    }

    /// Makes this process that user's: its user, group and supplementary groups, with no way back.
    ///
    /// # Errors
    /// When this process may not; it should end then.
    pub fn switch(&self) -> Result<()> {
        platform::switch(&self.0).map_err(|error| {
            let (name, _) = platform::name_and_home(&self.0);
            Error::new(Kind::Generic, format!("this process cannot become the user {}", name.display()))
                .because(error)
                .hint("only root can; run it with sudo, or leave --user away")
        })?;
        // The system makes a process that changed its user one that leaves core dumps again.
        super::harden();
        Ok(())
    }
}

#[cfg(unix)]
mod platform {
    use super::*;
    use nix::unistd::{getegid, geteuid, getuid, setgid, setuid};
    use std::ffi::CString;
    use std::io;

    pub(super) use nix::unistd::User;

    pub(super) fn find(name: &str) -> io::Result<Option<User>> {
        Ok(User::from_name(name)?)
    }

    pub(super) fn who() -> (Option<u32>, String) {
        let uid = getuid();
        let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
        (Some(uid.as_raw()), name.unwrap_or_else(|| uid.to_string()))
    }

    pub(super) fn name_and_home(user: &User) -> (OsString, OsString) {
        ((&user.name).into(), user.dir.clone().into_os_string())
    }

    pub(super) fn switch(user: &User) -> io::Result<()> {
        if getuid() == user.uid && geteuid() == user.uid && getegid() == user.gid && !user.uid.is_root() {
            return Ok(()); // that is who we are, and it takes no privilege
        }
        let name = CString::new(user.name.as_str())?;
        // In this order: each step needs the privilege that the last one gives away.
        // SAFETY: the name is a string of C that lives through the call.
        #[allow(unsafe_code)]
        let done = unsafe { libc::initgroups(name.as_ptr(), user.gid.as_raw() as _) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        // Of a privileged process these two set the real, the effective and the saved id, in all threads.
        setgid(user.gid)?;
        setuid(user.uid)?;
        if getuid() != user.uid || geteuid() != user.uid || (!user.uid.is_root() && setuid(0.into()).is_ok()) {
            return Err(io::Error::other("the system did not do as it said"));
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod platform {
    use super::*;
    use std::io;

    pub(super) struct User(std::convert::Infallible);

    pub(super) fn who() -> (Option<u32>, String) {
        (None, std::env::var("USERNAME").unwrap_or_default())
    }

    pub(super) fn find(_name: &str) -> io::Result<Option<User>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "no program can become another user on this system"))
    }

    pub(super) fn name_and_home(user: &User) -> (OsString, OsString) {
        match user.0 {}
    }

    pub(super) fn switch(user: &User) -> io::Result<()> {
        match user.0 {}
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn users_are_looked_up_by_name() {
        let root = User::named("root").unwrap();
        let variables = root.variables().map(|(name, value)| format!("{name}={}", value.display()));
        assert_eq!(variables[1..], ["USER=root", "LOGNAME=root"]);
        assert!(variables[0].starts_with("HOME=/"), "{}", variables[0]);
        assert_eq!(User::named("no-such-user").err().map(|error| error.exit_code()), Some(1));
        assert!(User::named("").is_err());
    }
}
