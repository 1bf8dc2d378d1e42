#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A target that is stopped, or stops during the run: perftrace keeps its time and reports."""
import os
import signal

import harness as h


def state(pid):
    return h.read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()[0]


def stopped_before():
    target = h.Target("leaky")
    os.kill(target.pid, signal.SIGSTOP)
    h.wait_until(lambda: state(target.pid) == "T", 5, "the target to stop")
    result = h.perftrace("leaks", "-p", target.pid, "-d", "1", "--json", timeout=20)
    document = h.keeps_contract("leaks", result)
    h.equal(document["heap"]["allocs"], 0, "a stopped target allocates nothing")
    h.equal(state(target.pid), "T", "it is still stopped")
    h.equal(h.perftrace("probes", "-p", target.pid, "--json").code, 0, "probes of a stopped target")
    os.kill(target.pid, signal.SIGCONT)
    target.is_healthy()


def stops_during():
    target = h.Target("leaky")
    tracer = h.Tracer("leaks", "-p", target.pid, "-d", "60", "--json")
    target.go()
    h.time.sleep(0.5)
    os.kill(target.pid, signal.SIGSTOP)
    h.wait_until(lambda: state(target.pid) == "T", 5, "the target to stop")
    document = h.keeps_contract("leaks", tracer.stop(timeout=10))
    h.check(0 < document["heap"]["live_blocks"] < 1000, "what was seen until then",
            document["heap"])
    h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
    os.kill(target.pid, signal.SIGCONT)
    target.truth()
    target.is_healthy()


def goes_on_during():
    """Attached while stopped, then let go: nothing is missing."""
    target = h.Target("leaky")
    os.kill(target.pid, signal.SIGSTOP)
    h.wait_until(lambda: state(target.pid) == "T", 5, "the target to stop")
    tracer = h.Tracer("leaks", "-p", target.pid, "-d", "60", "--json")
    os.kill(target.pid, signal.SIGCONT)
    target.go()
    truth = target.truth()
    document = h.keeps_contract("leaks", tracer.stop())
    h.equal(document["heap"]["live_blocks"], truth["leaked_blocks"], "live_blocks")
    target.is_healthy()


stopped_before()
stops_during()
goes_on_during()
