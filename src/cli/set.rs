//! `leafcrypt set`, and what it shares with `leafcrypt unset`.

use super::args::{KeyArgs, LayoutArgs, format_parser};
use super::output::Destination;
use super::report;
use crate::document::KeyPath;
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::ops::Source;
use crate::ops::set::{self, Set, Value};
use crate::secret::SecretBytes;
use crate::sys;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Set one value in an encrypted file
///
/// The value is JSON of any shape, and is written in the style of its neighbours. What is missing on the way to it is made; what stands
/// there is replaced. No other line changes, but those of time and MAC. Whether the value is encrypted is for the selectors of the
/// file to say.
#[derive(clap::Args)]
#[command(
    override_usage = "leafcrypt set [OPTIONS] FILE PATH VALUE\n       leafcrypt set [OPTIONS] --value-stdin FILE PATH",
    after_help = "\
Examples:
  leafcrypt set secrets.yaml '[\"db\"][\"password\"]' '\"text\"'
  leafcrypt set secrets.yaml 'db.hosts[0]' '{\"name\": \"a\", \"port\": 5432}'
  jq -Rs . key.pem | leafcrypt set --value-stdin secrets.yaml tls.key
  leafcrypt set --value-file secrets.yaml /db/password value.json
  leafcrypt set --document 1 stream.yaml data.token '\"text\"'

Other users of the machine can see a value on the command line, and the history of the shell
keeps it: that is what --value-stdin and --value-file are for.
The old form of sops works too: leafcrypt --set '[\"db\"] \"text\"' FILE"
)]
pub(super) struct Args {
    /// The file, which is changed in place
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Where the value goes: '["key"][0]', key[0] or /key/0
    #[arg(value_name = "PATH")]
    path: Option<String>,

    /// The value, as JSON; with --value-file, the file that holds it
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    value: Option<OsString>,

    /// What is too much, which is an error with the code of sops
    #[arg(hide = true)]
    more: Vec<OsString>,

    /// VALUE is a file to read the value from
    #[arg(long)]
    value_file: bool,

    /// Read the value from the standard input
    #[arg(long)]
    value_stdin: bool,

    /// Leave the file as it is if the value is there already
    #[arg(long)]
    idempotent: bool,

    /// Path and value in one word: the old form of sops
    #[arg(long = "set", value_name = "PATH VALUE", hide = true)]
    old: Option<String>,

    #[command(flatten)]
    target: TargetArgs,
}

/// Which document to change, how to open it, and where the result goes.
#[derive(clap::Args)]
pub(super) struct TargetArgs {
    /// Which document of a stream, counted from 0
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    document: usize,

    /// Write the result to this file, and leave FILE as it is
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// What the file is, whatever its name says
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    input_type: Option<&'static dyn Format>,

    /// Convert the file to this type
    #[arg(long, value_name = "TYPE", value_parser = format_parser())]
    output_type: Option<&'static dyn Format>,

    /// Take this name for the file, for its type
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    filename_override: Option<PathBuf>,

    /// Change the file even if it was tampered with or damaged
    #[arg(long)]
    ignore_mac: bool,

    #[command(flatten)]
    layout: LayoutArgs,
    #[command(flatten)]
    keys: KeyArgs,

    /// Taken by sops as well, where nothing comes of it
    #[arg(long, value_name = "NUMBER", hide = true)]
    shamir_secret_sharing_threshold: Option<usize>,

    /// Said by some scripts for sops; there is no other way
    #[arg(short, long, hide = true, conflicts_with = "output")]
    in_place: bool,
}

impl TargetArgs {
    /// Makes the change in `file`.
    pub(super) fn change(self, file: PathBuf, path: KeyPath, value: Option<Value>, idempotent: bool) -> Result<()> {
        if self.shamir_secret_sharing_threshold.is_some() {
            report::warnings(&["--shamir-secret-sharing-threshold changes nothing here, as in sops: the key groups \
                                stay as they are; see leafcrypt groups"
                .to_owned()]);
        }
        let source = Source {
            path: file.clone(),
            name: self.filename_override,
            input_type: self.input_type,
            output_type: self.output_type,
        };
        let (document, ignore_mac, rules) = (self.document, self.ignore_mac, self.layout.rules());
        let request = Set { source, document, path, value, idempotent, ignore_mac, rules };
        let is_in_place = self.output.is_none();
        let destination = match self.output {
            Some(output) if sys::is_stdout(&output) => Destination::Stdout,
            Some(output) => Destination::File(output),
            None => Destination::InPlace(file),
        };
        let keyring = self.keys.keyring()?;
        let destination = destination.watch();
        let changed = set::set(&request, &keyring)?;
        report::warnings(&changed.warnings);
        if is_in_place && !changed.is_new {
            return Ok(());
        }
        destination.write(&changed.bytes)
    }
}

/// Reads a key path. One that cannot be understood has another exit code here than elsewhere.
pub(super) fn key_path(path: &str) -> Result<KeyPath> {
    KeyPath::parse(path).map_err(|error| error.of_kind(Kind::SetFormat))
}

pub(super) fn run(args: Args) -> Result<()> {
    if args.value_file && args.value_stdin {
        return Err(Error::new(Kind::Generic, "the value comes from a file or from the standard input, not from both")
            .hint("leave --value-file or --value-stdin away"));
    }
    if let Some(old) = args.old {
        let file = args.file.ok_or_else(|| incomplete(false))?;
        let (path, value) = split(&SecretBytes::from(old))?;
        return args.target.change(file, path, Some(value), args.idempotent);
    }
    let is_whole = args.value.is_some() != args.value_stdin && args.more.is_empty();
    let (Some(file), Some(path), true) = (args.file, args.path, is_whole) else {
        return Err(incomplete(args.value_stdin));
    };
    let path = key_path(&path)?;
    let json = match args.value {
        None => sys::read_input(Path::new("-"))?,
        Some(name) if args.value_file => {
            sys::read_input(Path::new(&name)).map_err(|error| error.of_kind(Kind::Generic))?
        }
        Some(value) => value.into_encoded_bytes(),
    };
    let value = Value::parse(&SecretBytes::from(json))?;
    args.target.change(file, path, Some(value), args.idempotent)
}

/// There is a word too few or too many.
fn incomplete(value_stdin: bool) -> Error {
    if value_stdin {
        return Error::new(Kind::NoFile, "a file and a key path are needed, and nothing else")
            .because("the value comes from the standard input")
            .hint("leafcrypt set --value-stdin FILE '[\"db\"][\"password\"]'");
    }
    Error::new(Kind::NoFile, "a file, a key path and a value are needed, and nothing else")
        .hint("leafcrypt set FILE '[\"db\"][\"password\"]' '\"text\"'")
}

/// Splits `["key"][0] VALUE`: at the first blank that has a key path before it and a value behind it, as both may have more in them.
fn split(word: &SecretBytes) -> Result<(KeyPath, Value)> {
    let text = String::from_utf8_lossy(word.expose());
    let blanks = text.match_indices(char::is_whitespace).map(|(at, _)| text.split_at(at));
    let mut failure = None;
    for (path, value) in blanks {
        let both = key_path(path.trim()).and_then(|path| {
            let json = SecretBytes::from(value.trim().to_owned());
            Value::parse(&json).map(|value| (path, value))
        });
        match both {
            Ok(both) => return Ok(both),
            Err(error) => _ = failure.get_or_insert(error),
        }
    }
    Err(failure
        .unwrap_or_else(|| Error::new(Kind::SetFormat, "--set needs a key path, a blank and a value"))
        .hint("--set '[\"db\"][\"password\"] \"text\"'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Step;

    #[test]
    fn the_old_form_is_split_where_the_path_ends() {
        let split = |word: &str| split(&SecretBytes::from(word.to_owned())).map(|(path, _)| path);
        let key = |name: &str| Step::Key(name.to_owned());
        for (word, steps) in [
            ("[\"a\"] 5", vec![key("a")]),
            ("[\"a\"]   {\"b\": \"] c\"}", vec![key("a")]),
            ("[\"a b\"][\"c] d\"] [1, 2]", vec![key("a b"), key("c] d")]),
            ("a.b[0] \"x y\"", vec![key("a"), key("b"), Step::Index(0)]),
        ] {
            assert_eq!(split(word).unwrap().steps(), steps, "{word}");
        }
        for word in ["", "[\"a\"]", "[\"a\"]5", "[\"a\" 5", "[\"a\"] x", "[\"a\"] 1 2"] {
            assert_eq!(split(word).unwrap_err().exit_code(), 7, "{word}");
        }
    }
}
