//! JSON files that are so large that they are worked on in pieces: everything is as with a small one.

use crate::builder::Test;

/// More than a mebibyte before and after it is encrypted, with all that the layout record is for.
fn large() -> String {
    let long = "so long that few of them are enough ".repeat(60);
    let sections = (0..25).map(|section| {
        let value = |n| format!("[\"value {n} of {section}\", {n}.50, 1E3, true, null, \"\\u00e4\", \"{long}\"]");
        let members: Vec<_> = (0..20).map(|n| format!("\n    \"key{n}\" : {}", value(n))).collect();
        format!("\n  \"section{section}\": {{{}\n  }}", members.join(","))
    });
    let sections: Vec<_> = sections.collect();
    format!("{{{},\n  \"note\": \"the last \\\"one\\\"\", \"clear_unencrypted\": [1.0]\n}}\n", sections.join(","))
}

fn test() -> Test {
    let plain = large();
    assert!(plain.len() > 1 << 20);
    Test::new().identity().rules("creation_rules:\n  - age: '{age}'\n").file("plain.json", plain)
}

#[test]
fn it_comes_back_and_sops_reads_the_same() {
    let test = test();
    let output =
        test.run("encrypt --verbose plain.json").code(0).stderr_has("in pieces").stderr_has("wrapped the data key");
    let test = test.file("a.json", output.stdout);
    test.run("decrypt --verbose a.json").code(0).stderr_has("in pieces").stdout(large());
    let of_sops = test.sops("encrypt plain.json").code(0).stdout;
    let test = test.file("sops.json", of_sops);
    let printed = test.sops("decrypt sops.json").code(0).stdout;
    assert!(test.run("decrypt sops.json").code(0).stdout == printed);
    assert!(test.sops("decrypt a.json").code(0).stdout == printed);
    for file in ["a.json", "sops.json"] {
        for (path, in_pieces) in [
            ("[\"note\"]", true),
            ("[\"section7\"][\"key3\"][0]", false),
            ("[\"section7\"][\"key3\"]", false),
            ("[\"section24\"][\"key19\"][1]", false),
            ("[\"clear_unencrypted\"]", false),
        ] {
            let line = format!("decrypt --verbose --extract '{path}' {file}");
            let wanted = test.sops(&line.replace("--verbose ", "")).code(0).stdout;
            let output = test.run(&line).code(0);
            assert!(output.stdout == wanted && output.stderr.contains("in pieces") == in_pieces, "{line}: {output:?}");
        }
        let missing = test.run(&format!("decrypt --extract '[\"section7\"][\"key40\"]' {file}")).fails();
        missing.stderr_has("has no key \"key40\"");
    }
}

/// What is said of `b.json`, as it is said of the standard input.
fn by_stdin(said: &str) -> String {
    said.replace("--> b.json", "--> standard input").replace(" b.json\n", " FILE\n")
}

#[test]
fn what_is_wrong_with_it_is_said_as_of_a_small_one() {
    let test = test();
    test.run("encrypt --output a.json plain.json").code(0);
    let sealed = test.read("a.json");
    let whole = |text: String| test.run_with("decrypt --input-type json --output-type json -", text).fails();
    for damaged in [
        sealed.replacen("\"key7\"", "\"key_\"", 1),
        sealed.replacen("ENC[AES256_GCM,data:", "ENC[AES256_GCM,data:A", 1),
        sealed.replacen("1.0]", "1.5]", 1),
        sealed[..sealed.len() - 3].to_owned(),
        sealed.replacen("\"section3\"", "\"section2\"", 1),
        sealed.replacen("\"mac\"", "\"mac_\"", 1),
    ] {
        assert_ne!(damaged, sealed);
        std::fs::write(test.path("b.json"), &damaged).unwrap();
        let said = test.run("decrypt b.json").fails();
        let wanted = whole(damaged);
        assert_eq!((said.code, by_stdin(&said.stderr)), (wanted.code, wanted.stderr));
        assert_eq!(test.run("decrypt --extract '[\"note\"]' b.json").fails().code, said.code);
    }
    for broken in [
        large().replacen("\"section3\"", "\"section2\"", 1),
        large().replacen("\"note\"", "\"sops\"", 1),
        large().replacen("[\"value", "[\"value\t", 1),
        large().replacen("true,", "true", 1),
        large().replacen("1E3", "1E999", 1),
    ] {
        std::fs::write(test.path("b.json"), &broken).unwrap();
        let said = test.run("encrypt -i b.json").fails();
        let wanted = test.run_with("encrypt --filename-override b.json -", &broken).fails();
        assert_eq!((said.code, by_stdin(&said.stderr)), (wanted.code, wanted.stderr));
        assert!(test.read("b.json") == broken);
    }
}
