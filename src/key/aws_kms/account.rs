//! Which credentials are used.
//!
//! The order is that of AWS' own tools: a named profile alone when the stanza names one, else environment,
//! profile, web identity, container, instance. What differs: the instance's metadata service is asked only
//! on a machine that says it is one of Amazon's, or where the environment names the service, so that
//! nobody else waits for an address that does not answer.

use super::Refusal;
use super::transport::{http_client, trusting};
use crate::key::remote::{Limits, cause, certificates_in, check_service};
use crate::key::{Environment, named};
use crate::sys;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_kms::error::ConnectorError;
use aws_types::origin::Origin;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;
use reqwest::{Certificate, ClientBuilder};
use std::time::{Duration, Instant, SystemTime};

/// Credentials that end so soon are not used any more.
const MARGIN: Duration = Duration::from_secs(60);
/// So long are credentials used that do not say when they end, before they are looked for again.
const UNKNOWN_LIFE: Duration = Duration::from_secs(60);

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
    authorities: Option<Vec<Certificate>>,
    expiry: Option<SystemTime>,
    found: Instant,
}

impl Account {
    /// Whether the credentials are still good for a call. Those that do not say how long may be others by now, after
    /// another login: a key service runs for days.
    pub(crate) fn is_fresh(&self) -> bool {
        match self.expiry {
            Some(expiry) => expiry > SystemTime::now() + MARGIN,
            None => self.found.elapsed() < UNKNOWN_LIFE,
        }
    }

    /// Has a client in the making check certificates by the authorities that AWS' own tools are told of.
    #[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "only S3 is asked by a client of its own"))]
    pub(crate) fn trust(&self, builder: ClientBuilder) -> ClientBuilder {
        trusting(self.authorities.clone(), builder)
    }

    /// Finds credentials.
    pub(crate) async fn find(environment: &Environment, wanted: &Wanted) -> Result<Self, Refusal> {
        let limits = Limits::of(environment);
        FILES.iter().try_for_each(|name| named::path(environment, name).map(drop))?;
        let written = written(environment, wanted).await;
        let without_endpoints = ignores_endpoints(environment, written.as_ref());
        if !without_endpoints {
            check_endpoints(environment)?;
        }
        let retries = retries(environment, written.as_ref())?;
        let region = Region::new(wanted.region.clone());
        let authorities = authorities(environment, written.as_ref())?;
        let client = http_client(authorities.clone(), limits);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(limits.connect)
            .operation_attempt_timeout(limits.request)
            .operation_timeout(limits.in_all())
            .build();
        let provider_config =
            ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(client.clone());
        let loading = provide(environment, wanted, written.as_ref(), &provider_config);
        let credentials = tokio::time::timeout(limits.in_all(), loading)
            .await
            .map_err(|_| Refusal::new("the source of AWS credentials did not answer in time"))??;
        check_credentials(&credentials)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region.clone())
            .http_client(client)
            .timeout_config(timeouts)
            .retry_config(retries)
            .credentials_provider(credentials.clone());
        if let Some(name) = named_profile(environment, wanted) {
            loader = loader.profile_name(name);
        }
        let mut config = loader.load().await;
        match config.endpoint_url() {
            // The SDK still heeds those of single services, unless the program itself says that there is none.
            _ if without_endpoints => {
                let mut builder = config.into_builder();
                builder.set_endpoint_url(None);
                builder.insert_origin("endpoint_url", Origin::shared_config());
                config = builder.build();
            }
            Some("") => {
                let mut builder = config.into_builder();
                builder.set_endpoint_url(None);
                config = builder.build();
            }
            Some(url) => {
                check_service(&format!("endpoint_url of the profile {}", profile_name(environment, wanted)), url)?
            }
            None => {}
        }
        if !without_endpoints {
            check_sections(environment, &config)?;
        }
        let identity = describe(environment, &credentials, wanted);
        if wanted.role.is_empty() {
            return Ok(Account { config, identity, authorities, expiry: credentials.expiry(), found: Instant::now() });
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
        Ok(Account { config, identity, authorities, expiry, found: Instant::now() })
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

/// The variables that name files. The SDK shows some of them.
const FILES: [&str; 5] = [
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// The variables that name a service's address.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_STS"];

/// Checks the addresses of the environment: the SDK panics at what is none.
fn check_endpoints(environment: &Environment) -> Result<(), Refusal> {
    let mut set = ENDPOINTS.iter().filter_map(|name| Some((name, environment.get_filled(name)?)));
    set.try_for_each(|(name, url)| check_service(name, &url.to_string_lossy()))
}

/// Checks the addresses that a section `services` of the profile's files gives, as [`check_endpoints`] does.
fn check_sections(environment: &Environment, config: &SdkConfig) -> Result<(), Refusal> {
    for (service, variable) in [("kms", ENDPOINTS[1]), ("sts", ENDPOINTS[2])] {
        if environment.get(variable).is_some() {
            continue; // it goes first
        }
        let key = ServiceConfigKey::builder().service_id(service).env(ENDPOINTS[0]).profile("endpoint_url").build();
        if let Some(url) = key.ok().and_then(|key| config.service_config()?.load_config(key)) {
            check_service(&format!("endpoint_url of {service} in a section services"), &url)?;
        }
    }
    Ok(())
}

/// The authorities that certificates are checked by instead of the system's, if there are any.
fn authorities(environment: &Environment, written: Option<&ProfileSet>) -> Result<Option<Vec<Certificate>>, Refusal> {
    const NAME: &str = "AWS_CA_BUNDLE, or ca_bundle of the profile,";
    let Some(path) = setting(environment, written, "AWS_CA_BUNDLE", "ca_bundle") else { return Ok(None) };
    let unreadable = |error| Refusal::new(format!("{NAME} cannot be read: {error}"));
    let found = std::fs::read(path).map_err(unreadable).and_then(|pem| certificates_in(NAME, &pem));
    found.map(Some).map_err(|refusal| refusal.hint("it names a file of certificates in PEM"))
}

/// The profile as its files have it. What is wrong with them is said where credentials are looked for.
async fn written(environment: &Environment, wanted: &Wanted) -> Option<ProfileSet> {
    let name = named_profile(environment, wanted).map(Into::into);
    aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), name).await.ok()
}

/// A setting of the environment, or else of the profile.
fn setting(environment: &Environment, written: Option<&ProfileSet>, name: &str, key: &str) -> Option<String> {
    let set = environment.get_filled(name).map(|value| value.to_string_lossy().into_owned());
    set.or_else(|| written?.get(key).map(str::to_owned)).filter(|text| !text.is_empty())
}

/// Whether the addresses of services that are set somewhere do not count.
fn ignores_endpoints(environment: &Environment, written: Option<&ProfileSet>) -> bool {
    let said = setting(environment, written, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
    said.is_some_and(|said| said.eq_ignore_ascii_case("true"))
}

/// What a profile may have, and nobody here can do: to ask for a code, or to know of a login.
fn check_profile(written: Option<&ProfileSet>, name: &str) -> Result<(), Refusal> {
    let has = |key: &str| written.is_some_and(|profile| profile.get(key).is_some());
    let why = if has("role_arn") && has("mfa_serial") {
        "wants a code of MFA (mfa_serial), for which nobody is asked here"
    } else if has("login_session") && !has("aws_access_key_id") {
        "has the session of aws login (login_session), which is not known here"
    } else {
        return Ok(());
    };
    let hint = format!("have aws do it: eval \"$(aws configure export-credentials --profile {name} --format env)\"");
    Err(Refusal::without_identity(format!("no AWS credentials: the profile {name} {why}")).hint(hint))
}

/// How often the SDK tries, as the environment or the profile say it to all of AWS' tools. At what it does not know the SDK
/// panics.
fn retries(environment: &Environment, written: Option<&ProfileSet>) -> Result<RetryConfig, Refusal> {
    let text = |name: &str, key: &str| setting(environment, written, name, key);
    let config = match text("AWS_RETRY_MODE", "retry_mode").as_deref() {
        None | Some("standard" | "legacy") => RetryConfig::standard(),
        Some("adaptive") => RetryConfig::adaptive(),
        Some(_) => {
            return Err(Refusal::new("AWS_RETRY_MODE, or retry_mode of the profile, is no mode of AWS")
                .hint("unset it, or AWS_RETRY_MODE=standard, or adaptive"));
        }
    };
    match text("AWS_MAX_ATTEMPTS", "max_attempts").map(|number| number.parse()) {
        None | Some(Ok(0)) => Ok(config),
        Some(Ok(number)) => Ok(config.with_max_attempts(number)),
        Some(Err(_)) => Err(Refusal::new("AWS_MAX_ATTEMPTS, or max_attempts of the profile, is no number")
            .hint("unset it, or AWS_MAX_ATTEMPTS=3")),
    }
}

/// Checks that credentials can stand in a request, where the SDK expects that they do.
fn check_credentials(credentials: &Credentials) -> Result<(), Refusal> {
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let parts = [Some(credentials.access_key_id()), Some(credentials.secret_access_key()), credentials.session_token()];
    if parts.into_iter().flatten().all(is_word) {
        return Ok(());
    }
    Err(Refusal::new("the AWS credentials have a blank or a line break in them")
        .hint("look at the ends of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or of those in ~/.aws/credentials"))
}

/// What AWS' library says of a profile where there are no profiles at all.
const NO_FILES: &str = "the credential provider was not enabled";

async fn provide(
    environment: &Environment,
    wanted: &Wanted,
    written: Option<&ProfileSet>,
    config: &ProviderConfig,
) -> Result<Credentials, Refusal> {
    let mut profile = ProfileFileCredentialsProvider::builder().configure(config);
    if !wanted.profile.is_empty() {
        let name = &wanted.profile;
        check_profile(written, name)
            .map_err(|refusal| refusal.hint("the key names this profile, which goes before the environment: have it name one with a credential_process"))?;
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
    if let Some(name) = named_profile(environment, wanted) {
        profile = profile.profile_name(name);
    }
    let is_set = |name: &str| environment.get_filled(name).is_some();
    let in_container = is_set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let on_instance = is_set("AWS_EC2_METADATA_SERVICE_ENDPOINT") || sys::cloud() == Some(sys::Cloud::Amazon);
    let name = profile_name(environment, wanted);
    let of_profile = format!("the profile {name}");
    let web = WebIdentityTokenCredentialsProvider::builder().configure(config).build();
    let mut sources = vec![
        ("the environment".to_owned(), SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())),
        (of_profile.clone(), SharedCredentialsProvider::new(profile.build())),
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
        if source == of_profile {
            check_profile(written, &name)?;
        }
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

/// The profile that is named, by the stanza or else by the environment.
fn named_profile(environment: &Environment, wanted: &Wanted) -> Option<String> {
    let by = |name| environment.get_filled(name).map(|name| name.to_string_lossy().into_owned());
    let stanza = Some(wanted.profile.clone()).filter(|name| !name.is_empty());
    stanza.or_else(|| by("AWS_PROFILE")).or_else(|| by("AWS_DEFAULT_PROFILE"))
}

/// The profile that is used.
fn profile_name(environment: &Environment, wanted: &Wanted) -> String {
    named_profile(environment, wanted).unwrap_or_else(|| "default".to_owned())
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
