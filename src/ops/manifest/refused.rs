//! What a cluster would refuse of a Secret, said before it is applied.
//!
//! Source: `ValidateSecret` of the Kubernetes API server, and the decoding of a Secret, in which `data` is base64 and
//! `stringData` is text. kubectl, kustomize and Helm read YAML 1.1, to which a plain `yes` is a truth and a date a text.

use super::{decode_base64, secrets as all};
use crate::document::{Document, EntryId, Kind, Style};
use crate::format::yaml::is_old_bool;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The most that the values of a Secret may be, in bytes: 1 MiB.
const MOST: usize = 1 << 20;

/// The longest name of a Secret, and of a key of its data.
const LONGEST: usize = 253;

/// The keys that a type of Secret must have; of several in one text, one.
const NEEDED: [(&str, &[&str]); 5] = [
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
    ("kubernetes.io/basic-auth", &["username password"]),
    ("kubernetes.io/dockerconfigjson", &[DOCKER]),
    ("kubernetes.io/dockercfg", &[OLD_DOCKER]),
];
const DOCKER: &str = ".dockerconfigjson";
const OLD_DOCKER: &str = ".dockercfg";

/// What is found, in a document.
struct Findings<'a> {
    document: &'a Document,
    warnings: Vec<String>,
}

impl Findings<'_> {
    fn warn(&mut self, id: EntryId, what: &str) {
        let path = self.document.path(id);
        let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
        self.warnings.push(format!("{place}{what}"));
    }

    fn refuse(&mut self, id: EntryId, reason: &str) {
        self.warn(id, &format!("a cluster will refuse this Secret: {reason}"));
    }
}

/// A warning for each reason.
pub(super) fn secrets(document: &Document) -> Vec<String> {
    let mut found = Findings { document, warnings: Vec::new() };
    for root in all(document) {
        name(document, root, &mut found);
        let mut values = BTreeMap::new();
        for (field, read) in [("data", of_data as Reader), ("stringData", of_text)] {
            let Some(map) = document.child(root, field) else { continue };
            if document.entry(map).kind() != Kind::Map {
                if document.entry(map).kind() != Kind::Null {
                    found.refuse(map, "it is no map of keys and values");
                }
                continue;
            }
            for id in document.children(map) {
                match read(document, id) {
                    Ok(value) => values.extend(value.map(|value| (document.key(id), value))),
                    Err(reason) => found.refuse(id, reason),
                }
                if is_plain_key(document, id) && is_old_bool(document.key(id)) {
                    found.warn(id, "kubectl takes this key for true or false; put it in quotes");
                }
                if !is_key(document.key(id)) {
                    found.refuse(id, "a key is of letters, digits, -, _ and . alone");
                }
            }
        }
        let size: usize = values.values().map(|value| value.len()).sum();
        if size > MOST {
            found.refuse(root, &format!("its values are {size} bytes, and {MOST} is the most"));
        }
        content(document, root, &values, &mut found);
    }
    found.warnings
}

/// The bytes of the values that can be read, by their keys.
type Values<'a> = BTreeMap<&'a str, Zeroizing<Vec<u8>>>;

/// Reads a value: nothing for a null, which kubectl does not send.
type Reader = fn(&Document, EntryId) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str>;

fn of_text(document: &Document, id: EntryId) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
    match document.scalar(id) {
        scalar if scalar.kind == Kind::Null => Ok(None),
        _ if is_old_truth(document, id) => Err("kubectl takes the value for true or false; put it in quotes"),
        scalar if matches!(scalar.kind, Kind::Str | Kind::Time) => Ok(Some(Zeroizing::new(scalar.bytes.to_vec()))),
        _ => Err("the value is no text; put it in quotes"),
    }
}

fn of_data(document: &Document, id: EntryId) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
    match document.scalar(id) {
        scalar if scalar.kind == Kind::Null => Ok(None),
        scalar if scalar.kind != Kind::Str || is_old_truth(document, id) => Err("the value is no text in base64"),
        scalar => decode_base64(scalar.bytes).map(Some).ok_or("the value is not base64; text goes below stringData"),
    }
}

/// Whether a text is none to a reader of YAML 1.1.
fn is_old_truth(document: &Document, id: EntryId) -> bool {
    document.entry(id).style() == Style::Plain && is_old_bool(document.raw(id))
}

fn is_plain_key(document: &Document, id: EntryId) -> bool {
    let start = document.key_start(id).filter(|&start| start > 0);
    start.is_some_and(|start| !matches!(document.bytes()[start - 1], b'"' | b'\''))
}

/// `metadata.name`: lower-case words of letters, digits and `-`, with `.` between them.
fn name(document: &Document, root: EntryId, found: &mut Findings<'_>) {
    let metadata = document.child(root, "metadata");
    let of = |key| metadata.and_then(|metadata| document.child(metadata, key));
    let Some(name) = of("name") else {
        if of("generateName").is_none() {
            found.refuse(metadata.unwrap_or(root), "it has no name");
        }
        return;
    };
    let scalar = document.scalar(name);
    let is_word = |word: &[u8]| {
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        word.first().is_some_and(inner)
            && word.last().is_some_and(inner)
            && word.iter().all(|byte| inner(byte) || *byte == b'-')
    };
    if scalar.kind != Kind::Str {
        found.refuse(name, "its name is no text; put it in quotes");
    } else if scalar.bytes.len() > LONGEST || !scalar.bytes.split(|&byte| byte == b'.').all(is_word) {
        found.refuse(name, "its name is not of lower-case letters, digits, - and .");
    }
}

/// A key of the data is the name of a file in a pod.
fn is_key(key: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !key.is_empty() && key.len() <= LONGEST && key.bytes().all(is_part) && key != "." && !key.starts_with("..")
}

/// What the type of the Secret asks for.
fn content(document: &Document, root: EntryId, values: &Values<'_>, found: &mut Findings<'_>) {
    let text = |id: Option<EntryId>| id.map(|id| document.scalar(id).bytes).unwrap_or_default();
    let annotations = document.child(root, "metadata").and_then(|metadata| document.child(metadata, "annotations"));
    let annotation = |key: &str| text(annotations.and_then(|annotations| document.child(annotations, key)));
    // A piece that kustomize puts into another Secret.
    if annotation("kustomize.config.k8s.io/behavior") == b"merge" {
        return;
    }
    let kind = text(document.child(root, "type"));
    if kind == b"kubernetes.io/service-account-token" && annotation("kubernetes.io/service-account.name").is_empty() {
        found.refuse(root, "its type needs the annotation kubernetes.io/service-account.name");
    }
    for (name, needed) in NEEDED.iter().filter(|(name, _)| name.as_bytes() == kind) {
        for keys in *needed {
            if !keys.split(' ').any(|key| values.contains_key(key)) {
                found.refuse(root, &format!("its type {name} needs the key {}", keys.replace(' ', " or ")));
            }
        }
    }
    if kind == b"kubernetes.io/ssh-auth" && values.get("ssh-privatekey").is_some_and(|value| value.is_empty()) {
        found.refuse(root, "the value of ssh-privatekey is empty");
    }
    for key in [DOCKER, OLD_DOCKER] {
        let is_asked_for = NEEDED.iter().any(|(name, keys)| name.as_bytes() == kind && *keys == [key]);
        if is_asked_for && values.get(key).is_some_and(|value| !is_json_object(value)) {
            found.refuse(root, &format!("the value of {key} is no JSON object"));
        }
    }
}

/// Whether it is the JSON of an object. Nothing of it is kept.
fn is_json_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, yaml::Yaml};

    fn warned(rest: &str) -> Vec<String> {
        secrets(&Yaml.index(format!("apiVersion: v1\nkind: Secret\n{rest}")).unwrap())
    }

    #[test]
    fn what_a_cluster_refuses_is_pointed_out() {
        const NAME: &str = "metadata: {name: x}\n";
        let long = "a".repeat(700_000);
        let large = format!("stringData: {{a: {long}, b: {long}}}\n");
        for (rest, warning) in [
            ("stringData: {port: 5432}\n", "stringData.port: a cluster will refuse this Secret: the value is no text"),
            ("stringData: {a: true}\n", "stringData.a: "),
            (
                "stringData: {a: yes}\n",
                "stringData.a: a cluster will refuse this Secret: kubectl takes the value for true",
            ),
            ("stringData: {'a': b, on: c}\n", "stringData.on: kubectl takes this key for true or false"),
            ("data: {a: 'not base64!'}\n", "data.a: a cluster will refuse this Secret: the value is not base64"),
            ("data: {a: 1234}\n", "data.a: "),
            ("data: {'a b': aGk=}\n", "data[\"a b\"]: "),
            ("stringData: {'': x}\n", "stringData[\"\"]: "),
            ("stringData: {'..x': x}\n", "stringData[\"..x\"]: "),
            ("data: [a]\n", "data: a cluster will refuse this Secret: it is no map"),
            (&large, "a cluster will refuse this Secret: its values are 1400000 bytes"),
            (
                "type: kubernetes.io/tls\nstringData: {tls.crt: x}\n",
                "a cluster will refuse this Secret: its type kubernetes.io/tls needs the key tls.key",
            ),
            (
                "type: kubernetes.io/basic-auth\n",
                "a cluster will refuse this Secret: its type kubernetes.io/basic-auth needs the key username or password",
            ),
            (
                "type: kubernetes.io/tls\nstringData: {tls.crt: x, tls.key: }\n",
                "a cluster will refuse this Secret: its type kubernetes.io/tls needs the key tls.key",
            ),
            (
                "type: kubernetes.io/ssh-auth\ndata: {ssh-privatekey: ''}\n",
                "a cluster will refuse this Secret: the value of ssh-privatekey is empty",
            ),
            (
                "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: '[]'}\n",
                "a cluster will refuse this Secret: the value of .dockerconfigjson is no JSON object",
            ),
            (
                "type: kubernetes.io/dockercfg\n",
                "a cluster will refuse this Secret: its type kubernetes.io/dockercfg needs the key .dockercfg",
            ),
            (
                "type: kubernetes.io/service-account-token\n",
                "a cluster will refuse this Secret: its type needs the annotation",
            ),
        ] {
            let warnings = warned(&format!("{NAME}{rest}"));
            assert!(warnings.len() == 1 && warnings[0].starts_with(warning), "{rest:.60}: {warnings:?}");
        }
        for (rest, warning) in [
            ("data: {a: aGk=}\n", "a cluster will refuse this Secret: it has no name"),
            ("metadata: {name: 12}\n", "metadata.name: a cluster will refuse this Secret: its name is no text"),
            ("metadata: {name: My_Name}\n", "metadata.name: "),
            ("metadata: {name: a..b}\n", "metadata.name: "),
        ] {
            let warnings = warned(rest);
            assert!(warnings.len() == 1 && warnings[0].starts_with(warning), "{rest}: {warnings:?}");
        }
        for rest in [
            "stringData: {port: '5432', none: }\n",
            "data: {a: aGk=, b: '', c: \"aG\\nk=\", d: aGl=}\n",
            "data:\nstringData: {}\n",
            "type: kubernetes.io/tls\ndata: {tls.crt: ''}\nstringData: {tls.key: ''}\n",
            "type: kubernetes.io/basic-auth\ndata: {password: ''}\n",
            "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: '{\"auths\": {}}'}\n",
            "stringData: {a: 'yes', 'on': \"no\", b: 2001-01-01, c: yEs}\n",
            "type: my/own\n",
        ] {
            assert_eq!(warned(&format!("{NAME}{rest}")), [""; 0], "{rest}");
        }
        assert_eq!(warned("metadata: {generateName: x-}\n"), [""; 0]);
        let merged =
            "metadata: {name: x, annotations: {kustomize.config.k8s.io/behavior: merge}}\ntype: kubernetes.io/tls\n";
        assert_eq!(warned(merged), [""; 0]);
        assert_eq!(
            secrets(&Yaml.index("kind: Secret\ndata: {a: '!'}\n".to_owned()).unwrap()),
            [""; 0],
            "no apiVersion"
        );
    }
}
