//! Azure Key Vault with Entra: a stand-in on the vendor's own requests, and the real sops beside us.

use crate::builder::Test;
use crate::services::{Servers, by_proxy, clouds, nobody, number, text};
use serde_json::Value;
use std::time::{Duration, Instant};

const PLAIN: &str = "# c\nuser: admin\nratio: 1.10\n";
const VAULT: &str = "https://team.vault.azure.net";

fn test() -> Test {
    // Without this, real sops would ask the metadata service; ours does not, as other tests show.
    Test::new().file("a.yaml", PLAIN)
}

fn as_app(test: Test, clouds: &Value) -> Test {
    test.env("AZURE_TENANT_ID", text(clouds, "tenant")).env("AZURE_CLIENT_ID", text(clouds, "client_id"))
}

fn with_secret() -> Test {
    as_app(by_proxy(test(), clouds()), clouds()).env("AZURE_CLIENT_SECRET", text(clouds(), "client_secret"))
}

#[test]
fn sops_reads_what_we_write_and_we_read_what_sops_writes() {
    let test = with_secret();
    for key in ["keys/sops/0123456789abcdef0123456789abcdef", "keys/sops", "keys/sops/"] {
        let line = format!("encrypt --azure-kv {VAULT}/{key} a.yaml");
        let (ours, theirs) = (test.run(&line).code(0).text(), test.sops(&line).code(0).text());
        // The same fields in the same order, and the version that was used: also where none was named.
        let fixed = |text: &str| -> Vec<String> {
            let block = text.split_once("\nsops:").unwrap().1;
            let random = |line: &str| {
                ["enc:", "created_at:", "lastmodified:", "mac:"].iter().any(|name| line.trim().starts_with(name))
            };
            let name = |line: &str| {
                if random(line) { line.split(':').next().unwrap_or_default().to_owned() } else { line.to_owned() }
            };
            block.lines().map(name).filter(|name| !name.contains("leafcrypt_layout")).collect()
        };
        assert_eq!(fixed(&ours), fixed(&theirs), "{key}");
        assert!(!ours.contains("version: \"\""), "{ours}");
        std::fs::write(test.path("ours.yaml"), ours).unwrap();
        std::fs::write(test.path("theirs.yaml"), theirs).unwrap();
        test.sops("decrypt ours.yaml").code(0).stdout("# c\nuser: admin\nratio: 1.1\n");
        test.run("decrypt ours.yaml").code(0).stdout(PLAIN);
        let expected = test.sops("decrypt theirs.yaml").code(0).stdout;
        test.run("decrypt theirs.yaml").code(0).stdout(expected);
    }
}

#[test]
fn rules_name_keys_as_a_text_a_list_and_in_groups() {
    let (a, b) = (format!("{VAULT}/keys/a/0a"), format!("{VAULT}/keys/b/0b"));
    for rule in [
        format!("azure_keyvault: {a}, {b}"),
        format!("azure_keyvault:\n      - {a}\n      - {b}"),
        format!(
            "key_groups:\n      - azure_keyvault: [{{vaultUrl: '{VAULT}', key: a, version: 0a}}]\n      - azure_keyvault: [{{vaultUrl: '{VAULT}', key: b}}]"
        ),
    ] {
        let test = with_secret().rules(&format!("creation_rules:\n  - {rule}\n"));
        let encrypted = test.run("encrypt a.yaml").code(0).stdout_has("name: b").stdout;
        let test = test.file("e.yaml", encrypted);
        test.run("decrypt e.yaml").code(0).stdout(PLAIN);
        test.sops("decrypt e.yaml").code(0);
    }
    with_secret().env("SOPS_AZURE_KEYVAULT_URLS", &a).run("encrypt a.yaml").code(0).stdout_has("name: a");
}

/// As Azure shows the URL of a vault, and as sops then writes it to the file. We write it without.
#[test]
fn the_url_of_a_vault_may_end_with_a_slash() {
    let rule = |url: &str| {
        format!(
            "creation_rules:\n  - key_groups:\n      - azure_keyvault: [{{vaultUrl: '{url}', key: a, version: 0a}}]\n"
        )
    };
    let slash = format!("{VAULT}/");
    let test = with_secret().rules(&rule(&slash));
    let (theirs, ours) = (test.sops("encrypt a.yaml").code(0).text(), test.run("encrypt a.yaml").code(0).text());
    for (encrypted, url) in [(theirs, &*slash), (ours, VAULT)] {
        let written = format!("vault_url: {url}\n");
        assert!(encrypted.contains(&written), "{encrypted}");
        let test = with_secret().rules(&rule(&slash)).file("e.yaml", &encrypted);
        let clear = "# c\nuser: admin\nratio: 1.1";
        test.sops("decrypt e.yaml").code(0).stdout_has(clear);
        test.run("decrypt e.yaml").code(0).stdout_has(clear);
        let rotated = test.run("rotate e.yaml").code(0).stdout_has(&written).stdout;
        test.file("r.yaml", rotated).sops("decrypt r.yaml").code(0).stdout_has(clear);
        // Another way to write it is no other key.
        for url in [VAULT, &slash] {
            let test = with_secret().rules(&rule(url)).file("e.yaml", &encrypted);
            test.run("updatekeys -y e.yaml").code(0).stderr_lacks("remove");
            assert_eq!(test.read("e.yaml"), encrypted, "{url}");
            let line = format!("rotate --rm-azure-kv {VAULT}/keys/a/0a --add-azure-kv {VAULT}/keys/b/0b e.yaml");
            test.run(&line).code(0).stdout_lacks("name: a").stdout_has("name: b");
        }
        let other = format!("{slash}keys/b/0b");
        let test =
            with_secret().rules(&format!("creation_rules:\n  - azure_keyvault: {other}\n")).file("e.yaml", encrypted);
        test.run("updatekeys -y e.yaml").code(0);
        test.run("decrypt e.yaml").code(0);
        test.sops("decrypt e.yaml").code(0);
    }
    let denied = with_secret().rules(&rule(&slash).replace("key: a", "key: denied"));
    denied.run("encrypt a.yaml").fails().stderr_has(&format!("{VAULT}/keys/denied/0a")).stderr_lacks("//keys");
}

/// Credentials of every kind, and that the message says which were used.
#[test]
fn credentials_come_from_everywhere_where_azure_keeps_them() {
    let clouds = clouds();
    let line = format!("encrypt --verbose --azure-kv {VAULT}/keys/sops a.yaml");
    let used =
        |test: Test, who: &str| drop(test.run(&line).code(0).stderr_has(who).stderr_lacks("fake-entra-client-secret"));
    let wired = || by_proxy(test(), clouds);
    used(with_secret(), "the application aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee and AZURE_CLIENT_SECRET");
    let certificate = format!("{}/app.pem", text(clouds, "folder"));
    let app = || as_app(wired(), clouds);
    used(app().env("AZURE_CLIENT_CERTIFICATE_PATH", &certificate), "and its certificate /");
    // As a chain, in whatever order.
    let pem = |name: &str| std::fs::read_to_string(format!("{}/{name}", text(clouds, "folder"))).unwrap();
    let chain = app().file("chain.pem", pem("ca.pem") + &pem("app.pem"));
    used(chain.env("AZURE_CLIENT_CERTIFICATE_PATH", "chain.pem"), "and its certificate chain.pem");
    let federated = app().file("token", text(clouds, "federated")).env("AZURE_FEDERATED_TOKEN_FILE", "token");
    used(federated, "the workload identity aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee of token");
    let endpoint = format!("http://127.0.0.1:{}/msi/token", number(clouds, "http"));
    let managed = wired().env("IDENTITY_ENDPOINT", &endpoint).env("IDENTITY_HEADER", text(clouds, "msi_header"));
    used(managed, "the managed identity of this machine");
    // The logins of Azure's tools: programs that print a token, and are asked for one once.
    let test = logged_in(wired(), text(clouds, "vault_token"));
    let path = format!("{}:/usr/bin:/bin", test.path("bin").display());
    let keys = format!("{VAULT}/keys/a,{VAULT}/keys/b,https://other.vault.azure.net/keys/c");
    let test = test.env("PATH", &path);
    for tool in ["azd", "az"] {
        let line = format!("encrypt --verbose --azure-kv {keys} a.yaml");
        test.run(&line).code(0).stderr_has(&format!("with the login of {tool}, it answered"));
        let asked = |tool: &str| std::fs::read_to_string(test.path(&format!("bin/{tool}.asked"))).unwrap_or_default();
        assert_eq!((asked(tool), asked("az").len() + asked("azd").len()), ("asked\n".to_owned(), 6));
        // With both, az goes first.
        let _ = std::fs::rename(test.path("bin/az.later"), test.path("bin/az"));
        let _ = std::fs::remove_file(test.path("bin/azd.asked"));
    }
}

/// With a folder `bin` of programs that print this token as Azure's tools do: `azd`, and `az` under the name `az.later`.
pub(crate) fn logged_in(test: Test, token: &str) -> Test {
    use std::os::unix::fs::PermissionsExt as _;
    let program = |said: &str| format!("#!/bin/sh\necho asked >>\"$0.asked\"\necho '{said}'\n");
    let az = format!("{{\"accessToken\": \"{token}\", \"expires_on\": 4070908800, \"tokenType\": \"Bearer\"}}");
    let azd = format!("{{\"token\": \"{token}\", \"expiresOn\": \"2099-01-01T00:00:00Z\"}}");
    let test = test.file("bin/az.later", program(&az)).file("bin/azd", program(&azd));
    for name in ["az.later", "azd"] {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(test.path("bin").join(name), mode).unwrap();
    }
    test
}

/// The Entra of another cloud: nothing is none, and what is no address is named before anybody is asked.
#[test]
fn the_host_of_entra_is_taken_or_named() {
    let line = format!("encrypt --azure-kv {VAULT}/keys/sops a.yaml");
    let at = |host: &str| with_secret().env("AZURE_AUTHORITY_HOST", host).run(&line);
    for host in ["", "https://login.microsoftonline.com", "https://login.microsoftonline.com/"] {
        at(host).code(0);
    }
    for (host, hint) in [
        ("login.microsoftonline.us", "AZURE_AUTHORITY_HOST=https://login.microsoftonline.us"),
        ("http://login.microsoftonline.us", "AZURE_AUTHORITY_HOST=https://login.microsoftonline.us"),
    ] {
        let refused = at(host).fails().code(1).stderr_has(&format!("AZURE_AUTHORITY_HOST={host} is no URL"));
        refused.stderr_has(hint).stderr_lacks("reached");
    }
}

#[test]
fn a_certificate_that_cannot_be_used_is_explained() {
    let clouds = clouds();
    let refused = |content: &str| {
        let test = as_app(by_proxy(test(), clouds), clouds).file("c.pem", content);
        test.env("AZURE_CLIENT_CERTIFICATE_PATH", "c.pem")
            .run(&format!("encrypt --azure-kv {VAULT}/keys/sops a.yaml"))
            .fails()
    };
    refused("x").stderr_has("holds no certificate").stderr_has("openssl pkcs12");
    let pem = std::fs::read_to_string(format!("{}/app.pem", text(clouds, "folder"))).unwrap();
    let certificate = &pem[pem.find("-----BEGIN CERT").unwrap()..];
    refused(certificate).stderr_has("holds no private key");
    let other = std::fs::read_to_string(format!("{}/leaf.key", text(clouds, "folder"))).unwrap();
    refused(&format!("{other}{certificate}")).stderr_has("none of RSA");
}

#[test]
fn without_credentials_nobody_is_asked_and_nothing_is_waited_for() {
    let began = Instant::now();
    let test = by_proxy(test(), clouds()).env("PATH", "/nowhere");
    let refused = test.run(&format!("encrypt --azure-kv {VAULT}/keys/sops a.yaml")).fails();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    refused.stderr_has("no Azure credential").stderr_has("there is no az").stderr_has("az login");
}

#[test]
fn each_refusal_has_its_own_message() {
    let refused = |test: Test, key: &str| test.run(&format!("encrypt --azure-kv {VAULT}/keys/{key} a.yaml")).fails();
    refused(with_secret(), "missing").stderr_has("404 KeyNotFound").stderr_has("keyvault key list");
    refused(with_secret(), "denied").stderr_has("403 Forbidden").stderr_has("Key Vault Crypto User");
    let wrong = with_secret().env("AZURE_CLIENT_SECRET", "hunter2");
    refused(wrong, "sops").stderr_has("AADSTS7000215").stderr_has("Entra does not know").stderr_lacks("hunter2");
    let tenant = with_secret().env("AZURE_TENANT_ID", "22222222-2222-3333-4444-555555555555");
    refused(tenant, "sops").stderr_has("AADSTS90002");
    // A login that is over though its tool says that it is not, and one that never was.
    for token in [text(clouds(), "vault_over"), "hunter2"] {
        let test = logged_in(by_proxy(test(), clouds()), token);
        std::fs::rename(test.path("bin/az.later"), test.path("bin/az")).unwrap();
        let path = format!("{}:/usr/bin:/bin", test.path("bin").display());
        let refused = refused(test.env("PATH", &path), "sops").stderr_has("401").stderr_has("the login of az");
        refused.stderr_lacks(token);
    }
    let no_url = with_secret().run("encrypt --azure-kv https://team.vault.azure.net/secrets/x a.yaml").fails();
    no_url.stderr_has("not the URL of an Azure Key Vault key").stderr_has("keys/NAME/VERSION");

    refused(with_secret().env("HTTPS_PROXY", &nobody()), "sops").stderr_has("cannot be reached");
    let silent = crate::services::misbehaving(crate::services::Manner::Silent);
    let quick = with_secret().env("LEAFCRYPT_NETWORK_TIMEOUT", "0.5");
    refused(quick.env("HTTPS_PROXY", &silent), "sops").stderr_has("did not answer in time");

    // Of many keys that wait for the same login its tool is asked once, also when it has none.
    let test = logged_in(by_proxy(test(), clouds()), "");
    std::fs::write(test.path("bin/azd"), "#!/bin/sh\necho asked >>\"$0.asked\"\nsleep 0.5\nexit 1\n").unwrap();
    let keys: Vec<String> = (0..6).map(|key| format!("{VAULT}/keys/k{key}")).collect();
    let path = format!("{}:/usr/bin:/bin", test.path("bin").display());
    let refused = test.run_as(&[("PATH", &path)], &format!("encrypt --azure-kv {} a.yaml", keys.join(","))).fails();
    refused.stderr_has("for 6 of 6 keys").stderr_has("with the login of azd: no token was given");
    assert_eq!(test.read("bin/azd.asked"), "asked\n");

    // A data key that was wrapped with another one.
    let test = with_secret();
    let text = test.run(&format!("encrypt --azure-kv {VAULT}/keys/sops/0a a.yaml")).code(0).text();
    let test = test.file("e.yaml", text.replace("name: sops", "name: other"));
    test.run("decrypt e.yaml").fails().code(128).stderr_has("400 BadParameter").stderr_has("another key");
    test.sops("decrypt e.yaml").code(128);
}

/// In a network without a way out it works the same, and nobody outside was asked for: with credentials, and without.
#[test]
fn nobody_else_is_contacted() {
    let servers = Servers::alone("clouds");
    let clouds = servers.of("clouds");
    let line = format!("encrypt --azure-kv {VAULT}/keys/sops a.yaml");
    servers.run(&test().env("PATH", "/nowhere"), &line).fails().stderr_has("no Azure credential");
    let test = as_app(by_proxy(test(), clouds), clouds).env("AZURE_CLIENT_SECRET", text(clouds, "client_secret"));
    let encrypted = servers.run(&test, &line).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    servers.run(&test, "decrypt e.yaml").code(0).stdout(PLAIN);
    assert_eq!(servers.strangers(), "");
}
