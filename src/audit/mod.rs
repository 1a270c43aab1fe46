//! The audit: a record of who does what with which file, where `/etc/sops/audit.yaml` asks for one.
//!
//! Owns: that file, which is sops' own with two more kinds of records, and the records. Must not know: how files are
//! encrypted. Nothing is done without its record: a record that cannot be written is a failure.
//!
//! The path is fixed, as in sops, and nothing of the environment says where records go: who is watched must not be able to
//! switch that off. Without the file nothing is started, and one attempt to open it is all that it costs.
//!
//! Source: `audit/audit.go` and `audit/schema.sql` of sops 3.11.

mod lines;
#[cfg(feature = "audit-postgres")]
mod postgres;
mod syslog;

use crate::error::{Error, Kind, Result, nearest};
use crate::event::{Action, Event, Listener};
use crate::{sys, trace};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::OnceLock;

/// Where the audit is set up.
const FILE: &str = "/etc/sops/audit.yaml";

/// What can be done about a record that cannot be made.
const HINT: &str = "docs/audit.md says how the audit is set up; whoever runs this machine can put it right";

/// The audit of this machine. Its file is read when something is to be recorded.
#[derive(Default)]
pub struct Audit {
    sinks: OnceLock<Sinks>,
}

type Sinks = std::result::Result<Vec<Box<dyn Sink>>, Failure>;

/// Why there are no sinks: kept, since each file of a run fails by it.
struct Failure {
    message: String,
    because: String,
    hint: Option<String>,
}

/// Where records go.
trait Sink: Send + Sync {
    /// What it is called in messages.
    fn shown(&self) -> String;

    /// Whether it takes records of this kind.
    fn takes(&self, _action: Action) -> bool {
        true
    }

    /// Writes a record.
    fn write(&self, record: &Record<'_>) -> Result<()>;
}

/// What is recorded.
#[derive(Serialize)]
struct Record<'a> {
    time: String,
    action: &'static str,
    file: &'a str,
    username: &'a str,
    uid: Option<u32>,
    host: &'a str,
    pid: u32,
    keys: &'a [String],
    version: &'static str,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    backends: Option<Backends>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backends {
    #[serde(default)]
    postgres: Option<Vec<Postgres>>,
    #[serde(default)]
    json_lines: Option<Vec<lines::Lines>>,
    #[serde(default)]
    syslog: Option<Vec<syslog::Syslog>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Postgres {
    connection_string: String,
}

impl Listener for Audit {
    fn hear(&self, event: Event) -> Result<()> {
        let sinks = self.sinks.get_or_init(|| load(Path::new(FILE))).as_ref().map_err(|failure| {
            let error = Error::new(Kind::Generic, failure.message.clone()).in_file(FILE).because(&failure.because);
            failure.hint.iter().fold(error, Error::hint).hint(HINT)
        })?;
        if sinks.is_empty() {
            return Ok(());
        }
        let (uid, username) = sys::who();
        let host = sys::host_name();
        let record = Record {
            time: jiff::Timestamp::now().to_string(),
            action: event.action.name(),
            file: &event.file,
            username: &username,
            uid,
            host: &host,
            pid: std::process::id(),
            keys: &event.keys,
            version: env!("CARGO_PKG_VERSION"),
        };
        for sink in sinks.iter().filter(|sink| sink.takes(event.action)) {
            let clock = trace::clock();
            sink.write(&record).map_err(|error| {
                let message = format!("the audit record cannot be written to {}", sink.shown());
                let failed = Error::new(Kind::Generic, message).because(error.message());
                let failed = error.notes().iter().fold(failed, Error::because);
                let failed = failed.because(format!("{FILE} asks for it, and nothing is done without it"));
                error.hints().iter().fold(failed, |failed, hint| failed.hint(hint)).hint(HINT)
            })?;
            clock.done(|| format!("recorded {} of {} in {}", record.action, record.file, sink.shown()));
        }
        Ok(())
    }
}

/// Reads the file: no sinks, when there is none.
fn load(file: &Path) -> Sinks {
    let failure = |message: &str, because: String| Failure { message: message.to_owned(), because, hint: None };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failure("the set-up of the audit cannot be read", error.to_string())),
    };
    let wrong = |because: String| failure("the set-up of the audit is wrong", because);
    // What is wrong is not quoted: a connection string has a password in it.
    let options = serde_saphyr::options! { with_snippet: false };
    let config: Option<Config> = serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
        let (why, hint) = reason(&error);
        let place = error.location().map_or_else(String::new, |place| format!("line {}: ", place.line()));
        Failure { hint, ..wrong(format!("{place}{why}")) }
    })?;
    let Backends { postgres, json_lines, syslog } = config.unwrap_or_default().backends.unwrap_or_default();
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    for Postgres { connection_string } in postgres.into_iter().flatten() {
        sinks.push(database(&connection_string).map_err(wrong)?);
    }
    for lines in json_lines.into_iter().flatten() {
        sinks.push(Box::new(lines.checked().map_err(wrong)?));
    }
    for syslog in syslog.into_iter().flatten() {
        sinks.push(Box::new(syslog.checked().map_err(wrong)?));
    }
    Ok(sinks)
}

/// Why the file is refused, and what may be meant. A key that nobody knows is refused too: sops ignores it, and then nothing
/// is recorded where somebody meant it to be.
fn reason(error: &serde_saphyr::Error) -> (String, Option<String>) {
    use serde_saphyr::Error as Yaml;
    let plain = |why: &str| (why.to_owned(), None);
    match error.without_snippet() {
        Yaml::SerdeUnknownField { field, expected, .. } => {
            let hint = match nearest(field, expected) {
                Some(known) => format!("did you mean {known}?"),
                None if ["postgres", "json_lines", "syslog"].contains(&field.as_str()) => {
                    format!("indent {field}: it belongs below backends")
                }
                None => format!("known there are {}", expected.join(", ")),
            };
            // A connection that stands in the place of a key has a password in it.
            let is_name = field.len() <= 40 && field.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c));
            let name = if is_name { format!("the key {field}") } else { "a key".to_owned() };
            (format!("{name} is not known"), Some(hint))
        }
        Yaml::SerdeMissingField { field, .. } => (format!("{field} is missing"), None),
        Yaml::Unexpected { expected: "sequence start", .. } => {
            (String::from("expected a list"), Some(String::from("begin each item with a dash: `- `")))
        }
        Yaml::Unexpected { expected: "mapping start", .. } => plain("expected keys with values"),
        _ => plain("not of the form that is expected there"),
    }
}

#[cfg(feature = "audit-postgres")]
fn database(connection: &str) -> std::result::Result<Box<dyn Sink>, String> {
    Ok(Box::new(postgres::Database::new(connection)?))
}

#[cfg(not(feature = "audit-postgres"))]
fn database(_: &str) -> std::result::Result<Box<dyn Sink>, String> {
    Err("it names a PostgreSQL database, and this leafcrypt was built without --features audit-postgres".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Sinks {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.yaml");
        std::fs::write(&file, text).unwrap();
        load(&file)
    }

    #[test]
    fn without_a_file_nothing_is_recorded() {
        assert!(load(Path::new("/no/such/file")).is_ok_and(|sinks| sinks.is_empty()));
        for text in ["", "backends:\n", "backends: {}\n", "backends: {postgres: []}\n", "# c\n"] {
            assert!(loaded(text).is_ok_and(|sinks| sinks.is_empty()), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_wrong_is_no_audit_that_is_off() {
        for text in ["backends: [", "backends: x", "backends: {json_lines: x}", "backends: {json_lines: [{}]}", "\u{0}"]
        {
            assert!(loaded(text).is_err(), "{text}");
        }
        let quoted = loaded("backends: {postgres: [connection_string: {hunter2: x}]}").err().unwrap();
        assert!(!format!("{}{}", quoted.message, quoted.because).contains("hunter2"));
        assert!(load(Path::new("/")).is_err(), "a folder cannot be read");
    }

    #[test]
    fn a_name_that_nobody_knows_is_no_audit_that_is_off() {
        let known = "known there are ";
        for (text, because, hint) in [
            ("backend: {}\n", "line 1: the key backend is not known", "did you mean backends?"),
            ("backends:\n  postgre: []\n", "line 2: the key postgre is not known", "did you mean postgres?"),
            ("backends:\n  postgresql: []\n", "line 2: the key postgresql is not known", "did you mean postgres?"),
            ("backends:\n  mysql: []\n", "line 2: the key mysql is not known", known),
            ("backends:\npostgres:\n", "line 2: the key postgres is not known", "below backends"),
            ("backends: {}\nother: x\n", "line 2: the key other is not known", known),
            ("backends: {postgres: [{connection: x}]}", "line 1: the key connection is not known", "connection_string"),
            ("backends: {postgres: [{}]}", "line 1: connection_string is missing", ""),
            ("backends: {postgres: {connection_string: x}}", "line 1: expected a list", "dash"),
            ("backends: [postgres]", "line 1: expected keys with values", ""),
            ("backends: {json_lines: [{path: log/x}]}", "the path of json_lines is not absolute: log/x", ""),
            ("backends: {json_lines: [{path: x, pth: y}]}", "line 1: the key pth is not known", "path"),
            ("backends: {syslog: [{facilty: auth}]}", "line 1: the key facilty is not known", "facility"),
            ("backends: {postgres: [{'host=h password=hunter2': x}]}", "line 1: a key is not known", known),
            ("'postgres://u:hunter2@h/d': x", "line 1: a key is not known", known),
        ] {
            let failure = loaded(text).err().unwrap();
            assert_eq!(failure.because, because, "{text}");
            let said = failure.hint.unwrap_or_default();
            assert!(said.contains(hint) && !said.contains("hunter2"), "{text}: {said}");
        }
    }

    #[test]
    fn each_sink_is_known_by_its_name() {
        let sinks = loaded("backends:\n  json_lines: [{path: /x/y}]\n  syslog: [{facility: auth}]\n").ok().unwrap();
        let shown: Vec<String> = sinks.iter().map(|sink| sink.shown()).collect();
        assert_eq!(shown, ["/x/y", "the system's log (/dev/log)"]);
        assert!(loaded("backends:\n  syslog: [{facility: nope}]\n").err().unwrap().because.contains("nope"));
    }
}
