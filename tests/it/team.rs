//! People with keys of their own: who can open a file, and who cannot.

use crate::builder::{Output, Test};
use age::secrecy::ExposeSecret;

/// Somebody with an age identity.
#[derive(Clone)]
pub(crate) struct Member {
    secret: String,
    /// The recipient.
    pub(crate) public: String,
}

impl Member {
    fn new() -> Self {
        let identity = age::x25519::Identity::generate();
        Member { secret: identity.to_string().expose_secret().to_owned(), public: identity.to_public().to_string() }
    }
}

/// A test with people in it. In command lines and rules `{0}`, `{1}` and so on stand for their recipients.
pub(crate) struct Team {
    /// The test, as the person who has all the keys.
    pub(crate) test: Test,
    /// The people.
    pub(crate) members: Vec<Member>,
}

impl Team {
    /// So many people, in an empty folder.
    pub(crate) fn of(members: usize) -> Self {
        let members: Vec<Member> = (0..members).map(|_| Member::new()).collect();
        let secrets: Vec<&str> = members.iter().map(|member| member.secret.as_str()).collect();
        Team { test: Test::new().env("SOPS_AGE_KEY", &secrets.join("\n")), members }
    }

    /// Puts the recipients into a line or a file.
    pub(crate) fn fill(&self, text: &str) -> String {
        let members = self.members.iter().enumerate();
        members.fold(text.to_owned(), |text, (at, member)| text.replace(&format!("{{{at}}}"), &member.public))
    }

    /// Takes the recipients out of a text.
    pub(crate) fn blank(&self, text: &str) -> String {
        let members = self.members.iter().enumerate();
        members.fold(text.to_owned(), |text, (at, member)| text.replace(&member.public, &format!("{{{at}}}")))
    }

    /// Writes a file of the working folder.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.write(name, content);
        self
    }

    /// Writes a file of the working folder.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.test.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, self.fill(content)).unwrap();
    }

    /// Writes `.sops.yaml`.
    pub(crate) fn rules(self, text: &str) -> Self {
        self.file(".sops.yaml", text)
    }

    /// Reads a file, with `{0}` for recipients.
    pub(crate) fn read(&self, name: &str) -> String {
        self.blank(&self.test.read(name))
    }

    /// Runs leafcrypt, with everybody's keys.
    pub(crate) fn run(&self, line: &str) -> Output {
        self.test.run(&self.fill(line))
    }

    /// Runs leafcrypt with an input.
    pub(crate) fn run_with(&self, line: &str, stdin: &str) -> Output {
        self.test.run_with(&self.fill(line), stdin)
    }

    /// Runs the real sops, with everybody's keys.
    pub(crate) fn sops(&self, line: &str) -> Output {
        self.test.sops(&self.fill(line))
    }

    /// Encrypts `content` by leafcrypt with these arguments into `name`.
    pub(crate) fn encrypted(self, arguments: &str, name: &str, content: &str) -> Self {
        let text = self.test.run_with(&self.fill(&format!("encrypt {arguments} --filename-override {name}")), content);
        let text = text.code(0).text();
        self.file(name, &text)
    }

    /// Encrypts `content` by the real sops with these arguments into `name`.
    pub(crate) fn encrypted_by_sops(self, arguments: &str, name: &str, content: &str) -> Self {
        let team = self.file(name, content);
        let text = team.sops(&format!("encrypt {arguments} {name}")).code(0).text();
        team.file(name, &text)
    }

    /// Who alone can open the file, by leafcrypt and by the real sops, which agree.
    #[track_caller]
    pub(crate) fn who_opens(&self, name: &str) -> Vec<usize> {
        (0..self.members.len()).filter(|at| self.opens(name, &[*at])).collect()
    }

    /// Whether these people together can open the file, by leafcrypt and by the real sops, which agree.
    #[track_caller]
    pub(crate) fn opens(&self, name: &str, members: &[usize]) -> bool {
        let keys = self.keys_of(members);
        let (keys, line) = ([("SOPS_AGE_KEY", keys.as_str())], format!("decrypt {name}"));
        let (ours, theirs) = (self.test.run_as(&keys, &line), self.test.sops_as(&keys, &line));
        assert_eq!(ours.code, theirs.code, "{members:?}: {ours:?}\n{theirs:?}");
        assert!(matches!(ours.code, Some(0 | 128)), "{ours:?}");
        ours.code == Some(0)
    }

    /// The environment of some of the people, together.
    pub(crate) fn keys_of(&self, members: &[usize]) -> String {
        let secrets: Vec<&str> = members.iter().map(|&at| self.members[at].secret.as_str()).collect();
        secrets.join("\n")
    }
}
