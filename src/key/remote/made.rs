//! What many calls need, and one of them makes.

use super::Refusal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A place for what one call makes while the others wait for it. They share how that ends, also when it fails: whoever
/// asks a person, a program or a silent service asks once, and not once for each key. Who comes later tries again.
pub(crate) struct Made<T> {
    last: Mutex<Option<Result<Arc<T>, Refusal>>>,
    /// How many attempts have ended.
    ended: AtomicU64,
}

impl<T> Default for Made<T> {
    fn default() -> Self {
        Made { last: Mutex::default(), ended: AtomicU64::new(0) }
    }
}

impl<T> Made<T> {
    /// What was made last, while it `is_fresh`; else what `make` makes.
    ///
    /// # Errors
    /// Those of `make`, or of the one that was waited for.
    pub(crate) fn get(
        &self,
        is_fresh: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Result<T, Refusal>,
    ) -> Result<Arc<T>, Refusal> {
        let before = self.ended.load(Ordering::SeqCst);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last.as_ref() {
            Some(Ok(made)) if is_fresh(made) => return Ok(Arc::clone(made)),
            Some(Err(refusal)) if self.ended.load(Ordering::SeqCst) > before => return Err(refusal.clone()),
            _ => {}
        }
        let made = make().map(Arc::new);
        *last = Some(made.clone());
        self.ended.fetch_add(1, Ordering::SeqCst);
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn those_who_wait_share_the_end_and_who_comes_later_tries_again() {
        const ALL: u64 = 8;
        let (made, made_times, ready) = (Made::<u64>::default(), AtomicU64::new(0), Barrier::new(ALL as usize));
        let get = |succeeds: bool| {
            made.get(
                |_| true,
                || {
                    // The others are on their way by now, and wait.
                    std::thread::sleep(std::time::Duration::from_millis(300));
                    let times = made_times.fetch_add(1, Ordering::SeqCst) + 1;
                    if succeeds { Ok(times) } else { Err(Refusal::new("no")) }
                },
            )
        };
        std::thread::scope(|scope| {
            for _ in 0..ALL {
                scope.spawn(|| {
                    ready.wait();
                    assert!(get(false).is_err());
                });
            }
        });
        assert_eq!(made_times.load(Ordering::SeqCst), 1);
        assert_eq!(get(true).map(|made| *made).ok(), Some(2));
        assert_eq!(get(false).map(|made| *made).ok(), Some(2), "what was made is kept");
    }
}
