//! `leafcrypt publish`.

use super::args::{ConfigArgs, KeyArgs};
use super::files::Teller;
use super::{files, output, plan, report};
use crate::error::{Error, Kind, Result};
use crate::ops::Rules;
use crate::ops::publish::manifest::{self, Which};
use crate::ops::publish::{Item, Publication, Publish, State};
use crate::publish::{Destinations, Kept};
use crate::sys::{self, Environment};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Publish encrypted files to the places that the rules of .sops.yaml name for them
///
/// Vault gets the decrypted values, buckets of S3 and Google Cloud Storage the encrypted file. Shows first what goes
/// where, and asks. What is there already is not published again.
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt publish [OPTIONS] FILE...",
    after_help = "\
Examples:
  leafcrypt publish secrets/prod.yaml
  leafcrypt publish --yes --recursive secrets/
  leafcrypt publish --omit-extensions secrets/prod.yaml    as …/prod
  leafcrypt publish --yes --manifest external-secret secrets/prod.yaml | kubectl apply -f -

The places stand in the destination_rules of .sops.yaml; see docs/publish.md."
)]
pub(super) struct Args {
    /// The file, or with --recursive a folder
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// Publish all files below a folder, under their paths from there
    #[arg(long)]
    recursive: bool,

    /// Leave the extensions of files out of their names there
    #[arg(long)]
    omit_extensions: bool,

    /// Print manifests of Kubernetes that point at what is published to Vault: external-secret for External Secrets,
    /// secret-provider-class for the Secrets Store CSI driver
    #[arg(long, value_name = "KIND", value_parser = manifest_parser())]
    manifest: Option<Which>,

    /// The SecretStore of the ExternalSecrets
    ///
    /// vault when neither this nor --cluster-secret-store is given.
    #[arg(long, value_name = "STORE", requires = "manifest", conflicts_with = "cluster_secret_store")]
    secret_store: Option<String>,

    /// The ClusterSecretStore of the ExternalSecrets
    #[arg(long, value_name = "STORE", requires = "manifest")]
    cluster_secret_store: Option<String>,

    /// The role of Vault that the CSI driver logs in with; default when it is not given
    #[arg(long, value_name = "ROLE", requires = "manifest")]
    vault_role: Option<String>,

    /// The namespace of the manifests
    #[arg(short, long, value_name = "NAMESPACE", requires = "manifest")]
    namespace: Option<String>,

    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(super) fn run(args: Args) -> Result<()> {
    let items = items(args.files, args.recursive)?;
    let keyring = args.keys.keyring()?;
    let request = Publish {
        rules: Rules::new(args.config.path()),
        omit_extensions: args.omit_extensions,
        destinations: Destinations::new(Environment::of_process()),
    };
    let for_other_kind = match args.manifest {
        Some(Which::SecretProviderClass) if args.secret_store.is_some() => Some(("--secret-store", "external-secret")),
        Some(Which::SecretProviderClass) if args.cluster_secret_store.is_some() => {
            Some(("--cluster-secret-store", "external-secret"))
        }
        Some(Which::ExternalSecret) if args.vault_role.is_some() => Some(("--vault-role", "secret-provider-class")),
        _ => None,
    };
    if let Some((flag, kind)) = for_other_kind {
        return Err(Error::new(Kind::ConflictingArguments, format!("{flag} says nothing of these manifests"))
            .hint(format!("leave it away, or take --manifest {kind}")));
    }
    let manifests = args.manifest.map(|which| manifest::Settings {
        which,
        cluster: args.cluster_secret_store.is_some(),
        store: args.cluster_secret_store.or(args.secret_store).unwrap_or_else(|| "vault".to_owned()),
        role: args.vault_role.unwrap_or_else(|| "default".to_owned()),
        namespace: args.namespace,
    });
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    let mut teller = Teller::new(items.len());
    let mut due: Vec<Publication> = Vec::new();
    let mut places: HashMap<String, String> = HashMap::new();
    let mut resources: HashMap<String, String> = HashMap::new();
    let prepared = |_: &Item, prepared: Result<Publication>| {
        let one = match prepared {
            Ok(one) => one,
            Err(error) => return teller.fail(error),
        };
        teller.warn(warnings(&one));
        if let Some(other) = places.insert(one.address.clone(), one.file.clone()) {
            return teller.fail(same_place(&one, &other));
        }
        match manifests.as_ref().map(|settings| one.manifest(settings)).transpose() {
            // Before anything is published that then could not be pointed at.
            Err(error) => return teller.fail(error),
            Ok(Some(manifest)) => {
                if let Some(other) = resources.insert(manifest.name.clone(), one.file.clone()) {
                    return teller.fail(same_resource(&one, &other, &manifest.name));
                }
                made.insert(one.file.clone(), manifest.text);
            }
            Ok(None) => {}
        }
        if one.state == State::UpToDate {
            report::note(&format!("{} is already up-to-date in {}", one.file, one.address));
        } else {
            due.push(one);
        }
    };
    files::each(&items, "Reading", |item| request.prepare(item, &keyring), prepared);
    if !due.is_empty() {
        show(&due, manifests.is_some())?;
        if args.yes || agreed(&due, args.recursive)? {
            let published = |one: &Publication, result| match result {
                Ok(()) => report::note(&format!("{} is published to {}", one.file, one.address)),
                Err(error) => {
                    made.remove(&one.file);
                    teller.fail(error);
                }
            };
            files::each(&due, "Publishing", Publication::publish, published);
        } else {
            due.iter().for_each(|one| drop(made.remove(&one.file)));
        }
    }
    if !made.is_empty() {
        output::print(made.into_values().collect::<Vec<_>>().join("---\n").as_bytes())?;
    }
    teller.end()
}

/// The files to publish.
fn items(named: Vec<PathBuf>, recursive: bool) -> Result<Vec<Item>> {
    if named.is_empty() {
        return Err(Error::new(Kind::NoFile, "no file is named").hint("leafcrypt publish FILE"));
    }
    let mut items = Vec::new();
    for path in files::each_once(named) {
        if !path.is_dir() {
            items.push(Item { path, below: None });
        } else if recursive {
            items.extend(below(&path)?);
        } else {
            return Err(Error::new(Kind::Generic, "a folder is published with --recursive alone")
                .in_file(path.display().to_string())
                .hint(format!("leafcrypt publish --recursive {}", path.display())));
        }
    }
    Ok(items)
}

/// All files below `folder`, but for rules, which are no secrets.
fn below(folder: &Path) -> Result<Vec<Item>> {
    let found = sys::files_and_links_below(folder)?;
    let left_out =
        found.folder_links.iter().map(|link| format!("{}: a link to a folder is not followed", link.display()));
    report::warnings(&left_out.collect::<Vec<_>>());
    let is_rules = |path: &PathBuf| path.file_name().is_some_and(|name| name == ".sops.yaml");
    let items: Vec<Item> = found
        .files
        .into_iter()
        .filter(|path| !is_rules(path))
        .map(|path| Item { path, below: Some(folder.to_owned()) })
        .collect();
    if items.is_empty() {
        return Err(Error::new(Kind::Generic, "there is no file in this folder").in_file(folder.display().to_string()));
    }
    Ok(items)
}

fn same_place(one: &Publication, other: &str) -> Error {
    Error::new(Kind::Generic, format!("{other} goes to the same place: {}", one.address))
        .in_file(one.file.as_str())
        .hint("leave --omit-extensions and omit_extensions away, or give them different names")
}

fn same_resource(one: &Publication, other: &str, name: &str) -> Error {
    Error::new(Kind::Generic, format!("the manifest of {other} has the same name: {name}"))
        .in_file(one.file.as_str())
        .because("one of them would take the place of the other in the cluster")
        .hint("give the files different names, or publish them one by one with --namespace")
}

/// What the user should know of a file though nothing failed.
fn warnings(one: &Publication) -> impl Iterator<Item = String> + use<> {
    let unknown = match &one.state {
        State::Unknown(why) => Some(format!(
            "{}: it is not known what is there, so it is published even if it has not changed: {why}",
            one.address
        )),
        _ => None,
    };
    one.warnings.clone().into_iter().chain(unknown)
}

fn manifest_parser() -> impl TypedValueParser<Value = Which> {
    const KINDS: [(&str, Which); 2] =
        [("external-secret", Which::ExternalSecret), ("secret-provider-class", Which::SecretProviderClass)];
    PossibleValuesParser::new(KINDS.map(|(name, _)| name)).try_map(|given| {
        KINDS.into_iter().find(|(name, _)| *name == given).map(|(_, which)| which).ok_or("there is no such manifest")
    })
}

/// Prints the plan, for whoever reads or keeps what was done; where manifests are printed, beside them.
fn show(due: &[Publication], beside: bool) -> Result<()> {
    let mut text = "The following will be published:\n".to_owned();
    for one in due {
        let mark = match one.state {
            State::New => "+++",
            _ => "~~~",
        };
        let what = match (one.kept, &one.recipients) {
            (Kept::Values, _) => "decrypted",
            (Kept::File, None) => "encrypted as it is",
            (Kept::File, Some(_)) => "encrypted anew, for others",
        };
        text.push_str(&format!("{mark} {} ({what})\n    to {}\n", one.file, one.address));
        if let Some(plan) = &one.recipients {
            text.push_str(&plan::render(plan));
        }
    }
    if beside {
        report::styled(text.trim_end());
        return Ok(());
    }
    output::print_styled(&text)
}

/// Asks. A single file that is not to be published is a failure, as in sops; one of a folder is not.
fn agreed(due: &[Publication], recursive: bool) -> Result<bool> {
    let question = match due {
        [only] => format!("uploading {} to {} ? (y/n): ", only.file, only.address),
        many => format!("uploading these {} files? (y/n): ", many.len()),
    };
    match report::yes_or_no(&question) {
        Some(true) => Ok(true),
        Some(false) if recursive => {
            due.iter().for_each(|one| report::note(&format!("publication of {} canceled", one.file)));
            Ok(false)
        }
        Some(false) => {
            let files = due.iter().map(|one| one.file.as_str()).collect::<Vec<_>>().join(", ");
            Err(Error::new(Kind::Generic, format!("publication of {files} canceled")))
        }
        None => Err(Error::new(Kind::Generic, "nobody has said whether it is to be published")
            .because("the standard input has ended")
            .hint("to go ahead without being asked: leafcrypt publish --yes FILE")),
    }
}
