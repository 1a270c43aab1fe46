//! The shape of `.sops.yaml`, as it is written.
//!
//! Owns: which keys exist and of what type they are, where each stands, and which keys nobody knows.
//! Must not know: what a key means; that is [`super::rule`]'s.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

/// A key that its section does not know.
pub(super) struct Stranger {
    /// The key and where it stands.
    pub(super) key: Spanned<String>,
    /// Whether its value is a list with something in it.
    pub(super) lists: bool,
}

/// A key that no section knows.
pub(super) struct UnknownKey<'a> {
    /// The key and where it stands.
    pub(super) key: &'a Spanned<String>,
    /// The keys that its section knows.
    pub(super) known: &'static [&'static str],
}

/// Something that may hold unknown keys.
pub(super) trait Unknown {
    /// Adds the unknown keys of this value, those of outer sections first.
    fn unknown<'a>(&'a self, _found: &mut Vec<UnknownKey<'a>>) {}
}

impl Unknown for String {}
impl Unknown for bool {}
impl Unknown for i64 {}
impl Unknown for OneOrMany {}
impl Unknown for BTreeMap<String, Option<String>> {}

impl<T: Unknown> Unknown for Spanned<T> {
    fn unknown<'a>(&'a self, found: &mut Vec<UnknownKey<'a>>) {
        self.value.unknown(found);
    }
}

impl<T: Unknown> Unknown for Option<T> {
    fn unknown<'a>(&'a self, found: &mut Vec<UnknownKey<'a>>) {
        self.iter().for_each(|value| value.unknown(found));
    }
}

impl<T: Unknown> Unknown for List<T> {
    fn unknown<'a>(&'a self, found: &mut Vec<UnknownKey<'a>>) {
        self.0.iter().for_each(|value| value.unknown(found));
    }
}

/// Declares a section: every key is optional, an absent one and a null one are the same (as in sops), and unknown
/// keys are kept for a warning. serde's derive can refuse unknown keys or lose them, and says the place of neither.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $name {
            $($(#[$field_doc])* pub(super) $field: Option<$type>,)*
            pub(super) unknown_keys: Vec<Stranger>,
        }

        impl $name {
            /// All keys of the section.
            pub(super) const KEYS: &'static [&'static str] = &[$(stringify!($field)),*];
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Section;

                impl<'de> Visitor<'de> for Section {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a map")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut section = $name::default();
                        while let Some(key) = map.next_key::<Spanned<String>>()? {
                            match key.value.as_str() {
                                $(stringify!($field) => section.$field = map.next_value()?,)*
                                _ => {
                                    // Recipients stand in lists of groups alone; elsewhere nobody looks at the value.
                                    let lists = match stringify!($name) {
                                        "Group" => map.next_value::<Listing>()?.0,
                                        _ => map.next_value::<IgnoredAny>().map(|_| false)?,
                                    };
                                    section.unknown_keys.push(Stranger { key, lists });
                                }
                            }
                        }
                        Ok(section)
                    }
                }

                deserializer.deserialize_map(Section)
            }
        }

        impl Unknown for $name {
            fn unknown<'a>(&'a self, found: &mut Vec<UnknownKey<'a>>) {
                found.extend(self.unknown_keys.iter().map(|it| UnknownKey { key: &it.key, known: Self::KEYS }));
                $(self.$field.unknown(found);)*
            }
        }
    };
}

section! {
    /// The whole file.
    File {
        creation_rules: List<Rule>,
        destination_rules: List<Destination>,
        stores: Stores,
    }
}

section! {
    /// One of `creation_rules`.
    Rule {
        path_regex: Spanned<String>,
        age: Spanned<OneOrMany>,
        pgp: Spanned<OneOrMany>,
        kms: Spanned<OneOrMany>,
        aws_profile: Spanned<String>,
        gcp_kms: Spanned<OneOrMany>,
        hckms: Spanned<OneOrMany>,
        azure_keyvault: Spanned<OneOrMany>,
        hc_vault_transit_uri: Spanned<OneOrMany>,
        key_groups: List<Group>,
        shamir_threshold: Spanned<i64>,
        unencrypted_suffix: Spanned<String>,
        encrypted_suffix: Spanned<String>,
        unencrypted_regex: Spanned<String>,
        encrypted_regex: Spanned<String>,
        unencrypted_comment_regex: Spanned<String>,
        encrypted_comment_regex: Spanned<String>,
        mac_only_encrypted: bool,
    }
}

section! {
    /// One of a rule's `key_groups`.
    Group {
        merge: List<Group>,
        age: List<String>,
        pgp: List<String>,
        kms: List<Kms>,
        gcp_kms: List<GcpKms>,
        hckms: List<HcKms>,
        azure_keyvault: List<AzureKeyVault>,
        hc_vault: List<String>,
    }
}

section! {
    /// An AWS KMS key of a group.
    Kms {
        arn: String,
        role: String,
        context: BTreeMap<String, Option<String>>,
        aws_profile: String,
    }
}

section! {
    /// A GCP KMS key of a group.
    GcpKms {
        resource_id: String,
    }
}

section! {
    /// A Huawei Cloud KMS key of a group.
    HcKms {
        key_id: String,
    }
}

section! {
    /// An Azure Key Vault key of a group. `vaultUrl` is sops' spelling.
    #[allow(non_snake_case, reason = "the field names are the keys of the file")]
    AzureKeyVault {
        vaultUrl: String,
        key: String,
        version: String,
    }
}

section! {
    /// One of `destination_rules`.
    Destination {
        path_regex: Spanned<String>,
        s3_bucket: String,
        s3_prefix: String,
        gcs_bucket: String,
        gcs_prefix: String,
        vault_path: String,
        vault_address: String,
        vault_kv_mount_name: String,
        vault_kv_version: i64,
        recreation_rule: Spanned<Rule>,
        omit_extensions: bool,
    }
}

section! {
    /// How files are laid out that are written anew.
    Stores {
        json: Indented,
        json_binary: Indented,
        yaml: Indented,
        ini: Plain,
        dotenv: Plain,
    }
}

section! {
    /// A format with an indentation.
    Indented {
        indent: i64,
    }
}

section! {
    /// A format without options.
    Plain {}
}

/// A list, without the items that are null: sops passes over them.
#[derive(Default)]
pub(super) struct List<T>(pub(super) Vec<Spanned<T>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<Option<Spanned<T>>>::deserialize(deserializer)?;
        Ok(List(items.into_iter().flatten().collect()))
    }
}

impl<T> Deref for List<T> {
    type Target = [Spanned<T>];

    fn deref(&self) -> &[Spanned<T>] {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a Spanned<T>;
    type IntoIter = std::slice::Iter<'a, Spanned<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// A text with commas in it, or a list of texts, each with its line there.
#[derive(Default)]
pub(super) struct OneOrMany(pub(super) Vec<(String, Option<u64>)>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![(text.to_owned(), None)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element::<Spanned<String>>()? {
                    texts.push((text.value, Some(text.referenced.line())));
                }
                Ok(OneOrMany(texts))
            }
        }

        deserializer.deserialize_any(Texts)
    }
}

/// Whether the value of an unknown key is a list with something in it.
struct Listing(bool);

impl<'de> Deserialize<'de> for Listing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;

        impl<'de> Visitor<'de> for Anything {
            type Value = Listing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Listing, A::Error> {
                let mut lists = false;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    lists = true;
                }
                Ok(Listing(lists))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listing, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Listing(false))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Listing, E> {
                Ok(Listing(false))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Listing, E> {
                Ok(Listing(false))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Listing, E> {
                Ok(Listing(false))
            }

            fn visit_i128<E>(self, _: i128) -> Result<Listing, E> {
                Ok(Listing(false))
            }

            fn visit_u128<E>(self, _: u128) -> Result<Listing, E> {
                Ok(Listing(false))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Listing, E> {
                Ok(Listing(false))
            }

            fn visit_str<E>(self, _: &str) -> Result<Listing, E> {
                Ok(Listing(false))
            }

            fn visit_bytes<E>(self, _: &[u8]) -> Result<Listing, E> {
                Ok(Listing(false))
            }

            fn visit_unit<E>(self) -> Result<Listing, E> {
                Ok(Listing(false))
            }

            fn visit_none<E>(self) -> Result<Listing, E> {
                Ok(Listing(false))
            }
        }

        deserializer.deserialize_any(Anything)
    }
}

/// Every key that the parser knows.
#[cfg(test)]
pub(super) fn all_keys() -> impl Iterator<Item = &'static str> {
    [
        File::KEYS,
        Rule::KEYS,
        Group::KEYS,
        Kms::KEYS,
        GcpKms::KEYS,
        HcKms::KEYS,
        AzureKeyVault::KEYS,
        Destination::KEYS,
        Stores::KEYS,
        Indented::KEYS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
