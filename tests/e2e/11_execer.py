#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""exec: the old image's blocks are gone, the new one's spans and heap are seen, or what is not is
told; children that exec at once never confuse the books."""
import collections

import harness as h

TIMES = 3


def same_process():
    target = h.Target("execer", "self", TIMES, 800)
    truth, result = h.trace_to_truth(target, "--json", "--no-log")
    records = h.keeps_contract("spans", result)
    spans = collections.Counter(r["name"] for r in records if r["type"] == "span")
    h.equal(dict(spans), {n: s["count"] for n, s in truth["spans"].items()}, "spans of all images")
    ledger = records[-1]["ledger"]
    h.equal((ledger["lost"], ledger["balanced"]), (0, True), "ledger")
    heap = ledger["heap"]
    h.equal((heap["allocs"], heap["frees"]), (truth["allocs"], truth["frees"]), "heap of all images")
    h.equal(heap["live"], 40, "only the last image's blocks are live")
    h.check(target.alive(), "the target lives on")


def same_process_leaks():
    target = h.Target("execer", "self", TIMES, 800)
    truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60")
    document = h.keeps_contract("leaks", result)
    h.equal(document["heap"]["live_blocks"], 40, "heap.live_blocks")
    h.equal(document["heap"]["live_bytes"], 40 * 200, "heap.live_bytes")
    h.equal([(c["stack"][0]["function"], c["live_blocks"]) for c in document["candidates"]],
            [("family_work", 40)], "candidates")
    h.check(target.alive(), "the target lives on")


def children_that_exec():
    target = h.Target("execer", "fork", TIMES, 300)
    truth, result = h.trace_to_truth(target, "--json", "--no-log", "--follow")
    records = h.keeps_contract("spans", result)
    spans = collections.Counter(r["name"] for r in records if r["type"] == "span")
    h.equal(dict(spans), {n: s["count"] for n, s in truth["spans"].items()}, "spans of all children")
    ledger = records[-1]["ledger"]
    h.equal((ledger["lost"], ledger["balanced"]), (0, True), "children: ledger")
    h.equal(ledger["heap"]["live"], 0, "dead children hold nothing")
    h.check(target.alive(), "the target lives on")


same_process()
same_process_leaks()
children_that_exec()
