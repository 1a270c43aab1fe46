//! `publish --manifest`: what External Secrets and the Secrets Store CSI driver would read is what was published.

use crate::builder::Test;
use crate::services::{bao, http, text};
use serde_json::{Value, json};

const PLAIN: &str = "user: admin\npass: hunter2\nnested:\n  a: b\n\"odd key!\": x\n";

fn test(more: &str, at: &str) -> Test {
    let address = text(bao(), "address");
    let rules = format!(
        "creation_rules:\n  - age: '{{age}}'\ndestination_rules:\n  - path_regex: ^s3/\n    s3_bucket: secrets\n  \
         - vault_address: {address}\n    vault_path: manifests/{at}\n{more}"
    );
    let test = Test::new().identity().rules(&rules).file("app/Db.enc.yaml", PLAIN).file("app/x/y.env", "A=1\n");
    test.run("encrypt -i app/Db.enc.yaml app/x/y.env").code(0);
    test.env("VAULT_TOKEN", "root")
}

/// The documents, which must be YAML.
fn documents(text: &str) -> Vec<Value> {
    text.split("---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

/// Every field is one of the schema: those of the custom resource definitions, as far as they are used here.
fn check_fields(value: &Value, schema: &Value, path: &str) {
    match (value, schema) {
        (Value::Object(fields), Value::Object(known)) => {
            for (name, field) in fields {
                let known = known.get(name).unwrap_or_else(|| panic!("{path}.{name} is no field"));
                check_fields(field, known, &format!("{path}.{name}"));
            }
        }
        (Value::Array(items), Value::Array(known)) => items.iter().for_each(|item| check_fields(item, &known[0], path)),
        (Value::String(text), Value::String(pattern)) => {
            let pattern = regex::Regex::new(&format!("(?s)^(?:{pattern})$")).unwrap();
            assert!(pattern.is_match(text), "{path}: {text:?} is not {pattern}");
        }
        _ => panic!("{path}: {value} is not of the type of {schema}"),
    }
}

fn read(path: &str) -> Value {
    let url = format!("{}/v1/{path}", text(bao(), "address"));
    let (status, body) = http("GET", &url, &[("X-Vault-Token", "root")], "");
    assert_eq!(status, 200, "{path}");
    serde_json::from_str::<Value>(&body).unwrap()["data"].clone()
}

const NAME: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

#[test]
fn an_external_secret_leads_to_what_was_published() {
    let schema = json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": NAME, "namespace": NAME},
        "spec": {
            "refreshInterval": "[0-9]+h",
            "secretStoreRef": {"kind": "SecretStore|ClusterSecretStore", "name": NAME},
            "target": {"name": NAME, "creationPolicy": "Owner|Orphan|Merge|None"},
            "dataFrom": [{"extract": {"key": ".+"}}],
        },
    });
    for (more, mount, version) in
        [("", "secret", "v2"), ("    vault_kv_mount_name: kv1\n    vault_kv_version: 1\n", "kv1", "v1")]
    {
        let test = test(more, version);
        let line = "publish --yes --recursive --manifest external-secret --namespace prod app";
        let said =
            test.run(line).code(0).stdout_lacks("hunter2").stdout_lacks("admin").stderr_has("+++ app/Db.enc.yaml");
        let printed = said.text();
        assert!(printed.contains(&format!("path \"{mount}\", version {version}\n")), "{printed}");
        // The same again, when there is nothing to publish.
        test.run(line).code(0).stdout(&printed);
        let found = documents(&printed);
        let names: Vec<&str> = found.iter().map(|one| one["metadata"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["db-enc", "x-y"]);
        found.iter().for_each(|one| check_fields(one, &schema, ""));
        let key = found[0]["spec"]["dataFrom"][0]["extract"]["key"].as_str().unwrap();
        let secret = if version == "v2" {
            read(&format!("{mount}/data/{key}"))["data"].clone()
        } else {
            read(&format!("{mount}/{key}"))
        };
        assert_eq!(secret["pass"], "hunter2");
    }
    let said =
        test("", "c").run("publish --yes --manifest external-secret --cluster-secret-store all app/x/y.env").code(0);
    let found = documents(&said.text());
    assert_eq!(found[0]["spec"]["secretStoreRef"], json!({"kind": "ClusterSecretStore", "name": "all"}));
}

#[test]
fn a_secret_provider_class_leads_to_each_value() {
    let schema = json!({
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": {"name": NAME},
        "spec": {"provider": "vault", "parameters": {"vaultAddress": "https?://.+", "roleName": ".+", "objects": ".+"}},
    });
    for (more, version) in [("", 2), ("    vault_kv_mount_name: kv1\n    vault_kv_version: 1\n", 1)] {
        let test = test(more, &format!("csi{version}"));
        let line = "publish --yes --manifest secret-provider-class --vault-role app app/Db.enc.yaml";
        let said = test.run(line).code(0).stdout_lacks("hunter2");
        let found = documents(&said.text());
        check_fields(&found[0], &schema, "");
        let parameters = &found[0]["spec"]["parameters"];
        assert_eq!((&parameters["roleName"], &parameters["vaultAddress"]), (&json!("app"), &bao()["address"]));
        let objects: Vec<Value> = serde_saphyr::from_str(parameters["objects"].as_str().unwrap()).unwrap();
        let names: Vec<&str> = objects.iter().map(|object| object["objectName"].as_str().unwrap()).collect();
        assert_eq!(names, ["user", "pass", "nested", "odd_key_"]);
        for object in &objects {
            let data = read(object["secretPath"].as_str().unwrap());
            let data = if version == 2 { data["data"].clone() } else { data };
            assert!(!data[object["secretKey"].as_str().unwrap()].is_null(), "{object}");
        }
    }
}

#[test]
fn where_there_is_no_manifest_nothing_is_published() {
    let test = test("", "none").file("s3/a.yaml", "a: 1\n");
    test.run("encrypt -i s3/a.yaml").code(0);
    let test = test.env("AWS_ACCESS_KEY_ID", "A").env("AWS_SECRET_ACCESS_KEY", "b").env("AWS_REGION", "us-east-1");
    let test = test.env("AWS_ENDPOINT_URL", text(crate::services::moto(), "url"));
    let refused = test.run("publish --yes --manifest external-secret s3/a.yaml").fails().code(1);
    refused
        .stderr_has("no manifest for this destination")
        .stderr_has("encrypted file in a bucket")
        .stderr_lacks("is published");
    test.run("publish --yes --manifest nonsense app/x/y.env").fails().stderr_has("external-secret");
    let test = test.file("app/clash.yaml", "a/b: 1\na?b: 2\n");
    test.run("encrypt -i app/clash.yaml").code(0);
    let clash = test.run("publish --yes --manifest secret-provider-class app/clash.yaml").fails().code(1);
    clash.stderr_has("cannot be the name of a file").stderr_lacks("is published");
    // Who says no gets none.
    test.run_with("publish --recursive --manifest external-secret app/x", "n\n").code(0).stdout("");
}

/// Two files that would be one resource in a cluster, one file by two names, and what is said of another kind of manifest.
#[test]
fn a_manifest_stands_for_one_file_alone() {
    let test = test("", "once");
    let test = test.file("app/x/y.json", "{\"a\": 1}\n");
    test.run("encrypt -i app/x/y.json").code(0);
    let twice = test.run("publish --yes --recursive --manifest external-secret app/x").code(1);
    twice.stderr_has("the manifest of app/x/y.env has the same name: y").stderr_has("app/x/y.json");
    let once = test.run("publish --yes --manifest external-secret app/x/y.env ./app/x/y.env").code(0);
    assert_eq!(documents(&once.text()).len(), 1);
    for line in [
        "secret-provider-class --secret-store a",
        "secret-provider-class --cluster-secret-store a",
        "external-secret --vault-role a",
    ] {
        let line = format!("publish --yes --manifest {line} app/x/y.env");
        test.run(&line).fails().stderr_has("says nothing of these manifests").stderr_has("or take --manifest ");
    }
}
