//! The data key wrapped for many recipients.

use super::{Backend, Stanza, registry};
use crate::error::{Error, Kind, Result};
use crate::trace;
use std::sync::{Mutex, PoisonError};

/// So many services are asked at the same time.
const AT_ONCE: usize = 16;

/// A stanza, its back end, and the bytes to wrap.
type Job<'a> = (&'a mut Stanza, &'static dyn Backend, &'a [u8]);

/// Wraps, for each stanza's recipient, the bytes beside it. First what this machine can do alone, so that
/// no service is asked when that fails; then all services at the same time.
///
/// # Errors
/// When this build lacks a back end, and those of the back ends: every service that failed, not just the
/// first.
pub fn wrap_all<'a>(stanzas: impl IntoIterator<Item = (&'a mut Stanza, &'a [u8])>) -> Result<()> {
    let with_backend = stanzas.into_iter().map(|(stanza, part)| {
        let backend = registry::backend(stanza.list()).ok_or_else(|| {
            Error::new(Kind::Generic, format!("the data key cannot be wrapped for {}", stanza.title()))
                .because(format!("this build has no {} keys", stanza.list()))
        })?;
        Ok((stanza, backend, part))
    });
    let jobs: Vec<Job<'_>> = with_backend.collect::<Result<_>>()?;
    let (remote, local): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|(_, backend, _)| backend.is_remote());
    local.into_iter().try_for_each(run)?;
    wrap_remote(remote)
}

fn wrap_remote(jobs: Vec<Job<'_>>) -> Result<()> {
    let count = jobs.len();
    let mut failed = Vec::new();
    if count < 2 {
        failed.extend(jobs.into_iter().enumerate().filter_map(|(at, job)| Some((at, run(job).err()?))));
    } else {
        let jobs = Mutex::new(jobs.into_iter().enumerate());
        let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            let mut failed = Vec::new();
            while let Some((at, job)) = next() {
                failed.extend(run(job).err().map(|error| (at, error)));
            }
            failed
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..count.min(AT_ONCE)).map(|_| scope.spawn(work)).collect();
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

fn run((stanza, backend, part): Job<'_>) -> Result<()> {
    let clock = trace::clock();
    backend.wrap(stanza, part)?;
    stanza.arrange(backend.fields());
    clock.done(|| format!("wrapped the data key for {}", stanza.title()));
    Ok(())
}

/// Several failures as one, each with its reasons, hints once.
fn together(first: Error, others: impl Iterator<Item = Error>, failed: usize, of: usize) -> Error {
    let message = format!("the data key cannot be wrapped for {failed} of {of} keys");
    let mut error = Error::new(first.kind(), message);
    let mut hints = Vec::new();
    for one in std::iter::once(first).chain(others) {
        error = error.because(one.message());
        error = one.notes().iter().fold(error, Error::because);
        for hint in one.hints() {
            if !hints.contains(hint) {
                hints.push(hint.clone());
            }
        }
    }
    hints.into_iter().fold(error, Error::hint)
}
