#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's python3: a heap that goes through glibc, and USDT probes that come in no honest pair
(function__entry and function__return do not balance): whatever is said about them is marked."""
import os

import harness as h

PYTHON = "/usr/bin/python3"
PROGRAM = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
def work(i):
    return bytearray(5000 + i)
print("ready", os.getpid(), flush=True)
if signal.sigwait([signal.SIGUSR1, signal.SIGTERM]) == signal.SIGUSR1:
    kept = [work(i) for i in range(1000)]
    print('truth {"blocks": 1000, "bytes": %d}' % sum(len(k) for k in kept), flush=True)
    signal.sigwait([signal.SIGTERM])
"""


def start():
    with open("program.py", "w", encoding="utf-8") as f:
        f.write(PROGRAM)
    return h.Target("python3", "-I", "program.py", path=PYTHON,
                    env={"PYTHONMALLOC": "default"})


if not os.path.exists(PYTHON):
    h.give_up("python3 of Debian is not installed. make deps installs it.")

target = start()
truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60")
document = h.keeps_contract("leaks", result)
h.equal(document["target"]["allocator"], "glibc malloc", "target.allocator")
first = document["candidates"][0]
# A bytearray allocates one byte more than it has.
h.equal(first["live_blocks"], truth["blocks"], "first candidate: live_blocks")
h.equal(first["live_bytes"], truth["bytes"] + truth["blocks"], "first candidate: live_bytes")
h.equal((document["ledger"]["lost"], document["ledger"]["balanced"]), (0, True), "ledger")
target.is_healthy()

target = start()
tracer = h.Tracer("spans", "--json", "-p", target.pid, attached=False)
h.wait_until(lambda: "attached to" in tracer.err() or not tracer.alive(), 30, "perftrace")
if tracer.alive():
    target.go()
    target.truth()
    records = h.keeps_contract("spans", tracer.stop())
    h.equal(records[-1]["ledger"]["balanced"], True, "spans: ledger.balanced")
else:
    result = tracer.finish(code=3)
    h.check(len(result.err.splitlines()) == 1, "spans: one line", result.err)
target.end()
