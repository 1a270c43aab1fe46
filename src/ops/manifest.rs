//! Kubernetes manifests: what is pointed out because a cluster, or a tool on the way to it, would refuse it.
//!
//! Source: Flux' and Argo CD's need to read `apiVersion`, `kind` and `metadata` of a manifest before it is decrypted.

mod refused;

use crate::document::{Document, EntryId, Kind};
use crate::error::Result;
use crate::format::{Format, yaml::Yaml};
use crate::metadata::Selection;
use crate::seal;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use base64::prelude::Engine;
use zeroize::{Zeroize, Zeroizing};

/// A larger Secret is refused by the API server (1 MiB in all), whatever is in it.
const LARGEST: usize = 4 << 20;

/// Where a root names itself a manifest: its `kind`.
fn kind_of(document: &Document, root: EntryId) -> Option<&[u8]> {
    if document.entry(root).kind() != Kind::Map {
        return None;
    }
    document.child(root, "apiVersion")?;
    document.child(root, "kind").map(|kind| document.scalar(kind).bytes)
}

/// The Secrets of a file: its documents, and the items of its lists, as kubectl prints several resources.
pub(super) fn secrets(document: &Document) -> impl Iterator<Item = EntryId> {
    let within = |&root: &EntryId| {
        let items = document.child(root, "items").filter(|_| kind_of(document, root) == Some(b"List"));
        let items = items.filter(|&items| document.entry(items).kind() == Kind::List);
        let own = items.is_none().then_some(root);
        own.into_iter().chain(items.into_iter().flat_map(|items| document.children(items)))
    };
    document.roots().iter().flat_map(within).filter(|&id| kind_of(document, id) == Some(b"Secret"))
}

/// What is wrong with encrypting the plaintext `document` by `selection`, for whom it is a manifest.
///
/// # Errors
/// When a pattern of the selection is wrong.
pub(super) fn before_encryption(
    format: &dyn Format,
    document: &Document,
    selection: &Selection,
) -> Result<Vec<String>> {
    let manifests = || document.roots().iter().copied().filter(|&root| kind_of(document, root).is_some());
    if manifests().next().is_none() {
        return Ok(Vec::new());
    }
    let mut warnings = Vec::new();
    let selected = seal::select(format, document, selection)?;
    let is_sealed = |id: EntryId| {
        let scalar = document.scalar(id);
        selected[id] && !scalar.bytes.is_empty() && !matches!(scalar.kind, Kind::Null | Kind::Comment)
    };
    let hidden = |key: &&str| {
        let of_root = |root| document.child(root, key).is_some_and(|id| document.subtree(id).any(is_sealed));
        manifests().any(of_root)
    };
    let hidden: Vec<&str> = ["apiVersion", "kind", "metadata"].into_iter().filter(hidden).collect();
    if !hidden.is_empty() {
        warnings.push(format!(
            "{} of a Kubernetes manifest {} encrypted: kustomize, Flux and Argo CD cannot read it then\n\
             encrypt only its data: encrypted_regex: ^(data|stringData)$",
            hidden.join(", "),
            if hidden.len() == 1 { "is" } else { "are" },
        ));
    }
    warnings.extend(refused::secrets(document));
    Ok(warnings)
}

/// What a cluster would refuse of the file `plaintext`. Looks only at what may be a Secret.
pub(super) fn before_use(format: &dyn Format, plaintext: &[u8]) -> Vec<String> {
    let may_be = format.name() == Yaml.name() || format.name() == "json";
    if !may_be || plaintext.len() > LARGEST || memchr::memmem::find(plaintext, b"Secret").is_none() {
        return Vec::new();
    }
    let Ok(document) = format.index_plaintext(plaintext.to_vec()) else { return Vec::new() };
    let warnings = refused::secrets(&document);
    document.into_bytes().zeroize();
    warnings
}

/// Go's decoder looks at no bits that are left over.
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// What Go's decoder makes of it, which skips line breaks; nothing when it is not base64.
pub(super) fn decode_base64(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digits = bytes.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r'));
    let digits = Zeroizing::new(digits.collect::<Vec<u8>>());
    BASE64.decode(&*digits).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(text: &str, pattern: &str) -> Vec<String> {
        let document = Yaml.index(text.to_owned()).unwrap();
        before_encryption(&Yaml, &document, &Selection::EncryptedRegex(pattern.to_owned())).unwrap()
    }

    #[test]
    fn what_a_cluster_cannot_read_is_pointed_out() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\nstringData:\n  a: b\n";
        assert!(warned(secret, "^(data|stringData)$").is_empty());
        assert!(warned(secret, "name")[0].starts_with("metadata of a Kubernetes manifest is encrypted"));
        assert!(warned(secret, ".")[0].starts_with("apiVersion, kind, metadata of a Kubernetes manifest are"));
        assert!(warned("kind: x\nmetadata: y\n", ".").is_empty(), "no manifest");
    }

    #[test]
    fn base64_is_read_as_a_cluster_reads_it() {
        for (text, bytes) in
            [("aGVs\nbG8=\n", Some("hello")), ("aGVsbG9=", Some("hello")), ("aGVsbG8", None), ("aGVs bG8=", None)]
        {
            assert_eq!(
                decode_base64(text.as_bytes()).as_deref().map(Vec::as_slice),
                bytes.map(str::as_bytes),
                "{text:?}"
            );
        }
    }
}
