//! `leafcrypt decrypt FILE | kubectl apply -f -`, with the real kubectl against a stand-in for the API server.

use crate::builder::{Output, Test};
use crate::{peers, services};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

const RULES: &str = "creation_rules:\n  - encrypted_regex: ^(data|stringData)$\n    age: {age}\n";

fn test() -> Test {
    Test::new().identity().rules(RULES)
}

/// Runs kubectl, which has `input` on its standard input.
fn kubectl(test: &Test, line: &str, input: &[u8]) -> Output {
    let line = format!("--server {} {line}", services::text(services::kube(), "url"));
    let mut command = test.command(&peers::program("kubectl"), &line);
    command.env("HOME", test.home());
    Output::of(&line, command, input)
}

/// Encrypts `plaintext`, and applies what decrypting gives.
fn apply(test: &Test, plaintext: &str) -> (Output, Output) {
    std::fs::write(test.path("secret.yaml"), plaintext).unwrap();
    test.run("encrypt -i secret.yaml").code(0);
    let decrypted = test.run("decrypt secret.yaml").code(0);
    let applied = kubectl(test, "--validate=false apply -f -", &decrypted.stdout);
    (decrypted, applied)
}

/// The values of the Secret `name`, as the server has them.
fn values(test: &Test, namespace: &str, name: &str) -> Vec<(String, Vec<u8>)> {
    let found = kubectl(test, &format!("get secret -n {namespace} {name} -o json"), b"").code(0);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let items = found["data"].as_object().unwrap().iter();
    items.map(|(key, value)| (key.clone(), BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap())).collect()
}

#[test]
fn a_secret_arrives_with_its_values() {
    let test = test();
    let plaintext = "\
# Secrets of the shop
apiVersion: v1
kind: Secret
metadata:
  name: shop
  namespace: arrives
data:
  binary: AP/+AQID
stringData:
  password: \"pa$$w\\u00f6rd: 'x' # no comment\"
  port: \"5432\"
  cert: |
    one

    two
---
apiVersion: v1
kind: ConfigMap
metadata: {name: clear, namespace: arrives}
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: second, namespace: arrives}
stringData: {\"on\": \"true\"}
";
    let (decrypted, applied) = apply(&test, plaintext);
    decrypted.stderr_lacks("warning");
    applied
        .code(0)
        .stdout_has("secret/shop created")
        .stdout_has("configmap/clear created")
        .stdout_has("secret/second created");
    assert_eq!(
        values(&test, "arrives", "shop"),
        [
            ("binary".to_owned(), vec![0, 0xff, 0xfe, 1, 2, 3]),
            ("cert".to_owned(), b"one\n\ntwo\n".to_vec()),
            ("password".to_owned(), "pa$$wörd: 'x' # no comment".into()),
            ("port".to_owned(), b"5432".to_vec()),
        ]
    );
    assert_eq!(values(&test, "arrives", "second"), [("on".to_owned(), b"true".to_vec())]);

    // What is in it already can be seen before, and another value takes the place of the one that is there.
    let again = test.run("decrypt secret.yaml").code(0);
    kubectl(&test, "diff -f -", &again.stdout).code(0).stdout("");
    let (_, applied) = apply(&test, &plaintext.replace("5432", "5433"));
    applied.code(0).stdout_has("secret/shop configured");
    assert_eq!(values(&test, "arrives", "shop")[3].1, b"5433");
}

#[test]
fn what_was_edited_as_text_arrives_as_that_text() {
    let edit = crate::edit::Edit::new().editor("sed -i 's/old/new €/' \"$file\"");
    let test = edit.test.rules(RULES).file(
        "s.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: edited, namespace: edited}\ndata:\n  a: b2xkCg==\n",
    );
    test.run("encrypt -i s.yaml").code(0);
    test.run("edit --decode-data s.yaml").code(0);
    let decrypted = test.run("decrypt s.yaml").code(0);
    kubectl(&test, "--validate=false apply -f -", &decrypted.stdout).code(0);
    assert_eq!(values(&test, "edited", "edited"), [("a".to_owned(), "new €\n".into())]);
}

#[test]
fn nothing_is_applied_of_a_file_that_was_tampered_with() {
    let test = test();
    apply(&test, "apiVersion: v1\nkind: Secret\nmetadata: {name: whole, namespace: whole}\nstringData: {a: b}\n")
        .1
        .code(0);
    let tampered = test.read("secret.yaml").replace("name: whole,", "name: other,");
    let test = test.file("secret.yaml", tampered);
    let decrypted = test.run("decrypt secret.yaml").code(51).stdout("");
    kubectl(&test, "--validate=false apply -f -", &decrypted.stdout).fails_with("no objects passed to apply");
    kubectl(&test, "get secret -n whole other", b"").fails_with("not found");
}

#[test]
fn what_the_server_refuses_was_pointed_out_and_nothing_else() {
    let test = test();
    let long = "x".repeat(1 << 20);
    let cases = [
        ("stringData: {port: 5432}\n", Some("stringData.port: a cluster will refuse this Secret")),
        ("stringData: {on: true}\n", Some("stringData.on: a cluster will refuse this Secret")),
        ("stringData: {a: yes}\n", Some("stringData.a: a cluster will refuse this Secret: kubectl takes")),
        ("stringData: {a: 1_000}\n", Some("stringData.a: a cluster will refuse this Secret")),
        ("stringData: {a: [b]}\n", Some("stringData.a: a cluster will refuse this Secret")),
        ("data: {a: 'no base64!'}\n", Some("data.a: a cluster will refuse this Secret")),
        ("data: {a: 1234}\n", Some("data.a: a cluster will refuse this Secret")),
        ("data: {'a b': aGk=}\n", Some("data[\"a b\"]: a cluster will refuse this Secret")),
        ("stringData: {..a: hi}\n", Some("stringData[\"..a\"]: a cluster will refuse this Secret")),
        ("type: kubernetes.io/tls\nstringData: {tls.crt: x}\n", Some("needs the key tls.key")),
        ("type: kubernetes.io/tls\nstringData: {tls.crt: x, tls.key: }\n", Some("needs the key tls.key")),
        ("type: kubernetes.io/basic-auth\n", Some("needs the key username or password")),
        ("type: kubernetes.io/ssh-auth\nstringData: {ssh-privatekey: ''}\n", Some("ssh-privatekey is empty")),
        ("type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: '{'}\n", Some("no JSON object")),
        ("type: kubernetes.io/service-account-token\n", Some("kubernetes.io/service-account.name")),
        (&format!("stringData: {{a: x{long}}}\n"), Some("1048577 bytes")),
        (&format!("stringData: {{a: {long}}}\n"), None),
        ("type: kubernetes.io/tls\nstringData: {tls.crt: x}\ndata: {tls.key: ''}\n", None),
        ("type: kubernetes.io/dockercfg\nstringData: {.dockercfg: '{}'}\n", None),
        ("data: {a: \"aG\\nk=\", b: '', c: }\nstringData: {a: hey}\n", None),
        ("stringData: {a: 2001-01-01, b: 1:30, c: '1', d: 0o8, e: \"no\"}\n", None),
        ("stringData:\n", None),
    ];
    for (at, (rest, warning)) in cases.iter().enumerate() {
        let name = format!("refused-{at}");
        let secret = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: refused}}\n{rest}");
        let (decrypted, applied) = apply(&test, &secret);
        match warning {
            Some(warning) => {
                decrypted.stderr_has(warning);
                assert_ne!(applied.code, Some(0), "{rest:.80}: {applied:?}");
                kubectl(&test, &format!("get secret -n refused {name}"), b"").fails_with("not found");
            }
            None => {
                decrypted.stderr_lacks("a cluster will refuse");
                applied.code(0);
            }
        }
    }
    for metadata in ["{}", "{name: 12}", "{name: A}"] {
        let secret = format!("apiVersion: v1\nkind: Secret\nmetadata: {metadata}\nstringData: {{a: b}}\n");
        let (decrypted, applied) = apply(&test, &secret);
        decrypted.stderr_has("a cluster will refuse this Secret: it");
        assert_ne!(applied.code, Some(0), "{metadata}: {applied:?}");
    }
}
