//! `leafcrypt helm`.

use super::args::KeyArgs;
use super::{output, report};
use crate::error::Result;
use crate::ops::helm;
use crate::sys::{self, Environment};
use clap::builder::FalseyValueParser;
use std::path::PathBuf;

/// Let Helm read encrypted values files: helm template -f secrets://values.enc.yaml
///
/// A plugin of Helm that decrypts in a pipe; nothing is written to a disk. Without one: `leafcrypt exec-file values.enc.yaml
/// 'helm template . -f {}'`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  leafcrypt helm install
  helm upgrade --install shop ./chart -f secrets://values.enc.yaml
  leafcrypt helm download secrets://values.enc.yaml    what Helm gets")]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    Install(Install),
    Download(Download),
}

/// Install the plugin
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  leafcrypt helm install                where Helm looks for plugins
  leafcrypt helm install /helm-plugins  for HELM_PLUGINS=/helm-plugins, in an image")]
struct Install {
    /// The folder of the plugins (default: that of Helm, which HELM_PLUGINS names)
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Print the plaintext that a URL stands for, as a downloader of Helm
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt helm download [OPTIONS] [CERTIFICATE KEY AUTHORITY] URL",
    after_help = "\
Examples:
  leafcrypt helm download secrets://values.enc.yaml
  leafcrypt helm download --root-only secrets://values.enc.yaml"
)]
struct Download {
    /// secrets://FILE; Helm gives three words before it, which mean nothing here
    #[arg(value_name = "URL", required = true, num_args = 1..)]
    words: Vec<String>,

    /// Refuse files outside of the working folder
    #[arg(long, env = "LEAFCRYPT_ROOT_ONLY", hide_env_values = true, value_parser = FalseyValueParser::new())]
    root_only: bool,

    #[command(flatten)]
    keys: KeyArgs,
}

pub(super) fn run(args: Args) -> Result<()> {
    match args.action {
        None => super::print_help("helm"),
        Some(Action::Install(args)) => install(args),
        Some(Action::Download(args)) => download(args),
    }
}

fn install(args: Install) -> Result<()> {
    let environment = Environment::of_process();
    let plugin = helm::install(args.folder.as_deref(), &environment)?;
    report::note(&format!("installed {}", environment.show(&plugin)));
    if sys::find_program("leafcrypt", &environment).is_none() {
        report::warnings(&["leafcrypt is in no folder of PATH, where the plugin looks for it".to_owned()]);
    }
    Ok(())
}

fn download(args: Download) -> Result<()> {
    let url = args.words.last().map(String::as_str).unwrap_or_default();
    let root = if args.root_only { Some(sys::working_folder()?) } else { None };
    let decrypted = helm::download(url, root.as_deref(), &args.keys.keyring()?)?;
    report::warnings(&decrypted.warnings);
    output::print(decrypted.plaintext.expose())
}
