//! `rotate`: a new data key, and with it all values encrypted anew; recipients may come and go.

use super::recipients::{is_in, require_recipients};
use super::rules::Rules;
use super::source::{Opened, Source};
use super::unsealed::Unsealed;
use crate::error::{Error, Kind, Result};
use crate::event::{self, Action};
use crate::key::{Keyring, Stanza};
use crate::metadata::Metadata;
use zeroize::Zeroize;

/// Whose access changes with a rotation.
pub struct Rotate {
    /// Recipients to add to the first key group.
    pub add: Vec<Stanza>,
    /// Recipients to remove from all key groups.
    pub remove: Vec<Stanza>,
    /// Whether a MAC that does not match is no failure.
    pub ignore_mac: bool,
    /// What a conversion is indented by.
    pub rules: Rules,
}

/// What came out.
pub struct Rotated {
    /// The text to write.
    pub text: String,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

/// Rotates a document. Its plaintext stays what it is, byte for byte.
///
/// # Errors
/// When the file cannot be read, opened or verified, when nobody would be left to open it, or a new
/// recipient cannot be used.
pub fn rotate(source: &Source, request: &Rotate, keyring: &Keyring) -> Result<Rotated> {
    if let Some(both) = request.add.iter().find(|stanza| is_in(stanza, &request.remove)) {
        return Err(Error::new(Kind::ConflictingArguments, format!("{} is to be added and removed", both.title())));
    }
    let opened = source.open().map_err(|error| missing(request, error))?;
    seal_anew(source, request, opened, keyring).map_err(|error| error.in_file(source.shown()))
}

/// A file that is not there has other exit codes here than elsewhere.
fn missing(request: &Rotate, error: Error) -> Error {
    if error.kind() != Kind::NoFile {
        return error;
    }
    let changes = !request.add.is_empty() || !request.remove.is_empty();
    error.of_kind(if changes { Kind::NoFileToRekey } else { Kind::ReadInput })
}

fn seal_anew(source: &Source, request: &Rotate, opened: Opened, keyring: &Keyring) -> Result<Rotated> {
    let Opened { bytes, input, output } = opened;
    event::doing(Action::Rotate, Vec::new)?;
    let mut unsealed = Unsealed::open(bytes, input, keyring, request.ignore_mac)?;
    let mut warnings = std::mem::take(&mut unsealed.warnings);
    change(&mut unsealed.metadata, request, &mut warnings);
    require_recipients(&unsealed.metadata.key_groups)?;
    unsealed.rekey(keyring)?;
    let mut plaintext = unsealed.plaintext().to_vec();
    if input.name() != output.name() {
        let document = input.index_plaintext(plaintext)?;
        let indent = request.rules.indent(source.name(), output, &mut warnings);
        let converted = indent.and_then(|indent| {
            unsealed.block_indent = indent;
            output.emit(&document, indent)
        });
        document.into_bytes().zeroize();
        plaintext = converted?;
        unsealed.format = output;
    }
    Ok(Rotated { text: unsealed.seal(plaintext)?, warnings })
}

/// Adds, then removes, as sops does.
fn change(metadata: &mut Metadata, request: &Rotate, warnings: &mut Vec<String>) {
    if metadata.key_groups.is_empty() {
        metadata.key_groups.push(Vec::new());
    }
    for stanza in &request.add {
        let group = &mut metadata.key_groups[0];
        if is_in(stanza, group) {
            warnings.push(format!("{} is a recipient already", stanza.title()));
        } else {
            group.push(stanza.clone());
        }
    }
    for stanza in &request.remove {
        let before = metadata.stanzas().count();
        for group in &mut metadata.key_groups {
            group.retain(|one| !one.is_same_key(stanza));
        }
        if metadata.stanzas().count() == before {
            warnings.push(format!("{} is no recipient, so nothing was removed", stanza.title()));
        }
    }
}
