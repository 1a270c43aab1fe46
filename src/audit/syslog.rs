//! The log of the system, through its socket.

use super::{Record, Sink};
use crate::error::{Error, Kind, Result};
use crate::sys;
use serde::Deserialize;
use std::path::PathBuf;

/// The severity of a record: notice, "normal but significant".
const NOTICE: u8 = 5;
/// What most logs take as one message; longer ones are cut by them.
const LONGEST: usize = 7 << 10;
/// The facilities and their numbers, by RFC 3164.
const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// The log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Syslog {
    #[serde(default = "socket")]
    socket: PathBuf,
    #[serde(default = "facility")]
    facility: String,
}

fn socket() -> PathBuf {
    PathBuf::from("/dev/log")
}

fn facility() -> String {
    "authpriv".to_owned()
}

impl Syslog {
    /// The same, if its facility is one.
    pub(super) fn checked(self) -> std::result::Result<Self, String> {
        match self.number() {
            Some(_) => Ok(self),
            None => Err(format!("{:?} is no facility of syslog", self.facility)),
        }
    }

    fn number(&self) -> Option<u8> {
        FACILITIES.iter().find(|(name, _)| *name == self.facility).map(|(_, number)| *number)
    }

    /// The message as programs of this machine send it: priority, time, name and number of the program, text.
    fn message(&self, record: &Record<'_>) -> Result<String> {
        let json = |record: &Record<'_>| {
            serde_json::to_string(record).map_err(|error| Error::new(Kind::Generic, error.to_string()))
        };
        let mut text = json(record)?;
        if text.len() > LONGEST {
            let many = [format!("{} keys", record.keys.len())];
            text = json(&Record { time: record.time.clone(), keys: &many, ..*record })?;
        }
        let priority = self.number().unwrap_or_default() * 8 + NOTICE;
        let time = jiff::Zoned::now().strftime("%b %e %H:%M:%S").to_string();
        Ok(format!("<{priority}>{time} leafcrypt[{}]: {text}", record.pid))
    }
}

impl Sink for Syslog {
    fn shown(&self) -> String {
        format!("the system's log ({})", self.socket.display())
    }

    fn write(&self, record: &Record<'_>) -> Result<()> {
        sys::send_datagram(&self.socket, self.message(record)?.as_bytes())
            .map_err(|error| Error::new(Kind::Generic, error.to_string()).hint("is a syslog running? systemctl status"))
    }
}
