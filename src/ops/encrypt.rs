//! `encrypt`: a plaintext document, by rules or by the options given.

use super::manifest;
use super::recipients::Given;
use super::rules::Rules;
use super::source::{Large, Opened, Source};
use crate::crypto::TOKEN_START;
use crate::document::{self, Document, EntryId, Flags, Indent};
use crate::error::{Error, Kind, Result};
use crate::event;
use crate::format::{Format, Piece, json::Json};
use crate::key::Keyring;
use crate::metadata::{Metadata, Selection};
use crate::seal;
use crate::secret::DataKey;
use std::mem::discriminant;
use zeroize::Zeroize;

/// For whom to encrypt, and how much of a document.
pub struct Encrypt {
    /// For whom. Anybody at all, and the recipients of the rules do not count; what else is said of recipients
    /// is said of those as well.
    pub given: Given,
    /// Which values; before what the rule says.
    pub selection: Option<Selection>,
    /// Whether the MAC is over encrypted values alone; the rule may say so as well.
    pub mac_only_encrypted: bool,
    /// How many key groups are needed to decrypt; before what the rule says.
    pub shamir_threshold: Option<usize>,
    /// The rules.
    pub rules: Rules,
}

/// What came out.
pub struct Encrypted {
    /// The text to write.
    pub text: String,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

/// Encrypts a document.
///
/// # Errors
/// When the document cannot be read or is encrypted already, when nobody is named to encrypt for, and
/// when something in it could not be given back later.
pub fn encrypt(source: &Source, request: &Encrypt, keyring: &Keyring) -> Result<Encrypted> {
    let shown = source.shown();
    source.require_type()?;
    source.announce();
    let large = Large::of(source);
    let opened = if large.is_none() { Some(source.read()?) } else { None };
    let mut warnings = Vec::new();
    // What is odd about the rules may be why they do not fit.
    let metadata = metadata(source, request, &mut warnings)
        .map_err(|error| warnings.iter().fold(error, |error, warning| error.because(warning)))?;
    let (input, output) = source.formats();
    let indent = request.rules.indent(source.name(), written_as(input, output), &mut warnings)?;
    let mut job = Job { metadata, data_key: None, indent, warnings };
    let in_file = |error: Error| error.in_file(&shown);
    let in_pieces = large.map(|large| job.seal_large(large, keyring)).transpose().map_err(in_file)?;
    let text = match in_pieces.flatten() {
        Some(text) => text,
        None => {
            let opened = opened.map_or_else(|| source.read(), Ok)?;
            job.seal(opened, keyring).map_err(in_file)?
        }
    };
    if !has_token(&text, &job.metadata) && !matches!(job.metadata.selection, Selection::Implied) {
        let (field, text) = (job.metadata.selection.field(), job.metadata.selection.text());
        job.warnings.push(format!("no value was encrypted: {field} {text:?} leaves none to encrypt"));
    }
    Ok(Encrypted { text, warnings: job.warnings })
}

/// The sealing of a document.
struct Job {
    metadata: Metadata,
    /// The data key, once it is wrapped for the recipients.
    data_key: Option<DataKey>,
    indent: Indent,
    warnings: Vec<String>,
}

impl Job {
    /// Seals a large file in pieces, when that does.
    fn seal_large(&mut self, mut large: Large, keyring: &Keyring) -> Result<Option<String>> {
        // Of a manifest more is to be said, which needs all of it.
        let is_manifest = |piece: &Piece| memchr::memmem::find(piece.text.as_bytes(), b"\"apiVersion\"").is_some();
        let does = |mut piece: Piece| {
            let does = !piece.has_metadata && !is_manifest(&piece);
            piece.text.zeroize();
            does
        };
        if !large.pieces().is_some_and(|mut pieces| pieces.all(|piece| piece.is_some_and(does))) {
            return Ok(None);
        }
        let format = large.format;
        let Some(pieces) = large.pieces() else { return Ok(None) };
        let data_key = DataKey::generate()?;
        self.metadata.wrap(&data_key, keyring)?;
        let text = seal::encrypt_pieces(format, pieces, self.indent, &data_key, &mut self.metadata)?;
        self.data_key = Some(data_key);
        Ok(text)
    }

    fn seal(&mut self, opened: Opened, keyring: &Keyring) -> Result<String> {
        let Opened { bytes, input, output } = opened;
        let mut document = input.index_plaintext(bytes)?;
        if document.roots().is_empty() {
            return Err(document.no_document());
        }
        if !input.metadata_entries(&document).is_empty() {
            let block = input.metadata_spans(&document).first().map_or(0, |block| block.start);
            return Err(already_encrypted().at(document.text(), block));
        }
        let output = written_as(input, output);
        if input.name() != output.name() {
            let converted = convert(&document, output, self.indent);
            document.into_bytes().zeroize();
            document = converted?;
        }
        document.block_indent = self.indent;
        self.warnings.extend(manifest::before_encryption(output, &document, &self.metadata.selection)?);
        let sealed = match self.data_key.take() {
            // Who keeps watch was told of it before the pieces.
            Some(key) => event::unheard(|| seal::encrypt(output, &document, &key, &mut self.metadata, None)),
            None => {
                let key = DataKey::generate()?;
                self.metadata.wrap(&key, keyring)?;
                seal::encrypt(output, &document, &key, &mut self.metadata, None)
            }
        };
        if let (true, Ok(sealed)) = (output.name() == Json.name() && !self.metadata.mac_only_encrypted, &sealed) {
            self.warnings.extend(rounded_by_sops(&document, sealed));
        }
        document.into_bytes().zeroize();
        sealed
    }
}

/// That integers are left in clear which sops before 3.13.2 reads as floats of another value: it says of the file that its
/// MAC does not match.
fn rounded_by_sops(document: &Document, sealed: &str) -> Option<String> {
    let text = document.text();
    let is_other = |digits: &str| digits.parse::<f64>().is_ok_and(|float| float.to_string() != digits);
    let mut others = (0..document.len()).filter(|&id| {
        let entry = document.entry(id);
        // What has fewer digits is a float as well.
        let span = entry.span();
        entry.kind() == document::Kind::Int
            && span.len() > 15
            && is_other(&text[span.clone()])
            && sealed.contains(&text[span])
    });
    let first = document.path(others.next()?);
    let more = others.count();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!(
        "{first}{more}: sops before 3.13.2 will say that the MAC of the file does not match, since it reads this integer, which is not \
         encrypted, as another one; encrypt it, or write it as a text"
    ))
}

/// The format of the encrypted file. That of a binary file is JSON, whatever is in it.
fn written_as(input: &'static dyn Format, output: &'static dyn Format) -> &'static dyn Format {
    match (input.is_whole(), output.is_whole()) {
        (true, _) if output.name() == Json.name() => input,
        (false, true) => &Json,
        _ => output,
    }
}

/// The same plaintext in another format.
fn convert(document: &Document, output: &dyn Format, indent: Indent) -> Result<Document> {
    let converted = output.index_plaintext(output.emit(document, indent)?)?;
    if !output.metadata_entries(&converted).is_empty() {
        return Err(already_encrypted());
    }
    let leaves = |document: &Document| {
        let is_leaf = |id: &EntryId| {
            let entry = document.entry(*id);
            !entry.kind().is_container() && entry.kind() != document::Kind::Comment && !entry.is(Flags::SHADOWED)
        };
        (0..document.len()).filter(is_leaf).collect::<Vec<_>>()
    };
    let (before, after) = (leaves(document), leaves(&converted));
    let is_same = |id: EntryId, twin: EntryId| {
        let (value, read) = (document.scalar(id), converted.scalar(twin));
        document.key_bytes(id) == converted.key_bytes(twin) && (value.kind != document::Kind::Str || value == read)
    };
    let changed = before.iter().zip(&after).find(|&(&id, &twin)| !is_same(id, twin)).map(|(&id, _)| id);
    let lost = (before.len() > after.len()).then(|| before[after.len()]);
    match changed.or(lost) {
        None => Ok(converted),
        // A null at the top of a stream is no value.
        Some(id) if document.scalar(id).kind == document::Kind::Null && !document.entry(id).has_key() => Ok(converted),
        Some(id) => {
            let path = document.path(id);
            converted.into_bytes().zeroize();
            Err(Error::new(Kind::Format, format!("this value would become another one as {}", output.name()))
                .at_path(path)
                .because("what would be written there is read as something else")
                .hint("keep the format of the file: leave --output-type away"))
        }
    }
}

fn already_encrypted() -> Error {
    Error::new(Kind::AlreadyEncrypted, "the file is encrypted already")
        .because("it has a top-level key `sops`, which is where sops keeps what it knows of a file")
        .hint("to see the plaintext: leafcrypt decrypt FILE")
}

/// Whether a token stands in `text` besides those of the `sops` block.
fn has_token(text: &str, metadata: &Metadata) -> bool {
    let of_block = 1 + usize::from(metadata.layout.is_some());
    text.match_indices(TOKEN_START).nth(of_block).is_some()
}

/// For whom and how much: what is given goes before what the rule says, as in sops.
pub(super) fn metadata(source: &Source, request: &Encrypt, warnings: &mut Vec<String>) -> Result<Metadata> {
    let rule = match request.rules.find(source.name(), warnings) {
        // sops stops here; but whoever names recipients needs no rule.
        Err(error) if error.kind() == Kind::ConfigMissing && !request.given.recipients.is_empty() => None,
        found => found?,
    };
    let key_groups = match &rule {
        _ if !request.given.recipients.is_empty() => vec![request.given.stanzas()?],
        Some(rule) => rule.key_groups(&request.given.details)?,
        None => return Err(request.rules.explain_none(source.name(), nobody_named())),
    };
    let rule = rule.map(|found| found.rule).unwrap_or_default();
    let threshold = request.shamir_threshold.unwrap_or(rule.shamir_threshold);
    let mut selection = select(request.selection.clone(), rule.selection)?;
    if source.formats().0.is_whole() {
        if selection != Selection::default() {
            let (field, text) = (selection.field(), selection.text());
            warnings
                .push(format!("{field} {text:?} is ignored: a binary file is one value, which is always encrypted"));
        }
        selection = Selection::Implied;
    }
    Ok(Metadata::new(key_groups, threshold, selection, request.mac_only_encrypted || rule.mac_only_encrypted))
}

fn nobody_named() -> Error {
    Error::new(Kind::Generic, "there is nobody to encrypt for")
        .because("no recipient was named")
        .hint("name one, as --age RECIPIENT or in SOPS_AGE_RECIPIENTS")
}

/// One selector at most, from the options and the rule together.
fn select(given: Option<Selection>, ruled: Option<Selection>) -> Result<Selection> {
    match (given, ruled) {
        (Some(given), Some(ruled)) if discriminant(&given) != discriminant(&ruled) => {
            Err(Error::new(Kind::ConflictingArguments, "the options and the rule select values in different ways")
                .because("of the six selectors a file can have one")
                .hint("leave the option away, or name another file of rules with --config"))
        }
        (Some(selection), _) | (None, Some(selection)) => Ok(selection),
        (None, None) => Ok(Selection::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Stanza;

    #[test]
    fn a_large_file_is_encrypted_in_pieces_if_it_can_be() {
        let members: Vec<String> = (0..40_000).map(|n| format!("\"key{n}\": [\"value {n}\", {n}.0]")).collect();
        let text = format!("{{\n  {}\n}}\n", members.join(",\n  "));
        let folder = tempfile::tempdir().unwrap();
        let sealed = |text: &str| {
            let path = folder.path().join("large.json");
            std::fs::write(&path, text).unwrap();
            let nobody = Stanza::new("none", Vec::new());
            let metadata = Metadata::new(vec![vec![nobody]], 0, Selection::default(), false);
            let mut job = Job { metadata, data_key: None, indent: Indent::OfSops, warnings: Vec::new() };
            let sealed = job.seal_large(Large::of(&Source::at(path)).unwrap(), &Keyring::of_process());
            sealed.map_err(|error| error.to_string())
        };
        let wrapped = sealed(&text).unwrap_err();
        assert!(wrapped.contains("none"), "{wrapped}");
        for other in [
            text.replacen("key39999", "sops", 1),
            text.replacen("key39999", "apiVersion", 1),
            text.replacen("key39999", "\\u0061", 1),
            text.replacen("key39999", "key1", 1),
        ] {
            assert_eq!(sealed(&other), Ok(None), "nobody is asked for anything");
        }
    }
}
