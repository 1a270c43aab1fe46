//! Which credentials are used.
//!
//! The order is that of AWS' own tools: a named profile alone when the stanza names one, else environment,
//! profile, web identity, container, instance. What differs: the instance's metadata service is asked only
//! on a machine that says it is one of Amazon's, or where the environment names the service, so that
//! nobody else waits for an address that does not answer.

use super::Refusal;
use crate::key::Environment;
use crate::key::remote::{Limits, cause, is_loopback_text};
use crate::sys;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_kms::error::ConnectorError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector, tls};
use std::time::{Duration, SystemTime};

/// Credentials that end so soon are not used any more.
const MARGIN: Duration = Duration::from_secs(60);

/// What decides about credentials.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) profile: String,
    pub(crate) role: String,
    pub(crate) region: String,
}

/// Credentials, ready for use.
pub(crate) struct Account {
    /// The SDK's settings, with the credentials in them.
    pub(crate) config: SdkConfig,
    /// Who it is, for messages.
    pub(crate) identity: String,
    expiry: Option<SystemTime>,
}

impl Account {
    /// Whether the credentials are still good for a call.
    pub(crate) fn is_fresh(&self) -> bool {
        self.expiry.is_none_or(|expiry| expiry > SystemTime::now() + MARGIN)
    }

    /// Finds credentials.
    pub(crate) async fn find(environment: &Environment, wanted: &Wanted) -> Result<Self, Refusal> {
        let limits = Limits::of(environment);
        let region = Region::new(wanted.region.clone());
        let proxies = || {
            let names = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_STS"];
            let here = names.iter().filter_map(|name| environment.get_filled(name)).any(|url| is_loopback_text(&url));
            if here { ProxyConfig::disabled() } else { ProxyConfig::from_env() }
        };
        let proxies = proxies();
        let client = Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder()
                .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
                .proxy_config(proxies.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            connector.build()
        });
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(limits.connect)
            .operation_attempt_timeout(limits.request)
            .operation_timeout(limits.in_all())
            .build();
        let provider_config =
            ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(client.clone());
        let loading = provide(environment, wanted, &provider_config);
        let credentials = tokio::time::timeout(limits.in_all(), loading)
            .await
            .map_err(|_| Refusal::new("the source of AWS credentials did not answer in time"))??;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region.clone())
            .http_client(client)
            .timeout_config(timeouts)
            .credentials_provider(credentials.clone());
        if !wanted.profile.is_empty() {
            loader = loader.profile_name(&wanted.profile);
        }
        let config = loader.load().await;
        let identity = describe(environment, &credentials, wanted);
        if wanted.role.is_empty() {
            return Ok(Account { config, identity, expiry: credentials.expiry() });
        }
        let provider = AssumeRoleProvider::builder(&wanted.role)
            .session_name(session_name())
            .region(region)
            .configure(&config)
            .build_from_provider(credentials)
            .await;
        let assumed = provider.provide_credentials().await.map_err(|error| {
            let why = said(&error);
            Refusal::new(format!("the role {} could not be assumed: {why}", wanted.role)).with(&identity)
        })?;
        let identity = format!("the role {} (assumed with {identity})", wanted.role);
        let expiry = assumed.expiry();
        let config = config.into_builder().credentials_provider(SharedCredentialsProvider::new(assumed)).build();
        Ok(Account { config, identity, expiry })
    }
}

/// The region of the environment or of the profile: for services whose names say none.
#[cfg(feature = "s3")]
pub(crate) async fn configured_region() -> Option<String> {
    use aws_config::environment::EnvironmentVariableRegionProvider;
    use aws_config::meta::region::ProvideRegion as _;
    use aws_config::profile::ProfileFileRegionProvider;
    let region = match EnvironmentVariableRegionProvider::new().region().await {
        Some(region) => Some(region),
        None => ProfileFileRegionProvider::new().region().await,
    };
    region.map(|region| region.to_string()).filter(|region| !region.is_empty())
}

/// What AWS' library says of a profile where there are no profiles at all.
const NO_FILES: &str = "the credential provider was not enabled";

async fn provide(environment: &Environment, wanted: &Wanted, config: &ProviderConfig) -> Result<Credentials, Refusal> {
    let profile = ProfileFileCredentialsProvider::builder().configure(config);
    if !wanted.profile.is_empty() {
        let name = &wanted.profile;
        return profile.profile_name(name).build().provide_credentials().await.map_err(|error| {
            let why = match said(&error) {
                why if why == NO_FILES => "~/.aws/config and ~/.aws/credentials have none in it".to_owned(),
                why => why,
            };
            Refusal::without_identity(format!("no AWS credentials of the profile {name}: {why}")).hint(format!(
                "see what it has: aws configure list --profile {name}; or log in: aws sso login --profile {name}"
            ))
        });
    }
    let is_set = |name: &str| environment.get_filled(name).is_some();
    let in_container = is_set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let on_instance = is_set("AWS_EC2_METADATA_SERVICE_ENDPOINT") || sys::cloud() == Some(sys::Cloud::Amazon);
    let name = profile_name(environment, wanted);
    let web = WebIdentityTokenCredentialsProvider::builder().configure(config).build();
    let mut sources = vec![
        ("the environment".to_owned(), SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())),
        (format!("the profile {name}"), SharedCredentialsProvider::new(profile.build())),
        ("the web identity of AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(), SharedCredentialsProvider::new(web)),
    ];
    if in_container {
        let container = EcsCredentialsProvider::builder().configure(config).build();
        sources.push(("the container".to_owned(), SharedCredentialsProvider::new(container)));
    }
    if on_instance {
        let instance = ImdsCredentialsProvider::builder().configure(config).build();
        sources.push(("the instance".to_owned(), SharedCredentialsProvider::new(instance)));
    }
    let none = |why: &str| {
        Refusal::without_identity(format!("no AWS credentials: {why}"))
            .hint("aws sso login, aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; AWS_PROFILE names a profile")
    };
    // As the SDK's own chain, which does not say which of its links broke.
    for (source, provider) in sources {
        match provider.provide_credentials().await {
            Ok(credentials) => return Ok(credentials),
            Err(CredentialsError::CredentialsNotLoaded(_)) => {}
            Err(error) => return Err(none(&format!("{source}: {}", said(&error)))),
        }
    }
    let half = is_set("AWS_ACCESS_KEY_ID");
    let looked = [
        if half { "AWS_SECRET_ACCESS_KEY is not set" } else { "AWS_ACCESS_KEY_ID is not set" },
        &format!("~/.aws/config and ~/.aws/credentials have none in the profile {name}"),
        "AWS_WEB_IDENTITY_TOKEN_FILE is not set",
        if in_container { "the container has none" } else { "this is no container of ECS or EKS" },
        if on_instance { "the instance has none" } else { "this is no EC2 instance" },
    ];
    Err(none(&looked.join(", ")))
}

/// What an error about credentials says, its cause first.
fn said(error: &CredentialsError) -> String {
    let mut chain = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| (*error).source());
    if chain.any(|error| error.is::<ConnectorError>() || error.to_string().contains("has timed out")) {
        return cause(error).why().to_owned();
    }
    // Of an answer that the SDK does not understand it tells the status in the debug text alone.
    let debug = format!("{error:?}");
    if debug.contains("Unhandled(")
        && let Some((status, _)) = debug.split_once("StatusCode(").and_then(|(_, rest)| rest.split_once(')'))
    {
        return format!("it answered {status}, but not as the service does that gives them");
    }
    let mut said = Vec::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        // The outer ones say no more than that loading failed.
        if !said.contains(&text) && !matches!(error.downcast_ref(), Some(CredentialsError::ProviderError(_))) {
            said.push(text);
        }
        next = error.source();
    }
    said.dedup();
    said.reverse();
    said.truncate(3);
    if said.is_empty() { cause(error).why().to_owned() } else { said.join(": ") }
}

/// Who credentials are, for messages: the id of an access key is no secret.
fn describe(environment: &Environment, credentials: &Credentials, wanted: &Wanted) -> String {
    let id = credentials.access_key_id();
    let profile = profile_name(environment, wanted);
    match sources(credentials) {
        "EnvironmentVariable" => format!("the access key {id} of AWS_ACCESS_KEY_ID"),
        "ProfileFile" => format!("the access key {id} of the profile {profile}"),
        "SSO" => format!("the access key {id} of the single sign-on of the profile {profile}"),
        "CredentialProcess" => format!("the access key {id} of the process of the profile {profile}"),
        "WebIdentityToken" => format!("the access key {id} of the web identity"),
        "EcsContainer" => format!("the access key {id} of the container"),
        "IMDSv2" | "IMDSv1" | "IMDS" => format!("the access key {id} of the instance"),
        other => format!("the access key {id} ({other})"),
    }
}

/// The profile that is used.
fn profile_name(environment: &Environment, wanted: &Wanted) -> String {
    match wanted.profile.as_str() {
        "" => {
            environment.get_filled("AWS_PROFILE").map_or("default".into(), |name| name.to_string_lossy().into_owned())
        }
        name => name.to_owned(),
    }
}

/// The provider's name: the SDK shows it in the debug text alone.
fn sources(credentials: &Credentials) -> &'static str {
    const KNOWN: [&str; 8] = [
        "EnvironmentVariable",
        "ProfileFile",
        "SSO",
        "CredentialProcess",
        "WebIdentityToken",
        "EcsContainer",
        "IMDSv2",
        "IMDSv1",
    ];
    let debug = format!("{credentials:?}");
    KNOWN.into_iter().find(|name| debug.contains(&format!("provider_name: \"{name}\""))).unwrap_or("AWS")
}

/// `sops@HOST`, as rules about sessions may have it: sops' name, of what AWS allows in one.
fn session_name() -> String {
    let host = sys::host_name();
    let allowed = host.chars().filter(|c| c.is_ascii_alphanumeric() || "=,.@-_".contains(*c));
    "sops@".chars().chain(allowed).take(64).collect()
}
