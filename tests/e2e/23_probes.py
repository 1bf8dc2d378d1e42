#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""probes and --dry-run: what could be traced, where each probe would go, what it would cost, and
nothing is attached for it."""
import collections
import math
import os
import re
import shutil

import codepatch
import harness as h

CACHE = "/var/cache/perftrace/probe-costs"

FAMILY = {"malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "memalign",
          "valloc", "pvalloc", "reallocarray"}


def heap_probes():
    target = h.Target("leaky", env=codepatch.private_libc())
    document = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json"))
    h.equal(document["target"]["allocator"], "glibc malloc", "target.allocator")
    rows = [p for p in document["probes"] if p["kind"] == "alloc"]
    names = {p["symbol"] for p in rows}
    h.check(FAMILY <= names | {"aligned_alloc", "memalign"}, "the malloc family", names)
    h.check(len({"aligned_alloc", "memalign"} & names) >= 1, "aliases share one probe", names)
    h.equal({p["object"].rsplit("/", 1)[1] for p in rows}, {"libc.so.6"}, "their object")
    free = next(p for p in rows if p["symbol"] == "free")
    h.check(free["site_offset"] > free["offset"] and not free["refused"],
            "free is probed behind its first instruction, which is a costly one", free)
    h.equal([p["refused"] for p in rows if p["refused"]], [], "refused")
    codepatch.check_clean(target.pid)

    chosen = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json", "*alloc"))
    h.equal({p["symbol"] for p in chosen["probes"]},
            {n for n in names if n.endswith("alloc")}, "GLOB chooses")
    text = h.perftrace("probes", "-p", target.pid).out
    h.check(all(any(l.split()[1:2] == [n] for l in text.splitlines() if l.strip())
                for n in names), "text lists them, too", text)
    target.is_healthy()


def span_probes():
    target = h.Target("usdt_pairs", 1, env=codepatch.private_libc())
    document = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json"))
    kinds = collections.defaultdict(set)
    for p in document["probes"]:
        kinds[p["kind"]].add(p["symbol"])
    h.check(len(kinds["span"]) >= 10 and all("demo" in s for s in kinds["span"]),
            "both ends of every pair", kinds)
    target.is_healthy()

    target = h.Target("spans", 1, 1, env=codepatch.private_libc())
    document = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json"))
    kinds = collections.Counter(p["kind"] for p in document["probes"])
    h.check(kinds["span"] >= 10 and kinds["mark"] >= 2, "perftrace.h: spans and marks", kinds)
    text = h.perftrace("probes", "-p", target.pid).out
    h.check("perftrace.h spans" in text.splitlines()[0], "text: the first line says what is there",
            text)
    codepatch.check_clean(target.pid)
    target.is_healthy()


def prices():
    """What they say is what a traced program pays."""
    # A round of the target, untraced, under the heap's probes.
    target = h.Target("bench_alloc", 0, 64)
    rounds = lambda: [float(l.split()[1]) for l in target.out().splitlines()
                      if l.startswith("pair_ns ")]
    document = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json"))
    price = {p["symbol"]: p["expected_ns"] for p in document["probes"]}
    method = {p["symbol"]: p["method"] for p in document["probes"]}
    h.equal((method["malloc"], method["free"]), ("session", "session"), "methods")
    h.check(price["malloc"] > price["free"] > 20, "a return has its price", price)
    pair = document["totals"]["malloc_free_ns"]
    h.check(math.isclose(pair, price["malloc"] + price["free"], rel_tol=0.01), "a pair is both",
            document["totals"])
    tracer = h.Tracer("leaks", "-p", target.pid, "--stack-depth", 0, "-q", attached=False)
    h.wait_until(lambda: rounds() and rounds()[-1] > pair / 3, 15, "the target to be traced")
    before = len(rounds()) + 1
    h.wait_until(lambda: len(rounds()) >= before + 4, 15, "traced rounds")
    tracer.stop()
    traced = min(rounds()[before:before + 4])
    # The tracer's own work comes on top; twice the probes' price would not be worth the name.
    h.check(pair / 1.3 < traced < pair * 4, "what was foretold and what it took", (pair, traced))
    h.check(target.alive(), "the target lives on")


def remembered():
    """Measured once: the second run knows, and a file that is none is measured anew."""
    target = h.Target("leaky", env=codepatch.private_libc())

    def run(**more):
        document = h.keeps_contract("probes",
                                    h.perftrace("probes", "-p", target.pid, "--json", **more))
        return {p["symbol"]: p["expected_ns"] for p in document["probes"]}

    def key():
        return h.read_text(CACHE).splitlines()[:4]

    first, before = run(), h.read_text(CACHE)
    h.equal(run(), first, "the same numbers again")
    h.equal(h.read_text(CACHE), before, "from a file that was left alone")
    right = key()
    h.equal(right[1:2] + right[3:], [f"kernel {os.uname().release}", "methods session multi"],
            "its key")
    for bad in ("garbage\n", before.replace("kernel ", "kernel x"), before + "more\n", ""):
        with open(CACHE, "w", encoding="ascii") as f:
            f.write(bad)
        prices_now = run()
        h.check(all(prices_now[s] is None or 1 < prices_now[s] < 1e6 for s in prices_now),
                "measured anew", prices_now)
        h.equal(key(), right, "and the file is a good one again")
    # Other methods, other prices: they are not mixed up.
    run(env={"PERFTRACE_LINK": "multi"})
    h.equal(key()[3], "methods multi multi", "the rung above is hidden")
    run()
    h.equal(key(), right, "the key is that of the kernel again")
    codepatch.check_clean(target.pid)
    target.is_healthy()


def without_privileges():
    target = h.Target("leaky", env=codepatch.private_libc(), user="nobody", group="nogroup",
                      extra_groups=[])
    copy = shutil.copy(h.PERFTRACE, "/tmp/perftrace-prices")  # nobody may not enter the build
    try:
        text = h.run("runuser", "-u", "nobody", "--", copy, "probes", "-p", target.pid, "--json")
    finally:
        os.unlink(copy)
    document = h.keeps_contract("probes", h.Result(0, text, "", 0))
    names = {p["symbol"] for p in document["probes"]}
    h.check({"malloc", "free"} <= names, "planning needs no privileges", names)
    h.equal({p["expected_ns"] for p in document["probes"]}, {None}, "prices do")
    h.check(any("expected_ns" in n and "permitted" in n for n in document["notes"]),
            "and a note says so", document["notes"])
    target.is_healthy()


def dry_run():
    """The same plan as the command that would be run, and not a byte of the target is changed."""
    target = h.Target("spans", 1, 1, env=codepatch.private_libc())
    document = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json"))
    listed = collections.defaultdict(set)
    for p in document["probes"]:
        listed[p["kind"]].add((p["symbol"], p["site_offset"]))

    def planned(*command):
        dry = h.keeps_contract("probes", h.perftrace(*command, "-p", target.pid, "--dry-run",
                                                     "--json"))
        by_kind = collections.defaultdict(set)
        for p in dry["probes"]:
            by_kind[p["kind"]].add((p["symbol"], p["site_offset"]))
        h.equal(dry["totals"]["probes"], sum(not p["refused"] for p in dry["probes"]),
                f"{command}: totals.probes")
        return by_kind, dry["totals"]

    everything, totals = planned()
    h.equal(everything, {k: v for k, v in listed.items() if k != "usdt"}, "bare: all but usdt")
    h.check(totals["malloc_free_ns"] > 0 and totals["span_min_ns"] > 0, "bare: prices", totals)
    heap, totals = planned("leaks")
    h.equal(heap["alloc"], listed["alloc"], "leaks: the heap")
    h.check(not heap["span"] and totals["span_min_ns"] is None, "leaks: no spans", totals)
    spans, totals = planned("spans")
    h.equal(spans["span"] | spans["mark"], listed["span"] | listed["mark"], "spans: spans")
    h.check(not spans["alloc"] and totals["malloc_free_ns"] is None, "spans: no heap", totals)
    codepatch.check_clean(target.pid)

    done = h.perftrace("leaks", "-p", target.pid, "--dry-run", "-o", "plan.txt")
    h.equal(done.out, "", "-o takes the report away")
    h.check(re.search(r"^TOTAL +\d+ probes, malloc \+ free ≈ [\d ]+ ns$", h.read_text("plan.txt"),
                      re.M), "text: the total", h.read_text("plan.txt"))
    done = h.perftrace("run", "--dry-run", "--", "true", code=2)
    h.check("--dry-run" in done.err, "run starts nothing for it", done.err)
    h.perftrace("leaks", "-p", 999999999, "--dry-run", code=4)
    target.is_healthy()


heap_probes()
span_probes()
prices()
remembered()
without_privileges()
dry_run()
