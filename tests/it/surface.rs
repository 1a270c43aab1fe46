//! Every line of `docs/sops-surface.md`, in leafcrypt under the name `sops` and in the real one.

use crate::builder::{Output, Test, leafcrypt};
use crate::gnupg::Gnupg;
use crate::peers;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the table says of a line.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The same exit code, output and files.
    Same,
    /// The same exit code and files; but what is printed, and what new files begin with.
    OwnWords,
    /// Another one, on purpose.
    Other(i32),
}

struct Row {
    line: String,
    verdict: Verdict,
}

fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(peers::package().join("docs/sops-surface.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| {
        let (line, verdict) = row.rsplit_once("` | ").unwrap_or_else(|| panic!("not a row: {row}"));
        let verdict = match verdict {
            "as sops" => Verdict::Same,
            "as sops, in its own words" => Verdict::OwnWords,
            other => {
                let code = other.split(':').next().and_then(|code| code.parse().ok());
                Verdict::Other(code.unwrap_or_else(|| panic!("no verdict: {row}")))
            }
        };
        Row { line: line.replace("\\|", "|"), verdict }
    })
    .collect()
}

/// What became of a line.
#[derive(Debug, PartialEq)]
struct Effect {
    code: Option<i32>,
    stdout: String,
    files: BTreeMap<String, String>,
}

struct Place {
    test: Test,
    gnupg: Gnupg,
    /// A folder as it is before each line.
    before: PathBuf,
    /// leafcrypt, by another name.
    sops: PathBuf,
    key: String,
    other: String,
    fingerprint: String,
}

impl Place {
    fn new() -> Self {
        const PLAIN: &str = "# keep\nuser: admin\nlist:\n    - one\n    - 2\n";
        let gnupg = Gnupg::new();
        let fingerprint = gnupg.key("surface", "");
        let (stranger, test) = (Test::new().identity(), Test::new().identity());
        let read = |test: &Test| std::fs::read_to_string(test.home().join(".config/sops/age/keys.txt")).unwrap();
        let (key, others_key) = (read(&test), read(&stranger));
        let other = recipient(&others_key);
        let rules = format!("creation_rules:\n  - path_regex: old\n    age: {other}\n  - age: {{age}}\n");
        let own = recipient(&key);
        let groups = format!("creation_rules:\n  - key_groups:\n      - age: [{own}]\n      - age: [{other}]\n");
        let test = test
            .rules(&rules)
            .file("a.yaml", PLAIN)
            .file("json", "{\"user\": \"admin\"}")
            .file("plain", "user: admin\nport: 5432\n")
            .file("value.json", "\"root\"")
            .file("other.sops.yaml", format!("creation_rules:\n  - age: {own},{other}\n"))
            .file("../groups.yaml", groups)
            .file("../both", key.clone() + "\n" + &others_key)
            .env("SOPS_AGE_KEY_FILE", "../key")
            .env("GNUPGHOME", gnupg.home().to_str().unwrap())
            .env("EDITOR", "sed -i -e s/admin/boss/ -e s/Welcome/Hello/ -e s/example_value/own/")
            .file("../key", key.clone());
        let encrypted = test.sops("encrypt a.yaml").code(0).text();
        let flat = test.sops("encrypt --input-type yaml --output-type yaml plain").code(0).text();
        let two = test.sops("--config ../groups.yaml encrypt a.yaml").code(0).text().replace("shamir_threshold: 2", "");
        let two = if two.contains("key_groups") { two } else { panic!("no key groups: {two}") };
        let foreign = test.sops(&format!("encrypt --age {other} a.yaml")).code(0).text();
        let test = test
            .file("enc.yaml", &encrypted)
            .file("enc", &encrypted)
            .file("old.yaml", &encrypted)
            .file("flat.yaml", &flat)
            .file("flat", &flat)
            .file("tampered.yaml", encrypted.replace("lastmodified: \"2", "lastmodified: \"1"))
            .file("foreign.yaml", foreign)
            .file("two.yaml", two);
        let folder = test.home().parent().unwrap().to_path_buf();
        let (before, bin) = (folder.join("before"), folder.join("bin"));
        std::fs::create_dir_all(&bin).unwrap();
        let sops = bin.canonicalize().unwrap().join("sops");
        symlink(leafcrypt(), &sops).unwrap();
        copy(&test.path(""), &before);
        Place { test, gnupg, before, sops, key, other, fingerprint }
    }

    /// Runs a line and says what became of it.
    fn effect(&self, program: &Path, line: &str, own_words: bool) -> (Effect, Output) {
        let work = self.test.path("");
        std::fs::remove_dir_all(&work).unwrap();
        copy(&self.before, &work);
        let secret = self.key.lines().find(|line| line.starts_with("AGE-SECRET-KEY")).unwrap();
        let full = line
            .replace("{age2}", &self.other)
            .replace("{pgp}", &self.fingerprint)
            .replace("{key}", secret)
            .replace("../k1", "../key");
        let (full, stdin) = match full.rsplit_once("< ") {
            Some((line, file)) => (line.trim_end().to_owned(), std::fs::read(work.join(file)).unwrap()),
            None => (full, Vec::new()),
        };
        let mut command = self.test.command(program, &full);
        let words: Vec<_> = command.get_args().map(|word| word.to_str().unwrap().to_owned()).collect();
        let is_variable = |word: &&String| {
            let name = word.split('=').next().unwrap_or_default();
            word.contains('=') && !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        };
        let variables = words.iter().take_while(is_variable).count();
        if variables > 0 {
            command = self.test.command(program, "");
            command.args(&words[variables..]);
            for variable in &words[..variables] {
                let (name, value) = variable.split_once('=').unwrap();
                if value.is_empty() {
                    command.env_remove(name)
                } else {
                    command.env(name, value)
                };
            }
        }
        command.env("SOPS_DISABLE_VERSION_CHECK", "1").stdin(std::process::Stdio::null());
        let output = Output::of(line, command, &stdin);
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&work).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
            match std::fs::read_to_string(self.before.join(&name)) {
                Ok(before) if before == text => {}
                before => _ = files.insert(name, self.opened(&text, own_words && before.is_err())),
            }
        }
        let stdout = if own_words { String::new() } else { self.opened(&output.text(), false) };
        (Effect { code: output.code, stdout, files }, output)
    }

    /// What is in an encrypted text, to the real sops, and who may read it; any other text as it is.
    fn opened(&self, text: &str, recipients_alone: bool) -> String {
        if !text.contains("ENC[AES256_GCM") {
            return text.to_owned();
        }
        let format = match text {
            _ if text.trim_start().starts_with('{') => "json",
            _ if text.contains("[sops]") => "ini",
            _ if text.lines().any(|line| line.starts_with("sops_")) => "dotenv",
            _ => "yaml",
        };
        let known = regex::Regex::new("age1[a-z0-9]{40,}|[0-9A-F]{40}|[a-z]+_(suffix|regex|only_encrypted)").unwrap();
        let who: BTreeSet<&str> = known.find_iter(text).map(|found| found.as_str()).collect();
        if recipients_alone {
            return format!("{who:?}");
        }
        let mut command = Command::new(peers::real_sops());
        command
            .args(["decrypt", "--input-type", format, "--output-type", format])
            .current_dir("/")
            .env_clear()
            .env("HOME", self.test.home())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GNUPGHOME", self.gnupg.home())
            .env("SOPS_AGE_KEY_FILE", self.before.with_file_name("both"));
        let plain = Output::of("sops decrypt", command, text.as_bytes());
        let plain = if plain.code == Some(0) { plain.text() } else { format!("unreadable: {}", plain.stderr) };
        format!("{plain}\n{who:?}")
    }
}

fn recipient(key: &str) -> String {
    let identity: age::x25519::Identity =
        key.lines().find(|line| line.starts_with("AGE-SECRET-KEY")).unwrap().parse().unwrap();
    identity.to_public().to_string()
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn each_line_does_what_the_table_says() {
    let place = Place::new();
    let rows = rows();
    assert!(rows.len() > 200, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for Row { line, verdict } in &rows {
        let own_words = *verdict == Verdict::OwnWords;
        let (ours, said) = place.effect(&place.sops, line, own_words);
        if said.stderr.contains("panicked") || ours.code.is_none() {
            wrong.push(format!("{line}: a panic\n{said:?}"));
        }
        let (mut theirs, their_output) = place.effect(peers::real_sops(), line, own_words);
        // sops' exec-file may remove its pipe before it has opened it, and then fails for that.
        if their_output.stderr.contains("tmp-file: no such file") {
            (theirs, _) = place.effect(peers::real_sops(), line, own_words);
        }
        match verdict {
            Verdict::Other(code) if ours.code == Some(*code) && ours != theirs => {}
            Verdict::Same | Verdict::OwnWords if ours == theirs => {}
            _ => wrong.push(format!("{line}: {verdict:?}\n{ours:?}\nsops: {theirs:?}\n{}", said.stderr)),
        }
    }
    assert!(wrong.is_empty(), "{} of {} lines\n\n{}", wrong.len(), rows.len(), wrong.join("\n\n"));
}

#[test]
fn no_command_flag_or_variable_of_sops_is_missing() {
    let test = Test::new();
    let rows = rows();
    let help = |command: &str| test.sops(&format!("{command} --help")).code(0).text();
    let global = help("");
    let section = |help: &str, title: &str| -> Vec<String> {
        let lines = help.lines().skip_while(|line| *line != title).skip(1);
        let words =
            lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split([' ', ',']).find(|w| !w.is_empty()));
        words.map(str::to_owned).collect()
    };
    let mut commands: Vec<String> = section(&global, "COMMANDS:").into_iter().filter(|name| name != "help").collect();
    assert!(commands.len() > 12, "{commands:?}");
    for parent in ["groups", "completion"] {
        commands.extend(section(&help(parent), "COMMANDS:").into_iter().map(|name| format!("{parent} {name}")));
    }
    let flag = regex::Regex::new(r"(?m)^   (--?[a-z-]+)( value)?(?:, (--?[a-z-]+))?").unwrap();
    let variable = regex::Regex::new(r"\[\$([A-Z_]+)\]").unwrap();
    let mut missing = Vec::new();
    for command in std::iter::once(String::new()).chain(commands) {
        let lines: Vec<&str> = match command.as_str() {
            "" => rows.iter().map(|row| row.line.as_str()).filter(|line| line.starts_with('-')).collect(),
            name => rows.iter().map(|row| row.line.as_str()).filter(|line| line.starts_with(name)).collect(),
        };
        if lines.is_empty() {
            missing.push(format!("no line for {command}"));
        }
        let help = if command.is_empty() { global.clone() } else { help(&command) };
        let options = help.split("OPTIONS:").nth(1).unwrap_or_default();
        let named = flag.captures_iter(options).flat_map(|found| [found.get(1), found.get(3)]).flatten();
        for name in named.map(|name| name.as_str()).filter(|name| !["--help", "-h"].contains(name)) {
            let is_in = |line: &&str| line.split(' ').any(|word| word.split('=').next() == Some(name));
            if !lines.iter().any(is_in) {
                missing.push(format!("no line for {command} {name}"));
            }
        }
        for name in variable.captures_iter(options).map(|found| found[1].to_owned()) {
            if !rows.iter().any(|row| row.line.contains(&format!("{name}="))) {
                missing.push(format!("no line for {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Whatever variable of sops the code knows is in the table, and in a test of what it does.
#[test]
fn every_variable_has_a_test() {
    let read = |folder: &str, extension: &str| -> String {
        let found = Command::new("find").args([folder, "-name", extension]).current_dir(peers::package()).output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        found.lines().map(|path| std::fs::read_to_string(peers::package().join(path)).unwrap()).collect()
    };
    let (sources, table) = (read("src", "*.rs"), read("docs", "sops-surface.md"));
    let tests = read("tests/it", "*.rs") + &table;
    let variable = regex::Regex::new(r"(?-u:\b)SOPS_[A-Z_]+(?-u:\b)").unwrap();
    let known: BTreeSet<&str> = variable.find_iter(&sources).map(|found| found.as_str()).collect();
    assert!(known.len() > 20, "{known:?}");
    for name in known {
        assert!(table.contains(name), "docs/sops-surface.md lacks {name}");
        // In the table alone a variable is tested where it begins a line.
        let is_set = [format!("`{name}="), format!(" {name}="), format!("(\"{name}\""), format!("${name}")];
        assert!(is_set.iter().any(|set| tests.contains(set) || sources.contains(set)), "no test sets {name}");
    }
}
