//! How failures and warnings look.
//!
//! Always on the standard error, in this order: what, where (with the masked source line and a caret),
//! why, and what to do:
//!
//! ```text
//! error: a value is missing its closing quote
//!   --> values.yaml:3:11
//!     |
//!   3 | password: "*******
//!     |           ^
//!   because: the text ends inside of it
//! hint: close the quote
//! ```
//!
//! Colours only on a terminal and without `NO_COLOR`, which `anstream` sees to.

use crate::error::{Error, Place, is_harmful};
use crate::trace;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use std::io::Write as _;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const FRAME: Style = AnsiColor::Blue.on_default().bold();

/// Prints `error`.
pub(super) fn error(error: &Error) {
    print(&render(error));
}

/// Prints `warnings`; none to helm-secrets, which takes the standard error of sops for values as well (`2>&1` in its
/// `scripts/lib/backends/sops.sh`).
pub(super) fn warnings(warnings: &[String]) {
    if std::env::var_os("HELM_PLUGIN_NAME").is_some_and(|name| name == "secrets") {
        return;
    }
    for warning in warnings {
        let mut text = String::new();
        labelled(&mut text, WARNING, "warning", warning);
        print(&text);
    }
}

/// Prints something to try.
pub(super) fn hint(text: &str) {
    let mut line = String::new();
    labelled(&mut line, HINT, "hint", text);
    print(&line);
}

/// Asks on the standard input until it is answered; `None` when that ends.
pub(super) fn yes_or_no(question: &str) -> Option<bool> {
    loop {
        print(&harmless(question));
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        match line.trim() {
            "y" | "yes" => return Some(true),
            "n" | "no" => return Some(false),
            _ if matches!(read, Ok(1..)) => {}
            _ => {
                note("");
                return None;
            }
        }
    }
}

/// Prints `text`, which has colours of its own; names in it are [`harmless`].
pub(super) fn styled(text: &str) {
    print(&format!("{text}\n"));
}

/// Prints `text`, of one line or several.
pub(super) fn note(text: &str) {
    for line in text.split('\n') {
        print(&format!("{}\n", harmless(line)));
    }
}

/// Prints what [`trace`] records, from now on. Only what is ours: what a library below says of its
/// requests may hold a password.
pub(super) fn show_steps() {
    if log::set_logger(&Steps).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
}

struct Steps;

impl log::Log for Steps {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == trace::TARGET
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut text = String::new();
            labelled(&mut text, FRAME, "verbose", &record.args().to_string());
            print(&text);
        }
    }

    fn flush(&self) {}
}

/// Nothing can be said where the standard error itself fails.
fn print(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

fn render(error: &Error) -> String {
    let mut out = String::new();
    labelled(&mut out, ERROR, "error", error.message());
    place(&mut out, error.place());
    for note in error.notes() {
        indented(&mut out, "  because: ", note);
    }
    for hint in error.typed_hints() {
        labelled(&mut out, HINT, "hint", &hint);
    }
    out
}

fn labelled(out: &mut String, style: Style, label: &str, text: &str) {
    indented(out, &format!("{style}{label}:{style:#} "), text);
}

/// Writes `text` behind `label`; its further lines are indented.
fn indented(out: &mut String, label: &str, text: &str) {
    for (number, line) in text.lines().enumerate() {
        let label = if number == 0 { label } else { "    " };
        let _ = writeln!(out, "{label}{}", harmless(line));
    }
}

fn place(out: &mut String, place: &Place) {
    let mut position = harmless(place.file.as_deref().unwrap_or_default());
    if let Some((line, column)) = place.line_column {
        let colon = if position.is_empty() { "line " } else { ":" };
        let _ = write!(position, "{colon}{line}:{column}");
    }
    if !position.is_empty() {
        let _ = writeln!(out, "  {FRAME}-->{FRAME:#} {position}");
    }
    if let (Some(snippet), Some((line, _))) = (&place.snippet, place.line_column) {
        let number = line.to_string();
        let gap = " ".repeat(number.len().max(3));
        let _ = writeln!(out, "{gap} {FRAME}|{FRAME:#}");
        let _ = writeln!(out, "{number:>3} {FRAME}|{FRAME:#} {}", harmless(snippet.line()));
        let _ = writeln!(out, "{gap} {FRAME}|{FRAME:#} {}{ERROR}^{ERROR:#}", " ".repeat(snippet.caret()));
    }
    if let Some(path) = &place.key_path {
        let _ = writeln!(out, "  at: {}", harmless(path));
    }
}

/// A file name or a key may hold anything.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// A panic is a bug of ours. Its message may quote the data at hand, so only its place is shown.
pub(super) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
        print(&format!(
            "{ERROR}error:{ERROR:#} leafcrypt has a bug and stopped at {place}; no file is left half written\n\
             {HINT}hint:{HINT:#} please report it, with the command and without your secrets\n"
        ));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn plain(error: &Error) -> String {
        anstream::adapter::strip_str(&render(error)).to_string()
    }

    #[test]
    fn an_error_says_what_where_why_and_what_to_do() {
        let text = "a: 1\npassword: \"hunter2\n";
        let error = Error::new(Kind::Format, "a quote is never closed")
            .at(text, 15)
            .in_file("values.yaml")
            .because("the text ends inside of it\nand so does this")
            .hint("close the quote");
        assert_eq!(
            plain(&error),
            "\
error: a quote is never closed
  --> values.yaml:2:11
    |
  2 | password: \"*******
    |           ^
  because: the text ends inside of it
    and so does this
hint: close the quote
"
        );
    }

    #[test]
    fn parts_that_are_not_known_are_left_out() {
        let error = Error::new(Kind::DecryptTree, "a value does not decrypt").at_path("spec.env[0].value");
        assert_eq!(plain(&error), "error: a value does not decrypt\n  at: spec.env[0].value\n");
        let error = Error::new(Kind::Format, "broken").at("a: [", 4);
        assert!(plain(&error).starts_with("error: broken\n  --> line 1:5\n"), "{}", plain(&error));
    }

    #[test]
    fn a_hint_names_the_file_that_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("it's.yaml");
        std::fs::write(&file, "a: 1").expect("a file");
        let name = file.display().to_string();
        let hint =
            |name: &str| plain(&Error::new(Kind::Generic, "odd").in_file(name).hint("KEYFILE b=FILE: FILE, FILE"));
        let quoted = format!("'{}'", name.replace("it's", "it'\\''s"));
        assert!(hint(&name).ends_with(&format!("hint: KEYFILE b=FILE: {quoted}, {quoted}\n")), "{}", hint(&name));
        assert!(hint("standard input").ends_with("hint: KEYFILE b=FILE: FILE, FILE\n"));
    }

    #[test]
    fn a_terminal_gets_no_commands_from_data() {
        let error = Error::new(Kind::Generic, "odd").in_file("a\u{1b}[2J.yaml").at_path("k\u{7}");
        assert!(!plain(&error).contains(['\u{1b}', '\u{7}']));
        let error = Error::new(Kind::Generic, "odd").at_path("a\nhint: \u{202e}b\u{2028}");
        assert_eq!(plain(&error), "error: odd\n  at: a\u{fffd}hint: \u{fffd}b\u{fffd}\n");
    }
}
