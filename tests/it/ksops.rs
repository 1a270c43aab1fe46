//! Every example in the documentation of KSOPS (its `README.md` and `README-legacy.md`), with files of our own: through the
//! stock kustomize as the legacy plugin, and as the exec function that kustomize runs for the annotation.
//!
//! What of it is for a cluster is in `docs/argo-cd.md`: the patch of the repo server, the ConfigMap, the image, and the values
//! of Argo CD's chart.

use crate::builder::{Output, Test, leafcrypt};
use crate::gnupg::Gnupg;
use crate::kustomize::{build, indented, kubectl, resource_list, sealed, test};
use crate::services;
use base64::prelude::{BASE64_STANDARD, Engine};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// "3. Configure SOPS via .sops.yaml"
const RULES: &str = "creation_rules:\n  - unencrypted_regex: \"^(apiVersion|metadata|kind|type)$\"\n";
/// "4. Create a Resource"
const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: mysecret\ntype: Opaque\ndata:\n  username: YWRtaW4=\n  password: MWYyZDFlMmU2N2Rm\n";
/// What kustomize makes of it: its keys in order.
const BUILT: &str = "apiVersion: v1\ndata:\n  password: MWYyZDFlMmU2N2Rm\n  username: YWRtaW4=\nkind: Secret\nmetadata:\n  name: mysecret\ntype: Opaque\n";
/// "6. Define KSOPS kustomize Generator", up to what it generates from.
const GENERATOR: &str = "\
apiVersion: viaduct.ai/v1
kind: ksops
metadata:
  # Specify a name
  name: example-secret-generator
  annotations:
    config.kubernetes.io/function: |
        exec:
          # if the binary is in your PATH, you can do
          path: ksops
          # otherwise, path should be relative to manifest files, like
          # path: ../../../ksops
";

fn tutorial() -> Test {
    let test = test().rules(&format!("{RULES}    age: {{age}}\n"));
    test.file("kustomization.yaml", "generators:\n  - ./secret-generator.yaml\n")
}

/// What kustomize builds with the generator as a legacy plugin, and what the function gives for it, which must be what the
/// plugin gives.
fn both(test: Test, asks_for: &str) -> (Test, String) {
    let generator = format!("{GENERATOR}{asks_for}");
    // The stock kustomize runs plugins only without the annotation.
    let (head, tail) = generator.split_once("  annotations:\n").unwrap();
    let legacy = format!("{head}{}", &tail[tail.find("          # path: ../../../ksops\n").unwrap() + 33..]);
    let test = test.file("secret-generator.yaml", legacy);
    let built = build(&test, ".").code(0).stderr_is_empty().text();
    let input = resource_list(&indented(&generator, "- ", "  "), &indented(&generator, "  ", "  "));
    let function = as_ksops(&test, "", &input).code(0).stderr_is_empty().text();
    let plugin = test.run("kustomize secret-generator.yaml").code(0).text();
    let resources: Vec<&str> = plugin.split("---\n").collect();
    let items: String = resources.iter().map(|resource| indented(resource, "- ", "  ")).collect();
    assert!(function.contains(&format!("items:\n{items}functionConfig:\n")), "{function}\n{plugin}");
    (test, built)
}

/// Runs leafcrypt under the name `ksops`.
fn as_ksops(test: &Test, line: &str, input: &str) -> Output {
    let ksops = test.home().join("plugins/viaduct.ai/v1/ksops/ksops");
    Output::of(&format!("ksops {line}"), test.command(&ksops, line), input.as_bytes())
}

#[test]
fn the_tutorial() {
    let test = tutorial().file("secret.yaml", SECRET);
    // "sops -e secret.yaml > secret.enc.yaml"
    let encrypted = test.run("-e secret.yaml").code(0).stderr_is_empty().text();
    assert!(encrypted.contains("kind: Secret\n") && !encrypted.contains("YWRtaW4="), "{encrypted}");
    let (test, built) = both(test.file("secret.enc.yaml", encrypted), "files:\n  - ./secret.enc.yaml\n");
    assert_eq!(built, BUILT);
    // "Legacy: ksops secret-generator.yaml", "KRM: cat secret-generator.yaml | ksops"
    as_ksops(&test, "secret-generator.yaml", "").code(0).stdout(SECRET.replace("\n  ", "\n    "));
    as_ksops(&test, "", &format!("{GENERATOR}files:\n  - ./secret.enc.yaml\n"))
        .code(0)
        .stdout(SECRET.replace("\n  ", "\n    "));
    // And what sops encrypted.
    let encrypted = test.sops("-e secret.yaml").code(0).text();
    let test = test.file("secret.enc.yaml", encrypted);
    assert_eq!(build(&test, ".").code(0).text(), BUILT);
}

#[test]
fn the_tutorial_with_its_pgp_key() {
    let gnupg = Gnupg::new();
    let key = gnupg.key("somebody@example.com", "");
    let home = gnupg.home().display().to_string();
    let test =
        tutorial().rules(&format!("{RULES}    pgp: \"{key}\"\n")).env("GNUPGHOME", &home).file("secret.yaml", SECRET);
    let encrypted = test.run("-e secret.yaml").code(0).text();
    let (_, built) = both(test.file("secret.enc.yaml", encrypted), "files:\n  - ./secret.enc.yaml\n");
    assert_eq!(built, BUILT);
}

#[test]
fn the_legacy_plugin_is_found_in_the_configuration() {
    // "$XDG_CONFIG_HOME/kustomize/plugin/viaduct.ai/v1/ksops/ksops"
    let test = sealed(tutorial(), "secret.enc.yaml", SECRET);
    let folder = test.home().join(".config/kustomize/plugin/viaduct.ai/v1/ksops");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(leafcrypt(), folder.join("ksops")).unwrap();
    let generator = "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: g\nfiles:\n  - ./secret.enc.yaml\n";
    let test = test.file("secret-generator.yaml", generator);
    let mut command = kubectl(&test, "kustomize --enable-alpha-plugins .");
    command.env_remove("KUSTOMIZE_PLUGIN_HOME");
    Output::of("kustomize", command, b"").code(0).stdout(BUILT);
}

const META: &str = "- metadata:\n    name: secret-name\n    labels:\n      app: foo\n    annotations:\n      kustomize.config.k8s.io/needs-hash: \"false\"\n  type: Opaque\n";

#[test]
fn a_secret_from_text_files() {
    // "Create a Kubernetes Secret from encrypted text-based file"
    let test = sealed(tutorial(), "secret.enc.conf", "[main]\nkey = va$$ue\n");
    let test = sealed(test, "secret.enc.yaml", "a: 1\nb:\n  - \"x\"   # y\n");
    let asks = format!("secretFrom:\n{META}  files:\n  - ./secret.enc.conf\n  - secret.yaml=./secret.enc.yaml\n");
    let (_, built) = both(test, &asks);
    assert_eq!(
        built,
        "apiVersion: v1\nkind: Secret\nmetadata:\n  labels:\n    app: foo\n  name: secret-name\nstringData:\n  secret.enc.conf: |\n    [main]\n    key = va$$ue\n  secret.yaml: |\n    a: 1\n    b:\n      - \"x\"   # y\ntype: Opaque\n"
    );
}

#[test]
fn a_secret_from_binary_files() {
    // "Create a Kubernetes Secret from encrypted binary file"
    let bytes = "\u{0}\u{1}binary\u{7f}\n".as_bytes();
    let test = sealed(tutorial(), "secret.enc", bytes);
    let (_, built) =
        both(test, &format!("secretFrom:\n{META}  binaryFiles:\n  - ./secret.enc\n  - secret=./secret.enc\n"));
    let base64 = BASE64_STANDARD.encode(bytes);
    assert!(built.contains(&format!("data:\n  secret: {base64}\n  secret.enc: {base64}\n")), "{built}");
    assert!(built.contains("name: secret-name\n") && built.contains("app: foo\n"), "{built}");
}

#[test]
fn a_secret_from_a_dotenv_file() {
    // "Create a Kubernetes Secret from an encrypted dotenv file"
    let env = "# of the shop\nUSER=admin\nPASSWORD=pa$$word\nQUOTED='a b'\nexport LINES=\"one\\ntwo\"\n";
    let test = sealed(tutorial(), "secret.enc.env", env);
    let (test, built) = both(test, "secretFrom:\n- metadata:\n    name: secret-name\n  envs:\n  - ./secret.enc.env\n");
    assert_eq!(
        built,
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: secret-name\nstringData:\n  LINES: |-\n    one\n    two\n  PASSWORD: pa$$word\n  QUOTED: a b\n  USER: admin\n"
    );
    // What sops encrypted is the same.
    std::fs::write(test.path("secret.enc.env"), env).unwrap();
    test.sops("encrypt -i secret.enc.env").code(0);
    assert_eq!(build(&test, ".").code(0).text(), built);
}

#[test]
fn a_secret_in_a_base_is_replaced_or_merged() {
    // "Encrypted Secret Overlays w/ Generator Options"
    let base = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: argocd-secret\ntype: Opaque\ndata:\n  kept: a2VwdA==\n  both: YmFzZQ==\n";
    for (behavior, expected) in
        [("replace", "data:\n  both: b3ZlcmxheQ==\n"), ("merge", "data:\n  both: b3ZlcmxheQ==\n  kept: a2VwdA==\n")]
    {
        let overlay = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: argocd-secret\n  annotations:\n    # as the name says\n    kustomize.config.k8s.io/behavior: {behavior}\ntype: Opaque\ndata:\n  # Encrypted data here\n  both: b3ZlcmxheQ==\nstringData:\n  # Encrypted data here\n  text: pa$$word\n"
        );
        let test = sealed(tutorial(), "overlay/secret.enc.yaml", overlay)
            .file("base/kustomization.yaml", "resources:\n- secret.yaml\n")
            .file("base/secret.yaml", base)
            .file(
                "overlay/gen.yaml",
                "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: g\nfiles: [./secret.enc.yaml]\n",
            )
            .file("overlay/kustomization.yaml", "resources:\n- ../base\ngenerators:\n- gen.yaml\n");
        let built = build(&test, "overlay").code(0).text();
        assert!(built.contains(expected) && built.contains("stringData:\n  text: pa$$word\n"), "{behavior}: {built}");
        assert_eq!(built.matches("kind: Secret").count(), 1, "{built}");
    }
}

#[test]
fn an_age_key_as_in_a_repo_server() {
    // "ArgoCD/GitOps Operator w/ KSOPS/agekey": the key in a mounted file, named by a variable; sops in place.
    let test = sealed(tutorial(), "secret.sops.yaml", SECRET);
    let key = std::fs::read(test.home().join(".config/sops/age/keys.txt")).unwrap();
    std::fs::remove_dir_all(test.home().join(".config/sops")).unwrap();
    let test = test.file("mounted/keys.txt", key);
    let file = test.path("mounted/keys.txt").display().to_string();
    let (_, built) = both(test.env("SOPS_AGE_KEY_FILE", &file), "files:\n  - secret.sops.yaml\n");
    assert_eq!(built, BUILT);
}

/// What a key service is asked.
#[derive(Default)]
struct Asked {
    decryptions: AtomicUsize,
    now: AtomicUsize,
    at_once: AtomicUsize,
}

/// A server that hands each request to `address` after a while, and counts.
fn counting(address: String) -> (String, Arc<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Asked::default());
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (address, asked) = (address.clone(), Arc::clone(&counted));
            std::thread::spawn(move || forward(client, &address, &asked));
        }
    });
    (url, asked)
}

fn forward(mut client: TcpStream, address: &str, asked: &Asked) -> Option<()> {
    let mut server = TcpStream::connect(address).ok()?;
    let (mut back, mut from) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || std::io::copy(&mut from, &mut back));
    let mut bytes = [0; 65536];
    loop {
        let read = client.read(&mut bytes).ok().filter(|&read| read > 0)?;
        if String::from_utf8_lossy(&bytes[..read]).contains("/decrypt/") {
            asked.decryptions.fetch_add(1, Ordering::SeqCst);
            asked.at_once.fetch_max(asked.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(300));
            asked.now.fetch_sub(1, Ordering::SeqCst);
        }
        server.write_all(&bytes[..read]).ok()?;
    }
}

#[test]
fn each_file_asks_for_its_key_once_and_all_at_the_same_time() {
    let address = services::text(services::bao(), "address").strip_prefix("http://").unwrap().to_owned();
    let (url, asked) = counting(address);
    let test = test().rules(&format!("creation_rules:\n  - hc_vault_transit_uri: {url}/v1/transit/keys/sops\n"));
    let mut test = test.env("VAULT_TOKEN", "root");
    let mut list = String::new();
    for number in 0..12 {
        test = sealed(test, &format!("s{number}.yaml"), SECRET.replace("mysecret", &format!("s{number}")));
        list += &format!("- s{number}.yaml\n");
    }
    let test = test.file("gen.yaml", format!("{GENERATOR}files:\n{list}"));
    assert_eq!(asked.decryptions.load(Ordering::SeqCst), 0);
    let output = test.run("kustomize gen.yaml").code(0).text();
    assert_eq!(output.matches("username: YWRtaW4=").count(), 12);
    assert_eq!(asked.decryptions.load(Ordering::SeqCst), 12, "one request for each file");
    // On a busy machine a few may be late.
    assert!(asked.at_once.load(Ordering::SeqCst) > 6, "{} at once", asked.at_once.load(Ordering::SeqCst));
    // As many at once as one says.
    asked.at_once.store(0, Ordering::SeqCst);
    test.run("kustomize --concurrency 1 gen.yaml").code(0).stdout(output);
    assert_eq!(asked.at_once.load(Ordering::SeqCst), 1);
}

/// Beyond what kustomize takes itself, 200 files may cost half a second; `sops decrypt` takes longer for 20 of them. How much it
/// is in fact: `benches/kustomize.py`.
#[test]
fn many_files_cost_little() {
    let mut test = test();
    let mut list = String::new();
    for number in 0..200 {
        test = test.file(&format!("s{number}.yaml"), SECRET.replace("mysecret", &format!("s{number}")));
        list += &format!("- s{number}.yaml\n");
    }
    let names: Vec<_> = (0..200).map(|number| format!("s{number}.yaml")).collect();
    test.run(&format!("encrypt -i {}", names.join(" "))).code(0);
    let test = test.file("gen.yaml", format!("{GENERATOR}files:\n{list}"));
    let ours = test.cpu(leafcrypt(), "kustomize gen.yaml", 3);
    let theirs = test.cpu(crate::peers::real_sops(), "decrypt s0.yaml", 10);
    assert!(ours < 20.0 * theirs, "200 files: {ours} s, sops for one: {theirs} s");
}
