//! `leafcrypt kustomize`, which is also what runs under the name `ksops`.

use super::args::KeyArgs;
use super::{output, report};
use crate::error::{Error, Kind, Result};
use crate::key::Environment;
use crate::kustomize::{CONCURRENCY, Plugin, argocd, krm, legacy};
use crate::sys;
use clap::builder::FalseyValueParser;
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// Generate resources for kustomize from encrypted files, as KSOPS does
///
/// kustomize runs this itself: put it on the PATH under the name ksops, or name it in the generator. Without
/// a manifest it is an exec KRM function (a ResourceList in, a ResourceList out), with one a legacy exec
/// plugin. A manifest with neither `files` nor `secretFrom` makes it a transformer, which decrypts the
/// encrypted resources in the stream.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  kustomize build --enable-alpha-plugins --enable-exec overlays/prod
  leafcrypt kustomize secret-generator.yaml                print what a generator gives
  leafcrypt kustomize --placeholder secret-generator.yaml  the same without keys, to look at
  LEAFCRYPT_PLACEHOLDER=1 kustomize build --enable-alpha-plugins --enable-exec overlays/prod
  leafcrypt kustomize --argocd                             the command of Argo CD's plugin.yaml
  leafcrypt kustomize install /custom-tools                in an init container"
)]
pub(super) struct Args {
    /// The manifest of the generator; without one a ResourceList is read from the standard input
    #[arg(value_name = "MANIFEST")]
    manifest: Option<PathBuf>,

    /// Refuse files outside of the working folder, which is that of the kustomization
    #[arg(long, env = "LEAFCRYPT_ROOT_ONLY", hide_env_values = true, value_parser = FalseyValueParser::new())]
    root_only: bool,

    /// Put placeholders for the encrypted values: no key is needed, and the output is always the same
    #[arg(long, env = "LEAFCRYPT_PLACEHOLDER", hide_env_values = true, value_parser = FalseyValueParser::new())]
    placeholder: bool,

    /// Render the working folder as a config-management plugin of Argo CD: a kustomization, a Helm chart, or plain manifests
    #[arg(long, conflicts_with = "manifest")]
    argocd: bool,

    /// How many files are decrypted at once
    #[arg(
        long,
        value_name = "NUMBER",
        env = "KSOPS_CONCURRENCY_LIMIT",
        hide_env_values = true,
        default_value_t = CONCURRENCY,
        value_parser = concurrency
    )]
    concurrency: NonZero<usize>,

    #[command(flatten)]
    keys: KeyArgs,

    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    Install(Install),
}

/// Copy this program into a folder under the name ksops
///
/// For an init container without a shell.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  leafcrypt kustomize install /custom-tools                   as /custom-tools/ksops
  leafcrypt kustomize install --with-kustomize /custom-tools  and kustomize beside it")]
struct Install {
    /// Copy the kustomize of the PATH as well
    #[arg(long)]
    with_kustomize: bool,

    /// The folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// An empty variable says nothing.
fn concurrency(text: &str) -> std::result::Result<NonZero<usize>, &'static str> {
    if text.is_empty() { Ok(CONCURRENCY) } else { text.parse().map_err(|_| "it is a number, 1 or more") }
}

pub(super) fn run(args: Args) -> Result<()> {
    if let Some(Action::Install(install)) = args.action {
        return self::install(&install);
    }
    let root = if args.root_only || args.argocd { Some(sys::working_folder()?) } else { None };
    let plugin =
        Plugin { keyring: args.keys.keyring()?, root, placeholder: args.placeholder, concurrency: args.concurrency };
    let rendered = match &args.manifest {
        None if args.argocd => argocd::render(&plugin, &sys::working_folder()?, &Environment::of_process())?,
        Some(manifest) => legacy::run(&plugin, read(manifest)?, &manifest.display().to_string(), stream)?,
        None if sys::stdin_is_terminal() => {
            return Err(Error::new(Kind::NoFile, "there is no manifest and no ResourceList")
                .hint("leafcrypt kustomize GENERATOR.yaml")
                .hint("kustomize build --enable-alpha-plugins --enable-exec FOLDER, which runs this by itself"));
        }
        None => krm::run(&plugin, read(Path::new("-"))?)?,
    };
    report::warnings(&rendered.warnings);
    output::print(rendered.text.expose())
}

/// The resources that a transformer is given; none when nobody gives any.
fn stream() -> Result<Option<String>> {
    if sys::stdin_is_terminal() {
        return Ok(None);
    }
    read(Path::new("-")).map(Some)
}

fn read(path: &Path) -> Result<String> {
    String::from_utf8(sys::read_input(path)?)
        .map_err(|_| Error::new(Kind::Format, "the text is not UTF-8").in_file(path.display().to_string()))
}

fn install(install: &Install) -> Result<()> {
    let this = std::env::current_exe()
        .map_err(|error| Error::new(Kind::ReadInput, "this program does not know where it is").because(error))?;
    let mut programs = vec![(this, "ksops")];
    if install.with_kustomize {
        let kustomize = sys::find_program("kustomize", &sys::Environment::of_process()).ok_or_else(|| {
            Error::new(Kind::ReadInput, "there is no kustomize on the PATH").hint("leave --with-kustomize away")
        })?;
        programs.push((kustomize, "kustomize"));
    }
    for (program, name) in programs {
        let to = install.folder.join(name);
        // A copy onto itself would leave nothing of it.
        if to.canonicalize().is_ok_and(|to| program.canonicalize().is_ok_and(|program| program == to)) {
            report::note(&format!("{} is this program", to.display()));
            continue;
        }
        std::fs::copy(&program, &to).map_err(|error| {
            let problem = Error::new(Kind::WriteOutput, format!("{} cannot be written", to.display())).because(error);
            let hint = format!("mkdir -p {}", sys::quoted(&install.folder));
            if install.folder.exists() { problem } else { problem.hint(hint) }
        })?;
        report::note(&format!("installed {}", to.display()));
    }
    Ok(())
}
