//! One recipient of a file, and its wrapped copy of the data key.

use super::registry;
use crate::document::Value;
use crate::error::is_harmful;

/// One entry of a key list in the `sops` block: who may open the data key, and the copy wrapped for
/// them.
///
/// It is kept as it was read, field by field: also that of a back end that this build does not have,
/// which is written back unchanged. Before the data key was wrapped it is a bare recipient, without
/// the field `enc`. It holds nothing secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Stanza {
    list: String,
    fields: Vec<(String, Value)>,
}

impl Stanza {
    /// The field with the wrapped copy, the same for every back end.
    pub const ENC: &str = "enc";
    /// The field that says when the key was named in the file, which is not when the data key was last wrapped: as in sops.
    /// age has none.
    pub const CREATED_AT: &str = "created_at";

    /// A stanza of the metadata list `list`.
    #[must_use]
    pub fn new(list: impl Into<String>, fields: Vec<(String, Value)>) -> Self {
        Stanza { list: list.into(), fields }
    }

    /// The metadata list it stands in, which is the name of its back end.
    #[must_use]
    pub fn list(&self) -> &str {
        &self.list
    }

    /// The fields, in their order.
    #[must_use]
    pub fn fields(&self) -> &[(String, Value)] {
        &self.fields
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value)
    }

    /// The text of a field; empty when it is missing or no text.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// Sets a field, in its old place or at the end.
    pub fn set(&mut self, field: &str, value: Value) {
        match self.fields.iter_mut().find(|(name, _)| name == field) {
            Some((_, old)) => *old = value,
            None => self.fields.push((field.to_owned(), value)),
        }
    }

    /// Takes up the wrapped copy of the data key, which for most kinds of keys has a date beside it.
    pub(super) fn set_wrapped(&mut self, enc: String) {
        let is_dated =
            registry::backend(&self.list).is_some_and(|backend| backend.fields().contains(&Self::CREATED_AT));
        if is_dated && self.text(Self::CREATED_AT).is_empty() {
            let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            self.set(Self::CREATED_AT, Value::Str(now));
        }
        self.set(Self::ENC, Value::Str(enc));
    }

    /// Puts the fields in the order of `names`; others keep theirs, behind them.
    pub(super) fn arrange(&mut self, names: &[&str]) {
        self.fields.sort_by_key(|(field, _)| names.iter().position(|name| name == field).unwrap_or(names.len()));
    }

    /// The name of the recipient for people, as flags and rules take it: an age public key, a
    /// fingerprint, an ARN, the URL of a key.
    #[must_use]
    pub fn recipient(&self) -> String {
        let parts = registry::list(&self.list).map(|list| list.key.split(['{', '}'])).into_iter().flatten();
        let mut name = String::new();
        for (at, part) in parts.enumerate() {
            let part = if at % 2 == 1 { self.text(part) } else { part };
            // Azure shows the URL of a vault with a slash at its end, and sops keeps it so.
            if part.starts_with('/') {
                name.truncate(name.trim_end_matches('/').len());
            }
            name.push_str(part);
        }
        match name.trim_end_matches('/') {
            "" => "(unnamed)".to_owned(),
            name => name.to_owned(),
        }
    }

    /// Whether both are for the same key, whatever is wrapped in them and when it was.
    ///
    /// A version that one of them does not say is that of the other: whoever wraps for the newest
    /// version of an Azure key writes down which one it was.
    #[must_use]
    pub fn is_same_key(&self, other: &Stanza) -> bool {
        let backend = registry::backend(&self.list);
        let same = |field: &str| {
            let (ours, theirs) = (said(self.get(field)), said(other.get(field)));
            match (&ours, &theirs, backend) {
                (None, _, _) | (_, None, _) if field == "version" => true,
                (Some(Value::Str(ours)), Some(Value::Str(theirs)), Some(backend)) => {
                    backend.canonical(field, ours) == backend.canonical(field, theirs)
                }
                _ => ours == theirs,
            }
        };
        let mut names = self.fields.iter().chain(&other.fields).map(|(name, _)| name.as_str());
        self.list == other.list && names.all(|name| WRAPPING.contains(&name) || same(name))
    }

    /// What it is called in a message: its list and its recipient, and what makes it another than one of the same name:
    /// for a key of AWS its role, its encryption context and its profile. The text comes from a file that anyone may
    /// have written, so control characters are escaped and a long name is cut.
    #[must_use]
    pub fn title(&self) -> String {
        let filled = |name: &str| Some(self.text(name)).filter(|text| !text.is_empty());
        let role = filled("role").map_or_else(String::new, |role| format!("+{role}"));
        let context = self.context().map(|context| format!("context {context}"));
        let profile = filled("aws_profile").map(|profile| format!("profile {profile}"));
        let others: Vec<String> = context.into_iter().chain(profile).collect();
        let others = if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
        format!("{} {}{}", printable(&self.list), printable(&(self.recipient() + &role)), printable(&others))
    }

    /// The encryption context of a key of AWS, as `--encryption-context` takes it.
    fn context(&self) -> Option<String> {
        let pair = |(name, value): &(String, Value)| format!("{name}:{}", value.as_str().unwrap_or_default());
        self.fields.iter().find_map(|(name, value)| match value {
            Value::Map(pairs) if name == "context" && !pairs.is_empty() => {
                Some(pairs.iter().map(pair).collect::<Vec<_>>().join(","))
            }
            _ => None,
        })
    }

    /// Whether a wrapped copy of the data key is in it.
    #[must_use]
    pub fn is_wrapped(&self) -> bool {
        !self.text(Self::ENC).is_empty()
    }
}

/// The fields that wrapping sets; all others say for which key.
const WRAPPING: [&str; 2] = [Stanza::ENC, Stanza::CREATED_AT];

/// What a field says, if anything: to sops an empty one and none are the same, and the order of a map is
/// none that it keeps.
fn said(value: Option<&Value>) -> Option<Value> {
    match value? {
        Value::Null => None,
        Value::Str(text) if text.is_empty() => None,
        Value::Map(fields) => {
            let mut fields = fields.clone();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            (!fields.is_empty()).then_some(Value::Map(fields))
        }
        other => Some(other.clone()),
    }
}

/// `text` as it can be shown on a terminal.
pub(super) fn printable(text: &str) -> String {
    printable_within(text, 200)
}

/// The same, cut after `longest` characters.
pub(crate) fn printable_within(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == longest {
            shown.push('…');
            break;
        }
        if is_harmful(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_neither_breaks_nor_turns_a_line() {
        assert_eq!(printable("age\u{1b}\n\u{202e}x\u{2028}é"), "age\\u{1b}\\n\\u{202e}x\\u{2028}é");
    }

    #[test]
    fn a_title_cannot_steer_a_terminal() {
        let of = |name: &str| Stanza::new("age", vec![("recipient".to_owned(), Value::Str(name.to_owned()))]).title();
        assert_eq!(of("age1x"), "age age1x");
        assert_eq!(of("\u{1b}[2J\n"), "age \\u{1b}[2J\\n");
        assert!(of(&"x".repeat(10_000)).chars().count() < 300);
        assert_eq!(of(""), "age (unnamed)");
    }

    #[test]
    fn a_recipient_is_named_as_flags_and_rules_name_it() {
        let of = |list: &str, fields: &[(&str, &str)]| {
            let field = |(name, text): &(&str, &str)| ((*name).to_owned(), Value::Str((*text).to_owned()));
            Stanza::new(list, fields.iter().map(field).collect()).recipient()
        };
        let vault = [("vault_address", "https://v:8200"), ("engine_path", "a/b"), ("key_name", "k")];
        assert_eq!(of("hc_vault", &vault), "https://v:8200/v1/a/b/keys/k");
        let azure = [("vault_url", "https://v.vault.azure.net"), ("name", "k"), ("version", "")];
        assert_eq!(of("azure_kv", &azure), "https://v.vault.azure.net/keys/k");
        let azure = [("vault_url", "https://v.vault.azure.net/"), ("name", "k"), ("version", "0a")];
        assert_eq!(of("azure_kv", &azure), "https://v.vault.azure.net/keys/k/0a");
        assert_eq!(of("kms", &[("arn", "arn:aws:kms:x")]), "arn:aws:kms:x");
        assert_eq!(of("nothing", &[]), "(unnamed)");
    }

    fn stanza(list: &str, fields: &[(&str, &str)]) -> Stanza {
        let field = |(name, value): &(&str, &str)| ((*name).to_owned(), Value::Str((*value).to_owned()));
        Stanza::new(list, fields.iter().map(field).collect())
    }

    fn kms(context: &[(&str, &str)], more: &[(&str, &str)]) -> Stanza {
        let mut kms = stanza("kms", &[("arn", "arn:1")]);
        let pairs = context.iter().map(|(name, value)| ((*name).to_owned(), Value::Str((*value).to_owned())));
        kms.set("context", Value::Map(pairs.collect()));
        more.iter().for_each(|(name, value)| kms.set(name, Value::Str((*value).to_owned())));
        kms
    }

    #[test]
    fn a_title_tells_keys_of_one_name_apart() {
        assert_eq!(kms(&[], &[("role", "")]).title(), "kms arn:1");
        assert_eq!(kms(&[], &[("role", "arn:2")]).title(), "kms arn:1+arn:2");
        assert_eq!(kms(&[("a", "1"), ("b", "2")], &[]).title(), "kms arn:1 (context a:1,b:2)");
        assert_eq!(kms(&[("a", "1")], &[("aws_profile", "dev")]).title(), "kms arn:1 (context a:1, profile dev)");
    }

    #[test]
    fn a_key_is_the_same_whatever_is_wrapped_for_it() {
        let age = |enc: &str| stanza("age", &[("recipient", "age1x"), ("enc", enc)]);
        assert!(age("a").is_same_key(&age("b")));
        assert!(!age("a").is_same_key(&stanza("age", &[("recipient", "age1y")])));
        assert!(!age("a").is_same_key(&stanza("pgp", &[("recipient", "age1x")])));
        assert!(kms(&[("a", "1"), ("b", "2")], &[("role", "")]).is_same_key(&kms(&[("b", "2"), ("a", "1")], &[])));
        assert!(kms(&[], &[]).is_same_key(&stanza("kms", &[("arn", "arn:1"), ("created_at", "now")])));
        assert!(!kms(&[("a", "1")], &[]).is_same_key(&kms(&[("a", "2")], &[])));
        for field in ["role", "aws_profile"] {
            assert!(!kms(&[], &[(field, "x")]).is_same_key(&kms(&[], &[])), "{field}");
        }
        let azure = |version: &str| stanza("azure_kv", &[("vault_url", "v"), ("name", "k"), ("version", version)]);
        assert!(azure("1").is_same_key(&azure("")) && azure("").is_same_key(&azure("1")));
        assert!(!azure("1").is_same_key(&azure("2")));
        let spelled = |list: &str, field: &str, [one, same, other]: [&str; 3]| {
            let key = |text: &str| stanza(list, &[(field, text), ("name", "k")]);
            assert!(key(one).is_same_key(&key(same)) && !key(one).is_same_key(&key(other)), "{one}");
        };
        #[cfg(feature = "azure-kv")]
        spelled("azure_kv", "vault_url", ["https://v/", "https://v", "https://w"]);
        spelled("pgp", "fp", ["AB12", "ab12", "AB13"]);
        spelled("pgp", "fp", ["AB12", "0xAB12", "AB12!"]);
        spelled("age", "recipient", ["ssh-ed25519 A", "ssh-ed25519 A me@here", "ssh-ed25519 B me@here"]);
        spelled("age", "recipient", ["age1x", "AGE1X", "AGE1Y"]);
    }
}
