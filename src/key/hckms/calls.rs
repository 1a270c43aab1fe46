//! The calls: wrap, unwrap, and which project is meant.

use super::credentials::{self, Credentials};
use super::sign::{self, Request};
use super::{KEY, Refusal, split};
use crate::key::remote::{Http, Limits, Places, Service, answered, check_service, secret_text, wait_for};
use crate::key::{Environment, Stanza};
use crate::secret::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

const WAY: &str = "do HUAWEICLOUD_SDK_REGION_KMS_… and the proxy variables lead to Huawei Cloud?";
const ALGORITHM: &str = "SYMMETRIC_DEFAULT";

/// All keys, as this environment has access to them.
pub(super) struct Kms {
    environment: Environment,
    /// By region.
    regions: Places<String, Region>,
}

/// A region, ready to be asked.
struct Region {
    url: Url,
    http: Http,
    credentials: Credentials,
    project: String,
}

#[derive(Serialize)]
struct Encrypt<'a> {
    key_id: &'a str,
    plain_text: &'a str,
    encryption_algorithm: &'a str,
}

#[derive(Serialize)]
struct Decrypt<'a> {
    cipher_text: &'a str,
    encryption_algorithm: &'a str,
    key_id: &'a str,
}

/// Any answer of the two calls, and of Huawei's gateway in front of them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Response {
    cipher_text: Option<String>,
    #[serde(deserialize_with = "secret_text")]
    plain_text: Option<Zeroizing<String>>,
    error: Option<Fault>,
    error_code: Option<String>,
    error_msg: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fault {
    error_code: Option<String>,
    error_msg: Option<String>,
}

#[derive(Deserialize)]
struct Projects {
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
}

impl Kms {
    pub(super) fn new(environment: Environment) -> Self {
        Kms { environment, regions: Places::default() }
    }

    /// Has the service wrap `part`.
    pub(super) fn wrap(&self, stanza: &Stanza, part: &[u8]) -> Result<String, Refusal> {
        let (region, key_id) = split(stanza.text(KEY)).map_err(|error| Refusal::new(error.to_string()))?;
        let region = self.region(region)?;
        let plain_text = Zeroizing::new(STANDARD.encode(part));
        let request = Encrypt { key_id, plain_text: &plain_text, encryption_algorithm: ALGORITHM };
        let response = region.call("encrypt-data", &request, stanza)?;
        let missing = || none_of_kms().with(&region.credentials.identity);
        response.cipher_text.filter(|text| !text.is_empty()).ok_or_else(missing)
    }

    fn region(&self, name: &str) -> Result<Arc<Region>, Refusal> {
        self.regions.of(name.to_owned()).get(|_| true, || self.find_region(name))
    }

    fn find_region(&self, name: &str) -> Result<Region, Refusal> {
        let credentials = credentials::find(&self.environment)?;
        let limits = Limits::of(&self.environment);
        let text = |name: &str| self.environment.get_filled(name).and_then(|value| value.into_string().ok());
        let shouted = name.to_ascii_uppercase().replace('-', "_");
        let url = |service: &str, variable: &str| {
            // Europe's regions are of a company of their own, with a domain of its own.
            let country = if name.starts_with("eu-") { "eu" } else { "com" };
            let said = text(variable);
            said.as_deref().map_or(Ok(()), |said| check_service(variable, said))?;
            let address = said.unwrap_or_else(|| format!("https://{service}.{name}.myhuaweicloud.{country}"));
            Url::parse(&address).map_err(|error| Refusal::new(format!("{address} is no address of a service: {error}")))
        };
        let kms = url("kms", &format!("HUAWEICLOUD_SDK_REGION_KMS_{shouted}"))?;
        let http = Http::new(limits, &kms, Ok)?;
        let project = match credentials.project.clone() {
            Some(project) => project,
            None => {
                let iam = url("iam", "HUAWEICLOUD_SDK_IAM_ENDPOINT")?;
                project(&http, &iam, &credentials, name)
                    .map_err(|refusal| refusal.about("IAM was asked for the project").with(&credentials.identity))?
            }
        };
        Ok(Region { url: kms, http, credentials, project })
    }
}

impl Service for Kms {
    fn unwrap(&self, stanza: &Stanza) -> Result<SecretBytes, Refusal> {
        let (region, key_id) = split(stanza.text(KEY)).map_err(|error| Refusal::new(error.to_string()))?;
        let region = self.region(region)?;
        let request = Decrypt { cipher_text: stanza.text(Stanza::ENC), encryption_algorithm: ALGORITHM, key_id };
        let response = region.call("decrypt-data", &request, stanza)?;
        let part = response.plain_text.and_then(|text| STANDARD.decode(text.as_bytes()).ok());
        let missing = || none_of_kms().with(&region.credentials.identity);
        part.map(SecretBytes::from).ok_or_else(missing)
    }
}

impl Region {
    fn call(&self, verb: &str, request: &impl Serialize, stanza: &Stanza) -> Result<Response, Refusal> {
        let body = Zeroizing::new(serde_json::to_vec(request).map_err(|error| Refusal::new(error.to_string()))?);
        let path = format!("/v1.0/{}/kms/{verb}", self.project);
        let reply = send(&self.http, &self.url, &self.credentials, "POST", (&path, ""), &body, Some(&self.project));
        let answer = reply.and_then(|(status, body)| understood(status, &body));
        let response = answer.map_err(|refusal| refusal.with(&self.credentials.identity))?;
        answered(stanza, &self.credentials.identity);
        Ok(response)
    }
}

/// The project of a region, as Huawei's library finds it when none is named.
fn project(http: &Http, iam: &Url, credentials: &Credentials, region: &str) -> Result<String, Refusal> {
    let query = format!("name={region}");
    let (status, body) = send(http, iam, credentials, "GET", ("/v3/projects", &query), b"", None)?;
    let hint = "name the project: HUAWEICLOUD_SDK_PROJECT_ID";
    if status != 200 {
        return Err(understood(status, &body).err().unwrap_or_else(|| Refusal::new("IAM gave no project")).hint(hint));
    }
    let found = serde_json::from_slice::<Projects>(&body).ok().and_then(|found| found.projects.into_iter().next());
    found
        .map(|project| project.id)
        .ok_or_else(|| Refusal::new(format!("IAM knows no project of the region {region}")).hint(hint))
}

/// Signs and sends a request. Gives the status and the body.
fn send(
    http: &Http,
    service: &Url,
    credentials: &Credentials,
    method: &str,
    (path, query): (&str, &str),
    body: &[u8],
    project: Option<&str>,
) -> Result<(u16, Zeroizing<Vec<u8>>), Refusal> {
    let mut url = service.clone();
    url.set_path(path);
    url.set_query(Some(query).filter(|query| !query.is_empty()));
    let host = url.authority().to_owned();
    let reply = wait_for(http.send(|client| {
        // A request that is made again is signed again: its date must be of now.
        let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut headers = vec![("content-type", "application/json;charset=UTF-8".to_owned()), ("host", host.clone())];
        headers.extend(project.map(|project| ("x-project-id", project.to_owned())));
        headers.push(("x-sdk-date", date.clone()));
        headers.extend(credentials.token.as_ref().map(|token| ("x-security-token", token.to_string())));
        let request = Request { method, path, query, headers: &headers, body };
        let authorization = sign::authorization(&request, credentials, &date);
        let mut request = if method == "GET" { client.get(url.clone()) } else { client.post(url.clone()) };
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        request.header("authorization", authorization).body(body.to_vec())
    }))??;
    Ok((reply.status.as_u16(), reply.body))
}

fn none_of_kms() -> Refusal {
    Refusal::new("its answer is none of KMS").hint(WAY)
}

/// What an answer says.
fn understood(status: u16, body: &[u8]) -> Result<Response, Refusal> {
    let Ok(response) = serde_json::from_slice::<Response>(body) else {
        return Err(Refusal::strange("KMS", status, body).hint(WAY));
    };
    if (200..300).contains(&status) {
        return Ok(response);
    }
    let fault = response.error.unwrap_or_default();
    let code = fault.error_code.or(response.error_code).unwrap_or_default();
    let message = fault.error_msg.or(response.error_msg).unwrap_or_else(|| "no reason was given".to_owned());
    let space = if code.is_empty() { "" } else { " " };
    let refusal = Refusal::new(format!("it answered {status}{space}{code}: {message}"));
    Err(match status {
        401 => refusal.hint(login_hint(&message)),
        403 => refusal.hint("the identity needs kms:cmk:crypto in this project; HUAWEICLOUD_SDK_PROJECT_ID names it"),
        404 => refusal.hint("is it the right region?"),
        _ => refusal,
    })
}

/// What can be done about a login that Huawei's gateway refuses: all of it has one code, and only the message tells.
///
/// Sources: the gateway's FAQ on IAM authentication information, and what its users report.
fn login_hint(message: &str) -> &'static str {
    let said = |words: &str| message.contains(words);
    if said("signature expired") {
        "is the clock of this machine right? date -u"
    } else if said("reach the limit") {
        "the access key is locked for five minutes, after too many wrong signatures"
    } else if said("not exist") {
        "there is no such access key; a temporary one needs its HUAWEICLOUD_SDK_SECURITY_TOKEN as well"
    } else if said("token") {
        "the session of the temporary access key is over: get a new one, with HUAWEICLOUD_SDK_SECURITY_TOKEN"
    } else {
        "the access key or its secret is wrong, or expired"
    }
}
