//! `groups`: key groups added to a file and deleted from it.

use super::block::Locked;
use super::recipients::{Change, GroupPlan, Plan};
use super::source::{Opened, Source};
use crate::error::{Error, Kind, Result};
use crate::key::{Keyring, Stanza};

/// Which file, and what is to become of its key groups.
pub struct Groups {
    /// The document.
    pub source: Source,
    /// What to do.
    pub step: Step,
    /// How many key groups are to be needed; `None` for as many as before.
    pub threshold: Option<usize>,
}

/// What to do with the key groups of a file.
pub enum Step {
    /// A new one behind the others, with these recipients.
    Add(Vec<Stanza>),
    /// The one at this place, counted from 0, goes.
    Delete(usize),
}

/// What came out.
pub struct Regrouped {
    /// The text to write.
    pub text: String,
    /// What has changed.
    pub plan: Plan,
}

/// Makes the change. Values, MAC and time of the last change stay as they are, as in sops.
///
/// # Errors
/// When the file cannot be read or opened, has no such group, or nobody could open it afterwards.
pub fn change(request: Groups, keyring: &Keyring) -> Result<Regrouped> {
    let shown = request.source.shown();
    let missing = |error: Error| if error.kind() == Kind::NoFile { error.of_kind(Kind::ReadInput) } else { error };
    let opened = request.source.open().map_err(missing)?;
    regroup(request, opened, keyring).map_err(|error| error.in_file(shown))
}

fn regroup(request: Groups, opened: Opened, keyring: &Keyring) -> Result<Regrouped> {
    let locked = Locked::read(opened.bytes, opened.input)?;
    let metadata = &locked.metadata;
    let mut groups = metadata.key_groups.clone();
    let before = if groups.len() > 1 { metadata.groups_needed() } else { 0 };
    let threshold = request.threshold.unwrap_or(before);
    let names = |group: &[Stanza]| group.iter().map(Stanza::title).collect();
    let kept = |group: &Vec<Stanza>| GroupPlan { kept: names(group), ..GroupPlan::default() };
    let mut plan = Plan { threshold: (before, 0), groups: groups.iter().map(kept).collect() };
    match request.step {
        Step::Add(group) => {
            plan.groups.push(GroupPlan { added: names(&group), ..GroupPlan::default() });
            groups.push(group);
        }
        Step::Delete(at) if at >= groups.len() => return Err(no_such_group(at, groups.len())),
        Step::Delete(_) if groups.len() == 1 => {
            return Err(Error::new(Kind::NoRecipient, "the only key group cannot be deleted")
                .because("nobody could open the file"));
        }
        Step::Delete(at) => {
            plan.groups[at] = GroupPlan { removed: names(&groups.remove(at)), ..GroupPlan::default() };
            // Not silently fewer: that one recipient alone opens the file must be somebody's decision.
            if threshold > groups.len() {
                return Err(too_few(threshold, groups.len()));
            }
        }
    }
    let change = Change::new(metadata, groups, threshold)?;
    plan.threshold.1 = change.plan.threshold.1;
    Ok(Regrouped { text: locked.change(change, keyring)?, plan })
}

fn no_such_group(at: usize, of: usize) -> Error {
    Error::new(Kind::Generic, format!("there is no key group {at}"))
        .because(format!("the file has {of}, counted from 0: the last one is {}", of.saturating_sub(1)))
}

fn too_few(needed: usize, left: usize) -> Error {
    Error::new(Kind::Generic, format!("{needed} key groups are needed, and only {left} would be left"))
        .hint(format!("say how many are to be needed then: --shamir-secret-sharing-threshold {left}"))
}
