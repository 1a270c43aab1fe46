//! Which program to edit with, and how it is called.
//!
//! The user's editor is run as it is, with as few additions as keep a promise: one that opens a window and
//! returns is told to wait for it, and one that keeps copies of a text elsewhere is told not to. What was found
//! for each editor, and how, is in `docs/edit.md`.

use crate::error::{Error, Kind, Result};
use crate::sys::{self, Ended, Environment, Signals};
use std::path::{Path, PathBuf};

/// The variables that name an editor, the first first. Source: `runEditor` in sops' `edit.go`.
const VARIABLES: [&str; 2] = ["SOPS_EDITOR", "EDITOR"];

/// The editors that are looked for when no variable names one, in this order, as in sops.
const DEFAULTS: [&str; 3] = ["vim", "nano", "vi"];

/// Editors that return before the file is closed, what makes them wait, and its short form.
const RETURN_AT_ONCE: &[(&[&str], &str, &str)] = &[
    (
        &["code", "code-insiders", "code-oss", "codium", "codium-insiders", "vscodium", "cursor", "windsurf"],
        "--wait",
        "-w",
    ),
    (&["subl", "sublime_text", "zed", "zeditor", "atom", "pulsar", "mate", "bbedit", "gedit"], "--wait", "-w"),
    (&["idea", "clion", "goland", "phpstorm", "pycharm", "rubymine", "rustrover", "webstorm"], "--wait", ""),
    (&["gvim", "mvim", "gview"], "--nofork", "-f"),
    (&["neovide"], "--no-fork", ""),
    (&["kate"], "--block", "-b"),
];

/// Keeps vim and Neovim from writing the text, or pieces of it, to files elsewhere: after the user's own
/// settings, so that those do not undo it. `silent!`: small builds lack some of them.
const VIM: [&str; 3] =
    ["-n", "-c", "silent! set viminfo=|silent! set noundofile|silent! set nobackup|silent! set nowritebackup"];

/// micro copies each text it opens into its configuration folder, every few seconds.
const MICRO: [&str; 6] = ["-backup", "false", "-savehistory", "false", "-saveundo", "false"];

/// A program that lets a person, or a script, change a file.
#[derive(Debug)]
pub(super) struct Editor {
    /// As it is called.
    program: String,
    /// The file behind that name, links followed.
    file: PathBuf,
    arguments: Vec<String>,
    /// Where it was named.
    named_by: &'static str,
}

impl Editor {
    /// Finds it.
    ///
    /// # Errors
    /// When a variable names none or one that is not there, or when there is none at all.
    pub(super) fn find(environment: &Environment) -> Result<Self> {
        for variable in VARIABLES {
            if let Some(line) = environment.get_filled(variable) {
                return Self::read(&line.to_string_lossy(), variable, environment);
            }
        }
        let found = |name: &&&str| sys::find_program(name, environment).is_some();
        let Some(name) = DEFAULTS.iter().find(found) else {
            return Err(Error::new(Kind::NoEditor, "there is no editor")
                .because(format!("neither {} nor {} is set", VARIABLES[0], VARIABLES[1]))
                .because(format!("none of {} is in the folders of PATH", DEFAULTS.join(", ")))
                .hint("EDITOR=/path/to/editor leafcrypt edit FILE"));
        };
        Self::read(name, "the default", environment)
    }

    /// Reads what a variable says: words as in a shell, quotes and all.
    fn read(line: &str, named_by: &'static str, environment: &Environment) -> Result<Self> {
        let wrong = |why: String| {
            Error::new(Kind::NoEditor, format!("{named_by} names no editor"))
                .because(why)
                .because(format!("it is: {line}"))
                .hint(format!("{named_by}='vim' leafcrypt edit FILE"))
        };
        let words = shell_words::split(line).map_err(|error| wrong(error.to_string()))?;
        let mut words = words.into_iter();
        let program = words.next().filter(|word| !word.is_empty()).ok_or_else(|| wrong("it is empty".to_owned()))?;
        let file = sys::find_program(&program, environment)
            .ok_or_else(|| wrong(format!("there is no program {program} that can be run")))?;
        Ok(Editor { program, file: file.canonicalize().unwrap_or(file), arguments: words.collect(), named_by })
    }

    /// Runs it on `file`, which is in the private folder `folder`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn run(&self, file: &Path, folder: &Path, signals: &mut Signals) -> Result<Ended> {
        let command = sys::command(self.program.as_ref(), &Environment::of_process());
        let mut command = command.map_err(|error| self.failed(&error.to_string()))?;
        command.args(&self.arguments).args(self.additions(folder)).arg(file);
        if self.takes_temporary_folder() {
            command.env("TMPDIR", folder);
        }
        signals.run(&mut command).map_err(|error| self.failed(&error.to_string()))
    }

    /// An editor that did not do its work.
    pub(super) fn failed(&self, why: &str) -> Error {
        Error::new(Kind::NoEditor, format!("the editor failed: {}", self.program))
            .because(why)
            .because(format!("it is named by {}", self.named_by))
    }

    /// Whether it is a program for a terminal or a script, as far as is known: one that opens a window may
    /// have come back at once without anybody having noticed.
    pub(super) fn is_known_to_wait(&self) -> bool {
        self.is_vim() || self.waits_by().is_some() || matches!(self.name().as_str(), "nano" | "micro" | "hx" | "helix")
    }

    /// The name without folder and extension.
    fn name(&self) -> String {
        name_of(Path::new(&self.program))
    }

    /// vim under any of its names, `vi` among them where that is vim.
    fn is_vim(&self) -> bool {
        let names = [self.name(), name_of(&self.file)];
        names.iter().any(|name| {
            matches!(name.as_str(), "vim" | "nvim" | "gvim" | "mvim" | "gview" | "vimx" | "rvim")
                || name.starts_with("vim.")
        })
    }

    fn is_called(&self, name: &str) -> bool {
        name_of(&self.file) == name
    }

    /// Whether the variable TMPDIR of it may be changed: vim filters text through files there, and emacs
    /// makes no backups of what is in it.
    fn takes_temporary_folder(&self) -> bool {
        self.is_vim() || name_of(&self.file).starts_with("emacs") && !name_of(&self.file).starts_with("emacsclient")
    }

    fn waits_by(&self) -> Option<(&'static str, &'static str)> {
        let name = self.name();
        let known = RETURN_AT_ONCE.iter().find(|(names, ..)| names.contains(&name.as_str()));
        let gui = || self.is_vim() && self.arguments.iter().any(|argument| argument == "-g");
        known.map(|&(_, long, short)| (long, short)).or_else(|| gui().then_some(("--nofork", "-f")))
    }

    /// The arguments to add.
    fn additions(&self, folder: &Path) -> Vec<String> {
        let mut additions = Vec::new();
        if let Some((long, short)) = self.waits_by()
            && !self.arguments.iter().any(|argument| argument == long || is_among(short, argument))
        {
            additions.push(long.to_owned());
        }
        if self.is_vim() {
            additions.extend(VIM.map(str::to_owned));
        } else if self.is_called("micro") {
            additions.extend(MICRO.map(str::to_owned));
        } else if self.is_called("nano") {
            // Where its backups go if the user's settings ask for some.
            additions.extend(["--backupdir".to_owned(), folder.display().to_string()]);
        }
        additions
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    [".exe", ".cmd", ".bat"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name).to_owned()
}

/// Whether the switch `short`, `-w`, is in `argument`, alone or with others: `-nw`.
fn is_among(short: &str, argument: &str) -> bool {
    let letters = argument.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
    short.strip_prefix('-').zip(letters).is_some_and(|(letter, letters)| letters.contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An environment with these programs in PATH.
    fn with_programs(names: &[&str], variables: &[(&str, &str)]) -> (tempfile::TempDir, Environment) {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::os::unix::fs::symlink("/bin/sh", folder.path().join(name)).unwrap();
        }
        let path = [("PATH", folder.path().as_os_str().to_owned())];
        let environment =
            Environment::of(path.into_iter().chain(variables.iter().map(|(name, value)| (*name, (*value).into()))));
        (folder, environment)
    }

    fn line(names: &[&str], variables: &[(&str, &str)]) -> String {
        let (_folder, environment) = with_programs(names, variables);
        match Editor::find(&environment) {
            Ok(editor) => {
                let words = std::iter::once(editor.program.clone()).chain(editor.arguments.clone());
                words.chain(editor.additions(Path::new("/p"))).collect::<Vec<_>>().join("|")
            }
            Err(error) => format!("{} {error}", error.exit_code()),
        }
    }

    #[test]
    fn variables_go_before_what_is_installed() {
        let all = ["vi", "nano", "ed", "other"];
        assert_eq!(line(&all, &[("SOPS_EDITOR", "other"), ("EDITOR", "ed")]), "other");
        assert_eq!(line(&all, &[("SOPS_EDITOR", ""), ("EDITOR", "ed -s")]), "ed|-s");
        assert_eq!(line(&["vi", "nano"], &[]), "nano");
        assert_eq!(line(&["vi"], &[]), "vi");
        assert!(line(&["ed"], &[]).starts_with("201 there is no editor"));
        assert!(line(&all, &[("EDITOR", "missing")]).contains("there is no program missing"));
        assert!(line(&all, &[("EDITOR", "  ")]).starts_with("201 EDITOR names no editor; it is empty"));
        assert!(line(&all, &[("EDITOR", "ed 'x")]).starts_with("201 EDITOR names no editor; missing closing quote"));
    }

    #[test]
    fn arguments_are_words_as_in_a_shell() {
        assert_eq!(line(&["ed"], &[("EDITOR", r#"ed -p "a b" 'c "d"' e\ f # no word"#)]), r#"ed|-p|a b|c "d"|e f"#);
    }

    #[test]
    fn what_returns_at_once_is_told_to_wait() {
        for (editor, expected) in [
            ("code", "code|--wait"),
            ("code --wait", "code|--wait"),
            ("code -w", "code|-w"),
            ("code -nw", "code|-nw"),
            ("code --new-window", "code|--new-window|--wait"),
            ("subl -n", "subl|-n|--wait"),
            ("zed", "zed|--wait"),
            ("kate", "kate|--block"),
            ("idea", "idea|--wait"),
            ("ed", "ed"),
        ] {
            assert_eq!(line(&["code", "subl", "zed", "kate", "idea", "ed"], &[("EDITOR", editor)]), expected);
        }
    }

    #[test]
    fn vim_keeps_no_copies_under_any_of_its_names() {
        let safe = VIM.join("|");
        assert_eq!(line(&["vim"], &[]), format!("vim|{safe}"));
        assert_eq!(line(&["nvim"], &[("EDITOR", "nvim -R")]), format!("nvim|-R|{safe}"));
        assert_eq!(line(&["gvim"], &[("EDITOR", "gvim")]), format!("gvim|--nofork|{safe}"));
        assert_eq!(line(&["gvim"], &[("EDITOR", "gvim -f")]), format!("gvim|-f|{safe}"));
        assert_eq!(line(&["vim"], &[("EDITOR", "vim -g")]), format!("vim|-g|--nofork|{safe}"));
        assert_eq!(line(&["vi"], &[]), "vi"); // which is no vim here
        let (folder, environment) = with_programs(&[], &[]);
        std::fs::copy("/bin/sh", folder.path().join("vim.basic")).unwrap();
        std::os::unix::fs::symlink("vim.basic", folder.path().join("vi")).unwrap();
        assert!(Editor::find(&environment).unwrap().is_vim());
    }
}
