//! A generator's manifest.

use crate::document::{Document, Value};
use crate::error::{Error, Kind, Result};
use crate::format::{Format, yaml::Yaml};
use std::collections::BTreeMap;

/// What a generator asks for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Generator {
    /// Its name, for messages.
    pub(super) name: String,
    /// Encrypted files with resources.
    pub(super) files: Vec<String>,
    /// Secrets to make of encrypted files.
    pub(super) secrets: Vec<SecretFrom>,
    /// Fields that mean nothing, which is worth a warning.
    pub(super) unknown: Vec<String>,
}

/// A Secret to be made of encrypted files.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SecretFrom {
    /// Text files: `path`, or `key=path`.
    pub(super) files: Vec<String>,
    /// Files of any bytes, likewise.
    pub(super) binary_files: Vec<String>,
    /// dotenv files, each line of which is a key.
    pub(super) envs: Vec<String>,
    /// `metadata.name`
    pub(super) name: Option<String>,
    /// `metadata.namespace`
    pub(super) namespace: Option<String>,
    /// `metadata.labels`
    pub(super) labels: BTreeMap<String, String>,
    /// `metadata.annotations`, by which kustomize is told to add a hash or to merge.
    pub(super) annotations: BTreeMap<String, String>,
    /// `type`
    pub(super) kind: Option<String>,
}

const KIND: &str = "ksops";
const GROUP: &str = "viaduct.ai/";
const VERSION: &str = "viaduct.ai/v1";

fn text_of<'a>(resource: &'a Value, key: &str) -> &'a str {
    resource.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a resource is a generator's manifest.
pub(super) fn is_generator(resource: &Value) -> bool {
    text_of(resource, "kind") == KIND && text_of(resource, "apiVersion") == VERSION
}

/// Whether a resource was meant to be one: half of its name is right.
pub(super) fn is_almost_generator(resource: &Value) -> bool {
    !is_generator(resource) && (text_of(resource, "kind") == KIND || text_of(resource, "apiVersion").starts_with(GROUP))
}

/// Refuses a manifest that is not a generator's. KSOPS takes any that has the right fields; then a slip in the kind
/// is noticed by kustomize alone, which knows no such plugin, or by nobody.
///
/// # Errors
/// When its kind or its `apiVersion` is another.
pub(super) fn require_generator(resource: &Value) -> Result<()> {
    if is_generator(resource) {
        return Ok(());
    }
    let shown = |key| match resource.get(key) {
        Some(value) => {
            format!("its {key} is {}", value.as_str().map_or("no text".to_owned(), |text| format!("{text:?}")))
        }
        None => format!("it has no {key}"),
    };
    Err(Error::new(Kind::Generic, "this is no generator of KSOPS")
        .because(format!("generator {}: {}, and {}", name(resource), shown("apiVersion"), shown("kind")))
        .hint(format!("apiVersion: {VERSION}, and kind: {KIND}")))
}

/// The name of a manifest, for messages.
fn name(manifest: &Value) -> &str {
    manifest
        .get("metadata")
        .and_then(|metadata| metadata.get("name"))
        .and_then(Value::as_str)
        .unwrap_or("without a name")
}

/// Whether it asks for nothing: then it is the manifest of a transformer. A generator that has a field of another name
/// asks for something, and is to be told that it is misspelt.
pub(super) fn asks_for_nothing(resource: &Value) -> bool {
    let Value::Map(fields) = resource else { return true };
    let has = |wanted: &[&str]| fields.iter().any(|(name, _)| wanted.contains(&name.as_str()));
    let known = ["apiVersion", "kind", "metadata"];
    !has(&["files", "secretFrom"])
        && (!is_generator(resource) || fields.iter().all(|(name, _)| known.contains(&name.as_str())))
}

/// Indexes a manifest.
pub(super) fn index(text: String) -> Result<Document> {
    let document = Yaml.index(text)?;
    if document.roots().is_empty() {
        return Err(Error::new(Kind::NoDocument, "the manifest is empty"));
    }
    Ok(document)
}

impl Generator {
    /// Reads a generator.
    ///
    /// # Errors
    /// When it asks for nothing, or a field is of the wrong type: with its name.
    pub(super) fn read(manifest: &Value) -> Result<Self> {
        require_generator(manifest)?;
        let name = name(manifest).to_owned();
        let mut unknown = Vec::new();
        let generator = fields(manifest, "", &["apiVersion", "kind", "metadata", "files", "secretFrom"], &mut unknown)
            .and_then(|()| {
                if manifest.get("files").is_none() && manifest.get("secretFrom").is_none() {
                    let nothing = Error::new(Kind::Generic, "the generator asks for nothing")
                        .because("it needs the key files or the key secretFrom");
                    let strange = unknown.iter().map(|key| format!("its field {key} means nothing"));
                    return Err(strange.fold(nothing, Error::because));
                }
                let files = texts(manifest, "", "files")?;
                let list = list(manifest, "", "secretFrom")?;
                let secrets = list.iter().enumerate().map(|(at, secret)| secret_from(secret, at, &mut unknown));
                let secrets = secrets.collect::<Result<_>>()?;
                Ok(Generator { name: name.clone(), files, secrets, unknown: Vec::new() })
            })
            .map_err(|error| {
                error
                    .because(format!("generator {name}"))
                    .hint("files: [secret.enc.yaml], or secretFrom: [{metadata: {name: NAME}, envs: [secret.enc.env]}]")
            })?;
        Ok(Generator { unknown, ..generator })
    }
}

fn secret_from(secret: &Value, at: usize, unknown: &mut Vec<String>) -> Result<SecretFrom> {
    let place = format!("secretFrom[{at}].");
    fields(secret, &place, &["files", "binaryFiles", "envs", "metadata", "type"], unknown)?;
    let empty = Value::Map(Vec::new());
    let metadata = secret.get("metadata").filter(|value| **value != Value::Null).unwrap_or(&empty);
    let in_metadata = format!("{place}metadata.");
    fields(metadata, &in_metadata, &["name", "namespace", "labels", "annotations"], unknown)?;
    Ok(SecretFrom {
        files: texts(secret, &place, "files")?,
        binary_files: texts(secret, &place, "binaryFiles")?,
        envs: texts(secret, &place, "envs")?,
        name: text(metadata, &in_metadata, "name")?,
        namespace: text(metadata, &in_metadata, "namespace")?,
        labels: map(metadata, &in_metadata, "labels")?,
        annotations: map(metadata, &in_metadata, "annotations")?,
        kind: text(secret, &place, "type")?,
    })
}

/// Checks that `value` is a map, and notes the keys that mean nothing.
fn fields(value: &Value, place: &str, known: &[&str], unknown: &mut Vec<String>) -> Result<()> {
    let Value::Map(items) = value else {
        return Err(wrong(place.trim_end_matches('.'), "a map"));
    };
    let strange = items.iter().map(|(key, _)| key).filter(|key| !known.contains(&key.as_str()));
    unknown.extend(strange.map(|key| format!("{place}{key}")));
    Ok(())
}

fn list<'a>(map: &'a Value, place: &str, key: &str) -> Result<&'a [Value]> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::List(items)) => Ok(items),
        Some(_) => Err(wrong(&format!("{place}{key}"), "a list")),
    }
}

fn texts(map: &Value, place: &str, key: &str) -> Result<Vec<String>> {
    let items = list(map, place, key)?.iter().enumerate();
    items.map(|(at, item)| scalar(item).ok_or_else(|| wrong(&format!("{place}{key}[{at}]"), "a text"))).collect()
}

fn text(map: &Value, place: &str, key: &str) -> Result<Option<String>> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => scalar(value).map(Some).ok_or_else(|| wrong(&format!("{place}{key}"), "a text")),
    }
}

fn map(map: &Value, place: &str, key: &str) -> Result<BTreeMap<String, String>> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Map(items)) => items
            .iter()
            .map(|(name, value)| match scalar(value) {
                Some(text) => Ok((name.clone(), text)),
                None => Err(wrong(&format!("{place}{key}.{name}"), "a text")),
            })
            .collect(),
        Some(_) => Err(wrong(&format!("{place}{key}"), "a map")),
    }
}

/// A value as text. `needs-hash: true` without quotes is refused by KSOPS; what is meant is clear.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

fn wrong(place: &str, wanted: &str) -> Error {
    let place = if place.is_empty() { "the manifest" } else { place };
    Error::new(Kind::Generic, format!("{place} must be {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Generator> {
        let document = index(format!("{text}apiVersion: viaduct.ai/v1\nkind: ksops\n"))?;
        Generator::read(&document.value(document.roots()[0]))
    }

    #[test]
    fn only_a_generator_is_one() {
        for (text, reason) in [
            ("files: [a]\n", "generator without a name: it has no apiVersion, and it has no kind"),
            (
                "apiVersion: viaduct.ai/v1\nmetadata: {name: g}\n",
                "generator g: its apiVersion is \"viaduct.ai/v1\", and it has no kind",
            ),
            (
                "apiVersion: viaduct.ai/v2\nkind: ksops\n",
                "its apiVersion is \"viaduct.ai/v2\", and its kind is \"ksops\"",
            ),
            ("apiVersion: viaduct.ai/v1\nkind: KSOPS\n", "its kind is \"KSOPS\""),
            ("apiVersion: viaduct.ai/v1\nkind: [ksops]\n", "its kind is no text"),
            ("apiVersion: v1\nkind: Secret\n", "its kind is \"Secret\""),
        ] {
            let document = index(text.to_owned()).unwrap();
            let error = Generator::read(&document.value(document.roots()[0])).unwrap_err();
            assert_eq!(error.message(), "this is no generator of KSOPS");
            assert!(format!("{error:?}").contains(&format!("{reason:?}")[1..reason.len()]), "{error:?}");
        }
    }

    #[test]
    fn every_field_is_read() {
        let generator = read(
            "metadata:\n  name: g\nfiles: [a.yaml]\nsecretFrom:\n- metadata:\n    \
             name: s\n    namespace: n\n    labels: {app: foo}\n    annotations:\n      \
             kustomize.config.k8s.io/needs-hash: true\n  type: Opaque\n  files: [k=b]\n  binaryFiles: [c]\n  envs: [d]\n",
        )
        .unwrap();
        let secret = &generator.secrets[0];
        assert_eq!((generator.name.as_str(), &generator.files[..]), ("g", &["a.yaml".to_owned()][..]));
        assert_eq!((secret.name.as_deref(), secret.namespace.as_deref()), (Some("s"), Some("n")));
        assert_eq!(secret.annotations["kustomize.config.k8s.io/needs-hash"], "true");
        assert_eq!((secret.labels["app"].as_str(), secret.kind.as_deref()), ("foo", Some("Opaque")));
        assert_eq!((&secret.files[0][..], &secret.binary_files[0][..], &secret.envs[0][..]), ("k=b", "c", "d"));
        assert!(generator.unknown.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            ("", "the generator asks for nothing"),
            ("files: a.yaml\n", "files must be a list"),
            ("files: [[a]]\n", "files[0] must be a text"),
            ("secretFrom: [a]\n", "secretFrom[0] must be a map"),
            ("secretFrom: [{metadata: {labels: [a]}}]\n", "secretFrom[0].metadata.labels must be a map"),
        ] {
            assert_eq!(read(text).map_err(|error| error.message().to_owned()), Err(message.to_owned()), "{text}");
        }
        assert_eq!(
            read("files: []\nfile: a\nsecretFrom: [{env: b}]\n").unwrap().unknown,
            ["file", "secretFrom[0].env"]
        );
    }
}
