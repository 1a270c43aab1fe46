//! `leafcrypt completion`, and the values that a shell completes.
//!
//! The scripts ask the program itself (`COMPLETE=SHELL leafcrypt …`), so that they know every command and flag
//! of the version that is installed, the files, the key paths of the file that is named, and the recipients of
//! the rules. Completers are put on arguments by what these are called, here alone: a new command gets them by itself.

mod bash;

use super::output;
use crate::config::Config;
use crate::document::{Document, EntryId, Kind as Type};
use crate::error::{Error, Kind, Result};
use crate::format;
use crate::key::registry;
use crate::sys;
use clap::Command;
use clap_complete::engine::ValueCompleter;
use clap_complete::env::{Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use clap_complete::{ArgValueCompleter, CompleteEnv, CompletionCandidate, PathCompleter};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Completions are offered for so much of a file; a shell waits for them.
const LARGEST: u64 = 16 << 20;
/// No more are offered.
const MOST: usize = 500;
/// The variable by which a script asks for completions.
const VARIABLE: &str = "COMPLETE";
/// The shells that can ask.
const SHELLS: Shells<'static> = Shells(&[&bash::Bash, &Elvish, &Fish, &Powershell, &Zsh]);

/// Print the completion script of a shell
///
/// The script asks leafcrypt itself, so it stays right when leafcrypt is updated.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  source <(leafcrypt completion bash)               in ~/.bashrc
  source <(leafcrypt completion zsh)                in ~/.zshrc
  leafcrypt completion fish | source                in ~/.config/fish/config.fish
  leafcrypt completion powershell | Out-String | Invoke-Expression

Under another name, such as a link called sops, it prints the script for that name.")]
pub(super) struct Args {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish", "powershell", "elvish"])]
    shell: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let Some(shell) = &args.shell else { return super::print_help("completion") };
    let called = std::env::args_os().next().map(PathBuf::from);
    let name = called.as_deref().and_then(Path::file_stem).and_then(OsStr::to_str).unwrap_or("leafcrypt");
    output::print(&script(shell, name)?)
}

/// The script by which `shell` completes the program called `name`.
///
/// # Errors
/// When the shell is not known.
pub fn script(shell: &str, name: &str) -> Result<Vec<u8>> {
    let unknown = || Error::new(Kind::Generic, format!("there is no completion for {shell}"));
    let mut script = Vec::new();
    let completer = SHELLS.completer(shell).ok_or_else(unknown)?;
    completer
        .write_registration(VARIABLE, &name.replace(['-', '.'], "_"), name, name, &mut script)
        .map_err(|error| unknown().because(error))?;
    Ok(script)
}

/// Answers a shell that asks for completions, and does not return then.
pub(super) fn answer(command: fn() -> Command) {
    CompleteEnv::with_factory(move || with_completers(command())).var(VARIABLE).shells(SHELLS).complete();
}

/// Puts completers on all arguments that are called like something that is known here.
fn with_completers(command: Command) -> Command {
    let recipients = |flag: &str| {
        let flag = flag.strip_prefix("add-").or_else(|| flag.strip_prefix("rm-")).unwrap_or(flag);
        registry::backends().iter().find(|backend| backend.flag() == flag).map(|backend| backend.name())
    };
    command
        .mut_args(|arg| {
            if let Some(back_end) = arg.get_long().and_then(recipients) {
                return arg.add(values(move |current| known_recipients(back_end, current)));
            }
            match arg.get_long() {
                Some("decryption-order") => return arg.add(values(kinds_of_keys)),
                Some("user") => return arg.add(values(users)),
                _ => {}
            }
            let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
            match value.as_deref() {
                Some("PATH") => arg.add(values(key_paths)),
                Some("FILE" | "FILES" | "NAME" | "MANIFEST") => {
                    arg.add(values(|current| PathCompleter::any().complete(current)))
                }
                Some("FOLDER") => arg.add(values(|current| PathCompleter::dir().complete(current))),
                _ => arg,
            }
        })
        .mut_subcommands(with_completers)
}

/// Offers what `candidates` gives and a line can take. It is of others: what is in a repository, and in its files.
fn values(candidates: impl Fn(&OsStr) -> Vec<CompletionCandidate> + Send + Sync + 'static) -> ArgValueCompleter {
    // PowerShell's script puts on the line what it is given, without quotes.
    let is_bare = std::env::var_os(VARIABLE).is_some_and(|shell| Powershell.is(&shell.to_string_lossy()));
    let is_fit = move |c: char| match is_bare {
        true => c.is_alphanumeric() || "_-./\\:+=".contains(c),
        false => !c.is_control(),
    };
    ArgValueCompleter::new(move |current: &OsStr| {
        let mut fit = candidates(current);
        fit.retain(|candidate| candidate.get_value().to_string_lossy().chars().all(is_fit));
        fit
    })
}

/// A list, as far as its last comma, and what stands behind that.
fn last_of_list(given: &str) -> (&str, &str) {
    given.rfind(',').map_or(("", given), |comma| given.split_at(comma + 1))
}

/// The kinds of keys, each once in a list.
fn kinds_of_keys(current: &OsStr) -> Vec<CompletionCandidate> {
    let given = current.to_string_lossy();
    let (before, last) = last_of_list(&given);
    let kinds = registry::backends().iter().map(|backend| backend.name());
    kinds
        .filter(|kind| kind.starts_with(last) && !before.split(',').any(|named| named == *kind))
        .map(|kind| CompletionCandidate::new(format!("{before}{kind}")))
        .collect()
}

/// The users of this machine.
fn users(current: &OsStr) -> Vec<CompletionCandidate> {
    let given = current.to_string_lossy();
    let known = sys::user_names().into_iter().filter(|name| name.starts_with(&*given));
    known.map(CompletionCandidate::new).collect()
}

/// The recipients of the rules that are in force here.
fn known_recipients(back_end: &str, current: &OsStr) -> Vec<CompletionCandidate> {
    let given = current.to_string_lossy();
    let (before, last) = last_of_list(&given);
    let Ok(folder) = std::env::current_dir() else { return Vec::new() };
    let Some(config) = Config::find(None, &folder).path.and_then(|path| Config::load(&path).ok()) else {
        return Vec::new();
    };
    let groups = config.creation_rules.iter().flatten().flat_map(|rule| &rule.key_groups);
    let mut known: Vec<&str> = groups
        .flat_map(|group| &group.recipients)
        .filter(|recipient| recipient.back_end == back_end && recipient.text.starts_with(last))
        .map(|recipient| recipient.text.as_str())
        .collect();
    known.sort_unstable();
    known.dedup();
    known.into_iter().take(MOST).map(|text| CompletionCandidate::new(format!("{before}{text}"))).collect()
}

/// The key paths of the file that is named on the command line, a step further than what is typed. Keys are
/// not encrypted, so no identity is needed.
fn key_paths(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(document) = named_file().and_then(|path| index(&path)) else { return Vec::new() };
    let typed = current.to_string_lossy();
    let mut found = Vec::new();
    for &root in document.roots() {
        offer(&document, root, &typed, &mut found);
    }
    found.sort();
    found.dedup();
    found.into_iter().take(MOST).map(CompletionCandidate::new).collect()
}

/// Goes down along what is typed, and offers the children of where that ends.
fn offer(document: &Document, from: EntryId, typed: &str, found: &mut Vec<String>) {
    let mut level = vec![from];
    let blocks: Vec<EntryId> = format::ALL.iter().flat_map(|format| format.metadata_entries(document)).collect();
    while let Some(container) = level.pop() {
        for child in document.children(container).filter(|child| !blocks.contains(child)) {
            let path = match typed.chars().next() {
                Some('[') => document.path_of_sops(child),
                Some('/') => document.pointer(child),
                _ => document.path(child),
            };
            if path.starts_with(typed) {
                found.push(path);
            } else if typed.starts_with(&path) && document.entry(child).kind() != Type::Comment {
                level.push(child);
            }
        }
    }
}

/// The last word of the command line that is a file.
fn named_file() -> Option<PathBuf> {
    let unquoted = |word: &OsStr| PathBuf::from(bash::unquote(&word.to_string_lossy()).0);
    let words: Vec<_> = std::env::args_os().skip(3).collect();
    words.iter().rev().flat_map(|word| [PathBuf::from(word), unquoted(word)]).find(|word| word.is_file())
}

fn index(path: &Path) -> Option<Document> {
    let is_small = path.metadata().is_ok_and(|facts| facts.len() <= LARGEST);
    let format = format::by_file_name(&path.to_string_lossy()).filter(|_| is_small)?;
    format.index_bytes(sys::read_input(path).ok()?).ok()
}
