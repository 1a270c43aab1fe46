//! The ciphers: what turns a leaf into a token and back, and the MAC over all of them.
//!
//! Owns: AES-256-GCM as sops uses it, the token's form, the MAC, Shamir's secret sharing. Must not
//! know: documents, formats, recipients.

mod any_nonce;
pub mod mac;
pub mod shamir;
mod token;

pub use mac::Mac;
pub use token::{Cipher, NONCE_SIZE, Nonce, Rejected, TOKEN_START, Token};
