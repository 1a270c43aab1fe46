//! Has the optimized program linked so that it starts quickly, on the target where that is measured.
//!
//! A small job takes 1.7 ms, most of them for what the loader and the system map. Three things take a fifth of that
//! away, and two fifths of the memory (`benches/startup.py`):
//!
//! - The functions that small jobs run are put side by side, as `hot.ld` lists them: some 1,200 of 27,000. Each one
//!   that stands alone has the system map 64 KiB and more around itself. `benches/layout.py` makes the list; a name in it
//!   that is no longer in the program places nothing.
//! - The unwinder is linked in, and
//! - `pow` is that of the crate `libm` (`src/main.rs`). So the loader has two libraries less to find and to relocate.
//!
//! Where the compiler, the linker or the target is another one than usual, all is linked as usual.

#![allow(clippy::print_stdout)] // that is how cargo is told

use std::env;
use std::path::Path;
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What `.cargo/config.toml` says; `cargo install` does not read that.
const READABLE_NAMES: &str = "-Csymbol-mangling-version=v0";

fn main() {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rustc-check-cfg=cfg(own_pow)");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|set| set == value);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if !is("PROFILE", "release")
        || !is("TARGET", TARGET)
        || !is("HOST", TARGET)
        || env::var_os("RUSTC_LINKER").is_some_and(|linker| !linker.is_empty())
        || ![READABLE_NAMES, ""].contains(&flags.as_str())
    {
        return;
    }
    println!("cargo:rustc-cfg=own_pow");
    if has_library("libgcc_eh.a") {
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
    if flags == READABLE_NAMES {
        let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        println!("cargo:rustc-link-arg-bin=leafcrypt=-T{folder}/build/hot.ld");
    }
}

/// Whether the C compiler, by which Rust's links, has this library.
fn has_library(name: &str) -> bool {
    let found = Command::new("cc").arg(format!("-print-file-name={name}")).output();
    found.is_ok_and(|found| Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_absolute())
}
