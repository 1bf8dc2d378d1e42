#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A five-byte nop in a leaf function is never probed: on some kernels that overwrites the
function's own numbers. The same probes on one-byte nops are traced."""
import harness as h

target = h.Target("redzone")
probes = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json"))["probes"]
refused = {p["symbol"]: p["refused"] for p in probes}
for end in ("start", "done"):
    h.check("red zone" in (refused[f"redzone:leaf__{end}"] or ""), f"leaf__{end} is refused", refused)
    h.equal(refused[f"redzone:plain__{end}"], None, f"plain__{end}.refused")

truth, result = h.trace_to_truth(target, "spans", "--json")
records = h.keeps_contract("spans", result)
h.equal(truth["corrupted"], 0, "calls that found their numbers changed")
names = {s["name"]: s["count"] for s in records[-1]["spans"]}
h.equal(names, {"redzone.plain": truth["plain"]}, "spans")
target.is_healthy()

# The whole functions: no probe of theirs is moved to such a nop either.
target = h.Target("redzone", 20000)
truth, result = h.trace_to_truth(target, "spans", "-f", "*_leaf", "--min", "1h", "--json")
h.equal(truth["corrupted"], 0, "functions: calls that found their numbers changed")
summary = h.json.loads(result.out.splitlines()[-1])
h.equal({s["name"]: s["count"] for s in summary["spans"]},
        {"leaf_leaf": truth["calls"], "plain_leaf": truth["plain"]}, "functions: calls")
target.is_healthy()
