# SPDX-License-Identifier: BSD-2-Clause
"""One cell of the kernel matrix: a guest that boots one of kernels.lock's kernels with an initial
file system of ours, runs tests/core in it and powers off. Everything goes over its serial line.

QEMU only emulates here (a guest under KVM hangs on nested virtual machines), and with Debian 12's
7.2 in two ways that cannot be had: with a thread per processor it executes kernel code that has
been patched away (an int3 of text_poke, then an oops), and cmpxchg16b leaves rubbish in the flags.
"""
import glob
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
CORE = os.path.join(os.path.dirname(HERE), "core")
GUEST_SECONDS = 300  # from power on to power off
CASE_SECONDS = 90
SIDE_BY_SIDE = 3     # cases; they wait a lot
CONSOLE_LINES = 60


def kernels():
    """Names in kernels.lock."""
    with open(f"{HERE}/kernels.lock", encoding="ascii") as f:
        return [line.split()[0] for line in f if line.strip() and not line.startswith("#")]


def core_cases():
    """{name: path}; what is not executable is a part of others."""
    return {os.path.basename(p)[:-3]: p for p in sorted(glob.glob(f"{CORE}/*.sh"))
            if os.access(p, os.X_OK)}


def make_initrd(output):
    """The same one for all kernels. Returns its path."""
    path = f"{output}/vm/initrd"
    targets = [t for t in sorted(glob.glob(f"{output}/tests/targets/*"))
               if os.access(t, os.X_OK) and os.path.isfile(t)]
    subprocess.run([f"{HERE}/mkinitrd.py", path, f"{shutil.which('busybox')}:/bin/busybox",
                    f"{HERE}/guest-init:/init", f"{output}/perftrace:/bin/perftrace",
                    f"{CORE}:/core", *(f"{t}:/targets/{os.path.basename(t)}" for t in targets)],
                   check=True)
    return path


def version(output, kernel):
    with open(f"{output}/vm/{kernel}/version", encoding="ascii") as f:
        return f.read().strip()


def command(output, kernel, initrd):
    return ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=single",
            "-cpu", "max,-cx16", "-smp", "2", "-m", "1024", "-nodefaults", "-nographic",
            "-serial", "stdio", "-no-reboot", "-kernel", f"{output}/vm/{kernel}/vmlinuz",
            "-initrd", initrd, "-append",
            "console=ttyS0 loglevel=4 panic=-1 nowatchdog "
            f"CASES={SIDE_BY_SIDE} SECONDS_PER_CASE={CASE_SECONDS}"]


def judge(log, code):
    """[(name, passed, seconds, what it said)] of a guest's console and QEMU's exit code (None: out
    of time): each core case, and "kernel": that it came to the end and had nothing to complain
    of."""
    log = log.replace("\r", "")
    results = {m[1]: (m[2] == "pass", float(m[3])) for m in
               re.finditer(r"@@RESULT (\S+) (pass|fail) ([\d.]+)$", log, re.M)}
    said = {}
    for m in re.finditer(r"@@SAYS (\S+) (.*)", log):
        said.setdefault(m[1], []).append(m[2])
    outcome = []
    for name in core_cases():
        passed, seconds = results.get(name, (False, 0.0))
        outcome.append((f"core/{name}", passed, seconds, "\n".join(
            said.get(name, [] if name in results else ["no result"]))))
    started = log.partition("@@START ")[2]
    end = re.search(r"^@@DONE ([\d.]+)$", started, re.M)
    complaints = re.findall(r".*(?:WARNING:|BUG:|Oops|Kernel panic|@@KERNEL).*", started)
    if code is None:
        complaints.append(f"still running after {GUEST_SECONDS} s")
    elif code:
        complaints.append(f"QEMU's exit code is {code}")
    elif not end:
        complaints.append("the guest ended early")
    if complaints:
        complaints += ["", "the end of its console:"] + log.splitlines()[-CONSOLE_LINES:]
    outcome.append(("kernel", not complaints, float(end[1]) if end else 0.0,
                    "\n".join(complaints)))
    return outcome
