//! Encrypting a document, and proving that it will come back.

use super::blocks::Blocks;
use super::layout::Layout;
use super::previous::{Kept, Previous};
use super::restore::{Source, restore};
use super::select::select;
use super::twins::Twins;
use super::{AdditionalData, data_entries};
use crate::crypto::{Cipher, Mac, Token};
use crate::document::{Document, EntryId, Flags, Indent, Kind, OddKey, Scalar, Splicer};
use crate::error::{self, Error, Result};
use crate::event::{self, Action};
use crate::format::{Format, Pieces};
use crate::key::Stanza;
use crate::metadata::{Metadata, Selection};
use crate::pattern::Pattern;
use crate::secret::DataKey;
use crate::trace;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use zeroize::Zeroize;

/// Encrypts `document` under `data_key` and gives the file to write, its `sops` blocks in place. Sets
/// `last_modified`, `mac` and `layout` of `metadata`.
///
/// With a `previous` version of the file, all that did not change is as it was there, to the byte: tokens, however
/// sops wrote them, and the blocks but for what `metadata` has changed of them. Under another data key than its, each
/// token is a new one in the place of the old.
///
/// # Errors
/// When a pattern of the selection is wrong, or something in the document could not be given back: then
/// with the place and the reason.
pub fn encrypt(
    format: &dyn Format,
    document: &Document,
    data_key: &DataKey,
    metadata: &mut Metadata,
    previous: Option<&Previous>,
) -> Result<String> {
    event::doing(Action::Encrypt, || metadata.stanzas().map(Stanza::title).collect())?;
    let clock = trace::clock();
    if format.is_whole() {
        metadata.selection = Selection::Implied;
    }
    metadata.last_modified = now();
    // What is made of the version before is proven as all else is; should it not hold, there is still the plain way.
    let plain = Way { previous, keeps: false };
    let ways = previous.map(|_| Way { previous, keeps: true }).into_iter().chain([plain]);
    let mut outcome = Err(unplaced(&metadata.selection));
    for way in ways {
        outcome = Sealer::new(format, document, data_key, metadata, way).and_then(|mut sealer| sealer.run(metadata));
        if outcome.is_ok() {
            break;
        }
    }
    if let Ok(text) = &outcome {
        clock.done(|| format!("encrypted the values, {} bytes", text.len()));
    }
    outcome
}

/// Encrypts a document from its pieces, so that its plaintext is never in memory as a whole: what [`encrypt`] would
/// give, where nothing was before. `None` when that does not do, for whatever reason; [`encrypt`] then says more.
///
/// # Errors
/// When it must not be done, says who keeps watch.
pub fn encrypt_pieces(
    format: &dyn Format,
    pieces: Pieces<'_>,
    indent: Indent,
    data_key: &DataKey,
    metadata: &mut Metadata,
) -> Result<Option<String>> {
    event::doing(Action::Encrypt, || metadata.stanzas().map(Stanza::title).collect())?;
    let clock = trace::clock();
    metadata.last_modified = now();
    let mut joint = Joint::of(metadata);
    let mut pieces = pieces.peekable();
    let mut text = String::new();
    while let Some(piece) = pieces.next() {
        let Some(piece) = piece.filter(|piece| !piece.has_metadata) else { return Ok(None) };
        let part = Part { depth: piece.depth, is_last: pieces.peek().is_none() };
        let behind = piece.text.len() - piece.own.end;
        let Ok(mut document) = format.index(piece.text) else { return Ok(None) };
        document.block_indent = indent;
        let way = Way { previous: None, keeps: false };
        let sealer = Sealer::new(format, &document, data_key, metadata, way);
        let sealed = sealer.and_then(|mut sealer| sealer.attempt(part, &mut joint, metadata));
        document.into_bytes().zeroize();
        let Ok(Some(sealed)) = sealed else { return Ok(None) };
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&sealed[piece.own.start..sealed.len() - behind]);
    }
    clock.done(|| format!("encrypted the values in pieces, {} bytes", text.len()));
    Ok(Some(text))
}

fn unplaced(selection: &Selection) -> Error {
    use Selection::{EncryptedCommentRegex, UnencryptedCommentRegex};
    const TOKEN: &str = "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:comment]";
    let is_of_tokens = |pattern: &str| Pattern::new(pattern).is_ok_and(|pattern| pattern.is_match(TOKEN));
    if let EncryptedCommentRegex(pattern) | UnencryptedCommentRegex(pattern) = selection
        && is_of_tokens(pattern)
    {
        return Error::new(error::Kind::EncryptTree, "the rule on comments matches encrypted comments as well")
            .because(format!("{pattern:?} is found in ENC[AES256_GCM,data:…,type:comment], which each of them becomes"))
            .hint("choose a pattern that matches nothing but your comments, such as \"^ *public\"");
    }
    Error::new(error::Kind::EncryptTree, "the comments of this file cannot be placed")
        .because("each way to encrypt them changes which values they belong to")
        .hint("move the comments at the end of the file, or encrypt without a rule on comments")
}

/// The current time as `lastmodified` has it: UTC, whole seconds.
#[must_use]
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How a document is sealed.
#[derive(Clone, Copy)]
struct Way<'a> {
    /// The version before.
    previous: Option<&'a Previous>,
    /// Whether it is put back where nothing changed; else only its nonces are used again.
    keeps: bool,
}

/// What the parts of a document have in common when it is sealed part by part. Most are sealed as one part.
struct Joint {
    mac: Mac,
    layout: Layout,
    /// How many data entries stand in the parts before.
    position: usize,
}

impl Joint {
    fn of(metadata: &Metadata) -> Self {
        Joint { mac: Mac::new(metadata.mac_only_encrypted), layout: Layout::default(), position: 0 }
    }
}

/// A part of a document: how many containers are opened before it, and whether the `sops` blocks are in it.
#[derive(Clone, Copy)]
struct Part {
    depth: usize,
    is_last: bool,
}

struct Sealer<'a> {
    format: &'a dyn Format,
    document: &'a Document,
    way: Way<'a>,
    /// Whether the tokens of the previous version are under the data key.
    same_key: bool,
    cipher: Cipher,
    selected: Vec<bool>,
    /// The additional data of comments that sops will see elsewhere than in the plaintext.
    moved: HashMap<EntryId, Vec<u8>>,
    /// The empty comments that sops will see among the items of a list, though they are not there in the plaintext.
    items: HashSet<EntryId>,
}

/// A document with its tokens, and where its `sops` blocks go.
struct Sealed {
    body: String,
    marks: Vec<usize>,
    /// The entries whose text was replaced, and where that text begins and ends.
    replaced: Vec<(u32, u32, u32)>,
    /// The comments whose tokens hold another text than their place in the document tells.
    texts: HashMap<EntryId, Vec<u8>>,
}

impl Sealed {
    /// What the token of an entry holds.
    fn value<'a>(&'a self, document: &'a Document, id: EntryId) -> Scalar<'a> {
        let scalar = document.scalar(id);
        Scalar { bytes: self.texts.get(&id).map_or(scalar.bytes, Vec::as_slice), ..scalar }
    }
}

/// What a block takes the place of in the plaintext, and its text.
type Block = (Range<usize>, String);

impl Sealed {
    /// Puts the blocks at their marks. Takes the body: a large file is then not in memory twice.
    fn assemble(&mut self, blocks: &[Block]) -> Result<String> {
        let mut text = std::mem::take(&mut self.body);
        match (self.marks.as_slice(), blocks) {
            ([], []) => return Ok(text),
            (&[mark], [(_, block)]) => {
                text.insert_str(mark, block);
                return Ok(text);
            }
            _ => {}
        }
        let mut splicer = Splicer::new(&text, blocks.iter().map(|(_, block)| block.len()).sum());
        for (&mark, (_, block)) in self.marks.iter().zip(blocks) {
            splicer.replace(mark..mark).extend_from_slice(block.as_bytes());
        }
        into_text(splicer.finish())
    }

    /// Puts other blocks in the place of those that [`Self::assemble`] put there.
    fn exchange(&self, mut text: String, old: &[Block], new: &[Block]) -> Result<String> {
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

impl<'a> Sealer<'a> {
    fn new(
        format: &'a dyn Format,
        document: &'a Document,
        data_key: &DataKey,
        metadata: &Metadata,
        way: Way<'a>,
    ) -> Result<Self> {
        Ok(Sealer {
            format,
            document,
            way,
            same_key: way.previous.is_some_and(|previous| previous.is_under(data_key)),
            cipher: Cipher::new(data_key),
            selected: select(format, document, &metadata.selection)?,
            moved: HashMap::new(),
            items: HashSet::new(),
        })
    }

    /// The block itself can change where sops sees the comments before it. What counts is where it sees
    /// them in the file that is written, so that is looked at, and the file written anew if it differs.
    fn run(&mut self, metadata: &mut Metadata) -> Result<String> {
        for _ in 0..4 {
            metadata.layout = None;
            metadata.mac.clear();
            let whole = Part { depth: 0, is_last: true };
            if let Some(text) = self.attempt(whole, &mut Joint::of(metadata), metadata)? {
                return Ok(text);
            }
        }
        Err(unplaced(&metadata.selection))
    }

    /// Encrypts a part once. `None`: sops would see some comment elsewhere; try again.
    fn attempt(&mut self, part: Part, joint: &mut Joint, metadata: &mut Metadata) -> Result<Option<String>> {
        let Way { previous, keeps } = self.way;
        let mut kept = previous.map(|previous| previous.kept(self.document, keeps));
        let places = match (previous, &kept) {
            (Some(previous), Some(kept)) if keeps => Blocks::edited(self.format, self.document, previous, kept),
            _ => Blocks::new(self.format, self.document),
        };
        let texts = |metadata: &Metadata| if part.is_last { places.texts(metadata) } else { Ok(Vec::new()) };
        let targets: Vec<_> = texts(metadata)?.into_iter().map(|(target, _)| target).collect();
        let mut sealed = self.seal(&targets, metadata.mac_only_encrypted, &mut joint.mac, kept.as_mut())?;
        if part.is_last {
            let digest = std::mem::replace(&mut joint.mac, Mac::new(false)).finish();
            let mut mac = Vec::new();
            self.cipher.encrypt(Kind::Str, digest.as_bytes(), metadata.last_modified.as_bytes(), None, &mut mac)?;
            metadata.mac = String::from_utf8(mac).unwrap_or_default();
        }
        let blocks = texts(metadata)?;
        let text = sealed.assemble(&blocks)?;

        let written = self.format.index(text).map_err(|error| self.unprovable(None).because(error))?;
        let data = data_entries(self.format, &written);
        let twins = Twins::of(self.document, &written, &data).ok_or_else(|| self.unprovable(None))?;
        if self.adopt(&written, &twins, metadata)? {
            return Ok(None);
        }
        let layout = self.prove(&sealed, &written, &data, &twins)?;
        joint.layout.join(layout, joint.position as u32, part.depth as u32);
        joint.position += data.len() - part.depth;
        joint.layout.set_encoding(self.document.encoding);
        if !part.is_last || joint.layout.is_empty() {
            return Ok(Some(written.into_text()));
        }
        metadata.layout = Some(joint.layout.seal(&mut self.cipher, &metadata.last_modified)?);
        let with_layout = texts(metadata)?;
        sealed.exchange(written.into_text(), &blocks, &with_layout).map(Some)
    }

    /// Replaces the selected values by tokens; adds all to the MAC in the order of the text. What is `kept`
    /// is put back as it was.
    fn seal(
        &mut self,
        places: &[Range<usize>],
        only_encrypted: bool,
        mac: &mut Mac,
        mut kept: Option<&mut Kept<'_>>,
    ) -> Result<Sealed> {
        let Sealer { format, document, same_key, cipher, selected, moved, items, .. } = self;
        let (format, document) = (*format, *document);
        let mut splicer = Splicer::new(document.bytes(), document.len() * 100);
        let mut additional = AdditionalData::new(document);
        let mut token: Vec<u8> = Vec::new();
        let mut text: Vec<u8> = Vec::new();
        let mut marks = Vec::with_capacity(places.len());
        let mut places = places.iter().cloned().peekable();
        let mut replaced = Vec::new();
        let mut texts = HashMap::new();
        let mut keys = document.odd_keys().iter().filter(|key| is_written_out(document, selected, key)).peekable();
        let mut id = 0;
        let mut noted = None;
        while id < document.len() {
            let entry = document.entry(id);
            let span = entry.span();
            loop {
                let key = keys.peek().map_or(usize::MAX, |key| key.span.start);
                let is_here = |place: &Range<usize>| {
                    place.start <= span.start && place.start < span.end.max(1) && place.start <= key
                };
                if let Some(place) = places.next_if(is_here) {
                    marks.push(splicer.replace(place).len());
                } else if let Some(key) = keys.next_if(|key| key.span.start < span.start) {
                    let out = splicer.replace(key.span.clone());
                    out.push(b'"');
                    out.extend_from_slice(key_text(document, key)?.as_bytes());
                    out.push(b'"');
                } else {
                    break;
                }
            }
            let in_mac = |id: EntryId, selected: bool| {
                let entry = document.entry(id);
                let is_value = !matches!(entry.kind(), Kind::Comment | Kind::Null | Kind::Map | Kind::List);
                is_value && !entry.is(Flags::SHADOWED) && (selected || !only_encrypted)
            };
            if let Some(span) = kept.as_mut().and_then(|kept| kept.span(document, id, selected)) {
                text.clear();
                let mut at = 0;
                for (id, was) in span.entries.clone().zip(&span.was) {
                    let scalar = document.scalar(id);
                    if in_mac(id, selected[id]) {
                        mac.add(scalar.bytes);
                    }
                    let entry = document.entry(id);
                    let is_other = entry.is(Flags::ALIAS) || entry.is(Flags::REWRITTEN);
                    let is_clear = was.token.is_none() && scalar.kind == Kind::Comment;
                    if was.token.is_some()
                        || is_other
                        || is_clear && format.write_clear(document, id, &mut Vec::new())?
                    {
                        replaced.push((id as u32, span.target.start as u32, span.target.end as u32));
                    }
                    let Some((old, range)) = &was.token else { continue };
                    let place = match scalar.kind {
                        // sops sees the comment where it did, unless the written file says otherwise.
                        Kind::Comment => moved.entry(id).or_insert_with(|| was.additional.clone()).as_slice(),
                        _ => additional.of(id),
                    };
                    text.extend_from_slice(&span.source.as_bytes()[at..range.start]);
                    if *same_key && place == was.additional {
                        text.extend_from_slice(old.as_bytes());
                    } else {
                        let bytes = was.other_text.unwrap_or(scalar.bytes);
                        cipher.encrypt(scalar.kind, bytes, place, None, &mut text)?;
                    }
                    texts.extend(was.other_text.map(|text| (id, text.to_vec())));
                    at = range.end;
                }
                text.extend_from_slice(&span.source.as_bytes()[at..]);
                splicer.replace(span.target).extend_from_slice(&text);
                id = span.entries.end;
                continue;
            }
            let nonces = kept.as_mut().filter(|_| *same_key).map(|kept| &mut kept.nonces);
            let mut nonces = nonces;
            let mut leaf = |id: EntryId, out: &mut Vec<u8>, in_copy: bool| -> Result<bool> {
                let mut scalar = document.scalar(id);
                if in_mac(id, selected[id]) {
                    mac.add(scalar.bytes);
                }
                if selected[id] && (is_empty_item(document, id) || items.contains(&id)) {
                    scalar.bytes = BLANK;
                    texts.insert(id, BLANK.to_vec());
                }
                if !selected[id] || scalar.bytes.is_empty() || scalar.kind == Kind::Null {
                    if in_copy || document.entry(id).is(Flags::REWRITTEN) {
                        format.write_scalar(document, id, scalar, out)?;
                        return Ok(true);
                    }
                    return format.write_clear(document, id, out);
                }
                let additional = match moved.get(&id) {
                    Some(moved) => moved,
                    None => additional.of(id),
                };
                token.clear();
                let nonce = nonces.as_mut().and_then(|nonces| nonces.take(scalar.kind, scalar.bytes, additional));
                cipher.encrypt(scalar.kind, scalar.bytes, additional, nonce, &mut token)?;
                format.write_token(document, id, std::str::from_utf8(&token).unwrap_or_default(), out);
                Ok(true)
            };
            let subtree = document.subtree(id);
            if entry.is(Flags::ALIAS) {
                let target = document.alias_target(id).map_or(0..0, |target| document.subtree(target));
                let sealed = |id: EntryId| loses_anchor(document, selected, id);
                // sops repeats the comments as well, and could not decrypt them at another path.
                let noted = noted.get_or_insert_with(|| sealed_comments(document, selected));
                let has_comment =
                    noted.get(noted.partition_point(|&id| id < target.start)).is_some_and(|id| *id < target.end);
                // What it repeats may be a document, which has the `sops` block then.
                let is_root = entry.parent().is_none();
                if is_root || has_comment || subtree.clone().any(sealed) || target.clone().any(sealed) {
                    let out = splicer.replace(span.clone());
                    format.write_copy(document, id, &mut |id, out| leaf(id, out, true).map(drop), out)?;
                    replaced.push((id as u32, span.start as u32, span.end as u32));
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
                    splicer.replace(span.clone()).extend_from_slice(&text);
                    replaced.push((id as u32, span.start as u32, span.end as u32));
                }
            }
            id += 1;
        }
        marks.extend(places.map(|place| splicer.replace(place).len()));
        Ok(Sealed { body: into_text(splicer.finish())?, marks, replaced, texts })
    }

    /// Takes over where sops will see the comments in what was written, and what the rule selects there.
    /// Whether anything differed.
    fn adopt(&mut self, written: &Document, twins: &Twins, metadata: &Metadata) -> Result<bool> {
        let selected = select(self.format, written, &metadata.selection)?;
        let mut differs = false;
        for (id, twin) in twins.entries() {
            if self.selected[id] != selected[twin] {
                self.selected[id] = selected[twin];
                differs |= !self.document.entry(id).kind().is_container();
            }
            if self.document.entry(id).kind() == Kind::Comment {
                if is_empty_item(written, twin) {
                    differs |= self.selected[id] && self.items.insert(id);
                }
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
    fn prove(&self, sealed: &Sealed, written: &Document, data: &[u32], twins: &Twins) -> Result<Layout> {
        let document = self.document;
        let mut layout = Layout::default();
        let mut is_replaced = vec![false; document.len()];
        let mut rendered: Vec<u8> = Vec::new();
        for &(id, start, end) in &sealed.replaced {
            let (id, span) = (id as usize, start as usize..end as usize);
            is_replaced[id] = true;
            let twin = twins.entry(id);
            // What was rewritten without becoming a token of its own comes back from the record alone.
            let is_token = self.selected[id] && !sealed.value(document, id).bytes.is_empty();
            if document.entry(id).is(Flags::ALIAS) || document.entry(id).is(Flags::NO_TOKEN) || !is_token {
                layout.insert(twins.position(id), document.raw(id));
                continue;
            }
            if document.entry(id).is(Flags::COPIED) {
                continue;
            }
            let token = written.scalar(twin).bytes;
            if Token::parse(token).is_none() {
                return Err(self.unprovable(Some(id)));
            }
            rendered.clear();
            let value = sealed.value(document, id);
            let is_written = match self.format.outgrown(written, twin, value) {
                Some((_, mut text)) => {
                    rendered.extend_from_slice(text.as_bytes());
                    text.zeroize();
                    true
                }
                None => self.format.write_scalar(written, twin, value, &mut rendered).is_ok(),
            };
            let spelled = &document.bytes()[span];
            if !is_written || rendered != spelled {
                layout.insert(twins.position(id), std::str::from_utf8(spelled).unwrap_or_default());
            }
        }
        for key in document.odd_keys().iter().filter(|key| is_written_out(document, &self.selected, key)) {
            layout.insert_key(twins.position(key.entry), &document.text()[key.span.clone()]);
        }
        rendered.zeroize();
        for (id, twin) in twins.entries() {
            let (before, after) = (document.scalar(id), written.scalar(twin));
            let copied = document.entry(id).is(Flags::COPIED);
            // A document that was empty now holds the block; sops would make `{}` of it.
            let was_empty =
                document.entry(id).parent().is_none() && before.kind == Kind::Null && after.kind == Kind::Map;
            if was_empty && document.entry(id).span().is_empty() {
                layout.insert(twins.position(id), "");
            }
            let is_sealed = self.selected[id] && (is_replaced[id] || copied);
            // A clear comment that sops could not read as it stands.
            let is_other = is_replaced[id] && before.kind == Kind::Comment && after.kind == Kind::Comment;
            let same = document.key_bytes(id) == written.key_bytes(twin)
                && (is_sealed || before.is_same_value(&after) || was_empty || is_other);
            if !same {
                return Err(self.unprovable(Some(id)));
            }
        }
        // By entry of the written document: which entry of the original its value is in.
        let mut origin = vec![u32::MAX; written.len()];
        for &(id, ..) in &sealed.replaced {
            origin[twins.entry(id as usize)] = id;
        }
        let splicer = Splicer::comparing(written.bytes(), document.bytes());
        let restored = restore(
            self.format,
            written,
            data,
            &layout,
            splicer,
            |twin| match origin[twin] {
                u32::MAX => Source::Clear,
                id => Source::Sealed(sealed.value(document, id as usize)),
            },
            None,
        )?;
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

/// What the token of an empty comment holds.
const BLANK: &[u8] = b" ";

/// Whether `id` is a comment without text among the items of a list. Left as it is, it would be an item to sops: an empty
/// text.
fn is_empty_item(document: &Document, id: EntryId) -> bool {
    let entry = document.entry(id);
    entry.kind() == Kind::Comment
        && document.scalar(id).bytes.is_empty()
        && entry.parent().is_some_and(|parent| document.entry(parent).kind() == Kind::List)
}

/// Whether the value `id` cannot be repeated by an alias: a token takes its place, or its anchor goes with its tag.
fn loses_anchor(document: &Document, selected: &[bool], id: EntryId) -> bool {
    let (entry, scalar) = (document.entry(id), document.scalar(id));
    let is_sealed = selected[id] && !scalar.bytes.is_empty() && scalar.kind != Kind::Comment;
    is_sealed || entry.is(Flags::TAGGED) && entry.is(Flags::REWRITTEN)
}

/// The containers that hold comments of which tokens take the place, in order.
fn sealed_comments(document: &Document, selected: &[bool]) -> Vec<EntryId> {
    let places = document.comment_places().iter().filter(|place| selected[place.comment as usize]);
    let mut containers: Vec<EntryId> = places.map(|place| place.container as EntryId).collect();
    containers.sort_unstable();
    containers
}

/// Whether a key cannot stay as it stands in the plaintext.
fn is_written_out(document: &Document, selected: &[bool], key: &OddKey) -> bool {
    key.target.is_none_or(|target| loses_anchor(document, selected, target))
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
