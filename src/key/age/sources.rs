//! Where age identities come from, and what stands there.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::age::x25519;
use zeroize::Zeroizing;

use super::command::{self, NoOutput};
use super::locked::Locked;
use super::{hybrid, plugin, shorten, ssh};
use crate::document::Encoding;
use crate::key::Environment;
use crate::key::named::{self, Misplaced};

/// More than any key file has; what is longer is refused. The limit of age itself.
pub(super) const LIMIT: u64 = 1 << 24;
/// Room taken before reading, so that an ordinary key file is never copied to a larger buffer, leaving
/// the smaller one behind in memory.
pub(super) const ROOM: usize = 1 << 16;
/// The same for a file that says how large it is: some of those that the system makes say that they are empty.
const USUAL: usize = 1 << 12;
/// So many things of one source are listed in a message, and the rest is counted.
const LISTED: usize = 5;

const KEY: &str = "SOPS_AGE_KEY";
const KEY_FILE: &str = "SOPS_AGE_KEY_FILE";
const SSH_FILE: &str = "SOPS_AGE_SSH_PRIVATE_KEY_FILE";
/// The variables with a command that prints identities.
pub(super) const COMMANDS: [&str; 2] = ["SOPS_AGE_SSH_PRIVATE_KEY_CMD", "SOPS_AGE_KEY_CMD"];
/// The ssh keys in `~/.ssh` that sops takes without being told.
const SSH_KEYS: [&str; 2] = ["id_ed25519", "id_rsa"];

/// An identity that opens without asking anybody.
pub(super) struct Key {
    /// Its public key.
    pub(super) public: String,
    /// Itself.
    pub(super) identity: Box<dyn ::age::Identity + Send + Sync>,
    /// Where it stands, for people.
    pub(super) place: Arc<str>,
}

impl Key {
    pub(super) fn new(public: String, identity: impl ::age::Identity + Send + Sync + 'static) -> Self {
        Key { public, identity: Box::new(identity), place: Arc::default() }
    }
}

/// The identities found in one place, or in several.
#[derive(Default)]
pub(super) struct Found {
    pub(super) keys: Vec<Key>,
    pub(super) plugins: Vec<plugin::Identity>,
    pub(super) locked: Vec<Arc<Locked>>,
    /// What to type, where something stands in the wrong place.
    pub(super) hints: Vec<String>,
    places: Vec<Place>,
}

/// A place that was looked at, and what stands there.
struct Place {
    name: String,
    what: What,
}

enum What {
    Said(String),
    /// No place at all: its name says what it holds instead.
    Misplaced,
    /// To be told when it is known whether it opened.
    Locked(Arc<Locked>),
}

/// Reads the places of age identities that are the same for every recipient. What is wrong in one of them
/// is reported and keeps none of the others from being used.
pub(super) fn read_age(environment: &Environment) -> Found {
    let mut found = Found::default();
    match environment.get(KEY).map(|value| value.into_string().map(Zeroizing::new)) {
        None => found.note(KEY, "not set"),
        Some(Ok(text)) => found.read_text(KEY, &text, Lines::OfManyKeys),
        Some(Err(_)) => found.note(KEY, "not UTF-8"),
    }
    found.read_named_by(KEY_FILE, environment);
    match default_file(environment) {
        None => {
            found.note("the user's configuration folder", "unknown, HOME is not set or XDG_CONFIG_HOME is relative")
        }
        Some(path) => found.read_file(&environment.show(&path), path.as_os_str()),
    }
    found
}

/// Reads the places of ssh keys that are the same for every recipient.
pub(super) fn read_ssh(environment: &Environment) -> Found {
    let mut found = Found::default();
    found.read_named_by(SSH_FILE, environment);
    if let Some(home) = environment.home() {
        for name in SSH_KEYS {
            let path = home.join(".ssh").join(name);
            found.read_file(&environment.show(&path), path.as_os_str());
        }
    }
    found
}

/// Asks the command `line` of `variable` for the identities of `recipient`.
pub(super) fn read_command(variable: &str, line: &str, recipient: &str, environment: &Environment) -> Found {
    let mut found = Found::default();
    match command::run(variable, line, recipient, environment, LIMIT) {
        Err(NoOutput::Misplaced(misplaced)) => found.misplaced(&misplaced),
        Err(NoOutput::Other(why)) => found.note(variable, &why),
        Ok(output) => found.read_bytes(variable, &output),
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
    /// For each place a line: its name, and what stands there.
    pub(super) fn report(&self) -> impl Iterator<Item = String> {
        self.places.iter().map(|place| match &place.what {
            What::Said(what) => format!("{}: {what}", place.name),
            What::Misplaced => place.name.clone(),
            What::Locked(locked) => format!("{}: {}", place.name, locked.report()),
        })
    }

    fn note(&mut self, place: &str, what: &str) {
        self.places.push(Place { name: place.to_owned(), what: What::Said(what.to_owned()) });
    }

    /// The file that `variable` names.
    fn read_named_by(&mut self, variable: &str, environment: &Environment) {
        match environment.get(variable) {
            None => self.note(variable, "not set"),
            Some(path) => match named::check_path(variable, &path) {
                Ok(()) => self.read_file(&format!("{variable}={}", path.display()), &path),
                Err(misplaced) => self.misplaced(&misplaced),
            },
        }
    }

    fn misplaced(&mut self, misplaced: &Misplaced) {
        self.places.push(Place { name: misplaced.to_string(), what: What::Misplaced });
        self.hints.push(misplaced.hint());
    }

    fn read_file(&mut self, place: &str, path: &OsStr) {
        match read_limited(Path::new(path)) {
            Ok(bytes) => self.read_bytes(place, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.note(place, "no such file"),
            Err(error) => self.note(place, &format!("cannot be read: {error}")),
        }
    }

    pub(super) fn read_bytes(&mut self, place: &str, bytes: &[u8]) {
        if bytes.len() as u64 >= LIMIT {
            return self.note(place, "too large for a key file");
        }
        if is_age_file(bytes) {
            return self.read_locked(place, bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.read_text(place, text, Lines::OfOneKey),
            Err(error) => match Encoding::of(bytes).name() {
                Some(utf16) => self.note(place, &format!("it is {utf16}, which age does not read; save it as UTF-8")),
                None => {
                    let line = memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() + 1;
                    self.note(place, &format!("line {line}: not UTF-8"));
                }
            },
        }
    }

    fn read_locked(&mut self, place: &str, bytes: &[u8]) {
        match Locked::file(place, bytes).map(Arc::new) {
            None => self.note(place, "an age file that no passphrase opens, or a damaged one"),
            Some(locked) => self.lock(place, locked),
        }
    }

    fn lock(&mut self, place: &str, locked: Arc<Locked>) {
        self.locked.push(Arc::clone(&locked));
        self.places.push(Place { name: place.to_owned(), what: What::Locked(locked) });
    }

    fn read_text(&mut self, place: &str, text: &str, lines: Lines) {
        let text = text.trim_start_matches('\u{feff}');
        if is_age_file(text.as_bytes()) {
            return self.read_locked(place, text.as_bytes());
        }
        if ssh::is_private_key(text) {
            return match ssh::read(text) {
                ssh::Private::Open(keys) => {
                    let public = keys.first().map(|key| shorten(&key.public)).unwrap_or_default();
                    self.note(place, &format!("an ssh key, {public}"));
                    self.keys.extend(keys.into_iter().map(|key| Key { place: place.into(), ..key }));
                }
                ssh::Private::Locked(key) => self.lock(place, Arc::new(Locked::ssh(place, key))),
                ssh::Private::Unusable(why) => self.note(place, &format!("an ssh private key {why}")),
            };
        }
        self.read_lines(place, text, lines);
    }

    /// Reads identities from `text`. Of what is none, the line's number is reported, never the line.
    fn read_lines(&mut self, place: &str, text: &str, lines: Lines) {
        let mut names = Vec::new();
        let mut problems = Vec::new();
        let shown: Arc<str> = place.into();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words = line.split_whitespace().filter(|_| lines == Lines::OfManyKeys);
            let whole = std::iter::once(line).filter(|_| lines == Lines::OfOneKey);
            for item in words.chain(whole) {
                if let Some(key) = native(item) {
                    names.push(shorten(&key.public));
                    self.keys.push(Key { place: Arc::clone(&shown), ..key });
                } else if let Some(identity) = plugin::Identity::parse(item) {
                    names.push(format!("one of the age plugin {}", identity.plugin()));
                    self.plugins.push(identity);
                } else {
                    problems.push(format!("line {}: {}", number + 1, kind_of_line(item)));
                }
            }
        }
        let count = match names.len() {
            0 => "no identity".to_owned(),
            1 => "1 identity".to_owned(),
            n => format!("{n} identities"),
        };
        let what: Vec<String> =
            [count, listed(names), listed(problems)].into_iter().filter(|part| !part.is_empty()).collect();
        self.note(place, &what.join(", "));
    }
}

/// An identity that age itself knows.
fn native(line: &str) -> Option<Key> {
    if let Ok(identity) = line.parse::<x25519::Identity>() {
        return Some(Key::new(identity.to_public().to_string(), identity));
    }
    let identity = line.parse::<hybrid::Identity>().ok()?;
    Some(Key::new(identity.to_public().to_string(), identity))
}

/// The public keys of the identities in `text`, one on a line or several. The keys themselves are asked, not
/// the comments above them, which anybody may have changed. A plugin's are not known.
pub(super) fn recipients_of(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(str::split_whitespace).filter_map(native).map(|key| key.public).collect()
}

fn is_age_file(bytes: &[u8]) -> bool {
    bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE")
}

/// What a line is that holds no identity. Nothing of the line is repeated.
fn kind_of_line(line: &str) -> &'static str {
    if line.starts_with("AGE-SECRET-KEY-") || line.starts_with("AGE-PLUGIN-") {
        "a damaged identity, a letter may be wrong or missing"
    } else if line.starts_with("age1") {
        "a recipient, not an identity"
    } else {
        "not an age identity"
    }
}

fn listed(mut items: Vec<String>) -> String {
    let more = items.len().saturating_sub(LISTED);
    items.truncate(LISTED);
    let mut text = items.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn read_limited(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    // All that is allocated is wiped, so not more than a usual file needs; the size of a pipe is not known.
    let size = file.metadata().ok().filter(|facts| facts.is_file()).map(|facts| facts.len().min(LIMIT) as usize + 1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.map_or(ROOM, |size| size.max(USUAL))));
    file.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}
