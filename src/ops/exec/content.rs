//! What a command gets, and whether it can be that.

use super::super::decrypt::{self, Decrypt};
use super::super::rules::Rules;
use super::super::source::Source;
use super::values::{self, Tree, Value};
use crate::error::{Error, Kind, Result};
use crate::key::Keyring;
use crate::secret::SecretBytes;
use crate::sys;
use std::sync::Arc;

/// The name of the file when none is given; that of sops.
pub const FILE_NAME: &str = "tmp-file";

/// What a command gets.
pub enum Content {
    /// Variables: names and values.
    Variables(Vec<(String, SecretBytes)>),
    /// A file, whose path goes to the places of `{}` in the command.
    File {
        /// Its name.
        name: String,
        /// What is in it.
        bytes: SecretBytes,
        /// Whether it is a named pipe, so that there is no file at all.
        is_pipe: bool,
    },
    /// A folder of files, whose path goes to the places of `{}` in the command.
    Folder(Vec<(String, SecretBytes)>),
}

/// A document that was opened for a command.
pub struct Opened {
    /// What the command gets.
    pub content: Content,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

/// Opens a document for `exec-env`: each value as a variable, as sops makes them.
///
/// # Errors
/// Those of decrypting and of [`values::values`]; when a value or its name cannot be in an environment.
pub fn variables(source: &Source, ignore_mac: bool, separator: Option<&str>, keyring: &Keyring) -> Result<Opened> {
    let mut variables = Vec::new();
    let warnings = each_value(source, ignore_mac, separator, keyring, |value| {
        let why = match &value.name {
            name if name.is_empty() => "it would have no name",
            name if name.contains('=') => "a name ends at the first =",
            name if name.contains('\0') => "a name ends at the first NUL",
            _ if sys::variable_text(value.bytes.expose()).is_none() => "a variable ends at the first NUL",
            _ => {
                variables.push((value.name, value.bytes));
                return Ok(());
            }
        };
        Err(Error::new(Kind::Generic, "this value cannot be a variable of the environment")
            .because(why)
            .hint("leafcrypt exec-file or exec-dir gives values as files"))
    })?;
    Ok(Opened { content: Content::Variables(variables), warnings })
}

/// Opens a document for `exec-dir`: each value as a file, without a line break at its end.
///
/// # Errors
/// Those of decrypting and of [`values::values`]; when a name cannot be that of a file.
pub fn folder(source: &Source, ignore_mac: bool, separator: Option<&str>, keyring: &Keyring) -> Result<Opened> {
    let mut files = Vec::new();
    let warnings = each_value(source, ignore_mac, separator, keyring, |value| {
        check_file_name(&value.name)?;
        files.push((value.name, if value.is_null { SecretBytes::default() } else { value.bytes }));
        Ok(())
    })?;
    Ok(Opened { content: Content::Folder(files), warnings })
}

/// Opens a document for `exec-file`: the plaintext, in the output's format.
///
/// # Errors
/// Those of decrypting; when `name` cannot be that of a file.
pub fn file(
    source: Source,
    rules: Arc<Rules>,
    ignore_mac: bool,
    name: &str,
    is_pipe: bool,
    keyring: &Keyring,
) -> Result<Opened> {
    check_file_name(name)?;
    let request = Decrypt { ignore_mac, rules, ..Decrypt::whole(source) };
    let decrypted = decrypt::decrypt(&request, keyring)?;
    let content = Content::File { name: name.to_owned(), bytes: decrypted.plaintext, is_pipe };
    Ok(Opened { content, warnings: decrypted.warnings })
}

/// Gives each value of a document to `take`; an error of that is told with its place.
fn each_value(
    source: &Source,
    ignore_mac: bool,
    separator: Option<&str>,
    keyring: &Keyring,
    mut take: impl FnMut(Value) -> Result<()>,
) -> Result<Vec<String>> {
    let (document, decrypted) = decrypt::values(source, ignore_mac, keyring)?;
    let tree = Tree { document: &document, scalar: &|id| decrypted.get(&document, id) };
    let taken = values::values(&tree, separator).and_then(|values| {
        values.into_iter().try_for_each(|value| {
            let id = value.id;
            take(value).map_err(|error| error.at_path(document.path(id)))
        })
    });
    taken.map_err(|error| error.in_file(source.shown()))?;
    let mut warnings = decrypted.warnings;
    if document.roots().len() > 1 {
        warnings.push(format!("of the {} documents of the file only the first is used", document.roots().len()));
    }
    Ok(warnings)
}

/// A file must stand in its folder and nowhere else.
fn check_file_name(name: &str) -> Result<()> {
    let why = match name {
        "" => "it is empty",
        "." | ".." => "it means a folder",
        _ if name.contains(std::path::is_separator) => "it leads to another folder",
        _ if name.contains('\0') => "it holds NUL",
        _ if name.len() > 255 => "it is longer than 255 bytes",
        _ => return Ok(()),
    };
    // The name is a key of the document, or what was typed: no secret.
    Err(Error::new(Kind::Generic, format!("{name:?} cannot be the name of a file")).because(why))
}
