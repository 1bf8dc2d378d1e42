#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
"""Signals at any moment: the first one ends with a report, the second at once; and whatever ends
perftrace, even kill -9, the target lives on with its code as it was."""
import os
import random
import signal
import time

import codepatch
import harness as h

ROUNDS = 60 if h.LONG else 12


def one_signal(number):
    """At random moments of load, attach and run: 0, at once; a report once it was attached."""
    dice = random.Random(number)
    target = h.Target("threads_alloc", 2, 30000, env=codepatch.private_libc())
    for i in range(ROUNDS):
        delay = dice.uniform(0, 0.9)
        tracer = h.Tracer("leaks", "-p", target.pid, "--json", attached=False)
        time.sleep(delay)
        begin = time.monotonic()
        tracer.signal(number)
        result = tracer.finish(timeout=10, code=None)
        seconds = time.monotonic() - begin
        what = f"signal {number} after {delay * 1000:.0f} ms"
        h.check(seconds < 5, f"{what}: ends at once", f"{seconds:.1f} s")
        attached = "attached to" in result.err
        if attached:
            h.equal(result.code, 0, f"{what}: exit code")
            h.keeps_contract("leaks", result)
        else:
            # Before it could install anything it may also just die of the signal.
            h.check(result.code in (0, 130, -number), f"{what}: exit code before the attach",
                    result.code)
        if i == ROUNDS // 2:
            target.go()
    target.truth()
    codepatch.check_clean(target.pid)
    target.is_healthy()


def two_signals():
    target = h.Target("spans", 1, 1, env=codepatch.private_libc())
    codes = []
    for _ in range(ROUNDS):
        tracer = h.Tracer("-p", target.pid, "--no-log")
        tracer.interrupt()
        time.sleep(0.06)  # two in one look at the signals are one
        tracer.interrupt()
        result = tracer.finish(timeout=10, code=None)
        codes.append(result.code)
        h.check(result.code in (0, 130), "two signals: exit code", result.code)
    # Detaching takes longer than the pause between the two, most of the time.
    h.check(130 in codes, "a second Ctrl-C ends with 130", codes)
    codepatch.check_clean(target.pid)
    target.is_healthy()


def killed():
    for args in (["leaks"], ["spans"], ["cpu"], ["--no-log"]):
        target = h.Target("spans", 20, 4, env=codepatch.private_libc())
        before = h.loaded_programs()
        tracer = h.Tracer(*args, "-p", target.pid)
        target.go()
        time.sleep(0.2)
        tracer.signal(signal.SIGKILL)
        h.equal(tracer.wait(10), -signal.SIGKILL, f"{args[0]}: killed")
        deadline = time.monotonic() + 1
        left = ["?"]
        while left and time.monotonic() < deadline:
            now = h.loaded_programs()
            left = [n for n in now if n.endswith("_probe")
                    and now[n] - before.get(n, set()) and not others_run()]
            time.sleep(0.05)
        h.equal(left, [], f"{args[0]}: programs left a second after kill -9")
        codepatch.check_clean(target.pid)
        target.truth()
        target.is_healthy()


def others_run():
    """A perftrace of somebody else on this machine, whose programs are not ours to judge."""
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and h.read_text(f"/proc/{entry}/comm").strip() == "perftrace":
                return True
        except OSError:
            pass
    return False


one_signal(signal.SIGINT)
one_signal(signal.SIGTERM)
one_signal(signal.SIGHUP)
two_signals()
killed()
