#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A Go program with a C side: what its C side keeps is named exactly, while goroutines grow and
move their stacks unharmed."""
import harness as h

target = h.Target("go_cgo")
truth, result = h.trace_to_truth(target, "leaks", "-d", "60", "--json")
document = h.keeps_contract("leaks", result)
h.equal(truth["correct"], truth["goroutines"], "goroutines with the right result")
h.equal(document["target"]["allocator"], "glibc malloc", "target.allocator")
by_function = {c["stack"][0]["function"]: c for c in document["candidates"]}
kept = by_function.get("keep_in_c")
h.check(kept, "keep_in_c is named", list(by_function))
h.equal((kept["live_blocks"], kept["live_bytes"], kept["frees"]),
        (truth["kept_blocks"], truth["kept_bytes"], 0), "its books")
h.check("churn_in_c" not in by_function, "what is freed is not", list(by_function))
h.check(document["heap"]["frees"] >= truth["churned"], "heap.frees", document["heap"])
h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
h.equal(document["ledger"]["lost"], 0, "ledger.lost")
target.is_healthy()

target = h.Target("go_cgo")
result = h.perftrace("spans", "-p", target.pid, "-f", "main.*", "-d", "1", code=3)
h.check("Go" in result.err and result.err.count("\n") == 1, "Go's functions are refused in a line",
        result.err)
target.is_healthy()
