//! The spellings that sops accepts and clap does not, turned into those that it does.
//!
//! Owns: the old forms `-e|-d [FLAGS] FILE`, `--set 'PATH VALUE' FILE` and `[FLAGS] FILE` (which edits), flags before the subcommand (`--config FILE encrypt`), and
//! what Go's flag parser allows everywhere: one dash before a long name (`-in-place`), two before a short
//! one (`--i`), a value for a switch (`--in-place=true`).
//! Must not know: what a flag means. Which flags there are is asked of clap, so that a new one cannot
//! be forgotten here.

use crate::error::{Error, Kind, Result};
use std::ffi::OsString;

/// The names of the old switches that said what to do, short and long.
const MODES: [(&str, &str); 3] = [("e", "encrypt"), ("d", "decrypt"), ("r", "rotate")];

/// Gives `args` (the program's name first) as clap understands them.
///
/// # Errors
/// When an old form asks for two things at once, or names no file.
pub(super) fn rewrite(args: Vec<OsString>, command: &clap::Command) -> Result<Vec<OsString>> {
    let flags = Flags(command);
    let mut words = asking_for_help(args, command).into_iter();
    let mut rewritten: Vec<OsString> = words.next().into_iter().collect();
    // What comes before the first file name decides: an old switch, or the name of a subcommand.
    let mut mode: Option<&str> = None;
    let mut named: Option<OsString> = None;
    let mut files = 0;
    let mut file: Option<OsString> = None;
    let mut edits: Option<bool> = None;
    let mut sets = false;

    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else {
            rewritten.push(word);
            files += 1;
            edits.get_or_insert(true);
            continue;
        };
        if text == "--" {
            rewritten.push(word);
            // A name behind it is that of a file, whatever it looks like.
            if words.len() > 0 {
                edits.get_or_insert(true);
            }
            break;
        }
        if named.is_none()
            && let Some((wanted, rest)) = mode_switch(text)
        {
            if let Some(mode) = mode.filter(|mode| *mode != wanted) {
                return Err(Error::new(Kind::ConflictingArguments, format!("cannot {mode} and {wanted} at once"))
                    .hint(format!("leafcrypt {mode} FILE, or leafcrypt {wanted} FILE")));
            }
            mode = Some(wanted);
            rewritten.extend(rest.map(OsString::from));
            continue;
        }
        match flags.read(text) {
            None if mode.is_none() && named.is_none() && command.find_subcommand(text).is_some() => {
                rewritten = flags.known_to(text, rewritten);
                named = Some(word);
            }
            None => {
                if !text.starts_with('-') || text == "-" {
                    files += 1;
                    file.get_or_insert_with(|| word.clone());
                    edits.get_or_insert_with(|| is_file_name(text));
                }
                rewritten.push(word);
            }
            Some(Flag::Off) => {}
            Some(Flag::Switch(name)) => {
                sets |= named.is_none() && name.starts_with("--set=");
                rewritten.push(name.into());
            }
            Some(Flag::WithValue(name)) => {
                sets |= named.is_none() && name == "--set";
                rewritten.push(name.into());
                rewritten.extend(words.next());
            }
        }
    }
    files += words.len();
    rewritten.extend(words);
    if sets {
        if let Some(mode) = mode {
            return Err(Error::new(Kind::ConflictingArguments, format!("cannot {mode} and set a value at once"))
                .hint("leafcrypt set FILE PATH VALUE"));
        }
        mode = Some("set");
    }
    if let (Some(mode), 0) = (mode, files)
        && !rewritten.iter().any(|word| word == "-h" || word == "--help")
    {
        // The new forms read the standard input then; the old ones never did.
        return Err(Error::new(Kind::NoFile, "no file is named").hint(format!("leafcrypt {mode} FILE")));
    }
    if mode == Some("rotate")
        && let Some(file) = file.filter(|file| !std::path::Path::new(file).exists())
        && !rewritten
            .iter()
            .any(|word| word.to_string_lossy().starts_with("--add-") || word.to_string_lossy().starts_with("--rm-"))
    {
        // The new form has another exit code for it, and so have both with keys to add or remove.
        return Err(Error::new(Kind::NoFile, format!("there is no file {}", file.to_string_lossy())));
    }
    let mode = mode.or((edits == Some(true)).then_some("edit"));
    if let Some(subcommand) = named.or(mode.map(OsString::from)) {
        rewritten.insert(1.min(rewritten.len()), subcommand);
    }
    Ok(rewritten)
}

/// Turns `help`, `help COMMAND` and `h` into `--help`. Of a command that there is not, clap says so.
fn asking_for_help(mut args: Vec<OsString>, command: &clap::Command) -> Vec<OsString> {
    let may_be_command = |word: &OsString| {
        word.to_str().is_some_and(|word| command.find_subcommand(word).is_some() || !is_file_name(word))
    };
    match &args[..] {
        [_, help, rest @ ..] if (help == "help" || help == "h") && rest.first().is_none_or(may_be_command) => {
            args.remove(1);
            args.push("--help".into());
            args
        }
        _ => args,
    }
}

/// Whether a word that is no subcommand is a file to edit, there or not, rather than a subcommand with a typing error.
fn is_file_name(word: &str) -> bool {
    word.contains(['.', '/', '\\']) || std::path::Path::new(word).exists()
}

/// Reads `-e`, `--encrypt`, `-encrypt`, and `-di` as people write it; what is left of it, if anything.
fn mode_switch(word: &str) -> Option<(&'static str, Option<&'static str>)> {
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    let name = name.strip_suffix("=true").unwrap_or(name);
    MODES.into_iter().find_map(|(short, long)| {
        if name == short || name == long {
            return Some((long, None));
        }
        let with_in_place = !word.starts_with("--") && name.len() == 2 && name.contains(short) && name.contains('i');
        with_in_place.then_some((long, Some("-i")))
    })
}

/// A flag in clap's spelling.
enum Flag {
    /// It takes no value.
    Switch(String),
    /// It takes the next word as its value.
    WithValue(String),
    /// A switch that was switched off (`--in-place=false`), as if it were not there.
    Off,
}

struct Flags<'a>(&'a clap::Command);

impl Flags<'_> {
    /// Of the words before a subcommand those that mean something to it: sops has these flags for the old forms, and
    /// its subcommands do not see them.
    fn known_to(&self, subcommand: &str, words: Vec<OsString>) -> Vec<OsString> {
        let Some(command) = self.0.find_subcommand(subcommand) else { return words };
        let mut known = Vec::new();
        let mut words = words.into_iter();
        known.extend(words.next());
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            let name = text.split_once('=').map_or(&*text, |(name, _)| name);
            let flag = self.read(name);
            let value = matches!(flag, Some(Flag::WithValue(_))).then(|| words.next()).flatten();
            let is_known = |flag: &clap::Arg| {
                flag.get_long().is_some_and(|long| name == format!("--{long}"))
                    || flag.get_short().is_some_and(|short| name == format!("-{short}"))
            };
            let mut known_here = command.get_arguments().chain(self.0.get_arguments());
            if flag.is_none() || known_here.any(is_known) {
                known.push(word);
                known.extend(value);
            } else {
                super::report::warnings(&[format!("{name} has no meaning for {subcommand}")]);
            }
        }
        known
    }

    /// Reads one word; `None` when it is no flag that is known, and clap is to judge it.
    fn read(&self, word: &str) -> Option<Flag> {
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
        let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
        let flag = self.find(name)?;
        let takes_value = flag.get_action().takes_values();
        let may_stand_alone = flag.get_num_args().is_some_and(|values| values.min_values() == 0);
        let dashes = if name.chars().count() == 1 { "-" } else { "--" };
        Some(match (takes_value, value) {
            (true, None) if !may_stand_alone => Flag::WithValue(format!("{dashes}{name}")),
            (true, Some(value)) => Flag::Switch(format!("{dashes}{name}={value}")),
            (true, None) => Flag::Switch(format!("{dashes}{name}")),
            (false, None | Some("true" | "t" | "T" | "TRUE" | "True" | "1")) => Flag::Switch(format!("{dashes}{name}")),
            (false, Some("false" | "f" | "F" | "FALSE" | "False" | "0")) => Flag::Off,
            (false, Some(_)) => return None,
        })
    }

    /// The flag called `name`.
    fn find(&self, name: &str) -> Option<&clap::Arg> {
        let mut letters = name.chars();
        let letter = letters.next().filter(|_| letters.next().is_none());
        self.0
            .get_arguments()
            .chain(self.0.get_subcommands().flat_map(clap::Command::get_arguments))
            .filter(|flag| !flag.is_positional())
            .find(|flag| if letter.is_some() { flag.get_short() == letter } else { flag.get_long() == Some(name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn rewritten(line: &str) -> String {
        let args = std::iter::once("leafcrypt").chain(line.split_whitespace()).map(OsString::from).collect();
        let args = rewrite(args, &crate::cli::Cli::command()).unwrap();
        let words: Vec<_> = args.iter().skip(1).map(|word| word.to_str().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn old_forms_become_subcommands() {
        for (old, new) in [
            ("-e a.yaml", "encrypt a.yaml"),
            ("-d a.yaml", "decrypt a.yaml"),
            ("--encrypt a.yaml", "encrypt a.yaml"),
            ("--decrypt a.yaml", "decrypt a.yaml"),
            ("-e -i a.yaml", "encrypt -i a.yaml"),
            ("-i -e a.yaml", "encrypt -i a.yaml"),
            ("-ei a.yaml", "encrypt -i a.yaml"),
            ("-id a.yaml", "decrypt -i a.yaml"),
            ("-d --extract [\"a\"] a.yaml", "decrypt --extract [\"a\"] a.yaml"),
            ("--extract [\"a\"] -d a.yaml", "decrypt --extract [\"a\"] a.yaml"),
            ("--age age1x -e a.yaml", "encrypt --age age1x a.yaml"),
            ("-e a.yaml -i", "encrypt a.yaml -i"),
            ("a.yaml -d", "decrypt a.yaml"),
            ("-e --encrypted-regex ^(data|stringData)$ a.yaml", "encrypt --encrypted-regex ^(data|stringData)$ a.yaml"),
            ("--config c.yaml -d a.yaml", "decrypt --config c.yaml a.yaml"),
            ("-d --output -e a.yaml", "decrypt --output -e a.yaml"),
            ("-d -- -e", "decrypt -- -e"),
            ("--config c.yaml encrypt a.yaml", "encrypt --config c.yaml a.yaml"),
            ("-i decrypt a.yaml", "decrypt -i a.yaml"),
            // What a subcommand has no use for stays away from it, as in sops.
            ("--config c.yaml filestatus a.yaml", "filestatus a.yaml"),
            ("--config=c.yaml -i --verbose exec-env a.yaml true", "exec-env --verbose a.yaml true"),
            ("--disable-version-check decrypt a.yaml", "decrypt --disable-version-check a.yaml"),
            ("help", "--help"),
            ("h decrypt", "decrypt --help"),
            ("help groups add", "groups add --help"),
            ("-d /dev/stdin", "decrypt /dev/stdin"),
            ("-d encrypt", "decrypt encrypt"),
            ("a.yaml", "edit a.yaml"),
            ("./a", "edit ./a"),
            ("-- -a.yaml", "edit -- -a.yaml"),
            ("-- encrypt", "edit -- encrypt"),
            ("Cargo.toml", "edit Cargo.toml"),
            ("-s a.yaml", "edit -s a.yaml"),
            ("a.yaml -s", "edit a.yaml -s"),
            ("--set [\"a\"]_1 a.yaml", "set --set [\"a\"]_1 a.yaml"),
            ("-set=[\"a\"]_1 a.yaml", "set --set=[\"a\"]_1 a.yaml"),
            ("a.yaml -i --set [\"a\"]_1", "set a.yaml -i --set [\"a\"]_1"),
            ("--age age1x a.yaml", "edit --age age1x a.yaml"),
            ("--config .sops.yaml --in-place a.yaml", "edit --config .sops.yaml --in-place a.yaml"),
        ] {
            assert_eq!(rewritten(old), new, "{old}");
        }
    }

    #[test]
    fn new_forms_stay_as_they_are() {
        for line in [
            "",
            "--help",
            "encrypt -i a.yaml",
            "encrypt a.yaml -e",
            "decrypt -d a.yaml",
            "decrypt --nonsense a.yaml",
            "decrypt --extract [\"-d\"] a.yaml",
            "keygen --output -",
            "help a.yaml",
            "encryt a",
            "--age age1x",
        ] {
            assert_eq!(rewritten(line), line);
        }
    }

    #[test]
    fn spellings_of_go_are_understood() {
        for (go, clap) in [
            ("decrypt -extract [0] a.yaml", "decrypt --extract [0] a.yaml"),
            ("-decrypt -in-place a.yaml", "decrypt --in-place a.yaml"),
            ("--decrypt=true a.yaml", "decrypt a.yaml"),
            ("encrypt --i a.yaml", "encrypt -i a.yaml"),
            ("encrypt --in-place=true a.yaml", "encrypt --in-place a.yaml"),
            ("encrypt --in-place=false a.yaml", "encrypt a.yaml"),
            ("encrypt -age=age1x a.yaml", "encrypt --age=age1x a.yaml"),
            ("encrypt --a age1x a.yaml", "encrypt -a age1x a.yaml"),
            ("exec-env -flatten -pristine a.yaml env", "exec-env --flatten --pristine a.yaml env"),
            ("exec-env -flatten=1 a.yaml -- a -pristine", "exec-env --flatten=1 a.yaml -- a -pristine"),
        ] {
            assert_eq!(rewritten(go), clap, "{go}");
        }
    }

    #[test]
    fn an_old_form_says_one_thing_about_one_file() {
        for (line, code) in [
            ("-e -d a.yaml", 8),
            ("-d", 100),
            ("-e --output x", 100),
            ("-d --set x a.yaml", 8),
            ("--set x", 100),
            ("-r missing.yaml", 100),
        ] {
            let args = std::iter::once("leafcrypt").chain(line.split(' ')).map(OsString::from).collect();
            assert_eq!(rewrite(args, &crate::cli::Cli::command()).unwrap_err().exit_code(), code, "{line}");
        }
    }
}
