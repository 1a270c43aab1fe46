//! The certificate authorities that servers are checked by.

use super::Refusal;
use crate::key::Environment;
use crate::key::named::check_path;
use rustls::RootCertStore;
use rustls_native_certs::{CertificateResult, ErrorKind, load_certs_from_paths, load_native_certs};
use std::ffi::OsStr;
use std::path::Path;

const FILE: &str = "SSL_CERT_FILE";
const FOLDER: &str = "SSL_CERT_DIR";

/// Where Go looks for more than a file says, which it reads beside `SSL_CERT_FILE`.
const FOLDERS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// The variables that make the libraries of all services check by the authorities that sops checks by: `SSL_CERT_FILE`
/// alone adds to those of the system.
pub(crate) fn authorities(environment: &Environment) -> Option<(&'static str, Option<String>)> {
    environment.get_filled(FILE)?;
    let folders: Vec<_> = FOLDERS.into_iter().filter(|folder| Path::new(folder).is_dir()).collect();
    let is_needed = environment.get_filled(FOLDER).is_none() && !folders.is_empty();
    let folders = std::env::join_paths(folders).ok()?.into_string().ok()?;
    is_needed.then_some((FOLDER, Some(folders)))
}

/// Whether there are authorities: those that the environment of this process names, else those of the system. Every
/// library reads them for itself, and says of none no more than that there are none, or gives up the whole program.
///
/// # Errors
/// When there is none, with what is wrong.
pub(crate) fn check_authorities() -> Result<(), Refusal> {
    check_named_authorities()?;
    let environment = Environment::of_process();
    let found = load_native_certs();
    match environment.get_filled(FOLDER) {
        _ if has_any(&found) => Ok(()),
        Some(path) => Err(none_there(FOLDER, &path, found)),
        None => Err(Refusal::new("no secure connection: this machine has no certificate authorities")
            .hint(format!("install the package ca-certificates, or name a file of them: {FILE}=ca.pem"))),
    }
}

/// Whether there are authorities in the file that the environment of this process names, if it names one. Those of the
/// system may do as well, but it is what was meant.
///
/// # Errors
/// When there is none, with what is wrong.
pub(crate) fn check_named_authorities() -> Result<(), Refusal> {
    let Some(path) = Environment::of_process().get_filled(FILE) else { return Ok(()) };
    let found = load_certs_from_paths(Some(Path::new(&path)), None);
    if has_any(&found) { Ok(()) } else { Err(none_there(FILE, &path, found)) }
}

fn has_any(found: &CertificateResult) -> bool {
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(found.certs.iter().cloned());
    usable > 0
}

fn none_there(name: &str, path: &OsStr, found: CertificateResult) -> Refusal {
    if let Err(misplaced) = check_path(name, path) {
        return misplaced.into();
    }
    let why = found.errors.into_iter().find_map(|error| match error.kind {
        ErrorKind::Io { inner, .. } => Some(inner),
        _ => None,
    });
    let why = why.map_or_else(|| "holds no certificate in PEM".to_owned(), |why| format!("cannot be read: {why}"));
    Refusal::new(format!("no secure connection: {name}={} {why}", path.display())).hint(format!(
        "name a file of certificate authorities: {FILE}=ca.pem; or take those of the system: unset {name}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_beside_those_of_the_system() {
        let of = |variables: &[(&str, &str)]| {
            authorities(&Environment::of(variables.iter().map(|(name, value)| (*name, (*value).into()))))
        };
        // Other systems than Linux have none.
        let has_folders = FOLDERS.into_iter().any(|folder| Path::new(folder).is_dir());
        let added = of(&[(FILE, "ca.pem"), (FOLDER, "")]);
        assert_eq!(added.is_some(), has_folders);
        for folder in added.iter().flat_map(|(_, folders)| std::env::split_paths(folders.as_deref().unwrap())) {
            assert!(folder.is_dir(), "{}", folder.display());
        }
        assert_eq!(of(&[(FILE, "ca.pem"), (FOLDER, "/x")]), None);
        assert_eq!(of(&[(FILE, "")]), None);
        assert_eq!(of(&[(FOLDER, "/x")]), None);
    }
}
