//! Which entry of an encrypted document is which of its plaintext.

use crate::crypto::Token;
use crate::document::{Document, EntryId, Kind};

/// By entry of the plaintext: the position of its twin among the data entries of the encrypted document.
pub(super) struct Twins {
    positions: Vec<u32>,
    data: Vec<u32>,
}

impl Twins {
    /// Pairs values with values and comments with comments, each in their order. Among each other they may stand
    /// otherwise: sops writes the comment above a list as an item of it, and the list then comes first.
    pub(super) fn of(plaintext: &Document, encrypted: &Document, data: &[u32]) -> Option<Self> {
        let is_comment = |id: u32| {
            let entry = encrypted.entry(id as usize);
            let is_item = || {
                let in_list = entry.parent().is_some_and(|parent| encrypted.entry(parent).kind() == Kind::List);
                let token = || Token::parse(encrypted.scalar(id as usize).bytes);
                entry.kind() == Kind::Str && in_list && token().is_some_and(|token| token.is_comment())
            };
            entry.kind() == Kind::Comment || is_item()
        };
        let positions = 0..data.len() as u32;
        let (comments, values): (Vec<u32>, Vec<u32>) = positions.partition(|&at| is_comment(data[at as usize]));
        let (mut comments, mut values) = (comments.into_iter(), values.into_iter());
        let twin = |id: EntryId| match plaintext.entry(id).kind() {
            Kind::Comment => comments.next(),
            _ => values.next(),
        };
        let positions: Option<Vec<u32>> = (0..plaintext.len()).map(twin).collect();
        let is_whole = comments.next().is_none() && values.next().is_none();
        positions.filter(|_| is_whole).map(|positions| Twins { positions, data: data.to_vec() })
    }

    /// The position of the twin of `id`.
    pub(super) fn position(&self, id: EntryId) -> u32 {
        self.positions[id]
    }

    /// The twin of `id`.
    pub(super) fn entry(&self, id: EntryId) -> EntryId {
        self.data[self.positions[id] as usize] as EntryId
    }

    /// Each entry of the plaintext with its twin.
    pub(super) fn entries(&self) -> impl Iterator<Item = (EntryId, EntryId)> + '_ {
        (0..self.positions.len()).map(|id| (id, self.entry(id)))
    }
}
