//! The manifests of Kubernetes that point at what was published.
//!
//! Sources: `config/crds/bases/external-secrets.io_externalsecrets.yaml` of External Secrets, the Secrets Store CSI driver's
//! `SecretProviderClass`, <https://developer.hashicorp.com/vault/docs/platform/k8s/csi/configurations>.

use super::Publication;
use crate::document::Value;
use crate::error::{Error, Kind, Result};
use crate::format::{Format, json::Json, yaml};
use crate::publish::Secret;
use std::collections::HashSet;
use zeroize::Zeroize;

/// Which manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `ExternalSecret` of External Secrets, which makes a Secret of what is in Vault.
    ExternalSecret,
    /// `SecretProviderClass` of the Secrets Store CSI driver, which mounts it as files.
    SecretProviderClass,
}

/// What is said in manifests that no rule knows.
pub struct Settings {
    /// Which manifests.
    pub which: Which,
    /// The name of the `SecretStore`.
    pub store: String,
    /// Whether that is a `ClusterSecretStore`.
    pub cluster: bool,
    /// The role of Vault that pods log in with.
    pub role: String,
    /// The namespace; none for that of whoever applies the manifest.
    pub namespace: Option<String>,
}

/// A manifest.
pub struct Manifest {
    /// The name of its resource, which is made of that of the file.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Publication {
    /// The manifest that points at what is published.
    ///
    /// # Errors
    /// When the place is no store of secrets to Kubernetes, or a name cannot be one there.
    pub fn manifest(&self, settings: &Settings) -> Result<Manifest> {
        let secret = self.destination.secret(&self.name).ok_or_else(|| {
            Error::new(Kind::Generic, "there is no manifest for this destination")
                .in_file(self.file.as_str())
                .because(format!(
                    "{} is an encrypted file in a bucket, which neither External Secrets nor the CSI driver can open",
                    self.address
                ))
                .hint("publish it to Vault, or leave --manifest away; Flux and kustomize read such files: docs/kustomize.md")
        })?;
        let made = resource_name(&self.stem).and_then(|name| {
            let text = match settings.which {
                Which::ExternalSecret => self.external_secret(&name, &secret, settings),
                Which::SecretProviderClass => self.provider_class(&name, &secret, settings)?,
            };
            Ok(Manifest { name, text })
        });
        made.map_err(|error| error.in_file(self.file.as_str()))
    }

    fn external_secret(&self, name: &str, secret: &Secret, settings: &Settings) -> String {
        let kind = if settings.cluster { "ClusterSecretStore" } else { "SecretStore" };
        let spec = map(vec![
            ("refreshInterval", text("1h")),
            ("secretStoreRef", map(vec![("kind", text(kind)), ("name", text(&settings.store))])),
            ("target", map(vec![("name", text(name)), ("creationPolicy", text("Owner"))])),
            ("dataFrom", Value::List(vec![map(vec![("extract", map(vec![("key", text(&secret.path))]))])])),
        ]);
        // Whoever writes the store must know what this one takes it to be.
        let note = format!(
            "# {kind} {}: provider.vault with server {:?}, path {:?}, version v{}\n",
            settings.store, secret.server, secret.mount, secret.version
        );
        note + &resource("external-secrets.io/v1", "ExternalSecret", name, settings, spec)
    }

    fn provider_class(&self, name: &str, secret: &Secret, settings: &Settings) -> Result<String> {
        let mut objects = String::new();
        let mut files = HashSet::new();
        let data = if secret.version == 2 { "/data" } else { "" };
        let path = quoted(&format!("{}{data}/{}", secret.mount, secret.path));
        for key in self.keys()? {
            let file = key.replace(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c), "_");
            if [".", ".."].contains(&file.as_str()) || !files.insert(file.clone()) {
                return Err(Error::new(Kind::Generic, "a key cannot be the name of a file").at_path(key).because(
                    format!("the CSI driver writes each value to a file, and {file:?} is none, or another key's"),
                ));
            }
            let file = quoted(&file);
            objects.push_str(&format!("- objectName: {file}\n  secretPath: {path}\n  secretKey: {}\n", quoted(&key)));
        }
        let parameters = map(vec![
            ("vaultAddress", text(&secret.server)),
            ("roleName", text(&settings.role)),
            ("objects", text(&objects)),
        ]);
        let spec = map(vec![("provider", text("vault")), ("parameters", parameters)]);
        Ok(resource("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass", name, settings, spec))
    }

    /// The keys at the top of what is published.
    fn keys(&self) -> Result<Vec<String>> {
        let document = Json.index_bytes(self.content.expose().to_vec())?;
        let root = document.roots().first().copied();
        let keys = root.map(|root| document.children(root).map(|child| document.key(child).to_owned()).collect());
        document.into_bytes().zeroize();
        Ok(keys.unwrap_or_default())
    }
}

fn resource(version: &str, kind: &str, name: &str, settings: &Settings, spec: Value) -> String {
    let mut metadata = vec![("name", text(name))];
    if let Some(namespace) = &settings.namespace {
        metadata.push(("namespace", text(namespace)));
    }
    yaml::print(&map(vec![
        ("apiVersion", text(version)),
        ("kind", text(kind)),
        ("metadata", map(metadata)),
        ("spec", spec),
    ]))
}

/// The name of a file, without its extension, as that of a resource.
fn resource_name(stem: &str) -> Result<String> {
    let mut made = String::with_capacity(stem.len());
    for c in stem.to_ascii_lowercase().chars() {
        let c = if c.is_ascii_alphanumeric() { c } else { '-' };
        if c != '-' || !made.ends_with('-') {
            made.push(c);
        }
    }
    let made = made.trim_matches('-');
    if made.is_empty() || made.len() > 253 {
        return Err(Error::new(Kind::Generic, "no name of a Kubernetes resource can be made of the name of the file")
            .because("it would have no letter, or more than 253")
            .hint("give the file another name"));
    }
    Ok(made.to_owned())
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn map(items: Vec<(&str, Value)>) -> Value {
    Value::Map(items.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A text in the double quotes of YAML, which are those of JSON.
fn quoted(text: &str) -> String {
    Value::Str(text.to_owned()).as_str().map_or_else(String::new, |text| serde_json::Value::from(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_resources_come_from_names_of_files() {
        for (file, name) in
            [("db", "db"), ("app/Prod.enc", "app-prod-enc"), (".env", "env"), ("a__b", "a-b"), ("x/\u{e9}1", "x-1")]
        {
            assert_eq!(resource_name(file).unwrap(), name, "{file}");
        }
        assert!(resource_name("\u{e9}").is_err());
    }
}
