//! The two calls.

use super::credentials::{self, Found};
use super::{RESOURCE, Refusal};
use crate::key::remote::{Limits, Service, answered, cause, check_service, choose_tls, wait_for, words};
use crate::key::{Environment, Stanza};
use crate::secret::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use google_cloud_gax::error::Error;
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::options::RequestOptionsBuilder as _;
use google_cloud_gax::retry_policy::{Aip194Strict, RetryPolicy, RetryPolicyExt as _};
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;
use google_cloud_gax::retry_throttler::CircuitBreaker;
use google_cloud_kms_v1::client::KeyManagementService;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The longest wait before a request is made again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const WAY: &str = "do SOPS_GCP_KMS_ENDPOINT and the proxy variables lead to KMS?";

/// All keys, as this environment has access to them.
pub(super) struct Kms {
    environment: Environment,
    limits: Limits,
    /// Made once for many keys; what was wrong is not kept.
    client: Mutex<Option<Arc<Client>>>,
}

struct Client {
    service: KeyManagementService,
    identity: String,
}

/// Google's own policy, but for one thing: where no connection can be made none is tried again.
#[derive(Debug)]
struct OnceConnected;

impl RetryPolicy for OnceConnected {
    fn on_error(&self, state: &RetryState, error: Error) -> RetryResult {
        if error.is_connect() { RetryResult::Permanent(error) } else { Aip194Strict.on_error(state, error) }
    }
}

impl Kms {
    pub(super) fn new(environment: Environment) -> Self {
        let limits = Limits::of(&environment);
        Kms { environment, limits, client: Mutex::default() }
    }

    /// Has the service wrap `part`.
    pub(super) fn wrap(&self, stanza: &Stanza, part: &[u8]) -> Result<String, Refusal> {
        super::check(stanza.text(RESOURCE)).map_err(|error| Refusal::new(error.to_string()))?;
        let client = self.client()?;
        let request = client.service.encrypt().set_name(stanza.text(RESOURCE)).set_plaintext(part.to_vec());
        let response = self.ask(request.with_idempotency(true).send(), &client, stanza)?;
        // What the answer lacks is empty to the library.
        match response.ciphertext {
            none if none.is_empty() => Err(none_of_kms().with(&client.identity)),
            wrapped => Ok(STANDARD.encode(wrapped)),
        }
    }

    fn client(&self) -> Result<Arc<Client>, Refusal> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client.as_ref() {
            return Ok(Arc::clone(client));
        }
        let made = Arc::new(self.connect()?);
        *client = Some(Arc::clone(&made));
        Ok(made)
    }

    fn connect(&self) -> Result<Client, Refusal> {
        choose_tls();
        let text = |name: &str| self.environment.get_filled(name).and_then(|value| value.into_string().ok());
        let universe = text("SOPS_GCP_KMS_UNIVERSE_DOMAIN").or_else(|| text("GOOGLE_CLOUD_UNIVERSE_DOMAIN"));
        let endpoint = text("SOPS_GCP_KMS_ENDPOINT").map(|endpoint| match endpoint.contains("://") {
            true => endpoint,
            false => format!("https://{}", endpoint.trim_end_matches(":443")),
        });
        if let Some(endpoint) = &endpoint {
            check_service("SOPS_GCP_KMS_ENDPOINT", endpoint)?;
        }
        // Some kinds start a task of their own when they are made.
        let building = async {
            let Found { credentials, identity } = credentials::find(&self.environment, universe.as_deref())?;
            let retries =
                OnceConnected.with_time_limit(self.limits.in_all()).with_attempt_limit(self.limits.retries + 1);
            let waits = ExponentialBackoffBuilder::new().with_maximum_delay(LONGEST_WAIT).clamp();
            let mut builder = KeyManagementService::builder()
                .with_credentials(credentials)
                .with_attempt_timeout(self.limits.request)
                .with_retry_policy(retries)
                .with_backoff_policy(waits)
                // The library holds requests back when many have failed, and so would make few ones wait for long.
                .with_retry_throttler(CircuitBreaker::clamp(1, 0, 0));
            if let Some(universe) = universe {
                builder = builder.with_universe_domain(universe);
            }
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            let service = builder.build().await.map_err(|error| Refusal::new(error.to_string()).with(&identity))?;
            Ok(Client { service, identity })
        };
        wait_for(building)?
    }

    /// Waits for an answer.
    fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, Error>>,
        client: &Client,
        stanza: &Stanza,
    ) -> Result<T, Refusal> {
        // The library asks for a token without a limit of ours.
        let timed = async { tokio::time::timeout(self.limits.in_all(), answer).await };
        let outcome =
            wait_for(timed)?.map_err(|_| Refusal::late()).and_then(|answer| answer.map_err(|error| refused(&error)));
        let answer = outcome.map_err(|refusal| refusal.with(&client.identity))?;
        answered(stanza, &client.identity);
        Ok(answer)
    }
}

impl Service for Kms {
    fn unwrap(&self, stanza: &Stanza) -> Result<SecretBytes, Refusal> {
        let wrapped = STANDARD
            .decode(stanza.text(Stanza::ENC).trim())
            .map_err(|_| Refusal::new("its wrapped data key is damaged, it is no base64"))?;
        super::check(stanza.text(RESOURCE)).map_err(|error| Refusal::new(error.to_string()))?;
        let client = self.client()?;
        let request = client.service.decrypt().set_name(stanza.text(RESOURCE)).set_ciphertext(wrapped);
        let response = self.ask(request.with_idempotency(true).send(), &client, stanza)?;
        match response.plaintext {
            none if none.is_empty() => Err(none_of_kms().with(&client.identity)),
            part => Ok(SecretBytes::from(part.to_vec())),
        }
    }
}

/// What the service, or the way to it, said.
fn refused(error: &Error) -> Refusal {
    if let Some(status) = error.status() {
        let code = status.code.name();
        let refusal = Refusal::new(format!("it answered {code}: {}", status.message));
        return match code {
            "PERMISSION_DENIED" => {
                refusal.hint("the identity needs roles/cloudkms.cryptoKeyEncrypterDecrypter on the key")
            }
            "NOT_FOUND" => refusal.hint("gcloud kms keys list --location LOCATION --keyring RING --project PROJECT"),
            "UNAUTHENTICATED" => {
                refusal.hint("the credentials are expired or wrong: gcloud auth application-default login")
            }
            _ => refusal,
        };
    }
    if error.is_authentication() {
        let said = token_answer(error).unwrap_or_else(|| cause(error).why().to_owned());
        return Refusal::new(format!("no token was given for these credentials: {said}"))
            .hint("gcloud auth application-default login");
    }
    if let Some(status) = error.http_status_code() {
        let body = error.http_payload().map(|payload| payload.as_ref()).unwrap_or_default();
        return Refusal::strange("KMS", status, body).hint(WAY);
    }
    if error.is_deserialization() {
        return none_of_kms();
    }
    cause(error)
}

fn none_of_kms() -> Refusal {
    Refusal::new("its answer is none of KMS").hint(WAY)
}

/// What the service that exchanges credentials for tokens answered. The library has it in the words of an error alone.
fn token_answer(error: &Error) -> Option<String> {
    let first: &(dyn std::error::Error + 'static) = error;
    let mut chain = std::iter::successors(Some(first), |error| error.source()).map(ToString::to_string);
    let body = chain.find_map(|text| Some(text.split_once("body=<")?.1.rsplit_once('>')?.0.to_owned()))?;
    let json: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    // OAuth's own form, and that of Google's services.
    let said = json["error_description"].as_str().or(json["error"]["message"].as_str()).or(json["error"].as_str());
    Some(said.map_or_else(|| words(body.as_bytes()), ToOwned::to_owned))
}
