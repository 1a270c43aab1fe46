//! Huawei Cloud KMS: a stand-in that checks signatures, and the real sops beside us.

use crate::builder::{Output, Test};
use crate::services::{Manner, Servers, by_proxy, clouds, misbehaving, nobody, number, text};
use serde_json::Value;
use std::time::{Duration, Instant};

const PLAIN: &str = "# c\nuser: admin\nratio: 1.10\n";
const KEY: &str = "tr-west-1:0d0466b0-e727-4d9c-b35d-f84bb474a37f";

fn test() -> Test {
    Test::new().file("a.yaml", PLAIN)
}

fn keyed(test: Test, clouds: &Value) -> Test {
    let test = test.env("HUAWEICLOUD_SDK_AK", text(clouds, "hc_ak")).env("HUAWEICLOUD_SDK_SK", text(clouds, "hc_sk"));
    test.env("HUAWEICLOUD_SDK_PROJECT_ID", text(clouds, "hc_project"))
}

fn with_key() -> Test {
    keyed(by_proxy(test(), clouds()), clouds())
}

/// Huawei's own library, which sops has, knows no proxies: it is sent to the stand-in by the variables of the regions.
fn by_sops(test: &Test, line: &str) -> Output {
    let url = format!("http://127.0.0.1:{}", number(clouds(), "http"));
    let regions = ["TR_WEST_1", "CN_NORTH_4", "EU_WEST_101"];
    let names = regions.map(|region| format!("HUAWEICLOUD_SDK_REGION_KMS_{region}"));
    test.sops_as(&names.each_ref().map(|name| (name.as_str(), url.as_str())), line)
}

#[test]
fn sops_reads_what_we_write_and_we_read_what_sops_writes() {
    let test = with_key();
    for key in
        [KEY, "cn-north-4:1d0466b0-e727-4d9c-b35d-f84bb474a37f", "eu-west-101:2d0466b0-e727-4d9c-b35d-f84bb474a37f"]
    {
        let line = format!("encrypt --hckms {key} a.yaml");
        let (ours, theirs) = (test.run(&line).code(0).text(), by_sops(&test, &line).code(0).text());
        let names = |text: &str| -> Vec<String> {
            let block = text.split_once("\nsops:").unwrap().1;
            let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
            block.lines().map(name).filter(|name| !name.contains("leafcrypt_layout")).collect()
        };
        assert_eq!(names(&ours), names(&theirs));
        std::fs::write(test.path("ours.yaml"), ours).unwrap();
        std::fs::write(test.path("theirs.yaml"), theirs).unwrap();
        by_sops(&test, "decrypt ours.yaml").code(0).stdout("# c\nuser: admin\nratio: 1.1\n");
        test.run("decrypt ours.yaml").code(0).stdout(PLAIN);
        let expected = by_sops(&test, "decrypt theirs.yaml").code(0).stdout;
        test.run("decrypt theirs.yaml").code(0).stdout(expected);
    }
}

#[test]
fn rules_name_keys_as_a_text_a_list_and_in_groups() {
    let other = "tr-west-1:1d0466b0-e727-4d9c-b35d-f84bb474a37f";
    for (rule, is_of_sops) in [
        (format!("hckms: {KEY}, {other}"), false),
        (format!("hckms:\n      - {KEY}\n      - {other}"), true),
        (format!("key_groups:\n      - hckms: [{{key_id: '{KEY}'}}]\n      - hckms: [{{key_id: '{other}'}}]"), true),
        (format!("key_groups:\n      - hckms: [{{key_id: '{KEY}'}}, {{key_id: '{other}'}}]"), true),
    ] {
        let test = with_key().rules(&format!("creation_rules:\n  - {rule}\n"));
        let ours = test.run("encrypt a.yaml").code(0).stdout_has(KEY).stdout_has(other).text();
        let theirs = by_sops(&test, "encrypt a.yaml");
        let test = test.file("ours.yaml", &ours);
        test.run("decrypt ours.yaml").code(0).stdout(PLAIN);
        std::fs::remove_file(test.path(".sops.yaml")).unwrap();
        let expected = by_sops(&test, "decrypt ours.yaml").code(0).stdout;
        if !is_of_sops {
            // Of all kinds of keys, sops takes these alone not as a text.
            theirs.fails_with("cannot unmarshal");
            continue;
        }
        let theirs = theirs.code(0).text();
        let named =
            |text: &str| text.lines().filter(|line| line.contains("key_id: ")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(named(&ours), named(&theirs));
        let test = test.file("theirs.yaml", theirs);
        test.run("decrypt theirs.yaml").code(0).stdout(expected);
    }
    with_key().env("SOPS_HUAWEICLOUD_KMS_IDS", KEY).run("encrypt a.yaml").code(0).stdout_has(KEY);
}

#[test]
fn an_access_key_comes_from_the_environment_or_a_file() {
    let line = format!("encrypt --verbose --hckms {KEY} a.yaml");
    let found = with_key().run(&line).code(0);
    found.stderr_has("the access key HCFAKEACCESSKEY of HUAWEICLOUD_SDK_AK").stderr_lacks("hcfakesecretkey");
    let text = |name: &str| text(clouds(), name);
    let file =
        format!("[basic]\nak = {}\nsk = {}\nproject_id = {}\n", text("hc_ak"), text("hc_sk"), text("hc_project"));
    let test = by_proxy(test(), clouds());
    let folder = test.home().join(".huaweicloud");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("credentials"), &file).unwrap();
    test.run(&line).code(0).stderr_has("of ~/.huaweicloud/credentials");
    by_sops(&test, &format!("encrypt --hckms {KEY} a.yaml")).code(0);
    // The project is asked for when nobody names it.
    std::fs::write(folder.join("credentials"), file.split("project_id").next().unwrap()).unwrap();
    test.run(&line).code(0);
    let elsewhere = test.run("encrypt --hckms cn-north-4:k a.yaml").fails();
    elsewhere.stderr_has("IAM knows no project of the region cn-north-4").stderr_has("HUAWEICLOUD_SDK_PROJECT_ID");
}

#[test]
fn without_credentials_nobody_is_asked_and_nothing_is_waited_for() {
    let began = Instant::now();
    let refused = by_proxy(test(), clouds()).run(&format!("encrypt --hckms {KEY} a.yaml")).fails();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    refused.stderr_has("no Huawei Cloud credentials").stderr_has("no such file").stderr_has("set HUAWEICLOUD_SDK_AK");
}

#[test]
fn each_refusal_has_its_own_message() {
    let refused = |test: Test, key: &str| test.run(&format!("encrypt --hckms {key} a.yaml")).fails();
    // The signature is checked by the server.
    let wrong = with_key().env("HUAWEICLOUD_SDK_SK", "hunter2");
    refused(wrong, KEY).stderr_has("401 APIGW.0301").stderr_has("verify aksk signature fail").stderr_lacks("hunter2");
    refused(with_key(), "tr-west-1:denied-1").stderr_has("403 KMS.0311").stderr_has("kms:cmk:crypto");
    refused(with_key(), "tr-west-1:missing-1").stderr_has("404 KMS.0401").stderr_has("the right region");
    // What its users report of a clock that is wrong, and of a key that was wrong too often.
    for (said, hint) in [
        ("calc aksk signature fail:signature expired, signature time:x,server time:y", "is the clock of this machine"),
        ("AK access failed to reach the limit,forbidden.", "locked for five minutes"),
    ] {
        let body = format!(
            "{{\"error_msg\": \"Incorrect IAM authentication information: {said}\", \"error_code\": \"APIGW.0301\"}}"
        );
        let url = misbehaving(Manner::Refuses(401, body.leak()));
        refused(with_key().env("HUAWEICLOUD_SDK_REGION_KMS_TR_WEST_1", &url), KEY).stderr_has(said).stderr_has(hint);
    }
    let project = with_key().env("HUAWEICLOUD_SDK_PROJECT_ID", "other");
    refused(project, KEY).stderr_has("403 KMS.0310").stderr_has("HUAWEICLOUD_SDK_PROJECT_ID");
    refused(with_key(), "nonsense").stderr_has("not the id of a Huawei Cloud KMS key").stderr_has("REGION:ID");

    let asked = |test: Test, url: &str| refused(test.env("HUAWEICLOUD_SDK_REGION_KMS_TR_WEST_1", url), KEY);
    let at = |url: &str| asked(with_key(), url);
    at(&nobody()).stderr_has("cannot be reached").stderr_has("refused");
    let quick = with_key().env("LEAFCRYPT_NETWORK_TIMEOUT", "0.5");
    asked(quick, &misbehaving(Manner::Silent)).stderr_has("did not answer in time");
    at(&misbehaving(Manner::Says("<html>hello</html>"))).stderr_has("not as KMS does: hello").stderr_lacks("<html>");
    at(&misbehaving(Manner::Says("{}"))).stderr_has("its answer is none of KMS");

    let test = with_key();
    let text = test.run(&format!("encrypt --hckms {KEY} a.yaml")).code(0).text();
    let at = text.find("enc: ").unwrap() + 60;
    let damaged = format!("{}{}{}", &text[..at], if &text[at..at + 1] == "A" { "B" } else { "A" }, &text[at + 1..]);
    let test = test.file("e.yaml", damaged);
    test.run("decrypt e.yaml").fails().code(128).stderr_has("400 KMS.0309: Decrypt data failed");
    by_sops(&test, "decrypt e.yaml").code(128);
}

/// A temporary key, whose session goes on, is over, or is not named.
#[test]
fn an_expired_session_is_said_to_be_one() {
    let with = |token: &str| {
        let test = with_key().env("HUAWEICLOUD_SDK_AK", text(clouds(), "hc_temporary"));
        test.env("HUAWEICLOUD_SDK_SECURITY_TOKEN", token)
    };
    let line = format!("encrypt --hckms {KEY} a.yaml");
    let going = with(text(clouds(), "hc_session"));
    let encrypted = going.run(&line).code(0).stdout;
    let going = going.file("e.yaml", &encrypted);
    going.run("decrypt e.yaml").code(0).stdout(PLAIN);
    by_sops(&going, "decrypt e.yaml").code(0);
    let over = with(text(clouds(), "hc_over")).file("e.yaml", &encrypted);
    for (line, code) in [(&*line, 1), ("decrypt e.yaml", 128)] {
        let refused = over.run(line).fails().code(code).stderr_lacks(text(clouds(), "hc_over"));
        refused
            .stderr_has("401 APIGW.0301: Incorrect IAM authentication information: decrypt token fail")
            .stderr_has("the session of the temporary access key is over");
        by_sops(&over, line).code(code);
    }
    with("").run(&line).fails().stderr_has("not exist").stderr_has("needs its HUAWEICLOUD_SDK_SECURITY_TOKEN");
}

/// In a network without a way out it works the same, and nobody outside was asked for: with credentials, and without.
#[test]
fn nobody_else_is_contacted() {
    let servers = Servers::alone("clouds");
    let clouds = servers.of("clouds");
    servers.run(&test(), &format!("encrypt --hckms {KEY} a.yaml")).fails().stderr_has("no Huawei Cloud credentials");
    let test = keyed(by_proxy(test(), clouds), clouds);
    let encrypted = servers.run(&test, &format!("encrypt --hckms {KEY} a.yaml")).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    servers.run(&test, "decrypt e.yaml").code(0).stdout(PLAIN);
    assert_eq!(servers.strangers(), "");
}
