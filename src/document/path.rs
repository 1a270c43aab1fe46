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
    /// Into whichever stands there: a map by key, a list by position or, with `-`, behind its end. Of a
    /// JSON pointer, which does not say.
    Name(String),
}

/// A key path as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPath {
    steps: Vec<Step>,
    is_of_sops: bool,
}

impl KeyPath {
    /// Reads a path in one of three forms: that of sops, `["key"]['other'][0]`; a short one,
    /// `key.other[0]`, in which the steps of the first may stand as well; and that of JSON pointers (RFC
    /// 6901), `/key/other/0`. The empty path names a whole document.
    ///
    /// As in sops, a quoted key ends at a quote before `]`, and has no escapes; but `[` may be part of it.
    ///
    /// # Errors
    /// When it is of no form ([`error::Kind::TreePath`]).
    pub fn parse(path: &str) -> Result<Self> {
        let steps = match path.chars().next() {
            None => Vec::new(),
            Some('/') => pointer(path)?,
            Some(_) => steps(path)?,
        };
        Ok(KeyPath { steps, is_of_sops: path.is_empty() || path.starts_with('[') })
    }

    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What `error` is to a command that was given this path. A path in a form that sops does not know is
    /// no path to it; so when such a path leads nowhere, that is the kind of the failure.
    #[must_use]
    pub fn judge(&self, error: Error) -> Error {
        let strange = error.kind() == error::Kind::NoSuchPath && !self.is_of_sops;
        if strange { error.of_kind(error::Kind::TreePath) } else { error }
    }
}

fn not_a_path(path: &str, why: &str) -> Error {
    Error::new(error::Kind::TreePath, format!("{path} is not a key path"))
        .because(why)
        .hint(r#"write it as '["spec"]["containers"][0]["name"]', spec.containers[0].name or /spec/containers/0/name"#)
}

/// `["key"][0]` and `key.other[0]`.
fn steps(path: &str) -> Result<Vec<Step>> {
    let wrong = |why: &str| Err(not_a_path(path, why));
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, behind) = match bracket(inner) {
                Ok(found) => found,
                Err(why) => return wrong(why),
            };
            steps.push(step);
            rest = behind;
            continue;
        }
        if !steps.is_empty() {
            match rest.strip_prefix('.') {
                Some(behind) => rest = behind,
                None => return wrong("behind ] comes the next step, [ or a point"),
            }
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let key = &rest[..end];
        if key.is_empty() {
            return wrong("a key between two points is empty; an empty key is written [\"\"]");
        }
        if key.contains([']', '"', '\'']) || key.trim() != key {
            return wrong("a key with quotes, brackets or spaces around it is written [\"key\"]");
        }
        steps.push(Step::Key(key.to_owned()));
        rest = &rest[end..];
    }
    Ok(steps)
}

/// Why what stands between brackets is no step.
const NO_STEP: &str = "between brackets stands a key in quotes, or a position from 0";

/// What stands behind `[`: the step, and what comes behind its `]`.
fn bracket(inner: &str) -> Result<(Step, &str), &'static str> {
    let Some(quote) = inner.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let end = inner.find(']').ok_or("each [ has its ]")?;
        let index = inner[..end].parse().map_err(|_| NO_STEP)?;
        return Ok((Step::Index(index), &inner[end + 1..]));
    };
    // A quote and a bracket are the end of the key only where a path can go on: keys may hold both.
    let close = format!("{quote}]");
    let goes_on = |behind: &str| match behind.strip_prefix('[') {
        Some(inner) => inner.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '"' | '\'')),
        // A space is a slip, and the message should say so.
        None => behind.is_empty() || behind.starts_with(['.', ' ']),
    };
    let ends = inner[1..].match_indices(&close).map(|(at, _)| at + 1);
    let end = ends.into_iter().find(|at| goes_on(&inner[at + close.len()..])).ok_or(
        match inner.contains(&format!("{close}[")) {
            true => NO_STEP,
            false => "a key in quotes ends with its quote and ]",
        },
    )?;
    Ok((Step::Key(inner[1..end].to_owned()), &inner[end + close.len()..]))
}

/// RFC 6901: `~1` is `/`, `~0` is `~`.
fn pointer(path: &str) -> Result<Vec<Step>> {
    let step = |part: &str| {
        let known = part.split('~').skip(1).all(|escape| escape.starts_with(['0', '1']));
        known.then(|| Step::Name(part.replace("~1", "/").replace("~0", "~")))
    };
    let steps: Option<Vec<_>> = path[1..].split('/').map(step).collect();
    steps.ok_or_else(|| not_a_path(path, "in a JSON pointer ~ is written ~0, and / is written ~1"))
}

impl Document {
    /// The path of `id` for people, and for [`KeyPath::parse`]: `spec.env[0]["odd key"]`. Empty for a root.
    #[must_use]
    pub fn path(&self, id: EntryId) -> String {
        self.path_with(id, push_key, |path, position| path.push_str(&format!("[{position}]")))
    }

    /// The path of `id` in the form of sops: `["spec"]["env"][0]`.
    #[must_use]
    pub fn path_of_sops(&self, id: EntryId) -> String {
        let push_key = |path: &mut String, key: &str| path.push_str(&format!("[\"{key}\"]"));
        self.path_with(id, push_key, |path, position| path.push_str(&format!("[{position}]")))
    }

    /// The path of `id` as a JSON pointer: `/spec/env/0`.
    #[must_use]
    pub fn pointer(&self, id: EntryId) -> String {
        let push_key =
            |path: &mut String, key: &str| path.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1")));
        self.path_with(id, push_key, |path, position| path.push_str(&format!("/{position}")))
    }

    fn path_with(&self, id: EntryId, push_key: fn(&mut String, &str), push_position: fn(&mut String, usize)) -> String {
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
                push_position(&mut path, position);
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

    /// The failure of whoever needs a document where there is none.
    #[must_use]
    pub fn no_document(&self) -> Error {
        let text = self.text();
        let (kind, reason) = match text.trim_start_matches('\u{feff}').trim() {
            // sops has a code for a file without a byte, and cannot read one with nothing in it.
            _ if text.is_empty() => (error::Kind::NoDocument, "it is empty"),
            "" => (error::Kind::Format, "it is empty"),
            _ => (error::Kind::Format, "it holds nothing but comments"),
        };
        Error::new(kind, "there is no document in the file")
            .at(text, 0)
            .because(reason)
            .hint("write a key and its value into it, such as name: value")
    }

    /// The root of document `number` of the stream, counted from 0.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn nth_root(&self, number: usize) -> Result<EntryId> {
        let many = match self.roots.len() {
            0 => return Err(self.no_document()),
            1 => "the file is one document, number 0".to_owned(),
            count => format!("the file has {count}, counted from 0: the last one is {}", count - 1),
        };
        let missing = || Error::new(error::Kind::Generic, format!("there is no document {number}")).because(many);
        self.roots.get(number).copied().ok_or_else(missing)
    }

    /// The entry at `path` below `root`. Positions count the values of a list; its comments are none.
    ///
    /// # Errors
    /// Names the step that leads nowhere ([`error::Kind::NoSuchPath`]), and keys like it that are there.
    pub fn find(&self, root: EntryId, path: &[Step]) -> Result<EntryId> {
        match self.reach(root, path) {
            (found, []) => Ok(found),
            (at, [step, ..]) => Err(self.leads_nowhere(at, step)),
        }
    }

    /// How far `path` leads below `root`, and the steps that are left.
    #[must_use]
    pub fn reach<'p>(&self, root: EntryId, path: &'p [Step]) -> (EntryId, &'p [Step]) {
        let mut at = root;
        let mut rest = path;
        while let Some((step, beyond)) = rest.split_first() {
            let child = match (step, self.entries[at].kind) {
                (Step::Key(name) | Step::Name(name), Kind::Map) => self.child(at, name),
                (Step::Index(index), Kind::List) => self.children(at).nth(*index),
                (Step::Name(name), Kind::List) => name.parse().ok().and_then(|index| self.children(at).nth(index)),
                _ => None,
            };
            match child {
                Some(child) => (at, rest) = (child, beyond),
                None => break,
            }
        }
        (at, rest)
    }

    /// The error for a path that ends at `at`, where `step` leads nowhere.
    pub(super) fn leads_nowhere(&self, at: EntryId, step: &Step) -> Error {
        let path = self.path(at);
        let place = if path.is_empty() { "the document".to_owned() } else { path.clone() };
        let error = |message: String| Error::new(error::Kind::NoSuchPath, message);
        match (self.entries[at].kind, step) {
            (Kind::Map, Step::Key(key) | Step::Name(key)) => {
                let near = self.near_keys(at, key);
                let error = error(format!("{place} has no key {key:?}"));
                if near.is_empty() {
                    return error.hint(self.first_keys(at));
                }
                near.into_iter().fold(error, |error, near| error.hint(format!("did you mean {near}")))
            }
            (Kind::Map, Step::Index(index)) => {
                error(format!("{place} is a map, and [{index}] is a position in a list"))
                    .hint(format!("a key of a map stands in quotes: [\"{index}\"]"))
            }
            (Kind::List, Step::Index(index)) => error(self.is_short(at, &place, index)),
            (Kind::List, Step::Name(name)) if name.parse::<usize>().is_ok() => error(self.is_short(at, &place, name)),
            (Kind::List, Step::Key(key) | Step::Name(key)) => {
                error(format!("{place} is a list, and {key:?} is no position in it"))
                    .hint("positions are numbers from 0: [0]")
            }
            (_, step) => {
                let step = match step {
                    Step::Key(key) | Step::Name(key) => format!("key {key:?}"),
                    Step::Index(index) => format!("item [{index}]"),
                };
                Error::new(error::Kind::Generic, format!("{place} is a single value, so there is no {step} in it"))
                    .hint(format!("end the key path at {place}"))
            }
        }
    }

    fn is_short(&self, list: EntryId, place: &str, index: impl std::fmt::Display) -> String {
        match self.children(list).count() {
            0 => format!("{place} is an empty list, so there is no [{index}]"),
            1 => format!("{place} is a list of one item, [0], so there is no [{index}]"),
            count => format!("{place} is a list of {count} items, [0] to [{}], so there is no [{index}]", count - 1),
        }
    }

    /// Which keys the map `at` has, in short.
    fn first_keys(&self, at: EntryId) -> String {
        const MOST: usize = 6;
        let mut children = self.children(at);
        let keys: Vec<String> = children.by_ref().take(MOST).map(|child| self.path(child)).collect();
        match (keys.is_empty(), children.count()) {
            (true, _) => "it is empty".to_owned(),
            (_, 0) => format!("there is {}", keys.join(", ")),
            (_, more) => format!("there is {} and {more} more", keys.join(", ")),
        }
    }

    /// Up to three keys of the map `at` that look like `key`, the most alike first.
    fn near_keys(&self, at: EntryId, key: &str) -> Vec<String> {
        const ALIKE: f64 = 0.55;
        const LOOKED_AT: usize = 10_000;
        let alike = |other: &str| strsim::normalized_damerau_levenshtein(&key.to_lowercase(), &other.to_lowercase());
        let mut near: Vec<(f64, String)> = self
            .children(at)
            .take(LOOKED_AT)
            .map(|child| (alike(self.key(child)), self.path(child)))
            .filter(|(likeness, _)| *likeness > ALIKE)
            .collect();
        near.sort_by(|one, other| other.0.total_cmp(&one.0));
        near.into_iter().take(3).map(|(_, path)| path).collect()
    }
}

fn push_key(path: &mut String, key: &str) {
    let simple = |c: char| c.is_alphanumeric() || "_-/".contains(c);
    if key.is_empty() || !key.chars().all(simple) || path.is_empty() && key.starts_with('/') {
        path.push_str(&format!("[\"{key}\"]"));
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Step {
        Step::Key(name.to_owned())
    }

    fn parse(path: &str) -> Vec<Step> {
        KeyPath::parse(path).unwrap().steps().to_vec()
    }

    #[test]
    fn paths_of_sops_are_parsed() {
        assert_eq!(parse(r#"["a"][2]['b.c']"#), [key("a"), Step::Index(2), key("b.c")]);
        assert_eq!(parse(""), []);
        assert_eq!(parse(r#"[""]["]"][01]"#), [key(""), key("]"), Step::Index(1)]);
        assert_eq!(parse(r#"["a"b"]['c"]']["d"]e"]"#), [key("a\"b"), key("c\"]"), key("d\"]e")]);
        assert_eq!(parse(r#"["a[b"]["c[0]"]"#), [key("a[b"), key("c[0]")]);
        for wrong in ["[", "[\"a\"", "[-1]", "[x]", "[\"a]", "[]", "[\"a\"]x", "[\"a\"] [\"b\"]", "]", "['a\"]"] {
            assert_eq!(KeyPath::parse(wrong).unwrap_err().exit_code(), 91, "{wrong}");
        }
    }

    #[test]
    fn short_paths_are_parsed() {
        assert_eq!(parse("a"), [key("a")]);
        assert_eq!(parse(r#"a.b-c[0].d["e.f"]['g'].h"#), {
            [key("a"), key("b-c"), Step::Index(0), key("d"), key("e.f"), key("g"), key("h")]
        });
        assert_eq!(parse("[\"a\"].b"), [key("a"), key("b")]);
        for wrong in [".", "a.", ".a", "a..b", "a[0]b", "a]", "a\"b", " a", "a. b"] {
            assert_eq!(KeyPath::parse(wrong).unwrap_err().exit_code(), 91, "{wrong}");
        }
    }

    #[test]
    fn json_pointers_are_parsed() {
        let name = |name: &str| Step::Name(name.to_owned());
        assert_eq!(parse("/a/0/b~1c~0/-"), [name("a"), name("0"), name("b/c~"), name("-")]);
        assert_eq!(parse("/"), [name("")]);
        assert_eq!(KeyPath::parse("/a~2").unwrap_err().exit_code(), 91);
    }
}
