//! HTTP for the services that have no library of their own.

use super::{Limits, Refusal, cause, check_authorities, check_named_authorities, check_proxies, choose_tls};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, StatusCode, Url};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Deserializer};
use std::time::Duration;
use zeroize::Zeroizing;

/// Vault takes no more in a request, so it has no more to give; what is longer is refused.
const LONGEST_ANSWER: usize = 32 << 20;
/// The wait before a request is made again; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// A client with its limits.
pub(crate) struct Http {
    client: Client,
    limits: Limits,
}

/// What a service answered.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// May hold the data key.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// A client in the making: proxies of the environment, the system's certificates or those of `SSL_CERT_FILE`.
fn client_builder(limits: &Limits) -> ClientBuilder {
    choose_tls();
    Client::builder()
        .user_agent(concat!("leafcrypt/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect)
        .timeout(limits.request)
}

/// Whether `url` leads to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

/// A client for `url`, to which `with` gives what is its own.
///
/// # Errors
/// Those of `with`, and when there are no certificate authorities, or a variable names no proxy. What is open needs no
/// authorities, and what is on this machine no proxy.
pub(crate) fn client(
    limits: &Limits,
    url: &Url,
    with: impl Fn(ClientBuilder) -> Result<ClientBuilder, Refusal>,
) -> Result<Client, Refusal> {
    if !is_loopback(url) {
        check_proxies()?;
    }
    if url.scheme() == "https" {
        check_named_authorities()?;
    }
    let failed = |error: &reqwest::Error| Refusal::new(format!("no connection can be made: {}", said(error)));
    let error = match with(client_builder(limits))?.build() {
        Ok(client) => return Ok(client),
        Err(error) => error,
    };
    match check_authorities() {
        Ok(()) => Err(failed(&error)),
        Err(_) if url.scheme() == "http" => {
            let builder = with(client_builder(limits).tls_certs_only([]))?;
            builder.build().map_err(|error| failed(&error))
        }
        Err(refusal) => Err(refusal),
    }
}

impl Http {
    /// A client for `url`, to which `with` gives what is its own.
    ///
    /// # Errors
    /// Those of `with`, and when there are no certificate authorities.
    pub(crate) fn new(
        limits: Limits,
        url: &Url,
        with: impl Fn(ClientBuilder) -> Result<ClientBuilder, Refusal>,
    ) -> Result<Self, Refusal> {
        Ok(Http { client: client(&limits, url, with)?, limits })
    }

    /// Sends the request that `make` makes, again when the service cannot serve it at the moment.
    ///
    /// # Errors
    /// When no answer comes. An answer that says no is one.
    pub(crate) async fn send(&self, make: impl Fn(&Client) -> RequestBuilder) -> Result<Reply, Refusal> {
        let mut wait = FIRST_WAIT;
        for retry in 0.. {
            let last = retry >= self.limits.retries;
            match make(&self.client).send().await {
                Ok(response) if !last && is_temporary(response.status()) => {}
                Ok(response) => return read(response).await,
                // A connection that broke in the middle: kept ones are closed by servers at any time.
                Err(error) if !last && error.is_request() && !error.is_connect() && !error.is_timeout() => {}
                Err(error) => return Err(cause(&error)),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        Err(Refusal::new("no request was made"))
    }
}

/// Whether the same request may well succeed in a moment.
fn is_temporary(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

async fn read(mut response: reqwest::Response) -> Result<Reply, Refusal> {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    Ok(Reply { status, headers, body: read_body(&mut response).await? })
}

/// The whole of an answer's body.
///
/// # Errors
/// When it breaks off, or does not end.
pub(crate) async fn read_body(response: &mut reqwest::Response) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut body = Zeroizing::new(Vec::with_capacity(1 << 14));
    while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            let status = response.status();
            return Err(Refusal::new(format!("it answered {status} with more than {} MiB", LONGEST_ANSWER >> 20)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The certificates in `pem`, which are those that `name` names.
///
/// # Errors
/// When there is none, or a damaged one.
pub(crate) fn certificates_in(name: &str, pem: &[u8]) -> Result<Vec<Certificate>, Refusal> {
    let good = |found: Result<CertificateDer<'_>, _>| {
        let found = found.ok()?;
        RootCertStore::empty().add(found.clone()).ok()?;
        Certificate::from_der(&found).ok()
    };
    let found: Option<Vec<Certificate>> = CertificateDer::pem_slice_iter(pem).map(good).collect();
    found
        .filter(|found| !found.is_empty())
        .ok_or_else(|| Refusal::new(format!("{name} holds no certificate in PEM, or a damaged one")))
}

/// Reads a text that is secret, for a field of an answer.
pub(crate) fn secret_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Zeroizing::new))
}

/// The innermost words of an error.
fn said(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names() {
        let is = |url: &str| is_loopback(&Url::parse(url).unwrap());
        assert!(is("http://localhost:1/") && is("https://127.0.0.2") && is("http://[::1]:8200/v1"));
        assert!(!is("http://localhost.example/") && !is("https://10.0.0.1") && !is("http://[::2]"));
    }
}
