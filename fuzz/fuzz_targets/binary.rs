//! Law 1 for binary files.

#![no_main]

mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::check("binary", bytes));
