//! The token that Vault knows us by.

use super::settings::variable;
use crate::key::Environment;
use zeroize::Zeroizing;

/// A file with more is none of a token.
const LONGEST: u64 = 1 << 16;

/// A token and where it stood.
pub(super) struct Token {
    pub(super) secret: Zeroizing<String>,
    pub(super) from: String,
}

/// Looks where Vault's own client looks: the variable, then the file that `vault login` writes.
///
/// # Errors
/// Where it was looked and what is there, when there is no token.
pub(super) fn find(environment: &Environment) -> Result<Token, String> {
    if let Some((name, value)) = variable(environment, "TOKEN") {
        return match value.into_string() {
            Ok(secret) => {
                Ok(Token { secret: Zeroizing::new(secret.trim().to_owned()), from: format!("the token of {name}") })
            }
            Err(_) => Err(format!("{name} is not UTF-8")),
        };
    }
    let Some(file) = environment.home().map(|home| home.join(".vault-token")) else {
        return Err("VAULT_TOKEN is not set, and there is no home folder with a .vault-token".to_owned());
    };
    let shown = environment.show(&file);
    let none = |why: String| Err(format!("VAULT_TOKEN is not set, and {shown}: {why}"));
    let read = std::fs::metadata(&file).and_then(|found| {
        if found.len() > LONGEST {
            return Err(std::io::Error::other("too large for a token"));
        }
        std::fs::read_to_string(&file).map(Zeroizing::new)
    });
    match read {
        Ok(text) if text.trim().is_empty() => none("is empty".to_owned()),
        Ok(text) => Ok(Token { secret: Zeroizing::new(text.trim().to_owned()), from: format!("the token of {shown}") }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => none("no such file".to_owned()),
        Err(error) => none(format!("cannot be read: {error}")),
    }
}
