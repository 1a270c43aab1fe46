//! Google Cloud Storage: an object for each file.
//!
//! Source: <https://cloud.google.com/storage/docs/json_api/v1/objects>.

use super::{Destination, Kept, Settings, There, was};
use crate::error::{Error, Kind, Result};
use crate::key::gcp_kms::{Found, find};
use crate::key::remote::{Http, Limits, Refusal, Reply, cause, wait_for, words};
use crate::secret::SecretBytes;
use crate::sys::Environment;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};

/// Names a server in the place of Google's, to which nobody logs in: Google's own libraries know it.
const EMULATOR: &str = "STORAGE_EMULATOR_HOST";

/// A folder of a bucket.
struct Bucket {
    environment: Environment,
    limits: Limits,
    bucket: String,
    prefix: String,
    /// Made at the first need; what was wrong is not kept.
    session: Mutex<Option<Arc<Session>>>,
}

/// Who asks, and where.
struct Session {
    /// None for a server that wants none.
    credentials: Option<Credentials>,
    identity: String,
    url: Url,
    http: Http,
}

/// What Google's services say when they refuse.
#[derive(Deserialize)]
struct Refused {
    error: Why,
}

#[derive(Deserialize)]
struct Why {
    message: String,
}

/// The folder that `settings` name.
pub(super) fn make(settings: &Settings, environment: &Environment) -> Result<Arc<dyn Destination>> {
    let setting = |name: &str| settings.get(name).cloned().unwrap_or_default();
    let bucket = setting("gcs_bucket");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if bucket.len() < 3 || bucket.len() > 222 || !bucket.chars().all(allowed) {
        return Err(Error::new(Kind::Generic, format!("gcs_bucket is {bucket:?}, which is no name of a bucket"))
            .because("it has at least 3 letters, digits, dots, dashes and underscores"));
    }
    Ok(Arc::new(Bucket {
        environment: environment.clone(),
        limits: Limits::of(environment),
        bucket,
        prefix: setting("gcs_prefix"),
        session: Mutex::default(),
    }))
}

impl Bucket {
    fn object(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn session(&self) -> Result<Arc<Session>, Refusal> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = session.as_ref() {
            return Ok(Arc::clone(session));
        }
        let made = Arc::new(wait_for(async { self.connect() })??);
        *session = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Some kinds of credentials start a task of their own when they are made, so this runs where there can be one.
    fn connect(&self) -> Result<Session, Refusal> {
        let text = |name: &str| self.environment.get_filled(name).and_then(|value| value.into_string().ok());
        let emulator = text(EMULATOR);
        let universe = text("GOOGLE_CLOUD_UNIVERSE_DOMAIN");
        let (credentials, identity) = match &emulator {
            Some(_) => (None, format!("no credentials, for the server of {EMULATOR}")),
            None => {
                let Found { credentials, identity } = find(&self.environment, universe.as_deref())?;
                (Some(credentials), identity)
            }
        };
        let url = match emulator {
            Some(host) if host.contains("://") => host,
            Some(host) => format!("http://{host}"),
            None => format!("https://storage.{}", universe.as_deref().unwrap_or("googleapis.com")),
        };
        let url = Url::parse(&url).map_err(|error| Refusal::new(format!("{url} is no address: {error}")))?;
        let http = Http::new(self.limits, &url, Ok)?;
        Ok(Session { credentials, identity, url, http })
    }

    /// Sends a request for `object`: with a body a write, without one a read.
    fn ask(&self, object: &str, body: Option<&[u8]>) -> Result<(Reply, Arc<Session>), Refusal> {
        let session = self.session()?;
        let mut url = session.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            match body {
                Some(_) => path.extend(["upload", "storage", "v1", "b", &self.bucket, "o"]),
                None => path.extend(["storage", "v1", "b", &self.bucket, "o", object]),
            };
        }
        match body {
            Some(_) => url.query_pairs_mut().append_pair("uploadType", "media").append_pair("name", object),
            None => url.query_pairs_mut().append_pair("alt", "media"),
        };
        let bytes = body.unwrap_or_default();
        let timeout = self.limits.for_body(bytes);
        let asking = async {
            let headers = tokio::time::timeout(self.limits.in_all(), session.headers()).await;
            let headers = headers.unwrap_or_else(|_| {
                Err(Refusal::new("no token was given for these credentials: the service did not answer in time"))
            })?;
            let reply = session.http.send(|client| {
                let request = if body.is_some() { client.post(url.clone()) } else { client.get(url.clone()) };
                let request = request.timeout(timeout).headers(headers.clone());
                match body {
                    Some(body) => request.header("Content-Type", "application/octet-stream").body(body.to_vec()),
                    None => request,
                }
            });
            reply.await
        };
        let reply = wait_for(asking)?.map_err(|refusal| refusal.with(&session.identity))?;
        Ok((reply, session))
    }

    /// Why the service did not do it.
    fn refused(&self, reply: &Reply, session: &Session) -> Refusal {
        let status = reply.status;
        let bucket = &self.bucket;
        let said = match serde_json::from_slice(&reply.body) {
            Ok(Refused { error: Why { message } }) => message,
            // What reads an object is told in plain text, or in none.
            Err(_) if !status.is_success() && !reply.body.starts_with(b"<") => words(&reply.body),
            Err(_) => {
                return Refusal::strange("Cloud Storage", status, &reply.body)
                    .with(&session.identity)
                    .hint(format!("do {EMULATOR} and the proxy variables lead to Cloud Storage?"));
            }
        };
        let colon = if said.is_empty() { "" } else { ": " };
        let refusal = Refusal::new(format!("it answered {status}{colon}{said}")).with(&session.identity);
        match status.as_u16() {
            401 => refusal.hint("the credentials are expired or wrong: gcloud auth application-default login"),
            403 => refusal.hint(format!("the identity needs roles/storage.objectUser on gs://{bucket}")),
            404 => refusal
                .hint(format!("make it, or name another one in the rule: gcloud storage buckets create gs://{bucket}")),
            _ => refusal,
        }
    }
}

impl Session {
    async fn headers(&self) -> Result<HeaderMap, Refusal> {
        let Some(credentials) = &self.credentials else { return Ok(HeaderMap::new()) };
        match credentials.headers(http::Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => Ok(data),
            Ok(CacheableResource::NotModified) => Ok(HeaderMap::new()),
            Err(error) => {
                let cause = cause(&error);
                Err(Refusal::new(format!("no token was given for these credentials: {}", cause.why()))
                    .hint("gcloud auth application-default login"))
            }
        }
    }
}

impl Destination for Bucket {
    fn keeps(&self) -> Kept {
        Kept::File
    }

    /// As sops has it; Google's own tools write `gs://`.
    fn address(&self, name: &str) -> String {
        format!("gcs://{}/{}", self.bucket, self.object(name))
    }

    fn read(&self, name: &str) -> Result<There, Refusal> {
        let (reply, session) = self.ask(&self.object(name), None)?;
        match reply.status.as_u16() {
            // A page of somebody else's is what is never called an object.
            200 if !is_page(&reply) => {
                was("read", &self.address(name), &session.identity);
                Ok(There::This(SecretBytes::from(reply.body.to_vec())))
            }
            404 if !is_page(&reply) => Ok(There::Nothing),
            403 if !is_page(&reply) => Ok(There::Unreadable(self.refused(&reply, &session).why().to_owned())),
            _ => Err(self.refused(&reply, &session)),
        }
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Refusal> {
        let object = self.object(name);
        let (reply, session) = self.ask(&object, Some(content))?;
        // What was written is told.
        let told: Option<serde_json::Value> = serde_json::from_slice(&reply.body).ok();
        if reply.status.is_success() && told.is_some_and(|told| told["name"] == object.as_str()) {
            was("written", &self.address(name), &session.identity);
            return Ok(());
        }
        Err(self.refused(&reply, &session))
    }
}

fn is_page(reply: &Reply) -> bool {
    let kind = reply.headers.get("content-type").and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html")) && reply.body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_sops() {
        let of = |bucket: &str, prefix: &str| {
            let settings = [("gcs_bucket", bucket), ("gcs_prefix", prefix)].map(|(a, b)| (a.to_owned(), b.to_owned()));
            make(&settings.into_iter().collect(), &Environment::default())
                .map(|place| place.address("x/y.yaml"))
                .map_err(|error| error.message().to_owned())
        };
        assert_eq!(of("buck.et", "app/").as_deref(), Ok("gcs://buck.et/app/x/y.yaml"));
        assert_eq!(of("bucket", "").as_deref(), Ok("gcs://bucket/x/y.yaml"));
        assert!(of("a/b", "").unwrap_err().contains("no name of a bucket"));
    }
}
