//! What is being done and how long each step takes, for `--verbose`.
//!
//! Owns: the clock around a step and the record of it, which goes through the `log` crate, so that a
//! program that uses this library can take it up like that of any other. Must not know: who reads it.
//!
//! A record names files, key paths, recipients and sizes; never a value, a key or a token. As long as
//! nobody listens a step costs one load of a number: no clock is read and no text is made.

use std::fmt;
use std::time::{Duration, Instant};

/// What the records of this crate are filed under; those of the libraries below have names of their own.
pub const TARGET: &str = "leafcrypt";

/// The time that a step takes. The default one counts none.
#[derive(Default)]
#[must_use]
pub struct Clock(Option<Instant>);

/// Begins a step.
pub fn clock() -> Clock {
    Clock(log::log_enabled!(target: TARGET, log::Level::Debug).then(Instant::now))
}

impl Clock {
    /// Ends the step and records it. `what` says what was done, as in "read a.yaml, 120 bytes".
    pub fn done<T: fmt::Display>(self, what: impl FnOnce() -> T) {
        if let Some(began) = self.0 {
            log::debug!(target: TARGET, "{} ({})", what(), Milliseconds(began.elapsed()));
        }
    }
}

/// Records a fact, or a step that begins and may take long.
pub fn note<T: fmt::Display>(what: impl FnOnce() -> T) {
    if log::log_enabled!(target: TARGET, log::Level::Debug) {
        log::debug!(target: TARGET, "{}", what());
    }
}

struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ms", self.0.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_when_nobody_listens() {
        let clock = clock();
        assert!(clock.0.is_none());
        clock.done(|| -> String { unreachable!("a text was made for nobody") });
        note(|| -> String { unreachable!("a text was made for nobody") });
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(Milliseconds(Duration::from_micros(1234)).to_string(), "1.23 ms");
        assert_eq!(Milliseconds(Duration::from_secs(2)).to_string(), "2000.00 ms");
    }
}
