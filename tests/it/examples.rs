//! The examples of every `--help`, run as they stand, each in a folder that has what it names.

use crate::builder::{Output, Test, leafcrypt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

/// Examples that need what is not here: a server, a cluster, another shell, or a folder at the root. They are in the tests
/// of those (`publish.rs`, `keyservice.rs`, `helm.rs`, `kustomize.rs`, `sealed_secret.rs`, `completion.rs`).
const ELSEWHERE: &[&str] = &[
    "leafcrypt publish",
    "leafcrypt keyservice",
    "--keyservice",
    "ssh -R",
    "helm upgrade",
    "kustomize build",
    "--argocd",
    "/custom-tools",
    "/helm-plugins",
    "kubeseal",
    "leafcrypt seal",
    "| source",
    "Invoke-Expression",
    "completion zsh",
];

const NESTED: &str = "db:\n  password: x\n  hosts: [{name: b}]\ntls: {}\n";
const FLAT: &str = "password: x\nuser: y\n";
const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\ndata:\n  password: aHVudGVyMg==\nstringData:\n  token: t\n";
const GENERATOR: &str = "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: g\nfiles: [./manifest.enc.yaml]\n";

/// The commands of the examples, without what is said behind them.
fn examples() -> Vec<String> {
    fn all(command: &clap::Command, found: &mut Vec<String>) {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default().replace("|\n    ", "| ");
        for line in text.lines().filter_map(|line| line.strip_prefix("  ")) {
            let line = line.split("  ").next().unwrap();
            // A word of what is said stands behind a single space where the command is long.
            found.push(line.replace(" a post-quantum identity", ""));
        }
        command.get_subcommands().for_each(|command| all(command, found));
    }
    let mut found = Vec::new();
    all(&leafcrypt::cli::command(), &mut found);
    found
}

/// A folder with all files that examples name, encrypted but for those of `encrypt`.
fn folder(line: &str) -> Test {
    let (me, other) = (Test::new().identity(), Test::new().identity());
    let keys =
        [&me, &other].map(|test| std::fs::read_to_string(test.home().join(".config/sops/age/keys.txt")).unwrap());
    let [mine, others] = [me.recipient(), other.recipient()];
    let groups = format!("[{{age: [{mine}]}}, {{age: [{others}]}}, {{age: [{mine}]}}]");
    let rules = format!(
        "creation_rules:\n  - {{path_regex: root, shamir_threshold: 2, key_groups: {groups}}}\n  - age: {mine},{others}\n"
    );
    let secrets = if line.contains("exec-env") || line.contains("exec-dir") { FLAT } else { NESTED };
    let test = Test::new().env("SOPS_AGE_KEY", &keys.join("\n")).file(".sops.yaml", rules);
    for (name, plain) in [
        ("secrets/prod.yaml", NESTED),
        ("secrets.yaml", secrets),
        ("values.yaml", NESTED),
        ("values.enc.yaml", NESTED),
        ("secret.yaml", SECRET),
        ("secret-manifest.yaml", SECRET),
        ("manifest.enc.yaml", SECRET),
        ("stream.yaml", "a: 1\n---\ndata: {}\n"),
        ("root.yaml", FLAT),
        ("old.yaml", FLAT),
        ("secrets.env", "password=x\n"),
        ("secrets/prod.env", "password=x\n"),
        ("key.enc.pem", "key\n"),
    ] {
        let is_below = name.starts_with("secrets/") && line.contains("secrets/") || line.ends_with(" .");
        let is_named = line.contains(name) || is_below || name.starts_with("manifest") && line.contains("generator");
        if !is_named {
            continue;
        }
        let path = test.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, plain).unwrap();
        if !line.contains("leafcrypt encrypt") {
            // Who is to be removed is there, and for the rules somebody is missing.
            let is_behind = line.contains("updatekeys") && name == "secrets/prod.yaml";
            let whom = if is_behind { format!("--age {mine}") } else { String::new() };
            test.run(&format!("encrypt -i {whom} {name}")).code(0);
        }
    }
    let test = test.file("prod.yaml", FLAT).file("key.pem", "key\n").file("value.json", "\"v\"");
    test.file("secret-generator.yaml", GENERATOR).file("mine", mine).file("others", others)
}

/// Programs that examples start: they take what they are given.
fn programs(test: &Test) {
    let bin = test.path("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(leafcrypt(), bin.join("leafcrypt")).unwrap();
    let edit = "for file; do :; done; printf '# c\\n' >> \"$file\"";
    let program = |path: &Path, script: &str| {
        std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    program(&bin.join("code"), edit);
    program(&bin.join("kubectl"), "case $1 in create) echo 'a: 1';; *) cat >/dev/null;; esac");
    program(&bin.join("psql"), "test -n \"$1\"");
    program(&bin.join("ssh"), "test -s \"$2\"");
    program(&test.path("server"), "exit 0");
}

#[test]
fn every_example_runs() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for example in examples() {
        if ELSEWHERE.iter().any(|piece| example.contains(piece)) {
            continue;
        }
        count += 1;
        let test = folder(&example);
        programs(&test);
        let [mine, others] = ["mine", "others"].map(|name| test.read(name));
        let line = example
            .replace("--rm-age age1…", &format!("--rm-age {others}"))
            .replace("age1…,age1…", &format!("{mine},{others}"))
            .replace("age1…", &mine)
            .replace(" --pgp 85D77543…", "")
            .replace("--user www", "--user root")
            .replace(" … ", " ");
        let mut command: Command = test.command(Path::new("bash"), "");
        command.args(["--norc", "-o", "pipefail", "-c", &line]);
        let path = format!("{}:/usr/bin:/bin", test.path("bin").display());
        command.env("PATH", path).env("EDITOR", "code");
        let output = Output::of(&line, command, b"y\n");
        if output.code != Some(0) {
            wrong.push(format!("{output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 50, "only {count} examples were found");
}
