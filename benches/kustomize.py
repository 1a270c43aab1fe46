#!/usr/bin/env python3
"""CPU time of a kustomization of many encrypted files, beyond kustomize's own.

    python3 benches/kustomize.py LEAFCRYPT KUBECTL [SOPS] [--files 200] [--runs 3]

Renders the same Secrets with the kustomize of kubectl twice: as plain resources, and encrypted, through a generator that
leafcrypt runs as KSOPS. The difference, user and system time of all processes, is what the files cost; with SOPS, also what
as many runs of `sops decrypt` take. The least of the runs counts.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile

TARGET = 0.5  # seconds, for 200 files
SECRET = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: secret-{n:04}\ntype: Opaque\nstringData:\n" + "".join(
    f"  key-{key}: 'value {{n}} {key}'\n" for key in range(5)
)


def cpu(command, env, folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command} failed:\n{done.stderr.decode()}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("leafcrypt")
    arguments.add_argument("kubectl")
    arguments.add_argument("sops", nargs="?")
    arguments.add_argument("--files", type=int, default=200)
    arguments.add_argument("--runs", type=int, default=3)
    given = arguments.parse_args()
    leafcrypt = os.path.abspath(given.leafcrypt)
    with tempfile.TemporaryDirectory() as folder:
        at = lambda *parts: os.path.join(folder, *parts)
        env = {"HOME": at("home"), "PATH": os.environ["PATH"], "KUSTOMIZE_PLUGIN_HOME": at("plugins"), "SOPS_DISABLE_VERSION_CHECK": "1"}
        plugin = at("plugins", "viaduct.ai", "v1", "ksops")
        os.makedirs(plugin)
        os.symlink(leafcrypt, os.path.join(plugin, "ksops"))
        os.makedirs(at("home"))
        keygen = subprocess.run([leafcrypt, "keygen"], env=env, capture_output=True, text=True, check=True)
        recipient = keygen.stdout.strip()
        names = [f"s{n:04}.yaml" for n in range(given.files)]
        for kind in ("plain", "sealed"):
            for n, name in enumerate(names):
                write(at(kind, name), SECRET.format(n=n))
        listed = "".join(f"- {name}\n" for name in names)
        write(at("plain", "kustomization.yaml"), "resources:\n" + listed)
        write(at("sealed", "kustomization.yaml"), "generators:\n- gen.yaml\n")
        write(at("sealed", "gen.yaml"), "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: g\nfiles:\n" + listed)
        encrypt = [leafcrypt, "encrypt", "-i", "--age", recipient, "--encrypted-regex", "^(data|stringData)$", *names]
        subprocess.run(encrypt, cwd=at("sealed"), env=env, check=True, capture_output=True)

        build = [given.kubectl, "kustomize", "--enable-alpha-plugins", "."]
        best = {"plain": None, "sealed": None, "plugin": None, "sops": None}
        outputs = {}
        for _ in range(given.runs):
            runs = {"plain": (build, at("plain")), "sealed": (build, at("sealed"))}
            runs["plugin"] = ([leafcrypt, "kustomize", "gen.yaml"], at("sealed"))
            for name, (command, where) in runs.items():
                taken, outputs[name] = cpu(command, env, where)
                best[name] = min(taken, best[name] or taken)
        if outputs["plain"] != outputs["sealed"]:
            sys.exit("kustomize renders the encrypted files otherwise than the plain ones")
        if given.sops:
            best["sops"] = sum(cpu([given.sops, "decrypt", name], env, at("sealed"))[0] for name in names)

        extra = best["sealed"] - best["plain"]
        print(f"{given.files} files: kustomize alone {best['plain']:.3f} s, with leafcrypt {best['sealed']:.3f} s CPU")
        print(f"beyond kustomize's own: {extra:.3f} s (target for 200 files: at most {TARGET} s); the plugin alone {best['plugin']:.3f} s")
        if given.sops:
            print(f"as many runs of sops decrypt: {best['sops']:.3f} s, 1/{best['sops'] / max(extra, 0.001):.0f}")
        sys.exit(0 if extra <= TARGET * given.files / 200 else 1)


if __name__ == "__main__":
    main()
