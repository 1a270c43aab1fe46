//! Helm with encrypted values: the downloader in the real helm 3 and 4, the calls of helm-secrets, pipes and files.

use crate::builder::{Output, Test, leafcrypt};
use crate::peers;

const VERSIONS: [u8; 2] = [3, 4];
const VALUES: &str = "# of the shop\ndb:\n  password: \"pa$$w\\u00f6rd\"\n  port: 5432\n";
const TEMPLATE: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\nstringData:\n  password: {{ .Values.db.password | quote }}\n  port: {{ .Values.db.port | quote }}\n  file: {{ .Values.file | quote }}\n";

/// A chart, encrypted values for it, and leafcrypt on the PATH.
fn test() -> Test {
    let test = Test::new()
        .identity()
        .rules("creation_rules:\n  - age: {age}\n")
        .file("chart/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.0.0\n")
        .file("chart/values.yaml", "db: {password: none, port: 1}\nfile: \"\"\n")
        .file("chart/templates/secret.yaml", TEMPLATE)
        .file("values.enc.yaml", VALUES);
    test.run("encrypt -i values.enc.yaml").code(0);
    let bin = leafcrypt().parent().unwrap().display().to_string();
    let plugins = test.path("plugins").display().to_string();
    test.env("PATH", &format!("{bin}:{}", std::env::var("PATH").unwrap())).env("HELM_PLUGINS", &plugins)
}

fn helm(test: &Test, version: u8, line: &str) -> Output {
    Output::of(line, test.command(peers::helm(version), line), b"")
}

/// Helm rendered the values of [`VALUES`].
#[track_caller]
fn is_rendered(output: Output) {
    output.code(0).stdout_has("password: \"pa$$wörd\"").stdout_has("port: \"5432\"").stdout_lacks("ENC[");
}

#[test]
fn helm_downloads_what_is_encrypted() {
    let test = test().file("clear.yaml", "db: {port: 7}\n").file("blob", b"\x00text\n");
    test.run("helm install").code(0).stderr_has("plugins/leafcrypt").stderr_lacks("warning");
    test.run("encrypt -i blob").code(0);
    for version in VERSIONS {
        is_rendered(helm(&test, version, "template shop chart -f secrets://values.enc.yaml"));
        is_rendered(helm(&test, version, "template shop chart --values leafcrypt://values.enc.yaml"));
        let absolute = test.path("values.enc.yaml").display().to_string();
        is_rendered(helm(&test, version, &format!("template shop chart -f secrets://{absolute}")));
        // Later files win; one that is not encrypted is taken as it is, as by helm-secrets.
        let line =
            "template shop chart -f secrets://values.enc.yaml -f secrets://clear.yaml --set-file file=secrets://blob";
        helm(&test, version, line)
            .code(0)
            .stdout_has("pa$$wörd")
            .stdout_has("port: \"7\"")
            .stdout_has("file: \"\\x00text\\n\"")
            .stderr_has("clear.yaml is not encrypted");
        helm(&test, version, "lint chart -f secrets://values.enc.yaml").code(0);

        for (url, reason) in [
            ("secrets://missing.yaml", "there is no file missing.yaml"),
            ("secrets://https://example.com/values.yaml", "only files of this machine"),
        ] {
            let output = helm(&test, version, &format!("template shop chart -f {url}")).stderr_has(reason);
            assert_ne!(output.code, Some(0), "{output:?}");
            output.stdout("");
        }
    }
    // What nobody here can open.
    std::fs::remove_dir_all(test.home().join(".config/sops")).unwrap();
    for version in VERSIONS {
        let output = helm(&test, version, "template shop chart -f secrets://values.enc.yaml");
        output.fails_with("no key on this machine opens the file");
    }
}

#[test]
fn the_plugin_of_the_examples_is_the_one_that_is_installed() {
    let test = test();
    test.run("helm install some/where").code(0);
    test.run("helm install some/where").code(0);
    for name in ["plugin.yaml", "leafcrypt.sh"] {
        let example = std::fs::read_to_string(peers::package().join("examples/helm").join(name)).unwrap();
        assert_eq!(test.read(&format!("some/where/leafcrypt/{name}")), example);
    }
    let example = peers::package().join("examples/helm").display().to_string();
    helm(&test, 3, &format!("plugin install {example}")).code(0);
    is_rendered(helm(&test, 3, "template shop chart -f secrets://values.enc.yaml"));
    let nowhere = test.env("PATH", "/usr/bin:/bin").run("helm install");
    nowhere.code(0).stderr_has("leafcrypt is in no folder of PATH");
}

#[test]
fn a_downloader_may_be_kept_in_its_folder() {
    let test = test().file("inside/.keep", "");
    let run = |line: &str| {
        let mut command = test.command(leafcrypt(), line);
        command.current_dir(test.path("inside"));
        Output::of(line, command, b"")
    };
    run("helm download secrets://../values.enc.yaml").code(0).stdout(VALUES);
    run("helm download '' '' '' secrets://../values.enc.yaml").code(0).stdout(VALUES);
    run("helm download --root-only secrets://../values.enc.yaml").fails().stderr_has("outside of the folder");
    std::os::unix::fs::symlink("../values.enc.yaml", test.path("inside/link.yaml")).unwrap();
    run("helm download --root-only secrets://link.yaml").fails().stderr_has("outside of the folder");
    run("helm download").fails();
    run("helm download values.enc.yaml").fails().stderr_has("names no file");
}

/// What the type of a file is that its name says nothing about.
#[test]
fn values_need_no_extension() {
    let test = test();
    for (name, kind, text) in [
        ("a.enc", "yaml", VALUES),
        ("b.enc", "json", "{\n\t\"db\": {\n\t\t\"port\": 1\n\t}\n}\n"),
        ("c.enc", "binary", "text"),
    ] {
        std::fs::write(test.path(name), text).unwrap();
        test.run(&format!("encrypt -i --input-type {kind} --output-type {kind} {name}")).code(0);
        test.run(&format!("helm download secrets://{name}")).code(0).stdout(text);
        // As sops writes it.
        std::fs::write(test.path(name), text).unwrap();
        test.sops(&format!("encrypt -i --input-type {kind} --output-type {kind} {name}")).code(0);
        test.run(&format!("helm download secrets://{name}")).code(0).stdout_has(text.split(':').next().unwrap());
    }
}

/// Every call of sops in `scripts/lib/backends/sops.sh` of helm-secrets, with the standard error where its
/// `2>&1` puts it: into the values.
#[test]
fn helm_secrets_can_take_leafcrypt_for_sops() {
    for (kind, name, text) in [
        ("yaml", "v.yaml", VALUES),
        ("json", "v.json", "{\n\t\"a\": \"b\"\n}\n"),
        ("dotenv", "v.env", "A=b\n"),
        ("ini", "v.ini", "[a]\nb = c\n"),
        ("binary", "v.txt", "any text\n"),
    ] {
        let test = test().env("HELM_PLUGIN_NAME", "secrets").file(name, text);
        let types = format!("--input-type {kind} --output-type {kind}");
        // `_sops_backend_encrypt_file`: to the standard output, to another file, in place.
        let encrypted = test.run(&format!("--encrypt {types} {name}")).code(0).stderr_is_empty().text();
        test.run(&format!("--encrypt {types} --output other {name}")).code(0).stderr_is_empty();
        test.run(&format!("--encrypt {types} --in-place {name}")).code(0).stderr_is_empty();
        for written in [&encrypted, &test.read("other"), &test.read(name)] {
            // `_sops_backend_is_encrypted` and `_sops_dec_get_type` look for these.
            assert!(written.lines().any(|line| line.contains("mac") && line.contains(",type:str]")), "{written}");
            assert_eq!(written.lines().any(|line| line == "sops:"), kind == "yaml", "{written}");
            assert_eq!(written.contains("\"data\": \"ENC"), kind == "binary", "{written}");
        }
        // `_sops_backend_decrypt_file`: likewise.
        test.run(&format!("--decrypt {types} {name}")).code(0).stdout(text).stderr_is_empty();
        test.run(&format!("--decrypt {types} --output {name}.dec {name}")).code(0).stdout("").stderr_is_empty();
        assert_eq!(test.read(&format!("{name}.dec")), text);
        test.run(&format!("--decrypt {types} --in-place {name}")).code(0).stdout("").stderr_is_empty();
        assert_eq!(test.read(name), text);
    }
    // `_sops_backend_decrypt_literal`: JSON on the standard input.
    let test = test().env("HELM_PLUGIN_NAME", "secrets").file("literal.json", "{\"data\": \"x\"}");
    let literal = test.run("--encrypt --input-type json --output-type json literal.json").code(0).text();
    let literal = literal.trim_end();
    test.run_with("--decrypt --input-type json --output-type json /dev/stdin", literal)
        .code(0)
        .stdout("{\"data\": \"x\"}")
        .stderr_is_empty();
    // `_sops_backend_edit_file`.
    let edit = crate::edit::Edit::new().editor("sed -i 's/hunter2/hunter3/' \"$file\"");
    edit.run("--input-type yaml --output-type yaml a.yaml").code(0);
    assert!(edit.decrypted().contains("hunter3"));
    // A warning would become a value.
    let test = test.file("warned.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: 1}\n");
    test.run("--encrypt --encrypted-regex ^stringData$ --in-place warned.yaml").code(0).stderr_is_empty();
    test.run("--decrypt --input-type yaml --output-type yaml warned.yaml").code(0).stderr_is_empty();
    test.run_as(&[("HELM_PLUGIN_NAME", "other")], "--decrypt warned.yaml").code(0).stderr_has("a cluster will refuse");
}

#[test]
fn helm_reads_pipes_and_files_in_memory() {
    let test = test();
    for version in VERSIONS {
        let helm = peers::helm(version).display().to_string();
        for line in [
            format!("exec-file values.enc.yaml '{helm} template shop chart -f {{}}'"),
            format!("exec-file --no-fifo values.enc.yaml '{helm} template shop chart -f {{}}'"),
            format!("exec-file --filename v.yaml values.enc.yaml -- {helm} template shop chart --values {{}}"),
        ] {
            is_rendered(test.run(&line));
        }
        let values = test.run("decrypt values.enc.yaml").code(0);
        let line = "template shop chart -f -";
        is_rendered(Output::of(line, test.command(peers::helm(version), line), &values.stdout));
    }
}
