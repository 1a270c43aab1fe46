//! The program's commands as a user of sops types them.

use crate::builder::Test;

const RULES: &str = "creation_rules:\n  - age: {age}\n";

fn test() -> Test {
    Test::new().identity().rules(RULES).file("a.yaml", "# c\nuser: admin\nratio: 1.10\n")
}

#[test]
fn encrypt_and_decrypt_print_to_standard_output() {
    let test = test();
    let encrypted = test.run("encrypt a.yaml").code(0).stdout_has("user: ENC[AES256_GCM").stdout_has("\nsops:\n");
    let encrypted = encrypted.stdout_lacks("admin").text();
    assert_eq!(test.read("a.yaml"), "# c\nuser: admin\nratio: 1.10\n");
    let test = test.file("e.yaml", &encrypted);
    test.run("decrypt e.yaml").code(0).stdout("# c\nuser: admin\nratio: 1.10\n").stderr_lacks("error");
    test.sops("decrypt e.yaml").code(0).stdout("# c\nuser: admin\nratio: 1.1\n");
}

#[test]
fn the_old_flag_form_still_works() {
    let test = test();
    for line in ["-e a.yaml", "--encrypt a.yaml"] {
        test.run(line).code(0).stdout_has("ENC[");
    }
    test.run("-e -i a.yaml").code(0).stdout("");
    test.run("-d a.yaml").code(0).stdout("# c\nuser: admin\nratio: 1.10\n");
    test.run("--decrypt --extract '[\"user\"]' a.yaml").code(0).stdout("admin");
    test.run("-d -i a.yaml").code(0).stdout("");
    assert_eq!(test.read("a.yaml"), "# c\nuser: admin\nratio: 1.10\n");
}

#[test]
fn what_was_nearly_right_is_named() {
    for (line, near) in [
        ("encryt a.yaml", "'encrypt', 'decrypt'"),
        ("decrpt a.yaml", "'decrypt', 'encrypt'"),
        ("updatekey a.yaml", "'updatekeys'"),
        ("exec-envs a.yaml true", "'exec-env', 'exec-file', 'exec-dir'"),
        ("decrypt --extrct x a.yaml", "'--extract'"),
        ("unset --idempotnt a.yaml x", "'--idempotent'"),
        ("decrypt --output-type yml a.yaml", "'yaml'"),
        ("groups ad", "'add'"),
    ] {
        test().run(line).code(1).stdout("").stderr_has("tip: ").stderr_has(near);
    }
}

#[test]
fn a_command_that_there_is_not_and_two_at_once_are_named() {
    test().run("help nope").code(1).stdout("").stderr_has("'nope'");
    test().run("help encryp").code(1).stdout("").stderr_has("'encrypt'");
    test().run("-d -e a.yaml").code(8).stdout("").stderr_has("error: cannot decrypt and encrypt at once");
}

/// An empty name of the rules is none: `SOPS_CONFIG=` in an environment stops nothing.
#[test]
fn an_empty_name_of_the_rules_says_nothing() {
    let test = test().rules("creation_rules:\n  - age: '{age}'\n");
    for line in
        ["encrypt -i a.yaml", "rotate a.yaml", "set a.yaml '[\"user\"]' 1", "updatekeys --yes a.yaml", "decrypt a.yaml"]
    {
        test.run_as(&[("SOPS_CONFIG", "")], line).code(0);
    }
    for line in
        ["--config '' updatekeys --yes a.yaml", "updatekeys --config '' --yes a.yaml", "rotate --config= a.yaml"]
    {
        test.run(line).code(0);
    }
    test.sops_as(&[("SOPS_CONFIG", "")], "updatekeys --yes a.yaml").code(0);
    test.sops("--config '' updatekeys --yes a.yaml").code(0);
    test.run_as(&[("SOPS_CONFIG", "missing.yaml")], "updatekeys --yes a.yaml").fails();
}

#[test]
fn standard_input_is_a_file_too() {
    let test = test();
    for name in ["-", "/dev/stdin", ""] {
        let line = format!("encrypt --input-type yaml --output-type yaml --filename-override x.yaml {name}");
        let encrypted = test.run_with(&line, "user: admin\n").code(0).stdout_has("ENC[").text();
        let line = format!("decrypt --input-type yaml --output-type yaml {name}");
        test.run_with(&line, encrypted).code(0).stdout("user: admin\n");
    }
}

/// Both programs on the same files and arguments: the same exit codes.
#[test]
fn failures_have_the_exit_codes_of_sops() {
    let mut wrong = Vec::new();
    for (line, files) in [
        ("decrypt missing.yaml", &[][..]),
        ("encrypt missing.yaml", &[]),
        ("decrypt a.yaml", &[]),
        ("encrypt bad.yaml", &[("bad.yaml", "a: [\n")]),
        ("encrypt bad.json", &[("bad.json", "{\"a\": }")]),
        ("encrypt a.yaml", &[(".sops.yaml", "creation_rules:\n  - path_regex: other\n")]),
        ("encrypt a.yaml", &[(".sops.yaml", "creation_rules: [\n")]),
        ("encrypt --encrypted-regex a --unencrypted-regex b a.yaml", &[]),
        ("decrypt --extract '[\"nothing\"]' e.yaml", &[("e.yaml", "")]),
        ("decrypt --extract 'x' e.yaml", &[("e.yaml", "")]),
    ] {
        let mut test = test();
        for &(name, content) in files {
            test = test.file(name, content);
        }
        if line.contains("e.yaml") && files.iter().any(|(name, _)| *name == "e.yaml") {
            let encrypted = test.sops("encrypt a.yaml").code(0).stdout;
            test = test.file("e.yaml", encrypted);
        }
        let (theirs, ours) = (test.sops(line), test.run(line));
        if theirs.code != ours.code {
            wrong.push(format!("{line} with {files:?}\nsops: {theirs:?}\nleafcrypt: {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A MAC that does not decrypt has the code of one that does not match.
#[test]
fn a_mac_that_does_not_decrypt_is_one_that_does_not_match() {
    let test = test();
    let encrypted = test.run("encrypt a.yaml").code(0).text().replace("lastmodified: \"2", "lastmodified: \"1");
    let test = test.file("e.yaml", encrypted);
    test.sops("decrypt e.yaml").code(51);
    test.run("decrypt e.yaml").fails().code(51);
}

/// Without an identity that opens the file: code 128, and the message says what was tried.
#[test]
fn a_file_for_someone_else_is_explained() {
    let encrypted = test().run("encrypt a.yaml").code(0).stdout;
    let stranger = Test::new().identity().file("e.yaml", &encrypted);
    stranger.run("decrypt e.yaml").fails().code(128).stderr_has("age1").stderr_has("keys.txt").stderr_has("hint");
    let add = format!("add you: leafcrypt rotate -i --add-age {} e.yaml", stranger.recipient());
    stranger.run("decrypt e.yaml").fails().stderr_has(&add);
    stranger.sops("decrypt e.yaml").code(128);
    let no_key = Test::new().file("e.yaml", &encrypted);
    no_key.run("decrypt e.yaml").fails().code(128);
}

/// No message shows a value of the document, whatever is wrong with it.
#[test]
fn messages_hold_no_values() {
    for (name, text) in [
        ("a.yaml", "password: hunter2\nbad: [hunter2\n"),
        ("a.yaml", "password: hunter2\npassword: hunter2\n"),
        ("a.yaml", "password: \"hunter2\n"),
        ("a.json", "{\"password\": \"hunter2\" \"x\"}"),
        ("a.json", "{\"password\": hunter2}"),
        ("a.json", "{\"password\": \"hunter2\", \"password\": \"hunter2\"}"),
    ] {
        Test::new()
            .identity()
            .rules(RULES)
            .file(name, text)
            .run(&format!("encrypt {name}"))
            .fails()
            .stderr_lacks("hunter2");
    }
}

#[test]
fn yaml_and_json_are_converted() {
    let test = test().file("b.yaml", "a: 1\nb: [x, true]\n");
    let encrypted = test.run("encrypt b.yaml").code(0).stdout;
    let test = test.file("b.yaml", encrypted);
    let expected = test.sops("decrypt --output-type json b.yaml").code(0).text();
    test.run("decrypt --output-type json b.yaml").code(0).stdout(expected);
}

/// The order in which kinds of keys are asked: the flag and the variable, with sops' exit codes.
#[test]
fn the_decryption_order_is_checked_as_in_sops() {
    let test = test();
    let encrypted = test.run("encrypt a.yaml").code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    for order in ["age", "pgp,age", "age,,pgp", " kms"] {
        let line = format!("decrypt --decryption-order '{order}' e.yaml");
        assert_eq!(test.run(&line).code(0).stderr_lacks("warning").code, test.sops(&line).code);
    }
    for line in ["decrypt --decryption-order age,pgp,age e.yaml", "-d --decryption-order age,age e.yaml"] {
        test.run(line).fails().code(112).stderr_has("age is in it more than once");
        test.sops(line).code(112);
    }
    test.run("decrypt --decryption-order gpg e.yaml").code(0).stderr_has("names gpg, which is none of");
    let test = test.env("SOPS_DECRYPTION_ORDER", "age,age");
    test.run("decrypt e.yaml").fails().code(112);
    test.run("decrypt --decryption-order age e.yaml").code(0);
}

/// sops: `Encrypted comment "ENC[…" matches unencrypted_comment_regex`.
#[test]
fn a_rule_on_comments_that_matches_tokens_is_named() {
    for rule in ["unencrypted_comment_regex: data", "unencrypted_comment_regex: '[,]iv'"] {
        let rules = format!("{RULES}    {rule}\n");
        let test = Test::new().identity().rules(&rules).file("a.yaml", "a: 1 # why\nb: 2\n");
        let output = test.run("encrypt -i a.yaml").fails();
        output.stderr_has("matches encrypted comments as well").stderr_has("hint: choose a pattern");
        assert_eq!(test.read("a.yaml"), "a: 1 # why\nb: 2\n");
    }
}

/// sops 3.11 reads such an integer as a float; what is encrypted it reads as it is.
#[test]
fn an_integer_that_old_versions_of_sops_round_is_pointed_out() {
    let test = Test::new().identity().file("a.json", "{\"id\": 9007199254740993, \"name\": \"x\"}\n");
    let test = test.file("b.json", "{\"id\": 9007199254740992, \"big\": 9223372036854775000, \"name\": \"x\"}\n");
    let clear = "encrypt --age {age} --encrypted-regex name";
    let encrypted = test.run(&format!("{clear} a.json")).code(0).stderr_has("warning: id: sops before 3.13.2").text();
    let test = test.file("e.json", encrypted);
    test.sops("decrypt e.json").fails_with("MAC mismatch");
    test.run("decrypt e.json").code(0).stdout("{\"id\": 9007199254740993, \"name\": \"x\"}\n");
    for line in
        [&format!("{clear} b.json"), &format!("{clear} --mac-only-encrypted a.json"), "encrypt --age {age} a.json"]
    {
        let encrypted = test.run(line).code(0).stderr_lacks("sops before").text();
        std::fs::write(test.path("f.json"), encrypted).unwrap();
        test.sops("decrypt f.json").code(0);
    }
}
