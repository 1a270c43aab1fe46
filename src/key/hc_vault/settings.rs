//! The settings of Vault's own client that the environment holds.

use super::Refusal;
use crate::key::Environment;
use crate::key::named::check_path;
use crate::key::remote::{Http, Limits, RETRIES, address, certificates_in, is_loopback};
use reqwest::{Certificate, ClientBuilder, Identity, Proxy, Url, redirect};
use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// Which servers may be asked: `all`, `none`, or their addresses between commas.
const ALLOWLIST: &str = "SOPS_HC_VAULT_ALLOWLIST";

/// Reads the variable `VAULT_NAME`, or `BAO_NAME` when there is none, as `bao` does it.
pub(super) fn variable(environment: &Environment, name: &str) -> Option<(String, OsString)> {
    ["VAULT_", "BAO_"].iter().find_map(|prefix| {
        let name = format!("{prefix}{name}");
        environment.get_filled(&name).map(|value| (name, value))
    })
}

/// The same as text.
pub(super) fn text(environment: &Environment, name: &str) -> Option<String> {
    variable(environment, name)?.1.into_string().ok()
}

/// What a variable says that `read` understands. As in Vault's client, one that says something else is an error.
fn setting<T>(
    environment: &Environment,
    name: &str,
    form: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let Some((name, value)) = variable(environment, name) else { return Ok(None) };
    let value = value.to_string_lossy();
    let wrong = || Refusal::new(format!("{name}={value} is no {form}"));
    read(&value).map(Some).ok_or_else(wrong)
}

/// Whether a variable says yes, by the rules of Go.
fn is_set(environment: &Environment, name: &str) -> Result<bool, Refusal> {
    let read = |text: &str| match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    };
    setting(environment, name, "true or false", read).map(Option::unwrap_or_default)
}

/// Whether the server at `address` may be asked. A file says which server its key is on, and whoever wrote
/// it gets to see the token of those who open it: hence the list.
pub(super) fn check_allowed(environment: &Environment, address: &str) -> Result<(), Refusal> {
    let list = environment.get_filled(ALLOWLIST).map(|list| list.to_string_lossy().into_owned());
    let origin = |text: &str| Url::parse(text.trim()).map(|url| url.origin()).ok().filter(|origin| origin.is_tuple());
    let allowed = match list.as_deref().map(str::trim) {
        None | Some("all") => true,
        Some("none") => false,
        Some(list) => {
            let asked = origin(address);
            asked.is_some() && list.split(',').any(|allowed| origin(allowed) == asked)
        }
    };
    if allowed {
        return Ok(());
    }
    Err(Refusal::new(format!("{ALLOWLIST} does not allow this server, so it was not asked"))
        .hint(format!("if you trust it: {ALLOWLIST}={address}")))
}

/// Where requests to the server at `address` go, and how.
pub(super) struct Route {
    /// The server, or the agent that stands before it.
    pub(super) url: Url,
    /// The name in the `Host` header, when it is not that of the URL.
    pub(super) host: Option<String>,
    /// The client.
    pub(super) http: Http,
}

impl Route {
    /// The route to `address`.
    pub(super) fn new(environment: &Environment, address: &str) -> Result<Self, Refusal> {
        let agent = text(environment, "AGENT_ADDR");
        let target = agent.as_deref().unwrap_or(address);
        let unusable = |why: &str| Refusal::new(format!("{target} is no address of a server: {why}"));
        let mut url = Url::parse(target).map_err(|error| unusable(&error.to_string()))?;
        if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
            return Err(unusable("it is neither http nor https"));
        }
        let limits = limits(environment)?;
        let asked = url.clone();
        let mut host = None;
        let mut named = None;
        if let Some(name) = text(environment, "TLS_SERVER_NAME").filter(|_| url.scheme() == "https") {
            host = Some(url.authority().to_owned());
            named = Some((name.clone(), addresses(&url)?));
            url.set_host(Some(&name)).map_err(|_| Refusal::new("VAULT_TLS_SERVER_NAME is no name of a server"))?;
        }
        let http = Http::new(limits, &asked, |builder| {
            let builder = certificates(environment, proxied(environment, redirects(environment, builder)?)?)?;
            Ok(match &named {
                Some((name, addresses)) => builder.resolve_to_addrs(name, addresses),
                None => builder,
            })
        })?;
        Ok(Route { url, host, http })
    }

    /// Whether it leads to a server on this machine: an agent that adds a token of its own, perhaps.
    pub(super) fn is_local(&self) -> bool {
        is_loopback(&self.url)
    }
}

fn limits(environment: &Environment) -> Result<Limits, Refusal> {
    let limits = Limits::of(environment);
    let retries = setting(environment, "MAX_RETRIES", "number", |text| text.parse().ok())?;
    let timeout = setting(environment, "CLIENT_TIMEOUT", "time, such as 30s", duration)?;
    // Nothing is waited for without an end.
    let timeout = timeout.filter(|time| !time.is_zero()).unwrap_or(limits.request);
    Ok(Limits::within(timeout, retries.unwrap_or(RETRIES)))
}

/// A time as Vault's client takes it: seconds, or numbers with a unit.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|c| !is_number(c))?);
        let (unit, behind) = behind.split_at(behind.find(is_number).unwrap_or(behind.len()));
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * unit;
        rest = behind;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Goes by the proxy that is Vault's own.
fn proxied(environment: &Environment, builder: ClientBuilder) -> Result<ClientBuilder, Refusal> {
    let proxy = variable(environment, "PROXY_ADDR").or_else(|| variable(environment, "HTTP_PROXY"));
    let Some((name, proxy)) = proxy else { return Ok(builder) };
    let proxy = proxy.to_str().and_then(address).and_then(|proxy| Proxy::all(proxy).ok());
    Ok(builder.proxy(proxy.ok_or_else(|| Refusal::new(format!("{name} is no address of a proxy")))?))
}

/// A standby server sends its clients on to the active one. The token goes with them, so never from a
/// secure connection to an open one, nor to a server that is not on the list.
fn redirects(environment: &Environment, builder: ClientBuilder) -> Result<ClientBuilder, Refusal> {
    if is_set(environment, "DISABLE_REDIRECTS")? {
        return Ok(builder.redirect(redirect::Policy::none()));
    }
    let environment = environment.clone();
    Ok(builder.redirect(redirect::Policy::custom(move |attempt| {
        let open =
            attempt.previous().last().is_some_and(|from| from.scheme() == "https" && attempt.url().scheme() != "https");
        if open || attempt.previous().len() > 2 || check_allowed(&environment, attempt.url().as_str()).is_err() {
            attempt.stop()
        } else {
            attempt.follow()
        }
    })))
}

/// The certificates that the server's is checked by, and our own.
fn certificates(environment: &Environment, mut builder: ClientBuilder) -> Result<ClientBuilder, Refusal> {
    let mut authorities = Vec::new();
    if let Some((name, file)) = variable(environment, "CACERT") {
        authorities.extend(read_authorities(&name, file.as_ref())?);
    } else if let Some((name, pem)) = variable(environment, "CACERT_BYTES") {
        authorities.extend(certificates_in(&name, pem.to_string_lossy().as_bytes())?);
    } else if let Some((name, folder)) = variable(environment, "CAPATH") {
        check_path(&name, &folder)?;
        let unreadable = |error: std::io::Error| Refusal::new(format!("{name} cannot be read: {error}"));
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(unreadable)?;
        files.sort();
        for file in files.iter().filter(|file| file.is_file()) {
            authorities.extend(read_authorities(&name, file)?);
        }
    }
    if !authorities.is_empty() {
        builder = builder.tls_certs_only(authorities);
    }
    match (variable(environment, "CLIENT_CERT"), variable(environment, "CLIENT_KEY")) {
        (None, None) => {}
        (Some((certificate_name, certificate)), Some((key_name, key))) => {
            let mut pem = read(&key_name, key.as_ref())?;
            pem.push(b'\n');
            pem.extend_from_slice(&read(&certificate_name, certificate.as_ref())?);
            let identity = Identity::from_pem(&pem).map_err(|_| {
                Refusal::new("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are no certificate and key in PEM")
            })?;
            builder = builder.identity(identity);
        }
        _ => return Err(Refusal::new("of VAULT_CLIENT_CERT and VAULT_CLIENT_KEY only one is set; both are needed")),
    }
    if is_set(environment, "SKIP_VERIFY")? {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    Ok(builder)
}

fn read(name: &str, file: &Path) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    check_path(name, file.as_os_str())?;
    let unreadable = |error| Refusal::new(format!("{name}={} cannot be read: {error}", file.display()));
    std::fs::read(file).map(Zeroizing::new).map_err(unreadable)
}

fn read_authorities(name: &str, file: &Path) -> Result<Vec<Certificate>, Refusal> {
    certificates_in(&format!("{name}={}", file.display()), &read(name, file)?)
}

/// Where the server is, to be asked under another name: the one that its certificate is for.
fn addresses(url: &Url) -> Result<Vec<SocketAddr>, Refusal> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let found = (host, url.port_or_known_default().unwrap_or(443)).to_socket_addrs();
    Ok(found.map_err(|error| Refusal::new(format!("{host} was not found: {error}")))?.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_servers_to_the_port() {
        let allowed =
            |list: &str, address: &str| check_allowed(&Environment::of([(ALLOWLIST, list.into())]), address).is_ok();
        assert!(check_allowed(&Environment::default(), "https://v:8200").is_ok());
        for list in ["", "all", "https://v:8200", "https://w, https://v:8200/", "https://V:8200"] {
            assert!(allowed(list, "https://v:8200"), "{list}");
        }
        for list in ["none", "https://v", "http://v:8200", "https://v:82", "v:8200", "v", ","] {
            assert!(!allowed(list, "https://v:8200"), "{list}");
        }
        assert!(!allowed("https://vault.example", "https://vault.example.evil"));
        assert!(!allowed("https://vault.example", "https://vault.example@evil"));
        assert!(allowed("https://v", "https://v:443"));
        assert!(!allowed("x", "x"));
    }

    #[test]
    fn times_are_read_as_vault_reads_them() {
        assert_eq!(duration("5"), Some(Duration::from_secs(5)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("1h1m1.5s"), Some(Duration::from_millis(3_661_500)));
        for wrong in ["x", "-1", "5y", "1h5", "m", "1..5s", "inf", "1e400"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        let limits = |name: &str, value: &str| limits(&Environment::of([(name, value.into())]));
        assert_eq!(limits("VAULT_CLIENT_TIMEOUT", "3s").unwrap().request, Duration::from_secs(3));
        assert!(!limits("VAULT_CLIENT_TIMEOUT", "0").unwrap().request.is_zero());
        assert_eq!(limits("BAO_MAX_RETRIES", "x").unwrap_err().why(), "BAO_MAX_RETRIES=x is no number");
    }
}
