//! `exec-env`, `exec-file` and `exec-dir`: a command that gets the values of a document, as variables, as a file or as a
//! folder of files.
//!
//! Owns: what the command gets, as whom it runs, and that nothing of it is left afterwards. The plaintext is in memory
//! alone: of this process and of the command, in a pipe, or in a private folder. Must not know: argument syntax, what is
//! printed.

mod content;
mod run;
mod values;

pub use content::{Content, FILE_NAME, Opened, file, folder, variables};
pub use run::{Outcome, Run};
