//! Talking to a plugin.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{env, io};

use age_core::format::Stanza;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::key::Environment;
use crate::key::stanza::printable;
use crate::sys;

/// The width of the lines of a stanza's body; a shorter one ends it.
const WIDTH: usize = 64;
/// Longer than any line or body of a sane plugin.
const LONGEST: usize = 1 << 20;
/// So much of what a plugin says on its standard error is kept for a message.
const COMPLAINT: u64 = 2000;
/// So long a plugin may take to end.
const GRACE: Duration = Duration::from_millis(500);
/// So long a plugin may be silent before the user is told what is waited for: it may want to be touched.
const PATIENCE: Duration = Duration::from_secs(5);

/// A plugin that was started. It is told to end, and waited for, when this is dropped.
pub(super) struct Connection {
    program: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    complaint: Option<JoinHandle<String>>,
    errors: Vec<String>,
    /// Whether it has said something to the user already.
    spoken: Arc<AtomicBool>,
    /// Dropped with this, which ends the thread that waits to say what is waited for.
    _waiting: Sender<()>,
}

impl Connection {
    /// Starts the plugin.
    ///
    /// # Errors
    /// When there is no such program.
    pub(super) fn open(name: &str, machine: &str, environment: &Environment) -> Result<Self, String> {
        let program = format!("age-plugin-{name}");
        let child = sys::command(program.as_ref(), environment).and_then(|mut command| {
            command
                .arg(format!("--age-plugin={machine}"))
                // As age does it, so that none comes to rely on the folder it is started in.
                .current_dir(env::temp_dir())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        });
        let mut child = child.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("the program {program} is not installed"),
            _ => format!("{program} cannot be started: {error}"),
        })?;
        let (input, Some(output)) = (child.stdin.take(), child.stdout.take()) else { unreachable!("they are piped") };
        let complaint = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = stderr.by_ref().take(COMPLAINT).read_to_end(&mut text);
                // What is beyond is read all the same, so that the plugin does not wait for us.
                let _ = io::copy(&mut stderr, &mut io::sink());
                String::from_utf8_lossy(&text).trim().to_owned()
            })
        });
        let spoken = Arc::new(AtomicBool::new(false));
        let waiting = say_when_waiting(program.clone(), Arc::clone(&spoken));
        let output = BufReader::new(output);
        Ok(Connection { program, child, input, output, complaint, errors: Vec::new(), spoken, _waiting: waiting })
    }

    /// The program's name.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// What the plugin complained about, one line each.
    pub(super) fn errors(&mut self) -> Vec<String> {
        std::mem::take(&mut self.errors)
    }

    /// Sends a stanza.
    ///
    /// # Errors
    /// When the plugin is gone.
    pub(super) fn send(&mut self, tag: &str, args: &[&str], body: &[u8]) -> Result<(), String> {
        let mut text = Zeroizing::new(String::with_capacity(256 + 2 * body.len()));
        text.push_str("-> ");
        text.push_str(tag);
        for arg in args {
            text.push(' ');
            text.push_str(arg);
        }
        let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(body));
        let mut rest = encoded.as_str();
        loop {
            let (line, after) = rest.split_at(rest.len().min(WIDTH));
            text.push('\n');
            text.push_str(line);
            // A full line is followed by another, be it an empty one.
            if line.len() < WIDTH {
                break;
            }
            rest = after;
        }
        text.push('\n');
        let sent = self.input.as_mut().map(|input| input.write_all(text.as_bytes()).and_then(|()| input.flush()));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.died()),
        }
    }

    /// The next command that is not for the user; `None` when the plugin is done.
    ///
    /// # Errors
    /// When the plugin ends before its time, or does not keep to the protocol.
    pub(super) fn command(&mut self) -> Result<Option<Stanza>, String> {
        loop {
            let command = self.receive()?;
            match command.tag.as_str() {
                "done" => return Ok(None),
                "msg" => {
                    self.spoken.store(true, Ordering::Relaxed);
                    sys::tell(&format!("{}: {}", self.program, shown(&command.body)));
                    self.send("ok", &[], &[])?;
                }
                "confirm" => self.confirm(&command)?,
                "request-public" => {
                    let answer = self.question(&command, |question| sys::ask_line(question).ok());
                    match answer {
                        Some(text) => self.send("ok", &[], text.as_bytes())?,
                        None => self.send("fail", &[], &[])?,
                    }
                }
                "request-secret" => {
                    let answer = self.question(&command, |question| sys::ask_secret(question).ok());
                    match answer {
                        Some(secret) => self.send("ok", &[], secret.expose())?,
                        None => self.send("fail", &[], &[])?,
                    }
                }
                "error" => {
                    self.errors.push(format!("{}: {}", self.program, shown(&command.body)));
                    self.send("ok", &[], &[])?;
                }
                _ => return Ok(Some(command)),
            }
        }
    }

    /// Answers a command that nobody here knows; the protocol wants us to.
    ///
    /// # Errors
    /// When the plugin is gone.
    pub(super) fn unknown(&mut self) -> Result<(), String> {
        self.send("unsupported", &[], &[])
    }

    fn question<T>(&mut self, command: &Stanza, ask: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.spoken.store(true, Ordering::Relaxed);
        ask(&format!("{}: {}: ", self.program, shown(&command.body)))
    }

    fn confirm(&mut self, command: &Stanza) -> Result<(), String> {
        let choice = |at: usize| command.args.get(at).and_then(|arg| STANDARD_NO_PAD.decode(arg).ok());
        let choices: Vec<String> = [choice(0), choice(1)].into_iter().flatten().map(|text| shown(&text)).collect();
        let options = match &choices[..] {
            [yes, no] => format!("[y: {yes}, n: {no}]"),
            [yes] => format!("[y: {yes}]"),
            _ => "[y, n]".to_owned(),
        };
        let message = shown(&command.body);
        self.spoken.store(true, Ordering::Relaxed);
        loop {
            let question = format!("{}: {message} {options} ", self.program);
            let Ok(answer) = sys::ask_line(&question) else { return self.send("fail", &[], &[]) };
            match answer.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" | "1" => return self.send("ok", &["yes"], &[]),
                "n" | "no" | "2" => return self.send("ok", &["no"], &[]),
                _ => {}
            }
        }
    }

    fn receive(&mut self) -> Result<Stanza, String> {
        let line = self.line()?;
        let Some(head) = line.strip_prefix("-> ") else { return Err(self.strange()) };
        let mut words = head.split(' ').map(str::to_owned);
        let (tag, args) = (words.next().unwrap_or_default(), words.collect());
        let mut encoded = Zeroizing::new(String::new());
        loop {
            let line = self.line()?;
            if line.len() > WIDTH || encoded.len() > LONGEST {
                return Err(self.strange());
            }
            encoded.push_str(&line);
            if line.len() < WIDTH {
                break;
            }
        }
        let body = STANDARD_NO_PAD.decode(encoded.as_bytes()).map_err(|_| self.strange())?;
        Ok(Stanza { tag, args, body })
    }

    /// The next line, without its end.
    fn line(&mut self) -> Result<Zeroizing<String>, String> {
        let mut line = Zeroizing::new(String::with_capacity(WIDTH + 1));
        match self.output.by_ref().take(LONGEST as u64).read_line(&mut line) {
            Ok(1..) if line.ends_with('\n') => {
                line.pop();
                Ok(line)
            }
            Ok(_) if line.len() < LONGEST => Err(self.died()),
            _ => Err(self.strange()),
        }
    }

    fn strange(&mut self) -> String {
        format!("{} does not speak the protocol of age plugins", self.program)
    }

    /// Why the plugin is gone, as far as it says.
    fn died(&mut self) -> String {
        let ended = self.end();
        let complaint = self.complaint.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let mut errors = self.errors();
        errors.push(format!("{} ended before its time ({ended})", self.program));
        errors.extend(complaint.lines().map(|line| format!("{}: {}", self.program, printable(line))));
        errors.join("; ")
    }
}

impl Connection {
    /// Ends the plugin. One that has said "done" does so by itself; one that still works on other files is not
    /// needed any more, and gets some time to let go of its hardware.
    fn end(&mut self) -> String {
        drop(self.input.take());
        let end = Instant::now() + GRACE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        self.child.wait().map(|status| status.to_string()).unwrap_or_default()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a plugin wrote for people.
fn shown(text: &[u8]) -> String {
    printable(String::from_utf8_lossy(text).trim())
}

/// Tells the user what is waited for, unless the plugin does so itself or is quick.
fn say_when_waiting(program: String, spoken: Arc<AtomicBool>) -> Sender<()> {
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        if end.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) && !spoken.load(Ordering::Relaxed) {
            sys::tell(&format!("waiting for {program}"));
        }
    });
    ended
}
