//! `decrypt`: an encrypted document to its plaintext, or a part of it.

use super::Source;
use crate::document::{self, Document, Step};
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::key::Keyring;
use crate::metadata::Metadata;
use crate::seal;
use crate::secret::SecretBytes;
use zeroize::Zeroize;

/// What to decrypt.
pub struct Decrypt {
    /// The document.
    pub source: Source,
    /// The part that is wanted; empty for all.
    pub extract: Vec<Step>,
    /// Whether a MAC that does not match is no failure.
    pub ignore_mac: bool,
}

/// What came out.
pub struct Decrypted {
    /// The bytes to write.
    pub plaintext: SecretBytes,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

/// Decrypts. Nothing is handed back before the MAC is verified.
///
/// # Errors
/// When the document cannot be read, opened or verified, or the wanted part is not in it.
pub fn decrypt(request: &Decrypt) -> Result<Decrypted> {
    let shown = request.source.shown();
    let (input, output) = request.source.formats()?;
    let text = request.source.read()?;
    open(request, input, output, text).map_err(|error| error.in_file(shown))
}

fn open(request: &Decrypt, input: &dyn Format, output: &dyn Format, text: String) -> Result<Decrypted> {
    let encrypted = input.index(text)?;
    let block = input.metadata_entries(&encrypted).into_iter().next().ok_or_else(not_encrypted)?;
    let block = encrypted.value(block);
    let metadata =
        if request.ignore_mac { Metadata::from_value_ignoring_mac(&block) } else { Metadata::from_value(&block) }?;
    let data_key = metadata.unwrap(&Keyring::of_process())?;
    let seal::Decrypted { text, warnings } = seal::decrypt(input, &encrypted, &data_key, &metadata, request.ignore_mac)?;
    let converts = input.name() != output.name();
    let plaintext = if request.extract.is_empty() && !converts {
        SecretBytes::from(text)
    } else {
        let document = input.index(text)?;
        let part = select(&document, output, &request.extract);
        document.into_text().zeroize();
        part?
    };
    Ok(Decrypted { plaintext, warnings })
}

/// The part at `path` as sops prints it: a string as it is, without a newline; all else in the output's
/// format.
fn select(document: &Document, output: &dyn Format, path: &[Step]) -> Result<SecretBytes> {
    if path.is_empty() {
        return output.emit(document).map(SecretBytes::from);
    }
    // sops looks into the first document of a stream.
    let root = *document.roots().first().ok_or_else(|| Error::new(Kind::NoDocument, "there is no document"))?;
    let found = document.find(root, path)?;
    let scalar = document.scalar(found);
    if scalar.kind == document::Kind::Str {
        return Ok(SecretBytes::from(scalar.bytes.to_vec()));
    }
    output.emit_value(document, found).map(SecretBytes::from)
}

fn not_encrypted() -> Error {
    Error::new(Kind::Generic, "the file is not encrypted").because("it has no top-level key `sops`")
}
