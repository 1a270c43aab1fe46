//! The key service: keys that another process has, asked over gRPC, and this process' keys for others.
//!
//! Owns: the messages of sops' key service, its client and its server. Must not know: how a kind of key wraps (the back
//! ends do), files, key groups.
//!
//! There is no encryption and no password on the way, as in sops: a key service is for one machine, or behind a tunnel.
//!
//! Source: `keyservice/keyservice.proto`, `keyservice/server.go` and `cmd/sops/main.go` of sops 3.11.

mod client;
mod server;
mod wire;

pub use client::connect;
pub use server::Server;

use super::remote::{Limits, Refusal, cause, wait_for};
use crate::error::{Error, Kind, Result};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// More than any message about one key has.
const LONGEST: usize = 1 << 20;
const ENCRYPT: &str = "/KeyService/Encrypt";
const DECRYPT: &str = "/KeyService/Decrypt";

/// Where a key service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host and a port.
    Tcp(String),
    /// A local socket.
    Unix(PathBuf),
}

impl Address {
    /// Reads `tcp://HOST:PORT` or `unix:///PATH`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(Kind::Generic, format!("not the address of a key service: {text:?}"))
                .hint("write it as tcp://HOST:PORT or unix:///PATH")
        };
        match text.trim().split_once(':') {
            Some(("tcp" | "tcp4" | "tcp6", rest)) => {
                let host = rest.strip_prefix("//").ok_or_else(wrong)?.trim_end_matches('/');
                if host.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()) {
                    // To sops it is every network, and anybody who gets there may open files.
                    let hint = format!(
                        "name the host as well: 127.0.0.1{host} for this machine, 0.0.0.0{host} for all networks"
                    );
                    return Err(Error::new(Kind::Generic, format!("the address has no host: {text:?}")).hint(hint));
                }
                let is_port = |(name, port): (&str, &str)| !name.is_empty() && port.parse::<u16>().is_ok();
                let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]%".contains(c);
                let right = host.rsplit_once(':').is_some_and(is_port) && host.chars().all(is_host);
                right.then(|| Address::Tcp(host.to_owned())).ok_or_else(wrong)
            }
            Some(("unix", rest)) => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                path.starts_with('/').then(|| Address::Unix(path.into())).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host) => write!(f, "tcp://{host}"),
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Address::Tcp(address.to_string())
    }
}

/// So long may a key service take, when nothing else is said: somebody may have to confirm there.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_sops() {
        for (text, expected) in [
            ("tcp://127.0.0.1:5000", "tcp://127.0.0.1:5000"),
            (" tcp://keys.example:5000/ ", "tcp://keys.example:5000"),
            ("tcp://[::1]:5000", "tcp://[::1]:5000"),
            ("unix:///run/sops.sock", "unix:///run/sops.sock"),
            ("unix:/run/sops.sock", "unix:///run/sops.sock"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), expected);
        }
        for wrong in ["", "x", "127.0.0.1:5000", "tcp://host", "tcp://a b:1", "tcp://a/b:1", "http://a:1", "unix://a"] {
            let error = Address::parse(wrong).unwrap_err();
            assert!(error.hints()[0].contains("unix:///PATH"), "{wrong}");
        }
        assert!(Address::parse("tcp://:5000").unwrap_err().hints()[0].contains("127.0.0.1:5000 for this machine"));
    }
}
