//! Law 1 for dotenv.

#![no_main]

mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::check("dotenv", bytes));
