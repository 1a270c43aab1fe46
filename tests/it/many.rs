//! Several files with `-i`: git users type globs.

use crate::builder::Test;
use crate::team::Team;

const RULES: &str = "creation_rules:\n  - age: {age}\n";

#[test]
fn several_files_are_changed_in_place() {
    let mut test = Test::new().identity().rules(RULES);
    let names: Vec<String> = (0..20).map(|at| format!("dir {}/f{at}.yaml", at % 3)).collect();
    for (at, name) in names.iter().enumerate() {
        test = test.file(name, format!("# {at}\na: {at}\n"));
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let quoted = quoted.join(" ");
    let all =
        |check: &dyn Fn(usize, String) -> bool| names.iter().enumerate().all(|(at, name)| check(at, test.read(name)));
    for line in ["encrypt -i", "rotate -i", "-r -i"] {
        test.run(&format!("{line} {quoted}")).code(0).stdout("").stderr_lacks("warning").stderr_lacks("\u{1b}");
        assert!(all(&|_, text| text.contains("a: ENC[")), "{line}");
    }
    for name in &names {
        test.sops(&format!("decrypt '{name}'")).code(0);
    }
    test.run(&format!("-d -i {quoted}")).code(0).stdout("");
    assert!(all(&|at, text| text == format!("# {at}\na: {at}\n")));
}

#[test]
fn one_that_fails_does_not_stop_the_others_but_is_told() {
    let test = Test::new().identity().rules(RULES);
    let test =
        test.file("a.yaml", "a: 1\n").file("bad.yaml", "a: [\n").file("b.json", "{\"b\": 2}").file("c.yaml", "c: 3\n");
    let output = test.run("encrypt -i a.yaml bad.yaml missing.yaml b.json").code(1).stdout("");
    // In the order in which they were named.
    let place = |piece: &str| output.stderr.find(piece).unwrap_or_else(|| panic!("{piece} in\n{output:?}"));
    assert!(place("--> bad.yaml") < place("there is no file missing.yaml"));
    assert!(place("missing.yaml") < place("error: 2 of 4 files failed"));
    assert!(test.read("a.yaml").contains("ENC[") && test.read("b.json").contains("ENC["));
    assert_eq!(test.read("bad.yaml"), "a: [\n");
    // What is encrypted already stays as it is.
    let before = test.read("a.yaml");
    test.run("encrypt -i a.yaml c.yaml").code(1).stderr_has("the file is encrypted already").stderr_has("1 of 2 files");
    assert_eq!(test.read("a.yaml"), before);
    assert!(test.read("c.yaml").contains("ENC["));
    // A failure of one file alone has its own exit code, as ever.
    test.run("encrypt -i a.yaml").fails().code(203);
    test.run("decrypt -i a.yaml missing.yaml c.yaml").code(1);
    assert_eq!((test.read("a.yaml").as_str(), test.read("c.yaml").as_str()), ("a: 1\n", "c: 3\n"));
}

/// Links and repeated names lead to one file, which is changed once.
#[test]
fn a_file_is_changed_once_whatever_it_is_called() {
    let test = Test::new().identity().rules(RULES).file("a.yaml", "a: 1\n").file("b.yaml", "b: 1\n");
    std::os::unix::fs::symlink("a.yaml", test.path("link.yaml")).unwrap();
    test.run("encrypt -i a.yaml ./a.yaml link.yaml b.yaml a.yaml").code(0);
    test.run("decrypt -i link.yaml b.yaml a.yaml").code(0);
    assert_eq!(test.read("a.yaml"), "a: 1\n");
    assert!(test.path("link.yaml").is_symlink());
}

#[test]
fn a_warning_about_the_rules_is_told_once() {
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n    encrypted_regx: a\n");
    let test = test.file("a.yaml", "a: 1\n").file("b.yaml", "a: 1\n").file("c.yaml", "a: 1\n");
    let output = test.run("encrypt -i a.yaml b.yaml c.yaml").code(0);
    assert_eq!(output.stderr.matches("did you mean encrypted_regex?").count(), 2, "{output:?}");
    output.stderr_has("a.yaml: ").stderr_has("2 more files: ");
}

/// Without `-i` sops takes the first of several files, and says so.
#[test]
fn without_in_place_the_first_file_alone_is_taken() {
    let test = Test::new().identity().rules(RULES).file("a.yaml", "a: 1\n").file("b.yaml", "b: 1\n");
    for line in ["encrypt a.yaml b.yaml", "encrypt a.yaml missing.yaml"] {
        test.run(line).code(0).stdout_has("a: ENC[").stdout_lacks("b: ").stderr_has("the first alone is taken");
        test.sops(line).code(0).stdout_has("a: ENC[").stdout_lacks("b: ");
    }
    test.run("encrypt --output e.yaml a.yaml b.yaml").code(0).stdout("");
    test.run("decrypt e.yaml a.yaml").code(0).stdout("a: 1\n");
    test.run("encrypt -i --filename-override x.yaml a.yaml b.yaml").fails().code(8);
    test.run("encrypt -i a.yaml -").fails().code(8).stderr_has("the standard input cannot be replaced");
    assert_eq!((test.read("a.yaml").as_str(), test.read("b.yaml").as_str()), ("a: 1\n", "b: 1\n"));
}

#[test]
fn a_folder_stands_for_its_encrypted_files_when_they_are_rotated() {
    let team = Team::of(2)
        .encrypted("--age {0},{1}", "s/a.yaml", "a: 1\n")
        .encrypted("--age {0},{1}", "s/deep/b.json", "{\"b\": 1}")
        .file("s/plain.yaml", "a: 1\n")
        .file("s/readme.txt", "text\n");
    team.run("rotate -i --rm-age {1} s").code(0).stdout("").stderr_lacks("plain");
    assert_eq!((team.who_opens("s/a.yaml"), team.who_opens("s/deep/b.json")), (vec![0], vec![0]));
    assert_eq!(team.read("s/plain.yaml"), "a: 1\n");
    for line in ["rotate s", "encrypt -i s", "decrypt -i s"] {
        team.run(line).fails();
    }
}

#[test]
fn the_status_of_a_file_is_told_as_in_sops() {
    let test = Test::new().identity().rules(RULES).file("plain.yaml", "a: 1\n").file("plain.json", "{}");
    let encrypted = test.run("encrypt plain.yaml").code(0).text();
    let no_mac = encrypted.replace("mac:", "mad:");
    let no_key = encrypted.replace("age:", "agf:");
    let test = test.file("e.yaml", &encrypted).file("no_mac.yaml", no_mac).file("no_key.yaml", no_key);
    let test = test
        .file("bad.yaml", "a: [\n")
        .file("odd.yaml", "sops: x\n")
        .file("odd2.yaml", "sops: {a: b}\n")
        .file("empty.yaml", "");
    let test = test.file("e.txt", encrypted).file("text.json", "text");
    let mut wrong = Vec::new();
    for line in [
        "filestatus e.yaml",
        "filestatus plain.yaml",
        "filestatus plain.json",
        "filestatus empty.yaml",
        "filestatus no_mac.yaml",
        "filestatus no_key.yaml",
        "filestatus bad.yaml",
        "filestatus odd.yaml",
        "filestatus odd2.yaml",
        "filestatus text.json",
        "filestatus missing.yaml",
        "filestatus .",
        "filestatus",
        "filestatus e.yaml plain.yaml",
        "filestatus --input-type json e.yaml",
        "filestatus --input-type yaml e.txt",
    ] {
        let (theirs, ours) = (test.sops(line), test.run(line));
        if (theirs.code, &theirs.stdout) != (ours.code, &ours.stdout) {
            wrong.push(format!("sops: {theirs:?}\nleafcrypt: {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
