//! The legacy exec plugin: a manifest's path in, plain YAML out.
//!
//! kustomize runs it in the folder of the kustomization; as a transformer it has the resources on the
//! standard input.

use super::generator;
use super::krm::generate;
use super::resource;
use super::stream::decrypt_stream;
use super::{Plugin, Rendered};
use crate::error::{Error, Result};
use crate::secret::SecretBytes;

/// Runs the plugin on the manifest `manifest`, which is called `shown` in messages. `stream` gives the
/// resources on the standard input, and is asked only by a manifest that generates nothing.
///
/// # Errors
/// When the manifest is wrong, and whatever fails in a generator or a resource.
pub fn run(
    plugin: &Plugin,
    manifest: String,
    shown: &str,
    stream: impl FnOnce() -> Result<Option<String>>,
) -> Result<Rendered> {
    let in_manifest = |error: Error| error.in_file(shown);
    let document = generator::index(manifest).map_err(in_manifest)?;
    let mut warnings = Vec::new();
    let mut resources = Vec::new();
    let stream = match document.roots().iter().map(|&root| document.value(root)).collect::<Vec<_>>().as_slice() {
        [only] if generator::asks_for_nothing(only) => {
            generator::require_generator(only).map_err(in_manifest)?;
            stream()?
        }
        _ => None,
    };
    if let Some(stream) = stream {
        resources = decrypt_stream(plugin, &stream)?;
    } else {
        for &root in document.roots() {
            resources.extend(generate(plugin, &document.value(root), &mut warnings).map_err(in_manifest)?);
        }
    }
    Ok(Rendered { text: SecretBytes::from(resource::join(&resources)), warnings })
}
