//! `leafcrypt keyservice`, and the options of other commands that name key services.

use super::report;
use crate::error::{Error, Kind, Result};
use crate::key::service::{self, Address, Server};
use crate::key::{Environment, Keyring};
use crate::sys::Signals;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

/// Serve the keys of this machine to other processes
///
/// They wrap and open data keys by it and need no keys of their own: leafcrypt and sops with --keyservice. Whoever
/// reaches the address can use the keys. A socket of --network unix is for your own user alone.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  leafcrypt keyservice --network unix --address ~/.sops.sock
  leafcrypt keyservice --prompt                    on 127.0.0.1:5000; asks before each use
  ssh -R /tmp/sops.sock:$HOME/.sops.sock server    your keys on a server, while you are there
  leafcrypt decrypt --keyservice unix:///tmp/sops.sock FILE")]
pub(super) struct Args {
    /// The kind of address
    #[arg(long, visible_alias = "net", value_name = "NETWORK", default_value = "tcp", value_parser = PossibleValuesParser::new(["tcp", "unix"]))]
    network: String,

    /// Where to listen: HOST:PORT, or the path of a socket
    #[arg(long, visible_alias = "addr", value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    address: String,

    /// Ask on the terminal before each use of a key
    #[arg(long)]
    prompt: bool,
}

pub(super) fn run(args: Args) -> Result<()> {
    let failed = |error: std::io::Error| Error::new(Kind::Generic, "signals cannot be caught").because(error);
    let asked = match args.network.as_str() {
        "unix" => {
            let named = |error| {
                Error::new(Kind::Generic, format!("the key service cannot listen at unix://{}", args.address))
                    .because(error)
                    .hint("name a socket: --address ~/.sops.sock")
            };
            Address::Unix(std::path::absolute(PathBuf::from(&args.address)).map_err(named)?)
        }
        _ => Address::parse(&format!("tcp://{}", args.address))?,
    };
    let mut signals = Signals::catch().map_err(failed)?;
    let server = Server::listen(&asked, Keyring::of_process(), args.prompt)?;
    let address = server.address(&asked);
    if server.is_open_to_others() {
        report::warnings(&[format!(
            "whoever reaches {address} can use your keys: there is no password and no encryption"
        )]);
    }
    report::note(&format!("listening at {address}; Ctrl-C ends it"));
    server.serve(|| drop(signals.wait_for_end()))
}

/// Which key services are asked, and whether this machine's own keys are.
#[derive(clap::Args)]
pub(super) struct KeyServiceArgs {
    /// Ask this key service for what the keys of this machine do not do; may be given several times
    #[arg(
        long = "keyservice",
        value_name = "URI",
        env = "SOPS_KEYSERVICE",
        hide_env_values = true,
        value_delimiter = ',',
        help_heading = "Key services"
    )]
    services: Vec<String>,

    /// Use the keys of this machine
    #[arg(
        long = "enable-local-keyservice",
        value_name = "BOOL",
        env = "SOPS_ENABLE_LOCAL_KEYSERVICE",
        hide_env_values = true,
        num_args = 0..=1,
        require_equals = true,
        default_value = "true",
        default_missing_value = "true",
        value_parser = read_switch,
        action = clap::ArgAction::Set,
        help_heading = "Key services"
    )]
    local: bool,
}

/// Reads a switch as Go does. An empty variable says nothing.
fn read_switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "" | "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("value was not a boolean"),
    }
}

impl KeyServiceArgs {
    /// `keyring` with these services.
    pub(super) fn onto(self, keyring: Keyring) -> Result<Keyring> {
        let named = self.services.iter().filter(|uri| !uri.trim().is_empty());
        let environment = Environment::of_process();
        let services = named.map(|uri| Ok(service::connect(Address::parse(uri)?, &environment)));
        Ok(keyring.with_services(self.local, services.collect::<Result<_>>()?))
    }
}
