#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two perftraces on one target: both are right, and the one that leaves first takes nothing with
it. Attaching and detaching again and again leaves no trace in the target either."""
import codepatch
import harness as h

target = h.Target("leaky", env=codepatch.private_libc())
first = h.Tracer("leaks", "-p", target.pid, "--json", "-d", "60")
second = h.Tracer("leaks", "-p", target.pid, "--json", "-d", "60")
target.go()
h.time.sleep(0.5)
early = h.keeps_contract("leaks", first.stop())
truth = target.truth()
late = h.keeps_contract("leaks", second.stop())
h.check(0 < early["heap"]["live_blocks"] < truth["live_blocks"], "the first sees what was until then",
        early["heap"])
for key in ("allocs", "frees", "alloc_bytes", "freed_bytes", "live_blocks", "live_bytes"):
    h.equal(late["heap"][key], truth[key], f"the second: heap.{key}")
h.equal((early["ledger"]["balanced"], late["ledger"]["balanced"]), (True, True), "both ledgers")
target.is_healthy()

target = h.Target("threads_alloc", 2, 200000, env=codepatch.private_libc())
target.go()
for _ in range(40 if h.LONG else 5):
    document = h.keeps_contract("leaks", h.perftrace("leaks", "-p", target.pid, "--json", "-d",
                                                     "100ms"))
    h.equal(document["ledger"]["balanced"], True, "attached in the middle of it: balanced")
    codepatch.check_clean(target.pid)
target.truth(60)
target.is_healthy()
