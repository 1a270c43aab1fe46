//! `updatekeys`: the recipients of a file become those that its creation rule names.

use super::block::Locked;
use super::recipients::{Change, Plan};
use super::rules::{Rule, Rules};
use super::source::Source;
use crate::error::{Error, Kind, Result};
use crate::key::{GivenDetails, Keyring};
use crate::metadata::Metadata;

/// What holds for all files of a run.
pub struct UpdateKeys {
    /// The rules.
    pub rules: Rules,
    /// How many key groups are to be needed, whatever the rule says.
    pub threshold: Option<usize>,
    /// What else is said of the rules' recipients.
    pub details: GivenDetails,
}

/// What is to become of a file.
pub struct Planned {
    /// What changes; empty when the file is in step with its rule.
    pub plan: Plan,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

impl UpdateKeys {
    /// Says what would change. No key is looked for.
    ///
    /// # Errors
    /// When the file cannot be read or is not encrypted, when no rule is for it, or the rule makes no sense.
    pub fn plan(&self, source: &Source) -> Result<Planned> {
        let mut warnings = Vec::new();
        let (_, change) = self.change(source, &mut warnings)?;
        Ok(Planned { plan: change.plan, warnings })
    }

    /// The file with the change made that was agreed on.
    ///
    /// # Errors
    /// Those of [`Self::plan`]; when the plan is another one by now, no key opens the file, or a new recipient
    /// cannot be used.
    pub fn apply(&self, source: &Source, agreed: &Plan, keyring: &Keyring) -> Result<String> {
        let (locked, change) = self.change(source, &mut Vec::new())?;
        if change.plan != *agreed {
            return Err(Error::new(Kind::Generic, "the file or its rule has changed meanwhile")
                .in_file(source.shown())
                .hint("look at the new plan: leafcrypt updatekeys FILE"));
        }
        locked.change(change, keyring).map_err(|error| error.in_file(source.shown()))
    }

    fn change(&self, source: &Source, warnings: &mut Vec<String>) -> Result<(Locked, Change)> {
        let shown = source.shown();
        let opened = source.open()?;
        let locked = Locked::read(opened.bytes, opened.input).map_err(|error| error.in_file(shown.as_str()))?;
        let rule = self
            .rules
            .find(source.name(), warnings)?
            .ok_or_else(|| self.rules.explain_none(source.name(), no_rules()))?;
        let metadata = &locked.metadata;
        let wanted = rule.key_groups(&self.details)?;
        // What nobody says stays as it is, as far as that goes.
        let before = metadata.shamir_threshold;
        let kept = if metadata.key_groups.len() > 1 && before <= wanted.len() { before } else { 0 };
        let said = Some(rule.rule.shamir_threshold).filter(|&threshold| threshold > 0);
        let threshold = self.threshold.or(said).unwrap_or(kept);
        let change = Change::new(metadata, wanted, threshold)
            .map_err(|error| error.in_file(shown.as_str()).because(rule.place()))?;
        warnings.extend(selects_otherwise(&rule, metadata).map(|note| format!("{shown}: {note}")));
        Ok((locked, change))
    }
}

fn no_rules() -> Error {
    Error::new(Kind::ConfigMissing, "there is no rule that says who the recipients are")
        .hint("name a file of rules: --config CONFIG-FILE")
}

/// What the rule says of the file's values and the file does otherwise: recipients are all that changes.
fn selects_otherwise(rule: &Rule, metadata: &Metadata) -> Option<String> {
    let selection = rule.rule.selection.clone().unwrap_or_default();
    let show = |selection: &crate::metadata::Selection| format!("{} {:?}", selection.field(), selection.text());
    let (wanted, is) = if selection != metadata.selection {
        (show(&selection), show(&metadata.selection))
    } else if rule.rule.mac_only_encrypted != metadata.mac_only_encrypted {
        let show = |only: bool| format!("mac_only_encrypted {only}");
        (show(rule.rule.mac_only_encrypted), show(metadata.mac_only_encrypted))
    } else {
        return None;
    };
    Some(format!(
        "the file has {is}, and its rule says {wanted}; that stays as it is until the file is decrypted and encrypted again"
    ))
}
