//! `publish` to buckets, with moto as S3, an emulator of Cloud Storage, and the real sops beside us.

use crate::builder::{Output, Test, leafcrypt};
use crate::services::{Manner, Servers, clouds, gcs, http, misbehaving, moto, nobody, text};
use std::sync::atomic::{AtomicU32, Ordering};

const PLAIN: &str = "# top\nuser: admin\nratio: 1.10\nopen_unencrypted: x\n";

/// A prefix of its own in the bucket, for a test of its own.
fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("it/{}/", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn rule(path_regex: &str, prefix: &str, more: &str) -> String {
    format!("  - path_regex: {path_regex}\n    s3_bucket: secrets\n    s3_prefix: {prefix}\n{more}")
}

/// The file `a.yaml`, encrypted, and rules.
fn test(destinations: &str) -> Test {
    let rules = format!("creation_rules:\n  - age: '{{age}}'\ndestination_rules:\n{destinations}");
    let test = Test::new().identity().rules(&rules).file("a.yaml", PLAIN);
    test.run("encrypt -i a.yaml").code(0);
    test.env("AWS_ENDPOINT_URL", text(moto(), "url"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIAFROMTHEENV")
        .env("AWS_SECRET_ACCESS_KEY", "hunter2-secret")
}

/// Asks moto, which wants to see a signature here and does not check it.
fn ask(path: &str) -> (u16, String) {
    let signed = "AWS4-HMAC-SHA256 Credential=A/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    http("GET", &format!("{}/{path}", text(moto(), "url")), &[("Authorization", signed)], "")
}

fn there(key: &str) -> Option<String> {
    let (status, body) = ask(&format!("secrets/{key}"));
    assert!([200, 404].contains(&status), "{status} {body}");
    (status == 200).then_some(body)
}

/// When it was last written, to the second.
fn written(key: &str) -> String {
    let (_, list) = ask(&format!("secrets?prefix={key}"));
    let (_, rest) = list.split_once("<LastModified>").unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

#[test]
fn sops_and_leafcrypt_publish_the_same_object() {
    let (ours, theirs) = (prefix(), prefix());
    let test = test(&format!("{}{}", rule("^a", &ours, ""), rule("^b", &theirs, "    omit_extensions: true\n")));
    let said = test.run("publish --yes a.yaml").code(0).stdout_has("+++ a.yaml (encrypted as it is)");
    said.stderr_has(&format!("is published to s3://secrets/{ours}a.yaml"));
    assert_eq!(there(&format!("{ours}a.yaml")), Some(test.read("a.yaml")), "byte for byte");
    std::fs::copy(test.path("a.yaml"), test.path("b \u{e9}+%.yaml")).unwrap();
    test.sops("publish --yes 'b \u{e9}+%.yaml'").code(0);
    let same = test.run("publish --yes 'b \u{e9}+%.yaml'").code(0);
    same.stdout("").stderr_has(&format!("already up-to-date in s3://secrets/{theirs}b \u{e9}+%"));
    assert_eq!(there(&format!("{theirs}b%20%C3%A9%2B%25")), Some(test.read("a.yaml")));

    // What has not changed is not written again; what has, is.
    let before = written(&format!("{ours}a.yaml"));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    test.run("publish --yes a.yaml").code(0).stderr_has("already up-to-date");
    assert_eq!(written(&format!("{ours}a.yaml")), before);
    test.run("rotate -i a.yaml").code(0);
    test.run("publish --yes a.yaml").code(0).stdout_has("~~~ a.yaml");
    assert_eq!(there(&format!("{ours}a.yaml")), Some(test.read("a.yaml")));
}

/// The published file is for others: they can open it, by sops and by leafcrypt, and it has a data key of its own.
#[test]
fn a_file_is_encrypted_anew_for_whom_the_rule_names() {
    let at = prefix();
    let other = Test::new().identity();
    let recipient = other.recipient();
    let recreation = format!("    recreation_rule:\n      age: {recipient}\n      encrypted_regex: ^(user|ratio)$\n");
    let ready = test(&rule("a", &at, &recreation));
    let key = format!("{at}a.yaml");
    let said = ready.run("publish --yes a.yaml").code(0).stdout_has("encrypted anew, for others");
    said.stdout_has(&format!("+++ age {recipient}")).stdout_has("--- age ").stdout_lacks("admin");
    let published = there(&key).unwrap();
    let shared = |text: &str| text.lines().filter(|line| line.contains("ENC[")).map(str::to_owned).collect::<Vec<_>>();
    assert!(published.contains("encrypted_regex: ^(user|ratio)$") && published.contains(&recipient));
    let local = ready.read("a.yaml");
    assert!(shared(&published).iter().all(|line| !local.contains(line.trim())));
    let other = other.file("p.yaml", &published);
    other.run("decrypt p.yaml").code(0).stdout(PLAIN);
    other.sops("decrypt p.yaml").code(0);
    ready.sops("publish --yes a.yaml").code(0).stdout_has("+++ ");
    // sops forgets the selector of the rule, and what it publishes so does not verify, for nobody.
    let other = other.file("p.yaml", there(&key).unwrap());
    other.sops("decrypt p.yaml").code(51);
    other.run("decrypt p.yaml").fails().code(51);

    // Whoever cannot open what is there publishes anew. With a recipient in common it is seen that nothing has changed.
    ready.run("publish --yes a.yaml").code(0).stderr_has("is published");
    let both = format!("    recreation_rule:\n      age: '{recipient},{{age}}'\n");
    let test = test(&rule("a", &prefix(), &both));
    test.run("publish --yes a.yaml").code(0).stderr_has("is published");
    test.run("publish --yes a.yaml").code(0).stdout("").stderr_has("already up-to-date");
    test.run("rotate -i a.yaml").code(0);
    test.run("publish --yes a.yaml").code(0).stderr_has("already up-to-date");
    let test = test.file("a.yaml", PLAIN.replace("admin", "root"));
    test.run("encrypt -i a.yaml").code(0);
    test.run("publish --yes a.yaml").code(0).stderr_has("is published");
}

#[test]
fn key_groups_and_every_format_are_encrypted_anew() {
    let at = prefix();
    let (one, two) = (Test::new().identity(), Test::new().identity());
    let groups = format!(
        "    recreation_rule:\n      shamir_threshold: 2\n      key_groups:\n        - age: [{}]\n        - age: [{}]\n",
        one.recipient(),
        two.recipient()
    );
    let mut test = test(&rule("in/", &at, &groups));
    for (name, content) in
        [("a.json", "{\"a\": 1}\n"), ("a.env", "A=1\n"), ("a.ini", "[s]\nk = v\n"), ("a.bin", "x\ny")]
    {
        test = test.file(&format!("in/{name}"), content);
        test.run(&format!("encrypt -i in/{name}")).code(0);
    }
    test.run("publish --yes --recursive in").code(0).stdout_has("+++ shamir_threshold: 2");
    let keys = two.home().join(".config/sops/age/keys.txt");
    let second = std::fs::read_to_string(keys).unwrap();
    for (name, content) in
        [("a.json", "{\"a\": 1}\n"), ("a.env", "A=1\n"), ("a.ini", "[s]\nk = v\n"), ("a.bin", "x\ny")]
    {
        let published = there(&format!("{at}{name}")).unwrap();
        std::fs::write(one.path(name), published).unwrap();
        one.run(&format!("decrypt {name}")).fails().code(128);
        one.run_as(&[("SOPS_AGE_KEY", &second)], &format!("decrypt {name}")).code(0).stdout(content);
        one.sops_as(&[("SOPS_AGE_KEY", &second)], &format!("decrypt {name}")).code(0);
    }
}

/// Whatever a file is called, it is one line of the plan, steers no terminal, and leads to no other place.
#[test]
fn names_of_files_forge_nothing() {
    let at = prefix();
    let mut test = test(&rule("in/", &at, ""));
    let text = test.read("a.yaml");
    let names =
        ["x\u{1b}[31m\t+++ evil.yaml", "..%2f..%2fup.yaml", "?versions&x#y.yaml", "...yaml", "a\\b.yaml", " .yaml"];
    for name in names {
        test = test.file(&format!("in/{name}"), &text);
    }
    let done = test.run("publish --yes --recursive in").code(0).stderr_lacks("\u{1b}").stdout_lacks("\u{1b}");
    assert_eq!(done.text().lines().filter(|line| line.starts_with("+++ ")).count(), names.len(), "{done:?}");
    assert_eq!(done.stderr.lines().count(), names.len(), "{done:?}");
    let done = done.stdout_has("+++ in/x\\u{1b}[31m\\t+++ evil.yaml (encrypted as it is)\n");
    drop(done);
    for key in ["x%1B%5B31m%09%2B%2B%2B%20evil.yaml", "..%252f..%252fup.yaml", "%3Fversions%26x%23y.yaml", "...yaml"] {
        assert_eq!(there(&format!("{at}{key}")).as_ref(), Some(&text), "{key}");
    }
    // Bytes that are no text have no name there.
    use std::os::unix::ffi::OsStrExt as _;
    let name = std::ffi::OsStr::from_bytes(b"in/\xff.yaml");
    std::fs::write(test.path("").join(name), &text).unwrap();
    test.run("publish --yes --recursive in").code(1).stderr_has("the name of the file is not UTF-8");
    for prefix in ["../", "a/../../b/", "./"] {
        let test = crate::publish_buckets::test(&rule("a", prefix, ""));
        test.run("publish --yes a.yaml").fails().code(1).stderr_has("which is no path of a bucket");
    }
}

/// In a network without a way out it works the same, and nobody outside was asked for: with credentials, and without.
#[test]
fn nobody_else_is_contacted() {
    let test = || test("  - path_regex: s3\n    s3_bucket: secrets\n  - gcs_bucket: secrets\n");
    let files = |test: Test| {
        std::fs::copy(test.path("a.yaml"), test.path("s3.yaml")).unwrap();
        test
    };
    let servers = Servers::alone("moto");
    let test_s3 = files(test()).env("AWS_ENDPOINT_URL", text(servers.of("moto"), "url"));
    let bare = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_EC2_METADATA_DISABLED", "")];
    let mut without = test_s3.command(leafcrypt(), "publish --yes s3.yaml");
    without.envs(bare);
    Output::of("", servers.inside(&without), b"").code(1).stderr_has("no AWS credentials");
    servers.run(&test_s3, "publish --yes s3.yaml").code(0).stderr_has("is published to s3://");
    // Without an emulator it is Google's own host, and without credentials nobody is asked.
    servers.run(&test_s3, "publish --yes a.yaml").code(1).stderr_has("no Google credentials");
    assert_eq!(servers.strangers(), "");

    let servers = Servers::alone("gcs");
    let test_gcs = test().env("STORAGE_EMULATOR_HOST", text(servers.of("gcs"), "url"));
    servers.run(&test_gcs, "publish --yes a.yaml").code(0).stderr_has("is published to gcs://");
    assert_eq!(servers.strangers(), "");
}

#[test]
fn each_refusal_has_its_own_message() {
    let at = prefix();
    let no_bucket = test("  - s3_bucket: nowhere\n").run("publish --yes a.yaml").fails().code(1);
    no_bucket.stderr_has("404 NoSuchBucket").stderr_has("aws s3 mb s3://nowhere").stderr_has("--> a.yaml");
    test("  - s3_bucket: nowhere\n").sops("publish --yes a.yaml").code(1);
    let wrong = test("  - s3_bucket: 'arn:aws:s3:::x'\n").run("publish --yes a.yaml").fails();
    wrong.stderr_has("no name of a bucket").stderr_has("line 4");
    let none = test(&rule("a", &at, "")).env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", "");
    none.run("publish --yes a.yaml").fails().code(1).stderr_has("no AWS credentials");
    // A file that is not encrypted goes nowhere.
    let plain = test(&rule("a", &at, "")).file("a.yaml", "a: 1\n");
    plain.run("publish --yes a.yaml").fails().code(1).stderr_has("is not encrypted");
    plain.sops("publish --yes a.yaml").code(1);
    assert_eq!(there(&format!("{at}a.yaml")), None);

    let asked = |test: Test, url: &str| {
        test.env("AWS_ENDPOINT_URL", url).run("publish --yes a.yaml").fails().code(1).stderr_lacks("hunter2")
    };
    let at_url = |url: &str| asked(test(&rule("a", &at, "")), url);
    at_url(&nobody()).stderr_has("cannot be reached").stderr_has("refused");
    let quick = test(&rule("a", &at, "")).env("LEAFCRYPT_NETWORK_TIMEOUT", "0.5");
    let late = asked(quick, &misbehaving(Manner::Silent));
    late.stderr_has("did not answer in time").stderr_has("LEAFCRYPT_NETWORK_TIMEOUT");
    at_url(&misbehaving(Manner::Refuses(404, "<html>hello</html>")))
        .stderr_has("not as S3 does: hello")
        .stderr_lacks("<html>");
    at_url(&misbehaving(Manner::Says("<html>hello</html>"))).stderr_has("not as S3 does: hello");
    let expired = "<Error><Code>ExpiredToken</Code><Message>it is over</Message></Error>";
    at_url(&misbehaving(Manner::Refuses(400, expired)))
        .stderr_has("400 ExpiredToken: it is over")
        .stderr_has("log in again");
}

/// A service that checks signatures and policies.
#[test]
fn signatures_and_permissions_are_checked_by_the_service() {
    let strict = &moto()["strict"];
    let pair = |user: &str| (strict[user][0].as_str().unwrap(), strict[user][1].as_str().unwrap());
    let as_user = |id: &str, secret: &str| {
        let test = test(&format!("  - s3_bucket: checked\n    s3_prefix: 'a b+\u{e9}/{}'\n", prefix()));
        let test = test.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_ENDPOINT_URL_S3", text(strict, "url"));
        test.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret)
    };
    // The one who is denied KMS is the one who may use S3.
    let (id, secret) = pair("denied");
    let test = as_user(id, secret);
    test.run("publish --yes a.yaml").code(0).stderr_has("is published to");
    test.run("publish --yes a.yaml").code(0).stderr_has("up-to-date");
    test.sops("publish --yes a.yaml").code(0);
    let wrong = as_user(id, "hunter2").run("publish --yes a.yaml").fails();
    wrong.stderr_has("403 SignatureDoesNotMatch").stderr_has("aws sts get-caller-identity").stderr_lacks("hunter2");
    let (id, secret) = pair("allowed");
    let denied = as_user(id, secret).run("publish --yes a.yaml").code(1);
    denied.stderr_has("it is not known what is there").stderr_has("403 AccessDenied").stderr_has("s3:PutObject");
}

#[test]
fn a_bucket_in_another_region_is_found() {
    let host = text(moto(), "url").strip_prefix("http://").unwrap().to_owned();
    let url = misbehaving(Manner::Region("eu-west-1", host));
    let at = prefix();
    let test = test(&rule("a", &at, "")).env("AWS_ENDPOINT_URL", &url);
    let said = test.run("publish --yes --verbose a.yaml").code(0);
    said.stderr_has("the bucket secrets is in eu-west-1").stderr_has("AKIAFROMTHEENV").stderr_lacks("hunter2");
    assert_eq!(there(&format!("{at}a.yaml")), Some(test.read("a.yaml")));
}

/// The file `a.yaml`, encrypted, and a rule for Cloud Storage.
fn google(prefix: &str, more: &str) -> Test {
    test(&format!("  - gcs_bucket: secrets\n    gcs_prefix: {prefix}\n{more}"))
}

fn at_google(object: &str) -> Option<String> {
    let object = object.replace('/', "%2F");
    let (status, body) =
        http("GET", &format!("{}/storage/v1/b/secrets/o/{object}?alt=media", text(gcs(), "url")), &[], "");
    (status == 200).then_some(body)
}

#[test]
fn sops_and_leafcrypt_publish_the_same_object_to_google() {
    let (ours, theirs) = (prefix(), prefix());
    let test = google(&ours, "").env("STORAGE_EMULATOR_HOST", text(gcs(), "url"));
    let said = test.run("publish --yes a.yaml").code(0).stdout_has("+++ a.yaml (encrypted as it is)");
    said.stderr_has(&format!("is published to gcs://secrets/{ours}a.yaml"));
    assert_eq!(at_google(&format!("{ours}a.yaml")), Some(test.read("a.yaml")), "byte for byte");
    test.run("publish --yes a.yaml").code(0).stdout("").stderr_has("already up-to-date in gcs://secrets/");
    let test = test.rules(&format!("destination_rules:\n  - gcs_bucket: secrets\n    gcs_prefix: {theirs}\n"));
    // Go's library wants a host without a scheme.
    let host = text(gcs(), "url").strip_prefix("http://").unwrap();
    test.sops_as(&[("STORAGE_EMULATOR_HOST", host)], "publish --yes a.yaml").code(0);
    assert_eq!(at_google(&format!("{theirs}a.yaml")), Some(test.read("a.yaml")));
    test.run_as(&[("STORAGE_EMULATOR_HOST", host)], "publish --yes a.yaml").code(0).stderr_has("already up-to-date");
    test.run("rotate -i a.yaml").code(0);
    test.run("publish --yes a.yaml").code(0).stdout_has("~~~ a.yaml");
    assert_eq!(at_google(&format!("{theirs}a.yaml")), Some(test.read("a.yaml")));

    let other = Test::new().identity();
    let anew = format!("    recreation_rule:\n      age: {}\n", other.recipient());
    let test = google(&ours, &anew).env("STORAGE_EMULATOR_HOST", host);
    test.run("publish --yes a.yaml").code(0).stdout_has("encrypted anew");
    let other = other.file("p.yaml", at_google(&format!("{ours}a.yaml")).unwrap());
    other.run("decrypt p.yaml").code(0).stdout(PLAIN);
    other.sops("decrypt p.yaml").code(0);
}

#[test]
fn each_refusal_of_google_has_its_own_message() {
    let asked = |test: Test, url: &str| {
        let test = test.env("STORAGE_EMULATOR_HOST", url);
        test.run("publish --yes a.yaml").code(1).stderr_has("--> a.yaml").stderr_lacks("<html>")
    };
    let at = |url: &str| asked(google(&prefix(), ""), url);
    at(&nobody()).fails().stderr_has("cannot be reached").stderr_has("refused");
    let quick = google(&prefix(), "").env("LEAFCRYPT_NETWORK_TIMEOUT", "0.5");
    asked(quick, &misbehaving(Manner::Silent)).fails().stderr_has("did not answer in time");
    at(&misbehaving(Manner::Says("<html>hello</html>"))).fails().stderr_has("not as Cloud Storage does: hello");
    at(&misbehaving(Manner::Refuses(502, "<html>hello</html>")))
        .fails()
        .stderr_has("502 Bad Gateway, but not as Cloud Storage");
    let denied = "{\"error\": {\"code\": 403, \"message\": \"no storage.objects.create\"}}";
    at(&misbehaving(Manner::Refuses(403, denied)))
        .stderr_has("it is not known what is there")
        .stderr_has("403 Forbidden: no storage.objects.create")
        .stderr_has("roles/storage.objectUser");
    let expired = "{\"error\": {\"code\": 401, \"message\": \"Invalid Credentials\"}}";
    at(&misbehaving(Manner::Refuses(401, expired))).fails().stderr_has("Invalid Credentials").stderr_has("gcloud auth");
    let test = test("  - gcs_bucket: nowhere\n").env("STORAGE_EMULATOR_HOST", text(gcs(), "url"));
    test.run("publish --yes a.yaml")
        .code(1)
        .stderr_has("404 Not Found")
        .stderr_has("gcloud storage buckets create gs://nowhere");
    let none = google(&prefix(), "");
    none.run("publish --yes a.yaml").fails().code(1).stderr_has("no Google credentials").stderr_has("gcloud auth");
    none.sops("publish --yes a.yaml").code(1);
}

/// The credentials are those of Google's KMS: the token goes along, to the real host's name.
#[test]
fn credentials_of_google_are_used() {
    let test = google(&prefix(), "")
        .env("HTTPS_PROXY", &format!("http://127.0.0.1:{}", clouds()["proxy_rest"]))
        .env("SSL_CERT_FILE", text(clouds(), "ca"))
        .env("GOOGLE_OAUTH_ACCESS_TOKEN", "hunter2");
    // The stand-in has no storage: what it says shows that it was asked, and by whom.
    let said = test.run("publish --yes a.yaml").code(1);
    said.stderr_has("with the token of GOOGLE_OAUTH_ACCESS_TOKEN").stderr_lacks("hunter2").stderr_has("it answered 4");
}
