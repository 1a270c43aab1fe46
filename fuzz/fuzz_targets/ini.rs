//! Law 1 for INI.

#![no_main]

mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::check("ini", bytes));
