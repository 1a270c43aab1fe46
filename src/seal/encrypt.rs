//! Encrypting a document, and proving that it will come back.

use super::layout::Layout;
use super::restore::{Source, restore};
use super::select::select;
use super::{AdditionalData, data_entries};
use crate::crypto::{Cipher, Mac, Nonce, Token};
use crate::document::{Document, EntryId, Flags, Kind, OddKey, Splicer};
use crate::error::{self, Error, Result};
use crate::format::Format;
use crate::metadata::{Metadata, Selection};
use crate::secret::DataKey;
use crate::trace;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use zeroize::Zeroize;

/// The nonces of a file's tokens, by what they were used for: a leaf that does not change keeps its
/// token, so that an edit changes the edited lines alone. A nonce is only ever used again for the same
/// value at the same place, which gives the same token.
#[derive(Default)]
pub struct Nonces(HashMap<[u8; 32], Nonce>);

impl Nonces {
    fn digest(kind: Kind, canonical: &[u8], additional: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update([kind as u8]);
        hash.update((additional.len() as u64).to_le_bytes());
        hash.update(additional);
        hash.update(canonical);
        hash.finalize().into()
    }

    /// Remembers the nonce of a token.
    pub(super) fn remember(&mut self, kind: Kind, canonical: &[u8], additional: &[u8], nonce: Nonce) {
        self.0.insert(Self::digest(kind, canonical, additional), nonce);
    }

    fn get(&self, kind: Kind, canonical: &[u8], additional: &[u8]) -> Option<Nonce> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&Self::digest(kind, canonical, additional)).copied()
    }
}

/// Encrypts `document` under `data_key` and gives the file to write, its `sops` block in place. Leaves
/// that `nonces` knows keep their token. Sets `last_modified`, `mac` and `layout` of `metadata`.
///
/// # Errors
/// When a pattern of the selection is wrong, or something in the document could not be given back: then
/// with the place and the reason.
pub fn encrypt(
    format: &dyn Format,
    document: &Document,
    data_key: &DataKey,
    metadata: &mut Metadata,
    nonces: &Nonces,
) -> Result<String> {
    let clock = trace::clock();
    if format.is_whole() {
        metadata.selection = Selection::Implied;
    }
    let mut sealer = Sealer {
        format,
        document,
        nonces,
        cipher: Cipher::new(data_key),
        selected: select(document, &metadata.selection)?,
        moved: HashMap::new(),
    };
    metadata.last_modified = now();
    // The block itself can change where sops sees the comments before it. What counts is where it sees
    // them in the file that is written, so that is looked at, and the file written anew if it differs.
    for _ in 0..4 {
        if let Some(text) = sealer.attempt(metadata)? {
            clock.done(|| format!("encrypted the values, {} bytes", text.len()));
            return Ok(text);
        }
    }
    Err(Error::new(error::Kind::EncryptTree, "the comments of this file cannot be placed")
        .because("each way to encrypt them changes which values they belong to")
        .hint("move the comments at the end of the file, or encrypt without a rule on comments"))
}

/// The current time as `lastmodified` has it: UTC, whole seconds.
#[must_use]
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

struct Sealer<'a> {
    format: &'a dyn Format,
    document: &'a Document,
    nonces: &'a Nonces,
    cipher: Cipher,
    selected: Vec<bool>,
    /// The additional data of comments that sops will see elsewhere than in the plaintext.
    moved: HashMap<EntryId, Vec<u8>>,
}

/// A document with its tokens, and where its `sops` blocks go.
struct Sealed {
    body: String,
    marks: Vec<usize>,
    /// The entries whose text was replaced.
    replaced: Vec<u32>,
    mac: String,
}

impl Sealed {
    /// Puts the blocks at their marks. Takes the body: a large file is then not in memory twice.
    fn assemble(&mut self, blocks: &[(usize, String)]) -> Result<String> {
        let mut text = std::mem::take(&mut self.body);
        if let (&[mark], [(_, block)]) = (self.marks.as_slice(), blocks) {
            text.insert_str(mark, block);
            return Ok(text);
        }
        let mut splicer = Splicer::new(&text, blocks.iter().map(|(_, block)| block.len()).sum());
        for (&mark, (_, block)) in self.marks.iter().zip(blocks) {
            splicer.replace(mark..mark).extend_from_slice(block.as_bytes());
        }
        into_text(splicer.finish())
    }

    /// Puts other blocks in the place of those that [`Self::assemble`] put there.
    fn exchange(&self, mut text: String, old: &[(usize, String)], new: &[(usize, String)]) -> Result<String> {
        if let (&[mark], [(_, old)], [(_, new)]) = (self.marks.as_slice(), old, new) {
            text.replace_range(mark..mark + old.len(), new);
            return Ok(text);
        }
        let mut splicer = Splicer::new(&text, new.iter().map(|(_, block)| block.len()).sum());
        let mut before = 0;
        for ((&mark, (_, old)), (_, new)) in self.marks.iter().zip(old).zip(new) {
            let start = mark + before;
            splicer.replace(start..start + old.len()).extend_from_slice(new.as_bytes());
            before += old.len();
        }
        into_text(splicer.finish())
    }
}

impl Sealer<'_> {
    /// Encrypts once. `None`: sops would see some comment elsewhere; try again.
    fn attempt(&mut self, metadata: &mut Metadata) -> Result<Option<String>> {
        metadata.layout = None;
        metadata.mac.clear();
        let places: Vec<usize> = self
            .format
            .metadata_insertions(self.document, &metadata.to_value())
            .into_iter()
            .map(|(at, _)| at)
            .collect();
        let mut sealed = self.seal(&places, metadata.mac_only_encrypted)?;
        let mut mac = Vec::new();
        self.cipher.encrypt(Kind::Str, sealed.mac.as_bytes(), metadata.last_modified.as_bytes(), None, &mut mac)?;
        metadata.mac = String::from_utf8(mac).unwrap_or_default();
        let blocks = self.format.metadata_insertions(self.document, &metadata.to_value());
        let text = sealed.assemble(&blocks)?;

        let written = self.format.index(text).map_err(|error| self.unprovable(None).because(error))?;
        let data = data_entries(self.format, &written);
        if data.len() != self.document.len() {
            return Err(self.unprovable(None));
        }
        if self.adopt(&written, &data, metadata)? {
            return Ok(None);
        }
        let layout = self.prove(&sealed, &written, &data)?;
        if layout.is_empty() {
            return Ok(Some(written.into_text()));
        }
        metadata.layout = Some(layout.seal(&mut self.cipher, &metadata.last_modified)?);
        let with_layout = self.format.metadata_insertions(self.document, &metadata.to_value());
        sealed.exchange(written.into_text(), &blocks, &with_layout).map(Some)
    }

    /// Replaces the selected values by tokens; computes the MAC over all in the order of the text.
    fn seal(&mut self, places: &[usize], only_encrypted: bool) -> Result<Sealed> {
        let Sealer { format, document, nonces, cipher, selected, moved } = self;
        let (format, document) = (*format, *document);
        let mut splicer = Splicer::new(document.bytes(), document.len() * 100);
        let mut additional = AdditionalData::new(document);
        let mut mac = Mac::new(only_encrypted);
        let mut token: Vec<u8> = Vec::new();
        let mut text: Vec<u8> = Vec::new();
        let mut marks = Vec::with_capacity(places.len());
        let mut places = places.iter().copied().peekable();
        let mut replaced = Vec::new();
        let mut keys = document.odd_keys().iter().filter(|key| is_written_out(document, selected, key)).peekable();
        let mut id = 0;
        while id < document.len() {
            let entry = document.entry(id);
            let span = entry.span();
            loop {
                let key = keys.peek().map_or(usize::MAX, |key| key.span.start);
                let is_here = |&place: &usize| place <= span.start && place < span.end.max(1) && place <= key;
                if let Some(place) = places.next_if(is_here) {
                    marks.push(splicer.replace(place..place).len());
                } else if let Some(key) = keys.next_if(|key| key.span.start < span.start) {
                    let out = splicer.replace(key.span.clone());
                    out.push(b'"');
                    out.extend_from_slice(key_text(document, key)?.as_bytes());
                    out.push(b'"');
                } else {
                    break;
                }
            }
            let mut leaf = |id: EntryId, out: &mut Vec<u8>, in_copy: bool| -> Result<bool> {
                let scalar = document.scalar(id);
                let comment = scalar.kind == Kind::Comment;
                let counts = !comment && scalar.kind != Kind::Null && !document.entry(id).is(Flags::SHADOWED);
                if counts && (selected[id] || !only_encrypted) {
                    mac.add(scalar.bytes);
                }
                if !selected[id] || scalar.bytes.is_empty() || scalar.kind == Kind::Null {
                    let rewritten = in_copy || document.entry(id).is(Flags::REWRITTEN);
                    if rewritten {
                        format.write_scalar(document, id, scalar, out)?;
                    }
                    return Ok(rewritten);
                }
                let additional = match moved.get(&id) {
                    Some(moved) => moved,
                    None => additional.of(id),
                };
                token.clear();
                let nonce = nonces.get(scalar.kind, scalar.bytes, additional);
                cipher.encrypt(scalar.kind, scalar.bytes, additional, nonce, &mut token)?;
                format.write_token(document, id, std::str::from_utf8(&token).unwrap_or_default(), out);
                Ok(true)
            };
            let subtree = document.subtree(id);
            if entry.is(Flags::ALIAS) {
                let target = document.alias_target(id).map_or(0..0, |target| document.subtree(target));
                let sealed = |id: EntryId| is_sealed(document, selected, id);
                if subtree.clone().any(sealed) || target.clone().any(sealed) {
                    let out = splicer.replace(span);
                    format.write_copy(document, id, &mut |id, out| leaf(id, out, true).map(drop), out)?;
                    replaced.push(id as u32);
                } else {
                    for id in subtree.clone().filter(|&id| !document.entry(id).kind().is_container()) {
                        leaf(id, &mut Vec::new(), false)?;
                    }
                }
                id = subtree.end;
                continue;
            }
            if !entry.kind().is_container() {
                text.clear();
                if leaf(id, &mut text, false)? {
                    splicer.replace(span).extend_from_slice(&text);
                    replaced.push(id as u32);
                }
            }
            id += 1;
        }
        marks.extend(places.map(|place| splicer.replace(place..place).len()));
        Ok(Sealed { body: into_text(splicer.finish())?, marks, replaced, mac: mac.finish() })
    }

    /// Takes over where sops will see the comments in what was written, and what the rule selects there.
    /// Whether anything differed.
    fn adopt(&mut self, written: &Document, data: &[u32], metadata: &Metadata) -> Result<bool> {
        let selected = select(written, &metadata.selection)?;
        let mut differs = false;
        for (id, &twin) in data.iter().enumerate() {
            let twin = twin as usize;
            if self.selected[id] != selected[twin] {
                self.selected[id] = selected[twin];
                differs |= !self.document.entry(id).kind().is_container();
            }
            if self.document.entry(id).kind() == Kind::Comment {
                let wanted = written.additional_data(twin);
                let used = self.moved.get(&id).cloned().unwrap_or_else(|| self.document.additional_data(id));
                if wanted != used {
                    differs |= self.selected[id];
                    self.moved.insert(id, wanted);
                }
            }
        }
        Ok(differs)
    }

    /// Proves that the written document gives back the original, and says with which layout.
    fn prove(&self, sealed: &Sealed, written: &Document, data: &[u32]) -> Result<Layout> {
        let document = self.document;
        let mut layout = Layout::default();
        let mut is_replaced = vec![false; document.len()];
        let mut rendered: Vec<u8> = Vec::new();
        for id in sealed.replaced.iter().map(|&id| id as usize) {
            is_replaced[id] = true;
            let twin = data[id] as usize;
            // What was rewritten without becoming a token of its own comes back from the record alone.
            let is_token = self.selected[id] && !document.scalar(id).bytes.is_empty();
            if document.entry(id).is(Flags::ALIAS) || document.entry(id).is(Flags::NO_TOKEN) || !is_token {
                layout.insert(id as u32, document.raw(id));
                continue;
            }
            let token = written.scalar(twin).bytes;
            if std::str::from_utf8(token).ok().and_then(Token::parse).is_none() {
                return Err(self.unprovable(Some(id)));
            }
            rendered.clear();
            let written = self.format.write_scalar(written, twin, document.scalar(id), &mut rendered);
            if written.is_err() || rendered != document.raw_bytes(id) {
                layout.insert(id as u32, document.raw(id));
            }
        }
        for key in document.odd_keys().iter().filter(|key| is_written_out(document, &self.selected, key)) {
            layout.insert_key(key.entry as u32, &document.text()[key.span.clone()]);
        }
        rendered.zeroize();
        for (id, &twin) in data.iter().enumerate() {
            let twin = twin as usize;
            let (before, after) = (document.scalar(id), written.scalar(twin));
            let copied = document.entry(id).is(Flags::COPIED);
            // A document that was empty now holds the block; sops would make `{}` of it.
            let was_empty =
                document.entry(id).parent().is_none() && before.kind == Kind::Null && after.kind == Kind::Map;
            if was_empty && document.entry(id).span().is_empty() {
                layout.insert(id as u32, "");
            }
            let sealed = self.selected[id] && (is_replaced[id] || copied);
            let same = document.key_bytes(id) == written.key_bytes(twin)
                && (sealed || before.is_same_value(&after) || was_empty);
            if !same {
                return Err(self.unprovable(Some(id)));
            }
        }
        // By entry of the written document: which entry of the original its value is in.
        let mut origin = vec![u32::MAX; written.len()];
        for &id in &sealed.replaced {
            origin[data[id as usize] as usize] = id;
        }
        let splicer = Splicer::comparing(written.bytes(), document.bytes());
        let restored = restore(self.format, written, data, &layout, splicer, |twin| match origin[twin] {
            u32::MAX => Source::Clear,
            id => Source::Sealed(document.scalar(id as usize)),
        })?;
        if !restored.is_same() {
            return Err(self.unprovable(None));
        }
        Ok(layout)
    }

    fn unprovable(&self, id: Option<EntryId>) -> Error {
        let error = Error::new(error::Kind::EncryptTree, "this file could not be given back byte for byte")
            .because("nothing was written; this is a fault of leafcrypt, not of the file");
        match id {
            Some(id) => {
                error.at(self.document.text(), self.document.entry(id).span().start).at_path(self.document.path(id))
            }
            None => error,
        }
    }
}

/// Whether a token takes the place of the value `id`.
fn is_sealed(document: &Document, selected: &[bool], id: EntryId) -> bool {
    let scalar = document.scalar(id);
    selected[id] && !scalar.bytes.is_empty() && scalar.kind != Kind::Comment
}

/// Whether a key cannot stay as it stands in the plaintext.
fn is_written_out(document: &Document, selected: &[bool], key: &OddKey) -> bool {
    key.target.is_none_or(|target| is_sealed(document, selected, target))
}

/// A key that is written out, as it can stand in double quotes.
fn key_text<'a>(document: &'a Document, key: &OddKey) -> Result<&'a str> {
    const LONGEST: usize = 1_000; // of a key on one line, in YAML
    let text = document.key(key.entry);
    if text.len() <= LONGEST
        && text.chars().all(|c| !c.is_control() && !matches!(c, '"' | '\\' | '\u{2028}' | '\u{2029}' | '\u{feff}'))
    {
        return Ok(text);
    }
    let (why, hint) = match key.target {
        Some(_) => ("the value that it repeats gets encrypted", "write the key itself instead of the alias"),
        None => ("sops does not read it as it stands", "put it in quotes"),
    };
    Err(Error::new(error::Kind::EncryptTree, "this key cannot be written out in quotes")
        .at(document.text(), key.span.start)
        .because(why)
        .because("it has quotes, escapes, line breaks or is too long for a key")
        .hint(hint))
}

fn into_text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::new(error::Kind::EncryptTree, "the encrypted file would not be UTF-8"))
}
