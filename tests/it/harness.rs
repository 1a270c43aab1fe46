//! leafcrypt in process and the real sops beside it, for tests of thousands of documents.
//!
//! All documents of a run share one age identity, one data key and one wrapped copy of it: what these
//! tests are about is the documents.

use crate::peers;
use age::secrecy::ExposeSecret;
use leafcrypt::document::{Document, Value};
use leafcrypt::error::{Error, Kind};
use leafcrypt::format::{self, Format};
use leafcrypt::metadata::Metadata;
use leafcrypt::seal::Previous;
use leafcrypt::secret::DataKey;
use leafcrypt::{Result, seal};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// What is encrypted: fields of the `sops` block, and of real sops' `.sops.yaml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The selector's field and its value.
    pub(crate) selector: Option<(&'static str, &'static str)>,
    /// `mac_only_encrypted`.
    pub(crate) mac_only_encrypted: bool,
}

impl Rule {
    /// Every leaf: what sops does when nothing is said, but for keys that end in `_unencrypted`.
    pub(crate) const EVERYTHING: Rule = Rule { selector: None, mac_only_encrypted: false };

    const fn by(field: &'static str, value: &'static str) -> Self {
        Rule { selector: Some((field, value)), mac_only_encrypted: false }
    }

    /// No leaf.
    pub(crate) const NOTHING: Rule = Rule::by("encrypted_regex", "^no key is called so$");

    /// The rules that every corpus is run under.
    pub(crate) const ALL: &[Rule] = &[
        Rule::EVERYTHING,
        Rule::by("encrypted_regex", "^(data|stringData|value|password.*)$"),
        Rule::by("unencrypted_suffix", "e"),
        Rule::by("encrypted_suffix", "s"),
        Rule::by("encrypted_comment_regex", "[aeiou]{1}[^aeiou]"),
        Rule::by("unencrypted_comment_regex", "the"),
        Rule { selector: Some(("encrypted_regex", "^[a-m]")), mac_only_encrypted: true },
    ];

    /// The `.sops.yaml` that says the same; some of it has no flag in sops 3.11.
    fn config(&self) -> String {
        let mut text = format!("creation_rules:\n  - age: {}\n", recipient());
        if let Some((field, value)) = self.selector {
            text += &format!("    {field}: '{value}'\n");
        }
        if self.mac_only_encrypted {
            text += "    mac_only_encrypted: true\n";
        }
        text
    }
}

/// The identity and the data key of this run.
struct Keys {
    identity: age::x25519::Identity,
    data_key: [u8; DataKey::SIZE],
    wrapped: String,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let identity = age::x25519::Identity::generate();
        let data_key = *DataKey::generate().unwrap().expose();
        let wrapped = age::encrypt_and_armor(&identity.to_public(), &data_key).unwrap();
        Keys { identity, data_key, wrapped }
    })
}

/// The data key of this run.
pub(crate) fn data_key() -> DataKey {
    DataKey::from_bytes(keys().data_key.to_vec()).unwrap()
}

/// The recipient of this run's identity.
pub(crate) fn recipient() -> String {
    keys().identity.to_public().to_string()
}

/// The identity of this run, as an identity file holds it.
pub(crate) fn identity() -> String {
    keys().identity.to_string().expose_secret().to_owned()
}

/// The `sops` block of a document that is not encrypted yet.
fn new_metadata(rule: Rule) -> Metadata {
    let text = |text: &str| Value::Str(text.to_owned());
    let mut fields = vec![
        (
            "age".to_owned(),
            Value::List(vec![Value::Map(vec![
                ("recipient".to_owned(), Value::Str(recipient())),
                ("enc".to_owned(), text(&keys().wrapped)),
            ])]),
        ),
        ("lastmodified".to_owned(), text("2026-01-02T03:04:05Z")),
        ("mac".to_owned(), text("ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]")),
    ];
    let (field, value) = rule.selector.unwrap_or(("unencrypted_suffix", "_unencrypted"));
    fields.push((field.to_owned(), text(value)));
    if rule.mac_only_encrypted {
        fields.push(("mac_only_encrypted".to_owned(), Value::Bool(true)));
    }
    fields.push(("version".to_owned(), text("3.11.0")));
    Metadata::from_value(&Value::Map(fields)).unwrap()
}

/// The format of a file name.
pub(crate) fn format_of(name: &str) -> &'static dyn Format {
    format::of_file_name(name)
}

/// Encrypts a plaintext.
pub(crate) fn encrypt(format: &dyn Format, plaintext: impl AsRef<[u8]>, rule: Rule) -> Result<String> {
    let bytes = plaintext.as_ref();
    watched("encrypt", bytes, || {
        let document = format.index_plaintext(bytes.to_vec())?;
        if document.roots().is_empty() {
            return Err(Error::new(Kind::NoDocument, "there is no document in the file")); // as `ops` says
        }
        seal::encrypt(format, &document, &data_key(), &mut new_metadata(rule), None)
    })
}

/// Decrypts what [`encrypt`] gave.
pub(crate) fn decrypt(format: &dyn Format, text: &str) -> Result<Vec<u8>> {
    watched("decrypt", text.as_bytes(), || {
        let document = format.index(text.to_owned())?;
        let metadata = metadata_of(format, &document)?;
        Ok(seal::decrypt(format, &document, &data_key(), &metadata, false)?.into_file())
    })
}

/// Decrypts what the real sops encrypted for [`recipient`].
pub(crate) fn decrypt_of_sops(format: &dyn Format, text: &str) -> Result<Vec<u8>> {
    watched("decrypt what sops encrypted", text.as_bytes(), || decrypt_with_its_key(format, text))
}

/// A file of real sops or of leafcrypt, opened to be changed.
pub(crate) struct Opened {
    pub(crate) previous: Previous,
    key: DataKey,
    metadata: Metadata,
}

impl Opened {
    pub(crate) fn of(format: &dyn Format, text: &str) -> Result<Self> {
        let document = format.index(text.to_owned())?;
        let (key, metadata) = key_of(format, &document)?;
        let (previous, _) = Previous::open(format, document, &key, &metadata, false)?;
        Ok(Opened { previous, key, metadata })
    }

    /// Seals another plaintext.
    pub(crate) fn seal(&mut self, format: &dyn Format, plaintext: &Document) -> Result<String> {
        seal::encrypt(format, plaintext, &self.key, &mut self.metadata, Some(&self.previous))
    }
}

fn decrypt_with_its_key(format: &dyn Format, text: &str) -> Result<Vec<u8>> {
    let document = format.index(text.to_owned())?;
    let (key, metadata) = key_of(format, &document)?;
    Ok(seal::decrypt(format, &document, &key, &metadata, false)?.into_file())
}

/// The data key of a file for [`recipient`], and its metadata.
fn key_of(format: &dyn Format, document: &Document) -> Result<(DataKey, Metadata)> {
    let block = format.metadata(document).expect("a sops block");
    let wrapped = block
        .get("age")
        .and_then(Value::as_list)
        .and_then(|list| list.first()?.get("enc")?.as_str())
        .expect("an age stanza of real sops");
    let key = age::decrypt(&keys().identity, wrapped.as_bytes()).expect("our stanza opens");
    let key = DataKey::from_bytes(key).expect("a data key");
    Ok((key, Metadata::from_value(&block)?))
}

fn metadata_of(format: &dyn Format, document: &Document) -> Result<Metadata> {
    let block = format
        .metadata(document)
        .ok_or_else(|| Error::new(Kind::Format, "the file has no sops block (said by the tests)"))?;
    Metadata::from_value(&block)
}

/// The real sops in a folder of its own.
pub(crate) struct Sops {
    folder: tempfile::TempDir,
}

impl Sops {
    pub(crate) fn new() -> Self {
        Sops { folder: tempfile::tempdir().unwrap() }
    }

    /// Encrypts a file of `format`; the error is what sops printed.
    pub(crate) fn encrypt(
        &self,
        format: &dyn Format,
        plaintext: impl AsRef<[u8]>,
        rule: Rule,
    ) -> std::result::Result<String, String> {
        std::fs::write(self.folder.path().join(".sops.yaml"), rule.config()).unwrap();
        let encrypted = self.run(format, plaintext.as_ref(), &["encrypt"])?;
        Ok(String::from_utf8(encrypted).expect("sops' encrypted files are UTF-8"))
    }

    /// Decrypts `text`.
    pub(crate) fn decrypt(&self, format: &dyn Format, text: &str) -> std::result::Result<Vec<u8>, String> {
        self.run(format, text.as_bytes(), &["decrypt"])
    }

    /// Decrypts `text` and prints its first document as `output`.
    pub(crate) fn decrypt_to(
        &self,
        format: &dyn Format,
        text: &str,
        output: &dyn Format,
    ) -> std::result::Result<Vec<u8>, String> {
        self.run(format, text.as_bytes(), &["decrypt", "--output-type", output.name()])
    }

    fn run(&self, format: &dyn Format, file: &[u8], arguments: &[&str]) -> std::result::Result<Vec<u8>, String> {
        let extension = match format.name() {
            "dotenv" => "env",
            "binary" => "bin",
            name => name,
        };
        let input = self.folder.path().join(format!("input.{extension}"));
        std::fs::write(&input, file).unwrap();
        let output = peers::clean_command(peers::real_sops(), self.folder.path())
            .env("SOPS_AGE_KEY", identity())
            .current_dir(self.folder.path())
            .args(arguments)
            .arg(&input)
            .output()
            .unwrap();
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// Does `work`; when it takes longer than any document may, the test process ends with a message that
/// shows the document. An endless loop cannot be stopped otherwise, and without this nobody would know of what.
pub(crate) fn watched<T>(name: &str, document: &[u8], work: impl FnOnce() -> T) -> T {
    const LIMIT: Duration = Duration::from_secs(60);
    type Running = Mutex<BTreeMap<u64, (Instant, String)>>;
    static RUNNING: OnceLock<Running> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let running = RUNNING.get_or_init(|| {
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                let Some(running) = RUNNING.get() else { continue };
                if let Some((_, name)) = running.lock().unwrap().values().find(|(since, _)| since.elapsed() > LIMIT) {
                    eprintln!("error: this took longer than {LIMIT:?}: {name}");
                    std::process::abort();
                }
            }
        });
        Running::default()
    });
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let shown = String::from_utf8_lossy(&document[..document.len().min(2_000)]);
    running.lock().unwrap().insert(id, (Instant::now(), format!("{name}\n{shown}")));
    let result = work();
    running.lock().unwrap().remove(&id);
    result
}

/// The lines in which two texts differ, with a little of what stands around them.
pub(crate) fn diff(left: impl AsRef<[u8]>, right: impl AsRef<[u8]>) -> String {
    use std::fmt::Write;
    let (left, right) = (String::from_utf8_lossy(left.as_ref()), String::from_utf8_lossy(right.as_ref()));
    let (left, right): (Vec<&str>, Vec<&str>) =
        (left.split_inclusive('\n').collect(), right.split_inclusive('\n').collect());
    let same_head = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let same_tail = left[same_head..].iter().rev().zip(right[same_head..].iter().rev()).take_while(|(a, b)| a == b);
    let same_tail = same_tail.count();
    let mut out = String::new();
    for line in &left[same_head.saturating_sub(3)..same_head] {
        let _ = writeln!(out, "  {line:?}");
    }
    for line in left[same_head..left.len() - same_tail].iter().take(20) {
        let _ = writeln!(out, "- {line:?}");
    }
    for line in right[same_head..right.len() - same_tail].iter().take(20) {
        let _ = writeln!(out, "+ {line:?}");
    }
    for line in left[left.len() - same_tail..].iter().take(3) {
        let _ = writeln!(out, "  {line:?}");
    }
    out
}
