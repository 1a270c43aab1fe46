//! Every back end of the registry on every surface where a key can be named: the law that a new one is one folder and one line.
//!
//! Only the examples stand here by name; that a back end has one is checked as well.

use crate::builder::Test;
use crate::peers::package;
use crate::reference::offered;
use leafcrypt::config::Config;
use leafcrypt::document::Value;
use leafcrypt::key::{Backend, Stanza, registry};
use leafcrypt::metadata::{Metadata, Selection};

/// A key of each back end as it is typed, and as an item of a rule's `key_groups`.
const EXAMPLES: [(&str, &str, &str); 7] = [
    (
        "age",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
        "age: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]",
    ),
    ("pgp", "85D77543B3D624B63CEA9E6DBC17301B491B3F21", "pgp: [85D77543B3D624B63CEA9E6DBC17301B491B3F21]"),
    (
        "kms",
        "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "kms: [{arn: 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'}]",
    ),
    (
        "gcp_kms",
        "projects/example/locations/global/keyRings/sops/cryptoKeys/sops-key",
        "gcp_kms: [{resource_id: projects/example/locations/global/keyRings/sops/cryptoKeys/sops-key}]",
    ),
    (
        "azure_kv",
        "https://example.vault.azure.net/keys/sops-key/0123456789abcdef0123456789abcdef",
        "azure_keyvault: [{vaultUrl: 'https://example.vault.azure.net', key: sops-key, version: 0123456789abcdef0123456789abcdef}]",
    ),
    (
        "hc_vault",
        "https://vault.example.com:8200/v1/sops/keys/sops-key",
        "hc_vault: ['https://vault.example.com:8200/v1/sops/keys/sops-key']",
    ),
    (
        "hckms",
        "tr-west-1:abc12345-6789-0123-4567-890123456789",
        "hckms: [{key_id: 'tr-west-1:abc12345-6789-0123-4567-890123456789'}]",
    ),
];

/// Every back end of this build, with its examples.
fn all() -> impl Iterator<Item = (&'static dyn Backend, &'static str, &'static str)> {
    registry::backends().iter().map(|backend| {
        let example = EXAMPLES.iter().find(|(name, ..)| *name == backend.name());
        let (_, text, item) = example.unwrap_or_else(|| panic!("{} has no example in this test", backend.name()));
        (*backend, *text, *item)
    })
}

fn parsed(backend: &dyn Backend, text: &str) -> Stanza {
    let mut stanzas = backend.parse(text).unwrap_or_else(|error| panic!("{}: {error}", backend.name()));
    assert_eq!(stanzas.len(), 1);
    stanzas.remove(0)
}

#[test]
fn every_example_is_a_key_and_is_called_so() {
    for (backend, text, _) in all() {
        let stanza = parsed(backend, text);
        assert_eq!((stanza.list(), stanza.recipient().as_str()), (backend.name(), text));
        assert!(stanza.is_same_key(&stanza) && !stanza.is_wrapped());
        assert_eq!(backend.parse(&format!(" {text},{text}\n")).unwrap().len(), 1, "{text} counts once");
        for field in stanza.fields() {
            assert!(backend.fields().contains(&field.0.as_str()), "{}: {}", backend.name(), field.0);
        }
        assert!(backend.fields().contains(&Stanza::ENC));
    }
}

/// The flags of every command that takes recipients, and the variable.
#[test]
fn every_back_end_has_its_flags_and_its_variable() {
    let mut command = leafcrypt::cli::command();
    command.build();
    let flag = |path: &[&str], name: &str| {
        let command = path.iter().fold(&command, |command, name| command.find_subcommand(name).unwrap());
        let flag = command.get_arguments().find(|flag| flag.get_long() == Some(name)).cloned();
        flag.unwrap_or_else(|| panic!("leafcrypt {} has no --{name}", path.join(" ")))
    };
    for (backend, ..) in all() {
        let name = backend.flag();
        for path in [&["encrypt"][..], &["edit"], &["init"]] {
            let variable = flag(path, name).get_env().unwrap().to_owned();
            assert_eq!(variable.to_str().unwrap(), backend.recipients_env(), "{path:?}");
        }
        for name in [format!("add-{name}"), format!("rm-{name}")] {
            let flag = flag(&["rotate"], &name);
            assert!(flag.get_env().is_none() && flag.get_help().unwrap().to_string().contains(backend.name()));
        }
        let of_group = flag(&["groups", "add"], name);
        assert!(of_group.get_env().is_none() && matches!(of_group.get_action(), clap::ArgAction::Append));
        for detail in backend.details() {
            for path in [&["encrypt"][..], &["edit"], &["rotate"], &["groups", "add"], &["updatekeys"]] {
                flag(path, detail.flag);
            }
        }
    }
}

/// A flag takes a key, and one that makes no sense is refused by the back end, before any service is asked.
#[test]
fn every_flag_reaches_its_back_end() {
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file("a.yaml", "a: 1\n");
    test.run("encrypt -i a.yaml").code(0);
    for (backend, text, _) in all() {
        let (flag, title) = (backend.flag(), format!("{} {text}", backend.name()));
        // Nobody is removed who is not there.
        test.run(&format!("rotate --rm-{flag} {text} a.yaml")).code(0).stderr_has(&format!("{title} is no recipient"));
        for line in [format!("rotate --add-{flag} /// a.yaml"), format!("encrypt --{flag} /// .sops.yaml")] {
            test.run(&line).fails().code(1).stderr_lacks("nobody to encrypt for");
        }
        test.run(&format!("rotate --rm-{flag} /// a.yaml")).fails().code(1);
        test.run(&format!("groups add -f a.yaml --{flag} ///")).fails().code(1).stderr_lacks("no recipient");
        test.run_as(&[(backend.recipients_env(), "///")], "encrypt .sops.yaml").fails().code(1);
    }
}

#[test]
fn every_back_end_is_read_from_rules() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".sops.yaml");
    for (backend, text, item) in all() {
        let field = backend.rule_field();
        for (rules, groups) in [
            (format!("- {field}: '{text}'"), 1),
            (format!("- {field}: ['{text}', '{text}']"), 1),
            (format!("- {field}:\n      - '{text}'"), 1),
            (format!("- key_groups: [{{{item}}}, {{merge: [{{{item}}}, {{{item}}}]}}]"), 2),
        ] {
            std::fs::write(&path, format!("creation_rules:\n  {rules}\n")).unwrap();
            let config = Config::load(&path).unwrap_or_else(|error| panic!("{rules}: {error}"));
            assert_eq!(config.warnings, [""; 0], "{rules}");
            let rule = &config.creation_rules.unwrap()[0];
            assert_eq!(rule.key_groups.len(), groups, "{rules}");
            for group in &rule.key_groups {
                assert_eq!(group.recipients.len(), 1, "{rules}");
                let recipient = &group.recipients[0];
                assert_eq!(recipient.back_end, backend.name(), "{rules}");
                let stanzas = backend.parse_detailed(&recipient.text, &recipient.fields).unwrap();
                assert!(stanzas.len() == 1 && stanzas[0].is_same_key(&parsed(backend, text)), "{rules}: {stanzas:?}");
            }
        }
    }
}

#[test]
fn every_back_end_is_read_from_metadata_and_written_to_it() {
    for (backend, text, _) in all() {
        let mut stanza = parsed(backend, text);
        stanza.set(Stanza::ENC, Value::Str("wrapped".to_owned()));
        for groups in [vec![vec![stanza.clone()]], vec![vec![stanza.clone()], vec![stanza.clone()]]] {
            let mut metadata = Metadata::new(groups.clone(), 0, Selection::default(), false);
            metadata.last_modified = "2026-11-22T04:33:28Z".to_owned();
            metadata.mac = "ENC[m]".to_owned();
            let again = Metadata::from_value(&metadata.to_value()).unwrap();
            assert_eq!(again.key_groups, groups);
            assert!(again.unknown.is_empty(), "{:?}", again.unknown);
        }
    }
}

#[test]
fn every_back_end_is_in_the_decryption_order_and_in_completions() {
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file("a.yaml", "a: 1\n");
    test.run("encrypt -i a.yaml").code(0);
    let flags = |words: &[&str]| offered(&test, words);
    let (encrypt, rotate) = (flags(&["leafcrypt", "encrypt", "--"]), flags(&["leafcrypt", "rotate", "-i", "--"]));
    let group = flags(&["leafcrypt", "groups", "add", "--"]);
    for (backend, text, _) in all() {
        let line = format!("decrypt --decryption-order {} a.yaml", backend.name());
        test.run(&line).code(0).stdout("a: 1\n").stderr_lacks("warning");
        let (flag, add, remove) =
            (format!("--{}", backend.flag()), format!("--add-{}", backend.flag()), format!("--rm-{}", backend.flag()));
        assert!(encrypt.contains(&flag) && group.contains(&flag), "{flag} in {encrypt:?} {group:?}");
        assert!(rotate.contains(&add) && rotate.contains(&remove), "{add} in {rotate:?}");
        // The recipients of the rules.
        std::fs::write(test.path(".sops.yaml"), format!("creation_rules:\n  - {}: '{text}'\n", backend.rule_field()))
            .unwrap();
        // A shell breaks a word at a colon.
        let begun = text.split_at(3).0;
        let known = flags(&["leafcrypt", "rotate", "-i", &add, begun]);
        assert!(known.iter().any(|offer| text.ends_with(offer.as_str())), "{add}: {known:?}");
    }
}

/// What a build can leave out is said, and CI tries a build without all of it.
#[test]
fn every_feature_is_in_the_docs() {
    let read = |name: &str| std::fs::read_to_string(package().join(name)).unwrap();
    let (manifest, keys) = (read("Cargo.toml"), read("docs/keys.md"));
    let defaults = manifest.lines().find_map(|line| line.strip_prefix("default = [")).unwrap().trim_end_matches(']');
    let defaults: Vec<&str> = defaults.split(", ").map(|name| name.trim_matches('"')).collect();
    for feature in &defaults {
        assert!(keys.contains(&format!("`{feature}`")), "docs/keys.md: the feature {feature}");
    }
    // None is left out by default but what the others share.
    let (_, section) = manifest.split_once("[features]\n").unwrap();
    let section = section.split_once("\n[").unwrap().0;
    let named = section.lines().filter_map(|line| line.split_once(" = [")).map(|(name, _)| name);
    for name in named.filter(|name| !["default", "client", "network"].contains(name)) {
        assert!(defaults.contains(&name), "{name}");
    }
}

#[test]
fn every_back_end_is_in_the_docs() {
    let read = |name: &str| std::fs::read_to_string(package().join(name)).unwrap();
    let (keys, example, order) = (read("docs/keys.md"), read(".sops.yaml.example"), read("docs/updatekeys.md"));
    for (backend, ..) in all() {
        let row = |what: &str, name: &str| {
            assert!(
                keys.contains(&format!("`{name}`")) || keys.contains(&format!("`{name} ")),
                "docs/keys.md: {what} {name}"
            );
        };
        row("the flag", &format!("--{}", backend.flag()));
        row("the variable", backend.recipients_env());
        row("the field of a rule", backend.rule_field());
        row("the list of the metadata", backend.name());
        assert!(
            example.contains(&format!("\n    {}:", backend.rule_field())),
            ".sops.yaml.example: {}",
            backend.rule_field()
        );
        assert!(order.contains(&format!("`{}`", backend.name())), "docs/updatekeys.md: {}", backend.name());
        for detail in backend.details() {
            row("the flag", &format!("--{}", detail.flag));
        }
    }
}
