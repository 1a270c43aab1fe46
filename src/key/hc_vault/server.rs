//! Asking a server, and the two calls of the transit engine.

use super::settings::{self, Route};
use super::{ADDRESS, ENGINE, KEY, Refusal, token};
use crate::key::remote::{Places, Reply, Service, answered, secret_text, wait_for};
use crate::key::{Environment, Stanza};
use crate::secret::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HOST, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

/// All servers, as this environment knows them.
pub(crate) struct Vault {
    environment: Environment,
    /// By address.
    routes: Places<String, Route>,
}

/// What is sent.
#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext: Option<&'a str>,
}

/// What comes back: the data, or errors.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Response {
    data: Option<Data>,
    #[serde(deserialize_with = "texts")]
    errors: Vec<String>,
    #[serde(deserialize_with = "texts")]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default, deserialize_with = "secret_text")]
    plaintext: Option<Zeroizing<String>>,
    ciphertext: Option<String>,
}

/// What a server answered, and to whom.
pub(crate) struct Asked {
    pub(crate) answer: Answer,
    pub(crate) identity: String,
}

/// What a server answered.
pub(crate) enum Answer {
    /// This; it may hold secrets.
    Body(Zeroizing<Vec<u8>>),
    /// That there is nothing at this path.
    Nothing,
}

impl Vault {
    pub(crate) fn new(environment: Environment) -> Self {
        Vault { environment, routes: Places::default() }
    }

    /// Has the server wrap `part`.
    pub(super) fn wrap(&self, stanza: &Stanza, part: &[u8]) -> Result<String, Refusal> {
        let plaintext = Zeroizing::new(STANDARD.encode(part));
        let (data, identity) =
            self.call("encrypt", stanza, &Request { plaintext: Some(&plaintext), ciphertext: None })?;
        data.ciphertext.ok_or_else(|| Refusal::new("the server's answer holds no ciphertext").with(&identity))
    }

    /// The server that is meant when none is named.
    pub(crate) fn default_address(&self) -> String {
        settings::text(&self.environment, "ADDR").unwrap_or_else(|| "https://127.0.0.1:8200".to_owned())
    }

    /// Calls `operation` with the key of `stanza`. Gives the data and the identity that was used.
    fn call(&self, operation: &str, stanza: &Stanza, request: &Request<'_>) -> Result<(Data, String), Refusal> {
        let address = stanza.text(ADDRESS);
        settings::check_allowed(&self.environment, address)?;
        let engine = stanza.text(ENGINE).split('/').filter(|part| !part.is_empty());
        let path: Vec<&str> = engine.chain([operation, stanza.text(KEY)]).collect();
        let body = Zeroizing::new(serde_json::to_vec(request).map_err(|error| Refusal::new(error.to_string()))?);
        let mounted = || {
            let path = stanza.text(ENGINE);
            format!("is the transit engine mounted there? vault secrets enable -path={path} transit")
        };
        let Asked { answer, identity } = self.ask(address, &path, Some(&body), &mounted)?;
        let parsed = match answer {
            Answer::Body(body) => serde_json::from_slice(&body).unwrap_or_default(),
            Answer::Nothing => Response::default(),
        };
        let data = parsed.data.ok_or_else(|| no_vault("200 OK", address).with(&identity))?;
        answered(stanza, &identity);
        Ok((data, identity))
    }

    /// Asks the server at `address` for what is at `path`, or with a body has it written there. `mounted` makes the
    /// hint for a path that leads nowhere.
    ///
    /// # Errors
    /// When there is no token or no answer, or the server refuses.
    pub(crate) fn ask(
        &self,
        address: &str,
        path: &[&str],
        body: Option<&[u8]>,
        mounted: &dyn Fn() -> String,
    ) -> Result<Asked, Refusal> {
        let route = self.routes.of(address.to_owned()).get(|_| true, || Route::new(&self.environment, address))?;
        let token = match token::find(&self.environment) {
            Ok(token) => Ok(token),
            // An agent on this machine may add a token of its own.
            Err(why) if route.is_local() => Err(why),
            Err(why) => return Err(Refusal::without_identity(format!("no token: {why}")).hint(login(address))),
        };
        let mut identity = token.as_ref().map_or("no token", |token| &token.from).to_owned();
        if let Some(namespace) = settings::text(&self.environment, "NAMESPACE") {
            identity.push_str(&format!(" in the namespace {namespace}"));
        }
        let secret = token.as_ref().ok().map(|token| token.secret.as_str());
        let reply = self.send(&route, secret, path, body).map_err(|refusal| refusal.with(&identity))?;
        let status = reply.status;
        if status.is_success() {
            return Ok(Asked { answer: Answer::Body(reply.body), identity });
        }
        let parsed: Option<Response> = serde_json::from_slice(&reply.body).ok();
        let said = parsed.iter().flat_map(|response| response.errors.iter().chain(&response.warnings));
        let said = said.map(String::as_str).collect::<Vec<_>>().join("; ");
        if status == 404 && body.is_none() && parsed.is_some() && said.is_empty() {
            return Ok(Asked { answer: Answer::Nothing, identity });
        }
        if parsed.is_none() {
            return Err(Refusal::strange("Vault", status, &reply.body).with(&identity).hint(is_it_vault(address)));
        }
        let mut said =
            if said.is_empty() { format!("it answered {status}") } else { format!("it answered {status}: {said}") };
        // The same answer is given to a token that is none and to one that may not: the token itself tells.
        let lookup = ["auth", "token", "lookup-self"];
        let is_unknown = |secret| self.send(&route, Some(secret), &lookup, None).is_ok_and(|reply| reply.status == 403);
        if status == 403 && secret.is_some_and(is_unknown) {
            said.push_str("; the token itself is expired, revoked or wrong");
            return Err(Refusal::new(said).with(&identity).hint(login(address)));
        }
        let (sealed, elsewhere) = (said.contains("sealed"), said.contains("namespace not found"));
        let refusal = Refusal::new(said).with(&identity);
        Err(match (status.as_u16(), token) {
            (400 | 403, Err(why)) => refusal.hint(format!("{why}; {}", login(address))),
            (403, _) => {
                refusal.denied().hint(format!("see what the token may do: vault token capabilities {}", path.join("/")))
            }
            (404, _) if elsewhere => {
                refusal.hint("see which there are: vault namespace list; VAULT_NAMESPACE names one")
            }
            (404, _) => refusal.hint(mounted()),
            (503, _) if sealed => refusal.hint("unseal the server: vault operator unseal"),
            _ => refusal,
        })
    }

    /// Sends a request: with a body a write, without one a read.
    fn send(&self, route: &Route, token: Option<&str>, path: &[&str], body: Option<&[u8]>) -> Result<Reply, Refusal> {
        let mut url = route.url.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push("v1").extend(path);
        }
        let token = token.map(HeaderValue::from_str).transpose().map_err(|_| Refusal::new("that is no token"))?;
        let namespace = settings::text(&self.environment, "NAMESPACE");
        let reply = wait_for(route.http.send(|client| {
            // The header that an agent demands, so that no web page can make it ask.
            let request = if body.is_some() { client.put(url.clone()) } else { client.get(url.clone()) };
            let mut request = request.header("X-Vault-Request", "true");
            if let Some(host) = &route.host {
                request = request.header(HOST, host);
            }
            if let Some(mut token) = token.clone() {
                token.set_sensitive(true);
                request = request.header("X-Vault-Token", token);
            }
            if let Some(namespace) = &namespace {
                request = request.header("X-Vault-Namespace", namespace.trim_matches('/'));
            }
            match body {
                Some(body) => request.body(body.to_vec()),
                None => request,
            }
        }))?;
        reply.map_err(|refusal| {
            let without = settings::variable(&self.environment, "CLIENT_CERT").is_none();
            if refusal.has_hung_up() && without && route.url.scheme() == "https" {
                refusal.hint(
                    "a server does so that wants a certificate of the client: VAULT_CLIENT_CERT and VAULT_CLIENT_KEY",
                )
            } else {
                refusal
            }
        })
    }
}

/// That an answer is none of Vault's.
pub(crate) fn no_vault(status: &str, address: &str) -> Refusal {
    Refusal::new(format!("it answered {status} with what is no answer of Vault")).hint(is_it_vault(address))
}

fn is_it_vault(address: &str) -> String {
    format!("is {address} the address of a Vault or OpenBao server, and do the proxy variables lead there?")
}

/// A list of texts that may be null.
fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn login(address: &str) -> String {
    format!("vault login -address={address}, or bao login; or set VAULT_TOKEN")
}

impl Service for Vault {
    fn unwrap(&self, stanza: &Stanza) -> Result<SecretBytes, Refusal> {
        let request = Request { plaintext: None, ciphertext: Some(stanza.text(Stanza::ENC)) };
        let (data, identity) = self.call("decrypt", stanza, &request)?;
        let plaintext = data.plaintext.and_then(|text| STANDARD.decode(text.as_bytes()).ok());
        plaintext
            .map(SecretBytes::from)
            .ok_or_else(|| Refusal::new("the server's answer holds no data key").with(&identity))
    }
}
