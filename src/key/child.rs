//! Programs that back ends run.

use std::io::{self, Read as _, Write as _};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use zeroize::Zeroizing;

/// Room taken before reading, so that what an ordinary program prints is never copied to a larger buffer,
/// leaving the smaller one behind in memory.
const ROOM: usize = 1 << 16;

/// What a program did.
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    /// What it printed, which may be a secret.
    pub(super) stdout: Zeroizing<Vec<u8>>,
    /// What it said, when it was asked to say it to us.
    pub(super) stderr: String,
}

/// Runs `command` to its end with `input` on its standard input, and takes at most `limit` bytes of each
/// of its outputs. Its standard error is taken if `command` has it piped.
///
/// # Errors
/// When it cannot be started, or its output not be read. That it reads no input is no error.
pub(super) fn run(command: &mut Command, input: &[u8], limit: u64) -> io::Result<Ran> {
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut output = Zeroizing::new(Vec::with_capacity(ROOM));
    let mut said = Vec::new();
    // All at the same time: a program may well speak before it has read everything.
    let read = thread::scope(|scope| {
        if let Some(mut stdin) = stdin {
            scope.spawn(move || drop(stdin.write_all(input)));
        }
        if let Some(stderr) = stderr {
            scope.spawn(|| drop(stderr.take(limit).read_to_end(&mut said)));
        }
        stdout.map_or(Ok(0), |stdout| stdout.take(limit).read_to_end(&mut output))
    });
    let status = child.wait()?;
    read?;
    Ok(Ran { status, stdout: output, stderr: String::from_utf8_lossy(&said).into_owned() })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_speak_before_it_reads_and_after() {
        let input = vec![b'x'; 1 << 20];
        let mut cat = Command::new("sh");
        cat.args(["-c", "head -c 300000 /dev/zero >&2; cat; exit 3"]).stderr(Stdio::piped());
        let ran = run(&mut cat, &input, 1 << 24).unwrap();
        assert_eq!(*ran.stdout, input);
        assert_eq!((ran.stderr.len(), ran.status.code()), (300_000, Some(3)));
    }

    #[test]
    fn a_program_may_ignore_its_input_and_say_too_much() {
        let input = vec![b'x'; 1 << 20];
        let ran = run(Command::new("sh").args(["-c", "exec yes"]), &input, 1000).unwrap();
        assert_eq!(ran.stdout.len(), 1000);
        assert!(!ran.status.success());
    }
}
