//! The exec KRM function: a ResourceList in, a ResourceList out.
//!
//! Source: the KRM Functions Specification, <https://kpt.dev/book/04-using-functions/#functionconfig>, and
//! `fnplugin.go` of kustomize, which puts a generator into `items` and into `functionConfig`.

use super::generator::{self, Generator};
use super::resource::{self, Resource};
use super::secret::Plan;
use super::stream::open_encrypted;
use super::{File, Plugin, Rendered};
use crate::document::{Document, EntryId, Kind as Type, Value};
use crate::error::{Error, Kind, Result};
use crate::format::{Format, yaml::Yaml};
use crate::secret::SecretBytes;
use zeroize::Zeroize;

/// Runs as a function on `input`.
///
/// Every generator among the items is replaced by what it generates. With any other configuration the
/// encrypted resources among the items are decrypted, and all others left as they are.
///
/// # Errors
/// When the input is no ResourceList, and whatever fails in a generator or a resource.
pub fn run(plugin: &Plugin, input: String) -> Result<Rendered> {
    let list = Yaml.index(input).map_err(|error| error.in_file("ResourceList on the standard input"))?;
    let rendered = transform(plugin, &list);
    list.into_text().zeroize();
    rendered
}

fn transform(plugin: &Plugin, list: &Document) -> Result<Rendered> {
    let root = *list.roots().first().ok_or_else(|| not_a_list("it is empty"))?;
    if list.child(root, "kind").is_none_or(|kind| list.scalar(kind).bytes != b"ResourceList") {
        if list.roots().iter().all(|&root| generator::is_generator(&list.value(root))) {
            return bare(plugin, list);
        }
        return Err(not_a_list("its kind is not ResourceList"));
    }
    let items: Vec<EntryId> = match list.child(root, "items") {
        None => Vec::new(),
        Some(items) => match list.entry(items).kind() {
            Type::List => list.children(items).collect(),
            Type::Null => Vec::new(),
            _ => return Err(not_a_list("its items are no list")),
        },
    };
    let config = list.child(root, "functionConfig");
    let mut warnings = Vec::new();
    let mut resources = Vec::new();
    let mut generators = 0;
    for (at, &item) in items.iter().enumerate() {
        let value = list.value(item);
        if generator::is_generator(&value) {
            generators += 1;
            resources.extend(generate(plugin, &value, &mut warnings)?);
        } else if generator::is_almost_generator(&value) {
            generator::require_generator(&value)
                .map_err(|error| error.in_file(format!("item {} of the ResourceList", at + 1)))?;
        } else {
            let resource = resource::cut(list, item)?;
            resources.push(open_encrypted(plugin, resource, &value, at)?);
        }
    }
    // A generator that is not among the items, as kpt runs one.
    if let (Some(config), 0) = (config, generators) {
        let value = list.value(config);
        if !generator::asks_for_nothing(&value) {
            resources.extend(generate(plugin, &value, &mut warnings)?);
        }
    }
    let mut out = String::new();
    let version = list.child(root, "apiVersion").map(|id| list.scalar(id).bytes.to_vec());
    let version = version.and_then(|bytes| String::from_utf8(bytes).ok());
    out.push_str("apiVersion: ");
    out.push_str(version.as_deref().unwrap_or("config.kubernetes.io/v1"));
    out.push_str("\nkind: ResourceList\nitems:");
    out.push_str(if resources.is_empty() { " []\n" } else { "\n" });
    for resource in &resources {
        resource::nest(resource, "- ", "  ", &mut out);
    }
    if let Some(config) = config {
        out.push_str("functionConfig:\n");
        resource::nest(&resource::cut(list, config)?, "  ", "  ", &mut out);
    }
    Ok(Rendered { text: SecretBytes::from(out), warnings })
}

/// Generators without a list around them, as in `ksops < generator.yaml`: what they generate, likewise.
fn bare(plugin: &Plugin, generators: &Document) -> Result<Rendered> {
    let mut warnings = Vec::new();
    let mut resources = Vec::new();
    for &root in generators.roots() {
        resources.extend(generate(plugin, &generators.value(root), &mut warnings)?);
    }
    Ok(Rendered { text: SecretBytes::from(resource::join(&resources)), warnings })
}

fn not_a_list(why: &str) -> Error {
    Error::new(Kind::Generic, "the standard input holds no ResourceList")
        .because(why)
        .hint("this is run by kustomize; to render a generator by hand: leafcrypt kustomize GENERATOR.yaml")
}

/// What a generator generates: the resources of its files, then its Secrets, in the order of the manifest.
pub(super) fn generate(plugin: &Plugin, manifest: &Value, warnings: &mut Vec<String>) -> Result<Vec<Resource>> {
    let generator = Generator::read(manifest)?;
    let shown = format!("generator {}", generator.name);
    for field in &generator.unknown {
        warnings.push(format!("{shown}: the field {field} means nothing and is ignored, as KSOPS does"));
    }
    let in_files = generator.files.iter().enumerate();
    let mut files: Vec<File> =
        in_files.map(|(at, path)| File { path: path.into(), field: format!("files[{at}]") }).collect();
    let of_resources = files.len();
    let plans = generator.secrets.iter().enumerate().map(|(at, secret)| Plan::new(secret, at, &mut files));
    let plans = plans.collect::<Result<Vec<_>>>().map_err(|error| error.because(&shown))?;
    let texts = plugin.decrypt_all(&shown, &files, warnings)?;

    let mut resources = Vec::new();
    for (file, text) in files.iter().zip(&texts[..of_resources]) {
        let split = std::str::from_utf8(text.expose())
            .map_err(|_| Error::new(Kind::Format, "the decrypted file is not text"))
            .and_then(resource::split)
            .map_err(|error| error.in_file(file.path.display().to_string()).because(&file.field).because(&shown))?;
        resources.extend(split);
    }
    let mut at = of_resources;
    for plan in &plans {
        let range = at..at + plan.len();
        at = range.end;
        resources.push(plan.render(&files[range.clone()], &texts[range]).map_err(|error| error.because(&shown))?);
    }
    Ok(resources)
}
