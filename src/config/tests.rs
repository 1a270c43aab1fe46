use super::*;
use crate::metadata::Selection;

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, Path::new("/repo/.sops.yaml"))
}

fn rules(text: &str) -> Vec<CreationRule> {
    parse(text).unwrap().creation_rules.unwrap()
}

/// The line of the rule for a file of the repository.
fn chosen(config: &Config, file: &str) -> Option<usize> {
    config.rule_for(&Path::new("/repo").join(file)).ok().flatten().map(|rule| rule.line)
}

fn recipient(back_end: &'static str, text: &str, line: usize) -> Recipient {
    Recipient { back_end, text: text.to_owned(), fields: [].into(), line }
}

#[test]
fn the_example_shows_every_key_and_has_no_mistakes() {
    let example = include_str!("../../.sops.yaml.example");
    let config = parse(example).unwrap();
    assert_eq!(config.warnings, [""; 0]);
    for key in schema::all_keys() {
        assert!(example.contains(&format!("{key}:")), ".sops.yaml.example does not show {key}");
    }
    let selections = config.creation_rules.iter().flatten().filter_map(|rule| rule.selection.as_ref());
    assert_eq!(selections.map(std::mem::discriminant).collect::<std::collections::HashSet<_>>().len(), 6);
    assert_eq!(config.rule_for(Path::new("/repo/vault-root/a.yaml")).unwrap().unwrap().key_groups.len(), 3);
    assert_eq!(config.stores, Stores { json_indent: Some(2), json_binary_indent: Some(2), yaml_indent: Some(2) });
    assert_eq!(config.destination_rules[0].settings["s3_bucket"], "example-secrets");
    assert!(config.destination_rules[0].omit_extensions);
    assert!(config.destination_rules[1].recreation_rule.is_some());
}

#[test]
fn the_first_rule_that_matches_is_chosen() {
    let config = parse(
        "creation_rules:\n  - path_regex: ^prod/\n  - path_regex: secret.*\\.yaml$\n  - path_regex: ''\n  - path_regex: never\n",
    )
    .unwrap();
    assert_eq!(chosen(&config, "prod/secret.yaml"), Some(2));
    assert_eq!(chosen(&config, "app/prod/secrets.yaml"), Some(3));
    assert_eq!(chosen(&config, "never"), Some(4));
    assert_eq!(chosen(&config, "x/../prod/a"), Some(2));
}

#[test]
fn a_path_is_matched_from_the_configs_folder_and_absolute_outside_of_it() {
    let config = parse("creation_rules:\n  - path_regex: ^app/x\n  - path_regex: ^/repo\n").unwrap();
    assert_eq!(chosen(&config, "app/x.yaml"), Some(2));
    assert_eq!(chosen(&config, "repo/x.yaml"), None);
    assert_eq!(chosen(&config, "/repository/app/x.yaml"), Some(3));
}

#[test]
fn a_digit_in_a_path_is_a_digit_as_in_go() {
    let config = parse("creation_rules:\n  - path_regex: ^\\d\n").unwrap();
    assert_eq!(chosen(&config, "1.yaml"), Some(2));
    assert_eq!(chosen(&config, "\u{663}.yaml"), None);
}

#[test]
fn no_matching_rule_is_an_error_that_lists_what_was_tried() {
    let error = parse("creation_rules:\n  - path_regex: ^a$\n").unwrap().rule_for(Path::new("/repo/b")).unwrap_err();
    assert_eq!(error.kind(), Kind::ConfigMissing);
    assert_eq!(
        error.to_string(),
        "/repo/.sops.yaml: no matching creation rules found for b; line 2: `^a$` does not match"
    );
    assert!(parse("creation_rules: []").unwrap().rule_for(Path::new("/repo/b")).is_err());
}

#[test]
fn a_file_without_creation_rules_has_none_for_any_file() {
    for text in ["", "# nothing\n", "---\n", "creation_rules:\n", "stores: {json: {indent: -1}}\n", "null"] {
        assert_eq!(parse(text).unwrap().rule_for(Path::new("/repo/b")).unwrap(), None, "{text:?}");
    }
}

#[test]
fn recipients_are_texts_with_commas_or_lists() {
    let rule = &rules(
        "creation_rules:
  - age: 'a, b,,a,'
    pgp:
      - ''
      - C
      - D, E
    kms: arn:1 + role:2,arn:3
    aws_profile: work
    hckms: [h]
    hc_vault_transit_uri: v
    azure_keyvault: z
    gcp_kms: g
",
    )[0];
    let mut kms = [recipient("kms", "arn:1+role:2", 7), recipient("kms", "arn:3", 7)];
    kms.iter_mut().for_each(|key| drop(key.fields.insert("aws_profile".into(), "work".into())));
    let mut expected = vec![recipient("age", "a", 2), recipient("age", "b", 2)];
    expected.extend([recipient("pgp", "C", 5), recipient("pgp", "D", 6), recipient("pgp", "E", 6)]);
    expected.extend(kms);
    expected.extend([recipient("gcp_kms", "g", 12), recipient("hckms", "h", 9)]);
    expected.extend([recipient("azure_kv", "z", 11), recipient("hc_vault", "v", 10)]);
    assert_eq!(rule.key_groups, [KeyGroup { recipients: expected }]);
    assert_eq!(rule.nameless, None, "empty texts are left out in the lists of a rule, as in sops");
    assert_eq!((rule.number, rule.line, rule.shamir_threshold), (1, 2, 0));
}

#[test]
fn key_groups_are_read_with_their_objects_and_merges() {
    let config = parse(
        "creation_rules:
  - shamir_threshold: 2
    age: ignored
    key_groups:
      - merge:
          - age: [a]
          - age: [a, b]
        pgp: [P]
      - kms:
          - arn: arn:1
            role: r
            context: {k: v, empty: }
        azure_keyvault:
          - {vaultUrl: 'https://v/', key: k, version: '1'}
          - {vaultUrl: 'https://v', key: k}
",
    )
    .unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].starts_with("/repo/.sops.yaml:3: creation rule 1 (line 2) has key_groups"));
    let rule = &config.creation_rules.unwrap()[0];
    assert_eq!(rule.shamir_threshold, 2);
    assert_eq!(
        rule.key_groups[0].recipients,
        [recipient("age", "a", 6), recipient("age", "b", 7), recipient("pgp", "P", 8)]
    );
    let [kms, versioned, latest] = &rule.key_groups[1].recipients[..] else { panic!("{rule:?}") };
    assert_eq!(kms.text, "arn:1");
    assert_eq!(
        kms.fields,
        [("role", "r"), ("context.k", "v"), ("context.empty", "")].map(|(k, v)| (k.into(), v.into())).into()
    );
    assert_eq!(versioned.text, "https://v/keys/k/1");
    assert_eq!(latest.text, "https://v/keys/k");
}

#[test]
fn each_selector_is_read_and_an_empty_one_is_none() {
    let cases = [
        ("unencrypted_suffix: x", Some(Selection::UnencryptedSuffix("x".into()))),
        ("encrypted_suffix: 1", Some(Selection::EncryptedSuffix("1".into()))),
        ("unencrypted_regex: x", Some(Selection::UnencryptedRegex("x".into()))),
        ("encrypted_regex: \\d", Some(Selection::EncryptedRegex("\\d".into()))),
        ("unencrypted_comment_regex: x", Some(Selection::UnencryptedCommentRegex("x".into()))),
        ("encrypted_comment_regex: x", Some(Selection::EncryptedCommentRegex("x".into()))),
        ("encrypted_regex: ''\n    encrypted_suffix: x", Some(Selection::EncryptedSuffix("x".into()))),
        ("encrypted_regex:", None),
        ("mac_only_encrypted: yes", None),
    ];
    for (text, selection) in cases {
        let rule = &rules(&format!("creation_rules:\n  - {text}\n"))[0];
        assert_eq!(rule.selection, selection, "{text}");
        assert_eq!(rule.mac_only_encrypted, text.starts_with("mac"));
    }
}

#[test]
fn aliases_and_merge_keys_work_and_named_keys_are_no_mistake() {
    let config = parse(
        "keys:\n- &a age1\n\nx-defaults: &d\n  age: *a\n  mac_only_encrypted: true\ncreation_rules:\n  - <<: *d\n    path_regex: x\n",
    )
    .unwrap();
    assert_eq!(config.warnings, [""; 0]);
    let rule = &config.creation_rules.unwrap()[0];
    assert_eq!(rule.key_groups[0].recipients[0].text, "age1");
    assert!(rule.mac_only_encrypted);
}

#[test]
fn hundreds_of_aliases_of_one_recipient_are_fine() {
    let text = format!("keys: [&a age1]\ncreation_rules:\n{}", "  - age: *a\n".repeat(2_000));
    assert_eq!(rules(&text).len(), 2_000);
}

#[test]
fn unknown_keys_are_warnings_with_their_place_and_the_nearest_name() {
    let cases = [
        ("creation_rule: []", "1:1: unknown key creation_rule; did you mean creation_rules?"),
        ("creation_rules:\n  - encrypted_regx: a", "2:5: unknown key encrypted_regx; did you mean encrypted_regex?"),
        ("creation_rules:\n  - path-regex: a", "2:5: unknown key path-regex; did you mean path_regex?"),
        ("creation_rules:\n  - agee: a", "2:5: unknown key agee; did you mean age?"),
        ("stores: {json: {indnt: 2}}", "1:17: unknown key indnt; did you mean indent?"),
        ("creation_rules:\n- key_groups:\n  - kms:\n    - region: x", "known here are arn, role, context, aws_profile"),
        ("creation_ruls: &a []", "did you mean creation_rules?"),
        ("\u{feff}stuff: 1", "1:1: unknown key stuff; known here are creation_rules"),
    ];
    for (text, warning) in cases {
        let warnings = parse(text).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{text}: {warnings:?}");
        assert!(warnings[0].starts_with("/repo/.sops.yaml:"), "{}", warnings[0]);
        assert!(warnings[0].contains(warning), "{}", warnings[0]);
    }
}

#[test]
fn mistakes_are_errors_with_their_place_and_reason() {
    let cases = [
        ("creation_rules: x", (1, 17), "expected a list"),
        ("creation_rules:\n  - x", (2, 5), "expected a map"),
        ("creation_rules:\n  - path_regex: [a]", (2, 17), "expected a text"),
        ("creation_rules:\n  - age: {a: b}", (2, 10), "expected a text or a list of texts"),
        ("creation_rules:\n  - age: 1", (2, 5), "expected a text or a list of texts"),
        ("creation_rules:\n  - age: [a, [b]]", (2, 14), "expected a text"),
        ("creation_rules:\n  - shamir_threshold: two", (2, 23), "expected a whole number"),
        ("creation_rules:\n  - shamir_threshold: -1", (2, 23), "is negative"),
        ("creation_rules:\n  - mac_only_encrypted: maybe", (2, 25), "boolean"),
        ("creation_rules:\n  - age: a\n    age: b", (3, 5), "the key age is in this map twice"),
        ("creation_rules: []\ncreation_rules: []", (2, 1), "the key creation_rules is in this map twice"),
        ("stores: {}\n---\nstores: {}", (3, 1), "a second YAML document"),
        ("{", (1, 1), "unclosed bracket"),
        ("a: *b", (1, 4), "unknown"),
        (
            "creation_rules:\n  - age: a\n  - path_regex: a**",
            (3, 17),
            "path_regex of creation rule 2 (line 3): the regular expression `a**` is wrong at character 3; `*` follows",
        ),
        ("creation_rules:\n  - encrypted_regex: '(?!x)'", (2, 22), "encrypted_regex of creation rule 1 (line 2)"),
        ("destination_rules:\n  - path_regex: '('", (2, 17), "path_regex of destination rule 1"),
        (
            "creation_rules:\n  - encrypted_regex: a\n    encrypted_suffix: b",
            (2, 22),
            "cannot use more than one of the six selectors in creation rule 1 (line 2); it has encrypted_suffix and encrypted_regex",
        ),
    ];
    for (text, place, reason) in cases {
        let error = parse(text).expect_err(text);
        assert_eq!(error.kind(), Kind::Config, "{text}");
        assert_eq!(error.place().line_column, Some(place), "{text}: {error}");
        assert!(error.place().snippet.is_some(), "{text}");
        assert!(error.to_string().contains(reason), "{text}: {error}");
        assert!(!error.hints().is_empty(), "{text}");
    }
}

#[test]
fn hostile_files_are_errors() {
    let bomb = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        text + &format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)
    });
    let merges = format!("creation_rules:\n- key_groups:\n  - {}", "{merge: [".repeat(100_000));
    for text in ["[".repeat(1_000_000), "- ".repeat(100_000), "a: ".repeat(100_000), bomb, merges, "\0".into()] {
        assert_eq!(parse(&text).unwrap_err().kind(), Kind::Config);
    }
}

#[test]
fn files_that_cannot_be_read_are_errors_that_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".sops.yaml");
    assert!(Config::load(&file).unwrap_err().to_string().contains("cannot be read"));
    assert!(Config::load(folder.path()).unwrap_err().to_string().contains("cannot be read"));
    std::fs::write(&file, b"stores: {}\nage: \xff\n").unwrap();
    let error = Config::load(&file).unwrap_err();
    assert_eq!(error.place().line_column, Some((2, 6)));
    assert_eq!(error.place().file.as_deref(), file.to_str());
    let large = File::create(&file).unwrap();
    large.set_len(MAX_BYTES + 1).unwrap();
    assert!(Config::load(&file).unwrap_err().to_string().contains("more than 16 MiB"));
}

#[test]
fn a_loaded_file_chooses_rules_for_its_own_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".sops.yaml");
    std::fs::write(&file, "creation_rules:\n  - path_regex: ^app/[^/]+$\n").unwrap();
    let found = Config::find(Some(Path::new("app/x.yaml")), folder.path());
    let config = Config::load(&found.path.unwrap()).unwrap();
    assert_eq!(config.path, file);
    assert!(config.rule_for(&folder.path().join("app/x.yaml")).unwrap().is_some());
    assert!(config.rule_for(&folder.path().join("x.yaml")).is_err());
}

#[test]
fn null_items_of_lists_are_passed_over_as_by_sops() {
    let all = "creation_rules:\n  -\n  - key_groups:\n      - ~\n      - merge: [null, {age: [a]}]\n        pgp: [null]\n        kms: [~, {arn: k}]\n";
    let rules = rules(&format!("{all}destination_rules: [null]\n"));
    let [CreationRule { line: 3, key_groups, nameless: None, .. }] = &rules[..] else { panic!("{rules:?}") };
    let recipients: Vec<_> = key_groups.iter().map(|group| group.recipients.as_slice()).collect();
    assert_eq!(recipients, [[recipient("age", "a", 5), recipient("kms", "k", 7)]]);
}

#[test]
fn a_last_document_with_nothing_in_it_is_none() {
    for end in ["---\n", "---", "--- # end\n\n# more\n", "...\n---\n"] {
        let config = parse(&format!("creation_rules:\n  - age: a\n{end}")).unwrap();
        assert_eq!(chosen(&config, "a.yaml"), Some(2), "{end:?}");
    }
    for (end, line) in [("---\na: 1\n", 4), ("---\n---\n", 3), ("--- a\n", 3)] {
        let error = parse(&format!("creation_rules:\n  - age: a\n{end}")).err().unwrap();
        assert_eq!(error.place().line_column.map(|at| at.0), Some(line), "{end:?}");
        assert_eq!(error.notes(), ["a second YAML document begins here"]);
    }
}

#[test]
fn of_many_warnings_the_first_are_shown() {
    let keys: String = (0..MOST_WARNINGS + 3).map(|number| format!("x{number}: 1\n")).collect();
    let warnings = parse(&format!("stores:\n  ini:\n    x: 1\n{keys}")).unwrap().warnings;
    assert_eq!(warnings.len(), MOST_WARNINGS + 1);
    assert_eq!(warnings[0], "/repo/.sops.yaml:3:5: unknown key x; none is known here");
    assert_eq!(warnings[MOST_WARNINGS], "/repo/.sops.yaml: there are 4 more warnings");
}
