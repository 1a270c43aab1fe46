//! For whom a file is: recipients that are added and removed, and the plan of a change.

use crate::error::{Error, Kind, Result};
use crate::key::{Backend, Details, GivenDetails, Stanza};
use crate::metadata::Metadata;

/// Recipients as somebody typed them.
#[derive(Clone, Default)]
pub struct Given {
    /// By back end.
    pub recipients: Vec<(&'static dyn Backend, String)>,
    /// What else is said of them.
    pub details: GivenDetails,
}

impl Given {
    /// The stanzas, not wrapped yet, each once.
    ///
    /// # Errors
    /// When one is no recipient of its back end.
    pub fn stanzas(&self) -> Result<Vec<Stanza>> {
        let none = Details::new();
        let mut stanzas = Vec::new();
        for (backend, text) in &self.recipients {
            let parsed = backend.parse_detailed(text, self.details.get(backend.name()).unwrap_or(&none))?;
            for stanza in parsed {
                if !is_in(&stanza, &stanzas) {
                    stanzas.push(stanza);
                }
            }
        }
        Ok(stanzas)
    }
}

/// What becomes of a file's recipients, for people to read and to agree to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// How many key groups are needed, before and after; 0 with a single group.
    pub threshold: (usize, usize),
    /// The key groups, those that go away among them.
    pub groups: Vec<GroupPlan>,
}

/// What becomes of the recipients of a key group, each by its name for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GroupPlan {
    /// Those that stay.
    pub kept: Vec<String>,
    /// Those that are new.
    pub added: Vec<String>,
    /// Those that go.
    pub removed: Vec<String>,
}

impl Plan {
    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let same = |group: &GroupPlan| group.added.is_empty() && group.removed.is_empty();
        self.threshold.0 == self.threshold.1 && self.groups.iter().all(same)
    }

    /// Whether somebody can open the file no longer.
    #[must_use]
    pub fn removes(&self) -> bool {
        self.groups.iter().any(|group| !group.removed.is_empty())
    }
}

/// Another set of recipients for a file, and the plan that leads there.
pub(super) struct Change {
    pub(super) plan: Plan,
    key_groups: Vec<Vec<Stanza>>,
    threshold: usize,
}

impl Change {
    /// From the recipients of `metadata` to `wanted`. Whoever is in both stays where they are, so that the
    /// order of a list alone is no change; as in sops, groups are compared by their place.
    ///
    /// # Errors
    /// When a group would be empty, or `threshold` does not fit the groups.
    pub(super) fn new(metadata: &Metadata, wanted: Vec<Vec<Stanza>>, threshold: usize) -> Result<Self> {
        let threshold = fitting(threshold, &wanted)?;
        let nobody = Vec::new();
        let mut groups = Vec::new();
        let mut key_groups = Vec::new();
        let places = metadata.key_groups.len().max(wanted.len());
        for at in 0..places {
            let (ours, theirs) = (metadata.key_groups.get(at).unwrap_or(&nobody), wanted.get(at).unwrap_or(&nobody));
            let (kept, removed): (Vec<&Stanza>, Vec<&Stanza>) = ours.iter().partition(|one| is_in(one, theirs));
            let added: Vec<&Stanza> = theirs.iter().filter(|one| !is_in(one, ours)).collect();
            let names = |stanzas: &[&Stanza]| stanzas.iter().map(|stanza| stanza.title()).collect();
            groups.push(GroupPlan { kept: names(&kept), added: names(&added), removed: names(&removed) });
            if at < wanted.len() {
                key_groups.push(kept.into_iter().chain(added).cloned().collect());
            }
        }
        let before = if metadata.key_groups.len() > 1 { metadata.groups_needed() } else { 0 };
        Ok(Change { plan: Plan { threshold: (before, threshold), groups }, key_groups, threshold })
    }

    /// Makes the change in `metadata`. Whether what is wrapped in the stanzas that stay is still right: a
    /// whole data key is, a share of one is not.
    pub(super) fn make(self, metadata: &mut Metadata) -> bool {
        let whole = metadata.key_groups.len() == 1 && self.key_groups.len() == 1;
        metadata.key_groups = self.key_groups;
        metadata.shamir_threshold = self.threshold;
        whole
    }
}

/// Whether a stanza for the same key is among `stanzas`.
pub(super) fn is_in(stanza: &Stanza, stanzas: &[Stanza]) -> bool {
    stanzas.iter().any(|other| other.is_same_key(stanza))
}

/// Refuses groups of which one has no recipient.
pub(super) fn require_recipients(groups: &[Vec<Stanza>]) -> Result<()> {
    let Some(empty) = groups.iter().position(Vec::is_empty) else { return Ok(()) };
    let whose = if groups.len() > 1 { format!("key group {}", empty + 1) } else { "the file".to_owned() };
    Err(Error::new(Kind::NoRecipient, format!("{whose} would have no recipient")).because("nobody could open it"))
}

/// The threshold for `groups`, where 0 asks for all of them; 0 for a single group, which is not split.
fn fitting(threshold: usize, groups: &[Vec<Stanza>]) -> Result<usize> {
    require_recipients(groups)?;
    match (groups.len(), threshold) {
        (0 | 1, _) => Ok(0),
        (groups, 0) => Ok(groups),
        (groups, 1) => Err(Error::new(Kind::Generic, "the threshold is 1, and must be at least 2")
            .because(format!("one of the {groups} key groups alone would open the file"))
            .hint("to let each recipient open it alone, put all of them into one key group")),
        (groups, threshold) if threshold > groups => Err(Error::new(
            Kind::Generic,
            format!("{threshold} key groups would be needed, and there are only {groups}"),
        )
        .because("nobody could open the file")
        .hint(format!("ask for fewer: --shamir-secret-sharing-threshold {groups}"))),
        (_, threshold) => Ok(threshold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Value;
    use crate::metadata::Selection;

    fn age(name: &str) -> Stanza {
        Stanza::new("age", vec![("recipient".to_owned(), Value::Str(name.to_owned()))])
    }

    fn groups(names: &[&[&str]]) -> Vec<Vec<Stanza>> {
        names.iter().map(|group| group.iter().map(|name| age(name)).collect()).collect()
    }

    fn file(names: &[&[&str]], threshold: usize) -> Metadata {
        let mut metadata = Metadata::new(groups(names), threshold, Selection::default(), false);
        for stanza in metadata.key_groups.iter_mut().flatten() {
            stanza.set("enc", Value::Str("e".to_owned()));
        }
        metadata
    }

    fn lines(plan: &Plan) -> Vec<String> {
        let of = |mark: &str, names: &[String]| -> Vec<String> {
            names.iter().map(|name| format!("{mark}{}", name.trim_start_matches("age "))).collect()
        };
        let lines = plan.groups.iter().flat_map(|group| {
            [vec!["group".to_owned()], of("", &group.kept), of("+", &group.added), of("-", &group.removed)].concat()
        });
        lines.collect()
    }

    #[test]
    fn who_stays_stays_in_place_with_what_is_wrapped() {
        let mut metadata = file(&[&["a", "b", "c"]], 0);
        let change = Change::new(&metadata, groups(&[&["d", "c", "a"]]), 5).unwrap();
        assert_eq!(lines(&change.plan), ["group", "a", "c", "+d", "-b"]);
        assert!(change.plan.removes());
        assert!(change.make(&mut metadata));
        let names: Vec<String> = metadata.stanzas().map(Stanza::recipient).collect();
        assert_eq!(names, ["a", "c", "d"]);
        let wrapped: Vec<bool> = metadata.stanzas().map(Stanza::is_wrapped).collect();
        assert_eq!(wrapped, [true, true, false]);
    }

    #[test]
    fn the_order_of_a_list_is_no_change() {
        let change = Change::new(&file(&[&["a", "b"], &["c"]], 2), groups(&[&["b", "a"], &["c"]]), 0).unwrap();
        assert!(change.plan.is_empty());
        let change = Change::new(&file(&[&["a"], &["b"], &["c"]], 2), groups(&[&["a"], &["b"], &["c"]]), 0).unwrap();
        assert_eq!(change.plan.threshold, (2, 3));
        assert!(!change.plan.is_empty());
    }

    #[test]
    fn groups_come_and_go_by_their_place() {
        let mut metadata = file(&[&["a"], &["b"]], 2);
        let change = Change::new(&metadata, groups(&[&["a", "c"]]), 2).unwrap();
        assert_eq!(lines(&change.plan), ["group", "a", "+c", "group", "-b"]);
        assert_eq!(change.plan.threshold, (2, 0));
        assert!(!change.make(&mut metadata), "a share is not the data key");
        let change = Change::new(&file(&[&["a"]], 0), groups(&[&["a"], &["b"]]), 0).unwrap();
        assert_eq!(
            (lines(&change.plan), change.plan.threshold),
            (vec!["group", "a", "group", "+b"].into_iter().map(str::to_owned).collect(), (0, 2))
        );
    }

    #[test]
    fn what_nobody_could_open_is_refused() {
        let refused = |wanted: &[&[&str]], threshold| {
            Change::new(&file(&[&["a"]], 0), groups(wanted), threshold).err().map(|error| error.message().to_owned())
        };
        assert_eq!(refused(&[&[]], 0).as_deref(), Some("the file would have no recipient"));
        assert_eq!(refused(&[&["a"], &[]], 0).as_deref(), Some("key group 2 would have no recipient"));
        assert_eq!(refused(&[&["a"], &["b"]], 1).as_deref(), Some("the threshold is 1, and must be at least 2"));
        assert!(refused(&[&["a"], &["b"]], 3).unwrap().contains("3 key groups would be needed"));
        assert_eq!(refused(&[&["a"]], 3), None);
    }
}
