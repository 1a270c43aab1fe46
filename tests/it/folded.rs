//! Tokens in block scalars: programs that write an encrypted file anew, as js-yaml does, fold every long text, and a token is
//! one whatever it holds. Real sops reads such files.

use crate::builder::Test;
use std::collections::HashSet;

const PLAIN: &str = "\
# above
word: x
quoted: 'a: b # c'
port: 5432
ratio: 1.5
debug: true
since: 2020-01-01T00:00:00Z
lines: |
    one

    two
stripped: |-
    one
    two
kept: |+
    one

led: \"  two spaces\"
ended: \"\\n\"
bell: \"\\a\"
next: \"a\\x85b\"
bytes: !!binary aGk=
list:
    # of a list
    - 1
    - name: 2
      value: text
    - - true
last: 7
";

/// What may stand before a token that is on a line of its own.
const HEADERS: [&str; 10] = ["|-", "|", "|+", ">-", ">", ">+", "|2-", ">2", ">- # beside", "| #beside"];

/// `encrypted` with each token of a value in a block scalar, as `header` begins it.
fn fold(encrypted: &str, header: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for line in encrypted.lines() {
        let is_block = out.iter().any(|line| line == "sops:");
        let Some((before, token)) = line.split_once("ENC[").filter(|(before, _)| !is_block && !before.contains('#'))
        else {
            out.push(line.to_owned());
            continue;
        };
        let mut before = before.trim_end_matches(['\'', '"']).to_owned();
        if before.trim().is_empty() {
            // In a block scalar already.
            let line = out.pop().unwrap();
            before = line[..line.find(['|', '>']).unwrap()].to_owned();
        }
        // As deep as the digit in the header says.
        let dashes = before.len() - before.trim_start_matches([' ', '-']).len();
        let parent = if before.contains(':') { dashes } else { dashes - 2 };
        out.push(format!("{before}{header}"));
        out.push(format!("{}ENC[{}", " ".repeat(parent + 2), token.trim_end_matches(['\'', '"'])));
    }
    out.join("\n") + "\n"
}

#[test]
fn what_it_holds_comes_back_as_sops_reads_it() {
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file("a.yaml", PLAIN);
    let own = test.run("encrypt a.yaml").code(0).text();
    let theirs = test.sops("encrypt a.yaml").code(0).text();
    let write = |name: &str, text: &str| std::fs::write(test.path(name), text).unwrap();
    for (writer, encrypted) in [("leafcrypt", own), ("sops", theirs)] {
        for header in HEADERS {
            let folded = fold(&encrypted, header);
            assert!(folded.matches(header).count() > 15, "{writer}: {folded}");
            write("e.yaml", &folded);
            let wanted = test.sops("decrypt --output-type json e.yaml").code(0).text();
            test.run("decrypt --output-type json e.yaml").code(0).stdout(&wanted);
            // The plaintext says the same to sops.
            write("p.yaml", &test.run("decrypt e.yaml").code(0).text());
            write("p.yaml", &test.sops("encrypt p.yaml").code(0).text());
            test.sops("decrypt --output-type json p.yaml").code(0).stdout(&wanted);
            // What is not set stays as it was folded, and of a value behind a comment its token: the value, two fields of the
            // `sops` block, and the layout are new.
            test.run("set e.yaml last 8").code(0);
            let after = test.read("e.yaml");
            let pieces = |text: &str| -> Vec<String> {
                let is_wanted = |piece: &&str| !header.contains('#') || piece.starts_with("ENC[");
                let ends: &[char] = if header.contains('#') { &[' ', '\n', '"', '\''] } else { &['\n'] };
                let pieces = text.split(ends);
                pieces.filter(is_wanted).map(str::to_owned).collect()
            };
            let kept: HashSet<_> = pieces(&after).into_iter().collect();
            let gone: Vec<_> = pieces(&folded).into_iter().filter(|piece| !kept.contains(piece)).collect();
            assert!(gone.len() <= 5, "{writer}, {header}: {gone:#?} became {after}");
            let wanted = wanted.replace("\"last\": 7", "\"last\": 8");
            test.sops("decrypt --output-type json e.yaml").code(0).stdout(&wanted);
            test.run("rotate -i e.yaml").code(0);
            test.sops("decrypt --output-type json e.yaml").code(0).stdout(&wanted);
        }
    }
}
