//! How far is indented what is written anew: `stores` of `.sops.yaml`, and `--indent`. The real sops is the judge.

use crate::builder::Test;
use std::path::Path;

const YAML: &str =
    "a:\n  b: c\n  text: |\n    one\n      two\nl:\n  - x: 1\n    z: [2, 3]\n  - - p\n    - q\nempty: {}\n";

fn team(indent: &str) -> Test {
    let test = Test::new().identity().file("a.yaml", YAML).file("data", "hello\n");
    let rules = format!(
        "creation_rules:\n  - age: {{age}}\nstores:\n  yaml: {{indent: {indent}}}\n  json: {{indent: {indent}}}\n  json_binary: {{indent: {indent}}}\n"
    );
    test.rules(&rules)
}

/// The white space that lines begin with, those of equal ones once: a stanza is not always as long.
fn margins(text: &str) -> Vec<&str> {
    let mut margins: Vec<&str> = text.lines().map(|line| &line[..line.len() - line.trim_ascii_start().len()]).collect();
    margins.dedup();
    margins
}

#[test]
fn a_conversion_is_indented_as_sops_indents_it() {
    for indent in ["-2", "-1", "0", "1", "2", "3", "7", "9", "10", "100"] {
        let test = team(indent);
        let elsewhere = Test::new().identity().file("a.yaml", YAML).file("data", "hello\n");
        elsewhere.run("encrypt --age {age} --output-type json --output enc.json a.yaml").code(0);
        elsewhere.run("encrypt --age {age} --output enc.yaml a.yaml").code(0);
        elsewhere.run("encrypt --age {age} --output enc.bin data").code(0);
        for file in ["enc.json", "enc.yaml", "enc.bin"] {
            std::fs::copy(elsewhere.path(file), test.path(file)).unwrap();
        }
        let keys = Path::new(".config/sops/age/keys.txt");
        std::fs::copy(elsewhere.home().join(keys), test.home().join(keys)).unwrap();
        for line in [
            "decrypt --output-type json enc.yaml",
            "decrypt --output-type yaml enc.json",
            "decrypt --output-type json --extract '[\"l\"]' enc.yaml",
            "decrypt --extract '[\"a\"]' enc.json",
            "decrypt --extract '[\"l\"]' enc.yaml",
            "exec-file --output-type json enc.yaml 'cat {}'",
        ] {
            if indent.starts_with('-')
                && line.ends_with("enc.yaml")
                && line.contains("--extract")
                && !line.contains("json")
            {
                // sops has one indentation for a part of YAML, and so does not see that this is none.
                test.run(line).code(4).stderr_has("cannot be indented");
                continue;
            }
            let (ours, theirs) = (test.run(line), test.sops(line));
            assert_eq!((ours.code, ours.text()), (theirs.code, theirs.text()), "indent {indent}: {line}");
            // Elsewhere there are no rules, and the flag says the same.
            let flag = line.replacen(' ', &format!(" --indent {indent} "), 1);
            elsewhere.run(&flag).code(theirs.code.unwrap()).stdout(theirs.stdout);
        }
    }
}

#[test]
fn what_is_encrypted_anew_is_indented_as_sops_indents_it() {
    for indent in ["-1", "0", "1", "2", "3"] {
        let test = team(indent).file("j", "{\"a\": {\"b\": [1, {\"c\": 2}]}}");
        for line in
            ["encrypt --output-type json a.yaml", "encrypt data", "encrypt --output-type yaml --input-type json j"]
        {
            let (ours, theirs) = (test.run(line), test.sops(line));
            assert_eq!(ours.code, theirs.code, "indent {indent}: {ours:?}");
            assert_eq!(margins(&ours.text()), margins(&theirs.text()), "indent {indent}: {line}");
        }
        // The text is kept, and only the block is new.
        let plain = test.run("encrypt a.yaml");
        if indent == "-1" {
            plain.code(4).stdout("").stderr_has("YAML cannot be indented by -1").stderr_has("stores");
            continue;
        }
        let (ours, theirs) = (plain.text(), test.sops("encrypt a.yaml").code(0).text());
        let block = |text: &str| text[text.find("\nsops:").unwrap()..].to_owned();
        assert_eq!(margins(&block(&ours)), margins(&block(&theirs)), "indent {indent}");
        std::fs::write(test.path("e.yaml"), ours).unwrap();
        test.run("decrypt e.yaml").code(0).stdout(YAML);
    }
}

#[test]
fn a_block_that_is_written_again_stays_where_it_is() {
    for indent in ["0", "2", "3"] {
        let test = team(indent).env("EDITOR", "sed -i -e s/hello/there/ -e s/c$/d/");
        std::fs::write(test.path("a.yaml"), "a:\n  b: c\nl:\n  - x: 1\n    z: [2, 3]\n").unwrap();
        std::fs::write(test.path("b.json"), "{\"greeting\": \"hello\"}").unwrap();
        for file in ["a.yaml", "data", "b.json"] {
            let before = test.sops(&format!("encrypt {file}")).code(0).text();
            std::fs::write(test.path(file), &before).unwrap();
            test.run(&format!("edit {file}")).code(0);
            let after = test.read(file);
            assert_eq!(margins(&after), margins(&before));
            assert_eq!(after.lines().count(), before.lines().count());
            let changed: Vec<&str> =
                after.lines().zip(before.lines()).filter(|(new, old)| new != old).map(|(new, _)| new).collect();
            let expected = ["ENC[", "lastmodified", "mac"];
            assert!(changed.len() <= 3 && changed.iter().all(|line| expected.iter().any(|word| line.contains(word))));
            // Nor do other recipients move it.
            test.run(&format!("groups add -i -f {file} --age {{age}}")).code(0);
            let first = |text: &str| {
                let mut block =
                    text.lines().skip_while(|line| !line.trim_start().trim_start_matches('"').starts_with("sops"));
                margins(block.nth(1).unwrap())[0].to_owned()
            };
            assert_eq!(first(&test.read(file)), first(&before));
        }
    }
}

#[test]
fn a_new_file_is_indented_so() {
    let test = team("2").env("EDITOR", "sed -i s/Welcome/Hello/");
    test.run("edit new.yaml").code(0);
    let text = test.read("new.yaml");
    assert!(text.contains("\nexample_array:\n  - ENC[") && text.contains("\nsops:\n  age:\n    - recipient"), "{text}");
    assert!(test.sops("decrypt new.yaml").code(0).text().contains("Hello to leafcrypt"));
    test.run("edit --indent 3 new.json").code(0);
    assert!(test.read("new.json").contains("\n   \"example_array\": [\n      \"ENC["), "{}", test.read("new.json"));
}

#[test]
fn rules_that_are_wrong_are_no_obstacle_to_a_decryption() {
    let test = team("2");
    test.run("encrypt --output enc.yaml a.yaml").code(0);
    std::fs::write(test.path(".sops.yaml"), "stores: [").unwrap();
    let decrypted = test.run("decrypt --output-type json enc.yaml").code(0).stderr_has("indentation is not known");
    assert!(decrypted.text().starts_with("{\n\t\"a\": {\n\t\t\"b\""));
    test.run("decrypt --config .sops.yaml --output-type json enc.yaml").code(1).stdout("");
    test.run("decrypt --indent x enc.yaml").code(1).stdout("");
}
