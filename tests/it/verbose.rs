//! `--verbose`: what is done and how long it takes, on the standard error, and no secret in it.

use crate::builder::{Output, Test};

const PLAIN: &str = "# hunter2\nuser: admin-hunter2\nnested:\n    pass: hunter2\n";

/// In every place of the line, and in the old form, the steps are shown with their times; what is
/// printed is the same.
#[test]
fn steps_are_shown_with_their_times_and_without_secrets() {
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file("plain.yaml", PLAIN);
    let encrypted = test.run("encrypt plain.yaml").code(0).stderr_lacks("verbose:").stdout;
    let test = test.file("a.yaml", encrypted);
    test.run("decrypt a.yaml").code(0).stderr_lacks("verbose:").stdout(PLAIN);
    for (line, steps) in [
        (
            "decrypt --verbose a.yaml",
            &[
                "read a.yaml, ",
                "opened with the identity of ~/.config/sops/age/keys.txt",
                " opened the data key (",
                "decrypted 3 values",
                "done (",
            ][..],
        ),
        ("--verbose decrypt a.yaml", &["read a.yaml, ", "done ("]),
        ("-d a.yaml --verbose", &["read a.yaml, ", "done ("]),
        (
            "encrypt plain.yaml --verbose",
            &["creation rule 1 (line 2) is for plain.yaml", "wrapped the data key for age age1"],
        ),
        ("encrypt --verbose --output b.yaml plain.yaml", &["wrote b.yaml, "]),
        ("decrypt --verbose=true --output-type json a.yaml", &["indexed "]),
    ] {
        let output = test.run(line).code(0);
        for step in steps {
            assert!(output.stderr.contains(step), "{step:?} in\n{output:?}");
        }
        assert!(output.stderr.lines().all(|line| line.starts_with("verbose: ")), "{output:?}");
        holds_no_secret(&test, &output);
        if line.contains("decrypt") && !line.contains("json") || line.starts_with("-d") {
            output.stdout(PLAIN);
        }
    }
    test.run("--verbose=false decrypt a.yaml").code(0).stderr_lacks("verbose:");
}

/// A failure is told as ever, behind the steps that came before it.
#[test]
fn a_failure_comes_behind_the_steps_before_it() {
    let test = Test::new().identity().file("plain.yaml", PLAIN);
    let output = test.run("--verbose decrypt plain.yaml").fails().code(1);
    assert!(output.stderr.starts_with("verbose: read plain.yaml, "), "{output:?}");
    assert!(!output.stderr.contains("done ("), "{output:?}");
    holds_no_secret(&test, &output);
}

fn holds_no_secret(test: &Test, output: &Output) {
    let identity = std::fs::read_to_string(test.home().join(".config/sops/age/keys.txt")).unwrap();
    for secret in ["hunter2", "admin", "ENC[", identity.trim()] {
        assert!(!output.stderr.contains(secret), "{secret:?} in the standard error of\n{output:?}");
    }
}
