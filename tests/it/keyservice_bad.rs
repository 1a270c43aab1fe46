//! Key services that do not serve, clients that mean no good, and sockets where something else is.

use crate::builder::{Test, leafcrypt};
use crate::keyservice::{Serving, by_default, encrypted_for, keyless, refused, with_age};
use crate::services::{bao, nobody, text};
use crate::way::{Fate, Way};
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A server that does `serve` with every connection; its address, and how often it was asked, which `serve` counts.
fn server(serve: fn(TcpStream, &AtomicU32) -> Option<()>) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || serve(stream, &counter));
        }
    });
    (address, asked)
}

/// Answers every request of HTTP/2 with these headers, and nothing else.
fn answer(mut stream: TcpStream, asked: &AtomicU32, headers: &[u8]) -> Option<()> {
    stream.read_exact(&mut [0; 24]).ok()?;
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).ok()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).ok()?;
        match (head[3], head[4] & 1) {
            // The client's settings, which want a word.
            (4, 0) => stream.write_all(&[0, 0, 0, 4, 1, 0, 0, 0, 0]).ok()?,
            (1, _) => {
                asked.fetch_add(1, Ordering::SeqCst);
                let answer = [&[0, 0, headers.len() as u8, 1, 5][..], &head[5..], headers].concat();
                stream.write_all(&answer).ok()?;
            }
            _ => {}
        }
    }
}

fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8][..], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

fn status(code: &str) -> Vec<u8> {
    [vec![0x88], field("content-type", "application/grpc"), field("grpc-status", code)].concat()
}

/// One that cannot at the moment is asked three times, one that says no once; and there is an end. Each has its message.
#[test]
fn a_service_is_not_asked_forever() {
    let (_, recipient) = with_age();
    let test = encrypted_for(keyless(), &recipient).env("LEAFCRYPT_NETWORK_TIMEOUT", "5");
    type Serve = fn(TcpStream, &AtomicU32) -> Option<()>;
    let cases: [(Serve, u32, &str); 7] = [
        // A server of HTTP, in the words of Go's.
        (
            |mut stream, asked| {
                asked.fetch_add(1, Ordering::SeqCst);
                stream.read_exact(&mut [0; 24]).ok()?;
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request").ok()?;
                // Until the other side has seen it.
                std::io::copy(&mut stream, &mut std::io::sink()).ok().map(drop)
            },
            1,
            "its answer is none of a key service",
        ),
        (|stream, asked| answer(stream, asked, &status("14")), 3, "it answered Unavailable"),
        (|stream, asked| answer(stream, asked, &status("7")), 1, "it answered PermissionDenied"),
        (|stream, asked| answer(stream, asked, &status("0")), 1, "its answer is none of a key service"),
        (|stream, asked| answer(stream, asked, &[0x88]), 1, "its answer is none of a key service"),
        (|stream, asked| answer(stream, asked, &[0x8d]), 1, "its answer is none of a key service"),
        (
            |mut stream, asked| {
                asked.fetch_add(1, Ordering::SeqCst);
                stream.read_exact(&mut [0; 24]).ok()
            },
            1,
            "closed the connection without an answer",
        ),
    ];
    for (serve, times, said) in cases {
        let (address, asked) = server(serve);
        for (line, code) in [
            (format!("decrypt --keyservice {address} e.yaml"), 128),
            (format!("encrypt --keyservice {address} --enable-local-keyservice=false --age {recipient} a.yaml"), 1),
        ] {
            let began = Instant::now();
            let refused = test.run(&line).fails().code(code);
            assert!(refused.stderr.contains(said), "{said}: {refused:?}");
            assert!(refused.stderr.contains(&format!("with the key service {address}: ")), "{refused:?}");
            assert!(began.elapsed() < Duration::from_secs(10), "{said}: {:?}", began.elapsed());
            let asked = asked.swap(0, Ordering::SeqCst);
            assert_eq!(asked, times, "{said}");
        }
    }
}

/// What is wrong with the service as a whole is said once, however many keys it was asked about.
#[test]
fn of_many_keys_a_service_that_does_not_serve_is_told_once() {
    let recipients: Vec<String> = (0..4).map(|_| with_age().1).collect();
    let test = encrypted_for(keyless(), &recipients.join(","));
    let (garbage, _) = server(|mut stream, _| {
        stream.read_exact(&mut [0; 24]).ok()?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request").ok()?;
        std::io::copy(&mut stream, &mut std::io::sink()).ok().map(drop)
    });
    let nobody = nobody().replace("http:", "tcp:");
    for (address, why) in [(garbage, "its answer is none of a key service"), (nobody, "it cannot be reached: ")] {
        let said = format!("  because: with the key service {address}: {why}");
        for line in [
            format!("decrypt --keyservice {address} e.yaml"),
            format!(
                "encrypt --keyservice {address} --enable-local-keyservice=false --age {} a.yaml",
                recipients.join(",")
            ),
        ] {
            let refused = test.run(&line).fails();
            assert_eq!(refused.stderr.matches(&said).count(), 1, "{refused:?}");
            assert_eq!(refused.stderr.matches("with the key service").count(), 1, "{refused:?}");
            assert!(recipients.iter().all(|recipient| refused.stderr.contains(recipient.as_str())), "{refused:?}");
        }
    }
}

/// Ten keys that the service must ask another service for, which answers none before it is asked for all.
#[test]
fn many_keys_are_wrapped_at_the_same_time() {
    let address = text(bao(), "address").strip_prefix("http://").unwrap();
    let way = Way::to(&[("vault.test", address)]);
    let serving = Serving::by(leafcrypt(), &way.wire(keyless()).env("VAULT_TOKEN", "root"));
    let keys: Vec<String> = (0..10).map(|at| format!("https://vault.test/v1/transit/keys/k{at}")).collect();
    way.make("vault.test", Fate::Together(keys.len(), address.to_owned()));
    let line = format!("encrypt {} --hc-vault-transit {} a.yaml", serving.alone(), keys.join(","));
    keyless().run(&line).code(0);
}

/// Clients that connect and say nothing, or begin and do not go on, keep nobody from being served for long: here more of
/// them than the server may have files open.
#[test]
fn silent_clients_do_not_hold_the_places_of_others() {
    let (holder, recipient) = with_age();
    let mut serving = Serving::limited(leafcrypt(), &holder, &["prlimit", "--nofile=40"]);
    let test = encrypted_for(keyless(), &recipient);
    let silent: Vec<UnixStream> = (0..100)
        .map_while(|at| {
            let mut stream = UnixStream::connect(serving.socket()).ok()?;
            if at % 2 == 0 {
                stream.write_all(b"PRI * HTTP/2.0\r\n").ok()?;
            }
            Some(stream)
        })
        .collect();
    assert_eq!(silent.len(), 100);
    let began = Instant::now();
    test.run(&format!("decrypt {} e.yaml", serving.alone())).code(0).stdout("# c\nuser: admin\nratio: 1.10\n");
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert!(serving.child.try_wait().unwrap().is_none());
    drop(silent);
}

/// A message that says that it is larger than any, or is; and many at once.
#[test]
fn what_is_too_much_is_refused() {
    let (holder, recipient) = with_age();
    let mut serving = Serving::by(leafcrypt(), &holder);
    let test = encrypted_for(keyless(), &recipient);
    let headers = [
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":path", "/KeyService/Decrypt"),
        field(":authority", "localhost"),
        field("content-type", "application/grpc"),
        field("te", "trailers"),
    ]
    .concat();
    let frame = |kind: u8, flags: u8, stream: u32, content: &[u8]| {
        let length = (content.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
    };
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[])].concat();
    let message = |length: u32, body: &[u8]| [&[0][..], &length.to_be_bytes(), body].concat();
    let whole = |count: u32, content: &[u8]| {
        let requests = (0..count).flat_map(|at| [frame(1, 4, at * 2 + 1, &headers), frame(0, 0, at * 2 + 1, content)]);
        requests.fold(begin.clone(), |bytes, next| [bytes, next].concat())
    };
    let header = frame(1, 0, 1, &[headers.clone(), field("x", "y")].concat());
    let endless = (0..5000).fold([begin.clone(), header].concat(), |bytes, _| {
        [bytes, frame(9, 0, 1, &field("x", &"y".repeat(100)))].concat()
    });
    let resets = (0..20_000u32).fold(begin.clone(), |mut bytes, at| {
        bytes.extend([frame(1, 4, at * 2 + 1, &headers), frame(3, 0, at * 2 + 1, &[0, 0, 0, 8])].concat());
        bytes
    });
    for bytes in [
        whole(1, &message(u32::MAX, b"x")),
        whole(1, &message(1 << 21, &vec![0; 16_000])),
        whole(500, &message(1 << 20, b"x")),
        whole(1, &[1, 0, 0, 0, 1, 0]),
        endless,
        resets,
        [begin.clone(), frame(1, 4, 1, &[0xff; 16_000])].concat(),
        [begin.clone(), frame(0, 1, 77, &[0; 100])].concat(),
        [begin.clone(), vec![0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]].concat(),
    ] {
        let mut stream = UnixStream::connect(serving.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let _ = stream.write_all(&bytes);
        let _ = stream.read_to_end(&mut Vec::new());
        assert!(serving.child.try_wait().unwrap().is_none());
    }
    test.run(&format!("decrypt {} e.yaml", serving.alone())).code(0).stdout_has("admin");
    let memory = std::fs::read_to_string(format!("/proc/{}/status", serving.child.id())).unwrap();
    let peak =
        memory.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse::<u64>().ok());
    assert!(peak.unwrap() < 100_000, "{peak:?} KiB");
}

/// What is in the place of the socket stays, whatever it is.
#[test]
fn a_socket_replaces_nothing_but_an_abandoned_one() {
    let (holder, recipient) = with_age();
    let test = Test::new().file("file", "x").file("folder/x", "x");
    let victim = test.path("victim");
    std::fs::write(&victim, "x").unwrap();
    std::os::unix::fs::symlink(&victim, test.path("link")).unwrap();
    std::os::unix::fs::symlink(test.path("nowhere"), test.path("dangling")).unwrap();
    let mode = std::fs::metadata(&victim).unwrap().permissions();
    test.tool("mkfifo", "fifo");
    let long = "x".repeat(200);
    for name in ["file", "folder", "link", "dangling", "fifo", "no/such/folder/s", &long, "/dev/null", "/proc/s", ""] {
        refused(&test, &format!("keyservice --network unix --address '{name}'")).stderr_has("cannot listen at unix://");
    }
    assert_eq!((test.read("file"), test.read("victim"), test.read("folder/x")), ("x".into(), "x".into(), "x".into()));
    assert_eq!(std::fs::metadata(&victim).unwrap().permissions(), mode);
    assert!(std::fs::symlink_metadata(test.path("dangling")).is_ok() && !test.path("nowhere").exists());

    // Somebody takes the socket away and another server makes its own: the end of the first one leaves it alone.
    let mut first = Serving::by(leafcrypt(), &holder);
    let socket = first.socket();
    std::fs::remove_file(&socket).unwrap();
    let line = format!("keyservice --network unix --address {}", socket.display());
    let second = by_default(holder.command(leafcrypt(), &line), &[]).stderr(Stdio::null()).spawn().unwrap();
    let mut ended = std::mem::replace(&mut first.child, second);
    first.wait_until(|serving| UnixStream::connect(serving.socket()).is_ok());
    rustix::process::kill_process(rustix::process::Pid::from_child(&ended), Signal::TERM).unwrap();
    assert_eq!(ended.wait().unwrap().code(), Some(0));
    let test = encrypted_for(keyless(), &recipient);
    test.run(&format!("decrypt {} e.yaml", first.alone())).code(0);
}
