//! A program in a real terminal (a pty) of its own, as a person uses it.

use pty_process::blocking::{Command, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// Longer than anything takes on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program, the leader of its session, and what it has shown.
pub(crate) struct Terminal {
    pty: Option<Pty>,
    child: Child,
    shown: String,
    /// How much of it was waited for.
    seen: usize,
}

impl Terminal {
    /// Starts `command` in a terminal of 100 columns and 30 lines.
    pub(crate) fn start(command: &std::process::Command) -> Self {
        let (pty, pts) = open().unwrap();
        pty.resize(pty_process::Size::new(30, 100)).unwrap();
        // Whoever runs the tests in the background has told them to ignore Ctrl-C, and so all that they start.
        let reset = Command::new("env").arg("--default-signal").arg(command.get_program());
        let mut started = reset.args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            started = started.env(name, value.unwrap());
        }
        if let Some(folder) = command.get_current_dir() {
            started = started.current_dir(folder);
        }
        let child = started.spawn(pts).unwrap();
        Terminal { pty: Some(pty), child, shown: String::new(), seen: 0 }
    }

    /// Waits until `text` is shown.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> &mut Self {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown[self.seen..].find(text) {
                self.seen += at + text.len();
                return self;
            }
            assert!(self.read(end), "{text:?} is not shown:\n{}", self.shown);
        }
    }

    /// Types.
    pub(crate) fn send(&mut self, keys: &str) -> &mut Self {
        self.pty.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Sends a signal to the program, and to none of its children.
    pub(crate) fn signal(&mut self, signal: Signal) -> &mut Self {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self
    }

    /// Closes the window.
    pub(crate) fn hang_up(&mut self) {
        self.pty = None;
    }

    /// Waits for the end of the program, and gives all that was shown.
    #[track_caller]
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let end = Instant::now() + PATIENCE;
        while self.read(end) {
            if let Some(status) = self.child.try_wait().unwrap() {
                while self.pty.is_some() && self.read(Instant::now()) {}
                return (status, std::mem::take(&mut self.shown));
            }
        }
        if let Ok(Some(status)) = self.child.try_wait() {
            return (status, std::mem::take(&mut self.shown));
        }
        panic!("the program does not end:\n{}", self.shown);
    }

    /// Reads something, or waits a little; false when there is no time left.
    fn read(&mut self, end: Instant) -> bool {
        let Some(pty) = &mut self.pty else {
            std::thread::sleep(Duration::from_millis(20));
            return Instant::now() < end;
        };
        let left = end.saturating_duration_since(Instant::now()).min(Duration::from_millis(100));
        let time = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        if poll(&mut [PollFd::new(&*pty, PollFlags::IN)], Some(&time)).unwrap_or(0) == 0 {
            return Instant::now() < end;
        }
        let mut bytes = [0; 4096];
        match pty.read(&mut bytes) {
            Ok(count) => self.shown.push_str(&String::from_utf8_lossy(&bytes[..count])),
            // All programs of the terminal have ended.
            Err(_) => self.pty = None,
        }
        true
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
