//! `leafcrypt edit`.

use super::args::{KeyArgs, LayoutArgs, SelectionArgs, format_parser};
use super::recipients::RecipientArgs;
use super::report;
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::key::Environment;
use crate::ops::Source;
use crate::ops::edit::{self, Choice, Conversation, Edit, Outcome};
use crate::ops::encrypt::Encrypt;
use crate::sys::{self, Answer, Signals};
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit code of sops for a file that was not changed.
const UNCHANGED: u8 = 200;

/// Edit an encrypted file in your editor
///
/// The editor is that of SOPS_EDITOR or EDITOR, or else vim, nano or vi. The plaintext is in a private folder in
/// memory until the editor is closed. A file that is not there is made, with an example to begin with; the
/// recipients and selectors below count for a new file alone.
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt edit [OPTIONS] FILE",
    after_help = "\
Examples:
  leafcrypt edit secrets/prod.yaml
  leafcrypt secrets/prod.yaml                     the same, as in sops
  EDITOR='code --wait' leafcrypt edit secrets/prod.yaml
  leafcrypt edit --decode-data secret.yaml        the data of a Secret as text, not as base64
  leafcrypt edit --age age1… secrets/new.yaml     a new file, without a .sops.yaml
  leafcrypt edit --show-master-keys secrets/prod.yaml"
)]
pub(super) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Edit the sops block as well: recipients that are added there get the data key
    #[arg(short, long)]
    show_master_keys: bool,

    /// Show the data of Kubernetes Secrets as text instead of base64, and make base64 of it again
    #[arg(long)]
    decode_data: bool,

    /// Open the file even if it was tampered with or damaged
    #[arg(long)]
    ignore_mac: bool,

    #[command(flatten)]
    keys: KeyArgs,

    /// Go on with what an edit before could not save
    #[arg(long, value_name = "DRAFT")]
    draft: Option<PathBuf>,

    /// What the file is, whatever its name says
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    input_type: Option<&'static dyn Format>,

    /// Convert the file to this type
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    output_type: Option<&'static dyn Format>,

    /// Take this name for the file: for its type, and to find its rule
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    filename_override: Option<PathBuf>,

    #[command(flatten)]
    layout: LayoutArgs,
    #[command(flatten)]
    recipients: RecipientArgs,
    #[command(flatten)]
    selection: SelectionArgs,

    /// Protect only encrypted values by the MAC, so that the others may be edited by hand
    #[arg(long)]
    mac_only_encrypted: bool,

    /// How many key groups are needed to decrypt
    #[arg(long, value_name = "NUMBER")]
    shamir_secret_sharing_threshold: Option<usize>,

    /// Said of an edit by some scripts for sops; there is no other way
    #[arg(short, long, hide = true)]
    in_place: bool,
}

impl Args {
    /// The flags that were typed and count for a new file alone.
    fn of_new_files(&self) -> Vec<String> {
        let mut flags = self.recipients.typed.clone();
        flags.extend(self.selection.typed().map(str::to_owned));
        flags.extend(self.mac_only_encrypted.then(|| "--mac-only-encrypted".to_owned()));
        flags.extend(self.shamir_secret_sharing_threshold.map(|_| "--shamir-secret-sharing-threshold".to_owned()));
        flags
    }
}

fn warn_of(flags: &[String], shown: &str) {
    if !flags.is_empty() {
        let count = if flags.len() == 1 { "counts" } else { "count" };
        report::warnings(&[format!("{} {count} for a new file alone; {shown} stays as it is", flags.join(", "))]);
    }
}

pub(super) fn run(args: Args) -> Result<ExitCode> {
    let of_new_files = args.of_new_files();
    let Some(path) = args.file else {
        return Err(Error::new(Kind::NoFile, "no file is named").hint("leafcrypt edit FILE"));
    };
    let shown = report::harmless(&path.display().to_string());
    let is_there = path.exists();
    if is_there {
        warn_of(&of_new_files, &shown);
    }
    let request = Edit {
        source: Source {
            path,
            name: args.filename_override,
            input_type: args.input_type,
            output_type: args.output_type,
        },
        encrypt: Encrypt {
            given: args.recipients.given,
            selection: args.selection.selection(),
            mac_only_encrypted: args.mac_only_encrypted,
            shamir_threshold: args.shamir_secret_sharing_threshold.filter(|&threshold| threshold > 0),
            rules: args.layout.rules(),
        },
        ignore_mac: args.ignore_mac,
        show_master_keys: args.show_master_keys,
        decode_data: args.decode_data,
        draft: args.draft,
    };
    match edit::edit(&request, &args.keys.keyring()?, &Environment::of_process(), &mut Terminal)? {
        Outcome::Saved => Ok(ExitCode::SUCCESS),
        Outcome::Unchanged { returned_at_once } => {
            match is_there {
                true => report::note(&format!("nothing was changed; {shown} is as it was")),
                false => report::note(&format!("the example was not changed; {shown} is not made")),
            }
            if returned_at_once && sys::is_interactive() {
                report::hint(
                    "if the editor opens a window, tell it to wait until that is closed, as in EDITOR='code --wait'",
                );
            }
            Ok(ExitCode::from(UNCHANGED))
        }
        Outcome::Interrupted { signal, draft } => {
            match is_there {
                true => report::note(&format!("interrupted; {shown} is as it was")),
                false => report::note(&format!("interrupted; {shown} is not made")),
            }
            draft.iter().for_each(|line| report::note(line));
            Ok(Signals::end_by(signal))
        }
    }
}

/// The person at the terminal, if there is one.
struct Terminal;

impl Conversation for Terminal {
    fn warn(&mut self, warnings: &[String]) {
        report::warnings(warnings);
    }

    fn choose(&mut self, error: &Error, signals: &mut Signals) -> Choice {
        if !sys::is_interactive() {
            return Choice::Nobody;
        }
        report::error(error);
        loop {
            report::note(
                "Press Enter to edit the same text again; to give up, type q and press Enter (a draft is kept).",
            );
            match signals.read_line() {
                Ok(Answer::Line(line)) if line.trim().is_empty() => return Choice::Again,
                Ok(Answer::Line(line)) if ["q", "quit"].contains(&line.trim()) => return Choice::GiveUp,
                Ok(Answer::Line(_)) => {}
                Ok(Answer::End | Answer::Signal(_)) | Err(_) => return Choice::GiveUp,
            }
        }
    }
}
