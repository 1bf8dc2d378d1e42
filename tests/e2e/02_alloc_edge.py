#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Failed, zero-sized, overflowing calls, every shape of realloc, older blocks: the books agree."""
import harness as h

target = h.Target("alloc_edge")
truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60")
document = h.keeps_contract("leaks", result)
for key in ("allocs", "frees", "alloc_bytes", "freed_bytes", "live_blocks", "live_bytes", "failed",
            "unknown_frees"):
    h.equal(document["heap"][key], truth[key], f"heap.{key}")
h.equal(document["ledger"]["lost"], 0, "ledger.lost")
h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
# What holds no byte is no candidate; two of the four live blocks are malloc(0).
h.equal([(c["stack"][0]["function"], c["live_blocks"], c["live_bytes"])
         for c in document["candidates"]], [("old_ones", 2, 1280)], "candidates")
target.is_healthy()
