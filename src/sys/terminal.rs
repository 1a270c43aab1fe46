//! Facts about the terminal.

use std::io::IsTerminal;

/// Whether somebody would have to type the standard input.
#[must_use]
pub fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal()
}
