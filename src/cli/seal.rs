//! `leafcrypt seal`.

use super::args::{self, InputArgs, Job, KeyArgs, OutputArgs};
use crate::error::{Error, Kind, Result};
use crate::ops::sealed_secret::{self, Scope, Seal};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;

/// Turn a Secret into a SealedSecret, for the Sealed Secrets of Bitnami
///
/// Works without a cluster: all that it needs is the controller's certificate. The Secret is decrypted in memory;
/// one that is not encrypted is taken as it is.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  kubeseal --fetch-cert > cert.pem
  leafcrypt seal --cert cert.pem --namespace prod secret.enc.yaml > sealed.yaml
  leafcrypt seal --cert cert.pem --scope cluster-wide secret.enc.yaml | kubectl apply -f -")]
pub(super) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    keys: KeyArgs,

    /// Write the SealedSecret to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The controller's certificate
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,

    /// Where it may be unsealed; without this, where the Secret's annotations say
    #[arg(long, value_name = "SCOPE", value_parser = scope_parser())]
    scope: Option<Scope>,

    /// The namespace of Secrets that name none
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
}

fn scope_parser() -> impl TypedValueParser<Value = Scope> {
    const SCOPES: [(&str, Scope); 3] =
        [("strict", Scope::Strict), ("namespace-wide", Scope::NamespaceWide), ("cluster-wide", Scope::ClusterWide)];
    PossibleValuesParser::new(SCOPES.map(|(name, _)| name)).try_map(|given| {
        SCOPES.into_iter().find(|(name, _)| *name == given).map(|(_, scope)| scope).ok_or("there is no such scope")
    })
}

pub(super) fn run(args: Args) -> Result<()> {
    if args.input.files.len() > 1 {
        return Err(Error::new(Kind::ConflictingArguments, "one Secret is sealed at a time")
            .hint("for FILE in secrets/*; do leafcrypt seal --cert CERTIFICATE \"$FILE\"; echo ---; done"));
    }
    let Job { source, destination } = args::only_job(args.input, &OutputArgs::of_file(args.output))?;
    let request = Seal { source, certificate: args.cert, scope: args.scope, namespace: args.namespace };
    destination.watch().write(sealed_secret::seal(&request, &args.keys.keyring()?)?.as_bytes())
}
