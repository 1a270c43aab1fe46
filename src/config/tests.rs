use super::*;

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, Path::new("/repo/.sops.yaml"))
}
#[test]
fn probe() {
    for t in [
        "",
        "# x\n",
        "creation_rules:\n",
        "creation_rules: []\n",
        "a: 1\ncreation_rule: 2\n",
        "creation_rules:\n  - age: {a: b}\n",
        "creation_rules:\n  - age: a\n    age: b\n",
        "creation_rules: x\n",
        "creation_rules:\n  - path_regex: [a]\n",
        "creation_rules:\n  - age: [a, b]\n    encrypted_regx: a\n",
        "{{",
        "a: b\n---\nc: d\n",
        "creation_rules:\n  - shamir_threshold: two\n",
        "creation_rules:\n  - mac_only_encrypted: maybe\n",
        "creation_rules:\n - age: 123\n",
        "creation_rules:\n - path_regex: 123\n   encrypted_regex: '*'\n",
        "creation_rules:\n - x\n",
        "a: *b\n",
        "keys:\n - &a age1\ncreation_rules:\n - age: *a\n",
        "\u{feff}creation_rules:\n - agee: a\n",
        "x: &a 1\n? [a]\n: b\n",
        "creation_rules:\n - &d\n   age: a\n   mac_only_encrypted: yes\n - <<: *d\n   path_regex: b\n",
        "a: !!binary x\n\tb",
    ] {
        println!("--- {t:?}");
        match parse(t) {
            Ok(c) => println!("{:?} {:?}", c.creation_rules, c.warnings),
            Err(e) => println!("ERR {e} {:?}", e.place()),
        }
    }
}
