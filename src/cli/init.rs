//! `leafcrypt init`.

use super::recipients::RecipientArgs;
use super::{output, report};
use crate::error::Result;
use crate::key::Environment;
use crate::ops::init::{self, Done, Example, Init, Step};
use crate::ops::keygen::Outcome;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Set up a folder: an identity, and a .sops.yaml with rules for it
///
/// Makes what is missing and leaves alone what is there; a second run changes nothing.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  leafcrypt init                        for this folder and all below it
  leafcrypt init --age age1…,age1…      rules for these recipients, without an identity
  leafcrypt init --example demo         a folder to try things out in")]
pub(super) struct Args {
    /// The folder
    #[arg(value_name = "FOLDER", default_value = ".", hide_default_value = true)]
    folder: PathBuf,

    /// Make this folder, with an encrypted Kubernetes Secret in it
    #[arg(long, value_name = "FOLDER", conflicts_with = "folder")]
    example: Option<PathBuf>,

    #[command(flatten)]
    recipients: RecipientArgs,
}

pub(super) fn run(args: Args) -> Result<()> {
    let example = args.example.is_some();
    let folder = args.example.unwrap_or(args.folder);
    let inside = folder.clone();
    let done = init::init(&Init { folder, given: args.recipients.given, example }, &Environment::of_process())?;
    report::warnings(&done.warnings);
    let program = program();
    let mut text = String::new();
    describe(&mut text, &done, &program);
    match &done.example {
        Some(example) => show_example(&mut text, example, &program),
        None => suggest(&mut text, &program, &inside),
    }
    output::print_styled(&text)
}

const DONE: Style = AnsiColor::Green.on_default().bold();
const TYPE_THIS: Style = AnsiColor::Cyan.on_default();

fn describe(text: &mut String, done: &Done, program: &str) {
    if let Some(outcome) = &done.identity {
        let (made, identity) = match outcome {
            Outcome::Made(identity) => (true, identity),
            Outcome::Found(identity) => (false, identity),
        };
        let advice = if made { "; keep a copy in a safe place" } else { "" };
        line(text, made, &identity.place, &format!("your identity{advice}"));
        let _ = writeln!(text, "       its public half: {}", identity.recipients.join(", "));
    }
    step(text, &done.rules, "the rules: which files, for whom");
    if done.is_for_others {
        let _ = writeln!(
            text,
            "       your identity is not among their recipients: add its public half there, and have someone who can\n       \
             open the files run {TYPE_THIS}{program} updatekeys FILE{TYPE_THIS:#}"
        );
    }
    if let Some(example) = &done.example {
        step(text, &example.file, "a Kubernetes Secret, encrypted in place");
    }
}

fn step(text: &mut String, step: &Step, what: &str) {
    line(text, matches!(step, Step::Made(_)), &show(step.path()), what);
}

fn line(text: &mut String, made: bool, name: &str, what: &str) {
    let word = if made { "made" } else { "kept" };
    let _ = writeln!(text, "{DONE}{word}{DONE:#}   {name}  ({what})");
}

/// A path without the `./` in front.
fn show(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn show_example(text: &mut String, example: &Example, program: &str) {
    let path = show(example.file.path());
    let _ = writeln!(text, "\n{path} now has, among lines that were not touched:");
    for line in example.text.lines().filter(|line| line.contains("ENC[")).take_while(|line| !line.contains("mac:")) {
        let short: String = line.chars().take(72).collect();
        let _ = writeln!(text, "  {short}…");
    }
    next(
        text,
        &[
            (format!("{program} decrypt {path}"), "the plaintext, byte for byte"),
            (format!("{program} decrypt --extract '[\"stringData\"][\"password\"]' {path}"), "one value"),
            (format!("{program} decrypt {path} | kubectl apply -f -"), "straight into a cluster"),
            (format!("{program} decrypt --output-type json {path}"), "as JSON"),
        ],
    );
}

fn suggest(text: &mut String, program: &str, folder: &Path) {
    let path = |name| crate::sys::quoted(Path::new(&show(&folder.join(name))));
    let (file, rules) = (path("secrets/prod.yaml"), path(".sops.yaml"));
    next(
        text,
        &[
            (format!("{program} encrypt -i {file}"), "encrypt a file in place"),
            (format!("{program} decrypt {file}"), "see its plaintext"),
            (format!("git add {rules}"), "it holds public keys alone"),
        ],
    );
    // git gives up a whole log for one version that does not decrypt, such as the plaintext that a file began as.
    let textconv = format!("'f() {{ {program} decrypt \"$1\" 2>/dev/null || cat \"$1\"; }}; f'");
    let _ = writeln!(
        text,
        "\nFor diffs in plaintext, on your machine alone:\n  \
         {TYPE_THIS}printf '%s diff=leafcrypt\\n' '**/secrets/**' '*secret*' '*.enc.*' >> .gitattributes{TYPE_THIS:#}\n  \
         {TYPE_THIS}git config diff.leafcrypt.textconv {textconv}{TYPE_THIS:#}"
    );
}

fn next(text: &mut String, commands: &[(String, &str)]) {
    text.push_str("\nNext:\n");
    for (command, what) in commands {
        let _ = writeln!(text, "  # {what}\n  {TYPE_THIS}{command}{TYPE_THIS:#}");
    }
}

/// What to type to run this program again: its name, or the path it was run by.
fn program() -> String {
    let typed = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if typed.components().count() < 2 {
        return "leafcrypt".to_owned();
    }
    let here = std::env::current_dir().unwrap_or_default();
    match typed.strip_prefix(&here) {
        Ok(below) => Path::new(".").join(below).display().to_string(),
        Err(_) => typed.display().to_string(),
    }
}
