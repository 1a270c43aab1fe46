//! The hosts of databases, some of which are local sockets where the system has them.

use tokio_postgres::config::Host;

/// The name of a host of PostgreSQL, or the folder of its socket.
pub(crate) fn name_of_host(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    }
}
