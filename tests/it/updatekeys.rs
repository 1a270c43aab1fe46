//! `updatekeys`: the recipients of the rule, by a plan that is shown before, and nothing else of the file.

use crate::builder::Test;
use crate::team::Team;

const PLAIN: &str = "# c\nuser: 'admin'\nratio: 1.10\nlist: [a, b]\n";

/// The lines of `after` that are not in `before`, and those of `before` that are not in `after`.
fn changed(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let lines = |of: &str, but: &str| {
        let but: Vec<&str> = but.lines().collect();
        of.lines().filter(|line| !but.contains(line)).map(str::to_owned).collect()
    };
    (lines(after, before), lines(before, after))
}

#[test]
fn the_plan_is_shown_and_asked_about() {
    let team = Team::of(3).encrypted("--age {0},{1}", "a.yaml", PLAIN).rules("creation_rules:\n  - age: '{0},{2}'\n");
    let before = team.read("a.yaml");
    let plan = "\
The following changes will be made to a.yaml:
Group 1
    age {0}
+++ age {2}
--- age {1}
";
    for (answer, code, said) in [
        ("n\n", 0, "a.yaml is left as it is"),
        ("no\n", 0, "a.yaml is left as it is"),
        ("", 1, "nobody has said"),
        ("maybe\n", 1, "updatekeys --yes FILE"),
    ] {
        let output = team.run_with("updatekeys a.yaml", answer).code(code).stderr_has(said);
        assert_eq!(team.blank(&output.text()), plan);
        assert_eq!(team.read("a.yaml"), before, "{answer:?}");
        // sops knows no "no".
        let answer = answer.replace("no", "n");
        assert_eq!(team.test.sops_with("updatekeys a.yaml", &answer).code, Some(code), "{answer:?}");
        assert_eq!(team.read("a.yaml"), before, "{answer:?}");
    }
    let output = team.run_with("updatekeys a.yaml", "what\n\ny\n").code(0).stderr_has("a.yaml has its new recipients");
    assert_eq!(output.stderr.matches("Is this okay? (y/n):").count(), 3);
    output.stderr_has("leafcrypt rotate -i FILE");
    assert_eq!(team.who_opens("a.yaml"), [0, 2]);
    team.run("decrypt a.yaml").code(0).stdout(PLAIN);
}

/// Only what is wrapped for the new recipient is new: not even the time of the last change is another.
#[test]
fn no_other_line_changes() {
    for sops in [false, true] {
        let team = Team::of(4).rules("creation_rules:\n  - age: ['{3}', '{1}', '{0}']\n");
        let arguments = "--age {0},{1},{2}";
        let team = if sops {
            team.encrypted_by_sops(arguments, "a.yaml", PLAIN)
        } else {
            team.encrypted(arguments, "a.yaml", PLAIN)
        };
        let (before, plain) = (team.read("a.yaml"), team.run("decrypt a.yaml").text());
        team.run("updatekeys -y a.yaml").code(0);
        let after = team.read("a.yaml");
        let (added, removed) = changed(&before, &after);
        let wrapped = |line: &str| line.trim().len() <= 64 && !line.contains(':') || line.contains("recipient: ");
        assert!(added.iter().all(|line| wrapped(line)), "{added:#?}");
        assert!(removed.iter().all(|line| wrapped(line)), "{removed:#?}");
        assert!(added.iter().any(|line| line.contains("recipient: {3}")), "{after}");
        assert!(!added.iter().any(|line| line.contains("recipient: {0}")), "{after}");
        assert_eq!(team.who_opens("a.yaml"), [0, 1, 3]);
        team.run("decrypt a.yaml").code(0).stdout(&plain);
    }
}

/// Recipients come, go and are put into groups in files of every format.
#[test]
fn every_format_takes_new_recipients() {
    let files = [
        ("a.yaml", PLAIN),
        ("a.json", "{\"a\": 1}\n"),
        ("a.env", "A=1\n"),
        ("a.ini", "[s]\nA=1\n"),
        ("a.bin", "text\n"),
    ];
    for (name, plain) in files {
        for sops in [false, true] {
            let team = Team::of(4);
            let team = match sops {
                true => team.encrypted_by_sops("--age {0}", name, plain),
                false => team.encrypted("--age {0}", name, plain),
            };
            let plaintext = team.run(&format!("decrypt {name}")).code(0).text();
            let team = team.rules("creation_rules:\n  - age: '{0},{1}'\n");
            team.run(&format!("updatekeys -y {name}")).code(0);
            assert_eq!(team.who_opens(name), [0, 1], "{name}");
            let team = team.rules("creation_rules:\n  - age: '{2}'\n");
            team.run(&format!("updatekeys -y {name}")).code(0);
            assert_eq!(team.who_opens(name), [2], "{name}");
            team.run(&format!("groups add -i -f {name} --age {{3}} --shamir-secret-sharing-threshold 2")).code(0);
            assert!(team.opens(name, &[2, 3]) && team.who_opens(name).is_empty(), "{name}");
            team.run(&format!("groups delete -i -f {name} --shamir-secret-sharing-threshold 1 0")).code(0);
            assert_eq!(team.who_opens(name), [3], "{name}");
            team.run(&format!("decrypt {name}")).code(0).stdout(plaintext);
        }
    }
}

#[test]
fn nothing_is_written_when_the_file_is_in_step() {
    let team = Team::of(2).encrypted("--age {0},{1}", "a.yaml", PLAIN).rules("creation_rules:\n  - age: '{1},{0}'\n");
    let facts = || {
        use std::os::unix::fs::MetadataExt;
        let facts = std::fs::metadata(team.test.path("a.yaml")).unwrap();
        (facts.ino(), facts.mtime_nsec(), team.read("a.yaml"))
    };
    let before = facts();
    team.run("updatekeys a.yaml").code(0).stdout("").stderr_has("already has the recipients of its rule");
    // Not even a key is looked for.
    let stranger = [("SOPS_AGE_KEY", "")];
    team.test.run_as(&stranger, "updatekeys a.yaml").code(0);
    team.sops("updatekeys a.yaml").code(0);
    assert_eq!(facts(), before);
}

#[test]
fn key_groups_become_those_of_the_rule() {
    let three = "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n      - age: ['{0}']\n      - merge:\n          - age: ['{1}']\n          - age: ['{2}', '{1}']\n      - age: ['{3}']\n";
    let one = "creation_rules:\n  - age: '{3}'\n";
    for sops in [false, true] {
        let team = Team::of(4);
        let team = if sops {
            team.encrypted_by_sops("--age {0}", "a.yaml", PLAIN)
        } else {
            team.encrypted("--age {0}", "a.yaml", PLAIN)
        };
        let plain = team.run("decrypt a.yaml").text();
        let team = team.rules(three);
        let output = team.run("updatekeys -y a.yaml").code(0);
        let plan = "\
The following changes will be made to a.yaml:
+++ shamir_threshold: 2
Group 1
    age {0}
Group 2
+++ age {1}
+++ age {2}
Group 3
+++ age {3}
";
        assert_eq!(team.blank(&output.text()), plan);
        let opens = |members: &[usize]| team.opens("a.yaml", members);
        assert_eq!(
            [opens(&[0, 1]), opens(&[2, 3]), opens(&[0, 3]), opens(&[1, 2]), opens(&[0])],
            [true, true, true, false, false]
        );
        // sops agrees that nothing is left to do.
        team.sops("updatekeys a.yaml").code(0).stderr_has("already up to date");
        let team = team.rules(one);
        team.run("updatekeys -y a.yaml").code(0).stdout_has("--- shamir_threshold: 2\n");
        assert_eq!(team.who_opens("a.yaml"), [3]);
        assert!(!team.read("a.yaml").contains("key_groups"), "{}", team.read("a.yaml"));
        team.run("decrypt a.yaml").code(0).stdout(plain);
    }
}

#[test]
fn the_threshold_is_that_of_the_flag_then_of_the_rule_then_of_the_file() {
    let rules = |threshold: &str| {
        format!(
            "creation_rules:\n  - {threshold}\n    key_groups:\n      - age: ['{{0}}']\n      - age: ['{{1}}']\n      - age: ['{{2}}']\n"
        )
    };
    let team = Team::of(3).rules(&rules("shamir_threshold: 2")).encrypted("", "a.yaml", PLAIN);
    let threshold = |team: &Team| {
        let text = team.read("a.yaml");
        text.lines().find_map(|line| line.trim().strip_prefix("shamir_threshold: ")).unwrap().to_owned()
    };
    assert_eq!(threshold(&team), "2");
    let team = team.rules(&rules("age: ''"));
    team.run("updatekeys -y a.yaml").code(0).stderr_has("already has");
    let team = team.rules(&rules("shamir_threshold: 3"));
    let plan = "+++ shamir_threshold: 3\n--- shamir_threshold: 2\nGroup 1\n";
    team.run("updatekeys -y a.yaml").code(0).stdout_has(plan);
    assert_eq!(threshold(&team), "3");
    team.sops("decrypt a.yaml").code(0);
    team.run("updatekeys -y --shamir-secret-sharing-threshold 2 a.yaml").code(0);
    assert_eq!(threshold(&team), "2");
    team.sops("decrypt a.yaml").code(0);
    let before = team.read("a.yaml");
    for (threshold, said) in [("1", "must be at least 2"), ("4", "there are only 3")] {
        let team = &team;
        let line = format!("updatekeys -y --shamir-secret-sharing-threshold {threshold} a.yaml");
        team.run(&line).fails().code(1).stderr_has(said).stderr_has(".sops.yaml");
    }
    assert_eq!(team.read("a.yaml"), before);
}

#[test]
fn a_rule_that_selects_otherwise_is_pointed_out() {
    let team = Team::of(1).encrypted("--age {0}", "a.yaml", PLAIN);
    for (rule, said) in [
        ("encrypted_regex: ^user$", Some("and its rule says encrypted_regex \"^user$\"")),
        ("mac_only_encrypted: true", Some("the file has mac_only_encrypted false")),
        ("unencrypted_suffix: _unencrypted", None),
    ] {
        team.write(".sops.yaml", &format!("creation_rules:\n  - age: '{{0}}'\n    {rule}\n"));
        let output = team.run("updatekeys a.yaml").code(0);
        match said {
            Some(said) => output.stderr_has("warning: a.yaml: ").stderr_has(said),
            None => output.stderr_lacks("warning"),
        };
    }
}

#[test]
fn one_of_many_files_that_fails_does_not_stop_the_others() {
    let team = Team::of(2)
        .encrypted("--age {0}", "a.yaml", PLAIN)
        .encrypted("--age {0}", "sub/b.json", "{\"a\": 1}")
        .encrypted("--age {0},{1}", "sub/c.yaml", PLAIN)
        .file("plain.yaml", "a: 1\n")
        .file("sub/.git/d.yaml", "sops: {mac: 'ENC[AES256_GCM,]'}\n")
        .rules("creation_rules:\n  - age: '{0},{1}'\n");
    let line = "updatekeys -y a.yaml missing.yaml plain.yaml sub/b.json sub/c.yaml a.yaml ./a.yaml";
    let output = team.run(line).code(1);
    assert_eq!(output.text().matches("The following changes").count(), 1, "files with the same plan are told together");
    output
        .stdout_has("these 2 files:\n  a.yaml\n  sub/b.json\nGroup 1\n")
        .stderr_has("error: there is no file missing.yaml")
        .stderr_has("--> plain.yaml")
        .stderr_has("sub/c.yaml already has the recipients of its rule")
        .stderr_has("2 of 5 files failed");
    assert_eq!((team.who_opens("a.yaml"), team.who_opens("sub/b.json")), (vec![0, 1], vec![0, 1]));

    // A folder stands for the encrypted files in it, and no others.
    team.write(".sops.yaml", "creation_rules:\n  - age: '{1}'\n");
    team.run("updatekeys -y .").code(0).stdout_has("these 3 files:\n").stderr_lacks("plain.yaml").stderr_lacks("error");
    assert_eq!((team.who_opens("sub/c.yaml"), team.who_opens("sub/b.json")), (vec![1], vec![1]));
    std::fs::create_dir(team.test.path("empty")).unwrap();
    team.run("updatekeys -y empty").fails().code(1).stderr_has("no encrypted file in this folder");
}

/// Each plan is asked about once, whatever is answered to the others.
#[test]
fn each_plan_is_asked_about_for_itself() {
    let team = Team::of(3)
        .encrypted("--age {0}", "a.yaml", PLAIN)
        .encrypted("--age {0},{1}", "b.yaml", PLAIN)
        .rules("creation_rules:\n  - age: '{0},{2}'\n");
    team.run_with("updatekeys a.yaml b.yaml", "n\ny\n").code(0);
    assert_eq!((team.who_opens("a.yaml"), team.who_opens("b.yaml")), (vec![0], vec![0, 2]));
}

#[test]
fn failures_have_the_exit_codes_of_sops_and_change_nothing() {
    let team =
        Team::of(2).encrypted("--age {0}", "a.yaml", PLAIN).file("plain.yaml", "a: 1\n").file("bad.yaml", "a: [\n");
    let before = team.read("a.yaml");
    let rule = "creation_rules:\n  - age: '{0},{1}'\n";
    let mut wrong = Vec::new();
    for (rules, line) in [
        (rule, "updatekeys"),
        (rule, "updatekeys -y missing.yaml"),
        (rule, "updatekeys -y plain.yaml"),
        (rule, "updatekeys -y bad.yaml"),
        (rule, "updatekeys -y --input-type json a.yaml"),
        (rule, "updatekeys -y --nonsense a.yaml"),
        (rule, "updatekeys -y plain.yaml missing.yaml"),
        ("creation_rules:\n  - path_regex: other\n    age: '{1}'\n", "updatekeys -y a.yaml"),
        ("creation_rules: [\n", "updatekeys -y a.yaml"),
        ("creation_rules:\n  - age: nonsense\n", "updatekeys -y a.yaml"),
        ("creation_rules:\n  - encrypted_regex: a\n", "updatekeys -y a.yaml"),
        ("stores: {}\n", "updatekeys -y a.yaml"),
        (rule, "updatekeys -y --config missing.yaml a.yaml"),
    ] {
        team.write(".sops.yaml", rules);
        // Of sops the flag --config stands before the subcommand.
        let theirs = line
            .strip_prefix("updatekeys -y --config missing.yaml")
            .map(|rest| format!("--config missing.yaml updatekeys -y{rest}"));
        let (theirs, ours) = (team.sops(theirs.as_deref().unwrap_or(line)), team.run(line));
        if theirs.code != ours.code || !ours.stdout.is_empty() || !ours.stderr.contains("error") {
            wrong.push(format!("{rules}sops: {theirs:?}\nleafcrypt: {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    std::fs::remove_file(team.test.path(".sops.yaml")).unwrap();
    team.sops("updatekeys -y a.yaml").code(1);
    team.run("updatekeys -y a.yaml").fails().code(1).stderr_has("no .sops.yaml").stderr_has("leafcrypt init");
    assert_eq!(team.read("a.yaml"), before);
    let stranger =
        Test::new().identity().rules("creation_rules:\n  - age: '{age}'\n").file("a.yaml", team.test.read("a.yaml"));
    stranger.sops("updatekeys -y a.yaml").code(128);
    stranger.run("updatekeys -y a.yaml").code(128).stderr_has("no key on this machine opens the file");
    assert_eq!(stranger.read("a.yaml"), team.test.read("a.yaml"));
}

/// The variable that names recipients for new files is none of its business.
#[test]
fn the_recipients_of_the_environment_are_not_looked_at() {
    let team = Team::of(2).encrypted("--age {0}", "a.yaml", PLAIN).rules("creation_rules:\n  - age: '{0}'\n");
    let other = [("SOPS_AGE_RECIPIENTS", team.members[1].public.as_str())];
    team.test.run_as(&other, "updatekeys -y a.yaml").code(0).stdout("");
    team.test.sops_as(&other, "updatekeys -y a.yaml").code(0).stdout("");
}
