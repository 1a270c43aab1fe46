//! A PostgreSQL database, with the table of sops.

use super::{Record, Sink};
use crate::error::{Error, Kind, Result};
use crate::event::Action;
use crate::key::remote::{Limits, Refusal, cause, wait_for};
use crate::sys::{Environment, name_of_host};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io::ErrorKind::WouldBlock;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

/// A database. It is connected to at the first record.
pub(super) struct Database {
    config: Config,
    tls: Tls,
    client: Mutex<Option<Client>>,
}

/// How the server is known.
#[derive(Debug, PartialEq, Eq)]
struct Tls {
    checks: Checks,
    root: Option<String>,
    certificate: Option<(String, String)>,
}

/// What is checked of the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checks {
    Nothing,
    Authority,
    All,
}

impl Database {
    /// The database of a connection string as sops' library has it: a URL, or names and values.
    pub(super) fn new(connection: &str) -> std::result::Result<Self, String> {
        let Parts { rest, tls: ssl, options } = split(connection)?;
        let mut config: Config =
            rest.parse().map_err(|_| "a connection_string of postgres is none of PostgreSQL's".to_owned())?;
        if !options.is_empty() {
            config.options([config.get_options().unwrap_or_default(), &options].join(" "));
        }
        let setting = |name: &str| ssl.get(name).filter(|value| !value.is_empty()).map(|value| value.to_string());
        let root = setting("sslrootcert");
        let (mode, checks) = match ssl.get("sslmode").map(|mode| mode.as_str()).unwrap_or("require") {
            "disable" => (SslMode::Disable, Checks::Nothing),
            "allow" | "prefer" => (SslMode::Prefer, Checks::Nothing),
            // As in sops' library: whoever names an authority wants it checked.
            "require" if root.is_some() => (SslMode::Require, Checks::Authority),
            "require" => (SslMode::Require, Checks::Nothing),
            "verify-ca" => (SslMode::Require, Checks::Authority),
            "verify-full" => (SslMode::Require, Checks::All),
            other => return Err(format!("sslmode={other} of a connection_string is not known")),
        };
        let certificate = setting("sslcert").zip(setting("sslkey"));
        if config.get_hosts().is_empty() {
            // The library wants a name as well, for TLS.
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        if config.get_hosts().is_empty() {
            config.host("localhost");
        }
        // A socket of this machine has no TLS: as in sops' library.
        let is_socket = config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_)));
        config.ssl_mode(if is_socket { SslMode::Disable } else { mode });
        if config.get_application_name().is_none() {
            config.application_name("leafcrypt");
        }
        Ok(Database { config, tls: Tls { checks, root, certificate }, client: Mutex::default() })
    }

    async fn connect(&self, limits: &Limits) -> std::result::Result<Client, Refusal> {
        let mut config = self.config.clone();
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(limits.connect);
        }
        let tls = MakeRustlsConnect::new(self.tls.client()?);
        let (client, connection) = config.connect(tls).await.map_err(|error| refused(&error))?;
        tokio::spawn(async move {
            // How it ends, whoever asks next is told.
            let _ = connection.await;
        });
        Ok(client)
    }

    async fn insert(client: &Client, record: &Record<'_>) -> std::result::Result<(), tokio_postgres::Error> {
        let statement = "INSERT INTO audit_event (action, username, file) VALUES ($1, $2, $3)";
        client.execute(statement, &[&record.action, &record.username, &record.file]).await.map(drop)
    }

    async fn record(&self, client: &mut Option<Client>, record: &Record<'_>) -> std::result::Result<(), Refusal> {
        let limits = Limits::of(&Environment::of_process());
        let writing = async {
            if let Some(open) = client.as_ref().filter(|client| !client.is_closed()) {
                match Self::insert(open, record).await {
                    // The server may have closed it just now; nothing was recorded then.
                    Err(error) if error.is_closed() => {}
                    done => return done.map_err(|error| refused(&error)),
                }
            }
            let open = client.insert(self.connect(&limits).await?);
            Self::insert(open, record).await.map_err(|error| refused(&error))
        };
        if let Ok(done) = tokio::time::timeout(limits.in_all(), writing).await {
            return done;
        }
        let is_connected = client.as_ref().is_some_and(|client| !client.is_closed());
        if !is_connected && tokio::time::timeout(limits.connect, self.is_another()).await.ok().flatten() == Some(true) {
            return Err(Refusal::new("its answer is none of PostgreSQL, but that of another service").hint(IS_IT_ONE));
        }
        Err(Refusal::late())
    }

    /// Whether something else answers in the place of a server that was not logged in to in time. It is asked what every
    /// PostgreSQL answers with a letter, whether it speaks TLS; and told an end of the line, since others, such as
    /// servers of HTTP, say nothing before they have a whole one.
    async fn is_another(&self) -> Option<bool> {
        const QUESTION: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f\r\n\r\n";
        let Host::Tcp(name) = self.config.get_hosts().first()? else { return None };
        let name = self.config.get_hostaddrs().first().map_or_else(|| name.clone(), ToString::to_string);
        let stream = TcpStream::connect((name, self.port())).await.ok()?;
        stream.writable().await.ok()?;
        stream.try_write(QUESTION).ok()?;
        let mut answer = [0];
        loop {
            stream.readable().await.ok()?;
            match stream.try_read(&mut answer) {
                Ok(length) => return Some(length == 1 && !b"SNE".contains(&answer[0])),
                Err(error) if error.kind() == WouldBlock => {}
                Err(_) => return None,
            }
        }
    }

    fn port(&self) -> u16 {
        self.config.get_ports().first().copied().unwrap_or(5432)
    }
}

impl Sink for Database {
    /// Without the password.
    fn shown(&self) -> String {
        // There is one, by the time that a database is made.
        let host = self.config.get_hosts().first().map(name_of_host).unwrap_or_default();
        format!("PostgreSQL at {host}:{}/{}", self.port(), self.config.get_dbname().unwrap_or_default())
    }

    /// Those that sops makes, so that a table means the same whoever writes to it.
    fn takes(&self, action: Action) -> bool {
        action != Action::UpdateKeys
    }

    fn write(&self, record: &Record<'_>) -> Result<()> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let done = wait_for(self.record(&mut client, record)).and_then(|done| done);
        done.map_err(|refusal| {
            let why = refusal.why().to_owned();
            refusal.hints().iter().fold(Error::new(Kind::Generic, why), |error, hint| error.hint(hint))
        })
    }
}

fn refused(error: &tokio_postgres::Error) -> Refusal {
    let Some(said) = error.as_db_error() else { return unserved(error) };
    let refusal = Refusal::new(format!("it answered {}: {}", said.code().code(), said.message()));
    match said.code().code() {
        "28P01" | "28000" => refusal.hint("is the password of the connection_string right? see pg_hba.conf as well"),
        "3D000" => refusal.hint("make the database: createdb NAME"),
        "42P01" => refusal.hint("make the table: docs/audit.md has it"),
        "42501" => refusal.hint("GRANT INSERT ON audit_event TO …; GRANT USAGE ON audit_event_id_seq TO …"),
        _ => refusal,
    }
}

/// Why there is no answer of a database. The library tells kinds of failures apart by their words alone.
fn unserved(error: &tokio_postgres::Error) -> Refusal {
    let chain = || std::iter::successors(error.source(), |error| (*error).source());
    let words = chain().last().map_or_else(|| error.to_string(), ToString::to_string);
    let of_the_way = |error: &(dyn StdError + 'static)| {
        let io = error.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.raw_os_error().is_some() || io.kind() == std::io::ErrorKind::UnexpectedEof)
            || io.and_then(|io| io.get_ref()).is_some_and(|held| held.is::<rustls::Error>())
    };
    match &*error.to_string() {
        "connection closed" => cause(&std::io::Error::from(std::io::ErrorKind::UnexpectedEof)),
        "error performing TLS handshake" if words == "server does not support TLS" => {
            Refusal::new("no secure connection: it speaks no TLS, or is no PostgreSQL")
                .hint("sslmode=disable in the connection_string does without, where nobody else is on the way")
        }
        "error performing TLS handshake" => {
            let refusal = cause(error);
            let unknown = refusal.why().contains("certificate");
            if unknown { Refusal::new(refusal.why()).hint(ROOT) } else { refusal }
        }
        "authentication error" | "invalid configuration" => Refusal::new(format!("it cannot be logged in to: {words}"))
            .hint("the connection_string needs a user and a password; pg_hba.conf says how it is asked for"),
        "error connecting to server" => cause(error),
        _ if chain().any(of_the_way) => cause(error),
        _ => Refusal::new(format!("its answer is none of PostgreSQL: {words}")).hint(IS_IT_ONE),
    }
}

const IS_IT_ONE: &str = "do host and port of the connection_string lead to PostgreSQL?";

/// Where the authority of a server is named, which is not the place of other services.
const ROOT: &str = "name the file of its certificate authority in the connection_string: sslrootcert=ca.pem";

type Settings = BTreeMap<String, Zeroizing<String>>;

/// What a connection string is made of.
#[derive(Default)]
struct Parts {
    /// What the library knows.
    rest: Zeroizing<String>,
    /// What is about TLS, of which the library knows less.
    tls: Settings,
    /// Settings of the session, as the server's command line has them: any other name is one, for sops' library.
    options: String,
}

/// What this library knows.
const KNOWN: [&str; 18] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];
/// What sops' library knows, and what has no meaning here.
const THEIRS: [&str; 5] =
    ["binary_parameters", "disable_prepared_binary_result", "fallback_application_name", "krbspn", "krbsrvname"];

impl Parts {
    /// Takes a setting, unless it belongs to the rest.
    fn take(&mut self, name: &str, value: impl FnOnce() -> Zeroizing<String>) -> bool {
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
        if KNOWN.contains(&name) || name.is_empty() || !is_name {
            return false;
        }
        if name.starts_with("ssl") {
            self.tls.insert(name.to_owned(), value());
        } else if !THEIRS.contains(&name) {
            let escaped = value().replace('\\', "\\\\").replace(' ', "\\ ");
            self.options.push_str(&format!("-c {name}={escaped} "));
        }
        true
    }
}

/// Takes a connection string apart.
fn split(connection: &str) -> std::result::Result<Parts, String> {
    let mut parts = Parts::default();
    if connection.starts_with("postgres://") || connection.starts_with("postgresql://") {
        let (address, query) = connection.split_once('?').unwrap_or((connection, ""));
        parts.rest = Zeroizing::new(String::with_capacity(connection.len() + 1));
        parts.rest.push_str(address);
        let mut mark = '?';
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if !pair.split_once('=').is_some_and(|(name, value)| parts.take(name, || decoded(value))) {
                parts.rest.push(mark);
                parts.rest.push_str(pair);
                mark = '&';
            }
        }
        return Ok(parts);
    }
    parts.rest = Zeroizing::new(String::with_capacity(2 * connection.len() + 64));
    let mut text = connection.trim();
    while !text.is_empty() {
        let none = || "a connection_string of postgres is neither a URL nor name=value".to_owned();
        let (name, behind) = text.split_once('=').ok_or_else(none)?;
        let (value, behind) = value(behind.trim_start()).ok_or_else(none)?;
        let name = name.trim();
        if !parts.take(name, || value.clone()) {
            let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
            parts.rest.push_str(&format!("{name}='{quoted}' "));
        }
        text = behind.trim_start();
    }
    Ok(parts)
}

/// The value at the beginning, perhaps in quotes, and what stands behind it.
fn value(text: &str) -> Option<(Zeroizing<String>, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.push(chars.next()?.1),
            '\'' if quoted => return Some((value, &text[at + 1..])),
            c if c.is_whitespace() && !quoted => return Some((value, &text[at..])),
            c => value.push(c),
        }
    }
    (!quoted).then_some((value, ""))
}

/// A text out of a URL.
fn decoded(text: &str) -> Zeroizing<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match code.filter(|_| byte == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = &behind[2..];
            }
            None => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
}

impl Tls {
    fn client(&self) -> std::result::Result<ClientConfig, Refusal> {
        let provider = Arc::new(ring::default_provider());
        let unusable = |error: rustls::Error| Refusal::new(format!("TLS cannot be set up: {error}"));
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(unusable)?;
        let authorities = || -> std::result::Result<Arc<WebPkiServerVerifier>, Refusal> {
            let mut roots = RootCertStore::empty();
            let found = match &self.root {
                Some(file) => read(file)?,
                None => rustls_native_certs::load_native_certs().certs,
            };
            roots.add_parsable_certificates(found);
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().map_err(
                |error| Refusal::new(format!("there is no authority to check the server by: {error}")).hint(ROOT),
            )
        };
        let verifier: Arc<dyn ServerCertVerifier> = match self.checks {
            Checks::All => authorities()?,
            Checks::Authority => Arc::new(Lenient { authorities: Some(authorities()?), provider }),
            Checks::Nothing => Arc::new(Lenient { authorities: None, provider }),
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let Some((certificate, key)) = &self.certificate else { return Ok(builder.with_no_client_auth()) };
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|_| Refusal::new(format!("sslkey={key} cannot be read, or is no key in PEM")))?;
        builder.with_client_auth_cert(read(certificate)?, secret).map_err(unusable)
    }
}

fn read(file: &str) -> std::result::Result<Vec<CertificateDer<'static>>, Refusal> {
    let found: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).and_then(|certificates| certificates.collect());
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| Refusal::new(format!("{file} cannot be read, or holds no certificate in PEM")))
}

/// `sslmode=require` and `verify-ca`: what is asked for is no proof of a name.
#[derive(Debug)]
struct Lenient {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        match authorities.verify_server_cert(end, between, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings_are_those_of_sops() {
        let of = |text: &str| Database::new(text).map(|database| (database.shown(), database.tls, database.config));
        let (shown, tls, config) = of("postgres://sops:hunter2@db.example:5433/audit?sslmode=verify-full").unwrap();
        assert_eq!((shown.as_str(), tls.checks), ("PostgreSQL at db.example:5433/audit", Checks::All));
        assert_eq!((config.get_user(), config.get_password()), (Some("sops"), Some(b"hunter2".as_slice())));
        let (shown, tls, config) =
            of("host=/run/pg user = 'a b' password='it\\'s \\\\' dbname=x sslmode=disable").unwrap();
        assert!(shown == "PostgreSQL at /run/pg:5432/x" && tls.checks == Checks::Nothing, "{shown}");
        assert_eq!((config.get_user(), config.get_password()), (Some("a b"), Some(b"it's \\".as_slice())));
        // TLS is wanted when nothing is said, and checked when an authority is named.
        let (shown, tls, config) = of("user=x dbname=y").unwrap();
        assert_eq!((shown.as_str(), config.get_ssl_mode()), ("PostgreSQL at localhost:5432/y", SslMode::Require));
        assert_eq!(tls, Tls { checks: Checks::Nothing, root: None, certificate: None });
        let (_, tls, _) = of("postgres://h/d?sslrootcert=%2Fca.pem&connect_timeout=3&sslcert=c&sslkey=k").unwrap();
        let certificate = Some(("c".to_owned(), "k".to_owned()));
        assert_eq!(tls, Tls { checks: Checks::Authority, root: Some("/ca.pem".to_owned()), certificate });
        // Settings of the session, what only sops' library knows, and the ways without TLS.
        for text in [
            "host=/run/pg search_path='a b' options='-c x=y' binary_parameters=yes",
            "postgres:///?host=%2Frun%2Fpg&search_path=a%20b&options=-c%20x%3Dy&fallback_application_name=z",
        ] {
            let (_, _, config) = of(text).unwrap();
            assert_eq!(config.get_options().map(str::trim), Some("-c x=y -c search_path=a\\ b"));
            assert_eq!(config.get_ssl_mode(), SslMode::Disable);
        }
        let (_, _, config) = of("hostaddr=127.0.0.1 user=x").unwrap();
        assert_eq!((config.get_hosts().len(), config.get_ssl_mode()), (1, SslMode::Require));
        for wrong in ["x", "host='a", "host=a sslmode=nope", "postgres://h:x/", "no-pe=1"] {
            assert!(Database::new(wrong).is_err(), "{wrong}");
        }
    }
}
