//! `rotate --add-*` and `--rm-*` with the keys of each service and of gpg: beside the real sops, on the same servers.

use crate::builder::{Output, Test};
use crate::gnupg::Gnupg;
use crate::services::{bao, by_proxy, clouds, moto, number, text};

const PLAIN: &str = "user: admin\n";

/// The recipients of a file, in their order.
fn recipients(file: &str) -> Vec<String> {
    let names = ["arn", "resource_id", "fp", "key_id", "name", "engine_path", "key_name", "recipient"];
    let block = file.split_once("\nsops:").unwrap().1.lines().map(|line| line.trim().trim_start_matches("- "));
    let named = block.filter_map(|line| line.split_once(": ").filter(|(name, _)| names.contains(name)));
    named.map(|(_, value)| value.trim_matches('"').to_owned()).collect()
}

fn token(file: &str) -> &str {
    file.lines().find(|line| line.starts_with("user:")).unwrap()
}

/// Two keys of a kind come and go, one after the other, by leafcrypt and by sops: each time both programs open what the
/// other made, and the recipients are the same.
fn come_and_go(test: Test, flag: &str, keys: [&str; 2], sops: impl Fn(&Test, &str) -> Output) {
    let test = test.file("a.yaml", PLAIN);
    let file = test.run(&format!("encrypt --{flag} {} a.yaml", keys[0])).code(0).text();
    let test = test.file("ours.yaml", &file).file("theirs.yaml", &file);
    let first = recipients(&file);
    assert!(!first.is_empty(), "{file}");
    for (step, count) in [
        (format!("--add-{flag} {}", keys[1]), 2),
        (format!("--rm-{flag} {}", keys[0]), 1),
        (format!("--add-{flag} {}", keys[0]), 2),
        (format!("--rm-{flag} {}", keys[1]), 1),
    ] {
        let before = test.read("ours.yaml");
        test.run(&format!("rotate -i {step} ours.yaml")).code(0).stdout("").stderr_is_empty();
        sops(&test, &format!("rotate -i {step} theirs.yaml")).code(0);
        let (ours, theirs) = (test.read("ours.yaml"), test.read("theirs.yaml"));
        assert_ne!(token(&before), token(&ours), "the data key is the old one");
        assert_eq!(recipients(&ours), recipients(&theirs), "{step}");
        assert_eq!(recipients(&ours).len(), first.len() * count, "{step}\n{ours}");
        for file in ["ours.yaml", "theirs.yaml"] {
            test.run(&format!("decrypt {file}")).code(0).stdout(PLAIN);
            sops(&test, &format!("decrypt {file}")).code(0).stdout(PLAIN);
        }
    }
    assert_eq!(recipients(&test.read("ours.yaml")), first);
    // Who is not there cannot go.
    let line = format!("rotate -i --rm-{flag} {} ours.yaml", keys[1]);
    test.run(&line).code(0).stdout("").stderr_has("is no recipient, so nothing was removed");
    assert_eq!(recipients(&test.read("ours.yaml")), first);
}

#[test]
fn pgp() {
    let gnupg = Gnupg::new();
    let keys = [gnupg.key("alice", ""), gnupg.key("bob", "")];
    let test = Test::new().env("GNUPGHOME", gnupg.home().to_str().unwrap());
    come_and_go(test, "pgp", [&keys[0], &keys[1]], Test::sops);
}

#[test]
fn aws() {
    let test = Test::new().env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_ENDPOINT_URL", text(moto(), "url"));
    let test = test.env("AWS_ACCESS_KEY_ID", "AKIAFROMTHEENV").env("AWS_SECRET_ACCESS_KEY", "hunter2-secret");
    let key = |region: &str| moto()["keys"][region][0].as_str().unwrap();
    come_and_go(test, "kms", [key("us-east-1"), key("eu-west-1")], Test::sops);
}

#[test]
fn gcp() {
    let test = by_proxy(Test::new(), clouds()).env("SOPS_GCP_KMS_CLIENT_TYPE", "rest");
    let test = test.env("GOOGLE_OAUTH_ACCESS_TOKEN", text(clouds(), "gcp_token"));
    let key = |name: &str| format!("projects/p/locations/global/keyRings/r/cryptoKeys/{name}");
    come_and_go(test, "gcp-kms", [&key("sops"), &key("other")], Test::sops);
}

#[test]
fn azure() {
    let test = by_proxy(Test::new(), clouds()).env("AZURE_TENANT_ID", text(clouds(), "tenant"));
    let test = test.env("AZURE_CLIENT_ID", text(clouds(), "client_id"));
    let test = test.env("AZURE_CLIENT_SECRET", text(clouds(), "client_secret"));
    let key = |name: &str| format!("https://team.vault.azure.net/keys/{name}");
    come_and_go(test, "azure-kv", [&key("a/0a"), &key("b/0b")], Test::sops);
}

#[test]
fn vault() {
    let key = |name: &str| format!("{}/v1/{name}", text(bao(), "address"));
    let keys = [key("transit/keys/sops"), key("team/a/transit/keys/sops")];
    come_and_go(Test::new().env("VAULT_TOKEN", "root"), "hc-vault-transit", [&keys[0], &keys[1]], Test::sops);
}

#[test]
fn huawei() {
    let test = by_proxy(Test::new(), clouds()).env("HUAWEICLOUD_SDK_AK", text(clouds(), "hc_ak"));
    let test = test.env("HUAWEICLOUD_SDK_SK", text(clouds(), "hc_sk"));
    let test = test.env("HUAWEICLOUD_SDK_PROJECT_ID", text(clouds(), "hc_project"));
    let keys = ["tr-west-1:0d0466b0-e727-4d9c-b35d-f84bb474a37f", "cn-north-4:1d0466b0-e727-4d9c-b35d-f84bb474a37f"];
    // Huawei's own library, which sops has, knows no proxies.
    let url = format!("http://127.0.0.1:{}", number(clouds(), "http"));
    let regions = ["HUAWEICLOUD_SDK_REGION_KMS_TR_WEST_1", "HUAWEICLOUD_SDK_REGION_KMS_CN_NORTH_4"];
    come_and_go(test, "hckms", keys, |test, line| test.sops_as(&regions.map(|name| (name, url.as_str())), line));
}
