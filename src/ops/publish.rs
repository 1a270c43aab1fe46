//! `publish`: an encrypted file to the place that its destination rule names: its values to Vault, the file itself,
//! perhaps encrypted anew, to a bucket.

pub mod manifest;

use super::recipients::{Change, Plan};
use super::rules::{Rule, Rules};
use super::source::{Opened, Source};
use super::unsealed::{Unsealed, read_metadata};
use crate::config::CreationRule;
use crate::document::{Document, EntryId, Indent, Kind as Type};
use crate::error::{Error, Kind, Result};
use crate::format::{Format, json::Json};
use crate::key::{GivenDetails, Keyring, printable_within};
use crate::metadata::{Metadata, Selection};
use crate::publish::{Destination, Destinations, Kept, There};
use crate::secret::{DataKey, SecretBytes};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// What holds for all files of a run.
pub struct Publish {
    /// The rules.
    pub rules: Rules,
    /// Whether extensions are left out of names, whatever the rule says.
    pub omit_extensions: bool,
    /// The places.
    pub destinations: Destinations,
}

/// A file to publish.
pub struct Item {
    /// The file.
    pub path: PathBuf,
    /// The folder below which it was found; its path from there is its name. Else that of the file alone is.
    pub below: Option<PathBuf>,
}

/// What is at the address now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    New,
    /// Something else.
    Changed,
    /// The same, so that nothing is to be done.
    UpToDate,
    /// That cannot be known, for this reason.
    Unknown(String),
}

/// What is to become of a file, made and ready to go.
pub struct Publication {
    /// The file, for people.
    pub file: String,
    /// Where it goes, for people.
    pub address: String,
    /// What goes there.
    pub kept: Kept,
    /// How the recipients of the published file differ, when it is encrypted anew.
    pub recipients: Option<Plan>,
    /// What is there now.
    pub state: State,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
    name: String,
    /// The same without the extension of the file.
    stem: String,
    content: SecretBytes,
    destination: Arc<dyn Destination>,
}

impl Publish {
    /// Makes what is to be published and looks at what is there. Nothing is changed yet.
    ///
    /// # Errors
    /// When the file cannot be read or opened, no rule is for it, or its place cannot be asked.
    pub fn prepare(&self, item: &Item, keyring: &Keyring) -> Result<Publication> {
        let source = Source::at(item.path.clone());
        let shown = source.shown();
        self.make(item, &source, keyring).map_err(|error| error.in_file(shown))
    }

    fn make(&self, item: &Item, source: &Source, keyring: &Keyring) -> Result<Publication> {
        let mut warnings = Vec::new();
        let Opened { bytes, input, .. } = source.open()?;
        let (rules, rule) = self.rules.destination(&item.path, &mut warnings)?;
        let place = format!("its rule stands in {}, line {}", rules.display(), rule.line);
        let destination = self.destinations.of(&rule.settings).map_err(|error| error.because(&place))?;
        let stem = name(item, true)?;
        let name = name(item, self.omit_extensions || rule.omit_extensions)?;
        let kept = destination.keeps();
        let names_somebody = |rule: &CreationRule| {
            rule.nameless.is_some() || rule.key_groups.iter().any(|group| !group.recipients.is_empty())
        };
        let recreation = rule.recreation_rule.filter(names_somebody);
        let mut recipients = None;
        let content;
        let state;
        match (kept, recreation) {
            (Kept::Values, recreation) => {
                if recreation.is_some() {
                    warnings
                        .push(format!("{place}: its recreation_rule has no effect, since values go there in clear"));
                }
                let mut unsealed = Unsealed::open(bytes, input, keyring, false)?;
                warnings.append(&mut unsealed.warnings);
                content = values(input, unsealed.plaintext().to_vec())?;
                state = State::of(&destination.fetch(&name)?, |there| destination.is_same(there, content.expose()));
            }
            (Kept::File, None) => {
                // That the file is encrypted is all that must be known of it.
                let document = input.index_bytes(bytes)?;
                read_metadata(input, &document, false)?;
                content = SecretBytes::from(document.into_bytes());
                state = State::of(&destination.fetch(&name)?, |there| destination.is_same(there, content.expose()));
            }
            (Kept::File, Some(rule)) => {
                let rule = Rule { file: rules, rule };
                let fetched = destination.fetch(&name)?;
                let anew = Recreated::make(bytes, input, &rule, &fetched, keyring);
                let anew = anew.map_err(|error| error.because(&place))?;
                warnings.extend(anew.warnings);
                (content, state, recipients) = (anew.content, anew.state, anew.recipients);
            }
        }
        let address = destination.address(&name);
        let (file, address) = (on_one_line(&source.shown()), on_one_line(&address));
        Ok(Publication { file, address, kept, recipients, state, warnings, name, stem, content, destination })
    }
}

/// A name as it can stand in a plan: a file may be called anything, also two lines of one.
fn on_one_line(name: &str) -> String {
    printable_within(name, usize::MAX)
}

impl State {
    fn of(there: &There, is_same: impl Fn(&[u8]) -> bool) -> Self {
        match there {
            There::Nothing => State::New,
            There::This(content) if is_same(content.expose()) => State::UpToDate,
            There::This(_) => State::Changed,
            There::Unreadable(why) => State::Unknown(why.clone()),
        }
    }
}

impl Publication {
    /// Publishes it.
    ///
    /// # Errors
    /// When the place cannot be asked, or refuses.
    pub fn publish(&self) -> Result<()> {
        let put = self.destination.put(&self.name, self.content.expose());
        put.map_err(|error| error.in_file(self.file.as_str()))
    }
}

/// A file that is encrypted anew, for others.
struct Recreated {
    content: SecretBytes,
    state: State,
    recipients: Option<Plan>,
    warnings: Vec<String>,
}

impl Recreated {
    fn make(file: Vec<u8>, format: &'static dyn Format, rule: &Rule, there: &There, keyring: &Keyring) -> Result<Self> {
        let mut unsealed = Unsealed::open(file, format, keyring, false)?;
        let wanted = rule.key_groups(&GivenDetails::new())?;
        let threshold = rule.rule.shamir_threshold;
        let plan = Change::new(&unsealed.metadata, wanted.clone(), threshold)?.plan;
        let selection = match &rule.rule.selection {
            _ if format.is_whole() => Selection::Implied,
            Some(selection) => selection.clone(),
            None => Selection::default(),
        };
        let metadata = Metadata::new(wanted, plan.threshold.1, selection, rule.rule.mac_only_encrypted);
        let recipients = (!plan.is_empty()).then_some(plan);
        let warnings = std::mem::take(&mut unsealed.warnings);
        let state = State::of(there, |there| is_recreation(there, format, &metadata, unsealed.plaintext(), keyring));
        let mut anew = Unsealed::new(format, metadata, DataKey::generate()?);
        let mut content = SecretBytes::default();
        if state != State::UpToDate {
            anew.rekey(keyring)?;
            content = SecretBytes::from(anew.seal(unsealed.plaintext().to_vec())?);
        }
        Ok(Recreated { content, state, recipients, warnings })
    }
}

/// Whether what is there is this plaintext, encrypted as `wanted` says. Each encryption has a data key of its own, so
/// that bytes say nothing; whoever cannot open what they have published before, publishes it again.
fn is_recreation(
    there: &[u8],
    format: &'static dyn Format,
    wanted: &Metadata,
    plaintext: &[u8],
    keyring: &Keyring,
) -> bool {
    let as_wanted = |metadata: &Metadata| {
        let same = Change::new(metadata, wanted.key_groups.clone(), wanted.shamir_threshold);
        same.is_ok_and(|change| change.plan.is_empty())
            && metadata.selection == wanted.selection
            && metadata.mac_only_encrypted == wanted.mac_only_encrypted
    };
    let metadata = || {
        let document = format.index_bytes(there.to_vec())?;
        read_metadata(format, &document, false)
    };
    metadata().is_ok_and(|metadata| as_wanted(&metadata))
        && Unsealed::open(there.to_vec(), format, keyring, false).is_ok_and(|there| there.plaintext() == plaintext)
}

/// The name of a file at its place.
fn name(item: &Item, without_extension: bool) -> Result<String> {
    let path = match &item.below {
        Some(folder) => item.path.strip_prefix(folder).unwrap_or(&item.path),
        None => item.path.file_name().map_or(item.path.as_path(), Path::new),
    };
    let path = if without_extension { path.with_extension("") } else { path.to_owned() };
    let parts: Option<Vec<&str>> = path.components().map(|part| part.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| {
        Error::new(Kind::Generic, "the name of the file is not UTF-8")
            .because("the file is published under its name")
            .hint("give it another name")
    })
}

/// The values of a plaintext as a JSON object: what `decrypt --output-type json` prints.
///
/// The documents of a stream become one object, as in sops, but not when one would replace a part of another.
fn values(format: &dyn Format, plaintext: Vec<u8>) -> Result<SecretBytes> {
    let document = format.index_plaintext(plaintext)?;
    let object = object(&document);
    document.into_bytes().zeroize();
    object.map_err(|error| {
        // The advice of others is about other commands.
        let place = error.place().key_path.clone();
        let mut refused = Error::new(Kind::Generic, format!("Vault cannot hold it: {}", error.message()));
        if let Some(path) = place {
            refused = refused.at_path(path);
        }
        error.notes().iter().fold(refused, Error::because)
    })
}

fn object(document: &Document) -> Result<SecretBytes> {
    let is_nothing = |root: EntryId| document.scalar(root).kind == Type::Null;
    let roots: Vec<EntryId> = document.roots().iter().copied().filter(|&root| !is_nothing(root)).collect();
    let mut keys = HashSet::new();
    let mut all = Zeroizing::new(Vec::with_capacity(2 * document.bytes().len() + 2));
    all.push(b'{');
    for root in roots {
        if document.entry(root).kind() != Type::Map {
            return Err(Error::new(Kind::Generic, "a document of it is no map"));
        }
        for child in document.children(root) {
            if !keys.insert(document.key_bytes(child)) {
                return Err(Error::new(Kind::Generic, "two documents of it have the same key")
                    .at_path(document.path(child))
                    .because("all documents of a file become one secret; sops would keep the last of these values"));
            }
        }
        let object = Zeroizing::new(Json.emit_value(document, root, Indent::OfSops)?);
        let members = object.trim_ascii().strip_prefix(b"{").and_then(|object| object.strip_suffix(b"}"));
        let members = members.unwrap_or_default().trim_ascii();
        if !members.is_empty() {
            if all.len() > 1 {
                all.push(b',');
            }
            all.extend_from_slice(members);
        }
    }
    all.push(b'}');
    Ok(SecretBytes::from(std::mem::take(&mut *all)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::yaml::Yaml;

    #[test]
    fn a_name_is_one_line() {
        assert_eq!(on_one_line("a\n+++ b\u{1b}[2J\u{85}\u{e9}"), "a\\n+++ b\\u{1b}[2J\\u{85}\u{e9}");
        assert_eq!(on_one_line("a \\ b"), "a \\ b");
    }

    #[test]
    fn names_are_paths_below_the_folder_that_was_named() {
        let name = |path: &str, below: Option<&str>, without| {
            name(&Item { path: path.into(), below: below.map(PathBuf::from) }, without).unwrap()
        };
        assert_eq!(name("a/b/c.yaml", None, false), "c.yaml");
        assert_eq!(name("a/b/c.yaml", Some("a"), false), "b/c.yaml");
        assert_eq!(name("./b/c.enc.yaml", Some("."), true), "b/c.enc");
        assert_eq!(name("a/.env", None, true), ".env");
    }

    #[test]
    fn values_are_what_json_holds() {
        let values = |text: &str| {
            values(&Yaml, text.as_bytes().to_vec())
                .map(|json| String::from_utf8(json.expose().to_vec()).unwrap().replace(['\n', '\t', ' '], ""))
                .map_err(|error| error.to_string())
        };
        assert_eq!(values("# c\na: 1.0\nb:\n  # c\n  - {x: y}\n"), Ok("{\"a\":1,\"b\":[{\"x\":\"y\"}]}".to_owned()));
        assert_eq!(values("a: 1\n---\n---\nb: 2\n"), Ok("{\"a\":1,\"b\":2}".to_owned()));
        assert_eq!(values("{}\n"), Ok("{}".to_owned()));
        assert!(values("a: 1\n---\na: 2\n").unwrap_err().contains("the same key"));
        assert!(values("a: .inf\n").unwrap_err().starts_with("Vault cannot hold it"));
    }
}
