//! The signature of a request: `SDK-HMAC-SHA256`.
//!
//! Source: <https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html>.

use super::credentials::Credentials;
use ring::hmac;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// A request to be signed.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// Sorted and encoded, without its question mark.
    pub(super) query: &'a str,
    /// In lower case, sorted by name; with `x-sdk-date`.
    pub(super) headers: &'a [(&'a str, String)],
    pub(super) body: &'a [u8],
}

/// The value of the header `Authorization`.
pub(super) fn authorization(request: &Request<'_>, credentials: &Credentials, date: &str) -> String {
    let slash = if request.path.ends_with('/') { "" } else { "/" };
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut canonical = format!("{}\n{}{slash}\n{}\n", request.method, request.path, request.query);
    for (name, value) in request.headers {
        let _ = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _ = write!(canonical, "\n{names}\n{}", hex(&Sha256::digest(request.body)));
    let text = format!("SDK-HMAC-SHA256\n{date}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let key = hmac::Key::new(hmac::HMAC_SHA256, credentials.secret.as_bytes());
    let signature = hex(hmac::sign(&key, text.as_bytes()).as_ref());
    format!("SDK-HMAC-SHA256 Access={}, SignedHeaders={names}, Signature={signature}", credentials.access)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
