//! The certificate authorities that servers are checked by.

use super::Refusal;
use crate::key::Environment;
use crate::key::named::check_path;
use rustls::RootCertStore;
use rustls_native_certs::{CertificateResult, ErrorKind, load_native_certs};
use std::io;
use std::path::Path;

const FILE: &str = "SSL_CERT_FILE";
const FOLDER: &str = "SSL_CERT_DIR";

/// Whether there are authorities: those that the environment of this process names, else those of the system. Every
/// library reads them for itself, and says of none no more than that there are none, or gives up the whole program.
///
/// # Errors
/// When there is none, with what is wrong.
pub(crate) fn check_authorities() -> Result<(), Refusal> {
    let CertificateResult { certs, errors, .. } = load_native_certs();
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(certs);
    if usable > 0 {
        return Ok(());
    }
    let why = errors.into_iter().find_map(|error| match error.kind {
        ErrorKind::Io { inner, .. } => Some(inner),
        _ => None,
    });
    let environment = Environment::of_process();
    let named = [FILE, FOLDER].into_iter().find_map(|name| Some((name, environment.get_filled(name)?)));
    Err(match named {
        Some((name, path)) => {
            check_path(name, &path)?;
            none_there(name, Path::new(&path), why.as_ref())
        }
        None => Refusal::new("no secure connection: this machine has no certificate authorities")
            .hint(format!("install the package ca-certificates, or name a file of them: {FILE}=ca.pem")),
    })
}

fn none_there(name: &str, path: &Path, why: Option<&io::Error>) -> Refusal {
    let why = why.map_or_else(|| "holds no certificate in PEM".to_owned(), |why| format!("cannot be read: {why}"));
    Refusal::new(format!("no secure connection: {name}={} {why}", path.display())).hint(format!(
        "name a file of certificate authorities: {FILE}=ca.pem; or take those of the system: unset {name}"
    ))
}
