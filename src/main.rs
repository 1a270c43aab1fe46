//! The `leafcrypt` program.

fn main() {}
