//! Key groups with an entry that names nobody, beside the real sops: nobody is left out in silence.

use crate::builder::Test;

/// A rule with one key group: our recipient and `entry`.
fn ruled(entry: &str) -> Test {
    let rules = format!("creation_rules:\n  - key_groups:\n      - age: [{{age}}]\n        {entry}\n");
    Test::new().identity().file("a.yaml", "a: 1\n").rules(&rules)
}

const RESOURCE: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k";

#[test]
fn an_entry_that_names_nobody_is_an_error_with_its_place() {
    let gcp = format!("gcp_kms: [{{resource: {RESOURCE}}}]");
    // The entry, its key path, its column, and what is said.
    let cases = [
        ("kms: [{anr: K}]", "kms[0]", 16, "has no arn", "did you mean arn where it says anr?"),
        ("kms: [{arn: ''}]", "kms[0]", 15, "has no arn", "or remove the entry"),
        ("kms: [{arn: ' '}]", "kms[0]", 15, "has no arn", "or remove the entry"),
        ("kms: [{}]", "kms[0]", 15, "has no arn", "or remove the entry"),
        (&gcp, "gcp_kms[0]", 20, "has no resource_id", "did you mean resource_id where it says resource?"),
        ("gcp_kms: [{resource_id: }]", "gcp_kms[0]", 19, "has no resource_id", "or remove the entry"),
        ("hckms: [{keyid: 'r:k'}]", "hckms[0]", 18, "has no key_id", "did you mean key_id where it says keyid?"),
        ("hckms: [{key_id: ''}]", "hckms[0]", 17, "has no key_id", "or remove the entry"),
        (
            "azure_keyvault: [{vaultURL: x, key: k}]",
            "azure_keyvault[0]",
            27,
            "has no vaultUrl",
            "where it says vaultURL",
        ),
        ("azure_keyvault: [{vaultUrl: x, name: k}]", "azure_keyvault[0]", 40, "has no key", "where it says name"),
        ("azure_keyvault: [{}]", "azure_keyvault[0]", 26, "has no vaultUrl", "or remove the entry"),
        ("pgp: ['']", "pgp[0]", 15, "pgp recipient is empty", "or remove the entry"),
        ("pgp: [',']", "pgp[0]", 15, "pgp recipient is empty", "or remove the entry"),
        ("hc_vault: ['']", "hc_vault[0]", 20, "hc_vault recipient is empty", "or remove the entry"),
        ("merge: [{age: [','], pgp: []}]", "merge[0].age[0]", 24, "age recipient is empty", "or remove the entry"),
        ("merge: [{kms: [{anr: K}]}]", "merge[0].kms[0]", 25, "has no arn", "did you mean arn"),
    ];
    for (entry, path, column, what, hint) in cases {
        let test = ruled(entry);
        // sops refuses the same, or panics.
        test.sops("encrypt a.yaml").fails_with("");
        let refused = test.run("encrypt -i a.yaml").fails();
        refused
            .stderr_has(&format!(".sops.yaml:4:{column}\n"))
            .stderr_has(&format!("at: creation_rules[0].key_groups[0].{path}\n"))
            .stderr_has(what)
            .stderr_has(hint);
        assert_eq!(test.read("a.yaml"), "a: 1\n");
    }
}

/// sops drops these recipients without a word.
#[test]
fn a_list_that_is_no_kind_of_keys_is_an_error() {
    for (entry, hint) in [
        ("agee: [x]", "did you mean age?"),
        ("agee: &keys [x]", "did you mean age?"),
        ("gpg: [x]", "known here are merge, age, pgp"),
        ("azure_kv: [{}]", "did you mean azure_keyvault?"),
        ("hc_vault_transit_uri: [x]", "did you mean hc_vault?"),
    ] {
        let test = ruled(entry);
        test.sops("encrypt a.yaml").code(0);
        let name = entry.split(':').next().unwrap();
        test.run("encrypt a.yaml").fails().stderr_has(&format!("{name} is no kind of keys")).stderr_has(hint);
    }
}

#[test]
fn what_names_nobody_and_says_so_is_taken_as_sops_takes_it() {
    for entry in [
        "kms: []",
        "kms:",
        "pgp: []",
        "merge: [{}]",
        "merge: []",
        "agee: []",
        "name: team",
        "note: {a: [b]}",
        // A place for an anchor.
        "x-keys: &keys [x]",
    ] {
        let test = ruled(entry);
        test.sops("encrypt a.yaml").code(0);
        test.run("encrypt a.yaml").code(0).stdout_has("recipient: age1");
    }
    let test = Test::new().identity().file("a.yaml", "a: 1\n");
    let test = test.rules("creation_rules:\n  - key_groups:\n      - age: [{age}, '']\n");
    test.sops("encrypt a.yaml").code(0);
    test.run("encrypt a.yaml").code(0).stderr_has(".sops.yaml:3: an empty age recipient is ignored");
    for flat in ["pgp: ''", "pgp: ['']", "kms: ','", "azure_keyvault: ['']", "hc_vault_transit_uri: ''"] {
        let test = Test::new().identity().file("a.yaml", "a: 1\n");
        let test = test.rules(&format!("creation_rules:\n  - age: '{{age}}'\n    {flat}\n"));
        test.sops("encrypt a.yaml").code(0);
        test.run("encrypt a.yaml").code(0).stdout_has("recipient: age1");
    }
}

#[test]
fn only_who_needs_the_recipients_of_a_rule_hears_of_it() {
    let test = Test::new().identity().file("a.yaml", "a: 1\n").file("b.yaml", "b: 1\n");
    let other = age::x25519::Identity::generate().to_public().to_string();
    let rules = |second: &str| {
        format!(
            "creation_rules:\n  - path_regex: b\n    age: '{{age}}'\n  - key_groups:\n      - age: [{{age}}]\n      - {second}\n"
        )
    };
    let test = test.rules(&rules(&format!("age: ['{other}']")));
    test.run("encrypt -i a.yaml").code(0);
    let before = test.read("a.yaml");
    let test = test.rules(&rules("kms: [{anr: K}]"));
    test.run("updatekeys --yes a.yaml").fails().stderr_has("has no arn").stderr_has(".sops.yaml:6:");
    assert_eq!(test.read("a.yaml"), before);
    test.run("encrypt -i b.yaml").code(0);
    test.run("decrypt b.yaml").code(0).stdout("b: 1\n");
    let test = test.rules("creation_rules:\n  - key_groups: [{age: [{age}], kms: [{anr: K}]}]\n");
    test.run("decrypt b.yaml").code(0);
    test.run("updatekeys --yes a.yaml").fails();
    assert_eq!(test.read("a.yaml"), before);
    test.file("c.yaml", "c: 1\n").run("encrypt --age {age} c.yaml").code(0);
}
