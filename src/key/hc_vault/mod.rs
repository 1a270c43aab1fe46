//! HashiCorp Vault and OpenBao: keys of the transit engine.
//!
//! Owns: the URL of a key, the settings of Vault's own client that the environment holds, and the two calls.
//! Must not know: key groups, metadata, what else is kept in Vault; but it asks for that, for `publish`.
//!
//! Sources: `hcvault/keysource.go` of sops 3.11 and 3.13 (the allowlist),
//! <https://developer.hashicorp.com/vault/api-docs/secret/transit>, and for the variables
//! <https://developer.hashicorp.com/vault/docs/commands#configure-environment-variables>.

mod server;
mod settings;
mod token;
mod url;

use super::remote::{Asking, Refusal, finish_wrap, listed};
use super::{Backend, Environment, Opener, Stanza};
use crate::document::Value;
use crate::error::Result;
pub(crate) use server::{Answer as VaultAnswer, Asked, Vault, no_vault};
use std::sync::OnceLock;

/// The back end.
pub struct HcVault;

const ADDRESS: &str = "vault_address";
const ENGINE: &str = "engine_path";
const KEY: &str = "key_name";

impl Backend for HcVault {
    fn name(&self) -> &'static str {
        "hc_vault"
    }

    fn rule_field(&self) -> &'static str {
        "hc_vault_transit_uri"
    }

    fn flag(&self) -> &'static str {
        "hc-vault-transit"
    }

    fn recipients_env(&self) -> &'static str {
        "SOPS_VAULT_URIS"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[ADDRESS, ENGINE, KEY, Stanza::CREATED_AT, Stanza::ENC]
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn parse(&self, text: &str) -> Result<Vec<Stanza>> {
        let stanza = |item: &str| {
            let key = url::parse(item)?;
            let field = |name: &str, value: String| (name.to_owned(), Value::Str(value));
            let fields = vec![field(ADDRESS, key.address), field(ENGINE, key.engine), field(KEY, key.name)];
            Ok(Stanza::new(self.name(), fields))
        };
        listed(text).into_iter().map(stanza).collect()
    }

    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<()> {
        static VAULT: OnceLock<Vault> = OnceLock::new();
        let vault = VAULT.get_or_init(|| Vault::new(Environment::of_process()));
        let wrapped = vault.wrap(stanza, part);
        finish_wrap(stanza, wrapped)
    }

    fn opener(&self, environment: &Environment) -> Box<dyn Opener> {
        Box::new(Asking(Vault::new(environment.clone())))
    }
}
