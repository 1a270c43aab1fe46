//! A real GnuPG with keys of its own, for one test.

use crate::peers;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder for gpg's keys. Its agent ends with it.
pub(crate) struct Gnupg {
    // Short: the agent's socket is in it, whose path may have about 100 bytes.
    home: tempfile::TempDir,
}

impl Gnupg {
    pub(crate) fn new() -> Self {
        let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap();
        Gnupg { home }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Makes a key and gives its fingerprint. With a passphrase it is locked.
    pub(crate) fn key(&self, name: &str, passphrase: &str) -> String {
        let lock =
            if passphrase.is_empty() { "%no-protection".to_owned() } else { format!("Passphrase: {passphrase}") };
        let parameters = format!(
            "Key-Type: eddsa\nKey-Curve: ed25519\nSubkey-Type: ecdh\nSubkey-Curve: cv25519\n{lock}\n\
             Name-Real: {name}\nName-Email: {name}@example.com\nExpire-Date: 0\n%commit\n"
        );
        let file = self.home().join("parameters");
        std::fs::write(&file, parameters).unwrap();
        self.gpg(&["--batch", "--pinentry-mode", "loopback", "--gen-key", file.to_str().unwrap()]);
        self.fingerprints().into_iter().last().unwrap().0
    }

    /// The fingerprints of the primary key and the subkey of each key, in the order in which they were made.
    pub(crate) fn fingerprints(&self) -> Vec<(String, String)> {
        let list = self.gpg(&["--list-keys", "--with-colons"]);
        let fingerprints: Vec<&str> =
            list.lines().filter(|line| line.starts_with("fpr:")).map(|line| line.split(':').nth(9).unwrap()).collect();
        fingerprints.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
    }

    /// Brings the public half of a key of `other`.
    pub(crate) fn import_public(&self, other: &Gnupg, fingerprint: &str) {
        let file = self.home().join("import");
        std::fs::write(&file, other.gpg(&["--armor", "--export", fingerprint])).unwrap();
        self.gpg(&["--batch", "--import", file.to_str().unwrap()]);
    }

    /// Lets the agent ask for passphrases by this shell script, which speaks pinentry's protocol: `answer` is
    /// what it says when it is asked for one.
    pub(crate) fn pinentry(&self, answer: &str) {
        self.program(
            "pinentry",
            &format!(
                "echo OK\nwhile read word rest; do\n case $word in\n GETPIN) {answer};;\n BYE) echo OK; exit;;\n \
                 *) echo OK;;\n esac\ndone"
            ),
        );
        let line = format!("pinentry-program {}\n", self.home().join("pinentry").display());
        std::fs::write(self.home().join("gpg-agent.conf"), line).unwrap();
        self.end_agent();
    }

    /// Leaves of the secret key for messages what gpg keeps of one that is on a card: that it is there, on the card 0006
    /// 01234567. `daemon` is the program that talks to cards, or the name of none.
    pub(crate) fn on_card(&self, daemon: &str) {
        let list = self.gpg(&["--list-secret-keys", "--with-colons", "--with-keygrip"]);
        let mut grips = list.lines().filter_map(|line| line.strip_prefix("grp:::::::::"));
        let file =
            self.home().join(format!("private-keys-v1.d/{}.key", grips.next_back().unwrap().trim_end_matches(':')));
        let key: String = std::fs::read_to_string(&file).unwrap().split_whitespace().collect();
        let point = key.split("(q#").nth(1).unwrap().split('#').next().unwrap();
        let stub = format!(
            "Key: (shadowed-private-key (ecc (curve Curve25519)(flags djb-tweak)(q #{point}#)\n \
             (shadowed t1-v1 (#D2760001240102010006012345670000# OPENPGP.2))))\n"
        );
        std::fs::write(file, stub).unwrap();
        let path = self.home().join("gpg-agent.conf");
        let settings = std::fs::read_to_string(&path).unwrap_or_default();
        let kept = settings
            .lines()
            .filter(|line| !line.starts_with("scdaemon-program"))
            .fold(String::new(), |text, line| text + line + "\n");
        std::fs::write(path, format!("{kept}scdaemon-program {daemon}\n")).unwrap();
        self.end_agent();
    }

    /// Writes a shell script into the folder.
    pub(crate) fn program(&self, name: &str, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.home().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    /// A gpg that first writes its arguments down, a line for each run; and the file with those lines.
    pub(crate) fn logged(&self) -> (PathBuf, PathBuf) {
        let log = self.home().join("log");
        let script = format!("echo \"$*\" >> {}\nexec gpg \"$@\"", log.display());
        (self.program("logged-gpg", &script), log)
    }

    /// Runs gpg, which must succeed, and gives what it printed.
    fn gpg(&self, arguments: &[&str]) -> String {
        let mut command = peers::clean_command(Path::new("gpg"), self.home());
        let output = command.env("GNUPGHOME", self.home()).args(arguments).output().unwrap_or_else(|error| {
            panic!("gpg did not start ({error})\nhint: on Debian and Ubuntu: apt-get install gnupg")
        });
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends the agent, which remembers passphrases and settings.
    pub(crate) fn end_agent(&self) {
        let kill = |command: &mut Command| command.args(["--kill", "all"]).status();
        let _ = kill(peers::clean_command(Path::new("gpgconf"), self.home()).env("GNUPGHOME", self.home()));
    }
}

impl Drop for Gnupg {
    fn drop(&mut self) {
        self.end_agent();
    }
}
