#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One call site loses 1000 blocks of 1234 bytes, all else is freed: it is named first and exactly."""
import re

import harness as h
import stacks

TOTALS = ("allocs", "frees", "alloc_bytes", "freed_bytes", "live_blocks", "live_bytes", "failed",
          "unknown_frees")


def json_names_it():
    target = h.Target("leaky")
    tracer = h.Tracer("leaks", "-p", target.pid, "-d", "5", "--json")
    target.go()
    truth = target.truth()
    result = tracer.finish()
    h.check(result.seconds < 12, "-d 5 takes about 5 s", f"{result.seconds:.1f} s")
    document = h.keeps_contract("leaks", result)
    for key in TOTALS:
        h.equal(document["heap"][key], truth[key], f"heap.{key}")
    h.equal(document["heap"]["sampled"], False, "heap.sampled")
    h.check(5 <= document["duration_s"] < 6, "duration_s", document["duration_s"])

    h.equal(len(document["candidates"]), 1, "number of candidates")
    first = document["candidates"][0]
    h.equal(first["stack"][0]["function"], truth["function"], "first candidate's function")
    h.equal(first["stack"][1]["function"], "main", "its caller")
    h.equal(first["stack"][-1]["function"], "_start", "its outermost frame")
    stacks.check_complete(document, "leaky", at_least=12000)
    h.equal(first["live_blocks"], truth["leaked_blocks"], "its live_blocks")
    h.equal(first["live_bytes"], truth["leaked_bytes"], "its live_bytes")
    h.equal((first["allocs"], first["frees"], first["average_bytes"]), (1000, 0, 1234), "its books")
    h.equal(first["component"], "leaky", "its component")

    notes = "\n".join(document["notes"])
    for key in ("function", "file", "line"):
        if any(f[key] is None for f in first["stack"]):
            h.check(re.search(rf"\b{key}\b", notes), f"a note says why a frame's {key} is null")

    h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
    h.equal(document["ledger"]["lost"], 0, "ledger.lost")
    h.check(document["rss"]["growth_bytes"] >= 1000000, "RSS grew", document["rss"])
    h.equal(document["target"]["pid"], target.pid, "target.pid")
    h.equal(document["target"]["comm"], "leaky", "target.comm")
    h.equal(document["target"]["allocator"], "glibc malloc", "target.allocator")
    target.is_healthy()


def text_names_it():
    target = h.Target("leaky")
    truth, result = h.trace_to_truth(target, "leaks", "-d", "60")
    lines = result.out.splitlines()
    h.check("1,000 block" in result.out or "1000 block" in result.out, "text: 1000 blocks",
            result.out)
    frames = [l.split()[0] for l in lines if l.startswith("  ") and l.split()]
    h.equal(frames[:2], [truth["function"], "main"], "text: first frames")
    h.check(any(l.startswith("DATA ") and " 0 lost" in l and "balanced" in l for l in lines),
            "text: the ledger's line", result.out)
    h.equal(result.err.count("\nperftrace:"), 0, "no warning on standard error")


json_names_it()
text_names_it()
