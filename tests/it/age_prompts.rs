//! What age keys ask their owner, in a real terminal.

use crate::age::{plugin, starts};
use crate::builder::{Test, leafcrypt};
use crate::terminal::Terminal;
use std::os::unix::process::ExitStatusExt as _;

const PLAINTEXT: &str = "user: admin\n";

/// A file that only an ssh key opens which is locked with the passphrase `sesame`.
fn locked_ssh_key(kind: &str) -> Test {
    let test = Test::new().file("a.yaml", PLAINTEXT);
    let folder = test.home().join(".ssh");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join(format!("id_{kind}"));
    test.tool("ssh-keygen", &format!("-q -t {kind} -N sesame -C me -f {}", file.display()));
    let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
    let encrypted = test.run(&format!("encrypt --age '{}' a.yaml", public.trim())).code(0).stdout;
    test.file("e.yaml", encrypted)
}

/// A file whose age identity stands in a key file that the real age locked with the passphrase `sesame`.
fn locked_key_file() -> Test {
    let test = Test::new().file("a.yaml", PLAINTEXT);
    let public = test.run("keygen --output plain.txt").code(0).text();
    let mut age = Terminal::start(&test.command("age".as_ref(), "-p -o locked.txt plain.txt"));
    age.expect("Enter passphrase").send("sesame\r").expect("onfirm").send("sesame\r");
    assert!(age.end().0.success());
    std::fs::remove_file(test.path("plain.txt")).unwrap();
    let encrypted = test.run(&format!("encrypt --age {} a.yaml", public.trim())).code(0).stdout;
    let file = test.path("locked.txt");
    test.file("e.yaml", encrypted).env("SOPS_AGE_KEY_FILE", file.to_str().unwrap())
}

fn start(test: &Test, line: &str) -> Terminal {
    Terminal::start(&test.command(leafcrypt(), line))
}

#[test]
fn a_locked_ssh_key_asks_for_its_passphrase() {
    for kind in ["ed25519", "rsa"] {
        let test = locked_ssh_key(kind);
        let mut terminal = start(&test, "decrypt e.yaml");
        terminal.expect(&format!("Passphrase of the ssh key in ~/.ssh/id_{kind}: ")).send("sesame\r");
        let (status, shown) = terminal.end();
        assert!(status.success() && shown.contains("user: admin"), "{shown}");
        assert!(!shown.contains("sesame"), "{shown}");
        // sops reads the same file with the same key.
        let mut sops = Terminal::start(&test.command(crate::peers::real_sops(), "decrypt e.yaml"));
        sops.expect("passphrase").send("sesame\r");
        let (status, shown) = sops.end();
        assert!(status.success() && shown.contains("user: admin"), "{shown}");
    }
}

#[test]
fn a_locked_key_file_asks_for_its_passphrase() {
    let test = locked_key_file();
    let mut terminal = start(&test, "decrypt e.yaml");
    let file = test.path("locked.txt");
    terminal.expect(&format!("Passphrase of the age identities in SOPS_AGE_KEY_FILE={}: ", file.display()));
    // What is typed wrong is corrected, a wrong passphrase is asked for again.
    terminal.send("hunter2\r").expect("That is not its passphrase.");
    terminal.expect("Passphrase of the age identities").send("nonsense\x15sezü\x7f\x7fsame\r");
    let (status, shown) = terminal.end();
    assert!(status.success() && shown.contains("user: admin"), "{shown}");
    assert!(!shown.contains("same\r") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_wrong_passphrase_is_asked_for_three_times() {
    let test = locked_ssh_key("ed25519");
    let mut terminal = start(&test, "decrypt e.yaml");
    for _ in 0..3 {
        terminal.expect("Passphrase of").send("hunter2\r");
    }
    let (status, shown) = terminal.end();
    assert_eq!(status.code(), Some(128), "{shown}");
    assert!(shown.contains("id_ed25519 is locked: the passphrase was wrong") && !shown.contains("hunter2"), "{shown}");
}

/// Ctrl-C ends the program as it does everywhere, with the terminal as it was; Ctrl-D is an answer.
/// No shell stands behind this terminal that would bring the program forward again, so the system lets it go on.
#[test]
fn a_prompt_that_was_stopped_asks_again() {
    let test = locked_ssh_key("ed25519");
    let mut terminal = start(&test, "decrypt e.yaml");
    terminal.expect("Passphrase of").send("wro\x1a").expect("Passphrase of").send("sesame\r");
    let (status, shown) = terminal.end();
    assert!(status.success() && shown.contains("user: admin") && !shown.contains("wro"), "{shown}");
    let mut terminal = start(&test, "decrypt e.yaml");
    terminal.expect("Passphrase of").send("ses\x1c");
    assert_eq!(terminal.end().0.signal(), Some(3));
}

#[test]
fn whoever_is_asked_may_decline() {
    let test = locked_ssh_key("ed25519");
    let mut terminal = start(&test, "decrypt e.yaml");
    terminal.expect("Passphrase of").send("ses\x03");
    let (status, shown) = terminal.end();
    assert_eq!(status.signal(), Some(2), "{shown}");
    // The shell that comes after sees what is typed.
    let line = format!("-c '{} decrypt e.yaml; stty -a'", leafcrypt().display());
    let mut shell = Terminal::start(&test.command("bash".as_ref(), &line));
    shell.expect("Passphrase of").send("\x04");
    let (_, shown) = shell.end();
    assert!(shown.contains("the passphrase was not given"), "{shown}");
    assert!(shown.contains(" echo ") && shown.contains(" icanon ") && shown.contains("isig "), "{shown}");
}

/// A process in the background would be stopped for good if it asked.
#[test]
fn nobody_is_asked_from_the_background() {
    let test = locked_ssh_key("ed25519");
    let line = format!("-mc '{} decrypt e.yaml & wait'", leafcrypt().display());
    let (_, shown) = Terminal::start(&test.command("bash".as_ref(), &line)).end();
    assert!(shown.contains("there is no terminal to ask on"), "{shown}");
}

#[test]
fn plugins_ask_through_us() {
    for (word, question, answer) in [
        ("pin", "age-plugin-pocket: PIN of pocket 7: ", "1234"),
        ("name", "age-plugin-pocket: your name: ", "alice"),
        ("confirm", "age-plugin-pocket: open the pocket? [y: open it, n: leave it] ", "y"),
    ] {
        let (test, recipients) = plugin(&[&format!("7 {word}")]);
        let encrypted = test.run(&format!("encrypt --age {} a.yaml", recipients[0])).code(0).stdout;
        let test = test.file("e.yaml", encrypted);
        let mut terminal = start(&test, "decrypt e.yaml");
        terminal.expect(question).send(&format!("{answer}\r"));
        let (status, shown) = terminal.end();
        assert!(status.success() && shown.contains("user: admin"), "{shown}");
        assert!(!shown.contains("1234"), "{shown}");
        starts(&test);
        // Another answer than the right one.
        let mut terminal = start(&test, "decrypt e.yaml");
        terminal.expect(question).send("n\r");
        let (status, shown) = terminal.end();
        assert_eq!(status.code(), Some(128), "{shown}");
        assert!(shown.contains("pocket 7 stays closed"), "{shown}");
        assert_eq!(starts(&test), 1);
    }
}

#[test]
fn a_slow_plugin_is_named() {
    let (test, recipients) = plugin(&["7 slow"]);
    let encrypted = test.run(&format!("encrypt --age {} a.yaml", recipients[0])).code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    test.run("decrypt e.yaml").code(0).stdout(PLAINTEXT).stderr_has("waiting for age-plugin-pocket");
}

/// Many files of one kustomization: one question.
#[test]
fn a_passphrase_is_asked_for_once_for_many_files() {
    let test = locked_ssh_key("ed25519");
    let mut files = String::new();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: NAME\nstringData:\n  user: admin\n";
    let public = std::fs::read_to_string(test.home().join(".ssh/id_ed25519.pub")).unwrap();
    for number in 0..20 {
        std::fs::write(test.path("s.yaml"), secret.replace("NAME", &format!("s{number}"))).unwrap();
        let line =
            format!("encrypt --encrypted-regex ^stringData$ --age '{}' --output s{number}.yaml s.yaml", public.trim());
        test.run(&line).code(0);
        files.push_str(&format!("  - s{number}.yaml\n"));
    }
    let generator = format!("apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: g\nfiles:\n{files}");
    let test = test.file("g.yaml", generator);
    let mut terminal = start(&test, "kustomize g.yaml");
    terminal.expect("Passphrase of").send("sesame\r");
    let (status, shown) = terminal.end();
    assert!(status.success(), "{shown}");
    assert_eq!(shown.matches("Passphrase of").count(), 1, "{shown}");
    assert_eq!(shown.matches("user: admin").count(), 20, "{shown}");
}

#[test]
fn a_key_service_asks_once_until_it_is_answered() {
    let holder = locked_ssh_key("ed25519");
    let folder = tempfile::Builder::new().prefix("ks").tempdir_in("/tmp").unwrap();
    let address = format!("{}/s", folder.path().display());
    let mut terminal = start(&holder, &format!("keyservice --network unix --address {address}"));
    terminal.expect("listening at");
    let client = Test::new().file("e.yaml", holder.read("e.yaml"));
    let line = format!("decrypt --keyservice unix://{address} e.yaml");
    let ask = || client.run(&line);
    std::thread::scope(|scope| {
        let asking = scope.spawn(ask);
        for _ in 0..3 {
            terminal.expect("Passphrase of").send("hunter2\r");
        }
        asking.join().unwrap().fails().code(128).stderr_has("the passphrase was wrong");
        // What was typed wrong for one request is asked again for the next, and then not any more.
        let asking = scope.spawn(ask);
        terminal.expect("Passphrase of").send("sesame\r");
        asking.join().unwrap().code(0).stdout(PLAINTEXT);
    });
    client.run(&line).code(0).stdout(PLAINTEXT);
    client.run(&line).code(0).stdout(PLAINTEXT);
    terminal.send("\x03");
    let (status, shown) = terminal.end();
    assert!(status.success() && shown.matches("Passphrase of").count() == 4, "{shown}");
}
