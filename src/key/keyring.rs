//! All keys of this machine, asked as one.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::stanza::printable;
use super::{Answer, Environment, Opener, Search, Stanza, registry};
use crate::secret::SecretBytes;
use crate::trace;

/// A service that has not answered for so long is not waited for alone: the next one is asked as well.
const PATIENCE: Duration = Duration::from_millis(300);

/// Opens stanzas with whatever keys this machine has: one for a run of the program, shared by all
/// files and threads. A back end's key sources are read when a file first needs them.
pub struct Keyring {
    environment: Environment,
    /// Beside the registry's back ends, in their order.
    openers: Vec<OnceLock<Arc<dyn Opener>>>,
}

/// The parts that were opened, and why the others were not, by group.
pub struct Opened {
    /// Parts of the data key, or the whole one.
    pub parts: Vec<SecretBytes>,
    /// The groups that were tried and did not open.
    pub refused: Vec<(usize, Search)>,
}

impl Keyring {
    /// A keyring on the keys that `environment` leads to.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        let openers = registry::backends().iter().map(|_| OnceLock::new()).collect();
        Keyring { environment, openers }
    }

    /// A keyring on the keys of this process' user.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(Environment::of_process())
    }

    /// Opens one stanza of each of `groups` until `needed` groups are open. What this machine can open by
    /// itself is tried in all groups before any service is asked, and no more groups are opened than are needed.
    #[must_use]
    pub fn unwrap_groups(&self, groups: &[Vec<Stanza>], needed: usize) -> Opened {
        let mut parts = Vec::new();
        let mut refused = Vec::new();
        for (at, group) in groups.iter().enumerate() {
            if parts.len() == needed {
                break;
            }
            match self.unwrap_local(group) {
                Ok(part) => parts.push(part),
                Err(tried) => refused.push((at, tried)),
            }
        }
        // As many at the same time as are missing, and the next ones for those that fail.
        let mut at = 0;
        while parts.len() < needed && at < refused.len() {
            let wave = (needed - parts.len()).min(refused.len() - at);
            let asked: Vec<usize> = refused[at..at + wave].iter().map(|(group, _)| *group).collect();
            let answers = self.unwrap_remote_of(groups, &asked);
            let mut opened = Vec::new();
            for (place, answer) in (at..).zip(answers) {
                match answer {
                    Ok(part) => {
                        parts.push(part);
                        opened.push(place);
                    }
                    Err(search) => refused[place].1.extend(search),
                }
            }
            at += wave;
            for place in opened.into_iter().rev() {
                refused.remove(place);
                at -= 1;
            }
        }
        Opened { parts, refused }
    }

    /// Opens one of `group`, whose stanzas all wrap the same bytes.
    ///
    /// # Errors
    /// What was tried, when none opens.
    pub fn unwrap(&self, group: &[Stanza]) -> Result<SecretBytes, Search> {
        self.unwrap_local(group).or_else(|mut tried| {
            self.unwrap_remote(group).map_err(|search| {
                tried.extend(search);
                tried
            })
        })
    }

    fn opener(&self, backend: usize) -> Arc<dyn Opener> {
        let make = || registry::backends()[backend].opener(&self.environment).into();
        Arc::clone(self.openers[backend].get_or_init(make))
    }

    /// With the keys on this machine alone.
    fn unwrap_local(&self, group: &[Stanza]) -> Result<SecretBytes, Search> {
        let mut tried = Search::default();
        for (at, backend) in registry::backends().iter().enumerate().filter(|(_, backend)| !backend.is_remote()) {
            let stanzas: Vec<&Stanza> = group.iter().filter(|stanza| stanza.list() == backend.name()).collect();
            if stanzas.is_empty() {
                continue;
            }
            // Said before as well: an agent or a person may take long to answer.
            match asked(backend.name(), || self.opener(at).unwrap(&stanzas)) {
                Answer::Here(part) => return Ok(part),
                Answer::NotMine(search) | Answer::Failed(search) => tried.extend(search),
            }
        }
        for stanza in group.iter().filter(|stanza| registry::backend(stanza.list()).is_none()) {
            let kind = printable(stanza.list());
            tried.looked_at.push(format!("{}: this build cannot open {kind} keys", stanza.title()));
        }
        Err(tried)
    }

    /// Of several groups at the same time.
    fn unwrap_remote_of(&self, groups: &[Vec<Stanza>], asked: &[usize]) -> Vec<Result<SecretBytes, Search>> {
        if let [only] = asked {
            return vec![self.unwrap_remote(&groups[*only])];
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = asked.iter().map(|at| scope.spawn(|| self.unwrap_remote(&groups[*at]))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join();
            threads
                .into_iter()
                .map(|thread| join(thread).unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }

    /// With the services that the stanzas name, one after the other; but one that keeps us waiting does
    /// not keep the next from being asked. The first that opens ends it: a thread that still waits for
    /// its service is left behind, and what it hears is dropped and wiped.
    fn unwrap_remote(&self, group: &[Stanza]) -> Result<SecretBytes, Search> {
        let remote = registry::backends().iter().enumerate().filter(|(_, backend)| backend.is_remote());
        let of = |name: &'static str| group.iter().filter(move |stanza| stanza.list() == name);
        let jobs: Vec<(usize, &Stanza)> =
            remote.flat_map(|(at, backend)| of(backend.name()).map(move |stanza| (at, stanza))).collect();
        if let [(backend, stanza)] = jobs[..] {
            return match asked(&stanza.title(), || self.opener(backend).unwrap(&[stanza])) {
                Answer::Here(part) => Ok(part),
                Answer::NotMine(search) | Answer::Failed(search) => Err(search),
            };
        }
        if jobs.is_empty() {
            return Err(Search::default());
        }
        let mut searches: Vec<Search> = jobs.iter().map(|_| Search::default()).collect();
        let (report, reports) = mpsc::channel();
        let mut report = Some(report);
        let mut waiting = jobs.into_iter().enumerate();
        loop {
            if let Some((place, (backend, stanza))) = waiting.next() {
                // With the last thread goes the last sender, so that the end of all threads is noticed.
                let sender = if waiting.len() > 0 { report.clone() } else { report.take() };
                let (opener, stanza) = (self.opener(backend), stanza.clone());
                std::thread::spawn(move || {
                    let answer = asked(&stanza.title(), || opener.unwrap(&[&stanza]));
                    sender.map(|report| report.send((place, answer)))
                });
            }
            let answer = match waiting.len() {
                0 => reports.recv().map_err(|_| RecvTimeoutError::Disconnected),
                _ => reports.recv_timeout(PATIENCE),
            };
            match answer {
                Ok((_, Answer::Here(part))) => return Ok(part),
                Ok((place, Answer::NotMine(search) | Answer::Failed(search))) => searches[place] = search,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let mut tried = Search::default();
        searches.into_iter().for_each(|search| tried.extend(search));
        Err(tried)
    }
}

/// Asks, and says so.
fn asked(whom: &str, ask: impl FnOnce() -> Answer) -> Answer {
    trace::note(|| format!("asking {whom} to open the data key"));
    let clock = trace::clock();
    let answer = ask();
    let opened = if matches!(answer, Answer::Here(_)) { "opened" } else { "did not open" };
    clock.done(|| format!("{whom} {opened} the data key"));
    answer
}

impl Search {
    /// Adds what another search found, each line once.
    pub fn extend(&mut self, other: Search) {
        let add = |to: &mut Vec<String>, from: Vec<String>| {
            for line in from {
                if !to.contains(&line) {
                    to.push(line);
                }
            }
        };
        add(&mut self.failures, other.failures);
        add(&mut self.looked_at, other.looked_at);
        add(&mut self.hints, other.hints);
    }
}
