#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Instructions that no probe can go to, among others that it can: each of those is named with its
reason, all others are traced exactly, and the program computes what it always does."""
import collections
import time

import harness as h

SAID = "the kernel cannot probe this instruction"


def listed():
    """What is known without trying."""
    target = h.Target("unprobeable")
    document = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json", "-f",
                                                      "entry_*", "-f", "never_*"))
    refused = collections.defaultdict(set)
    for p in document["probes"]:
        refused[p["symbol"]].add(p["refused"])
    for name in ("unprobeable:hlt__start", "unprobeable:int3__start", "unprobeable:lock__start"):
        h.equal(refused[name], {"no nop at its address"}, name)
    for name in ("entry_lock", "entry_cs", "entry_pushf", "never_hlt", "never_int3", "never_ud2",
                 "never_in", "never_syscall"):
        h.equal(refused[name], {"its first instruction cannot be probed"}, name)
    for name in ("unprobeable:many__start", "entry_push", "entry_lock_push", "entry_nop5"):
        h.equal(refused[name], {None}, name)
    target.is_healthy()


def pairs(link, *rules):
    """The kernel takes many at once or none: the bad ones are found out."""
    target = h.Target("unprobeable")
    begin = time.monotonic()
    tracer = h.Tracer("spans", "--json", "-v", "-p", target.pid, *rules,
                      env={"PERFTRACE_LINK": link})
    h.check(time.monotonic() - begin < 10, f"pairs, {link}: attached in time")
    target.go()
    truth = target.truth()
    time.sleep(0.2)
    result = tracer.stop()
    counts = collections.Counter(r["name"] for r in h.keeps_contract("spans", result)
                                 if r["type"] == "span")
    want = {} if rules else {"unprobeable.many": truth["pairs"] * truth["times"]}
    h.equal(dict(counts), want, f"pairs, {link}: spans")
    for end in ("start", "done"):
        h.check(f"no probe on unprobeable:odd__{end}: {SAID}" in result.err,
                f"pairs, {link}: odd__{end} is named", result.err)
        # Of two at one place, with different semaphores, the kernel takes one.
        h.check(result.err.count(f"ce__{end}: {SAID}") == 1, f"pairs, {link}: one of two {end}s",
                result.err)
    h.check("probes refused in all" in result.err, f"pairs, {link}: their number", result.err)
    target.is_healthy()


def entries(link):
    target = h.Target("unprobeable")
    truth, result = h.trace_to_truth(target, "spans", "--json", "-v", "-f", "entry_*", "-f",
                                     "never_*", env={"PERFTRACE_LINK": link})
    h.equal(truth["wrong"], 0, f"entries, {link}: wrong results")
    records = h.keeps_contract("spans", result)
    counts = collections.Counter(r["name"] for r in records if r["type"] == "span")
    h.equal(len(counts), truth["entries"] - len(truth["refused"]), f"entries, {link}: functions")
    h.equal(set(counts.values()), {truth["times"]}, f"entries, {link}: counts")
    for name in truth["refused"]:
        h.check(name not in counts and f"no probe on {name}: " in result.err,
                f"entries, {link}: {name} is refused and named", result.err)
    ledger = records[-1]["ledger"]
    h.equal((ledger["lost"], ledger["balanced"], ledger["unmatched"]), (0, True, 0),
            f"entries, {link}: ledger")
    target.is_healthy()


listed()
pairs("session")
pairs("multi")
pairs("single", "-u", "unprobeable:odd", "-u", "unprobeable:once", "-u", "unprobeable:twice")
entries("session")
entries("multi")
