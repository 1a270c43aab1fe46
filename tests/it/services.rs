//! Servers that the tests talk to: real ones, started once for all tests of a run, and one that misbehaves.

use crate::builder::{Output, Test, leafcrypt};
use crate::peers;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Servers in a process of their own, which ends with this one, however this one ends: it reads a pipe.
pub(crate) struct Servers {
    child: Child,
    folder: PathBuf,
    found: Value,
    /// The namespaces that commands go into.
    enter: &'static [&'static str],
}

impl Servers {
    fn start(names: &[&str], unshare: &[&str], enter: &'static [&'static str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "{}-{}-{number}",
            names.join("-"),
            std::process::id()
        ));
        let python = peers::program("python");
        let mut command = match unshare {
            [] => Command::new(python),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(python);
                command
            }
        };
        command.arg(peers::package().join("tests/backends/serve.py"));
        command.args((!unshare.is_empty()).then_some("--alone")).arg(&folder).args(names);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let found = serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("{names:?} did not start:\n{said}")
        });
        Servers { child, folder, found, enter }
    }

    /// Servers in a network of their own, which has no way out. Commands go in with [`Self::inside`].
    pub(crate) fn alone(name: &str) -> Self {
        Self::together(&[name])
    }

    /// Several in one such network.
    pub(crate) fn together(names: &[&str]) -> Self {
        const USER: [&str; 2] = ["--preserve-credentials", "--user"];
        Self::start(names, &["unshare", "--user", "--map-root-user", "--net", "--kill-child"], &USER)
    }

    /// The same for servers that refuse to be root, whom only the real root can start as somebody else.
    pub(crate) fn alone_for_root(name: &str) -> Self {
        Self::start(&[name], &["unshare", "--net", "--kill-child"], &[])
    }

    /// What serve.py says of `name`.
    pub(crate) fn of(&self, name: &str) -> &Value {
        &self.found[name]
    }

    /// `command`, run in the network of these servers.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        // The child of `unshare` is what lives in the new network.
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let pid = std::fs::read_to_string(children).unwrap().trim().to_owned();
        // Found by our PATH: that of the command may lead nowhere.
        let nsenter = leafcrypt::sys::find_program("nsenter", &leafcrypt::sys::Environment::of_process());
        let mut inside = Command::new(nsenter.expect("nsenter, of util-linux"));
        inside.args(self.enter).args(["--net", "--target"]).arg(pid).arg("--");
        inside.arg(command.get_program()).args(command.get_args()).env_clear().stdin(Stdio::null());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside.current_dir(command.get_current_dir().unwrap());
        inside
    }

    /// Runs leafcrypt in the network of these servers.
    pub(crate) fn run(&self, test: &Test, line: &str) -> Output {
        Output::of(line, self.inside(&test.command(leafcrypt(), line)), b"")
    }

    /// Who outside of this machine was asked for.
    pub(crate) fn strangers(&self) -> String {
        // The packets are read by another process; what was sent last may still be on its way.
        std::thread::sleep(Duration::from_millis(300));
        std::fs::read_to_string(self.folder.join("strangers")).unwrap_or_default()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A function for each server that all tests of a run share: it gives what serve.py says of it.
macro_rules! shared {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        pub(crate) fn $name() -> &'static Value {
            static SERVERS: OnceLock<Servers> = OnceLock::new();
            SERVERS.get_or_init(|| Servers::start(&[stringify!($name)], &[], &[])).of(stringify!($name))
        }
    )*};
}

shared! {
    /// OpenBao.
    bao,
    /// AWS.
    moto,
    /// Google's, Azure's and Huawei's services.
    clouds,
    /// A stand-in for the API server of Kubernetes.
    kube,
    /// Google Cloud Storage.
    gcs,
    /// PostgreSQL, with the table of the audit.
    postgres
}

/// `test` on the way to the stand-in `clouds`, by their proxy: programs keep the vendors' own host names.
pub(crate) fn by_proxy(test: Test, clouds: &Value) -> Test {
    let proxy = format!("http://127.0.0.1:{}", number(clouds, "proxy_rest"));
    test.env("HTTPS_PROXY", &proxy).env("SSL_CERT_FILE", text(clouds, "ca"))
}

/// What a server does that is none.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Takes the request and says nothing.
    Silent,
    /// Answers so.
    Says(&'static str),
    /// Refuses so.
    Refuses(u16, &'static str),
    /// Hands requests that are signed for this region to another server, and sends others there, as S3 does.
    Region(&'static str, String),
    /// Hands the connection to another server after a while.
    Slow(Duration, String),
}

/// A server that misbehaves, on this machine. It ends with the test's process.
pub(crate) fn misbehaving(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let manner = manner.clone();
            std::thread::spawn(move || misbehave(stream, &manner));
        }
    });
    format!("http://{address}")
}

fn misbehave(mut stream: TcpStream, manner: &Manner) -> Option<()> {
    match manner {
        Manner::Silent => drop(std::io::copy(&mut stream, &mut std::io::sink())),
        Manner::Says(body) => return misbehave(stream, &Manner::Refuses(200, body)),
        Manner::Refuses(status, body) => {
            let mut request = [0; 65536];
            let _ = stream.read(&mut request).ok()?;
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
            // What is left to read when it is closed would take the answer away.
            stream.shutdown(std::net::Shutdown::Write).ok()?;
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
        Manner::Region(region, _) if !signed_for(&stream, region) => {
            let _ = stream.read(&mut [0; 65536]).ok()?;
            let head = "HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\nConnection: close";
            stream.write_all(format!("{head}\r\nx-amz-bucket-region: {region}\r\n\r\n").as_bytes()).ok()?;
        }
        Manner::Slow(_, to) | Manner::Region(_, to) => {
            if let Manner::Slow(wait, _) = manner {
                std::thread::sleep(*wait);
            }
            let mut server = TcpStream::connect(to).ok()?;
            let (mut back, mut from) = (stream.try_clone().ok()?, server.try_clone().ok()?);
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut back);
                let _ = back.shutdown(std::net::Shutdown::Both);
            });
            let _ = std::io::copy(&mut stream, &mut server);
            let _ = server.shutdown(std::net::Shutdown::Write);
        }
    }
    Some(())
}

/// Whether the request that comes next is signed for S3 in `region`.
fn signed_for(stream: &TcpStream, region: &str) -> bool {
    let mut begin = [0; 65536];
    let length = stream.peek(&mut begin).unwrap_or_default();
    String::from_utf8_lossy(&begin[..length]).contains(&format!("/{region}/s3/aws4_request"))
}

/// A port that nobody listens on.
pub(crate) fn nobody() -> String {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!("http://{address}")
}

/// A text of what serve.py says.
#[track_caller]
pub(crate) fn text<'a>(found: &'a Value, name: &str) -> &'a str {
    found[name].as_str().unwrap_or_else(|| panic!("no {name} in {found}"))
}

/// Sends a request as a test does it that looks at what a program has left on a server: without that program's own code.
/// `target` is a URL without a name of a host in it. Gives the status and the body.
pub(crate) fn http(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let rest = target.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).unwrap();
    let mut request = format!("{method} /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A number of what serve.py says.
#[track_caller]
pub(crate) fn number(found: &Value, name: &str) -> u64 {
    found[name].as_u64().unwrap_or_else(|| panic!("no {name} in {found}"))
}

/// A file in the folder of a server.
pub(crate) fn file(found: &Value, name: &str) -> String {
    Path::new(text(found, "folder")).join(name).display().to_string()
}
