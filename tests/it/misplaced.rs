//! Secrets where names of files belong, in every variable that names one: said, with what to type, and not shown.

use crate::builder::Test;
use age::secrecy::ExposeSecret as _;

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nHUNTER2HUNTER2\n-----END PRIVATE KEY-----\n";
const JSON: &str = "{\"type\": \"service_account\", \"private_key\": \"HUNTER2\"}";
const JWT: &str = "eyJhbGciOiJIUNTER2.eyJzdWIiOiJIUNTER2.HUNTER2";
/// Nobody listens there; nobody should be asked.
const VAULT: &str = "--hc-vault-transit https://127.0.0.1:9/v1/transit/keys/k";
const AWS: &str = "--kms arn:aws:kms:us-east-1:123456789012:key/1";
const AZURE: &str = "--azure-kv https://v.vault.azure.net/keys/k/0123456789abcdef0123456789abcdef";
const GCP: &str = "--gcp-kms projects/p/locations/l/keyRings/r/cryptoKeys/k";
const HUAWEI: &str = "--hckms eu-west-101:12345678-1234-1234-1234-123456789012";
const PGP: &str = "--pgp 85D77543B3D624B63CEA9E6DBC17301B491B3F21";

fn test() -> Test {
    let test = Test::new().file("a.yaml", "a: 1\n");
    ["VAULT_TOKEN", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AWS_REGION"]
        .iter()
        .fold(test, |test, name| test.env(name, "x"))
}

#[test]
fn a_secret_in_the_place_of_a_path_is_not_shown() {
    let cases = [
        ("VAULT_CLIENT_KEY", PEM, "a private key", VAULT),
        ("VAULT_CLIENT_CERT", PEM, "a private key", VAULT),
        ("VAULT_CACERT", PEM, "a private key", VAULT),
        ("VAULT_CAPATH", PEM, "a private key", VAULT),
        ("AZURE_CLIENT_CERTIFICATE_PATH", PEM, "a private key", AZURE),
        ("AZURE_FEDERATED_TOKEN_FILE", JWT, "a token", AZURE),
        ("GOOGLE_APPLICATION_CREDENTIALS", JSON, "JSON", GCP),
        ("CLOUDSDK_CONFIG", JSON, "JSON", GCP),
        ("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "[basic]\nak = a\nsk = HUNTER2\n", "settings", HUAWEI),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", JWT, "a token", AWS),
        ("AWS_SHARED_CREDENTIALS_FILE", "[default]\naws_secret_access_key = HUNTER2\n", "settings", AWS),
        ("AWS_CONFIG_FILE", "[default]\naws_secret_access_key = HUNTER2\n", "settings", AWS),
        ("AWS_CA_BUNDLE", PEM, "a private key", AWS),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", JWT, "a token", AWS),
        ("SOPS_GPG_EXEC", PEM, "a private key", PGP),
        ("GNUPGHOME", PEM, "a private key", PGP),
        ("GOOGLE_APPLICATION_CREDENTIALS", "ya29.HUNTER2", "a token", GCP),
    ];
    for (variable, value, what, recipient) in cases {
        let other = if variable == "VAULT_CLIENT_KEY" { "VAULT_CLIENT_CERT" } else { "VAULT_CLIENT_KEY" };
        let test = test().file("there.pem", "").env(variable, value);
        let test = if recipient == VAULT { test.env(other, "there.pem") } else { test };
        let refused = test.run(&format!("encrypt --verbose {recipient} a.yaml")).fails();
        refused
            .stderr_has(&format!("{variable} holds"))
            .stderr_has(what)
            .stderr_has("not a path")
            .stderr_lacks("HUNTER2")
            .stderr_lacks("eyJ")
            .stderr_lacks("BEGIN");
    }
}

#[test]
fn an_identity_in_the_place_of_a_path_is_not_shown() {
    let key = age::x25519::Identity::generate();
    let (recipient, secret) = (key.to_public().to_string(), key.to_string());
    let secret = secret.expose_secret();
    let encrypted = test().run(&format!("encrypt --age {recipient} a.yaml")).code(0).text();
    let file = || test().file("e.yaml", &encrypted);
    let content = format!("# created: 2026-01-01\n# public key: {recipient}\n{secret}\n");
    for variable in
        ["SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_CMD"]
    {
        for value in [secret, &content] {
            let refused = file().env(variable, value).run("decrypt --verbose e.yaml").fails().code(128);
            let refused = refused.stderr_has(&format!("{variable} holds an age identity, not a ")).stderr_lacks(secret);
            if variable.starts_with("SOPS_AGE_KEY_") {
                refused.stderr_has(&format!("export SOPS_AGE_KEY=\"${variable}\"; unset {variable}"));
                file().env("SOPS_AGE_KEY", value).run("decrypt e.yaml").code(0).stdout("a: 1\n");
            }
        }
        let refused = file().env(variable, PEM).run("decrypt --verbose e.yaml").fails().code(128);
        refused.stderr_has(&format!("{variable} holds a private key, not a ")).stderr_lacks("HUNTER2");
    }
    // An identity is made where that variable says: nothing is called like a key.
    for command in ["keygen", "init"] {
        let test = file().env("SOPS_AGE_KEY_FILE", secret);
        test.run(command).fails().stderr_has("holds an age identity, not a path").stderr_lacks(secret);
        assert!(std::fs::read_dir(test.path("")).unwrap().all(|entry| entry.unwrap().path().extension().is_some()));
    }
    // What is there is a path, and a command is one, whatever they are called.
    let odd = file().file("AGE-SECRET-KEY-1.txt", secret).env("SOPS_AGE_KEY_FILE", "AGE-SECRET-KEY-1.txt");
    odd.run("decrypt e.yaml").code(0).stdout("a: 1\n");
    file().env("SOPS_AGE_KEY_CMD", &format!("echo {secret}")).run("decrypt e.yaml").code(0).stdout("a: 1\n");
}

/// What programs and libraries say of credentials is shown, but for the credentials.
#[test]
fn what_sources_of_credentials_say_holds_no_secret() {
    let aws = |process: &str| {
        let test = test();
        std::fs::create_dir_all(test.home().join(".aws")).unwrap();
        std::fs::write(test.home().join(".aws/config"), format!("[default]\ncredential_process = {process}\n"))
            .unwrap();
        test.run(&format!("encrypt --verbose {AWS} a.yaml")).fails().stderr_lacks("HUNTER2").stderr_has("credential")
    };
    aws("sh -c \"echo HUNTER2; exit 3\"");
    aws("sh -c \"echo told-why >&2; exit 3\" HUNTER2");
    aws("echo HUNTER2");
    aws("echo '{\"Version\": 1, \"SecretAccessKey\": \"HUNTER2\"}'");
    aws("echo '{\"Version\": 1, \"AccessKeyId\": 5, \"SecretAccessKey\": \"HUNTER2\"}'");
    aws("echo '{\"Version\": \"HUNTER2\", \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"HUNTER2\"}'");
    aws("no-such-program HUNTER2");
    for json in [
        "{\"type\": \"service_account\", \"client_email\": \"a@b\", \"private_key_id\": \"k\", \"project_id\": \"p\", \"private_key\": \"HUNTER2\"}",
        "{\"type\": \"service_account\", \"client_email\": {\"HUNTER2\": 1}, \"private_key\": \"HUNTER2\"}",
        "{\"type\": \"service_account\", \"private_key\": 5, \"client_email\": \"a@b\", \"HUNTER2\": \"HUNTER2\"}",
        "{\"type\": \"authorized_user\", \"client_id\": 5, \"client_secret\": \"HUNTER2\", \"refresh_token\": [\"HUNTER2\"]}",
        "{\"type\": \"external_account\", \"audience\": \"a\", \"credential_source\": \"HUNTER2\"}",
    ] {
        let refused = test().env("GOOGLE_CREDENTIALS", json).run(&format!("encrypt --verbose {GCP} a.yaml")).fails();
        refused.stderr_has("GOOGLE_CREDENTIALS").stderr_lacks("HUNTER2");
    }
}
