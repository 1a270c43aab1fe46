//! Every command with a file of every format, of files that either program encrypted: what leafcrypt does to one, the
//! real sops reads, and what both print of it is the same.

use crate::builder::{Output, Test};
use std::os::unix::fs::PermissionsExt as _;

struct Case {
    name: &'static str,
    plain: &'static str,
    /// A value that is a text, and another that may go.
    text: &'static str,
    other: Option<&'static str>,
}

/// As sops prints them, so that its own are equal as well.
const CASES: [Case; 5] = [
    Case {
        name: "a.yaml",
        plain: "user: admin\nport: \"5432\"\nlist:\n    - one\n    - two\n",
        text: "[\"user\"]",
        other: Some("[\"list\"][0]"),
    },
    Case {
        name: "a.json",
        plain: "{\n\t\"user\": \"admin\",\n\t\"map\": {\n\t\t\"port\": \"5432\"\n\t}\n}\n",
        text: "[\"user\"]",
        other: Some("[\"map\"][\"port\"]"),
    },
    Case { name: "a.env", plain: "user=admin\nport=5432\n", text: "[\"user\"]", other: Some("[\"port\"]") },
    Case {
        name: "a.ini",
        plain: "[db]\nuser = admin\nport = 5432\n",
        text: "[\"db\"][\"user\"]",
        other: Some("[\"db\"][\"port\"]"),
    },
    Case { name: "a.bin", plain: "user admin\n", text: "[\"data\"]", other: None },
];

/// The case, encrypted by one of the programs.
fn each(check: impl Fn(&Case, &Test)) {
    for case in &CASES {
        for by_sops in [false, true] {
            let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file(case.name, case.plain);
            let line = format!("encrypt -i {}", case.name);
            match by_sops {
                true => test.sops(&line).code(0),
                false => test.run(&line).code(0),
            };
            assert!(!test.read(case.name).contains("admin"), "{}", case.name);
            eprintln!("{}, encrypted by {}", case.name, if by_sops { "sops" } else { "leafcrypt" });
            check(case, &test);
        }
    }
}

/// Both programs end in the same way with the same output, which is given.
#[track_caller]
fn both(test: &Test, line: &str) -> Output {
    let (ours, theirs) = (test.run(line), test.sops(line));
    assert_eq!(ours.code, theirs.code, "{ours:?}\n{theirs:?}");
    assert_eq!(ours.text(), theirs.text(), "{ours:?}\n{theirs:?}");
    ours
}

#[test]
fn it_is_printed() {
    each(|case, test| {
        let Case { name, plain, text, .. } = case;
        test.run(&format!("decrypt {name}")).code(0).stdout(plain);
        both(test, &format!("decrypt {name}")).code(0);
        both(test, &format!("decrypt --extract '{text}' {name}")).code(0);
        both(test, &format!("filestatus {name}")).code(0);
        both(test, &format!("exec-file {name} 'cat {{}}'")).code(0).stdout(plain);
        // As sops knows it by its type alone.
        let kind = name.rsplit('.').next().unwrap().replace("env", "dotenv").replace("bin", "binary");
        let moved = test.read(name);
        std::fs::write(test.path("moved"), moved).unwrap();
        both(test, &format!("decrypt --input-type {kind} --output-type {kind} moved")).code(0).stdout(plain);
    });
}

#[test]
fn it_is_printed_as_another_type() {
    each(|case, test| {
        for kind in ["yaml", "json"] {
            both(test, &format!("decrypt --output-type {kind} {}", case.name)).code(0);
        }
    });
}

#[test]
fn its_values_are_set_and_removed() {
    each(|case, test| {
        let Case { name, text, other, .. } = case;
        test.run(&format!("set {name} '{text}' '\"new value\"'")).code(0);
        both(test, &format!("decrypt --extract '{text}' {name}")).code(0).stdout("new value");
        if let Some(other) = other {
            test.run(&format!("unset {name} '{other}'")).code(0);
            let rest = both(test, &format!("decrypt {name}")).code(0).text();
            assert!(rest.contains("new value"), "{rest}");
        }
        // sops goes on from there.
        test.sops(&format!("set {name} '{text}' '\"newer\"'")).code(0);
        both(test, &format!("decrypt --extract '{text}' {name}")).code(0).stdout("newer");
    });
}

#[test]
fn it_is_edited() {
    each(|case, test| {
        let Case { name, plain, .. } = case;
        std::fs::write(test.path("editor"), "#!/bin/sh\nsed -i s/admin/root/ \"$1\"\n").unwrap();
        std::fs::set_permissions(test.path("editor"), std::fs::Permissions::from_mode(0o755)).unwrap();
        test.run_as(&[("EDITOR", "./editor")], &format!("edit {name}")).code(0);
        both(test, &format!("decrypt {name}")).code(0).stdout(plain.replace("admin", "root"));
    });
}

#[test]
fn it_has_a_new_data_key() {
    each(|case, test| {
        let Case { name, plain, .. } = case;
        let before = test.read(name);
        test.run(&format!("rotate -i {name}")).code(0);
        let after = test.read(name);
        assert_ne!(before, after, "{name}");
        both(test, &format!("decrypt {name}")).code(0).stdout(plain);
        // No line that has a token is as it was.
        let kept: Vec<_> = after.lines().filter(|line| line.contains("ENC[") && before.contains(*line)).collect();
        assert!(kept.is_empty(), "{name}: {kept:?}");
    });
}

#[test]
fn its_values_are_in_the_environment_of_a_program() {
    each(|case, test| {
        let line = format!("exec-env {} 'env | grep -E \"^(user|port|db|map|list|data)=\" | sort'", case.name);
        let (ours, theirs) = (test.run(&line), test.sops(&line));
        assert_eq!(ours.text(), theirs.text(), "{ours:?}\n{theirs:?}");
    });
}

/// As `sops encrypt creds.json > creds` makes one. sops does not print it, but changes it; as do all commands here.
#[test]
fn json_is_known_without_a_name() {
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n");
    let plain = "{\n\t\"user\": \"admin\",\n\t\"map\": {}\n}\n";
    let test = test.file("a.json", plain);
    for by_sops in [false, true] {
        let encrypted = if by_sops { test.sops("encrypt a.json") } else { test.run("encrypt a.json") }.code(0).stdout;
        std::fs::write(test.path("creds"), encrypted).unwrap();
        test.run("decrypt creds").code(0).stdout(plain);
        test.sops("decrypt creds").fails_with("no binary data");
        both(&test, "filestatus creds").code(0).stdout_has("true");
        for line in ["rotate -i creds", "set creds '[\"user\"]' '\"root\"'"] {
            test.run(line).code(0);
            test.sops(line).code(0);
        }
        both(&test, "decrypt --extract '[\"user\"]' creds").code(0).stdout("root");
        test.run("decrypt --output-type yaml creds").code(0).stdout("user: root\nmap: {}\n");
    }
    // What holds data alone is what was encrypted as a whole, whatever the order.
    let test = test.file("all", "text\n");
    let encrypted = test.run("encrypt all").code(0).text();
    let (data, block) = encrypted.split_once(",\n").unwrap();
    let (data, block) = (data.strip_prefix("{").unwrap(), block.strip_suffix("\n}\n").unwrap());
    let test = test.file("turned", format!("{{\n{block},{data}\n}}\n"));
    both(&test, "decrypt turned").code(0).stdout("text\n");
}
