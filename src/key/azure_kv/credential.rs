//! Which credential is used: the first kind of which the environment, or this machine, says that it is there.
//!
//! The order is that of Microsoft's tools: environment, workload identity, managed identity, `az`, `azd`. What
//! differs: the metadata service is asked only on a machine that says it is one of Azure's, or where the
//! environment names the service.

use super::Refusal;
use super::certificate::Certificate;
use crate::key::{Environment, named};
use crate::sys;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::http::ClientOptions;
use azure_core::time::{Duration, OffsetDateTime};
use azure_identity::{
    AzureCliCredential, AzureDeveloperCliCredential, ClientAssertionCredential, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A credential, and who it is, for messages.
pub(super) struct Found {
    pub(super) credential: Arc<dyn TokenCredential>,
    pub(super) identity: String,
}

/// Names the Entra of another cloud. The library reads it by itself.
const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";

/// Whether the library takes `host`.
fn check_authority(host: &str) -> Result<(), Refusal> {
    if reqwest::Url::parse(host).is_ok_and(|url| url.scheme() == "https") {
        return Ok(());
    }
    let name = host.split_once("://").map_or(host, |(_, name)| name);
    let refusal = Refusal::without_identity(format!("{AUTHORITY}={host} is no URL that begins with https://"));
    Err(refusal.hint(format!("{AUTHORITY}=https://{name}")))
}

/// Finds a credential.
pub(super) fn find(environment: &Environment, options: &ClientOptions) -> Result<Found, Refusal> {
    let text = |name: &str| environment.get_filled(name).and_then(|value| value.into_string().ok());
    let (tenant, client) = (text("AZURE_TENANT_ID"), text("AZURE_CLIENT_ID"));
    if let (Some(tenant), Some(client)) = (&tenant, &client) {
        if let Some(host) = text(AUTHORITY) {
            check_authority(&host)?;
        }
        if let Some(secret) = text("AZURE_CLIENT_SECRET") {
            let options = ClientSecretCredentialOptions { client_options: options.clone() };
            let credential = ClientSecretCredential::new(tenant, client.clone(), Secret::new(secret), Some(options));
            return found(credential.map(|it| it as _), format!("the application {client} and AZURE_CLIENT_SECRET"));
        }
        if let Some(path) = named::path(environment, "AZURE_CLIENT_CERTIFICATE_PATH")? {
            let host = text(AUTHORITY).unwrap_or_else(|| "https://login.microsoftonline.com".to_owned());
            let audience = format!("{}/{tenant}/oauth2/v2.0/token", host.trim_end_matches('/'));
            let certificate = Certificate::read(&path, client, audience)?;
            let options = ClientAssertionCredentialOptions { client_options: options.clone() };
            let credential = ClientAssertionCredential::new(tenant.clone(), client.clone(), certificate, Some(options));
            return found(
                credential.map(|it| it as _),
                format!("the application {client} and its certificate {}", path.display()),
            );
        }
        if let Some(path) = named::path(environment, "AZURE_FEDERATED_TOKEN_FILE")? {
            let options = WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options: options.clone() },
                ..Default::default()
            };
            let credential = WorkloadIdentityCredential::new(Some(options));
            return found(
                credential.map(|it| it as _),
                format!("the workload identity {client} of {}", path.display()),
            );
        }
    }
    if text("IDENTITY_ENDPOINT").is_some() || sys::cloud() == Some(sys::Cloud::Azure) {
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: client.clone().map(UserAssignedId::ClientId),
            client_options: options.clone(),
        };
        let which = client.map_or_else(String::new, |client| format!(" {client}"));
        let credential = ManagedIdentityCredential::new(Some(options));
        return found(credential.map(|it| it as _), format!("the managed identity{which} of this machine"));
    }
    let installed = |name: &str| sys::find_program(name, environment).is_some();
    if installed("az") {
        return found(AzureCliCredential::new(None).map(|tool| Login::of(tool)), "the login of az".to_owned());
    }
    if installed("azd") {
        return found(
            AzureDeveloperCliCredential::new(None).map(|tool| Login::of(tool)),
            "the login of azd".to_owned(),
        );
    }
    Err(Refusal::without_identity(
        "no Azure credential: of AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or \
         AZURE_FEDERATED_TOKEN_FILE not enough are set, IDENTITY_ENDPOINT is not, this is no machine of Azure's, and there is no az",
    )
    .hint("install the Azure CLI and log in: az login; or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"))
}

/// The login of a tool. It keeps its tokens, as other credentials do: each would be another run of the tool, of a second.
#[derive(Debug)]
struct Login {
    tool: Arc<dyn TokenCredential>,
    /// By scopes.
    tokens: Mutex<HashMap<Vec<String>, AccessToken>>,
}

impl Login {
    /// What is left of a token's time when another is asked for, as for other credentials.
    const REST: Duration = Duration::minutes(5);

    fn of(tool: Arc<dyn TokenCredential>) -> Arc<dyn TokenCredential> {
        Arc::new(Login { tool, tokens: Mutex::default() })
    }
}

#[async_trait::async_trait]
impl TokenCredential for Login {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let wanted: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        let mut tokens = self.tokens.lock().await;
        let is_fresh = |token: &&AccessToken| token.expires_on > OffsetDateTime::now_utc() + Self::REST;
        if let Some(token) = tokens.get(&wanted).filter(is_fresh) {
            return Ok(token.clone());
        }
        let token = self.tool.get_token(scopes, options).await?;
        tokens.insert(wanted, token.clone());
        Ok(token)
    }
}

fn found(credential: azure_core::Result<Arc<dyn TokenCredential>>, identity: String) -> Result<Found, Refusal> {
    match credential {
        Ok(credential) => Ok(Found { credential, identity }),
        Err(error) => Err(Refusal::new(format!("it cannot be used: {error}")).with(&identity)),
    }
}
