//! The two calls.

use super::credential::{self, Found};
use super::{NAME, Refusal, VAULT, VERSION, url};
use crate::key::remote::{Limits, Service, answered, cause, client, wait_for};
use crate::key::{Environment, Stanza};
use crate::secret::SecretBytes;
use azure_core::error::ErrorKind;
use azure_core::http::{
    AsyncRawResponse, ClientOptions, ExponentialRetryOptions, HttpClient, Request, RetryOptions, Transport,
};
use azure_security_keyvault_keys::models::{
    EncryptionAlgorithm, KeyClientEncryptOptions, KeyOperationParameters, KeyOperationResult,
};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_stream::StreamExt as _;

/// What sops uses, and so every file has.
const ALGORITHM: EncryptionAlgorithm = EncryptionAlgorithm::RsaOaep256;

/// More than any answer of a vault or of Entra has, in bytes.
const LONGEST: usize = 1 << 20;

/// All vaults, as this environment has access to them.
pub(super) struct KeyVault {
    environment: Environment,
    limits: Limits,
    shared: Mutex<Option<Arc<Shared>>>,
    /// Those that are not in use, by vault.
    clients: Mutex<HashMap<String, Vec<KeyClient>>>,
}

/// What all vaults share: the credential keeps its token.
struct Shared {
    found: Found,
    options: ClientOptions,
}

/// The way to the network. Where no connection can be made none is tried again: the library would, each of its layers
/// for itself, until there is no time left. And no answer is longer than one may be: a file says which server is asked.
#[derive(Debug)]
struct Once(reqwest::Client);

#[async_trait::async_trait]
impl HttpClient for Once {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let answer = self.0.execute_request(request).await.map_err(|error| match error.kind() {
            ErrorKind::Connection => azure_core::Error::with_error(ErrorKind::Other, error, "no connection"),
            _ => error,
        })?;
        let (status, headers, mut body) = answer.deconstruct();
        let mut bytes = Vec::new();
        while let Some(part) = body.next().await.transpose()? {
            if bytes.len() + part.len() > LONGEST {
                return Err(azure_core::Error::with_message(ErrorKind::DataConversion, "it does not end"));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, bytes))
    }
}

/// A wrapped data key.
pub(super) struct Wrapped {
    pub(super) enc: String,
    /// The version of the key that wrapped it.
    pub(super) version: String,
}

impl KeyVault {
    pub(super) fn new(environment: Environment) -> Self {
        let limits = Limits::of(&environment);
        KeyVault { environment, limits, shared: Mutex::default(), clients: Mutex::default() }
    }

    /// Has the service wrap `part`.
    pub(super) fn wrap(&self, stanza: &Stanza, part: &[u8]) -> Result<Wrapped, Refusal> {
        check(stanza)?;
        let shared = self.shared()?;
        let client = self.client(&shared, vault(stanza))?;
        let version = Some(stanza.text(VERSION).to_owned()).filter(|version| !version.is_empty());
        let request =
            KeyOperationParameters { algorithm: Some(ALGORITHM), value: Some(part.to_vec()), ..Default::default() };
        let calling = async {
            let options = KeyClientEncryptOptions { key_version: version.clone(), ..Default::default() };
            client.encrypt(stanza.text(NAME), request.try_into()?, Some(options)).await?.into_model()
        };
        let result: Result<KeyOperationResult, _> = self.ask(calling, &shared, stanza);
        self.put_back(stanza, client);
        let result = result?;
        let incomplete = || none_of_key_vault().with(shared.found.identity());
        let version = version.or_else(|| url::version_of(result.kid.as_deref()?)).ok_or_else(incomplete)?;
        let enc = result.result.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).ok_or_else(incomplete)?;
        Ok(Wrapped { enc, version })
    }

    /// The credential and the way to the network, made once.
    fn shared(&self) -> Result<Arc<Shared>, Refusal> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = shared.as_ref() {
            return Ok(Arc::clone(shared));
        }
        let somewhere =
            reqwest::Url::parse("https://vault.azure.net").map_err(|error| Refusal::new(error.to_string()))?;
        let http = client(&self.limits, &somewhere, |builder| Ok(builder.redirect(reqwest::redirect::Policy::none())))?;
        let retry = ExponentialRetryOptions {
            max_retries: self.limits.retries,
            max_total_elapsed: self.limits.in_all().try_into().unwrap_or_default(),
            ..Default::default()
        };
        let options = ClientOptions {
            transport: Some(Transport::new(Arc::new(Once(http)))),
            retry: RetryOptions::exponential(retry),
            ..Default::default()
        };
        let found = credential::find(&self.environment, &options)?;
        let made = Arc::new(Shared { found, options });
        *shared = Some(Arc::clone(&made));
        Ok(made)
    }

    /// A client that nobody else uses until it is put back: when a request of one is asked for a token, azure_core takes
    /// away the token from the others that it makes at the time, and they fail.
    fn client(&self, shared: &Shared, vault: &str) -> Result<KeyClient, Refusal> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get_mut(vault).and_then(Vec::pop) {
            return Ok(client);
        }
        if !vault.starts_with("https://") {
            return Err(Refusal::new(format!("{vault} is no address of a vault: it does not begin with https://")));
        }
        let options = KeyClientOptions { client_options: shared.options.clone(), ..Default::default() };
        KeyClient::new(vault, Arc::clone(&shared.found.credential), Some(options))
            .map_err(|error| Refusal::new(format!("{vault} is no address of a vault: {error}")))
    }

    fn put_back(&self, stanza: &Stanza, client: KeyClient) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.entry(vault(stanza).to_owned()).or_default().push(client);
    }

    /// Waits for an answer.
    fn ask<T>(
        &self,
        answer: impl Future<Output = azure_core::Result<T>>,
        shared: &Shared,
        stanza: &Stanza,
    ) -> Result<T, Refusal> {
        let timed = async { tokio::time::timeout(self.limits.in_all(), answer).await };
        let outcome =
            wait_for(timed)?.map_err(|_| Refusal::late()).and_then(|answer| answer.map_err(|error| refused(&error)));
        let answer = outcome.map_err(|refusal| refusal.with(shared.found.identity()))?;
        answered(stanza, shared.found.identity());
        Ok(answer)
    }
}

/// The URL of the vault. Azure shows it with a slash at its end, and sops keeps it so.
fn vault(stanza: &Stanza) -> &str {
    stanza.text(VAULT).trim_end_matches('/')
}

/// Whether the names in `stanza` are words: they stand in a path, and what is no word would lead elsewhere.
fn check(stanza: &Stanza) -> Result<(), Refusal> {
    url::parse(&stanza.recipient()).map(drop).map_err(|error| Refusal::new(error.to_string()))
}

impl Service for KeyVault {
    fn unwrap(&self, stanza: &Stanza) -> Result<SecretBytes, Refusal> {
        let wrapped = URL_SAFE_NO_PAD
            .decode(stanza.text(Stanza::ENC).trim().trim_end_matches('='))
            .map_err(|_| Refusal::new("its wrapped data key is damaged, it is no base64"))?;
        check(stanza)?;
        let shared = self.shared()?;
        let client = self.client(&shared, vault(stanza))?;
        let request = KeyOperationParameters { algorithm: Some(ALGORITHM), value: Some(wrapped), ..Default::default() };
        let calling = async {
            client.decrypt(stanza.text(NAME), stanza.text(VERSION), request.try_into()?, None).await?.into_model()
        };
        let result: Result<KeyOperationResult, _> = self.ask(calling, &shared, stanza);
        self.put_back(stanza, client);
        let result = result?;
        let part = result.result.ok_or_else(|| none_of_key_vault().with(shared.found.identity()))?;
        Ok(SecretBytes::from(part))
    }
}

const WAY: &str = "do the URL of the vault and the proxy variables lead to Key Vault?";

fn none_of_key_vault() -> Refusal {
    Refusal::new("its answer is none of Key Vault").hint(WAY)
}

/// What the service, Entra, or the way to them, said.
fn refused(error: &azure_core::Error) -> Refusal {
    if let Some(answer) = http_response(error) {
        let ErrorKind::HttpResponse { status, error_code, raw_response } = answer else { return cause(error) };
        let body = raw_response.as_ref().map(|response| response.body().as_ref().to_vec()).unwrap_or_default();
        let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let text = |json: &serde_json::Value| json.as_str().map(ToOwned::to_owned);
        // Key Vault's own form, and that of Entra.
        let message =
            json.as_ref().and_then(|json| text(&json["error"]["message"]).or_else(|| text(&json["error_description"])));
        let code = error_code.clone().unwrap_or_default();
        let status = u16::from(*status);
        let Some(message) = message else {
            return Refusal::strange("Key Vault", status, &body).hint(WAY);
        };
        let code_and_message = if code.is_empty() { message } else { format!("{code}: {message}") };
        let refusal = Refusal::new(format!("it answered {status} {code_and_message}"));
        return match status {
            400 | 401 if body.windows(5).any(|part| part == b"AADST") => {
                refusal.hint("Entra does not know this application and secret: az login, or check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET")
            }
            400 if code == "BadParameter" => refusal.hint("was the data key wrapped with another key, or version of it?"),
            401 => refusal.hint("the token was not taken: az login"),
            403 => refusal.hint("the identity needs the role Key Vault Crypto User on the key (encrypt and decrypt)"),
            404 => refusal.hint("az keyvault key list --vault-name VAULT"),
            _ => refusal,
        };
    }
    match error.kind() {
        ErrorKind::DataConversion => none_of_key_vault(),
        ErrorKind::Credential => {
            let cause = cause(error);
            let why = if cause.why().is_empty() { "nothing was said" } else { cause.why() };
            Refusal::new(format!("no token was given: {why}")).hint("az login")
        }
        _ => cause(error),
    }
}

/// The answer in an error, which may be the cause of another one.
pub(super) fn http_response(error: &azure_core::Error) -> Option<&ErrorKind> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<azure_core::Error>()
            && matches!(error.kind(), ErrorKind::HttpResponse { .. })
        {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}
