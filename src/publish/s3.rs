//! S3, and what speaks its language: an object for each file.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>, and for addresses
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>.

use super::{Destination, Kept, Settings, There, was};
use crate::error::{Error, Kind, Result};
use crate::key::aws_kms::{Account, Wanted, configured_region, hint_for};
use crate::key::remote::{Http, Limits, Refusal, Reply, wait_for};
use crate::secret::SecretBytes;
use crate::sys::Environment;
use crate::trace;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Url};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Where a bucket is looked for when nobody says where it is: the service tells the right region.
const REGION: &str = "us-east-1";

/// A folder of a bucket.
struct Bucket {
    environment: Environment,
    limits: Limits,
    bucket: String,
    prefix: String,
    /// Made at the first need, and made anew for another region. What was wrong is not kept.
    session: Mutex<Option<Arc<Session>>>,
}

/// Who asks, and where.
struct Session {
    account: Account,
    region: String,
    url: Url,
    http: Http,
}

/// The folder that `settings` name.
pub(super) fn make(settings: &Settings, environment: &Environment) -> Result<Arc<dyn Destination>> {
    let setting = |name: &str| settings.get(name).cloned().unwrap_or_default();
    let bucket = setting("s3_bucket");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if bucket.len() < 3 || bucket.len() > 63 || !bucket.chars().all(allowed) {
        return Err(Error::new(Kind::Generic, format!("s3_bucket is {bucket:?}, which is no name of a bucket"))
            .because("it has 3 to 63 letters, digits, dots and dashes; of an access point, give the alias"));
    }
    let prefix = setting("s3_prefix");
    if prefix.split('/').any(|part| [".", ".."].contains(&part)) {
        return Err(Error::new(Kind::Generic, format!("s3_prefix is {prefix:?}, which is no path of a bucket")));
    }
    Ok(Arc::new(Bucket {
        environment: environment.clone(),
        limits: Limits::of(environment),
        bucket,
        prefix,
        session: Mutex::default(),
    }))
}

impl Bucket {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The session in `region`; without one, in the region that is configured.
    fn session(&self, region: Option<&str>) -> Result<Arc<Session>, Refusal> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let fits =
            |session: &Arc<Session>| session.account.is_fresh() && region.is_none_or(|region| session.region == region);
        if let Some(session) = session.as_ref().filter(|session| fits(session)) {
            return Ok(Arc::clone(session));
        }
        let made = Arc::new(wait_for(self.connect(region))??);
        *session = Some(Arc::clone(&made));
        Ok(made)
    }

    async fn connect(&self, region: Option<&str>) -> Result<Session, Refusal> {
        let region = match region {
            Some(region) => region.to_owned(),
            None => configured_region().await.unwrap_or_else(|| REGION.to_owned()),
        };
        let wanted = Wanted { profile: String::new(), role: String::new(), region: region.clone() };
        let account = Account::find(&self.environment, &wanted).await?;
        let of_s3 = self.environment.get_filled("AWS_ENDPOINT_URL_S3");
        let endpoint = of_s3.map(|url| url.to_string_lossy().into_owned());
        let endpoint = endpoint.or_else(|| account.config.endpoint_url().map(str::to_owned));
        let url = match endpoint {
            // Servers at an address of their own have no name for each bucket.
            Some(endpoint) => format!("{}/{}", endpoint.trim_end_matches('/'), self.bucket),
            None => amazon(
                &self.bucket,
                &region,
                account.config.use_fips().unwrap_or_default(),
                account.config.use_dual_stack().unwrap_or_default(),
            ),
        };
        let url = Url::parse(&url).map_err(|error| Refusal::new(format!("{url} is no address: {error}")))?;
        let http = Http::new(self.limits, &url, |builder| Ok(account.trust(builder)))?;
        Ok(Session { account, region, url, http })
    }

    /// Sends a request for `key`: with a body a write, without one a read. A bucket in another region is asked there.
    fn ask(&self, key: &str, body: Option<&[u8]>) -> Result<(Reply, Arc<Session>), Refusal> {
        let session = self.session(None)?;
        let reply = self.send(&session, key, body)?;
        let region = reply.headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
        match region {
            Some(region) if region != session.region && [301, 307, 400].contains(&reply.status.as_u16()) => {
                let region = region.to_owned();
                trace::note(|| format!("the bucket {} is in {region}", self.bucket));
                let session = self.session(Some(&region))?;
                Ok((self.send(&session, key, body)?, session))
            }
            _ => Ok((reply, session)),
        }
    }

    fn send(&self, session: &Session, key: &str, body: Option<&[u8]>) -> Result<Reply, Refusal> {
        let mut url = session.url.clone();
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{path}/{}", encoded(key)));
        let method = if body.is_some() { Method::PUT } else { Method::GET };
        let bytes = body.unwrap_or_default();
        let timeout = self.limits.for_body(bytes);
        let sending = async {
            let provider = session.account.config.credentials_provider();
            let provider = provider.ok_or_else(|| Refusal::without_identity("no AWS credentials"))?;
            let credentials = provider.provide_credentials().await;
            let credentials = credentials.map_err(|error| Refusal::without_identity(error.to_string()))?;
            // Object Lock wants one, and the service checks it.
            let checksum = body.map(|body| STANDARD.encode(Sha256::digest(body)));
            let headers: Vec<(&str, &str)> =
                checksum.iter().map(|checksum| ("x-amz-checksum-sha256", checksum.as_str())).collect();
            let mut settings = SigningSettings::default();
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            let identity = credentials.into();
            let parameters = SigningParams::builder()
                .identity(&identity)
                .region(&session.region)
                .name("s3")
                .time(SystemTime::now())
                .settings(settings)
                .build();
            let signed = parameters.ok().and_then(|parameters| {
                let signable = SignableRequest::new(
                    method.as_str(),
                    url.as_str(),
                    headers.iter().copied(),
                    SignableBody::Bytes(bytes),
                );
                sign(signable.ok()?, &parameters.into()).ok()
            });
            let signed = signed.ok_or_else(|| Refusal::new("the request cannot be signed"))?.into_parts().0;
            let (signature, _) = signed.into_parts();
            let reply = session.http.send(|client| {
                let mut request = client.request(method.clone(), url.clone()).timeout(timeout);
                for (name, value) in headers.iter().copied().chain(signature.iter().map(|h| (h.name(), h.value()))) {
                    request = request.header(name, value);
                }
                request.body(bytes.to_vec())
            });
            reply.await
        };
        wait_for(sending)?.map_err(|refusal| refusal.with(&session.account.identity))
    }
}

impl Destination for Bucket {
    fn keeps(&self) -> Kept {
        Kept::File
    }

    fn address(&self, name: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(name))
    }

    fn read(&self, name: &str) -> Result<There, Refusal> {
        let (reply, session) = self.ask(&self.key(name), None)?;
        if did(&reply) {
            was("read", &self.address(name), &session.account.identity);
            return Ok(There::This(SecretBytes::from(reply.body.to_vec())));
        }
        match (reply.status.as_u16(), code(&reply.body).as_deref()) {
            (404, Some("NoSuchKey")) => Ok(There::Nothing),
            // To whoever may not list the bucket, what is not there is forbidden.
            (403, Some("AccessDenied")) => Ok(There::Unreadable(self.refused(&reply, &session).why().to_owned())),
            _ => Err(self.refused(&reply, &session)),
        }
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Refusal> {
        let (reply, session) = self.ask(&self.key(name), Some(content))?;
        if did(&reply) {
            was("written", &self.address(name), &session.account.identity);
            return Ok(());
        }
        Err(self.refused(&reply, &session))
    }
}

impl Bucket {
    /// Why the service did not do it.
    fn refused(&self, reply: &Reply, session: &Session) -> Refusal {
        let status = reply.status;
        let identity = &session.account.identity;
        let Some(code) = code(&reply.body) else {
            return Refusal::strange("S3", status, &reply.body)
                .with(identity)
                .hint("do AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 and the proxy variables lead to S3?");
        };
        let message = element(&reply.body, "Message").unwrap_or_else(|| "no reason was given".to_owned());
        let refusal = Refusal::new(format!("it answered {} {code}: {message}", status.as_u16())).with(identity);
        let bucket = &self.bucket;
        match code.as_str() {
            "NoSuchBucket" => {
                refusal.hint(format!("make it, or name another one in the rule: aws s3 mb s3://{bucket}"))
            }
            "AccessDenied" | "AllAccessDisabled" => refusal
                .hint(format!("the identity needs s3:PutObject, and better s3:GetObject, on arn:aws:s3:::{bucket}/*")),
            other => match hint_for(other, &message) {
                Some(hint) => refusal.hint(hint),
                None => refusal,
            },
        }
    }
}

/// Whether S3 did what it was asked: whoever answers with some page is no S3.
fn did(reply: &Reply) -> bool {
    reply.status.is_success() && reply.headers.contains_key("etag")
}

/// The address of a bucket of Amazon's.
fn amazon(bucket: &str, region: &str, fips: bool, dual_stack: bool) -> String {
    let fips = if fips { "-fips" } else { "" };
    let dual = if dual_stack { ".dualstack" } else { "" };
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    let host = format!("s3{fips}{dual}.{region}.amazonaws.com{china}");
    // The certificate for all buckets is none for those with a dot in their names.
    if bucket.contains('.') { format!("https://{host}/{bucket}") } else { format!("https://{bucket}.{host}") }
}

/// The code of an error.
fn code(body: &[u8]) -> Option<String> {
    element(body, "Code").filter(|code| !code.is_empty() && code.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// The text of the first element called `name` of the XML in which errors are told.
fn element(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(entities.iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c)))
}

/// A key as it stands in a URL: all but letters, digits and a few marks in percent signs, slashes kept.
fn encoded(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_sops_and_keys_are_encoded() {
        let of = |prefix: &str| {
            let settings = [("s3_bucket", "buck.et"), ("s3_prefix", prefix)].map(|(a, b)| (a.to_owned(), b.to_owned()));
            make(&settings.into_iter().collect(), &Environment::default()).unwrap().address("x/y.yaml")
        };
        // The prefix is no folder: sops puts nothing between.
        assert_eq!(
            (of("app/"), of("app-"), of("")),
            (
                "s3://buck.et/app/x/y.yaml".to_owned(),
                "s3://buck.et/app-x/y.yaml".to_owned(),
                "s3://buck.et/x/y.yaml".to_owned()
            )
        );
        assert_eq!(encoded("a b/\u{e9}+%~.yaml"), "a%20b/%C3%A9%2B%25~.yaml");
        for wrong in ["a", "arn:aws:s3:us-east-1:1:accesspoint/x", "a/b/c"] {
            let settings = [("s3_bucket".to_owned(), wrong.to_owned())].into_iter().collect();
            assert!(make(&settings, &Environment::default()).err().unwrap().message().contains("no name of a bucket"));
        }
    }

    /// <https://docs.aws.amazon.com/general/latest/gr/s3.html>
    #[test]
    fn buckets_are_where_amazon_has_them() {
        for (bucket, region, fips, dual, url) in [
            ("b-1", "eu-west-1", false, false, "https://b-1.s3.eu-west-1.amazonaws.com"),
            ("b.1", "eu-west-1", false, false, "https://s3.eu-west-1.amazonaws.com/b.1"),
            ("b-1", "us-east-1", true, false, "https://b-1.s3-fips.us-east-1.amazonaws.com"),
            ("b-1", "us-east-1", true, true, "https://b-1.s3-fips.dualstack.us-east-1.amazonaws.com"),
            ("b-1", "us-east-1", false, true, "https://b-1.s3.dualstack.us-east-1.amazonaws.com"),
            ("b-1", "cn-north-1", false, false, "https://b-1.s3.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(amazon(bucket, region, fips, dual), url);
        }
    }

    #[test]
    fn errors_are_told_in_xml() {
        let body =
            b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>a &lt;b&gt; &amp;amp;</Message></Error>";
        assert_eq!(code(body).as_deref(), Some("NoSuchKey"));
        assert_eq!(element(body, "Message").as_deref(), Some("a <b> &amp;"));
        assert_eq!(code(b"<html><Code>a b</Code>"), None);
    }
}
