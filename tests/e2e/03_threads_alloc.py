#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 90
"""Eight threads, blocks freed by other threads than allocated them: every event is booked once."""
import harness as h

for threads, operations in ((8, 50000),) + (((2, 400000), (64, 20000)) if h.LONG else ()):
    target = h.Target("threads_alloc", threads, operations)
    truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60")
    document = h.keeps_contract("leaks", result)
    for key in ("allocs", "frees", "alloc_bytes", "freed_bytes", "live_blocks", "live_bytes"):
        h.equal(document["heap"][key], truth[key], f"{threads} threads: heap.{key}")
    h.equal(document["heap"]["failed"], 0, "heap.failed")
    h.equal(document["ledger"]["lost"], 0, "ledger.lost")
    h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
    target.is_healthy()
