//! HashiCorp Vault's transit engine, with OpenBao as the server and the real sops beside us.

use crate::builder::Test;
use crate::services::{Manner, Servers, bao, file, misbehaving, nobody, text};
use std::time::{Duration, Instant};

const PLAIN: &str = "# c\nuser: admin\nratio: 1.10\n";

fn test() -> Test {
    Test::new().file("a.yaml", PLAIN)
}

fn key(name: &str) -> String {
    format!("{}/v1/{name}", text(bao(), "address"))
}

fn with_root(test: Test) -> Test {
    test.env("VAULT_TOKEN", "root")
}

/// The file encrypted for a key, by us, and everything needed to try and open it.
fn encrypted_for(url: &str) -> Test {
    let test = with_root(test());
    let encrypted = test.run(&format!("encrypt --hc-vault-transit {url} a.yaml")).code(0).stdout;
    Test::new().file("e.yaml", encrypted)
}

#[test]
fn sops_reads_what_we_write_and_we_read_what_sops_writes() {
    let both = format!("{},{}", key("transit/keys/sops"), key("team/a/transit/keys/sops"));
    let test = with_root(test());
    let ours = test.run(&format!("encrypt --hc-vault-transit {both} a.yaml")).code(0).stdout_has("enc: vault:v1:");
    let ours = ours.stdout_has("engine_path: team/a/transit\n").text();
    let theirs = test.sops(&format!("encrypt --hc-vault-transit {both} a.yaml")).code(0).text();
    // The same fields in the same order.
    let names = |text: &str| {
        let block = text.split_once("\nsops:").unwrap().1.to_owned();
        block.lines().map(|line| line.split(':').next().unwrap().trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&ours).iter().filter(|name| *name != "leafcrypt_layout").cloned().collect::<Vec<_>>(),
        names(&theirs)
    );
    let test = test.file("ours.yaml", ours).file("theirs.yaml", theirs);
    test.sops("decrypt ours.yaml").code(0).stdout("# c\nuser: admin\nratio: 1.1\n");
    test.run("decrypt ours.yaml").code(0).stdout(PLAIN);
    let expected = test.sops("decrypt theirs.yaml").code(0).stdout;
    test.run("decrypt theirs.yaml").code(0).stdout(expected);
}

#[test]
fn rules_name_keys_as_a_text_a_list_and_in_groups() {
    let (a, b) = (key("transit/keys/sops"), key("team/a/transit/keys/sops"));
    for rule in [
        format!("hc_vault_transit_uri: {a}, {b}"),
        format!("hc_vault_transit_uri:\n      - {a}\n      - {b}"),
        format!("key_groups:\n      - hc_vault: [{a}]\n      - hc_vault: [{b}]"),
    ] {
        let test = with_root(test()).rules(&format!("creation_rules:\n  - {rule}\n"));
        let encrypted = test.run("encrypt a.yaml").code(0).stdout_has("engine_path: team/a/transit").stdout;
        let test = test.file("e.yaml", encrypted);
        test.run("decrypt e.yaml").code(0).stdout(PLAIN);
        test.sops("decrypt e.yaml").code(0);
    }
    let test = with_root(test()).env("SOPS_VAULT_URIS", &a);
    test.run("encrypt a.yaml").code(0).stdout_has("key_name: sops");
}

#[test]
fn a_token_comes_from_the_variable_or_the_file() {
    let test = encrypted_for(&key("transit/keys/sops"));
    let none = test.run("decrypt e.yaml").fails().code(128);
    none.stderr_has("VAULT_TOKEN is not set").stderr_has("~/.vault-token: no such file").stderr_has("vault login");
    std::fs::write(test.home().join(".vault-token"), "root\n").unwrap();
    test.run("decrypt e.yaml").code(0).stdout(PLAIN);
    let said = test.run("decrypt --verbose e.yaml").code(0);
    said.stderr_has("the token of ~/.vault-token").stderr_lacks("root");
    // The variable goes first, also when it is wrong, as in sops.
    let test = test.env("VAULT_TOKEN", "hunter2-wrong");
    test.run("decrypt e.yaml").fails().code(128).stderr_has("the token of VAULT_TOKEN").stderr_lacks("hunter2");
    test.sops("decrypt e.yaml").code(128);
}

#[test]
fn each_refusal_has_its_own_message() {
    let with_token = |token: &str| encrypted_for(&key("transit/keys/sops")).env("VAULT_TOKEN", token);
    let denied = with_token(text(bao(), "denied")).run("decrypt e.yaml").fails().code(128);
    denied
        .stderr_has("403 Forbidden")
        .stderr_has("permission denied")
        .stderr_has("token capabilities transit/decrypt/sops")
        .stderr_lacks("expired");

    std::thread::sleep(Duration::from_millis(1500)); // the token's life
    let expired = with_token(text(bao(), "expired")).run("decrypt e.yaml").fails().code(128);
    expired.stderr_has("403 Forbidden").stderr_has("the token itself is expired").stderr_has("vault login");

    // The key of another file: the server finds that it is not the one.
    let test = encrypted_for(&key("transit/keys/sops"));
    let other = test.read("e.yaml").replace("key_name: sops", "key_name: other");
    let test = with_root(test.file("e.yaml", other));
    test.run("decrypt e.yaml").fails().code(128).stderr_has("400 Bad Request").stderr_has("transit/keys/other");
    test.sops("decrypt e.yaml").code(128);

    let test = with_root(crate::vault::test());
    let missing = test.run(&format!("encrypt --hc-vault-transit {} a.yaml", key("nowhere/keys/k"))).fails();
    missing.stderr_has("404 Not Found").stderr_has("secrets enable -path=nowhere transit");

    let ready = || with_root(crate::vault::test()).env("VAULT_MAX_RETRIES", "0");
    let asked =
        |test: Test, url: &str| test.run(&format!("encrypt --hc-vault-transit {url}/v1/transit/keys/k a.yaml")).fails();
    let refused = |url: &str| asked(ready(), url);
    refused(&nobody()).stderr_has("cannot be reached").stderr_has("refused");
    let quick = ready().env("VAULT_CLIENT_TIMEOUT", "1");
    asked(quick, &misbehaving(Manner::Silent)).stderr_has("did not answer in time");
    let garbage = refused(&misbehaving(Manner::Says("<html>hello</html>")));
    garbage
        .stderr_has("what is no answer of Vault")
        .stderr_has("the address of a Vault or OpenBao server")
        .stderr_lacks("<html>");
    refused(&misbehaving(Manner::Says("{\"data\": {}}"))).stderr_has("holds no ciphertext");
}

#[test]
fn without_a_token_nobody_is_asked() {
    let test = test().env("NO_PROXY", "*");
    let began = Instant::now();
    let refused = test.run("encrypt --hc-vault-transit https://192.0.2.1:8200/v1/transit/keys/k a.yaml").fails();
    refused.stderr_has("no token: VAULT_TOKEN is not set").stderr_has("vault login");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn certificates_are_checked_by_the_authority_that_is_named() {
    let tls = |at: &str| format!("encrypt --hc-vault-transit {}/v1/transit/keys/sops a.yaml", text(bao(), at));
    let ca = file(bao(), "ca.pem");
    let refused = with_root(test()).run(&tls("tls")).fails();
    refused.stderr_has("no secure connection").stderr_has("SSL_CERT_FILE");
    for (name, value) in [("VAULT_CACERT", ca.as_str()), ("SSL_CERT_FILE", &ca), ("VAULT_SKIP_VERIFY", "true")] {
        with_root(test()).env(name, value).run(&tls("tls")).code(0);
    }
    let pem = std::fs::read_to_string(&ca).unwrap();
    with_root(test()).env("VAULT_CACERT_BYTES", &pem).run(&tls("tls")).code(0);
    let folder = with_root(test().file("authorities/ca.pem", &pem));
    let authorities = folder.path("authorities").display().to_string();
    folder.env("VAULT_CAPATH", &authorities).run(&tls("tls")).code(0);
    with_root(test()).env("VAULT_CACERT", "/no/such").run(&tls("tls")).fails().stderr_has("VAULT_CACERT=/no/such");
    let none = with_root(test().file("x.pem", "x")).env("VAULT_CACERT", "x.pem").run(&tls("tls")).fails();
    none.stderr_has("holds no certificate");

    // A certificate under another name.
    let test = with_root(test()).env("VAULT_CACERT", &ca);
    test.run(&tls("named")).fails().stderr_has("no secure connection").stderr_has("is for another name");
    // What says nothing that can be understood is an error, as in Vault's client.
    for (name, value) in [("VAULT_SKIP_VERIFY", "yes"), ("VAULT_MAX_RETRIES", "x"), ("BAO_CLIENT_TIMEOUT", "soon")] {
        test.run_as(&[(name, value)], &tls("tls")).fails().stderr_has(&format!("{name}={value} is no "));
    }
    test.env("VAULT_TLS_SERVER_NAME", "vault.test").run(&tls("named")).code(0);
}

#[test]
fn a_server_may_want_our_certificate() {
    let line = format!("encrypt --hc-vault-transit {}/v1/transit/keys/sops a.yaml", text(bao(), "mutual"));
    let test = || with_root(crate::vault::test()).env("VAULT_CACERT", &file(bao(), "ca.pem"));
    // The server's alert may come before the request is on its way, and is then not told.
    let refused = test().run(&line).fails().stderr_has("VAULT_CLIENT_CERT").stderr;
    assert!(["CertificateRequired", "closed the connection"].iter().any(|why| refused.contains(why)), "{refused}");
    let half = test().env("VAULT_CLIENT_CERT", &file(bao(), "client.pem"));
    half.run(&line).fails().stderr_has("only one is set");
    let test = half.env("VAULT_CLIENT_KEY", &file(bao(), "client.key"));
    let encrypted = test.run(&line).code(0).stdout;
    test.file("e.yaml", encrypted).sops("decrypt e.yaml").code(0);
}

#[test]
fn a_namespace_is_a_world_of_its_own() {
    let test = encrypted_for(&key("transit/keys/sops"));
    let inside = with_root(test).env("VAULT_NAMESPACE", "inside");
    inside.run("decrypt e.yaml").fails().code(128).stderr_has("the token of VAULT_TOKEN in the namespace inside: ");
    let nowhere = inside.run_as(&[("VAULT_NAMESPACE", "nowhere")], "decrypt e.yaml").fails().code(128);
    nowhere.stderr_has("namespace not found").stderr_has("vault namespace list").stderr_lacks("secrets enable");
    let test = with_root(crate::vault::test()).env("VAULT_NAMESPACE", "inside/");
    let line = format!("encrypt --hc-vault-transit {} a.yaml", key("transit/keys/sops"));
    let encrypted = test.run(&line).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    test.run("decrypt e.yaml").code(0).stdout(PLAIN);
    test.sops("decrypt e.yaml").code(0);
}

#[test]
fn only_servers_on_the_list_see_our_token() {
    let address = text(bao(), "address");
    let allow = |list: &str| with_root(encrypted_for(&key("transit/keys/sops"))).env("SOPS_HC_VAULT_ALLOWLIST", list);
    for list in ["all", address, &format!("https://v.example,{address}/")] {
        allow(list).run("decrypt e.yaml").code(0).stdout(PLAIN);
    }
    for list in ["none", "https://v.example", &address[..address.len() - 1]] {
        let refused = allow(list).run("decrypt e.yaml").fails().code(128);
        refused.stderr_has("SOPS_HC_VAULT_ALLOWLIST does not allow this server, so it was not asked");
    }
}

#[test]
fn an_agent_stands_before_the_server() {
    let unreachable = format!("{}/v1/transit/keys/sops", nobody());
    let test = with_root(test()).env("VAULT_AGENT_ADDR", text(bao(), "address"));
    test.run(&format!("encrypt --hc-vault-transit {unreachable} a.yaml")).code(0).stdout_has("key_name: sops");
}

/// Groups, each with one key that is slow: opened at the same time. And a key that does not answer does not keep the next
/// one from being asked, nor a group the next group.
#[test]
fn keys_are_asked_at_the_same_time() {
    const WAIT: Duration = Duration::from_millis(1000);
    let server = text(bao(), "address").strip_prefix("http://").unwrap().to_owned();
    let slow = misbehaving(Manner::Slow(WAIT, server));
    let groups: String = (0..3).map(|at| format!("\n      - hc_vault: ['{slow}/v1/transit/keys/k{at}']")).collect();
    let test = with_root(test()).rules(&format!("creation_rules:\n  - key_groups:{groups}\n"));
    let encrypted = test.run("encrypt a.yaml").code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    let began = Instant::now();
    test.run("decrypt e.yaml").code(0).stdout(PLAIN);
    assert!(began.elapsed() < WAIT * 2, "{:?}", began.elapsed());

    let (silent, good) = (misbehaving(Manner::Silent), key("transit/keys/sops"));
    let line = format!("encrypt --hc-vault-transit {good},{} a.yaml", key("transit/keys/other"));
    let encrypted = test.run(&line).code(0).text().replacen(text(bao(), "address"), &silent, 1);
    let test = test.file("e.yaml", encrypted);
    let began = Instant::now();
    test.run("decrypt e.yaml").code(0).stdout(PLAIN);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    let groups: String =
        (0..4).map(|at| format!("\n      - hc_vault: ['{}']", key(&format!("transit/keys/g{at}")))).collect();
    let rules = format!("creation_rules:\n  - shamir_threshold: 2\n    key_groups:{groups}\n");
    let test = test.file(".sops.yaml", rules);
    let encrypted = test.run("encrypt a.yaml").code(0).text().replacen(text(bao(), "address"), &silent, 2);
    let test = test.file("e.yaml", encrypted);
    let began = Instant::now();
    test.run("decrypt e.yaml").code(0).stdout(PLAIN);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// In a network without a way out it works the same, and nobody outside was asked for.
#[test]
fn nobody_else_is_contacted() {
    let servers = Servers::alone("bao");
    let url = format!("{}/v1/transit/keys/sops", text(servers.of("bao"), "address"));
    let test = with_root(test());
    let encrypted = servers.run(&test, &format!("encrypt --hc-vault-transit {url} a.yaml")).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    servers.run(&test, "decrypt e.yaml").code(0).stdout(PLAIN);
    assert_eq!(servers.strangers(), "");
    // The check itself: somebody outside is noticed.
    servers.run(&test, "encrypt --hc-vault-transit http://192.0.2.7/v1/transit/keys/k a.yaml").fails();
    assert_eq!(servers.strangers(), "192.0.2.7\n");
}

#[test]
fn what_is_no_key_is_refused_before_anybody_is_asked() {
    let refused = test().run("encrypt --hc-vault-transit https://v:8200/transit/keys/k a.yaml").fails().code(1);
    refused.stderr_has("not the URL of a Vault transit key").stderr_has("/v1/");
    let rules = "creation_rules:\n  - hc_vault_transit_uri: nonsense\n";
    test().rules(rules).run("encrypt a.yaml").fails().stderr_has("line 2").stderr_has("no scheme");
}
