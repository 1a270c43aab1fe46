//! kustomize: KSOPS' contract in the stock `kubectl kustomize`, and the KRM protocol spoken by the tests.

use crate::builder::{Output, Test, leafcrypt};
use crate::peers;
use std::path::Path;
use std::process::Command;

const RULES: &str = "creation_rules:\n  - encrypted_regex: ^(data|stringData)$\n    age: {age}\n";
const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: mysecret\ntype: Opaque\nstringData:\n  username: admin\n  password: pa$$word\n";

pub(crate) fn generator(body: &str) -> String {
    format!("apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: gen\n{body}")
}

/// A test with the program under the names by which kustomize finds it.
pub(crate) fn test() -> Test {
    let test = Test::new().identity().rules(RULES);
    let plugins = test.home().join("plugins/viaduct.ai/v1/ksops");
    std::fs::create_dir_all(&plugins).unwrap();
    std::fs::hard_link(leafcrypt(), plugins.join("ksops"))
        .or_else(|_| std::fs::copy(leafcrypt(), plugins.join("ksops")).map(drop))
        .unwrap();
    let home = test.home().join("plugins");
    test.env("KUSTOMIZE_PLUGIN_HOME", home.to_str().unwrap())
}

/// Runs the kustomize of kubectl on a folder.
pub(crate) fn build(test: &Test, folder: &str) -> Output {
    let line = format!("kustomize --enable-alpha-plugins {folder}");
    Output::of(&line, kubectl(test, &line), b"")
}

pub(crate) fn kubectl(test: &Test, line: &str) -> Command {
    let mut command = test.command(&peers::program("kubectl"), line);
    command.env("HOME", test.home());
    command
}

/// An encrypted file, from its plaintext.
pub(crate) fn sealed(test: Test, name: &str, plaintext: impl AsRef<[u8]>) -> Test {
    let test = test.file(name, plaintext);
    test.run(&format!("encrypt -i {name}")).code(0);
    test
}

pub(crate) fn resource_list(items: &str, config: &str) -> String {
    format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{items}functionConfig:\n{config}")
}

pub(crate) fn indented(text: &str, first: &str, rest: &str) -> String {
    text.lines().enumerate().map(|(at, line)| format!("{}{line}\n", if at == 0 { first } else { rest })).collect()
}

#[test]
fn the_stock_kustomize_runs_the_legacy_plugin() {
    let test = sealed(test(), "secret.enc.yaml", SECRET)
        .file("gen.yaml", generator("files:\n- ./secret.enc.yaml\n"))
        .file("kustomization.yaml", "generators:\n- gen.yaml\nnamePrefix: x-\n");
    let output = build(&test, ".").code(0);
    let rendered = output.text();
    assert!(rendered.contains("name: x-mysecret\n"), "{rendered}");
    assert!(rendered.contains("  password: pa$$word\n"), "{rendered}");
    assert!(!rendered.contains("ENC["), "{rendered}");
}

#[test]
fn a_secret_is_made_of_files_binaries_and_dotenv() {
    let test = sealed(test(), "app.json", "{\"a\": 1}\n");
    let test = sealed(test, "cert.json", "{\n    \"bytes\": \"x\"\n}\n")
        .file("gen.yaml", generator(
            "secretFrom:\n- metadata:\n    name: made\n    labels: {app: foo}\n    annotations:\n      \
             kustomize.config.k8s.io/needs-hash: \"true\"\n  type: Opaque\n  files:\n  - ./app.json\n  - other.json=app.json\n  \
             binaryFiles:\n  - cert=cert.json\n",
        ))
        .file("kustomization.yaml", "generators:\n- gen.yaml\n");
    let output = build(&test, ".").code(0);
    let rendered = output.text();
    assert!(rendered.contains("  name: made-"), "kustomize adds the hash: {rendered}");
    assert!(rendered.contains("    app: foo\n") && rendered.contains("type: Opaque\n"), "{rendered}");
    assert!(rendered.contains("other.json: |\n    {\"a\": 1}\n"), "{rendered}");
    let base64 = "ewogICAgImJ5dGVzIjogIngiCn0K";
    assert!(rendered.contains(&format!("  cert: {base64}\n")), "{rendered}");
}

#[test]
fn behaviors_reach_kustomize() {
    for (behavior, kept) in [("merge", true), ("replace", false)] {
        let secret = SECRET.replace(
            "  name: mysecret\n",
            &format!("  name: mysecret\n  annotations:\n    kustomize.config.k8s.io/behavior: {behavior}\n"),
        );
        let test = sealed(test(), "secret.enc.yaml", secret)
            .file("base/kustomization.yaml", "resources:\n- secret.yaml\n")
            .file(
                "base/secret.yaml",
                "apiVersion: v1\nkind: Secret\nmetadata:\n  name: mysecret\ndata:\n  keep: a2VlcA==\n",
            )
            .file("gen.yaml", generator("files: [secret.enc.yaml]\n"))
            .file("kustomization.yaml", "resources:\n- base\ngenerators:\n- gen.yaml\n");
        let output = build(&test, ".").code(0);
        assert_eq!(output.text().contains("keep: a2VlcA=="), kept, "{}", output.text());
    }
}

#[test]
fn as_a_transformer_it_decrypts_what_is_in_the_stream() {
    let test = sealed(test(), "secret.yaml", SECRET)
        .file("clear.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: clear\ndata:\n  a: b\n")
        .file("decrypt.yaml", generator(""))
        .file(
            "kustomization.yaml",
            "resources:\n- secret.yaml\n- clear.yaml\ntransformers:\n- decrypt.yaml\nnameSuffix: -y\n",
        );
    let output = build(&test, ".").code(0);
    let rendered = output.text();
    assert!(rendered.contains("password: pa$$word\n") && !rendered.contains("sops:"), "{rendered}");
    assert!(rendered.contains("name: clear-y\n") && rendered.contains("name: mysecret-y\n"), "{rendered}");
}

#[test]
fn as_a_function_it_takes_and_gives_a_resource_list() {
    let many = format!("{SECRET}---\n{}", SECRET.replace("mysecret", "second"));
    let test = sealed(test(), "two.enc.yaml", many);
    let config = generator("files:\n- two.enc.yaml\nsecretFrom:\n- metadata: {name: third}\n  files: [two.enc.yaml]\n");
    let input = resource_list(&indented(&config, "- ", "  "), &indented(&config, "  ", "  "));
    let output = test.run_with("kustomize", &input).code(0);
    let rendered = output.text();
    assert!(rendered.starts_with("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- "), "{rendered}");
    let names = ["name: mysecret", "name: second", "name: third", "functionConfig:"];
    let places: Vec<_> =
        names.iter().map(|name| rendered.find(name).unwrap_or_else(|| panic!("{name}: {rendered}"))).collect();
    assert!(places.is_sorted(), "{rendered}");
    // What it gives is a ResourceList that it takes, and that has nothing encrypted in it.
    let (items, _) = rendered.split_once("functionConfig:").unwrap();
    let other = format!("{items}functionConfig:\n  apiVersion: example.com/v1\n  kind: Other\n");
    assert_eq!(test.run_with("kustomize", &other).code(0).text(), other);
}

#[test]
fn as_a_function_it_decrypts_the_items_under_any_other_configuration() {
    let test = sealed(test(), "secret.yaml", SECRET);
    let encrypted = test
        .read("secret.yaml")
        .replace("  name: mysecret\n", "  name: mysecret\n  annotations:\n    config.kubernetes.io/index: '0'\n");
    let clear = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: clear\ndata:\n  ratio: \"1.50\"\n  text: |\n    two\n\n    lines\nspec:\n  ratio: 1.5\n";
    let items = indented(&encrypted, "- ", "  ") + &indented(clear, "- ", "  ");
    let config = "  apiVersion: v1\n  kind: Anything\n  metadata:\n    name: transformer\n";
    let output = test.run_with("kustomize", resource_list(&items, config)).code(0);
    let rendered = output.text();
    assert!(rendered.contains("password: pa$$word\n") && !rendered.contains("ENC["), "{rendered}");
    assert!(rendered.contains("index: '0'") || rendered.contains("index: \"0\""), "{rendered}");
    assert!(rendered.contains("ratio: \"1.50\"") && rendered.contains("ratio: 1.5\n"), "{rendered}");
    assert!(rendered.contains("|\n") && rendered.contains("two\n\n"), "{rendered}");
}

#[test]
fn placeholders_need_no_key_and_are_always_the_same() {
    let test = sealed(test(), "secret.enc.yaml", SECRET.replace("stringData", "data"))
        .file("gen.yaml", generator("files: [secret.enc.yaml]\n"));
    std::fs::remove_dir_all(test.home().join(".config")).unwrap();
    test.run("kustomize gen.yaml").code(128);
    let first = test.run("kustomize --placeholder gen.yaml").code(0).text();
    assert!(first.contains("password: cGxhY2Vob2xkZXI=\n") && first.contains("name: mysecret\n"), "{first}");
    assert!(!first.contains("ENC[") && !first.contains("sops"), "{first}");
    let by_variable = test.env("LEAFCRYPT_PLACEHOLDER", "1").run("kustomize gen.yaml").code(0).text();
    assert_eq!(by_variable, first);
}

#[test]
fn a_failure_names_generator_file_and_reason_and_prints_nothing() {
    let test = sealed(test(), "good.yaml", SECRET)
        .file("clear.yaml", SECRET)
        .file("gen.yaml", generator("files:\n- good.yaml\n- missing.yaml\n- clear.yaml\n"))
        .file("one.yaml", generator("files: [clear.yaml]\n"))
        .file("empty.yaml", "# nothing\n")
        .file("wrong.yaml", generator("files: good.yaml\n"));
    test.run("kustomize gen.yaml")
        .fails()
        .stderr_has("2 of 3 files could not be decrypted")
        .stderr_has("missing.yaml: there is no file missing.yaml")
        .stderr_has("clear.yaml: the file is not encrypted")
        .stderr_has("generator gen names it in files[1]")
        .stderr_has("generator gen names it in files[2]");
    test.run("kustomize one.yaml").fails().stderr_has("clear.yaml").stderr_has("generator gen names it in files[0]");
    test.run("kustomize wrong.yaml")
        .fails()
        .stderr_has("wrong.yaml")
        .stderr_has("files must be a list")
        .stderr_has("generator gen");
    test.run("kustomize empty.yaml").fails().stderr_has("empty.yaml").stderr_has("the manifest is empty");
    for (input, reason) in [
        ("", "it is empty"),
        ("kind: Secret\n", "its kind is not ResourceList"),
        ("kind: ResourceList\nitems: {}\n", "its items are no list"),
        ("kind: ResourceList\nitems: &a\n- *a\n", ""),
    ] {
        test.run_with("kustomize", input).fails().stderr_has("ResourceList").stderr_has(reason);
    }
    // A generator of the stream is named too.
    let config = generator("files: [missing.yaml]\n");
    let input = resource_list(&indented(&config, "- ", "  "), &indented(&config, "  ", "  "));
    test.run_with("kustomize", input).fails().stderr_has("missing.yaml").stderr_has("generator gen");
}

#[test]
fn root_only_keeps_files_inside() {
    let test = sealed(test(), "outside.yaml", SECRET);
    let test = sealed(test, "app/inside.yaml", SECRET)
        .file("app/in.yaml", generator("files: [./inside.yaml]\n"))
        .file("app/out.yaml", generator("files: [../outside.yaml]\n"))
        .file("app/link.yaml", generator("files: [link]\n"));
    std::os::unix::fs::symlink("../outside.yaml", test.path("app/link")).unwrap();
    let run = |line: &str| {
        let mut command = test.command(leafcrypt(), line);
        command.current_dir(test.path("app"));
        Output::of(line, command, b"")
    };
    run("kustomize --root-only in.yaml").code(0).stdout_has("pa$$word");
    run("kustomize out.yaml").code(0);
    for manifest in ["out.yaml", "link.yaml"] {
        run(&format!("kustomize --root-only {manifest}")).fails().stderr_has("is outside of the folder");
    }
}

#[test]
fn it_installs_itself_for_an_init_container() {
    let test = test().file("tools/.keep", "");
    test.run("kustomize install tools").code(0);
    let ksops = test.path("tools/ksops");
    let test = sealed(test, "a.yaml", SECRET).file("gen.yaml", generator("files: [a.yaml]\n"));
    let output = Output::of("ksops gen.yaml", test.command(&ksops, "gen.yaml"), b"");
    output.code(0).stdout_has("pa$$word");
    // Onto itself, which must leave it whole.
    Output::of("ksops install", test.command(&ksops, "install tools"), b"").code(0).stderr_has("is this program");
    Output::of("ksops gen.yaml", test.command(&ksops, "gen.yaml"), b"").code(0).stdout_has("pa$$word");
    test.run("kustomize install no/such/folder").fails().stderr_has("cannot be written");
}

#[test]
fn two_hundred_files_are_rendered_in_order() {
    let mut test = test();
    let mut list = String::new();
    for number in 0..200 {
        let name = format!("s{number}.yaml");
        test = test.file(&name, SECRET.replace("mysecret", &format!("secret-{number:03}")));
        list += &format!("- {name}\n");
    }
    for number in 0..200 {
        test.run(&format!("encrypt -i s{number}.yaml")).code(0);
    }
    let test = test.file("gen.yaml", generator(&format!("files:\n{list}")));
    let output = test.run("kustomize gen.yaml").code(0);
    let names: Vec<_> =
        output.text().lines().filter(|line| line.contains("name: secret-")).map(str::to_owned).collect();
    assert_eq!(names.len(), 200);
    assert!(names.is_sorted());
}

/// The commands of `examples/argocd/plugin.yaml`, as the sidecar runs them: in the folder of the application, with its variables.
#[test]
fn argo_cd_runs_the_plugin_of_the_examples() {
    let test = sealed(test(), "app/secret.yaml", SECRET).file("clear/a.yaml", "kind: ConfigMap\n");
    let script = "import sys, json, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))['spec']))";
    let mut python = test.command(&peers::program("python"), "");
    python.args(["-c", script]).arg(peers::package().join("examples/argocd/plugin.yaml"));
    let spec: serde_json::Value = serde_json::from_slice(&Output::of("python", python, b"").code(0).stdout).unwrap();
    let run = |command: &serde_json::Value, folder: &str| {
        let words: Vec<&str> = command.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let bin = leafcrypt().parent().unwrap().display();
        let mut command = test.command(Path::new(words[0]), "");
        command.args(&words[1..]).current_dir(test.path(folder)).env("PATH", format!("{bin}:/usr/bin:/bin"));
        command.env("ARGOCD_APP_NAME", "shop").env("ARGOCD_APP_NAMESPACE", "prod").env("ARGOCD_ENV_HELM_VALUES", "");
        Output::of(words[0], command, b"").code(0)
    };
    let discover = &spec["discover"]["find"]["command"];
    run(discover, "app").stdout("./secret.yaml\n");
    run(discover, "clear").stdout("");
    run(&spec["generate"]["command"], "app").stdout_has("password: pa$$word\n").stdout_lacks("ENC[").stderr_is_empty();
}

/// Through kpt, which runs exec functions, where it is installed.
#[test]
fn kpt_runs_it_as_a_function() {
    let installed = Command::new("kpt").arg("version").output();
    if !installed.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: there is no kpt here");
        return;
    }
    let clear = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: clear\ndata: {a: b}\n";
    let test = sealed(test(), "secret.yaml", SECRET)
        .file("clear/clear.yaml", clear)
        .file("both/clear.yaml", clear)
        .file("generate.yaml", generator("files: [secret.yaml]\n"))
        .file("transform.yaml", generator(""))
        .file("bad.yaml", generator("files: [secret.yaml, missing.yaml]\n"));
    std::fs::copy(test.path("secret.yaml"), test.path("both/secret.yaml")).unwrap();
    let ksops = test.home().join("plugins/viaduct.ai/v1/ksops/ksops").display().to_string();
    let eval = |folder: &str, config: &str| {
        let line = format!("fn eval {folder} --exec {ksops} --fn-config {config} -o unwrap --truncate-output=false");
        Output::of(&line, test.command(Path::new("kpt"), &line), b"")
    };
    for (folder, config) in [("clear", "generate.yaml"), ("both", "transform.yaml")] {
        let output = eval(folder, config).code(0);
        output
            .stdout_has("name: clear\n")
            .stdout_has("password: pa$$word\n")
            .stdout_lacks("ENC[")
            .stdout_lacks("sops:");
    }
    let output = eval("clear", "bad.yaml");
    assert_ne!(output.code, Some(0), "{output:?}");
    output.stdout("").stderr_has("there is no file missing.yaml").stderr_has("generator gen names it in files[1]");
}

/// Runs `kustomize --argocd` in a folder, with more programs on the PATH and more variables.
fn argocd(test: &Test, folder: &str, programs: &[&Path], variables: &[(&str, &str)]) -> Output {
    let mut command = test.command(leafcrypt(), "kustomize --argocd");
    let path: Vec<_> = programs.iter().map(|program| program.parent().unwrap().to_str().unwrap()).collect();
    command
        .current_dir(test.path(folder))
        .env("PATH", format!("{}:/usr/bin:/bin", path.join(":")))
        .envs(variables.iter().copied());
    Output::of("kustomize --argocd", command, b"")
}

#[test]
fn argo_cd_gets_a_plain_folder_rendered() {
    let test = sealed(test(), "app/z/secret.yaml", SECRET)
        .file("app/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: first\n")
        .file("app/b.json", "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"second\"}}")
        .file("app/README.md", "not a manifest")
        .file("app/.hidden/c.yaml", "kind: Hidden\n");
    let output = argocd(&test, "app", &[], &[]).code(0);
    let rendered = output.text();
    let names = ["name: first", "name: second", "name: mysecret"];
    let places: Vec<_> =
        names.iter().map(|name| rendered.find(name).unwrap_or_else(|| panic!("{name}: {rendered}"))).collect();
    assert!(places.is_sorted(), "{rendered}");
    assert!(rendered.contains("pa$$word") && !rendered.contains("ENC[") && !rendered.contains("Hidden"), "{rendered}");
    // What belongs to somebody else may be clear there, and not be for everybody.
    std::fs::write(test.path("theirs.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: theirs\n").unwrap();
    std::os::unix::fs::symlink("../theirs.yaml", test.path("app/link.yaml")).unwrap();
    argocd(&test, "app", &[], &[]).code(2).stdout("").stderr_has("link.yaml is outside of the folder");
}

#[test]
fn argo_cd_gets_a_kustomization_rendered() {
    let test = sealed(test(), "app/secret.enc.yaml", SECRET);
    let test = sealed(test, "app/resource.yaml", SECRET.replace("mysecret", "second"));
    let test = sealed(test, "outside.yaml", SECRET)
        .file("app/gen.yaml", generator("files: [secret.enc.yaml]\n"))
        .file("app/kustomization.yaml", "resources: [resource.yaml]\ngenerators: [gen.yaml]\nnamespace: prod\n")
        .file("bad/gen.yaml", generator("files: [../outside.yaml]\n"))
        .file("bad/kustomization.yaml", "generators: [gen.yaml]\n");
    let kubectl = peers::program("kubectl");
    let output = argocd(&test, "app", &[&kubectl], &[]).code(0).stderr_has("skips generators with an exec function");
    assert_eq!(output.text().matches("password: pa$$word").count(), 2, "{output:?}");
    assert_eq!(output.text().matches("namespace: prod").count(), 2, "{output:?}");
    argocd(&test, "bad", &[&kubectl], &[]).fails().stderr_has("is outside of the folder");
    let nothing = test.home();
    let mut command = test.command(leafcrypt(), "kustomize --argocd");
    command.current_dir(test.path("app")).env("PATH", nothing);
    Output::of("kustomize --argocd", command, b"").fails().stderr_has("there is no kustomize on the PATH");
}

#[test]
fn argo_cd_gets_a_chart_rendered() {
    let helm = peers::helm(3);
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}\nstringData:\n  password: {{ .Values.data.password | quote }}\n  host: {{ .Values.host }}\n";
    let test = sealed(test(), "chart/secrets.yaml", "data:\n  password: pa$$word\n");
    let test = sealed(test, "chart/secrets-prod.yaml", "data:\n  password: prod\n")
        .file("chart/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.0.0\n")
        .file("chart/values.yaml", "host: default\n")
        .file("chart/other.yaml", "host: other\n")
        .file("chart/templates/secret.yaml", secret);
    let test = sealed(test, "chart/templates/sealed.yaml", SECRET);
    let app = ("ARGOCD_APP_NAME", "shop");
    let values = ("ARGOCD_ENV_HELM_VALUES", "other.yaml secrets-prod.yaml");
    let output = argocd(&test, "chart", &[helm], &[app]).code(0);
    let rendered = output.text();
    // Without names all encrypted values files count; values.yaml is clear, and helm finds it by itself.
    assert!(rendered.contains("name: shop") && rendered.contains("host: default"), "{rendered}");
    assert!(!rendered.contains("ENC[") && rendered.contains("username: admin"), "{rendered}");
    let output = argocd(&test, "chart", &[helm], &[app, values]).code(0);
    let rendered = output.text();
    assert!(rendered.contains("password: prod") || rendered.contains("password: \"prod\""), "{rendered}");
    assert!(rendered.contains("host: other"), "{rendered}");
    // An application of another namespace; and a name that somebody chose.
    let app = ("ARGOCD_APP_NAME", "team_shop");
    argocd(&test, "chart", &[helm], &[app]).code(0).stdout_has("name: shop\n");
    let chosen = ("ARGOCD_ENV_HELM_RELEASE_NAME", "mine");
    argocd(&test, "chart", &[helm], &[app, chosen]).code(0).stdout_has("name: mine\n");
}

/// Whatever ends it: the values are in pipes alone.
#[test]
fn a_chart_that_is_interrupted_leaves_no_plaintext() {
    let test = sealed(test(), "chart/secrets.yaml", "data:\n  password: hunter2\n")
        .file("chart/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.0.0\n")
        .file("bin/helm", "#!/bin/sh\nfor word; do :; done\ntouch ../begun\nsleep 30\n")
        .file("private/x", "");
    std::fs::set_permissions(test.path("bin/helm"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = test.command(leafcrypt(), "kustomize --argocd");
    command.current_dir(test.path("chart")).env("LEAFCRYPT_PRIVATE_DIR", test.path("private"));
    command.env("PATH", format!("{}:/usr/bin:/bin", test.path("bin").display()));
    let mut program = command.spawn().unwrap();
    for _ in 0..1000 {
        if test.path("begun").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(test.path("begun").exists());
    program.kill().unwrap();
    program.wait().unwrap();
    let find = test.tool("find", "private -type f");
    assert_eq!(find, "private/x\n", "no plaintext");
    assert!(test.tool("find", "private -type p").ends_with("/0.yaml\n"), "but a pipe");
}

#[test]
fn a_secret_that_a_cluster_would_refuse_is_pointed_out() {
    let test = test().file(
        "bad.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\nstringData:\n  port: 5432\ndata:\n  a: 'no!'\n",
    );
    test.run("encrypt -i bad.yaml")
        .code(0)
        .stderr_has("stringData.port: a cluster will refuse")
        .stderr_has("data.a: a cluster");
    test.run("decrypt bad.yaml").code(0).stderr_has("stringData.port: a cluster will refuse");
    test.run("decrypt --extract data.a bad.yaml").stderr_lacks("a cluster will refuse");
    let test = test.file("wide.yaml", SECRET);
    test.run("encrypt --age {age} --encrypted-regex . wide.yaml")
        .stderr_has("apiVersion, kind, metadata of a Kubernetes manifest are encrypted");
}
