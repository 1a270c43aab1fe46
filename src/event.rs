//! What is done with secrets, told to whoever keeps watch.
//!
//! Owns: the event, and the way from where it happens to who listens. Must not know: who listens, what is written of an
//! event and where. As with [`crate::trace`], nobody has to be handed through; but a listener can say no, and
//! then what was to be done is not done.
//!
//! As long as nobody listens an event costs one load of a pointer.

use crate::error::Result;
use std::cell::RefCell;
use std::sync::OnceLock;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The values of a file are decrypted.
    Decrypt,
    /// The values of a file are encrypted.
    Encrypt,
    /// A file gets a new data key.
    Rotate,
    /// The recipients of a file change.
    UpdateKeys,
}

impl Action {
    /// What it is called in records; the first three as in sops.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Action::Decrypt => "decrypt",
            Action::Encrypt => "encrypt",
            Action::Rotate => "rotate",
            Action::UpdateKeys => "updatekeys",
        }
    }
}

/// Something that is done with a file. It holds no value and no secret key.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub action: Action,
    /// With which file.
    pub file: String,
    /// By which keys: those that opened the file, or else those of its recipients, by their names for people.
    pub keys: Vec<String>,
}

/// Who listens.
pub trait Listener: Send + Sync {
    /// Takes an event down before it happens.
    ///
    /// # Errors
    /// When it cannot be taken down, so that it must not happen.
    fn hear(&self, event: Event) -> Result<()>;
}

static LISTENER: OnceLock<Box<dyn Listener>> = OnceLock::new();

/// What this thread works on.
#[derive(Default)]
struct Work {
    file: String,
    opened_by: Vec<String>,
    /// A file is decrypted once, however many attempts that takes.
    decrypted: bool,
    /// What is done now is none of anybody's business.
    unheard: bool,
}

thread_local! {
    static WORK: RefCell<Work> = RefCell::default();
}

/// Has `listener` hear all events from now on. Once for a process: nobody can be put in its place.
pub fn listen(listener: Box<dyn Listener>) {
    let _ = LISTENER.set(listener);
}

/// Says which file this thread works on from now on.
pub fn about(file: impl FnOnce() -> String) {
    if LISTENER.get().is_some() {
        WORK.set(Work { file: file(), ..Work::default() });
    }
}

/// Says which keys have opened the data key of that file.
pub fn opened_by(keys: impl FnOnce() -> Vec<String>) {
    if LISTENER.get().is_some() {
        WORK.with_borrow_mut(|work| work.opened_by = keys());
    }
}

/// Tells that the file is about to be decrypted.
///
/// # Errors
/// When it must not be.
pub fn decrypting() -> Result<()> {
    let Some(listener) = LISTENER.get() else { return Ok(()) };
    let event = WORK.with_borrow(|work| {
        let event = || Event { action: Action::Decrypt, file: work.file.clone(), keys: work.opened_by.clone() };
        (!work.decrypted).then(event)
    });
    if let Some(event) = event {
        listener.hear(event)?;
        WORK.with_borrow_mut(|work| work.decrypted = true);
    }
    Ok(())
}

/// Tells that something else is about to be done with the file, for the recipients `keys`.
///
/// # Errors
/// When it must not be.
pub fn doing(action: Action, keys: impl FnOnce() -> Vec<String>) -> Result<()> {
    let Some(listener) = LISTENER.get() else { return Ok(()) };
    match WORK.with_borrow(|work| (!work.unheard).then(|| work.file.clone())) {
        Some(file) => listener.hear(Event { action, file, keys: keys() }),
        None => Ok(()),
    }
}

/// Does what nobody is told of: a copy of a text that its writer would lose, kept encrypted.
pub fn unheard<T>(work: impl FnOnce() -> T) -> T {
    WORK.with_borrow_mut(|work| work.unheard = true);
    let done = work();
    WORK.with_borrow_mut(|work| work.unheard = false);
    done
}
