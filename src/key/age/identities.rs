//! The age identities of this machine, asked from the cheapest to the dearest.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Display;
use std::io::Read as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ::age::armor::ArmoredReader;
use ::age::{DecryptError, Decryptor};
use zeroize::Zeroizing;

use super::locked::Locked;
use super::recipient::canonical;
use super::sources::{self, COMMANDS, Found, Key};
use super::{RECIPIENT, header, plugin, shorten};
use crate::key::{Answer, Environment, Opener, Others, Search, Stanza};
use crate::secret::SecretBytes;
use crate::trace;

/// More than a data key or a share of one ever has.
const PART_LIMIT: u64 = 1024;
/// So many stanzas that should have opened are listed in a message.
const FAILURES_LISTED: usize = 20;

/// The identities, read at the first need and once.
pub(super) struct Identities {
    environment: Environment,
    age: OnceLock<Found>,
    ssh: OnceLock<Found>,
    /// What a command gave for a recipient: it may answer by recipient.
    by_command: Mutex<HashMap<(&'static str, String), Arc<Found>>>,
    /// What else is to be opened.
    others: OnceLock<Others>,
    /// What plugins gave for it, by what is wrapped.
    by_plugin: Mutex<HashMap<String, Vec<Arc<header::Known>>>>,
    /// The plugins that were asked about it.
    asked: Mutex<HashSet<String>>,
}

impl Identities {
    pub(super) fn new(environment: Environment) -> Self {
        Identities {
            environment,
            age: OnceLock::new(),
            ssh: OnceLock::new(),
            by_command: Mutex::default(),
            others: OnceLock::new(),
            by_plugin: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// The identities of a command for `recipient`. The lock is held while the command runs: it may ask
    /// the user something, and should do so once.
    fn by_command(&self, variable: &'static str, line: &str, recipient: &str) -> Arc<Found> {
        let mut known = self.by_command.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (variable, recipient.to_owned());
        if let Some(found) = known.get(&key) {
            return Arc::clone(found);
        }
        let found = Arc::new(sources::read_command(variable, line, recipient, &self.environment));
        known.insert(key, Arc::clone(&found));
        found
    }
}

impl Opener for Identities {
    /// Cheapest first: a stanza that names one of our public keys costs one exchange of keys. Then commands are
    /// run, passphrases asked for keys that are named, plugins asked about what is theirs by name, and passphrases
    /// asked for files that may hold anything. Stanzas are tried with keys that they do not name only when nothing
    /// else is left: the name beside a stanza is a hint and may be wrong.
    fn unwrap(&self, stanzas: &[&Stanza]) -> Answer {
        let mut attempt = Attempt::new(stanzas, self);
        attempt.run().unwrap_or_else(|| attempt.report())
    }

    fn expect(&self, others: Others) {
        let _ = self.others.set(others);
    }

    fn was_asked_for(&self) -> bool {
        let by_command = self.by_command.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found =
            [&self.age, &self.ssh].into_iter().filter_map(OnceLock::get).chain(by_command.values().map(Arc::as_ref));
        found.any(|found| found.locked.iter().any(|locked| opened(locked).is_some()))
    }
}

/// What is looked at for the stanzas of one file.
struct Attempt<'a> {
    stanzas: &'a [&'a Stanza],
    identities: &'a Identities,
    /// The place of each stanza by the public key that it names.
    places: HashMap<String, usize>,
    failures: Vec<String>,
    /// Why things that could have helped did not, in the order of their trial.
    troubles: Vec<String>,
    report: Vec<String>,
    /// What to type, where a variable holds what another takes.
    hints: Vec<String>,
    /// A public key of ours, for a hint.
    own: Option<String>,
}

impl<'a> Attempt<'a> {
    fn new(stanzas: &'a [&'a Stanza], identities: &'a Identities) -> Self {
        let places = stanzas.iter().map(|stanza| canonical(stanza.text(RECIPIENT)).into_owned()).zip(0..).collect();
        let (failures, troubles, report) = (Vec::new(), Vec::new(), Vec::new());
        Attempt { stanzas, identities, places, failures, troubles, report, hints: Vec::new(), own: None }
    }

    fn run(&mut self) -> Option<Answer> {
        let identities = self.identities;
        let environment = &identities.environment;
        let age = identities.age.get_or_init(|| sources::read_age(environment));
        if let Some(opened) = self.named(&age.keys) {
            return Some(opened);
        }
        let ssh = identities.ssh.get_or_init(|| sources::read_ssh(environment));
        if let Some(opened) = self.named(&ssh.keys) {
            return Some(opened);
        }
        let mut given = Vec::new();
        let mut no_command = Vec::new();
        for variable in COMMANDS {
            let Some(line) = environment.get(variable) else {
                no_command.push(format!("{variable}: not set"));
                continue;
            };
            for stanza in self.stanzas {
                let found = identities.by_command(variable, &line.to_string_lossy(), stanza.text(RECIPIENT));
                if let Some(opened) = self.named(&found.keys) {
                    return Some(opened);
                }
                given.push(found);
            }
        }
        let at_hand: Vec<&Found> = [ssh, age].into_iter().chain(given.iter().map(Arc::as_ref)).collect();
        let opened = self.unlock_named(&at_hand).or_else(|| self.ask_plugins(&at_hand, true));
        let opened = opened.or_else(|| self.unlock_files(&at_hand)).or_else(|| self.whatever_their_name(&at_hand));
        if opened.is_none() {
            let mut said = HashSet::new();
            let lines = at_hand.iter().flat_map(|found| found.report()).chain(no_command);
            self.report = lines.filter(|line| said.insert(line.clone())).collect();
            self.hints = at_hand.iter().flat_map(|found| &found.hints).cloned().collect();
        }
        opened
    }

    /// Opens a stanza that names one of `keys`; notes those that should open and do not.
    fn named(&mut self, keys: &[Key]) -> Option<Answer> {
        for key in keys {
            let Some(&by) = self.places.get(&key.public) else { continue };
            match open(self.stanzas[by], [&*key.identity as &dyn ::age::Identity]) {
                Ok(part) => return Some(self.here(part, by, || format!("the identity of {}", key.place))),
                Err(why) => self.fail(&key.public, why),
            }
        }
        None
    }

    /// The answer, which says for `--verbose` what opened it.
    fn here<T: Display>(&self, part: SecretBytes, by: usize, with: impl FnOnce() -> T) -> Answer {
        trace::note(|| format!("{}: opened with {}", self.stanzas[by].title(), with()));
        Answer::Here { part, by }
    }

    fn fail(&mut self, public: &str, why: &str) {
        let line = format!("{}: {why}", shorten(public));
        if self.failures.len() < FAILURES_LISTED && !self.failures.contains(&line) {
            self.failures.push(line);
        }
    }

    fn trouble(&mut self, line: String) {
        if self.troubles.len() < FAILURES_LISTED && !self.troubles.contains(&line) {
            self.troubles.push(line);
        }
    }

    /// Opens with keys that need a passphrase and that a stanza names.
    fn unlock_named(&mut self, at_hand: &[&Found]) -> Option<Answer> {
        for locked in at_hand.iter().flat_map(|found| &found.locked) {
            let publics = locked.publics().unwrap_or_default();
            let Some(public) = publics.iter().find(|public| self.places.contains_key(*public)) else { continue };
            match locked.open() {
                Ok(found) => {
                    if let Some(opened) = self.named(&found.keys) {
                        return Some(opened);
                    }
                }
                Err(why) => self.fail(public, &format!("{} is locked: {why}", locked.place())),
            }
        }
        None
    }

    /// Opens with what is in files that need a passphrase.
    fn unlock_files(&mut self, at_hand: &[&Found]) -> Option<Answer> {
        for locked in at_hand.iter().flat_map(|found| &found.locked).filter(|locked| locked.publics().is_none()) {
            match locked.open() {
                Ok(found) => {
                    let opened = self.named(&found.keys).or_else(|| self.ask_plugins(&[found], true));
                    if opened.is_some() {
                        return opened;
                    }
                }
                Err(why) => self.trouble(format!("{}: {why}", locked.place())),
            }
        }
        None
    }

    /// Asks each plugin that there is an identity of about the stanzas that it may open: one process for all of
    /// them. With `theirs`, about those alone whose recipient is the plugin's own, or one of hardware.
    fn ask_plugins(&mut self, at_hand: &[&Found], theirs: bool) -> Option<Answer> {
        let mut plugins: BTreeMap<&str, Vec<&plugin::Identity>> = BTreeMap::new();
        let mut said = HashSet::new();
        for identity in at_hand.iter().flat_map(|found| &found.plugins) {
            if said.insert(identity.text()) {
                plugins.entry(identity.plugin()).or_default().push(identity);
            }
        }
        for (name, identities) in plugins {
            let is_theirs = |stanza: &Stanza| match plugin::of_recipient(stanza.text(RECIPIENT).trim()) {
                Some("tag" | "tagpq") => true,
                named => named == Some(name),
            };
            let is_asked = |stanza: &Stanza| is_theirs(stanza) == theirs;
            if let Some(opened) = self.ask_plugin(name, &identities, is_asked) {
                return Some(opened);
            }
        }
        None
    }

    /// Asks a plugin about the stanzas that `is_asked` chooses. In a job over many files it is asked about those of the
    /// other files as well, the first time: one process for all of them. Who comes meanwhile waits, and has the answer.
    fn ask_plugin(
        &mut self,
        name: &str,
        plugins: &[&plugin::Identity],
        is_asked: impl Fn(&Stanza) -> bool,
    ) -> Option<Answer> {
        let mut places: Vec<usize> = (0..self.stanzas.len()).filter(|at| is_asked(self.stanzas[*at])).collect();
        places.retain(|at| header::stanzas(self.stanzas[*at].text(Stanza::ENC)).is_some());
        if places.is_empty() {
            return None;
        }
        let identities = self.identities;
        let mut known = identities.by_plugin.lock().unwrap_or_else(PoisonError::into_inner);
        for &by in &places {
            let keys = known.get(self.stanzas[by].text(Stanza::ENC)).into_iter().flatten();
            for key in keys {
                if let Ok(part) = open(self.stanzas[by], [&**key as &dyn ::age::Identity]) {
                    return Some(self.here(part, by, || format!("the plugin {name}")));
                }
            }
        }
        let first = identities.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        let others = identities.others.get().filter(|_| first).map(|others| others()).unwrap_or_default();
        // Of another file, one that opens is enough: they are one file to the plugin, with a header of all of theirs.
        let others: Vec<Vec<&str>> = others
            .iter()
            .map(|group| {
                group.iter().filter(|stanza| is_asked(stanza)).map(|stanza| stanza.text(Stanza::ENC)).collect()
            })
            .filter(|group: &Vec<&str>| !group.iter().any(|enc| self.holds(enc)))
            .collect();
        let own = places.iter().map(|at| vec![self.stanzas[*at].text(Stanza::ENC)]);
        let files: Vec<Vec<&str>> = own.chain(others).collect();
        let headers: Vec<Vec<_>> =
            files.iter().map(|file| file.iter().filter_map(|enc| header::stanzas(enc)).flatten().collect()).collect();
        // With no other file, one that opens is enough, and another might want to be touched for.
        let enough = |file: usize| files.len() == places.len() && file < places.len();
        let mut opened = None;
        match plugin::unwrap(plugins, &headers, &identities.environment, enough) {
            Ok(unwrapped) => {
                for (file, key) in unwrapped.keys {
                    let key = Arc::new(header::Known::new(key));
                    match places.get(file) {
                        Some(_) if opened.is_some() => {}
                        Some(&by) => match open(self.stanzas[by], [&*key as &dyn ::age::Identity]) {
                            Ok(part) => opened = Some(self.here(part, by, || format!("the plugin {name}"))),
                            Err(why) => self.fail(self.stanzas[by].text(RECIPIENT), why),
                        },
                        None => {
                            for enc in &files[file] {
                                known.entry((*enc).to_owned()).or_default().push(Arc::clone(&key));
                            }
                        }
                    }
                }
                unwrapped.errors.into_iter().for_each(|line| self.trouble(line));
            }
            Err(why) => self.trouble(why),
        }
        opened
    }

    /// Whether `enc` is wrapped in one of the stanzas.
    fn holds(&self, enc: &str) -> bool {
        self.stanzas.iter().any(|stanza| stanza.text(Stanza::ENC) == enc)
    }

    /// Opens with any key that there is.
    fn whatever_their_name(&mut self, at_hand: &[&Found]) -> Option<Answer> {
        let files = at_hand.iter().flat_map(|found| &found.locked).filter_map(|locked| opened(locked));
        let found: Vec<&Found> = at_hand.iter().copied().chain(files).collect();
        let mut publics = BTreeSet::new();
        let keys = found.iter().flat_map(|found| &found.keys).filter(|key| publics.insert(key.public.as_str()));
        let keys: Vec<&dyn ::age::Identity> = keys.map(|key| &*key.identity as &dyn ::age::Identity).collect();
        self.own = publics.into_iter().find(|public| public.starts_with("age1")).map(str::to_owned);
        if !keys.is_empty() {
            for (by, stanza) in self.stanzas.iter().enumerate() {
                if let Ok(part) = open(stanza, keys.iter().copied()) {
                    return Some(self.here(part, by, || "an identity that the file does not name"));
                }
            }
        }
        self.ask_plugins(&found, false)
    }

    /// What to say when nothing opened.
    fn report(self) -> Answer {
        let Attempt { failures, troubles, report, mut hints, own, .. } = self;
        let looked_at = troubles.into_iter().chain(report).collect();
        if failures.is_empty() {
            if hints.is_empty() {
                hints = usual_hints(own.is_some());
            }
            let own = own.into_iter().map(|own| format!("--add-age {own}")).collect();
            return Answer::NotMine(Search { failures, looked_at, hints, own });
        }
        let locked = failures.iter().all(|line| line.contains(" is locked: "));
        let hint = match locked {
            true => "run it in a terminal, and give the passphrase",
            false => "take the file's sops block from an earlier version: git log -p FILE",
        };
        Answer::Failed(Search { failures, looked_at, hints: vec![hint.to_owned()], own: Vec::new() })
    }
}

/// What is in a locked file that was opened already.
fn opened(locked: &Locked) -> Option<&Found> {
    locked.is_asked().then(|| locked.open().ok()).flatten()
}

/// What to do without a matching identity.
fn usual_hints(has_another: bool) -> Vec<String> {
    let mut hints = vec!["name the file with the matching identity: export SOPS_AGE_KEY_FILE=KEYFILE".to_owned()];
    if !has_another {
        hints.push("or make an identity and have its recipient added to the file: leafcrypt keygen".to_owned());
    }
    hints
}

/// Opens a stanza with one of `identities`.
fn open<'i>(
    stanza: &Stanza,
    identities: impl IntoIterator<Item = &'i dyn ::age::Identity>,
) -> Result<SecretBytes, &'static str> {
    let enc = stanza.text(Stanza::ENC);
    if enc.is_empty() {
        return Err("the field enc is missing");
    }
    // A file with the line endings of Windows, or one that lost its last newline, is still the same.
    let decryptor =
        Decryptor::new_buffered(ArmoredReader::new(enc.trim_start().as_bytes())).map_err(|error| explain(&error))?;
    let mut reader = decryptor.decrypt(identities.into_iter()).map_err(|error| explain(&error))?.take(PART_LIMIT);
    let mut part = Zeroizing::new(Vec::with_capacity(PART_LIMIT as usize));
    reader.read_to_end(&mut part).map_err(|_| DAMAGED)?;
    // A copy of the right size; the roomy one is wiped.
    Ok(SecretBytes::from(part.to_vec()))
}

const DAMAGED: &str = "the age file in enc is damaged";

/// In our words: the crate's come through its own translations.
fn explain(error: &DecryptError) -> &'static str {
    match error {
        DecryptError::NoMatchingKeys => "the age file in enc was made for another key",
        DecryptError::ExcessiveWork { .. } => "the age file in enc is locked with a passphrase",
        DecryptError::UnknownFormat => "the age file in enc is of an unknown version",
        _ => DAMAGED,
    }
}

#[cfg(test)]
mod tests;
