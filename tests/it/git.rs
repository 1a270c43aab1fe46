//! Encrypted files in a Git repository: diffs, history and conflicts.

use crate::builder::Test;
use std::path::Path;

const WHO: &str = "-c user.name=x -c user.email=x@example.com";

fn git(test: &Test, line: &str) -> String {
    test.tool("git", &format!("{WHO} {line}"))
}

/// The lines that make `git diff` show plaintext, in a repository whose file was not encrypted at first.
#[test]
fn plaintext_is_shown_by_the_lines_that_init_prints() {
    let test = Test::new().identity().file("secrets/prod.yaml", "a: 1\nb: two\n");
    git(&test, "init --quiet .");
    let printed = test.run("init").code(0).text();
    let lines = |line: &&str| line.trim_start().starts_with("printf ") || line.trim_start().starts_with("git config");
    let lines: Vec<&str> = printed.lines().filter(lines).collect();
    assert_eq!(lines.len(), 2, "{printed}");
    std::fs::write(test.path("lines.sh"), lines.join("\n")).unwrap();
    test.tool("sh", "-e lines.sh");
    git(&test, "add -A");
    git(&test, "commit --quiet -m plaintext");
    test.run("encrypt -i secrets/prod.yaml").code(0);
    git(&test, "commit --quiet -a -m encrypted");
    test.run("set secrets/prod.yaml b '\"three\"'").code(0);
    let diff = git(&test, "diff -- secrets");
    assert!(diff.contains("\n a: 1\n-b: two\n+b: three\n"), "{diff}");
    let log = git(&test, "log -p --format=%s -- secrets");
    assert!(log.starts_with("encrypted\n") && log.contains("\n+a: 1\n+b: two\n"), "{log}");
}

/// Each of the two ways out that the message has.
#[test]
fn a_conflict_is_named_and_can_be_resolved() {
    let test = Test::new().identity().rules("creation_rules: [{age: '{age}'}]\n").file("s.yaml", "a: 1\nb: 2\nc: 3\n");
    test.run("encrypt -i s.yaml").code(0);
    git(&test, "init --quiet --initial-branch=ours .");
    git(&test, "add -A");
    git(&test, "commit --quiet -m first");
    git(&test, "checkout --quiet -b theirs");
    test.run("set s.yaml a 10").code(0);
    git(&test, "commit --quiet -a -m theirs");
    git(&test, "checkout --quiet ours");
    test.run("set s.yaml c 30").code(0);
    git(&test, "commit --quiet -a -m ours");
    let merged = test.command(Path::new("git"), &format!("{WHO} merge --quiet theirs")).output().unwrap();
    assert!(!merged.status.success(), "{merged:?}");
    let refused = test.sops("decrypt s.yaml");
    let said = test
        .run("decrypt s.yaml")
        .code(refused.code.unwrap())
        .stdout("")
        .stderr_has("conflict that git could not merge");
    said.stderr_has("git checkout --ours s.yaml, or").stderr_has("leafcrypt rotate -i --ignore-mac s.yaml");

    // What is left of our version and of theirs, which are apart but for the block, by the first of each two lines.
    let conflicted = test.read("s.yaml");
    let mut side = 0;
    let mut kept = String::new();
    for line in conflicted.lines() {
        match line {
            _ if line.starts_with("<<<<<<< ") => side = 1,
            "=======" => side = 2,
            _ if line.starts_with(">>>>>>> ") => side = 0,
            _ if side == 2 => {}
            _ => kept.push_str(&format!("{line}\n")),
        }
    }
    std::fs::write(test.path("s.yaml"), kept).unwrap();
    test.run("decrypt s.yaml").code(51);
    test.run("rotate -i --ignore-mac s.yaml").code(0).stderr_has("MAC");
    for plaintext in [test.run("decrypt s.yaml"), test.sops("decrypt s.yaml")] {
        plaintext.code(0).stdout("a: 10\nb: 2\nc: 30\n");
    }
    git(&test, "checkout --quiet --theirs s.yaml");
    test.run("decrypt s.yaml").code(0).stdout("a: 10\nb: 2\nc: 3\n");
}
