#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""-a: every process, those that are there and those that come. Each call site and span is that of its
process, with exact counts; the price is told before, and the heap has to be asked for."""
import collections

import harness as h


def sites_of(document, pid):
    """{function: (live blocks, live bytes)} of one process."""
    found = collections.Counter()
    for c in document["candidates"]:
        if c["process"]["pid"] == pid:
            function = c["stack"][0]["function"]
            found[function, "blocks"] += c["live_blocks"]
            found[function, "bytes"] += c["live_bytes"]
    return found


def wanted(truth):
    if "sites" in truth:
        return {f: tuple(n) for f, n in truth["sites"].items()}
    if "leaked_blocks" in truth:
        return {truth["function"]: (truth["leaked_blocks"], truth["leaked_bytes"])}
    return {truth["function"]: (truth["kept"], None)}


def heaps():
    elders = [h.Target("leaky"), h.Target("leaky"), h.Target("alloc_family_jemalloc")]
    tracer = h.Tracer("leaks", "-a", "--mode", "exact", "-d", "60", "--json", "--top", 100000)
    younger = [h.Target(n) for n in ("sites", "leaky", "alloc_family_static",
                                     "alloc_family_tcmalloc")]
    h.time.sleep(0.2)
    targets = elders + younger
    for target in targets:
        target.go()
    truths = {target: target.truth() for target in targets}
    h.time.sleep(0.2)
    result = tracer.stop()
    document = h.keeps_contract("leaks", result)
    for target, truth in truths.items():
        what = f"{target.argv[0].rsplit('/', 1)[1]} ({'elder' if target in elders else 'younger'})"
        found = sites_of(document, target.pid)
        for function, (blocks, size) in wanted(truth).items():
            h.equal(found[function, "blocks"], blocks, f"{what}: blocks of {function}")
            if size is not None:
                h.equal(found[function, "bytes"], size, f"{what}: bytes of {function}")
        comms = {c["process"]["comm"] for c in document["candidates"]
                 if c["process"]["pid"] == target.pid}
        h.equal(comms, {what.split()[0][:15]}, f"{what}: comm")
        target.is_healthy()
    ledger = document["ledger"]
    h.equal(ledger["balanced"], True, "ledger.balanced")
    # Where many other programs come and go meanwhile, some of theirs may be lost.
    h.check(not ledger["lost"] or ledger["children"]["followed"] > 2 * len(targets), "ledger.lost",
            ledger)
    price, attached = (next((i for i, l in enumerate(result.err.splitlines()) if w in l), -1)
                       for w in ("every program pays", "attached to all processes"))
    h.check(0 <= price < attached, "the price is told before", result.err)


def spans():
    """Bare -a leaves the heap alone."""
    elder = h.Target("spans", 3, 1)
    tracer = h.Tracer("-a", "--json", "--no-log")
    targets = [elder, h.Target("spans", 3, 2), h.Target("usdt_pairs", 10)]
    h.time.sleep(0.2)
    for target in targets:
        target.go()
    truths = [target.truth() for target in targets]
    h.time.sleep(0.2)
    result = tracer.stop()
    records = h.keeps_contract("spans", result)
    for target, truth in zip(targets, truths):
        found = collections.Counter(r["name"] for r in records
                                    if r["type"] == "span" and r["pid"] == target.pid)
        want = collections.Counter({n: s["count"] for n, s in truth["spans"].items()})
        h.equal(found, want + collections.Counter(truth["unwound"]), f"spans of {target.argv[0]}")
        target.is_healthy()
    ledger = records[-1]["ledger"]
    h.equal((ledger["lost"], ledger["balanced"]), (0, True), "spans: ledger")
    h.equal(ledger["heap"], None, "ledger.heap: not traced")
    h.check("every program pays for the probes it runs into" in result.err, "the price is told",
            result.err)


def functions():
    """Also of a C++ program, whose returns nobody may hook."""
    elder = h.Target("functions", 10)
    tracer = h.Tracer("spans", "-a", "-f", "fn_outer", "-f", "sometimes*", "--json")
    targets = [elder, h.Target("functions", 10), h.Target("thrower", 40)]
    h.time.sleep(0.2)
    for target in targets:
        target.go()
    for target in targets:
        target.truth()
    h.time.sleep(0.2)
    records = h.keeps_contract("spans", tracer.stop())
    found = collections.Counter((r["pid"], r["name"], r["status"]) for r in records
                                if r["type"] == "span")
    h.equal(dict(found), {(targets[0].pid, "fn_outer", "ok"): 10,
                          (targets[1].pid, "fn_outer", "ok"): 10,
                          (targets[2].pid, "sometimes(int)", "ok"): 30,
                          (targets[2].pid, "sometimes(int)", "unwound"): 10}, "functions")
    for target in targets:
        target.is_healthy()


def refusals():
    target = h.Target("leaky")
    for args, says in ((("leaks", "-a"), "--mode exact"), (("leaks", "-a", "--mode", "auto"),
                                                           "--mode exact"),
                       (("-a", "-p", target.pid), "every process"),
                       (("leaks", "-a", "-n", "leaky", "--mode", "exact"), "every process"),
                       (("-a", "--cgroup", "/"), "every process")):
        result = h.perftrace(*args, code=2)
        h.check(says in result.err and len(result.err.splitlines()) == 1, f"{args}: one line",
                result.err)
        h.equal(result.out, "", f"{args}: standard output")
    target.is_healthy()


refusals()
spans()
functions()
heaps()
