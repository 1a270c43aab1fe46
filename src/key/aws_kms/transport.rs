//! How the SDK's requests go out: through the HTTP client of all services, so that its proxies, certificate
//! authorities and ways to fail are the same.

use super::Refusal;
use crate::key::remote::{Limits, client, read_body};
use aws_sdk_kms::config::SharedHttpClient;
use aws_sdk_kms::config::http::{HttpRequest, HttpResponse};
use aws_sdk_kms::error::{BoxError, ConnectorError};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use http_body_util::BodyExt as _;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Method, Url};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The client that the SDK asks services, metadata and logins with.
pub(super) fn http_client(authorities: Option<Vec<Certificate>>, limits: Limits) -> SharedHttpClient {
    let clients = Arc::new(Clients { limits, authorities, made: Mutex::default() });
    http_client_fn(move |settings, _| {
        SharedHttpConnector::new(Connector { clients: Arc::clone(&clients), settings: settings.clone() })
    })
}

/// Adds `authorities` to a client in the making, instead of the system's.
pub(super) fn trusting(authorities: Option<Vec<Certificate>>, builder: ClientBuilder) -> ClientBuilder {
    match authorities {
        Some(authorities) => builder.tls_certs_only(authorities),
        None => builder,
    }
}

/// Clients are made when the first request says what for: what is open needs no authorities.
struct Clients {
    limits: Limits,
    authorities: Option<Vec<Certificate>>,
    made: Mutex<HashMap<(Duration, bool), Client>>,
}

impl Clients {
    fn get(&self, connect: Duration, url: &Url) -> Result<Client, Refusal> {
        let kind = (connect, url.scheme() == "https");
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(&kind) {
            return Ok(client.clone());
        }
        let limits = Limits { connect, ..self.limits };
        let client = client(&limits, url, |builder| {
            // A signature is for one address.
            Ok(trusting(self.authorities.clone(), builder.redirect(Policy::none())))
        })?;
        made.insert(kind, client.clone());
        Ok(client)
    }
}

/// What sends requests within given times.
struct Connector {
    clients: Arc<Clients>,
    settings: HttpConnectorSettings,
}

/// Without the authorities and clients, which may hold a proxy's password.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let clients = Arc::clone(&self.clients);
        let connect = self.settings.connect_timeout().unwrap_or(clients.limits.connect);
        let within = self.settings.read_timeout().unwrap_or(clients.limits.request);
        HttpConnectorFuture::new(async move {
            match tokio::time::timeout(within, send(&clients, connect, request)).await {
                Ok(answer) => answer,
                // Either of the clocks that run, this and the client's own, may be the first, and both are to say the same.
                Err(_) => Err(ConnectorError::timeout(io::Error::from(io::ErrorKind::TimedOut).into())),
            }
        })
    }
}

async fn send(clients: &Clients, connect: Duration, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let url = Url::parse(request.uri()).map_err(|error| ConnectorError::user(error.into()))?;
    let method = Method::from_bytes(request.method().as_bytes()).map_err(|error| ConnectorError::user(error.into()))?;
    let client = clients.get(connect, &url).map_err(|refusal| ConnectorError::user(refusal.into()))?;
    let asking = client.request(method, url);
    let asking = request.headers().iter().fold(asking, |asking, (name, value)| asking.header(name, value));
    // The SDK watches how its body is asked for, and gives up a request whose body does not seem to go out.
    let body = request.into_body().collect().await.map_err(ConnectorError::user)?;
    let mut response = asking.body(body.to_bytes()).send().await.map_err(failed)?;
    let mut body = read_body(&mut response).await.map_err(|refusal| ConnectorError::io(refusal.into()))?;
    let status = response.status().as_u16().try_into().map_err(strange)?;
    let mut answer = HttpResponse::new(status, std::mem::take(&mut *body).into());
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        answer.headers_mut().try_append(name.as_str().to_owned(), value).map_err(strange)?;
    }
    Ok(answer)
}

/// Of what is no answer of HTTP.
fn strange(error: impl Into<BoxError>) -> ConnectorError {
    ConnectorError::other(error.into(), None)
}

/// The SDK tries again after those of the first two kinds.
fn failed(error: reqwest::Error) -> ConnectorError {
    match error {
        late if late.is_timeout() => ConnectorError::timeout(late.into()),
        wrong if wrong.is_builder() => ConnectorError::user(wrong.into()),
        broken => ConnectorError::io(broken.into()),
    }
}
