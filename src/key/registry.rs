//! The list of key back ends. A new one is a folder beside this file and a line here.

use super::{Backend, age, pgp};
use Part::{Map, Text};

/// Every back end of this build, in the order in which they are asked for the data key: what is on
/// this machine before what is across a network, as sops does by default (`age,pgp`).
static BACKENDS: &[&dyn Backend] = &[
    &age::Age,
    &pgp::Pgp,
    #[cfg(feature = "aws-kms")]
    &super::aws_kms::AwsKms,
    #[cfg(feature = "gcp-kms")]
    &super::gcp_kms::GcpKms,
    #[cfg(feature = "hckms")]
    &super::hckms::HcKms,
    #[cfg(feature = "azure-kv")]
    &super::azure_kv::AzureKv,
    #[cfg(feature = "hc-vault")]
    &super::hc_vault::HcVault,
];

/// A list of stanzas in the `sops` block.
pub struct List {
    /// Its field, and the name of its back end.
    pub name: &'static str,
    /// Whose keys these are, for people.
    pub title: &'static str,
    /// The flags that name such keys, and say more of them.
    flags: &'static [&'static str],
    /// The feature that a build has the back end by; without one, it is in every build.
    feature: Option<&'static str>,
    /// How people write the key, a field of the stanza for each name in braces.
    pub key: &'static str,
    /// The number of this kind of key in a message to a key service.
    pub number: u32,
    /// What such a message says of the key: the first part is its field 1, and so on.
    pub parts: &'static [Part],
}

/// A part of the name of a key.
pub enum Part {
    /// A field of the stanza that is a text.
    Text(&'static str),
    /// A field of the stanza that is a map of texts.
    Map(&'static str),
}

/// Every key list of sops' format in the order in which sops writes them, whether or not this build
/// has the back end: a stanza that cannot be opened must still be read, shown and written back.
///
/// Sources: `stores/stores.go` and `keyservice/keyservice.proto` of sops 3.11.
pub static LISTS: &[List] = &[
    List {
        name: "kms",
        title: "AWS KMS",
        flags: &["kms", "aws-profile", "encryption-context"],
        feature: Some("aws-kms"),
        key: "{arn}",
        number: 1,
        parts: &[Text("arn"), Text("role"), Map("context"), Text("aws_profile")],
    },
    List {
        name: "gcp_kms",
        title: "Google Cloud KMS",
        flags: &["gcp-kms"],
        feature: Some("gcp-kms"),
        key: "{resource_id}",
        number: 3,
        parts: &[Text("resource_id")],
    },
    List {
        name: "hckms",
        title: "Huawei Cloud KMS",
        flags: &["hckms"],
        feature: Some("hckms"),
        key: "{key_id}",
        number: 7,
        parts: &[Text("key_id")],
    },
    List {
        name: "azure_kv",
        title: "Azure Key Vault",
        flags: &["azure-kv"],
        feature: Some("azure-kv"),
        key: "{vault_url}/keys/{name}/{version}",
        number: 4,
        parts: &[Text("vault_url"), Text("name"), Text("version")],
    },
    List {
        name: "hc_vault",
        title: "HashiCorp Vault",
        flags: &["hc-vault-transit"],
        feature: Some("hc-vault"),
        key: "{vault_address}/v1/{engine_path}/keys/{key_name}",
        number: 5,
        parts: &[Text("vault_address"), Text("engine_path"), Text("key_name")],
    },
    List {
        name: "age",
        title: "age",
        flags: &["age"],
        feature: None,
        key: "{recipient}",
        number: 6,
        parts: &[Text("recipient")],
    },
    List { name: "pgp", title: "PGP", flags: &["pgp"], feature: None, key: "{fp}", number: 2, parts: &[Text("fp")] },
];

/// Every back end of this build.
#[must_use]
pub fn backends() -> &'static [&'static dyn Backend] {
    BACKENDS
}

/// The back end of a metadata list, when this build has it.
#[must_use]
pub fn backend(name: &str) -> Option<&'static dyn Backend> {
    BACKENDS.iter().copied().find(|backend| backend.name() == name)
}

/// That this build has no keys of the list called `name`, and what to do about it.
#[must_use]
pub fn lacking(name: &str) -> (String, Option<String>) {
    list(name).map_or_else(|| (format!("there are no {name} keys"), None), List::lacking)
}

/// How a build is had that has `feature` as well.
#[must_use]
pub fn install(feature: &str) -> String {
    format!("cargo install --path . --features {feature}, in the folder of leafcrypt's source")
}

impl List {
    /// Whether this build opens and wraps for such keys.
    #[must_use]
    pub fn is_built(&self) -> bool {
        backend(self.name).is_some()
    }

    /// That a build has no such keys, and what to do about it.
    #[must_use]
    pub fn lacking(&self) -> (String, Option<String>) {
        (format!("this build of leafcrypt has no {} keys", self.title), self.feature.map(install))
    }

    /// Whether a command line names such keys, or says more of them, by `flag`, which has no dashes before it.
    #[must_use]
    pub fn has_flag(&self, flag: &str) -> bool {
        let name = ["add-", "rm-"].iter().find_map(|prefix| flag.strip_prefix(prefix)).unwrap_or(flag);
        self.flags.contains(&name)
    }
}

/// What the format says of a metadata list.
#[must_use]
pub fn list(name: &str) -> Option<&'static List> {
    LISTS.iter().find(|list| list.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_back_end_has_its_list_and_names_of_its_own() {
        for backend in backends() {
            let list = list(backend.name()).expect("a list in the format");
            let fields = list.key.split(['{', '}']).skip(1).step_by(2);
            assert!(fields.into_iter().all(|field| backend.fields().contains(&field)), "{}", list.key);
            assert!(backend.details().iter().all(|detail| backend.fields().contains(&detail.name)));
            let flags: Vec<&str> =
                std::iter::once(backend.flag()).chain(backend.details().iter().map(|detail| detail.flag)).collect();
            assert_eq!(list.flags, flags);
            let same = |pick: fn(&dyn Backend) -> &'static str| {
                backends().iter().filter(|other| pick(**other) == pick(*backend)).count()
            };
            assert_eq!(same(|b| b.name()), 1);
            assert_eq!(same(|b| b.flag()), 1);
            assert_eq!(same(|b| b.rule_field()), 1);
            assert_eq!(same(|b| b.recipients_env()), 1);
        }
    }
}
