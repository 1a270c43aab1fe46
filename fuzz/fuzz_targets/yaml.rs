//! Law 1 for YAML.

#![no_main]

mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::check("yaml", bytes));
