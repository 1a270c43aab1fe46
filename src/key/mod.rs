//! The key back ends: who may open a file's data key, and how.
//!
//! Owns: the contract of a back end ([`Backend`]), the list of them ([`registry`]), one folder for
//! each, the [`Stanza`] that wraps a copy of the data key, and the [`Keyring`] that has all of them wrap it for many, and
//! asks all of them to open one. Must not know: where stanzas stand in a file, key groups, files, or how anything is
//! printed.
//!
//! A new back end is one folder and one line in [`registry`]. Flags, environment variables, fields of
//! creation rules and of metadata, completions and help are loops over the registry, on the names that
//! the back end itself gives.

pub mod age;
#[cfg(feature = "aws-kms")]
pub mod aws_kms;
#[cfg(feature = "azure-kv")]
pub mod azure_kv;
mod child;
#[cfg(feature = "gcp-kms")]
pub mod gcp_kms;
#[cfg(feature = "hc-vault")]
pub mod hc_vault;
#[cfg(feature = "hckms")]
pub mod hckms;
mod keyring;
pub(crate) mod named;
pub mod pgp;
pub mod registry;
#[cfg(feature = "network")]
pub(crate) mod remote;
#[cfg(feature = "keyservice")]
pub mod service;
mod stanza;
mod wrap;

pub use crate::sys::Environment;
pub use keyring::{Keyring, Opened, Share};
pub use stanza::Stanza;
pub(crate) use stanza::printable_within;

use crate::document::Value;
use crate::error::Result;
use crate::secret::SecretBytes;
use crate::sys;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What libraries of services read by themselves, and some of them take for set when it is empty. In sops, and in all that
/// is ours, that is the same as unset.
const SETTINGS_OF_SERVICES: [&str; 18] = [
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_SSO_OIDC",
    "AWS_ENDPOINT_URL_STS",
    "AWS_MAX_ATTEMPTS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_RETRY_MODE",
    "AZURE_AUTHORITY_HOST",
    "GOOGLE_CLOUD_UNIVERSE_DOMAIN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// Makes libraries of services read the environment of this process as sops does. Only once, and before it has threads.
pub fn settle_environment() {
    let environment = Environment::of_process();
    let is_empty = |name: &str| environment.get(name).is_some_and(|value| value.is_empty());
    // AWS' libraries ignore some of them then, and not all.
    let ignored =
        environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let is_unset = |name: &&str| {
        is_empty(name) || ignored && name.starts_with("AWS_ENDPOINT_URL") && environment.get(name).is_some()
    };
    let changes = SETTINGS_OF_SERVICES.into_iter().filter(is_unset).map(|name| (name, None));
    #[cfg(feature = "network")]
    let changes = changes.chain(remote::proxies(&environment)).chain(remote::authorities(&environment));
    let changes: Vec<_> = changes.collect();
    if !changes.is_empty() {
        sys::change_variables(changes);
    }
}

/// A key back end: a kind of key, its names, and how a data key is wrapped for one.
///
/// Implementers are values without state; what a run of the program finds on the machine lives in the
/// [`Opener`].
pub trait Backend: Sync {
    /// The metadata list, the name in `--decryption-order`, and what people call it: `age`.
    fn name(&self) -> &'static str;

    /// The field of a creation rule that names recipients.
    fn rule_field(&self) -> &'static str;

    /// The command-line flag without its dashes; `add-` and `rm-` go before it for key groups.
    fn flag(&self) -> &'static str;

    /// The environment variable that names recipients.
    fn recipients_env(&self) -> &'static str;

    /// The fields of a stanza in the order in which sops writes them.
    fn fields(&self) -> &'static [&'static str];

    /// A text of `field` in the spelling that all have which mean the same: of an ssh key without its comment, say.
    fn canonical<'a>(&self, field: &str, text: &'a str) -> Cow<'a, str> {
        let _ = field;
        Cow::Borrowed(text)
    }

    /// What flags may say of recipients beside naming them.
    fn details(&self) -> &'static [Detail] {
        &[]
    }

    /// Whether wrapping and unwrapping asks a service across a network. Such calls for several stanzas
    /// are made at the same time, each from a thread of its own, and after all that is done on this machine.
    fn is_remote(&self) -> bool {
        false
    }

    /// Reads a list of recipients, separated by commas or newlines, as a flag, a variable or a creation
    /// rule gives it. A recipient named twice counts once. The stanzas are not wrapped yet.
    ///
    /// # Errors
    /// When one is no recipient of this back end. Its text is shown only if it cannot be a secret.
    fn parse(&self, text: &str) -> Result<Vec<Stanza>>;

    /// As [`Self::parse`], with what else a flag, a creation rule or an item of a rule's key group says of
    /// these recipients, by the metadata's names: `role`, `aws_profile`; each entry of an encryption
    /// context as `context.NAME`, or all of them as `context`, in the form `NAME:VALUE,NAME:VALUE`.
    ///
    /// # Errors
    /// Those of [`Self::parse`], and when a detail is not of its form.
    fn parse_detailed(&self, text: &str, details: &Details) -> Result<Vec<Stanza>> {
        let mut stanzas = self.parse(text)?;
        for stanza in &mut stanzas {
            for (field, value) in details {
                stanza.set(field, Value::Str(value.clone()));
            }
        }
        Ok(stanzas)
    }

    /// Wraps `part`, a data key or a share of one, for the stanza's recipient, in place of what the
    /// stanza held.
    ///
    /// # Errors
    /// When the recipient cannot be used or the service behind it fails.
    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<()>;

    /// What opens stanzas during one run of the program. Reads nothing yet: a job that opens no data
    /// key touches no identity.
    fn opener(&self, environment: &Environment) -> Box<dyn Opener>;
}

/// What is said of recipients beside their names, by the metadata's names.
pub type Details = BTreeMap<String, String>;

/// What flags say of all recipients of a back end, by its name.
pub type GivenDetails = BTreeMap<&'static str, Details>;

/// A flag that says more of the recipients of a back end.
pub struct Detail {
    /// The flag, without its dashes.
    pub flag: &'static str,
    /// The field of the metadata.
    pub name: &'static str,
    /// What help calls its value.
    pub value_name: &'static str,
    /// Its help.
    pub help: &'static str,
    /// The field of a creation rule that says the same, where recipients are no list of a key group.
    pub rule_field: Option<&'static str>,
}

/// The identities or services of one back end, for one run of the program: sources are read at the
/// first need, and once for all files.
pub trait Opener: Send + Sync {
    /// Opens one of `stanzas`, all of them of this back end and wrapping the same bytes, whichever is
    /// the cheapest to open. A remote back end gets one at a time.
    fn unwrap(&self, stanzas: &[&Stanza]) -> Answer;

    /// Says what the same job is to open besides. Whoever is dear to start may ask, and open all of it at once.
    fn expect(&self, _others: Others) {}

    /// Whether it holds keys that the user was asked for, and would be again by a new one.
    fn was_asked_for(&self) -> bool {
        false
    }
}

/// The stanzas of other files, a list for each of their key groups; read when they are asked for.
pub type Others = Arc<dyn Fn() -> Vec<Vec<Stanza>> + Send + Sync>;

/// A process that wraps and opens stanzas with keys of its own, of all kinds. It opens one at a time.
pub trait KeyService: Opener {
    /// What it is called in messages.
    fn name(&self) -> String;

    /// Wraps `part` for the stanza's recipient, in place of what the stanza held.
    ///
    /// # Errors
    /// Why it did not, in one line.
    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<(), String>;
}

/// What a back end says when asked to open a stanza.
pub enum Answer {
    /// Opened.
    Here {
        /// The data key, or a share of it.
        part: SecretBytes,
        /// Which of the stanzas it was that opened, by its place among those asked for.
        by: usize,
    },
    /// This machine has no key for any of them.
    NotMine(Search),
    /// There is a key that should open one, and it did not.
    Failed(Search),
}

/// What a back end did before it gave up, for the message. Public names only, never a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Why a stanza did not open though there is a key for it, one line each.
    pub failures: Vec<String>,
    /// Where a key was looked for and what was found there, one line each.
    pub looked_at: Vec<String>,
    /// What the user can do, with a command to type.
    pub hints: Vec<String>,
    /// The public keys of which the private ones are here, as flags that add them to a file: `--add-age age1…`.
    pub own: Vec<String>,
}
