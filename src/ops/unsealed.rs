//! An encrypted file, opened to be changed and sealed again: what every command that changes one shares.
//!
//! The law (law 3 of the design): what is sealed again differs from the file in the changed leaves, in
//! `lastmodified`, `mac` and the layout record, and nowhere else.

use crate::crypto::TOKEN_START;
use crate::document::{Document, Encoding, EntryId, Indent};
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::key::Keyring;
use crate::metadata::Metadata;
use crate::seal::{self, Previous};
use crate::secret::DataKey;
use zeroize::Zeroize;

/// An encrypted file and all that is needed to seal it again.
pub struct Unsealed {
    /// Its format.
    pub format: &'static dyn Format,
    /// Its `sops` block.
    pub metadata: Metadata,
    /// Its data key.
    pub data_key: DataKey,
    /// How its `sops` block is indented, if that is written anew.
    pub block_indent: Indent,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
    /// The file as it was, and the format that it was in.
    previous: Option<(Previous, &'static str)>,
}

impl Unsealed {
    /// Opens the encrypted file `file`.
    ///
    /// # Errors
    /// When it is not encrypted, no key of `keyring` opens it, or it does not verify.
    pub fn open(file: Vec<u8>, format: &'static dyn Format, keyring: &Keyring, ignore_mac: bool) -> Result<Self> {
        let encrypted = format.index_bytes(file)?;
        let metadata = read_metadata(format, &encrypted, ignore_mac)?;
        let data_key = metadata.unwrap(keyring)?;
        let (previous, warnings) = Previous::open(format, encrypted, &data_key, &metadata, ignore_mac)?;
        let previous = Some((previous, format.name()));
        Ok(Unsealed { format, metadata, data_key, block_indent: Indent::OfSops, warnings, previous })
    }

    /// A file that is yet to be made, with nothing in it, for the recipients of `metadata`.
    #[must_use]
    pub fn new(format: &'static dyn Format, metadata: Metadata, data_key: DataKey) -> Self {
        let (block_indent, warnings) = (Indent::OfSops, Vec::new());
        Unsealed { format, metadata, data_key, block_indent, warnings, previous: None }
    }

    /// The plaintext of the file as it was: [`Previous::plaintext`].
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        self.previous.as_ref().map_or(&[], |(previous, _)| previous.plaintext())
    }

    /// Gives the file a data key of its own, wrapped for the recipients that it has by now. What is sealed
    /// from then on has nothing in common with what was.
    ///
    /// # Errors
    /// When there is no recipient, or one cannot be used.
    pub fn rekey(&mut self, keyring: &Keyring) -> Result<()> {
        self.data_key = DataKey::generate()?;
        self.metadata.wrap(&self.data_key, keyring)
    }

    /// Seals `plaintext`, which may be another than that of the file as it was: the whole new file.
    ///
    /// # Errors
    /// When it is not of the file's format, has a `sops` block, or could not be given back.
    pub fn seal(&mut self, plaintext: Vec<u8>) -> Result<String> {
        self.seal_document(self.format.index_plaintext(plaintext)?)
    }

    /// Seals the plaintext that is indexed already.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_document(&mut self, mut document: Document) -> Result<String> {
        document.block_indent = self.block_indent;
        if document.roots().is_empty() {
            return Err(document.no_document());
        }
        if self.format.metadata(&document).is_some() {
            return Err(Error::new(Kind::AlreadyEncrypted, "the plaintext has a top-level key `sops`")
                .because("that is where sops keeps what it knows of a file")
                .hint("use another name for the key"));
        }
        let previous = self.previous.as_ref().filter(|(_, format)| *format == self.format.name());
        let previous = previous.map(|(previous, _)| previous);
        // What has changed was a text in UTF-8 meanwhile. It stays one where an editor has put a byte order mark before it.
        if let (Encoding::Utf8, Some(previous)) = (document.encoding, previous)
            && !document.bytes().starts_with("\u{feff}".as_bytes())
        {
            document.encoding = previous.encoding();
        }
        let sealed = seal::encrypt(self.format, &document, &self.data_key, &mut self.metadata, previous);
        document.into_bytes().zeroize();
        sealed
    }
}

/// The `sops` block of `encrypted`.
///
/// # Errors
/// When there is none, or it is damaged.
pub(super) fn read_metadata(format: &dyn Format, encrypted: &Document, ignore_mac: bool) -> Result<Metadata> {
    let block = format.metadata(encrypted).ok_or_else(|| not_encrypted(encrypted))?;
    if ignore_mac { Metadata::from_value_ignoring_mac(&block) } else { Metadata::from_value(&block) }
}

/// That a document has no `sops` block: since it never had one, or since it was lost.
pub(super) fn not_encrypted(document: &Document) -> Error {
    let error = Error::new(Kind::Generic, "the file is not encrypted");
    if document.is_empty() {
        return error.because("it is empty").hint("was it cut off? Its earlier versions: git log -p FILE");
    }
    let error = error.because("it has no top-level key `sops`");
    // The last token may be cut off itself.
    let is_token = |id: &EntryId| document.scalar(*id).bytes.starts_with(TOKEN_START.as_bytes());
    let Some(token) = (0..document.len()).find(is_token) else {
        return error.hint("to encrypt it: leafcrypt encrypt -i FILE");
    };
    Error::new(Kind::Generic, "the file has lost its `sops` block")
        .at(document.text(), document.entry(token).span().start)
        .because("this value is encrypted, and there is no top-level key `sops` with the key to it")
        .hint("was the file cut off? Restore it from Git: without its block nobody can decrypt it")
}
