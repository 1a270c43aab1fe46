//! Creation rules and destination rules: from the shape of the file to what it means.

use super::nameless::{Nameless, Walk};
use super::schema;
use crate::error::{Error, Kind, Result};
use crate::metadata::Selection;
use crate::pattern::Pattern;
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, HashSet};

/// For whom the files of a path are encrypted, and which of their leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreationRule {
    /// Its place in the list, from 1.
    pub number: usize,
    /// The line that it starts on, from 1.
    pub line: usize,
    /// Which paths it is for, in Go's syntax; all, when there is none.
    pub path_regex: Option<String>,
    /// The key groups; one, unless the data key is to be split. A group may be empty.
    pub key_groups: Vec<KeyGroup>,
    /// The first entry of the key groups that names nobody.
    pub nameless: Option<Nameless>,
    /// How many key groups are needed to decrypt; 0 when the file does not say.
    pub shamir_threshold: usize,
    /// Which leaves are encrypted; `None` when the file does not say.
    pub selection: Option<Selection>,
    /// Whether the MAC is over encrypted leaves alone.
    pub mac_only_encrypted: bool,
}

/// The recipients that share one part of the data key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyGroup {
    /// The recipients, in sops' order, each once.
    pub recipients: Vec<Recipient>,
}

/// One recipient as the file names it; its back end parses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The back end's name in the metadata: `age`, `pgp`, `kms`, `gcp_kms`, `azure_kv`, `hc_vault`, `hckms`.
    pub back_end: &'static str,
    /// What identifies the key: recipient, fingerprint, ARN (`ARN+ROLE` in the short form), resource, URL or key id.
    pub text: String,
    /// What else the file says of it, by the metadata's names: `role`, `aws_profile`; of an encryption context, each
    /// entry under `context.NAME`.
    pub fields: BTreeMap<String, String>,
    /// The line that names it, from 1.
    pub line: usize,
}

/// Where `publish` puts the files of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationRule {
    /// The line that it starts on, from 1.
    pub line: usize,
    /// Which paths it is for, in Go's syntax; all, when there is none.
    pub path_regex: Option<String>,
    /// The settings of the destination by their names in the file, such as `s3_bucket`.
    pub settings: BTreeMap<String, String>,
    /// Whether the file's extension is left out of its name there.
    pub omit_extensions: bool,
    /// For whom the file is encrypted anew before it is published.
    pub recreation_rule: Option<CreationRule>,
}

/// What is wrong, and the byte where.
pub(super) type Wrong = (Error, usize);

impl CreationRule {
    pub(super) fn from_schema(
        rule: &Spanned<schema::Rule>,
        number: usize,
        (name, path): (&str, &str),
        walk: &mut Walk<'_>,
    ) -> Result<Self, Wrong> {
        let line = line_of(rule.referenced);
        let rule = &rule.value;
        let name = format!("{name} (line {line})");
        let pattern = |key: &str, pattern: &Spanned<String>| {
            Pattern::check(&pattern.value).map_err(|error| wrong_pattern(error, &name, key, pattern))
        };
        let path_regex = said(&rule.path_regex);
        if let Some(regex) = path_regex {
            pattern("path_regex", regex)?;
        }
        let selection = selection(rule, &name)?;
        for (key, regex) in [
            ("unencrypted_regex", &rule.unencrypted_regex),
            ("encrypted_regex", &rule.encrypted_regex),
            ("unencrypted_comment_regex", &rule.unencrypted_comment_regex),
            ("encrypted_comment_regex", &rule.encrypted_comment_regex),
        ] {
            if let Some(regex) = said(regex) {
                pattern(key, regex)?;
            }
        }
        let shamir_threshold = match &rule.shamir_threshold {
            None => 0,
            Some(threshold) => usize::try_from(threshold.value).map_err(|_| {
                let error = Error::new(Kind::Config, format!("shamir_threshold of {name} is negative"))
                    .hint("write how many key groups are needed to decrypt");
                (error, offset_of(threshold.referenced))
            })?,
        };
        let groups = rule.key_groups.as_deref().unwrap_or_default();
        let flat = KeyGroup::from_rule(rule);
        let key_groups = if groups.is_empty() {
            vec![flat]
        } else {
            if let Some(ignored) = flat.recipients.first() {
                let warning = format!("{name} has key_groups, so the recipients beside them are ignored, as sops does");
                walk.warnings.push((warning, ignored.line));
            }
            groups.iter().map(|group| KeyGroup::from_group(&group.value)).collect()
        };
        let nameless = walk.groups(groups, &format!("{path}.key_groups"));
        Ok(CreationRule {
            number,
            line,
            nameless,
            path_regex: path_regex.map(|regex| regex.value.clone()),
            key_groups,
            shamir_threshold,
            selection,
            mac_only_encrypted: rule.mac_only_encrypted.unwrap_or_default(),
        })
    }
}

/// The selector of a rule, which may have one at the most.
fn selection(rule: &schema::Rule, name: &str) -> Result<Option<Selection>, Wrong> {
    type Constructor = fn(String) -> Selection;
    let selectors: [(&str, &Option<Spanned<String>>, Constructor); 6] = [
        ("unencrypted_suffix", &rule.unencrypted_suffix, Selection::UnencryptedSuffix),
        ("encrypted_suffix", &rule.encrypted_suffix, Selection::EncryptedSuffix),
        ("unencrypted_regex", &rule.unencrypted_regex, Selection::UnencryptedRegex),
        ("encrypted_regex", &rule.encrypted_regex, Selection::EncryptedRegex),
        ("unencrypted_comment_regex", &rule.unencrypted_comment_regex, Selection::UnencryptedCommentRegex),
        ("encrypted_comment_regex", &rule.encrypted_comment_regex, Selection::EncryptedCommentRegex),
    ];
    let mut chosen = selectors.into_iter().filter_map(|(key, text, make)| said(text).map(|text| (key, text, make)));
    let Some((key, text, make)) = chosen.next() else { return Ok(None) };
    let Some((second, place, _)) = chosen.next() else { return Ok(Some(make(text.value.clone()))) };
    let error = Error::new(Kind::Config, format!("cannot use more than one of the six selectors in {name}"))
        .because(format!("it has {key} and {second}"))
        .hint(format!("remove {key} or {second}, or make two rules with different path_regex"));
    Err((error, offset_of(place.referenced)))
}

impl KeyGroup {
    /// The recipients that stand in a rule itself. Both the order and the commas are sops'.
    fn from_rule(rule: &schema::Rule) -> Self {
        let mut group = KeyGroup::default();
        let lists = [
            ("age", &rule.age),
            ("pgp", &rule.pgp),
            ("kms", &rule.kms),
            ("gcp_kms", &rule.gcp_kms),
            ("hckms", &rule.hckms),
            ("azure_kv", &rule.azure_keyvault),
            ("hc_vault", &rule.hc_vault_transit_uri),
        ];
        for (back_end, list) in lists {
            let Some(list) = list else { continue };
            let texts = list.value.0.iter().flat_map(|(text, line)| split(text).map(move |text| (text, line)));
            for (text, line) in texts {
                let line = line.unwrap_or_else(|| list.referenced.line());
                let mut recipient = Recipient::new(back_end, text, as_usize(line));
                if back_end == "kms" {
                    recipient.text.retain(|c| c != ' '); // `ARN + ROLE`
                    recipient.set("aws_profile", rule.aws_profile.as_ref().map(|profile| &profile.value));
                }
                group.recipients.push(recipient);
            }
        }
        group.each_once()
    }

    /// The recipients of one of `key_groups`.
    fn from_group(group: &schema::Group) -> Self {
        let mut recipients = Vec::new();
        for merged in group.merge.iter().flatten() {
            recipients.extend(KeyGroup::from_group(&merged.value).recipients);
        }
        for key in group.age.iter().flatten() {
            recipients.extend(split(&key.value).map(|text| Recipient::new("age", text, line_of(key.referenced))));
        }
        for key in group.pgp.iter().flatten() {
            recipients.push(Recipient::new("pgp", key.value.trim(), line_of(key.referenced)));
        }
        for Spanned { value: key, referenced, .. } in group.kms.iter().flatten() {
            let mut recipient = Recipient::new("kms", key.arn.as_deref().unwrap_or_default(), line_of(*referenced));
            recipient.set("role", key.role.as_ref());
            recipient.set("aws_profile", key.aws_profile.as_ref());
            for (name, value) in key.context.iter().flatten() {
                recipient.fields.insert(format!("context.{name}"), value.clone().unwrap_or_default());
            }
            recipients.push(recipient);
        }
        for key in group.gcp_kms.iter().flatten() {
            let text = key.value.resource_id.as_deref().unwrap_or_default();
            recipients.push(Recipient::new("gcp_kms", text, line_of(key.referenced)));
        }
        for key in group.hckms.iter().flatten() {
            let text = key.value.key_id.as_deref().unwrap_or_default();
            recipients.push(Recipient::new("hckms", text, line_of(key.referenced)));
        }
        for key in group.azure_keyvault.iter().flatten() {
            recipients.push(Recipient::new("azure_kv", &azure_url(&key.value), line_of(key.referenced)));
        }
        for key in group.hc_vault.iter().flatten() {
            recipients.push(Recipient::new("hc_vault", key.value.trim(), line_of(key.referenced)));
        }
        KeyGroup { recipients }.each_once()
    }

    /// Drops all but the first of equal recipients.
    fn each_once(mut self) -> Self {
        let mut seen = HashSet::new();
        self.recipients
            .retain(|Recipient { back_end, text, fields, .. }| seen.insert((*back_end, text.clone(), fields.clone())));
        self
    }
}

impl Recipient {
    fn new(back_end: &'static str, text: &str, line: usize) -> Self {
        Recipient { back_end, text: text.to_owned(), fields: BTreeMap::new(), line }
    }

    fn set(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.fields.insert(name.to_owned(), value.clone());
        }
    }
}

impl DestinationRule {
    pub(super) fn from_schema(
        rule: &Spanned<schema::Destination>,
        number: usize,
        walk: &mut Walk<'_>,
    ) -> Result<Self, Wrong> {
        let line = line_of(rule.referenced);
        let rule = &rule.value;
        let name = format!("destination rule {number}");
        let path_regex = said(&rule.path_regex);
        if let Some(regex) = path_regex {
            Pattern::check(&regex.value).map_err(|error| wrong_pattern(error, &name, "path_regex", regex))?;
        }
        let recreation = rule.recreation_rule.as_ref();
        let recreation_rule = recreation
            .map(|rule| {
                let path = format!("destination_rules[{}].recreation_rule", number - 1);
                CreationRule::from_schema(rule, number, (&format!("the recreation_rule of {name}"), &path), walk)
            })
            .transpose()?;
        let version = rule.vault_kv_version.map(|version| version.to_string());
        let settings = [
            ("s3_bucket", &rule.s3_bucket),
            ("s3_prefix", &rule.s3_prefix),
            ("gcs_bucket", &rule.gcs_bucket),
            ("gcs_prefix", &rule.gcs_prefix),
            ("vault_path", &rule.vault_path),
            ("vault_address", &rule.vault_address),
            ("vault_kv_mount_name", &rule.vault_kv_mount_name),
            ("vault_kv_version", &version),
        ];
        Ok(DestinationRule {
            line,
            path_regex: path_regex.map(|regex| regex.value.clone()),
            settings: settings
                .into_iter()
                .filter_map(|(name, value)| value.clone().map(|value| (name.to_owned(), value)))
                .collect(),
            omit_extensions: rule.omit_extensions.unwrap_or_default(),
            recreation_rule,
        })
    }
}

/// A text that says something. To sops, an empty one and none are the same.
fn said(text: &Option<Spanned<String>>) -> Option<&Spanned<String>> {
    text.as_ref().filter(|text| !text.value.is_empty())
}

/// The texts between commas.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|text| !text.is_empty())
}

/// The short form of an Azure key, `https://VAULT/keys/NAME/VERSION`.
fn azure_url(key: &schema::AzureKeyVault) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut url = format!("{}/keys/{}", part(&key.vaultUrl).trim_end_matches('/'), part(&key.key));
    if let Some(version) = key.version.as_deref().filter(|version| !version.is_empty()) {
        url.push('/');
        url.push_str(version);
    }
    url
}

fn wrong_pattern(error: Error, rule: &str, key: &str, pattern: &Spanned<String>) -> Wrong {
    let mut wrong = Error::new(Kind::Config, format!("{key} of {rule}: {}", error.message()));
    for note in error.notes() {
        wrong = wrong.because(note);
    }
    for hint in error.hints() {
        wrong = wrong.hint(hint);
    }
    (wrong, offset_of(pattern.referenced))
}

/// The line of a place, from 1.
pub(super) fn line_of(at: serde_saphyr::Location) -> usize {
    as_usize(at.line())
}

fn as_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The byte of a place.
pub(super) fn offset_of(at: serde_saphyr::Location) -> usize {
    at.span().byte_offset().map_or(0, as_usize)
}
