//! Shamir.
