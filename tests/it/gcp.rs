//! Google Cloud KMS: the stand-in clouds on Google's own message types, and the real sops beside us.

use crate::builder::Test;
use crate::services::{Manner, Servers, by_proxy, clouds, misbehaving, nobody, number, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PLAIN: &str = "# c\nuser: admin\nratio: 1.10\n";
const KEY: &str = "projects/p/locations/global/keyRings/r/cryptoKeys/sops";

fn test() -> Test {
    Test::new().file("a.yaml", PLAIN)
}

fn wired(test: Test, clouds: &Value) -> Test {
    by_proxy(test, clouds).env("SOPS_GCP_KMS_CLIENT_TYPE", "rest")
}

fn with_token() -> Test {
    wired(test(), clouds()).env("GOOGLE_OAUTH_ACCESS_TOKEN", text(clouds(), "gcp_token"))
}

#[test]
fn sops_reads_what_we_write_and_we_read_what_sops_writes() {
    let test = with_token();
    let line = format!("encrypt --gcp-kms {KEY} a.yaml");
    let (ours, theirs) = (test.run(&line).code(0).text(), test.sops(&line).code(0).text());
    let names = |text: &str| -> Vec<String> {
        let block = text.split_once("\nsops:").unwrap().1;
        let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        block.lines().map(name).filter(|name| !name.contains("leafcrypt_layout")).collect()
    };
    assert_eq!(names(&ours), names(&theirs));
    let test = test.file("ours.yaml", ours).file("theirs.yaml", theirs);
    test.sops("decrypt ours.yaml").code(0).stdout("# c\nuser: admin\nratio: 1.1\n");
    test.run("decrypt ours.yaml").code(0).stdout(PLAIN);
    let expected = test.sops("decrypt theirs.yaml").code(0).stdout;
    test.run("decrypt theirs.yaml").code(0).stdout(expected);
    // Real sops' own way is gRPC.
    let grpc = test.env("HTTPS_PROXY", &format!("http://127.0.0.1:{}", number(clouds(), "proxy_grpc")));
    grpc.env("SOPS_GCP_KMS_CLIENT_TYPE", "grpc").sops("decrypt ours.yaml").code(0);
}

#[test]
fn rules_name_keys_as_a_text_a_list_and_in_groups() {
    let other = KEY.replace("sops", "other");
    for rule in [
        format!("gcp_kms: {KEY}, {other}"),
        format!("gcp_kms:\n      - {KEY}\n      - {other}"),
        format!("key_groups:\n      - gcp_kms: [{{resource_id: {KEY}}}]\n      - gcp_kms: [{{resource_id: {other}}}]"),
    ] {
        let test = with_token().rules(&format!("creation_rules:\n  - {rule}\n"));
        let encrypted = test.run("encrypt a.yaml").code(0).stdout_has(&other).stdout;
        let test = test.file("e.yaml", encrypted);
        test.run("decrypt e.yaml").code(0).stdout(PLAIN);
        test.sops("decrypt e.yaml").code(0);
    }
    with_token().env("SOPS_GCP_KMS_IDS", KEY).run("encrypt a.yaml").code(0).stdout_has(KEY);
}

/// Credentials of every kind, and that the message says which were used.
#[test]
fn credentials_come_from_everywhere_where_google_keeps_them() {
    let clouds = clouds();
    let line = format!("encrypt --verbose --gcp-kms {KEY} a.yaml");
    let used = |test: Test, who: &str| drop(test.run(&line).code(0).stderr_has(who).stderr_lacks("PRIVATE KEY"));
    let account = format!("{}/gcp-sa.json", text(clouds, "folder"));
    let json = std::fs::read_to_string(&account).unwrap();
    let wired = || wired(test(), clouds);
    used(with_token(), "the token of GOOGLE_OAUTH_ACCESS_TOKEN");
    // sops' own variable goes first: a path, or the credentials themselves.
    let both = with_token().env("GOOGLE_CREDENTIALS", &account);
    used(both, "the service account sops@p.iam.gserviceaccount.com of GOOGLE_CREDENTIALS=/");
    used(wired().env("GOOGLE_CREDENTIALS", &json), "sops@p.iam.gserviceaccount.com of GOOGLE_CREDENTIALS, it answered");
    used(wired().env("GOOGLE_APPLICATION_CREDENTIALS", &account), "of GOOGLE_APPLICATION_CREDENTIALS=/");
    let user = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": text(clouds, "gcp_refresh"),
    });
    let logged_in = wired();
    let folder = logged_in.home().join(".config/gcloud");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("application_default_credentials.json"), user.to_string()).unwrap();
    used(logged_in, "the user of ~/.config/gcloud/application_default_credentials.json");
    let federated = json!({
        "type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": "subject"},
    });
    let subject = wired().file("subject", text(clouds, "gcp_subject"));
    used(subject.env("GOOGLE_CREDENTIALS", &federated.to_string()), "the workload identity //iam.googleapis.com");
    let impersonated = json!({
        "type": "impersonated_service_account", "source_credentials": user,
        "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/x@p.iam:generateAccessToken",
    });
    used(wired().env("GOOGLE_CREDENTIALS", &impersonated.to_string()), "the impersonated account x@p.iam");
    // The project that calls count for: of the environment, else of the credentials.
    let mut charged = user.clone();
    charged["quota_project_id"] = "used-up".into();
    let charged = wired().env("GOOGLE_CREDENTIALS", &charged.to_string());
    charged.run(&line).fails().stderr_has("Quota exceeded for project used-up");
    charged.run_as(&[("GOOGLE_CLOUD_QUOTA_PROJECT", "other")], &line).code(0);
    let account = wired().env("GOOGLE_CREDENTIALS", &account);
    account
        .run_as(&[("GOOGLE_CLOUD_QUOTA_PROJECT", "used-up")], &line)
        .fails()
        .stderr_has("Quota exceeded for project");
    let metadata = format!("127.0.0.1:{}", number(clouds, "http"));
    used(wired().env("GCE_METADATA_HOST", &metadata), "the service account of this machine");
}

#[test]
fn without_credentials_nobody_is_asked_and_nothing_is_waited_for() {
    let began = Instant::now();
    let refused = wired(test(), clouds()).run(&format!("encrypt --gcp-kms {KEY} a.yaml")).fails();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    refused.stderr_has("no Google credentials").stderr_has("no such file").stderr_has("gcloud auth");
    let wrong =
        test().env("GOOGLE_CREDENTIALS", "{\"hunter2\": ").run(&format!("encrypt --gcp-kms {KEY} a.yaml")).fails();
    wrong.stderr_has("neither a file that exists nor credentials in JSON").stderr_lacks("hunter2");
    // Kinds that Google's library has not.
    for (kind, way) in [
        ("external_account_authorized_user", "=$(gcloud auth application-default print-access-token)"),
        ("gdch_service_account", "=$(gcloud auth print-access-token)"),
    ] {
        let json = json!({"type": kind, "refresh_token": "hunter2"}).to_string();
        let refused = test().env("GOOGLE_CREDENTIALS", &json).run(&format!("encrypt --gcp-kms {KEY} a.yaml")).fails();
        let refused = refused.stderr_has(&format!(
            "GOOGLE_CREDENTIALS holds credentials of a kind that cannot be used here: \"{kind}\""
        ));
        refused
            .stderr_has(&format!("hint: a token goes with any kind: GOOGLE_OAUTH_ACCESS_TOKEN{way}"))
            .stderr_lacks("hunter2");
    }
}

#[test]
fn each_refusal_has_its_own_message() {
    let refused = |test: Test, key: &str| test.run(&format!("encrypt --gcp-kms {key} a.yaml")).fails();
    refused(with_token(), &KEY.replace("sops", "missing")).stderr_has("NOT_FOUND").stderr_has("keys list");
    refused(with_token(), &KEY.replace("sops", "denied"))
        .stderr_has("PERMISSION_DENIED")
        .stderr_has("cryptoKeyEncrypterDecrypter");
    let with = |token: &str| with_token().env("GOOGLE_OAUTH_ACCESS_TOKEN", token);
    with(text(clouds(), "gcp_going")).run(&format!("encrypt --gcp-kms {KEY} a.yaml")).code(0);
    // One that was good, and one that never was.
    for token in [text(clouds(), "gcp_over"), "hunter2"] {
        refused(with(token), KEY).stderr_has("UNAUTHENTICATED").stderr_has("expired or wrong").stderr_lacks(token);
        with(token).sops(&format!("encrypt --gcp-kms {KEY} a.yaml")).code(1);
    }
    let revoked =
        json!({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "hunter2"});
    let revoked = wired(test(), clouds()).env("GOOGLE_CREDENTIALS", &revoked.to_string());
    refused(revoked, KEY).stderr_has("no token was given").stderr_has("expired or revoked").stderr_lacks("hunter2");
    refused(with_token(), "projects/p").stderr_has("not the resource id").stderr_has("cryptoKeys/KEY");

    let at = |url: &str| refused(with_token().env("SOPS_GCP_KMS_ENDPOINT", url), KEY);
    at(&nobody()).stderr_has("cannot be reached").stderr_has("refused");
    let quick = with_token().env("LEAFCRYPT_NETWORK_TIMEOUT", "0.5");
    let silent = misbehaving(Manner::Silent);
    refused(quick.env("SOPS_GCP_KMS_ENDPOINT", &silent), KEY).stderr_has("did not answer in time");
    at(&misbehaving(Manner::Says("<html>hello</html>"))).stderr_has("its answer is none of KMS").stderr_lacks("<html>");
    at(&misbehaving(Manner::Refuses(418, "<html>hello</html>")))
        .stderr_has("it answered 418, but not as KMS does: hello");

    // A data key that was wrapped with another one.
    let test = with_token();
    let text = test.run(&format!("encrypt --gcp-kms {KEY} a.yaml")).code(0).text();
    let test = test.file("e.yaml", text.replace("cryptoKeys/sops", "cryptoKeys/other"));
    test.run("decrypt e.yaml").fails().code(128).stderr_has("INVALID_ARGUMENT").stderr_has("Decryption failed");
    test.sops("decrypt e.yaml").code(128);
}

#[test]
fn another_endpoint_and_another_universe_can_be_named() {
    // The stand-in answers in the open as well.
    let test = test().env("GOOGLE_OAUTH_ACCESS_TOKEN", text(clouds(), "gcp_token"));
    let test = test.env("SOPS_GCP_KMS_ENDPOINT", &format!("http://127.0.0.1:{}", number(clouds(), "http")));
    test.run(&format!("encrypt --gcp-kms {KEY} a.yaml")).code(0);
    with_token().env("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "").run(&format!("encrypt --gcp-kms {KEY} a.yaml")).code(0);
    // The proxy knows no such host, which is how it shows who was asked for.
    let universe = with_token().env("SOPS_GCP_KMS_UNIVERSE_DOMAIN", "example.invalid");
    universe.run(&format!("encrypt --gcp-kms {KEY} a.yaml")).fails();
    let log = std::fs::read_to_string(format!("{}/requests.log", text(clouds(), "folder"))).unwrap();
    assert!(log.contains("CONNECT cloudkms.example.invalid:443"), "{log}");
}

/// In a network without a way out it works the same, and nobody outside was asked for: with credentials, and without.
#[test]
fn nobody_else_is_contacted() {
    let servers = Servers::alone("clouds");
    let clouds = servers.of("clouds");
    servers.run(&test(), &format!("encrypt --gcp-kms {KEY} a.yaml")).fails().stderr_has("no Google credentials");
    let test = wired(test(), clouds).env("GOOGLE_CREDENTIALS", &format!("{}/gcp-sa.json", text(clouds, "folder")));
    let encrypted = servers.run(&test, &format!("encrypt --gcp-kms {KEY} a.yaml")).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    servers.run(&test, "decrypt e.yaml").code(0).stdout(PLAIN);
    assert_eq!(servers.strangers(), "");
}
