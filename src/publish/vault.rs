//! Vault and OpenBao: a secret of the key-value engine, version 1 or 2, for each file.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs/secret/kv>.

use super::{Destination, Kept, Secret, Settings, There, was};
use crate::document::{Document, EntryId, Kind as Type};
use crate::error::{Error, Kind, Result};
use crate::format::{Format, json::Json};
use crate::key::hc_vault::{Asked, Vault, VaultAnswer, no_vault};
use crate::key::remote::Refusal;
use crate::secret::SecretBytes;
use crate::sys::Environment;
use std::collections::HashMap;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// A folder of a key-value engine.
struct KeyValue {
    vault: Vault,
    address: String,
    mount: String,
    version: u8,
    folder: String,
}

/// The folder that `settings` name. What they leave out is what sops takes.
pub(super) fn make(settings: &Settings, environment: &Environment) -> Result<Arc<dyn Destination>> {
    let setting = |name: &str| settings.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let vault = Vault::new(environment.clone());
    let version = match setting("vault_kv_version") {
        None | Some("0" | "2") => 2,
        Some("1") => 1,
        Some(other) => {
            return Err(Error::new(Kind::Generic, format!("vault_kv_version is {other}, and must be 1 or 2"))
                .because("there are two versions of Vault's key-value engine"));
        }
    };
    let path = |name: &str, default: &str| {
        let text = setting(name).unwrap_or(default);
        if parts(text).any(|part| [".", ".."].contains(&part)) {
            return Err(Error::new(Kind::Generic, format!("{name} is {text:?}, which is no path of Vault")));
        }
        Ok(parts(text).collect::<Vec<_>>().join("/"))
    };
    let address = setting("vault_address").map_or_else(|| vault.default_address(), str::to_owned);
    // It is shown, and is no place for a secret: the token says who asks.
    if address.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')))
    {
        return Err(Error::new(Kind::Generic, "the address of the Vault server has a user name or a password in it")
            .hint("leave them away, and log in: vault login"));
    }
    Ok(Arc::new(KeyValue {
        address: address.trim_end_matches('/').to_owned(),
        mount: path("vault_kv_mount_name", "secret")?,
        folder: path("vault_path", "")?,
        vault,
        version,
    }))
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

impl KeyValue {
    fn path<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        let data = (self.version == 2).then_some("data");
        parts(&self.mount).chain(data).chain(parts(&self.folder)).chain(parts(name)).collect()
    }

    fn ask(&self, name: &str, body: Option<&[u8]>) -> Result<Asked, crate::key::remote::Refusal> {
        let mounted = || {
            let (mount, version) = (&self.mount, self.version);
            format!(
                "is version {version} of the key-value engine mounted there? vault secrets list -detailed; \
                 vault secrets enable -path={mount} -version={version} kv; or set vault_kv_mount_name and vault_kv_version"
            )
        };
        self.vault.ask(&self.address, &self.path(name), body, &mounted)
    }
}

impl Destination for KeyValue {
    fn keeps(&self) -> Kept {
        Kept::Values
    }

    fn address(&self, name: &str) -> String {
        format!("{}/v1/{}", self.address, self.path(name).join("/"))
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        let path = parts(&self.folder).chain(parts(name)).collect::<Vec<_>>().join("/");
        Some(Secret { server: self.address.clone(), mount: self.mount.clone(), version: self.version, path })
    }

    fn read(&self, name: &str) -> Result<There, Refusal> {
        let Asked { answer, identity } = match self.ask(name, None) {
            Ok(asked) => asked,
            Err(refusal) if refusal.is_denied() => return Ok(There::Unreadable(refusal.why().to_owned())),
            Err(refusal) => return Err(refusal),
        };
        let body = match answer {
            VaultAnswer::Nothing => return Ok(There::Nothing),
            VaultAnswer::Body(mut body) => std::mem::take(&mut *body),
        };
        let text = SecretBytes::from(body);
        let strange = || no_vault("200 OK", &self.address).with(&identity);
        let reply = indexed(text.expose()).ok_or_else(strange)?;
        let data = reply.values(self.version).map(|id| SecretBytes::from(reply.text(id)));
        was("read", &self.address(name), &identity);
        match data {
            Some(data) => Ok(There::This(data)),
            // The last version is deleted.
            None if reply.member(reply.root(), "data").is_some_and(|data| reply.0.entry(data).kind() == Type::Map) => {
                Ok(There::Nothing)
            }
            None => Err(strange()),
        }
    }

    fn is_same(&self, fetched: &[u8], content: &[u8]) -> bool {
        let (fetched, content) = (indexed(fetched), indexed(content));
        fetched.zip(content).is_some_and(|(fetched, content)| are_same(&fetched.0, &content.0))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Refusal> {
        let content = content.trim_ascii();
        let (before, after): (&[u8], &[u8]) = if self.version == 2 { (b"{\"data\":", b"}") } else { (b"", b"") };
        // Of its full length from the beginning, so that no copy is left behind.
        let mut body = Zeroizing::new(Vec::with_capacity(before.len() + content.len() + after.len()));
        [before, content, after].iter().for_each(|part| body.extend_from_slice(part));
        let asked = self.ask(name, Some(&body))?;
        let told = match &asked.answer {
            VaultAnswer::Body(body) if self.version == 2 => indexed(body).is_some_and(|reply| {
                let data = reply.member(reply.root(), "data");
                data.is_some_and(|data| reply.member(data, "version").is_some())
            }),
            // Version 1 says nothing, but for warnings.
            VaultAnswer::Body(body) => {
                body.is_empty() || indexed(body).is_some_and(|reply| reply.0.entry(reply.root()).kind() == Type::Map)
            }
            VaultAnswer::Nothing => false,
        };
        if !told {
            // Version 1 takes such a path for one of its own.
            let first = self.version == 2 && matches!(&asked.answer, VaultAnswer::Body(body) if body.is_empty());
            let refusal = if first {
                let path = self.path(name).join("/");
                Refusal::new(format!("it answered as version 1 of the engine does, and now has a secret at {path}"))
                    .hint(format!("take it away (vault delete {path}), and set vault_kv_version: 1"))
            } else {
                no_vault("200 OK", &self.address)
            };
            return Err(refusal.with(&asked.identity));
        }
        was("written", &self.address(name), &asked.identity);
        Ok(())
    }
}

/// A JSON text that is wiped when it is no longer needed.
struct Indexed(Document);

impl Drop for Indexed {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).into_bytes().zeroize();
    }
}

fn indexed(json: &[u8]) -> Option<Indexed> {
    Json.index_bytes(json.to_vec()).ok().map(Indexed).filter(|indexed| !indexed.0.roots().is_empty())
}

impl Indexed {
    fn root(&self) -> EntryId {
        self.0.roots()[0]
    }

    fn member(&self, map: EntryId, key: &str) -> Option<EntryId> {
        let is_map = self.0.entry(map).kind() == Type::Map;
        is_map.then(|| self.0.children(map).find(|&child| self.0.key_bytes(child) == key.as_bytes())).flatten()
    }

    /// The values of a secret, in the answer that holds it.
    fn values(&self, version: u8) -> Option<EntryId> {
        let data = self.member(self.root(), "data")?;
        let data = if version == 2 { self.member(data, "data")? } else { data };
        (self.0.entry(data).kind() == Type::Map).then_some(data)
    }

    fn text(&self, id: EntryId) -> Vec<u8> {
        self.0.text().as_bytes()[self.0.entry(id).span()].to_vec()
    }
}

/// Whether two JSON texts mean the same: the order of keys is nothing to Vault, and `1.0` is `1`.
fn are_same(a: &Document, b: &Document) -> bool {
    let mut pairs = vec![(a.roots()[0], b.roots()[0])];
    while let Some((x, y)) = pairs.pop() {
        let (kind, other) = (a.entry(x).kind(), b.entry(y).kind());
        let (ours, theirs): (Vec<_>, Vec<_>) = (a.children(x).collect(), b.children(y).collect());
        match (kind, other) {
            (Type::Map, Type::Map) | (Type::List, Type::List) if ours.len() != theirs.len() => return false,
            (Type::Map, Type::Map) => {
                let by_key: HashMap<&[u8], EntryId> = theirs.iter().map(|&id| (b.key_bytes(id), id)).collect();
                for id in ours {
                    match by_key.get(a.key_bytes(id)) {
                        Some(&twin) => pairs.push((id, twin)),
                        None => return false,
                    }
                }
            }
            (Type::List, Type::List) => pairs.extend(ours.into_iter().zip(theirs)),
            _ if !a.scalar(x).is_same_value(&b.scalar(y)) => return false,
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn addresses_are_those_of_sops() {
        let address = |pairs: &[(&str, &str)], name: &str| {
            make(&settings(pairs), &Environment::default()).map(|place| place.address(name)).map_err(|e| e.to_string())
        };
        let at = ("vault_address", "http://v:1");
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[at, ("vault_path", "a")], "http://v:1/v1/secret/data/a/x/y.yaml"),
            (&[at, ("vault_path", "a/b/"), ("vault_kv_version", "1")], "http://v:1/v1/secret/a/b/x/y.yaml"),
            (&[at, ("vault_path", "a"), ("vault_kv_mount_name", "m/n/")], "http://v:1/v1/m/n/data/a/x/y.yaml"),
            (&[at, ("vault_path", "/"), ("vault_kv_mount_name", "m")], "http://v:1/v1/m/data/x/y.yaml"),
            (&[("vault_path", "a")], "https://127.0.0.1:8200/v1/secret/data/a/x/y.yaml"),
        ];
        for (pairs, expected) in cases {
            assert_eq!(address(pairs, "x/y.yaml").as_deref(), Ok(expected));
        }
        assert!(
            address(&[("vault_path", "a"), ("vault_kv_version", "3")], "x").unwrap_err().contains("must be 1 or 2")
        );
        let user = ("vault_address", "https://me:hunter2@v:1");
        let refused = address(&[user, ("vault_path", "a")], "x").unwrap_err();
        assert!(refused.contains("a user name or a password") && !refused.contains("hunter2"));
        assert!(address(&[("vault_path", "../sys")], "x").unwrap_err().contains("no path of Vault"));
    }

    #[test]
    fn order_and_spelling_are_no_difference() {
        let same = |a: &str, b: &str| are_same(&indexed(a.as_bytes()).unwrap().0, &indexed(b.as_bytes()).unwrap().0);
        assert!(same(r#"{"a": 1, "b": [true, null, "x"]}"#, r#"{"b":[true,null,"x"],"a":1.0}"#));
        assert!(same(r#"{"a": {"x": 1e300}}"#, r#"{"a":{"x":1e+300}}"#));
        for other in [r#"{"a":"1"}"#, r#"{"a":2}"#, r#"{}"#, r#"{"a":1,"b":1}"#, r#"{"b":1}"#, r#"{"a":[1]}"#] {
            assert!(!same(r#"{"a": 1}"#, other), "{other}");
        }
        assert!(!same(r#"{"a": [1, 2]}"#, r#"{"a": [2, 1]}"#) && !same(r#"{"a": {}}"#, r#"{"a": []}"#));
    }
}
