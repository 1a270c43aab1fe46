//! The values of a document, each under one name: what a command gets as variables or as files.
//!
//! Owns: which values there are, how nested ones are named, and what a Kubernetes Secret stands for. Must
//! not know: where the values go and which names are allowed there.

use crate::document::{Document, EntryId, Kind, Scalar};
use crate::error::{self, Error, Result};
use crate::format;
use crate::ops::manifest::decode_base64;
use crate::secret::SecretBytes;
use std::collections::HashMap;

/// A value and its name.
pub(super) struct Value {
    /// The name: a key, or the keys on the way to a nested value, put together.
    pub(super) name: String,
    /// The value as text, or the bytes of binary data.
    pub(super) bytes: SecretBytes,
    /// Whether it is null, which sops writes as `<nil>`.
    pub(super) is_null: bool,
    /// The entry, for messages.
    pub(super) id: EntryId,
}

/// Values in the order of their names' first appearance. Of two with one name the later one counts, as in sops.
#[derive(Default)]
struct Values {
    list: Vec<Value>,
    by_name: HashMap<String, usize>,
}

impl Values {
    /// Adds `value`; gives the place of the one that it replaces.
    fn put(&mut self, value: Value) -> Option<EntryId> {
        if let Some(&at) = self.by_name.get(&value.name) {
            return Some(std::mem::replace(&mut self.list[at], value).id);
        }
        self.by_name.insert(value.name.clone(), self.list.len());
        self.list.push(value);
        None
    }
}

/// The values of the document, of a stream those of the first one, as sops has it.
///
/// A Kubernetes Secret stands for the values of its `data`, decoded, and its `stringData`, under their keys, as if it
/// were mounted or taken by `envFrom`. In all others the values must stand at the top, unless `separator` says how to
/// put together the names of nested ones: `db: {hosts: [a]}` with `_` is `db_hosts_0`.
///
/// # Errors
/// When a value is nested and there is no separator, when two values have the same name because of it, and when a
/// Secret's data is not what Kubernetes would accept.
pub(super) fn values(tree: &Tree<'_>, separator: Option<&str>) -> Result<Vec<Value>> {
    let Some(&root) = tree.document.roots().first() else { return Ok(Vec::new()) };
    match tree.document.entry(root).kind() {
        Kind::Map if tree.is_kubernetes_secret(root) => tree.secret_values(root),
        Kind::Map => match separator {
            None => tree.top_values(root),
            Some(separator) => tree.nested_values(root, separator),
        },
        // sops reads a document of nothing as an empty map.
        Kind::Null => Ok(Vec::new()),
        _ => Err(Error::new(error::Kind::Generic, "the document is not a map, so its values have no names")),
    }
}

/// A document and the values of its entries.
pub(super) struct Tree<'a> {
    /// The document.
    pub(super) document: &'a Document,
    /// The value of an entry; `None` for what is no part of the document, but of its metadata.
    pub(super) scalar: &'a dyn Fn(EntryId) -> Option<Scalar<'a>>,
}

impl Tree<'_> {
    /// The values below a map; a comment that sops wrote as an item of a list is none.
    fn children(&self, parent: EntryId) -> impl Iterator<Item = (EntryId, Scalar<'_>)> {
        let scalars = self.document.children(parent).filter_map(|id| Some((id, (self.scalar)(id)?)));
        scalars.filter(|(_, scalar)| scalar.kind != Kind::Comment)
    }

    fn child(&self, parent: EntryId, key: &str) -> Option<(EntryId, Scalar<'_>)> {
        self.children(parent).find(|&(id, _)| self.document.key(id) == key)
    }

    fn top_values(&self, root: EntryId) -> Result<Vec<Value>> {
        let mut values = Values::default();
        for (id, scalar) in self.children(root) {
            let what = match scalar.kind {
                Kind::Map => "a map",
                Kind::List => "a list",
                _ => {
                    values.put(value(id, scalar, self.document.key(id).to_owned()));
                    continue;
                }
            };
            return Err(Error::new(
                error::Kind::Generic,
                format!("a value is {what}, and only single values have a name"),
            )
            .at_path(self.document.path(id))
            .hint("--flatten puts the keys together: `db: {user: x}` becomes db_user"));
        }
        Ok(values.list)
    }

    /// The leaves below `root`, in the order of the text. Without recursion: depth needs no stack.
    fn nested_values(&self, root: EntryId, separator: &str) -> Result<Vec<Value>> {
        struct Open {
            end: EntryId,
            name_len: usize,
            items: usize,
        }
        let document = self.document;
        let mut values = Values::default();
        let mut name = String::new();
        let mut open = vec![Open { end: document.subtree(root).end, name_len: 0, items: 0 }];
        for id in document.subtree(root).skip(1) {
            while open.last().is_some_and(|container| container.end <= id) {
                open.pop();
            }
            let is_nested = open.len() > 1;
            let (Some(container), Some(scalar)) = (open.last_mut(), (self.scalar)(id)) else { continue };
            if scalar.kind == Kind::Comment {
                continue;
            }
            name.truncate(container.name_len);
            if is_nested {
                name.push_str(separator);
            }
            if document.entry(id).has_key() {
                name.push_str(document.key(id));
            } else {
                name.push_str(&container.items.to_string());
                container.items += 1;
            }
            if scalar.kind.is_container() {
                open.push(Open { end: document.subtree(id).end, name_len: name.len(), items: 0 });
                continue;
            }
            // A key that stands there twice is another matter: the second one counts.
            if let Some(first) = values.put(value(id, scalar, name.clone()))
                && document.path(first) != document.path(id)
            {
                return Err(Error::new(error::Kind::Generic, format!("two values would have the name {name}"))
                    .at_path(document.path(id))
                    .because(format!("the other one is at {}", document.path(first)))
                    .hint("choose another separator: --flatten=__"));
            }
        }
        Ok(values.list)
    }

    fn is_kubernetes_secret(&self, root: EntryId) -> bool {
        let says = |key, value: &[u8]| self.child(root, key).is_some_and(|(_, scalar)| scalar.bytes == value);
        says("apiVersion", b"v1") && says("kind", b"Secret")
    }

    /// What the files of a mounted Secret hold. As in Kubernetes, `stringData` goes before `data`.
    fn secret_values(&self, root: EntryId) -> Result<Vec<Value>> {
        let refused = |id, why: &str| {
            Error::new(error::Kind::Generic, "Kubernetes would refuse this Secret")
                .at_path(self.document.path(id))
                .because(why)
        };
        let mut values = Values::default();
        for (field, is_encoded) in [("data", true), ("stringData", false)] {
            let Some((map, scalar)) = self.child(root, field) else { continue };
            match scalar.kind {
                Kind::Map => {}
                Kind::Null => continue,
                _ => return Err(refused(map, "it must be a map")),
            }
            for (id, scalar) in self.children(map) {
                if !matches!(scalar.kind, Kind::Str | Kind::Null) {
                    return Err(refused(id, "each of its values must be a string; put it in quotes"));
                }
                let mut value = value(id, scalar, self.document.key(id).to_owned());
                if is_encoded && !value.is_null {
                    value.bytes = decode_base64(value.bytes.expose())
                        .map(|mut decoded| SecretBytes::from(std::mem::take(&mut *decoded)))
                        .ok_or_else(|| refused(id, "it is not base64; plain text goes into stringData"))?;
                }
                values.put(value);
            }
        }
        Ok(values.list)
    }
}

fn value(id: EntryId, scalar: Scalar<'_>, name: String) -> Value {
    Value { name, bytes: SecretBytes::from(format::flat(scalar).into_owned()), is_null: scalar.kind == Kind::Null, id }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(yaml: &str, separator: Option<&str>) -> Result<Vec<(String, String)>> {
        let document = format::by_name("yaml").unwrap().index(yaml.to_owned()).unwrap();
        let tree = Tree { document: &document, scalar: &|id| Some(document.scalar(id)) };
        let values = values(&tree, separator)?;
        Ok(values
            .into_iter()
            .map(|value| (value.name, String::from_utf8_lossy(value.bytes.expose()).into_owned()))
            .collect())
    }

    fn shown(yaml: &str, separator: Option<&str>) -> String {
        match of(yaml, separator) {
            Ok(values) => values.iter().map(|(name, value)| format!("{name}={value};")).collect(),
            Err(error) => format!("{}: {error}", error.place().key_path.as_deref().unwrap_or_default()),
        }
    }

    #[test]
    fn values_at_the_top_have_their_keys_as_names() {
        assert_eq!(shown("a: x\n# c\nb: 1.50\nc: \"\"\nd: true\n", None), "a=x;b=1.5;c=;d=true;");
        assert_eq!(shown("a: 1\n---\nb: 2\n", None), "a=1;");
        assert_eq!(shown("", None), "");
        assert_eq!(shown("# only\n", None), "");
        assert!(shown("a: x\nb:\n  - 1\n", None).starts_with("b: a value is a list, "));
        assert!(shown("a: {b: 1}\n", None).starts_with("a: a value is a map, "));
    }

    #[test]
    fn nested_values_get_their_keys_put_together() {
        let yaml = "db:\n  user: x\n  # c\n  hosts: [a, {n: b}]\n  empty: {}\nlast: 1\n";
        assert_eq!(shown(yaml, Some("_")), "db_user=x;db_hosts_0=a;db_hosts_1_n=b;last=1;");
        assert_eq!(shown(yaml, Some(".")), "db.user=x;db.hosts.0=a;db.hosts.1.n=b;last=1;");
        assert_eq!(shown("a: &a {x: 1}\nb: *a\n", Some("_")), "a_x=1;b_x=1;");
        let same = shown("a_b: 1\na: {b: 2}\n", Some("_"));
        assert!(same.starts_with("a.b: two values would have the name a_b") && same.contains("at a_b"), "{same}");
        assert_eq!(shown("a_b: 1\na: {b: 2}\n", Some("__")), "a_b=1;a__b=2;");
    }

    #[test]
    fn depth_needs_no_stack() {
        let deep = format!("a: {}1{}\n", "[".repeat(5_000), "]".repeat(5_000));
        let values = of(&deep, Some("_")).unwrap();
        assert_eq!((values.len(), values[0].0.len()), (1, 1 + 2 * 5_000));
    }

    #[test]
    fn a_kubernetes_secret_stands_for_its_data() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata:\n  a: aGVs\n    bG8=\n  b: eA==\n  n:\nstringData:\n  b: plain\n  c: y\n";
        let shown_values = shown(&secret.replace("aGVs\n    bG8=", "aGVsbG8="), None);
        assert_eq!(shown_values, "a=hello;b=plain;n=<nil>;c=y;");
        assert_eq!(shown("apiVersion: v1\nkind: Secret\ndata:\n", None), "");
        let head = "apiVersion: v1\nkind: Secret\n";
        assert!(shown(&format!("{head}data: {{a: '***'}}\n"), None).starts_with("data.a: Kubernetes would refuse"));
        assert!(shown(&format!("{head}stringData: {{a: 1}}\n"), None).contains("put it in quotes"));
        assert!(shown(&format!("{head}data: x\n"), None).contains("it must be a map"));
        // Of other kinds nothing is known.
        assert!(shown("apiVersion: v1\nkind: ConfigMap\ndata: {a: x}\n", None).starts_with("data: a value is a map"));
    }
}
