//! The platform: files, the process, the terminal.
//!
//! Owns: everything that differs between systems, behind `cfg`; nothing else in the code knows which
//! system it runs on. Must not know: what is in the bytes that it reads and writes.

mod child;
#[cfg(feature = "audit-postgres")]
mod database;
mod environment;
mod fifo;
mod file;
mod folder;
mod log;
mod machine;
mod private;
mod process;
mod prompt;
mod replace;
mod run;
#[cfg(feature = "keyservice")]
mod socket;
mod terminal;
mod user;

pub use child::{Answer, Ended, Signal, Signals};
#[cfg(feature = "audit-postgres")]
pub(crate) use database::name_of_host;
pub use environment::Environment;
pub(crate) use environment::{change_variables, give_originals};
pub use fifo::Fifo;
pub use file::{
    MAX_INPUT, create_new_private, create_private_folder, is_stdin, is_stdout, link, make_runnable, open_large,
    read_input, working_folder,
};
pub use folder::{Below, files_and_links_below, files_below};
pub use log::{append, send_datagram};
pub use machine::{Cloud, cloud, host_name};
pub use private::{PRIVATE_FOLDER_VARIABLE, PrivateFolder};
pub use process::{BROKEN_PIPE, command, find_program, harden};
pub use prompt::{NoAnswer, ask_line, ask_secret, tell};
pub use replace::{create_file, replace_file, replace_file_if, require_replaceable};
pub use run::{Back, Program, Side, detach, replace_process, variable_text};
#[cfg(feature = "keyservice")]
pub use socket::{LocalIncoming, LocalListener, LocalStream};
pub use terminal::{is_interactive, stdin_is_terminal, terminal_name};
pub use user::{User, user_names, who};

/// `path` as a word of the shell, for a command to type.
pub(crate) fn quoted(path: &std::path::Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}
