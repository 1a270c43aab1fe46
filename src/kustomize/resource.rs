//! Resources as texts: taken out of a stream, put into one.

use crate::document::Kind;
use crate::document::{Document, EntryId, Indent};
use crate::error::Result;
use crate::format::{self, Format, yaml::Yaml};
use zeroize::{Zeroize, Zeroizing};

/// A resource: one YAML document in block style, without marks.
pub(super) type Resource = Zeroizing<String>;

/// The value at `id` as a resource of its own.
pub(super) fn cut(document: &Document, id: EntryId) -> Result<Resource> {
    Yaml.emit_value(document, id, Indent::OfSops).and_then(format::into_text).map(Zeroizing::new)
}

/// The resources of a stream of YAML or JSON documents. Empty documents are none.
///
/// # Errors
/// When the text is no YAML.
pub(super) fn split(text: &str) -> Result<Vec<Resource>> {
    let document = Yaml.index(text.to_owned())?;
    let roots = document.roots().iter().filter(|&&root| document.entry(root).kind() != Kind::Null);
    let resources = roots.map(|&root| cut(&document, root)).collect();
    document.into_text().zeroize();
    resources
}

/// Joins resources to a stream.
pub(super) fn join(resources: &[Resource]) -> String {
    let mut stream = String::with_capacity(resources.iter().map(|resource| resource.len() + 4).sum());
    for (at, resource) in resources.iter().enumerate() {
        if at > 0 {
            stream.push_str("---\n");
        }
        stream.push_str(resource);
    }
    stream
}

/// Appends a resource as an item of a block list, or below a key: each line behind `indent`, the first
/// behind `first`.
pub(super) fn nest(resource: &str, first: &str, indent: &str, out: &mut String) {
    for (at, line) in resource.split_inclusive('\n').enumerate() {
        // An empty line in a block scalar needs no indent, and a line with nothing else would be new text.
        if line != "\n" {
            out.push_str(if at == 0 { first } else { indent });
        }
        out.push_str(line);
    }
}
