//! What each command does.
//!
//! Owns: the order of the steps, from a typed request to a typed outcome, one file per command. Must not
//! know: argument syntax, and how an outcome is shown; nothing here prints. Documents are handed back to
//! be written by whoever asked, so that no step can leave half a result on a disk.

mod block;
pub mod decrypt;
pub mod edit;
pub mod encrypt;
pub mod exec;
pub mod filestatus;
pub mod groups;
pub mod helm;
pub mod init;
pub mod keygen;
mod manifest;
pub mod placeholder;
pub mod publish;
mod recipients;
pub mod rotate;
mod rules;
pub mod sealed_secret;
mod secret_data;
pub mod set;
mod source;
mod unsealed;
pub mod updatekeys;

pub use recipients::{Given, GroupPlan, Plan};
pub use rules::Rules;
pub use source::{Source, Version, holds_token, looks_encrypted, require_inside, stanzas_of};
pub use unsealed::Unsealed;
