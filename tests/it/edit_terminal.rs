//! `edit` in a real terminal: real editors, the prompt, signals, job control.

use crate::builder::leafcrypt;
use crate::edit::Edit;
use crate::terminal::Terminal;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The settings of somebody who wants all that vim can keep, and wants it in the home folder.
const VIMRC: &str = "set nocompatible undofile undodir=~/.vim directory=~/.vim backup backupdir=~/.vim viminfo='100,<50 updatecount=1\n";

impl Edit {
    /// Starts `leafcrypt LINE` in a terminal.
    pub(crate) fn start(&self, line: &str) -> Terminal {
        Terminal::start(&self.test.command(leafcrypt(), line))
    }

    /// Starts a shell that runs `script`, in which `$leafcrypt` is the program.
    fn shell(&self, script: &str) -> Terminal {
        let mut command = self.test.command(Path::new("sh"), "");
        command.env("leafcrypt", leafcrypt()).args(["-c", script]);
        Terminal::start(&command)
    }

    /// The files of the home folder that hold plaintext.
    fn leaks(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.test.home(), self.test.path("")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).contains("hunter") {
                    found.push(entry.path());
                }
            }
        }
        found
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        assert_eq!(self.left(), Vec::<PathBuf>::new(), "plaintext in memory");
        assert_eq!(self.leaks(), Vec::<PathBuf>::new(), "plaintext on the disk");
    }
}

fn need(program: &str) {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    assert!(found.status.success(), "{program} is missing; hint: apt-get install {program}");
}

fn with_vim() -> Edit {
    need("vim");
    let edit = Edit::new().env("EDITOR", "vim");
    std::fs::create_dir(edit.test.home().join(".vim")).unwrap();
    std::fs::write(edit.test.home().join(".vimrc"), VIMRC).unwrap();
    edit
}

#[test]
fn vim_saves_and_keeps_no_copy() {
    let edit = with_vim();
    let mut terminal = edit.start("edit a.yaml");
    // Yanked, deleted, saved twice and piped through a filter: each of them makes copies.
    terminal.expect("hunter2").send("Gonew: hunter3\x1byyp").expect("hunter3").send("dd:w\r").expect("written");
    terminal.send(":%!cat\r").expect("filtered").send("\r:wq\r");
    let (status, shown) = terminal.end();
    assert!(status.success(), "{shown}");
    edit.nothing_is_left();
    assert!(edit.decrypted().ends_with("\nnew: hunter3\n"), "{}", edit.decrypted());
}

/// What the check above looks for is there when vim is not told what to leave alone.
#[test]
fn vim_behind_another_name_keeps_copies() {
    let edit = with_vim().editor("exec vim \"$@\"");
    let mut terminal = edit.start("edit a.yaml");
    terminal.expect("hunter2").send("Gonew: hunter3\x1byy:wq\r");
    assert!(terminal.end().0.success());
    let leaks = edit.leaks();
    assert!(leaks.len() > 1 && leaks.iter().any(|file| file.ends_with(".viminfo")), "{leaks:?}");
}

#[test]
fn nano_saves_and_keeps_no_copy() {
    need("nano");
    let edit = Edit::new().env("EDITOR", "nano -B");
    let mut terminal = edit.start("edit a.yaml");
    terminal.expect("hunter2").send("new: hunter3\r\x0f").expect("Write").send("\r").expect("Wrote").send("\x18");
    let (status, shown) = terminal.end();
    assert!(status.success(), "{shown}");
    edit.nothing_is_left();
    assert!(edit.decrypted().starts_with("new: hunter3\n"), "{}", edit.decrypted());
}

/// nano puts beside the file what was not saved, and then leafcrypt what nano put there into a draft.
#[test]
fn what_nano_rescues_is_a_draft() {
    need("nano");
    for (signal, number) in [(Signal::TERM, 15), (Signal::HUP, 1)] {
        let edit = Edit::new().env("EDITOR", "nano");
        let mut terminal = edit.start("edit a.yaml");
        terminal.expect("hunter2").send("new: hunter3\r").expect("hunter3").signal(signal);
        let (status, shown) = terminal.end();
        assert_eq!(status.signal(), Some(number), "{shown}");
        assert!(edit.draft_text().starts_with("new: hunter3\n"), "{}", edit.draft_text());
        edit.nothing_is_left();
    }
}

/// An editor that makes a mistake at first and puts it right when it sees it.
const SECOND_TRY: &str = "if grep -q '^bad' \"$file\"; then sed -i 's/^bad.*/good: 1/' \"$file\"; \
                          else echo 'bad: [' >> \"$file\"; fi";

#[test]
fn a_mistake_is_shown_and_the_same_text_opened_again() {
    let edit = Edit::new().editor(SECOND_TRY);
    let mut terminal = edit.start("edit a.yaml");
    terminal.expect("error:").expect("a.yaml (as edited):9:6").expect("bad: [").expect("Press Enter").send("what?\r");
    terminal.expect("Press Enter").send("\r");
    let (status, shown) = terminal.end();
    assert!(status.success(), "{shown}");
    edit.nothing_is_left();
    assert!(edit.decrypted().ends_with("\ngood: 1\n"));
    assert!(edit.drafts().is_empty());
}

#[test]
fn whoever_gives_up_has_a_draft() {
    // By a word, by the end of the input, and by a key.
    for (keys, code, signal) in [("q\r", Some(1), None), ("\x04", Some(1), None), ("\x03", None, Some(2))] {
        let edit = Edit::new().editor(SECOND_TRY);
        let before = edit.test.read("a.yaml");
        let mut terminal = edit.start("edit a.yaml");
        terminal.expect("Press Enter").send(keys);
        let (status, shown) = terminal.end();
        assert_eq!((status.code(), status.signal()), (code, signal), "{keys:?}: {shown}");
        assert!(shown.contains(&format!("leafcrypt edit --draft {} a.yaml", edit.draft())), "{shown}");
        assert!(edit.draft_text().ends_with("\nbad: [\n"));
        assert_eq!(edit.test.read("a.yaml"), before);
        edit.nothing_is_left();
    }
}

#[test]
fn a_key_for_the_editor_is_the_editors() {
    let edit = Edit::new().editor(
        "trap 'caught=1' INT QUIT; echo ready; while [ -z \"$caught\" ]; do sleep 0.05; done; sed -i s/hunter2/hunter3/ \"$file\"",
    );
    for key in ["\x03", "\x1c"] {
        let mut terminal = edit.start("edit a.yaml");
        terminal.expect("ready").send(key);
        let (status, shown) = terminal.end();
        assert!(status.code().is_some_and(|code| code == 0 || code == 200), "{status}: {shown}");
        assert!(edit.decrypted().contains("hunter3"));
        edit.nothing_is_left();
    }
}

#[test]
fn a_key_that_ends_the_editor_ends_us() {
    let edit = Edit::new().editor("sed -i s/hunter2/hunter3/ \"$file\"; echo ready; exec sleep 60");
    let before = edit.test.read("a.yaml");
    let mut terminal = edit.start("edit a.yaml");
    terminal.expect("ready").send("\x03");
    let (status, shown) = terminal.end();
    assert_eq!(status.signal(), Some(2), "{shown}");
    assert_eq!(edit.test.read("a.yaml"), before);
    assert!(edit.draft_text().contains("hunter3"));
    edit.nothing_is_left();
}

#[test]
fn signals_end_the_editor_and_leave_nothing() {
    for (signal, number) in [(Signal::TERM, 15), (Signal::HUP, 1)] {
        let edit = with_vim();
        let before = edit.test.read("a.yaml");
        let mut terminal = edit.start("edit a.yaml");
        terminal.expect("hunter2").send("Gonew: hunter3\x1b:w\r").expect("written").signal(signal);
        let (status, shown) = terminal.end();
        assert_eq!(status.signal(), Some(number), "{shown}");
        assert_eq!(edit.test.read("a.yaml"), before);
        assert!(edit.draft_text().ends_with("\nnew: hunter3\n"), "{}", edit.draft_text());
        edit.nothing_is_left();
    }
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let edit = Edit::new().editor(&format!("kill -{signal} $PPID; exec sleep 60"));
        let mut terminal = edit.shell("$leafcrypt edit a.yaml; echo code=$?.");
        terminal.expect(&format!("code={code}."));
        terminal.end();
        edit.nothing_is_left();
    }
}

#[test]
fn an_interrupt_that_no_key_sent_ends_the_editor() {
    let edit = Edit::new().editor("echo ready; exec sleep 60");
    let mut terminal = edit.start("edit a.yaml");
    terminal.expect("ready").signal(Signal::INT);
    let (status, shown) = terminal.end();
    assert_eq!(status.signal(), Some(2), "{shown}");
    assert!(edit.drafts().is_empty());
    edit.nothing_is_left();
}

#[test]
fn an_editor_that_does_not_end_is_killed() {
    let edit = Edit::new().editor("trap '' TERM HUP INT; echo ready; while :; do sleep 0.1; done");
    let mut terminal = edit.start("edit a.yaml");
    terminal.expect("ready").signal(Signal::TERM);
    let (status, shown) = terminal.end();
    assert_eq!(status.signal(), Some(15), "{shown}");
    edit.nothing_is_left();
}

#[test]
fn a_closed_window_leaves_nothing() {
    let edit = with_vim();
    let mut terminal = edit.start("edit a.yaml");
    terminal.expect("hunter2").send("Gonew: hunter3\x1b:w\r").expect("written").hang_up();
    let (status, _) = terminal.end();
    assert_eq!(status.signal(), Some(1));
    assert!(edit.draft_text().ends_with("\nnew: hunter3\n"));
    edit.nothing_is_left();
}

#[test]
fn what_a_kill_leaves_is_swept_by_the_next_run() {
    let edit = with_vim();
    let mut terminal = edit.start("edit a.yaml");
    terminal.expect("hunter2").signal(Signal::KILL);
    terminal.hang_up();
    let (status, _) = terminal.end();
    assert_eq!(status.signal(), Some(9));
    assert_eq!(edit.left().len(), 1, "a killed process cannot clean up");
    let edit = edit.env("EDITOR", "true");
    edit.run("edit a.yaml").code(200);
    edit.nothing_is_left();
}

#[test]
fn an_edit_is_stopped_and_continued_as_a_job() {
    need("bash");
    let edit = with_vim();
    let mut command = edit.test.command(Path::new("bash"), "--norc -i");
    command.env("leafcrypt", leafcrypt()).env("PS1", "$ ");
    let mut terminal = Terminal::start(&command);
    terminal.send("$leafcrypt edit a.yaml\r").expect("hunter2").send("\x1a").expect("Stopped");
    terminal.send("echo still here: $((1 + 1))\r").expect("still here: 2").send("fg\r").expect("hunter2");
    terminal.send("Gonew: hunter3\x1b:wq\r").expect("$ ").send("echo code=$?.\r").expect("code=0.").send("exit\r");
    terminal.end();
    assert!(edit.decrypted().ends_with("\nnew: hunter3\n"));
    edit.nothing_is_left();

    // A child that stops alone: the shell must see that the job is stopped.
    let edit = Edit::new().editor("echo ready; kill -STOP $$; echo continued");
    let mut command = edit.test.command(Path::new("bash"), "--norc -i");
    command.env("leafcrypt", leafcrypt()).env("PS1", "$ ");
    let mut terminal = Terminal::start(&command);
    terminal.send("$leafcrypt edit a.yaml\r").expect("ready").expect("Stopped").send("fg\r").expect("continued");
    terminal.expect("as it was").send("exit\r");
    terminal.end();
}

#[test]
fn the_terminal_is_as_before_when_an_editor_crashes() {
    need("bash");
    for script in [
        "stty raw -echo; kill -9 $$",
        // It gives the terminal to a group of its own, and dies.
        "exec bash -c 'set -m; sh -c \"stty raw -echo; kill -9 \\$PPID; sleep 0.1\"; true'",
    ] {
        let edit = Edit::new().editor(script);
        let mut terminal = edit.shell("stty > before; $leafcrypt edit a.yaml; stty > after; stty sane; echo done");
        terminal.expect("the editor failed").expect("done");
        terminal.end();
        assert_eq!(edit.test.read("before"), edit.test.read("after"), "{script}");
    }
}
