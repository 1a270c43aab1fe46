//! What somebody wrote and could not save: kept, encrypted for the recipients of the file, until it is taken up again.
//!
//! A draft is a file of sops' binary format, so that a text which is no valid document any more fits in, and
//! so that sops can open it as well: `sops decrypt --input-type binary DRAFT`.
//!
//! Its name tells which version of which file it is of: `prod.yaml-PATH-VERSION.json`, both as the beginning
//! of a hash.

use crate::error::{Error, Kind, Result};
use crate::event;
use crate::format::{self, Format as _};
use crate::key::Keyring;
use crate::metadata::{Metadata, Selection};
use crate::ops::unsealed::Unsealed;
use crate::seal;
use crate::secret::SecretBytes;
use crate::sys::{self, Environment};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroize;

/// The field that holds the text, in sops' binary format.
const FIELD: &str = "data";

/// The field instead of it when the text is not UTF-8, which JSON cannot hold: in base64.
const BYTES: &str = "base64";

/// The field that is there when the text shows the `data` of Secrets as text, and is to be read so.
const DECODED: &str = "data_is_decoded";

/// The field that says that it is a draft: other files of the binary format are not to be taken for one, and removed.
const MARK: &str = "leafcrypt_draft";

/// What is to be kept.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    /// As it was in the editor.
    pub(super) bytes: &'a [u8],
    /// Whether the `data` of Secrets is shown as text in it.
    pub(super) is_decoded: bool,
}

/// The file that a draft is of, in the version that the edit began with.
pub(super) struct Origin<'a> {
    /// The file.
    pub(super) path: &'a Path,
    /// Its bytes; `None` when there was none.
    pub(super) version: Option<&'a [u8]>,
}

impl Origin<'_> {
    /// How the names of all its drafts begin.
    fn prefix(&self) -> String {
        let path = self.path.canonicalize().or_else(|_| std::path::absolute(self.path));
        let path = path.unwrap_or_else(|_| self.path.to_path_buf());
        let name: String = path.file_name().unwrap_or_default().to_string_lossy().chars().take(100).collect();
        format!("{name}-{}-", hash(path.as_os_str().as_encoded_bytes()))
    }

    fn version(&self) -> String {
        self.version.map_or_else(|| "new".to_owned(), hash)
    }

    /// Where it is; a draft is beside it, with a dot before its name, when there is no place where drafts belong.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The drafts of it that are kept on a disk, the newest first.
    pub(super) fn drafts(&self, environment: &Environment) -> Vec<PathBuf> {
        let prefix = self.prefix();
        let mut drafts = Vec::new();
        let own = folder(environment).map(|folder| (folder, prefix.clone()));
        for (folder, prefix) in own.into_iter().chain([(self.folder().to_owned(), format!(".{prefix}"))]) {
            let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            for entry in std::fs::read_dir(here).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let shown = name.to_string_lossy();
                if shown.starts_with(&prefix) && shown.ends_with(".json") {
                    let written = entry.metadata().and_then(|facts| facts.modified()).ok();
                    drafts.push((std::cmp::Reverse(written), folder.join(&name)));
                }
            }
        }
        drafts.sort();
        drafts.into_iter().map(|(_, draft)| draft).collect()
    }

    /// Whether `draft` was made from the version that the file has now.
    pub(super) fn is_base_of(&self, draft: &Path) -> bool {
        let name = draft.file_name().unwrap_or_default().to_string_lossy();
        name.contains(&format!("-{}.json", self.version())) || name.contains(&format!("-{}-", self.version()))
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(6).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where drafts are kept.
fn folder(environment: &Environment) -> Option<PathBuf> {
    environment.state_folder().map(|folder| folder.join("leafcrypt/drafts"))
}

/// Keeps `text`, encrypted under the data key of the file that it is for. `old` is the draft that it goes on
/// from, if any, and takes its place. Where drafts belong is tried first, then beside the file, and
/// then in memory, at `memory`, where it stays until the machine is switched off.
///
/// # Errors
/// When it can be written to none of them.
pub(super) fn keep(
    text: Text<'_>,
    unsealed: &Unsealed,
    origin: &Origin<'_>,
    old: Option<&Path>,
    memory: &Path,
    environment: &Environment,
) -> Result<PathBuf> {
    let sealed = seal(text, unsealed)?;
    let name = format!("{}{}", origin.prefix(), origin.version());
    let mut failed = None;
    if let Some(old) = old {
        match sys::replace_file(old, sealed.as_bytes()) {
            Ok(()) => return Ok(old.to_path_buf()),
            Err(error) => failed = Some(error),
        }
    }
    let places = [
        folder(environment).map(|folder| folder.join(&name)),
        Some(origin.folder().join(format!(".{name}"))),
        Some(memory.join(format!("leafcrypt-draft-{name}"))),
    ];
    for place in places.into_iter().flatten() {
        match write(&place, sealed.as_bytes()) {
            Ok(path) => return Ok(path),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| Error::new(Kind::WriteOutput, "there is no place for a draft")))
}

/// Writes to `place` with `.json` behind it, or with a number when there is one of that name.
fn write(place: &Path, bytes: &[u8]) -> Result<PathBuf> {
    sys::create_private_folder(place.parent().unwrap_or(Path::new("")))?;
    let named = |number: usize| {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        PathBuf::from(format!("{}{number}.json", place.display()))
    };
    let free = (1..1000).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(1000));
    sys::create_file(&free, bytes)?;
    Ok(free)
}

fn seal(text: Text<'_>, unsealed: &Unsealed) -> Result<String> {
    let mut metadata =
        Metadata { selection: Selection::default(), mac_only_encrypted: false, ..unsealed.metadata.clone() };
    let (field, mut bytes) = match std::str::from_utf8(text.bytes) {
        Ok(text) => (FIELD, text.to_owned()),
        Err(_) => (BYTES, BASE64.encode(text.bytes)),
    };
    let format = &format::json::Json;
    let mut quoted = serde_json::to_string(&bytes).unwrap_or_default();
    bytes.zeroize();
    let decoded = if text.is_decoded { format!(",\n\t\"{DECODED}\": true") } else { String::new() };
    let document = format.index(format!("{{\n\t\"{field}\": {quoted}{decoded},\n\t\"{MARK}\": true\n}}\n"))?;
    quoted.zeroize();
    // Not when the audit cannot be reached either: that may be why there must be a draft.
    let sealed = event::unheard(|| seal::encrypt(format, &document, &unsealed.data_key, &mut metadata, None));
    document.into_text().zeroize();
    sealed
}

/// The text of a draft, and whether the `data` of Secrets is shown as text in it.
///
/// # Errors
/// When it cannot be read or opened.
pub(super) fn open(path: &Path, keyring: &Keyring) -> Result<(SecretBytes, bool)> {
    let sealed = sys::read_input(path)?;
    let open = || {
        let no_draft = || {
            Error::new(Kind::Generic, "this is no draft of leafcrypt")
                .because("`edit` writes one when a text cannot be saved, and says where")
                .hint("leave --draft away")
        };
        if !sealed.trim_ascii_start().starts_with(b"{") {
            return Err(no_draft());
        }
        let draft = Unsealed::open(sealed, &format::json::Json, keyring, false)?;
        let document = format::json::Json.index_plaintext(draft.plaintext().to_vec())?;
        let root = *document.roots().first().ok_or_else(no_draft)?;
        let child = |name| document.child(root, name);
        if child(MARK).is_none() {
            document.into_text().zeroize();
            return Err(no_draft());
        }
        let text = match (child(FIELD), child(BYTES)) {
            (Some(data), _) => document.scalar(data).bytes.to_vec(),
            (None, Some(data)) => BASE64.decode(document.scalar(data).bytes).map_err(|_| no_draft())?,
            (None, None) => return Err(no_draft()),
        };
        let text = (SecretBytes::from(text), child(DECODED).is_some());
        document.into_text().zeroize();
        Ok(text)
    };
    open().map_err(|error: Error| error.in_file(path.display().to_string()))
}
