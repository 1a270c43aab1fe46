//! Resources for kustomize: the contract of KSOPS, and what goes beyond it.
//!
//! Owns: generators (`apiVersion: viaduct.ai/v1`, `kind: ksops`), the two protocols by which kustomize runs a
//! plugin ([`krm`] and [`legacy`]), decrypting resources that are in the stream already, and placeholders for
//! where there are no keys. Must not know: arguments, and how anything is printed; the output is handed back
//! whole, so that a failure leaves nothing half-written.
//!
//! Source: `ksops.go` of KSOPS 4.4, and kustomize's description of exec KRM functions and exec plugins.

pub mod argocd;
mod dotenv;
mod generator;
pub mod krm;
pub mod legacy;
mod resource;
mod secret;
mod stream;

use crate::error::{Error, Result};
use crate::key::Keyring;
use crate::ops::decrypt::{Decrypt, decrypt};
use crate::ops::{self, Source};
use crate::secret::SecretBytes;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// So many files are decrypted at once, as in KSOPS; most of the time they wait for a key service.
pub const CONCURRENCY: NonZero<usize> = NonZero::new(20).unwrap();

/// How plugins run.
pub struct Plugin {
    /// The keys; one keyring for all files.
    pub keyring: Keyring,
    /// The folder that files must be in, symbolic links resolved; `None` for anywhere.
    pub root: Option<PathBuf>,
    /// Whether values become placeholders, for which no key is needed.
    pub placeholder: bool,
    /// How many files are decrypted at once.
    pub concurrency: NonZero<usize>,
}

/// What came out.
pub struct Rendered {
    /// The text to write.
    pub text: SecretBytes,
    /// What the user should know though nothing failed.
    pub warnings: Vec<String>,
}

/// A file that a generator names.
struct File {
    path: PathBuf,
    /// The field that names it: `secretFrom[0].files[1]`.
    field: String,
}

impl Plugin {
    /// Decrypts `files` at the same time; the results are in their order.
    ///
    /// # Errors
    /// When any fails: of each that does, the reason in full.
    fn decrypt_all(&self, generator: &str, files: &[File], warnings: &mut Vec<String>) -> Result<Vec<SecretBytes>> {
        let done = Mutex::new(Vec::with_capacity(files.len()));
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(file) = files.get(at) else { return };
                let outcome = self.decrypt_file(&file.path);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((at, outcome));
            }
        };
        let threads = self.concurrency.get().min(files.len());
        if threads < 2 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            });
        }
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(at, _)| *at);
        let mut failures = Vec::new();
        let mut texts = Vec::with_capacity(files.len());
        for (at, outcome) in done {
            match outcome {
                Ok((text, more)) => {
                    let shown = files[at].path.display();
                    warnings.extend(more.into_iter().map(|warning| format!("{shown}: {warning}")));
                    texts.push(text);
                }
                Err(error) => {
                    let shown = files[at].path.display().to_string();
                    failures.push(error.in_file(shown).because(format!("{generator} names it in {}", files[at].field)));
                }
            }
        }
        match failures.len() {
            0 => Ok(texts),
            1 => Err(failures.remove(0)),
            count => Err(all(&failures, count, files.len())),
        }
    }

    fn decrypt_file(&self, path: &Path) -> Result<(SecretBytes, Vec<String>)> {
        if let Some(root) = &self.root {
            ops::require_inside(path, root)?;
        }
        let source = Source::at(path.to_owned());
        if self.placeholder {
            return ops::placeholder::placeholder(&source).map(|text| (text, Vec::new()));
        }
        let request = Decrypt::whole(source);
        decrypt(&request, &self.keyring).map(|decrypted| (decrypted.plaintext, decrypted.warnings))
    }
}

/// Several failures as one. What to do is said for the first of them: it is mostly the same for the others.
fn all(failures: &[Error], count: usize, of: usize) -> Error {
    let summary = Error::new(failures[0].kind(), format!("{count} of {of} files could not be decrypted"));
    let summary = failures.iter().fold(summary, Error::because);
    failures[0].typed_hints().fold(summary, |summary, hint| summary.hint(hint))
}
