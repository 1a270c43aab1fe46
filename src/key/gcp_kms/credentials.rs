//! Which credentials are used.
//!
//! In the order of sops: `GOOGLE_CREDENTIALS`, `GOOGLE_OAUTH_ACCESS_TOKEN`, then the application default
//! credentials: `GOOGLE_APPLICATION_CREDENTIALS`, gcloud's file, the metadata service. The last is asked only
//! on a machine that says it is one of Google's, or where the environment names the service.

use super::Refusal;
use crate::key::remote::{check_authorities, check_proxies};
use crate::key::{Environment, named};
use crate::sys;
use google_cloud_auth::credentials::{
    CacheableResource, Credentials, CredentialsProvider, EntityTag, external_account, impersonated, mds,
    service_account, user_account,
};
use google_cloud_auth::errors::CredentialsError;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use std::path::Path;

const SOPS: &str = "GOOGLE_CREDENTIALS";
const TOKEN: &str = "GOOGLE_OAUTH_ACCESS_TOKEN";
const DEFAULT: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const QUOTA: &str = "GOOGLE_CLOUD_QUOTA_PROJECT";
const METADATA: &str = "GCE_METADATA_HOST";
const LOGIN: &str = "gcloud auth application-default login; or set GOOGLE_CREDENTIALS to a key file";
/// Those that Google's library has, and that are for its public cloud.
const KINDS: &str = "service_account, authorized_user, external_account or impersonated_service_account";
/// What `gcloud auth application-default login` writes for a workforce identity.
const WORKFORCE: &str = "external_account_authorized_user";
/// A file with more is none of credentials.
const LONGEST: u64 = 1 << 20;

/// Credentials, and who they are, for messages.
pub(crate) struct Found {
    pub(crate) credentials: Credentials,
    pub(crate) identity: String,
}

/// Builds credentials whose calls count for the project that the environment names, before the one that they name
/// themselves. The builders have no type in common.
macro_rules! charging {
    ($builder:expr, $project:expr) => {
        match $project {
            Some(project) => $builder.with_quota_project_id(project).build(),
            None => $builder.build(),
        }
    };
}

fn quota(environment: &Environment) -> Option<String> {
    environment.get_filled(QUOTA).and_then(|project| project.into_string().ok())
}

/// Finds credentials.
pub(crate) fn find(environment: &Environment, universe: Option<&str>) -> Result<Found, Refusal> {
    // Google's library panics without them.
    check_authorities()?;
    check_proxies()?;
    if let Some(value) = environment.get_filled(SOPS) {
        // A path when there is such a file, else the credentials themselves.
        let path = Path::new(&value);
        let is_file = path.is_file();
        let json = if is_file { read(SOPS, path)? } else { value.to_string_lossy().into_owned() };
        let from = if is_file { format!("{SOPS}={}", path.display()) } else { SOPS.to_owned() };
        return from_json(&json, &from, quota(environment));
    }
    if let Some(token) = environment.get_filled(TOKEN) {
        let header = format!("Bearer {}", token.to_string_lossy().trim());
        let mut header = HeaderValue::from_str(&header).map_err(|_| Refusal::new(format!("{TOKEN} is no token")))?;
        header.set_sensitive(true);
        let universe = universe.map(ToOwned::to_owned);
        let credentials = Credentials::from(Token { header, tag: EntityTag::new(), universe });
        return Ok(Found { credentials, identity: format!("the token of {TOKEN}") });
    }
    if let Some(path) = named::path(environment, DEFAULT)? {
        return from_json(&read(DEFAULT, &path)?, &format!("{DEFAULT}={}", path.display()), quota(environment));
    }
    let folder = named::path(environment, "CLOUDSDK_CONFIG")?;
    let folder = folder.or_else(|| environment.settings_folder().map(|settings| settings.join("gcloud")));
    let file = folder.map(|folder| folder.join("application_default_credentials.json"));
    let shown = file.as_deref().map_or_else(|| "the folder of gcloud".to_owned(), |file| environment.show(file));
    if let Some(file) = file.as_deref().filter(|file| file.exists()) {
        return from_json(&read(&shown, file)?, &shown, quota(environment));
    }
    if environment.get_filled(METADATA).is_some() || sys::cloud() == Some(sys::Cloud::Google) {
        let credentials = charging!(mds::Builder::default(), quota(environment))
            .map_err(|error| unusable("the metadata service", &error))?;
        return Ok(Found { credentials, identity: "the service account of this machine".to_owned() });
    }
    Err(Refusal::without_identity(format!(
        "no Google credentials: {SOPS}, {TOKEN} and {DEFAULT} are not set, {shown}: no such file, this is no machine of Google's"
    ))
    .hint(LOGIN))
}

fn read(name: &str, path: &Path) -> Result<String, Refusal> {
    let shown = if name == path.display().to_string() { name.to_owned() } else { format!("{name}={}", path.display()) };
    let unreadable = |error| {
        Refusal::without_identity(format!("no Google credentials: {shown} cannot be read: {error}")).hint(LOGIN)
    };
    std::fs::metadata(path)
        .and_then(|found| {
            if found.len() > LONGEST { Err(std::io::Error::other("too large")) } else { std::fs::read_to_string(path) }
        })
        .map_err(unreadable)
}

/// Credentials of any kind that gcloud or the console writes.
fn from_json(json: &str, from: &str, quota: Option<String>) -> Result<Found, Refusal> {
    // What is wrong is not quoted: it is, or should have been, a secret.
    let json: serde_json::Value = serde_json::from_str(json).map_err(|_| {
        Refusal::without_identity(format!("{from} is neither a file that exists nor credentials in JSON")).hint(LOGIN)
    })?;
    let text = |name: &str| json.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let kind = text("type");
    let (identity, built) = match kind.as_str() {
        "service_account" => (
            format!("the service account {} of {from}", text("client_email")),
            charging!(service_account::Builder::new(json), quota),
        ),
        "authorized_user" => (format!("the user of {from}"), charging!(user_account::Builder::new(json), quota)),
        "external_account" => (
            format!("the workload identity {} of {from}", text("audience")),
            charging!(external_account::Builder::new(json), quota),
        ),
        "impersonated_service_account" => {
            let url = text("service_account_impersonation_url");
            let account =
                url.rsplit('/').next().unwrap_or_default().trim_end_matches(":generateAccessToken").to_owned();
            (
                format!("the impersonated account {account} of {from}"),
                charging!(impersonated::Builder::new(json), quota),
            )
        }
        other => {
            // Of a login with a workforce identity gcloud itself knows how to get a token.
            let gcloud = if other == WORKFORCE { "gcloud auth application-default" } else { "gcloud auth" };
            let why =
                format!("{from} holds credentials of a kind that cannot be used here: {other:?}, and not {KINDS}");
            let hint = format!("a token goes with any kind: {TOKEN}=$({gcloud} print-access-token)");
            return Err(Refusal::without_identity(why).hint(hint));
        }
    };
    let credentials = built.map_err(|error| unusable(from, &error))?;
    Ok(Found { credentials, identity })
}

fn unusable(from: &str, error: &dyn std::fmt::Display) -> Refusal {
    Refusal::without_identity(format!("the credentials of {from} cannot be used: {error}")).hint(LOGIN)
}

/// A token that is used as it is.
struct Token {
    header: HeaderValue,
    tag: EntityTag,
    universe: Option<String>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl CredentialsProvider for Token {
    async fn headers(&self, _: http::Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.header.clone())]);
        Ok(CacheableResource::New { entity_tag: self.tag.clone(), data: headers })
    }

    async fn universe_domain(&self) -> Option<String> {
        self.universe.clone()
    }
}
