#!/usr/bin/env python3
"""Writes build/hot.ld: the functions that small jobs run, for the linker to put side by side (see build/main.rs).

    python3 benches/layout.py               build the program with its symbols, run the jobs, write the list
    python3 benches/layout.py --bin FILE    the same with a program that has its symbols already

Needed again when a new compiler or a large change of the code moves the figures of `benches/startup.py`. A job runs with a
breakpoint at the beginning of each function, which tells the first time that it is called. Linux on x86-64.
"""

import argparse
import ctypes
import os
import re
import subprocess
import sys
import tempfile

import compare

SCRIPT = os.path.join(compare.ROOT, "build", "hot.ld")
HEAD = """/* The functions that small jobs run, in the order in which they first do. Written by benches/layout.py. */
"""
SECRET = "# a Secret\napiVersion: v1\nkind: Secret\nmetadata:\n  name: shop\nstringData:\n  user: admin # who\n  cert: |\n    a\n    b\n  port: \"5432\"\n"
# Of ptrace(2), personality(2) and signal(7).
TRACEME, PEEKUSER, POKEUSER, CONT, RIP, SIGTRAP = 0, 3, 6, 7, 16 * 8, 5
ADDR_NO_RANDOMIZE = 0x0040000
BASE = 0x555555554000  # where Linux puts a program that may stand anywhere, when it is told not to choose
BREAKPOINT = 0xCC

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def build():
    env = dict(os.environ, CARGO_PROFILE_RELEASE_STRIP="none")
    subprocess.run(["cargo", "build", "--release", "--bin", "leafcrypt"], cwd=compare.ROOT, env=env, check=True)
    return os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(compare.ROOT, "target")), "release", "leafcrypt")


def functions(program):
    """The names of Rust's functions, by their addresses."""
    listed = subprocess.run(["nm", "-S", program], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in listed.splitlines()]
    is_ours = lambda name: name.startswith("_R") or name == "main"
    return {int(line[0], 16): line[3] for line in lines if len(line) == 4 and line[2] in "tTwW" and is_ours(line[3])}


def called(command, env, folder, found):
    """The names of the functions that it calls, in the order of their first time."""
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        libc.personality(ADDR_NO_RANDOMIZE)
        libc.ptrace(TRACEME, 0, None, None)
        os.execve(command[0], command, env)
    os.waitpid(child, 0)
    first = min(found)
    with open(f"/proc/{child}/mem", "r+b", buffering=0) as memory:
        memory.seek(BASE + first)
        code = memory.read(max(found) + 1 - first)
        broken = bytearray(code)
        for address in found:
            broken[address - first] = BREAKPOINT
        memory.seek(BASE + first)
        memory.write(bytes(broken))
        names = []
        signal = 0
        while True:
            libc.ptrace(CONT, child, None, signal)
            _, status = os.waitpid(child, 0)
            if not os.WIFSTOPPED(status):
                break
            signal = os.WSTOPSIG(status)
            if signal != SIGTRAP:
                continue
            signal = 0
            address = libc.ptrace(PEEKUSER, child, RIP, None) - 1 - BASE
            names.append(found[address])
            memory.seek(BASE + address)
            memory.write(code[address - first : address - first + 1])
            libc.ptrace(POKEUSER, child, RIP, BASE + address)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"error: {' '.join(command)} failed when its functions were counted")
    return names


def jobs(program, env, folder, found):
    """Runs each, and gives the names of the functions."""

    def leafcrypt(*words):
        return subprocess.run([program, *words], env=env, cwd=folder, check=True, capture_output=True, text=True).stdout

    recipient = leafcrypt("keygen", "--output", env["SOPS_AGE_KEY_FILE"]).strip()
    texts = {
        ".sops.yaml": f"creation_rules:\n  - path_regex: ^all\n    age: {recipient}\n"
        f"  - age: {recipient}\n    encrypted_regex: ^(data|stringData|a)$\n",
        "plain.yaml": SECRET,
        "new.yaml": SECRET,
        "a.yaml": SECRET,
        "all.yaml": SECRET,
        "a.json": '{"a": {"b": [1, true, null, "x"]}}\n',
        "a.env": "a=1\n",
    }
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    leafcrypt("encrypt", "-i", "a.yaml", "a.json", "a.env")
    with open(os.path.join(folder, "sealed.yaml"), "w", encoding="utf-8") as file:
        file.write(leafcrypt("encrypt", "all.yaml"))
    for words in (
        ["decrypt", "a.yaml"],
        ["decrypt", "sealed.yaml"],
        ["encrypt", "all.yaml"],
        ["encrypt", "plain.yaml"],
        ["encrypt", "-i", "new.yaml"],
        ["set", "a.yaml", '["stringData"]["port"]', '"5433"'],
        ["decrypt", "a.json"],
        ["decrypt", "--extract", '["stringData"]["user"]', "a.yaml"],
        ["decrypt", "a.env"],
        ["filestatus", "a.yaml"],
        ["--version"],
    ):
        names = called([program, *words], env, folder, found)
        print(f"{len(names):5} functions: {' '.join(words)}", file=sys.stderr)
        yield from names


def pattern(name):
    """The sections of the function, without what every compiler and every version of a crate makes anew: their
    hashes, how far back in the name something is repeated, the number of a copy, and for which crate it was made."""
    name = re.sub(r"\.(llvm\.)?[0-9]+$", ".*", name)
    name = re.sub(r"(?<=.{20})Cs[0-9a-zA-Z]+_[0-9]+[a-z0-9_]+$", "Cs*", name)
    return re.sub(r"B[0-9a-zA-Z]*_", "B*_", re.sub(r"Cs[0-9a-zA-Z]+_", "Cs*_", name))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", help="a program with symbols")
    program = os.path.abspath(parser.parse_args().bin or build())
    found = functions(program)
    with tempfile.TemporaryDirectory() as folder:
        env = {"PATH": os.environ["PATH"], "HOME": folder, "SOPS_AGE_KEY_FILE": os.path.join(folder, "keys.txt")}
        patterns = dict.fromkeys(pattern(name) for name in jobs(program, env, folder, found))
    with open(SCRIPT, "w", encoding="utf-8") as file:
        file.write(HEAD + "SECTIONS {\n  .text.hot : {\n")
        # Of functions that are rarely called, `.unlikely` stands before the name.
        file.writelines(f"    *(.text*.{name})\n" for name in patterns)
        file.write("  }\n} INSERT BEFORE .text;\n")
    print(f"{len(patterns)} of {len(found)} are listed", file=sys.stderr)


if __name__ == "__main__":
    main()
