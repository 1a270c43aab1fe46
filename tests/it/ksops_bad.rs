//! Bad input of `kustomize`: the message names the generator, the file and the reason, on the standard error; the exit code
//! is not 0; nothing is on the standard output. By itself under both protocols, and in the stock kustomize.

use crate::builder::Test;
use crate::kustomize::{build, generator, indented, resource_list, sealed, test};

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: mysecret\nstringData:\n  password: hunter2\n";

/// Runs the generator in all three ways; each must fail with all of `pieces`.
fn fails(test: Test, asks_for: &str, pieces: &[&str]) -> Test {
    let config = generator(asks_for);
    let test = test.file("gen.yaml", &config).file("kustomization.yaml", "generators:\n- gen.yaml\n");
    let input = resource_list(&indented(&config, "- ", "  "), &indented(&config, "  ", "  "));
    let outputs = [test.run("kustomize gen.yaml"), test.run_with("kustomize", input), build(&test, ".")];
    for output in outputs {
        let output = pieces.iter().fold(output.fails(), |output, piece| output.stderr_has(piece));
        output.stderr_has("generator gen").stderr_lacks("hunter2").stderr_lacks("panicked");
    }
    test
}

#[test]
fn files_that_cannot_be_used() {
    let test = sealed(test(), "good.yaml", SECRET);
    let good = test.read("good.yaml");
    let in_json = good.replace("metadata:\n    name", "metadata: {name").replace("mysecret\n", "mysecret}\n");
    let test = sealed(test, "blob", [0xff, 0xfe, 0x00])
        .file("clear.yaml", SECRET)
        .file("folder/.keep", "")
        .file("cut.yaml", &good[..good.find("sops:").unwrap()])
        .file("broken.yaml", "a: [\n")
        .file("other.json", in_json)
        .file("tampered.yaml", good.replace("mysecret", "yourname"))
        .file("no-keys.yaml", good.replace("recipient: age1", "recipient: age2"))
        .file("empty.yaml", "");
    let mut test = sealed(test, "words", "just words\n");
    for (file, reason) in [
        ("missing.yaml", "there is no file ./missing.yaml"),
        ("folder", "./folder is a folder"),
        ("clear.yaml", "the file is not encrypted"),
        ("cut.yaml", "the file has lost its `sops` block"),
        ("broken.yaml", "this is not valid YAML"),
        ("other.json", "other.json"),
        ("tampered.yaml", "the MAC does not match"),
        ("empty.yaml", "empty.yaml"),
    ] {
        test = fails(test, &format!("files:\n- ./good.yaml\n- ./{file}\n"), &[file, reason, "files[1]"]);
        for field in ["files", "binaryFiles", "envs"] {
            let asks = format!("secretFrom:\n- metadata: {{name: s}}\n  {field}: [./{file}]\n");
            test = fails(test, &asks, &[file, &format!("secretFrom[0].{field}[0]")]);
        }
    }
    // What is encrypted, and not what is asked for.
    let asks = |rest: &str| format!("secretFrom:\n- metadata: {{name: s}}\n  {rest}\n");
    let test =
        fails(test, &asks("files: [blob]"), &["blob", "the file is not text", "binaryFiles", "secretFrom[0].files[0]"]);
    let test = fails(test, "files: [blob]\n", &["blob", "the decrypted file is not text", "files[0]"]);
    let test = fails(test, &asks("envs: [words]"), &["words", "no name of a variable", "secretFrom[0].envs[0]"]);
    let test = fails(test, &asks("files: ['a=b=c']"), &["names no file: \"a=b=c\"", "secretFrom[0].files[0]"]);
    let test = fails(test, "files: good.yaml\n", &["files must be a list"]);
    // Several: each with its reason, also where most are fine.
    let pieces =
        ["2 of 3 files", "missing.yaml", "there is no file", "clear.yaml", "not encrypted", "files[0]", "files[2]"];
    fails(test, "files: [missing.yaml, good.yaml, clear.yaml]\n", &pieces);
}

#[test]
fn no_key() {
    let test = sealed(test(), "good.yaml", SECRET);
    std::fs::remove_dir_all(test.home().join(".config/sops")).unwrap();
    let pieces = ["good.yaml", "no key on this machine opens the file", "files[0]", "SOPS_AGE_KEY_FILE: not set"];
    let test = fails(test, "files: [good.yaml]\n", &pieces);
    test.run("kustomize gen.yaml").code(128);
    // A resource of the stream has no file; it is named itself.
    let encrypted = test.read("good.yaml");
    let input = resource_list(&indented(&encrypted, "- ", "  "), "  kind: Transformer\n");
    test.run_with("kustomize", input)
        .fails()
        .code(128)
        .stderr_has("resource 1 of the stream, Secret mysecret")
        .stderr_has("no key on this machine");
    // Of several files, what to type names one of them, and not the generator.
    std::fs::copy(test.path("good.yaml"), test.path("other.yaml")).unwrap();
    let test = fails(test, "files: [good.yaml, other.yaml]\n", &["2 of 2 files", "other.yaml: no key on this"]);
    test.run("keygen").code(0);
    test.run("kustomize gen.yaml").code(128).stderr_has(" good.yaml\n").stderr_lacks(" gen.yaml\nhint");
}

/// It would generate nothing, and nobody would notice until the Secret is missed.
#[test]
fn a_generator_whose_field_is_misspelt() {
    for asks_for in ["file: [good.yaml]\n", "secretfrom:\n- metadata: {name: x}\n  envs: [a.env]\n"] {
        let test = sealed(test(), "good.yaml", SECRET);
        let name = asks_for.split(':').next().unwrap();
        let test =
            fails(test, asks_for, &["the generator asks for nothing", &format!("its field {name} means nothing")]);
        let empty = test.run_with("kustomize gen.yaml", "").fails();
        empty.stderr_has("the generator asks for nothing");
    }
}

#[test]
fn what_is_no_generator() {
    let test = sealed(test(), "good.yaml", SECRET);
    let cases = [
        ("files: [good.yaml]\n", "it has no apiVersion, and it has no kind"),
        (
            "apiVersion: viaduct.ai/v1\nmetadata: {name: gen}\nfiles: [good.yaml]\n",
            "generator gen: its apiVersion is \"viaduct.ai/v1\", and it has no kind",
        ),
        ("kind: ksops\nfiles: [good.yaml]\n", "it has no apiVersion"),
        ("apiVersion: viaduct.ai/v1\nkind: KSOPS\nfiles: [good.yaml]\n", "its kind is \"KSOPS\""),
        ("apiVersion: v1\nkind: ksops\nfiles: [good.yaml]\n", "its apiVersion is \"v1\""),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {a: b}\n", "its kind is \"Secret\""),
    ];
    for (manifest, reason) in cases {
        std::fs::write(test.path("gen.yaml"), manifest).unwrap();
        test.run("kustomize gen.yaml")
            .fails()
            .stderr_has("gen.yaml")
            .stderr_has("this is no generator of KSOPS")
            .stderr_has(reason);
        let input = resource_list(&indented(manifest, "- ", "  "), &indented(manifest, "  ", "  "));
        // A Secret is a resource like any other; all else was meant to generate.
        let output = test.run_with("kustomize", input);
        if manifest.contains("kind: Secret") {
            output.code(0).stdout_has("kind: Secret");
        } else {
            output.fails().stderr_has("this is no generator of KSOPS").stderr_has(reason);
        }
    }
}

#[test]
fn lists_that_are_none() {
    let test = test();
    let list = |items: &str| format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:{items}");
    let mut laughs = "\n- a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let ten = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs += &format!("  a{level}: &a{level} [{ten}]\n");
    }
    let deep = format!("\n- {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    for (input, reason) in [
        (list(" &a\n- *a\n"), "an alias refers to the value that contains it"),
        (list("\n- &a\n  b: {c: *a}\n"), "an alias refers to the value that contains it"),
        (list(&laughs), "billion laughs"),
        (list(&deep), "recursion limit"),
        (list(" {}\n"), "its items are no list"),
        (list("\n- a: [\n"), "this is not valid YAML"),
        ("{\"kind\": \"List\"}".to_owned(), "its kind is not ResourceList"),
        ("just a text".to_owned(), "ResourceList on the standard input"),
        ("\0\u{1}".to_owned(), "ResourceList on the standard input"),
        ("# nothing\n".to_owned(), "it is empty"),
    ] {
        let output = test.run_with("kustomize", &input).fails();
        output.stderr_has("ResourceList").stderr_has(reason);
    }
    test.run_with("kustomize", b"kind: ResourceList\nitems: \xff\n").fails().stderr_has("not UTF-8");
}
