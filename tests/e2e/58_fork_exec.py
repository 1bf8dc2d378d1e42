#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Children that become another program right after their birth: what that one allocates later is
seen exactly, however long its dynamic linker takes to map its libraries. A child that never had its
own probes is counted."""
import fcntl
import os
import shutil
import signal
import tempfile
import time

import harness as h

CHILDREN = 10
ROUNDS = 30 if h.LONG else 2
BYTES = 777
SETTLED_S = 0.5


class Shell(h.Process):
    """Starts the same commands whenever it is told to, a child each."""

    def __init__(self, commands, **popen):
        children = " ".join(f"{c} &" for c in commands)
        super().__init__(["sh", "-c", f"trap '{children}' USR1; sleep 60 & "
                                      "echo ready; while :; do wait; done"], **popen)
        h.wait_until(lambda: "ready" in self.out(), 10, "the shell")

    def pids(self):
        return [int(p) for p in h.read_text(f"/proc/{self.pid}/task/{self.pid}/children").split()]

    def children(self, programs):
        """Those that run one of the programs by now, by its path."""
        found = {}
        for pid in self.pids():
            try:
                found[os.readlink(f"/proc/{pid}/exe")] = pid
            except OSError:
                pass
        return {p: found[p] for p in programs if p in found}

    def end(self):
        self.signal(signal.SIGSTOP)
        for pid in self.pids() if self.alive() else []:
            os.kill(pid, signal.SIGKILL)
        super().end()


def blocks_lost(document):
    return sum(c["live_blocks"] for c in document["candidates"]
               if c["live_bytes"] == BYTES * c["live_blocks"])


def copies_of(target, n):
    """Programs that nobody has seen before."""
    directory = tempfile.mkdtemp(dir=os.getcwd())
    return [shutil.copy(f"{h.TARGETS}/{target}", f"{directory}/{target}.{i}") for i in range(n)]


def every_child_is_exact(round_number, late):
    """`late`: their births are read when they are other programs already."""
    programs = copies_of("chain", CHILDREN)
    # Sums of powers of two: the sum tells who is missing.
    rounds = {p: 1 << i for i, p in enumerate(programs)}
    shell = Shell([f"{p} {n}" for p, n in rounds.items()])
    tracer = h.Tracer("leaks", "--follow", "--json", "-d", "60", "-p", shell.pid)
    tracer.signal(signal.SIGSTOP if late else 0)
    shell.signal(signal.SIGUSR1)
    h.wait_until(lambda: len(shell.children(programs)) == CHILDREN, 10, "the children")
    tracer.signal(signal.SIGCONT)
    h.wait_until(lambda: shell.out().count("ready ") == CHILDREN, 10, "their beginning")
    time.sleep(SETTLED_S)
    pids = shell.children(programs)
    for pid in pids.values():
        os.kill(pid, signal.SIGUSR1)
    h.wait_until(lambda: shell.out().count("truth ") == CHILDREN, 10, "their work")
    document = h.keeps_contract("leaks", tracer.stop())
    lost = blocks_lost(document)
    missing = [i for i in range(CHILDREN) if not lost & 1 << i]
    h.equal((lost, missing), (sum(rounds.values()), []), f"round {round_number}: blocks")
    ledger = document["ledger"]
    h.equal((ledger["lost"], ledger["balanced"]), (0, True), f"round {round_number}: ledger")
    shell.end()


def stopped_in_its_linker(seconds, goes_on, late):
    """The linker has much to say, to a pipe that is full: it stops before libc is mapped."""
    program = copies_of("chain", 1)[0]
    out, into = os.pipe()
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, 4096)
    shell = Shell([f"LD_DEBUG=files LD_BIND_NOW=1 {program} 300"], stderr=into)
    os.close(into)
    tracer = h.Tracer("leaks", "--follow", "--json", "-d", "60", "-p", shell.pid)
    filler = os.open(f"/proc/{shell.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(filler, b"x" * 4096)
    except BlockingIOError:
        pass
    tracer.signal(signal.SIGSTOP if late else 0)
    shell.signal(signal.SIGUSR1)
    pid = h.wait_until(lambda: shell.children([program]).get(program), 10, "the child")
    tracer.signal(signal.SIGCONT)
    time.sleep(seconds)
    maps = h.read_text(f"/proc/{pid}/maps")
    h.check("libc.so" not in maps and program in maps, "the child waits in its linker", maps)
    if goes_on:
        os.close(filler)
        os.set_blocking(out, False)

        def begins():
            try:
                os.read(out, 1 << 16)
            except BlockingIOError:
                pass
            return "ready " in shell.out()
        h.wait_until(begins, 10, "its beginning")
        time.sleep(SETTLED_S)
        os.kill(pid, signal.SIGUSR1)
        h.wait_until(lambda: begins() and "truth " in shell.out(), 10, "its work")
    else:
        os.kill(pid, signal.SIGKILL)
        h.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 10, "its end")
    document = h.keeps_contract("leaks", tracer.stop())
    children = document["ledger"]["children"]
    what = f"{seconds} s in its linker, {'then on' if goes_on else 'then killed'}, late: {late}"
    h.equal(blocks_lost(document), 300 if goes_on else 0, f"{what}: blocks")
    h.equal(children["followed"] > 0, True, f"{what}: followed")
    if goes_on:
        h.equal(children["never_linked"], 0, f"{what}: never linked")
        # Links of the shell that it was for a moment would reach it: then there is no gap.
        h.check(children["gap_ns_max"] > seconds * 0.9e9 or not late, f"{what}: the gap", children)
    else:
        h.equal(children["never_linked"], 1, f"{what}: never linked")
    h.check(any(n.startswith("children:") for n in document["notes"]), f"{what}: a note says so",
            document["notes"])
    shell.end()
    os.close(out)
    if not goes_on:
        os.close(filler)


for number in range(ROUNDS):
    every_child_is_exact(number, late=number % 2)
for late in (False, True):
    stopped_in_its_linker(0.4, True, late)
    stopped_in_its_linker(0.1, False, late)
