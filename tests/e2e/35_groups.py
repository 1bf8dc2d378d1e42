#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A whole service by its control group or systemd unit: all its processes and what they start, the
oldest one first; and who is not there is not found."""
import atexit
import os
import subprocess

import harness as h

SLICE = f"perftracetest{os.getpid()}.slice"
UNIT = f"perftracetest{os.getpid()}-some.service"


def hierarchy():
    """Where a systemd keeps its units: version 2, else the hierarchy of that name."""
    found = {}
    for line in h.read_text("/proc/self/mountinfo").splitlines():
        left, right = line.split(" - ")
        kind, _, options = right.split(" ")[:3]
        if kind == "cgroup2":
            found[0] = left.split()[4]
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            found[1] = left.split()[4]
    if not found:
        h.give_up("no control groups with units are mounted here")
    return found[min(found)]


MOUNT = hierarchy()


def make(path):
    os.mkdir(f"{MOUNT}/{path}")
    groups.append(f"{MOUNT}/{path}")


def remove_groups():
    for process in reversed(h._started):
        if process.alive():
            process.end()
    for path in reversed(groups):
        h.wait_until(lambda p=path: rmdir(p), 5, f"{path} to be empty")


def rmdir(path):
    try:
        os.rmdir(path)
        return True
    except OSError:
        return False


def move(pid, path):
    with open(f"{MOUNT}/{path}/cgroup.procs", "w", encoding="ascii") as f:
        f.write(str(pid))


def joined(path):
    """For a process that is to be there from its start."""
    return lambda: move(os.getpid(), path)


def both_are_traced(*how):
    targets = [h.Target("leaky", preexec_fn=joined(UNIT_PATH)),
               h.Target("leaky", preexec_fn=joined(f"{UNIT_PATH}/below"))]
    outside = h.Target("leaky")
    h.time.sleep(0.05)
    tracer = h.Tracer("leaks", *how, "--json", "-d", "60")
    for target in (*targets, outside):
        target.go()
    truths = [target.truth() for target in targets]
    outside.truth()
    document = h.keeps_contract("leaks", tracer.stop())
    for key in ("allocs", "frees", "live_blocks", "live_bytes"):
        h.equal(document["heap"][key], sum(t[key] for t in truths), f"{how}: heap.{key}")
    h.equal(document["target"]["pid"], targets[0].pid, f"{how}: the oldest is the target")
    h.equal(document["ledger"]["balanced"], True, f"{how}: ledger.balanced")
    for target in (*targets, outside):
        target.is_healthy()


def children_are_followed():
    """Without being asked for: whatever a service starts belongs to it."""
    target = h.Target("forker", 4, preexec_fn=joined(UNIT_PATH))
    tracer = h.Tracer("spans", "-U", UNIT, "--json")
    target.go()
    truth = target.truth()
    h.time.sleep(0.3)
    records = h.keeps_contract("spans", tracer.stop())
    h.equal(sum(r["type"] == "span" for r in records),
            sum(s["count"] for s in truth["spans"].values()), "-U: spans of the children")
    h.equal(records[-1]["ledger"]["children"]["followed"], 4, "-U: children followed")
    target.is_healthy()


def others_are_left_out():
    """A zombie, perftrace itself, and a program of another kind than we can trace."""
    with open("tiny.c", "w", encoding="ascii") as f:
        f.write("#include <unistd.h>\nint main(void) { for (;;) pause(); }\n")
    h.run("gcc", "-m32", "-static", "tiny.c", "-o", "tiny32")
    tiny = h.Process(["./tiny32"], preexec_fn=joined(UNIT_PATH))
    zombie = subprocess.Popen(["true"], preexec_fn=joined(UNIT_PATH))
    h.wait_until(lambda: ") Z " in h.read_text(f"/proc/{zombie.pid}/stat"), 5, "a zombie")
    target = h.Target("leaky", preexec_fn=joined(UNIT_PATH))
    tracer = h.Tracer("leaks", "-U", UNIT, "--json", "-d", "60", preexec_fn=joined(UNIT_PATH))
    target.go()
    truth = target.truth()
    result = tracer.stop()
    document = h.keeps_contract("leaks", result)
    h.equal(document["heap"]["live_blocks"], truth["live_blocks"], "the only program: live_blocks")
    h.equal(document["target"]["pid"], target.pid, "the only program that can be traced")
    h.check("left out" in result.err and "32-bit" in result.err, "who is left out is told",
            result.err)
    target.is_healthy()

    result = h.perftrace("leaks", "-U", UNIT, code=3)
    h.check("32-bit" in result.err.splitlines()[-1], "nobody is left to be traced", result.err)
    tiny.end()
    zombie.wait()


def nobody_there():
    for how, says in ((("-U", UNIT), UNIT), (("--cgroup", UNIT_PATH), UNIT_PATH),
                      (("-U", UNIT[1:]), f"Did you mean {UNIT}?"),
                      (("-U", "no-unit-of-this-name"), "no-unit-of-this-name"),
                      (("--cgroup", "/no/such/group"), "/no/such/group"),
                      (("--cgroup", os.getcwd()), "no control group")):
        for command in ([], ["leaks"], ["spans"], ["probes"]):
            result = h.perftrace(*command, *how, code=4)
            lines = result.err.splitlines()
            h.check(len(lines) == 1 and lines[0].startswith("perftrace: ") and says in lines[0],
                    f"{command} {how}: one line that says {says!r}", result.err)
            h.equal(result.out, "", f"{command} {how}: standard output")


groups = []
UNIT_PATH = f"{SLICE}/{UNIT}"
atexit.register(remove_groups)
make(SLICE)
make(UNIT_PATH)
make(f"{UNIT_PATH}/below")
both_are_traced("-U", UNIT)
both_are_traced("-U", UNIT.removesuffix(".service"))
both_are_traced("--cgroup", f"/{UNIT_PATH}")
both_are_traced("--cgroup", f"{MOUNT}/{UNIT_PATH}")
children_are_followed()
others_are_left_out()
nobody_there()
