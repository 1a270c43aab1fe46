//! Huawei Cloud KMS.
//!
//! Owns: key ids, credentials, the signature of a request, and the calls. There is no library of Huawei's for Rust.
//! Must not know: key groups, metadata.
//!
//! Sources: `hckms/keysource.go` of sops 3.11; `core/auth` of Huawei's Go library, version 3, for credentials
//! and signatures; <https://support.huaweicloud.com/intl/en-us/api-dew/dew_02_0301.html> for the calls.

mod calls;
mod credentials;
mod sign;

use super::remote::{Asking, Refusal, finish_wrap, listed};
use super::{Backend, Environment, Opener, Stanza};
use crate::document::Value;
use crate::error::{Error, Kind, Result};
use calls::Kms;
use std::sync::OnceLock;

/// The back end.
pub struct HcKms;

const KEY: &str = "key_id";

impl Backend for HcKms {
    fn name(&self) -> &'static str {
        "hckms"
    }

    fn rule_field(&self) -> &'static str {
        "hckms"
    }

    fn flag(&self) -> &'static str {
        "hckms"
    }

    fn recipients_env(&self) -> &'static str {
        "SOPS_HUAWEICLOUD_KMS_IDS"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[KEY, Stanza::CREATED_AT, Stanza::ENC]
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn parse(&self, text: &str) -> Result<Vec<Stanza>> {
        let stanza = |item: &str| {
            let (region, key) = split(item)?;
            Ok(Stanza::new(self.name(), vec![(KEY.to_owned(), Value::Str(format!("{region}:{key}")))]))
        };
        listed(text).into_iter().map(stanza).collect()
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

/// The region and the id of a key, `REGION:ID`. The region becomes a part of a host's name.
fn split(text: &str) -> Result<(&str, &str)> {
    let found = text.split_once(':').map(|(region, key)| (region.trim(), key.trim()));
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    found.filter(|(region, key)| is_word(region) && is_word(key)).ok_or_else(|| {
        Error::new(Kind::Generic, format!("not the id of a Huawei Cloud KMS key: {text:?}"))
            .hint("write it as REGION:ID, tr-west-1:0d0466b0-e727-4d9c-b35d-f84bb474a37f")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_a_region() {
        assert_eq!(split("tr-west-1:0d04-66").unwrap(), ("tr-west-1", "0d04-66"));
        assert_eq!(HcKms.parse(" tr-west-1 : a, b:c ,b:c").unwrap().len(), 2);
        for wrong in ["", "a", "a:", ":a", "a.evil/:b", "a:b:c", "a:b/c"] {
            assert!(split(wrong).unwrap_err().hints()[0].contains("REGION:ID"), "{wrong}");
        }
    }
}
