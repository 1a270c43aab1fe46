//! `edit` with scripts for editors, and nobody at a terminal; with real editors and a terminal: `edit_terminal.rs`.

use crate::builder::{Output, Test, leafcrypt};
use crate::safety;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

const RULES: &str = "creation_rules:\n  - age: {age}\n";
const PLAIN: &str = "# head\nuser: admin\n\npassword: \"hunter2\"   # inline\nratio: 1.10\nlist:\n  - a\n  - b\n";

/// A folder of rules and an encrypted `a.yaml`, with a folder in memory of its own for plaintext.
pub(crate) struct Edit {
    pub(crate) test: Test,
    pub(crate) memory: tempfile::TempDir,
}

impl Edit {
    pub(crate) fn new() -> Self {
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let test = Test::new()
            .identity()
            .rules(RULES)
            .file("a.yaml", PLAIN)
            .env("XDG_RUNTIME_DIR", memory.path().to_str().unwrap())
            .env("TERM", "xterm");
        test.run("encrypt -i a.yaml").code(0);
        Edit { test, memory }
    }

    /// An editor called `name`: a shell script, which has the file in `$file`.
    pub(crate) fn program(self, name: &str, script: &str) -> Self {
        let script = format!("#!/bin/sh\nfor file; do :; done\n{script}\n");
        let test = self.test.file(&format!("../bin/{name}"), script);
        let path = test.path(&format!("../bin/{name}"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Edit { test, ..self }
    }

    /// The editor is this shell script, which has the file in `$file`.
    pub(crate) fn editor(self, script: &str) -> Self {
        let edit = self.program("editor", script);
        edit.env("EDITOR", "../bin/editor")
    }

    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        Edit { test: self.test.env(name, value), ..self }
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        let output = self.test.run(line);
        assert_eq!(self.left(), Vec::<PathBuf>::new(), "plaintext is left behind by {line}");
        output
    }

    /// What is in the folder in memory.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.memory.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    pub(crate) fn decrypted(&self) -> String {
        self.test.run("decrypt a.yaml").code(0).text()
    }

    /// The drafts that are kept.
    pub(crate) fn drafts(&self) -> Vec<PathBuf> {
        let folder = self.test.home().join(".local/state/leafcrypt/drafts");
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// The one draft that is kept, in which nothing can be read.
    #[track_caller]
    pub(crate) fn draft(&self) -> String {
        let drafts = self.drafts();
        assert_eq!(drafts.len(), 1, "{drafts:?}");
        let text = std::fs::read_to_string(&drafts[0]).unwrap();
        assert!(text.contains("ENC[") && !text.contains("hunter") && !text.contains("user:"), "{text}");
        drafts[0].to_str().unwrap().to_owned()
    }

    /// What the draft holds, which real sops must be able to tell as well.
    #[track_caller]
    pub(crate) fn draft_text(&self) -> String {
        let draft = self.draft();
        self.test.sops(&format!("decrypt --input-type binary --output-type binary {draft}")).code(0).text()
    }
}

/// The lines of `new` that are not in `old`.
fn new_lines<'a>(old: &str, new: &'a str) -> Vec<&'a str> {
    let old: Vec<&str> = old.lines().collect();
    new.lines().filter(|line| !old.contains(line)).collect()
}

#[test]
fn an_edit_changes_the_edited_lines() {
    let edit = Edit::new().editor("sed -i 's/hunter2/new one/' \"$file\"");
    let before = edit.test.read("a.yaml");
    edit.run("edit a.yaml").code(0).stdout("").stderr_lacks("error");
    let after = edit.test.read("a.yaml");
    let changed = new_lines(&before, &after);
    assert!(changed[0].starts_with("password: \"ENC["), "{changed:?}");
    assert!(
        changed[1..].iter().all(|line| ["lastmodified:", "mac:", "leafcrypt_layout:"]
            .iter()
            .any(|name| line.trim().starts_with(name))),
        "{changed:?}"
    );
    assert_eq!(before.lines().count(), after.lines().count());
    assert_eq!(edit.decrypted(), PLAIN.replace("hunter2", "new one"));
    edit.test.sops("decrypt --extract '[\"password\"]' a.yaml").code(0).stdout("new one");
}

#[test]
fn without_a_subcommand_a_file_is_edited() {
    let edit = Edit::new().editor("sed -i 's/user: a/user: aa/' \"$file\"");
    edit.run("a.yaml").code(0);
    edit.run("--in-place a.yaml").code(0);
    edit.test.sops("a.yaml").code(0);
    assert!(edit.decrypted().contains("user: aaaadmin\n"), "{}", edit.decrypted());
}

#[test]
fn nothing_is_waited_for_that_no_editor_writes() {
    let edit = Edit::new().editor("rm \"$file\"; mkfifo \"$file\"");
    let before = edit.test.read("a.yaml");
    edit.run("edit a.yaml").code(2).stdout("").stderr_has("the editor left no file to read");
    assert_eq!(edit.test.read("a.yaml"), before);
    let edit = edit.editor("sed -i s/admin/root/ \"$file\"; rm a.yaml; mkfifo a.yaml");
    edit.run("edit a.yaml").code(3).stdout("").stderr_has("a.yaml was changed by someone else meanwhile");
    assert!(edit.draft_text().contains("root"));
    assert!(edit.left().is_empty());
}

#[test]
fn drafts_are_told_of_wherever_they_are() {
    let edit = Edit::new().editor("printf '[' >> \"$file\"");
    edit.run("edit a.yaml").fails().stderr_has("leafcrypt edit --draft");
    let first = edit.draft();
    // Without a place for it, a draft is beside the file.
    let edit = edit.env("XDG_STATE_HOME", "/proc/nowhere");
    edit.run("edit a.yaml").fails().stderr_has("is kept, encrypted, in .a.yaml-");
    let edit = edit.editor(":");
    let told = edit.run("edit a.yaml").code(200).stderr_has("there is a draft of this file").stderr;
    let beside = told.split(' ').find(|word| word.starts_with(".a.yaml-")).expect("a draft").to_owned();
    let state = edit.test.home().join(".local/state");
    let edit = edit.env("XDG_STATE_HOME", state.to_str().unwrap());
    let told = edit.run("edit a.yaml").code(200).stderr_has("there are 2 drafts of this file");
    told.stderr_has(&format!("the newest: leafcrypt edit --draft {beside} a.yaml")).stderr_has(&first);
    let no_draft = edit.test.file("x.yaml", "x: 1\n").file("x.json", "{\"x\": 1}");
    no_draft.run("edit --draft x.yaml a.yaml").code(1).stderr_has("this is no draft of leafcrypt");
    no_draft.run("edit --draft x.json a.yaml").code(1).stderr_has("the file is not encrypted");
}

#[test]
fn flags_for_new_files_are_not_ignored_in_silence() {
    let edit = Edit::new().editor("sed -i s/admin/root/ \"$file\"").env("SOPS_PGP_FP", "x");
    let all = "--encrypted-regex x --shamir-secret-sharing-threshold 2 --age x --aws-profile p --mac-only-encrypted";
    let warning = "--age, --aws-profile, --encrypted-regex, --mac-only-encrypted, \
                   --shamir-secret-sharing-threshold count for a new file alone; a.yaml stays as it is";
    edit.run(&format!("edit {all} a.yaml")).code(0).stderr_has(warning);
    edit.run("edit a.yaml").code(200).stderr_lacks("warning");
}

#[test]
fn what_is_not_changed_is_not_touched() {
    let edit = Edit::new().editor("touch \"$file\"");
    let facts = || {
        let facts = std::fs::metadata(edit.test.path("a.yaml")).unwrap();
        (facts.ino(), facts.mtime_nsec(), facts.ctime_nsec())
    };
    let before = facts();
    edit.test.sops("edit a.yaml").code(200);
    edit.run("edit a.yaml").code(200).stdout("").stderr_has("a.yaml is as it was");
    assert_eq!(facts(), before);
    // An example that was not changed is not wanted.
    edit.test.sops("edit new.yaml").code(200);
    edit.run("edit new.yaml").code(200).stdout("").stderr_has("new.yaml is not made");
    assert!(!edit.test.path("new.yaml").exists());
    assert!(edit.drafts().is_empty());
}

#[test]
fn the_editor_sees_a_private_file_in_memory_under_the_name_of_the_file() {
    let edit = Edit::new().editor(
        "stat -c '%a %n' \"$(dirname \"$file\")\" \"$file\" > facts; stat -f -c %T \"$file\" >> facts; \
         cp \"$file\" seen; ls -A \"$(dirname \"$file\")\" >> facts",
    );
    edit.run("edit a.yaml").code(200);
    assert_eq!(edit.test.read("seen"), PLAIN);
    let facts = edit.test.read("facts");
    let lines: Vec<&str> = facts.lines().collect();
    assert!(lines[0].starts_with("700 ") && lines[0].contains(edit.memory.path().to_str().unwrap()), "{facts}");
    assert!(lines[1].starts_with("600 ") && lines[1].ends_with("/a.yaml"), "{facts}");
    assert_eq!(&lines[2..], ["tmpfs", "a.yaml"]);
}

#[test]
fn a_new_file_begins_with_an_example() {
    let edit = Edit::new().editor("cp \"$file\" seen; sed -i 's/example_value\\b/changed/' \"$file\"");
    edit.run("edit new.yaml").code(0);
    assert!(edit.test.read("seen").contains("example_key: example_value\n"));
    edit.test.sops("decrypt new.yaml").code(0).stdout_has("example_key: changed\n");
    edit.run("edit --age {age} --encrypted-regex ^example_key$ new.json").code(0);
    let json = edit.test.read("new.json");
    assert!(json.contains("\"example_key\": \"ENC[") && json.contains("\"example_number\": 1234.56789"), "{json}");
    // The same keys as those of sops' example.
    for name in ["new.yaml", "new.json"] {
        edit.run(&format!("edit other-{name}")).code(0);
        let keys = |text: &str| {
            text.lines()
                .map(|line| line.split(':').next().unwrap().trim().to_owned())
                .filter(|key| !key.starts_with('#'))
                .collect::<Vec<_>>()
        };
        let ours = keys(&edit.test.read("seen"));
        edit.test.sops(&format!("edit theirs-{name}"));
        assert_eq!(ours, keys(&edit.test.read("seen")), "{name}");
    }
}

#[test]
fn a_new_file_without_a_rule_gets_a_hint() {
    let edit = Edit::new().editor("echo never > started");
    std::fs::remove_file(edit.test.path(".sops.yaml")).unwrap();
    edit.run("edit new.yaml").fails().code(1).stderr_has("have rules written: leafcrypt init");
    edit.run("edit nowhere/new.yaml --age {age}").fails().code(3).stderr_has("its folder must exist");
    assert!(!edit.test.path("started").exists());
}

/// It would be removed once the text is saved.
#[test]
fn an_encrypted_file_is_not_taken_for_a_draft() {
    let edit = Edit::new().editor("echo '# more' >> \"$file\"");
    let edit = Edit { test: edit.test.file("cert.bin", "text\n"), ..edit };
    edit.test.run("encrypt -i cert.bin --age {age}").code(0);
    let before = edit.test.read("a.yaml");
    edit.run("edit --draft cert.bin a.yaml").fails().code(1).stderr_has("this is no draft of leafcrypt");
    assert_eq!(edit.test.read("a.yaml"), before);
    edit.test.run("decrypt cert.bin").code(0).stdout("text\n");
}

#[test]
fn what_is_no_document_any_more_is_tried_once_and_kept() {
    let edit = Edit::new().editor("echo x >> started; printf 'bad: [\\n' >> \"$file\"");
    let before = edit.test.read("a.yaml");
    let output = edit.run("edit a.yaml").fails().code(1);
    let draft = edit.draft();
    let place = PLAIN.lines().count() + 1;
    let output =
        output.stderr_has(&format!("a.yaml (as edited):{place}:")).stderr_has("there is no terminal to ask on");
    output
        .stderr_has(&format!("hint: to go on with it: leafcrypt edit --draft {draft} a.yaml"))
        .stderr_lacks("hunter2");
    assert_eq!(edit.test.read("started"), "x\n");
    assert_eq!(edit.test.read("a.yaml"), before);
    assert_eq!(edit.draft_text(), format!("{PLAIN}bad: [\n"));

    // The next edit tells of it. Taken up again, put right and saved, it is gone.
    let edit = edit.editor("sed -i 's/bad: \\[/good: 1/' \"$file\"");
    edit.run("edit a.yaml").code(200).stderr_has(&format!("leafcrypt edit --draft {draft} a.yaml"));
    edit.run(&format!("edit --draft {draft} a.yaml")).code(0).stderr_lacks("warning");
    assert_eq!(edit.decrypted(), format!("{PLAIN}good: 1\n"));
    assert!(edit.drafts().is_empty());
}

#[test]
fn texts_that_would_make_no_file_are_refused() {
    for (script, reason) in [
        (": > \"$file\"", "there is no document"),
        ("printf 'sops:\\n  a: 1\\n' >> \"$file\"", "top-level key `sops`"),
        ("printf 'a: \\377\\n' > \"$file\"", "not UTF-8"),
        ("rm \"$file\"", "the editor left no file"),
        ("printf 'a: 1\\na: 2\\n' > \"$file\"", "a.yaml (as edited):2:1"),
    ] {
        let edit = Edit::new().editor(script);
        let before = edit.test.read("a.yaml");
        edit.run("edit a.yaml").fails().stderr_has(reason);
        assert_eq!(edit.test.read("a.yaml"), before, "{script}");
    }
}

#[test]
fn a_draft_keeps_what_is_no_text() {
    let edit = Edit::new().editor("printf 'a: \\377\\n' > \"$file\"");
    edit.run("edit a.yaml").fails().stderr_has("leafcrypt edit --draft");
    let draft = edit.draft();
    let edit = edit.editor("cp \"$file\" seen; printf 'a: 1\\n' > \"$file\"");
    edit.run(&format!("edit --draft {draft} a.yaml")).code(0);
    assert_eq!(std::fs::read(edit.test.path("seen")).unwrap(), b"a: \xff\n");
    assert_eq!(edit.decrypted(), "a: 1\n");
}

#[test]
fn a_file_that_was_changed_meanwhile_is_not_overwritten() {
    for (meanwhile, what) in [("echo x >> a.yaml", "changed by someone else"), ("rm a.yaml", "removed by someone else")]
    {
        let edit = Edit::new().editor(&format!("{meanwhile}; sed -i s/hunter2/hunter3/ \"$file\""));
        let before = edit.test.read("a.yaml");
        edit.run("edit a.yaml").fails().code(3).stderr_has(what).stderr_has("nothing was overwritten");
        assert_eq!(edit.draft_text(), PLAIN.replace("hunter2", "hunter3"));
        let draft = edit.draft();
        let now = edit.test.path("a.yaml").exists().then(|| edit.test.read("a.yaml"));
        assert_eq!(now, meanwhile.starts_with("echo").then(|| format!("{before}x\n")));
        // Whoever goes on with the draft is told that it is about another version.
        let edit = edit.editor("exit 9");
        if meanwhile.starts_with("rm") {
            edit.run(&format!("edit --draft {draft} a.yaml")).fails().stderr_has("a.yaml has changed since the draft");
        }
    }
    let edit = Edit::new().editor("cp a.yaml new.yaml; echo 'more: 1' >> \"$file\"");
    edit.run("edit new.yaml").fails().code(3).stderr_has("new.yaml was made by someone else");
    assert_eq!(edit.test.read("new.yaml"), edit.test.read("a.yaml"));
    edit.draft();
}

/// Runs the edit of `disk/a.yaml`, on a disk that has no room left; gives the exit code, what was said, and the file.
fn on_a_full_disk(edit: &Edit, before: &str) -> (String, String, String) {
    std::fs::create_dir(edit.test.path("disk")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k tmpfs disk; cp a.yaml disk; cat /dev/zero > disk/filling 2>/dev/null || :; {before} code=0; \
         {} edit disk/a.yaml 2>said || code=$?; echo $code > code; cp disk/a.yaml after; ls -A disk >> code; ls -A disk > list",
        leafcrypt().display()
    );
    let mut command = safety::with_own_mounts(&script);
    let template = edit.test.command(leafcrypt(), "");
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.current_dir(edit.test.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (edit.test.read("code"), edit.test.read("said"), edit.test.read("after"))
}

#[test]
fn on_a_full_disk_the_file_stays_and_a_draft_is_kept() {
    let edit = Edit::new().editor("sed -i s/hunter2/hunter3/ \"$file\"");
    let (code, said, after) = on_a_full_disk(&edit, "");
    assert_eq!(code, "3\na.yaml\nfilling\n", "{said}");
    assert!(said.contains("cannot be written") && said.contains(&format!("edit --draft {}", edit.draft())), "{said}");
    assert_eq!(after, edit.test.read("a.yaml"));
    assert_eq!(edit.draft_text(), PLAIN.replace("hunter2", "hunter3"));
}

#[test]
fn a_draft_that_finds_no_place_on_a_disk_stays_in_memory() {
    let edit = Edit::new().editor("sed -i s/hunter2/hunter3/ \"$file\"");
    let (code, said, _) = on_a_full_disk(&edit, "export XDG_STATE_HOME=$PWD/disk;");
    assert!(code.starts_with("3\n"), "{said}");
    let left = edit.left();
    assert!(left.len() == 1 && said.contains(left[0].to_str().unwrap()), "{left:?}: {said}");
    let text = std::fs::read_to_string(&left[0]).unwrap();
    assert!(text.contains("ENC[") && !text.contains("hunter"), "{text}");
    let draft = left[0].to_str().unwrap();
    edit.test.run(&format!("edit --draft {draft} a.yaml")).code(0);
    assert!(edit.decrypted().contains("hunter3") && edit.left().is_empty());
}

#[test]
fn what_cannot_be_written_is_said_before_the_editor_opens() {
    let edit = Edit::new().editor("echo never > started");
    std::fs::create_dir(edit.test.path("folder")).unwrap();
    edit.run("edit folder").fails().code(2);
    edit.run("edit nowhere/new.yaml").fails().code(3).stderr_has("its folder must exist");
    assert!(!edit.test.path("started").exists());
}

#[test]
fn an_editor_that_fails_changes_nothing_and_what_was_written_is_kept() {
    let edit = Edit::new().editor("sed -i s/hunter2/hunter3/ \"$file\"; exit 3");
    let before = edit.test.read("a.yaml");
    edit.test.sops("edit a.yaml").code(201);
    edit.run("edit a.yaml").fails().code(201).stderr_has("the editor failed").stderr_has("exit status: 3");
    assert_eq!(edit.test.read("a.yaml"), before);
    assert_eq!(edit.draft_text(), PLAIN.replace("hunter2", "hunter3"));
}

#[test]
fn the_editor_is_found_as_sops_finds_it() {
    let edit = Edit::new().program("one", "echo one > ran").program("two words", "echo \"two $1\" > ran");
    let edit = edit.env("EDITOR", "../bin/one");
    edit.run("edit a.yaml").code(200);
    assert_eq!(edit.test.read("ran"), "one\n");
    let edit = edit.env("SOPS_EDITOR", "'../bin/two words' \"an argument\"");
    edit.run("edit a.yaml").code(200);
    assert_eq!(edit.test.read("ran"), "two an argument\n");
    for (editor, why) in
        [("missing", "there is no program missing"), ("sh -c 'x", "missing closing quote"), (" ", "is empty")]
    {
        let edit = Edit::new().env("EDITOR", editor);
        edit.test.sops("edit a.yaml").code(201);
        edit.run("edit a.yaml").fails().code(201).stderr_has(why);
    }
    let edit = Edit::new().env("PATH", "/nowhere");
    edit.run("edit a.yaml").fails().code(201).stderr_has("there is no editor").stderr_has("vim, nano, vi");
}

#[test]
fn editors_that_return_at_once_are_told_to_wait() {
    for (editor, expected) in
        [("code", "--wait"), ("subl -n", "-n --wait"), ("zed -w", "-w"), ("gvim", "--nofork -n -c")]
    {
        let name = editor.split(' ').next().unwrap();
        let edit = Edit::new().program(name, "echo \"$*\" > ran").env("EDITOR", &format!("../bin/{editor}"));
        edit.run("edit a.yaml").code(200);
        assert!(edit.test.read("ran").starts_with(expected), "{}", edit.test.read("ran"));
    }
}

#[test]
fn recipients_are_changed_with_the_sops_block() {
    let other = age::x25519::Identity::generate();
    let recipient = other.to_public().to_string();
    let edit = Edit::new().editor(&format!(
        "cp \"$file\" seen; sed -i 's/^    age:/    age:\\n        - recipient: {recipient}/' \"$file\""
    ));
    let before = edit.test.read("a.yaml");
    edit.run("edit --show-master-keys a.yaml").code(0);
    let seen = edit.test.read("seen");
    assert!(seen.starts_with(PLAIN) && seen.contains("\nsops:\n    age:\n"), "{seen}");
    let after = edit.test.read("a.yaml");
    let old: Vec<&str> = before
        .lines()
        .filter(|line| !line.contains("mac:") && !line.contains("lastmodified") && !line.contains("layout"))
        .collect();
    assert!(old.iter().all(|line| after.contains(line)), "the old recipient keeps its stanza\n{after}");
    assert_eq!(edit.decrypted(), PLAIN);
    // The new one opens it, in sops as well; and so does the old one.
    let key = age::secrecy::ExposeSecret::expose_secret(&other.to_string()).to_owned();
    let edit = edit.env("SOPS_AGE_KEY", &key).env("HOME", "/nowhere").env("XDG_CONFIG_HOME", "/nowhere");
    edit.test.sops("decrypt a.yaml").code(0).stdout_has("password: hunter2");
    // And removed again.
    let edit = edit.editor(&format!("sed -i '/{recipient}/,/END AGE/d' \"$file\""));
    edit.run("edit -s a.yaml").code(0).stderr_has(&recipient).stderr_has("leafcrypt rotate");
    edit.run("decrypt a.yaml").fails().code(128);
}

#[test]
fn a_new_file_shows_its_recipients_too() {
    let edit = Edit::new().editor("cp \"$file\" seen; sed -i 's/example_value$/changed/' \"$file\"");
    edit.run("edit -s new.yaml").code(0);
    assert!(
        edit.test.read("seen").contains("\nsops:\n    age:\n        - recipient: age1"),
        "{}",
        edit.test.read("seen")
    );
    edit.test.sops("decrypt new.yaml").code(0).stdout_has("example_key: changed\n");
}

#[test]
fn without_a_folder_in_memory_nothing_is_decrypted_to_a_disk() {
    let edit = Edit::new().editor("echo never > started");
    // What is no file system in memory stands in all places that are looked at; the test's own folder may be below one of them.
    let script = format!(
        "mount --bind .. /mnt; cd /mnt/work; for place in /dev/shm /run /tmp; do mount -t proc proc $place; done; \
         code=0; {} edit a.yaml 2>said || code=$?; echo $code >code",
        leafcrypt().display()
    );
    let mut command = safety::with_own_mounts(&script);
    let template = edit.test.command(leafcrypt(), "");
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("HOME", "/mnt/home").env("XDG_CONFIG_HOME", "").env("XDG_RUNTIME_DIR", "/proc").env("TMPDIR", "/proc");
    let output = command.current_dir(edit.test.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = edit.test.read("said");
    assert_eq!(edit.test.read("code"), "3\n", "{said}");
    for expected in [
        "there is no private folder in memory",
        "/dev/shm: it is not in memory",
        "/proc ($XDG_RUNTIME_DIR)",
        "LEAFCRYPT_PRIVATE_DIR=",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    assert!(!edit.test.path("started").exists());
}

#[test]
fn a_sops_block_that_is_wrong_is_refused() {
    for (script, reason) in [
        ("sed -i '/^sops:/,$d; s/admin/x/' \"$file\"", "the `sops` block is gone"),
        ("sed -i 's/- recipient: .*/- recipient: age1nonsense/; s/admin/x/' \"$file\"", "age1nonsense"),
    ] {
        let edit = Edit::new().editor(script);
        let before = edit.test.read("a.yaml");
        edit.run("edit -s a.yaml").fails().stderr_has(reason);
        assert_eq!(edit.test.read("a.yaml"), before);
    }
}

#[test]
fn a_file_that_does_not_verify_is_edited_on_request() {
    let edit = Edit::new().editor("sed -i s/hunter2/hunter3/ \"$file\"");
    let text = edit.test.read("a.yaml").replace("\nuser:", "\nlogin:").replace("user: ENC", "login: ENC");
    let start = text.find("    mac: ").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    let broken =
        format!("{}    mac: \"\"{}", &edit.test.read("a.yaml")[..start - 1], &edit.test.read("a.yaml")[end - 1..]);
    std::fs::write(edit.test.path("a.yaml"), broken).unwrap();
    edit.run("edit a.yaml").fails().code(51);
    edit.run("edit --ignore-mac a.yaml").code(0);
    assert_eq!(edit.decrypted(), PLAIN.replace("hunter2", "hunter3"));
}

#[test]
fn a_file_is_converted_on_request() {
    let edit = Edit::new().editor("cp \"$file\" seen; sed -i s/hunter2/hunter3/ \"$file\"");
    edit.run("edit --output-type json a.yaml").code(0);
    assert!(edit.test.read("seen").starts_with("{\n"), "{}", edit.test.read("seen"));
    edit.test.sops("decrypt --input-type json --output-type yaml a.yaml").code(0).stdout_has("password: hunter3");
}

/// Both programs on the same files and arguments: the same exit codes.
#[test]
fn failures_have_the_exit_codes_of_sops() {
    let mut wrong = Vec::new();
    for line in [
        "edit",
        "edit plain.yaml",
        "edit folder",
        "edit --age bogus new.yaml",
        "edit --encrypted-regex a --unencrypted-regex b new.yaml",
        "edit --nonsense a.yaml",
        "edit nowhere/new.yaml",
        "edit damaged.yaml",
        "edit bad.yaml",
        "plain.yaml",
        "folder/",
    ] {
        let edit = Edit::new().editor("echo 'more: 1' >> \"$file\"");
        let damaged =
            edit.test.read("a.yaml").replacen("user: ENC[AES256_GCM,data:", "user: ENC[AES256_GCM,data:AAAA", 1);
        let test = edit
            .test
            .file("plain.yaml", "a: 1\n")
            .file("damaged.yaml", damaged)
            .file("bad.yaml", "a: [\n")
            .file("folder/b", "");
        let (theirs, ours) = (test.sops(line), test.run(line));
        if theirs.code != ours.code {
            wrong.push(format!("{line}\nsops: {theirs:?}\nleafcrypt: {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_next_run_sweeps_what_a_kill_left() {
    let edit = Edit::new().editor("kill -9 $PPID; sleep 0.2");
    edit.test.run("edit a.yaml");
    assert_eq!(edit.left().len(), 1, "a killed process cannot clean up");
    assert_eq!(std::fs::read_to_string(edit.left()[0].join("a.yaml")).unwrap(), PLAIN);
    let edit = edit.editor(":");
    edit.run("edit a.yaml").code(200);
}
