//! AWS KMS, with moto as the service and the real sops beside us.

use crate::builder::Test;
use crate::services::{Manner, Servers, misbehaving, moto, nobody, text};
use serde_json::Value;
use std::time::{Duration, Instant};

const PLAIN: &str = "# c\nuser: admin\nratio: 1.10\n";
const ROLE: &str = "arn:aws:iam::123456789012:role/sops";

fn test() -> Test {
    // Real sops would ask the metadata service; ours does not, as other tests show.
    Test::new().file("a.yaml", PLAIN).env("AWS_EC2_METADATA_DISABLED", "true")
}

/// With moto as the endpoint, and a key pair.
fn with_key() -> Test {
    keyed(test().env("AWS_ENDPOINT_URL", text(moto(), "url")))
}

fn keyed(test: Test) -> Test {
    test.env("AWS_ACCESS_KEY_ID", "AKIAFROMTHEENV").env("AWS_SECRET_ACCESS_KEY", "hunter2-secret")
}

fn key(region: &str, number: usize) -> &'static str {
    moto()["keys"][region][number].as_str().unwrap()
}

/// The same test with the file encrypted by us for `arns`.
fn encrypted(test: Test, arns: &str) -> Test {
    let text = test.run(&format!("encrypt --kms {arns} a.yaml")).code(0).stdout;
    test.file("e.yaml", text)
}

#[test]
fn sops_reads_what_we_write_and_we_read_what_sops_writes() {
    let test = with_key();
    let alias = text(moto(), "alias");
    let all = format!("{},{},{alias},{}+{ROLE}", key("us-east-1", 0), key("eu-west-1", 0), text(moto(), "multi"));
    let line = format!("encrypt --kms {all} --encryption-context team:platform,env:prod a.yaml");
    let ours = test.run(&line).code(0).text();
    let theirs = test.sops(&line).code(0).text();
    // The same fields in the same order, and the same values of those that are not random.
    let block = |text: &str| -> Vec<String> {
        let block = text.split_once("\nsops:").unwrap().1;
        let fixed = |line: &&str| !line.trim().starts_with("leafcrypt_layout");
        let name = |line: &str| {
            let random =
                ["enc:", "created_at:", "lastmodified:", "mac:"].iter().any(|name| line.trim().starts_with(name));
            if random { line.split(':').next().unwrap_or_default().to_owned() } else { line.to_owned() }
        };
        block.lines().filter(fixed).map(name).collect()
    };
    assert_eq!(block(&ours), block(&theirs));
    let test = test.file("ours.yaml", ours).file("theirs.yaml", theirs);
    test.sops("decrypt ours.yaml").code(0).stdout("# c\nuser: admin\nratio: 1.1\n");
    test.run("decrypt ours.yaml").code(0).stdout(PLAIN);
    let expected = test.sops("decrypt theirs.yaml").code(0).stdout;
    test.run("decrypt theirs.yaml").code(0).stdout(expected);
}

/// Each kind of key by itself: none of them opens only because another one does. (moto cannot decrypt with its own
/// multi-region keys, neither for us nor for sops.)
#[test]
fn every_kind_of_key_opens_by_itself() {
    for arns in [key("eu-west-1", 1), text(moto(), "alias"), &format!("{}+{ROLE}", key("us-east-1", 1))] {
        let test = encrypted(with_key(), arns);
        test.run("decrypt e.yaml").code(0).stdout(PLAIN);
        test.sops("decrypt e.yaml").code(0);
        let theirs = test.sops(&format!("encrypt --kms {arns} a.yaml")).code(0).stdout;
        test.file("t.yaml", theirs).run("decrypt t.yaml").code(0);
    }
}

#[test]
fn rules_name_keys_as_a_text_a_list_and_in_groups() {
    let (a, b) = (key("us-east-1", 0), key("eu-west-1", 0));
    let file = |rule: &str| {
        let test = with_key().rules(&format!("creation_rules:\n  - {rule}\n"));
        let encrypted = test.run("encrypt a.yaml").code(0).text();
        let test = test.file("e.yaml", &encrypted);
        test.run("decrypt e.yaml").code(0).stdout(PLAIN);
        test.sops("decrypt e.yaml").code(0);
        encrypted
    };
    assert_eq!(file(&format!("kms: {a}, {b}")).matches("- arn: ").count(), 2);
    assert_eq!(file(&format!("kms:\n      - {a} + {ROLE}\n      - {b}")).matches("role: ").count(), 1);
    let group = format!(
        "key_groups:\n      - kms:\n          - arn: {a}\n            role: {ROLE}\n            context: {{env: prod, team: x}}\n      - kms: [{{arn: {b}}}]"
    );
    let text = file(&group);
    assert!(text.contains("context:\n") && text.contains("env: prod") && text.contains(ROLE), "{text}");
    // What is no text is one in a context, spelled as it stands.
    let test = with_key().rules(&format!(
        "creation_rules:\n  - key_groups:\n      - kms: [{{arn: {a}, context: {{a: 5, b: true, c: 1.50, d: 0x10, e: 2020-01-01, f: ''}}}}]\n"
    ));
    let context = |text: &str| {
        let lines = text.lines().skip_while(|line| !line.contains("context:")).take(7);
        lines.map(|line| line.trim().replace(['"', '\''], "").trim().to_owned()).collect::<Vec<_>>()
    };
    let (ours, theirs) = (test.run("encrypt a.yaml").code(0).text(), test.sops("encrypt a.yaml").code(0).text());
    assert_eq!(
        context(&ours),
        ["context:", "a: 5", "b: true", "c: 1.50", "d: 0x10", "e: 2020-01-01", "f:"].map(String::from)
    );
    assert_eq!(context(&ours), context(&theirs));
    let test = test.file("ours.yaml", ours).file("theirs.yaml", theirs);
    for file in ["ours.yaml", "theirs.yaml"] {
        test.run(&format!("decrypt {file}")).code(0);
        test.sops(&format!("decrypt {file}")).code(0);
    }
    let test = with_key().env("SOPS_KMS_ARN", a);
    test.run("encrypt a.yaml").code(0).stdout_has(a);
    // What the command line says goes to the rule's keys too: in sops by `-e`, and not by `encrypt`.
    let test = with_key().rules(&format!("creation_rules:\n  - kms: {a}\n"));
    test.run("encrypt --encryption-context env:prod a.yaml").code(0).stdout_has("env: prod");
}

#[test]
fn the_encryption_context_is_a_part_of_the_key() {
    let test = with_key();
    let line = format!("encrypt --kms {} --encryption-context env:prod a.yaml", key("us-east-1", 0));
    let text = test.run(&line).code(0).text();
    let test = test.file("e.yaml", text.replace("env: prod", "env: test"));
    let refused = test.run("decrypt e.yaml").fails().code(128);
    refused.stderr_has("InvalidCiphertextException").stderr_has("another encryption context");
    test.sops("decrypt e.yaml").code(128);
    for wrong in ["a", "a:b:c"] {
        let line = format!("encrypt --kms {} --encryption-context {wrong} a.yaml", key("us-east-1", 0));
        test.run(&line).fails().code(6).stderr_has("name, a colon and a value");
        test.sops(&line).code(6);
    }
}

/// Where credentials come from, and that the message says which were used.
#[test]
fn credentials_come_from_everywhere_where_aws_keeps_them() {
    let arn = key("us-east-1", 0);
    let line = format!("encrypt --verbose --kms {arn} a.yaml");
    let used = |test: Test, line: &str, who: &str| {
        test.run(line).code(0).stderr_has(who).stderr_lacks("hunter2");
    };
    let bare = || test().env("AWS_ENDPOINT_URL", text(moto(), "url"));
    used(with_key(), &line, "the access key AKIAFROMTHEENV of AWS_ACCESS_KEY_ID");

    let home = |test: Test, name: &str, content: &str| {
        let folder = test.home().join(".aws");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), content).unwrap();
        test
    };
    let pair = |id: &str| format!("aws_access_key_id = {id}\naws_secret_access_key = hunter2-secret\n");
    let credentials = format!("[default]\n{}[other]\n{}", pair("AKIADEFAULT"), pair("AKIAOTHER"));
    let filed = || home(bare(), "credentials", &credentials);
    used(filed(), &line, "AKIADEFAULT of the profile default");
    used(filed().env("AWS_PROFILE", "other"), &line, "AKIAOTHER of the profile other");
    // A profile that is named goes before the environment, as in sops, and stands in the file.
    let named = format!("encrypt --verbose --aws-profile other --kms {arn} a.yaml");
    used(keyed(filed()), &named, "AKIAOTHER of the profile other");
    let text = filed().run(&named).code(0).stdout_has("aws_profile: other").stdout;
    filed().file("e.yaml", text).sops("decrypt e.yaml").code(0);
    let missing = format!("encrypt --aws-profile nope --kms {arn} a.yaml");
    keyed(filed()).run(&missing).fails().stderr_has("no AWS credentials of the profile nope");
    filed().sops(&missing).code(1);

    let process = "[default]\ncredential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"AKIAPROCESS\", \"SecretAccessKey\": \"hunter2\"}'\n";
    used(home(bare(), "config", process), &line, "AKIAPROCESS of the process");
    // Of many keys that wait for a process it is asked once, also when it has nothing.
    let process = "[default]\ncredential_process = sh -c 'echo asked >>asked; sleep 0.5; exit 1'\n";
    let failing = home(bare(), "config", process);
    let keys: Vec<String> = (0..6).map(|key| format!("arn:aws:kms:us-east-1:123456789012:key/{key}")).collect();
    failing.run(&format!("encrypt --kms {} a.yaml", keys.join(","))).fails().stderr_has("for 6 of 6 keys");
    assert_eq!(failing.read("asked"), "asked\n");
    let source = format!("[default]\nrole_arn = {ROLE}\nsource_profile = base\n[profile base]\n{}", pair("AKIABASE"));
    used(home(bare(), "config", &source), &line, "the access key ");
    let token = bare().file("token", "a.b.c").env("AWS_WEB_IDENTITY_TOKEN_FILE", "token").env("AWS_ROLE_ARN", ROLE);
    used(token, &line, "of the web identity");
    let body = "{\"AccessKeyId\": \"AKIACONTAINER\", \"SecretAccessKey\": \"hunter2\", \"Token\": \"t\", \"Expiration\": \"2099-01-01T00:00:00Z\"}";
    let container = bare().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &misbehaving(Manner::Says(body)));
    used(container, &line, "AKIACONTAINER of the container");
    used(
        with_key(),
        &format!("encrypt --verbose --kms {arn}+{ROLE} a.yaml"),
        "the role arn:aws:iam::123456789012:role/sops (assumed with the access key AKIAFROMTHEENV",
    );
}

/// Single sign-on: the token that `aws sso login` has cached is exchanged for a key.
#[test]
fn single_sign_on_is_a_source_too() {
    let cache = "{\"accessToken\": \"hunter2\", \"expiresAt\": \"2099-01-01T00:00:00Z\", \"region\": \"us-east-1\", \"startUrl\": \"https://x.example/start\"}";
    let config = "[default]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n[sso-session s]\nsso_start_url = https://x.example/start\nsso_region = us-east-1\n";
    let answer = "{\"roleCredentials\": {\"accessKeyId\": \"AKIASSO\", \"secretAccessKey\": \"hunter2\", \"sessionToken\": \"t\", \"expiration\": 4070908800000}}";
    let test = test()
        .env("AWS_ENDPOINT_URL_KMS", text(moto(), "url"))
        .env("AWS_ENDPOINT_URL_SSO", &misbehaving(Manner::Says(answer)));
    let folder = test.home().join(".aws/sso/cache");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(test.home().join(".aws/config"), config).unwrap();
    let line = format!("encrypt --verbose --kms {} a.yaml", key("us-east-1", 0));
    test.run(&line).fails().stderr_has("no AWS credentials").stderr_has("aws sso login");
    // The file's name is the SHA-1 of the session's name, `s`.
    std::fs::write(folder.join("a0f1490a20d0211c997b44bc357e1972deab8ae3.json"), cache).unwrap();
    test.run(&line).code(0).stderr_has("AKIASSO of the single sign-on").stderr_lacks("hunter2");
}

#[test]
fn without_credentials_nobody_is_asked_and_nothing_is_waited_for() {
    let arn = key("us-east-1", 0);
    let began = Instant::now();
    // Not the variable that keeps from asking the metadata service.
    let test = Test::new().file("a.yaml", PLAIN);
    let refused = test.run(&format!("encrypt --kms {arn} a.yaml")).fails();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    refused
        .stderr_has("no AWS credentials: AWS_ACCESS_KEY_ID is not set")
        .stderr_has("none in the profile default")
        .stderr_has("no container")
        .stderr_has("no EC2 instance");
    let with = |name: &str, value: &str| test.run_as(&[(name, value)], &format!("encrypt --kms {arn} a.yaml")).fails();
    with("AWS_PROFILE", "other").stderr_has("none in the profile other");
    let named = test.run(&format!("encrypt --aws-profile p --kms {arn} a.yaml")).fails();
    named.stderr_has("no AWS credentials of the profile p: ~/.aws/config and ~/.aws/credentials have none in it");
    // What is there and does not work is named.
    with("AWS_ACCESS_KEY_ID", "AKIA").stderr_has("AWS_SECRET_ACCESS_KEY is not set");
    let container = format!("{}/x", nobody());
    with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container)
        .stderr_has("no AWS credentials: the container: it cannot be");
    let web = test.env("AWS_ROLE_ARN", ROLE).env("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token");
    web.run(&format!("encrypt --kms {arn} a.yaml"))
        .fails()
        .stderr_has("the web identity of AWS_WEB_IDENTITY_TOKEN_FILE: ");
}

#[test]
fn each_refusal_has_its_own_message() {
    let refused = |arn: &str| with_key().run(&format!("encrypt --kms {arn} a.yaml")).fails();
    refused(&key("us-east-1", 0).replace(":key/", ":key/0")).stderr_has("NotFoundException").stderr_has("describe-key");
    let no_arn = refused("alias/sops");
    no_arn.stderr_has("not the ARN of a KMS key").stderr_has("arn:aws:kms:");

    let ready = || keyed(test()).env("AWS_MAX_ATTEMPTS", "1");
    let asked = |test: Test, url: &str| {
        test.env("AWS_ENDPOINT_URL", url).run(&format!("encrypt --kms {} a.yaml", key("us-east-1", 0))).fails()
    };
    let at = |url: &str| asked(ready(), url);
    let disabled = "{\"__type\": \"DisabledException\", \"message\": \"arn is disabled.\"}";
    at(&misbehaving(Manner::Refuses(400, disabled)))
        .stderr_has("400 DisabledException: arn is disabled.")
        .stderr_has("enable-key");
    at(&nobody()).stderr_has("cannot be reached").stderr_has("refused");
    let quick = ready().env("LEAFCRYPT_NETWORK_TIMEOUT", "0.5");
    asked(quick, &misbehaving(Manner::Silent)).stderr_has("did not answer in time");
    at(&misbehaving(Manner::Says("<html>hello</html>"))).stderr_has("not as KMS does: hello").stderr_lacks("<html>");

    // A data key that was wrapped with another one.
    let test = encrypted(with_key(), key("us-east-1", 0));
    let other = test.read("e.yaml").replace(key("us-east-1", 0), key("us-east-1", 1));
    let test = test.file("e.yaml", other);
    let wrong = test.run("decrypt e.yaml").fails().code(128);
    wrong
        .stderr_has("it answered 400 IncorrectKeyException: The key ID in the request does not identify a CMK")
        .stderr_has("the data key was wrapped with another key");
    test.sops("decrypt e.yaml").code(128).fails_with("IncorrectKeyException");
    let damaged = test.read("e.yaml").replace("enc: ", "enc: '*' #");
    test.file("e.yaml", damaged).run("decrypt e.yaml").fails().code(128).stderr_has("it is no base64");
}

/// The SDK gives up what it takes for a request that does not go out, after 6 seconds.
#[test]
fn a_slow_answer_is_waited_for() {
    let server = text(moto(), "url").trim_start_matches("http://").to_owned();
    let slow = misbehaving(Manner::Slow(Duration::from_secs(7), server));
    let test = keyed(test()).env("AWS_ENDPOINT_URL_STS", &slow).env("AWS_ENDPOINT_URL_KMS", &slow);
    test.run(&format!("encrypt --kms {}+{ROLE} a.yaml", key("us-east-1", 0))).code(0).stderr_is_empty();
}

/// A service that checks signatures and policies.
#[test]
fn signatures_and_permissions_are_checked_by_the_service() {
    let strict = &moto()["strict"];
    let pair = |user: &str| (strict[user][0].as_str().unwrap(), strict[user][1].as_str().unwrap());
    let as_user = |id: &str, secret: &str| {
        let test = test().env("AWS_ENDPOINT_URL", text(strict, "url"));
        test.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret)
    };
    let line = format!("encrypt --kms {} a.yaml", text(strict, "key"));
    let (id, secret) = pair("allowed");
    let test = as_user(id, secret);
    let encrypted = test.run(&line).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    test.run("decrypt e.yaml").code(0).stdout(PLAIN);
    test.sops("decrypt e.yaml").code(0);
    let wrong = as_user(id, "hunter2").run(&line).fails();
    wrong.stderr_has("it answered 403").stderr_has("SignatureDoesNotMatch").stderr_lacks("hunter2");
    let unknown = as_user("AKIANOBODY", "hunter2").run(&line).fails();
    unknown.stderr_has("the access key AKIANOBODY").stderr_has("it answered 4");
    let (id, secret) = pair("denied");
    let denied = as_user(id, secret).run(&line).fails();
    denied.stderr_has("it answered 403").stderr_has("AccessDenied").stderr_has("kms:Encrypt");
}

/// Temporary keys of a role, the session of one of which is over, at the service that checks them; and a clock that is
/// wrong, of which no server here knows.
#[test]
fn an_expired_session_is_said_to_be_one() {
    let strict = &moto()["strict"];
    let in_session = |test: Test, name: &str| {
        let part = |at: usize| strict[name][at].as_str().unwrap();
        let test = test.env("AWS_ENDPOINT_URL", text(strict, "url")).env("AWS_ACCESS_KEY_ID", part(0));
        test.env("AWS_SECRET_ACCESS_KEY", part(1)).env("AWS_SESSION_TOKEN", part(2))
    };
    let line = format!("encrypt --kms {} a.yaml", text(strict, "key"));
    let going = in_session(test(), "going");
    let encrypted = going.run(&line).code(0).stdout;
    let going = going.file("e.yaml", &encrypted);
    going.run("decrypt e.yaml").code(0).stdout(PLAIN);
    let over = in_session(test(), "over").file("e.yaml", &encrypted);
    for (line, code) in [(&*line, 1), ("decrypt e.yaml", 128)] {
        let refused = over.run(line).fails().code(code).stderr_has("log in again: aws sso login");
        refused.stderr_has("400 ExpiredTokenException: The security token included in the request is expired");
        over.sops(line).code(code).fails_with("ExpiredTokenException");
    }
    // The same of a bucket.
    let file = Test::new().identity().file("a.yaml", PLAIN);
    file.run("encrypt -i --age {age} a.yaml").code(0);
    let publishing = file.rules("destination_rules:\n  - s3_bucket: checked\n");
    let refused = in_session(publishing, "over").run("publish --yes a.yaml").fails().code(1);
    refused.stderr_has("ExpiredToken: The provided token has expired.").stderr_has("log in again: aws sso login");

    let late = "{\"__type\": \"InvalidSignatureException\", \"message\": \"Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z\"}";
    let test = keyed(test()).env("AWS_ENDPOINT_URL", &misbehaving(Manner::Refuses(400, late)));
    let refused = test.run(&format!("encrypt --kms {} a.yaml", key("us-east-1", 0))).fails();
    refused.stderr_has("is the clock of this machine right").stderr_lacks("its secret is wrong");
}

/// Settings that the SDK panics at, or does not know: what is set to nothing is unset, and what is wrong is named.
#[test]
fn settings_of_all_kinds_are_taken_or_named() {
    let line = format!("encrypt --kms {} a.yaml", key("us-east-1", 0));
    for (name, value) in [
        ("AWS_ENDPOINT_URL_KMS", ""),
        ("AWS_MAX_ATTEMPTS", ""),
        ("AWS_MAX_ATTEMPTS", "0"),
        ("AWS_MAX_ATTEMPTS", "5"),
        ("AWS_RETRY_MODE", ""),
        ("AWS_RETRY_MODE", "legacy"),
        ("AWS_RETRY_MODE", "adaptive"),
        ("AWS_CA_BUNDLE", ""),
        ("SSL_CERT_FILE", ""),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
    ] {
        let said = with_key().env(name, value).run(&line).code(0).stderr;
        assert_eq!(said, "", "{name}={value}");
    }
    for (name, value) in [
        ("AWS_ENDPOINT_URL", "localhost:4566"),
        ("AWS_ENDPOINT_URL_KMS", "http://"),
        ("AWS_MAX_ATTEMPTS", "many"),
        ("AWS_RETRY_MODE", "often"),
        ("AWS_CA_BUNDLE", "/nowhere/ca.pem"),
        ("AWS_CA_BUNDLE", "a.yaml"),
        ("AWS_ACCESS_KEY_ID", "AKIAFROMTHEENV\n"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2-secret\r"),
    ] {
        with_key().env(name, value).run(&line).fails().code(1).stderr_has(name).stderr_lacks("hunter2");
    }
    let profile = "[default]\nregion = us-east-1\nretry_mode = legacy\nmax_attempts = 2\nendpoint_url =\n\
                   [profile other]\naws_access_key_id = AKIAOFTHEPROFILE\naws_secret_access_key = hunter2-secret\n";
    let test = with_key().file("home/.aws/config", profile).env("AWS_CONFIG_FILE", "home/.aws/config");
    test.run(&line).code(0);
    for (setting, wrong) in [("max_attempts = 2", "max_attempts = x"), ("retry_mode = legacy", "retry_mode = often")] {
        let (test, name) = (with_key().file("config", profile.replace(setting, wrong)), &wrong[..10]);
        test.env("AWS_CONFIG_FILE", "config").run(&line).fails().code(1).stderr_has(name);
    }
    let of_services = "[default]\nregion = us-east-1\nservices = here\n[services here]\nkms =\n  endpoint_url =\n";
    let empty = keyed(self::test()).file("config", of_services).env("AWS_CONFIG_FILE", "config");
    empty.run(&line).fails().code(1).stderr_has("endpoint_url of kms in a section services is no address");
    let url = text(moto(), "url").to_owned();
    let other = Test::new().file("a.yaml", PLAIN).file("config", profile).env("AWS_CONFIG_FILE", "config");
    let other = other.env("AWS_ENDPOINT_URL", &url).env("AWS_DEFAULT_PROFILE", "other");
    other.run(&format!("{line} --verbose")).code(0).stderr_has("the access key AKIAOFTHEPROFILE of the profile other");
    let line = format!("encrypt --kms {}+{ROLE} a.yaml", key("us-east-1", 0));
    with_key().env("AWS_ENDPOINT_URL_STS", "").run(&line).code(0);
}

/// What a profile may ask for, and nobody here can do: said before anybody is asked, unless there are keys that go first.
#[test]
fn profiles_that_want_a_code_or_a_login_are_named() {
    let config = format!(
        "[profile mfa]\nrole_arn = {ROLE}\nsource_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n\
         [profile login]\nlogin_session = arn:aws:iam::123456789012:user/me\n\
         [profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = hunter2\n"
    );
    let test =
        || test().file("config", &config).env("AWS_CONFIG_FILE", "config").env("AWS_ENDPOINT_URL", text(moto(), "url"));
    let line = format!("encrypt --kms {} a.yaml", key("us-east-1", 0));
    for (profile, why) in [("mfa", "wants a code of MFA (mfa_serial)"), ("login", "has the session of aws login")] {
        let hint = format!("eval \"$(aws configure export-credentials --profile {profile} --format env)\"");
        let why = format!("no AWS credentials: the profile {profile} {why}");
        let named = test().env("AWS_PROFILE", profile);
        named.run(&line).fails().code(1).stderr_has(&why).stderr_has(&hint);
        named.sops(&line).code(1);
        keyed(named).run(&line).code(0);
        let named = keyed(test()).run(&format!("{line} --aws-profile {profile}")).fails().code(1);
        named.stderr_has(&why).stderr_has("credential_process");
    }
}

/// In a network without a way out it works the same, and nobody outside was asked for: with credentials, and without.
#[test]
fn nobody_else_is_contacted() {
    let servers = Servers::alone("moto");
    let found: &Value = servers.of("moto");
    let arn = found["keys"]["us-east-1"][0].as_str().unwrap();
    let bare = Test::new().file("a.yaml", PLAIN);
    servers.run(&bare, &format!("encrypt --kms {arn} a.yaml")).fails().stderr_has("no AWS credentials");
    let test = keyed(bare.env("AWS_ENDPOINT_URL", text(found, "url")));
    let encrypted = servers.run(&test, &format!("encrypt --kms {arn}+{ROLE} a.yaml")).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    servers.run(&test, "decrypt e.yaml").code(0).stdout(PLAIN);
    assert_eq!(servers.strangers(), "");
    // Without an endpoint it is Amazon's own host that cannot be found here.
    let lost = servers.run(&keyed(Test::new().file("e.yaml", PLAIN)), &format!("encrypt --kms {arn} e.yaml")).fails();
    lost.code(1).stderr_has("cannot be reached: kms.us-east-1.amazonaws.com: failed to lookup address");
}
