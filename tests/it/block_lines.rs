//! The `sops` block when recipients change: the lines of those recipients change and no others, whoever wrote the block and
//! in whichever order.

use crate::team::Team;

/// The lines of the block, without what ends a line of JSON; each member of it with the lines below.
fn members(text: &str, start: &str, indent: &str) -> (String, Vec<String>, String) {
    let at = text.find(start).unwrap() + start.len();
    let (before, rest) = text.split_at(at);
    let end = rest
        .match_indices('\n')
        .map(|(at, _)| at + 1)
        .find(|&at| !rest[at..].starts_with(indent))
        .unwrap_or(rest.len());
    let (block, after) = rest.split_at(end);
    let mut members: Vec<String> = Vec::new();
    for line in block.lines() {
        let inner = &line[indent.len()..];
        let is_new = inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '"');
        match members.last_mut() {
            Some(last) if !is_new => *last += &format!("\n{line}"),
            _ => members.push(line.to_owned()),
        }
    }
    (before.to_owned(), members, after.to_owned())
}

/// The file as sops 3.13 orders the fields of its block: by their names.
fn in_order_of_3_13(name: &str, text: &str) -> String {
    let json = name.ends_with("json");
    let (start, indent) = if json { ("\t\"sops\": {\n", "\t\t") } else { ("\nsops:\n", "    ") };
    let (before, members, after) = members(text, start, indent);
    let mut members: Vec<String> = members.iter().map(|member| member.trim_end_matches(',').to_owned()).collect();
    assert!(members.len() > 4, "{text}");
    members.sort();
    before + &members.join(if json { ",\n" } else { "\n" }) + "\n" + &after
}

/// The lines of `one` that `other` has not, in their order, commas at their ends left out.
fn only_in<'a>(one: &'a str, other: &str) -> Vec<&'a str> {
    let bare = |line: &'a str| line.trim_end_matches(',');
    let other: Vec<&str> = other.lines().map(|line| line.trim_end_matches(',')).collect();
    one.lines().map(bare).filter(|line| !other.contains(line)).collect()
}

/// What stays of the order: the lines that are in both, in the order of each.
fn kept_order(before: &str, after: &str) -> bool {
    let both = |one: &str, other: &str| -> Vec<String> {
        let other: Vec<&str> = other.lines().map(|line| line.trim_end_matches(',')).collect();
        let bare = one.lines().map(|line| line.trim_end_matches(','));
        bare.filter(|line| {
            other.contains(line) && line.len() > 12 && !["-----", "enc: |"].iter().any(|piece| line.contains(piece))
        })
        .map(str::to_owned)
        .collect()
    };
    both(before, after) == both(after, before)
}

fn cases() -> Vec<(Team, &'static str, String)> {
    let plain = [
        ("a.yaml", "# c\nuser: 'admin'\nlist: [a, b]\n"),
        ("a.json", "{\n  \"user\": \"admin\",\n  \"list\": [1]\n}\n"),
    ];
    let mut cases = Vec::new();
    for (name, plain) in plain {
        for ordered in [false, true] {
            let team = Team::of(3).encrypted_by_sops("--age {0},{1}", name, plain);
            if ordered {
                team.write(name, &in_order_of_3_13(name, &team.read(name)));
            }
            let before = team.read(name);
            assert_eq!(team.who_opens(name), [0, 1]);
            cases.push((team, name, before));
        }
    }
    cases
}

fn names_a_recipient(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ");
    let of_stanza = ["recipient", "enc", "\"recipient", "\"enc", "-----", "{", "}"];
    of_stanza.iter().any(|start| line.starts_with(start)) || !line.contains([' ', ':'])
}

#[test]
fn updatekeys_changes_the_lines_of_the_recipients_that_come_and_go() {
    for (team, name, before) in cases() {
        let team = team.rules("creation_rules:\n  - age: '{0},{2}'\n");
        team.run(&format!("updatekeys -y {name}")).code(0);
        let after = team.read(name);
        let (new, gone) = (only_in(&after, &before), only_in(&before, &after));
        assert!(new.iter().chain(&gone).all(|line| names_a_recipient(line)), "{name}\n{new:#?}\n{gone:#?}");
        assert_eq!(new.iter().filter(|line| line.contains("{2}")).count(), 1, "{new:#?}");
        assert_eq!(gone.iter().filter(|line| line.contains("{1}")).count(), 1, "{gone:#?}");
        assert!(kept_order(&before, &after), "{name}\n{before}\n{after}");
        assert_eq!(team.who_opens(name), [0, 2]);
    }
}

#[test]
fn rotate_changes_keys_values_time_and_mac() {
    for (team, name, before) in cases() {
        team.run(&format!("rotate -i --add-age {{2}} {name}")).code(0);
        let after = team.read(name);
        let is_expected =
            |line: &&str| names_a_recipient(line) || ["ENC[", "lastmodified"].iter().any(|piece| line.contains(piece));
        let (new, gone) = (only_in(&after, &before), only_in(&before, &after));
        assert!(new.iter().chain(&gone).all(is_expected), "{name}\n{new:#?}\n{gone:#?}");
        assert!(kept_order(&before, &after), "{name}\n{before}\n{after}");
        assert_eq!(team.who_opens(name), [0, 1, 2]);
    }
}

#[test]
fn groups_leave_what_is_not_of_keys_as_it_is() {
    for (team, name, before) in cases() {
        team.run(&format!("groups add -i -f {name} --age {{2}}")).code(0);
        let after = team.read(name);
        let (new, gone) = (only_in(&after, &before), only_in(&before, &after));
        let is_expected = |line: &&str| {
            names_a_recipient(line)
                || ["age", "key_groups", "shamir_threshold", "]", "["].iter().any(|piece| line.contains(piece))
        };
        assert!(new.iter().chain(&gone).all(is_expected), "{name}\n{new:#?}\n{gone:#?}");
        assert!(kept_order(&before, &after), "{name}\n{before}\n{after}");
        assert!(!team.opens(name, &[0]) && team.opens(name, &[1, 2]));
        team.run(&format!("groups delete -i -f {name} --shamir-secret-sharing-threshold 1 1")).code(0);
        assert_eq!(team.who_opens(name), [0, 1]);
    }
}
