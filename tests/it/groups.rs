//! Key groups and the data key that is split for them: `groups`, thresholds, and what is said when too few open.

use crate::gnupg::Gnupg;
use crate::team::Team;

const PLAIN: &str = "# c\nuser: 'admin'\nratio: 1.10\n";

/// The file's `shamir_threshold` and its key groups, by the places of their recipients.
fn groups(team: &Team, text: &str) -> (Option<usize>, Vec<String>) {
    let text = team.blank(text);
    let block = text.split_once("\nsops:").unwrap().1;
    let mut groups: Vec<String> = Vec::new();
    let mut in_groups = false;
    for line in block.lines() {
        in_groups |= line.contains("key_groups:");
        let starts = line.trim_start().starts_with("- ") && line.len() - line.trim_start().len() <= 8;
        if groups.is_empty() && line.contains("recipient") || in_groups && starts {
            groups.push(String::new());
        }
        if let Some((_, recipient)) = line.split_once("recipient: ") {
            groups.last_mut().unwrap().push_str(recipient.trim_matches(['{', '}']));
        }
    }
    let threshold = block.lines().find_map(|line| line.trim().strip_prefix("shamir_threshold: "));
    (threshold.map(|threshold| threshold.parse().unwrap()), groups)
}

/// The same threshold, groups and exit codes as sops, and each opens what the other has made.
#[test]
fn groups_are_added_and_deleted_as_in_sops() {
    let rules = "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n      - age: ['{0}']\n      - age: ['{1}']\n      - age: ['{2}']\n";
    let team = Team::of(5).encrypted("--age {0}", "one.yaml", PLAIN).rules(rules).encrypted("", "three.yaml", PLAIN);
    let mut wrong = Vec::new();
    for line in [
        "groups add -f one.yaml --age {1}",
        "groups add -f one.yaml --age {1} --age {2},{3}",
        "groups add --file one.yaml --age {1} --shamir-secret-sharing-threshold 2",
        "groups add -f three.yaml --age {3}",
        "groups add -f three.yaml --age {3} --shamir-secret-sharing-threshold 4",
        "groups delete -f three.yaml 0",
        "groups delete -f three.yaml 2",
        "groups delete --shamir-secret-sharing-threshold 2 -f three.yaml 1",
        "groups delete -f three.yaml --shamir-secret-sharing-threshold 3 1",
    ] {
        let (theirs, ours) = (team.sops(line), team.run(line));
        if theirs.code != ours.code {
            wrong.push(format!("sops: {theirs:?}\nleafcrypt: {ours:?}"));
        } else if ours.code == Some(0) {
            let (theirs, ours) = (theirs.text(), ours.text());
            assert_eq!(groups(&team, &theirs), groups(&team, &ours), "{line}");
            for text in [theirs, ours] {
                team.write("b.yaml", &text);
                team.run("decrypt --extract '[\"user\"]' b.yaml").code(0).stdout("admin");
                team.sops("decrypt --extract '[\"user\"]' b.yaml").code(0).stdout("admin");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_was_done_is_told_and_no_value_is_touched() {
    let team = Team::of(3).encrypted("--age {0}", "a.yaml", PLAIN);
    let before = team.read("a.yaml");
    let output = team.run("groups add -i -f a.yaml --age {1}").code(0).stdout("");
    assert_eq!(team.blank(&output.stderr), "+++ shamir_threshold: 2\nGroup 1\n    age {0}\nGroup 2\n+++ age {1}\n");
    let after = team.read("a.yaml");
    let (body, block) = (
        |text: &str| text.split_once("\nsops:").unwrap().0.to_owned(),
        |text: &str| -> Vec<String> {
            let kept = |line: &&str| line.contains("lastmodified") || line.contains("mac:");
            text.lines().filter(kept).map(str::to_owned).collect()
        },
    );
    assert_eq!(body(&before), body(&after));
    assert_eq!(block(&before), block(&after));
    assert_eq!(block(&after).len(), 2);
    assert_eq!(team.who_opens("a.yaml"), [0; 0]);
    team.run("groups add -i -f a.yaml --age {2}").code(0);
    team.run("groups delete -i -f a.yaml 1").code(0).stderr_has("Group 2\n--- age age1");
    assert_eq!(groups(&team, &team.test.read("a.yaml")), (Some(2), vec!["0".to_owned(), "2".to_owned()]));
    team.run("groups delete -i -f a.yaml --shamir-secret-sharing-threshold 1 0").code(0);
    assert_eq!(team.who_opens("a.yaml"), [2]);
    team.run("decrypt a.yaml").code(0).stdout(PLAIN);
}

/// Where sops writes a file that nobody can open, or panics, nothing is written here.
#[test]
fn what_nobody_could_open_is_not_written() {
    let team = Team::of(3).encrypted("--age {0}", "a.yaml", PLAIN).file("plain.yaml", "a: 1\n");
    let two = team.run("groups add -f a.yaml --age {1}").code(0).text();
    let team = team.file("two.yaml", &two);
    let (one, before) = (team.read("a.yaml"), team.read("two.yaml"));
    for (line, code, said) in [
        ("groups add -i -f a.yaml", 1, "key group 2 would have no recipient"),
        ("groups add -i -f a.yaml --age nonsense", 1, "not an age recipient"),
        ("groups add -i -f a.yaml --age {1} --shamir-secret-sharing-threshold 1", 1, "must be at least 2"),
        ("groups add -i -f a.yaml --age {1} --shamir-secret-sharing-threshold 3", 1, "there are only 2"),
        ("groups add -i -f missing.yaml --age {1}", 2, "there is no file missing.yaml"),
        ("groups add -i -f plain.yaml --age {1}", 1, "the file is not encrypted"),
        ("groups add -i --age {1}", 2, "no file is named"),
        ("groups delete -i 0", 2, "no file is named"),
        ("groups delete -i -f a.yaml 0", 1, "the only key group cannot be deleted"),
        ("groups delete -i -f two.yaml 2", 1, "counted from 0: the last one is 1"),
        ("groups delete -i -f two.yaml", 1, "no key group is named"),
        ("groups delete -i -f two.yaml x", 1, "not by \"x\""),
        ("groups delete -i -f two.yaml 0 1", 1, "unexpected argument"),
        ("groups delete -i -f two.yaml 0", 1, "2 key groups are needed, and only 1 would be left"),
        ("groups nonsense", 1, "unrecognized subcommand"),
    ] {
        team.run(line).fails().stderr_has(said).code(code);
    }
    team.run("groups").code(0).stdout_has("Usage: leafcrypt groups");
    team.sops("groups").code(0);
    assert_eq!((team.read("a.yaml"), team.read("two.yaml")), (one, before));
}

#[test]
fn the_threshold_of_a_new_file_is_that_of_the_flag_or_the_rule() {
    let rules = "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n      - age: ['{0}']\n      - age: ['{1}']\n      - merge:\n          - age: ['{2}']\n          - merge:\n              - age: ['{3}', '{2}']\n";
    let team = Team::of(4).rules(rules).file("a.yaml", PLAIN);
    for (flag, threshold) in
        [("", 2), ("--shamir-secret-sharing-threshold 3", 3), ("--shamir-secret-sharing-threshold 0", 2)]
    {
        let theirs = team.sops(&format!("encrypt {flag} a.yaml")).code(0).text();
        let ours = team.run(&format!("encrypt {flag} a.yaml")).code(0).text();
        let old = team.run(&format!("{flag} -e a.yaml")).code(0).text();
        let wanted = (Some(threshold), vec!["0".to_owned(), "1".to_owned(), "23".to_owned()]);
        for text in [theirs, ours, old] {
            assert_eq!(groups(&team, &text), wanted, "{flag}");
            team.write("b.yaml", &text);
            for members in [&[0, 1][..], &[0, 3], &[1, 2], &[0, 1, 2], &[2, 3], &[1]] {
                let opened = team.opens("b.yaml", members);
                let together = members.iter().map(|&member| member.min(2)).collect::<std::collections::BTreeSet<_>>();
                assert_eq!(opened, together.len() >= threshold, "{flag} {members:?}");
            }
        }
    }
}

/// What opened and what did not, for each group, with the reasons.
#[test]
fn a_failure_tells_of_each_group() {
    let rules =
        "creation_rules:\n  - key_groups:\n      - age: ['{0}']\n      - age: ['{1}', '{2}']\n      - age: ['{3}']\n";
    let team = Team::of(4).rules(rules).encrypted("", "a.yaml", PLAIN);
    let some = [("SOPS_AGE_KEY", team.keys_of(&[0, 3]))];
    let some = [(some[0].0, some[0].1.as_str())];
    let output = team.test.run_as(&some, "decrypt a.yaml").fails().code(128);
    let told = team.blank(&output.stderr);
    for line in [
        "error: 2 of 3 key groups opened, and 3 are needed",
        "because: key group 1 was opened by age {0}",
        "because: key group 2 is for age {1}",
        "because: key group 2 is for age {2}",
        "because: key group 3 was opened by age {3}",
        "because: SOPS_AGE_KEY: 2 identities, {0}, {3}",
    ] {
        assert!(told.contains(line), "{line} in\n{told}");
    }
    // One more recipient in one of the groups would be of no help.
    assert!(!told.contains("add you"), "{told}");
    team.test.sops_as(&some, "decrypt a.yaml").code(128);
    let all = team.blank(&team.run("decrypt --verbose a.yaml").code(0).stderr);
    assert!(all.contains("verbose: key group 2 was opened by age {1}"), "{all}");
}

/// Key groups of several kinds of keys, both ways with sops; and which kind is asked first.
#[test]
fn groups_may_mix_kinds_of_keys_and_the_order_says_which_is_asked_first() {
    let gnupg = Gnupg::new();
    let (alice, bob) = (gnupg.key("alice", ""), gnupg.key("bob", ""));
    let mut team = Team::of(2);
    team.test = team.test.env("GNUPGHOME", gnupg.home().to_str().unwrap());
    let rules = format!(
        "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n      - age: ['{{0}}']\n        pgp: [{alice}]\n      - pgp: [{bob}]\n      - merge:\n          - age: ['{{1}}']\n          - pgp: [{bob}]\n"
    );
    let team = team.rules(&rules).file("plain.yaml", PLAIN);
    for text in [team.run("encrypt plain.yaml").code(0).text(), team.sops("encrypt plain.yaml").code(0).text()] {
        team.write("a.yaml", &text);
        for (keys, opens) in [(&[0][..], true), (&[1], true), (&[], true), (&[0, 1], true)] {
            assert_eq!(team.opens("a.yaml", keys), opens, "{keys:?} and two PGP keys");
        }
        let first = |order: &str| {
            let output = team.run(&format!("decrypt --verbose {order} a.yaml")).code(0).stdout_has("user: ");
            let asked = |kind: &str| output.stderr.find(&format!("asking {kind} to open")).unwrap_or(usize::MAX);
            let opened = output.stderr.matches("was opened by age").count();
            (if asked("age") < asked("pgp") { "age" } else { "pgp" }, opened)
        };
        assert_eq!(first(""), ("age", 2));
        assert_eq!(first("--decryption-order age,pgp"), ("age", 2));
        assert_eq!(first("--decryption-order pgp,age"), ("pgp", 0));
        assert_eq!(first("--decryption-order kms,pgp"), ("pgp", 0));

        team.run("groups add -i -f a.yaml --age {0} --age {1}").code(0).stderr_has("Group 4\n+++ age");
        team.run(&format!("rotate -i --rm-pgp {} --add-pgp {bob} a.yaml", alice.to_lowercase())).code(0);
        team.sops("updatekeys -y a.yaml").code(0).stdout_has(&format!("+++ {alice}")).stdout_has("--- age1");
        team.run("updatekeys -y a.yaml").code(0).stdout("");
        assert!(team.opens("a.yaml", &[0, 1]));
    }
}
