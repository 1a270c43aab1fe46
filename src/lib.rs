//! leafcrypt keeps secrets in Git: it encrypts the leaf values of a file in sops' format and gives the
//! file back byte for byte.
//!
//! The rooms, lowest floor first; each imports only lower ones, and a test keeps it so:
//!
//! 0. [`error`], [`secret`], [`trace`], [`event`], [`sys`]: failures, bytes that wipe themselves, what `--verbose` shows, what
//!    the audit hears, the platform
//! 1. [`document`], [`pattern`]: the indexed text, Go's regular expressions
//! 2. [`crypto`], [`mod@format`], [`key`]: the ciphers; YAML, JSON, dotenv, INI and binary; the key back ends
//! 3. [`metadata`], [`audit`]: the typed `sops` block; who does what with which file
//! 4. [`seal`], [`config`], [`mod@publish`]: which leaves, encrypt, decrypt, verify; `.sops.yaml`; the places of published files
//! 5. [`ops`]: what each command does, with no argument parsing and no printing
//! 6. [`kustomize`]: resources for kustomize, as KSOPS makes them
//! 7. [`cli`]: arguments, help, messages

pub mod audit;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod document;
pub mod error;
pub mod event;
pub mod format;
pub mod key;
pub mod kustomize;
pub mod metadata;
pub mod ops;
pub mod pattern;
pub mod publish;
pub mod seal;
pub mod secret;
pub mod sys;
pub mod trace;

pub use error::{Error, Result};
