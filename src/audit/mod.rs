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

use crate::error::{Error, Kind, Result};
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
struct Config {
    #[serde(default)]
    backends: Option<Backends>,
}

#[derive(Default, Deserialize)]
struct Backends {
    #[serde(default)]
    postgres: Option<Vec<Postgres>>,
    #[serde(default)]
    json_lines: Option<Vec<lines::Lines>>,
    #[serde(default)]
    syslog: Option<Vec<syslog::Syslog>>,
}

#[derive(Deserialize)]
struct Postgres {
    connection_string: String,
}

impl Listener for Audit {
    fn hear(&self, event: Event) -> Result<()> {
        let sinks = self.sinks.get_or_init(|| load(Path::new(FILE))).as_ref().map_err(|failure| {
            Error::new(Kind::Generic, failure.message.clone()).in_file(FILE).because(&failure.because).hint(HINT)
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
    let failure = |message: &str, because: String| Failure { message: message.to_owned(), because };
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
    let config: Option<Config> =
        serde_saphyr::from_str_with_options(&text, options).map_err(|error| match error.location() {
            Some(place) => wrong(format!("line {} is not of the form that is expected there", place.line())),
            None => wrong("it is no YAML of the form that is expected".to_owned()),
        })?;
    let Backends { postgres, json_lines, syslog } = config.unwrap_or_default().backends.unwrap_or_default();
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    for Postgres { connection_string } in postgres.into_iter().flatten() {
        sinks.push(database(&connection_string).map_err(wrong)?);
    }
    for lines in json_lines.into_iter().flatten() {
        sinks.push(Box::new(lines));
    }
    for syslog in syslog.into_iter().flatten() {
        sinks.push(Box::new(syslog.checked().map_err(wrong)?));
    }
    Ok(sinks)
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
        for text in ["", "backends:\n", "backends: {}\n", "backends: {postgres: []}\nother: x\n", "# c\n"] {
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
    fn each_sink_is_known_by_its_name() {
        let sinks = loaded("backends:\n  json_lines: [{path: /x/y}]\n  syslog: [{facility: auth}]\n").ok().unwrap();
        let shown: Vec<String> = sinks.iter().map(|sink| sink.shown()).collect();
        assert_eq!(shown, ["/x/y", "the system's log (/dev/log)"]);
        assert!(loaded("backends:\n  syslog: [{facility: nope}]\n").err().unwrap().because.contains("nope"));
    }
}
