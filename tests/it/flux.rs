//! Flux: the documented set-up, up to the cluster, and the rules by which its kustomize-controller decrypts.
//!
//! What the controller does, from its `internal/decryptor/decryptor.go`: it imports the values of the Secret whose names end
//! with `.agekey`; before kustomize runs, files of `secretGenerator` and patches are decrypted where the text of an encrypted
//! file is in them (see [`MARKS`]), by sops' store for their extension; after it, each resource that has `sops.mac`, by the store
//! for JSON and without a look at the MAC. Here the real sops does both, and the real kustomize is kubectl's.

use crate::builder::{Output, Test};
use crate::peers;
use serde_json::Value;

/// How the controller knows an encrypted file, by sops' name of the format.
const MARKS: [(&str, &str, &str, &str); 5] = [
    (
        "yaml",
        "patch.yaml",
        "mac: ENC[",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData:\n  a: pa$$word\n",
    ),
    ("json", "config.json", "\"mac\": \"ENC[", "{\"auths\":{\"registry.example.com\":{\"auth\":\"eDp5\"}}}"),
    ("dotenv", "app.env", "sops_mac=ENC[", "USER=admin\nPASSWORD=pa$$word\n"),
    ("ini", "app.ini", "[sops]", "[db]\npassword = hunter2\n"),
    ("binary", "app.conf", "\"mac\": \"ENC[", "any text\n"),
];

fn kubectl(test: &Test, line: &str) -> Output {
    let mut command = test.command(&peers::program("kubectl"), line);
    command.env("HOME", test.home());
    Output::of(line, command, b"")
}

/// A repository by `docs/flux.md`, with the identity of the cluster in `cluster.agekey`.
fn repository() -> Test {
    let test = Test::new();
    let recipient = test.run("keygen --output cluster.agekey").code(0).text();
    let rules = format!(
        "creation_rules:\n  - path_regex: (^|/)clusters/[^/]+/[^/]+\\.yaml$\n    encrypted_regex: ^(data|stringData)$\n    age: {recipient}  - age: {recipient}"
    );
    // The key that the controller has, and nobody else here.
    let key = test.path("cluster.agekey").display().to_string();
    test.rules(&rules).env("SOPS_AGE_KEY_FILE", &key)
}

/// The resources of a stream, each as the JSON that the controller makes of it.
fn as_json(test: &Test, stream: &str) -> Vec<String> {
    let script = "import sys, json, yaml; print(json.dumps([r for r in yaml.safe_load_all(sys.stdin)]))";
    let mut command = test.command(&peers::program("python"), "");
    command.args(["-c", script]);
    let output = Output::of("python", command, stream.as_bytes()).code(0);
    let resources: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    resources.iter().map(Value::to_string).collect()
}

#[test]
fn the_documented_set_up_ends_in_a_decrypted_secret() {
    let test = repository();
    let secret = kubectl(&test, "create secret generic db --from-literal=password=hunter2 --dry-run=client -o yaml")
        .code(0)
        .text();
    let test = test.file("clusters/prod/db.yaml", &secret).file(
        "clusters/prod/kustomization.yaml",
        "namespace: shop\nnamePrefix: prod-\nlabels:\n- pairs: {team: a}\nresources:\n- db.yaml\n",
    );
    test.run("encrypt -i clusters/prod/db.yaml").code(0).stderr_is_empty();
    let encrypted = test.read("clusters/prod/db.yaml");
    assert!(encrypted.contains("kind: Secret\n") && encrypted.contains("name: db\n"), "{encrypted}");
    // kustomize changes what is clear, so that the MAC does not fit any more.
    let built = kubectl(&test, "kustomize clusters/prod").code(0).text();
    assert!(built.contains("name: prod-db\n") && built.contains("team: a\n"), "{built}");
    let [resource] = &as_json(&test, &built)[..] else { panic!("{built}") };
    let value: Value = serde_json::from_str(resource).unwrap();
    assert!(value["sops"]["mac"].as_str().is_some_and(|mac| mac.starts_with("ENC[")), "{resource}");
    test.sops_with("decrypt --input-type json --output-type json /dev/stdin", resource).code(51);
    let line = "decrypt --ignore-mac --input-type json --output-type json /dev/stdin";
    let decrypted: Value = serde_json::from_slice(&test.sops_with(line, resource).code(0).stdout).unwrap();
    assert_eq!(decrypted["data"]["password"], "aHVudGVyMg==");
    assert_eq!(decrypted["metadata"]["namespace"], "shop");
    assert!(decrypted.get("sops").is_none());
}

#[test]
fn files_of_secret_generators_are_known_as_encrypted_and_decrypted() {
    let test = repository();
    for (kind, name, mark, text) in MARKS {
        let path = format!("app/{name}");
        std::fs::create_dir_all(test.path("app")).unwrap();
        std::fs::write(test.path(&path), text).unwrap();
        test.run(&format!("encrypt -i {path}")).code(0);
        let encrypted = test.read(&path);
        assert!(encrypted.contains(mark), "{mark} in {encrypted}");
        test.sops(&format!("decrypt -i --input-type {kind} --output-type {kind} {path}")).code(0);
        let decrypted = test.read(&path);
        assert!(!decrypted.contains("ENC[") && !decrypted.contains("sops"), "{decrypted}");
    }
    // What the controller then builds.
    let test = test.file(
        "app/kustomization.yaml",
        "secretGenerator:\n- name: app\n  options: {disableNameSuffixHash: true}\n  envs: [app.env]\n  files: [app.conf, .dockerconfigjson=config.json]\n",
    );
    let built = kubectl(&test, "kustomize app").code(0).text();
    assert!(built.contains("PASSWORD: cGEkJHdvcmQ=\n") && built.contains("USER: YWRtaW4=\n"), "{built}");
    assert!(built.contains("app.conf: YW55IHRleHQK\n") && built.contains(".dockerconfigjson:"), "{built}");
}

#[test]
fn manifests_that_flux_could_not_read_are_pointed_out() {
    let test = repository().file("wide.yaml", MARKS[0].3);
    test.run("encrypt wide.yaml")
        .code(0)
        .stderr_has("apiVersion, kind, metadata of a Kubernetes manifest are encrypted");
    // And it could not: without its kind it is no resource.
    test.run("encrypt -i wide.yaml").code(0);
    let test = test.file("kustomization.yaml", "resources: [wide.yaml]\n");
    let built = kubectl(&test, "kustomize .");
    assert!(built.code != Some(0) || !built.text().contains("kind: Secret\n"), "{built:?}");
}
