//! Where real sops sees each comment.
//!
//! A comment is encrypted under the path of the map or list that it belongs to, and which one that is
//! follows from how go-yaml v3 hangs comments on nodes: as head, line or foot comment, by indentation,
//! blank lines and the tokens around. sops then makes items of them in its tree. This folder gives the
//! same answer from the same tokens: [`scan`] finds the comments between tokens and what they lean on,
//! [`attach`] hangs them on nodes and nodes into sops' tree.
//!
//! Source: the observable behaviour of go-yaml v3 (`scannerc.go`, `parserc.go`, `decode.go`) and of
//! sops' YAML store, checked against the real binary by the parity tests.

mod attach;
mod scan;
mod tokens;

pub(super) use tokens::Tokens;

use crate::document::{Builder, EntryId};

/// Where in sops' tree a comment stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Placement {
    container: u32,
    /// The child of the container that comes next, or `u32::MAX`.
    before: u32,
    /// 0 for comments of the container as a whole, which come before those of its first child.
    rank: u8,
    comment: u32,
}

/// Says of each of `comments` (entries, in the order of the text) where it belongs. `nodes` are the
/// entries of the values in the order of the parser's events, and `tokens` those of the text.
///
/// A comment that go-yaml loses keeps the container whose text it stands in.
pub(super) fn place(tokens: Tokens<'_>, builder: &mut Builder, comments: &[EntryId], nodes: &[EntryId]) {
    let offsets: Vec<usize> = comments.iter().map(|&id| builder.so_far().entry(id).span().start).collect();
    let mut placements = attach::attach(tokens, &offsets, nodes);
    // Stable: within a rank, the order in which they were attached is the order of the tree.
    placements.sort_by_key(|p| (p.before, p.container, p.rank));
    for placement in placements {
        let before = (placement.before != u32::MAX).then_some(placement.before as usize);
        builder.place_comment(comments[placement.comment as usize], placement.container as usize, before);
    }
}
