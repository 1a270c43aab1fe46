//! Key paths: to show where an entry stands, and to find one.

use super::{Document, EntryId, Kind};
use crate::error::{self, Error, Result};

/// One step of a key path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a map, by key.
    Key(String),
    /// Into a list, by position from 0.
    Index(usize),
}

impl Document {
    /// The path of `id` for people: `spec.env[0]["odd key"]`. Empty for a root.
    #[must_use]
    pub fn path(&self, id: EntryId) -> String {
        let mut chain = Vec::new();
        let mut at = id;
        while let Some(parent) = self.entries[at].parent() {
            chain.push((parent, at));
            at = parent;
        }
        let mut path = String::new();
        for (parent, child) in chain.into_iter().rev() {
            if self.entries[child].kind == Kind::Comment {
                continue;
            }
            if self.entries[child].keyed {
                push_key(&mut path, self.key(child));
            } else {
                let position = self.children(parent).position(|other| other == child).unwrap_or_default();
                path.push_str(&format!("[{position}]"));
            }
        }
        path
    }

    /// The additional data that a leaf or comment is encrypted under: the map keys on its way from the
    /// root, each followed by `:`; for a comment, those of its container, or `:` at the root.
    /// Source: `sops.go`, `strings.Join(path, ":") + ":"`.
    #[must_use]
    pub fn additional_data(&self, id: EntryId) -> Vec<u8> {
        let mut data = self.key_prefix(id);
        if data.is_empty() {
            data.push(b':');
        }
        data
    }

    /// The keys on the way from the root to `id`, its own included, each followed by `:`.
    #[must_use]
    pub fn key_prefix(&self, id: EntryId) -> Vec<u8> {
        let mut keys = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            let entry = &self.entries[id];
            if entry.keyed {
                keys.push(entry.key);
            }
            at = entry.parent();
        }
        let mut prefix = Vec::new();
        for key in keys.iter().rev() {
            prefix.extend_from_slice(self.resolve(*key));
            prefix.push(b':');
        }
        prefix
    }

    /// Finds the entry at `path` below `root`.
    ///
    /// # Errors
    /// Names the step that leads nowhere.
    pub fn find(&self, root: EntryId, path: &[Step]) -> Result<EntryId> {
        let mut at = root;
        for step in path {
            let kind = self.entries[at].kind;
            let child = match (step, kind) {
                (Step::Key(key), Kind::Map) => self.children(at).find(|&child| self.key(child) == key),
                (Step::Index(index), Kind::List) => self.children(at).nth(*index),
                _ => None,
            };
            at = child.ok_or_else(|| {
                let (step, wanted) = match step {
                    Step::Key(key) => (format!("[{key:?}]"), "a map"),
                    Step::Index(index) => (format!("[{index}]"), "a list"),
                };
                let found = match kind {
                    Kind::Map => "a map",
                    Kind::List => "a list",
                    _ => "a single value",
                };
                let error =
                    Error::new(error::Kind::TreePath, format!("component {step} not found")).at_path(self.path(at));
                if wanted == found {
                    error
                } else {
                    error.because(format!("{step} needs {wanted}, but {found} stands there"))
                }
            })?;
        }
        Ok(at)
    }
}

fn push_key(path: &mut String, key: &str) {
    let simple = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-/".contains(c));
    if !simple {
        path.push_str(&format!("[{key:?}]"));
    } else if path.is_empty() {
        path.push_str(key);
    } else {
        path.push('.');
        path.push_str(key);
    }
}

/// Parses sops' path syntax: `["key"][0]['other']`, in any number.
///
/// # Errors
/// When it is not of that form; the message shows how it looks.
pub fn parse_path(path: &str) -> Result<Vec<Step>> {
    let wrong = |why: &str| {
        Error::new(error::Kind::TreePath, format!("{path} is not a key path"))
            .because(why)
            .hint(r#"write it as '["spec"]["containers"][0]["name"]'"#)
    };
    let mut steps = Vec::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        rest = rest.strip_prefix('[').ok_or_else(|| wrong("each step begins with ["))?;
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        if let Some(quote) = quote {
            let close = format!("{quote}]");
            let end = rest[1..].find(&close).ok_or_else(|| wrong("a quoted key ends with a quote and ]"))?;
            steps.push(Step::Key(rest[1..=end].to_owned()));
            rest = &rest[end + 1 + close.len()..];
        } else {
            let end = rest.find(']').ok_or_else(|| wrong("each step ends with ]"))?;
            let index = rest[..end].parse().map_err(|_| wrong("a step is a quoted key or a position from 0"))?;
            steps.push(Step::Index(index));
            rest = &rest[end + 1..];
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_sops_are_parsed() {
        let key = |name: &str| Step::Key(name.to_owned());
        assert_eq!(parse_path(r#"["a"][2]['b.c']"#).unwrap(), [key("a"), Step::Index(2), key("b.c")]);
        assert_eq!(parse_path("").unwrap(), []);
        for wrong in ["a", "[", "[\"a\"", "[-1]", "[x]", "[\"a]"] {
            assert_eq!(parse_path(wrong).unwrap_err().exit_code(), 91, "{wrong}");
        }
    }
}
