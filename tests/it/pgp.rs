//! PGP keys of a real gpg, both ways with the real sops.

use crate::builder::Test;
use crate::gnupg::Gnupg;
use crate::services::Servers;

const PLAINTEXT: &str = "user: admin\n";

fn test(gnupg: &Gnupg) -> Test {
    Test::new().env("GNUPGHOME", gnupg.home().to_str().unwrap()).file("a.yaml", PLAINTEXT)
}

/// A test whose gpg writes its runs down.
fn logged_test(gnupg: &Gnupg) -> (Test, impl Fn() -> Vec<String>) {
    let (gpg, log) = gnupg.logged();
    let test = test(gnupg).env("SOPS_GPG_EXEC", gpg.to_str().unwrap());
    // The runs since it was asked last.
    let runs = move || {
        let lines = std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect();
        let _ = std::fs::remove_file(&log);
        lines
    };
    (test, runs)
}

#[test]
fn files_are_read_both_ways_by_fingerprint_and_long_id() {
    let gnupg = Gnupg::new();
    let full = gnupg.key("alice", "");
    let subkey = gnupg.fingerprints()[0].1.clone();
    let spaced = format!("{} {}", &full[..20], &full[20..]);
    let long = &full[24..];
    let forced = format!("{subkey}!");
    for name in [&full, &full.to_lowercase(), &spaced, long, &format!("0x{long}"), &subkey, &forced] {
        for (file, plaintext) in [("a.yaml", PLAINTEXT), ("a.json", "{\"user\": \"admin\"}\n")] {
            let test = test(&gnupg).file(file, plaintext);
            let ours = test.run(&format!("encrypt -p '{name}' {file}")).code(0).text();
            let theirs = test.sops(&format!("encrypt -p '{name}' {file}")).code(0).text();
            if file == "a.yaml" {
                assert_eq!(fields(&ours), fields(&theirs), "{name}");
            }
            let (encrypted, sealed) = (format!("ours-{file}"), format!("theirs-{file}"));
            let test = test.file(&encrypted, ours).file(&sealed, theirs);
            test.sops(&format!("decrypt --extract '[\"user\"]' {encrypted}")).code(0).stdout("admin");
            test.run(&format!("decrypt --extract '[\"user\"]' {sealed}")).code(0).stdout("admin");
            test.run(&format!("decrypt {encrypted}")).code(0).stdout(plaintext);
            test.run(&format!("rotate {sealed}")).code(0).stdout_has(&name.replace(' ', ""));
        }
    }
}

/// The names of the fields of the one PGP stanza, in order, and the fingerprint as it is spelled.
fn fields(yaml: &str) -> Vec<String> {
    let block = yaml.lines().skip_while(|line| line.trim() != "pgp:").skip(1);
    let fields = block.take_while(|line| line.starts_with("     ")).filter(|line| line.contains(": "));
    let shown = |field: &str| if field.starts_with("fp:") { field.to_owned() } else { field[..4].to_owned() };
    fields.map(|line| shown(line.trim_start_matches([' ', '-']))).collect()
}

#[test]
fn recipients_come_from_the_flag_the_variable_and_the_rule() {
    let gnupg = Gnupg::new();
    let (alice, bob) = (gnupg.key("alice", ""), gnupg.key("bob", ""));
    let both = |output: crate::builder::Output| output.code(0).stdout_has(&alice).stdout_has(&bob);
    both(test(&gnupg).run(&format!("encrypt --pgp {alice},{bob} a.yaml")));
    both(test(&gnupg).env("SOPS_PGP_FP", &format!("{alice},{bob}")).run("encrypt a.yaml"));
    both(
        test(&gnupg)
            .rules(&format!("creation_rules:\n  - pgp: >-\n      {alice},\n      {bob}\n"))
            .run("encrypt a.yaml"),
    );
    let groups = format!("creation_rules:\n  - key_groups:\n      - pgp: [{alice}]\n      - pgp: [{bob}]\n");
    let test = test(&gnupg).rules(&groups);
    let encrypted = both(test.run("encrypt a.yaml")).stdout_has("shamir_threshold: 2").text();
    let test = test.file("e.yaml", encrypted);
    test.sops("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
}

#[test]
fn gpg_gets_the_arguments_that_sops_gives_it() {
    let gnupg = Gnupg::new();
    let alice = gnupg.key("alice", "");
    let forced = format!("{}!", gnupg.fingerprints()[0].1);
    let (test, runs) = logged_test(&gnupg);
    for name in [alice.as_str(), &alice[24..], &forced, &forced[24..]] {
        let encrypted = test.sops(&format!("encrypt --pgp {name} a.yaml")).code(0).stdout;
        let theirs = runs();
        test.run(&format!("encrypt --pgp {name} a.yaml")).code(0);
        assert_eq!(runs(), theirs);
        std::fs::write(test.path("e.yaml"), encrypted).unwrap();
        test.sops("decrypt e.yaml").code(0);
        let theirs = runs();
        test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
        assert_eq!(runs(), theirs);
        assert_eq!(theirs, ["-d"]);
    }
}

/// Of twenty messages the one for us is found without trying the others.
#[test]
fn gpg_is_run_once_for_a_file() {
    let (ours, others) = (Gnupg::new(), Gnupg::new());
    let mut names = Vec::new();
    for number in 0..4 {
        names.push(others.key(&format!("other{number}"), ""));
        ours.import_public(&others, &names[number]);
    }
    names.push(ours.key("me", ""));
    let (test, runs) = logged_test(&ours);
    let encrypted = test.run(&format!("encrypt --pgp {} a.yaml", names.join(","))).code(0).stdout;
    assert_eq!(runs().len(), names.len());
    let test = test.file("e.yaml", &encrypted);
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    assert_eq!(runs(), ["--batch --with-colons --list-secret-keys", "-d"]);
    test.sops("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    assert!(runs().len() > 1, "sops tries them in order");

    // A wrong fingerprint beside the message does not hide it.
    let misnamed = String::from_utf8(encrypted).unwrap().replace(&names[4], &names[0]);
    let test = test.file("e.yaml", misnamed);
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    assert_eq!(runs().len(), 2);

    // None for us: nothing is tried.
    let encrypted = test.run(&format!("encrypt --pgp {} a.yaml", names[..4].join(","))).code(0).stdout;
    runs();
    let test = test.file("e.yaml", encrypted);
    test.run("decrypt e.yaml").fails().code(128).stderr_has("1 secret key").stderr_has(&names[4]).stderr_has(&names[3]);
    assert_eq!(runs().len(), 1);
}

#[test]
fn gpg_is_not_started_when_an_age_key_opens_the_file() {
    let gnupg = Gnupg::new();
    let alice = gnupg.key("alice", "");
    let (test, runs) = logged_test(&gnupg);
    let test = test.identity();
    let encrypted = test.run(&format!("encrypt --age {{age}} --pgp {alice} a.yaml")).code(0).stdout;
    runs();
    let test = test.file("e.yaml", encrypted);
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT);
    assert_eq!(runs(), [""; 0]);
}

#[test]
fn what_keeps_gpg_from_opening_a_file_is_said() {
    let (gnupg, stranger) = (Gnupg::new(), Gnupg::new());
    let alice = gnupg.key("alice", "sesame");
    let encrypted = test(&gnupg).run(&format!("encrypt --pgp {alice} a.yaml")).code(0).stdout;
    let on = |gnupg: &Gnupg| test(gnupg).file("e.yaml", &encrypted);
    let refused = |gnupg: &Gnupg, what: &str| {
        let output = on(gnupg).run("decrypt e.yaml").fails().code(128).stderr_has(&alice).stderr_lacks("sesame");
        output.stderr_has(what).stderr_has("hint: ")
    };

    gnupg.pinentry("echo 'ERR 83886179 Operation cancelled <Pinentry>'");
    refused(&gnupg, "its passphrase was not given").stderr_has("Operation cancelled");
    gnupg.pinentry("echo 'D wrong'; echo OK");
    refused(&gnupg, "the passphrase was wrong");
    gnupg.pinentry("echo 'D sesame'; echo OK");
    on(&gnupg).run("decrypt e.yaml").code(0).stdout(PLAINTEXT);

    std::fs::write(gnupg.home().join("gpg-agent.conf"), "pinentry-program /no/such/pinentry\n").unwrap();
    gnupg.end_agent();
    refused(&gnupg, "nothing could ask for its passphrase").stderr_has("GPG_TTY");
    gnupg.end_agent();
    std::fs::write(gnupg.home().join("gpg.conf"), "no-autostart\n").unwrap();
    refused(&gnupg, "gpg has no agent").stderr_has("gpgconf --launch gpg-agent");

    refused(&stranger, "no secret key").stderr_has("gpg --import");
    let missing = on(&stranger).env("SOPS_GPG_EXEC", "/no/such/gpg").run("decrypt e.yaml").fails().code(128);
    missing.stderr_has("/no/such/gpg").stderr_has("SOPS_GPG_EXEC");
}

/// In a network without a way out it works the same, and nobody was asked for: not for a key that gpg has not either.
#[test]
fn nobody_across_a_network_is_contacted() {
    let (gnupg, other) = (Gnupg::new(), Gnupg::new());
    let (alice, bob) = (gnupg.key("alice", ""), other.key("bob", ""));
    gnupg.end_agent();
    let servers = Servers::alone("bao");
    let test = test(&gnupg);
    let encrypted = servers.run(&test, &format!("encrypt --pgp {alice} a.yaml")).code(0).text();
    let test = test.file("e.yaml", &encrypted).file("b.yaml", encrypted.replace(&alice, &bob));
    servers.run(&test, "decrypt e.yaml").code(0).stdout(PLAINTEXT);
    servers.run(&test, &format!("encrypt --pgp {bob} a.yaml")).fails().stderr_has("gpg has no such public key");
    servers.run(&test, "rotate b.yaml").code(1);
    assert_eq!(servers.strangers(), "");
}

/// A key on a card, of which gpg has a note alone.
#[test]
fn what_keeps_a_smartcard_from_opening_a_file_is_said() {
    let gnupg = Gnupg::new();
    let alice = gnupg.key("alice", "");
    let encrypted = test(&gnupg).run(&format!("encrypt --pgp {alice} a.yaml")).code(0).stdout;
    let refused = |what: &str| {
        let refused = test(&gnupg).file("e.yaml", &encrypted).run("decrypt e.yaml").fails().code(128).stderr_has(what);
        refused.stderr_has(&alice).stderr_has("(card 0006 01234567; ").stderr_has("gpg --card-status")
    };
    gnupg.on_card("/no/such/scdaemon");
    refused("the key is on a smartcard, and gpg has no program to talk to one").stderr_has("install scdaemon");

    // A reader without a card: the agent asks for it, and somebody says no.
    let answers =
        "case $word in SERIALNO) echo 'ERR 100663408 Card not present <SCD>';; BYE) echo OK; exit;; *) echo OK;; esac";
    let reader = gnupg.program("reader", &format!("echo OK\nwhile read -r word rest; do {answers}; done"));
    gnupg.pinentry("echo OK");
    let asked = gnupg.home().join("asked");
    let answers = format!("case $word in SETDESC) echo \"$rest\" > {}; echo OK;;", asked.display());
    let answers = format!(
        "{answers} CONFIRM) echo 'ERR 83886179 Operation cancelled <Pinentry>';; BYE) echo OK; exit;; *) echo OK;; esac"
    );
    gnupg.program("pinentry", &format!("echo OK\nwhile read -r word rest; do {answers}; done"));
    gnupg.on_card(reader.to_str().unwrap());
    refused("the smartcard is not there, or its PIN was not given").stderr_has("insert the card");
    assert!(std::fs::read_to_string(asked).unwrap().contains("insert the card"));

    // A card that is there and refuses.
    let answers = "case $word in SERIALNO) echo 'S SERIALNO D2760001240102010006012345670000'; echo OK;; \
                   PKDECRYPT) echo 'ERR 100663404 Card error <SCD>';; BYE) echo OK; exit;; *) echo OK;; esac";
    gnupg.program("reader", &format!("echo OK\nwhile read -r word rest; do {answers}; done"));
    gnupg.end_agent();
    refused("the smartcard did not do it");
}

/// Messages of gpg are told apart by their English text, whatever language its user has.
#[test]
fn gpg_speaks_english_to_us() {
    let (gnupg, stranger) = (Gnupg::new(), Gnupg::new());
    let alice = gnupg.key("alice", "");
    let encrypted = test(&gnupg).run(&format!("encrypt --pgp {alice} a.yaml")).code(0).stdout;
    // What gpg does where its translations are installed; they are not everywhere.
    let german = "[ \"$LANGUAGE\" = en ] && exec gpg \"$@\"\necho 'gpg: Kein geheimer Schlüssel' >&2; exit 2";
    let gpg = stranger.program("german-gpg", german);
    let test = test(&stranger).env("SOPS_GPG_EXEC", gpg.to_str().unwrap()).env("LANGUAGE", "de");
    test.file("e.yaml", encrypted).run("decrypt e.yaml").fails().stderr_has("gpg --import");
}

#[test]
fn what_keeps_gpg_from_encrypting_is_said_and_nothing_is_written() {
    let (gnupg, other) = (Gnupg::new(), Gnupg::new());
    let (alice, bob) = (gnupg.key("alice", ""), other.key("bob", ""));
    let test = test(&gnupg);
    let refused = test.run(&format!("encrypt -i --pgp {alice},{bob} a.yaml")).fails();
    refused.stderr_has(&bob).stderr_has("gpg has no such public key").stderr_has("gpg --import");
    test.run("encrypt -i --pgp bob@example.com a.yaml").fails().stderr_has("not a PGP fingerprint");
    assert_eq!(test.read("a.yaml"), PLAINTEXT);
}

/// What stands in `enc` is whatever somebody wrote there.
#[test]
fn a_damaged_message_is_an_error() {
    let gnupg = Gnupg::new();
    let alice = gnupg.key("alice", "");
    let encrypted = test(&gnupg).run(&format!("encrypt --pgp {alice} a.yaml")).code(0).text();
    let start = encrypted.find("hF4D").unwrap();
    let next_line = start + encrypted[start..].find("\n            ").unwrap() + 13;
    for (at, text) in [(start, "AAAA"), (start, "!!!!"), (start + 4, "AAAA"), (next_line, "AAAA")] {
        let mut damaged = encrypted.clone();
        damaged.replace_range(at..at + 4, text);
        let output = test(&gnupg).file("e.yaml", damaged).run("decrypt e.yaml").fails().code(128);
        output.stderr_has(&alice);
    }
}
