//! The ciphers: tokens, MAC, Shamir.

pub mod shamir;
