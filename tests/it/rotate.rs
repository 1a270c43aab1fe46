//! `rotate`: a new data key and other recipients, in the order and with the exit codes of sops.

use crate::builder::Test;
use crate::team::Team;
use std::collections::BTreeSet;

const PLAIN: &str = "\
# The database.
user: 'admin'   # quoted

ratio: 1.10
hosts: [a, b]
empty: ''
note: |
    two
    lines
open_unencrypted: yes
";

/// The tokens of an encrypted file, each with its nonce.
fn tokens(text: &str) -> BTreeSet<&str> {
    text.split("ENC[").skip(1).map(|token| token.split(']').next().unwrap()).collect()
}

/// What stands around the tokens, without the `sops` block.
fn frame(text: &str) -> String {
    let body = text.split("\nsops:").next().unwrap();
    let mut pieces = body.split("ENC[");
    let first = pieces.next().unwrap().to_owned();
    pieces.fold(first, |frame, piece| frame + "ENC[]" + piece.split_once(']').unwrap().1)
}

fn recipients(team: &Team, text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.split("recipient: ").nth(1));
    lines.map(|recipient| team.blank(recipient)).collect()
}

#[test]
fn everything_is_encrypted_anew_and_nothing_else_changes() {
    let team = Team::of(2).encrypted("--age {0},{1}", "a.yaml", PLAIN);
    let before = team.read("a.yaml");
    team.run("rotate -i a.yaml").code(0).stdout("").stderr_lacks("warning");
    let after = team.read("a.yaml");
    assert_eq!(tokens(&before).intersection(&tokens(&after)).count(), 0);
    assert_eq!(tokens(&before).len(), tokens(&after).len());
    let nonces = |text: &str| -> BTreeSet<String> {
        tokens(text)
            .iter()
            .map(|token| token.split("iv:").nth(1).unwrap().split(',').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(nonces(&before).intersection(&nonces(&after)).count(), 0);
    assert_eq!(frame(&before), frame(&after));
    assert_eq!(team.who_opens("a.yaml"), [0, 1]);
    team.run("decrypt a.yaml").code(0).stdout(PLAIN);
    // The old data key, which is still in the old file, opens nothing of the new one.
    let (old_body, _) = before.split_once("\nsops:").unwrap();
    let (_, new_block) = after.split_once("\nsops:").unwrap();
    team.write("mixed.yaml", &format!("{old_body}\nsops:{new_block}"));
    team.run("decrypt mixed.yaml").fails();
}

/// Left empty it would be an item of the list to sops, and a token of nothing one that it cannot read.
#[test]
fn an_empty_comment_in_a_list_stays_a_comment_to_sops() {
    let plain = "a:\n  - x\n  #\n  - y\nb: 1\n";
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file("a.yaml", plain);
    test.run("encrypt -i a.yaml").code(0);
    test.run("rotate -i a.yaml").code(0);
    test.run("decrypt a.yaml").code(0).stdout(plain);
    test.sops("decrypt a.yaml").code(0).stdout("a:\n    - x\n    # \n    - \"y\"\nb: 1\n");
    for left in ["a:\n    # \n    - \"y\"\nb: 1\n", "a: []\n# \nb: 1\n"] {
        test.run("unset a.yaml '[\"a\"][0]'").code(0);
        test.sops("decrypt a.yaml").code(0).stdout(left);
    }
}

#[test]
fn a_file_of_sops_keeps_its_plaintext() {
    let team = Team::of(2).encrypted_by_sops("--age {0}", "a.yaml", PLAIN);
    let plain = team.sops("decrypt a.yaml").code(0).text();
    team.run("rotate -i --add-age {1} a.yaml").code(0);
    assert_eq!(team.who_opens("a.yaml"), [0, 1]);
    team.sops("decrypt a.yaml").code(0).stdout(&plain);
    team.run("decrypt a.yaml").code(0).stdout(&plain);
    team.sops("rotate -i --rm-age {0} a.yaml").code(0);
    assert_eq!(team.who_opens("a.yaml"), [1]);
    team.run("decrypt a.yaml").code(0).stdout(plain);
}

/// The same recipients in the same order as sops, and the same exit codes.
#[test]
fn recipients_come_and_go_as_in_sops() {
    let team = Team::of(4).encrypted("--age {0},{1}", "a.yaml", "a: 1\n");
    let mut wrong = Vec::new();
    for arguments in [
        "",
        "--add-age {2}",
        "--add-age {3},{2}",
        "--rm-age {0}",
        "--rm-age {1} --add-age {2}",
        "--add-age {2} --rm-age {0},{1}",
        "--rm-age {3}",
        "--rm-age {0},{1}",
        "--add-age nonsense",
        "--rm-age nonsense",
        "--output-type json",
    ] {
        for line in [format!("rotate {arguments} a.yaml"), format!("-r {arguments} a.yaml")] {
            let (theirs, ours) = (team.sops(&line), team.run(&line));
            if theirs.code != ours.code || recipients(&team, &theirs.text()) != recipients(&team, &ours.text()) {
                wrong.push(format!("sops: {theirs:?}\nleafcrypt: {ours:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // sops writes the recipient twice.
    let again = team.run("rotate --add-age {0} a.yaml").code(0).stderr_has("is a recipient already");
    assert_eq!(recipients(&team, &again.text()), ["{0}", "{1}"]);
    team.run("rotate --rm-age {3} a.yaml").code(0).stderr_has("is no recipient, so nothing was removed");
    // sops panics.
    team.run("rotate --add-age {2} --rm-age {2} a.yaml").fails().code(8).stderr_has("to be added and removed");
}

#[test]
fn whoever_is_removed_opens_nothing_new() {
    let team = Team::of(3).encrypted("--age {0},{1}", "a.yaml", PLAIN);
    team.run("rotate -i --rm-age {0} --add-age {2} a.yaml").code(0);
    assert_eq!(team.who_opens("a.yaml"), [1, 2]);
}

#[test]
fn recipients_are_added_to_the_first_key_group_and_removed_from_all() {
    let rules = "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n      - age: ['{0}', '{1}']\n      - age: ['{1}', '{2}']\n";
    let team = Team::of(4).rules(rules).encrypted("", "a.yaml", "a: 1\n");
    for (line, after) in [
        ("rotate --add-age {3} a.yaml", vec!["{0}", "{1}", "{3}", "{1}", "{2}"]),
        ("rotate --rm-age {1} a.yaml", vec!["{0}", "{2}"]),
    ] {
        for output in [team.sops(line).code(0).text(), team.run(line).code(0).text()] {
            assert_eq!(recipients(&team, &output), after, "{line}");
            team.write("b.yaml", &output);
            team.run("decrypt b.yaml").code(0).stdout("a: 1\n");
            team.sops("decrypt b.yaml").code(0).stdout("a: 1\n");
        }
    }
    let error = team.run("rotate --rm-age {1},{2} a.yaml").fails().code(1);
    error.stderr_has("key group 2 would have no recipient");
    team.sops("rotate --rm-age {1},{2} a.yaml").code(1);
}

#[test]
fn failures_have_the_exit_codes_of_sops_and_change_nothing() {
    let team =
        Team::of(2).encrypted("--age {0}", "a.yaml", "a: 1\n").file("plain.yaml", "a: 1\n").file("bad.yaml", "a: [\n");
    let damaged = team.test.read("a.yaml").replace("lastmodified: \"2", "lastmodified: \"1");
    team.write("damaged.yaml", &damaged);
    let stranger = Test::new().identity().file("a.yaml", team.test.read("a.yaml"));
    stranger.run("rotate -i a.yaml").fails().code(128);
    stranger.sops("rotate -i a.yaml").code(128);
    let before = team.test.read("a.yaml");
    let mut wrong = Vec::new();
    for line in [
        "rotate",
        "-r",
        "rotate missing.yaml",
        "rotate --add-age {1} missing.yaml",
        "rotate --rm-age {1} missing.yaml",
        "-r --add-age {1} missing.yaml",
        "rotate plain.yaml",
        "rotate bad.yaml",
        "rotate damaged.yaml",
        "rotate .",
        "rotate -i --output x a.yaml",
        "rotate --rm-age {0} -i a.yaml",
        "rotate --nonsense a.yaml",
    ] {
        let (theirs, ours) = (team.sops(line), team.run(line));
        if theirs.code != ours.code || !ours.stdout.is_empty() || !ours.stderr.contains("error") {
            wrong.push(format!("sops: {theirs:?}\nleafcrypt: {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(team.test.read("a.yaml"), before);
    team.run("rotate --ignore-mac -i damaged.yaml").code(0).stderr_has("warning");
    team.sops("decrypt damaged.yaml").code(0).stdout("a: 1\n");
}

#[test]
fn the_result_goes_where_it_is_wanted() {
    let team = Team::of(1).encrypted("--age {0}", "a.yaml", PLAIN);
    let before = team.test.read("a.yaml");
    team.run("rotate --output b.yaml a.yaml").code(0).stdout("");
    team.run("decrypt b.yaml").code(0).stdout(PLAIN);
    let json = team.run("rotate --output-type json a.yaml").code(0).text();
    team.write("a.json", &json);
    let (ours, theirs) = (team.run("decrypt a.json").code(0).text(), team.sops("decrypt a.json").code(0).text());
    assert_eq!(ours, theirs);
    assert_eq!(team.test.read("a.yaml"), before);
    team.run("-ri a.yaml").code(0).stdout("");
    assert_ne!(team.test.read("a.yaml"), before);
    team.run("decrypt a.yaml").code(0).stdout(PLAIN);
}
