//! What is generated from the command line and checked in: man pages, completion scripts, `docs/commands.md`.
//!
//! Stale files are a failure; `LEAFCRYPT_UPDATE=1 cargo test reference` writes them anew.

use crate::builder::Test;
use crate::peers::package;
use clap::Command;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Compares the files of a folder with what they should be, or writes them. Files that should not be there are stale too.
fn check(folder: &str, wanted: &BTreeMap<String, Vec<u8>>) {
    let folder = package().join(folder);
    if std::env::var_os("LEAFCRYPT_UPDATE").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, content) in wanted {
            std::fs::write(folder.join(name), content).unwrap();
        }
    }
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let found: BTreeMap<String, Vec<u8>> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    let stale: Vec<&String> =
        wanted.keys().chain(found.keys()).filter(|name| wanted.get(*name) != found.get(*name)).collect();
    assert!(
        stale.is_empty(),
        "stale: {stale:?} in {}\nhint: LEAFCRYPT_UPDATE=1 cargo test reference",
        folder.display()
    );
}

/// The commands with those below them, each with its full name.
fn all(command: &Command, name: &str) -> Vec<(String, Command)> {
    let mut found = vec![(name.to_owned(), command.clone())];
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        found.extend(all(sub, &format!("{name} {}", sub.get_name())));
    }
    found
}

fn commands() -> Vec<(String, Command)> {
    let mut command = leafcrypt::cli::command();
    command.build();
    all(&command, "leafcrypt")
}

#[test]
fn man_pages_are_up_to_date() {
    let pages = commands().into_iter().map(|(name, command)| {
        let name = name.replace(' ', "-");
        // Not dated: a page should not change when nothing else does.
        let title: &'static str = Box::leak(name.clone().into_boxed_str());
        let mut page = Vec::new();
        clap_mangen::Man::new(command.name(title).display_name(title)).date("").render(&mut page).unwrap();
        (format!("{name}.1"), page)
    });
    check("man", &pages.collect());
}

#[test]
fn completion_scripts_are_up_to_date() {
    let names = [
        ("bash", "leafcrypt.bash"),
        ("zsh", "_leafcrypt"),
        ("fish", "leafcrypt.fish"),
        ("powershell", "leafcrypt.ps1"),
    ];
    let scripts =
        names.map(|(shell, file)| (file.to_owned(), leafcrypt::cli::completion_script(shell, "leafcrypt").unwrap()));
    check("completions", &scripts.into_iter().collect());
}

#[test]
fn the_reference_is_up_to_date() {
    let mut text = String::from(
        "# Commands\n\nWhat `leafcrypt COMMAND --help` says, of all commands. Written by a test: do not edit.\n",
    );
    for (name, command) in commands() {
        let help = command.term_width(100).render_long_help().to_string();
        let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        text += &format!("\n## {name}\n\n```text\n{}\n```\n", help.trim_end());
    }
    let path: PathBuf = package().join("docs/commands.md");
    if std::env::var_os("LEAFCRYPT_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "docs/commands.md is stale\nhint: LEAFCRYPT_UPDATE=1 cargo test reference");
}

#[test]
fn every_command_has_examples() {
    for (name, command) in commands() {
        let has_own_commands = command.get_subcommands().any(|sub| sub.get_name() != "help");
        let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(has_own_commands || example.contains(&name), "{name} --help has no example of it");
    }
}

#[test]
fn no_line_of_an_example_is_broken() {
    for (name, command) in commands() {
        let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let long: Vec<&str> = example.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(long.is_empty(), "{name} --help: {long:?} are longer than 100 columns");
    }
}

/// What a real bash offers for the words of a line, the last of which is being typed.
pub(crate) fn offered(test: &Test, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source <(leafcrypt completion bash)\nCOMP_WORDS=({})\nCOMP_CWORD={}\nCOMP_TYPE=9\n\
         _clap_complete_leafcrypt leafcrypt \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words.len() - 1
    );
    let test = &test;
    let mut command = test.command(std::path::Path::new("bash"), "");
    let program = crate::builder::leafcrypt().parent().unwrap();
    command.args(["--norc", "-c", &script]).env("PATH", format!("{}:/usr/bin:/bin", program.display()));
    let output = crate::builder::Output::of(&script, command, b"").code(0);
    output.text().lines().map(str::to_owned).collect()
}

#[test]
fn bash_is_offered_commands_files_key_paths_and_recipients() {
    let test = Test::new()
        .identity()
        .rules("creation_rules:\n  - age: {age}\n")
        .file("a.yaml", "db:\n  password: x\n  hosts: [a, b]\nother: 1\n");
    test.run("encrypt -i a.yaml").code(0);
    assert_eq!(offered(&test, &["leafcrypt", "decr"]), ["decrypt"]);
    assert!(offered(&test, &["leafcrypt", "decrypt", "--ign"]).contains(&"--ignore-mac".to_owned()));
    assert_eq!(offered(&test, &["leafcrypt", "decrypt", "a.y"]), ["a.yaml"]);
    assert_eq!(offered(&test, &["leafcrypt", "decrypt", "--output-type", "js"]), ["json"]);
    assert_eq!(offered(&test, &["leafcrypt", "decrypt", "a.yaml", "--extract", ""]), ["db", "other"]);
    assert_eq!(offered(&test, &["leafcrypt", "decrypt", "a.yaml", "--extract", "db."]), ["db.hosts", "db.password"]);
    let recipients = offered(&test, &["leafcrypt", "encrypt", "--age", "age1"]);
    assert!(recipients.len() == 1 && recipients[0].starts_with("age1"), "{recipients:?}");
}
