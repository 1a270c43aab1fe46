//! What a program and all that it starts write where, seen by the system (strace(1)).
//!
//! ```ignore
//! let trace = Trace::of(&test, "exec-file a.yaml 'cat {}'");
//! assert_eq!(trace.leaks(&["hunter2"], &[]), Vec::<String>::new());
//! ```

use crate::builder::{Output, Test, leafcrypt};
use regex::Regex;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The system calls of a run.
pub(crate) struct Trace {
    /// What the program said.
    pub(crate) output: Output,
    calls: Vec<String>,
}

/// Those that move bytes into a file, by how many of the files that they name stand before the one they write to.
const WRITING: &[(&str, usize)] = &[
    ("write", 0),
    ("pwrite64", 0),
    ("writev", 0),
    ("pwritev", 0),
    ("pwritev2", 0),
    ("sendto", 0),
    ("sendmsg", 0),
    ("sendmmsg", 0),
    ("vmsplice", 0),
    ("sendfile", 0),
    ("copy_file_range", 1),
    ("splice", 1),
    ("tee", 1),
];

/// Of these, those whose bytes strace does not show.
const COPYING: [&str; 4] = ["sendfile", "copy_file_range", "splice", "tee"];

impl Trace {
    /// Runs leafcrypt, and whatever it starts, under strace.
    pub(crate) fn of(test: &Test, line: &str) -> Self {
        Self::of_command(&test.command(leafcrypt(), line), line)
    }

    /// Runs `command`, which is called `line` in messages.
    pub(crate) fn of_command(command: &Command, line: &str) -> Self {
        require_strace();
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let calls: Vec<&str> = WRITING.iter().map(|(name, _)| *name).collect();
        let mut traced = Command::new("strace");
        traced.args(["--quiet=all", "--follow-forks", "--decode-fds=path", "--signal=none", "--string-limit=1000000"]);
        traced.arg(format!("--trace={},mmap,execve", calls.join(","))).arg("--output").arg(&log);
        traced.arg(command.get_program()).args(command.get_args());
        traced.env_clear().stdin(std::process::Stdio::null());
        traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        traced.current_dir(command.get_current_dir().unwrap());
        let output = Output::of(line, traced, b"");
        let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
        let calls: Vec<String> = text.lines().map(str::to_owned).collect();
        assert!(calls.iter().any(|call| call.contains("execve(")), "nothing was traced of\n{output:?}");
        Trace { output, calls }
    }

    /// The names of the programs that were run, in their order.
    pub(crate) fn programs(&self) -> Vec<String> {
        static PROGRAM: OnceLock<Regex> = OnceLock::new();
        let form = PROGRAM.get_or_init(|| Regex::new(r#"^[0-9]+ +execve\("(?:[^"]*/)?([^"/]*)""#).unwrap());
        let run = self.calls.iter().filter(|call| !has_failed(call));
        run.filter_map(|call| Some(form.captures(call)?.get(1)?.as_str().to_owned())).collect()
    }

    /// The calls that put what holds one of `secrets` anywhere but into a pipe, a private folder in memory or one of the
    /// `allowed` files; or into the arguments of a program, which everybody can see.
    pub(crate) fn leaks(&self, secrets: &[&str], allowed: &[&Path]) -> Vec<String> {
        let holds_secret = |call: &str| secrets.iter().any(|secret| call.contains(secret));
        let leaks = self.calls.iter().filter(|call| {
            let Some((name, files)) = parse(call).filter(|_| !has_failed(call)) else { return false };
            match name {
                "execve" => holds_secret(call),
                // What is written through such a mapping is no call any more.
                "mmap" => {
                    call.contains("PROT_WRITE")
                        && call.contains("MAP_SHARED")
                        && !files.iter().all(|file| is_safe(file, allowed))
                }
                _ => {
                    let before = WRITING.iter().find(|(other, _)| *other == name).map_or(0, |(_, before)| *before);
                    let target = files.get(before).is_some_and(|file| !is_safe(file, allowed));
                    target && (COPYING.contains(&name) || holds_secret(call))
                }
            }
        });
        leaks.cloned().collect()
    }
}

/// The name of a call and the files that it names by their numbers.
fn parse(call: &str) -> Option<(&str, Vec<&str>)> {
    static CALL: OnceLock<Regex> = OnceLock::new();
    static FILE: OnceLock<Regex> = OnceLock::new();
    let call_form = CALL.get_or_init(|| Regex::new(r"^[0-9]+ +([0-9A-Za-z_]+)\((.*)").unwrap());
    let file_form = FILE.get_or_init(|| Regex::new(r"^(?:(?:[^<\x22]*[, ])?[0-9]+<([^>]*)>)").unwrap());
    let found = call_form.captures(call)?;
    let mut files = Vec::new();
    let mut rest = found.get(2)?.as_str();
    while let Some(file) = file_form.captures(rest) {
        files.push(file.get(1)?.as_str());
        rest = &rest[file.get(0)?.end()..];
    }
    Some((found.get(1)?.as_str(), files))
}

fn has_failed(call: &str) -> bool {
    static FAILURE: OnceLock<Regex> = OnceLock::new();
    FAILURE.get_or_init(|| Regex::new(r"\) += -1 E[A-Z]+ \([^()]*\)$").unwrap()).is_match(call)
}

/// Whether plaintext may be in a file of this name.
fn is_safe(file: &str, allowed: &[&Path]) -> bool {
    let path = file.trim_end_matches(" (deleted)").trim_end_matches("(deleted)");
    path.starts_with("pipe:")
        || path == "/dev/null"
        || allowed.iter().any(|allowed| Path::new(path) == *allowed)
        || (path.contains("/leafcrypt-") && is_in_memory(Path::new(path)))
}

/// Whether the file stands below a mount of a file system in memory.
fn is_in_memory(file: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((Path::new(fields.next()?), fields.next()?))
    });
    let innermost =
        mounts.filter(|(place, _)| file.starts_with(place)).max_by_key(|(place, _)| place.as_os_str().len());
    innermost.is_some_and(|(_, kind)| kind == "tmpfs" || kind == "ramfs")
}

fn require_strace() {
    let found = Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(
        found && rustix::process::geteuid().is_root(),
        "what is written where cannot be seen on this machine: the tests trace the program's system calls, which leaves \
         itself to be traced by root alone\nhint: run the tests as root, with strace; on Debian and Ubuntu: \
         apt-get install strace"
    );
}

/// The check itself finds what it looks for.
#[test]
fn a_secret_on_a_disk_is_seen_and_one_in_memory_is_not() {
    let test = Test::new();
    // Not where leafcrypt itself sweeps what nobody holds.
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let private = memory.path().join("leafcrypt-x");
    std::fs::create_dir(&private).unwrap();
    let run = |script: &str| {
        let script = script.replace("MEMORY", private.to_str().unwrap());
        let mut command = test.command(Path::new("sh"), "-c");
        command.arg(&script);
        let trace = Trace::of_command(&command, &script);
        (trace.leaks(&["hunter2"], &[]).len(), trace.leaks(&["hunter2"], &[&test.path("out")]).len())
    };
    // The secret is in the arguments of the shell itself.
    assert_eq!(run("echo hunter2 > out"), (2, 1));
    assert_eq!(run("echo hunter2 | cat > MEMORY/a"), (1, 1));
    assert_eq!(run("a=hunter; echo ${a}2 > MEMORY/a; cat MEMORY/a"), (0, 0));
    assert_eq!(run("a=hunter; echo ${a}2 > out"), (1, 0));
    assert_eq!(run("a=hunter; echo ${a}2 > MEMORY/a; cp MEMORY/a other"), (1, 1));
    assert_eq!(run("a=hunter; echo \"x${a}2\" | dd of=other 2>/dev/null"), (1, 1));
    assert_eq!(run("a=hunter; /bin/echo ${a}2"), (1, 1));
}
