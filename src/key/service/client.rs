//! Asks a key service.

use super::wire::{Key, Request, Response};
use super::{Address, DECRYPT, ENCRYPT, LONGEST, Limits, PATIENCE, Refusal, cause, wait_for};
use crate::key::remote::{Asking, RETRIES, Service, answered};
use crate::key::{Answer, Environment, KeyService, Opener, Stanza, registry};
use crate::secret::SecretBytes;
use http::uri::PathAndQuery;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

/// The wait before a request is made again.
const WAIT: Duration = Duration::from_millis(200);

/// A key service, by its address. Nothing is connected before the first question.
#[must_use]
pub fn connect(address: Address, environment: &Environment) -> Arc<dyn KeyService> {
    let limits = Limits::of_or(environment, PATIENCE);
    let identity = format!("the key service {address}");
    Arc::new(Remote(Asking(Client { address, identity, limits, channel: Mutex::default() })))
}

struct Remote(Asking<Client>);

struct Client {
    address: Address,
    /// Who it is, for messages.
    identity: String,
    limits: Limits,
    channel: Mutex<Option<Channel>>,
}

impl Opener for Remote {
    fn unwrap(&self, stanzas: &[&Stanza]) -> Answer {
        self.0.unwrap(stanzas)
    }
}

impl KeyService for Remote {
    fn name(&self) -> String {
        self.0.0.identity.clone()
    }

    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<(), String> {
        self.0.0.wrap(stanza, part).map_err(|refusal| refusal.why().to_owned())
    }
}

impl Client {
    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<(), Refusal> {
        let unversioned = registry::list(stanza.list()).is_some_and(|list| list.name == "azure_kv");
        if unversioned && stanza.text("version").is_empty() {
            let hint = format!("{}/VERSION", stanza.recipient());
            let why = format!("a key service does not tell which version of the key it used: name one, {hint}");
            return Err(Refusal::new(why).with(&self.identity));
        }
        let enc = String::from_utf8(self.ask(ENCRYPT, stanza, part)?.expose().to_vec())
            .ok()
            .filter(|enc| !enc.is_empty())
            .ok_or_else(|| Refusal::new("its answer is no wrapped data key").with(&self.identity))?;
        stanza.set_wrapped(enc);
        Ok(())
    }

    /// Sends `content` and the key of `stanza`. Gives the content of the answer.
    fn ask(&self, method: &'static str, stanza: &Stanza, content: &[u8]) -> Result<SecretBytes, Refusal> {
        let asked = self.ask_bare(method, stanza, content).map_err(|refusal| refusal.with(&self.identity));
        asked.inspect(|_| answered(stanza, &self.identity))
    }

    fn ask_bare(&self, method: &'static str, stanza: &Stanza, content: &[u8]) -> Result<SecretBytes, Refusal> {
        let key = || Key::of(stanza).ok_or_else(|| Refusal::new("no key service knows this kind of key"));
        for retry in 0.. {
            let request = Request { key: Some(key()?), content: content.to_vec() };
            let answer = wait_for(async {
                let channel = self.channel()?;
                match tokio::time::timeout(self.limits.request, call(channel, method, request)).await {
                    Err(_) => Err(Refusal::late()),
                    Ok(Ok(mut response)) => Ok(Ok(SecretBytes::from(std::mem::take(&mut response.content)))),
                    Ok(Err(status)) => Ok(Err(status)),
                }
            })??;
            match answer {
                Ok(content) => return Ok(content),
                // It was there, and is not at the moment.
                Err(status) if status.code() == Code::Unavailable && status.source().is_none() && retry < RETRIES => {
                    std::thread::sleep(WAIT);
                }
                Err(status) => return Err(refused(&status)),
            }
        }
        Err(Refusal::new("no request was made"))
    }

    /// The connection, made once. To be called on the runtime.
    fn channel(&self) -> Result<Channel, Refusal> {
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channel.as_ref() {
            return Ok(channel.clone());
        }
        let uri = match &self.address {
            Address::Tcp(host) => format!("http://{host}"),
            Address::Unix(path) => format!("unix://{}", path.display()),
        };
        let endpoint = Endpoint::from_shared(uri).map_err(|error| cause(&error))?;
        let made = endpoint.connect_timeout(self.limits.connect).connect_lazy();
        *channel = Some(made.clone());
        Ok(made)
    }
}

impl Service for Client {
    fn unwrap(&self, stanza: &Stanza) -> Result<SecretBytes, Refusal> {
        if !stanza.is_wrapped() {
            return Err(Refusal::new("no data key is wrapped in it"));
        }
        self.ask(DECRYPT, stanza, stanza.text(Stanza::ENC).as_bytes())
    }
}

async fn call(channel: Channel, method: &'static str, request: Request) -> Result<Response, Status> {
    let mut client = Grpc::new(channel).max_decoding_message_size(LONGEST);
    client.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let codec = ProstCodec::<Request, Response>::default();
    let answer = client.unary(tonic::Request::new(request), PathAndQuery::from_static(method), codec).await?;
    Ok(answer.into_inner())
}

const IS_IT_ONE: &str = "is that the address of a key service? leafcrypt keyservice starts one";

/// What the service, or the way to it, said.
fn refused(status: &Status) -> Refusal {
    let none = || Refusal::new("its answer is none of a key service").hint(IS_IT_ONE).whole();
    if let Some(source) = status.source() {
        // What h2 says of bytes that are no HTTP/2.
        let mut chain = std::iter::successors(Some(source), |error| (*error).source());
        let garbage = chain.any(|error| error.to_string().starts_with("connection error detected"));
        return if garbage { none() } else { cause(source).whole() };
    }
    // What the library says of answers that are none.
    if ["Missing response message", "grpc-status header missing", "protocol error"]
        .iter()
        .any(|said| status.message().starts_with(said))
    {
        return none();
    }
    match status.code() {
        // What real sops says of everything that went wrong with a key.
        Code::Unknown => Refusal::new(format!("it answered: {}", status.message())),
        Code::Unimplemented => Refusal::new(format!("it cannot do that: {}", status.message())).hint(IS_IT_ONE),
        code => Refusal::new(format!("it answered {code:?}: {}", status.message())),
    }
}
