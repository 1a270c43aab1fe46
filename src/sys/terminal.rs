//! Facts about the terminal.

use std::ffi::OsString;
use std::io::IsTerminal;

/// Whether somebody would have to type the standard input.
#[must_use]
pub fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// The name of the terminal that this process talks to, such as `/dev/pts/0`.
#[must_use]
pub fn terminal_name() -> Option<OsString> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt as _;
        let name = |fd| rustix::termios::ttyname(fd, Vec::new()).ok();
        let named = name(rustix::stdio::stdin()).or_else(|| name(rustix::stdio::stderr()));
        named.map(|name| OsString::from_vec(name.into_bytes()))
    }
    #[cfg(not(unix))]
    None
}

/// Whether somebody is there to be asked something: they see the standard error and can type.
#[must_use]
pub fn is_interactive() -> bool {
    stdin_is_terminal() && std::io::stderr().is_terminal()
}
