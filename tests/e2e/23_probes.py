#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""probes: what could be traced, where each probe would go, and nothing is attached for it."""
import collections

import codepatch
import harness as h

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


heap_probes()
span_probes()
