//! age plugins: programs called `age-plugin-NAME` that hold a kind of keys of their own.
//!
//! Owns: their recipients (`age1name1…`) and identities (`AGE-PLUGIN-NAME-1…`), and what is said to a plugin. Must not
//! know: what a plugin does with it.
//!
//! The protocol is spoken here and not by the age crate, since that asks a plugin about one file only, leaves the ended
//! process behind, and says nothing of why a plugin failed.
//!
//! Source: <https://c2sp.org/age-plugin>.

mod connection;

use std::collections::HashSet;
use std::io;

use ::age::EncryptError;
use age_core::format::{FileKey, Stanza};
use age_core::primitives::bech32_decode;
use age_core::secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use self::connection::Connection;
use super::hybrid::file_key;
use crate::key::Environment;

/// A public key of a plugin.
pub(super) struct Recipient {
    plugin: String,
    text: String,
}

/// A secret key of a plugin, or a handle to one.
pub(super) struct Identity {
    plugin: String,
    text: Zeroizing<String>,
}

impl Recipient {
    /// Reads a recipient; `None` when it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let prefix = prefix(text)?;
        let plugin = prefix.strip_prefix("age1").filter(|name| is_name(name))?.to_owned();
        Some(Recipient { plugin, text: text.to_owned() })
    }

    /// The recipient as age's trait has it: the plugin is found and run by `environment`.
    pub(super) fn on<'a>(&'a self, environment: &'a Environment) -> impl ::age::Recipient {
        OnMachine { recipient: self, environment }
    }
}

impl Identity {
    /// Reads an identity; `None` when it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let prefix = prefix(text)?.to_ascii_lowercase();
        let plugin = prefix.strip_prefix("age-plugin-")?.strip_suffix('-').filter(|name| is_name(name))?.to_owned();
        Some(Identity { plugin, text: Zeroizing::new(text.to_owned()) })
    }

    /// The name of the plugin.
    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Itself.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The name of the plugin for a recipient.
pub(super) fn of_recipient(text: &str) -> Option<&str> {
    // A recipient's data holds no 1, so that the last one ends the name.
    text.strip_prefix("age1")?.rsplit_once('1').map(|(name, _)| name)
}

/// What stands before the data, whose checksum is right.
fn prefix(text: &str) -> Option<String> {
    bech32_decode(text, |_| (), |_| Ok(()), |prefix, _| Ok(prefix.to_string())).ok()
}

/// Whether a program may be called so: no path leads out of it.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
}

struct OnMachine<'a> {
    recipient: &'a Recipient,
    environment: &'a Environment,
}

impl ::age::Recipient for OnMachine<'_> {
    fn wrap_file_key(&self, key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        wrap(self.recipient, key, self.environment).map_err(|why| EncryptError::Io(io::Error::other(why)))
    }
}

/// Has a plugin wrap `key`.
fn wrap(
    recipient: &Recipient,
    key: &FileKey,
    environment: &Environment,
) -> Result<(Vec<Stanza>, HashSet<String>), String> {
    let mut connection = Connection::open(&recipient.plugin, "recipient-v1", environment)?;
    connection.send("add-recipient", &[&recipient.text], &[])?;
    connection.send("extension-labels", &[], &[])?;
    connection.send("wrap-file-key", &[], key.expose_secret())?;
    connection.send("done", &[], &[])?;
    let mut stanzas = Vec::new();
    let mut labels = HashSet::new();
    while let Some(mut command) = connection.command()? {
        match (command.tag.as_str(), command.args.len()) {
            ("recipient-stanza", 2..) if command.args[0] == "0" => {
                let tag = std::mem::take(&mut command.args[1]);
                let args = command.args.split_off(2);
                stanzas.push(Stanza { tag, args, body: std::mem::take(&mut command.body) });
                connection.send("ok", &[], &[])?;
            }
            ("labels", _) => {
                labels = command.args.into_iter().collect();
                connection.send("ok", &[], &[])?;
            }
            _ => connection.unknown()?,
        }
    }
    let said = connection.errors();
    if !said.is_empty() {
        return Err(said.join("; "));
    }
    if stanzas.is_empty() {
        return Err(format!("{} gave nothing back", connection.program()));
    }
    Ok((stanzas, labels))
}

/// What a plugin made of several files.
pub(super) struct Unwrapped {
    /// The file keys that it found, by the place of the file.
    pub(super) keys: Vec<(usize, FileKey)>,
    /// What it complained about.
    pub(super) errors: Vec<String>,
}

/// Asks the plugin of `identities` for the file keys of `files`, given by their headers: one process for all of
/// them. `enough` is asked after each key that was found whether to stop: a plugin may want a touch for each.
///
/// # Errors
/// Why the plugin could not be asked.
pub(super) fn unwrap(
    identities: &[&Identity],
    files: &[Vec<Stanza>],
    environment: &Environment,
    mut enough: impl FnMut(usize) -> bool,
) -> Result<Unwrapped, String> {
    let mut unwrapped = Unwrapped { keys: Vec::new(), errors: Vec::new() };
    let Some(first) = identities.first() else { return Ok(unwrapped) };
    let mut connection = Connection::open(&first.plugin, "identity-v1", environment)?;
    for identity in identities {
        connection.send("add-identity", &[&identity.text], &[])?;
    }
    for (number, stanza) in files.iter().enumerate().flat_map(|(at, file)| file.iter().map(move |stanza| (at, stanza)))
    {
        let number = number.to_string();
        let mut args = vec![number.as_str(), &stanza.tag];
        args.extend(stanza.args.iter().map(String::as_str));
        connection.send("recipient-stanza", &args, &stanza.body)?;
    }
    connection.send("done", &[], &[])?;
    while let Some(command) = connection.command()? {
        let file = command.args.first().and_then(|number| number.parse().ok());
        match (command.tag.as_str(), file) {
            ("file-key", Some(file)) if file < files.len() => {
                match file_key(&command.body) {
                    Ok(key) => unwrapped.keys.push((file, key)),
                    Err(_) => unwrapped.errors.push(format!("{} gave no file key", connection.program())),
                }
                if enough(file) {
                    return Ok(unwrapped);
                }
                connection.send("ok", &[], &[])?;
            }
            _ => connection.unknown()?,
        }
    }
    unwrapped.errors.extend(connection.errors());
    Ok(unwrapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPIENT: &str = "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t";

    #[test]
    fn plugins_are_named_by_their_keys() {
        let recipient = Recipient::parse(RECIPIENT).unwrap();
        assert_eq!((recipient.plugin.as_str(), of_recipient(RECIPIENT)), ("yubikey", Some("yubikey")));
        let identity = Identity::parse("AGE-PLUGIN-YUBIKEY-1XXRSZQYZ46YKFK9ULMG").map(|identity| identity.plugin);
        assert!(identity.is_none() || identity.as_deref() == Some("yubikey"));
        for text in [&RECIPIENT[..60], "age1", "", "AGE-SECRET-KEY-1QQ"] {
            assert!(Recipient::parse(text).is_none() && Identity::parse(text).is_none(), "{text}");
        }
        assert!(is_name("a-b_c.1+") && !is_name("a/b") && !is_name("") && !is_name("a b"));
    }
}
