//! `encrypt`: a plaintext document, by rules or by the options given.

use super::manifest;
use super::recipients::Given;
use super::rules::Rules;
use super::source::{Opened, Source};
use crate::document::{self, Document, EntryId, Flags, Indent};
use crate::error::{Error, Kind, Result};
use crate::format::{Format, json::Json};
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
    let opened = source.open()?;
    let mut warnings = Vec::new();
    // What is odd about the rules may be why they do not fit.
    let metadata = metadata(source, request, &mut warnings)
        .map_err(|error| warnings.iter().fold(error, |error, warning| error.because(warning)))?;
    let indent = request.rules.indent(source.name(), written_as(opened.input, opened.output), &mut warnings)?;
    let text = seal_text(opened, metadata, indent, keyring, &mut warnings).map_err(|error| error.in_file(shown))?;
    Ok(Encrypted { text, warnings })
}

fn seal_text(
    opened: Opened,
    mut metadata: Metadata,
    indent: Indent,
    keyring: &Keyring,
    warnings: &mut Vec<String>,
) -> Result<String> {
    let Opened { bytes, input, output } = opened;
    let mut document = input.index_plaintext(bytes)?;
    if document.roots().is_empty() {
        return Err(Error::new(Kind::NoDocument, "there is no document in the file"));
    }
    if !input.metadata_entries(&document).is_empty() {
        return Err(already_encrypted());
    }
    let output = written_as(input, output);
    if input.name() != output.name() {
        let converted = convert(&document, output, indent);
        document.into_bytes().zeroize();
        document = converted?;
    }
    document.block_indent = indent;
    warnings.extend(manifest::before_encryption(&document, &metadata.selection)?);
    let data_key = DataKey::generate()?;
    metadata.wrap(&data_key, keyring)?;
    let sealed = seal::encrypt(output, &document, &data_key, &mut metadata, None);
    document.into_bytes().zeroize();
    let text = sealed?;
    if !has_token(&text, &metadata) && !matches!(metadata.selection, Selection::Implied) {
        let (field, text) = (metadata.selection.field(), metadata.selection.text());
        warnings.push(format!("no value was encrypted: {field} {text:?} leaves none to encrypt"));
    }
    Ok(text)
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
    text.match_indices("ENC[AES256_GCM,").nth(of_block).is_some()
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
        None => return Err(nobody_named()),
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
        .because("no .sops.yaml with creation rules was found, and no recipient was named")
        .hint("leafcrypt init, which writes one; or: leafcrypt encrypt --age RECIPIENT FILE")
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
