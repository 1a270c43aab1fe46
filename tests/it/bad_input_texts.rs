//! Texts that cannot be encrypted, format by format: each refusal has its line and column, a reason and a hint.
//!
//! The messages are a snapshot, as those of `bad_input.rs`. Besides, for every text: the exit code is that of real sops where
//! it refuses the text as well, nothing is printed to the standard output, and no message shows a value.

use crate::builder::Test;
use std::fmt::Write as _;

/// Files, each with what it holds.
const TEXTS: &[(&str, &str)] = &[
    ("empty.yaml", ""),
    ("blank.yaml", " \n"),
    ("comments.yaml", "# hunter2\n"),
    ("list.yaml", "- hunter2\n"),
    ("single.yaml", "hunter2\n"),
    ("encrypted.yaml", "a: hunter2\nsops: {}\n"),
    ("integer.yaml", "a_unencrypted: 9223372036854775808\n"),
    ("zone.yaml", "a: 2001-01-01T01:01:01+24:00\n"),
    ("alias.yaml", "a: *hunter2\n"),
    ("alias-key.yaml", "*hunter2 : 1\n"),
    ("tag-int.yaml", "a: !!int hunter2\n"),
    ("tag-float.yaml", "a: !!float hunter2\n"),
    ("tag-bool.yaml", "a: !!bool yes\n"),
    ("tag-null.yaml", "a: !!null hunter2\n"),
    ("tag-timestamp.yaml", "a: !!timestamp hunter2\n"),
    ("tag-binary.yaml", "a: !!binary hunter-2\n"),
    ("map-key.yaml", "? {a: hunter2}\n: 1\n"),
    ("list-key.yaml", "? - hunter2\n: 1\n"),
    ("value.template.yaml", "a: 1\nb: {{ hunter2 }}\n"),
    ("item.template.yaml", "a:\n  - {{ hunter2 }}\n"),
    ("quotes.template.yaml", "a: {{ b | default(\"hunter2\") }}\n"),
    ("helm.template.yaml", "a: 1\n{{- if .Values.hunter2 }}\nb: 1\n{{- end }}\n"),
    ("include.template.yaml", "{{ include \"hunter2\" . }}\n"),
    ("jinja.template.yaml", "a: 1\n{% if hunter2 %}\nb: 1\n{% endif %}\n"),
    ("erb.template.yaml", "a: 1\n<% if hunter2 %>\nb: 1\n<% end %>\n"),
    ("empty.json", ""),
    ("list.json", "[\"hunter2\"]\n"),
    ("single.json", "\"hunter2\"\n"),
    ("comma.json", "{\"a\": \"hunter2\",}\n"),
    ("comment.json", "{\n  // hunter2\n  \"a\": 1\n}\n"),
    ("block-comment.json", "{\"a\": /* hunter2 */ 1}\n"),
    ("single-quotes.json", "{\"a\": 'hunter2'}\n"),
    ("single-quoted-key.json", "{'a': \"hunter2\"}\n"),
    ("no-quotes.json", "{\"a\": hunter2}\n"),
    ("no-quotes-key.json", "{a: \"hunter2\"}\n"),
    ("nan.json", "{\"a\": NaN}\n"),
    ("infinity.json", "{\"a\": -Infinity}\n"),
    ("python.json", "{\"a\": True}\n"),
    ("template.json", "{\"a\": {{ hunter2 }}}\n"),
    ("line.template.json", "{\n{% if hunter2 %}\n\"a\": 1}\n"),
    ("no-mark.env", "A=1\nhunter2\n"),
    ("several-lines.env", "A=\"hunter2\nhunter-2\"\n"),
    ("template.env", "A=1\n{{ if hunter2 }}\nB=1\n{{ end }}\n"),
    ("encrypted.env", "A=1\nsops_mac=hunter2\n"),
    ("no-mark.ini", "[a]\nhunter2\n"),
    ("no-key.ini", "=hunter2\n"),
    ("no-name.ini", "[]\na=hunter2\n"),
    ("open-name.ini", "[hunter2\na=1\n"),
    ("open-key.ini", "\"a=hunter2\n"),
    ("open-value.ini", "a=\"\"\"hunter2\n"),
    ("template.ini", "[a]\n{% if hunter2 %}\nb=1\n{% endif %}\n"),
    ("encrypted.ini", "[a]\nb=hunter2\n[sops]\nmac=1\n"),
];

#[test]
fn texts() {
    let test = TEXTS.iter().fold(Test::new().identity(), |test, (name, text)| test.file(name, text));
    let (mut snapshot, mut wrong) = (String::new(), Vec::new());
    for (name, text) in TEXTS {
        let line = format!("encrypt --age {{age}} {name}");
        let (ours, theirs) = (test.run(&line), test.sops(&line));
        let has = |piece: &str| ours.stderr.lines().any(|line| line.trim_start().starts_with(piece));
        let is_whole = has(&format!("--> {name}:")) && has("because: ") && has("hint: ");
        if !is_whole || !ours.stdout.is_empty() || ours.stderr.contains("hunter") || test.read(name) != *text {
            wrong.push(format!("{ours:?}"));
        }
        let note = match theirs.code {
            Some(0) => ", and sops encrypts it",
            code if code == ours.code => ", as sops",
            _ => {
                wrong.push(format!("another exit code than sops: {ours:?}\nsops: {theirs:?}"));
                ""
            }
        };
        let code = ours.code.unwrap_or_default();
        let _ = write!(snapshot, "$ leafcrypt encrypt {name}\nexit code {code}{note}\n{}\n", ours.stderr);
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n\n"));
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!("texts", snapshot) });
}
