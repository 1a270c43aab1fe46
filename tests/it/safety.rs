//! Damaged and hostile input, full disks and sudden death: an error and nothing else, never half a file.

use crate::builder::{Output, Test, leafcrypt};
use crate::harness::{self, Rule};
use crate::peers;
use leafcrypt::document::Kind;
use leafcrypt::format::Format;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RULES: &str = "creation_rules:\n  - age: {age}\n";

const YAML: &str = "\
# head
database:
  user: admin   # inline
  password: \"hunter 2\"
  ports: [5432, 5433]
  ratio: 1.10
  tls: true
  since: 2001-12-14
  cert: |
    line one
    line two
list:
  - name: a
    value: b
  - c
";

const JSON: &str = r#"{
  "user": "admin",
  "ports": [5432, 5433],
  "ratio": 1.10,
  "nested": {"tls": true, "name": "x"},
  "list": ["a", {"b": "c"}]
}
"#;

/// The leaves of a text with their paths; `None` when it cannot be indexed.
fn leaves(format: &dyn Format, text: &str) -> Option<Vec<(String, Kind, Vec<u8>)>> {
    let document = format.index(text.to_owned()).ok()?;
    Some(
        (0..document.len())
            .filter(|&id| !document.entry(id).kind().is_container() && document.entry(id).kind() != Kind::Comment)
            .map(|id| (document.path(id), document.scalar(id).kind, document.scalar(id).bytes.to_vec()))
            .collect(),
    )
}

/// Damage at one place, of every kind.
fn mutants(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let step = 7; // coprime to the width of everything: each kind of place is hit
    for at in (0..text.len()).step_by(step).filter(|&at| text.is_char_boundary(at)) {
        all.push(text[..at].to_owned());
        let mut flipped = text.as_bytes().to_vec();
        flipped[at] ^= 1;
        all.extend(String::from_utf8(flipped));
        if let Some(c) = text[at..].chars().next() {
            all.push(format!("{}{}", &text[..at], &text[at + c.len_utf8()..]));
            all.push(format!("{}{c}{}", &text[..at], &text[at..]));
        }
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for at in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(at);
        all.push(without.concat());
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        all.push(twice.concat());
        for other in [at + 1, at + 2, at + 5].into_iter().filter(|&other| other < lines.len()) {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            all.push(swapped.concat());
        }
    }
    all
}

fn damage_is_noticed(format_name: &str, text: &str) {
    let format = leafcrypt::format::by_name(format_name).unwrap();
    let encrypted = harness::encrypt(format, text, Rule::EVERYTHING).unwrap();
    let expected = leaves(format, text).unwrap();
    assert!(expected.len() > 5);
    let (mut errors, mut same) = (0, 0);
    for mutant in mutants(&encrypted) {
        let result = catch_unwind(AssertUnwindSafe(|| harness::decrypt(format, &mutant)))
            .unwrap_or_else(|_| panic!("a panic on\n{mutant}"));
        match result {
            Err(_) => errors += 1,
            Ok(plain) => {
                assert_eq!(
                    leaves(format, std::str::from_utf8(&plain).unwrap()).as_ref(),
                    Some(&expected),
                    "damage passed unnoticed:\n{mutant}\n===\n{}",
                    String::from_utf8_lossy(&plain)
                );
                same += 1;
            }
        }
    }
    eprintln!("{format_name}: {errors} damaged files refused, {same} of the same values");
    assert!(errors > 500, "only {errors} of the damaged files were refused");
    // Damage to a recipient or to white space changes no value; if all were refused, no file would be read at all.
    assert!(same > 10, "only {same} of the harmless changes were accepted");
}

#[test]
fn damage_to_yaml_is_an_error_or_harmless() {
    damage_is_noticed("yaml", YAML);
}

#[test]
fn damage_to_json_is_an_error_or_harmless() {
    damage_is_noticed("json", JSON);
}

/// Two lines of the text that hold a token at the same indentation.
fn token_lines(text: &str) -> Vec<(usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| line.contains("ENC[AES256_GCM") && line.contains("type:str")).collect()
}

fn token(line: &str) -> &str {
    let start = line.find("ENC[").unwrap();
    &line[start..=start + line[start..].find(']').unwrap()]
}

/// A way to tamper with an encrypted file, and the exit code that sops gives for it.
type Tampering = (&'static str, i32, fn(&str) -> String);

const TAMPERING: &[Tampering] = &[
    ("values swapped between keys", 25, |text| {
        let lines = token_lines(text);
        let (a, b) = (token(lines[0].1), token(lines[1].1));
        text.replace(a, "\u{1}").replace(b, a).replace('\u{1}', b)
    }),
    ("a token replaced by plaintext", 25, |text| text.replacen(token(token_lines(text)[0].1), "plaintext", 1)),
    ("a value removed with its key", 51, |text| {
        let line = token_lines(text)[0].1;
        text.replacen(&format!("{line}\n"), "", 1)
    }),
    ("a value emptied", 51, |text| text.replacen(token(token_lines(text)[0].1), "\"\"", 1)),
    ("the MAC of nothing", 51, |text| {
        let start = text.find("\n    mac: ").unwrap();
        let end = start + 1 + text[start + 1..].find('\n').unwrap();
        format!("{}\n    mac: \"\"{}", &text[..start], &text[end..])
    }),
    ("another time", 51, |text| text.replacen("lastmodified: \"20", "lastmodified: \"19", 1)),
    ("half a token", 25, |text| {
        let token = token(token_lines(text)[0].1);
        text.replacen(token, &token[..token.len() - 8], 1)
    }),
];

/// A file of real sops that someone tampered with.
fn tampered(tamper: fn(&str) -> String) -> (Test, String) {
    let test = Test::new().identity().rules(RULES).file("a.yaml", "one: first\ntwo: second\nthree: third\n");
    let encrypted = test.sops("encrypt a.yaml").code(0).text();
    let tampered = tamper(&encrypted);
    assert_ne!(tampered, encrypted);
    (test.file("a.yaml", &tampered), tampered)
}

#[test]
fn the_table_of_tampering_is_right_about_sops() {
    let wrong: Vec<String> = TAMPERING
        .iter()
        .map(|(what, code, tamper)| (what, code, tampered(*tamper).0.sops("decrypt a.yaml")))
        .filter(|(_, code, output)| output.code != Some(**code))
        .map(|(what, code, output)| format!("{what}: not {code}: {output:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn tampering_is_refused_with_the_exit_code_of_sops() {
    for (what, code, tamper) in TAMPERING {
        eprintln!("{what}");
        let (test, tampered) = tampered(*tamper);
        test.run("decrypt a.yaml").fails().code(*code);
        test.run("decrypt -i a.yaml").fails().code(*code);
        assert_eq!(test.read("a.yaml"), tampered, "{what}: the file was changed");
    }
}

/// What is left of a file when its end is lost: the values are tokens, so it was no plaintext.
#[test]
fn a_file_without_its_block_is_said_to_have_lost_it() {
    let cut = |encrypted: &str, mark: &str| encrypted[..=encrypted.find(mark).unwrap()].to_owned();
    for (name, text, mark, end) in [
        ("a.yaml", YAML, "\nsops:", ""),
        ("a.yaml", "a: 1\n", ",iv:", ""),
        ("a.yaml", "# a\na:\n  - 1\n", "\nsops:", ""),
        ("a.env", "A=1\nB=2\n", "\nsops_", ""),
        ("a.env", "A=1\n", ",tag:", ""),
        ("a.ini", "[a]\nb = 1\n", "\n[sops]", ""),
        ("a.json", "{\"a\": 1}\n", ", \"sops", "\"b\": 1}\n"),
        ("a.bin", "text", "\",\n\t\"sops", "}\n"),
    ] {
        let test = Test::new().identity().rules(RULES).file(name, text);
        test.run(&format!("encrypt -i {name}")).code(0);
        let encrypted = test.read(name);
        let test = test.file(name, format!("{}{end}", cut(&encrypted, mark)));
        for command in ["decrypt", "rotate", "updatekeys --yes"] {
            let output = test.run(&format!("{command} {name}")).fails();
            output
                .stderr_has("has lost its `sops` block")
                .stderr_has(&format!("{name}:"))
                .stderr_has("cut off? Restore");
        }
    }
    let test = Test::new().identity().rules(RULES).file("a.yaml", YAML);
    test.run("decrypt a.yaml").fails().stderr_has("the file is not encrypted").stderr_lacks("lost");
}

/// Two writers of one file: each change is in it, or its command has failed.
#[test]
fn no_change_is_lost_to_another_writer() {
    let test = Test::new().identity().rules(RULES);
    let mut refused = 0;
    for round in 0..20 {
        std::fs::write(test.path("c.yaml"), "k0: a\nk1: b\n").unwrap();
        test.run("encrypt -i c.yaml").code(0);
        let start = |key: usize| test.command(leafcrypt(), &format!("set c.yaml k{key} '\"v\"'")).spawn().unwrap();
        let writers = [start(0), start(1)];
        let ended = writers.map(|mut writer| writer.wait().unwrap().success());
        let plaintext = test.run("decrypt c.yaml").code(0).text();
        for (key, is_done) in ended.into_iter().enumerate() {
            refused += usize::from(!is_done);
            assert_eq!(plaintext.contains(&format!("k{key}: v")), is_done, "round {round}: {plaintext}");
        }
    }
    assert!(refused < 40, "no command came through");
}

#[test]
fn an_encrypted_file_is_not_encrypted_again() {
    let test = Test::new().identity().rules(RULES).file("a.yaml", YAML);
    test.run("encrypt -i a.yaml").code(0);
    let encrypted = test.read("a.yaml");
    test.run("encrypt -i a.yaml").fails().code(203);
    test.sops("encrypt -i a.yaml").code(203);
    assert_eq!(test.read("a.yaml"), encrypted);
}

#[test]
fn a_block_that_is_gone_or_there_twice_is_an_error() {
    let test = Test::new().identity().rules(RULES).file("a.yaml", YAML);
    let encrypted = test.run("encrypt a.yaml").code(0).text();
    let at = encrypted.find("\nsops:\n").unwrap() + 1;
    for damaged in [encrypted[..at].to_owned(), format!("{encrypted}{}", &encrypted[at..])] {
        let test = Test::new().identity().file("a.yaml", &damaged);
        test.run("decrypt a.yaml").fails();
        test.run("decrypt -i a.yaml").fails();
        assert_eq!(test.read("a.yaml"), damaged);
    }
}

/// Runs with a limit on time, so that a hostile file cannot hang the suite.
fn run_within(test: &Test, limit: Duration, line: &str) -> Output {
    let started = Instant::now();
    let output = test.run(line);
    assert!(started.elapsed() < limit, "{line} took {:?}", started.elapsed());
    assert!(output.code.is_some_and(|code| code != 101), "an orderly end of\n{output:?}");
    output
}

const LIMIT: Duration = Duration::from_secs(60);

/// A file that is accepted comes back; one that is not is an orderly error. Depth needs no stack.
fn comes_back_or_fails(name: &str, text: &str, must_be_accepted: bool) {
    let test = Test::new().identity().rules(RULES).file(name, text);
    let output = run_within(&test, LIMIT, &format!("encrypt {name}"));
    if output.code == Some(0) {
        let encrypted = output.stdout;
        let test = test.file(name, encrypted);
        let back = run_within(&test, LIMIT, &format!("decrypt {name}"));
        assert_eq!(back.code, Some(0), "{}", back.stderr);
        assert!(back.stdout == text.as_bytes(), "{} bytes came back as {}", text.len(), back.stdout.len());
    } else {
        assert!(!must_be_accepted, "{}", output.stderr);
        output.fails();
    }
}

fn nested_json(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

fn nested_flow(depth: usize) -> String {
    format!("a: {}1{}\n", "[".repeat(depth), "]".repeat(depth))
}

fn nested_dashes(depth: usize) -> String {
    format!("a:\n{}x\n", "- ".repeat(depth))
}

fn nested_block(depth: usize) -> String {
    (0..depth).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<String>() + &" ".repeat(depth) + "b: 1\n"
}

#[test]
fn deep_nesting_needs_no_stack() {
    comes_back_or_fails("a.json", &nested_json(10_000), true);
    comes_back_or_fails("a.json", &nested_json(100_000), false);
    comes_back_or_fails("a.yaml", &nested_flow(9_000), true);
    comes_back_or_fails("a.yaml", &nested_flow(100_000), false);
    comes_back_or_fails("a.yaml", &nested_dashes(9_000), true);
    comes_back_or_fails("a.yaml", &nested_dashes(100_000), false);
    comes_back_or_fails("a.yaml", &nested_block(2_000), true);
    for open in ["[", "{", "- ", "? ", "{a: ", "[{a: ", "!!map ", "&a "] {
        comes_back_or_fails("a.yaml", &format!("a: {}", open.repeat(100_000)), false);
        comes_back_or_fails("a.yaml", &open.repeat(100_000), false);
    }
    for open in ["[", "{\"a\":", "[["] {
        comes_back_or_fails("a.json", &format!("{{\"a\": {}", open.repeat(100_000)), false);
    }
}

#[test]
fn billion_laughs_end_at_once() {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(", "));
    }
    let test = Test::new().identity().rules(RULES).file("a.yaml", &text);
    run_within(&test, LIMIT, "encrypt -i a.yaml").fails();
    assert_eq!(test.read("a.yaml"), text);
}

#[test]
fn huge_keys_values_and_comments_are_only_long() {
    let long = "x".repeat(1_000_000);
    // A plain key of YAML may have 1,024 characters; go-yaml and the standard agree.
    comes_back_or_fails("a.json", &format!("{{\"{long}\": \"{long}\"}}"), true);
    comes_back_or_fails("a.yaml", &format!("? {long}\n: 1\n"), false);
    comes_back_or_fails("a.yaml", &format!("a: {long}\n# {long}\nb: \"{long}\"\n"), true);
}

#[test]
fn what_is_no_text_is_an_error() {
    for (name, bytes) in [
        ("a.yaml", &b"a: \xff\xfe\n"[..]),
        ("a.json", b"{\"a\": \"\xc3\x28\"}"),
        ("a.json", b"{\"a\": \"\\ud800\"}"),
        ("a.json", b"{\"a\": 1"),
        ("a.json", b"{\"a\": 1} trailing"),
        ("a.json", b"{\"a\": 1, \"a\": 2}"),
        ("a.json", b"[1]"),
        ("a.json", b"nul"),
        ("a.json", b"{\"a\": 01}"),
        ("a.json", b"{\"a\": 1,}"),
        ("a.yaml", b"a: 1\na: 2\n"),
        ("a.yaml", b"a: [1\n"),
        ("a.yaml", b"a: \"x\n"),
        ("a.yaml", b"- a\n"),
        ("a.yaml", b"just text\n"),
        ("a.yaml", b"a: *unknown\n"),
        ("a.yaml", b"a: &x [*x]\n"),
        ("a.yaml", b"a: \x00\n"),
    ] {
        let test = Test::new().identity().rules(RULES).file(name, bytes);
        let output = test.run(&format!("encrypt -i {name}")).fails();
        assert_eq!(std::fs::read(test.path(name)).unwrap(), bytes, "{output:?}");
    }
}

#[test]
fn mode_owner_and_symlink_are_kept() {
    let test = Test::new().identity().rules(RULES).file("real/a.yaml", YAML);
    let real = test.path("real/a.yaml");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    // Only root may give a file away; anyone else checks that it stays theirs.
    let _ = std::os::unix::fs::chown(&real, Some(1234), Some(2345));
    std::os::unix::fs::symlink("real/a.yaml", test.path("link.yaml")).unwrap();
    let before = std::fs::metadata(&real).unwrap();
    for (line, changed) in [("encrypt -i link.yaml", true), ("decrypt -i link.yaml", false)] {
        test.run(line).code(0).stdout("");
        assert!(std::fs::symlink_metadata(test.path("link.yaml")).unwrap().is_symlink(), "{line}");
        let after = std::fs::metadata(&real).unwrap();
        assert_eq!(after.mode(), before.mode(), "{line}");
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()), "{line}");
        assert_eq!(test.read("real/a.yaml") != YAML, changed, "{line}");
    }
    let left: Vec<_> = std::fs::read_dir(test.path("real")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["a.yaml"], "nothing is left in the folder");
}

/// A command that runs `script` with a mount table of its own.
pub(crate) fn with_own_mounts(script: &str) -> Command {
    let works = |arguments: &[&str]| {
        Command::new("unshare")
            .args(arguments)
            .args(["sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let arguments: &[&str] = if works(&["-m"]) {
        &["-m"]
    } else if works(&["-r", "-m"]) {
        &["-r", "-m"]
    } else {
        panic!(
            "a full disk cannot be made on this machine: `unshare -m` (as root) and `unshare -r -m` (unprivileged user \
             namespaces) both fail to mount a tmpfs\nhint: run the tests as root, or allow user namespaces: \
             sysctl kernel.unprivileged_userns_clone=1 (or kernel.apparmor_restrict_unprivileged_userns=0); \
             in a container, give it CAP_SYS_ADMIN"
        )
    };
    let mut command = Command::new("unshare");
    command.args(arguments).args(["sh", "-eu", "-c", script]);
    command
}

/// Runs `line` of `program` on a file of a disk of 64 KiB that has no room for the result. Gives the exit
/// code and what is on the disk then.
fn on_a_full_disk(test: &Test, program: &Path, line: &str, file: &[u8]) -> (i32, Vec<u8>, Vec<String>) {
    std::fs::create_dir_all(test.path("disk")).unwrap();
    std::fs::write(test.path("source"), file).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k tmpfs disk; cp source disk/a.yaml; \
         code=0; {} {} disk/a.yaml >stdout 2>stderr || code=$?; \
         cp disk/a.yaml after; ls -A disk > list; echo $code > code",
        program.display(),
        line.replace("{age}", &recipient_of(test)),
    );
    let mut command = with_own_mounts(&script);
    let template = test.command(program, "");
    let environment: Vec<_> =
        template.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    command.env_clear().envs(environment).current_dir(test.path(""));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list = test.read("list").lines().map(str::to_owned).collect();
    (test.read("code").trim().parse().unwrap(), std::fs::read(test.path("after")).unwrap(), list)
}

fn recipient_of(test: &Test) -> String {
    test.read(".sops.yaml").trim().rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn a_full_disk_leaves_the_old_file_whole() {
    let plain: String = (0..800).map(|n| format!("key{n}: a value that is long enough\n")).collect();
    let test = Test::new().identity().rules(RULES).file("a.yaml", &plain);
    assert!(plain.len() < 40_000);
    let (code, after, list) = on_a_full_disk(&test, leafcrypt(), "encrypt -i", plain.as_bytes());
    assert_eq!(String::from_utf8_lossy(&after), plain, "the file was changed; {}", test.read("stderr"));
    assert_ne!(code, 0, "the result cannot have had room");
    assert!(test.read("stderr").contains("error"), "{}", test.read("stderr"));
    assert_eq!(list, ["a.yaml"], "a temporary file was left");

    // Decrypting, when there is no room beside the file.
    let encrypted = test.run("encrypt a.yaml").code(0).stdout;
    let small: Vec<u8> = encrypted.clone();
    if small.len() < 64 * 1024 {
        let (code, after, list) = on_a_full_disk(&test, leafcrypt(), "decrypt -i", &small);
        assert!(code != 0 && after == small || after == plain.as_bytes());
        assert_eq!(list, ["a.yaml"]);
    }

    // The disk really is too small: real sops, which writes into the file itself, destroys it here.
    let (_, after, _) = on_a_full_disk(&test, peers::real_sops(), "encrypt -i --age {age}", plain.as_bytes());
    assert_ne!(String::from_utf8_lossy(&after), plain, "this disk was not full: the test proves nothing");
}

/// Kills `line` at many moments; `a.yaml` must be `old` or, as `is_new` says, the whole new file.
fn kill_at_many_moments(test: &Test, line: &str, old: &str, is_new: impl Fn(&str) -> bool) {
    const ROUNDS: u32 = 50;
    let write = || std::fs::write(test.path("a.yaml"), old).unwrap();
    write();
    let started = Instant::now();
    test.run(line).code(0);
    let mut whole = started.elapsed();
    let (mut olds, mut news) = (0, 0);
    let mut round = 0;
    // A busy machine may need more of them until some come late enough.
    while round < ROUNDS || round < 4 * ROUNDS && (olds <= 3 || news == 0) {
        write();
        let mut child = test.command(leafcrypt(), line).stderr(std::process::Stdio::null()).spawn().unwrap();
        // Evenly over the whole run, in turn with its last third and a while after, where the file is replaced.
        let moment = whole * (round % ROUNDS) / ROUNDS;
        let is_late = round % 2 == 1;
        std::thread::sleep(if is_late { (whole + moment) * 2 / 3 } else { moment });
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        let now = test.read("a.yaml");
        if now == old {
            olds += 1;
            // How long a run takes differs with what else the machine does.
            whole = if is_late { whole * 9 / 8 } else { whole };
        } else {
            assert!(is_new(&now), "killed after {moment:?}: the file is neither old nor new: {} bytes", now.len());
            news += 1;
            whole = whole * 15 / 16;
        }
        round += 1;
    }
    eprintln!("{line}: {whole:?}; killed {round} times: {olds} times the old file, {news} times the new one");
    assert!(olds > 3 && news > 0, "{olds} times the old file and {news} times the new one: the moments prove nothing");
}

fn large() -> String {
    (0..3_000).map(|n| format!("key{n}: value {n} # comment\n")).collect()
}

#[test]
fn a_kill_while_encrypting_leaves_the_old_or_the_new_file() {
    let plain = large();
    let test = Test::new().identity().rules(RULES);
    kill_at_many_moments(&test, "encrypt -i a.yaml", &plain, |now| {
        std::fs::write(test.path("new.yaml"), now).unwrap();
        test.run("decrypt new.yaml").code(0).stdout == plain.as_bytes()
    });
}

#[test]
fn a_kill_while_decrypting_leaves_the_old_or_the_new_file() {
    let plain = large();
    let format = leafcrypt::format::by_name("yaml").unwrap();
    let encrypted = harness::encrypt(format, &plain, Rule::EVERYTHING).unwrap();
    let test = Test::new().env("SOPS_AGE_KEY", &harness::identity());
    kill_at_many_moments(&test, "decrypt -i a.yaml", &encrypted, |now| now == plain);
}

/// A large file takes another way through the program than a small one; what comes out is the same.
#[test]
fn a_large_file_is_verified_like_a_small_one() {
    let members: Vec<String> = (0..1_000).map(|n| format!("\"key{n}\": [\"value {n:0>900}\", {n}.0]")).collect();
    let text = format!("{{\n  {},\n  \"last_unencrypted\": 1\n}}\n", members.join(",\n  "));
    let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file("a.json", &text);
    test.run("encrypt -i a.json").code(0);
    let sealed = test.read("a.json");
    test.run("decrypt a.json").code(0).stdout(&text);
    let plain = test.sops("decrypt a.json").code(0).text();
    assert_eq!(plain.matches("value ").count(), 1_000);
    let mut test = test;
    for (from, to, code, why) in [
        ("\"last_unencrypted\": 1", "\"last_unencrypted\": 2", 51, "the MAC does not match"),
        ("\"key800\"", "\"key900x\"", 25, "at: key900x[0]"),
        ("\"key800\"", "\"key1\"", 1, "\"key1\""),
        ("\"key800\":", "\"key800\"", 1, "802 |"),
        ("\n  \"last_unencrypted\": 1,", "", 51, "the MAC does not match"),
    ] {
        assert!(sealed.contains(from), "{from}");
        test = test.file("a.json", sealed.replacen(from, to, 1));
        test.run("decrypt a.json").code(code).stdout("").stderr_has(why);
    }
    test.run("decrypt --ignore-mac a.json").code(0).stdout_has("0999\"").stderr_has("MAC");
}

/// What is put in the place of a file has no name while something is waited for, so that whatever ends the process then
/// leaves no plaintext.
#[test]
fn no_plaintext_stays_behind_when_the_folder_is_held_and_the_program_is_ended() {
    use std::io::Read as _;
    let test = Test::new().identity().file("a.yaml", "password: hunter2\n");
    test.run("encrypt -i --age {age} a.yaml").code(0);
    let mut held =
        test.command("flock".as_ref(), ". sh -c 'echo held; sleep 3'").stdout(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 5];
    held.stdout.take().unwrap().read_exact(&mut said).unwrap();
    let mut program = test.command(leafcrypt(), "decrypt -i a.yaml").spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    program.kill().unwrap();
    program.wait().unwrap();
    held.kill().unwrap();
    held.wait().unwrap();
    let names: Vec<_> = std::fs::read_dir(test.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a.yaml"]);
    assert!(test.read("a.yaml").contains("ENC["), "it waited for the folder");
}
