#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""C++ exceptions through guarded scopes: every span ends, and nothing nests wrongly afterwards.
A tracer that hooked returns would kill such a program."""
import collections

import harness as h

target = h.Target("exceptions", 2000 if h.LONG else 200)
truth, result = h.trace_to_truth(target, "spans", "--json")
records = h.keeps_contract("spans", result)
spans = [r for r in records if r["type"] == "span"]
found = collections.Counter((s["name"], s["depth"], s["status"]) for s in spans)
h.equal(dict(found), {(n, s["depth"], "ok"): s["count"] for n, s in truth["spans"].items()},
        "names, depths, statuses")
h.equal({s["context"] for s in spans if s["name"] == "request"}, {"will fail"}, "context")
h.equal({s["context"] for s in spans if s["name"] == "decode"},
        {f"item {i}" for i in range(truth["times"])}, "formatted contexts")
h.equal(records[-1]["ledger"]["lost"], 0, "ledger.lost")
target.is_healthy()

# The same with the heap traced: the exceptions themselves are allocated.
target = h.Target("exceptions", 200)
truth, result = h.trace_to_truth(target, "--no-log", "--json")
records = h.keeps_contract("spans", result)
heap = records[-1]["ledger"]["heap"]
h.equal((heap["allocs"], heap["frees"], heap["live"]), (heap["frees"],) * 2 + (0,),
        "every exception is freed")
h.check(heap["allocs"] >= 2 * truth["times"], "two exceptions each time", heap["allocs"])
target.is_healthy()
