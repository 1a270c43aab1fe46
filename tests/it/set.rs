//! `set` and `unset`: the touched lines and no others, in each form in which a path and a value can be given, with the exit
//! codes of sops; and files that both changed are the same to each other.

use crate::builder::Test;
use crate::generate::{self, Case};
use leafcrypt::document::{Document, EntryId, Flags, KeyPath, Kind};
use leafcrypt::format::{self, Format};

const PLAIN: &str = "\
# The database.
db:
    user: 'admin'   # quoted
    hosts: [a, b]

    ports:
        - 1
        - 2
open_unencrypted: yes
note: |
    two
    lines
";

fn team(plain: &str, name: &str) -> Test {
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file(name, plain);
    test.run(&format!("encrypt -i {name}")).code(0);
    test
}

/// The lines that are in `after` alone, tokens left out, and those that are in `before` alone.
fn difference(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let only = |one: &str, other: &str| {
        let other: Vec<&str> = other.lines().collect();
        let lines = one.lines().filter(|line| !other.contains(line));
        let bare = |line: &str| match (line.find("ENC["), line.rfind(']')) {
            (Some(start), Some(end)) => format!("{}ENC{}", &line[..start], &line[end + 1..]),
            _ => line.to_owned(),
        };
        lines
            .map(bare)
            .filter(|line| !["lastmodified:", "mac:"].iter().any(|field| line.trim().starts_with(field)))
            .collect()
    };
    (only(after, before), only(before, after))
}

#[test]
fn the_touched_lines_change_and_no_others() {
    for (line, plain, new, gone) in [
        (
            "set a.yaml '[\"db\"][\"user\"]' '\"root\"'",
            PLAIN.replace("'admin'", "'root'"),
            "    user: 'ENC",
            "    user: 'ENC",
        ),
        ("set a.yaml db.user '\"root\"'", PLAIN.replace("'admin'", "'root'"), "    user: 'ENC", "    user: 'ENC"),
        ("set a.yaml /db/ports/1 22", PLAIN.replace("- 2", "- 22"), "        - ENC", "        - ENC"),
        ("set a.yaml 'db.ports[2]' -3", PLAIN.replace("- 2\n", "- 2\n        - -3\n"), "        - ENC", ""),
        ("set a.yaml /db/ports/- 3", PLAIN.replace("- 2\n", "- 2\n        - 3\n"), "        - ENC", ""),
        (
            "set a.yaml '[\"db\"][\"new\"][\"list\"][0]' '{\"k\": [true, null]}'",
            PLAIN.replace(
                "- 2\n",
                "- 2\n    new:\n        list:\n            - k:\n                - true\n                - null\n",
            ),
            "    new:|        list:|            - k:|                - ENC|                - null",
            "",
        ),
        (
            "set a.yaml open_unencrypted '\"no\"'",
            PLAIN.replace("yes", "\"no\""),
            "open_unencrypted: \"no\"",
            "open_unencrypted: yes",
        ),
        ("set a.yaml '[\"a [b] \"c\"]\"]' '\"x\"'", format!("{PLAIN}a [b] \"c\"]: x\n"), "a [b] \"c\"]: ENC", ""),
        ("unset a.yaml '[\"db\"][\"ports\"][0]'", PLAIN.replace("        - 1\n", ""), "", "        - ENC"),
        ("unset a.yaml db.hosts", PLAIN.replace("    hosts: [a, b]\n", ""), "", "    hosts: [ENC"),
    ] {
        let test = team(PLAIN, "a.yaml");
        let before = test.read("a.yaml");
        test.run(line).code(0).stdout("").stderr_lacks("warning");
        let printed = test.run("decrypt a.yaml").code(0).text();
        assert_eq!(printed, plain, "{line}");
        let (added, removed) = difference(&before, &test.read("a.yaml"));
        let shown = |lines: &[String]| {
            lines.iter().filter(|line| !line.contains("leafcrypt_layout")).cloned().collect::<Vec<_>>().join("|")
        };
        let is = |lines: &[String], wanted: &str| {
            if wanted.contains("[ENC") { lines.len() <= 2 } else { shown(lines) == wanted }
        };
        assert!(is(&added, new) && is(&removed, gone), "{line}\n{added:#?}\n{removed:#?}");
        test.sops("decrypt a.yaml").code(0);
    }
}

#[test]
fn a_value_may_come_from_a_file_or_from_the_standard_input() {
    let test = team(PLAIN, "a.yaml").file("value.json", "\"hunter2\"\n");
    test.run("set --value-file a.yaml db.user value.json").code(0);
    test.run("decrypt --extract db.user a.yaml").code(0).stdout("hunter2");
    test.run_with("set --value-stdin a.yaml db.user", "{\"a\":\n [1]}").code(0);
    test.run("decrypt --extract db.user.a[0] a.yaml").code(0).stdout("1\n");
    test.run("--set '[\"db\"][\"user\"] \"old form\"' a.yaml").code(0);
    test.run("decrypt --extract db.user a.yaml").code(0).stdout("old form");
    test.run("set a.yaml db.user '\"x\"' --output b.yaml").code(0);
    test.run("decrypt --extract db.user a.yaml").code(0).stdout("old form");
    test.run("decrypt --extract db.user b.yaml").code(0).stdout("x");
    test.run("set --output /dev/stdout b.yaml db.user 7").code(0).stdout_has("sops:");
    test.run("set --output-type json --output c.json a.yaml db.user 7").code(0);
    test.sops("decrypt --extract '[\"db\"][\"user\"]' c.json").code(0).stdout("7");
    test.run_with("set - db.user 7", test.read("a.yaml")).code(2).stderr_has("the standard input cannot be changed");
}

#[test]
fn the_key_groups_stay_and_that_is_said() {
    let test = team(PLAIN, "a.yaml");
    let flag = "--shamir-secret-sharing-threshold 2";
    let said = "--shamir-secret-sharing-threshold changes nothing here";
    test.run(&format!("set {flag} a.yaml db.user '\"root\"'")).code(0).stdout("").stderr_has(said);
    test.run(&format!("unset {flag} a.yaml db.user")).code(0).stdout("").stderr_has(said);
    test.run("set a.yaml db.user 1").code(0).stderr_is_empty();
    assert!(!test.read("a.yaml").contains("shamir_threshold"));
}

#[test]
fn idempotent_touches_nothing_that_is_as_wanted() {
    let test = team(PLAIN, "a.yaml");
    let before = test.read("a.yaml");
    for line in [
        "set --idempotent a.yaml db.user '\"admin\"'",
        "set --idempotent a.yaml db '{\"user\": \"admin\", \"hosts\": [\"a\", \"b\"], \"ports\": [1, 2.0]}'",
        "unset --idempotent a.yaml db.nothing",
        "unset --idempotent a.yaml db.ports[7]",
    ] {
        test.run(line).code(0).stdout("").stderr_lacks("warning");
        assert_eq!(test.read("a.yaml"), before, "{line}");
    }
    test.run("set --idempotent --output b.yaml a.yaml db.user '\"admin\"'").code(0);
    assert_eq!(test.read("b.yaml"), before);
    test.run("set --idempotent a.yaml db.user '\"other\"'").code(0);
    assert_ne!(test.read("a.yaml"), before);
}

/// Who else writes the file while a key is waited for loses nothing.
#[test]
fn what_somebody_else_wrote_meanwhile_is_not_overwritten() {
    let test = team(PLAIN, "a.yaml");
    // Elsewhere than where it is looked for without the command.
    let keys = test.path("keys.txt");
    std::fs::rename(test.home().join(".config/sops/age/keys.txt"), &keys).unwrap();
    let before = test.read("a.yaml");
    for line in [
        "set a.yaml db.user '\"root\"'",
        "unset a.yaml db.user",
        "rotate -i a.yaml",
        "decrypt -i a.yaml",
        "groups add -i -f a.yaml --age {age}",
    ] {
        for (meanwhile, after, said) in [
            (
                "echo '# more' >> a.yaml",
                Some(format!("{before}# more\n")),
                "a.yaml was changed by someone else meanwhile",
            ),
            ("rm a.yaml", None, "a.yaml was removed by someone else meanwhile"),
        ] {
            let command = format!("{meanwhile}; cat '{}'", keys.display());
            std::fs::write(test.path("a.yaml"), &before).unwrap();
            std::fs::write(test.path("key.sh"), command).unwrap();
            let output = test.run_as(&[("SOPS_AGE_KEY_CMD", "sh key.sh")], line).fails().code(3);
            output.stderr_has(said).stderr_has("nothing was overwritten");
            assert_eq!(std::fs::read_to_string(test.path("a.yaml")).ok(), after, "{line}");
        }
    }
}

#[test]
fn each_document_of_a_stream_has_a_number() {
    let test = team("a: 1\n---\na: 2\nb: 3\n---\nc: [x]\n", "a.yaml");
    test.run("set --document 1 a.yaml a 22").code(0);
    test.run("set --document 2 a.yaml c[1] '\"z\"'").code(0);
    test.run("unset --document 1 a.yaml b").code(0);
    test.run("set a.yaml a 11").code(0);
    let plain = "a: 11\n---\na: 22\n---\nc: [x, z]\n";
    test.run("decrypt a.yaml").code(0).stdout(plain);
    test.run("decrypt --document 1 --extract a a.yaml").code(0).stdout("22\n");
    test.run("decrypt --extract a a.yaml").code(0).stdout("11\n");
    test.run("set --document 3 a.yaml a 1").code(1).stderr_has("there is no document 3");
    test.run("decrypt --document 3 --extract a a.yaml").code(1).stderr_has("counted from 0: the last one is 2");
    test.sops("decrypt a.yaml").code(0);
}

#[test]
fn all_formats() {
    for (name, plain, steps, after) in [
        (
            "a.json",
            "{\n  \"a\": {\"b\": 1},\n  \"c\": \"d\"\n}\n",
            &["set a.json a.new '[1, \"x\"]'", "unset a.json c"][..],
            "{\n  \"a\": {\"b\": 1, \"new\": [1, \"x\"]}\n}\n",
        ),
        (
            "a.env",
            "# c\nA=1\n\nB=2\n",
            &["set a.env B '\"x\\ny\"'", "set a.env C true", "unset a.env A"],
            "# c\n\nB=x\\ny\nC=true\n",
        ),
        (
            "a.ini",
            "[s]\na  = 1\nbb = 2\n",
            &["set a.ini s.ccc '\"x\"'", "set a.ini t.u '\"v\"'", "unset a.ini s.a"],
            "[s]\nbb = 2\nccc = x\n\n[t]\nu = v\n",
        ),
        ("a.bin", "old\n", &["set a.bin data '\"new\"'"], "new"),
    ] {
        let test = team(plain, name);
        for step in steps {
            test.run(step).code(0).stderr_lacks("warning");
        }
        let printed = test.run(&format!("decrypt {name}")).code(0).text();
        assert_eq!(printed, after, "{name}");
        test.sops(&format!("decrypt {name}")).code(0);
    }
    let test = team("A=1\n", "a.env");
    test.run("set a.env A '{\"a\": 1}'").code(4).stderr_has("nested");
    test.run("unset a.env nothing").code(1);
    let test = team("x", "a.bin");
    test.run("set a.bin other '\"new\"'").fails();
    test.run("unset a.bin data").fails();
}

#[test]
fn what_cannot_be_done_is_said_and_nothing_changes() {
    let test = team("a: &x 1\nb: *x\nlist: [1]\nmap: {k: v}\n", "a.yaml");
    let before = test.read("a.yaml");
    for (line, code, message) in [
        ("set a.yaml a 2", 1, "an alias repeats the value"),
        ("set a.yaml list.k 2", 1, "is a list"),
        ("set a.yaml map[0] 2", 1, "is a map"),
        ("set a.yaml '' 2", 7, "the key path is empty"),
        ("set a.yaml sops 2", 203, "top-level key `sops`"),
        ("set a.yaml sops.mac 2", 203, "top-level key `sops`"),
        ("unset a.yaml map.K", 1, "did you mean map.k"),
        ("unset a.yaml ''", 7, "the key path is empty"),
        ("unset a.yaml sops", 1, "has no key"),
    ] {
        test.run(line).fails().code(code).stderr_has(message);
        assert_eq!(test.read("a.yaml"), before, "{line}");
    }
    test.run("set a.yaml list[7] 2").code(0).stderr_has("is added as [1]");
    test.run("set a.yaml new[7] 2").code(0).stderr_has("its only item, [0]");
}

/// A shell completes a key path in the form in which it is begun; keys are not encrypted, so it needs no identity.
#[test]
fn key_paths_are_completed() {
    let test = team(PLAIN, "a.yaml").env("SOPS_AGE_KEY_FILE", "nothing");
    for (typed, offered) in [
        ("set a.yaml db.", "db.hosts\ndb.ports\ndb.user"),
        ("unset a.yaml '[\"db\"][\"u'", "[\"db\"][\"user\"]"),
        ("unset a.yaml /db/ports/", "/db/ports/0\n/db/ports/1"),
        ("decrypt a.yaml --extract n", "note"),
    ] {
        let index = typed.split(' ').count().to_string();
        let variables = [("COMPLETE", "zsh"), ("_CLAP_COMPLETE_INDEX", index.as_str()), ("_CLAP_IFS", "\n")];
        test.run_as(&variables, &format!("-- leafcrypt {typed}")).code(0).stdout(offered);
    }
}

/// The paths of sops to all values of a document.
fn paths(document: &Document) -> Vec<String> {
    let leaf = |&id: &EntryId| {
        let entry = document.entry(id);
        entry.kind() != Kind::Comment && !entry.is(Flags::COPIED) && entry.parent().is_some()
    };
    let of = |id: EntryId| {
        let mut path = String::new();
        let mut at = id;
        while let Some(parent) = document.entry(at).parent() {
            let step = match document.entry(at).has_key() {
                true => format!("[\"{}\"]", document.key(at)),
                false => format!("[{}]", document.children(parent).position(|child| child == at).unwrap()),
            };
            path.insert_str(0, &step);
            at = parent;
        }
        path
    };
    let ids = document.roots().first().map_or(0..0, |&root| document.subtree(root)).filter(leaf);
    // sops takes any `[` for the next step.
    let paths =
        ids.map(of).filter(|path| !path.contains(['\'', '\n', '\\', '\u{0}']) && path.split('"').count() % 2 == 1);
    paths
        .filter(|path| KeyPath::parse(path).is_ok_and(|steps| path.matches('[').count() == steps.steps().len()))
        .collect()
}

/// A file that sops has changed, and one that leafcrypt has changed in the same way, decrypt to the same: each by the other.
fn both(format_name: &str, extension: &str, cases: u64, longest: usize, make: fn(&[u8]) -> String) {
    const VALUES: [&str; 6] = ["\"another value\"", "12", "{\"k\": [1, \"x\"], \"e\": {}}", "true", "null", "\"yes\""];
    let format: &dyn Format = format::by_name(format_name).unwrap();
    let first = std::env::var("LEAFCRYPT_SEED").map_or(1, |text| text.parse().unwrap());
    let cases = std::env::var("LEAFCRYPT_PARITY_CASES").map_or(cases, |text| text.parse().unwrap());
    let name = |program: &str| format!("{program}.{extension}");
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n");
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for seed in first..first + cases {
        let text = Case::new(seed, longest, make).text();
        std::fs::write(test.path(&name("plain")), &text).unwrap();
        let sealed = test.sops(&format!("encrypt {}", name("plain")));
        // What sops cannot read again itself is of no use here.
        let has_comments = text.contains('#');
        let Ok(document) = format.index(text) else { continue };
        let paths = paths(&document);
        if sealed.code != Some(0) || paths.is_empty() {
            continue;
        }
        let path = &paths[seed as usize % paths.len()];
        // Such a stream cannot be printed as JSON; and to sops a comment in a list is an item of it, when it counts.
        if document.roots().len() > 1
            || has_comments && path.split('[').any(|step| step.starts_with(|c: char| c.is_ascii_digit()))
        {
            continue;
        }
        let removes = seed.is_multiple_of(4);
        let value = VALUES[seed as usize % VALUES.len()];
        let words = |program: &str| match removes {
            true => format!("unset {} '{path}'", name(program)),
            false => format!("set {} '{path}' '{value}'", name(program)),
        };
        for program in ["theirs", "ours"] {
            std::fs::write(test.path(&name(program)), &sealed.stdout).unwrap();
        }
        let theirs = test.sops(&words("theirs"));
        let ours = test.run(&words("ours"));
        if theirs.code != Some(0) || ours.stderr.contains("alias") {
            continue;
        }
        if ours.code != Some(0) {
            wrong.push(format!("seed {seed}: {ours:?}"));
            continue;
        }
        let json = |output: crate::builder::Output| {
            (output.code, String::from_utf8_lossy(&output.stdout).into_owned(), output.stderr)
        };
        let print = "decrypt --output-type json";
        let by_sops = json(test.sops(&format!("{print} {}", name("ours"))));
        let by_us = json(test.run(&format!("{print} {}", name("theirs"))));
        let expected = json(test.sops(&format!("{print} {}", name("theirs"))));
        if expected.0 != Some(0) {
            continue;
        }
        compared += 1;
        for (what, found) in [("sops of ours", by_sops), ("ours of sops'", by_us)] {
            if (found.0, &found.1) != (expected.0, &expected.1) {
                wrong.push(format!(
                    "seed {seed}, {what}, {}\n{}",
                    words("FILE"),
                    crate::harness::diff(&expected.1, &found.1) + &found.2
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(compared * 3 > cases, "only {compared} of {cases} documents were compared");
}

#[test]
fn yaml_is_changed_as_by_sops() {
    both("yaml", "yaml", 60, 200, generate::yaml::text);
}

#[test]
fn json_is_changed_as_by_sops() {
    both("json", "json", 40, 120, generate::json::text);
}
