//! Where age identities come from, and what stands there.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ::age::x25519;
use zeroize::Zeroizing;

use super::command;
use crate::key::Environment;

/// More than any key file has; what is longer is refused. The limit of age itself.
const LIMIT: u64 = 1 << 24;
/// Room taken before reading, so that an ordinary key file is never copied to a larger buffer, leaving
/// the smaller one behind in memory.
pub(super) const ROOM: usize = 1 << 16;
/// So many things of one source are listed in a message, and the rest is counted.
const LISTED: usize = 5;

const KEY: &str = "SOPS_AGE_KEY";
const KEY_FILE: &str = "SOPS_AGE_KEY_FILE";
const KEY_COMMAND: &str = "SOPS_AGE_KEY_CMD";
const SSH_FILE: &str = "SOPS_AGE_SSH_PRIVATE_KEY_FILE";

/// The identities found in one place, or in several.
#[derive(Default)]
pub(super) struct Found {
    /// Each with its public key.
    pub(super) identities: Vec<(String, x25519::Identity)>,
    /// For each place a line: its name, and what stands there.
    pub(super) report: Vec<String>,
}

/// Reads the places that are the same for every recipient. What is wrong in one of them is reported
/// and keeps none of the others from being used.
pub(super) fn read_fixed(environment: &Environment) -> Found {
    let mut found = Found::default();
    match environment.get(KEY).map(|value| value.into_string().map(Zeroizing::new)) {
        None => found.note(KEY, "not set"),
        Some(Ok(text)) => found.read(KEY, &text, Lines::OfManyKeys),
        Some(Err(_)) => found.note(KEY, "not UTF-8"),
    }
    match environment.get(KEY_FILE) {
        None => found.note(KEY_FILE, "not set"),
        Some(path) => {
            let place = format!("{KEY_FILE}={}", path.display());
            found.read_file(&place, &path);
        }
    }
    if let Some(path) = environment.get(SSH_FILE) {
        found.note(&format!("{SSH_FILE}={}", path.display()), "this build cannot use ssh keys");
    }
    match default_file(environment) {
        None => found.note("the user's configuration folder", "unknown, HOME is not set"),
        Some(path) => found.read_file(&environment.show(&path), path.as_os_str()),
    }
    found
}

/// The command that gives identities, when there is one.
pub(super) fn command(environment: &Environment) -> Option<String> {
    environment.get(KEY_COMMAND).map(|line| line.to_string_lossy().into_owned())
}

/// Says that there is no command.
pub(super) fn no_command() -> String {
    format!("{KEY_COMMAND}: not set")
}

/// Asks the command for the identities of `recipient`.
pub(super) fn read_command(line: &str, recipient: &str) -> Found {
    let mut found = Found::default();
    match command::run(line, recipient, LIMIT) {
        Err(why) => found.note(KEY_COMMAND, &why),
        Ok(output) => found.read_bytes(KEY_COMMAND, &output),
    }
    found
}

/// `sops/age/keys.txt` in the user's configuration folder.
pub(super) fn default_file(environment: &Environment) -> Option<PathBuf> {
    Some(environment.config_folder()?.join("sops").join("age").join("keys.txt"))
}

/// How a text is laid out.
#[derive(Clone, Copy, PartialEq)]
enum Lines {
    /// One key on a line, the form of a key file.
    OfOneKey,
    /// Several keys on a line: sops 3.13 allows it in the variable, where newlines are hard to type.
    OfManyKeys,
}

impl Found {
    fn note(&mut self, place: &str, what: &str) {
        self.report.push(format!("{place}: {what}"));
    }

    fn read_file(&mut self, place: &str, path: &OsStr) {
        match read_limited(Path::new(path)) {
            Ok(bytes) => self.read_bytes(place, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.note(place, "no such file"),
            Err(error) => self.note(place, &format!("cannot be read: {error}")),
        }
    }

    fn read_bytes(&mut self, place: &str, bytes: &[u8]) {
        if bytes.len() as u64 >= LIMIT {
            return self.note(place, "too large for a key file");
        }
        if bytes.starts_with(b"age-encryption.org/") {
            return self.note(place, PASSPHRASE);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.read(place, text, Lines::OfOneKey),
            Err(error) => {
                let line = memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() + 1;
                self.note(place, &format!("line {line}: not UTF-8"));
            }
        }
    }

    /// Reads identities from `text`. Of what is none, the line's number is reported, never the line.
    fn read(&mut self, place: &str, text: &str, lines: Lines) {
        let text = text.trim_start_matches('\u{feff}');
        let before = self.identities.len();
        let mut problems = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(whole) = kind_of_file(line) {
                problems.push(whole.to_owned());
                break;
            }
            let words = line.split_whitespace().filter(|_| lines == Lines::OfManyKeys);
            let whole = std::iter::once(line).filter(|_| lines == Lines::OfOneKey);
            for item in words.chain(whole) {
                match item.parse::<x25519::Identity>() {
                    Ok(identity) => self.identities.push((identity.to_public().to_string(), identity)),
                    Err(_) => problems.push(format!("line {}: {}", number + 1, kind_of_line(item))),
                }
            }
        }
        let publics: Vec<&str> = self.identities[before..].iter().map(|(public, _)| public.as_str()).collect();
        let count = match publics.len() {
            0 => "no identity".to_owned(),
            1 => "1 identity".to_owned(),
            n => format!("{n} identities"),
        };
        let named = listed(publics);
        let problems = listed(problems.iter().map(String::as_str).collect());
        let what: Vec<String> = [count, named, problems].into_iter().filter(|part| !part.is_empty()).collect();
        self.note(place, &what.join(", "));
    }
}

const PASSPHRASE: &str = "a key file encrypted with a passphrase, which this build cannot open";

/// What a file is that does not hold an identity on each line, told by its first line.
fn kind_of_file(line: &str) -> Option<&'static str> {
    if line.starts_with("-----BEGIN AGE") {
        return Some(PASSPHRASE);
    }
    (line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY"))
        .then_some("an ssh private key, which this build cannot use")
}

/// What a line is that this build cannot use. Nothing of the line is repeated but a plugin's name.
fn kind_of_line(line: &str) -> String {
    if line.starts_with("AGE-SECRET-KEY-PQ-1") {
        return "a post-quantum identity, which this build cannot use".to_owned();
    }
    if let Some((name, _)) = line.strip_prefix("AGE-PLUGIN-").and_then(|rest| rest.rsplit_once("-1")) {
        return format!("an identity of the age plugin {}, which this build cannot use", name.to_ascii_lowercase());
    }
    if line.starts_with("AGE-SECRET-KEY-1") {
        return "a damaged identity, a letter may be wrong or missing".to_owned();
    }
    if line.starts_with("age1") {
        return "a recipient, not an identity".to_owned();
    }
    "not an age identity".to_owned()
}

fn listed(mut items: Vec<&str>) -> String {
    let more = items.len().saturating_sub(LISTED);
    items.truncate(LISTED);
    let mut text = items.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn read_limited(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
    File::open(path)?.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}
