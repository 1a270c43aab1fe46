//! age keys of every kind, both ways with the real sops, and with keys that `ssh-keygen`, `age-keygen` and a real plugin
//! make.

use crate::builder::{Output, Test};
use crate::peers;
use std::os::unix::fs::PermissionsExt as _;

const PLAINTEXT: &str = "user: admin\n";

fn test() -> Test {
    Test::new().file("a.yaml", PLAINTEXT)
}

/// Encrypts for `recipient` with both programs and lets each open both files.
fn both_ways(test: Test, recipient: &str) -> Test {
    let line = format!("encrypt --age '{recipient}' a.yaml");
    let ours = test.run(&line).code(0).text();
    let theirs = test.sops(&line).code(0).text();
    let named = |text: &str| text.lines().find(|line| line.contains("recipient:")).unwrap().to_owned();
    assert_eq!(named(&ours), named(&theirs));
    let test = test.file("ours.yaml", ours).file("theirs.yaml", theirs);
    for file in ["ours.yaml", "theirs.yaml"] {
        test.run(&format!("decrypt {file}")).code(0).stdout(PLAINTEXT);
        test.sops(&format!("decrypt {file}")).code(0).stdout(PLAINTEXT);
    }
    test
}

/// A test with a key of `ssh-keygen` in `id`, and its public half.
fn ssh(kind: &str, passphrase: &str) -> (Test, String) {
    let test = test();
    test.tool("ssh-keygen", &format!("-q {kind} -N '{passphrase}' -C me@here -f id"));
    let public = test.read("id.pub").trim().to_owned();
    (test, public)
}

#[test]
fn ssh_keys_of_a_named_file() {
    for kind in ["-t ed25519", "-t rsa -b 2048", "-t rsa -b 4096", "-t rsa -m PEM"] {
        let (test, public) = ssh(kind, "");
        let file = test.path("id");
        let test = test.env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", file.to_str().unwrap());
        let test = both_ways(test, &public);
        // Without the comment it is the same key.
        both_ways(test, public.strip_suffix(" me@here").unwrap());
    }
}

#[test]
fn ssh_keys_of_the_home_folder_and_of_a_command() {
    for name in ["id_ed25519", "id_rsa"] {
        let (test, public) = ssh(if name == "id_rsa" { "-t rsa" } else { "-t ed25519" }, "");
        let folder = test.home().join(".ssh");
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(test.path("id"), folder.join(name)).unwrap();
        let test = both_ways(test, &public);
        // A variable that names another key takes none away.
        let test = test.env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "/no/such/file");
        test.run("decrypt theirs.yaml").code(0).stdout(PLAINTEXT);
    }
    // The version of sops that the tests have knows no command for ssh keys yet.
    let (test, public) = ssh("-t ed25519", "");
    let encrypted = test.sops(&format!("encrypt --age '{public}' a.yaml")).code(0).stdout;
    let test = test.file("e.yaml", encrypted).env("SOPS_AGE_SSH_PRIVATE_KEY_CMD", "cat id");
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
}

#[test]
fn ssh_keys_that_age_cannot_use_are_named() {
    for (kind, why) in [("-t ecdsa", "of a kind that age cannot use"), ("-t rsa -m PKCS8", "ssh-keygen -p -f")] {
        let (test, public) = ssh(kind, "");
        let encrypted = test.identity_less_file();
        let file = test.path("id");
        let test = test.file("e.yaml", encrypted).env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", file.to_str().unwrap());
        test.run("decrypt e.yaml").fails().code(128).stderr_has(why);
        if kind == "-t ecdsa" {
            test.run(&format!("encrypt --age '{public}' a.yaml")).fails().stderr_has("this kind of ssh key");
            test.sops(&format!("encrypt --age '{public}' a.yaml")).code(1);
        }
    }
    let (test, public) = ssh("-t rsa -b 1024", "");
    test.run(&format!("encrypt --age '{public}' a.yaml")).fails().stderr_has("2048 bits");
}

impl Test {
    /// A file that nobody can open.
    fn identity_less_file(&self) -> Vec<u8> {
        let stranger = age::x25519::Identity::generate().to_public();
        self.run(&format!("encrypt --age {stranger} a.yaml")).code(0).stdout
    }
}

#[test]
fn a_locked_ssh_key_never_waits_for_a_terminal_that_is_not_there() {
    let (test, public) = ssh("-t ed25519", "sesame");
    let file = test.path("id").to_str().unwrap().to_owned();
    let test = test.env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &file);
    let encrypted = test.run(&format!("encrypt --age '{public}' a.yaml")).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    let refused = without_terminal(&test, "decrypt e.yaml").fails().code(128);
    refused.stderr_has("id is locked: there is no terminal to ask on").stderr_has("hint: run it in a terminal");
    // Nothing is asked for a file that does not name it.
    let test = {
        let file = test.identity_less_file();
        test.file("other.yaml", file)
    };
    let refused = without_terminal(&test, "decrypt other.yaml").fails().code(128);
    refused.stderr_has("an ssh key locked with a passphrase, ssh-ed25519 AAAA").stderr_has("not asked for");
}

/// Runs leafcrypt in a session of its own, which has no terminal, whatever the tests have.
fn without_terminal(test: &Test, line: &str) -> Output {
    let line = format!("-w {} {line}", crate::builder::leafcrypt().display());
    Output::of(&line, test.command("setsid".as_ref(), &line), b"")
}

#[test]
fn post_quantum_keys() {
    let test = test();
    let line = test.run("keygen --pq --output pq.txt").code(0).text();
    let recipient = line.trim();
    assert!(recipient.starts_with("age1pq1") && recipient.len() == 1959);
    assert!(test.read("pq.txt").contains("\nAGE-SECRET-KEY-PQ-1"));
    let file = test.path("pq.txt");
    let test = test.env("SOPS_AGE_KEY_FILE", file.to_str().unwrap());
    let test = both_ways(test, recipient);
    // Beside a key of the other kind: each opens it alone.
    let identity = age::x25519::Identity::generate();
    let both = format!("{recipient},{}", identity.to_public());
    let encrypted = test.run(&format!("encrypt --age {both} a.yaml")).code(0).stdout;
    let test = test.file("e.yaml", &encrypted);
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    test.sops("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    // Not for another.
    test.run("keygen --pq --output other.txt").code(0);
    let other = test.path("other.txt");
    let test = test.env("SOPS_AGE_KEY_FILE", other.to_str().unwrap());
    test.run("decrypt e.yaml").fails().code(128).stderr_has("1 identity, age1pq1").stderr_lacks("SECRET-KEY-PQ-1");
}

/// A test whose plugin writes its starts down, with the identities of `keys` (number and word) in its key file; and the
/// recipients of these keys.
pub(crate) fn plugin(keys: &[&str]) -> (Test, Vec<String>) {
    let folder = peers::age_plugins();
    let program = folder.join("age-plugin-pocket");
    let test = test();
    let mut recipients = Vec::new();
    let mut identities = String::new();
    for key in keys {
        let text = test.tool(program.to_str().unwrap(), key);
        recipients.push(text.lines().find_map(|line| line.strip_prefix("# recipient: ")).unwrap().to_owned());
        identities.push_str(&text);
    }
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let (file, log) = (test.path("keys.txt"), test.path("log"));
    let test = test.env("PATH", &path).env("POCKET_LOG", log.to_str().unwrap());
    (test.env("SOPS_AGE_KEY_FILE", file.to_str().unwrap()).file("keys.txt", identities), recipients)
}

/// How often the plugin was started to open something, since it was asked last.
pub(crate) fn starts(test: &Test) -> usize {
    let log = std::fs::read_to_string(test.path("log")).unwrap_or_default();
    let _ = std::fs::remove_file(test.path("log"));
    log.lines().filter(|line| *line == "identity-v1").count()
}

#[test]
fn plugins_wrap_and_open() {
    let (test, recipients) = plugin(&["7"]);
    assert!(recipients[0].starts_with("age1pocket1"));
    let test = both_ways(test, &recipients[0]);
    starts(&test);
    test.run("decrypt theirs.yaml").code(0).stdout(PLAINTEXT).stderr_has("age-plugin-pocket: opening pocket 7");
    assert_eq!(starts(&test), 1);
}

#[test]
fn a_plugin_is_started_once_for_a_file_and_only_at_need() {
    let (test, recipients) = plugin(&["7", "8"]);
    let test = test.identity();
    let (_, others) = plugin(&["1", "2", "3", "4"]);
    let all = [&others[..], &recipients[..]].concat().join(",");
    let encrypted = test.run(&format!("encrypt --age {all} a.yaml")).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    starts(&test);
    // Six keys of the plugin in the file, two of them ours: one process.
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    assert_eq!(starts(&test), 1);
    test.sops("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    assert!(starts(&test) > 1, "sops starts one for each");

    // With a key at hand that opens the file, the plugin is not started.
    let encrypted = test.run(&format!("encrypt --age {all},{{age}} a.yaml")).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    starts(&test);
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    assert_eq!(starts(&test), 0);
}

#[test]
fn a_plugin_is_started_once_for_many_files() {
    let (test, recipients) = plugin(&["7", "8"]);
    let (_, others) = plugin(&["1"]);
    let test = test.rules(&format!("creation_rules:\n  - age: {}\n", recipients[1]));
    let mut names = String::new();
    for at in 0..12 {
        // For one of our keys or both, and for strangers.
        let all = [&others[..], &recipients[at % 2..]].concat().join(",");
        let encrypted = test.run(&format!("encrypt --age {all} a.yaml")).code(0).stdout;
        std::fs::write(test.path(&format!("{at}.yaml")), encrypted).unwrap();
        names.push_str(&format!(" {at}.yaml"));
    }
    starts(&test);
    let decrypted = |test: &Test| {
        test.run(&format!("decrypt -i{names}")).code(0);
        assert_eq!(starts(test), 1);
        assert!((0..12).all(|at| test.read(&format!("{at}.yaml")) == PLAINTEXT));
    };
    test.run(&format!("rotate -i{names}")).code(0);
    assert_eq!(starts(&test), 1);
    test.run(&format!("updatekeys -y{names}")).code(0);
    assert_eq!(starts(&test), 1);
    decrypted(&test);
    // One file that nobody opens, one that is broken and one that is missing change nothing for the others.
    test.run(&format!("encrypt -i{names}")).code(0);
    let stranger = age::x25519::Identity::generate().to_public();
    let foreign = test.run(&format!("encrypt --age {stranger},{} a.yaml", others[0])).code(0).stdout;
    let test = test.file("foreign.yaml", foreign).file("broken.yaml", "sops: [\n");
    starts(&test);
    let some = test.run(&format!("decrypt -i missing.yaml broken.yaml foreign.yaml{names}")).fails();
    some.stderr_has("3 of 15 files failed");
    assert!((0..12).all(|at| test.read(&format!("{at}.yaml")) == PLAINTEXT));
    // The one that nobody opens is asked about again, to say why, unless it came first; and about its stranger.
    let again = starts(&test);
    assert!((2..=3).contains(&again), "started {again} times");
}

#[test]
fn what_keeps_a_plugin_from_opening_is_said() {
    for (word, why) in [
        ("refuse", "age-plugin-pocket: pocket 7 stays closed"),
        ("die", "age-plugin-pocket ended before its time"),
        ("die", "the pocket is torn"),
        ("pin", "pocket 7 stays closed"),
        ("confirm", "pocket 7 stays closed"),
    ] {
        let (test, recipients) = plugin(&[&format!("7 {word}")]);
        let encrypted = test.run(&format!("encrypt --age {} a.yaml", recipients[0])).code(0).stdout;
        let test = test.file("e.yaml", encrypted);
        let refused = without_terminal(&test, "decrypt e.yaml").fails().code(128).stderr_has(why);
        refused.stderr_has("1 identity, one of the age plugin pocket").stderr_lacks("AGE-PLUGIN-POCKET-1");
    }
    let (test, recipients) = plugin(&["7"]);
    let encrypted = test.run(&format!("encrypt --age {} a.yaml", recipients[0])).code(0).stdout;
    let test = test.file("e.yaml", encrypted).env("PATH", "/usr/bin:/bin");
    test.run("decrypt e.yaml").fails().code(128).stderr_has("the program age-plugin-pocket is not installed");
    let missing = test.run(&format!("encrypt -i --age {} a.yaml", recipients[0])).fails();
    missing.stderr_has("the program age-plugin-pocket is not installed");
    assert_eq!(test.read("a.yaml"), PLAINTEXT);
    let (test, recipients) = plugin(&["0"]);
    test.run(&format!("encrypt --age {} a.yaml", recipients[0])).fails().stderr_has("pocket 0 has a hole");
}

/// A program that is no plugin, in the place of one.
#[test]
fn what_does_not_speak_the_protocol_is_an_error() {
    use std::os::unix::fs::PermissionsExt as _;
    for (script, why) in [
        ("sed '/^-> done/q' >/dev/null; echo hello", "does not speak the protocol"),
        ("sed '/^-> done/q' >/dev/null; exit 0", "ended before its time"),
        ("exec >&-; sed '/^-> done/q' >/dev/null", "ended before its time"),
        ("sed '/^-> done/q' >/dev/null; head -c 3000000 /dev/zero", "does not speak the protocol"),
        ("printf -- '-> file-key 0\\n\\n-> done\\n\\n'; sed '/^-> done/q' >/dev/null", "gave no file key"),
        (
            "printf -- '-> file-key 99999999999999999999\\nAAAA\\n-> done\\n\\n'; sed '/^-> done/q' >/dev/null",
            "no key on this machine",
        ),
    ] {
        let (test, recipients) = plugin(&["7"]);
        let encrypted = test.run(&format!("encrypt --age {} a.yaml", recipients[0])).code(0).stdout;
        let fake = test.file("bin/age-plugin-pocket", format!("#!/bin/sh\n{script}\n")).file("e.yaml", encrypted);
        let program = fake.path("bin/age-plugin-pocket");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
        fake.env("PATH", &path).run("decrypt e.yaml").fails().code(128).stderr_has(why);
    }
}

/// Names beside stanzas are hints: whatever they are, what opens is found.
#[test]
fn wrong_names_beside_stanzas_hide_nothing() {
    let (test, recipients) = plugin(&["7"]);
    let encrypted = test.run(&format!("encrypt --age {} a.yaml", recipients[0])).code(0).text();
    let stranger = age::x25519::Identity::generate().to_public().to_string();
    let test = test.file("e.yaml", encrypted.replace(&recipients[0], &stranger));
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    test.sops("decrypt e.yaml").code(0).stdout(PLAINTEXT);
}

/// Keys in hardware that age encrypts for by itself, and that their plugin opens.
#[test]
fn tagged_keys_of_hardware_are_opened_by_their_plugin() {
    for (word, begin) in [("tag", "age1tag1"), ("tagpq", "age1tagpq1")] {
        let (test, recipients) = plugin(&[&format!("7 {word}")]);
        let recipient = &recipients[0];
        assert!(recipient.starts_with(begin), "{recipients:?}");
        // Encrypting needs no plugin.
        let line = format!("encrypt --age {recipient} a.yaml");
        let bare = test.run_as(&[("PATH", "/nowhere")], &line).code(0).stdout_has(recipient);
        // sops 3.11 does not know these recipients itself yet.
        test.sops_as(&[("PATH", "/nowhere")], &line).code(1).fails_with("age-plugin-tag");
        let test = test.file("ours.yaml", bare.stdout);
        assert_eq!(starts(&test), 0);
        let opened = test.run("decrypt --verbose ours.yaml").code(0).stdout(PLAINTEXT);
        assert_eq!(starts(&test), 1);
        opened.stderr_has("opened with the plugin pocket");
        test.sops("decrypt ours.yaml").code(0).stdout(PLAINTEXT);
        // For another key, for one of the other kind, and where the plugin is not installed.
        let different = if word == "tag" { "7 tagpq" } else { "7 tag" };
        for strange in [&format!("8 {word}"), different] {
            let (other, _) = plugin(&[strange]);
            let other = other.file("e.yaml", test.read("ours.yaml"));
            other.run("decrypt e.yaml").fails().code(128).stderr_has("1 identity, one of the age plugin pocket");
        }
        let test = test.env("PATH", "/usr/bin:/bin");
        test.run("decrypt ours.yaml").fails().code(128).stderr_has("the program age-plugin-pocket is not installed");
    }
}

/// With a hundred recipients, the last of them ours: at most a fifth of the CPU time of sops, once optimized.
#[test]
fn a_hundred_recipients_cost_a_fifth_of_what_they_cost_sops() {
    let test = test().identity();
    let others: Vec<String> = (0..99).map(|_| age::x25519::Identity::generate().to_public().to_string()).collect();
    let encrypted = test.run(&format!("encrypt --age {},{{age}} a.yaml", others.join(","))).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    // In turns: what else the machine does at the moment is then the same for both, and the least has least of it.
    let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
    for _ in 0..10 {
        ours = ours.min(test.cpu(crate::builder::leafcrypt(), "decrypt e.yaml", 3));
        theirs = theirs.min(test.cpu(peers::real_sops(), "decrypt e.yaml", 1));
    }
    eprintln!("a hundred recipients: {ours:.4} s, sops {theirs:.4} s of CPU, {:.3}", ours / theirs);
    let most = if cfg!(debug_assertions) { 0.3 } else { 0.2 };
    assert!(ours < theirs * most, "{ours:.4} s of CPU against {theirs:.4} s of sops");
}

/// As codes of squares have them. sops takes none in capitals, so that it could not rotate a file with one.
#[test]
fn recipients_in_capitals_are_written_as_sops_reads_them() {
    let test = test().identity();
    let capitals = test.recipient().to_ascii_uppercase();
    test.sops(&format!("encrypt --age {capitals} a.yaml")).fails_with("unknown recipient type");
    let encrypted = test.run(&format!("encrypt --age {capitals},{{age}} a.yaml")).code(0).text();
    assert_eq!(encrypted.matches("- recipient: ").count(), 1);
    assert!(encrypted.contains(&test.recipient()), "{encrypted}");
    // A file that has it otherwise, and one more of them.
    let other = age::x25519::Identity::generate().to_public().to_string();
    let encrypted = test.run(&format!("encrypt --age {{age}},{other} a.yaml")).code(0).text();
    let encrypted = encrypted.replace(&test.recipient(), &capitals);
    let test = test.file("e.yaml", encrypted);
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    test.run(&format!("rotate -i --rm-age {} e.yaml", other.to_ascii_uppercase())).code(0);
    assert!(!test.read("e.yaml").contains(&other));
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    let (pq, _) = capitals.split_at(8);
    test.run(&format!("encrypt --age {pq} a.yaml")).fails().stderr_has("not an age recipient");
}

#[test]
fn several_recipients_in_several_flags_are_told_how_to_stand_in_one() {
    let test = test().identity();
    for command in ["encrypt", "rotate -i"] {
        let flag = if command == "encrypt" { "--age" } else { "--add-age" };
        let refused = test.run(&format!("{command} {flag} {{age}} {flag} {{age}} a.yaml")).fails();
        refused.stderr_has(&format!("{flag} RECIPIENT,RECIPIENT"));
    }
}

/// Variables that are put in other words for libraries are what they were to the programs that leafcrypt runs.
#[test]
fn commands_and_editors_get_the_variables_as_they_were() {
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file("a.yaml", "a: 1\n");
    test.run("encrypt -i a.yaml").code(0);
    let keys = std::fs::read(test.home().join(".config/sops/age/keys.txt")).unwrap();
    std::fs::remove_file(test.home().join(".config/sops/age/keys.txt")).unwrap();
    let script = "#!/bin/sh\necho $HTTPS_PROXY $NO_PROXY ${ALL_PROXY-none} >> seen\ncat keys\n";
    let test = test.file("keys", keys).file("script", script);
    std::fs::set_permissions(test.path("script"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let test = test.env("SOPS_AGE_KEY_CMD", "./script").env("EDITOR", "./script");
    let test = test.env("HTTPS_PROXY", "socks5://h:1/").env("NO_PROXY", "*.x:1").env("ALL_PROXY", "y");
    test.run("edit a.yaml").stdout_has("AGE-SECRET-KEY-");
    let seen = "socks5://h:1/ *.x:1 y\n";
    assert_eq!(test.read("seen"), format!("{seen}{seen}"));
}

/// Somebody else may have put a program into the folder in which leafcrypt stands, or into that for temporary files.
#[test]
fn programs_of_the_current_folder_are_not_run() {
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file("a.yaml", "a: 1\n");
    test.run("encrypt -i a.yaml").code(0);
    let keys = test.home().join(".config/sops/age/keys.txt");
    let script =
        format!("#!/bin/sh\ntouch ran\n{}\n", format_args!("echo {}", std::fs::read_to_string(&keys).unwrap()));
    std::fs::remove_file(keys).unwrap();
    let test =
        test.file("b.yaml", "a: 1\n").file("my-keys", &script).file("gpg", &script).env("SOPS_AGE_KEY_CMD", "my-keys");
    for name in ["my-keys", "gpg"] {
        std::fs::set_permissions(test.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    for path in ["/usr/bin:/bin:", ".:/usr/bin:/bin", "/nowhere::/usr/bin"] {
        let refused = test.run_as(&[("PATH", path)], "decrypt a.yaml").fails();
        refused.stderr_has("my-keys cannot be run: it is in none of the folders of PATH");
        test.sops_as(&[("PATH", path)], "decrypt a.yaml").fails_with("cannot run executable");
    }
    let pgp = "encrypt --pgp 85D77543B3D624B63CEA9E6DBC17301B491B3F21 b.yaml";
    test.run_as(&[("PATH", ".")], pgp).fails().stderr_has("gpg cannot be run");
    assert!(!test.path("ran").exists());
    let own = format!("/usr/bin:/bin:{}", test.path("").display());
    test.run_as(&[("PATH", &own)], "decrypt a.yaml").code(0).stdout("a: 1\n");
    assert!(test.path("ran").exists());
}

/// A comment or another spelling makes no other key of one: who is to lose access loses it.
#[test]
fn a_key_is_found_whatever_its_spelling() {
    let (test, public) = ssh("-t ed25519", "");
    let (test, public) = (test.identity(), public.trim());
    let bare = public.rsplit_once(' ').unwrap().0;
    let encrypted = test.run(&format!("encrypt --age '{public},{}' a.yaml", test.recipient())).code(0).text();
    let test = test.file("e.yaml", encrypted);
    test.run(&format!("rotate -i --add-age '{bare}' e.yaml")).code(0).stderr_has("is a recipient already");
    assert_eq!(test.read("e.yaml").matches("recipient: ").count(), 2);
    test.run(&format!("rotate -i --rm-age '{bare}' e.yaml")).code(0).stderr_lacks("nothing was removed");
    assert!(!test.read("e.yaml").contains("ssh-ed25519"));
}
