//! The key service: our server and client beside those of the real sops, and what a server must live through.

use crate::builder::{Output, Test, leafcrypt};
use crate::gnupg::Gnupg;
use crate::peers;
use crate::services::{Manner, Servers, bao, clouds, misbehaving, moto, nobody, number, text};
use crate::terminal::Terminal;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const PLAIN: &str = "# c\nuser: admin\nratio: 1.10\n";

/// A key service in a process of its own, behind a socket of its own.
pub(crate) struct Serving {
    pub(crate) child: Child,
    // Short: the path of a socket may have about 100 bytes.
    folder: tempfile::TempDir,
}

impl Serving {
    /// `program` serves with the keys of `holder`.
    pub(crate) fn by(program: &Path, holder: &Test) -> Self {
        Self::limited(program, holder, &[])
    }

    /// The same, by another program that runs it.
    pub(crate) fn limited(program: &Path, holder: &Test, limit: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("ks").tempdir_in("/tmp").unwrap();
        let line = format!("keyservice --network unix --address {}/s", folder.path().display());
        let mut command = by_default(holder.command(program, &line), limit);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut serving = Serving { child, folder };
        serving.wait_until(|serving| UnixStream::connect(serving.socket()).is_ok());
        serving
    }

    pub(crate) fn wait_until(&mut self, ready: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !ready(self) {
            assert!(Instant::now() < end && self.child.try_wait().unwrap().is_none(), "the key service is not there");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn uri(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The options by which this service alone is used.
    pub(crate) fn alone(&self) -> String {
        format!("--keyservice {} --enable-local-keyservice=false", self.uri())
    }

    pub(crate) fn end(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same command with signals that do what they do by default: whoever runs the tests in the background has told
/// them to ignore Ctrl-C.
pub(crate) fn by_default(command: Command, limit: &[&str]) -> Command {
    let mut reset = Command::new("env");
    reset.arg("--default-signal").args(limit).arg(command.get_program()).args(command.get_args()).env_clear();
    reset.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    reset.current_dir(command.get_current_dir().unwrap());
    reset
}

/// A key service that must not come up.
#[track_caller]
pub(crate) fn refused(test: &Test, line: &str) -> Output {
    let server = test.command(leafcrypt(), line);
    let mut command = Command::new("timeout");
    command.arg("20").arg(server.get_program()).args(server.get_args()).env_clear().current_dir(test.path(""));
    command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Output::of(line, command, b"").fails().code(1)
}

/// Somebody without a single key.
pub(crate) fn keyless() -> Test {
    Test::new().file("a.yaml", PLAIN)
}

/// Somebody with an age identity, and its recipient.
pub(crate) fn with_age() -> (Test, String) {
    let test = Test::new().identity();
    let recipient = age_recipient(&test);
    (test, recipient)
}

fn age_recipient(test: &Test) -> String {
    test.tool("echo", "{age}").trim().to_owned()
}

fn in_clouds(test: Test) -> Test {
    let clouds = clouds();
    let proxy = format!("http://127.0.0.1:{}", number(clouds, "proxy_rest"));
    test.env("HTTPS_PROXY", &proxy)
        .env("SSL_CERT_FILE", text(clouds, "ca"))
        .env("SOPS_GCP_KMS_CLIENT_TYPE", "rest")
        .env("GOOGLE_OAUTH_ACCESS_TOKEN", text(clouds, "gcp_token"))
        .env("AZURE_TENANT_ID", text(clouds, "tenant"))
        .env("AZURE_CLIENT_ID", text(clouds, "client_id"))
        .env("AZURE_CLIENT_SECRET", text(clouds, "client_secret"))
        .env("HUAWEICLOUD_SDK_AK", text(clouds, "hc_ak"))
        .env("HUAWEICLOUD_SDK_SK", text(clouds, "hc_sk"))
        .env("HUAWEICLOUD_SDK_PROJECT_ID", text(clouds, "hc_project"))
        // Huawei's own library, which sops has, knows no proxies.
        .env("HUAWEICLOUD_SDK_REGION_KMS_TR_WEST_1", &format!("http://127.0.0.1:{}", number(clouds, "http")))
}

/// Every kind of key that the messages have, by both servers and both clients; and each client reads what the other made.
#[test]
fn every_kind_of_key_is_used_by_both_clients_through_both_servers() {
    let gnupg = Gnupg::new();
    let fingerprint = gnupg.key("holder", "");
    let (holder, recipient) = with_age();
    let holder = in_clouds(holder)
        .env("GNUPGHOME", gnupg.home().to_str().unwrap())
        .env("VAULT_TOKEN", "root")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", text(moto(), "url"))
        .env("AWS_ACCESS_KEY_ID", "AKIAFROMTHEENV")
        .env("AWS_SECRET_ACCESS_KEY", "hunter2-secret");
    let arn = moto()["keys"]["us-east-1"][0].as_str().unwrap();
    let keys = [
        format!("--age {recipient}"),
        format!("--pgp {fingerprint}"),
        format!("--kms {arn} --encryption-context team:platform,env:prod"),
        "--gcp-kms projects/p/locations/global/keyRings/r/cryptoKeys/sops".to_owned(),
        "--azure-kv https://team.vault.azure.net/keys/sops/0123456789abcdef0123456789abcdef".to_owned(),
        format!("--hc-vault-transit {}/v1/transit/keys/sops", text(bao(), "address")),
        "--hckms tr-west-1:0d0466b0-e727-4d9c-b35d-f84bb474a37f".to_owned(),
    ];
    let served = leafcrypt::key::registry::LISTS.len();
    assert_eq!(keys.len(), served, "a key of each kind");
    for server in [leafcrypt(), peers::real_sops()] {
        let serving = Serving::by(server, &holder);
        let options = serving.alone();
        for key in &keys {
            let whose = format!("{} and {key}", server.display());
            let test = keyless();
            for client in [leafcrypt(), peers::real_sops()] {
                let line = format!("encrypt {options} {key} a.yaml");
                let encrypted = Output::of(&line, test.command(client, &line), b"").code(0).text();
                assert!(encrypted.contains("ENC[") && !encrypted.contains("admin"), "{whose}");
                std::fs::write(test.path("e.yaml"), &encrypted).unwrap();
                let line = format!("decrypt {options} e.yaml");
                test.run(&line).code(0).stdout_has("user: admin");
                test.sops(&line).code(0).stdout_has("user: admin");
                // It is the server that has the keys.
                test.run("decrypt e.yaml").fails().code(128);
            }
        }
    }
}

/// A file for the recipient of `recipient`.
pub(crate) fn encrypted_for(test: Test, recipient: &str) -> Test {
    let text = test.run(&format!("encrypt --age {recipient} a.yaml")).code(0).text();
    test.file("e.yaml", text)
}

#[test]
fn every_command_that_needs_keys_takes_them_from_the_service() {
    let (holder, recipient) = with_age();
    let serving = Serving::by(leafcrypt(), &holder);
    let test = encrypted_for(keyless(), &recipient).rules(&format!("creation_rules:\n  - age: {recipient}\n"));
    let test = test.env("SOPS_KEYSERVICE", &serving.uri()).env("SOPS_ENABLE_LOCAL_KEYSERVICE", "false");
    test.run("decrypt e.yaml").code(0).stdout(PLAIN);
    test.run("-d e.yaml").code(0).stdout(PLAIN);
    test.sops("decrypt e.yaml").code(0);
    test.run("encrypt a.yaml").code(0).stdout_has("ENC[");
    test.run("rotate -i e.yaml").code(0);
    let stranger = age::x25519::Identity::generate().to_public();
    test.run(&format!("rotate -i --add-age {stranger} e.yaml")).code(0);
    test.run("updatekeys -y e.yaml").code(0).stdout_has(&format!("--- age {stranger}"));
    test.run(&format!("groups add -i -f e.yaml --age {recipient} --shamir-secret-sharing-threshold 2")).code(0);
    test.run("decrypt e.yaml").code(0).stdout(PLAIN);
    test.run("groups delete -i -f e.yaml --shamir-secret-sharing-threshold 1 1").code(0);
    test.run("exec-env e.yaml 'echo $user'").code(0).stdout("admin\n");
    test.run("exec-file e.yaml 'cat {}'").code(0).stdout(PLAIN);
    test.run("exec-dir e.yaml 'cat {}/user'").code(0).stdout("admin");
    let generator = "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: g\nfiles:\n  - e.yaml\n";
    std::fs::write(test.path("generator.yaml"), generator).unwrap();
    test.run("kustomize generator.yaml").code(0).stdout_has("user: admin");
    test.run("kustomize --decryption-order age,age generator.yaml").fails().code(112);
    let editing = test.run_as(&[("EDITOR", "sed -i s/admin/other/")], "edit e.yaml");
    editing.code(0);
    test.run("decrypt e.yaml").code(0).stdout_has("user: other");
    test.run_as(&[("EDITOR", "true")], "edit new.yaml");
    // Without it, none of them has a key.
    let refused = test.run_as(&[("SOPS_KEYSERVICE", "")], "decrypt e.yaml").fails().code(128);
    refused.stderr_has("the keys of this machine were not asked").stderr_has("--keyservice unix:///PATH");
    test.run_as(&[("SOPS_KEYSERVICE", "")], "encrypt a.yaml").fails().stderr_has("no key service is named");
}

/// As in sops: this machine goes first, then the services in their order; what one has not the next may have.
#[test]
fn services_are_asked_in_order_after_this_machine() {
    let ((one, first), (two, second)) = (with_age(), with_age());
    let (a, b) = (Serving::by(leafcrypt(), &one), Serving::by(leafcrypt(), &two));
    let (uri_a, uri_b) = (a.uri(), b.uri());
    let both = format!("--keyservice {uri_a} --keyservice {uri_b}");
    for recipient in [&first, &second] {
        let test = encrypted_for(keyless(), recipient);
        for line in [format!("decrypt {both} e.yaml"), format!("decrypt --keyservice {uri_a},{uri_b} e.yaml")] {
            test.run(&line).code(0).stdout(PLAIN);
        }
    }
    // One group's share from each of them, and from this machine.
    let (mine, third) = with_age();
    let rules = format!(
        "creation_rules:\n  - key_groups:\n      - age: [{first}]\n      - age: [{second}]\n      - age: [{third}]\n"
    );
    let test = mine.file("a.yaml", PLAIN).rules(&rules);
    let encrypted = test.run("encrypt a.yaml").code(0).stdout;
    let test = test.file("e.yaml", encrypted);
    test.run("decrypt e.yaml").fails().code(128).stderr_has("1 of 3 key groups opened");
    test.run(&format!("decrypt {both} e.yaml")).code(0).stdout(PLAIN);
    test.sops(&format!("decrypt {both} e.yaml")).code(0);
    // Nobody has it: who was asked and what they said.
    let stranger = age::x25519::Identity::generate().to_public().to_string();
    let test = encrypted_for(keyless(), &stranger);
    let refused = test.run(&format!("decrypt {both} e.yaml")).fails().code(128);
    refused.stderr_has(&format!("with the key service {uri_a}: it answered:")).stderr_has(&uri_b);
    // An empty variable says nothing.
    let (mine, recipient) = with_age();
    let test = encrypted_for(mine.file("a.yaml", PLAIN), &recipient);
    for value in ["", "1", "true", "T"] {
        test.run_as(&[("SOPS_ENABLE_LOCAL_KEYSERVICE", value), ("SOPS_KEYSERVICE", "")], "decrypt e.yaml").code(0);
    }
    for value in ["0", "f", "False"] {
        test.run_as(&[("SOPS_ENABLE_LOCAL_KEYSERVICE", value)], "decrypt e.yaml").fails().code(128);
    }
    // What this machine has, no service is asked for: there is none at this address.
    let (mine, recipient) = with_age();
    let test = encrypted_for(mine.file("a.yaml", PLAIN), &recipient);
    let options = "--keyservice unix:///nowhere/sops.sock";
    test.run(&format!("decrypt --verbose {options} e.yaml")).code(0).stdout(PLAIN).stderr_lacks("nowhere");
    test.run(&format!("encrypt --verbose {options} --age {recipient} a.yaml")).code(0).stderr_lacks("nowhere");
}

#[test]
fn a_key_that_is_added_while_it_serves_is_used() {
    let (mine, recipient) = with_age();
    let keys = mine.home().join(".config/sops/age/keys.txt");
    let kept = std::fs::read(&keys).unwrap();
    std::fs::remove_file(&keys).unwrap();
    let serving = Serving::by(leafcrypt(), &mine);
    let test = encrypted_for(keyless(), &recipient);
    let line = format!("decrypt {} e.yaml", serving.alone());
    test.run(&line).fails().code(128).stderr_has("keys.txt");
    std::fs::write(&keys, kept).unwrap();
    test.run(&line).code(0).stdout(PLAIN);
    // One that is taken away is gone.
    std::fs::remove_file(&keys).unwrap();
    test.run(&line).fails().code(128);
}

#[test]
fn what_goes_wrong_has_its_own_message() {
    let (_, recipient) = with_age();
    let test = encrypted_for(keyless(), &recipient).env("LEAFCRYPT_NETWORK_TIMEOUT", "1");
    let refused = |uri: &str| {
        let began = Instant::now();
        let output = test.run(&format!("decrypt --keyservice {uri} e.yaml")).fails().code(128);
        assert!(began.elapsed() < Duration::from_secs(15), "{uri}: {:?}", began.elapsed());
        output
    };
    let tcp = |url: &str| url.replace("http://", "tcp://");
    refused(&tcp(&nobody())).stderr_has("it cannot be reached: ").stderr_has("refused");
    refused("unix:///nowhere/sops.sock").stderr_has("it cannot be reached: No such file");
    refused(&tcp(&misbehaving(Manner::Silent))).stderr_has("did not answer in time");
    refused(&tcp(&misbehaving(Manner::Says("<html>hello</html>")))).stderr_has("with the key service tcp://");
    // The same for those who encrypt.
    let line =
        format!("encrypt --keyservice {} --enable-local-keyservice=false --age {recipient} a.yaml", tcp(&nobody()));
    test.run(&line).fails().stderr_has("the data key cannot be wrapped for age").stderr_has("it cannot be reached");
    for uri in ["localhost:5000", "http://localhost:5000", "unix://relative", "tcp://localhost"] {
        let line = format!("decrypt --keyservice {uri} e.yaml");
        test.run(&line).fails().code(1).stderr_has("not the address of a key service").stderr_has("unix:///PATH");
    }
    let (holder, _) = with_age();
    let serving = Serving::by(leafcrypt(), &holder);
    // The answer does not hold the version, so the file would not.
    let line = format!("encrypt {} --azure-kv https://v.vault.azure.net/keys/k a.yaml", serving.alone());
    test.run(&line).fails().stderr_has("which version of the key it used");
}

#[test]
fn the_socket_is_for_its_user_alone_and_goes_with_the_server() {
    let (holder, recipient) = with_age();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut serving = Serving::by(leafcrypt(), &holder);
        let found = std::fs::metadata(serving.socket()).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert_eq!(serving.end(signal).code(), Some(0));
        assert!(!serving.socket().exists());
    }
    // One that is in use is left alone; one that was left behind is replaced; a file is none.
    let mut serving = Serving::by(leafcrypt(), &holder);
    let line = format!("keyservice --network unix --address {}", serving.socket().display());
    refused(&holder, &line).stderr_has("cannot listen at unix:///tmp/ks").stderr_has("in use");
    let test = encrypted_for(keyless(), &recipient);
    test.run(&format!("decrypt {} e.yaml", serving.alone())).code(0).stdout(PLAIN);
    serving.end(Signal::KILL);
    assert!(serving.socket().exists());
    serving.child = by_default(holder.command(leafcrypt(), &line), &[]).stderr(Stdio::null()).spawn().unwrap();
    serving.wait_until(|serving| UnixStream::connect(serving.socket()).is_ok());
    test.run(&format!("decrypt {} e.yaml", serving.alone())).code(0).stdout(PLAIN);
    let file = test.path("a.yaml");
    refused(&test, &format!("keyservice --net unix --addr {}", file.display())).stderr_has("cannot listen");
    assert_eq!(test.read("a.yaml"), PLAIN);
    refused(&test, "keyservice --network udp").stderr_has("[possible values: tcp, unix]");
    refused(&test, "keyservice --address here").stderr_has("tcp://HOST:PORT");
    refused(&test, "keyservice --address :5004")
        .stderr_has("has no host")
        .stderr_has("127.0.0.1:5004 for this machine");
}

#[test]
fn each_use_is_confirmed_in_the_terminal() {
    let (holder, recipient) = with_age();
    let test = encrypted_for(keyless(), &recipient);
    let folder = tempfile::Builder::new().prefix("ks").tempdir_in("/tmp").unwrap();
    let socket = folder.path().join("s");
    let line = format!("keyservice --prompt --network unix --address {}", socket.display());
    let mut terminal = Terminal::start(&holder.command(leafcrypt(), &line));
    terminal.expect("listening at unix:///tmp/ks");
    let options = format!("--keyservice unix://{} --enable-local-keyservice=false", socket.display());
    let asked = |program: &Path, line: &str| {
        let mut command = test.command(program, line);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let ended = |child: Child| {
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    for program in [leafcrypt(), peers::real_sops()] {
        let child = asked(program, &format!("decrypt {options} e.yaml"));
        terminal.expect(&format!("Somebody asks to open a data key with age {recipient}. Do it? (y/n) "));
        terminal.send("what\r").expect("Do it? (y/n) ").send("y\r");
        let (code, said) = ended(child);
        assert!(code == Some(0) && said.contains("admin"), "{said}");
        let child = asked(program, &format!("encrypt {options} --age {recipient} a.yaml"));
        terminal.expect("Somebody asks to wrap a data key for age age1").send("n\r");
        let (code, said) = ended(child);
        assert!(code != Some(0) && said.contains("the request was declined"), "{said}");
    }
    // Ctrl-C ends it.
    terminal.send("\x03");
    let (status, shown) = terminal.end();
    assert!(status.success() && !socket.exists(), "{shown}");
    // Without a terminal nobody can confirm.
    let mut command = Command::new("setsid");
    let line = format!("keyservice --prompt --network unix --address {}", socket.display());
    let server = holder.command(leafcrypt(), &line);
    command.arg("--wait").arg(server.get_program()).args(server.get_args()).env_clear();
    command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut serving = Serving { child, folder };
    serving.wait_until(|serving| UnixStream::connect(serving.socket()).is_ok());
    test.run(&format!("decrypt {options} e.yaml")).fails().code(128).stderr_has("no terminal to ask on");
}

/// A request as the real sops would send it, but for its bytes.
fn grpc(path: &str, body: &[u8]) -> Vec<u8> {
    let header = |name: &str, value: &str| {
        [&[0, name.len() as u8][..], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
    };
    let headers = [
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", path),
        header(":authority", "localhost"),
        header("content-type", "application/grpc"),
        header("te", "trailers"),
    ]
    .concat();
    let frame = |kind: u8, flags: u8, stream: u8, content: &[u8]| {
        let length = &(content.len() as u32).to_be_bytes()[1..];
        [length, &[kind, flags, 0, 0, 0, stream], content].concat()
    };
    let message = [&[0][..], &(body.len() as u32).to_be_bytes(), body].concat();
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, 0, &[]),
        frame(1, 4, 1, &headers),
        frame(0, 1, 1, &message),
    ]
    .concat()
}

/// The status of the answer to a request, as gRPC has it: `None` when the server hung up without one.
fn grpc_status(serving: &Serving, request: &[u8]) -> Option<u8> {
    /// `grpc-status` as HTTP/2 packs it, by the table of RFC 7541, appendix B.
    const NAME: [u8; 8] = [0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f];
    let mut stream = UnixStream::connect(serving.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request).unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let name = answer.windows(NAME.len()).position(|window| window == NAME);
        let value = name.and_then(|at| answer.get(at + NAME.len()..)).unwrap_or_default();
        if let Some((length, packed)) = value.split_first()
            && packed.len() >= usize::from(length & 0x7f)
        {
            // Digits to 2 have five bits, the others six; the rest of the last byte is ones.
            let mut bits =
                packed[..usize::from(length & 0x7f)].iter().fold(String::new(), |s, b| s + &format!("{b:08b}"));
            let mut status = 0;
            while bits.len() >= 5 && bits.contains('0') {
                let wide = !bits.starts_with("000");
                let code = u8::from_str_radix(&bits[..5 + usize::from(wide)], 2).unwrap();
                status = status * 10 + if wide { code - 0b011001 + 3 } else { code };
                bits.drain(..5 + usize::from(wide));
            }
            return Some(status);
        }
        match stream.read(&mut piece).expect("an answer in time") {
            0 => return None,
            length => answer.extend_from_slice(&piece[..length]),
        }
    }
}

/// Whatever is sent, the server answers or hangs up, and serves the next one.
#[test]
fn nothing_that_is_sent_ends_the_server() {
    let (holder, recipient) = with_age();
    let mut serving = Serving::by(leafcrypt(), &holder);
    let test = encrypted_for(keyless(), &recipient);
    let length_delimited = |field: u8, content: &[u8]| [&[field << 3 | 2, content.len() as u8], content].concat();
    let key = |kind: u8, content: &[u8]| length_delimited(1, &length_delimited(kind, content));
    let age = |name: &str| key(6, &length_delimited(1, name.as_bytes()));
    let good = [age(&recipient), length_delimited(2, b"x")].concat();
    // What Go's library of gRPC calls Unknown, NotFound, Unimplemented and Internal, and 0 for a success.
    let (unknown, invalid, no_key, no_method, unreadable) = (2, 3, 5, 12, 13);
    let same = |status: u8| (status, status);
    let answers: Vec<(Vec<u8>, (u8, u8))> = vec![
        (good.clone(), (0, unknown)),
        // No key (at which the real server of sops 3.11 stops), an empty one, one of a kind that nobody knows.
        (Vec::new(), same(no_key)),
        (length_delimited(1, &[]), same(no_key)),
        (length_delimited(2, b"x"), same(no_key)),
        (key(15, b"x"), same(no_key)),
        (key(31, b"x"), same(unreadable)),
        // Every known kind, without a name and with nonsense.
        ((1..=8).flat_map(|kind| key(kind, &[])).collect(), same(unknown)),
        ([age(""), length_delimited(2, b"x")].concat(), same(unknown)),
        ([age("age1nonsense"), length_delimited(2, b"x")].concat(), same(unknown)),
        ([age("AGE-SECRET-KEY-1QQ"), length_delimited(2, b"x")].concat(), same(unknown)),
        ([age(&recipient), length_delimited(2, &[0xff, 0xfe])].concat(), (0, invalid)),
        ([age(&recipient), length_delimited(2, b"-----BEGIN AGE ENCRYPTED FILE-----")].concat(), (0, unknown)),
        ([age(&recipient), length_delimited(2, &[])].concat(), (0, unknown)),
        ([key(2, &length_delimited(1, b"--output=/tmp/x")), length_delimited(2, b"x")].concat(), same(unknown)),
        ([key(1, &length_delimited(3, b"\xff")), length_delimited(2, b"x")].concat(), same(unreadable)),
        ([key(3, &length_delimited(1, b"../../x?y#z")), length_delimited(2, b"x")].concat(), same(unknown)),
        ([key(4, &length_delimited(1, b"file:///etc")), length_delimited(2, b"x")].concat(), same(unknown)),
        ([key(5, &length_delimited(1, b"\n\r")), length_delimited(2, b"x")].concat(), same(unknown)),
        ([key(7, &length_delimited(1, b"a.evil/:b")), length_delimited(2, b"x")].concat(), same(unknown)),
        (vec![0x0a], same(unreadable)),
        (vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], same(unreadable)),
        (vec![0x12, 200], same(unreadable)),
    ];
    for (body, (encrypted, decrypted)) in &answers {
        for (path, status) in [("/KeyService/Encrypt", encrypted), ("/KeyService/Decrypt", decrypted)] {
            assert_eq!(grpc_status(&serving, &grpc(path, body)), Some(*status), "{path}: {body:02x?}");
        }
    }
    for path in ["/KeyService/Nothing", "/", "/KeyService/Encrypt/"] {
        assert_eq!(grpc_status(&serving, &grpc(path, &good)), Some(no_method), "{path}");
    }

    // What is no request, half of one, or a damaged one: the server hangs up on whoever does.
    let mut requests: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0xff; 100_000],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
    ];
    for path in ["/KeyService/Encrypt", "/KeyService/Decrypt"] {
        let good = grpc(path, &good);
        requests.extend((1..good.len()).step_by(7).map(|at| good[..at].to_vec()));
        for at in (24..good.len()).step_by(3) {
            let mut bad = good.clone();
            bad[at] ^= 0x55;
            requests.push(bad);
        }
    }
    for request in &requests {
        let mut stream = UnixStream::connect(serving.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // It may have hung up already.
        let _ = stream.write_all(request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let ended = stream.read_to_end(&mut Vec::new());
        let waits = ended.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        assert!(!waits, "still connected after {request:02x?}");
        assert!(serving.child.try_wait().unwrap().is_none(), "ended by {request:02x?}");
    }
    for client in [leafcrypt(), peers::real_sops()] {
        let line = format!("decrypt {} e.yaml", serving.alone());
        Output::of(&line, test.command(client, &line), b"").code(0).stdout_has("admin");
    }
    assert_eq!(serving.end(Signal::TERM).code(), Some(0));
}

/// Over TCP, in a network without a way out: nobody else is asked.
#[test]
fn nobody_else_is_contacted() {
    let servers = Servers::alone("bao");
    let (holder, recipient) = with_age();
    let test = encrypted_for(keyless(), &recipient);
    let line = "keyservice --address 127.0.0.1:5000";
    let mut command = servers.inside(&holder.command(leafcrypt(), line));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let line = "decrypt --keyservice tcp://127.0.0.1:5000 e.yaml";
    let end = Instant::now() + Duration::from_secs(30);
    let opened = loop {
        let output = Output::of(line, servers.inside(&test.command(leafcrypt(), line)), b"");
        if output.code == Some(0) || Instant::now() > end {
            break output;
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    opened.code(0).stdout(PLAIN);
    assert_eq!(servers.strangers(), "");
}

/// Who listens where others reach it is told so, and by default nobody does.
#[test]
fn an_address_for_others_is_warned_of() {
    let (holder, _) = with_age();
    for (line, warned) in [("keyservice --address 127.0.0.1:0", false), ("keyservice --address 0.0.0.0:0", true)] {
        let mut terminal = Terminal::start(&holder.command(leafcrypt(), line));
        terminal.expect("listening at tcp://").send("\x03");
        let (status, shown) = terminal.end();
        assert!(status.success(), "{shown}");
        assert_eq!(shown.contains("can use your keys: there is no password"), warned, "{shown}");
        let port = shown.split("listening at tcp://").nth(1).unwrap().split(';').next().unwrap();
        assert!(!port.ends_with(":0") && TcpStream::connect(port).is_err(), "{shown}");
    }
}

/// A job without a key service starts nothing of it.
#[test]
fn nothing_is_connected_when_no_service_is_needed() {
    let (mine, recipient) = with_age();
    let test = encrypted_for(mine.file("a.yaml", PLAIN), &recipient);
    let line = "decrypt --keyservice tcp://127.0.0.1:9 e.yaml";
    let mut command = Command::new("strace");
    let traced = test.command(leafcrypt(), line);
    command.args(["-f", "-e", "trace=socket,connect,clone,clone3", "-o", "trace"]).arg(traced.get_program());
    command.args(traced.get_args()).env_clear().current_dir(test.path(""));
    command.envs(traced.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Output::of(line, command, b"").code(0).stdout(PLAIN);
    let trace = test.read("trace");
    assert!(trace.contains("exited with 0") && !trace.contains("socket(") && !trace.contains("clone"), "{trace}");
}
