//! `decrypt`: an encrypted document to its plaintext, or a part of it.

use super::manifest;
use super::rules::Rules;
use super::secret_data::View;
use super::source::{Large, Opened, Source};
use super::unsealed::read_metadata;
use crate::document::{self, Document, Encoding, Indent, KeyPath};
use crate::error::{Error, Result};
use crate::format::{Format, binary, json::Json};
use crate::key::Keyring;
use crate::metadata::Metadata;
use crate::seal;
use crate::secret::{DataKey, SecretBytes};
use std::sync::Arc;
use zeroize::Zeroize;

/// What to decrypt.
pub struct Decrypt {
    /// The document.
    pub source: Source,
    /// The part that is wanted; empty for all.
    pub extract: KeyPath,
    /// Which document of a stream that part is in, counted from 0. sops knows the first one alone.
    pub document: usize,
    /// Whether a MAC that does not match is no failure.
    pub ignore_mac: bool,
    /// Whether the `data` of Kubernetes Secrets is shown as text instead of base64.
    pub decode_data: bool,
    /// What a conversion is indented by. A file of rules that was named is checked, which is all it is good for
    /// otherwise; sops reads it as well.
    pub rules: Arc<Rules>,
}

impl Decrypt {
    /// All of `source`, as it is written, and verified.
    #[must_use]
    pub fn whole(source: Source) -> Self {
        Decrypt {
            source,
            extract: KeyPath::default(),
            document: 0,
            ignore_mac: false,
            decode_data: false,
            rules: Arc::default(),
        }
    }
}

/// What came out.
pub struct Decrypted {
    /// The plaintext, or the part of it.
    pub plaintext: SecretBytes,
    /// How the file was written down whose text that is.
    pub encoding: Encoding,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

impl Decrypted {
    /// The bytes of the file that was encrypted, or of the part.
    #[must_use]
    pub fn into_file(self) -> SecretBytes {
        match self.encoding {
            Encoding::Utf8 => self.plaintext,
            utf16 => SecretBytes::from(utf16.encode(self.plaintext.expose().to_vec())),
        }
    }
}

/// Decrypts with the keys of `keyring`. Nothing is handed back before the MAC is verified.
///
/// # Errors
/// When the document cannot be read, opened or verified, or the wanted part is not in it.
pub fn decrypt(request: &Decrypt, keyring: &Keyring) -> Result<Decrypted> {
    let mut warnings = request.rules.check()?;
    let mut decrypted = unseal(request, keyring)?;
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
        let encrypted = input.index_bytes(bytes)?;
        let metadata = read_metadata(input, &encrypted, ignore_mac)?;
        let data_key = metadata.unwrap(keyring)?;
        let values = seal::Verified::open(input, &encrypted, &data_key, &metadata, ignore_mac)?.into_values();
        Ok((encrypted, values))
    };
    values().map_err(|error: Error| error.in_file(source.shown()))
}

fn unseal(request: &Decrypt, keyring: &Keyring) -> Result<Decrypted> {
    let in_file = |error: Error| error.in_file(request.source.shown());
    let mut data_key = None;
    request.source.announce();
    if let Some((large, metadata)) = large(request) {
        let known = metadata.unwrap(keyring).map_err(in_file)?;
        if let Some(decrypted) = in_pieces(request, large, &known, &metadata) {
            return Ok(decrypted);
        }
        data_key = Some(known); // Whoever was asked for it is not asked again.
    }
    let opened = request.source.read_encrypted()?;
    unseal_text(request, opened, keyring, data_key).map_err(in_file)
}

/// The file of `request`, if it can be worked on in pieces, and its metadata.
fn large(request: &Decrypt) -> Option<(Large, Metadata)> {
    let mut large = Large::of(&request.source).filter(|_| !request.decode_data && request.document == 0)?;
    let format = large.format;
    let read = |text| read_metadata(format, &format.index(text).ok()?, request.ignore_mac).ok();
    // Whether it is the one that counts is seen when the pieces are opened.
    if let Some(metadata) = large.metadata_in_tail().and_then(read) {
        return Some((large, metadata));
    }
    let mut pieces = large.pieces()?;
    let piece = pieces.find(|piece| piece.as_ref().is_none_or(|piece| piece.has_metadata))??;
    drop(pieces);
    read(piece.text).map(|metadata| (large, metadata))
}

fn in_pieces(request: &Decrypt, mut large: Large, data_key: &DataKey, metadata: &Metadata) -> Option<Decrypted> {
    let (format, len, path) = (large.format, large.len, request.extract.steps());
    let pieces = large.pieces()?;
    if path.is_empty() {
        let decrypted = seal::decrypt_pieces(format, pieces, len, data_key, metadata, request.ignore_mac)?;
        return Some(whole(format, decrypted));
    }
    let (plaintext, warnings) = seal::text_in_pieces(format, pieces, path, data_key, metadata, request.ignore_mac)?;
    Some(Decrypted { plaintext, encoding: Encoding::Utf8, warnings })
}

/// All of a plaintext, with what to say of it.
fn whole(format: &dyn Format, mut opened: seal::Decrypted) -> Decrypted {
    let mut warnings = std::mem::take(&mut opened.warnings);
    let (plaintext, encoding) = (SecretBytes::from(std::mem::take(&mut opened.plaintext)), opened.encoding);
    warnings.extend(manifest::before_use(format, plaintext.expose()));
    Decrypted { plaintext, encoding, warnings }
}

fn unseal_text(request: &Decrypt, opened: Opened, keyring: &Keyring, known: Option<DataKey>) -> Result<Decrypted> {
    let Opened { bytes, mut input, output } = opened;
    let is_json = input.name() == Json.name();
    let encrypted = if input.is_whole() && !output.is_whole() || is_json && output.is_whole() {
        // As JSON it may hold more than data; and what holds nothing else is what comes out as binary.
        let document = Json.index_bytes(bytes)?;
        input = match binary::holds_data(&document) {
            true if is_json => output,
            true => input,
            false => &Json,
        };
        input.index(document.into_text())?
    } else {
        input.index_bytes(bytes)?
    };
    let metadata = read_metadata(input, &encrypted, request.ignore_mac)?;
    let data_key = match known {
        Some(known) => known,
        None => metadata.unwrap(keyring)?,
    };
    let mut verified = seal::Verified::open(input, &encrypted, &data_key, &metadata, request.ignore_mac)?;
    let converts = input.name() != output.name();
    if !converts
        && !request.decode_data
        && let Some(plaintext) = text_at(request, &encrypted, &verified)
    {
        return Ok(Decrypted { plaintext, encoding: Encoding::Utf8, warnings: verified.take_warnings() });
    }
    let mut opened = verified.write()?;
    if request.extract.steps().is_empty() && !converts && !request.decode_data {
        return Ok(whole(input, opened));
    }
    let mut warnings = std::mem::take(&mut opened.warnings);
    let (mut plaintext, encoding) = (std::mem::take(&mut opened.plaintext), opened.encoding);
    if request.decode_data {
        let mut view = View::of(input, plaintext)?;
        warnings.append(&mut view.warnings);
        if request.extract.steps().is_empty() && !converts {
            return Ok(Decrypted { plaintext: SecretBytes::from(view.text().to_vec()), encoding, warnings });
        }
        plaintext = view.text().to_vec();
    } else if request.extract.steps().is_empty() {
        warnings.extend(manifest::before_use(input, &plaintext));
    }
    let document = input.index_plaintext(plaintext)?;
    let indent = request.rules.indent(request.source.name(), output, &mut warnings);
    let part = indent.and_then(|indent| select(&document, output, indent, request.document, &request.extract));
    document.into_bytes().zeroize();
    Ok(Decrypted { plaintext: part?, encoding: Encoding::Utf8, warnings })
}

/// The part that is wanted, when it is one encrypted text: it is the same in every spelling, so that no plaintext has to
/// be written and read for it. `None` when it is something else, or not there.
fn text_at(request: &Decrypt, encrypted: &Document, verified: &seal::Verified<'_>) -> Option<SecretBytes> {
    if request.extract.steps().is_empty() {
        return None;
    }
    let root = encrypted.nth_root(request.document).ok()?;
    let found = encrypted.find(root, request.extract.steps()).ok()?;
    let value = verified.sealed(found).filter(|value| value.kind == document::Kind::Str)?;
    Some(SecretBytes::from(value.bytes.to_vec()))
}

/// The part at `path` as sops prints it: a string as it is, without a newline; all else in the output's
/// format.
fn select(
    document: &Document,
    output: &dyn Format,
    indent: Indent,
    number: usize,
    path: &KeyPath,
) -> Result<SecretBytes> {
    if path.steps().is_empty() {
        return output.emit(document, indent).map(SecretBytes::from);
    }
    let root = document.nth_root(number)?;
    let found = document.find(root, path.steps()).map_err(|error| path.judge(error))?;
    let scalar = document.scalar(found);
    if scalar.kind == document::Kind::Str {
        return Ok(SecretBytes::from(scalar.bytes.to_vec()));
    }
    output.emit_value(document, found, indent).map(SecretBytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Value;
    use crate::format;
    use crate::key::Stanza;
    use crate::metadata::Selection;

    #[test]
    fn a_large_file_is_decrypted_in_pieces() {
        let format = format::by_name("json").unwrap();
        let members: Vec<String> = (0..9_000).map(|n| format!("\"key{n}\": [\"value {n}\", {n}.0]")).collect();
        let text = format!("{{\n  {},\n  \"text\": \"a text\"\n}}\n", members.join(",\n  "));
        let data_key = DataKey::generate().unwrap();
        let recipient = [("recipient", "age1nobody"), ("enc", "nothing")];
        let recipient = recipient.map(|(field, text)| (field.to_owned(), Value::Str(text.to_owned()))).to_vec();
        let mut metadata = Metadata::new(vec![vec![Stanza::new("age", recipient)]], 0, Selection::default(), false);
        let document = format.index(text.clone()).unwrap();
        let sealed = seal::encrypt(format, &document, &data_key, &mut metadata, None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let request = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let source = Source::at(path);
            Decrypt::whole(source)
        };
        let part = |path: &str| Decrypt { extract: KeyPath::parse(path).unwrap(), ..request("large.json", &sealed) };
        let opened = |request: &Decrypt| {
            let (large, metadata) = large(request)?;
            assert!(large.len > 1 << 20 && metadata.layout.is_some());
            in_pieces(request, large, &data_key, &metadata).map(|opened| opened.plaintext.expose().to_vec())
        };
        assert!(opened(&request("large.json", &sealed)).unwrap() == text.as_bytes());
        assert_eq!(opened(&part("[\"text\"]")).unwrap(), b"a text");
        for other in ["[\"key1\"][0]", "[\"key1\"]", "[\"none\"]"] {
            assert!(opened(&part(other)).is_none(), "{other}");
        }
        let damaged = sealed.replacen("\"key7\"", "\"key_\"", 1);
        let damaged = request("damaged.json", &damaged);
        assert!(opened(&damaged).is_none());
        assert!(opened(&Decrypt { extract: part("[\"text\"]").extract, ..damaged }).is_none());

        assert!(large(&request("cut.json", &sealed[..sealed.len() - 3])).is_none());
        assert!(large(&request("small.json", "{}")).is_none());
    }
}
