//! Law 1 for JSON.

#![no_main]

mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::check("json", bytes));
