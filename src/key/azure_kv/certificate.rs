//! An application's certificate: it signs who the application is.
//!
//! Microsoft's library does this through OpenSSL alone, which would be a second library for all of TLS.
//! Source: <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>.

use super::Refusal;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use x509_cert::der::Decode as _;
use zeroize::Zeroizing;

/// So long is a signed statement good, in seconds.
const LIFE: i64 = 600;

/// A certificate with its key.
pub(super) struct Certificate {
    key: RsaKeyPair,
    thumbprint: String,
    client: String,
    audience: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate")
    }
}

impl Certificate {
    /// Reads a PEM file with a certificate and its RSA key. Others may be in it: those of authorities.
    pub(super) fn read(path: &Path, client: &str, audience: String) -> Result<Self, Refusal> {
        let name = format!("AZURE_CLIENT_CERTIFICATE_PATH={}", path.display());
        let unusable = |why: &str| {
            Refusal::without_identity(format!("{name}: {why}"))
                .hint("it has to be PEM, with the key and without a passphrase: openssl pkcs12 -in cert.pfx -nodes -out cert.pem")
        };
        let pem =
            std::fs::read(path).map(Zeroizing::new).map_err(|error| unusable(&format!("cannot be read: {error}")))?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
        if certificates.is_empty() {
            return Err(unusable("holds no certificate"));
        }
        let key = match PrivateKeyDer::from_pem_slice(&pem) {
            Ok(PrivateKeyDer::Pkcs8(key)) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(key)) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(unusable("holds no private key")),
        };
        let key = key.map_err(|_| unusable("its private key is none of RSA, or damaged"))?;
        let certificate = certificates.iter().find(|certificate| is_of(certificate, &key));
        let certificate = certificate.ok_or_else(|| unusable("holds no certificate of its private key"))?;
        let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(certificate));
        Ok(Certificate { key, thumbprint, client: client.to_owned(), audience })
    }

    /// A signed statement of who the application is.
    fn sign(&self) -> Option<String> {
        let now = jiff::Timestamp::now().as_second();
        let mut id = [0; 16];
        getrandom::fill(&mut id).ok()?;
        let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = encode(json!({ "alg": "RS256", "typ": "JWT", "x5t#S256": self.thumbprint }));
        let claims = encode(json!({
            "aud": self.audience, "iss": self.client, "sub": self.client,
            "jti": URL_SAFE_NO_PAD.encode(id), "nbf": now, "exp": now + LIFE,
        }));
        let text = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
        Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Whether `certificate` says that `key` is its owner's.
fn is_of(certificate: &[u8], key: &RsaKeyPair) -> bool {
    let read = x509_cert::Certificate::from_der(certificate);
    read.is_ok_and(|read| {
        let public = &read.tbs_certificate.subject_public_key_info.subject_public_key;
        public.as_bytes() == Some(key.public().as_ref())
    })
}

#[async_trait::async_trait]
impl ClientAssertion for Certificate {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.sign().ok_or_else(|| {
            azure_core::Error::with_message(
                azure_core::error::ErrorKind::Credential,
                "the certificate's key does not sign",
            )
        })
    }
}
