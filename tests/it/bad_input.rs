//! Bad input, command by command: wrong arguments, files that are missing, unreadable, read-only or of another kind.
//!
//! Of each line the exit code and the message are a snapshot (`cargo insta review` or `INSTA_UPDATE=always` takes a new one
//! over; read it as its reader would). Besides, for every line: the exit code is that of real sops on the same
//! files, or the table says why not; nothing is printed to the standard output; nothing changes on the disk; no message shows a
//! value; no thread panics.

use crate::builder::{Output, Test, leafcrypt};
use crate::peers;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// A line, and why its exit code is not that of sops; `""` when it is, [`OURS`] when sops has no such command.
type Case = (&'static str, &'static str);

/// The command or the flag is not one of sops.
const OURS: &str = "sops has no such thing";

const NO_TYPE: &str = "it takes a type that it does not know for none";
const FIRST: &str = "it takes the first and ignores the others";
const IN_FILE: &str = "it writes into the file itself, which a full disk then destroys";
const FULL: &str = "it has this code for output that is no file";
const NO_CHECK: &str = "it does not look, and writes what it cannot read itself";
const LAST_GROUP: &str = "it deletes the last group, and with it the only way to open the file";
const KEYS: &str = "it has no code of its own for a data key that does not open here";
const STAT: &str = "it has no code of its own for a file that it cannot find out about";
const PASSES_OVER: &str = "it passes over what is no address when a key of this machine does";
const EDITOR: &str = "it starts the editor before it looks";

/// Files of every wrong kind; in the lines `FILE` is each of them.
const FILES: &[&str] = &[
    "missing.yaml",
    "missing/a.yaml",
    "folder",
    "unreadable.yaml",
    "closed/a.yaml",
    "dangling.yaml",
    "circle.yaml",
    "plain.yaml",
    "empty.yaml",
    "broken.yaml",
    "broken.json",
    "yaml.json",
    "latin1.yaml",
    "utf16.yaml",
    "zeros.yaml",
    "foreign.yaml",
    "tampered.yaml",
    "no-mac.yaml",
    "added.yaml",
    "version.yaml",
    "no-keys.yaml",
];

/// What is no bad input to a command though it is to others: it looks at the keys alone and not at the values, has nothing to
/// do, or shows first what it is about to do, which is then its output.
const FINE: &[&str] = &[
    "encrypt plain.yaml",
    "groups add -f tampered.yaml --age {age}",
    "groups add -f added.yaml --age {age}",
    "updatekeys -y tampered.yaml",
    "updatekeys -y added.yaml",
];

/// Two copies of the same files: one for us, and one for sops, which destroys some.
struct Fixture {
    ours: Test,
    theirs: Test,
    before: BTreeMap<String, String>,
}

impl Fixture {
    fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "the files that may not be read belong to root, who gives up the right to read all the same\n\
             hint: run the tests as root, in a container for instance"
        );
        let stranger = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file("a.yaml", "a: hunter2\n");
        let foreign = stranger.sops("encrypt a.yaml").code(0).stdout;
        let rules = "creation_rules:\n  - path_regex: no-rule\n    encrypted_suffix: x\n  - age: {age}\n";
        let ours = Test::new()
            .identity()
            .rules(rules)
            .file("plain.yaml", "user: admin\npassword: hunter2\n")
            .file("empty.yaml", "")
            .file("broken.yaml", "password: hunter2\nlist: [hunter2\n")
            .file("broken.json", "{\"password\": \"hunter2\", \"list\": [1,}")
            .file("yaml.json", "password: hunter2\n")
            .file("latin1.yaml", b"password: hunter2\nname: \xfc\n")
            .file("utf16.yaml", b"\xff\xfea\0:\0 \0h\0\n")
            .file("utf16.json", b"\xff\xfe{\0}\0\n\0")
            .file("zeros.yaml", [0; 64])
            .file("foreign.yaml", foreign)
            .file("folder/a.yaml", "a: hunter2\n")
            .file("broken.sops.yaml", "creation_rules: [\n")
            .file("not-rules.sops.yaml", "creation_rules: 1\n")
            .file("wrong-key.sops.yaml", "creation_rules:\n  - age: no-recipient\n")
            .file("no-match.sops.yaml", "creation_rules:\n  - path_regex: other\n    age: x\n")
            .file("value.json", "\"hunter3\"")
            .file("not-a-value.json", "{hunter3")
            .env("EDITOR", "false");
        let encrypted = ours.sops("encrypt plain.yaml").code(0).text();
        let no_mac: String =
            encrypted.lines().filter(|line| !line.trim().starts_with("mac:")).flat_map(|line| [line, "\n"]).collect();
        let no_keys = encrypted.split("    age:\n").next().unwrap().to_owned()
            + &encrypted[encrypted.find("    lastmodified").unwrap()..];
        let ours = ours
            .file("enc.yaml", &encrypted)
            .file("tampered.yaml", encrypted.replace("lastmodified: \"2", "lastmodified: \"1"))
            .file("no-mac.yaml", no_mac)
            .file("added.yaml", format!("added: hunter2\n{encrypted}"))
            .file("version.yaml", encrypted.replace("version: 3.11.0", "version: new"))
            .file("no-keys.yaml", no_keys)
            .file("unreadable.yaml", &encrypted)
            .file("closed/a.yaml", &encrypted)
            .file("read-only.yaml", &encrypted)
            .file("fixed/a.yaml", &encrypted)
            .file("fixed/plain.yaml", "a: hunter2\n");
        symlink("nowhere", ours.path("dangling.yaml")).unwrap();
        symlink("circle.yaml", ours.path("circle.yaml")).unwrap();
        for (name, mode) in [("unreadable.yaml", 0), ("closed", 0), ("read-only.yaml", 0o444), ("fixed", 0o555)] {
            std::fs::set_permissions(ours.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let theirs = Test::new().env("EDITOR", "false");
        let before = files(&ours);
        let fixture = Fixture { ours, theirs, before };
        fixture.copy();
        fixture
    }

    /// Makes the files of sops those that are ours.
    fn copy(&self) {
        let (from, to) = (self.ours.home(), self.theirs.home());
        let (from, to) = (from.parent().unwrap(), to.parent().unwrap());
        let script = "rm -rf \"$2\"/work \"$2\"/home && cp -a \"$1\"/work \"$1\"/home \"$2\"";
        let copied = std::process::Command::new("sh").args(["-c", script, "sh"]).args([from, to]).status().unwrap();
        assert!(copied.success());
    }

    /// Runs `program` as root without the rights that root has over files.
    fn run(test: &Test, program: &Path, line: &str) -> Output {
        let mut command = test.command(Path::new("setpriv"), "--bounding-set=-all --inh-caps=-all --");
        command.arg(program).args(test.command(program, line).get_args());
        Output::of(line, command, b"")
    }

    /// Runs the lines, and gives what is to be the same the next time.
    #[track_caller]
    fn check(&self, cases: &[Case]) -> String {
        let (mut snapshot, mut wrong) = (String::new(), Vec::new());
        for (template, why) in cases {
            let lines: Vec<String> = match template.contains("FILE") {
                // But for what stands in the table by itself, and for what is no bad input.
                true => FILES
                    .iter()
                    .map(|file| template.replace("FILE", file))
                    .filter(|line| !FINE.contains(&line.as_str()) && cases.iter().all(|(other, _)| other != line))
                    .collect(),
                false => vec![(*template).to_owned()],
            };
            for line in lines {
                let ours = Self::run(&self.ours, leafcrypt(), &line);
                if ours.code.is_none_or(|code| code == 0 || code == 101)
                    || !ours.stdout.is_empty()
                    || ours.stderr.contains("has a bug")
                {
                    wrong.push(format!("not an orderly failure: {ours:?}"));
                }
                if ours.stderr.contains("hunter") {
                    wrong.push(format!("a message shows a value: {ours:?}"));
                }
                if files(&self.ours) != self.before {
                    wrong.push(format!("files changed: {ours:?}"));
                    break;
                }
                let code = ours.code.unwrap_or_default();
                let note = if *why == OURS {
                    String::new()
                } else {
                    let run = || {
                        let theirs = Self::run(&self.theirs, peers::real_sops(), &line);
                        self.copy();
                        theirs
                    };
                    let mut theirs = run();
                    // sops' exec-file may remove its pipe before it has opened it, and then fails for that.
                    if theirs.stderr.contains("tmp-file: no such file") {
                        theirs = run();
                    }
                    match theirs.code == ours.code {
                        true => ", as sops".to_owned(),
                        false if why.is_empty() => {
                            wrong.push(format!("another exit code than sops: {ours:?}\nsops: {theirs:?}"));
                            String::new()
                        }
                        false => format!(", sops {}: {why}", theirs.code.unwrap_or_default()),
                    }
                };
                let _ = write!(snapshot, "$ leafcrypt {line}\nexit code {code}{note}\n{}\n", self.shown(&ours.stderr));
            }
        }
        assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n\n"));
        snapshot
    }

    /// A message without what is different each time.
    fn shown(&self, message: &str) -> String {
        let folder = self.ours.path("").canonicalize().unwrap();
        let home = self.ours.home().canonicalize().unwrap();
        let message = message.replace(folder.to_str().unwrap(), "[folder]").replace(home.to_str().unwrap(), "[home]");
        let recipient = regex::Regex::new("age1[a-z0-9]{50,}").unwrap();
        let message = recipient.replace_all(&message, "[recipient]");
        // Masked as it is, a token shows where it has a `+` or a `/`.
        let token = regex::Regex::new(r"\*{3}\[\*{6}_.*").unwrap();
        token.replace_all(&message, "[token]").into_owned()
    }
}

/// All that is in the working folder and how.
fn files(test: &Test) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![test.path("")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let facts = entry.metadata().unwrap();
            let content = if facts.is_file() { std::fs::read(entry.path()).unwrap() } else { Vec::new() };
            let content = String::from_utf8_lossy(&content).into_owned();
            found.insert(entry.path().display().to_string(), format!("{:o} {content}", facts.permissions().mode()));
            if facts.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found
}

/// Checks the lines of one command against its snapshot.
macro_rules! table {
    ($name:ident, $cases:expr) => {
        #[test]
        fn $name() {
            let snapshot = Fixture::new().check(&$cases);
            insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(stringify!($name), snapshot) });
        }
    };
}

table!(
    decrypt,
    [
        ("decrypt FILE", ""),
        ("decrypt --extract '[\"user\"]' plain.yaml", ""),
        ("decrypt --extract '[\"nothing\"]' enc.yaml", ""),
        ("decrypt --extract '[\"user\"][\"below\"]' enc.yaml", "it panics"),
        ("decrypt --extract '[0]' enc.yaml", "it takes positions in maps, and prints of itself"),
        ("decrypt --extract '[\"user\"' enc.yaml", ""),
        ("decrypt --input-type json enc.yaml", ""),
        ("decrypt --input-type none enc.yaml", NO_TYPE),
        ("decrypt --output-type none enc.yaml", NO_TYPE),
        ("decrypt -i read-only.yaml", ""),
        ("decrypt -i fixed/a.yaml", IN_FILE),
        ("decrypt -i --output x.yaml enc.yaml", ""),
        ("decrypt --output read-only.yaml enc.yaml", ""),
        ("decrypt --output fixed/new.yaml enc.yaml", ""),
        ("decrypt --output folder enc.yaml", ""),
        ("decrypt --output missing/new.yaml enc.yaml", ""),
        ("decrypt --output circle.yaml enc.yaml", ""),
        ("decrypt --output /dev/full enc.yaml", FULL),
        ("decrypt --no-such-flag enc.yaml", ""),
        ("decrypt --output", ""),
        ("decrypt -i", ""),
        ("decrypt --decode-data -i enc.yaml", OURS),
        ("decrypt --decryption-order age,age enc.yaml", ""),
        ("-d missing.yaml", ""),
        ("-d", ""),
        ("-d -e enc.yaml", "it does the last of them"),
    ]
);

table!(
    encrypt,
    [
        ("encrypt FILE", ""),
        ("encrypt utf16.yaml", ""),
        ("encrypt utf16.json", ""),
        ("encrypt enc.yaml", ""),
        ("encrypt -i read-only.yaml", ""),
        ("encrypt -i fixed/plain.yaml", IN_FILE),
        ("encrypt --output fixed/new.yaml plain.yaml", ""),
        ("encrypt --output folder plain.yaml", ""),
        ("encrypt --output missing/new.yaml plain.yaml", ""),
        ("encrypt --output /dev/full plain.yaml", FULL),
        ("encrypt --config missing.yaml plain.yaml", ""),
        ("encrypt --config folder plain.yaml", ""),
        ("encrypt --config unreadable.yaml plain.yaml", ""),
        ("encrypt --config broken.sops.yaml plain.yaml", ""),
        ("encrypt --config not-rules.sops.yaml plain.yaml", ""),
        ("encrypt --config wrong-key.sops.yaml plain.yaml", ""),
        ("encrypt --config no-match.sops.yaml plain.yaml", ""),
        ("encrypt --age no-recipient plain.yaml", ""),
        ("encrypt --encrypted-regex a --unencrypted-regex b plain.yaml", ""),
        ("encrypt --encrypted-regex '(' plain.yaml", "it encrypts nothing, and does not say so"),
        ("encrypt --shamir-secret-sharing-threshold x plain.yaml", ""),
        ("encrypt --input-type none plain.yaml", NO_TYPE),
        ("encrypt --input-type json plain.yaml", ""),
        ("encrypt --filename-override no-rule.yaml plain.yaml", ""),
        ("encrypt --no-such-flag plain.yaml", ""),
        ("encrypt -i", ""),
        ("encrypt", ""),
        ("-e missing.yaml", ""),
        ("-e", ""),
    ]
);

table!(
    edit,
    [
        ("edit FILE", EDITOR),
        ("edit enc.yaml", ""),
        ("edit read-only.yaml", EDITOR),
        ("edit fixed/a.yaml", EDITOR),
        ("edit fixed/new.yaml", EDITOR),
        ("edit missing/new.yaml", EDITOR),
        ("edit --input-type none enc.yaml", NO_TYPE),
        ("edit --no-such-flag enc.yaml", ""),
        ("edit enc.yaml plain.yaml", FIRST),
        ("edit", ""),
        ("plain.yaml", ""),
        ("folder", ""),
        ("no-such-command", "to it that is the name of a new file"),
        ("no-such-command enc.yaml", "to it that is the name of a new file"),
        ("--no-such-flag", ""),
    ]
);

table!(
    exec_env,
    [
        ("exec-env FILE true", ""),
        ("exec-env enc.yaml no-such-program", ""),
        ("exec-env enc.yaml -- no-such-program", ""),
        ("exec-env enc.yaml -- no-such-program x", OURS),
        ("exec-env enc.yaml -- ./folder", ""),
        ("exec-env enc.yaml -- ./enc.yaml x", OURS),
        ("exec-env enc.yaml echo x", ""),
        ("exec-env enc.yaml echo -- x", OURS),
        ("exec-env enc.yaml", ""),
        ("exec-env enc.yaml --", ""),
        ("exec-env", ""),
        ("exec-env --user no-such-user enc.yaml true", ""),
        ("exec-env --same-process --background enc.yaml true", ""),
        ("exec-env --background missing.yaml true", ""),
        ("exec-env --input-type none enc.yaml true", OURS),
        ("exec-env --flatten=. missing.yaml true", OURS),
        ("exec-env --no-such-flag enc.yaml true", ""),
        ("exec-env --user", ""),
    ]
);

table!(
    exec_file,
    [
        ("exec-file FILE true", ""),
        ("exec-file enc.yaml no-such-program", ""),
        ("exec-file enc.yaml -- no-such-program x", OURS),
        ("exec-file --filename a/b enc.yaml true", ""),
        ("exec-file --filename .. enc.yaml true", ""),
        ("exec-file --no-fifo --filename folder/../.. enc.yaml true", ""),
        ("exec-file --user no-such-user enc.yaml true", ""),
        ("exec-file --input-type json enc.yaml true", ""),
        ("exec-file --output-type none enc.yaml true", NO_TYPE),
        ("exec-file --background missing.yaml true", ""),
        ("exec-file enc.yaml", ""),
        ("exec-file", ""),
        ("exec-file --no-such-flag enc.yaml true", ""),
    ]
);

table!(
    exec_dir,
    [
        ("exec-dir FILE true", OURS),
        ("exec-dir enc.yaml -- no-such-program", OURS),
        ("exec-dir enc.yaml", OURS),
        ("exec-dir", OURS),
    ]
);

table!(
    init,
    [
        ("init missing/folder/", OURS),
        ("init plain.yaml", OURS),
        ("init fixed", OURS),
        ("init closed", OURS),
        ("init --example fixed/new", OURS),
        ("init --example plain.yaml", OURS),
        ("init --age no-recipient folder", OURS),
        ("init folder folder", OURS),
        ("init --aws-profile team folder", OURS),
        ("init --kms arn:aws:kms:us-east-1:1:key/1 --encryption-context a:b folder", OURS),
        ("init --no-such-flag", OURS),
    ]
);

table!(
    keygen,
    [
        ("keygen --output read-only.yaml", OURS),
        ("keygen --output plain.yaml", OURS),
        ("keygen --output fixed/new.txt", OURS),
        ("keygen --output folder", OURS),
        ("keygen --output plain.yaml/below", OURS),
        ("keygen --output", OURS),
        ("keygen file", OURS),
        ("keygen --pq", OURS),
    ]
);

table!(
    keyservice,
    [
        ("keyservice --network udp", ""),
        ("keyservice --network unix --address plain.yaml", ""),
        ("keyservice --network unix --address folder", ""),
        ("keyservice --network unix --address missing/socket", ""),
        ("keyservice --network unix --address closed/socket", ""),
        ("keyservice --network unix --address fixed/socket", ""),
        ("keyservice --address nowhere", ""),
        ("keyservice --address 127.0.0.1:x", ""),
        ("keyservice --no-such-flag", ""),
        ("keyservice --network", ""),
        ("decrypt --keyservice nonsense enc.yaml", PASSES_OVER),
        ("decrypt --keyservice udp://127.0.0.1:5 enc.yaml", PASSES_OVER),
        ("decrypt --keyservice unix:///missing/socket foreign.yaml", ""),
        ("decrypt --keyservice unix:///missing/socket --enable-local-keyservice=false enc.yaml", ""),
        ("decrypt --enable-local-keyservice=false enc.yaml", ""),
        ("decrypt --enable-local-keyservice=perhaps enc.yaml", ""),
        ("encrypt --enable-local-keyservice=false plain.yaml", ""),
        ("encrypt --keyservice unix:///missing/socket --enable-local-keyservice=false plain.yaml", ""),
    ]
);

table!(
    kustomize,
    [
        ("kustomize missing.yaml", OURS),
        ("kustomize folder", OURS),
        ("kustomize unreadable.yaml", OURS),
        ("kustomize closed/a.yaml", OURS),
        ("kustomize dangling.yaml", OURS),
        ("kustomize empty.yaml", OURS),
        ("kustomize broken.yaml", OURS),
        ("kustomize broken.json", OURS),
        ("kustomize latin1.yaml", OURS),
        ("kustomize zeros.yaml", OURS),
        ("kustomize plain.yaml enc.yaml", OURS),
        ("kustomize --concurrency 0 plain.yaml", OURS),
        ("kustomize --no-such-flag plain.yaml", OURS),
        ("kustomize install", OURS),
        ("kustomize install missing", OURS),
        ("kustomize install fixed", OURS),
        ("kustomize install plain.yaml", OURS),
    ]
);

table!(
    helm,
    [
        ("helm download secrets://missing.yaml", OURS),
        ("helm download secrets://folder", OURS),
        ("helm download secrets://unreadable.yaml", OURS),
        ("helm download secrets://foreign.yaml", OURS),
        ("helm download secrets://tampered.yaml", OURS),
        ("helm download secrets://no-mac.yaml", OURS),
        ("helm download secrets://version.yaml", OURS),
        ("helm download secrets://no-keys.yaml", OURS),
        ("helm download secrets://", OURS),
        ("helm download secrets://https://example.com/a.yaml", OURS),
        ("helm download enc.yaml", OURS),
        ("helm download --root-only secrets:///etc/hostname", OURS),
        ("helm download", OURS),
        ("helm install plain.yaml", OURS),
        ("helm install fixed", OURS),
        ("helm no-such-thing", OURS),
    ]
);

table!(completion, [("completion no-such-shell", OURS), ("completion bash zsh", OURS),]);

table!(
    set,
    [
        ("set FILE '[\"user\"]' 1", ""),
        ("set enc.yaml '[\"user\"]' not-json", ""),
        ("set enc.yaml '[\"user\"]' '\"a\" \"hunter2\"'", ""),
        ("set enc.yaml '[\"user\"' 1", ""),
        ("set enc.yaml '' 1", "it panics"),
        ("set enc.yaml '[\"user\"]'", ""),
        ("set enc.yaml", ""),
        ("set", ""),
        ("set enc.yaml '[\"user\"]' 1 2", ""),
        ("set '[\"user\"]' 1 enc.yaml", ""),
        ("set --value-file enc.yaml '[\"user\"]' missing.json", ""),
        ("set --value-file enc.yaml '[\"user\"]' folder", ""),
        ("set --value-file enc.yaml '[\"user\"]' not-a-value.json", ""),
        ("set --value-stdin enc.yaml '[\"user\"]'", ""),
        ("set --value-stdin enc.yaml '[\"user\"]' 1", ""),
        ("set --value-stdin --value-file enc.yaml '[\"user\"]' value.json", ""),
        ("set - '[\"user\"]' 1", ""),
        ("set --document 1 enc.yaml '[\"user\"]' 1", OURS),
        ("set enc.yaml '[0]' 1", "it takes positions in maps, and changes nothing"),
        ("set --input-type json enc.yaml '[\"user\"]' 1", ""),
        ("set --output-type none enc.yaml '[\"user\"]' 1", NO_TYPE),
        ("set read-only.yaml '[\"user\"]' 1", ""),
        ("set fixed/a.yaml '[\"user\"]' 1", IN_FILE),
        ("set --no-such-flag enc.yaml '[\"user\"]' 1", ""),
        ("--set '[\"user\"]' enc.yaml", ""),
        ("--set '[\"user\"] not-json' enc.yaml", ""),
        ("--set '[\"user\"] 1'", ""),
        ("--set '[\"user\"] 1' -e enc.yaml", "it does the last of them"),
    ]
);

table!(
    unset,
    [
        ("unset FILE '[\"user\"]'", ""),
        ("unset enc.yaml '[\"nothing\"]'", ""),
        ("unset enc.yaml '[\"user\"][\"below\"]'", ""),
        ("unset enc.yaml '[\"user\"'", ""),
        ("unset enc.yaml ''", "it panics"),
        ("unset enc.yaml", ""),
        ("unset", ""),
        ("unset enc.yaml '[\"user\"]' x", ""),
        ("unset - '[\"user\"]'", ""),
        ("unset enc.yaml '[0]'", ""),
        ("unset read-only.yaml '[\"user\"]'", ""),
        ("unset fixed/a.yaml '[\"user\"]'", IN_FILE),
        ("unset --no-such-flag enc.yaml '[\"user\"]'", ""),
    ]
);

table!(
    rotate,
    [
        ("rotate FILE", ""),
        ("rotate -i read-only.yaml", ""),
        ("rotate -i fixed/a.yaml", IN_FILE),
        ("rotate --output fixed/new.yaml enc.yaml", ""),
        ("rotate --output folder enc.yaml", ""),
        ("rotate --add-age no-recipient enc.yaml", ""),
        ("rotate --input-type json enc.yaml", ""),
        ("rotate --no-such-flag enc.yaml", ""),
        ("rotate --add-age", ""),
        ("-r missing.yaml", ""),
        ("-r", ""),
    ]
);

table!(
    updatekeys,
    [
        ("updatekeys -y FILE", ""),
        ("updatekeys -y closed/a.yaml", STAT),
        ("updatekeys -y circle.yaml", STAT),
        ("updatekeys -y no-mac.yaml", NO_CHECK),
        ("updatekeys -y version.yaml", NO_CHECK),
        ("updatekeys -y --config missing.yaml enc.yaml", OURS),
        ("updatekeys -y --config broken.sops.yaml enc.yaml", OURS),
        ("updatekeys -y --config no-match.sops.yaml enc.yaml", OURS),
        ("updatekeys --no-such-flag enc.yaml", ""),
        ("updatekeys", ""),
    ]
);

table!(
    groups,
    [
        ("groups add -f FILE --age {age}", ""),
        ("groups add -f foreign.yaml --age {age}", KEYS),
        ("groups add -f no-mac.yaml --age {age}", NO_CHECK),
        ("groups add -f version.yaml --age {age}", NO_CHECK),
        ("groups delete -f FILE 0", ""),
        ("groups delete -f tampered.yaml 0", LAST_GROUP),
        ("groups delete -f added.yaml 0", LAST_GROUP),
        ("groups delete -f no-mac.yaml 0", NO_CHECK),
        ("groups delete -f version.yaml 0", NO_CHECK),
        ("groups add -f enc.yaml --age no-recipient", "it drops what is no recipient, and writes a group of nobody"),
        ("groups add --age {age}", ""),
        ("groups delete -f enc.yaml", ""),
        ("groups delete -f enc.yaml x", ""),
        ("groups delete -f enc.yaml 7", "it panics"),
        ("groups delete 0", ""),
        ("groups add --no-such-flag", ""),
    ]
);

table!(
    filestatus,
    [
        ("filestatus missing.yaml", ""),
        ("filestatus folder", ""),
        ("filestatus unreadable.yaml", ""),
        ("filestatus closed/a.yaml", ""),
        ("filestatus broken.yaml", ""),
        ("filestatus broken.json", ""),
        ("filestatus zeros.yaml", ""),
        ("filestatus --no-such-flag enc.yaml", ""),
        ("filestatus", ""),
    ]
);

table!(
    seal,
    [
        ("seal enc.yaml", OURS),
        ("seal --cert missing.pem enc.yaml", OURS),
        ("seal --cert folder enc.yaml", OURS),
        ("seal --cert plain.yaml enc.yaml", OURS),
        ("seal --cert plain.yaml --scope none enc.yaml", OURS),
    ]
);

table!(
    publish,
    [
        ("publish -y missing.yaml", ""),
        ("publish -y folder", ""),
        ("publish -y plain.yaml", ""),
        ("publish -y enc.yaml", ""),
        ("publish -y --no-such-flag enc.yaml", ""),
        ("publish -y --namespace prod enc.yaml", OURS),
        ("publish -y --secret-store vault enc.yaml", OURS),
        ("publish", ""),
    ]
);

#[test]
fn every_command_has_a_table() {
    let help = Test::new().run("--help").code(0).text();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description that goes on in the next line is indented further.
    let names = commands.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let commands: Vec<&str> = names.filter_map(|line| line.split(' ').next()).collect();
    assert!(commands.contains(&"decrypt"), "{help}");
    let table = |command: &str| format!("tests/it/snapshots/it__bad_input__{}.snap", command.replace('-', "_"));
    let without: Vec<_> = commands.into_iter().filter(|&name| !peers::package().join(table(name)).exists()).collect();
    assert!(without.is_empty(), "{without:?} have no table of bad input in tests/it/bad_input.rs");
}
