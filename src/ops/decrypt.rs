//! `decrypt`: an encrypted document to its plaintext, or a part of it.

use super::manifest;
use super::source::{Opened, Source};
use super::unsealed::read_metadata;
use crate::config::Config;
use crate::document::{self, Document, KeyPath};
use crate::error::{Error, Kind, Result};
use crate::format::{self, Format};
use crate::key::Keyring;
use crate::seal;
use crate::secret::SecretBytes;
use std::path::PathBuf;
use zeroize::Zeroize;

/// What to decrypt.
pub struct Decrypt {
    /// The document.
    pub source: Source,
    /// The part that is wanted; empty for all.
    pub extract: KeyPath,
    /// Whether a MAC that does not match is no failure.
    pub ignore_mac: bool,
    /// A `.sops.yaml` to check, which is all it is good for here; sops reads it as well.
    pub config: Option<PathBuf>,
}

/// What came out.
pub struct Decrypted {
    /// The bytes to write.
    pub plaintext: SecretBytes,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

/// Decrypts with the keys of `keyring`. Nothing is handed back before the MAC is verified.
///
/// # Errors
/// When the document cannot be read, opened or verified, or the wanted part is not in it.
pub fn decrypt(request: &Decrypt, keyring: &Keyring) -> Result<Decrypted> {
    let shown = request.source.shown();
    let opened = request.source.open()?;
    let mut warnings = match &request.config {
        Some(path) => Config::load(path)?.warnings,
        None => Vec::new(),
    };
    let mut decrypted = unseal_text(request, opened, keyring).map_err(|error| error.in_file(shown))?;
    warnings.append(&mut decrypted.warnings);
    Ok(Decrypted { warnings, ..decrypted })
}

/// The values of an encrypted document, and that document, for those that look at the values alone.
///
/// # Errors
/// When the document cannot be read, opened or verified.
pub(super) fn values(source: &Source, ignore_mac: bool, keyring: &Keyring) -> Result<(Document, seal::Values)> {
    let Opened { bytes, input, .. } = source.open()?;
    let values = || {
        let encrypted = input.index(format::into_text(bytes)?)?;
        let metadata = read_metadata(input, &encrypted, ignore_mac)?;
        let data_key = metadata.unwrap(keyring)?;
        let values = seal::decrypt_values(input, &encrypted, &data_key, &metadata, ignore_mac)?;
        Ok((encrypted, values))
    };
    values().map_err(|error: Error| error.in_file(source.shown()))
}

fn unseal_text(request: &Decrypt, opened: Opened, keyring: &Keyring) -> Result<Decrypted> {
    let Opened { bytes, input, output } = opened;
    let encrypted = input.index(format::into_text(bytes)?)?;
    let metadata = read_metadata(input, &encrypted, request.ignore_mac)?;
    let data_key = metadata.unwrap(keyring)?;
    let mut opened = seal::decrypt(input, &encrypted, &data_key, &metadata, request.ignore_mac, None)?;
    let mut warnings = std::mem::take(&mut opened.warnings);
    let plaintext = opened.into_plaintext();
    if request.extract.steps().is_empty() {
        warnings.extend(manifest::before_use(input, &plaintext));
    }
    let converts = input.name() != output.name();
    let plaintext = if request.extract.steps().is_empty() && !converts {
        SecretBytes::from(plaintext)
    } else {
        let document = input.index_plaintext(plaintext)?;
        let part = select(&document, output, &request.extract);
        document.into_bytes().zeroize();
        part?
    };
    Ok(Decrypted { plaintext, warnings })
}

/// The part at `path` as sops prints it: a string as it is, without a newline; all else in the output's
/// format.
fn select(document: &Document, output: &dyn Format, path: &KeyPath) -> Result<SecretBytes> {
    if path.steps().is_empty() {
        return output.emit(document).map(SecretBytes::from);
    }
    // sops looks into the first document of a stream.
    let root = *document.roots().first().ok_or_else(|| Error::new(Kind::NoDocument, "there is no document"))?;
    let found = document.find(root, path.steps()).map_err(|error| path.judge(error))?;
    let scalar = document.scalar(found);
    if scalar.kind == document::Kind::Str {
        return Ok(SecretBytes::from(scalar.bytes.to_vec()));
    }
    output.emit_value(document, found).map(SecretBytes::from)
}
