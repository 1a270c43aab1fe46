//! What all services across a network have in common, each tried by its own client at its own host's name, through a
//! proxy that can make the service misbehave.

use crate::builder::Test;
use crate::services::{bao, clouds, file, gcs, moto, nobody, number, text};
use crate::way::{Fate, Way};
use leafcrypt::key::registry;
use std::time::{Duration, Instant};

const PLAIN: &str = "# c\nuser: admin\nratio: 1.10\n";
const GARBAGE: &str = "<html><b>hello</b> hunter2</html>";

/// A service, and how it is asked.
struct Service {
    /// The list of the back end, or the setting of the destination.
    name: &'static str,
    /// Its host.
    host: &'static str,
    /// Where the stand-in listens, in the open.
    address: fn() -> String,
    /// Who gives tokens, if somebody does.
    login: Option<&'static str>,
    /// A test with credentials.
    ready: fn() -> Test,
    /// What asks the service for `count` keys.
    line: fn(usize) -> String,
    /// Of whom an answer is none, when it is garbage.
    none_of: &'static str,
}

fn opened() -> String {
    format!("127.0.0.1:{}", number(clouds(), "http"))
}

fn host_of(url: &str) -> String {
    url.strip_prefix("http://").unwrap().to_owned()
}

fn keys(flag: &str, count: usize, key: impl Fn(usize) -> String) -> String {
    let keys: Vec<String> = (0..count).map(key).collect();
    format!("encrypt {flag} {} a.yaml", keys.join(","))
}

fn plain() -> Test {
    Test::new().file("a.yaml", PLAIN)
}

fn amazon(test: Test) -> Test {
    test.env("AWS_ACCESS_KEY_ID", "AKIAFROMTHEENV").env("AWS_SECRET_ACCESS_KEY", "hunter2-secret")
}

/// A file that is encrypted, and where it is to be published.
fn publishing(rule: &str) -> Test {
    let test = Test::new().identity().file("a.yaml", PLAIN);
    test.run("encrypt -i --age {age} a.yaml").code(0);
    test.rules(&format!("destination_rules:\n  - {rule}\n"))
}

const SERVICES: [Service; 8] = [
    Service {
        name: "kms",
        host: "kms.us-east-1.amazonaws.com",
        address: || host_of(text(moto(), "url")),
        login: Some("sts.us-east-1.amazonaws.com"),
        ready: || amazon(plain()),
        line: |count| keys("--kms", count, |at| moto()["keys"]["us-east-1"][at].as_str().unwrap().to_owned()),
        none_of: "KMS",
    },
    Service {
        name: "gcp_kms",
        host: "cloudkms.googleapis.com",
        address: opened,
        login: Some("oauth2.googleapis.com"),
        ready: || plain().env("GOOGLE_OAUTH_ACCESS_TOKEN", text(clouds(), "gcp_token")),
        line: |count| keys("--gcp-kms", count, |at| format!("projects/p/locations/global/keyRings/r/cryptoKeys/k{at}")),
        none_of: "KMS",
    },
    Service {
        name: "azure_kv",
        host: "team.vault.azure.net",
        address: opened,
        login: Some("login.microsoftonline.com"),
        ready: || {
            let test = plain().env("AZURE_TENANT_ID", text(clouds(), "tenant"));
            let test = test.env("AZURE_CLIENT_ID", text(clouds(), "client_id"));
            test.env("AZURE_CLIENT_SECRET", text(clouds(), "client_secret"))
        },
        line: |count| keys("--azure-kv", count, |at| format!("https://team.vault.azure.net/keys/k{at}/0a")),
        none_of: "Key Vault",
    },
    Service {
        name: "hc_vault",
        host: "vault.test",
        address: || host_of(text(bao(), "address")),
        login: None,
        ready: || plain().env("VAULT_TOKEN", "root"),
        line: |count| keys("--hc-vault-transit", count, |at| format!("https://vault.test:8200/v1/transit/keys/k{at}")),
        none_of: "Vault",
    },
    Service {
        name: "hckms",
        host: "kms.tr-west-1.myhuaweicloud.com",
        address: opened,
        login: None,
        ready: || {
            let test = plain().env("HUAWEICLOUD_SDK_AK", text(clouds(), "hc_ak"));
            let test = test.env("HUAWEICLOUD_SDK_SK", text(clouds(), "hc_sk"));
            test.env("HUAWEICLOUD_SDK_PROJECT_ID", text(clouds(), "hc_project"))
        },
        line: |count| keys("--hckms", count, |at| format!("tr-west-1:key-{at}")),
        none_of: "KMS",
    },
    Service {
        name: "s3_bucket",
        host: "secrets.s3.us-east-1.amazonaws.com",
        address: || host_of(text(moto(), "url")),
        login: None,
        ready: || amazon(publishing("s3_bucket: secrets")),
        line: |_| "publish --yes a.yaml".to_owned(),
        none_of: "S3",
    },
    Service {
        name: "gcs_bucket",
        host: "storage.googleapis.com",
        address: || host_of(text(gcs(), "url")),
        login: None,
        ready: || publishing("gcs_bucket: secrets").env("GOOGLE_OAUTH_ACCESS_TOKEN", "x"),
        line: |_| "publish --yes a.yaml".to_owned(),
        none_of: "Cloud Storage",
    },
    Service {
        name: "vault_path",
        host: "vault.test",
        address: || host_of(text(bao(), "address")),
        login: None,
        ready: || {
            publishing("{vault_path: remote, vault_address: 'https://vault.test:8200'}").env("VAULT_TOKEN", "root")
        },
        line: |_| "publish --yes a.yaml".to_owned(),
        none_of: "Vault",
    },
];

impl Service {
    fn is_kms(&self) -> bool {
        registry::LISTS.iter().any(|list| list.name == self.name)
    }

    /// Lines that ask the service, and the exit codes of their failures. They are ready to be run in `test`.
    fn lines(&self, test: &Test) -> Vec<(String, i32)> {
        let line = (self.line)(1);
        if !self.is_kms() {
            return vec![(line, 1)];
        }
        let encrypted = test.run(&line).code(0).stdout;
        std::fs::write(test.path("e.yaml"), encrypted).unwrap();
        vec![(line, 1), ("decrypt e.yaml".to_owned(), 128)]
    }

    fn way(&self) -> Way {
        let address = (self.address)();
        let hosts: Vec<(&str, &str)> =
            std::iter::once(self.host).chain(self.login).map(|host| (host, &*address)).collect();
        Way::to(&hosts)
    }
}

/// Every remote back end and every destination is tried here.
#[test]
fn no_service_is_left_out() {
    let named = |name: &str| SERVICES.iter().any(|service| service.name == name);
    for backend in registry::backends().iter().filter(|backend| backend.is_remote()) {
        assert!(named(backend.name()), "{}", backend.name());
    }
    let refused = publishing("{}").run("publish --yes a.yaml").fails();
    let (_, destinations) = refused.stderr.split_once("give it one of ").unwrap();
    for name in destinations.trim().split(", ") {
        assert!(named(name), "{name}");
    }
}

#[test]
fn a_proxy_and_another_authority_lead_to_every_service_and_who_asked_is_said() {
    for service in &SERVICES {
        let way = service.way();
        let line = format!("{} --verbose", (service.line)(1));
        let said = way.wire((service.ready)()).run(&line).code(0).stderr_lacks("hunter2");
        let asked = way.asked();
        assert!(asked.iter().any(|asked| asked.contains(service.host)), "{}: {asked:?}", service.name);
        assert!(!asked.iter().any(|asked| asked.starts_with("CONNECT")), "{}: {asked:?}", service.name);
        let did = ["it answered", "it was read", "it was written"];
        let told = |line: &str| line.contains(": with ") && did.iter().any(|did| line.ends_with(did));
        assert!(said.stderr.lines().any(told), "{}: {said:?}", service.name);
    }
}

/// What the same commands say when something is in the way.
#[test]
fn what_is_in_the_way_has_a_message_of_its_own() {
    for service in &SERVICES {
        let name = service.name;
        let way = service.way();
        let test = way.wire((service.ready)());
        let lines = service.lines(&test);
        let none = [
            format!("none of {}", service.none_of),
            format!("not as {} does", service.none_of),
            format!("no answer of {}", service.none_of),
        ];
        let pieces = [
            "did not answer in time",
            "closed the connection without an answer",
            "the proxy cannot be reached",
            "the proxy does not let it through",
            "no secure connection",
            "none of",
            "it answered 502",
        ];
        let check = |test: &Test, piece: &str, hint: &str| {
            for (line, code) in &lines {
                let began = Instant::now();
                let refused = test.run(line).code(*code).stderr_lacks("<b>").stderr_lacks("\u{1b}");
                // A plan may have been made before the service went wrong, but not a file.
                let refused = if service.is_kms() { refused.fails() } else { refused };
                assert!(began.elapsed() < Duration::from_secs(10), "{name}, {piece}: {:?}", began.elapsed());
                let said = none.iter().fold(refused.stderr.clone(), |said, none| said.replace(none, "none of"));
                assert!(said.contains(piece) && said.contains(": with "), "{name}, {piece}: {refused:?}");
                assert!(said.contains(hint), "{name}, {hint}: {refused:?}");
                let others = pieces.iter().filter(|other| **other != piece && said.contains(**other)).count();
                assert_eq!(others, usize::from(piece == "it answered 502"), "{name}, {piece}: {refused:?}");
            }
        };
        let quick = way.wire((service.ready)()).env("LEAFCRYPT_NETWORK_TIMEOUT", "0.3");
        let quick = quick.file("e.yaml", std::fs::read(test.path("e.yaml")).unwrap_or_default());
        for fate in [Fate::Silence, Fate::Trickle] {
            way.make(service.host, fate);
            check(&quick, pieces[0], "hint: LEAFCRYPT_NETWORK_TIMEOUT=");
        }
        way.make(service.host, Fate::HangUp);
        check(&test, pieces[1], "");
        for body in [GARBAGE, "", "{}", "[]", "null", "{\"data\": 1}", "\u{0}\u{1b}[31m"] {
            let kind = if body == GARBAGE { "text/html" } else { "application/json" };
            way.make(service.host, Fate::Answer(200, kind, body));
            check(&test, "none of", "hint: ");
        }
        way.make(service.host, Fate::Answer(502, "text/html", GARBAGE));
        check(&test, "it answered 502", "hint: ");
        drop(way.asked());
        let elsewhere = |name: &str, value: &str| {
            let test = way.wire((service.ready)()).env(name, value);
            test.file("e.yaml", std::fs::read(quick.path("e.yaml")).unwrap_or_default())
        };
        check(&elsewhere("HTTPS_PROXY", &nobody()), "the proxy cannot be reached", "hint: HTTPS_PROXY and NO_PROXY");
        let closed = Way::to(&[]);
        check(&elsewhere("HTTPS_PROXY", closed.address()), "the proxy does not let it through", "hint: HTTPS_PROXY");
        let authority = file(bao(), "ca.pem");
        check(&elsewhere("SSL_CERT_FILE", &authority), "no secure connection", "hint: name the file");
        assert_eq!(way.asked(), [""; 0], "{name}");
    }
}

/// A service that cannot do it at the moment is asked three times, one that says no is asked once; and there is an end.
#[test]
fn requests_are_made_again_and_not_forever() {
    for service in &SERVICES {
        let way = service.way();
        let test = way.wire((service.ready)());
        for (line, code) in service.lines(&test) {
            drop(way.asked());
            for (fate, times) in [
                (Fate::Answer(503, "application/json", "{}"), 3),
                (Fate::Answer(500, "text/html", GARBAGE), 3),
                (Fate::HangUp, 3),
                (Fate::Answer(400, "application/json", "{}"), 1),
                (Fate::Answer(501, "application/json", "{}"), 1),
            ] {
                way.make(service.host, fate.clone());
                let began = Instant::now();
                test.run(&line).fails().code(code);
                let times = if service.name == "gcp_kms" && matches!(fate, Fate::Answer(500, ..)) { 1 } else { times };
                let asked = way.asked();
                let count = asked.iter().filter(|asked| asked.contains(service.host)).count();
                assert_eq!(count, times, "{} {line}: {asked:?}", service.name);
                assert!(began.elapsed() < Duration::from_secs(30), "{}: {:?}", service.name, began.elapsed());
            }
            way.make(service.host, Fate::To((service.address)()));
            test.run(&line).code(0);
        }
    }
}

/// Ten keys are asked for at the same time: no request is answered before all ten are there.
#[test]
fn many_keys_are_wrapped_at_the_same_time() {
    for service in SERVICES.iter().filter(|service| service.is_kms()) {
        let way = service.way();
        let test = way.wire((service.ready)());
        let line = (service.line)(10);
        // The stand-ins make keys when they are first named.
        test.run(&line).code(0);
        drop(way.asked());
        way.make(service.host, Fate::Together(10, (service.address)()));
        test.run(&line).code(0);
        let asked = way.asked().iter().filter(|asked| asked.contains(service.host)).count();
        assert!(asked >= 10, "{}: {asked} requests", service.name);
    }
}

/// AWS' own names for the authorities, as its other tools know them.
#[test]
fn a_bundle_of_aws_is_what_certificates_are_checked_by() {
    for service in SERVICES.iter().filter(|service| ["kms", "s3_bucket"].contains(&service.name)) {
        let (way, line) = (service.way(), (service.line)(1));
        let test = way.wire((service.ready)()).env("SSL_CERT_FILE", "");
        test.run(&line).fails().code(1).stderr_has("SSL_CERT_FILE=");
        test.run_as(&[("AWS_CA_BUNDLE", text(clouds(), "ca"))], &line).code(0);
        let test = (way.wire((service.ready)()).env("SSL_CERT_FILE", "")).env("AWS_CONFIG_FILE", "profiles");
        test.file("profiles", format!("[default]\nca_bundle = {}\n", text(clouds(), "ca"))).run(&line).code(0);
    }
}

/// A proxy of SOCKS, as `ssh -D` is one: it is told the names of hosts, which are looked up nowhere else, as in Go.
#[test]
fn proxies_of_socks_are_gone_by() {
    let socks = |way: &Way, kind: &str| way.address().replace("http://", &format!("{kind}://"));
    for service in &SERVICES {
        for kind in ["socks5", "socks5h"] {
            let way = service.way();
            let test = way.wire((service.ready)()).env("HTTPS_PROXY", &socks(&way, kind));
            test.run(&(service.line)(1)).code(0);
            assert!(way.asked().iter().any(|asked| asked.contains(service.host)), "{} by {kind}", service.name);
        }
    }
    let service = SERVICES.iter().find(|service| service.name == "hc_vault").unwrap();
    for kind in ["socks5", "socks5h"] {
        let way = service.way();
        let test = way.wire((service.ready)()).env("HTTPS_PROXY", &socks(&way, kind));
        test.sops(&(service.line)(1)).code(0);
        assert!(!way.asked().is_empty(), "sops by {kind}");
        // The proxy says no.
        let closed = Way::to(&[]);
        let test = test.env("HTTPS_PROXY", &socks(&closed, kind));
        let refused = test.run(&(service.line)(1)).fails().code(1);
        refused.stderr_has("proxy").stderr_has("hint: HTTPS_PROXY");
        assert_eq!(closed.asked(), ["CONNECT vault.test"]);
    }
}

/// Authorities that are none are named, by every service, and nobody is asked. What is open needs none.
#[test]
fn authorities_that_are_none_are_named() {
    let check = |service: &Service, name: &str, value: &str, why: &str| {
        let way = service.way();
        let test = way.wire((service.ready)()).env("SSL_CERT_FILE", "").env(name, value);
        let refused = test.run(&(service.line)(1)).code(1).stderr_lacks("reached");
        let named = refused.stderr.contains(&format!("no secure connection: {name}={value} {why}"));
        assert!(named, "{}: {refused:?}", service.name);
        refused.stderr_has("no secure connection").stderr_has(&format!("unset {name}"));
        let asked = way.asked();
        assert!(asked.is_empty(), "{}: {asked:?}", service.name);
    };
    for service in &SERVICES {
        check(service, "SSL_CERT_FILE", "/nowhere/ca.pem", "cannot be read: No such file");
        check(service, "SSL_CERT_FILE", "a.yaml", "holds no certificate in PEM");
    }
    let service = SERVICES.iter().find(|service| service.name == "hc_vault").unwrap();
    check(service, "SSL_CERT_DIR", "/nowhere", "cannot be read: No such file");
    // Not their path, but they themselves.
    let pem = std::fs::read_to_string(text(clouds(), "ca")).unwrap();
    let refused = (service.ready)().env("SSL_CERT_FILE", &pem).run(&(service.line)(1)).fails().code(1);
    refused.stderr_has("SSL_CERT_FILE holds a certificate, not a path").stderr_lacks("BEGIN");
    for (name, file, url) in [
        ("hc_vault", "/nowhere/ca.pem", text(bao(), "address").to_owned()),
        ("hckms", "a.yaml", format!("http://{}", opened())),
    ] {
        let service = SERVICES.iter().find(|service| service.name == name).unwrap();
        let test = (service.ready)().env("SSL_CERT_FILE", file).env("HUAWEICLOUD_SDK_REGION_KMS_TR_WEST_1", &url);
        test.run(&(service.line)(1).replace("https://vault.test:8200", &url)).code(0);
    }
}

/// A time that is none is an error before anybody is asked.
#[test]
fn a_time_to_wait_that_makes_no_sense_is_an_error() {
    for service in &SERVICES {
        let way = service.way();
        let test = way.wire((service.ready)());
        for time in ["10s", "0", "-1", "inf", "NaN"] {
            let refused = test.run_as(&[("LEAFCRYPT_NETWORK_TIMEOUT", time)], &(service.line)(1)).code(1);
            let named = format!("LEAFCRYPT_NETWORK_TIMEOUT={time} is no number of seconds above 0");
            refused.stderr_has(&named).stderr_has("hint: LEAFCRYPT_NETWORK_TIMEOUT=30").stderr_lacks("reached");
        }
        assert_eq!(way.asked(), [""; 0], "{}", service.name);
        for time in ["", " 9.5 "] {
            test.run_as(&[("LEAFCRYPT_NETWORK_TIMEOUT", time)], &(service.line)(1)).code(0);
        }
    }
}

/// How the services are asked for keys at a host of one's own: the name of the service, a variable, and the line.
fn at(host: &str) -> Vec<(&'static str, Test, String)> {
    let url = format!("https://{host}");
    let of = |name: &'static str, variable: &str, from: &str| {
        let service = SERVICES.iter().find(|service| service.name == name).unwrap();
        let test = (service.ready)().env(variable, &url).env("VAULT_MAX_RETRIES", "0");
        let line = (service.line)(1);
        (name, test, if from == "-" { line } else { line.replace(from, host) })
    };
    vec![
        of("kms", "AWS_ENDPOINT_URL", "-"),
        of("gcp_kms", "SOPS_GCP_KMS_ENDPOINT", "-"),
        of("azure_kv", "AZURE_AUTHORITY_HOST", "team.vault.azure.net"),
        of("hc_vault", "X", "vault.test:8200"),
        of("hckms", "HUAWEICLOUD_SDK_REGION_KMS_TR_WEST_1", "-"),
    ]
}

/// Which hosts are asked by a proxy is what the variables mean to Go, for every service; real sops is asked as well.
#[test]
fn proxies_are_those_of_sops() {
    let is_by_proxy = |run: &dyn Fn(&Test, &str), test: Test, line: &str, variables: &[(&str, &str)]| {
        let closed = Way::to(&[]);
        let place = closed.address().trim_start_matches("http://");
        let told = |value: &str| value.replace("PROXY", closed.address()).replace("PLACE", place);
        let wired = variables.iter().fold(test, |test, (name, value)| test.env(name, &told(value)));
        run(&wired, line);
        !closed.asked().is_empty()
    };
    let ours = |test: &Test, line: &str| drop(test.run(line).fails().code(1).stderr_has("cannot be reached"));
    let theirs = |test: &Test, line: &str| drop(test.sops(line).code(1));
    let proxy = ("HTTPS_PROXY", "PROXY");
    let nobody = nobody();
    let nobody = nobody.as_str();
    for (variables, expected) in [
        (vec![proxy], true),
        (vec![proxy, ("NO_PROXY", "*")], false),
        (vec![proxy, ("NO_PROXY", "*.corp.invalid")], false),
        (vec![proxy, ("NO_PROXY", "x.test, .corp.invalid")], false),
        (vec![proxy, ("NO_PROXY", "corp.invalid")], false),
        (vec![proxy, ("NO_PROXY", "kms.corp.invalid:443")], false),
        (vec![proxy, ("NO_PROXY", "orp.invalid,10.0.0.0/8")], true),
        (vec![("HTTPS_PROXY", ""), ("https_proxy", "PROXY")], true),
        (vec![proxy, ("NO_PROXY", ""), ("no_proxy", "corp.invalid")], false),
        (vec![("HTTP_PROXY", "PROXY")], false),
        (vec![("ALL_PROXY", "PROXY"), ("all_proxy", "PROXY")], false),
        (vec![proxy, ("ALL_PROXY", nobody)], true),
        (vec![("HTTPS_PROXY", "PLACE/")], true),
        (vec![("HTTPS_PROXY", "HTTP://PLACE")], true),
        (vec![proxy, ("REQUEST_METHOD", "GET")], true),
    ] {
        for (name, test, line) in at("kms.corp.invalid") {
            assert_eq!(is_by_proxy(&ours, test, &line, &variables), expected, "{name}: {variables:?}");
        }
        let (_, test, line) = at("kms.corp.invalid").remove(3);
        assert_eq!(is_by_proxy(&theirs, test, &line, &variables), expected, "sops: {variables:?}");
    }
    // An address, which is nobody's.
    for (no, expected) in [("192.0.2.0/24", false), ("*", false), ("192.0.2.1:443", false), ("192.0.3.0/24", true)] {
        let variables = [proxy, ("NO_PROXY", no), ("LEAFCRYPT_NETWORK_TIMEOUT", "1")];
        for (name, test, line) in at("192.0.2.1").into_iter().filter(|(name, ..)| ["hc_vault", "hckms"].contains(name))
        {
            let run = |test: &Test, line: &str| drop(test.run(line).fails().code(1));
            assert_eq!(is_by_proxy(&run, test, &line, &variables), expected, "{name}: {no}");
        }
    }
}

/// Nobody is asked directly who was to be asked by a proxy.
#[test]
fn what_is_no_proxy_is_an_error() {
    for (name, value) in [("HTTPS_PROXY", "http://hunter2@x y:1"), ("http_proxy", "http://"), ("HTTP_PROXY", "x\ny")] {
        for (service, test, line) in at("kms.corp.invalid") {
            let refused = test.env(name, value).run(&line).fails().code(1);
            let named = refused.stderr.contains(&format!("{name} is no address of a proxy"));
            assert!(named, "{service}: {refused:?}");
            refused.stderr_has(&format!("hint: {name}=http://HOST:PORT")).stderr_lacks("hunter2");
        }
    }
}

/// On the way to this machine itself is no proxy, whatever the variables say, as in Go.
#[test]
fn what_is_on_this_machine_is_asked_directly() {
    let closed = Way::to(&[]);
    let wire = |test: Test| test.env("HTTPS_PROXY", closed.address()).env("HTTP_PROXY", closed.address());
    for host in ["localhost", "127.0.0.1"] {
        let at = |address: &str| format!("http://{}", address.replace("127.0.0.1", host));
        for (name, variable) in [
            ("kms", "AWS_ENDPOINT_URL"),
            ("s3_bucket", "AWS_ENDPOINT_URL"),
            ("gcp_kms", "SOPS_GCP_KMS_ENDPOINT"),
            ("gcs_bucket", "STORAGE_EMULATOR_HOST"),
            ("hc_vault", "X"),
            ("hckms", "HUAWEICLOUD_SDK_REGION_KMS_TR_WEST_1"),
        ] {
            let service = SERVICES.iter().find(|service| service.name == name).unwrap();
            let url = at(&(service.address)());
            let test = wire((service.ready)()).env(variable, &url);
            test.run(&(service.line)(1).replace("https://vault.test:8200", &url)).code(0);
        }
        // Who gives tokens may be here as well, and the vault elsewhere.
        let way = Way::to(&[("team.vault.azure.net", &opened())]);
        let endpoint = format!("{}/msi/token", at(&opened()));
        let test = way.wire(plain()).env("HTTP_PROXY", closed.address()).env("IDENTITY_ENDPOINT", &endpoint);
        let test = test.env("IDENTITY_HEADER", text(clouds(), "msi_header"));
        test.run("encrypt --azure-kv https://team.vault.azure.net/keys/k/0a a.yaml").code(0);
    }
    assert_eq!(closed.asked(), [""; 0]);
}

/// The hosts of AWS that are asked under these variables, by us and by real sops.
#[test]
fn the_hosts_of_aws_are_those_that_sops_asks() {
    let arn = moto()["keys"]["us-east-1"][0].as_str().unwrap();
    let role = format!("{arn}+arn:aws:iam::123456789012:role/sops");
    let own = "[default]\nendpoint_url = https://kms.corp.invalid\nignore_configured_endpoint_urls = true\n";
    let config = ("AWS_CONFIG_FILE", "config");
    let at = |name| (name, "https://kms.corp.invalid");
    let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    for (variables, key, expected) in [
        (vec![], arn, "kms.us-east-1.amazonaws.com"),
        (vec![at("AWS_ENDPOINT_URL")], arn, "kms.corp.invalid"),
        (vec![at("AWS_ENDPOINT_URL"), ("AWS_ENDPOINT_URL_KMS", "https://x.invalid")], arn, "x.invalid"),
        (vec![at("AWS_ENDPOINT_URL"), ignored], arn, "kms.us-east-1.amazonaws.com"),
        (vec![at("AWS_ENDPOINT_URL_KMS"), ignored], arn, "kms.us-east-1.amazonaws.com"),
        (vec![config], arn, "kms.us-east-1.amazonaws.com"),
        (vec![("AWS_USE_FIPS_ENDPOINT", "true")], arn, "kms-fips.us-east-1.amazonaws.com"),
        (vec![("AWS_USE_DUALSTACK_ENDPOINT", "true")], arn, "kms.us-east-1.api.aws"),
        (vec![], &role, "sts.us-east-1.amazonaws.com"),
        (vec![at("AWS_ENDPOINT_URL_STS")], &role, "kms.corp.invalid"),
        (vec![at("AWS_ENDPOINT_URL_STS"), ignored], &role, "sts.us-east-1.amazonaws.com"),
        (vec![("AWS_USE_FIPS_ENDPOINT", "true")], &role, "sts-fips.us-east-1.amazonaws.com"),
    ] {
        let closed = Way::to(&[]);
        let test = amazon(plain()).file("config", own).env("HTTPS_PROXY", closed.address());
        let test =
            variables.iter().fold(test.env("AWS_MAX_ATTEMPTS", "1"), |test, (name, value)| test.env(name, value));
        let line = format!("encrypt --kms {key} a.yaml");
        let expected = format!("CONNECT {expected}");
        let is_asked = |who: &str| {
            let mut asked = closed.asked();
            asked.dedup();
            assert_eq!(asked, [&*expected], "{who}: {variables:?} {key}");
        };
        test.run(&line).fails().code(1);
        is_asked("leafcrypt");
        test.sops(&line).code(1);
        is_asked("sops");
    }
}

/// A host that nobody knows is named, whoever said that it is to be asked.
#[test]
fn a_host_that_is_not_found_is_named() {
    let at = |test: Test, name: &str| test.env(name, "http://nobody.invalid:1");
    let service = |name: &str| SERVICES.iter().find(|service| service.name == name).unwrap();
    let ready = |name: &str| ((service(name).ready)(), (service(name).line)(1));
    let (kms, kms_line) = ready("kms");
    let (gcp, gcp_line) = ready("gcp_kms");
    let (huawei, huawei_line) = ready("hckms");
    let (vault, vault_line) = ready("hc_vault");
    let (azure, azure_line) = ready("azure_kv");
    for (test, line) in [
        (at(kms, "AWS_ENDPOINT_URL"), kms_line.clone()),
        (at((service("kms").ready)(), "AWS_ENDPOINT_URL_KMS"), kms_line),
        (at(gcp, "SOPS_GCP_KMS_ENDPOINT"), gcp_line),
        (at(huawei, "HUAWEICLOUD_SDK_REGION_KMS_TR_WEST_1"), huawei_line),
        (vault, vault_line.replace("vault.test", "nobody.invalid")),
        (azure, azure_line.replace("//team.", "//nobody.")),
    ] {
        let refused = test.run(&line).fails().code(1).stderr_has("failed to lookup address");
        let (_, said) = refused.stderr.split_once("it cannot be reached: ").unwrap();
        assert!(said.trim_start_matches("http://").starts_with("nobody."), "{refused:?}");
    }
}

/// Answers that are well made and hold nothing: a file must not be written that nobody could open.
#[test]
fn an_answer_without_a_key_in_it_is_none() {
    for (name, nothing) in [
        ("kms", "{\"CiphertextBlob\": \"\", \"Plaintext\": \"\"}"),
        ("gcp_kms", "{\"ciphertext\": \"\", \"plaintext\": \"\"}"),
        ("azure_kv", "{\"kid\": \"https://team.vault.azure.net/keys/k0/0a\", \"value\": \"\"}"),
        ("hc_vault", "{\"data\": {\"ciphertext\": \"\", \"plaintext\": \"\"}}"),
        ("hckms", "{\"cipher_text\": \"\", \"plain_text\": \"\"}"),
    ] {
        let service = SERVICES.iter().find(|service| service.name == name).unwrap();
        let way = service.way();
        let test = way.wire((service.ready)());
        let lines = service.lines(&test);
        way.make(service.host, Fate::Answer(200, "application/json", nothing));
        for (line, code) in lines {
            let refused = test.run(&line).fails().code(code);
            let said =
                ["its answer holds no wrapped data key", "its answer holds no data key", "its answer is none of"];
            assert!(said.iter().any(|said| refused.stderr.contains(said)), "{name}: {refused:?}");
        }
    }
}

/// Nor is whoever gives tokens asked forever; and it is said that it was about a token.
#[test]
fn tokens_are_not_asked_for_forever() {
    let user = format!(
        "{{\"type\": \"authorized_user\", \"client_id\": \"c\", \"client_secret\": \"s\", \"refresh_token\": \"{}\"}}",
        text(clouds(), "gcp_refresh")
    );
    let arn = moto()["keys"]["us-east-1"][0].as_str().unwrap();
    for (name, login, more, line, about) in [
        (
            "kms",
            "sts.us-east-1.amazonaws.com",
            ("X", String::new()),
            Some(format!("encrypt --kms {arn}+arn:aws:iam::123456789012:role/sops a.yaml")),
            "the role arn:aws:iam::123456789012:role/sops could not be assumed",
        ),
        ("gcp_kms", "oauth2.googleapis.com", ("GOOGLE_CREDENTIALS", user), None, "no token was given"),
        ("azure_kv", "login.microsoftonline.com", ("X", String::new()), None, "no token was given"),
        ("hckms", "iam.tr-west-1.myhuaweicloud.com", ("HUAWEICLOUD_SDK_PROJECT_ID", String::new()), None, "IAM"),
    ] {
        let service = SERVICES.iter().find(|service| service.name == name).unwrap();
        let address = (service.address)();
        let way = Way::to(&[(service.host, &address), (login, &address)]);
        let test = way.wire((service.ready)()).env(more.0, &more.1);
        let line = line.unwrap_or_else(|| (service.line)(1));
        test.run(&line).code(0);
        assert!(way.asked().iter().any(|asked| asked.contains(login)), "{name}");
        for fate in [
            Fate::Answer(503, "text/html", GARBAGE),
            Fate::HangUp,
            Fate::Silence,
            Fate::Answer(200, "text/html", GARBAGE),
        ] {
            let silent = matches!(fate, Fate::Silence);
            way.make(login, fate);
            let began = Instant::now();
            let timeout = if silent { "0.3" } else { "10" };
            let refused = test.run_as(&[("LEAFCRYPT_NETWORK_TIMEOUT", timeout)], &line).fails().code(1);
            let asked = way.asked();
            let count = asked.iter().filter(|asked| asked.contains(login)).count();
            assert!((1..=3).contains(&count), "{name}: {asked:?}");
            assert!(began.elapsed() < Duration::from_secs(30), "{name}: {:?}", began.elapsed());
            let late = silent && refused.stderr.contains("did not answer in time");
            assert!(late || refused.stderr.contains(about), "{name}: {refused:?}");
            assert!(!refused.stderr.contains("cannot be reached"), "{name}: {refused:?}");
        }
    }
}

/// Names the variable, before anybody is asked.
#[test]
fn what_is_no_address_of_a_service_is_named() {
    let test = Test::new().file("a.yaml", "a: 1\n").env("GOOGLE_OAUTH_ACCESS_TOKEN", "x");
    let test = test.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
    let test =
        test.env("HUAWEICLOUD_SDK_AK", "x").env("HUAWEICLOUD_SDK_SK", "x").env("HUAWEICLOUD_SDK_PROJECT_ID", "p");
    let kms = "--kms arn:aws:kms:us-east-1:123456789012:key/1";
    let gcp = "--gcp-kms projects/p/locations/global/keyRings/r/cryptoKeys/k";
    let huawei = "--hckms tr-west-1:15c4ac45-d021-4a79-a5ed-15b04c23ff0c";
    for (variable, values, key) in [
        ("AWS_ENDPOINT_URL", ["http://[", "ftp://x", "localhost:1", "http://a b"], kms),
        ("SOPS_GCP_KMS_ENDPOINT", ["http://[", "ftp://x", "https://", "a b"], gcp),
        ("HUAWEICLOUD_SDK_REGION_KMS_TR_WEST_1", ["http://[", "ftp://x", "localhost:1", "http://"], huawei),
    ] {
        for value in values {
            let refused = test.run_as(&[(variable, value)], &format!("encrypt {key} a.yaml")).fails();
            refused.stderr_has(&format!("{variable} is no address of a service")).stderr_has("=https://HOST");
        }
    }
}
