//! The real sops on the same documents: whether it takes what leafcrypt refuses, and reads what leafcrypt writes.

use crate::law;
use age::secrecy::ExposeSecret;
use leafcrypt::document::Kind;
use leafcrypt::format;
use std::path::PathBuf;
use std::process::Command;

/// The program, and a folder and an identity for it.
pub struct Sops {
    program: PathBuf,
    folder: PathBuf,
    identity: String,
    stanza: law::Stanza,
}

impl Sops {
    pub fn new(program: PathBuf, folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).expect("a folder for sops");
        let identity = age::x25519::Identity::generate();
        let recipient = identity.to_public();
        let enc = age::encrypt_and_armor(&recipient, law::key().expose()).expect("a wrapped key");
        let identity = identity.to_string().expose_secret().to_owned();
        Sops { program, folder, identity, stanza: law::Stanza { recipient: recipient.to_string(), enc } }
    }

    fn run(&self, format: &str, text: &[u8], arguments: &[&str]) -> Result<Vec<u8>, String> {
        let extension = match format {
            "dotenv" => "env",
            "binary" => "bin",
            name => name,
        };
        let input = self.folder.join(format!("input.{extension}"));
        std::fs::write(&input, text).expect("a file for sops");
        let mut sops = Command::new(&self.program);
        sops.current_dir(&self.folder).env("SOPS_AGE_KEY", &self.identity).env("SOPS_DISABLE_VERSION_CHECK", "1");
        let output = sops.args(arguments).arg(&input).output().expect("the real sops");
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// What is wrong with how leafcrypt treats a document, next to sops: the kind of finding and what it is.
    pub fn finding(&self, format: &'static str, bytes: &[u8]) -> Option<(&'static str, String)> {
        let encrypt = ["encrypt", "--age", &self.stanza.recipient];
        let theirs = self.run(format, bytes, &encrypt).and_then(|theirs| self.run(format, &theirs, &["decrypt"]));
        let ours = match law::seal_for(format, bytes, law::EVERYTHING, &self.stanza) {
            Ok(ours) => ours,
            Err(reason) => return theirs.is_ok().then_some(("refused", reason)),
        };
        let read = match (self.run(format, ours.as_bytes(), &["decrypt"]), &theirs) {
            (Ok(read), _) => read,
            (Err(reason), Ok(_)) => return Some(("unread", reason)),
            // What sops refuses as plaintext it may refuse as well when it is encrypted; but better not.
            (Err(reason), Err(_)) => return Some(("foreign", reason)),
        };
        let theirs = theirs.ok()?;
        (values(format, &read) != values(format, &theirs)).then(|| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            ("differs", format!("=== sops of sops\n{}\n=== sops of ours\n{}", text(&theirs), text(&read)))
        })
    }
}

/// Keys, kinds and canonical values; nothing when leafcrypt cannot read them.
fn values(format: &str, bytes: &[u8]) -> Option<Vec<(usize, Vec<u8>, Kind, Vec<u8>)>> {
    let format = format::by_name(format).expect("a format");
    let document = format.index_plaintext(bytes.to_vec()).ok()?;
    let ids = (0..document.len()).filter(|&id| document.entry(id).kind() != Kind::Comment);
    Some(
        ids.map(|id| {
            let scalar = document.scalar(id);
            let parent = document.entry(id).parent().map_or(0, |parent| parent + 1);
            (parent, document.key_bytes(id).to_vec(), scalar.kind, scalar.bytes.to_vec())
        })
        .collect(),
    )
}
