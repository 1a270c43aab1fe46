//! `exec-env`, `exec-file` and `exec-dir` in a real terminal: keys, prompts, job control, a closed window.

use crate::builder::leafcrypt;
use crate::exec::Exec;
use crate::terminal::Terminal;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

const COMMANDS: [&str; 4] = ["exec-env", "exec-file", "exec-file --no-fifo", "exec-dir"];

impl Exec {
    /// Starts `leafcrypt LINE` in a terminal.
    fn terminal(&self, line: &str) -> Terminal {
        Terminal::start(&self.test.command(leafcrypt(), line))
    }

    /// Starts a shell, in which `$leafcrypt` is the program.
    fn shell(&self, args: &[&str]) -> Terminal {
        let mut command = self.test.command(Path::new("bash"), "--norc");
        command.env("leafcrypt", leafcrypt()).env("PS1", "$ ").args(args);
        Terminal::start(&command)
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        assert_eq!(self.left(), Vec::<PathBuf>::new());
    }
}

/// The command gets the key once, from the terminal, and what it makes of it counts.
#[test]
fn a_key_is_the_commands() {
    let exec = Exec::new();
    for command in COMMANDS {
        for (key, signal) in [("\x03", "INT"), ("\x1c", "QUIT")] {
            let script = format!(
                "trap \"n=x\\$n\" {signal}; echo ready; while test -z \"$n\"; do sleep 0.05; done; sleep 0.3; echo \"got $n.\"; exit 7"
            );
            let mut terminal = exec.terminal(&format!("{command} a.yaml '{script}'"));
            terminal.expect("ready").send(key).expect("got x.");
            let (status, shown) = terminal.end();
            assert_eq!(status.code(), Some(7), "{command} {signal}: {shown}");
            exec.nothing_is_left();
        }
    }
}

/// A command that dies of the key takes leafcrypt with it, by the same signal: a script that runs it ends as well.
#[test]
fn a_key_that_ends_the_command_ends_the_script() {
    let exec = Exec::new();
    for command in COMMANDS.into_iter().chain(["exec-env --same-process"]) {
        let mut terminal =
            exec.shell(&["-c", &format!("$leafcrypt {command} a.yaml 'echo ready; exec sleep 60'; echo after")]);
        terminal.expect("ready").send("\x03");
        let (status, shown) = terminal.end();
        assert_eq!((status.signal(), shown.contains("after")), (Some(2), false), "{command}: {shown}");
        exec.nothing_is_left();
    }
}

#[test]
fn the_command_has_the_terminal() {
    let exec = Exec::new();
    for command in COMMANDS {
        let mut terminal = exec.terminal(&format!(
            "{command} a.yaml 'test -t 0 && test -t 1 && echo ready; read line; echo \"[$line]\"; stty size'"
        ));
        terminal.expect("ready").send("some words\r").expect("[some words]").expect("30 100");
        assert!(terminal.end().0.success());
    }
    // A program that takes the whole screen, and one that has jobs of its own.
    let mut terminal = exec.terminal("exec-file --no-fifo --filename a.yaml a.yaml -- vim -u NONE {}");
    terminal.expect("hunter2").send(":q\r");
    assert!(terminal.end().0.success());
    let mut terminal = exec.terminal("exec-env a.yaml 'PS1=inner: exec bash --norc -i'");
    terminal
        .expect("inner:")
        .send("sh -c \"echo \\$user; exec cat\"\r")
        .expect("\nadmin")
        .send("\x1a")
        .expect("Stopped")
        .expect("inner:");
    // Back to the job, which ends with its input; a shell does not leave stopped jobs behind at the first word.
    terminal.send("fg\r").expect("exec cat").send("\x04").expect("inner:").send("exit 5\r");
    assert_eq!(terminal.end().0.code(), Some(5));
    exec.nothing_is_left();
}

#[test]
fn a_command_is_stopped_and_continued_as_a_job() {
    let exec = Exec::new();
    for command in COMMANDS {
        let mut terminal = exec.shell(&["-i"]);
        // It does not read while it is being stopped: it could still get what is meant for the shell.
        let script = "echo begun; until test -e go; do sleep 0.05; done; rm go; exit 7";
        terminal
            .send(&format!("$leafcrypt {command} a.yaml '{script}'\r"))
            .expect("begun\r")
            .send("\x1a")
            .expect("Stopped")
            .expect("$ ");
        terminal.send("echo still here: $((1 + 1))\r").expect("still here: 2");
        assert_eq!(exec.left().len(), usize::from(command != "exec-env"), "{command}");
        terminal.send("touch go; fg; echo code=$?.\r").expect("code=7.");
        exec.nothing_is_left();
        terminal.send("exit\r");
        terminal.end();
    }
}

#[test]
fn a_closed_window_leaves_nothing() {
    let exec = Exec::new();
    for command in COMMANDS {
        let mut terminal = exec.terminal(&format!("{command} a.yaml 'echo ready; exec sleep 60'"));
        terminal.expect("ready").hang_up();
        assert_eq!(terminal.end().0.signal(), Some(1), "{command}");
        exec.nothing_is_left();
    }
}

/// What runs in the background does not have the terminal.
#[test]
fn the_background_is_no_matter_of_the_terminal() {
    let exec = Exec::new();
    let mut terminal = exec.shell(&["-i"]);
    let script = "until test -e go; do sleep 0.05; done; head -1 {} > out; mv out done";
    terminal.send(&format!("$leafcrypt exec-file --background a.yaml '{script}'; echo code=$?.\r")).expect("code=0.");
    // A shell that is not yet reading the line begins a new one only with the next.
    terminal.expect("$ ").send("\x03").expect("^C").send("\r").expect("$ ").send("exit\r");
    terminal.end();
    std::fs::write(exec.test.path("go"), "").unwrap();
    crate::exec::eventually("the command goes on", || exec.test.path("done").exists());
    assert_eq!(exec.test.read("done"), "user: admin\n");
    crate::exec::eventually("the file is gone", || exec.left().is_empty());
}
