//! `seal`: SealedSecrets, opened again by another implementation of RSA-OAEP and AES-GCM.

use crate::builder::{Output, Test};
use crate::peers;

/// Makes a certificate, and opens what was sealed under it: by Python's `cryptography`, from the format's description.
const PEER: &str = r#"
import base64, datetime, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if sys.argv[1] == "make":
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([])
    now = datetime.datetime(2020, 1, 1)
    until = now + datetime.timedelta(days=1 if "expired" in sys.argv else 36500)
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    certificate = certificate.serial_number(1).not_valid_before(now).not_valid_after(until).sign(key, hashes.SHA256())
    open("cert.pem", "wb").write(certificate.public_bytes(serialization.Encoding.PEM))
    open("cert.der", "wb").write(certificate.public_bytes(serialization.Encoding.DER))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    open("key.pem", "wb").write(private)
else:
    key = serialization.load_pem_private_key(open("key.pem", "rb").read(), None)
    sealed = base64.b64decode(sys.argv[2])
    label = sys.argv[3].encode() or None
    length = int.from_bytes(sealed[:2], "big")
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=label)
    session = key.decrypt(sealed[2:2 + length], oaep)
    sys.stdout.buffer.write(AESGCM(session).decrypt(bytes(12), sealed[2 + length:], None))
"#;

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  labels: {app: shop}\n  annotations:\n    note: kept\n    kubectl.kubernetes.io/last-applied-configuration: '{}'\ntype: Opaque\ndata:\n  user: YWRtaW4=\n  both: b2xk\nstringData:\n  password: pa$$word\n  both: new\n";

fn peer(test: &Test, arguments: &[&str]) -> Output {
    let mut command = test.command(&peers::program("python"), "");
    command.arg("peer.py").args(arguments);
    Output::of("peer.py", command, b"")
}

fn test() -> Test {
    let test = Test::new()
        .identity()
        .rules("creation_rules:\n  - encrypted_regex: ^(data|stringData)$\n    age: {age}\n")
        .file("peer.py", PEER)
        .file("secret.yaml", SECRET);
    peer(&test, &["make"]).code(0);
    test.run("encrypt -i secret.yaml").code(0);
    test
}

/// The sealed value of a key.
fn value(sealed: &str, key: &str) -> String {
    let start = format!("        {key}: ");
    let line = sealed.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{key}: {sealed}"));
    line.to_owned()
}

#[test]
fn another_implementation_opens_it_in_every_scope() {
    let test = test();
    for (scope, label) in [("strict", "prod/db"), ("namespace-wide", "prod"), ("cluster-wide", "")] {
        let sealed =
            test.run(&format!("seal --cert cert.pem --namespace prod --scope {scope} secret.yaml")).code(0).text();
        for (key, plaintext) in [("user", "admin"), ("password", "pa$$word"), ("both", "new")] {
            peer(&test, &["open", &value(&sealed, key), label]).code(0).stdout(plaintext);
        }
        assert_eq!(
            sealed.contains(&format!("sealedsecrets.bitnami.com/{scope}: \"true\"")),
            scope != "strict",
            "{sealed}"
        );
        // The label binds it to its place.
        let elsewhere = peer(&test, &["open", &value(&sealed, "user"), "other/db"]);
        assert_ne!(elsewhere.code, Some(0));
        for piece in ["kind: SealedSecret", "app: shop", "note: kept", "type: Opaque", "namespace: prod"] {
            assert!(sealed.contains(piece), "{piece}: {sealed}");
        }
        for piece in ["last-applied", "pa$$word", "YWRtaW4="] {
            assert!(!sealed.contains(piece), "{piece}: {sealed}");
        }
    }
    // A certificate in DER, and a Secret that is clear and comes through a pipe.
    let clear = SECRET.replace("  name: db\n", "  name: db\n  namespace: x\n");
    let sealed = test.run_with("seal --cert cert.der --input-type yaml", clear).code(0).text();
    peer(&test, &["open", &value(&sealed, "user"), "x/db"]).code(0).stdout("admin");
}

#[test]
fn what_cannot_be_sealed_is_refused() {
    let test = test()
        .file("map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
        .file("nameless.yaml", "apiVersion: v1\nkind: Secret\nstringData: {a: b}\n")
        .file("bad.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\ndata: {a: '!'}\n")
        .file("empty.yaml", "# nothing\n")
        .file("no.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (line, reason) in [
        ("seal --cert cert.pem secret.yaml", "the Secret has no namespace"),
        ("seal --cert cert.pem --namespace n nameless.yaml", "the Secret has no name"),
        ("seal --cert cert.pem map.yaml", "only Secrets can be sealed"),
        ("seal --cert cert.pem bad.yaml", "data.a"),
        ("seal --cert cert.pem empty.yaml", "there is no Secret in the file"),
        ("seal --cert no.pem secret.yaml", "the file holds no certificate"),
        ("seal --cert missing.pem secret.yaml", "there is no file missing.pem"),
        ("seal secret.yaml", "--cert"),
    ] {
        test.run(line).fails().stderr_has(reason);
    }
    peer(&test, &["make", "expired"]).code(0);
    test.run("seal --cert cert.pem --namespace n secret.yaml")
        .fails()
        .stderr_has("the certificate has expired, on 2020-01-02");
}
