//! Helm: a downloader that decrypts, and the plugin by which Helm finds it.
//!
//! Source: Helm's description of downloader plugins (the program gets a certificate, its key, an authority and the URL,
//! and prints what the URL stands for), and helm-secrets, from which the form `secrets://FILE` comes.

use super::decrypt::{Decrypt, Decrypted, decrypt};
use super::source::{Source, holds_token, require_inside};
use crate::document::Encoding;
use crate::error::{Error, Kind, Result};
use crate::format::{self, Format, binary, binary::Binary, json::Json, yaml::Yaml};
use crate::key::Keyring;
use crate::secret::SecretBytes;
use crate::sys::{self, Environment};
use std::path::{Path, PathBuf};

/// The files of the plugin, and whether each is a program. They are those of `examples/helm`.
const PLUGIN: [(&str, &str, bool); 2] = [
    ("plugin.yaml", include_str!("../../examples/helm/plugin.yaml"), false),
    ("leafcrypt.sh", include_str!("../../examples/helm/leafcrypt.sh"), true),
];

/// What the file of `url`, `secrets://FILE`, holds, decrypted. One that is not encrypted is given as it is, with a warning:
/// values files of both kinds may be named in the same way, as with helm-secrets.
///
/// With `root` it must be in that folder, links resolved.
///
/// # Errors
/// When the URL names no file, the file is outside of `root`, or it cannot be decrypted.
pub fn download(url: &str, root: Option<&Path>, keyring: &Keyring) -> Result<Decrypted> {
    let path = file_of(url)?;
    if let Some(root) = root {
        require_inside(&path, root)?;
    }
    let shown = path.display().to_string();
    let bytes = sys::read_input(&path)?;
    if !holds_token(&bytes) {
        let warnings = vec![format!("{shown} is not encrypted")];
        return Ok(Decrypted { plaintext: SecretBytes::from(bytes), encoding: Encoding::Utf8, warnings });
    }
    let format = format_of(&path, bytes);
    let source = Source { path, name: None, input_type: Some(format), output_type: Some(format) };
    let request = Decrypt::whole(source);
    decrypt(&request, keyring)
}

fn file_of(url: &str) -> Result<PathBuf> {
    let not_a_file = |why: &str| {
        Err(Error::new(Kind::Generic, format!("{url} names no file"))
            .because(why)
            .hint("secrets://path/to/values.enc.yaml, seen from the working folder, or secrets:///absolute/path"))
    };
    match url.split_once("://") {
        None => not_a_file("a URL begins with a scheme, secrets://"),
        Some((_, "")) => not_a_file("there is nothing behind the scheme"),
        Some((_, file)) if file.contains("://") => not_a_file("only files of this machine are decrypted"),
        Some((_, file)) => Ok(PathBuf::from(file)),
    }
}

/// The format of an encrypted file: by its name; where that says nothing, values are YAML, and what sops encrypted as
/// a whole is not.
fn format_of(path: &Path, bytes: Vec<u8>) -> &'static dyn Format {
    if let Some(format) = format::by_file_name(&path.to_string_lossy()) {
        return format;
    }
    match Json.index_bytes(bytes) {
        Ok(document) if binary::holds_data(&document) => &Binary,
        Ok(_) => &Json,
        Err(_) => &Yaml,
    }
}

/// Installs the plugin into `folder`, or where Helm looks for plugins. Gives the folder of the plugin.
///
/// # Errors
/// When there is no home, or the files cannot be written.
pub fn install(folder: Option<&Path>, environment: &Environment) -> Result<PathBuf> {
    let found = folder.map(Path::to_owned).or_else(|| plugins(environment)).ok_or_else(|| {
        Error::new(Kind::WriteOutput, "there is no folder for plugins of Helm")
            .because("neither HELM_PLUGINS nor a home is set")
            .hint("leafcrypt helm install FOLDER")
    })?;
    let plugin = found.join("leafcrypt");
    std::fs::create_dir_all(&plugin).map_err(|error| {
        Error::new(Kind::WriteOutput, format!("{} cannot be made", plugin.display())).because(error)
    })?;
    for (name, text, is_program) in PLUGIN {
        let path = plugin.join(name);
        sys::replace_file(&path, text.as_bytes())?;
        if is_program {
            sys::make_runnable(&path).map_err(|error| {
                Error::new(Kind::WriteOutput, format!("{} cannot be made a program", path.display())).because(error)
            })?;
        }
    }
    Ok(plugin)
}

/// Where Helm looks for plugins. Source: `helm env`, and `lazypath.go` of Helm.
fn plugins(environment: &Environment) -> Option<PathBuf> {
    let folder = |name: &str| environment.get_filled(name).map(PathBuf::from);
    let first = |folders: PathBuf| std::env::split_paths(&folders).next();
    folder("HELM_PLUGINS")
        .and_then(first)
        .or_else(|| folder("HELM_DATA_HOME").map(|data| data.join("plugins")))
        .or_else(|| environment.data_folder().map(|data| data.join("helm/plugins")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file() {
        assert_eq!(file_of("secrets://a/b.yaml").unwrap(), Path::new("a/b.yaml"));
        assert_eq!(file_of("secrets:///a b.yaml").unwrap(), Path::new("/a b.yaml"));
        assert_eq!(file_of("leafcrypt://../a").unwrap(), Path::new("../a"));
        for wrong in ["a.yaml", "secrets://", "secrets://https://a/b.yaml"] {
            assert_eq!(file_of(wrong).unwrap_err().message(), format!("{wrong} names no file"));
        }
    }

    #[test]
    fn plugins_are_where_helm_looks() {
        let found = |variables: &[(&str, &str)]| {
            plugins(&Environment::of(variables.iter().map(|(name, value)| (*name, value.into()))))
        };
        let all = [("HELM_PLUGINS", "/p:/q"), ("HELM_DATA_HOME", "/d"), ("XDG_DATA_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(found(&all), Some("/p".into()));
        assert_eq!(found(&all[1..]), Some("/d/plugins".into()));
        assert_eq!(found(&all[2..]), Some("/x/helm/plugins".into()));
        assert!(found(&all[3..]).is_some_and(|folder| folder.starts_with("/h") && folder.ends_with("helm/plugins")));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn the_plugin_is_of_this_version() {
        assert!(PLUGIN[0].1.contains(concat!("\nversion: ", env!("CARGO_PKG_VERSION"), "\n")));
    }
}
