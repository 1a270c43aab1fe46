//! `seal`: a Secret as a SealedSecret, for the controller of Bitnami's Sealed Secrets, without a cluster.
//!
//! Source: `pkg/crypto/crypto.go` and `kubeseal.go` of sealed-secrets 0.27. A value is AES-256-GCM under a key of its
//! own with a zero nonce, which is sound since the key is used once; the key is RSA-OAEP with SHA-256 under the
//! controller's public key, and the label binds it to where the Secret may be: its namespace and name, its
//! namespace, or nothing. In front of both stands the length of the wrapped key, in two bytes.

use super::decrypt::{Decrypt, decrypt};
use super::manifest::decode_base64;
use super::source::{Source, holds_token};
use crate::document::{Document, EntryId, Kind as Type, Value};
use crate::error::{Error, Kind, Result};
use crate::format::{Format, yaml, yaml::Yaml};
use crate::key::Keyring;
use crate::secret::SecretBytes;
use crate::sys;
use aes_gcm::aead::array::Array;
use aes_gcm::aead::{AeadInOut, KeyInit};
use base64::prelude::{BASE64_STANDARD, Engine};
use rsa::pkcs8::DecodePublicKey;
use rsa::{Oaep, RsaPublicKey};
use std::path::{Path, PathBuf};
use x509_cert::der::{Decode, DecodePem, Encode};
use zeroize::{Zeroize, Zeroizing};

/// The annotations by which the controller knows a scope that is not strict.
const ANNOTATIONS: [(Scope, &str); 2] = [
    (Scope::NamespaceWide, "sealedsecrets.bitnami.com/namespace-wide"),
    (Scope::ClusterWide, "sealedsecrets.bitnami.com/cluster-wide"),
];

/// Where a SealedSecret may be unsealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Under its name and in its namespace alone.
    Strict,
    /// In its namespace, under any name.
    NamespaceWide,
    /// Anywhere.
    ClusterWide,
}

/// What to seal.
pub struct Seal {
    /// The Secret, or a stream of them; encrypted, or clear.
    pub source: Source,
    /// The controller's certificate, as `kubeseal --fetch-cert` prints it.
    pub certificate: PathBuf,
    /// The scope; that of the Secret's own annotations when none is given.
    pub scope: Option<Scope>,
    /// The namespace, for Secrets that name none.
    pub namespace: Option<String>,
}

/// Makes SealedSecrets, one document each.
///
/// # Errors
/// When the certificate is none, or has expired; when a document is no Secret, or lacks what its scope needs; when
/// the file does not decrypt.
pub fn seal(request: &Seal, keyring: &Keyring) -> Result<String> {
    let key = public_key(&request.certificate)?;
    let shown = request.source.shown();
    let plaintext = plaintext(request, keyring)?;
    let document = Yaml.index_plaintext(plaintext.expose().to_vec()).map_err(|error| error.in_file(shown.as_str()))?;
    let sealed = seal_all(request, &key, &document).map_err(|error| error.in_file(shown));
    document.into_bytes().zeroize();
    sealed
}

fn seal_all(request: &Seal, key: &RsaPublicKey, document: &Document) -> Result<String> {
    let mut stream = String::new();
    let roots = document.roots().iter().filter(|&&root| document.entry(root).kind() != Type::Null);
    for (at, &root) in roots.enumerate() {
        if at > 0 {
            stream.push_str("---\n");
        }
        stream.push_str(&yaml::print(&sealed_secret(request, key, document, root)?));
    }
    if stream.is_empty() {
        return Err(Error::new(Kind::NoDocument, "there is no Secret in the file"));
    }
    Ok(stream)
}

/// The file's plaintext; a file that is not encrypted is taken as it is, as kubeseal takes it.
fn plaintext(request: &Seal, keyring: &Keyring) -> Result<SecretBytes> {
    let source = &request.source;
    let source = Source {
        path: source.path.clone(),
        name: source.name.clone(),
        input_type: source.input_type,
        output_type: None,
    };
    let opened = source.open()?;
    if !holds_token(&opened.bytes) {
        return Ok(SecretBytes::from(opened.bytes));
    }
    let request = Decrypt::whole(source);
    decrypt(&request, keyring).map(|decrypted| decrypted.plaintext)
}

fn public_key(path: &Path) -> Result<RsaPublicKey> {
    let shown = path.display().to_string();
    let wrong = |why: &dyn std::fmt::Display| {
        Error::new(Kind::ReadInput, "the file holds no certificate for sealing")
            .in_file(shown.as_str())
            .because(why)
            .hint("kubeseal --fetch-cert > cert.pem, or the certificate in a Secret with the label sealedsecrets.bitnami.com/sealed-secrets-key")
    };
    let bytes = sys::read_input(path)?;
    let certificate = if bytes.starts_with(b"-----") {
        x509_cert::Certificate::from_pem(&bytes)
    } else {
        x509_cert::Certificate::from_der(&bytes)
    }
    .map_err(|error| wrong(&error))?;
    let certificate = certificate.tbs_certificate;
    let until = certificate.validity.not_after;
    if until.to_system_time() < std::time::SystemTime::now() {
        return Err(wrong(&format!("the certificate has expired, on {until}")));
    }
    let key = certificate.subject_public_key_info.to_der().map_err(|error| wrong(&error))?;
    RsaPublicKey::from_public_key_der(&key).map_err(|error| wrong(&error))
}

fn sealed_secret(request: &Seal, key: &RsaPublicKey, document: &Document, root: EntryId) -> Result<Value> {
    let is_secret = document.child(root, "kind").is_some_and(|kind| document.scalar(kind).bytes == b"Secret");
    if !is_secret {
        return Err(Error::new(Kind::Generic, "only Secrets can be sealed")
            .because("a document of the file is of another kind"));
    }
    let metadata = document.child(root, "metadata").map_or(Value::Null, |id| document.value(id));
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
    let scope = request.scope.unwrap_or_else(|| scope_of(&metadata));
    let name = text("name");
    let namespace = text("namespace").or_else(|| request.namespace.clone());
    let label = label(scope, namespace.as_deref(), name.as_deref())?;

    let mut values: Vec<(String, Zeroizing<Vec<u8>>)> = Vec::new();
    for (field, is_base64) in [("data", true), ("stringData", false)] {
        for id in document.child(root, field).into_iter().flat_map(|id| document.children(id)) {
            let scalar = document.scalar(id);
            let wrong = |why: &str| {
                Error::new(Kind::Format, "this value is none of a Secret").at_path(document.path(id)).because(why)
            };
            let bytes = match scalar.kind {
                Type::Null => Zeroizing::default(),
                Type::Str if is_base64 => decode_base64(scalar.bytes)
                    .ok_or_else(|| wrong("it is not base64").hint("text goes below stringData"))?,
                Type::Str => Zeroizing::new(scalar.bytes.to_vec()),
                _ => return Err(wrong("it is no text").hint("put it in quotes")),
            };
            let key = document.key(id).to_owned();
            // As in a cluster, stringData goes before data.
            values.retain(|(other, _)| *other != key);
            values.push((key, bytes));
        }
    }
    let mut sealed = Vec::with_capacity(values.len());
    for (name, value) in &values {
        sealed.push((name.clone(), Value::Str(BASE64_STANDARD.encode(hybrid(key, value, label.as_bytes())?))));
    }
    Ok(manifest(document, root, &metadata, scope, (name, namespace), sealed))
}

fn scope_of(metadata: &Value) -> Scope {
    let annotations = metadata.get("annotations");
    let says = |name: &str| {
        annotations
            .and_then(|all| all.get(name))
            .is_some_and(|value| *value == Value::Bool(true) || value.as_str() == Some("true"))
    };
    // The wider one wins, as in the controller.
    ANNOTATIONS.into_iter().rev().find(|(_, name)| says(name)).map_or(Scope::Strict, |(scope, _)| scope)
}

fn label(scope: Scope, namespace: Option<&str>, name: Option<&str>) -> Result<String> {
    let missing = |what: &str| {
        Error::new(Kind::Generic, format!("the Secret has no {what}"))
            .because("in this scope the controller only unseals it where that is the same")
    };
    let namespace = || {
        namespace
            .ok_or_else(|| missing("namespace").hint("name it with --namespace, or seal with --scope cluster-wide"))
    };
    match scope {
        Scope::ClusterWide => Ok(String::new()),
        Scope::NamespaceWide => namespace().map(str::to_owned),
        Scope::Strict => {
            let name = name.ok_or_else(|| missing("name").hint("write metadata.name into it"))?;
            namespace().map(|namespace| format!("{namespace}/{name}"))
        }
    }
}

/// The two-byte length of the wrapped key, the wrapped key, and the value under it.
fn hybrid(key: &RsaPublicKey, value: &[u8], label: &[u8]) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Error::new(Kind::Generic, "the value cannot be sealed").because(error);
    let mut session = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *session).map_err(|error| failed(&error))?;
    // The label is bytes to the controller; `rsa` takes text, which namespaces and names are.
    let label = String::from_utf8_lossy(label).into_owned();
    let padding = if label.is_empty() {
        Oaep::new::<rsa::sha2::Sha256>()
    } else {
        Oaep::new_with_label::<rsa::sha2::Sha256, _>(label)
    };
    let wrapped = key.encrypt(&mut rsa::rand_core::OsRng, padding, &session[..]).map_err(|error| failed(&error))?;
    let length = u16::try_from(wrapped.len()).map_err(|error| failed(&error))?;
    let mut sealed = length.to_be_bytes().to_vec();
    sealed.extend_from_slice(&wrapped);
    let mut body = Zeroizing::new(value.to_vec());
    let cipher = aes_gcm::Aes256Gcm::new(&Array(*session));
    let tag = cipher
        .encrypt_inout_detached(&Array([0; 12]), b"", body.as_mut_slice().into())
        .map_err(|error| failed(&error))?;
    sealed.extend_from_slice(&body);
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

fn manifest(
    document: &Document,
    root: EntryId,
    metadata: &Value,
    scope: Scope,
    (name, namespace): (Option<String>, Option<String>),
    sealed: Vec<(String, Value)>,
) -> Value {
    let map = |items: Vec<(&str, Option<Value>)>| {
        Value::Map(items.into_iter().filter_map(|(key, value)| value.map(|value| (key.to_owned(), value))).collect())
    };
    let scope = ANNOTATIONS.into_iter().find(|(other, _)| *other == scope).map(|(_, name)| name);
    let scope = scope.map(|name| (name.to_owned(), Value::Str("true".to_owned())));
    let annotations = |of_secret: Option<&Value>| {
        let mut all: Vec<(String, Value)> = match of_secret {
            // What kubectl wrote holds the values in clear.
            Some(Value::Map(items)) => items
                .iter()
                .filter(|(key, _)| key != "kubectl.kubernetes.io/last-applied-configuration")
                .filter(|(key, _)| !ANNOTATIONS.iter().any(|(_, name)| name == key))
                .cloned()
                .collect(),
            _ => Vec::new(),
        };
        all.extend(scope.clone());
        (!all.is_empty()).then_some(Value::Map(all))
    };
    let text = |text: &Option<String>| text.clone().map(Value::Str);
    let of_root = |key: &str| document.child(root, key).map(|id| document.value(id));
    let template = map(vec![
        (
            "metadata",
            Some(map(vec![
                ("name", text(&name)),
                ("namespace", text(&namespace)),
                ("labels", metadata.get("labels").cloned()),
                ("annotations", annotations(metadata.get("annotations"))),
            ])),
        ),
        ("type", of_root("type")),
        ("immutable", of_root("immutable")),
    ]);
    map(vec![
        ("apiVersion", Some(Value::Str("bitnami.com/v1alpha1".to_owned()))),
        ("kind", Some(Value::Str("SealedSecret".to_owned()))),
        (
            "metadata",
            Some(map(vec![("name", text(&name)), ("namespace", text(&namespace)), ("annotations", annotations(None))])),
        ),
        ("spec", Some(map(vec![("encryptedData", Some(Value::Map(sealed))), ("template", Some(template))]))),
    ])
}
