//! Which leaves and comments a selection encrypts.
//!
//! The rule is asked twice with the same answer: when a file is encrypted, and when it is decrypted, where
//! sops decides by the rule and not by how a value looks. Source: `shouldBeEncrypted` in `sops.go`.

use crate::document::{CommentPlace, Document, EntryId, Flags, Kind};
use crate::error::Result;
use crate::format::Format;
use crate::metadata::Selection;
use crate::pattern::Pattern;
use std::collections::{HashMap, HashSet};

/// For each entry, whether the selection wants it encrypted.
///
/// # Errors
/// When its pattern is none.
pub fn select(format: &dyn Format, document: &Document, selection: &Selection) -> Result<Vec<bool>> {
    let by_key =
        |encrypted_on_match, matches: &dyn Fn(EntryId) -> bool| select_by_key(document, encrypted_on_match, matches);
    let ends_with = |id, suffix: &str| document.key_bytes(id).ends_with(suffix.as_bytes());
    let by_comment = |encrypted_on_match, pattern: &str| -> Result<Vec<bool>> {
        let blocks = format.metadata_entries(document);
        Ok(select_by_comment(document, &blocks, encrypted_on_match, &Pattern::new(pattern)?))
    };
    let mut selected = match selection {
        Selection::Implied | Selection::UnencryptedSuffix(_) => by_key(false, &|id| ends_with(id, selection.text())),
        Selection::EncryptedSuffix(suffix) => by_key(true, &|id| ends_with(id, suffix)),
        Selection::UnencryptedRegex(pattern) => {
            let pattern = Pattern::new(pattern)?;
            by_key(false, &|id| pattern.is_match(document.key(id)))
        }
        Selection::EncryptedRegex(pattern) => {
            let pattern = Pattern::new(pattern)?;
            by_key(true, &|id| pattern.is_match(document.key(id)))
        }
        Selection::UnencryptedCommentRegex(pattern) => by_comment(false, pattern)?,
        Selection::EncryptedCommentRegex(pattern) => by_comment(true, pattern)?,
    };
    for (shadowed, by) in document.shadows() {
        selected[shadowed] = selected[by];
    }
    for id in 2..document.len() {
        if document.entry(id).is(Flags::TIED) {
            selected[id] = selected[id - 2];
        }
    }
    Ok(selected)
}

/// Any key on the way from the root decides.
fn select_by_key(document: &Document, encrypted_on_match: bool, matches: &dyn Fn(EntryId) -> bool) -> Vec<bool> {
    let mut hit = vec![false; document.len()];
    for (id, entry) in document.entries().iter().enumerate() {
        if entry.kind() != Kind::Comment {
            hit[id] = entry.parent().is_some_and(|parent| hit[parent]) || entry.has_key() && matches(id);
        }
    }
    // After the values, since a comment may stand before the container it belongs to.
    for (id, entry) in document.entries().iter().enumerate() {
        if entry.kind() == Kind::Comment {
            hit[id] = entry.parent().is_some_and(|parent| hit[parent]);
        }
    }
    hit.iter().map(|&hit| hit == encrypted_on_match).collect()
}

/// The comments above a value decide, on every level on the way to it. Of the `blocks` sops looks at none: what stands above
/// one is above what follows it.
fn select_by_comment(
    document: &Document,
    blocks: &[EntryId],
    encrypted_on_match: bool,
    pattern: &Pattern,
) -> Vec<bool> {
    let mut walk = CommentWalk { document, encrypted_on_match, pattern, hit: vec![false; document.len()] };
    let mut places = document.comment_places();
    // A comment that sops does not see is treated like its container.
    let mut unseen: Vec<EntryId> = Vec::new();
    let seen: HashSet<u32> = places.iter().map(|place| place.comment).collect();
    let mut blocks = blocks.iter().copied().peekable();
    // By container, what the comments above its block decided.
    let mut above_block: HashMap<EntryId, bool> = HashMap::new();
    for (id, entry) in document.entries().iter().enumerate() {
        if entry.kind() == Kind::Comment {
            if !seen.contains(&(id as u32)) {
                unseen.push(id);
            }
            continue;
        }
        let above = entry.parent().is_some_and(|parent| above_block.remove(&parent).unwrap_or(walk.hit[parent]));
        let count = places.iter().take_while(|place| place.before as usize == id).count();
        let (here, rest) = places.split_at(count);
        places = rest;
        walk.hit[id] = walk.comments(here, above);
        if let (Some(_), Some(parent)) = (blocks.next_if_eq(&id), entry.parent()) {
            above_block.insert(parent, walk.hit[id]);
        }
    }
    // Those behind the last child of a container: nothing but each other is above them.
    while let Some(first) = places.first() {
        let count = places.iter().take_while(|place| place.container == first.container).count();
        let (here, rest) = places.split_at(count);
        places = rest;
        let container = first.container as usize;
        let above = above_block.remove(&container).unwrap_or(walk.hit[container]);
        walk.comments(here, above);
    }
    for id in unseen {
        walk.hit[id] = document.entry(id).parent().is_some_and(|parent| walk.hit[parent]);
    }
    walk.hit.iter().map(|&hit| hit == encrypted_on_match).collect()
}

struct CommentWalk<'a> {
    document: &'a Document,
    encrypted_on_match: bool,
    pattern: &'a Pattern,
    hit: Vec<bool>,
}

impl CommentWalk<'_> {
    /// Decides about comments that stand in a row; gives whether what follows them is hit. A comment
    /// that says "encrypt" stays clear itself, as does one that says "do not".
    fn comments(&mut self, places: &[CommentPlace], above: bool) -> bool {
        let mut hit = above;
        for place in places {
            let comment = place.comment as usize;
            let text = String::from_utf8_lossy(self.document.scalar(comment).bytes);
            let matches = self.pattern.is_match(&text);
            self.hit[comment] = hit || matches && !self.encrypted_on_match;
            hit |= matches;
        }
        hit
    }
}
