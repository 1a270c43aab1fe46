//! Which credential is used: the first kind of which the environment, or this machine, says that it is there.
//!
//! The order is that of Microsoft's tools: environment, workload identity, managed identity, `az`, `azd`. What
//! differs: the metadata service is asked only on a machine that says it is one of Azure's, or where the
//! environment names the service.

use super::Refusal;
use super::calls::http_response;
use super::certificate::Certificate;
use crate::key::remote::cause;
use crate::key::{Environment, named};
use crate::sys;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::ClientOptions;
use azure_core::time::{Duration, OffsetDateTime};
use azure_identity::{
    AzureCliCredential, AzureDeveloperCliCredential, ClientAssertionCredential, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Mutex;

/// A credential, and who it is, for messages.
pub(super) struct Found {
    pub(super) credential: Arc<dyn TokenCredential>,
    identity: String,
    /// Another that is used when it turns out that there is none of the first kind, and whether it is.
    instead: Option<(String, Arc<AtomicBool>)>,
}

impl Found {
    /// Who is asked for.
    pub(super) fn identity(&self) -> &str {
        match &self.instead {
            Some((identity, is_used)) if is_used.load(Ordering::SeqCst) => identity,
            _ => &self.identity,
        }
    }
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
        let is_named = text("IDENTITY_ENDPOINT").is_some() || client.is_some();
        let which = client.map_or_else(String::new, |client| format!(" {client}"));
        let credential = ManagedIdentityCredential::new(Some(options));
        let machine = found(credential.map(|it| it as _), format!("the managed identity{which} of this machine"))?;
        // Where the environment names the service or the identity there is one; a machine of Azure's may have none.
        return match login(environment).filter(|_| !is_named) {
            Some(login) => Ok(machine.or(login?)),
            None => Ok(machine),
        };
    }
    login(environment).unwrap_or_else(|| Err(Refusal::without_identity(
        "no Azure credential: of AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or \
         AZURE_FEDERATED_TOKEN_FILE not enough are set, IDENTITY_ENDPOINT is not, this is no machine of Azure's, and there is no az",
    )
    .hint("install the Azure CLI and log in: az login; or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET")))
}

/// The login of a tool of Microsoft's that is installed.
fn login(environment: &Environment) -> Option<Result<Found, Refusal>> {
    let installed = |name: &str| sys::find_program(name, environment).is_some();
    if installed("az") {
        return Some(found(AzureCliCredential::new(None).map(|tool| Login::of(tool)), "the login of az".to_owned()));
    }
    let azd = || AzureDeveloperCliCredential::new(None).map(|tool| Login::of(tool));
    installed("azd").then(|| found(azd(), "the login of azd".to_owned()))
}

impl Found {
    /// This one, or where the machine turns out to have none, `other`.
    fn or(self, other: Found) -> Found {
        let is_used = Arc::new(AtomicBool::new(false));
        let credential =
            Arc::new(Either { first: self.credential, other: other.credential, uses_other: Arc::clone(&is_used) });
        Found { credential, identity: self.identity, instead: Some((other.identity, is_used)) }
    }
}

/// The identity of a machine, or another credential where it has none.
#[derive(Debug)]
struct Either {
    first: Arc<dyn TokenCredential>,
    other: Arc<dyn TokenCredential>,
    uses_other: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl TokenCredential for Either {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if !self.uses_other.load(Ordering::SeqCst) {
            match self.first.get_token(scopes, options.clone()).await {
                Err(error) if is_absent(&error) => self.uses_other.store(true, Ordering::SeqCst),
                given => return given,
            }
        }
        self.other.get_token(scopes, options).await
    }
}

/// Whether the metadata service says that there is no identity, or is not there itself.
fn is_absent(error: &azure_core::Error) -> bool {
    match http_response(error) {
        Some(ErrorKind::HttpResponse { status, .. }) => matches!(u16::from(*status), 400 | 404),
        _ => true,
    }
}

/// The login of a tool. It keeps its tokens, as other credentials do: each would be another run of the tool, of a second.
/// Those who waited for a run that failed share its failure.
#[derive(Debug)]
struct Login {
    tool: Arc<dyn TokenCredential>,
    tokens: Mutex<Tokens>,
    /// How many runs have ended.
    ended: AtomicU64,
}

#[derive(Debug, Default)]
struct Tokens {
    by_scopes: HashMap<Vec<String>, AccessToken>,
    /// Why the last run gave none.
    failure: Option<String>,
}

impl Login {
    /// What is left of a token's time when another is asked for, as for other credentials.
    const REST: Duration = Duration::minutes(5);

    fn of(tool: Arc<dyn TokenCredential>) -> Arc<dyn TokenCredential> {
        Arc::new(Login { tool, tokens: Mutex::default(), ended: AtomicU64::new(0) })
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
        let before = self.ended.load(Ordering::SeqCst);
        let mut tokens = self.tokens.lock().await;
        let is_fresh = |token: &&AccessToken| token.expires_on > OffsetDateTime::now_utc() + Self::REST;
        if let Some(token) = tokens.by_scopes.get(&wanted).filter(is_fresh) {
            return Ok(token.clone());
        }
        if let Some(failure) = tokens.failure.clone().filter(|_| self.ended.load(Ordering::SeqCst) > before) {
            return Err(azure_core::Error::with_message(ErrorKind::Credential, failure));
        }
        let given = self.tool.get_token(scopes, options).await;
        tokens.failure = given.as_ref().err().map(|error| cause(error).why().to_owned());
        self.ended.fetch_add(1, Ordering::SeqCst);
        let token = given?;
        tokens.by_scopes.insert(wanted, token.clone());
        Ok(token)
    }
}

fn found(credential: azure_core::Result<Arc<dyn TokenCredential>>, identity: String) -> Result<Found, Refusal> {
    match credential {
        Ok(credential) => Ok(Found { credential, identity, instead: None }),
        Err(error) => Err(Refusal::new(format!("it cannot be used: {error}")).with(&identity)),
    }
}
