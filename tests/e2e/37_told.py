#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A heap that tells of itself: an allocator without functions to probe fires otel_memory USDTs for
a sample of its blocks, with the bytes each stands for; malloc beside it is booked as ever."""
import books
import harness as h

truth, document = books.exact("told", "glibc malloc + otel_memory")
h.check(truth["semaphore"] > 0, "the probes' semaphore was raised", truth)
h.equal(document["heap"]["sampled"], True, "heap.sampled")
h.check(any("otel_memory" in n for n in document["notes"]), "a note says what that means",
        document["notes"])
keeper = document["candidates"][0]
h.equal([f["function"] for f in keeper["stack"][:2]], ["take", "keeper"], "who holds the samples")
h.equal((keeper["live_blocks"], keeper["live_bytes"]), (100, 40000), "samples, and their weight")

target = h.Target("told")
probes = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json"))["probes"]
h.equal(sorted(p["symbol"] for p in probes if p["symbol"].startswith("otel_memory:")),
        ["otel_memory:alloc", "otel_memory:free"], "probes lists them once")
target.is_healthy()
