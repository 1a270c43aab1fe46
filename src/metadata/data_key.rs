//! The data key of a file: wrapped for its recipients, and got back with the keys of this machine.

use super::Metadata;
use crate::crypto::shamir;
use crate::error::{Error, Kind, Result};
use crate::key::{Backend, Keyring, Search, Stanza, registry};
use crate::secret::{DataKey, SecretBytes};

/// So many recipients are listed in a message.
const RECIPIENTS_LISTED: usize = 50;

/// So many services are asked at the same time.
const AT_ONCE: usize = 16;

impl Metadata {
    /// Wraps `data_key` for every stanza: whole with one group, else split, a share for each group. A
    /// threshold of 0 becomes the number of groups. When it fails nothing has changed.
    ///
    /// # Errors
    /// When there is no recipient, a group is empty, the threshold does not fit the groups, or this
    /// build lacks a back end; those of the back ends.
    pub fn wrap(&mut self, data_key: &DataKey) -> Result<()> {
        self.wrap_some(data_key, |_| true)
    }

    /// As [`Self::wrap`], but what is wrapped already stays as it is, where that is possible: with several
    /// groups the data key is split anew, and each share is another one.
    ///
    /// # Errors
    /// Those of [`Self::wrap`].
    pub fn wrap_new(&mut self, data_key: &DataKey) -> Result<()> {
        let split = self.key_groups.len() > 1;
        self.wrap_some(data_key, |stanza| split || !stanza.is_wrapped())
    }

    fn wrap_some(&mut self, data_key: &DataKey, wanted: impl Fn(&Stanza) -> bool) -> Result<()> {
        if self.key_groups.iter().all(Vec::is_empty) {
            return Err(Error::new(Kind::NoRecipient, "there is no recipient to encrypt for")
                .hint("name one with --age, or write a creation rule: leafcrypt init"));
        }
        if let Some(empty) = self.key_groups.iter().position(Vec::is_empty) {
            return Err(Error::new(Kind::NoRecipient, format!("key group {} has no recipient", empty + 1))
                .because("nobody could open its share of the data key"));
        }
        let threshold = if self.key_groups.len() == 1 { 0 } else { self.groups_needed() };
        let parts = match self.key_groups.len() {
            1 => vec![SecretBytes::from(data_key.expose().to_vec())],
            groups => shamir::split(data_key.expose(), groups, threshold)?,
        };
        let mut wrapped = self.key_groups.clone();
        let (mut here, mut services) = (Vec::new(), Vec::new());
        for (group, part) in wrapped.iter_mut().zip(&parts) {
            for stanza in group.iter_mut().filter(|stanza| wanted(stanza)) {
                let backend = registry::backend(stanza.list()).ok_or_else(|| no_backend(stanza))?;
                if backend.waits() { &mut services } else { &mut here }.push(Job { backend, stanza, part });
            }
        }
        // What can fail without a network fails before anybody is asked over one.
        here.into_iter().try_for_each(Job::run)?;
        run_at_once(services)?;
        self.key_groups = wrapped;
        self.shamir_threshold = threshold;
        Ok(())
    }

    /// Gets the data key with whichever keys are at hand. No more groups are opened than are needed.
    ///
    /// # Errors
    /// When too few groups open ([`Kind::NoDataKey`]): with the file's recipients, everywhere that was
    /// looked for a key, and what was found there.
    pub fn unwrap(&self, keyring: &Keyring) -> Result<DataKey> {
        self.unwrap_telling(keyring, &mut Vec::new())
    }

    /// As [`Self::unwrap`], and tells in `story`, line by line, which key opened which group, and what
    /// was tried before.
    ///
    /// # Errors
    /// Those of [`Self::unwrap`].
    pub fn unwrap_telling(&self, keyring: &Keyring, story: &mut Vec<String>) -> Result<DataKey> {
        let needed = self.groups_needed();
        let mut parts = Vec::new();
        let mut asked = Vec::new();
        for (at, group) in self.key_groups.iter().enumerate() {
            if parts.len() == needed {
                break;
            }
            let (by, tried) = match keyring.unwrap(group) {
                Ok(opened) => {
                    parts.push(opened.part);
                    (Some(&group[opened.by]), opened.tried)
                }
                Err(tried) => (None, tried),
            };
            story.extend(tried.failures.iter().map(|failure| format!("{}: {failure}", self.named(at))));
            story.push(match by {
                Some(by) => format!("{} was opened by {}", self.named(at), by.title()),
                None => format!("{} was not opened", self.named(at)),
            });
            asked.push((by, tried));
        }
        if parts.len() < needed || parts.is_empty() {
            return Err(self.no_data_key(parts.len(), asked));
        }
        let bytes = match &parts[..] {
            [whole] if self.key_groups.len() == 1 => whole.expose().to_vec(),
            shares => shamir::combine(shares)?.expose().to_vec(),
        };
        let size = bytes.len();
        DataKey::from_bytes(bytes).ok_or_else(|| {
            Error::new(Kind::NoDataKey, "the data key is damaged")
                .because(format!("it has {size} bytes and not {}", DataKey::SIZE))
        })
    }

    /// What a key group is called in a message.
    fn named(&self, group: usize) -> String {
        if self.key_groups.len() > 1 { format!("key group {}", group + 1) } else { "the file".to_owned() }
    }

    /// Why the data key is out of reach, from what was said of each group: all of them were asked.
    fn no_data_key(&self, opened: usize, asked: Vec<(Option<&Stanza>, Search)>) -> Error {
        let many = self.key_groups.len() > 1;
        let mut error = Error::new(
            Kind::NoDataKey,
            if many {
                format!(
                    "{opened} of {} key groups opened, and {} are needed",
                    self.key_groups.len(),
                    self.groups_needed()
                )
            } else {
                "no key on this machine opens the file".to_owned()
            },
        );
        let mut listed = 0;
        let mut search = Search::default();
        for (at, (by, mut tried)) in asked.into_iter().enumerate() {
            if let Some(by) = by {
                error = error.because(format!("{} was opened by {}", self.named(at), by.title()));
                continue;
            }
            for stanza in &self.key_groups[at] {
                if listed < RECIPIENTS_LISTED {
                    error = error.because(format!("{} is for {}", self.named(at), stanza.title()));
                }
                listed += 1;
            }
            if many {
                tried.failures.iter_mut().for_each(|failure| *failure = format!("{}: {failure}", self.named(at)));
            }
            search.extend(tried);
        }
        if listed > RECIPIENTS_LISTED {
            error = error.because(format!("and for {} more", listed - RECIPIENTS_LISTED));
        }
        for note in search.failures.into_iter().chain(search.looked_at) {
            error = error.because(note);
        }
        search.hints.into_iter().fold(error, Error::hint)
    }
}

/// A part of the data key to be wrapped for a recipient.
struct Job<'a> {
    backend: &'static dyn Backend,
    stanza: &'a mut Stanza,
    part: &'a SecretBytes,
}

impl Job<'_> {
    fn run(self) -> Result<()> {
        self.backend.wrap(self.stanza, self.part.expose())?;
        self.stanza.arrange(self.backend.fields());
        Ok(())
    }
}

/// Runs jobs that wait for services, so that many take little longer than one.
fn run_at_once(jobs: Vec<Job<'_>>) -> Result<()> {
    let mut jobs = jobs.into_iter();
    loop {
        let batch: Vec<_> = jobs.by_ref().take(AT_ONCE).collect();
        if batch.is_empty() {
            return Ok(());
        }
        std::thread::scope(|scope| {
            let running: Vec<_> = batch.into_iter().map(|job| scope.spawn(|| job.run())).collect();
            let result = |thread: std::thread::ScopedJoinHandle<'_, Result<()>>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            running.into_iter().try_for_each(result)
        })?;
    }
}

fn no_backend(stanza: &Stanza) -> Error {
    Error::new(Kind::Generic, format!("the data key cannot be wrapped for {}", stanza.title()))
        .because(format!("this build has no {} keys", stanza.list()))
}
