//! The data key wrapped for many recipients.

use super::{Backend, KeyService, Keyring, Stanza, registry};
use crate::error::{Error, Kind, Result};
use crate::trace;
use std::sync::{Arc, Mutex, PoisonError};

/// So many services are asked at the same time.
pub(super) const AT_ONCE: usize = 16;

/// A stanza, its back end on this machine, and the bytes to wrap.
type Job<'a> = (&'a mut Stanza, Option<&'static dyn Backend>, &'a [u8]);

impl Keyring {
    /// Wraps, for each stanza's recipient, the bytes beside it. First what this machine can do alone, so that
    /// no service is asked when that fails; then all services at the same time. A key service is asked for what this
    /// machine could not do, or was not to do.
    ///
    /// # Errors
    /// When this build lacks a back end, and those of the back ends: every service that failed, not just the
    /// first.
    pub fn wrap_all<'a>(&self, stanzas: impl IntoIterator<Item = (&'a mut Stanza, &'a [u8])>) -> Result<()> {
        let with_backend = stanzas.into_iter().map(|(stanza, part)| {
            let backend = registry::backend(stanza.list()).filter(|_| self.is_local());
            if backend.is_none() && self.services().is_empty() {
                let error = cannot_wrap(stanza);
                return Err(if self.is_local() {
                    let (why, install) = registry::lacking(stanza.list());
                    install.into_iter().fold(error.because(why), Error::hint)
                } else {
                    error.because("no key of this machine may be used, and no key service is named").hint(NAME_ONE)
                });
            }
            Ok((stanza, backend, part))
        });
        let jobs: Vec<Job<'_>> = with_backend.collect::<Result<_>>()?;
        let is_remote = |job: &Job<'_>| job.1.is_none_or(|backend| backend.is_remote());
        let (remote, local): (Vec<_>, Vec<_>) = jobs.into_iter().partition(is_remote);
        local.into_iter().try_for_each(|job| run(job, self.services()))?;
        wrap_remote(remote, self.services())
    }
}

/// What to do where nobody may be asked.
pub(super) const NAME_ONE: &str =
    "name one: --keyservice unix:///PATH, or let this machine's keys be used: --enable-local-keyservice";

fn wrap_remote(jobs: Vec<Job<'_>>, services: &[Arc<dyn KeyService>]) -> Result<()> {
    let count = jobs.len();
    let mut failed = Vec::new();
    if count < 2 {
        failed.extend(jobs.into_iter().enumerate().filter_map(|(at, job)| Some((at, run(job, services).err()?))));
    } else {
        let jobs = Mutex::new(jobs.into_iter().enumerate());
        let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            let mut failed = Vec::new();
            while let Some((at, job)) = next() {
                failed.extend(run(job, services).err().map(|error| (at, error)));
            }
            failed
        };
        std::thread::scope(|scope| {
            // As many as the system has; where it has none, this one does it.
            let start = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
            let workers: Vec<_> = (0..count.min(AT_ONCE)).map_while(start).collect();
            if workers.is_empty() {
                failed.extend(work());
            }
            for worker in workers {
                match worker.join() {
                    Ok(more) => failed.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
    }
    failed.sort_by_key(|(at, _)| *at);
    let mut errors = failed.into_iter().map(|(_, error)| error);
    match (errors.next(), errors.len()) {
        (None, _) => Ok(()),
        (Some(only), 0) => Err(only),
        (Some(first), more) => Err(together(first, errors, more + 1, count)),
    }
}

fn run((stanza, backend, part): Job<'_>, services: &[Arc<dyn KeyService>]) -> Result<()> {
    let clock = trace::clock();
    let here = backend.map(|backend| backend.wrap(stanza, part));
    match here {
        Some(Ok(())) => {}
        Some(Err(error)) if services.is_empty() => return Err(error),
        here => by_service(stanza, part, services, here.and_then(Result::err))?,
    }
    if let Some(backend) = registry::backend(stanza.list()) {
        stanza.arrange(backend.fields());
    }
    clock.done(|| format!("wrapped the data key for {}", stanza.title()));
    Ok(())
}

/// Has the first of `services` wrap that can; `here` is why this machine did not.
fn by_service(stanza: &mut Stanza, part: &[u8], services: &[Arc<dyn KeyService>], here: Option<Error>) -> Result<()> {
    let mut error = here.unwrap_or_else(|| cannot_wrap(stanza));
    for service in services {
        match service.wrap(stanza, part) {
            Ok(()) => return Ok(()),
            Err(why) => error = error.because(why),
        }
    }
    Err(error)
}

fn cannot_wrap(stanza: &Stanza) -> Error {
    Error::new(Kind::Generic, format!("the data key cannot be wrapped for {}", stanza.title()))
}

/// Several failures as one, each with its reasons, hints once.
fn together(first: Error, others: impl Iterator<Item = Error>, failed: usize, of: usize) -> Error {
    let message = format!("the data key cannot be wrapped for {failed} of {of} keys");
    let mut error = Error::new(first.kind(), message);
    let errors: Vec<Error> = std::iter::once(first).chain(others).collect();
    // What is the same for all is said once, behind the keys.
    let is_shared = errors.windows(2).all(|two| two[0].notes() == two[1].notes());
    for (at, one) in errors.iter().enumerate() {
        error = error.because(one.message());
        if !is_shared || at + 1 == errors.len() {
            error = one.notes().iter().fold(error, Error::because);
        }
        error = one.hints().iter().fold(error, Error::hint);
    }
    error
}
