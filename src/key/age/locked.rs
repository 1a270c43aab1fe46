//! Identities that need a passphrase first.

use std::sync::OnceLock;

use ::age::armor::ArmoredReader;
use ::age::secrecy::SecretString;
use ::age::{DecryptError, Decryptor, scrypt};
use std::io::Read as _;
use zeroize::Zeroizing;

use super::sources::{Found, LIMIT, ROOM};
use super::ssh;
use crate::sys::{self, NoAnswer};

/// So often a passphrase may be wrong.
const TRIES: usize = 3;
/// As much work as age itself accepts to check a passphrase, as a power of two.
const WORK: u8 = 22;

/// An identity file or an ssh key that is locked with a passphrase, which is asked for once.
pub(super) struct Locked {
    place: String,
    kind: Kind,
    opened: OnceLock<Result<Found, String>>,
}

enum Kind {
    Ssh(ssh::Locked),
    /// An age file with identities in it.
    File(Zeroizing<Vec<u8>>),
}

impl Locked {
    /// An ssh key at `place`.
    pub(super) fn ssh(place: &str, key: ssh::Locked) -> Self {
        Locked { place: place.to_owned(), kind: Kind::Ssh(key), opened: OnceLock::new() }
    }

    /// The age file `bytes` at `place`; `None` when it is not locked with a passphrase.
    pub(super) fn file(place: &str, bytes: &[u8]) -> Option<Self> {
        let decryptor = Decryptor::new(ArmoredReader::new(bytes)).ok()?;
        let kind = Kind::File(Zeroizing::new(bytes.to_vec()));
        decryptor.is_scrypt().then(|| Locked { place: place.to_owned(), kind, opened: OnceLock::new() })
    }

    /// The public keys of what is in it, where that is known without the passphrase.
    pub(super) fn publics(&self) -> Option<&[String]> {
        match &self.kind {
            Kind::Ssh(key) => Some(key.publics()),
            Kind::File(_) => None,
        }
    }

    /// What is in it. Asks for the passphrase the first time; who comes meanwhile waits for the answer.
    ///
    /// # Errors
    /// Why it stays locked.
    pub(super) fn open(&self) -> Result<&Found, &str> {
        self.opened.get_or_init(|| self.ask()).as_ref().map_err(String::as_str)
    }

    /// Whether the passphrase was asked for already.
    pub(super) fn is_asked(&self) -> bool {
        self.opened.get().is_some()
    }

    fn ask(&self) -> Result<Found, String> {
        let what = match self.kind {
            Kind::Ssh(_) => "ssh key",
            Kind::File(_) => "age identities",
        };
        for _ in 0..TRIES {
            let question = format!("Passphrase of the {what} in {}: ", self.place);
            let passphrase = sys::ask_secret(&question).map_err(|why| match why {
                NoAnswer::NoTerminal => why.to_string(),
                NoAnswer::Declined => "the passphrase was not given".to_owned(),
            })?;
            match self.open_with(passphrase.expose())? {
                Some(found) => return Ok(found),
                None => sys::tell("That is not its passphrase."),
            }
        }
        Err("the passphrase was wrong".to_owned())
    }

    /// `None` when the passphrase is wrong.
    fn open_with(&self, passphrase: &[u8]) -> Result<Option<Found>, String> {
        let mut found = Found::default();
        match &self.kind {
            Kind::Ssh(key) => {
                let Some(keys) = key.open(passphrase) else { return Ok(None) };
                found.keys = keys;
            }
            Kind::File(bytes) => match decrypt(bytes, passphrase)? {
                Some(text) => found.read_bytes(&self.place, &text),
                None => return Ok(None),
            },
        }
        Ok(Some(found))
    }

    /// What it is and what became of it, for the message.
    pub(super) fn report(&self) -> String {
        let what = match &self.kind {
            Kind::Ssh(key) => {
                let public = key.publics().first().map(|public| super::shorten(public)).unwrap_or_default();
                format!("an ssh key locked with a passphrase, {public}")
            }
            Kind::File(_) => "age identities locked with a passphrase".to_owned(),
        };
        match self.opened.get() {
            None => format!("{what}, which was not asked for"),
            Some(Err(why)) => format!("{what}: {why}"),
            Some(Ok(found)) => match (&self.kind, found.report().next()) {
                // The same place again, and what is in it.
                (Kind::File(_), Some(line)) => {
                    let inside = line.strip_prefix(&self.place).unwrap_or(&line);
                    format!("{what}{inside}")
                }
                _ => format!("{what}, opened"),
            },
        }
    }

    /// Its place.
    pub(super) fn place(&self) -> &str {
        &self.place
    }
}

/// The text of a locked identity file; `None` when the passphrase is wrong.
fn decrypt(bytes: &[u8], passphrase: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let Ok(passphrase) = std::str::from_utf8(passphrase) else { return Ok(None) };
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    identity.set_max_work_factor(WORK);
    let decryptor = Decryptor::new(ArmoredReader::new(bytes)).map_err(|_| "it is damaged".to_owned())?;
    let reader = match decryptor.decrypt(std::iter::once(&identity as &dyn ::age::Identity)) {
        Ok(reader) => reader,
        Err(DecryptError::ExcessiveWork { .. }) => return Err("it takes too much work to open".to_owned()),
        // scrypt tells a wrong passphrase by a tag that does not match.
        Err(DecryptError::DecryptionFailed | DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed) => {
            return Ok(None);
        }
        Err(_) => return Err("it is damaged".to_owned()),
    };
    let mut text = Zeroizing::new(Vec::with_capacity(ROOM));
    reader.take(LIMIT).read_to_end(&mut text).map_err(|_| "it is damaged".to_owned())?;
    Ok(Some(text))
}
