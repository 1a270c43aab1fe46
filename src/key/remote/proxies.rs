//! By which way services are asked, as sops has it.

use crate::key::Environment;

/// In Go no proxy is on the way to this machine itself.
const HERE: &str = "localhost,127.0.0.0/8,::1";
/// The variables that name proxies.
const NAMES: [[&str; 2]; 2] = [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"]];

/// The variables that make the libraries of all services go by the proxies that sops goes by: each reads them for
/// itself, and by rules that are not those of Go (`golang.org/x/net/http/httpproxy`).
pub(crate) fn proxies(environment: &Environment) -> Vec<(&'static str, Option<String>)> {
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| environment.get_filled(name));
    // Go does not know it, and sops asks without.
    let unknown = ["ALL_PROXY", "all_proxy"].into_iter().filter(|name| environment.get(name).is_some());
    let mut changes: Vec<(&'static str, Option<String>)> = unknown.map(|name| (name, None)).collect();
    let named = NAMES.as_flattened().iter().filter_map(|name| {
        let url = environment.get_filled(name)?.into_string().ok()?;
        let (scheme, proxy) = url.split_once("://")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" | "socks4" | "socks4a" | "socks5h" => return None,
            // In Go it looks hosts up itself as well.
            "socks5" => "socks5h",
            // The libraries would ask without a proxy.
            _ => "http",
        };
        Some((*name, Some(format!("{scheme}://{proxy}"))))
    });
    changes.extend(named);
    if NAMES.into_iter().find_map(first).is_some() {
        let said = first(["NO_PROXY", "no_proxy"]).unwrap_or_default();
        changes.push(("NO_PROXY", Some(no_proxy(&said.to_string_lossy()))));
    }
    changes
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
            for (proxy, instead) in [("socks5://u:p@h:1", "socks5h://u:p@h:1"), ("tcp://h:1", "http://h:1")] {
                let changed = of(&[(name, proxy)]);
                assert_eq!(changed, [(name, Some(instead.to_owned())), ("NO_PROXY", Some(HERE.to_owned()))]);
            }
        }
    }
}
