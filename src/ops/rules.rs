//! The creation rule for a document, and the recipients that a rule names.

use crate::config::{Config, CreationRule, DESTINATION_HINT, DestinationRule, KeyGroup};
use crate::document::Indent;
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::key::{GivenDetails, Stanza, registry};
use crate::trace;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A rule and the file it stands in.
pub(super) struct Rule {
    /// The file.
    pub(super) file: PathBuf,
    /// What it says.
    pub(super) rule: CreationRule,
}

/// The rules of a run: one file of them, or for each document the one that is found for it. Each is read once.
#[derive(Default)]
pub struct Rules {
    file: Option<PathBuf>,
    indent: Option<i64>,
    read: Mutex<HashMap<PathBuf, Arc<Config>>>,
}

impl Rules {
    /// Those in `file`, or else those that are found from each document's folder and the working directory.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        Rules { file, ..Rules::default() }
    }

    /// The same, where what is written anew is indented by `indent`, whatever they say.
    #[must_use]
    pub fn indented(self, indent: Option<i64>) -> Self {
        Rules { indent, ..self }
    }

    /// Reads the file that was named, if one was, and gives what the user should hear of it.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub(super) fn check(&self) -> Result<Vec<String>> {
        self.file.as_ref().map_or(Ok(Vec::new()), |path| Ok(self.read(path)?.warnings.clone()))
    }

    /// How a document called `name` is indented that is written anew in the format `output`.
    ///
    /// # Errors
    /// When there is no such indentation, or the file of rules that was named is wrong. One that was found and is wrong
    /// is another command's affair: it gives a warning.
    pub(super) fn indent(&self, name: &Path, output: &dyn Format, warnings: &mut Vec<String>) -> Result<Indent> {
        if let Some(number) = self.indent {
            return output.indent(number).map_err(|error| error.because("that is what --indent says"));
        }
        let (path, config) = match &self.file {
            Some(path) => (path.clone(), self.read(path)?),
            None => {
                let working_dir = std::env::current_dir().unwrap_or_default();
                let Some(path) = Config::find(Some(name), &working_dir).path else { return Ok(Indent::OfSops) };
                match self.read(&path) {
                    Ok(config) => (path, config),
                    Err(error) => {
                        warnings.push(format!("what is said of indentation is not known: {error}"));
                        return Ok(Indent::OfSops);
                    }
                }
            }
        };
        let number = config.stores.indent(output.name());
        number.map_or(Ok(Indent::OfSops), |number| {
            output.indent(number).map_err(|error| error.in_file(path.display().to_string()).because("`stores` says so"))
        })
    }

    /// Finds the rule for a document called `name`. `None` when there are no rules at all.
    ///
    /// # Errors
    /// When the rules are wrong, or there are some and none is for this name.
    pub(super) fn find(&self, name: &Path, warnings: &mut Vec<String>) -> Result<Option<Rule>> {
        let Some((path, config)) = self.config(name, warnings)? else { return Ok(None) };
        let rule = config.rule_for(name)?.cloned();
        if let Some(rule) = &rule {
            trace::note(|| format!("creation rule {} (line {}) is for {}", rule.number, rule.line, name.display()));
        }
        Ok(rule.map(|rule| Rule { file: path, rule }))
    }

    /// `error`, for which there is no creation rule, with why that is and what to do.
    pub(super) fn explain_none(&self, name: &Path, error: Error) -> Error {
        match self.config(name, &mut Vec::new()) {
            Ok(Some((path, _))) => error
                .because(format!("{} has no creation_rules", path.display()))
                .hint("or add some there, such as creation_rules: [{age: RECIPIENT}]"),
            _ => error
                .because("no .sops.yaml with creation rules was found")
                .hint("or have rules written: leafcrypt init"),
        }
    }

    /// Finds the rule that says where a file called `typed` is published.
    ///
    /// # Errors
    /// When the rules are wrong, or none is for this name.
    pub(super) fn destination(&self, typed: &Path, warnings: &mut Vec<String>) -> Result<(PathBuf, DestinationRule)> {
        let Some((path, config)) = self.config(typed, warnings)? else {
            return Err(Error::new(Kind::Generic, "there is no rule that says where to publish")
                .because("no .sops.yaml was found")
                .hint(DESTINATION_HINT)
                .hint("or name the file that has it: --config CONFIG-FILE"));
        };
        let rule = config.destination_for(typed)?.clone();
        trace::note(|| format!("the destination rule in line {} is for {}", rule.line, typed.display()));
        Ok((path, rule))
    }

    /// The rules that are for a document called `name`, and where they stand.
    fn config(&self, name: &Path, warnings: &mut Vec<String>) -> Result<Option<(PathBuf, Arc<Config>)>> {
        let path = match &self.file {
            Some(path) => path.clone(),
            None => {
                let working_dir = std::env::current_dir().unwrap_or_default();
                let found = Config::find(Some(name), &working_dir);
                warnings.extend(found.warnings);
                match found.path {
                    Some(path) => path,
                    None => return Ok(None),
                }
            }
        };
        let config = self.read(&path)?;
        warnings.extend(config.warnings.iter().cloned());
        Ok(Some((path, config)))
    }

    fn read(&self, path: &Path) -> Result<Arc<Config>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = read.get(path) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(Config::load(path)?);
        read.insert(path.to_path_buf(), Arc::clone(&config));
        Ok(config)
    }
}

impl Rule {
    /// Where it stands, for people.
    pub(super) fn place(&self) -> String {
        format!("its rule stands in {}, line {}", self.file.display(), self.rule.line)
    }

    /// The stanzas of each key group, not wrapped yet. What the flags say of recipients (`given`) is for those
    /// of which the rule does not say it.
    ///
    /// # Errors
    /// When an entry of the rule names nobody, or what it names is no recipient.
    pub(super) fn key_groups(&self, given: &GivenDetails) -> Result<Vec<Vec<Stanza>>> {
        if let Some(nameless) = &self.rule.nameless {
            return Err(nameless.error().in_file(self.file.display().to_string()));
        }
        self.rule.key_groups.iter().map(|group| self.stanzas(group, given)).collect()
    }

    fn stanzas(&self, group: &KeyGroup, given: &GivenDetails) -> Result<Vec<Stanza>> {
        let mut stanzas = Vec::new();
        for recipient in &group.recipients {
            let name = recipient.back_end;
            let backend = registry::backend(name).ok_or_else(|| {
                let (what, install) = registry::lacking(name);
                let error = Error::new(Kind::Generic, what)
                    .in_file(self.file.display().to_string())
                    .because(format!("line {} names {}", recipient.line, recipient.text));
                let error = install.into_iter().fold(error, Error::hint);
                error.hint("or name age recipients, on the command line: --age RECIPIENT")
            })?;
            let mut details = recipient.fields.clone();
            for (field, value) in given.get(name).into_iter().flatten() {
                let said = details.keys().any(|key| key.split('.').next() == Some(field));
                if !said {
                    details.insert(field.clone(), value.clone());
                }
            }
            let parsed = backend.parse_detailed(&recipient.text, &details).map_err(|error| {
                error.in_file(self.file.display().to_string()).because(format!("it stands in line {}", recipient.line))
            })?;
            stanzas.extend(parsed);
        }
        Ok(stanzas)
    }
}
