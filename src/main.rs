//! The `leafcrypt` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    leafcrypt::cli::run(std::env::args_os())
}

/// The one function of the C library's mathematics that anything here calls, for the waits between tries and for progress
/// bars. With it comes a library that the loader finds, maps and relocates at each start: see `build/main.rs`.
#[cfg(own_pow)]
// SAFETY: it is what C says of `pow`, and no other object of the program has one.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}
