//! `init`: all that a folder needs so that `encrypt` works in it.

use super::Source;
use super::encrypt::{self, Encrypt};
use super::keygen::{self, Outcome};
use super::{Given, Rules};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::format;
use crate::key::{Environment, Keyring, Stanza, registry};
use crate::sys;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The rules, with a placeholder for the recipients.
const RULES: &str = include_str!("rules.yaml");
const RECIPIENTS: &str = "@RECIPIENTS@\n";

/// The Kubernetes Secret of the example, and where it goes: where the first rule is for it.
const EXAMPLE: &str = include_str!("example.yaml");
const EXAMPLE_FILE: &str = "k8s/secret.yaml";

/// What rules are called, in sops as here.
pub const RULES_FILE: &str = ".sops.yaml";

/// What to set up.
pub struct Init {
    /// The folder.
    pub folder: PathBuf,
    /// For whom the rules are to encrypt. When none is named, and always for an example, for an identity
    /// of this user, which is made when there is none.
    pub given: Given,
    /// Whether to put an example into the folder.
    pub example: bool,
}

/// What was done.
pub struct Done {
    /// The identity, unless recipients were named.
    pub identity: Option<Outcome>,
    /// The rules.
    pub rules: Step,
    /// The example.
    pub example: Option<Example>,
    /// What the user should hear of the rules that were there already.
    pub warnings: Vec<String>,
    /// Whether those are for others alone: they name age recipients, and the identity is none of them.
    pub is_for_others: bool,
}

/// A file that is there now.
pub enum Step {
    /// It was made.
    Made(PathBuf),
    /// It was there and is unchanged.
    Found(PathBuf),
}

impl Step {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Step::Made(path) | Step::Found(path) => path,
        }
    }
}

/// The example.
pub struct Example {
    /// Its file.
    pub file: Step,
    /// The encrypted text.
    pub text: String,
}

/// Sets a folder up. What is there already is left as it is, so that a second run changes nothing.
///
/// # Errors
/// When the rules that are there cannot be read, or something cannot be made; what was made before stays, and the next run
/// goes on from there.
pub fn init(request: &Init, environment: &Environment) -> Result<Done> {
    let details = details(&request.given)?;
    if request.example {
        std::fs::create_dir_all(request.folder.join(EXAMPLE_FILE).parent().unwrap_or(&request.folder))
            .map_err(|error| cannot_make(&request.folder, &error))?;
    } else if !request.folder.is_dir() {
        let folder = request.folder.display();
        let error = Error::new(Kind::ReadInput, "there is no such folder").in_file(folder.to_string());
        return Err(match request.folder.exists() {
            true => error.because("it is a file").hint("name the folder that it is in"),
            false => error.hint(format!("mkdir -p {}", sys::quoted(&request.folder))),
        });
    }
    // An example stands for itself, in whatever repository it is tried out.
    let found = if request.example { rules_in(&request.folder) } else { rules_for(&request.folder) };
    let config = found.as_deref().map(Config::load).transpose()?;
    let mut warnings = config.as_ref().map(|config| config.warnings.clone()).unwrap_or_default();
    if let Some(config) = config.filter(|config| config.creation_rules.is_none()) {
        warnings.push(format!(
            "{} has no creation_rules: nothing is encrypted by it until it has some, such as creation_rules: [{{age: RECIPIENT}}]",
            config.path.display()
        ));
    }
    let identity = if request.example || request.given.recipients.is_empty() {
        let carried = keygen::carried(environment).map(Outcome::Found);
        let ensured = || {
            let rules_alone = "or for rules alone, whose recipients you know: leafcrypt init --age RECIPIENT";
            keygen::ensure(environment, false).map_err(|error| error.hint(rules_alone))
        };
        Some(carried.map_or_else(ensured, Ok)?)
    } else {
        None
    };
    let mut is_for_others = false;
    let rules = match found {
        Some(path) => {
            if let Some(Outcome::Made(own) | Outcome::Found(own)) = &identity {
                let text = String::from_utf8_lossy(&sys::read_input(&path)?).into_owned();
                is_for_others = text.contains("age1") && !own.recipients.iter().any(|own| text.contains(own.as_str()));
            }
            Step::Found(path)
        }
        None => {
            let path = request.folder.join(RULES_FILE);
            sys::replace_file(&path, rules(request, identity.as_ref(), &details)?.as_bytes())?;
            Step::Made(path)
        }
    };
    let example = if request.example { Some(example(&request.folder, rules.path())?) } else { None };
    Ok(Done { identity, rules, example, warnings, is_for_others })
}

/// The lines of a rule for what is said of the recipients beside their names.
///
/// # Errors
/// When such a rule cannot say it, or there is no recipient that it is said of.
fn details(given: &Given) -> Result<String> {
    let mut lines = String::new();
    for backend in registry::backends() {
        for detail in backend.details() {
            let Some(value) = given.details.get(backend.name()).and_then(|said| said.get(detail.name)) else {
                continue;
            };
            let error = Error::new(Kind::ConflictingArguments, format!("--{} says nothing here", detail.flag));
            if !given.recipients.iter().any(|(named, _)| named.name() == backend.name()) {
                let (of, flag, value) = (backend.flag(), detail.flag, detail.value_name);
                return Err(error
                    .because(format!("no recipient is named by --{of}"))
                    .hint(format!("leafcrypt init --{of} RECIPIENTS --{flag} {value}")));
            }
            let Some(field) = detail.rule_field else {
                return Err(error
                    .because("the rules that this makes have no place for it; only the items of a key group have")
                    .hint(format!(
                        "leave it away here, and give it to encrypt: leafcrypt encrypt --{} {}",
                        detail.flag, detail.value_name
                    )));
            };
            // The quotes of YAML are those of JSON.
            let _ = writeln!(lines, "    {field}: {}", serde_json::Value::from(value.as_str()));
        }
    }
    Ok(lines)
}

/// The rules for the recipients that are named and the identity.
fn rules(request: &Init, identity: Option<&Outcome>, details: &str) -> Result<String> {
    let mut recipients: Vec<(&str, Vec<String>)> = Vec::new();
    for (backend, text) in &request.given.recipients {
        let stanzas = backend.parse(text)?;
        recipients.push((backend.rule_field(), stanzas.iter().map(Stanza::recipient).collect()));
    }
    if let Some(Outcome::Made(identity) | Outcome::Found(identity)) = identity {
        let own = identity.recipients.iter().cloned();
        match recipients.iter_mut().find(|(field, _)| *field == "age") {
            Some((_, named)) => named.extend(own),
            None => recipients.push(("age", own.collect())),
        }
    }
    let lines = recipients.iter().map(|(field, names)| format!("    {field}: {}\n", names.join(",")));
    Ok(RULES.replace(RECIPIENTS, &(lines.collect::<String>() + details)))
}

/// The rules in `folder` itself.
fn rules_in(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(RULES_FILE)).filter(|path| path.exists())
}

/// The rules for files in `folder`: there or in a folder above it, up to that of the repository.
fn rules_for(folder: &Path) -> Option<PathBuf> {
    if let Some(path) = rules_in(folder) {
        return Some(path);
    }
    let folder = folder.canonicalize().ok()?;
    let to_repository = folder.ancestors().position(|folder| folder.join(".git").exists())?;
    folder.ancestors().take(to_repository + 1).find_map(rules_in)
}

/// Writes the Secret and encrypts it in place, unless it is there.
fn example(folder: &Path, rules: &Path) -> Result<Example> {
    let path = folder.join(EXAMPLE_FILE);
    if path.exists() {
        let text = String::from_utf8_lossy(&sys::read_input(&path)?).into_owned();
        return Ok(Example { file: Step::Found(path), text });
    }
    sys::replace_file(&path, EXAMPLE.as_bytes())?;
    let source = Source { input_type: format::by_name("yaml"), ..Source::at(path.clone()) };
    let request = Encrypt {
        given: Given::default(),
        selection: None,
        mac_only_encrypted: false,
        shamir_threshold: None,
        rules: Rules::new(Some(rules.to_path_buf())),
    };
    let encrypted = encrypt::encrypt(&source, &request, &Keyring::of_process()).inspect_err(|_| {
        // So that the next run tries again instead of finding a plaintext.
        let _ = std::fs::remove_file(&path);
    })?;
    sys::replace_file(&path, encrypted.text.as_bytes())?;
    Ok(Example { file: Step::Made(path), text: encrypted.text })
}

fn cannot_make(folder: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::WriteOutput, "the folder cannot be made").in_file(folder.display().to_string()).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::decrypt::{self, Decrypt};

    struct Place {
        folder: tempfile::TempDir,
        environment: Environment,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let keys = folder.path().join("home/keys.txt").into_os_string();
            Place { environment: Environment::of([("SOPS_AGE_KEY_FILE", keys)]), folder }
        }

        fn init(&self, recipients: &[&str], example: bool) -> Done {
            let age = registry::backend("age").unwrap();
            let recipients = recipients.iter().map(|text| (age, (*text).to_owned())).collect();
            let folder = self.folder.path().join("work");
            if !example {
                std::fs::create_dir_all(&folder).unwrap();
            }
            let given = Given { recipients, ..Given::default() };
            init(&Init { folder, given, example }, &self.environment).unwrap()
        }

        fn read(&self, name: &str) -> String {
            std::fs::read_to_string(self.folder.path().join(name)).unwrap()
        }
    }

    #[test]
    fn a_second_run_changes_nothing() {
        let place = Place::new();
        let done = place.init(&[], true);
        assert!(matches!(done.identity, Some(Outcome::Made(_))));
        assert!(matches!(done.rules, Step::Made(_)));
        let files = ["home/keys.txt", "work/.sops.yaml", "work/k8s/secret.yaml"];
        let before = files.map(|file| place.read(file));
        let done = place.init(&[], true);
        assert!(matches!(done.identity, Some(Outcome::Found(_))));
        assert!(matches!(done.rules, Step::Found(_)));
        assert!(matches!(done.example, Some(Example { file: Step::Found(_), .. })));
        assert_eq!(files.map(|file| place.read(file)), before);
    }

    #[test]
    fn the_example_is_encrypted_and_comes_back() {
        let place = Place::new();
        let example = place.init(&[], true).example.unwrap();
        assert!(example.text.contains("name: shop-database ") && !example.text.contains("battery"), "{}", example.text);
        let path = example.file.path().to_path_buf();
        let request = Decrypt::whole(Source::at(path));
        let decrypted = decrypt::decrypt(&request, &Keyring::new(place.environment.clone())).unwrap();
        assert_eq!(decrypted.plaintext.expose(), EXAMPLE.as_bytes());
    }

    #[test]
    fn named_recipients_need_no_identity() {
        const OTHER: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        let place = Place::new();
        let done = place.init(&[OTHER], false);
        assert!(done.identity.is_none() && done.example.is_none());
        assert!(!place.folder.path().join("home").exists());
        assert_eq!(place.read("work/.sops.yaml").matches(&format!("\n    age: {OTHER}\n")).count(), 2);
    }

    #[test]
    fn rules_that_are_there_are_read() {
        const OTHER: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        let place = Place::new();
        place.init(&[OTHER], false);
        let done = place.init(&[], false);
        assert!(matches!(done.rules, Step::Found(_)) && done.is_for_others && done.warnings.is_empty());
        let path = place.folder.path().join("work/.sops.yaml");
        let own = done.identity.map(|(Outcome::Made(own) | Outcome::Found(own))| own.recipients.join(","));
        let rules = place.read("work/.sops.yaml").replace(OTHER, &own.unwrap()).replace("path_regex", "path_regexp");
        std::fs::write(&path, rules).unwrap();
        let done = place.init(&[], false);
        assert!(!done.is_for_others && done.warnings[0].contains("did you mean path_regex?"), "{:?}", done.warnings);
        std::fs::write(&path, "creation_rules: [").unwrap();
        let request = Init { folder: place.folder.path().join("work"), given: Given::default(), example: false };
        assert!(init(&request, &place.environment).is_err_and(|error| error.kind() == Kind::Config));
    }

    #[test]
    fn an_identity_of_the_environment_is_enough() {
        let place = Place::new();
        let (text, recipient) = keygen::generate(false).unwrap();
        let text = String::from_utf8(text.expose().to_vec()).unwrap();
        let environment = Environment::of([("SOPS_AGE_KEY", text.into())]);
        let folder = place.folder.path().to_path_buf();
        init(&Init { folder, given: Given::default(), example: false }, &environment).unwrap();
        assert!(place.read(".sops.yaml").contains(&recipient));
    }
}
