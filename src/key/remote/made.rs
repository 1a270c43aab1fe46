//! What many calls need, and one of them makes.

use super::Refusal;
use std::collections::HashMap;
use std::hash::Hash;
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

/// Such places by what is made: servers by their address, say.
pub(crate) struct Places<K, T>(Mutex<HashMap<K, Arc<Made<T>>>>);

impl<K, T> Default for Places<K, T> {
    fn default() -> Self {
        Places(Mutex::default())
    }
}

impl<K: Eq + Hash, T> Places<K, T> {
    /// So many are kept. More than any file needs; but whoever may ask a key service could name one after the other.
    const MOST: usize = 256;

    /// The place of `key`.
    pub(crate) fn of(&self, key: K) -> Arc<Made<T>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= Self::MOST && !places.contains_key(&key) {
            places.clear();
        }
        Arc::clone(places.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn places_are_few() {
        let places = Places::<usize, usize>::default();
        for key in 0..3 * Places::<usize, usize>::MOST {
            assert!(places.of(key).get(|_| true, || Ok(key)).is_ok_and(|made| *made == key));
            assert!(places.of(key).get(|_| true, || Ok(0)).is_ok_and(|made| *made == key), "it is kept");
            assert!(places.0.lock().unwrap().len() <= Places::<usize, usize>::MOST);
        }
    }

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
