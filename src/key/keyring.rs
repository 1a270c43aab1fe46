//! All keys of this machine, asked as one.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::stanza::printable;
use super::wrap::{AT_ONCE, NAME_ONE};
use super::{Answer, Environment, KeyService, Opener, Others, Search, Stanza, registry};
use crate::error::{Error, Kind, Result};
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
    /// Who is asked first, by their place in the registry.
    order: Vec<usize>,
    /// Whether this machine's own keys are used.
    local: bool,
    /// Asked for what this machine does not open or wrap.
    services: Vec<Arc<dyn KeyService>>,
    /// What else this job is to open.
    others: Option<Others>,
}

/// Back ends that are asked for one group after the other before those of the next phase are asked for any.
struct Phase {
    /// By their place in the registry.
    backends: Vec<usize>,
    /// Whether they are services, which are asked for several groups at the same time.
    remote: bool,
    /// Whether key services are asked as well, after the back ends.
    services: bool,
}

/// The groups that were opened, and why the others were not.
pub struct Opened {
    /// What was in those that opened.
    pub shares: Vec<Share>,
    /// The groups that did not open, and what was tried.
    pub refused: Vec<(usize, Search)>,
}

/// What was in a group.
pub struct Share {
    /// The group, by its place.
    pub group: usize,
    /// The stanza that opened, by its place in the group.
    pub by: usize,
    /// The data key, or a share of it.
    pub part: SecretBytes,
}

/// A service to be asked about a stanza, which stands at a place in its group.
struct Job<'a> {
    whom: String,
    opener: Arc<dyn Opener>,
    place: usize,
    stanza: &'a Stanza,
}

/// The stanza that opened, by its place in its group, and what was in it.
type Found = (usize, SecretBytes);

impl Keyring {
    /// A keyring on the keys that `environment` leads to.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        let openers = registry::backends().iter().map(|_| OnceLock::new()).collect();
        Keyring { environment, openers, order: ordered(&[]), local: true, services: Vec::new(), others: None }
    }

    /// A keyring on the keys of this process' user.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(Environment::of_process())
    }

    /// The same keyring with key services, which are asked, one after the other, for what the keys of this machine do
    /// not open or wrap; these are left alone if `local` is false.
    #[must_use]
    pub fn with_services(mut self, local: bool, services: Vec<Arc<dyn KeyService>>) -> Self {
        (self.local, self.services) = (local, services);
        self
    }

    /// The same keyring for a job that is to open what `others` gives as well: a program that holds keys is then
    /// started once for all of it.
    #[must_use]
    pub fn expecting(mut self, others: Others) -> Self {
        self.others = Some(others);
        self
    }

    /// The same keyring, which looks again for the keys of this machine. It keeps what the user was asked for, and the
    /// connections and credentials of services.
    pub(super) fn renewed(&self) -> Self {
        let stays = |backend: usize, opener: &Arc<dyn Opener>| {
            registry::backends()[backend].is_remote() || opener.was_asked_for()
        };
        let renew = |(backend, opener): (usize, &OnceLock<Arc<dyn Opener>>)| match opener.get() {
            Some(opener) if stays(backend, opener) => OnceLock::from(Arc::clone(opener)),
            _ => OnceLock::new(),
        };
        Keyring {
            environment: self.environment.clone(),
            openers: self.openers.iter().enumerate().map(renew).collect(),
            order: self.order.clone(),
            local: self.local,
            services: self.services.clone(),
            others: self.others.clone(),
        }
    }

    pub(super) fn is_local(&self) -> bool {
        self.local
    }

    pub(super) fn services(&self) -> &[Arc<dyn KeyService>] {
        &self.services
    }

    /// The same keyring, asked in another order: the back ends that `names` lists between commas go
    /// before the others, as in sops. An empty list changes nothing. Names that nobody knows are added
    /// to `warnings`; sops passes over them in silence.
    ///
    /// # Errors
    /// When a name is given twice, as in sops.
    pub fn in_order(mut self, names: &str, warnings: &mut Vec<String>) -> Result<Self> {
        let names: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                return Err(Error::new(Kind::DuplicateKeyType, "the decryption order names a kind of key twice")
                    .because(format!("{} is in it more than once", printable(name)))
                    .hint(format!("name each once, out of {}", known())));
            }
            if registry::list(name).is_none() {
                let name = printable(name);
                warnings.push(format!("the decryption order names {name}, which is none of {}", known()));
            }
        }
        self.order = ordered(&names);
        Ok(self)
    }

    /// Opens one stanza of each of `groups` until `needed` groups are open. What this machine can open by
    /// itself is tried in all groups before any service is asked, unless the order says otherwise, and no more
    /// groups are opened than are needed.
    #[must_use]
    pub fn unwrap_groups(&self, groups: &[Vec<Stanza>], needed: usize) -> Opened {
        let mut shares = Vec::new();
        let mut refused: Vec<(usize, Search)> = (0..groups.len()).map(|group| (group, Search::default())).collect();
        for phase in &self.phases() {
            if shares.len() >= needed {
                break;
            }
            let before = std::mem::take(&mut refused);
            if phase.remote {
                let asked = before.into_iter().map(|(group, tried)| Asked {
                    group,
                    tried,
                    jobs: self.jobs(&groups[group], phase),
                    searches: Vec::new(),
                    waiting: 0,
                    last: None,
                    is_open: false,
                });
                refused = unwrap_remote(asked.collect(), &mut shares, needed);
                continue;
            }
            for (group, mut tried) in before {
                if shares.len() < needed {
                    match self.unwrap_local(&groups[group], phase) {
                        Ok((by, part)) => {
                            shares.push(Share { group, by, part });
                            continue;
                        }
                        Err(search) => tried.extend(search),
                    }
                }
                refused.push((group, tried));
            }
        }
        for (group, tried) in &mut refused {
            if !self.local {
                tried
                    .looked_at
                    .push("the keys of this machine were not asked: --enable-local-keyservice is false".to_owned());
            }
            if !self.local && self.services.is_empty() {
                tried.hints.push(NAME_ONE.to_owned());
            }
            // Of several groups one more recipient is of no help: it would be in the first.
            for own in tried.own.drain(..).filter(|_| groups.len() == 1) {
                tried
                    .hints
                    .push(format!("or have someone who can open the file add you: leafcrypt rotate -i {own} FILE"));
            }
            for stanza in groups[*group].iter().filter(|stanza| registry::backend(stanza.list()).is_none()) {
                let kind = printable(stanza.list());
                tried.looked_at.push(format!("{}: this build cannot open {kind} keys", stanza.title()));
                tried.hints.extend(registry::lacking(stanza.list()).1);
            }
        }
        Opened { shares, refused }
    }

    fn opener(&self, backend: usize) -> Arc<dyn Opener> {
        let make = || {
            let opener: Arc<dyn Opener> = registry::backends()[backend].opener(&self.environment).into();
            self.others.iter().for_each(|others| opener.expect(Arc::clone(others)));
            opener
        };
        Arc::clone(self.openers[backend].get_or_init(make))
    }

    /// With keys on this machine. The back end is given all of its stanzas, so that it can begin with the cheapest.
    fn unwrap_local(&self, group: &[Stanza], phase: &Phase) -> Result<Found, Search> {
        let mut tried = Search::default();
        for &backend in &phase.backends {
            let (places, stanzas): (Vec<usize>, Vec<&Stanza>) = of(backend, group).unzip();
            if stanzas.is_empty() {
                continue;
            }
            // Said before as well: an agent or a person may take long to answer.
            match asked(registry::backends()[backend].name(), &stanzas, || self.opener(backend).unwrap(&stanzas)) {
                Answer::Here { part, by } => return Ok((places[by], part)),
                Answer::NotMine(search) | Answer::Failed(search) => tried.extend(search),
            }
        }
        Err(tried)
    }

    /// Who is asked for what, one phase after the other. Key services come last.
    fn phases(&self) -> Vec<Phase> {
        let mut phases = if self.local { phases(&self.order) } else { Vec::new() };
        if !self.services.is_empty() {
            match phases.last_mut().filter(|phase| phase.remote) {
                Some(last) => last.services = true,
                None => phases.push(Phase { backends: Vec::new(), remote: true, services: true }),
            }
        }
        phases
    }

    /// The questions to key services about the stanzas of a group: about each, all services.
    fn questions<'a>(&'a self, group: &'a [Stanza]) -> impl Iterator<Item = Job<'a>> {
        let kinds = self.order.iter().map(|&at| registry::backends()[at].name());
        let mut stanzas: Vec<(usize, &Stanza)> = group.iter().enumerate().collect();
        let kinds: Vec<&str> = kinds.collect();
        let place = |stanza: &Stanza| kinds.iter().position(|kind| *kind == stanza.list());
        // What this build does not know comes last.
        stanzas.sort_by_key(|(_, stanza)| place(stanza).unwrap_or(kinds.len()));
        stanzas.into_iter().flat_map(|(place, stanza)| {
            self.services.iter().map(move |service| {
                let whom = format!("{} for {}", service.name(), stanza.title());
                Job { whom, opener: Arc::clone(service) as Arc<dyn Opener>, place, stanza }
            })
        })
    }

    /// Who is asked for a group in a phase of services.
    fn jobs<'a>(&'a self, group: &'a [Stanza], phase: &Phase) -> VecDeque<Job<'a>> {
        let of_backend = |&backend: &usize| {
            of(backend, group)
                .map(|(place, stanza)| Job { whom: stanza.title(), opener: self.opener(backend), place, stanza })
                .collect::<Vec<_>>()
        };
        let by_backend = phase.backends.iter().flat_map(of_backend);
        by_backend.chain(self.questions(group).filter(|_| phase.services)).collect()
    }
}

/// A group whose services are asked.
struct Asked<'a> {
    /// The group, by its place.
    group: usize,
    /// What was tried before.
    tried: Search,
    /// Who is still to be asked.
    jobs: VecDeque<Job<'a>>,
    /// What those said who were asked, in their order.
    searches: Vec<Search>,
    /// How many of them are waited for, and when the last one was asked.
    waiting: usize,
    last: Option<Instant>,
    is_open: bool,
}

impl Asked<'_> {
    /// Whether nothing more is to come.
    fn is_over(&self) -> bool {
        self.is_open || self.jobs.is_empty() && self.waiting == 0
    }

    /// For how long the one who was asked last is waited for alone; nothing when that time is over, or it answered.
    fn patience(&self) -> Option<Duration> {
        let end = self.last.filter(|_| self.waiting > 0)? + PATIENCE;
        Some(end.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    fn take(&mut self, job: usize, place: usize, answer: Answer, shares: &mut Vec<Share>) {
        self.waiting -= 1;
        match answer {
            Answer::Here { .. } if self.is_open => {}
            Answer::Here { part, .. } => {
                self.is_open = true;
                shares.push(Share { group: self.group, by: place, part });
            }
            Answer::NotMine(search) | Answer::Failed(search) => self.searches[job] = search,
        }
    }
}

/// With the services that the stanzas name: for as many groups at the same time as are missing, for each one after the
/// other. But one that keeps us waiting does not keep the next from being asked: of its group or, when all of that were, for
/// the next group. What is waited for when enough groups are open is left behind: what its thread hears is dropped and wiped.
/// Gives the groups that did not open.
fn unwrap_remote(mut groups: Vec<Asked<'_>>, shares: &mut Vec<Share>, needed: usize) -> Vec<(usize, Search)> {
    let (report, reports) = mpsc::channel();
    let mut report = Some(report);
    let mut left: usize = groups.iter().map(|group| group.jobs.len()).sum();
    while shares.len() < needed && !groups.iter().all(Asked::is_over) {
        let mut missing = (needed - shares.len()).min(AT_ONCE);
        let mut wait: Option<Duration> = None;
        let is_alone = left == 1 && groups.iter().all(|group| group.waiting == 0);
        for (at, group) in groups.iter_mut().enumerate().filter(|(_, group)| !group.is_over()) {
            if missing == 0 {
                break;
            }
            if group.patience().is_none()
                && let Some(Job { whom, opener, place, stanza }) = group.jobs.pop_front()
            {
                left -= 1;
                let job = group.searches.len();
                group.searches.push(Search::default());
                group.waiting += 1;
                group.last = Some(Instant::now());
                if is_alone {
                    let answer = asked(&whom, &[stanza], || opener.unwrap(&[stanza]));
                    group.take(job, place, answer, shares);
                    break;
                }
                // With the last thread goes the last sender, so that the end of all threads is noticed.
                let sender = if left > 0 { report.clone() } else { report.take() };
                let stanza = stanza.clone();
                let work = Arc::new(move || {
                    let answer = asked(&whom, &[&stanza], || opener.unwrap(&[&stanza]));
                    sender.as_ref().map(|report| report.send((at, job, place, answer)))
                });
                let by_thread = Arc::clone(&work);
                // Where the system has no more threads, this one does it.
                if std::thread::Builder::new().spawn(move || by_thread()).is_err() {
                    work();
                }
            }
            if let Some(patience) = group.patience() {
                missing -= 1;
                wait = Some(wait.map_or(patience, |wait| wait.min(patience)));
            }
        }
        if groups.iter().all(|group| group.waiting == 0) {
            continue;
        }
        let answer = match left {
            0 => reports.recv().map_err(|_| RecvTimeoutError::Disconnected),
            _ => reports.recv_timeout(wait.unwrap_or(PATIENCE)),
        };
        match answer {
            Ok((at, job, place, answer)) => groups[at].take(job, place, answer, shares),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let refused = groups.into_iter().filter(|group| !group.is_open);
    let search = |Asked { group, mut tried, searches, .. }| {
        searches.into_iter().for_each(|search| tried.extend(search));
        (group, tried)
    };
    refused.map(search).collect()
}

/// The stanzas of a back end in `group`, with their places.
fn of(backend: usize, group: &[Stanza]) -> impl Iterator<Item = (usize, &Stanza)> {
    let name = registry::backends()[backend].name();
    group.iter().enumerate().filter(move |(_, stanza)| stanza.list() == name)
}

/// The back ends, those called `first` before the others.
fn ordered(first: &[&str]) -> Vec<usize> {
    let backends = registry::backends();
    let mut order: Vec<usize> = (0..backends.len()).collect();
    order.sort_by_key(|&at| first.iter().position(|name| *name == backends[at].name()).unwrap_or(first.len()));
    order
}

/// The back ends of this machine in their order, in phases.
fn phases(order: &[usize]) -> Vec<Phase> {
    let backends = registry::backends();
    // gpg is not troubled where age opens other groups; services are asked at the same time.
    let alike = |a: &usize, b: &usize| backends[*a].is_remote() && backends[*b].is_remote();
    let phase = |run: &[usize]| Phase { backends: run.to_vec(), remote: backends[run[0]].is_remote(), services: false };
    order.chunk_by(alike).map(phase).collect()
}

/// The names that a decryption order may have.
fn known() -> String {
    let names: Vec<&str> = registry::LISTS.iter().map(|list| list.name).collect();
    names.join(", ")
}

/// Asks, and says so.
fn asked(whom: &str, stanzas: &[&Stanza], ask: impl FnOnce() -> Answer) -> Answer {
    trace::note(|| format!("asking {whom} to open the data key"));
    let clock = trace::clock();
    let answer = ask();
    clock.done(|| match &answer {
        Answer::Here { by, .. } => format!("{} opened the data key", stanzas[*by].title()),
        _ => format!("{whom} did not open the data key"),
    });
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
        add(&mut self.own, other.own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_each_kind_once_and_only_known_ones() {
        let order = |names: &str| -> Result<(Vec<&str>, Vec<String>)> {
            let mut warnings = Vec::new();
            let keyring = Keyring::new(Environment::of([])).in_order(names, &mut warnings)?;
            Ok((keyring.order.iter().map(|&at| registry::backends()[at].name()).collect(), warnings))
        };
        let usual: Vec<&str> = registry::backends().iter().map(|backend| backend.name()).collect();
        for names in ["", ",", " age ,", "kms,pgp"] {
            let (asked, warnings) = order(names).unwrap();
            let first = names.split(',').map(str::trim).find(|name| usual.contains(name));
            assert_eq!(asked.first().copied(), first.or(usual.first().copied()), "{names:?}");
            assert_eq!((asked.len(), warnings), (usual.len(), Vec::new()), "{names:?}");
        }
        let last = *usual.last().unwrap();
        assert_eq!(order(last).unwrap().0[0], last);
        assert_eq!(order("age,pgp,age").unwrap_err().exit_code(), 112);
        assert!(order("age,gpg").unwrap().1[0].contains("names gpg"));
    }

    #[test]
    fn what_is_on_this_machine_is_asked_before_any_service() {
        let phases = phases(&ordered(&[]));
        assert!(phases.is_sorted_by_key(|phase| phase.remote), "the registry lists local back ends before remote ones");
        assert!(phases.iter().filter(|phase| phase.remote).count() <= 1);
    }
}
