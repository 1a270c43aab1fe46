//! Unwrapping with identities from every source.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::*;
use crate::key::Backend as _;
use crate::key::age::{Age, generate};

struct Key {
    identity: String,
    public: String,
}

fn key() -> Key {
    let (identity, public) = generate();
    Key { identity: String::from_utf8(identity.expose().to_vec()).unwrap(), public }
}

fn stanza(key: &Key) -> Stanza {
    let mut stanza = Age.parse(&key.public).unwrap().remove(0);
    Age.wrap(&mut stanza, &[7; 32]).unwrap();
    stanza
}

fn unwrap(variables: &[(&str, &str)], stanzas: &[&Stanza]) -> Answer {
    let variables = variables.iter().map(|(name, value)| (*name, OsString::from(value)));
    Identities::new(Environment::of(variables)).unwrap(stanzas)
}

fn is_here(answer: Answer) -> bool {
    matches!(answer, Answer::Here { part, .. } if part.expose() == [7; 32])
}

fn not_mine(answer: Answer) -> Search {
    match answer {
        Answer::NotMine(search) => search,
        Answer::Here { .. } => panic!("opened"),
        Answer::Failed(search) => panic!("{search:?}"),
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.into_os_string().into_string().unwrap()
}

#[test]
fn an_identity_is_found_in_every_source() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, other) = (key(), key());
    let (stanza, foreign) = (stanza(&mine), stanza(&other));
    let stanzas = [&foreign, &stanza];
    let text = format!("# public key: {}\r\n{}\r\n\r\n", mine.public, mine.identity);
    let file = write(folder.path(), "key.txt", &text);
    write(folder.path(), "xdg/sops/age/keys.txt", &text);
    write(folder.path(), "home/.config/sops/age/keys.txt", &text);
    let (xdg, home) = (folder.path().join("xdg"), folder.path().join("home"));

    let third = key();
    assert!(is_here(unwrap(&[("SOPS_AGE_KEY", &mine.identity)], &stanzas)));
    assert!(is_here(unwrap(&[("SOPS_AGE_KEY", &format!("{}\n{}", third.identity, mine.identity))], &stanzas)));
    assert!(is_here(unwrap(&[("SOPS_AGE_KEY", &format!("{} {}", third.identity, mine.identity))], &stanzas)));
    assert!(is_here(unwrap(&[("SOPS_AGE_KEY_FILE", &file)], &stanzas)));
    if cfg!(target_os = "linux") {
        assert!(is_here(unwrap(&[("XDG_CONFIG_HOME", xdg.to_str().unwrap())], &stanzas)));
        assert!(is_here(unwrap(&[("HOME", home.to_str().unwrap())], &stanzas)));
        assert!(is_here(unwrap(&[("SOPS_AGE_KEY_CMD", &format!("cat '{file}'"))], &stanzas)));
    }
    // A source that is wrong keeps none of the others from being used.
    let broken = [("SOPS_AGE_KEY", "junk"), ("SOPS_AGE_KEY_FILE", &file), ("SOPS_AGE_KEY_CMD", "/no/such/program")];
    assert!(is_here(unwrap(&broken, &stanzas)));
}

#[cfg(unix)]
#[test]
fn the_command_is_asked_for_each_recipient_once_and_only_at_need() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (key(), key());
    write(folder.path(), &a.public, &a.identity);
    let log = folder.path().join("log");
    let script = format!(
        "sh -c 'echo $SOPS_AGE_RECIPIENT >> {log}; cat {folder}/$SOPS_AGE_RECIPIENT 2>/dev/null'",
        log = log.display(),
        folder = folder.path().display()
    );
    let (for_a, for_b) = (stanza(&a), stanza(&b));
    let environment = Environment::of([("SOPS_AGE_KEY_CMD", OsString::from(&script))]);
    let identities = Identities::new(environment);
    for _ in 0..3 {
        assert!(is_here(identities.unwrap(&[&for_b, &for_a])));
    }
    assert_eq!(std::fs::read_to_string(&log).unwrap(), format!("{}\n{}\n", b.public, a.public));

    std::fs::remove_file(&log).unwrap();
    assert!(is_here(unwrap(&[("SOPS_AGE_KEY_CMD", &script), ("SOPS_AGE_KEY", &b.identity)], &[&for_a, &for_b])));
    assert!(!log.exists());
}

#[test]
fn a_wrong_name_beside_a_stanza_does_not_hide_it() {
    let (mine, other) = (key(), key());
    let mut misnamed = stanza(&mine);
    misnamed.set(RECIPIENT, crate::document::Value::Str(other.public));
    assert!(is_here(unwrap(&[("SOPS_AGE_KEY", &mine.identity)], &[&misnamed])));
}

#[test]
fn the_report_names_public_keys_and_shows_no_line_of_a_key_file() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, other) = (key(), key());
    let damaged = &mine.identity[..60];
    let text = format!("{}\n\n{damaged}\nAGE-PLUGIN-YUBIKEY-1QQQQ\nhunter2\n{}\n", mine.identity, mine.public);
    let file = write(folder.path(), "k", &text);
    let locked = "-----BEGIN AGE ENCRYPTED FILE-----\nabcd\n-----END AGE ENCRYPTED FILE-----\n";
    let home = folder.path().to_str().unwrap();
    let keys = default_file(folder.path());
    write(keys.parent().unwrap(), "keys.txt", locked);
    write(folder.path(), ".ssh/id_rsa", "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n");
    let variables = [("SOPS_AGE_KEY_FILE", file.as_str()), ("HOME", home), ("SOPS_AGE_KEY", "")];
    let search = not_mine(unwrap(&variables, &[&stanza(&other)]));
    let report = search.looked_at.join("\n");
    assert!(report.contains(&format!("SOPS_AGE_KEY_FILE={file}: 1 identity, {}", mine.public)), "{report}");
    assert!(report.contains("line 3: a damaged identity"), "{report}");
    assert!(report.contains("line 4: a damaged identity"), "{report}");
    assert!(report.contains("line 5: not an age identity"), "{report}");
    assert!(report.contains("line 6: a recipient, not an identity"), "{report}");
    assert!(report.contains("SOPS_AGE_KEY: no identity"), "{report}");
    assert!(report.contains("keys.txt: an age file that no passphrase opens, or a damaged one"), "{report}");
    assert!(report.contains("id_rsa: an ssh private key in an old form"), "{report}");
    for secret in [mine.identity.as_str(), &damaged[16..], "hunter2", "QQQQ", "abcd"] {
        assert!(!report.contains(secret), "{report}");
        assert!(!search.hints.join(" ").contains(secret));
    }
    assert!(search.own.iter().any(|own| own.contains(&mine.public)));
}

/// Where sops looks for identities without being told, for a user whose home is `home`.
fn default_file(home: &Path) -> PathBuf {
    let environment =
        Environment::of([("HOME", home.as_os_str().to_owned()), ("AppData", home.as_os_str().to_owned())]);
    sources::default_file(&environment).unwrap()
}

#[test]
fn missing_sources_are_named() {
    let search = not_mine(unwrap(&[("HOME", "/no/home"), ("SOPS_AGE_KEY_FILE", "/no/file")], &[&stanza(&key())]));
    if cfg!(target_os = "linux") {
        assert_eq!(
            search.looked_at,
            [
                "SOPS_AGE_SSH_PRIVATE_KEY_FILE: not set",
                "~/.ssh/id_ed25519: no such file",
                "~/.ssh/id_rsa: no such file",
                "SOPS_AGE_KEY: not set",
                "SOPS_AGE_KEY_FILE=/no/file: no such file",
                "~/.config/sops/age/keys.txt: no such file",
                "SOPS_AGE_SSH_PRIVATE_KEY_CMD: not set",
                "SOPS_AGE_KEY_CMD: not set",
            ]
        );
    }
    assert!(search.hints.iter().any(|hint| hint.contains("leafcrypt keygen")));
}

#[test]
fn a_damaged_stanza_of_ours_is_a_failure_and_the_next_is_tried() {
    let (a, b) = (key(), key());
    let mut damaged = stanza(&a);
    let enc = damaged.text(Stanza::ENC).replacen("YWdl", "YWdm", 1);
    damaged.set(Stanza::ENC, crate::document::Value::Str(enc));
    match unwrap(&[("SOPS_AGE_KEY", &a.identity)], &[&damaged]) {
        Answer::Failed(search) => assert!(search.failures[0].starts_with(&a.public), "{search:?}"),
        _ => panic!("not a failure"),
    }
    let both = format!("{}\n{}", a.identity, b.identity);
    assert!(is_here(unwrap(&[("SOPS_AGE_KEY", &both)], &[&damaged, &stanza(&b)])));
}

#[test]
fn a_stanza_named_for_one_of_ours_and_made_for_another_opens() {
    let (a, b) = (key(), key());
    let mut misnamed = stanza(&b);
    misnamed.set(RECIPIENT, crate::document::Value::Str(a.public));
    assert!(is_here(unwrap(&[("SOPS_AGE_KEY", &format!("{}\n{}", a.identity, b.identity))], &[&misnamed])));
}

/// A key without a passphrase from each kind of source, and what each opens.
#[test]
fn an_ssh_key_opens_what_is_for_it_and_for_the_age_key_that_it_also_is() {
    use ssh_key::private::{Ed25519Keypair, KeypairData};
    let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    let public = ssh_key::PublicKey::from_openssh(public).unwrap();
    let mut bytes: [u8; 64] = std::array::from_fn(|at| at as u8);
    bytes[32..].copy_from_slice(&public.key_data().ed25519().unwrap().0);
    let pair = Ed25519Keypair::from_bytes(&bytes).unwrap();
    let private = ssh_key::PrivateKey::new(KeypairData::Ed25519(pair), "me@here").unwrap();
    let text = private.to_openssh(ssh_key::LineEnding::LF).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), ".ssh/id_ed25519", &text);
    let home = folder.path().to_str().unwrap();
    let public = private.public_key().to_openssh().unwrap();
    let also = "age1guqappygg504gkjqn76c4cl9skqu5s9v8al3z35ce4caatrnegqsayk6a2";
    for recipient in [public.as_str(), public.trim_end_matches(" me@here"), also] {
        let mut stanza = Age.parse(recipient).unwrap().remove(0);
        assert_eq!(stanza.text(RECIPIENT), recipient);
        Age.wrap(&mut stanza, &[7; 32]).unwrap();
        for variable in [("HOME", home), ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &file), ("SOPS_AGE_KEY_FILE", &file)] {
            assert!(is_here(unwrap(&[variable], &[&stanza])), "{variable:?}");
        }
        if cfg!(unix) {
            let command = format!("cat '{file}'");
            assert!(is_here(unwrap(&[("SOPS_AGE_SSH_PRIVATE_KEY_CMD", &command)], &[&stanza])));
        }
    }
    let search = not_mine(unwrap(&[("HOME", home)], &[&stanza(&key())]));
    let report = search.looked_at.join("\n");
    assert!(report.contains("id_ed25519: an ssh key, ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7"), "{report}");
}

#[test]
fn a_post_quantum_key_stands_beside_others() {
    let (identity, public) = crate::key::age::generate_post_quantum().unwrap();
    let pq = Key { identity: String::from_utf8(identity.expose().to_vec()).unwrap(), public };
    let other = key();
    let both = format!("{}\n{}", other.identity, pq.identity);
    assert_eq!(crate::key::age::recipients_of(&both), [other.public.clone(), pq.public.clone()]);
    assert!(is_here(unwrap(&[("SOPS_AGE_KEY", &both)], &[&stanza(&key()), &stanza(&pq)])));
    let search = not_mine(unwrap(&[("SOPS_AGE_KEY", &pq.identity)], &[&stanza(&other)]));
    let line = search.looked_at.iter().find(|line| line.starts_with("SOPS_AGE_KEY: ")).unwrap();
    assert!(line.starts_with("SOPS_AGE_KEY: 1 identity, age1pq1") && line.len() < 200, "{line}");
}

#[test]
fn armor_survives_the_line_endings_of_other_systems() {
    let mine = key();
    let mut altered = stanza(&mine);
    for enc in [altered.text(Stanza::ENC).replace('\n', "\r\n"), altered.text(Stanza::ENC).trim_end().to_owned()] {
        altered.set(Stanza::ENC, crate::document::Value::Str(enc));
        assert!(is_here(unwrap(&[("SOPS_AGE_KEY", &mine.identity)], &[&altered])));
    }
}
