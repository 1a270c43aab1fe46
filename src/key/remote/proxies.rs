//! By which way services are asked, as sops has it.

use super::Refusal;
use crate::key::Environment;
use std::net::Ipv6Addr;

/// In Go no proxy is on the way to this machine itself. Nor is one on the way to the metadata services of clouds, which
/// only this machine can reach: they hand out its credentials, in the open.
const HERE: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fd00:ec2::254,metadata.google.internal";
/// Names another host for Google's.
const METADATA_HOST: &str = "GCE_METADATA_HOST";
/// The variables that name proxies.
const NAMES: [[&str; 2]; 2] = [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"]];

/// The variables that make the libraries of all services go by the proxies that sops goes by: each reads them for
/// itself, and by rules that are not those of Go (`golang.org/x/net/http/httpproxy`).
pub(crate) fn proxies(environment: &Environment) -> Vec<(&'static str, Option<String>)> {
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| environment.get_filled(name));
    // Go does not know it, and sops asks without.
    let unknown = ["ALL_PROXY", "all_proxy"].into_iter().filter(|name| environment.get(name).is_some());
    let mut changes: Vec<(&'static str, Option<String>)> = unknown.map(|name| (name, None)).collect();
    // Where it is set, the libraries go by no proxy at all, and Go by none for what is open: `HTTP_PROXY` may be a header
    // of a request there.
    if environment.get("REQUEST_METHOD").is_some() {
        let open = NAMES[1].into_iter().filter(|name| environment.get(name).is_some());
        changes.extend(["REQUEST_METHOD"].into_iter().chain(open).map(|name| (name, None)));
    }
    let named = NAMES.as_flattened().iter().filter_map(|name| {
        let said = environment.get_filled(name)?.into_string().ok()?;
        let is_gone = changes.iter().any(|(gone, _)| gone == name);
        Some((*name, Some(address(&said).filter(|address| !is_gone && *address != said)?)))
    });
    let named: Vec<_> = named.collect();
    changes.extend(named);
    if NAMES.into_iter().find_map(first).is_some() {
        let said = first(["NO_PROXY", "no_proxy"]).unwrap_or_default();
        let rules = no_proxy(&said.to_string_lossy());
        let metadata = environment.get_filled(METADATA_HOST).and_then(|host| host.into_string().ok());
        let rules = metadata.iter().fold(rules, |rules, metadata| format!("{rules},{}", host(metadata)));
        changes.push(("NO_PROXY", Some(rules)));
    }
    changes
}

/// The address of a proxy as the libraries take it; nothing for what is none. They would ask without a proxy where Go takes
/// it: without a scheme, with one in capitals or that is unknown, with something behind the host.
pub(crate) fn address(said: &str) -> Option<String> {
    let (scheme, rest) = said.split_once("://").unwrap_or(("http", said));
    let proxy = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let (user, place) = proxy.rsplit_once('@').map_or((None, proxy), |(user, place)| (Some(user), place));
    if !user.is_none_or(is_user) || !is_place(place) {
        return None;
    }
    // Of several, the last one stands before the host.
    let proxy = match user {
        Some(user) => format!("{}@{place}", user.replace('@', "%40")),
        None => place.to_owned(),
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        known @ ("http" | "https" | "socks4" | "socks4a" | "socks5h") => known.to_owned(),
        // In Go it looks hosts up itself as well.
        "socks5" => "socks5h".to_owned(),
        _ => "http".to_owned(),
    };
    Some(format!("{scheme}://{proxy}"))
}

/// Whether it is a user, with a password perhaps, as RFC 3986 has it. Of anything else the libraries make no proxy at all.
fn is_user(user: &str) -> bool {
    let mut bytes = user.bytes();
    while let Some(byte) = bytes.next() {
        let is_good = match byte {
            b'%' => bytes.by_ref().take(2).filter(u8::is_ascii_hexdigit).count() == 2,
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte),
        };
        if !is_good {
            return false;
        }
    }
    true
}

/// Whether it is a host, or an address of IPv6 in brackets, with a port perhaps.
fn is_place(place: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if let Some(rest) = place.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !host.is_empty() && host.bytes().all(is_host) && port.is_none_or(is_port)
}

/// Whether the variables of this process name proxies, where they name anything.
///
/// # Errors
/// When one does not: nobody is asked directly who was to be asked by a proxy.
pub(crate) fn check_proxies() -> Result<(), Refusal> {
    let environment = Environment::of_process();
    let is_wrong =
        |name: &&str| environment.get_filled(name).is_some_and(|said| said.to_str().and_then(address).is_none());
    match NAMES.as_flattened().iter().find(|name| is_wrong(name)) {
        Some(name) => {
            Err(Refusal::new(format!("{name} is no address of a proxy")).hint(format!("{name}=http://HOST:PORT")))
        }
        None => Ok(()),
    }
}

/// A list of Go's in the words of the libraries.
fn no_proxy(said: &str) -> String {
    let rules = said.split(',').map(str::trim).filter(|rule| !rule.is_empty());
    let rules = rules.map(|rule| if rule == "*" { "*,0.0.0.0/0,::/0" } else { host(rule) });
    rules.chain([HERE]).collect::<Vec<_>>().join(",")
}

/// A rule without the port and the asterisk in it: for all ports of a host, and all hosts of a domain.
fn host(rule: &str) -> &str {
    if let Some((host, _)) = rule.strip_prefix('[').and_then(|rule| rule.split_once(']')) {
        return host;
    }
    let host = match rule.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => rule,
    };
    host.strip_prefix('*').filter(|host| host.starts_with('.')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_gos_is_put_in_the_words_of_the_libraries() {
        for (said, rules) in [
            ("", ""),
            ("corp.test, .corp.test ,,*.corp.test", "corp.test,.corp.test,.corp.test,"),
            ("*", "*,0.0.0.0/0,::/0,"),
            (
                "10.0.0.0/8,10.1.2.3,10.1.2.3:8200,fe80::1,[fe80::1]:8200",
                "10.0.0.0/8,10.1.2.3,10.1.2.3,fe80::1,fe80::1,",
            ),
            ("vault.corp.test:8200,*.corp.test:443,*corp", "vault.corp.test,.corp.test,*corp,"),
        ] {
            assert_eq!(no_proxy(said), format!("{rules}{HERE}"), "{said}");
        }
    }

    #[test]
    fn variables_change_where_there_is_a_proxy() {
        let of = |variables: &[(&str, &str)]| {
            proxies(&Environment::of(variables.iter().map(|(name, value)| (*name, (*value).into()))))
        };
        assert_eq!(of(&[("NO_PROXY", "*.x"), ("HTTPS_PROXY", "")]), []);
        assert_eq!(of(&[("all_proxy", "socks5h://x:1")]), [("all_proxy", None)]);
        for name in ["HTTPS_PROXY", "http_proxy"] {
            let expected = [("NO_PROXY", Some(format!(".x,{HERE}")))];
            assert_eq!(of(&[(name, "http://p:1"), ("NO_PROXY", ""), ("no_proxy", "*.x")]), expected);
            let changed = of(&[(name, "p:1")]);
            assert_eq!(changed, [(name, Some("http://p:1".to_owned())), ("NO_PROXY", Some(HERE.to_owned()))]);
        }
        // The metadata service of Google's, wherever it is.
        let changed = of(&[("HTTPS_PROXY", "http://p:1"), ("GCE_METADATA_HOST", "mds.test:80")]);
        assert_eq!(changed, [("NO_PROXY", Some(format!("{HERE},mds.test")))]);
        // As in a program of CGI.
        let variables = [("HTTPS_PROXY", "http://p:1"), ("HTTP_PROXY", "p:1"), ("REQUEST_METHOD", "GET")];
        let expected = [("REQUEST_METHOD", None), ("HTTP_PROXY", None), ("NO_PROXY", Some(HERE.to_owned()))];
        assert_eq!(of(&variables), expected);
    }

    #[test]
    fn addresses_are_spelled_as_the_libraries_take_them() {
        for (said, expected) in [
            ("http://u:p@h:1", Some("http://u:p@h:1")),
            ("h:1/", Some("http://h:1")),
            ("h", Some("http://h")),
            ("HTTPS://h:1/x?y#z", Some("https://h:1")),
            ("socks5://u:p@h:1", Some("socks5h://u:p@h:1")),
            ("SOCKS5H://h:1", Some("socks5h://h:1")),
            ("tcp://h:1", Some("http://h:1")),
            ("http://[::1]:1", Some("http://[::1]:1")),
            ("http://[::1", None),
            ("http://", None),
            ("http://u@", None),
            ("http://h\n:1", None),
            ("http://a b", None),
            ("http://u:p@x@h:1", Some("http://u:p%40x@h:1")),
            ("http://u:p%5e@h:1", Some("http://u:p%5e@h:1")),
            (r"http://corp\user:pw@h:1", None),
            ("http://u:p^@h:1", None),
            ("http://u:p|w@h:1", None),
            ("http://u:p%@h:1", None),
            ("http://h:99999", None),
            ("http://h:abc", None),
            ("http:h:1", None),
            ("http://[h]:1", None),
        ] {
            assert_eq!(address(said).as_deref(), expected, "{said}");
        }
    }
}
