//! A test of the program as a user runs it: own folder, own home, own identity, a clean environment.
//!
//! ```ignore
//! Test::new().identity().file("a.yaml", "a: 1\n").run("encrypt --age {age} a.yaml").code(0).stdout_has("ENC[");
//! ```
//!
//! In arguments and rules, `{age}` stands for the recipient of [`Test::identity`].

use crate::peers;
use age::secrecy::ExposeSecret;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The set-up of a test.
pub(crate) struct Test {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
    recipient: String,
}

impl Test {
    /// An empty working folder and an empty home.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("home")).unwrap();
        std::fs::create_dir_all(folder.path().join("work")).unwrap();
        Test { folder, env: Vec::new(), recipient: String::new() }
    }

    /// Makes an age identity in the place where sops looks for one.
    pub(crate) fn identity(mut self) -> Self {
        let identity = age::x25519::Identity::generate();
        self.recipient = identity.to_public().to_string();
        let keys = self.home().join(".config/sops/age");
        std::fs::create_dir_all(&keys).unwrap();
        std::fs::write(keys.join("keys.txt"), identity.to_string().expose_secret()).unwrap();
        self
    }

    /// Writes a file of the working folder.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Writes `.sops.yaml`.
    pub(crate) fn rules(self, text: &str) -> Self {
        let text = text.replace("{age}", &self.recipient);
        self.file(".sops.yaml", text)
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.replace("{age}", &self.recipient)));
        self
    }

    /// The recipient of [`Self::identity`].
    pub(crate) fn recipient(&self) -> String {
        self.recipient.clone()
    }

    /// The home folder.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A path in the working folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// The content of a file of the working folder.
    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// A command that is ready to start, for tests that want to do more than wait for its end.
    pub(crate) fn command(&self, program: &Path, line: &str) -> Command {
        let mut command = peers::clean_command(program, &self.home());
        command.current_dir(self.path("")).envs(self.env.iter().cloned()).args(self.words(line));
        command
    }

    /// Runs leafcrypt.
    pub(crate) fn run(&self, line: &str) -> Output {
        Output::of(line, self.command(leafcrypt(), line), b"")
    }

    /// Runs leafcrypt with an input.
    pub(crate) fn run_with(&self, line: &str, stdin: impl AsRef<[u8]>) -> Output {
        Output::of(line, self.command(leafcrypt(), line), stdin.as_ref())
    }

    /// Runs the real sops.
    pub(crate) fn sops(&self, line: &str) -> Output {
        Output::of(line, self.command(peers::real_sops(), line), b"")
    }

    /// Runs leafcrypt with other values of some variables.
    pub(crate) fn run_as(&self, variables: &[(&str, &str)], line: &str) -> Output {
        let mut command = self.command(leafcrypt(), line);
        command.envs(variables.iter().copied());
        Output::of(line, command, b"")
    }

    /// Runs the real sops with an input.
    pub(crate) fn sops_with(&self, line: &str, stdin: &str) -> Output {
        Output::of(line, self.command(peers::real_sops(), line), stdin.as_bytes())
    }

    /// Runs the real sops with other values of some variables.
    pub(crate) fn sops_as(&self, variables: &[(&str, &str)], line: &str) -> Output {
        let mut command = self.command(peers::real_sops(), line);
        command.envs(variables.iter().copied());
        Output::of(line, command, b"")
    }

    /// Runs another program, which must be there and succeed, and gives what it printed.
    #[track_caller]
    pub(crate) fn tool(&self, program: &str, line: &str) -> String {
        let output = self.command(Path::new(program), line).output().unwrap_or_else(|error| {
            panic!(
                "{program} did not start ({error})\nhint: on Debian and Ubuntu: apt-get install age git openssh-client"
            )
        });
        assert!(output.status.success(), "{program} {line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The CPU time in seconds that `program` takes for a line: the least of `runs`, since other tests are running.
    pub(crate) fn cpu(&self, program: &Path, line: &str, runs: usize) -> f64 {
        const SCRIPT: &str = "\
import resource, subprocess, sys
def used():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
def run():
    before = used()
    subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
    return used() - before
print(min(run() for _ in range(int(sys.argv[1]))))";
        let mut python = self.command(Path::new("python3"), "-c");
        python.arg(SCRIPT).arg(runs.to_string()).arg(program).args(self.words(line));
        let output = python.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
    }

    /// The words of a line: separated by spaces, single quotes keep one together.
    fn words(&self, line: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word = None::<String>;
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                ' ' if !quoted => words.extend(word.take()),
                _ => word.get_or_insert_default().push(c),
            }
        }
        assert!(!quoted, "an open quote in {line}");
        words.extend(word);
        words.into_iter().map(|word| word.replace("{age}", &self.recipient)).collect()
    }
}

/// The leafcrypt of this build.
pub(crate) fn leafcrypt() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_leafcrypt"))
}

/// What a program said.
pub(crate) struct Output {
    line: String,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Output {
    /// What `command` says, which is called `line` in messages.
    pub(crate) fn of(line: &str, mut command: Command, stdin: &[u8]) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if !stdin.is_empty() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        let feeder = child.stdin.take().map(|mut pipe| {
            let stdin = stdin.to_vec();
            // A program that ends without reading its input is no failure of the test.
            std::thread::spawn(move || drop(pipe.write_all(&stdin)))
        });
        let output = child.wait_with_output().unwrap();
        if let Some(feeder) = feeder {
            feeder.join().unwrap();
        }
        Output {
            line: line.to_owned(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }

    /// The exit code is `code`.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "the exit code of\n{self:?}");
        self
    }

    /// The exit code is not 0, no thread panicked, and nothing was printed to standard output.
    #[track_caller]
    pub(crate) fn fails(self) -> Self {
        assert!(self.code.is_some_and(|code| code != 0 && code != 101), "an orderly failure of\n{self:?}");
        assert!(self.stdout.is_empty(), "nothing on standard output of\n{self:?}");
        assert!(self.stderr.contains("error"), "an error message of\n{self:?}");
        self
    }

    /// Another program fails, and says `piece`.
    #[track_caller]
    pub(crate) fn fails_with(self, piece: &str) -> Self {
        assert!(self.code.is_some_and(|code| code != 0), "a failure of\n{self:?}");
        self.stderr_has(piece)
    }

    /// Standard output is `expected`, to the byte.
    #[track_caller]
    pub(crate) fn stdout(self, expected: impl AsRef<[u8]>) -> Self {
        let expected = String::from_utf8_lossy(expected.as_ref()).into_owned();
        assert_eq!(String::from_utf8_lossy(&self.stdout), expected, "standard output of\n{self:?}");
        self
    }

    /// Standard output contains `piece`.
    #[track_caller]
    pub(crate) fn stdout_has(self, piece: &str) -> Self {
        assert!(String::from_utf8_lossy(&self.stdout).contains(piece), "{piece:?} in standard output of\n{self:?}");
        self
    }

    /// Standard output does not contain `piece`.
    #[track_caller]
    pub(crate) fn stdout_lacks(self, piece: &str) -> Self {
        assert!(!String::from_utf8_lossy(&self.stdout).contains(piece), "no {piece:?} in standard output of\n{self:?}");
        self
    }

    /// Standard error contains `piece`.
    #[track_caller]
    pub(crate) fn stderr_has(self, piece: &str) -> Self {
        assert!(self.stderr.contains(piece), "{piece:?} in standard error of\n{self:?}");
        self
    }

    /// Standard error does not contain `piece`.
    #[track_caller]
    pub(crate) fn stderr_lacks(self, piece: &str) -> Self {
        assert!(!self.stderr.contains(piece), "no {piece:?} in standard error of\n{self:?}");
        self
    }

    /// Nothing is on standard error.
    #[track_caller]
    pub(crate) fn stderr_is_empty(self) -> Self {
        assert!(self.stderr.is_empty(), "nothing on standard error of\n{self:?}");
        self
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ {}", self.line)?;
        writeln!(f, "exit code: {:?}", self.code)?;
        writeln!(f, "--- standard output\n{}", String::from_utf8_lossy(&self.stdout))?;
        write!(f, "--- standard error\n{}", self.stderr)
    }
}
