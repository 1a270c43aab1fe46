//! Resources that are in a stream already: those that are encrypted are decrypted, the others stay.

use super::resource::{self, Resource};
use super::{Plugin, generator};
use crate::document::Value;
use crate::error::Result;
use crate::event;
use crate::format::{self, yaml::Yaml};
use crate::ops::{Unsealed, placeholder};
use zeroize::Zeroizing;

/// Decrypts the encrypted resources of a stream.
pub(super) fn decrypt_stream(plugin: &Plugin, stream: &str) -> Result<Vec<Resource>> {
    let open = |(at, found): (usize, Resource)| {
        let value = generator::index(found.to_string())?;
        let value = value.roots().first().map_or(Value::Null, |&root| value.value(root));
        open_encrypted(plugin, found, &value, at)
    };
    resource::split(stream)?.into_iter().enumerate().map(open).collect()
}

/// Decrypts a resource of the stream, if it is encrypted.
///
/// Its MAC is not looked at: it is over the order and the clear values of the file, both of which kustomize
/// changes. Each value is authenticated by itself, with its key path. Nor do warnings matter, which are about
/// the MAC, comments and spelling.
pub(super) fn open_encrypted(plugin: &Plugin, resource: Resource, value: &Value, at: usize) -> Result<Resource> {
    if value.get("sops").is_none_or(|block| block.get("mac").is_none()) {
        return Ok(resource);
    }
    let text_of = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = text_of(value.get("metadata").and_then(|metadata| metadata.get("name")));
    let shown = format!("resource {} of the stream, {} {name}", at + 1, text_of(value.get("kind")));
    let file = resource.as_bytes().to_vec();
    if plugin.placeholder {
        let text = placeholder::of_file(&Yaml, file).and_then(format::into_text);
        return text.map(Zeroizing::new).map_err(|error| error.in_file(shown));
    }
    event::about(|| shown.clone());
    let opened = Unsealed::open(file, &Yaml, &plugin.keyring, true).map_err(|error| error.in_file(shown))?;
    format::into_text(opened.plaintext().to_vec()).map(Zeroizing::new)
}
