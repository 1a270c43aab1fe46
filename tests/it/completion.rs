//! Completion in real shells: fish, and bash and zsh in a terminal. (What bash is offered: `reference.rs`.) There is no PowerShell to be had where the
//! tests run: of its script, the syntax is checked by a parser of that language, and what it asks is asked.

use crate::builder::{Output, Test, leafcrypt};
use crate::peers;
use crate::terminal::Terminal;
use std::path::Path;
use std::process::Command;

/// A folder with an encrypted file, and a rule.
fn test() -> Test {
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n");
    let test = test.file("a.yaml", "db:\n  password: x\n  hosts: [a, b]\nother: 1\n");
    test.run("encrypt -i a.yaml").code(0);
    test
}

/// A shell that finds the program.
fn shell(test: &Test, program: &str, args: &[&str]) -> Command {
    let mut command = test.command(Path::new(program), "");
    let folder = leafcrypt().parent().unwrap();
    command.args(args).env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    command
}

fn need(program: &str) {
    let found = Command::new(program).arg("--version").output();
    assert!(found.is_ok(), "{program} is missing\nhint: apt-get install {program}");
}

#[test]
fn fish() {
    need("fish");
    let test = test();
    let offered = |line: &str| -> Vec<String> {
        let script = format!("source (leafcrypt completion fish | psub); complete -C '{line}'");
        let output = Output::of(line, shell(&test, "fish", &["--no-config", "-c", &script]), b"").code(0);
        output.text().lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    assert_eq!(offered("leafcrypt decr"), ["decrypt"]);
    assert!(offered("leafcrypt decrypt --ign").contains(&"--ignore-mac".to_owned()));
    assert_eq!(offered("leafcrypt decrypt a.y"), ["a.yaml"]);
    assert_eq!(offered("leafcrypt decrypt a.yaml --extract db."), ["db.hosts", "db.password"]);
    assert_eq!(offered("leafcrypt decrypt --decryption-order pgp,a"), ["pgp,age", "pgp,azure_kv"]);
    assert_eq!(offered("leafcrypt exec-env --user roo"), ["root"]);
    let recipients = offered("leafcrypt rotate --add-age age1");
    assert_eq!(recipients, [test.recipient()]);
}

/// What is offered is a word of the line and nothing else, whatever a repository calls its files and keys.
#[test]
fn bash_quotes_what_it_puts_on_the_line() {
    let test =
        test().file("sp/my file.yaml", "").file("f/$(touch run).yaml", "").file("k.yaml", "\"$(touch run)\": v1\n");
    test.run("encrypt -i k.yaml").code(0);
    std::fs::copy(test.path("a.yaml"), test.path("sp/my file.yaml")).unwrap();
    std::fs::copy(test.path("a.yaml"), test.path("f/$(touch run).yaml")).unwrap();
    let mut command = shell(&test, "bash", &["--norc", "-i"]);
    command.env("PS1", "> ").env("TERM", "dumb").env("INPUTRC", "/dev/null");
    let mut terminal = Terminal::start(&command);
    terminal.expect("> ").send("source <(leafcrypt completion bash); echo rea''dy\n").expect("ready");
    terminal
        .send("leafcrypt decrypt sp/\t--extract db.p\t; echo sai''d\n")
        .expect("my\\ file.yaml ")
        .expect("x")
        .expect("said");
    terminal.send("leafcrypt decrypt sp/my\\ file.yaml --extract db.p\t\n").expect("db.password ").expect("x");
    terminal
        .send("leafcrypt decrypt f/\t; echo sai''d\n")
        .expect("\\$\\(touch\\ run\\).yaml ")
        .expect("other: 1")
        .expect("said");
    terminal
        .send("leafcrypt decrypt k.yaml --extract /\t; echo sai''d\n")
        .expect("/\\$\\(touch\\ run\\) ")
        .expect("v1")
        .expect("said");
    terminal.send("leafcrypt decrypt k.yaml --extract '/\t\x15echo sai''d\n").expect("said");
    terminal.send("exit\n");
    terminal.end();
    assert!(!test.path("run").exists());
}

#[test]
fn zsh() {
    need("zsh");
    let test = test();
    let mut command = shell(&test, "zsh", &["-f", "-i"]);
    command.env("PS1", "> ").env("TERM", "dumb");
    let mut terminal = Terminal::start(&command);
    let set_up = "autoload -Uz compinit; compinit -u -D; source <(leafcrypt completion zsh); echo rea''dy\n";
    terminal.expect("> ").send(set_up).expect("ready");
    // A Tab completes what is unambiguous, with a space behind it.
    terminal.send("leafcrypt decr\t").expect("decrypt ");
    terminal.send("a.y\t").expect("a.yaml ");
    terminal.send("--extr\t").expect("--extract ");
    terminal.send("db.p\t").expect("db.password ").send("\n").expect("x");
    terminal.send("leafcrypt rotate --add-age age1\t").expect(&test.recipient());
    // The line is taken back by a key, which waits its turn, and not by a signal.
    terminal.send("\x15exit\n");
    terminal.end();
}

#[test]
fn the_script_for_powershell_is_well_formed_and_what_it_asks_is_answered() {
    let test = test();
    let script = test.run("completion powershell").code(0).text();
    const PARSE: &str = "\
import sys, tree_sitter, tree_sitter_powershell
language = tree_sitter.Language(tree_sitter_powershell.language())
print(tree_sitter.Parser(language).parse(sys.stdin.buffer.read()).root_node.has_error)";
    let is_broken = |script: &str| {
        let mut command = Command::new(peers::program("python"));
        command.args(["-c", PARSE]);
        Output::of("parse", command, script.as_bytes()).code(0).text().trim() == "True"
    };
    assert!(!is_broken(&script), "{script}");
    assert!(is_broken(&script.replacen('}', "", 1)), "the parser sees nothing");
    assert!(script.contains("-CommandName leafcrypt ") && script.contains("& leafcrypt -- $args"), "{script}");
    // `$args` is the line up to the cursor, the name of the program first.
    let offered = |line: &str| -> Vec<String> {
        let answer = test.run_as(&[("COMPLETE", "powershell")], &format!("-- {line}")).code(0).text();
        answer.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    assert_eq!(offered("leafcrypt decr"), ["decrypt"]);
    assert!(offered("leafcrypt decrypt ''").contains(&"a.yaml".to_owned()));
    assert_eq!(offered("leafcrypt decrypt a.yaml --extract db."), ["db.hosts", "db.password"]);
}
