//! Entries of a rule's key groups that name nobody: a field is mistyped, missing or empty.
//!
//! Owns: what such an entry is, and how it is said. Left out, its key would be missing from new files, and `updatekeys`
//! would take it from those that have it; sops refuses most of them when it encrypts. An empty age recipient it ignores, and
//! so do we, as in the lists of a rule itself.

use super::rule;
use super::schema::{Group, Stranger};
use crate::error::{Error, Kind, Place, nearest};
use serde_saphyr::{Location, Spanned};

/// An entry of a key group that names nobody. It is an error for whoever needs the recipients of the rule, and no one else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nameless {
    message: String,
    hint: String,
    place: Place,
}

impl Nameless {
    /// What is wrong and where, but for the file.
    #[must_use]
    pub fn error(&self) -> Error {
        Error::new(Kind::Config, &self.message)
            .in_place(self.place.clone())
            .because("left out, it would be missing among the recipients")
            .hint(&self.hint)
    }
}

/// The text of the file, and where in it we are.
pub(super) struct Walk<'a> {
    /// The whole text.
    pub(super) text: &'a str,
    /// What is said of age recipients that are empty, with the line.
    pub(super) warnings: &'a mut Vec<(String, usize)>,
}

impl Walk<'_> {
    /// The first such entry of the groups at `path`.
    pub(super) fn groups(&mut self, groups: &[Spanned<Group>], path: &str) -> Option<Nameless> {
        groups.iter().zip(0..).find_map(|(group, at)| self.group(&group.value, &format!("{path}[{at}]")))
    }

    fn group(&mut self, group: &Group, path: &str) -> Option<Nameless> {
        if let Some(wrong) = self.groups(group.merge.as_deref().unwrap_or_default(), &format!("{path}.merge")) {
            return Some(wrong);
        }
        if let Some(Stranger { key, .. }) = group.unknown_keys.iter().find(|stranger| self.is_meant(stranger)) {
            let hint = match nearest(&key.value, Group::KEYS) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("known here are {}", Group::KEYS.join(", ")),
            };
            let message = format!("{} is no kind of keys", key.value);
            return Some(self.wrong(message, hint, key.referenced, format!("{path}.{}", key.value)));
        }
        let lists = [("age", &group.age), ("pgp", &group.pgp), ("hc_vault", &group.hc_vault)];
        for (name, list) in lists {
            for (key, at) in list.iter().flatten().zip(0..) {
                if name == "age" && key.value.is_empty() {
                    let line = rule::line_of(key.referenced);
                    self.warnings.push(("an empty age recipient is ignored, as sops does".to_owned(), line));
                } else if rule::split(&key.value).next().is_none() {
                    let hint = format!("write the {name} recipient there, or remove the entry");
                    let path = format!("{path}.{name}[{at}]");
                    return Some(self.wrong(format!("this {name} recipient is empty"), hint, key.referenced, path));
                }
            }
        }
        macro_rules! objects {
            ($($name:ident: $($field:ident)+;)*) => {$(
                for (key, at) in group.$name.iter().flatten().zip(0..) {
                    let fields = [$((stringify!($field), &key.value.$field)),+];
                    let says = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
                    if let Some((field, _)) = fields.iter().find(|(_, text)| !says(text)) {
                        let path = format!("{path}.{}[{at}]", stringify!($name));
                        return Some(self.without(field, stringify!($name), &key.value.unknown_keys, key.referenced, path));
                    }
                }
            )*};
        }
        objects! {
            kms: arn;
            gcp_kms: resource_id;
            hckms: key_id;
            azure_keyvault: vaultUrl key;
        }
        None
    }

    /// Whether a list under an unknown name is meant as one of keys, and not as a place for an anchor.
    fn is_meant(&self, stranger: &Stranger) -> bool {
        let key = &stranger.key;
        let line = self.text.get(rule::offset_of(key.referenced)..).and_then(|rest| rest.lines().next());
        let is_anchor =
            line.and_then(|line| line.split_once(':')).is_some_and(|(_, it)| it.trim_start().starts_with('&'));
        stranger.lists && (!is_anchor || nearest(&key.value, Group::KEYS).is_some())
    }

    /// A key of the list `name` that lacks `field`, and has `strangers` instead.
    fn without(&self, field: &str, name: &str, strangers: &[Stranger], at: Location, path: String) -> Nameless {
        let alike = |stranger: &Stranger| strsim::jaro_winkler(&stranger.key.value, field);
        let message = format!("this {name} key has no {field}");
        match strangers.iter().max_by(|a, b| alike(a).total_cmp(&alike(b))) {
            Some(Stranger { key, .. }) => {
                let hint = format!("did you mean {field} where it says {}?", key.value);
                self.wrong(message, hint, key.referenced, path)
            }
            None => self.wrong(message, format!("write what {field} is, or remove the entry"), at, path),
        }
    }

    fn wrong(&self, message: String, hint: String, at: Location, path: String) -> Nameless {
        let place = Error::new(Kind::Config, "").at(self.text, rule::offset_of(at)).at_path(path).place().clone();
        Nameless { message, hint, place }
    }
}
