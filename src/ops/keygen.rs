//! `keygen`: an age identity in the place where sops looks for one.

use crate::error::{Error, Kind, Result};
use crate::key::{Environment, age, named};
use crate::secret::SecretBytes;
use crate::sys;
use std::path::{Path, PathBuf};
use zeroize::Zeroize;

/// What there is now.
pub enum Outcome {
    /// A new identity.
    Made(Identity),
    /// There was one; nothing was changed.
    Found(Identity),
}

/// An identity.
pub struct Identity {
    /// Where it is, for people: a file or a variable.
    pub place: String,
    /// The public keys, to encrypt for.
    pub recipients: Vec<String>,
}

/// A new identity that is not in a file: its text, as `age-keygen` writes it, and its recipient.
///
/// # Errors
/// When the system gives no random numbers.
pub fn generate(post_quantum: bool) -> Result<(SecretBytes, String)> {
    let (identity, recipient) = if post_quantum { age::generate_post_quantum()? } else { age::generate() };
    let created = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let head = format!("# created: {created}\n# public key: {recipient}\n");
    let line = identity.expose().trim_ascii();
    // Allocated once, so that no outgrown buffer with the key in it stays behind.
    let mut text = Vec::with_capacity(head.len() + line.len() + 1);
    text.extend_from_slice(head.as_bytes());
    text.extend_from_slice(line);
    text.push(b'\n');
    Ok((SecretBytes::from(text), recipient))
}

/// Makes an identity in `file`.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn generate_into(file: PathBuf, post_quantum: bool) -> Result<Identity> {
    let (text, recipient) = generate(post_quantum)?;
    sys::create_new_private(&file, text.expose())?;
    Ok(Identity { place: Environment::of_process().show(&file), recipients: vec![recipient] })
}

/// The identity that the environment itself carries (`SOPS_AGE_KEY`), as in CI.
#[must_use]
pub fn carried(environment: &Environment) -> Option<Identity> {
    const VARIABLE: &str = "SOPS_AGE_KEY";
    let text = SecretBytes::from(environment.get_filled(VARIABLE)?.into_encoded_bytes());
    let recipients = std::str::from_utf8(text.expose()).map(age::recipients_of).unwrap_or_default();
    (!recipients.is_empty()).then(|| Identity { place: VARIABLE.to_owned(), recipients })
}

/// Makes an identity in the place where sops looks for one, unless there is one.
///
/// # Errors
/// When there is no such place, or what is there cannot be read or holds no identity.
pub fn ensure(environment: &Environment, post_quantum: bool) -> Result<Outcome> {
    let file = default_file(environment)?;
    if !file.exists() {
        return generate_into(file, post_quantum).map(Outcome::Made);
    }
    let recipients = recipients_in(&file)?;
    if recipients.is_empty() {
        return Err(Error::new(Kind::Generic, "the identity file holds no age key that tells its recipient")
            .in_file(file.display().to_string())
            .because("it was left as it is: an identity is never overwritten")
            .hint("leafcrypt keygen --output ANOTHER-KEYFILE"));
    }
    if post_quantum && !recipients.iter().any(|recipient| recipient.starts_with("age1pq1")) {
        return Err(Error::new(Kind::Generic, "there is an identity already, and it is no post-quantum one")
            .in_file(file.display().to_string())
            .because("it was left as it is: an identity is never overwritten")
            .hint("leafcrypt keygen --pq --output ANOTHER-KEYFILE"));
    }
    Ok(Outcome::Found(Identity { place: environment.show(&file), recipients }))
}

/// The file that sops is told to read, or the one that it reads without being told.
fn default_file(environment: &Environment) -> Result<PathBuf> {
    let named = named::path(environment, "SOPS_AGE_KEY_FILE")
        .map_err(|misplaced| Error::new(Kind::Generic, misplaced.to_string()).hint(misplaced.hint()))?;
    named.or_else(age::default_identity_file).ok_or_else(|| {
        Error::new(Kind::Generic, "there is no place for an identity")
            .because("neither HOME nor XDG_CONFIG_HOME is set")
            .hint("leafcrypt keygen --output KEYFILE")
    })
}

fn recipients_in(file: &Path) -> Result<Vec<String>> {
    let mut bytes = sys::read_input(file)?;
    let recipients = std::str::from_utf8(&bytes).map(age::recipients_of).unwrap_or_default();
    bytes.zeroize();
    Ok(recipients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sops/age/keys.txt");
        let environment = Environment::of([("SOPS_AGE_KEY_FILE", file.clone().into_os_string())]);
        let Outcome::Made(made) = ensure(&environment, false).unwrap() else { panic!("made") };
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(&format!("# public key: {}\n", made.recipients[0])), "{text}");
        let Outcome::Found(found) = ensure(&environment, false).unwrap() else { panic!("found") };
        assert_eq!(found.recipients, made.recipients);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        assert_eq!(generate_into(file, false).err().map(|error| error.exit_code()), Some(3));
    }

    #[test]
    fn a_file_without_an_identity_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.txt");
        std::fs::write(&file, "# nothing yet\n").unwrap();
        let environment = Environment::of([("SOPS_AGE_KEY_FILE", file.clone().into_os_string())]);
        assert!(ensure(&environment, false).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "# nothing yet\n");
    }
}
