#!/usr/bin/env python3
"""Measures what the back ends for services cost a job that needs none of them: decrypting a small file with an age key.

    python3 benches/startup.py            build both programs, measure, print the table
    python3 benches/startup.py --write    and put the table into benches/RESULTS.md
    python3 benches/startup.py --bins FULL BARE

The same job by the program as it is built by default, and by one that is built with --no-default-features: CPU time,
system calls (strace), memory, and the size of the program.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

import compare

HEADING = "## What the services cost a job without them"
RUNS = 200


def build():
    programs = []
    for options in ([], ["--no-default-features"]):
        subprocess.run(["cargo", "build", "--release", "--bin", "leafcrypt", "--quiet", *options], cwd=compare.ROOT, check=True)
        target = os.environ.get("CARGO_TARGET_DIR", os.path.join(compare.ROOT, "target"))
        programs.append(os.path.join(target, "release", f"leafcrypt-startup-{len(programs)}"))
        shutil.copy(os.path.join(target, "release", "leafcrypt"), programs[-1])
    return programs


def system_calls(command, env, folder):
    """How many, and how many threads were started."""
    log = os.path.join(folder, "strace")
    subprocess.run(["strace", "-f", "-o", log, *command], env=env, cwd=folder, check=True, capture_output=True)
    with open(log, encoding="utf-8", errors="replace") as file:
        calls = [line for line in file if re.match(r"\d+ +[a-z_0-9]+\(", line)]
    return len(calls), sum(" clone" in line for line in calls)


def table(full, bare):
    lines = [
        "| built | CPU ms, least | CPU ms, median | system calls | threads | peak MiB | program MiB |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        env = {"PATH": os.environ["PATH"], "HOME": folder, "LC_ALL": "C.UTF-8"}
        keys = os.path.join(folder, "keys.txt")
        recipient = subprocess.run([full, "keygen", "--output", keys], env=env, check=True, capture_output=True, text=True).stdout
        env["SOPS_AGE_KEY_FILE"] = keys
        file = os.path.join(folder, "a.yaml")
        with open(file, "w", encoding="utf-8") as out:
            out.write("user: admin\npassword: hunter2\n")
        subprocess.run([full, "encrypt", "--age", recipient.strip(), "-i", file], env=env, check=True, cwd=folder)
        command = ["decrypt", file]
        found = {program: [] for program in (full, bare)}
        memory = dict.fromkeys(found, float("inf"))
        for _ in range(RUNS // 10):  # by turns, so that both have the same machine
            for program in found:
                cpu, peaks = compare.each([program, *command], env, folder, os.path.join(folder, "out"), 10)
                found[program].extend(seconds * 1000 for seconds in cpu)
                memory[program] = min(memory[program], *peaks)
        for name, program in (("by default, with all services", full), ("`--no-default-features`", bare)):
            cpu = sorted(found[program])
            calls, threads = system_calls([program, *command], env, folder)
            size = os.path.getsize(program) / (1 << 20)
            lines.append(
                f"| {name} | {cpu[0]:.2f} | {cpu[len(cpu) // 2]:.2f} | {calls} | {threads} | {memory[program]:.1f} | {size:.1f} |"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--bins", nargs=2, metavar=("FULL", "BARE"))
    options = parser.parse_args()
    full, bare = map(os.path.abspath, options.bins or build())
    text = f"{HEADING}\n\nWritten by `python3 benches/startup.py --write`: a file of two values is decrypted with an age key, {RUNS} times.\n\n{table(full, bare)}\n"
    print(text)
    if options.write:
        compare.write_section(HEADING, text)


if __name__ == "__main__":
    sys.exit(main())
