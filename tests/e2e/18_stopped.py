#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A target that is stopped, or stops during the run, or is held by a debugger: perftrace keeps its
time and reports, and what is traced when it goes on is exact."""
import collections
import ctypes
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


FUNCTIONS = ("-f", "fn_outer", "-f", "fn_recurse", "-f", "fn_tail_*")


def check_functions(what, truth, records, rounds):
    names = [n for _, n in truth["shape"]]
    found = collections.Counter(r["name"] for r in records if r["type"] == "span")
    h.equal(dict(found), {n: names.count(n) * rounds for n in ("fn_outer", "fn_recurse",
                                                               "fn_tail_caller", "fn_tail_callee")},
            f"{what}: calls")


def let_go_while_stopped():
    """Again and again, wherever it is: inside of a function, too, whose return was hooked."""
    target = h.Target("functions", 300)
    target.go()
    for i in range(5):
        tracer = h.Tracer("--json", "--no-log", *FUNCTIONS, "-p", target.pid)
        h.time.sleep(0.01 * i)
        os.kill(target.pid, signal.SIGSTOP)
        h.wait_until(lambda: state(target.pid) == "T", 5, "the target to stop")
        records = h.keeps_contract("spans", tracer.stop(timeout=10))
        h.equal(records[-1]["ledger"]["balanced"], True, "let go while stopped: balanced")
        os.kill(target.pid, signal.SIGCONT)
    target.truth()
    target.is_healthy()


libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
PTRACE_CONT, PTRACE_ATTACH, PTRACE_DETACH = 7, 16, 17


def ptrace(request, pid):
    if libc.ptrace(request, pid, None, None):
        h.give_up(f"ptrace({request}): {os.strerror(ctypes.get_errno())}")


def held(pid):
    """Takes the news that it has stopped, which others would take for its end."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    h.check(os.WIFSTOPPED(status) and state(pid) == "t", "the debugger holds it", hex(status))


def held_by_a_debugger(*options):
    """Attached to while the debugger holds it, traced while it runs under the debugger, let go
    while it is held again."""
    target = h.Target("functions", 10)
    ptrace(PTRACE_ATTACH, target.pid)
    held(target.pid)
    begin = h.time.monotonic()
    tracer = h.Tracer("--json", "--no-log", *FUNCTIONS, *options, "-p", target.pid)
    h.check(h.time.monotonic() - begin < 10, "attached in time")
    h.equal(state(target.pid), "t", "it is still held")
    ptrace(PTRACE_CONT, target.pid)
    target.go()
    truth = target.truth()
    h.time.sleep(0.2)
    os.kill(target.pid, signal.SIGSTOP)
    held(target.pid)
    records = h.keeps_contract("spans", tracer.stop(timeout=10))
    check_functions("held by a debugger", truth, records, 10)
    ledger = records[-1]["ledger"]
    h.equal((ledger["lost"], ledger["balanced"]), (0, True), "held by a debugger: ledger")
    ptrace(PTRACE_DETACH, target.pid)
    os.kill(target.pid, signal.SIGCONT)
    target.is_healthy()


stopped_before()
stops_during()
goes_on_during()
let_go_while_stopped()
held_by_a_debugger()
held_by_a_debugger("--inode-wide")
