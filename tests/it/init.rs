//! What `init` tells to type, typed.

use crate::builder::Test;

/// The lines that make `git diff` show plaintext, in a repository whose file was not encrypted at first.
#[test]
fn git_shows_plaintext_by_the_lines_that_init_prints() {
    let test = Test::new().identity().file("secrets/prod.yaml", "a: 1\nb: two\n");
    let git = |line: &str| test.tool("git", &format!("-c user.name=x -c user.email=x@example.com {line}"));
    git("init --quiet .");
    let printed = test.run("init").code(0).text();
    let lines = |line: &&str| line.trim_start().starts_with("echo ") || line.trim_start().starts_with("git config");
    let lines: Vec<&str> = printed.lines().filter(lines).collect();
    assert_eq!(lines.len(), 2, "{printed}");
    std::fs::write(test.path("lines.sh"), lines.join("\n")).unwrap();
    test.tool("sh", "-e lines.sh");
    git("add -A");
    git("commit --quiet -m plaintext");
    test.run("encrypt -i secrets/prod.yaml").code(0);
    git("commit --quiet -a -m encrypted");
    test.run("set secrets/prod.yaml b '\"three\"'").code(0);
    let diff = git("diff -- secrets");
    assert!(diff.contains("\n a: 1\n-b: two\n+b: three\n"), "{diff}");
    let log = git("log -p --format=%s -- secrets");
    assert!(log.starts_with("encrypted\n") && log.contains("\n+a: 1\n+b: two\n"), "{log}");
}
