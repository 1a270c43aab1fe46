//! Programs that are run in the foreground, and the signals that arrive meanwhile.
//!
//! Owns: waiting for a child without losing a signal, handing signals on to it, job control, and a terminal
//! that is as before when the child is gone. Must not know: what the child is for.
//!
//! The rule: whoever has plaintext lying about does not die of a signal; it is told by [`Signals`], cleans up,
//! and then dies of the same signal ([`Signals::end_by`]), so that a shell sees what happened.
//!
//! Who sent a signal decides what it means while a child runs. What the terminal sends for a key (Ctrl-C, Ctrl-\)
//! goes to the child as well, and is the child's affair: to an editor it may be a command. Signals that a
//! process sends (`kill`, a supervisor), and all SIGTERM and SIGHUP, ask to end: they are handed on, and a child that does not end
//! within [`GRACE`] is killed. But where this program is only a wrapper ([`Signals::hand_on`]), the signals are the child's affair
//! altogether: it gets SIGUSR1 and SIGUSR2 as well, and takes as long as it likes.

use std::io;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::Duration;

/// How long a child may take to end after it was asked to: long enough for an editor to save its files, and
/// shorter than what supervisors wait before they kill.
const GRACE: Duration = Duration::from_secs(5);

/// A signal that asks a process to end, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(i32);

impl Signal {
    /// The exit code that a shell shows for a process that died of it: 128 and its number.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        u8::try_from(128 + self.0).unwrap_or(u8::MAX)
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// What the child has to say.
    pub status: ExitStatus,
    /// The signal that asked this process to end meanwhile.
    pub asked: Option<Signal>,
}

impl Ended {
    /// The signal of which this process should die too: it was asked to end, or somebody pressed Ctrl-C and the
    /// child died of that.
    #[must_use]
    pub fn interrupted(&self) -> Option<Signal> {
        self.asked.or_else(|| platform::died_of_key(self.status))
    }

    /// The signal of which the child died.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        platform::signal(self.status)
    }

    /// The exit code that a shell would show for the child.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        platform::exit_code(self.status)
    }
}

/// What came first at a prompt.
pub enum Answer {
    /// A line, without its end.
    Line(String),
    /// The end of the input: nobody is there any more.
    End,
    /// A signal that asks this process to end.
    Signal(Signal),
}

pub use platform::Signals;

impl Signals {
    /// Runs `command` in the foreground to its end. It shares the terminal and the process group of this process, so that job
    /// control is as if it ran alone.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&mut self, command: &mut Command) -> io::Result<Ended> {
        let terminal = platform::Terminal::of_process();
        self.asked(); // what arrives from here on may have reached the child as well
        let mut child = command.spawn()?;
        self.wait_at(&mut child, terminal)
    }

    /// Waits for a child that runs in the foreground, as [`Self::run`] does.
    ///
    /// # Errors
    /// When it is no child of this process, or was waited for already.
    pub fn wait(&mut self, child: &mut Child) -> io::Result<Ended> {
        self.wait_at(child, platform::Terminal::of_process())
    }

    /// Dies of `signal`, so that whoever started this process sees what happened; the exit code is for
    /// where that is not possible.
    #[must_use]
    pub fn end_by(signal: Signal) -> ExitCode {
        platform::die_of(signal.0);
        ExitCode::from(signal.exit_code())
    }
}

#[cfg(unix)]
mod platform {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fd::{AsFd, OwnedFd};
    use rustix::io::Errno;
    use rustix::pipe::{PipeFlags, pipe_with};
    use rustix::process::{Pid, WaitOptions, getpgrp, kill_process, waitpid};
    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp};
    use std::os::unix::process::ExitStatusExt;
    use std::time::Instant;

    /// Those that ask to end.
    const ASKING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];
    /// Those that mean something to the child alone.
    const FOR_CHILD: [i32; 2] = [libc::SIGUSR1, libc::SIGUSR2];
    /// Those that a key of the terminal sends, to all processes of the foreground.
    const KEYS: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];

    /// Catches the signals that ask this process to end, from when it is made until it is dropped. After
    /// that they are ignored, so the process should end soon. A signal that was ignored when the process began stays ignored (`nohup`).
    pub struct Signals {
        /// Gets two bytes for each signal: its number, and whether a process sent it.
        caught: OwnedFd,
        handlers: Vec<signal_hook_registry::SigId>,
        asked: Option<Signal>,
        /// How long a child may take to end after it was asked to.
        grace: Option<Duration>,
    }

    impl Drop for Signals {
        fn drop(&mut self) {
            for &handler in &self.handlers {
                signal_hook_registry::unregister(handler);
            }
        }
    }

    enum Event {
        Signal { number: i32, sent: bool },
        Ready,
        TimedOut,
    }

    impl Signals {
        /// Begins.
        ///
        /// # Errors
        /// When the system refuses.
        pub fn catch() -> io::Result<Self> {
            Self::begin(&ASKING, Some(GRACE))
        }

        /// Begins, for a child that is to have all signals as if it ran alone, and all the time it takes.
        ///
        /// # Errors
        /// When the system refuses.
        pub fn hand_on() -> io::Result<Self> {
            Self::begin(&[ASKING.as_slice(), &FOR_CHILD].concat(), None)
        }

        fn begin(wanted: &[i32], grace: Option<Duration>) -> io::Result<Self> {
            let (caught, notes) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
            let notes = std::sync::Arc::new(notes);
            let mut signals = Signals { caught, handlers: Vec::new(), asked: None, grace };
            let wanted = wanted.iter().copied().filter(|&number| !is_ignored(number));
            for number in wanted.chain([libc::SIGCHLD, libc::SIGCONT]) {
                let notes = std::sync::Arc::clone(&notes);
                let action = move |facts: &libc::siginfo_t| {
                    // A full pipe has news enough.
                    let _ = rustix::io::write(&*notes, &[number as u8, u8::from(is_sent(facts.si_code))]);
                };
                // SAFETY: the action does nothing but write(2), which is safe in a handler; the pipe lives as long as the action.
                #[allow(unsafe_code)]
                let handler = unsafe { signal_hook_registry::register_sigaction(number, action) }?;
                signals.handlers.push(handler);
            }
            Ok(signals)
        }

        /// The signal that has asked this process to end so far, if any.
        pub fn asked(&mut self) -> Option<Signal> {
            while let Ok(Event::Signal { number, .. }) = self.next(None, Some(Duration::ZERO)) {
                self.note(number);
            }
            self.asked
        }

        /// Waits for a signal that asks this process to end.
        ///
        /// # Errors
        /// When the system refuses.
        pub fn wait_for_end(&mut self) -> io::Result<Signal> {
            loop {
                if let Some(signal) = self.asked {
                    return Ok(signal);
                }
                if let Event::Signal { number, .. } = self.next(None, None)? {
                    self.note(number);
                }
            }
        }

        /// Takes up what arrived together with the end of a child: the system may tell of that end first.
        fn asked_with_child(&mut self) -> Option<Signal> {
            while let Ok(Event::Signal { number, sent }) = self.next(None, Some(Duration::ZERO)) {
                if sent || !KEYS.contains(&number) {
                    self.note(number);
                }
            }
            self.asked
        }

        /// Waits for a line of the standard input or a signal.
        ///
        /// # Errors
        /// When the standard input cannot be read.
        pub fn read_line(&mut self) -> io::Result<Answer> {
            let stdin = io::stdin();
            while self.asked().is_none() {
                match self.next(Some(stdin.as_fd()), None)? {
                    Event::Signal { number, .. } => self.note(number),
                    Event::TimedOut => {}
                    Event::Ready => {
                        let mut line = String::new();
                        let end = stdin.read_line(&mut line)? == 0;
                        return Ok(if end { Answer::End } else { Answer::Line(line.trim_end().to_owned()) });
                    }
                }
            }
            Ok(self.asked.map_or(Answer::End, Answer::Signal))
        }

        fn note(&mut self, number: i32) {
            if ASKING.contains(&number) {
                self.asked.get_or_insert(Signal(number));
            }
        }

        pub(super) fn wait_at(&mut self, child: &mut Child, terminal: Option<Terminal>) -> io::Result<Ended> {
            let pid = Pid::from_child(child);
            let mut deadline: Option<Instant> = None;
            let send = |number| {
                if let Some(signal) = rustix::process::Signal::from_named_raw(number) {
                    let _ = kill_process(pid, signal); // it may have ended
                }
            };
            if let Some(signal) = self.asked {
                send(signal.0);
                deadline = self.grace.map(|grace| Instant::now() + grace);
            }
            let mut continued = false;
            loop {
                match retry(|| waitpid(Some(pid), WaitOptions::NOHANG | WaitOptions::UNTRACED))? {
                    Some((_, status)) if status.stopped() => {
                        // What stopped the child did not stop us, so the shell knows nothing of it yet. But if
                        // we were stopped with it and continued since, the child will be in a moment.
                        if !continued {
                            let _ = kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
                        }
                        send(libc::SIGCONT);
                    }
                    Some((_, status)) => {
                        let status = ExitStatus::from_raw(status.as_raw());
                        if let Some(terminal) = terminal {
                            terminal.restore(status.signal().is_some());
                        }
                        return Ok(Ended { status, asked: self.asked_with_child() });
                    }
                    None => {}
                }
                continued = false;
                match self.next(None, deadline.map(|at| at.saturating_duration_since(Instant::now())))? {
                    Event::Signal { number, sent: false } if KEYS.contains(&number) => {}
                    Event::Signal { number, .. } if ASKING.contains(&number) => {
                        self.note(number);
                        send(number);
                        deadline = deadline.or(self.grace.map(|grace| Instant::now() + grace));
                    }
                    Event::Signal { number, .. } if FOR_CHILD.contains(&number) => send(number),
                    Event::Signal { number: libc::SIGCONT, .. } => {
                        continued = true;
                        send(libc::SIGCONT);
                    }
                    Event::TimedOut => {
                        send(libc::SIGKILL);
                        deadline = None;
                    }
                    Event::Signal { .. } | Event::Ready => {}
                }
            }
        }

        /// Waits for the next signal, for something to read from `input`, or for the time to be over.
        fn next(&self, input: Option<rustix::fd::BorrowedFd<'_>>, time: Option<Duration>) -> io::Result<Event> {
            let mut sources = vec![PollFd::new(&self.caught, PollFlags::IN)];
            sources.extend(input.map(|input| PollFd::from_borrowed_fd(input, PollFlags::IN)));
            let time =
                time.map(|time| Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) });
            if retry(|| poll(&mut sources, time.as_ref()))? == 0 {
                return Ok(Event::TimedOut);
            }
            let mut note = [0; 2];
            match rustix::io::read(&self.caught, &mut note) {
                Ok(_) => Ok(Event::Signal { number: note[0].into(), sent: note[1] != 0 }),
                Err(_) => Ok(Event::Ready),
            }
        }
    }

    fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
        loop {
            match call() {
                Err(Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }

    /// Whether a process sent a signal with this code; otherwise the system did, for the terminal say.
    fn is_sent(code: i32) -> bool {
        if cfg!(any(target_os = "linux", target_os = "android")) { code <= 0 } else { code == libc::SI_USER }
    }

    fn is_ignored(number: i32) -> bool {
        let mut old = std::mem::MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: without a new action the call only writes the old one, which is read only when it did.
        #[allow(unsafe_code)]
        unsafe {
            libc::sigaction(number, std::ptr::null(), old.as_mut_ptr()) == 0
                && old.assume_init().sa_sigaction == libc::SIG_IGN
        }
    }

    pub(super) fn die_of(number: i32) {
        // SAFETY: the default action is no function of ours, and nothing of this process is in use behind it.
        #[allow(unsafe_code)]
        unsafe {
            libc::signal(number, libc::SIG_DFL);
            libc::raise(number);
        }
    }

    pub(super) fn died_of_key(status: ExitStatus) -> Option<Signal> {
        status.signal().filter(|number| KEYS.contains(number)).map(Signal)
    }

    pub(super) fn signal(status: ExitStatus) -> Option<Signal> {
        status.signal().map(Signal)
    }

    pub(super) fn exit_code(status: ExitStatus) -> u8 {
        let code = status.code().or_else(|| Some(128 + status.signal()?));
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }

    /// The terminal as it was before a child got it.
    pub(super) struct Terminal {
        settings: Termios,
        group: Pid,
    }

    impl Terminal {
        /// The terminal of the standard input, if this process is in its foreground.
        pub(super) fn of_process() -> Option<Self> {
            let stdin = io::stdin();
            let group = tcgetpgrp(&stdin).ok().filter(|&group| group == getpgrp())?;
            Some(Terminal { settings: tcgetattr(&stdin).ok()?, group })
        }

        /// Comes back to the foreground if a child took it and did not give it back; `crashed` says that the child
        /// cannot have set the terminal back itself.
        fn restore(&self, crashed: bool) {
            let stdin = io::stdin();
            let taken = tcgetpgrp(&stdin).is_ok_and(|group| group != self.group);
            if !taken && !crashed {
                return;
            }
            with_blocked(libc::SIGTTOU, || {
                if taken {
                    let _ = tcsetpgrp(&stdin, self.group);
                }
                if crashed {
                    let _ = tcsetattr(&stdin, OptionalActions::Now, &self.settings);
                }
            });
        }
    }

    /// Does something that would stop a process of the background, were it not for a blocked signal.
    fn with_blocked(number: i32, action: impl FnOnce()) {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        let mut old = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset fills `set` before it is used, pthread_sigmask fills `old` before it is used.
        #[allow(unsafe_code)]
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), number);
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), old.as_mut_ptr());
            action();
            libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), std::ptr::null_mut());
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use super::*;

    /// Signals, where there are none.
    pub struct Signals(());

    impl Signals {
        /// Begins.
        ///
        /// # Errors
        /// None.
        pub fn catch() -> io::Result<Self> {
            Ok(Signals(()))
        }

        /// Begins.
        ///
        /// # Errors
        /// None.
        pub fn hand_on() -> io::Result<Self> {
            Ok(Signals(()))
        }

        /// None.
        pub fn asked(&mut self) -> Option<Signal> {
            None
        }

        /// Waits for ever: what ends this process here ends it at once.
        ///
        /// # Errors
        /// None.
        pub fn wait_for_end(&mut self) -> io::Result<Signal> {
            loop {
                std::thread::park();
            }
        }

        /// Waits for a line of the standard input.
        ///
        /// # Errors
        /// When the standard input cannot be read.
        pub fn read_line(&mut self) -> io::Result<Answer> {
            let mut line = String::new();
            let end = io::stdin().read_line(&mut line)? == 0;
            Ok(if end { Answer::End } else { Answer::Line(line.trim_end().to_owned()) })
        }

        pub(super) fn wait_at(&mut self, child: &mut Child, _terminal: Option<Terminal>) -> io::Result<Ended> {
            Ok(Ended { status: child.wait()?, asked: None })
        }
    }

    pub(super) struct Terminal;

    impl Terminal {
        pub(super) fn of_process() -> Option<Self> {
            None
        }
    }

    pub(super) fn die_of(_number: i32) {}

    pub(super) fn died_of_key(_status: ExitStatus) -> Option<Signal> {
        None
    }

    pub(super) fn signal(_status: ExitStatus) -> Option<Signal> {
        None
    }

    pub(super) fn exit_code(status: ExitStatus) -> u8 {
        status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// One test for all of it: signals are the whole process's.
    #[test]
    fn a_child_is_waited_for_whatever_arrives() {
        // Whoever runs the tests in the background of a script has told them to ignore Ctrl-C.
        // SAFETY: a default disposition has no handler that could misbehave.
        #[allow(unsafe_code)]
        unsafe {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
        }
        let mut signals = Signals::catch().unwrap();
        let ended = signals.run(&mut shell("exit 7")).unwrap();
        assert_eq!((ended.status.code(), ended.exit_code(), ended.interrupted()), (Some(7), 7, None));

        let ended = signals.run(&mut shell("kill -KILL $$")).unwrap();
        assert_eq!((ended.status.signal(), ended.exit_code(), ended.interrupted()), (Some(9), 137, None));

        // A child that died of Ctrl-C.
        let ended = signals.run(&mut shell("kill -INT $$")).unwrap();
        assert_eq!(ended.interrupted(), Some(Signal(2)));
        assert_eq!(signals.asked(), None);

        assert!(signals.run(&mut Command::new("/nowhere/editor")).is_err());

        // One of many children is waited for; the others stay.
        let mut other = shell("exit 3").spawn().unwrap();
        assert_eq!(signals.run(&mut shell("sleep 0.1")).unwrap().exit_code(), 0);
        assert_eq!(signals.wait(&mut other).unwrap().exit_code(), 3);

        // A signal from elsewhere is handed on, and what the child makes of it is waited for.
        let ended =
            signals.run(&mut shell("trap 'exit 5' TERM; kill -TERM $PPID; while :; do sleep 0.01; done")).unwrap();
        assert_eq!((ended.status.code(), ended.interrupted()), (Some(5), Some(Signal(15))));
        assert_eq!(signals.asked().map(Signal::exit_code), Some(143));
    }
}
