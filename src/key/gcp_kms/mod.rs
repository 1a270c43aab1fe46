//! Google Cloud KMS.
//!
//! Owns: resource ids, which credentials are used, and the two calls. The calls themselves and the exchange
//! of credentials for tokens are those of Google's own library. Must not know: key groups, metadata.
//!
//! Source: `gcpkms/keysource.go` of sops 3.11, and 3.13 for the endpoint and the universe domain.

mod calls;
mod credentials;

#[cfg(feature = "gcs")]
pub(crate) use credentials::{Found, find};

use super::remote::{Asking, Refusal, finish_wrap, listed};
use super::{Backend, Environment, Opener, Stanza};
use crate::document::Value;
use crate::error::{Error, Kind, Result};
use calls::Kms;
use std::sync::OnceLock;

/// The back end.
pub struct GcpKms;

const RESOURCE: &str = "resource_id";
const FORM: &str = "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY";

impl Backend for GcpKms {
    fn name(&self) -> &'static str {
        "gcp_kms"
    }

    fn rule_field(&self) -> &'static str {
        "gcp_kms"
    }

    fn flag(&self) -> &'static str {
        "gcp-kms"
    }

    fn recipients_env(&self) -> &'static str {
        "SOPS_GCP_KMS_IDS"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[RESOURCE, Stanza::CREATED_AT, Stanza::ENC]
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn parse(&self, text: &str) -> Result<Vec<Stanza>> {
        let text: String = text.chars().filter(|c| *c != ' ').collect();
        let stanza = |item: &str| {
            check(item)?;
            Ok(Stanza::new(self.name(), vec![(RESOURCE.to_owned(), Value::Str(item.to_owned()))]))
        };
        listed(&text).into_iter().map(stanza).collect()
    }

    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<()> {
        static KMS: OnceLock<Kms> = OnceLock::new();
        let wrapped = KMS.get_or_init(|| Kms::new(Environment::of_process())).wrap(stanza, part);
        finish_wrap(stanza, wrapped)
    }

    fn opener(&self, environment: &Environment) -> Box<dyn Opener> {
        Box::new(Asking(Kms::new(environment.clone())))
    }
}

/// Whether `id` names a key.
fn check(id: &str) -> Result<()> {
    let parts: Vec<&str> = id.split('/').collect();
    let names = parts.iter().step_by(2).copied();
    let is_key = parts.len() == 8 && names.eq(["projects", "locations", "keyRings", "cryptoKeys"]);
    let is_plain = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "-_.:".contains(c));
    if is_key && parts.iter().all(is_plain) {
        return Ok(());
    }
    let error = Error::new(Kind::Generic, format!("not the resource id of a GCP KMS key: {id:?}"));
    let error = if parts.len() > 8 && parts.get(8) == Some(&"cryptoKeyVersions") {
        error.because("a version of a key cannot be named; KMS itself chooses the primary one")
    } else {
        error
    };
    Err(error.hint(format!("write it as {FORM}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_id_has_eight_parts() {
        let id = "projects/p/locations/global/keyRings/r/cryptoKeys/k-1_x";
        assert_eq!(GcpKms.parse(&format!("{id} , {id}")).unwrap().len(), 1);
        assert_eq!(GcpKms.parse(&format!("{id},projects/example.com:p/{}", &id[11..])).unwrap().len(), 2);
        for wrong in
            ["", "x", &id[1..], "projects/p/locations//keyRings/r/cryptoKeys/k", &format!("{id}/"), &format!("{id}?x")]
        {
            assert!(check(wrong).unwrap_err().hints()[0].contains("cryptoKeys"), "{wrong}");
        }
        assert!(check(&format!("{id}/cryptoKeyVersions/1")).unwrap_err().to_string().contains("a version"));
    }
}
