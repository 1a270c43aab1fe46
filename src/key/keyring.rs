//! All keys of this machine, asked as one.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

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
            let mut at = 0;
            while shares.len() < needed && at < refused.len() {
                // As many at the same time as are missing, and the next ones for those that fail.
                let wave = if phase.remote { needed - shares.len() } else { 1 };
                let wave: Vec<_> = refused.drain(at..(at + wave).min(refused.len())).collect();
                let asked: Vec<&[Stanza]> = wave.iter().map(|(group, _)| groups[*group].as_slice()).collect();
                let answers = self.unwrap_at_once(&asked, phase);
                for ((group, mut tried), answer) in wave.into_iter().zip(answers) {
                    match answer {
                        Ok((by, part)) => shares.push(Share { group, by, part }),
                        Err(search) => {
                            tried.extend(search);
                            refused.insert(at, (group, tried));
                            at += 1;
                        }
                    }
                }
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

    /// With the back ends of `phase`, for several groups at the same time.
    fn unwrap_at_once(&self, groups: &[&[Stanza]], phase: &Phase) -> Vec<Result<Found, Search>> {
        let unwrap = |group| {
            if phase.remote { self.unwrap_remote(group, phase) } else { self.unwrap_local(group, phase) }
        };
        if let [only] = groups {
            return vec![unwrap(only)];
        }
        let mut found = Vec::with_capacity(groups.len());
        for some in groups.chunks(AT_ONCE) {
            found.extend(std::thread::scope(|scope| {
                // Where the system has no more threads, this one does it.
                let start = |&group| {
                    let thread = std::thread::Builder::new();
                    thread.spawn_scoped(scope, move || unwrap(group)).map_err(|_| unwrap(group))
                };
                let threads: Vec<_> = some.iter().map(start).collect();
                let end = |started: Result<std::thread::ScopedJoinHandle<'_, _>, _>| match started {
                    Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                    Err(done) => done,
                };
                threads.into_iter().map(end).collect::<Vec<_>>()
            }));
        }
        found
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

    /// With the services that the stanzas name, one after the other; but one that keeps us waiting does
    /// not keep the next from being asked. The first that opens ends it: a thread that still waits for
    /// its service is left behind, and what it hears is dropped and wiped.
    fn unwrap_remote(&self, group: &[Stanza], phase: &Phase) -> Result<Found, Search> {
        let by_backend = phase.backends.iter().flat_map(|&backend| {
            of(backend, group).map(move |(place, stanza)| Job {
                whom: stanza.title(),
                opener: self.opener(backend),
                place,
                stanza,
            })
        });
        let jobs: Vec<Job<'_>> = by_backend.chain(self.questions(group).filter(|_| phase.services)).collect();
        if let [Job { whom, opener, place, stanza }] = &jobs[..] {
            return match asked(whom, &[stanza], || opener.unwrap(&[stanza])) {
                Answer::Here { part, .. } => Ok((*place, part)),
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
            if let Some((job, Job { whom, opener, place, stanza })) = waiting.next() {
                // With the last thread goes the last sender, so that the end of all threads is noticed.
                let sender = if waiting.len() > 0 { report.clone() } else { report.take() };
                let stanza = stanza.clone();
                let work = Arc::new(move || {
                    let answer = asked(&whom, &[&stanza], || opener.unwrap(&[&stanza]));
                    sender.as_ref().map(|report| report.send((job, place, answer)))
                });
                let by_thread = Arc::clone(&work);
                // Where the system has no more threads, this one does it.
                if std::thread::Builder::new().spawn(move || by_thread()).is_err() {
                    work();
                }
            }
            let answer = match waiting.len() {
                0 => reports.recv().map_err(|_| RecvTimeoutError::Disconnected),
                _ => reports.recv_timeout(PATIENCE),
            };
            match answer {
                Ok((_, place, Answer::Here { part, .. })) => return Ok((place, part)),
                Ok((job, _, Answer::NotMine(search) | Answer::Failed(search))) => searches[job] = search,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let mut tried = Search::default();
        searches.into_iter().for_each(|search| tried.extend(search));
        Err(tried)
    }
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
