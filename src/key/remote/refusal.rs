//! Why a service did not do what it was asked.

use crate::error::Error;
use crate::key::named::Misplaced;
use crate::key::stanza::printable_within;
use crate::key::{Search, Stanza};
use rustls::CertificateError as Wrong;
use std::error::Error as StdError;
use std::fmt::{self, Display};

/// So much of what a server said is shown.
const LONGEST: usize = 500;
/// What hyper says of a connection that ended before a request was on it, and of one that ended before the answer.
const CLOSED: [&str; 2] = ["connection was not ready", "connection closed before message completed"];
/// What is said of a host that nobody knows, without its name.
const UNKNOWN: &str = "failed to lookup address";
/// What hyper says of the way through a proxy, of HTTP and of SOCKS.
const TUNNELS: [&str; 2] = ["tunnel error: ", "SOCKS error: "];

/// Why a service did not do what it was asked: one line, with the identity and the answer, and what the
/// user can do. It holds nothing secret.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    why: String,
    hints: Vec<String>,
    without_identity: bool,
    denied: bool,
    hung_up: bool,
    whole: bool,
}

impl Refusal {
    /// A refusal; `why` may hold what a server said, so that it is made printable and short here.
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Refusal {
            why: printable_within(&one_line(&why.into()), LONGEST),
            hints: Vec::new(),
            without_identity: false,
            denied: false,
            hung_up: false,
            whole: false,
        }
    }

    /// The answer is none that `service` gives: that of somebody else on the way, or in its place.
    pub(crate) fn strange(service: &str, status: impl Display, body: &[u8]) -> Self {
        Refusal::new(format!("it answered {status}, but not as {service} does: {}", words(body)))
    }

    /// Nothing came before the time was over.
    pub(crate) fn late() -> Self {
        Refusal::new("it did not answer in time").hint("LEAFCRYPT_NETWORK_TIMEOUT=SECONDS waits longer")
    }

    /// There is no identity to ask with, so that nobody was asked.
    pub(crate) fn without_identity(why: impl Into<String>) -> Self {
        Refusal { without_identity: true, ..Self::new(why) }
    }

    /// Adds what the user can do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(printable_within(&hint.into(), LONGEST));
        self
    }

    /// Says with which identity it was tried.
    #[must_use]
    pub(crate) fn with(mut self, identity: &str) -> Self {
        self.why = format!("with {}: {}", printable_within(identity, LONGEST), self.why);
        self
    }

    /// Says what it was asked for, when that is not what the user asked for.
    #[must_use]
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.why = format!("{what}: {}", self.why);
        self
    }

    /// Says which host was asked for, where that is why it cannot be reached.
    #[must_use]
    pub(crate) fn looking_for(mut self, host: &str) -> Self {
        self.why = self.why.replacen(UNKNOWN, &format!("{}: {UNKNOWN}", printable_within(host, LONGEST)), 1);
        self
    }

    /// The identity may not do this, though perhaps something else.
    #[must_use]
    pub(crate) fn denied(mut self) -> Self {
        self.denied = true;
        self
    }

    /// It is about the service as a whole, whichever key it was asked about: a report on several says it once.
    #[must_use]
    pub(crate) fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Whether the identity may not do this.
    pub(crate) fn is_denied(&self) -> bool {
        self.denied
    }

    /// Whether the connection was closed without an answer, or refused for want of a certificate of ours. In TLS 1.3 a
    /// server says the latter only after the handshake, so that it may be lost and look like the former.
    pub(crate) fn has_hung_up(&self) -> bool {
        self.hung_up
    }

    /// Whether nobody was asked, for want of an identity.
    pub(crate) fn is_without_identity(&self) -> bool {
        self.without_identity
    }

    /// The line.
    pub(crate) fn why(&self) -> &str {
        &self.why
    }

    /// What the user can do.
    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }

    /// As the reason of `error`.
    pub(crate) fn explain(self, error: Error) -> Error {
        self.hints.into_iter().fold(error.because(self.why), Error::hint)
    }

    /// As a part of the report on a file that nobody opened.
    pub(crate) fn into_search(self, stanza: &Stanza) -> Search {
        let line = if self.whole { self.why } else { format!("{}: {}", stanza.title(), self.why) };
        let (failures, looked_at) = if self.without_identity { (vec![], vec![line]) } else { (vec![line], vec![]) };
        Search { failures, looked_at, hints: self.hints, own: Vec::new() }
    }
}

/// Passes through libraries that ask by a client of ours.
impl StdError for Refusal {}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Nobody was asked: what says who we are stands in the wrong place.
impl From<Misplaced> for Refusal {
    fn from(misplaced: Misplaced) -> Self {
        Refusal::without_identity(misplaced.to_string()).hint(misplaced.hint())
    }
}

/// What an answer says to people that is none of the service's own: of a page its text, and not much of it.
pub(crate) fn words(body: &[u8]) -> String {
    const ENOUGH: usize = 200;
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned();
    let visible = text.split('<').enumerate().map(|(at, piece)| match piece.split_once('>') {
        Some((_, behind)) if at > 0 => behind,
        None if at > 0 => "",
        _ => piece,
    });
    let words = visible.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    words.chars().take(ENOUGH).collect()
}

/// `text` on one line: answers of servers have lists and indentation in them.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is at the bottom of an error of a network library: the system's or the TLS library's own words. The
/// layers above say little more than that something failed, each in other words.
pub(crate) fn cause(error: &(dyn StdError + 'static)) -> Refusal {
    use std::io::ErrorKind as Io;
    let mut innermost = error;
    let (mut timed_out, mut hung_up, mut tunnel) = (false, false, None);
    let mut asked = is_unconnected(error);
    let mut host = None;
    loop {
        if let Some(refusal) = innermost.downcast_ref::<Refusal>() {
            return refusal.clone();
        }
        host = host.or_else(|| host_of(innermost));
        let io = innermost.downcast_ref::<std::io::Error>();
        asked |= io.is_some();
        let is = |kinds: &[Io]| io.is_some_and(|io| kinds.contains(&io.kind()));
        timed_out |= is(&[Io::TimedOut]);
        hung_up |= is(&[Io::UnexpectedEof, Io::ConnectionReset, Io::ConnectionAborted, Io::BrokenPipe]);
        let shown = innermost.to_string();
        tunnel = tunnel.or_else(|| in_tunnel(&shown).map(str::to_owned));
        // An error of the system that holds one of another library does not name it as its source.
        let held = io.and_then(|io| io.get_ref()).map(|held| held as &(dyn StdError + 'static));
        match held.or_else(|| innermost.source()) {
            Some(source) => innermost = source,
            None => break,
        }
    }
    let said = innermost.to_string();
    if timed_out || said.contains("timed out") || said.contains("timeout") {
        return Refusal::late();
    }
    if let Some(tls) = innermost.downcast_ref::<rustls::Error>() {
        let refusal = Refusal::new(format!("no secure connection: {tls}"));
        return match tls {
            rustls::Error::InvalidCertificate(wrong) => refusal.hint(match wrong {
                Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
                    "its certificate is for another name: is the address right?"
                }
                Wrong::Expired
                | Wrong::ExpiredContext { .. }
                | Wrong::NotValidYet
                | Wrong::NotValidYetContext { .. } => "is the clock of this machine right? date -u",
                other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
                    "its certificate is one of an authority: give the server one that is not (basicConstraints CA:FALSE)"
                }
                _ => "name the file of its certificate authority: SSL_CERT_FILE=ca.pem, or VAULT_CACERT or AWS_CA_BUNDLE where one is set",
            }),
            rustls::Error::InvalidMessage(_) => refusal.hint("what answers there speaks no TLS"),
            rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired) => {
                Refusal { hung_up: true, ..refusal }
            }
            _ => refusal,
        };
    }
    if innermost.is::<serde_json::Error>() {
        return Refusal::new(format!("its answer makes no sense: {said}"));
    }
    if let Some(why) = tunnel {
        return by_proxy(&why, &said);
    }
    if said.starts_with("invalid HTTP ") {
        return Refusal::new("its answer is none of HTTP").hint("are its host and port right?");
    }
    if hung_up || CLOSED.contains(&&*said) {
        return Refusal { hung_up: true, ..Refusal::new("it closed the connection without an answer") };
    }
    // Libraries also fail before they ask anybody.
    let refusal = Refusal::new(if asked { format!("it cannot be reached: {said}") } else { said.clone() });
    if said.starts_with(UNKNOWN) {
        let refusal = host.iter().fold(refusal, |refusal, host| refusal.looking_for(host));
        return refusal.hint("is its name right, and is there a proxy to go by? HTTPS_PROXY=http://HOST:PORT");
    }
    refusal
}

/// The host that a client of HTTP was to ask.
#[cfg(feature = "client")]
fn host_of(error: &(dyn StdError + 'static)) -> Option<String> {
    error.downcast_ref::<reqwest::Error>()?.url()?.host_str().map(str::to_owned)
}

#[cfg(not(feature = "client"))]
fn host_of(_: &(dyn StdError + 'static)) -> Option<String> {
    None
}

/// Whether no connection came to be, in the words of the library below all clients.
pub(crate) fn is_unconnected(error: &(dyn StdError + 'static)) -> bool {
    let mut chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.any(|error| error.to_string().starts_with("client error (Connect)"))
}

/// What was said of the way through a proxy.
fn in_tunnel(said: &str) -> Option<&str> {
    TUNNELS.iter().find_map(|tunnel| said.split_once(tunnel)).map(|(_, why)| why)
}

/// What kept a proxy from being the way; `said` is at the bottom of it.
fn by_proxy(why: &str, said: &str) -> Refusal {
    let hint = "HTTPS_PROXY and NO_PROXY say by which way it is asked";
    match why {
        "unsuccessful" => Refusal::new("it cannot be reached: the proxy does not let it through").hint(hint),
        "proxy authorization required" => Refusal::new("it cannot be reached: the proxy wants a user and a password")
            .hint("HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"),
        // What is below is not always told.
        "failed to create underlying connection" => {
            let why = in_tunnel(said).map_or_else(|| format!(": {said}"), |_| String::new());
            Refusal::new(format!("the proxy cannot be reached{why}")).hint(hint)
        }
        why => Refusal::new(format!("it cannot be reached by the proxy: {why}")).hint(hint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn the_innermost_error_is_said() {
        let refused = io::Error::other(io::Error::new(io::ErrorKind::ConnectionRefused, "refused by the peer"));
        assert_eq!(cause(&refused).why, "it cannot be reached: refused by the peer");
        assert_eq!(cause(&std::fmt::Error).why, std::fmt::Error.to_string());
        let late = io::Error::new(io::ErrorKind::TimedOut, "x");
        assert_eq!(cause(&late).why, "it did not answer in time");
        let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let refusal = cause(&io::Error::other(certificate));
        assert!(refusal.why.contains("no secure connection") && refusal.hints[0].contains("SSL_CERT_FILE"));
        for (wrong, hint) in [
            (rustls::Error::InvalidCertificate(Wrong::NotValidForName), "another name"),
            (rustls::Error::InvalidCertificate(Wrong::Expired), "the clock"),
            (rustls::InvalidMessage::InvalidContentType.into(), "no TLS"),
        ] {
            assert!(cause(&io::Error::other(wrong)).hints[0].contains(hint), "{hint}");
        }
        let unknown = cause(&io::Error::other("failed to lookup address information: Name or service not known"));
        assert!(unknown.why.starts_with("it cannot be reached: ") && unknown.hints[0].contains("HTTPS_PROXY"));
        assert!(
            unknown.looking_for("x.test").why.starts_with("it cannot be reached: x.test: failed to lookup address")
        );
        for closed in [io::Error::other(CLOSED[0]), io::Error::new(io::ErrorKind::ConnectionReset, "x")] {
            let closed = cause(&closed);
            assert!(closed.why == "it closed the connection without an answer" && closed.has_hung_up());
        }
        let tunnel = io::Error::other("CONNECT tunnel failed: tunnel error: proxy authorization required");
        assert!(cause(&tunnel).why.contains("the proxy wants a user") && !cause(&tunnel).has_hung_up());
    }

    #[test]
    fn of_a_page_its_text_is_said() {
        assert_eq!(words(b"<E><Code>Denied</Code>\n <M>You may\nnot</M></E>"), "Denied You may not");
        assert_eq!(words(b"plain > text"), "plain > text");
        assert_eq!(words(b"<html"), "");
        assert_eq!(words(&[b'a'; 10_000]).len(), 200);
    }

    #[test]
    fn what_a_server_says_cannot_steer_a_terminal_or_fill_it() {
        let refusal = Refusal::new(format!("a\n\tb\u{1b}[2J{}", "x".repeat(10_000))).with("a\u{7}");
        assert!(refusal.why.starts_with("with a\\u{7}: a b\\u{1b}[2J"), "{}", refusal.why);
        assert!(refusal.why.chars().count() < 600);
    }
}
