//! Credentials of machines and containers: at the real addresses of the clouds' metadata services, in a network of our own,
//! on a machine whose firmware says whose it is. Real sops beside us.

use crate::builder::{Output, Test, leafcrypt};
use crate::peers;
use crate::services::{Servers, by_proxy, text};
use std::path::Path;
use std::process::Command;

const PLAIN: &str = "user: admin\n";
/// The name and the content of a file of the firmware.
type Firmware = (&'static str, &'static str);
const OTHER: Firmware = ("sys_vendor", "QEMU");
/// Makes a machine of it: with a firmware, and with a name for the address that clouds have theirs at.
const MACHINE: &str = "mount -t tmpfs none /sys/class && mkdir -p /sys/class/dmi/id && echo \"$2\" >\"/sys/class/dmi/id/$1\" \
                       && mount --bind \"$0\" /etc/hosts && shift 2 && exec \"$@\"";

struct Machines(Servers);

impl Machines {
    fn new() -> Self {
        Machines(Servers::together(&["moto", "clouds", "metadata"]))
    }

    /// Runs `line` on a machine with this firmware.
    fn run(&self, firmware: Firmware, test: &Test, program: &Path, line: &str) -> Output {
        std::fs::write(test.path("hosts"), "169.254.169.254 metadata.google.internal\n").unwrap();
        let plain = test.command(program, line);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", MACHINE]).arg(test.path("hosts"));
        command.args([firmware.0, firmware.1]).arg(plain.get_program()).args(plain.get_args());
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(plain.get_current_dir().unwrap());
        Output::of(line, self.0.inside(&command), b"")
    }

    /// Both programs find an identity there, and read what the other has written; ours says whose it is.
    fn both(&self, firmware: Firmware, test: Test, line: &str, who: &str) {
        let test = test.file("a.yaml", PLAIN);
        let said = self.run(firmware, &test, leafcrypt(), &format!("{line} --verbose")).code(0).stderr_has(who);
        let theirs = self.run(firmware, &test, peers::real_sops(), line).code(0).stdout;
        let test = test.file("ours.yaml", said.stdout).file("theirs.yaml", theirs);
        self.run(firmware, &test, leafcrypt(), "decrypt theirs.yaml").code(0).stdout(PLAIN);
        self.run(firmware, &test, peers::real_sops(), "decrypt ours.yaml").code(0).stdout(PLAIN);
    }
}

#[test]
fn machines_and_containers_get_credentials_where_their_cloud_has_them() {
    let machines = Machines::new();
    let (moto, clouds) = (machines.0.of("moto"), machines.0.of("clouds"));
    let kms = format!("encrypt --kms {} a.yaml", moto["keys"]["us-east-1"][0].as_str().unwrap());
    let gcp = "encrypt --gcp-kms projects/p/locations/global/keyRings/r/cryptoKeys/sops a.yaml";
    let azure = "encrypt --azure-kv https://team.vault.azure.net/keys/sops a.yaml";
    let amazon = || Test::new().file("a.yaml", PLAIN).env("AWS_ENDPOINT_URL", text(moto, "url"));
    let wired = || by_proxy(Test::new(), clouds).file("a.yaml", PLAIN).env("SOPS_GCP_KMS_CLIENT_TYPE", "rest");
    let run = |firmware, test: &Test, line: &str| machines.run(firmware, test, leafcrypt(), line);

    // On a machine that says nothing of a cloud nobody is asked.
    run(OTHER, &amazon(), &kms).fails().code(1).stderr_has("this is no EC2 instance");
    run(OTHER, &wired(), gcp).fails().code(1).stderr_has("this is no machine of Google's");
    run(OTHER, &wired().env("PATH", "/usr/bin:/bin"), azure).fails().code(1).stderr_has("no machine of Azure's");
    let disabled = amazon().env("AWS_EC2_METADATA_DISABLED", "true");
    run(("sys_vendor", "Amazon EC2"), &disabled, &kms).fails().code(1).stderr_has("the instance has none");
    assert_eq!(machines.0.strangers(), "");

    machines.both(
        ("sys_vendor", "Amazon EC2"),
        amazon(),
        &kms,
        "the access key AKIAINSTANCE of the instance, it answered",
    );
    let named = amazon().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1");
    machines.both(OTHER, named, &kms, "the access key AKIAINSTANCE of the instance, it answered");
    machines.both(
        ("product_name", "Google Compute Engine"),
        wired(),
        gcp,
        "the service account of this machine, it answered",
    );
    let azures = ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77");
    machines.both(azures, wired(), azure, "the managed identity of this machine, it answered");
    // One that has no identity, where somebody has logged in.
    let remove =
        "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://169.254.169.254/metadata/remove')";
    assert!(
        machines.0.inside(Command::new("python3").args(["-c", remove]).current_dir("/")).status().unwrap().success()
    );
    let login = crate::azure::logged_in(wired(), text(clouds, "vault_token"));
    std::fs::rename(login.path("bin/az.later"), login.path("bin/az")).unwrap();
    let path = format!("{}:/usr/bin:/bin", login.path("bin").display());
    let login = login.env("PATH", &path);
    let named = wired().env("AZURE_CLIENT_ID", "nobody").env("PATH", &path);
    run(azures, &named, azure).fails().stderr_has("the managed identity nobody of this machine: it answered 400");
    machines.both(azures, login, azure, "the login of az, it answered");
    assert_eq!(machines.0.strangers(), "169.254.169.254\n");
    let container = amazon().env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/creds");
    machines.both(OTHER, container, &kms, "the access key AKIACONTAINER of the container, it answered");
    assert_eq!(machines.0.strangers(), "169.254.169.254\n169.254.170.2\n");
}
