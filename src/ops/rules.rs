//! The creation rule for a document, and the recipients that a rule names.

use crate::config::{Config, CreationRule, KeyGroup};
use crate::error::{Error, Kind, Result};
use crate::key::{GivenDetails, Stanza, registry};
use crate::trace;
use std::path::{Path, PathBuf};

/// A rule and the file it stands in.
pub(super) struct Rule {
    /// The file.
    pub(super) file: PathBuf,
    /// What it says.
    pub(super) rule: CreationRule,
}

/// Finds the rule for a document called `name`: in `config`, or else in the file that is found from
/// the document's folder and the working directory. `None` when there are no rules at all.
///
/// # Errors
/// When the rules are wrong, or there are some and none is for this name.
pub(super) fn find(config: Option<&Path>, name: &Path, warnings: &mut Vec<String>) -> Result<Option<Rule>> {
    let path = match config {
        Some(path) => path.to_path_buf(),
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
    let mut config = Config::load(&path)?;
    warnings.append(&mut config.warnings);
    let rule = config.rule_for(name)?.cloned();
    if let Some(rule) = &rule {
        trace::note(|| format!("creation rule {} (line {}) is for {}", rule.number, rule.line, name.display()));
    }
    Ok(rule.map(|rule| Rule { file: path, rule }))
}

impl Rule {
    /// The stanzas of each key group, not wrapped yet. What the flags say of recipients (`given`) is for those
    /// of which the rule does not say it.
    pub(super) fn key_groups(&self, given: &GivenDetails) -> Result<Vec<Vec<Stanza>>> {
        self.rule.key_groups.iter().map(|group| self.stanzas(group, given)).collect()
    }

    fn stanzas(&self, group: &KeyGroup, given: &GivenDetails) -> Result<Vec<Stanza>> {
        let mut stanzas = Vec::new();
        for recipient in &group.recipients {
            let name = recipient.back_end;
            let backend = registry::backend(name).ok_or_else(|| {
                Error::new(Kind::Generic, format!("this version cannot encrypt for {name} keys yet"))
                    .in_file(self.file.display().to_string())
                    .because(format!("line {} names {}", recipient.line, recipient.text))
                    .hint("name age recipients instead, on the command line: --age RECIPIENT")
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
