//! Azure Key Vault.
//!
//! Owns: the URL of a key, which credential is used, and the two calls. The calls themselves are those of
//! Microsoft's library. Must not know: key groups, metadata.
//!
//! Source: `azkv/keysource.go` of sops 3.11.

mod calls;
mod certificate;
mod credential;
mod url;

use super::remote::{Asking, Refusal, finish_wrap, listed};
use super::{Backend, Environment, Opener, Stanza};
use crate::document::Value;
use crate::error::Result;
use calls::{KeyVault, Wrapped};
use std::borrow::Cow;
use std::sync::OnceLock;

/// The back end.
pub struct AzureKv;

const VAULT: &str = "vault_url";
const NAME: &str = "name";
const VERSION: &str = "version";

impl Backend for AzureKv {
    fn name(&self) -> &'static str {
        "azure_kv"
    }

    fn rule_field(&self) -> &'static str {
        "azure_keyvault"
    }

    fn flag(&self) -> &'static str {
        "azure-kv"
    }

    fn recipients_env(&self) -> &'static str {
        "SOPS_AZURE_KEYVAULT_URLS"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[VAULT, NAME, VERSION, Stanza::CREATED_AT, Stanza::ENC]
    }

    fn canonical<'a>(&self, field: &str, text: &'a str) -> Cow<'a, str> {
        if field == VAULT { text.trim_end_matches('/').into() } else { text.into() }
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn parse(&self, text: &str) -> Result<Vec<Stanza>> {
        let stanza = |item: &str| {
            let key = url::parse(item)?;
            let field = |name: &str, value: String| (name.to_owned(), Value::Str(value));
            let fields = vec![field(VAULT, key.vault), field(NAME, key.name), field(VERSION, key.version)];
            Ok(Stanza::new(self.name(), fields))
        };
        listed(text).into_iter().map(stanza).collect()
    }

    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<()> {
        static KEY_VAULT: OnceLock<KeyVault> = OnceLock::new();
        let wrapped = KEY_VAULT.get_or_init(|| KeyVault::new(Environment::of_process())).wrap(stanza, part);
        let wrapped = wrapped.map(|Wrapped { enc, version }| {
            // The one that was used: another one cannot decrypt, and the newest will be another.
            stanza.set(VERSION, Value::Str(version));
            enc
        });
        finish_wrap(stanza, wrapped)
    }

    fn opener(&self, environment: &Environment) -> Box<dyn Opener> {
        Box::new(Asking(KeyVault::new(environment.clone())))
    }
}
