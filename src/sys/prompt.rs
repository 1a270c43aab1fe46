//! Questions to whoever sits at the terminal.
//!
//! The terminal itself is asked, not the standard input, which may be a pipe. A process without one, or in the
//! background of one, gets no answer instead of waiting for ever. One question is asked at a time.

use crate::secret::SecretBytes;
use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why a question was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// There is no terminal, or it belongs to another process just now.
    NoTerminal,
    /// Whoever was asked declined: Ctrl-C or Ctrl-D.
    Declined,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoAnswer::NoTerminal => "there is no terminal to ask on",
            NoAnswer::Declined => "no answer was given",
        })
    }
}

/// Asks for a secret. What is typed is not shown.
///
/// # Errors
/// When there is nobody to ask, or no answer.
pub fn ask_secret(question: &str) -> Result<SecretBytes, NoAnswer> {
    let _one = one_at_a_time();
    platform::ask_secret(question)
}

/// Asks for a line, which is shown while it is typed.
///
/// # Errors
/// When there is nobody to ask, or no answer.
pub fn ask_line(question: &str) -> Result<String, NoAnswer> {
    let _one = one_at_a_time();
    platform::ask_line(question)
}

/// Shows a line on the standard error.
pub fn tell(line: &str) {
    let _one = one_at_a_time();
    let _ = writeln!(io::stderr(), "{line}");
}

fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ASKING: Mutex<()> = Mutex::new(());
    ASKING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
mod platform {
    use super::NoAnswer;
    use crate::secret::SecretBytes;
    use rustix::process::{Signal, getpgrp, kill_current_process_group};
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};
    use std::fs::File;
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use zeroize::Zeroizing;

    /// As long as any passphrase; what is typed beyond is passed over.
    const LONGEST: usize = 4096;

    fn terminal() -> Result<File, NoAnswer> {
        let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(|_| NoAnswer::NoTerminal)?;
        // Reading from the background would stop this process until somebody brings it forward.
        let foreground = tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp());
        foreground.then_some(terminal).ok_or(NoAnswer::NoTerminal)
    }

    /// Gives the terminal its modes back, whatever happens.
    struct Quiet<'a>(&'a File, Termios);

    impl<'a> Quiet<'a> {
        fn new(terminal: &'a File) -> Option<Self> {
            let before = tcgetattr(terminal).ok()?;
            let mut modes = before.clone();
            // Keys that end the process are read like any other, so that it does not end with the modes changed.
            modes.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(terminal, OptionalActions::Flush, &modes).ok()?;
            Some(Quiet(terminal, before))
        }
    }

    impl Drop for Quiet<'_> {
        fn drop(&mut self) {
            let _ = tcsetattr(self.0, OptionalActions::Now, &self.1);
            let _ = (&mut &*self.0).write_all(b"\n");
        }
    }

    pub(super) fn ask_secret(question: &str) -> Result<SecretBytes, NoAnswer> {
        let terminal = terminal()?;
        let mut quiet = Quiet::new(&terminal).ok_or(NoAnswer::NoTerminal)?;
        let (mut output, mut input) = (&terminal, &terminal);
        output.write_all(question.as_bytes()).map_err(|_| NoAnswer::NoTerminal)?;
        let mut typed = Zeroizing::new(Vec::with_capacity(LONGEST));
        let mut key = Zeroizing::new([0]);
        loop {
            if input.read(&mut key[..]).unwrap_or(0) == 0 {
                return Err(NoAnswer::Declined);
            }
            match key[0] {
                b'\r' | b'\n' => return Ok(SecretBytes::from(typed.to_vec())),
                // Ctrl-C, Ctrl-\ and Ctrl-Z: as they would be without us.
                3 | 28 => {
                    drop(quiet);
                    let _ = kill_current_process_group(if key[0] == 3 { Signal::INT } else { Signal::QUIT });
                    return Err(NoAnswer::Declined);
                }
                26 => {
                    drop(quiet);
                    let _ = kill_current_process_group(Signal::TSTP);
                    // Somebody has brought it forward again.
                    quiet = Quiet::new(&terminal).ok_or(NoAnswer::NoTerminal)?;
                    typed.clear();
                    output.write_all(question.as_bytes()).map_err(|_| NoAnswer::NoTerminal)?;
                }
                // Ctrl-D, and Ctrl-U.
                4 if typed.is_empty() => return Err(NoAnswer::Declined),
                21 => typed.clear(),
                // Backspace takes a whole character.
                8 | 127 => while typed.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {},
                byte if typed.len() < LONGEST => typed.push(byte),
                _ => {}
            }
        }
    }

    pub(super) fn ask_line(question: &str) -> Result<String, NoAnswer> {
        let terminal = terminal()?;
        (&terminal).write_all(question.as_bytes()).map_err(|_| NoAnswer::NoTerminal)?;
        let mut line = String::new();
        match BufReader::new(&terminal).read_line(&mut line) {
            Ok(1..) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
            _ => Err(NoAnswer::Declined),
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use super::NoAnswer;
    use crate::secret::SecretBytes;
    use std::io::{IsTerminal as _, Write as _};

    pub(super) fn ask_secret(question: &str) -> Result<SecretBytes, NoAnswer> {
        rpassword::prompt_password(question).map(SecretBytes::from).map_err(|error| match error.kind() {
            std::io::ErrorKind::Interrupted | std::io::ErrorKind::UnexpectedEof => NoAnswer::Declined,
            _ => NoAnswer::NoTerminal,
        })
    }

    pub(super) fn ask_line(question: &str) -> Result<String, NoAnswer> {
        if !std::io::stdin().is_terminal() {
            return Err(NoAnswer::NoTerminal);
        }
        let mut output = std::io::stderr();
        output.write_all(question.as_bytes()).map_err(|_| NoAnswer::NoTerminal)?;
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(1..) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
            _ => Err(NoAnswer::Declined),
        }
    }
}
