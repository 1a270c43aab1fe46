//! A config-management plugin of Argo CD: one folder to its resources, whatever is in the folder.
//!
//! Owns: telling kustomizations, Helm charts and plain folders apart, and running kustomize and helm with what
//! they need to see decrypted. Must not know: the protocol between kustomize and its plugins, but that this program is one.
//!
//! Source: Argo CD's build environment (`ARGOCD_APP_NAME` and the like; what a user sets in an Application's
//! `plugin.env` comes with `ARGOCD_ENV_` before its name).

use super::resource::{self, Resource};
use super::stream::decrypt_stream;
use super::{File, Plugin, Rendered};
use crate::error::{Error, Kind, Result};
use crate::format::{self, Format, yaml::Yaml};
use crate::ops;
use crate::secret::SecretBytes;
use crate::sys::{self, Environment, Fifo, PrivateFolder};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// The names of a kustomization, as kustomize looks for them.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Deeper folders than this are taken for a loop.
const MAX_DEPTH: usize = 64;

/// Renders `folder`, in which this process works: with kustomize when there is a kustomization, with helm when there is a
/// chart, and else all manifests in it and below. What is encrypted in the result is decrypted.
///
/// # Errors
/// When a program is missing or fails, and whatever fails to decrypt.
pub fn render(plugin: &Plugin, folder: &Path, environment: &Environment) -> Result<Rendered> {
    let mut warnings = Vec::new();
    let resources = if KUSTOMIZATIONS.iter().any(|name| folder.join(name).is_file()) {
        decrypt_stream(plugin, &kustomize(plugin, environment, &mut warnings)?)?
    } else if folder.join("Chart.yaml").is_file() {
        decrypt_stream(plugin, &helm(plugin, folder, environment, &mut warnings)?)?
    } else {
        plain(plugin, folder, &mut warnings)?
    };
    Ok(Rendered { text: SecretBytes::from(resource::join(&resources)), warnings })
}

/// Runs kustomize with this program as its plugin, under both protocols.
fn kustomize(plugin: &Plugin, environment: &Environment, warnings: &mut Vec<String>) -> Result<Zeroizing<String>> {
    let failed = |error| Error::new(Kind::WriteOutput, "the plugin cannot be shown to kustomize").because(error);
    let this = std::env::current_exe().map_err(failed)?;
    let tools = tempfile::tempdir().map_err(failed)?;
    let legacy = tools.path().join("viaduct.ai/v1/ksops");
    std::fs::create_dir_all(&legacy).map_err(failed)?;
    for folder in [tools.path(), &legacy] {
        sys::link(&this, &folder.join("ksops")).map_err(failed)?;
    }
    let path = environment.get("PATH").unwrap_or_default();
    let folders = std::iter::once(tools.path().to_owned()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).map_err(|error| {
        Error::new(Kind::Generic, "the PATH has a folder in it that cannot be named").because(error)
    })?;
    let mut command = if let Some(program) = sys::find_program("kustomize", environment) {
        let mut command = Command::new(program);
        command.args(["build", "--enable-alpha-plugins", "--enable-exec"]);
        command
    } else if let Some(program) = sys::find_program("kubectl", environment) {
        warnings.push(
            "there is no kustomize on the PATH; the one in kubectl skips generators with an exec function".to_owned(),
        );
        let mut command = Command::new(program);
        command.args(["kustomize", "--enable-alpha-plugins"]);
        command
    } else {
        return Err(missing("kustomize"));
    };
    command.args(words(environment, "ARGOCD_ENV_KUSTOMIZE_BUILD_OPTIONS")).arg(".");
    command.env("PATH", path).env("KUSTOMIZE_PLUGIN_HOME", tools.path());
    command.env("LEAFCRYPT_ROOT_ONLY", if plugin.root.is_some() { "1" } else { "0" });
    command.env("LEAFCRYPT_PLACEHOLDER", if plugin.placeholder { "1" } else { "0" });
    output(command)
}

/// Runs helm on the chart, encrypted values files decrypted into a private folder in memory.
fn helm(
    plugin: &Plugin,
    folder: &Path,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<Zeroizing<String>> {
    let helm = sys::find_program("helm", environment).ok_or_else(|| missing("helm"))?;
    if folder.join("Chart.lock").is_file() && !folder.join("charts").is_dir() {
        let mut command = Command::new(&helm);
        command.args(["dependency", "build", "."]);
        output(command)?;
    }
    let text = |name: &str| environment.get_filled(name);
    let mut command = Command::new(helm);
    command.arg("template").arg(release_name(folder, environment)).args([".", "--include-crds"]);
    if let Some(namespace) = text("ARGOCD_APP_NAMESPACE") {
        command.arg("--namespace").arg(namespace);
    }
    if let Some(version) = text("KUBE_VERSION") {
        command.arg("--kube-version").arg(version);
    }
    if let Some(versions) = text("KUBE_API_VERSIONS") {
        command.arg("--api-versions").arg(versions);
    }
    let given = words(environment, "ARGOCD_ENV_HELM_VALUES");
    let files: Vec<PathBuf> =
        if given.is_empty() { encrypted_values(folder)? } else { given.iter().map(PathBuf::from).collect() };
    let fields = |at: usize| format!("values file {}", at + 1);
    let is_encrypted = files.iter().map(|file| is_encrypted(file)).collect::<Result<Vec<_>>>()?;
    let sealed: Vec<File> = (files.iter().zip(&is_encrypted).enumerate())
        .filter(|(_, (_, encrypted))| **encrypted)
        .map(|(at, (path, _))| File { path: path.clone(), field: fields(at) })
        .collect();
    let mut opened = plugin.decrypt_all("the chart", &sealed, warnings)?.into_iter();
    let private = if sealed.is_empty() { None } else { Some(PrivateFolder::create(environment)?) };
    // Pipes, so that no plaintext is left behind whatever ends this process.
    let mut pipes = Vec::new();
    for (at, (file, encrypted)) in files.iter().zip(is_encrypted).enumerate() {
        let path = match (&private, encrypted.then(|| opened.next()).flatten()) {
            (Some(private), Some(text)) => {
                let path = private.path().join(format!("{at}.yaml"));
                pipes.push(Fifo::serve(&path, text).map_err(|error| {
                    Error::new(Kind::WriteOutput, "the values cannot be given to helm").because(error)
                })?);
                path
            }
            _ => file.clone(),
        };
        command.arg("--values").arg(path);
    }
    command.args(words(environment, "ARGOCD_ENV_HELM_ARGS"));
    output(command)
}

/// The name of the release: what the user chose, that of the application, or that of the folder. An application of another
/// namespace than Argo CD's is called `NAMESPACE_NAME`, and its release `NAME`, as when Argo CD runs helm itself.
fn release_name(folder: &Path, environment: &Environment) -> OsString {
    let of_application = || {
        let name = environment.get_filled("ARGOCD_APP_NAME")?;
        let behind = name.to_str().and_then(|name| name.split_once('_')).map(|(_, name)| OsString::from(name));
        Some(behind.unwrap_or(name))
    };
    let chosen = environment.get_filled("ARGOCD_ENV_HELM_RELEASE_NAME").or_else(of_application);
    chosen.or_else(|| folder.file_name().map(OsString::from)).unwrap_or_default()
}

/// The values files of a chart that helm would not find by itself, or could not read: `secrets*.yaml`, and
/// `values.yaml`, where they are encrypted.
fn encrypted_values(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in names(folder)? {
        let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
        if stem.is_some_and(|stem| stem == "values" || stem.starts_with("secrets"))
            && is_encrypted(&folder.join(&name))?
        {
            found.push(PathBuf::from(name));
        }
    }
    // The chart's own values come first, so that others win.
    found.sort_by_key(|path| !path.to_string_lossy().starts_with("values"));
    Ok(found)
}

/// All manifests in a folder and below, in the order of their paths.
fn plain(plugin: &Plugin, folder: &Path, warnings: &mut Vec<String>) -> Result<Vec<Resource>> {
    let mut files = Vec::new();
    manifests(folder, Path::new(""), 0, &mut files)?;
    if let Some(root) = &plugin.root {
        // By a symbolic link; that of an encrypted one is seen by the plugin.
        files.iter().try_for_each(|path| ops::require_inside(path, root))?;
    }
    let encrypted = files.iter().map(|path| is_encrypted(path)).collect::<Result<Vec<_>>>()?;
    let sealed: Vec<File> = (files.iter().zip(&encrypted))
        .filter(|(_, encrypted)| **encrypted)
        .map(|(path, _)| File { path: path.clone(), field: path.display().to_string() })
        .collect();
    let mut opened = plugin.decrypt_all("the folder", &sealed, warnings)?.into_iter();
    let mut resources = Vec::new();
    for (path, encrypted) in files.iter().zip(encrypted) {
        let text = match encrypted.then(|| opened.next()).flatten() {
            Some(text) => text,
            None => SecretBytes::from(sys::read_input(path)?),
        };
        let found = std::str::from_utf8(text.expose())
            .map_err(|_| Error::new(Kind::Format, "the file is not text"))
            .and_then(resource::split);
        resources.extend(found.map_err(|error| error.in_file(path.display().to_string()))?);
    }
    Ok(resources)
}

fn manifests(folder: &Path, below: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    for name in names(&folder.join(below))? {
        let path = below.join(&name);
        // A symbolic link to a folder could lead anywhere, back here as well.
        let kind = folder.join(&path).symlink_metadata().map(|facts| facts.file_type());
        if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) && depth < MAX_DEPTH {
            manifests(folder, &path, depth + 1, found)?;
        } else if [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
    Ok(())
}

/// The names in a folder that are not hidden, in order.
fn names(folder: &Path) -> Result<Vec<String>> {
    let read = || -> std::io::Result<Vec<String>> {
        let entries = std::fs::read_dir(folder)?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        names.filter(|name| name.as_ref().map_or(true, |name| !name.starts_with('.'))).collect()
    };
    let mut names = read()
        .map_err(|error| Error::new(Kind::ReadInput, format!("{} cannot be read", folder.display())).because(error))?;
    names.sort_unstable();
    Ok(names)
}

/// Whether a file is encrypted as a whole, and not a stream with encrypted documents in it.
fn is_encrypted(path: &Path) -> Result<bool> {
    let bytes = sys::read_input(path)?;
    if !ops::holds_token(&bytes) {
        return Ok(false);
    }
    let format: &dyn Format = format::by_file_name(&path.to_string_lossy()).unwrap_or(&Yaml);
    let document = format.index_bytes(bytes).map_err(|error| error.in_file(path.display().to_string()))?;
    Ok(!format.metadata_entries(&document).is_empty())
}

/// The words of a variable, separated by spaces.
fn words(environment: &Environment, name: &str) -> Vec<OsString> {
    let text = environment.get(name).unwrap_or_default();
    text.to_string_lossy().split_whitespace().map(OsString::from).collect()
}

/// What a program prints; what it says on the standard error is for the user.
fn output(mut command: Command) -> Result<Zeroizing<String>> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    sys::give_originals(&mut command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Error::new(Kind::Generic, format!("{name} cannot be run")).because(error))?;
    if !output.status.success() {
        return Err(Error::new(Kind::Generic, format!("{name} failed")).because(output.status));
    }
    String::from_utf8(output.stdout)
        .map(Zeroizing::new)
        .map_err(|_| Error::new(Kind::Format, format!("what {name} printed is not text")))
}

fn missing(program: &str) -> Error {
    Error::new(Kind::ReadInput, format!("there is no {program} on the PATH"))
        .hint(format!("run this in an image that has {program}, as Argo CD's own has"))
}
