//! A Secret made of decrypted files.

use super::generator::SecretFrom;
use super::{File, dotenv};
use crate::document::Value;
use crate::error::{Error, Kind, Result};
use crate::format::yaml;
use crate::secret::SecretBytes;
use base64::prelude::{BASE64_STANDARD, Engine};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The files that a Secret is made of, each with what it becomes.
pub(super) struct Plan<'a> {
    secret: &'a SecretFrom,
    parts: Vec<Part>,
}

enum Part {
    Text(String),
    Binary(String),
    Env,
}

impl<'a> Plan<'a> {
    /// Reads which files `secret`, the generator's Secret number `at`, is made of, and adds them to `files`.
    ///
    /// # Errors
    /// When an entry is neither `path` nor `key=path`.
    pub(super) fn new(secret: &'a SecretFrom, at: usize, files: &mut Vec<File>) -> Result<Self> {
        let mut parts = Vec::new();
        let mut add = |field: &str, entries: &[String], part: &dyn Fn(String) -> Part| -> Result<()> {
            for (number, entry) in entries.iter().enumerate() {
                let field = format!("secretFrom[{at}].{field}[{number}]");
                let (key, path) = key_and_path(entry, &field)?;
                files.push(File { path, field });
                parts.push(part(key));
            }
            Ok(())
        };
        add("files", &secret.files, &Part::Text)?;
        add("binaryFiles", &secret.binary_files, &Part::Binary)?;
        for (number, entry) in secret.envs.iter().enumerate() {
            files.push(File { path: PathBuf::from(entry), field: format!("secretFrom[{at}].envs[{number}]") });
            parts.push(Part::Env);
        }
        Ok(Plan { secret, parts })
    }

    /// How many files it takes.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Makes the Secret of the decrypted `texts` of its files.
    ///
    /// # Errors
    /// When a file cannot be what it is to become.
    pub(super) fn render(&self, files: &[File], texts: &[SecretBytes]) -> Result<Zeroizing<String>> {
        let mut string_data = BTreeMap::new();
        let mut data = BTreeMap::new();
        for ((part, file), text) in self.parts.iter().zip(files).zip(texts) {
            let in_file = |error: Error| error.in_file(file.path.display().to_string()).because(&file.field);
            let decoded = || std::str::from_utf8(text.expose()).map_err(|_| in_file(not_text()));
            match part {
                Part::Text(key) => drop(string_data.insert(key.clone(), decoded()?.to_owned())),
                Part::Binary(key) => drop(data.insert(key.clone(), BASE64_STANDARD.encode(text.expose()))),
                Part::Env => string_data.extend(dotenv::parse(decoded()?).map_err(in_file)?),
            }
        }
        Ok(Zeroizing::new(yaml::print(&self.manifest(string_data, data))))
    }

    fn manifest(&self, string_data: BTreeMap<String, String>, data: BTreeMap<String, String>) -> Value {
        let text = |text: &str| Value::Str(text.to_owned());
        let map = |items: BTreeMap<String, String>| {
            Value::Map(items.into_iter().map(|(key, value)| (key, Value::Str(value))).collect())
        };
        let mut metadata = Vec::new();
        let mut put = |name: &str, value: Value| metadata.push((name.to_owned(), value));
        if let Some(name) = &self.secret.name {
            put("name", text(name));
        }
        if let Some(namespace) = &self.secret.namespace {
            put("namespace", text(namespace));
        }
        for (name, items) in [("labels", &self.secret.labels), ("annotations", &self.secret.annotations)] {
            if !items.is_empty() {
                put(name, map(items.clone()));
            }
        }
        let mut manifest = vec![
            ("apiVersion".to_owned(), text("v1")),
            ("kind".to_owned(), text("Secret")),
            ("metadata".to_owned(), Value::Map(metadata)),
        ];
        if let Some(kind) = &self.secret.kind {
            manifest.push(("type".to_owned(), text(kind)));
        }
        for (name, items) in [("stringData", string_data), ("data", data)] {
            if !items.is_empty() {
                manifest.push((name.to_owned(), map(items)));
            }
        }
        Value::Map(manifest)
    }
}

/// `key=path`, or a path whose last part is the key.
fn key_and_path(entry: &str, field: &str) -> Result<(String, PathBuf)> {
    match entry.split('=').collect::<Vec<_>>()[..] {
        [path] => {
            let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
            name.map(|name| (name, PathBuf::from(path))).ok_or_else(|| no_file(entry, field))
        }
        [key, path] if !key.is_empty() && !path.is_empty() => Ok((key.to_owned(), PathBuf::from(path))),
        _ => Err(no_file(entry, field)),
    }
}

fn no_file(entry: &str, field: &str) -> Error {
    Error::new(Kind::Generic, format!("{field} names no file: {entry:?}")).hint("path/to/file, or key=path/to/file")
}

fn not_text() -> Error {
    Error::new(Kind::Format, "the file is not text").hint("name it below binaryFiles instead")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_path_or_a_key_and_a_path() {
        let read = |entry| key_and_path(entry, "f").map(|(key, path)| (key, path.display().to_string())).ok();
        let pair = |key: &str, path: &str| Some((key.to_owned(), path.to_owned()));
        assert_eq!(read("./a/secret.enc.conf"), pair("secret.enc.conf", "./a/secret.enc.conf"));
        assert_eq!(read("app.conf=a/b"), pair("app.conf", "a/b"));
        for wrong in ["", "a=b=c", "=b", "a=", ".."] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
