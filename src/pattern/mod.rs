//! Go's regular expressions (RE2, package `regexp/syntax`) on Rust's engine.
//!
//! Owns: what a pattern in `.sops.yaml`, in a file's metadata or behind a flag means. These were written
//! for Go, whose dialect is close to Rust's but not the same: `\d` is ASCII there, `[[a]` is a class of
//! two characters, `\<` is a `<`, `a{,2}` is literal text. `translate` reads a pattern exactly as Go
//! does, refuses what Go refuses, and spells the rest out for Rust so that nothing is left to interpretation.
//! Must not know: where a pattern comes from, nor what it is matched against.
//!
//! The grammar is that of <https://pkg.go.dev/regexp/syntax> with the flag `Perl`.

mod translate;

use crate::error::{Error, Kind, Result};
use std::fmt;

/// How much memory one compiled pattern may take. Go allows programs of 128 MiB; `\pL{1000}` needs about 20.
const SIZE_LIMIT: usize = 64 << 20;

/// A compiled pattern in Go's syntax.
///
/// ```
/// use leafcrypt::pattern::Pattern;
/// let pattern = Pattern::new(r"^(data|stringData)$")?;
/// assert!(pattern.is_match("data"));
/// assert!(!pattern.is_match("metadata"));
/// // As in Go, a digit is one of 0 to 9.
/// assert!(!Pattern::new(r"\d")?.is_match("٣"));
/// # Ok::<(), leafcrypt::Error>(())
/// ```
#[derive(Clone)]
pub struct Pattern {
    source: String,
    regex: regex::Regex,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When Go would not compile it, or when it is too large for memory.
    pub fn new(source: &str) -> Result<Self> {
        let translated = translate::translate(source).map_err(|refusal| refusal.into_error(source))?;
        let regex = regex::RegexBuilder::new(&translated)
            .size_limit(SIZE_LIMIT)
            .nest_limit(translate::RUST_NEST_LIMIT)
            .build()
            .map_err(|error| too_large(source, &error))?;
        Ok(Pattern { source: source.to_owned(), regex })
    }

    /// Checks the syntax, which is much cheaper than compiling.
    ///
    /// # Errors
    /// When Go would not compile it.
    pub fn check(source: &str) -> Result<()> {
        translate::translate(source).map(drop).map_err(|refusal| refusal.into_error(source))
    }

    /// Whether the pattern matches anywhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.source).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// What the engine may still refuse in a translated pattern: its size.
fn too_large(source: &str, error: &regex::Error) -> Error {
    let error_text = match error {
        regex::Error::CompiledTooBig(limit) => format!("it needs more than {} MiB of memory", limit >> 20),
        other => other.to_string(),
    };
    Error::new(Kind::Generic, format!("the regular expression {} cannot be compiled", quote(source)))
        .because(error_text)
        .hint("make its repetition counts smaller")
}

/// The pattern for a message: short, on one line.
fn quote(pattern: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown: String = pattern.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if pattern.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests;
