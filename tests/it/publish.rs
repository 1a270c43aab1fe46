//! `publish` to Vault, with OpenBao as the server and the real sops beside us.

use crate::builder::Test;
use crate::services::{Manner, Servers, bao, file, http, misbehaving, nobody, text};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};

const PLAIN: &str = "# top\nuser: admin\nratio: 1.10\nport: 5432\nbig: 1e300\non: true\nday: 2020-01-02\nnothing: null\n\
                     empty: ''\nlist: [a, 1]\nnested:\n  a: b\n  none: {}\n";

/// A folder of its own on the server, for a test of its own.
fn folder() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("it/{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn rule(path_regex: &str, folder: &str, more: &str) -> String {
    let address = text(bao(), "address");
    format!("  - path_regex: {path_regex}\n    vault_address: {address}\n    vault_path: {folder}\n{more}")
}

/// The files `a.yaml` (encrypted), and rules.
fn test(destinations: &str) -> Test {
    let rules = format!("creation_rules:\n  - age: '{{age}}'\ndestination_rules:\n{destinations}");
    let test = Test::new().identity().rules(&rules).file("a.yaml", PLAIN);
    test.run("encrypt -i a.yaml").code(0);
    test.env("VAULT_TOKEN", "root")
}

/// What is at a path of the server.
fn there(path: &str) -> Option<Value> {
    let url = format!("{}/v1/{path}", text(bao(), "address"));
    let (status, body) = http("GET", &url, &[("X-Vault-Token", "root")], "");
    assert!([200, 404].contains(&status), "{status} {body}");
    (status == 200).then(|| serde_json::from_str::<Value>(&body).unwrap()["data"].clone())
}

#[test]
fn sops_and_leafcrypt_publish_the_same_secret() {
    for (more, path, data) in [
        ("", "secret/data", "data"),
        ("    vault_kv_mount_name: team/kv2\n    vault_kv_version: 2\n", "team/kv2/data", "data"),
        ("    vault_kv_mount_name: kv1/\n    vault_kv_version: 1\n", "kv1", ""),
    ] {
        let (ours, theirs) = (folder(), folder());
        let test = test(&format!("{}{}", rule("^a", &ours, more), rule("^b", &format!("{theirs}/"), more)));
        test.run("publish --yes a.yaml")
            .code(0)
            .stderr_has("is published to")
            .stdout_lacks("admin")
            .stderr_lacks("admin");
        std::fs::copy(test.path("a.yaml"), test.path("b.yaml")).unwrap();
        test.sops("publish --yes b.yaml").code(0);
        let values = |folder: &str, name: &str| {
            let found = there(&format!("{path}/{folder}/{name}")).unwrap_or_else(|| panic!("{folder}/{name} is there"));
            if data.is_empty() { found } else { found[data].clone() }
        };
        let published = values(&ours, "a.yaml");
        assert_eq!(published, values(&theirs, "b.yaml"));
        assert_eq!(published["nested"], json!({"a": "b", "none": {}}));
        assert_eq!((&published["port"], &published["on"]), (&json!(5432), &json!(true)));

        // What is there is not published again: of version 2 there would be another version.
        test.run("publish --yes a.yaml").code(0).stdout("").stderr_has("a.yaml is already up-to-date in http://");
        if !data.is_empty() {
            let version =
                |folder: &str, name| there(&format!("{path}/{folder}/{name}")).unwrap()["metadata"]["version"].clone();
            assert_eq!(version(&ours, "a.yaml"), json!(1));
        }
    }
}

/// An engine of version 1 takes what is meant for version 2 for a secret of its own: sops calls it published.
#[test]
fn another_version_of_the_engine_is_noticed() {
    let test = test(&rule("^a", &folder(), "    vault_kv_mount_name: kv1\n"));
    let refused = test.run("publish --yes a.yaml").code(1).stderr_has("as version 1 of the engine does");
    refused.stderr_has("vault delete kv1/data/").stderr_has("vault_kv_version: 1").stderr_lacks("is published");
}

/// sops says nothing of it either, and publishes values in clear.
#[test]
fn a_recreation_rule_has_no_effect_on_values() {
    let test = test(&rule("^a", &folder(), "    recreation_rule:\n      age: '{age}'\n"));
    test.run("publish --yes a.yaml")
        .code(0)
        .stderr_has("its recreation_rule has no effect, since values go there in clear");
    let test = crate::publish::test(&rule("^a", &folder(), "    recreation_rule: {}\n"));
    test.run("publish --yes a.yaml").code(0).stderr_lacks("recreation_rule");
}

/// What sops publishes of them is no map: it is how its own code holds one, `[{"Key": …, "Value": …}]`.
#[test]
fn maps_and_comments_in_lists_are_what_they_are() {
    let at = folder();
    let test = test(&rule("a", &at, "")).file("a.yaml", "list:\n  # c\n  - x: 1\n    y: [{z: w}]\n");
    test.run("encrypt -i a.yaml").code(0);
    test.run("publish --yes a.yaml").code(0);
    let list = there(&format!("secret/data/{at}/a.yaml")).unwrap()["data"]["list"].clone();
    assert_eq!(list, json!([{"x": 1, "y": [{"z": "w"}]}]));
    test.sops("publish --yes a.yaml").code(0);
    let list = there(&format!("secret/data/{at}/a.yaml")).unwrap()["data"]["list"].clone();
    assert_eq!(list[0], json!({"Value": " c"}), "sops publishes such lists as they are by now");
}

#[test]
fn every_format_is_published_as_sops_does_it() {
    let (ours, theirs) = (folder(), folder());
    let mut test = test(&format!("{}{}", rule("^ours/", &ours, ""), rule("^theirs/", &theirs, "")));
    for (name, content) in [
        ("a.json", "{\"a\": {\"b\": [1, 2.5, null, \"x\"]}, \"n\": 9007199254740991}\n"),
        ("a.env", "# c\nUSER=admin\nTEXT=a\\nb\n"),
        ("a.ini", "top = 1\n[s]\n; c\nk = v\n"),
        ("a.txt", "any\ntext \u{e9}\n"),
        ("noextension", "x"),
    ] {
        test = test.file(&format!("ours/{name}"), content);
        let line = format!("encrypt -i ours/{name}");
        test.run(&line).code(0);
        let encrypted = test.read(&format!("ours/{name}"));
        test = test.file(&format!("theirs/{name}"), encrypted);
    }
    test.run("publish -y --recursive ours").code(0);
    for name in ["a.json", "a.env", "a.ini", "a.txt", "noextension"] {
        test.sops(&format!("publish --yes theirs/{name}")).code(0);
        let values = |folder: &str| there(&format!("secret/data/{folder}/{name}")).unwrap()["data"].clone();
        assert_eq!(values(&ours), values(&theirs), "{name}");
    }
}

#[test]
fn a_folder_is_published_under_paths_from_there() {
    let (ours, theirs) = (folder(), folder());
    let rules = format!("{}{}", rule("^ours/", &ours, ""), rule("^theirs/", &theirs, ""));
    let mut test = test(&rules);
    let encrypted = test.read("a.yaml");
    for name in ["x.enc.yaml", "deep/y.yaml", "deep/er/z.yaml"] {
        test = test.file(&format!("ours/{name}"), &encrypted).file(&format!("theirs/{name}"), &encrypted);
    }
    for folder in ["ours", "theirs"] {
        std::os::unix::fs::symlink("../x.enc.yaml", test.path(&format!("{folder}/deep/link.yaml"))).unwrap();
    }
    test.run("publish --yes ours").code(1).stderr_has("--recursive");
    test.sops("publish --yes theirs").code(1);
    test.run("publish --yes --recursive --omit-extensions ours").code(0);
    test.sops("publish --yes --recursive --omit-extensions theirs").code(0);
    let list = |folder: &str| {
        let mut found = Vec::new();
        for path in ["", "deep/", "deep/er/"] {
            let url = format!("{}/v1/secret/metadata/{folder}/{path}", text(bao(), "address"));
            let (_, body) = http("LIST", &url, &[("X-Vault-Token", "root")], "");
            found.push(serde_json::from_str::<Value>(&body).unwrap()["data"]["keys"].clone());
        }
        found
    };
    assert_eq!(list(&ours), [json!(["deep/", "x.enc"]), json!(["er/", "link", "y"]), json!(["z"])]);
    assert_eq!(list(&ours), list(&theirs));

    // A file that fails is named, and keeps none of the others from being done.
    let test = test.file("ours/plain.yaml", "a: 1\n").file("ours/new.yaml", &encrypted);
    let test = test.file("ours/.git/config", "x");
    std::os::unix::fs::symlink("deep", test.path("ours/way")).unwrap();
    let failed = test.run("publish --yes --recursive ours").code(1);
    failed
        .stderr_has("1 of 6 files failed")
        .stderr_has("--> ours/plain.yaml")
        .stderr_has("the file is not encrypted")
        .stderr_has("ours/way: a link to a folder is not followed")
        .stderr_has("ours/new.yaml is published to");
    assert!(there(&format!("secret/data/{ours}/new.yaml")).is_some());
    test.sops("publish --yes --recursive ours").code(1);

    // Two files, one place.
    std::fs::remove_file(test.path("ours/plain.yaml")).unwrap();
    std::fs::copy(test.path("ours/deep/y.yaml"), test.path("ours/deep/y.yml")).unwrap();
    let both = test.run("publish --yes --recursive --omit-extensions ours").code(1);
    both.stderr_has("ours/deep/y.yaml goes to the same place").stderr_has("--> ours/deep/y.yml");
}

#[test]
fn it_asks_before_it_publishes() {
    let at = folder();
    let test = test(&rule("a", &at, "    omit_extensions: true\n"));
    let secret = format!("secret/data/{at}/a");
    let plan = |output: crate::builder::Output| {
        output.stdout_has("+++ a.yaml (decrypted)\n").stdout_has(&format!("/v1/{secret}\n")).stdout_lacks("admin")
    };
    plan(test.run("publish a.yaml").code(1)).stderr_has("nobody has said").stderr_has("--yes");
    plan(test.run_with("publish a.yaml", "what?\nn\n").code(1)).stderr_has("publication of a.yaml canceled");
    test.sops_with("publish a.yaml", "n\n").code(1);
    assert_eq!(there(&secret), None);
    plan(test.run_with("publish a.yaml", "y\n").code(0)).stderr_has("uploading a.yaml to http://");
    assert!(there(&secret).is_some());
    // Of a folder it is no failure that somebody says no, as in sops.
    std::fs::create_dir(test.path("a")).unwrap();
    std::fs::rename(test.path("a.yaml"), test.path("a/b.yaml")).unwrap();
    test.run_with("publish --recursive a", "n\n").code(0).stderr_has("publication of a/b.yaml canceled");
    test.sops_with("publish --recursive a", "n\n").code(0);
    assert_eq!(there(&format!("secret/data/{at}/b")), None);
}

#[test]
fn each_refusal_has_its_own_message() {
    let at = folder();
    let ready = test(&rule("a", &at, ""));
    let token = |token: &str| ready.run_as(&[("VAULT_TOKEN", token)], "publish --yes a.yaml");
    token("hunter2")
        .fails()
        .code(1)
        .stderr_has("the token itself is expired")
        .stderr_has("vault login")
        .stderr_lacks("hunter2");
    ready.sops_as(&[("VAULT_TOKEN", "hunter2")], "publish --yes a.yaml").code(1);
    let denied = token(text(bao(), "denied")).code(1);
    denied
        .stderr_has("it is not known what is there")
        .stderr_has("cannot be written")
        .stderr_has("capabilities secret/data/");
    // Who may write and not read publishes all the same, as in sops, and each time.
    for _ in 0..2 {
        token(text(bao(), "writes")).code(0).stderr_has("even if it has not changed").stderr_has("is published to");
    }
    let none = ready.run_as(&[("VAULT_TOKEN", "")], "publish --yes a.yaml").fails().code(1);
    none.stderr_has("with no token").stderr_has("hint: VAULT_TOKEN is not set").stderr_has("--> a.yaml");

    let refused = |more: &str| test(&rule("a", &at, more)).run("publish --yes a.yaml").fails().code(1);
    refused("    vault_kv_mount_name: nowhere\n")
        .stderr_has("404 Not Found")
        .stderr_has("secrets enable -path=nowhere");
    refused("    vault_kv_version: 1\n").stderr_has("404 Not Found").stderr_has("versioned");
    refused("    vault_kv_version: 3\n").stderr_has("vault_kv_version is 3").stderr_has("line 4");
    refused("    s3_bucket: b\n").stderr_has("more than one destination").stderr_has("vault_path and s3_bucket");

    let at_address = |address: &str| {
        let rule = format!("  - vault_address: {address}\n    vault_path: x\n");
        let test = test(&rule).env("VAULT_CLIENT_TIMEOUT", "1").env("VAULT_MAX_RETRIES", "0");
        test.run("publish --yes a.yaml").fails().code(1).stderr_has("--> a.yaml").stderr_lacks("<html>")
    };
    at_address(&nobody()).stderr_has("cannot be reached").stderr_has("refused");
    at_address(&misbehaving(Manner::Silent)).stderr_has("did not answer in time");
    at_address(&misbehaving(Manner::Says("<html>hello</html>"))).stderr_has("what is no answer of Vault");
    at_address(&misbehaving(Manner::Refuses(503, "{\"errors\": [\"Vault is sealed\"]}"))).stderr_has("operator unseal");
    at_address(text(bao(), "tls")).stderr_has("no secure connection");
    let tls = format!("  - vault_address: {}\n    vault_path: {at}\n", text(bao(), "tls"));
    test(&tls).env("VAULT_CACERT", &file(bao(), "ca.pem")).run("publish --yes a.yaml").code(0);
    // Without an address it is the one of Vault's own client.
    let test = test(&format!("  - vault_path: {at}/default\n")).env("VAULT_ADDR", text(bao(), "address"));
    test.run("publish --yes a.yaml").code(0).stderr_has(&format!("/v1/secret/data/{at}/default/a.yaml"));
}

/// In a network without a way out it works the same, and nobody outside was asked for.
#[test]
fn nobody_else_is_contacted() {
    let servers = Servers::alone("bao");
    let address = text(servers.of("bao"), "address");
    let test = test(&format!("  - vault_path: it\n    vault_address: {address}\n"));
    servers.run(&test, "publish --yes a.yaml").code(0).stderr_has("is published to http://");
    assert_eq!(servers.strangers(), "");
}

#[test]
fn wrong_files_and_rules_are_named() {
    let at = folder();
    let ready = test(&rule("^a", &at, "")).file("b.yaml", "x: 1\n").file("a-plain.yaml", "x: 1\n");
    let ready = ready.file("a-two.yaml", "x: 1\n---\nx: 2\n").file("a-inf.yaml", "deep: [.inf]\n");
    ready.run("encrypt -i a-two.yaml a-inf.yaml").code(0);
    ready.run("publish").fails().code(100);
    ready.sops("publish").code(100);
    ready.run("publish --yes nowhere.yaml").fails().code(1).stderr_has("nowhere.yaml");
    ready.sops("publish --yes nowhere.yaml").code(1);
    ready
        .run("publish --yes b.yaml")
        .fails()
        .code(1)
        .stderr_has("no matching destination")
        .stderr_has("`^a` does not match");
    ready.sops("publish --yes b.yaml").code(1);
    ready.run("publish --yes a-plain.yaml").fails().code(1).stderr_has("is not encrypted");
    ready.sops("publish --yes a-plain.yaml").code(1);
    ready
        .run("publish --yes a-two.yaml")
        .fails()
        .code(1)
        .stderr_has("two documents of it have the same key")
        .stderr_has("at: x");
    ready.run("publish --yes a-inf.yaml").fails().code(1).stderr_has("Vault cannot hold it").stderr_has("at: deep[0]");
    let tampered = ready.read("a.yaml").replace("port: ENC[AES256_GCM,data:", "port: ENC[AES256_GCM,data:A");
    let ready = ready.file("a-bad.yaml", tampered);
    ready.run("publish --yes a-bad.yaml").fails();
    assert_eq!(there(&format!("secret/data/{at}/a-bad.yaml")), None);
    // Whoever cannot open the file publishes nothing.
    std::fs::remove_dir_all(ready.home().join(".config")).unwrap();
    ready.run("publish --yes a.yaml").fails().code(128);
    ready.sops("publish --yes a.yaml").code(128);

    let none = Test::new().identity().file("a.yaml", "a: 1\n");
    none.run("encrypt -i --age {age} a.yaml").code(0);
    none.run("publish a.yaml").fails().code(1).stderr_has("no .sops.yaml was found");
    none.rules("creation_rules: []\n").run("publish a.yaml").fails().code(1).stderr_has("it has no destination_rules");
}

/// The path is matched from the folder of `.sops.yaml`, wherever the command is run; as it was typed after that.
#[test]
fn a_rule_is_found_by_the_path_from_its_folder() {
    let at = folder();
    let test = test(&rule("^in/", &at, "")).file("in/.keep", "");
    std::fs::rename(test.path("a.yaml"), test.path("in/a.yaml")).unwrap();
    let absolute = test.path("in/a.yaml").display().to_string();
    for line in ["publish --yes in/a.yaml", "publish --yes ./in/../in/a.yaml", &format!("publish --yes {absolute}")] {
        test.run(line).code(0);
    }
    let typed = rule("^[.]/in/", &folder(), "");
    let test = test.rules(&format!("destination_rules:\n{typed}"));
    test.run("publish --yes ./in/a.yaml").code(0);
    test.sops("publish --yes ./in/a.yaml").code(0);
    test.run("publish --yes in/a.yaml").fails();
    test.sops("publish --yes in/a.yaml").code(1);
    let test = test.file("other/rules.yaml", format!("destination_rules:\n{}", rule("^x", "x", "")));
    test.run("--config other/rules.yaml publish --yes ./in/a.yaml").fails().stderr_has("rules.yaml");
}
