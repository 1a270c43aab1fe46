//! The places that files are published to.
//!
//! Owns: which place the settings of a destination rule name, what is at a place, and putting something there.
//! Must not know: rules, recipients, files on a disk; what is put at a place is made by whoever asks.
//!
//! A new kind of place is one file and one line of [`KINDS`].
//!
//! Sources: `publish/{vault,s3,gcs}.go` and `config/config.go` of sops 3.11.

#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "hc-vault")]
mod vault;

use crate::error::{Error, Kind, Result};
use crate::key::registry;
#[cfg(feature = "network")]
use crate::key::remote::Refusal;
use crate::secret::SecretBytes;
use crate::sys::Environment;
#[cfg(any(feature = "hc-vault", feature = "s3", feature = "gcs"))]
use crate::trace;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a place refuses, in a build without any.
#[cfg(not(feature = "network"))]
pub(crate) enum Refusal {}

#[cfg(not(feature = "network"))]
impl Refusal {
    fn explain(self, _: Error) -> Error {
        match self {}
    }
}

/// The settings of a destination rule by their names in `.sops.yaml`, such as `s3_bucket`.
pub type Settings = BTreeMap<String, String>;

/// What a place keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The values of a file, decrypted, as a JSON object.
    Values,
    /// Encrypted files.
    File,
}

/// What is at a place.
pub enum There {
    /// Nothing.
    Nothing,
    /// This.
    This(SecretBytes),
    /// Whoever asks may not read it, for this reason. They may be allowed to write it.
    Unreadable(String),
}

/// A secret of Vault's key-value engine.
pub struct Secret {
    /// The address of the server.
    pub server: String,
    /// Where the engine is mounted.
    pub mount: String,
    /// The version of the engine.
    pub version: u8,
    /// The path below the mount.
    pub path: String,
}

/// A place that files are published to, under names with slashes in them.
pub(crate) trait Destination: Send + Sync {
    /// What it keeps.
    fn keeps(&self) -> Kept;

    /// The address of `name` there, for people.
    fn address(&self, name: &str) -> String;

    /// Where Kubernetes finds what is at `name`; none where it cannot read it.
    fn secret(&self, _name: &str) -> Option<Secret> {
        None
    }

    /// Asks for what is at `name`.
    ///
    /// # Errors
    /// When the place cannot be asked, or refuses for another reason than that it may not be read.
    fn read(&self, name: &str) -> Result<There, Refusal>;

    /// Has `content` written at `name`.
    ///
    /// # Errors
    /// When the place cannot be asked, or refuses.
    fn write(&self, name: &str, content: &[u8]) -> Result<(), Refusal>;

    /// Whether what was fetched is the same as `content`.
    fn is_same(&self, fetched: &[u8], content: &[u8]) -> bool {
        fetched == content
    }
}

impl dyn Destination {
    /// Fetches what is at `name`.
    ///
    /// # Errors
    /// When [`Destination::read`] does not say.
    pub(crate) fn fetch(&self, name: &str) -> Result<There> {
        self.read(name).map_err(|refusal| refusal.explain(self.cannot_be("read", name)))
    }

    /// Puts `content` at `name`.
    ///
    /// # Errors
    /// When [`Destination::write`] fails.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> Result<()> {
        self.write(name, content).map_err(|refusal| refusal.explain(self.cannot_be("written", name)))
    }

    fn cannot_be(&self, what: &str, name: &str) -> Error {
        Error::new(Kind::Generic, format!("{} cannot be {what}", self.address(name)))
    }
}

/// Says, for `--verbose`, what was done at `address` and with which identity.
#[cfg(any(feature = "hc-vault", feature = "s3", feature = "gcs"))]
fn was(what: &str, address: &str, identity: &str) {
    trace::note(|| format!("{address}: with {identity}, it was {what}"));
}

/// A kind of place.
struct PlaceKind {
    /// The setting that names one of this kind.
    setting: &'static str,
    /// The feature that it is built with.
    feature: &'static str,
    /// Makes one of its settings; none when it was not built.
    make: Option<Make>,
}

type Make = fn(&Settings, &Environment) -> Result<Arc<dyn Destination>>;

/// All kinds of places.
const KINDS: [PlaceKind; 3] = [
    PlaceKind {
        setting: "vault_path",
        feature: "hc-vault",
        #[cfg(feature = "hc-vault")]
        make: Some(vault::make),
        #[cfg(not(feature = "hc-vault"))]
        make: None,
    },
    PlaceKind {
        setting: "s3_bucket",
        feature: "s3",
        #[cfg(feature = "s3")]
        make: Some(s3::make),
        #[cfg(not(feature = "s3"))]
        make: None,
    },
    PlaceKind {
        setting: "gcs_bucket",
        feature: "gcs",
        #[cfg(feature = "gcs")]
        make: Some(gcs::make),
        #[cfg(not(feature = "gcs"))]
        make: None,
    },
];

/// The places of a run: each is made once, so that many files share its connections.
pub struct Destinations {
    environment: Environment,
    made: Mutex<HashMap<Settings, Arc<dyn Destination>>>,
}

impl Destinations {
    /// Those that can be reached from this environment.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Destinations { environment, made: Mutex::default() }
    }

    /// The place that `settings` name. Nobody is asked yet.
    ///
    /// # Errors
    /// When they name none or several, or make no sense.
    pub(crate) fn of(&self, settings: &Settings) -> Result<Arc<dyn Destination>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(destination) = made.get(settings) {
            return Ok(Arc::clone(destination));
        }
        let named = |kind: &&PlaceKind| settings.get(kind.setting).is_some_and(|value| !value.is_empty());
        let mut kinds = KINDS.iter().filter(named);
        let kind = kinds.next().ok_or_else(|| {
            let names = KINDS.map(|kind| kind.setting).join(", ");
            Error::new(Kind::Generic, "the rule names no destination").hint(format!("give it one of {names}"))
        })?;
        if let Some(other) = kinds.next() {
            let message = "more than one destination was found in a single destination rule";
            return Err(Error::new(Kind::Generic, message)
                .because(format!("it has {} and {}", kind.setting, other.setting))
                .hint("make a rule for each; the first whose path_regex matches is used"));
        }
        let make = kind.make.ok_or_else(|| {
            let message = format!("this leafcrypt was built without the destination of {}", kind.setting);
            Error::new(Kind::Generic, message).hint(registry::install(kind.feature))
        })?;
        let destination = make(settings, &self.environment)?;
        made.insert(settings.clone(), Arc::clone(&destination));
        Ok(destination)
    }
}
