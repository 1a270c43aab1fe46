//! The way to every service: a proxy of HTTP and of SOCKS behind which the vendors' own host names lead to servers of the tests, over TLS, and
//! where each of these servers can be made to misbehave. What was asked of whom is written down.

use crate::builder::Test;
use crate::services::{clouds, text};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What becomes of a request.
#[derive(Clone)]
pub(crate) enum Fate {
    /// The server at this address gets it.
    To(String),
    /// The same, once so many wait for it at the same time.
    Together(usize, String),
    /// No answer.
    Silence,
    /// An answer that begins and never ends, a byte at a time.
    Trickle,
    /// The connection is closed.
    HangUp,
    /// This answer, with a type of content.
    Answer(u16, &'static str, &'static str),
}

/// A proxy for one test. It ends with the test's process.
pub(crate) struct Way {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    fates: Mutex<HashMap<String, Fate>>,
    asked: Mutex<Vec<String>>,
    /// How many have waited for others.
    waiting: (Mutex<usize>, Condvar),
    tls: Arc<ServerConfig>,
}

impl Way {
    /// A way to these hosts, and to no other.
    pub(crate) fn to(hosts: &[(&str, &str)]) -> Self {
        let folder = Path::new(text(clouds(), "folder"));
        let chain = CertificateDer::pem_file_iter(folder.join("leaf.pem")).unwrap().collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("leaf.key")).unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let fates = hosts.iter().map(|(host, address)| ((*host).to_owned(), Fate::To((*address).to_owned()))).collect();
        let (fates, asked, waiting, tls) = (Mutex::new(fates), Mutex::default(), <_>::default(), Arc::new(tls));
        let shared = Arc::new(Shared { fates, asked, waiting, tls });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Way { address, shared }
    }

    /// `test`, sent this way, and told of the authority that has signed for its hosts.
    pub(crate) fn wire(&self, test: Test) -> Test {
        test.env("HTTPS_PROXY", &self.address).env("SSL_CERT_FILE", text(clouds(), "ca"))
    }

    /// The address of the proxy.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Makes the server at `host` do this.
    pub(crate) fn make(&self, host: &str, fate: Fate) {
        self.shared.fates.lock().unwrap().insert(host.to_owned(), fate);
    }

    /// The requests since it was asked last: the method, the host and the path. Of a host without a fate: `CONNECT`.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.asked.lock().unwrap())
    }
}

/// The version that a request for a tunnel by SOCKS begins with.
const SOCKS: [u8; 1] = [5];

impl Shared {
    /// Lets a tunnel through to a host that is known; its name.
    fn tunnel(&self, stream: &mut TcpStream) -> Option<String> {
        let (head, _) = request(stream)?;
        let host = head.split(' ').nth(1)?.split(':').next()?.to_owned();
        if !head.starts_with("CONNECT ") || !self.is_known(&host) {
            self.asked.lock().unwrap().push(format!("CONNECT {host}"));
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").ok()?;
            return None;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
        Some(host)
    }

    /// The same by SOCKS 5 (RFC 1928), without a password. The host is wanted by its name: who looks it up beforehand is
    /// let through nowhere.
    fn tunnel_of_socks(&self, stream: &mut TcpStream) -> Option<String> {
        let methods = take(stream, 2)?[1];
        take(stream, methods)?;
        stream.write_all(&[5, 0]).ok()?;
        let by_name = take(stream, 4)?[3] == 3;
        let length = take(stream, 1)?[0];
        let host = String::from_utf8(take(stream, length)?).ok().filter(|_| by_name)?;
        take(stream, 2)?;
        let known = self.is_known(&host);
        stream.write_all(&[5, if known { 0 } else { 2 }, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
        if !known {
            self.asked.lock().unwrap().push(format!("CONNECT {host}"));
        }
        Some(host).filter(|_| known)
    }

    fn is_known(&self, host: &str) -> bool {
        self.fates.lock().unwrap().contains_key(host)
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut first = [0];
        stream.peek(&mut first).ok()?;
        let host = if first == SOCKS { self.tunnel_of_socks(&mut stream)? } else { self.tunnel(&mut stream)? };
        let connection = ServerConnection::new(Arc::clone(&self.tls)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let (head, body) = request(&mut stream)?;
        let mut words = head.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let asked = format!("{method} {host}{target}");
        self.asked.lock().unwrap().push(asked);
        let fate = self.fates.lock().unwrap()[&host].clone();
        match fate {
            Fate::To(address) => stream.write_all(&forwarded(&address, &head, &body)?).ok()?,
            Fate::Together(all, address) => {
                let (waiting, changed) = &self.waiting;
                let mut waiting = waiting.lock().unwrap();
                *waiting += 1;
                changed.notify_all();
                let patience = Duration::from_secs(60);
                let waited = changed.wait_timeout_while(waiting, patience, |waiting| *waiting < all).unwrap();
                if waited.1.timed_out() {
                    return None;
                }
                drop(waited);
                stream.write_all(&forwarded(&address, &head, &body)?).ok()?;
            }
            Fate::Silence => drop(stream.read(&mut [0])),
            Fate::Trickle => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").ok()?;
                loop {
                    stream.write_all(b"{").ok()?;
                    stream.flush().ok()?;
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
            Fate::HangUp => return None,
            Fate::Answer(status, kind, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n");
                stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes()).ok()?;
            }
        }
        stream.conn.send_close_notify();
        stream.flush().ok()
    }
}

/// The next bytes.
fn take(stream: &mut TcpStream, length: u8) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).ok().map(|()| bytes)
}

/// Reads a request: its head without the last line break, and its body.
fn request(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head.strip_suffix("\r\n")?.to_owned(), body))
}

/// What the server at `address` answers. Each request has a connection of its own, so that none is used again that
/// is just being closed.
fn forwarded(address: &str, head: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut server = TcpStream::connect(address).ok()?;
    server.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).ok()?;
    server.write_all(body).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    let line = answer.windows(2).position(|end| end == b"\r\n")? + 2;
    answer.splice(line..line, *b"Connection: close\r\n");
    Some(answer)
}
