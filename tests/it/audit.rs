//! The audit, with PostgreSQL and the real sops beside us. Each test has an `/etc/sops/audit.yaml` of its own, in a mount
//! namespace of its own: there is no other way to name that file, and there must be none.

use crate::builder::{Output, Test, leafcrypt};
use crate::peers;
use crate::services::{Manner, Servers, misbehaving, nobody, postgres, text};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PLAIN: &str = "user: admin\npass: hunter3\n";

/// A test with a file that was encrypted before the audit began.
fn test() -> Test {
    let test = Test::new().identity().rules("creation_rules:\n  - age: '{age}'\n").file("a.yaml", PLAIN);
    test.run("encrypt -i a.yaml").code(0);
    test.file("b.yaml", PLAIN)
}

/// `program`, ready to be run where `audit` is in `/etc/sops/audit.yaml`.
fn audited(test: &Test, audit: &str, program: &Path, line: &str) -> Command {
    let etc = test.path("../etc");
    std::fs::create_dir_all(etc.join("sops")).unwrap();
    for name in ["passwd", "group", "hosts", "nsswitch.conf"] {
        let _ = std::fs::copy(Path::new("/etc").join(name), etc.join(name));
    }
    if !audit.is_empty() {
        std::fs::write(etc.join("sops/audit.yaml"), audit).unwrap();
    }
    let inner = test.command(program, line);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "--propagation", "private"]);
    command.args(["sh", "-c", "mount --bind \"$0\" /etc && exec \"$@\""]).arg(&etc);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(inner.get_current_dir().unwrap());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

fn run_audited(test: &Test, audit: &str, program: &Path, line: &str) -> Output {
    Output::of(line, audited(test, audit, program, line), b"")
}

fn run(test: &Test, audit: &str, line: &str) -> Output {
    run_audited(test, audit, leafcrypt(), line)
}

fn database(connection: &str) -> String {
    format!("backends:\n  postgres:\n    - connection_string: \"{connection}\"\n")
}

fn connection(more: &str) -> String {
    connection_to("127.0.0.1", &postgres()["port"].to_string(), more)
}

fn connection_to(host: &str, port: &str, more: &str) -> String {
    format!("host={host} port={port} user=sops password=hunter2 dbname=audit {more}")
}

/// What psql says, asked as the one who runs the server.
fn query(statement: &str) -> String {
    query_at(postgres(), statement)
}

fn query_at(server: &Value, statement: &str) -> String {
    let words: Vec<&str> = server["psql"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let output = Command::new(words[0]).args(&words[1..]).args(["-d", "audit", "-c", statement]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The records about the files of a test, in their order; they are taken away.
fn taken(test: &Test) -> Vec<String> {
    let folder = std::path::absolute(test.path("")).unwrap().display().to_string();
    let folder = folder.trim_end_matches('/');
    let filter = format!("file LIKE '{folder}%'");
    let rows = query(&format!("SELECT action, username, file FROM audit_event WHERE {filter} ORDER BY id"));
    query(&format!("DELETE FROM audit_event WHERE {filter}"));
    rows.lines().map(|row| row.replace(folder, "")).collect()
}

#[test]
fn the_database_gets_the_records_of_sops() {
    let audit = database(&connection("sslmode=disable"));
    let ready = test().file("editor", "#!/bin/sh\nprintf 'more: x\\n' >> \"$1\"\n");
    std::fs::set_permissions(ready.path("editor"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let editor = ready.path("editor").display().to_string();
    let ready = ready.env("EDITOR", &editor);
    let reset = std::fs::read(ready.path("a.yaml")).unwrap();
    for (line, actions) in [
        ("encrypt b.yaml", &["encrypt|root|/b.yaml"][..]),
        ("decrypt a.yaml", &["decrypt|root|/a.yaml"]),
        ("decrypt ./x/../a.yaml", &["decrypt|root|/a.yaml"]),
        ("exec-env a.yaml true", &["decrypt|root|/a.yaml"]),
        ("rotate -i a.yaml", &["rotate|root|/a.yaml", "decrypt|root|/a.yaml", "encrypt|root|/a.yaml"]),
        ("edit a.yaml", &["decrypt|root|/a.yaml", "encrypt|root|/a.yaml"]),
        ("updatekeys -y a.yaml", &[]),
        ("filestatus a.yaml", &[]),
        ("decrypt nowhere.yaml", &[]),
    ] {
        std::fs::create_dir_all(ready.path("x")).unwrap();
        for program in [leafcrypt(), peers::real_sops()] {
            std::fs::write(ready.path("a.yaml"), &reset).unwrap();
            let said = run_audited(&ready, &audit, program, line);
            assert_eq!(said.code == Some(0), !line.contains("nowhere"), "{said:?}");
            assert_eq!(taken(&ready), actions, "{line} of {}", program.display());
        }
    }
}

/// sops' library takes all these forms.
#[test]
fn the_database_is_found_and_its_certificate_checked_as_the_file_says() {
    let ready = test();
    let (port, ca) = (&postgres()["port"], postgres()["ca"].as_str().unwrap());
    let url = |host: &str, more: &str| format!("postgres://sops:hunter2@{host}:{port}/audit?{more}");
    for (good, name) in [
        (true, connection("")),
        (true, connection("sslmode=require")),
        (true, url("127.0.0.1", "sslmode=disable")),
        (true, url("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={ca}"))),
        (true, url("localhost", &format!("sslmode=verify-ca&sslrootcert={ca}"))),
        (false, url("localhost", &format!("sslmode=verify-full&sslrootcert={ca}"))),
        (false, url("127.0.0.1", "sslmode=verify-full")),
        // Without a word about TLS: a socket has none.
        (true, format!("host={} port={port} user=postgres dbname=audit", postgres()["psql"][2].as_str().unwrap())),
        (true, connection("").replace("host=", "hostaddr=")),
        // Settings of the session; and some that only sops' library knows.
        (true, connection("search_path='elsewhere, public' binary_parameters=yes fallback_application_name=x")),
        (true, url("127.0.0.1", "search_path=elsewhere,public&binary_parameters=yes")),
        (false, connection("search_path=elsewhere")),
        (false, connection("no_such_setting=1")),
    ] {
        for program in [leafcrypt(), peers::real_sops()] {
            let said = run_audited(&ready, &database(&name), program, "decrypt a.yaml");
            assert_eq!(said.code, Some(if good { 0 } else { 1 }), "{name}: {said:?}");
            assert_eq!(taken(&ready).len(), usize::from(good), "{name}");
        }
    }
}

/// Without its record nothing is done: nothing is printed, and no file changes.
#[test]
fn what_cannot_be_recorded_is_not_done() {
    let ready = test().env("LEAFCRYPT_NETWORK_TIMEOUT", "2");
    let before = (ready.read("a.yaml"), ready.read("b.yaml"));
    let refused = |audit: &str, why: &str| {
        for line in ["decrypt a.yaml", "encrypt -i b.yaml", "rotate -i a.yaml", "exec-env a.yaml 'echo hello'"] {
            let said = run(&ready, audit, line).fails().code(1).stderr_has(why).stderr_has("docs/audit.md");
            said.stderr_lacks("hunter2").stderr_lacks("hunter3").stderr_has("audit");
        }
        assert_eq!((ready.read("a.yaml"), ready.read("b.yaml")), before);
        run(&ready, audit, "filestatus a.yaml").code(0);
    };
    let with = |from: &str, to: &str| database(&connection("sslmode=disable").replace(from, to));
    let address = |url: String| url.strip_prefix("http://127.0.0.1:").unwrap().to_owned();
    let port = format!("port={}", postgres()["port"]);
    refused(&with("hunter2", "hunter2-wrong"), "28P01");
    refused(&with("user=sops", "user=nobody"), "42501: permission denied for table audit_event");
    refused(&with("dbname=audit", "dbname=bare"), "42P01");
    refused(&with("dbname=audit", "dbname=none"), "3D000");
    refused(&with(&port, &format!("port={}", address(nobody()))), "cannot be reached");
    refused(&with(&port, &format!("port={}", address(misbehaving(Manner::Silent)))), "did not answer in time");
    refused(
        &with(&port, &format!("port={}", address(misbehaving(Manner::Says("hello"))))),
        "be written to PostgreSQL at 127.0.0.1",
    );
    refused(&database("host=/no/such user=u password=x dbname=d"), "be written to PostgreSQL at /no/such:5432/d");
    refused(&with("sslmode=disable", "sslmode=nope"), "sslmode=nope");
    refused("backends: [", "the set-up of the audit is wrong");
    refused("backends:\n  json_lines:\n    - path: /no/such/folder/log\n", "/no/such/folder/log");
    refused("backends:\n  json_lines:\n    - path: /\n", "written to /");
    refused("backends:\n  syslog:\n    - socket: /no/such/socket\n", "the system's log (/no/such/socket)");
    for audit in [with("hunter2", "wrong"), "backends: [".to_owned()] {
        let theirs = run_audited(&ready, &audit, peers::real_sops(), "decrypt a.yaml");
        assert!(theirs.code.is_some_and(|code| code != 0) && theirs.stdout.is_empty(), "{theirs:?}");
    }
}

/// What a server does after its last answer.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Closes,
    Stays,
    Trickles,
}

type Answers = &'static [&'static [u8]];

/// The port of a server that gives an answer for each time that it hears something, and then comes to its end.
fn answering(answers: Answers, end: End) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || -> Option<()> {
                for answer in answers {
                    let _ = stream.read(&mut [0; 65536]).ok()?;
                    stream.write_all(answer).ok()?;
                }
                match end {
                    End::Closes => stream.shutdown(Shutdown::Both).ok()?,
                    End::Stays => drop(std::io::copy(&mut stream, &mut std::io::sink())),
                    End::Trickles => loop {
                        stream.write_all(b"x").ok()?;
                        std::thread::sleep(Duration::from_millis(20));
                    },
                }
                Some(())
            });
        }
    });
    port
}

#[test]
fn what_answers_in_the_place_of_the_database_has_a_message_of_its_own() {
    use End::{Closes, Stays, Trickles};
    const NONE: &str = "its answer is none of PostgreSQL";
    const CLOSED: &str = "it closed the connection without an answer";
    const LATE: &str = "it did not answer in time";
    const NO_TLS: &str = "no secure connection: it speaks no TLS";
    const BAD_TLS: &str = "no secure connection: received corrupt message";
    const LOGIN: &str = "it cannot be logged in to";
    const PAGE: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\r\n<html><b>hello</b> hunter2</html>";
    // Whoever asks may do so, and the server is ready.
    const READY: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    let (ready, quick) = (test(), test().env("LEAFCRYPT_NETWORK_TIMEOUT", "0.5"));
    let before = ready.read("b.yaml");
    let cases: [(&str, Answers, End, &str, &str); 28] = [
        ("disable", &[PAGE], Closes, NONE, "host and port"),
        ("disable", &[b"{}"], Closes, NONE, "host and port"),
        ("disable", &[b"[]"], Closes, NONE, "host and port"),
        ("disable", &[b"null"], Closes, NONE, "host and port"),
        ("disable", &[b"{\"data\": 1}"], Closes, NONE, "host and port"),
        ("disable", &[b"\0\x1b[31m"], Closes, NONE, "host and port"),
        ("disable", &[&[0; 64]], Closes, NONE, "host and port"),
        ("disable", &[b""], Closes, CLOSED, ""),
        ("disable", &[READY, PAGE], Stays, LATE, "LEAFCRYPT_NETWORK_TIMEOUT"),
        ("disable", &[READY, b"Z\0\0\0\x05I"], Stays, NONE, "host and port"),
        ("disable", &[READY, b""], Closes, CLOSED, ""),
        ("disable", &[PAGE], Stays, NONE, "host and port"),
        ("disable", &[b"R\x7f\xff\xff\xff"], Trickles, NONE, "host and port"),
        ("disable", &[b""], Stays, LATE, "LEAFCRYPT_NETWORK_TIMEOUT"),
        ("disable", &[READY, b"N\x7f\xff\xff\xff"], Trickles, LATE, "LEAFCRYPT_NETWORK_TIMEOUT"),
        // Ways of logging in that nobody has, or that are none.
        ("disable", &[b"R\0\0\0\x08\0\0\0\x63"], Closes, NONE, "host and port"),
        ("disable", &[b"R\0\0\0\x08\0\0\0\x07"], Closes, LOGIN, "pg_hba.conf"),
        ("disable", &[b"R\0\0\0\x0e\0\0\0\x0aWHAT\0\0"], Closes, LOGIN, "pg_hba.conf"),
        ("disable", &[b"E\0\0\0\x22SFATAL\0C53300\0Mtoo\x1b[31m many\0\0"], Closes, "it answered 53300: too", ""),
        ("disable", &[b"E\0\0\0\x0aSFATAL"], Closes, CLOSED, ""),
        ("require", &[PAGE], Closes, NO_TLS, "sslmode=disable"),
        ("require", &[b"N"], Stays, NO_TLS, "sslmode=disable"),
        ("require", &[b""], Closes, CLOSED, ""),
        ("require", &[b""], Stays, LATE, "LEAFCRYPT_NETWORK_TIMEOUT"),
        ("require", &[b"S", PAGE], Closes, BAD_TLS, ""),
        ("require", &[b"S", b""], Closes, CLOSED, ""),
        ("require", &[b"S", b""], Stays, LATE, "LEAFCRYPT_NETWORK_TIMEOUT"),
        ("require", &[b"S\x16\x03\x03\x40\0"], Trickles, LATE, "LEAFCRYPT_NETWORK_TIMEOUT"),
    ];
    for (mode, answers, end, why, hint) in cases {
        let ready = if end == Closes { &ready } else { &quick };
        let audit = database(&connection_to("127.0.0.1", &answering(answers, end), &format!("sslmode={mode}")));
        for line in ["decrypt a.yaml", "encrypt -i b.yaml"] {
            let began = Instant::now();
            let said = run(ready, &audit, line).fails().code(1).stderr_has(why).stderr_has(hint);
            assert!(began.elapsed() < Duration::from_secs(10), "{why}: {:?}", began.elapsed());
            let said = said.stderr_lacks("hunter").stderr_lacks("<b>").stderr_lacks("\u{1b}");
            let others = [NONE, CLOSED, LATE, NO_TLS, BAD_TLS, LOGIN, "cannot be reached", "it answered"];
            let count = others.iter().filter(|other| said.stderr.contains(**other)).count();
            assert_eq!(count, 1, "{why}: {said:?}");
        }
        assert_eq!(ready.read("b.yaml"), before);
        // sops waits without end for what does not come, and does not survive zeroes.
        if end == Closes {
            let theirs = run_audited(ready, &audit, peers::real_sops(), "decrypt a.yaml");
            assert!(theirs.code.is_some_and(|code| code != 0) && theirs.stdout.is_empty(), "{why}: {theirs:?}");
        }
    }
}

/// A server of HTTP waits for the end of a line, and so keeps its connection open.
#[test]
fn a_server_of_http_is_said_to_be_no_database() {
    let ready = test().env("LEAFCRYPT_NETWORK_TIMEOUT", "0.5");
    let mut server = Command::new("python3");
    server.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory"]).arg(ready.path("")).arg("0");
    let mut server = server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let port = said.split_whitespace().skip_while(|word| *word != "port").nth(1).unwrap();
    for mode in ["disable", "prefer", "require"] {
        let audit = database(&connection_to("127.0.0.1", port, &format!("sslmode={mode}")));
        let refused = run(&ready, &audit, "decrypt a.yaml").fails().code(1);
        refused.stderr_has("none of PostgreSQL").stderr_has("host and port").stderr_lacks("in time");
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

/// A database that takes its time, one that knows its clients by certificates, and one whose certificate nobody has signed
/// that is known here.
#[test]
fn certificates_go_both_ways_and_a_slow_database_is_waited_for() {
    let ready = test();
    let server = postgres();
    let port = server["port"].to_string();
    let slow = misbehaving(Manner::Slow(Duration::from_secs(1), format!("127.0.0.1:{port}")));
    let slow = connection_to("127.0.0.1", slow.rsplit(':').next().unwrap(), "sslmode=require");
    // By its certificate a client is known to be of this name.
    let named = connection("sslmode=require").replace("user=sops password=hunter2", "user=client");
    let certified =
        format!("{named} sslcert={} sslkey={}", text(server, "client_certificate"), text(server, "client_key"));
    for program in [leafcrypt(), peers::real_sops()] {
        for good in [&slow, &certified] {
            run_audited(&ready, &database(good), program, "decrypt a.yaml").code(0).stdout(PLAIN);
            assert_eq!(taken(&ready), ["decrypt|root|/a.yaml"]);
        }
        run_audited(&ready, &database(&named), program, "decrypt a.yaml").fails().code(1);
    }
    run(&ready, &database(&named), "decrypt a.yaml")
        .fails()
        .stderr_has("it answered 28000: connection requires a valid client");
    let unreadable = certified.replace("sslkey=", "sslkey=/no/such");
    run(&ready, &database(&unreadable), "decrypt a.yaml").fails().stderr_has("cannot be read, or is no key in PEM");
    let other = format!("sslmode=verify-full sslrootcert={}", text(server, "client_certificate"));
    for (more, why) in
        [(&*other, "no secure connection: invalid peer certificate"), ("sslmode=verify-full", "no authority")]
    {
        let said = run(&ready, &database(&connection(more)), "decrypt a.yaml").fails().stderr_has(why);
        said.stderr_has("sslrootcert=ca.pem").stderr_lacks("SSL_CERT_FILE");
    }
    let without = connection("sslmode=disable").replace("password=hunter2", "");
    run(&ready, &database(&without), "decrypt a.yaml")
        .fails()
        .stderr_has("it cannot be logged in to: password missing");
}

/// In a network without a way out the same is recorded, and nobody outside was asked for.
#[test]
fn nobody_but_the_database_is_contacted() {
    let servers = Servers::alone_for_root("postgres");
    let (server, ready) = (servers.of("postgres"), test());
    let at = |host: &str, mode: &str| {
        database(&connection_to(host, &server["port"].to_string(), &format!("sslmode={mode}")))
    };
    let inside =
        |audit: &str, line: &str| Output::of(line, servers.inside(&audited(&ready, audit, leafcrypt(), line)), b"");
    for mode in ["disable", "require"] {
        inside(&at("127.0.0.1", mode), "decrypt a.yaml").code(0).stdout(PLAIN);
        inside(&at("localhost", mode), "rotate -i a.yaml").code(0);
    }
    assert_eq!(query_at(server, "SELECT count(*) FROM audit_event").trim(), "8");
    // Nor the database, by what is not recorded there.
    for line in ["filestatus a.yaml", "updatekeys -y a.yaml", "--version"] {
        inside(&at("192.0.2.7", "disable"), line).code(0);
    }
    assert_eq!(servers.strangers(), "");
    // The check itself: somebody outside is noticed.
    inside(&at("192.0.2.7", "disable"), "decrypt a.yaml").fails().code(1).stderr_has("cannot be reached");
    assert_eq!(servers.strangers(), "192.0.2.7\n");
}

/// Who is watched cannot send the records elsewhere, or nowhere.
/// sops takes it for no audit, decrypts, and records nothing.
#[test]
fn a_name_in_the_file_that_nobody_knows_is_an_error() {
    let test = test();
    let right = database(&connection("sslmode=disable"));
    for (from, to, hint) in [
        ("backends:", "backend:", "did you mean backends?"),
        ("postgres:", "postgre:", "did you mean postgres?"),
        ("  postgres:\n    -", "postgres:\n  -", "it belongs below backends"),
    ] {
        let wrong = right.replace(from, to);
        assert_ne!(wrong, right);
        run_audited(&test, &wrong, peers::real_sops(), "decrypt a.yaml").code(0).stdout(PLAIN);
        let refused = run(&test, &wrong, "decrypt a.yaml").fails().code(1);
        refused.stderr_has("/etc/sops/audit.yaml").stderr_has("is not known").stderr_has(hint).stderr_lacks("hunter2");
    }
    assert_eq!(taken(&test), [""; 0]);
}

#[test]
fn nothing_of_the_environment_has_a_say() {
    let elsewhere =
        [("PGHOST", "127.0.0.9"), ("PGPORT", "1"), ("PGUSER", "x"), ("PGSSLMODE", "disable"), ("PGPASSWORD", "x")];
    let ready = elsewhere.iter().fold(test(), |test, (name, value)| test.env(name, value));
    let ready = ready.env("SOPS_AUDIT", "off").env("HOME", "/").env("XDG_CONFIG_HOME", "/");
    let keys = ready.home().join(".config/sops/age/keys.txt").display().to_string();
    let ready = ready.env("SOPS_AGE_KEY_FILE", &keys).env("USER", "somebody").env("LOGNAME", "somebody");
    run(&ready, &database(&connection("")), "decrypt a.yaml").code(0);
    assert_eq!(taken(&ready), ["decrypt|root|/a.yaml"]);
}

#[test]
fn a_file_of_lines_says_who_did_what_by_which_keys() {
    let ready = test();
    let log = ready.path("../log").display().to_string();
    let audit = format!("backends:\n  json_lines:\n    - path: {log}\n");
    let recipient = ready.recipient();
    let newcomer = Test::new().identity().recipient();
    run(&ready, &audit, "decrypt a.yaml").code(0).stdout(PLAIN);
    run(&ready, &audit, "encrypt -i b.yaml").code(0);
    let ready = ready.rules(&format!("creation_rules:\n  - age: '{{age}},{newcomer}'\n"));
    run(&ready, &audit, "updatekeys -y a.yaml").code(0);
    run(&ready, &audit, "filestatus a.yaml").code(0);
    run(&ready, &audit, "decrypt -i a.yaml b.yaml").code(0);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("admin") && !text.contains("hunter3") && !text.contains("ENC["), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut said: Vec<String> = lines
        .iter()
        .map(|line| {
            let keys = line["keys"].to_string().replace(&recipient, "OURS").replace(&newcomer, "NEW");
            let file = line["file"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            format!("{} {file} {keys}", line["action"].as_str().unwrap())
        })
        .collect();
    said[3..].sort(); // two files at the same time
    assert_eq!(
        said,
        [
            "decrypt a.yaml [\"age OURS\"]",
            "encrypt b.yaml [\"age OURS\"]",
            "updatekeys a.yaml [\"age OURS\",\"age NEW\"]",
            "decrypt a.yaml [\"age OURS\"]",
            "decrypt b.yaml [\"age OURS\"]"
        ]
    );
    for line in &lines {
        assert!(line["time"].as_str().unwrap().ends_with('Z') && line["pid"].is_u64(), "{line}");
        assert_eq!((&line["username"], &line["uid"]), (&"root".into(), &0.into()));
        assert!(Path::new(line["file"].as_str().unwrap()).is_absolute());
    }
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Beside what `logger` sends: the same shape, down to the time.
#[test]
fn the_systems_log_gets_a_message() {
    let ready = test();
    let path = ready.path("../socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let receive = || {
        let mut message = [0; 65536];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    let audit = format!("backends:\n  syslog:\n    - socket: {}\n      facility: local3\n", path.display());
    run(&ready, &audit, "decrypt a.yaml").code(0);
    let ours = receive();
    let mut logger = Command::new("logger");
    logger.arg("-u").arg(&path).args(["-p", "local3.notice", "-t", "leafcrypt", "-i", "{}"]);
    assert!(logger.status().expect("logger of util-linux").success());
    let logger = receive().replace("  ", " 0");
    let shape = |text: &str| {
        let (head, _) = text.split_once('{').unwrap();
        head.chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect::<String>()
            .replace("000", "0")
            .replace("00", "0")
    };
    assert_eq!(shape(&ours.replace("  ", " 0")).trim_end(), shape(&logger).trim_end(), "{ours}\n{logger}");
    assert!(ours.starts_with("<157>"), "{ours}");
    let record: Value = serde_json::from_str(&ours[ours.find('{').unwrap()..]).unwrap();
    assert_eq!(record["action"], "decrypt");
    assert!(!ours.contains("admin"));
}

/// A draft is kept when the audit cannot be reached any more: it is why there is one.
#[test]
fn an_edit_that_cannot_be_recorded_is_kept_as_a_draft() {
    let ready = test();
    let log = ready.path("../logs/log");
    let folder = log.parent().unwrap().to_owned();
    std::fs::create_dir(&folder).unwrap();
    let script = format!("#!/bin/sh\nsed -i s/admin/root/ \"$1\"\nmv {0} {0}.gone\n", folder.display());
    let ready = ready.file("editor", script);
    std::fs::set_permissions(ready.path("editor"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let editor = ready.path("editor").display().to_string();
    let ready = ready.env("EDITOR", &editor);
    let before = ready.read("a.yaml");
    let audit = format!("backends:\n  json_lines:\n    - path: {}\n", log.display());
    let failed = run(&ready, &audit, "edit a.yaml")
        .fails()
        .stderr_has("the audit record cannot be written")
        .stderr_has("--draft");
    assert_eq!(ready.read("a.yaml"), before);
    drop(failed);
}

/// Where it is not named, sops records the working folder.
#[test]
fn the_standard_input_is_recorded_by_its_name() {
    let audit = database(&connection("sslmode=disable"));
    let test = test();
    let encrypted = test.read("a.yaml");
    let folder = std::path::absolute(test.path("")).unwrap().display().to_string();
    for (line, input, action) in [
        ("decrypt --input-type yaml --output-type yaml", encrypted.as_str(), "decrypt"),
        ("decrypt --input-type yaml --output-type yaml /dev/stdin", &encrypted, "decrypt"),
        ("encrypt --filename-override x.yaml", PLAIN, "encrypt"),
        ("encrypt --input-type yaml --output-type yaml --filename-override x.yaml /dev/stdin", PLAIN, "encrypt"),
    ] {
        let recorded = |program: &Path, file: &str| {
            let count =
                || query(&format!("SELECT count(*) FROM audit_event WHERE action = '{action}' AND file = '{file}'"));
            let before: u32 = count().trim().parse().unwrap();
            Output::of(line, audited(&test, &audit, program, line), input.as_bytes()).code(0);
            assert_eq!(count().trim(), (before + 1).to_string(), "{line} of {}", program.display());
        };
        let is_named = line.ends_with("/dev/stdin");
        recorded(leafcrypt(), "/dev/stdin");
        recorded(peers::real_sops(), if is_named { "/dev/stdin" } else { folder.trim_end_matches('/') });
    }
}
