//! What only somebody at a terminal sees: the question of `updatekeys`, colours, and the progress bar of many files.

use crate::builder::{Test, leafcrypt};
use crate::team::Team;
use crate::terminal::Terminal;

const RULES: &str = "creation_rules:\n  - age: '{0},{2}'\n";

fn start(test: &Test, line: &str) -> Terminal {
    let mut command = test.command(leafcrypt(), line);
    command.env("TERM", "xterm-256color");
    Terminal::start(&command)
}

/// Green for who comes, red for who goes; the question stands on the line where the answer is typed.
#[test]
fn the_plan_has_colours_and_the_answer_is_typed() {
    let team = Team::of(3).encrypted("--age {0},{1}", "a.yaml", "a: 1\n").rules(RULES);
    let before = team.read("a.yaml");
    let mut terminal = start(&team.test, "updatekeys a.yaml");
    terminal.expect("\u{1b}[4mGroup 1").expect("\u{1b}[32m+++ age age1").expect("\u{1b}[31m--- age age1");
    terminal.expect("Is this okay? (y/n): ").send("perhaps\r").expect("Is this okay? (y/n): ").send("n\r");
    let (status, _) = terminal.end();
    assert!(status.success());
    assert_eq!(team.read("a.yaml"), before);

    let mut terminal = start(&team.test, "updatekeys a.yaml");
    terminal.expect("(y/n): ").send("y\r").expect("a.yaml has its new recipients");
    assert!(terminal.end().0.success());
    assert_eq!(team.who_opens("a.yaml"), [0, 2]);
}

/// Whoever goes away, or interrupts, has not agreed.
#[test]
fn an_end_of_input_or_an_interrupt_is_no_yes() {
    let team = Team::of(3).encrypted("--age {0},{1}", "a.yaml", "a: 1\n").rules(RULES);
    let before = team.read("a.yaml");
    for (keys, code) in [("\u{4}", Some(1)), ("\u{3}", None)] {
        let mut terminal = start(&team.test, "updatekeys a.yaml");
        terminal.expect("(y/n): ").send(keys);
        assert_eq!(terminal.end().0.code(), code, "{keys:?}");
        assert_eq!(team.read("a.yaml"), before);
    }
    let mut terminal = start(&team.test, "updatekeys a.yaml");
    terminal.expect("(y/n): ").hang_up();
    assert!(!terminal.end().0.success());
    assert_eq!(team.read("a.yaml"), before);
}

/// The bar appears when the work takes a while, says how far it is, and is gone in the end.
#[test]
fn many_files_have_a_progress_bar() {
    let mut team = Team::of(3).rules(RULES);
    let names: Vec<String> = (0..9).map(|at| format!("f{at}.yaml")).collect();
    let text =
        team.test.run_with(&team.fill("encrypt --age {0},{1} --filename-override x.yaml"), "a: 1\n").code(0).text();
    for name in &names {
        team = team.file(name, &text);
    }
    // The key is slow to come, once for all files of a recipient.
    let keys = team.keys_of(&[0]);
    team.write("key.sh", &format!("#!/bin/sh\nsleep 1\necho {keys}\n"));
    let mut command = team.test.command(leafcrypt(), &format!("rotate -i {} missing.yaml", names.join(" ")));
    command.env("TERM", "xterm-256color").env("SOPS_AGE_KEY", "").env("SOPS_AGE_KEY_CMD", "sh key.sh");
    let mut terminal = Terminal::start(&command);
    terminal.expect("Rotating ").expect(" of 10 files").expect("error:").expect("there is no file missing.yaml");
    let (status, shown) = terminal.end();
    assert_eq!(status.code(), Some(1));
    assert!(shown.contains("1 of 10 files failed"), "{shown:?}");
    let (_, after) = shown.rsplit_once(" of 10 files").unwrap();
    assert!(after.contains("\u{1b}[2K") || after.contains("\r"), "the bar is not wiped away: {shown:?}");

    // Where the standard error is no terminal, there is no bar and no colour.
    let output = team
        .test
        .run_as(&[("SOPS_AGE_KEY", ""), ("SOPS_AGE_KEY_CMD", "sh key.sh")], &format!("rotate -i {}", names.join(" ")));
    output.code(0).stderr_lacks("Rotating").stderr_lacks("\u{1b}");
}
