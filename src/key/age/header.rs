//! The header of an age file: what a plugin is asked about, and what its answer opens.

use std::cell::RefCell;

use ::age::armor::ArmoredReader;
use ::age::{DecryptError, Decryptor, Identity};
use age_core::format::{FileKey, Stanza};
use age_core::secrecy::ExposeSecret as _;

/// The stanzas in the header of an armored file; `None` when it is no age file.
pub(super) fn stanzas(armored: &str) -> Option<Vec<Stanza>> {
    let reader = Reader::default();
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(armored.trim_start().as_bytes())).ok()?;
    // It opens nothing, and has seen them all.
    let _ = decryptor.decrypt(std::iter::once(&reader as &dyn Identity));
    let seen = reader.0.into_inner();
    (!seen.is_empty()).then_some(seen)
}

/// Writes down what age shows to an identity: it has no other way to the header.
#[derive(Default)]
struct Reader(RefCell<Vec<Stanza>>);

impl Identity for Reader {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let copy = Stanza { tag: stanza.tag.clone(), args: stanza.args.clone(), body: stanza.body.clone() };
        self.0.borrow_mut().push(copy);
        None
    }
}

/// A file key that is known already.
pub(super) struct Known(FileKey);

impl Known {
    pub(super) fn new(key: FileKey) -> Self {
        Known(key)
    }
}

impl Identity for Known {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        Some(Ok(FileKey::init_with_mut(|key| key.copy_from_slice(self.0.expose_secret()))))
    }
}
