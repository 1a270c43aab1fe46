//! Decrypting a document and verifying it.

use super::encrypt::Nonces;
use super::layout::Layout;
use super::restore::{Source, restore};
use super::select::select;
use super::{AdditionalData, data_entries};
use crate::crypto::{Cipher, Mac, Rejected, Token};
use crate::document::{Document, EntryId, Flags, Kind, Scalar, Style};
use crate::error::{self, Error, Result};
use crate::format::Format;
use crate::metadata::Metadata;
use crate::secret::DataKey;
use crate::trace;
use zeroize::Zeroize;

/// What came out of [`decrypt`].
pub struct Decrypted {
    /// The plaintext: byte for byte the file that was encrypted.
    pub plaintext: Vec<u8>,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

impl Drop for Decrypted {
    fn drop(&mut self) {
        self.plaintext.zeroize();
    }
}

impl Decrypted {
    /// Takes the plaintext out.
    #[must_use]
    pub fn into_plaintext(mut self) -> Vec<u8> {
        std::mem::take(&mut self.plaintext)
    }
}

/// Decrypts `document` under `data_key` and verifies its MAC; with `ignore_mac` a MAC that is missing or
/// wrong is a warning. `nonces` takes up what encrypting the same file again needs, so that unchanged
/// leaves keep their tokens; a reader needs none.
///
/// # Errors
/// A leaf that does not decrypt, with its key path; a MAC that does not match.
pub fn decrypt(
    format: &dyn Format,
    document: &Document,
    data_key: &DataKey,
    metadata: &Metadata,
    ignore_mac: bool,
    nonces: Option<&mut Nonces>,
) -> Result<Decrypted> {
    let cipher = Cipher::new(data_key);
    let data = data_entries(format, document);
    let mut opened = open_verified(document, &data, &cipher, metadata, ignore_mac, nonces)?;
    let clock = trace::clock();
    let layout = match &metadata.layout {
        None => Layout::default(),
        Some(token) => Layout::open(token, &cipher, &metadata.last_modified).unwrap_or_else(|| {
            opened
                .warnings
                .push("the layout record is not of this version of the file: spelling may differ".to_owned());
            Layout::default()
        }),
    };
    let plaintext = write(format, document, &data, &opened, layout)?;
    clock.done(|| format!("put them in their places, {} bytes", plaintext.len()));
    let warnings = std::mem::take(&mut opened.warnings);
    Ok(Decrypted { plaintext, warnings })
}

/// The values of an encrypted document, for those who write none.
pub struct Values {
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
    data: Vec<u32>,
    opened: Opened,
}

impl Values {
    /// The value of entry `id` of `document`, the one that these are the values of; `None` for what is part of the `sops` block. A
    /// comment that sops wrote as an item of a list is a comment here.
    #[must_use]
    pub fn get<'a>(&'a self, document: &'a Document, id: EntryId) -> Option<Scalar<'a>> {
        self.data.binary_search(&(id as u32)).ok()?;
        Some(self.opened.get(id).unwrap_or_else(|| document.scalar(id)))
    }
}

/// Decrypts the values of `document` and verifies its MAC as [`decrypt`] does, but puts them in no text. They have the types
/// under which they were encrypted, which a text does not always tell: a float of 1 is printed as `1`.
///
/// # Errors
/// Those of [`decrypt`].
pub fn decrypt_values(
    format: &dyn Format,
    document: &Document,
    data_key: &DataKey,
    metadata: &Metadata,
    ignore_mac: bool,
) -> Result<Values> {
    let data = data_entries(format, document);
    let mut opened = open_verified(document, &data, &Cipher::new(data_key), metadata, ignore_mac, None)?;
    Ok(Values { warnings: std::mem::take(&mut opened.warnings), data, opened })
}

/// The decrypted values of a document, wiped when dropped.
struct Opened {
    bytes: Vec<u8>,
    /// By entry, ascending: kind and where in `bytes`.
    values: Vec<(u32, Kind, u32, u32)>,
    mac: String,
    warnings: Vec<String>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl Opened {
    fn push(&mut self, id: EntryId, kind: Kind, bytes: &[u8]) {
        self.values.push((id as u32, kind, self.bytes.len() as u32, bytes.len() as u32));
        self.bytes.extend_from_slice(bytes);
    }

    fn get(&self, id: EntryId) -> Option<Scalar<'_>> {
        let found = self.values.binary_search_by_key(&(id as u32), |value| value.0).ok()?;
        let (_, kind, start, len) = self.values[found];
        Some(Scalar { kind, bytes: &self.bytes[start as usize..(start + len) as usize] })
    }
}

fn open_verified(
    document: &Document,
    data: &[u32],
    cipher: &Cipher,
    metadata: &Metadata,
    ignore_mac: bool,
    nonces: Option<&mut Nonces>,
) -> Result<Opened> {
    let clock = trace::clock();
    let selected = select(document, &metadata.selection)?;
    let mut opened = open(document, data, &selected, cipher, metadata.mac_only_encrypted, nonces)?;
    if let Err(error) = verify(metadata, cipher, &opened.mac) {
        if !ignore_mac {
            return Err(error);
        }
        opened.warnings.push(format!("{}; the values may have been changed", error.message()));
    }
    clock.done(|| format!("decrypted {} values and comments and compared the MAC", opened.values.len()));
    Ok(opened)
}

fn open(
    document: &Document,
    data: &[u32],
    selected: &[bool],
    cipher: &Cipher,
    only_encrypted: bool,
    mut nonces: Option<&mut Nonces>,
) -> Result<Opened> {
    // Large enough, so that no copy of plaintext stays behind in memory that grew; and not larger, since all
    // of it is wiped. The marks, nonce and tag around a value are more than 100 bytes.
    let room = data.iter().map(|&id| document.scalar(id as usize).bytes.len().saturating_sub(100)).sum();
    let mut opened = Opened {
        bytes: Vec::with_capacity(room),
        values: Vec::with_capacity(data.len()),
        mac: String::new(),
        warnings: Vec::new(),
    };
    let mut additional = AdditionalData::new(document);
    let mut mac = Mac::new(only_encrypted);
    for &id in data {
        let id = id as usize;
        let scalar = document.scalar(id);
        match scalar.kind {
            Kind::Map | Kind::List | Kind::Null => continue,
            Kind::Comment => {
                open_comment(document, id, cipher, &mut opened, nonces.as_deref_mut());
                continue;
            }
            _ => {}
        }
        if !selected[id] {
            if !only_encrypted {
                mac.add(scalar.bytes);
            }
            continue;
        }
        if scalar.kind == Kind::Str && scalar.bytes.is_empty() {
            continue;
        }
        let token = std::str::from_utf8(scalar.bytes).ok().filter(|_| scalar.kind == Kind::Str).and_then(Token::parse);
        let Some(token) = token else { return Err(not_opened(document, id, Rejected::Form)) };
        let additional = additional.of(id);
        let (kind, value) =
            cipher.decrypt(&token, additional).map_err(|rejected| not_opened(document, id, rejected))?;
        if kind != Kind::Comment {
            mac.add(value.expose());
        }
        if let Some(nonces) = nonces.as_deref_mut()
            && let Some(nonce) = token.nonce()
        {
            nonces.remember(kind, value.expose(), additional, nonce);
        }
        opened.push(id, kind, value.expose());
    }
    opened.mac = mac.finish();
    Ok(opened)
}

/// A comment that does not open is left as it is, as sops does: it may never have been encrypted.
fn open_comment(document: &Document, id: EntryId, cipher: &Cipher, opened: &mut Opened, nonces: Option<&mut Nonces>) {
    let text = String::from_utf8_lossy(document.scalar(id).bytes);
    let Some(token) = Token::parse(&text).filter(Token::is_comment) else { return };
    for additional in comment_places(document, id) {
        if let Ok((kind, value)) = cipher.decrypt(&token, &additional) {
            if let Some(nonces) = nonces
                && let Some(nonce) = token.nonce()
            {
                nonces.remember(kind, value.expose(), &additional, nonce);
            }
            opened.push(id, kind, value.expose());
            return;
        }
    }
    let (line, _) = error::line_column(document.text(), document.entry(id).span().start);
    opened.warnings.push(format!("the comment at line {line} could not be decrypted and is left as it is"));
}

/// The paths under which a comment may have been encrypted: where sops sees it now, then the containers
/// around it and those of its neighbours, since other versions and tools place comments otherwise.
fn comment_places(document: &Document, id: EntryId) -> impl Iterator<Item = Vec<u8>> {
    let neighbours = [id.checked_sub(1), Some(id + 1).filter(|&next| next < document.len())];
    let starts = std::iter::once(id).chain(neighbours.into_iter().flatten());
    let mut tried: Vec<EntryId> = Vec::new();
    let root = std::iter::once(b":".to_vec());
    starts
        .flat_map(move |start| std::iter::successors(Some(start), |&at| document.entry(at).parent()))
        .filter(move |&at| {
            let wanted = at == id || document.entry(at).kind().is_container();
            let new = !tried.contains(&at);
            tried.push(at);
            wanted && new
        })
        .take(64)
        .map(|at| document.additional_data(at))
        .chain(root)
}

fn not_opened(document: &Document, id: EntryId, rejected: Rejected) -> Error {
    let error = Error::new(error::Kind::DecryptTree, "this value does not decrypt")
        .at(document.text(), document.entry(id).span().start)
        .at_path(document.path(id))
        .because(rejected);
    match rejected {
        Rejected::Form => error.because("the file's rule says that the value at this key path is encrypted").hint(
            "a value that was added by hand is clear text: decrypt the version before it, add it there and encrypt",
        ),
        Rejected::Tag => error.hint("a token cannot be moved or copied to another key; restore the file from Git"),
        Rejected::Base64 | Rejected::NonceSize | Rejected::Type => error.hint("restore the file from Git"),
    }
}

fn verify(metadata: &Metadata, cipher: &Cipher, computed: &str) -> Result<()> {
    if metadata.mac.is_empty() {
        return Err(Error::new(error::Kind::MacMissing, "the file has no MAC")
            .hint("restore the file from Git, or decrypt it with --ignore-mac and look at it with care"));
    }
    let mac = Token::parse(&metadata.mac)
        .ok_or(Rejected::Form)
        .and_then(|token| cipher.decrypt(&token, metadata.last_modified.as_bytes()))
        .map_err(|rejected| {
            Error::new(error::Kind::DecryptMac, "the MAC does not decrypt")
                .because(rejected)
                .because("its key path is the field lastmodified, which must be unchanged")
                .hint("restore the file from Git, or decrypt it with --ignore-mac and look at it with care")
        })?;
    if mac.1.expose() == computed.as_bytes() {
        return Ok(());
    }
    Err(Error::new(error::Kind::MacMismatch, "the MAC does not match the values")
        .because("a value was changed, added, removed or moved without the data key")
        .hint("restore the file from Git, or decrypt it with --ignore-mac and look at it with care"))
}

/// Writes the plaintext. What the layout record says is believed only if the result reads as the
/// decrypted values; each text that does not is left out.
fn write(
    format: &dyn Format,
    document: &Document,
    data: &[u32],
    opened: &Opened,
    mut layout: Layout,
) -> Result<Vec<u8>> {
    let value = |id| opened.get(id).map_or(Source::Clear, Source::Sealed);
    let in_block = |id: u32| matches!(document.entry(id as usize).style(), Style::Literal | Style::Folded);
    let must_prove = !layout.is_empty() || opened.values.iter().any(|&(id, ..)| in_block(id));
    // Values instead of tokens, with some room for quotes and escapes: growing would leave copies behind.
    let tokens: usize = opened.values.iter().map(|&(id, ..)| document.entry(id as usize).span().len()).sum();
    // Copies of an alias share its span, so a hostile file can have more of them than text.
    let len = document.bytes().len().saturating_sub(tokens)
        + opened.bytes.len()
        + opened.bytes.len() / 4
        + layout.len()
        + 1024;
    loop {
        let plaintext = restore(format, document, data, &layout, len, value)?;
        if !must_prove {
            return Ok(plaintext);
        }
        let Some(wrong) = first_difference(format, document, data, opened, &plaintext) else { return Ok(plaintext) };
        let dropped = match wrong {
            Difference::At(positions) => positions.into_iter().filter(|&at| layout.remove(at)).count(),
            Difference::Everywhere => {
                let dropped = usize::from(!layout.is_empty());
                layout.clear();
                dropped
            }
        };
        if dropped == 0 {
            return Err(Error::new(error::Kind::Format, "the decrypted values do not fit their places")
                .because("the marks around a token were changed after it was encrypted, such as the header of a block scalar")
                .hint("restore the file from Git"));
        }
    }
}

enum Difference {
    /// These entries read as something else; positions among the data entries.
    At(Vec<u32>),
    /// The text reads as another document.
    Everywhere,
}

fn first_difference(
    format: &dyn Format,
    document: &Document,
    data: &[u32],
    opened: &Opened,
    plaintext: &[u8],
) -> Option<Difference> {
    let Ok(plain) = format.index_plaintext(plaintext.to_vec()) else { return Some(Difference::Everywhere) };
    let expected = |id: EntryId| opened.get(id).unwrap_or_else(|| document.scalar(id));
    let mut wrong = Vec::new();
    let mut values = (0..plain.len()).filter(|&id| plain.entry(id).kind() != Kind::Comment);
    // An alias stands for all that is in it.
    let mut alias = (0, 0);
    for (position, &id) in data.iter().enumerate() {
        let id = id as usize;
        let scalar = expected(id);
        if scalar.kind == Kind::Comment {
            continue;
        }
        let Some(twin) = values.next() else { return Some(Difference::Everywhere) };
        if plain.entry(twin).is(Flags::ALIAS) {
            alias = (position as u32, plain.subtree(twin).end);
        }
        let found = plain.scalar(twin);
        let emptied = document.entry(id).parent().is_none() && found.kind == Kind::Null;
        if !(found.is_same_value(&scalar) || emptied) || plain.key_bytes(twin) != document.key_bytes(id) {
            wrong.push(if twin < alias.1 { alias.0 } else { position as u32 });
        }
    }
    if values.next().is_some() {
        return Some(Difference::Everywhere);
    }
    (!wrong.is_empty()).then_some(Difference::At(wrong))
}
