//! The `data` of Kubernetes Secrets as text: `edit --decode-data` and `decrypt --decode-data`.

use crate::edit::Edit;

const RULES: &str = "creation_rules:\n  - encrypted_regex: ^(data|stringData)$\n    age: {age}\n";
const SECRETS: &str = "\
# of the shop
apiVersion: v1
kind: Secret
metadata:
  name: shop
data:
  user: YWRtaW4=
  password: \"aHVudGVyMg==\"   # quoted
  cert: |
    LS0tLS0K
    YWJjCi0tLS0tCg==

  key: AP/+AQID
stringData:
  note: YWRtaW4=
---
apiVersion: v1
kind: Secret
metadata: {name: other}
data: {a: Zmxvdw==, b: \"eDogeQ==\"}
";
const SHOWN: &str = "\
# of the shop
apiVersion: v1
kind: Secret
metadata:
  name: shop
data:
  user: admin
  password: \"hunter2\"   # quoted
  cert: |
    -----
    abc
    -----

  key: !!binary AP/+AQID
stringData:
  note: YWRtaW4=
---
apiVersion: v1
kind: Secret
metadata: {name: other}
data: {a: flow, b: \"x: y\"}
";

/// An encrypted `a.yaml` with Secrets in it, for an editor with this script, which leaves what it saw in `seen`.
fn secrets(script: &str) -> Edit {
    let edit = Edit::new();
    let test = edit.test.rules(RULES).file("a.yaml", SECRETS);
    test.run("encrypt -i a.yaml").code(0);
    Edit { test, ..edit }.editor(&format!("cp \"$file\" seen\n{script}"))
}

#[test]
fn data_is_edited_as_text_and_written_as_base64() {
    let edit = secrets("sed -i 's/hunter2/hunter3/; s/^  user: .*/  user: 0123/; s/AQID/AQIE/' \"$file\"");
    let before = edit.test.read("a.yaml");
    edit.run("edit --decode-data a.yaml").code(0).stdout("").stderr_lacks("warning");
    assert_eq!(edit.test.read("seen"), SHOWN);
    let changed = SECRETS.replace("aHVudGVyMg==", "aHVudGVyMw==").replace("YWRtaW4=\n  pass", "MDEyMw==\n  pass");
    let changed = changed.replace("AQID", "AQIE");
    assert_eq!(edit.decrypted(), changed);
    edit.test.sops("decrypt --extract '[\"data\"][\"user\"]' a.yaml").code(0).stdout("MDEyMw==");
    // No other line of the encrypted file is another one than it was.
    let after = edit.test.read("a.yaml");
    let names: Vec<&str> = before
        .lines()
        .zip(after.lines())
        .filter(|(old, new)| old != new)
        .map(|(_, new)| new.trim().split(':').next().unwrap())
        .collect();
    assert_eq!(&names[..3], ["user", "password", "key"]);
    assert!(names[3..].iter().all(|name| ["lastmodified", "mac", "leafcrypt_layout"].contains(name)), "{names:?}");
    assert_eq!(before.lines().count(), after.lines().count());
}

#[test]
fn data_that_is_not_changed_is_not_touched() {
    let edit = secrets("");
    let before = edit.test.read("a.yaml");
    edit.run("edit --decode-data a.yaml").code(200);
    assert_eq!(edit.test.read("a.yaml"), before);
}

#[test]
fn a_value_that_no_secret_can_hold_is_kept_as_a_draft_of_its_kind() {
    for (value, message) in
        [("[1, 2]", "must be a text"), ("", "the value is null"), ("!!binary '%%'", ""), ("'open", "")]
    {
        let edit = secrets(&format!(
            "grep -q CHANGED \"$file\" || sed -i \"s|hunter2|CHANGED|; s|user: .*|user: {value}|\" \"$file\""
        ));
        let before = edit.test.read("a.yaml");
        edit.run("edit --decode-data a.yaml")
            .fails()
            .stderr_has("a.yaml (as edited)")
            .stderr_has(message)
            .stderr_lacks("CHANGED");
        assert_eq!(edit.test.read("a.yaml"), before);
        let draft = edit.draft();
        assert!(edit.draft_text().contains("CHANGED"), "{}", edit.draft_text());
        // The draft knows what it is, so that nobody saves text where base64 belongs.
        let edit = edit.editor("sed -i 's|user: .*|user: mended|' \"$file\"");
        edit.run(&format!("edit --draft {draft} a.yaml")).code(0);
        assert_eq!(
            edit.decrypted(),
            SECRETS.replace("YWRtaW4=\n  pass", "bWVuZGVk\n  pass").replace("aHVudGVyMg==", "Q0hBTkdFRA==")
        );
        assert!(edit.drafts().is_empty());
    }
    // And the other way round.
    let edit = secrets("sed -i 's/aHVudGVyMg==/aHVudGVyMw==/; s/^kind: Secret/kind: [/' \"$file\"");
    edit.run("edit a.yaml").fails();
    let draft = edit.draft();
    let edit = edit.editor("sed -i 's/^kind: \\[/kind: Secret/' \"$file\"");
    edit.run(&format!("edit --decode-data --draft {draft} a.yaml")).code(0).stderr_has("without --decode-data");
    assert_eq!(edit.decrypted(), SECRETS.replace("aHVudGVyMg==", "aHVudGVyMw=="));
}

#[test]
fn a_value_in_bad_form_is_shown_and_opened_again() {
    let edit = secrets("").editor("if grep -q '\\[x\\]' \"$file\"; then sed -i 's/\\[x\\]/mended/' \"$file\"; else sed -i 's/: admin/: [x]/' \"$file\"; fi");
    let mut terminal = edit.start("edit --decode-data a.yaml");
    terminal.expect("a value in the data of a Secret must be a text").expect("a.yaml (as edited):7:9");
    terminal.expect("Press Enter").send("\r");
    let (status, shown) = terminal.end();
    assert!(status.success(), "{shown}");
    assert_eq!(edit.decrypted(), SECRETS.replace("YWRtaW4=\n  pass", "bWVuZGVk\n  pass"));
    assert!(edit.drafts().is_empty());
}

#[test]
fn data_is_edited_together_with_the_recipients() {
    let edit = secrets("sed -i 's/hunter2/hunter3/' \"$file\"");
    edit.run("edit --decode-data --show-master-keys a.yaml").code(0);
    assert!(edit.test.read("seen").contains("recipient: age1"), "{}", edit.test.read("seen"));
    assert_eq!(edit.decrypted(), SECRETS.replace("aHVudGVyMg==", "aHVudGVyMw=="));
}

#[test]
fn a_new_secret_may_be_written_as_text() {
    let edit =
        secrets("printf 'apiVersion: v1\\nkind: Secret\\nmetadata: {name: n}\\ndata:\\n  a: hunter2\\n' > \"$file\"");
    edit.run("edit --decode-data new.yaml").code(0);
    edit.test.sops("decrypt --extract '[\"data\"][\"a\"]' new.yaml").code(0).stdout("aHVudGVyMg==");
}

#[test]
fn what_a_cluster_would_refuse_is_pointed_out_after_an_edit() {
    let edit = secrets("sed -i 's/note: .*/note: 12/' \"$file\"");
    edit.run("edit a.yaml").code(0).stderr_has("stringData.note: a cluster will refuse this Secret");
}

#[test]
fn data_is_shown_as_text_to_read() {
    let edit = secrets("");
    edit.run("decrypt --decode-data a.yaml").code(0).stdout(SHOWN).stderr_lacks("warning");
    edit.run("decrypt --decode-data --extract data.password a.yaml").code(0).stdout("hunter2");
    let key = edit.run("decrypt --decode-data --extract data.key a.yaml").code(0);
    assert_eq!(key.stdout, [0, 0xff, 0xfe, 1, 2, 3]);
    edit.run("decrypt --decode-data -i a.yaml").fails().stderr_has("--in-place");
    // As JSON, which has no form for bytes.
    let (first, _) = SECRETS.split_once("---").unwrap();
    let test = edit.test.file("b.yaml", first).file("c.yaml", first.replace("  key: AP/+AQID\n", ""));
    test.run("encrypt -i b.yaml").code(0);
    test.run("encrypt -i c.yaml").code(0);
    test.run("decrypt --decode-data --output-type json b.yaml")
        .fails()
        .stderr_has("data.key")
        .stderr_has("binary data");
    let json = test.run("decrypt --decode-data --output-type json c.yaml").code(0).text();
    assert!(json.contains("\"password\": \"hunter2\""), "{json}");
    let test = test.file("d.yaml", "a: 1\n");
    test.run("encrypt -i --age {age} d.yaml").code(0);
    test.run("decrypt --decode-data d.yaml").code(0).stdout("a: 1\n").stderr_has("there is no Kubernetes Secret");
}
