//! Running gpg, and what it means by what it says.

use std::io;
use std::process::Stdio;

use zeroize::Zeroizing;

use super::ID_LENGTH;
use crate::error::{Error, Kind};
use crate::key::Environment;
use crate::key::child;
use crate::key::named;
use crate::key::stanza::printable;
use crate::sys;

const PROGRAM: &str = "SOPS_GPG_EXEC";
const HOME: &str = "GNUPGHOME";
/// More than any message, list of keys or complaint of gpg has.
const LIMIT: u64 = 1 << 24;

/// Why gpg did not do it.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) reason: Reason,
    /// In gpg's own words, or the system's.
    words: String,
}

/// What a complaint comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    NoGpg,
    /// A variable holds something else than the name of a program or a folder.
    Misplaced,
    NoAgent,
    NoPrompt,
    Refused,
    WrongPassphrase,
    Card,
    NoCard,
    NoCardDaemon,
    NoPublicKey,
    UnusableKey,
    NoSecretKey,
    Other,
}

/// What gpg says, the most telling first: behind most of them it says "No secret key" as well.
///
/// Source: `g10` of GnuPG 2.2 and 2.4, and the messages of libgpg-error.
const MEANINGS: &[(&str, Reason)] = &[
    ("agent running in this session", Reason::NoAgent),
    ("connect to the agent", Reason::NoAgent),
    ("connect to the gpg-agent", Reason::NoAgent),
    ("failed to start agent", Reason::NoAgent),
    ("failed to start gpg-agent", Reason::NoAgent),
    ("No agent running", Reason::NoAgent),
    ("Inappropriate ioctl for device", Reason::NoPrompt),
    ("No pinentry", Reason::NoPrompt),
    ("Screen or window too small", Reason::NoPrompt),
    ("Operation cancelled", Reason::Refused),
    ("Timeout", Reason::Refused),
    ("Bad passphrase", Reason::WrongPassphrase),
    ("Bad PIN", Reason::WrongPassphrase),
    ("SmartCard daemon", Reason::NoCardDaemon),
    ("Card not present", Reason::NoCard),
    ("Card removed", Reason::NoCard),
    ("PIN blocked", Reason::Card),
    ("Card", Reason::Card),
    ("card", Reason::Card),
    ("skipped: No public key", Reason::NoPublicKey),
    ("skipped: Not found", Reason::NoPublicKey),
    ("skipped: Unusable public key", Reason::UnusableKey),
    ("No secret key", Reason::NoSecretKey),
];

/// Encrypts `part` for one key, with the arguments of sops. `id` is the fingerprint without what may stand before it.
pub(super) fn encrypt(environment: &Environment, fingerprint: &str, id: &str, part: &[u8]) -> Result<String, Trouble> {
    // Trusted by its id, so that gpg does not ask whether the key is its owner's: whoever names a
    // fingerprint has looked.
    let digits = id.trim_end_matches('!').len();
    let id = &id[digits.saturating_sub(ID_LENGTH)..];
    let arguments = [
        "--no-default-recipient",
        "--yes",
        "--encrypt",
        "-a",
        "-r",
        fingerprint,
        "--trusted-key",
        id,
        "--no-encrypt-to",
    ];
    let message = run(environment, &arguments, part)?;
    match std::str::from_utf8(&message).map(str::trim) {
        Ok(message) if !message.is_empty() => Ok(message.replace("\r\n", "\n")),
        _ => Err(Trouble::other("it printed no message")),
    }
}

/// Opens a message. gpg may ask for a passphrase or a card, through its agent.
pub(super) fn decrypt(environment: &Environment, message: &str) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    run(environment, &["-d"], message.as_bytes())
}

/// The keys with a secret half, also those on smartcards: one record on a line, its fields between colons.
///
/// Source: `doc/DETAILS` of GnuPG.
pub(super) fn list_secret_keys(environment: &Environment) -> Result<String, Trouble> {
    run(environment, &["--batch", "--with-colons", "--list-secret-keys"], b"")
        .map(|list| String::from_utf8_lossy(&list).into_owned())
}

/// Where gpg looks for keys, for people.
pub(super) fn place(environment: &Environment) -> String {
    match named::path(environment, HOME) {
        Ok(Some(home)) => format!("gpg, {HOME}={}", home.display()),
        Ok(None) => format!("gpg, {HOME} is not set"),
        Err(_) => "gpg".to_owned(),
    }
}

fn run(environment: &Environment, arguments: &[&str], input: &[u8]) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    // gpg itself would show what it is given for a folder.
    for variable in [PROGRAM, HOME] {
        let value = environment.get(variable).unwrap_or_default();
        named::check_path(variable, &value)
            .map_err(|misplaced| Trouble { reason: Reason::Misplaced, words: misplaced.to_string() })?;
    }
    let program = environment.get_filled(PROGRAM).unwrap_or_else(|| "gpg".into());
    let failed = |error: io::Error| Trouble {
        reason: Reason::NoGpg,
        words: printable(&format!("{}: {error}", program.display())),
    };
    let mut command = sys::command(&program, environment).map_err(failed)?;
    command.args(arguments).stderr(Stdio::piped());
    // In English whatever the language, for the table above, and no other part of the locale: it also
    // decides how a passphrase is typed.
    command.env("LANGUAGE", "en");

    // gpg has no terminal on its standard input to tell its agent of.
    if environment.get_filled("GPG_TTY").is_none()
        && let Some(terminal) = sys::terminal_name()
    {
        command.env("GPG_TTY", terminal);
    }
    let ran = child::run(&mut command, input, LIMIT).map_err(failed)?;
    if ran.status.success() {
        return Ok(ran.stdout);
    }
    let trouble = Trouble::said(&ran.stderr);
    Err(if trouble.words.is_empty() { Trouble::other(&ran.status.to_string()) } else { trouble })
}

impl Trouble {
    /// The same about a key that is on a card: gpg says in the same words that a passphrase was not given, and that a
    /// card was not inserted.
    pub(super) fn about_card(mut self, card: &str) -> Self {
        if self.reason == Reason::Refused {
            self.reason = Reason::NoCard;
        }
        self.words = format!("card {}; {}", printable(card), self.words);
        self
    }

    pub(super) fn other(words: &str) -> Self {
        Trouble { reason: Reason::Other, words: words.to_owned() }
    }

    fn said(text: &str) -> Self {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // The names of keys are quoted, and may be anything.
        let said = |text: &str| lines.iter().any(|line| !line.starts_with('"') && line.contains(text));
        let reason = MEANINGS.iter().find(|(text, _)| said(text)).map_or(Reason::Other, |(_, reason)| *reason);
        let words: Vec<String> = lines.iter().map(|line| printable(line)).collect();
        Trouble { reason, words: words.join("; ") }
    }

    /// In one line: what it comes to, and gpg's own words.
    pub(super) fn line(&self) -> String {
        let what = match self.reason {
            Reason::NoGpg | Reason::Misplaced => "gpg cannot be run",
            Reason::NoAgent => "gpg has no agent to ask for the secret key",
            Reason::NoPrompt => "the key is locked, and nothing could ask for its passphrase",
            Reason::Refused => "the key is locked, and its passphrase was not given",
            Reason::WrongPassphrase => "the passphrase was wrong",
            Reason::Card => "the smartcard did not do it",
            Reason::NoCard => "the smartcard is not there, or its PIN was not given",
            Reason::NoCardDaemon => "the key is on a smartcard, and gpg has no program to talk to one",
            Reason::NoPublicKey => "gpg has no such public key",
            Reason::UnusableKey => "the key is expired or revoked, or not one to encrypt with",
            Reason::NoSecretKey => "gpg has no secret key for it",
            Reason::Other => "gpg failed",
        };
        format!("{what} ({})", self.words)
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> Option<&'static str> {
        Some(match self.reason {
            Reason::NoGpg => "install GnuPG, or name the program: export SOPS_GPG_EXEC=/path/to/gpg",
            Reason::Misplaced => {
                "name the program, SOPS_GPG_EXEC=/path/to/gpg, and the folder of its keys, GNUPGHOME=/path/to/folder"
            }
            Reason::NoAgent => "gpgconf --launch gpg-agent",
            Reason::NoPrompt => "export GPG_TTY=$(tty), and see that a pinentry program is installed",
            Reason::Refused | Reason::WrongPassphrase => "run it again and give the key's passphrase",
            Reason::Card => "gpg --card-status",
            Reason::NoCard => "insert the card, see whether gpg finds it (gpg --card-status), and run it again",
            Reason::NoCardDaemon => {
                "install scdaemon, which comes with GnuPG, and see whether it finds the card: gpg --card-status"
            }
            Reason::NoPublicKey => "gpg --import KEYFILE, or gpg --recv-keys FINGERPRINT",
            Reason::UnusableKey => "gpg --list-keys FINGERPRINT",
            Reason::NoSecretKey => "import the secret key, if you have it elsewhere: gpg --import KEYFILE",
            Reason::Other => return None,
        })
    }

    /// The error for a key for which nothing could be wrapped.
    pub(super) fn cannot_wrap(&self, title: &str) -> Error {
        let error =
            Error::new(Kind::Generic, format!("the data key cannot be wrapped for {title}")).because(self.line());
        self.hint().into_iter().fold(error, Error::hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_line_is_the_reason() {
        let cases = [
            ("gpg: decryption failed: No secret key", Reason::NoSecretKey),
            (
                "gpg: public key decryption failed: Operation cancelled\ngpg: decryption failed: No secret key",
                Reason::Refused,
            ),
            (
                "gpg: public key decryption failed: Bad passphrase\ngpg: decryption failed: No secret key",
                Reason::WrongPassphrase,
            ),
            (
                "gpg: public key decryption failed: Inappropriate ioctl for device\ngpg: decryption failed: No secret key",
                Reason::NoPrompt,
            ),
            ("gpg: no gpg-agent running in this session\ngpg: decryption failed: No secret key", Reason::NoAgent),
            ("gpg: can't connect to the agent: IPC connect call failed", Reason::NoAgent),
            (
                "gpg: public key decryption failed: No SmartCard daemon\ngpg: decryption failed: No secret key",
                Reason::NoCardDaemon,
            ),
            ("gpg: public key decryption failed: Card not present", Reason::NoCard),
            ("gpg: public key decryption failed: Card error\ngpg: decryption failed: No secret key", Reason::Card),
            (
                "gpg: 85D77543: skipped: No public key\ngpg: [stdin]: encryption failed: No public key",
                Reason::NoPublicKey,
            ),
            ("gpg: 85D77543: skipped: Unusable public key", Reason::UnusableKey),
            ("gpg: no valid OpenPGP data found.", Reason::Other),
            (
                "gpg: encrypted with ECDH key, ID 1\n      \"Card Timeout <x>\"\ngpg: decryption failed: No secret key",
                Reason::NoSecretKey,
            ),
        ];
        for (said, reason) in cases {
            let trouble = Trouble::said(said);
            assert_eq!(trouble.reason, reason, "{said}");
            assert!(trouble.line().contains(said.lines().next().unwrap()), "gpg's own words: {}", trouble.line());
        }
    }
}
