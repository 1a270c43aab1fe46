//! What the back ends share that ask a service across a network.
//!
//! Owns: the async runtime, TLS, timeouts and bounded retries, and how the failure of a call is said: in
//! one line, with the identity that was used and what the service answered. `publish` asks through it as well. Must not
//! know: any service.
//!
//! Nothing here is started before the first call: a job for keys on this machine alone has no runtime, no
//! further thread and no certificates in memory.

#![cfg_attr(
    not(all(feature = "hc-vault", feature = "aws-kms", feature = "keyservice")),
    allow(dead_code, unused_imports, reason = "no service uses all of it")
)]

mod authorities;
#[cfg(feature = "client")]
mod http;
mod made;
mod proxies;
mod refusal;

pub(crate) use authorities::{authorities, check_authorities, check_named_authorities};
#[cfg(feature = "client")]
pub(crate) use http::{Http, Reply, certificates_in, client, is_loopback, read_body, secret_text};
pub(crate) use made::Places;
pub(crate) use proxies::{address, check_proxies, proxies};
pub(crate) use refusal::{Refusal, cause, is_unconnected, words};

use super::{Answer, Environment, Opener, Search, Stanza};
use crate::error::{Error, Kind, Result};
use crate::secret::SecretBytes;
use crate::trace;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// So long may one request take, when nothing else is said.
const REQUEST: Duration = Duration::from_secs(10);
/// Nobody waits longer than a day; and what is added to the time of a clock must not be beyond what one can say.
const LONGEST_REQUEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Says it in seconds.
const REQUEST_ENV: &str = "LEAFCRYPT_NETWORK_TIMEOUT";
/// How often a request is made again that the service could not serve at the moment.
pub(super) const RETRIES: u32 = 2;

/// A line that carries fewer bytes a second is too slow.
const SLOWEST: u64 = 32 << 10;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Until a connection stands.
    pub(crate) connect: Duration,
    /// One request, from its first byte to the last of its answer.
    pub(crate) request: Duration,
    /// How often a request is made again.
    pub(crate) retries: u32,
}

impl Limits {
    /// Those of the environment.
    pub(crate) fn of(environment: &Environment) -> Self {
        Self::of_or(environment, REQUEST)
    }

    /// Those of the environment; one request may take so long as `usual`, when it says nothing.
    pub(crate) fn of_or(environment: &Environment, usual: Duration) -> Self {
        // What makes no sense is told before anybody is asked.
        Self::within(said_time(environment).ok().flatten().unwrap_or(usual), RETRIES)
    }

    /// Those of a request that may take so long.
    pub(crate) fn within(request: Duration, retries: u32) -> Self {
        Limits { connect: request.min(Duration::from_secs(5)), request, retries }
    }

    /// One request that brings `body`.
    pub(crate) fn for_body(&self, body: &[u8]) -> Duration {
        self.request + Duration::from_secs(body.len() as u64 / SLOWEST)
    }

    /// All requests for one answer together.
    pub(crate) fn in_all(&self) -> Duration {
        self.request.saturating_mul(self.retries + 1)
    }
}

/// How long one request may take, if the environment says it.
fn said_time(environment: &Environment) -> Result<Option<Duration>, Refusal> {
    let Some(text) = environment.get_filled(REQUEST_ENV) else { return Ok(None) };
    let seconds = text.to_str().and_then(|text| text.trim().parse().ok());
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).filter(|time| !time.is_zero());
    time.map(|time| Some(time.min(LONGEST_REQUEST))).ok_or_else(|| {
        let refusal = Refusal::new(format!("{REQUEST_ENV}={} is no number of seconds above 0", text.display()));
        refusal.hint(format!("{REQUEST_ENV}=30"))
    })
}

/// Whether `url`, which `name` sets, can be the address of a service. The libraries panic at what is none, or say no more
/// than that something is wrong.
///
/// # Errors
/// When it is none.
pub(crate) fn check_service(name: &str, url: &str) -> Result<(), Refusal> {
    let host = ["http://", "https://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let is_host = |host: &str| {
        let is_closed = !host.starts_with('[') || host.contains(']');
        !host.is_empty() && is_closed && host.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if host.is_some_and(is_host) {
        return Ok(());
    }
    Err(Refusal::new(format!("{name} is no address of a service")).hint(format!("{name}=https://HOST")))
}

/// Waits for `future` on the runtime that all services share. Its own thread drives connections, so that
/// calls from several threads do not wait for each other.
///
/// # Errors
/// When the system has no thread for it, or the environment does not say how long to wait.
pub(crate) fn wait_for<F: Future>(future: F) -> Result<F::Output, Refusal> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    said_time(&Environment::of_process())?;
    let start = || Builder::new_multi_thread().worker_threads(1).enable_all().thread_name("network").build();
    match RUNTIME.get_or_init(|| start().map_err(|error| error.to_string())) {
        Ok(runtime) => Ok(runtime.block_on(future)),
        Err(why) => Err(Refusal::new(format!("no thread could be started for the network: {why}"))),
    }
}

/// Chooses the cipher implementation for TLS: the same one for every service.
pub(super) fn choose_tls() {
    static CHOSEN: OnceLock<()> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        // Fails only when one was chosen before, by a program that uses this library.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A service that opens stanzas, for one run of the program.
pub(super) trait Service: Send + Sync {
    /// Asks for the bytes that `stanza` wraps.
    fn unwrap(&self, stanza: &Stanza) -> Result<SecretBytes, Refusal>;
}

/// The opener of a remote back end.
pub(super) struct Asking<S>(pub(super) S);

impl<S: Service> Opener for Asking<S> {
    fn unwrap(&self, stanzas: &[&Stanza]) -> Answer {
        let mut search = Search::default();
        let mut has_key = false;
        for (by, stanza) in stanzas.iter().enumerate() {
            match self.0.unwrap(stanza) {
                Ok(part) if part.expose().is_empty() => {
                    has_key = true;
                    search.extend(Refusal::new("its answer holds no data key").into_search(stanza));
                }
                Ok(part) => return Answer::Here { part, by },
                Err(refusal) => {
                    has_key |= !refusal.is_without_identity();
                    search.extend(refusal.into_search(stanza));
                }
            }
        }
        if has_key { Answer::Failed(search) } else { Answer::NotMine(search) }
    }
}

/// Says, for `--verbose`, with which identity a service did what it was asked.
pub(super) fn answered(stanza: &Stanza, identity: &str) {
    trace::note(|| format!("{}: with {identity}, it answered", stanza.title()));
}

/// Puts what a service made of the data key into its stanza.
///
/// # Errors
/// When it made nothing of it, with the stanza's name.
pub(super) fn finish_wrap(stanza: &mut Stanza, wrapped: Result<String, Refusal>) -> Result<()> {
    // A file with nothing in this place would be one that nobody opens.
    let there =
        |enc: String| if enc.is_empty() { Err(Refusal::new("its answer holds no wrapped data key")) } else { Ok(enc) };
    let enc = wrapped.and_then(there).map_err(|refusal| {
        let error = Error::new(Kind::Generic, format!("the data key cannot be wrapped for {}", stanza.title()));
        refusal.explain(error)
    })?;
    stanza.set_wrapped(enc);
    Ok(())
}

/// The list of recipients between commas or newlines, each once.
pub(super) fn listed(text: &str) -> Vec<&str> {
    let mut items: Vec<&str> = Vec::new();
    for item in text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty()) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    items
}
