#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Children: spans of the target's own executable are complete from the first instruction on; heap
events of a child's first moments may be unseen, and then the ledger's children say so."""
import collections

import harness as h

CHILDREN = 32 if h.LONG else 8


def spans_are_complete():
    target = h.Target("forker", CHILDREN)
    truth, result = h.trace_to_truth(target, "spans", "--json", "--follow")
    records = h.keeps_contract("spans", result)
    spans = [r for r in records if r["type"] == "span"]
    h.equal(dict(collections.Counter(s["name"] for s in spans)),
            {n: s["count"] for n, s in truth["spans"].items()}, "spans of all children")
    h.equal({s["status"] for s in spans}, {"ok"}, "statuses")
    h.equal(collections.Counter(s["context"] for s in spans),
            {f"number {i}": 10 for i in range(CHILDREN)}, "contexts")
    h.equal(len({s["pid"] for s in spans} - {target.pid}), CHILDREN, "processes")
    ledger = records[-1]["ledger"]
    h.equal((ledger["lost"], ledger["balanced"]), (0, True), "ledger")
    h.equal(ledger["children"]["followed"], CHILDREN, "ledger.children.followed")
    target.is_healthy()


def heap_is_complete_after_the_gap(*options):
    """The children wait until they certainly have probes of their own."""
    target = h.Target("forker", 4, 1000)
    truth, result = h.trace_to_truth(target, "leaks", "--json", "--follow", "-d", "60", *options)
    document = h.keeps_contract("leaks", result)
    for key in ("allocs", "frees", "alloc_bytes", "freed_bytes"):
        h.equal(document["heap"][key], truth[key], f"heap.{key}")
    h.equal(document["heap"]["live_blocks"], 0, "a dead child holds nothing")
    h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
    h.equal(document["ledger"]["heap"]["gone"], truth["died_blocks"], "blocks gone with children")
    target.is_healthy()


def heap_says_what_it_missed():
    """Without the wait: less may be seen, never more, and the gap is told."""
    target = h.Target("forker", CHILDREN)
    truth, result = h.trace_to_truth(target, "leaks", "--json", "--follow", "-d", "60")
    document = h.keeps_contract("leaks", result)
    h.check(document["heap"]["allocs"] <= truth["allocs"], "allocations, at most",
            document["heap"]["allocs"])
    children = document["ledger"]["children"]
    h.equal(children["followed"], CHILDREN, "ledger.children.followed")
    h.check(children["gap_ns_max"] > 0 or document["heap"]["allocs"] == truth["allocs"],
            "ledger.children.gap_ns_max", children)
    h.check(any(n.startswith("children:") for n in document["notes"]), "a note says so",
            document["notes"])
    h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
    target.is_healthy()


def a_child_older_than_the_trace():
    """It is traced like any other, and what it held is gone when it dies."""
    target = h.Target("elder")
    truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60")
    document = h.keeps_contract("leaks", result)
    h.equal((document["heap"]["allocs"], document["heap"]["frees"]),
            (truth["allocs"], truth["frees"]), "the child's calls")
    h.equal(document["heap"]["live_blocks"], 0, "a dead child holds nothing")
    h.equal(document["ledger"]["heap"]["gone"], truth["died_blocks"], "blocks gone with it")
    h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
    h.check("the target exited during the trace" not in document["notes"], "the target lives",
            document["notes"])
    target.is_healthy()


def only_the_parent():
    target = h.Target("forker", 4, 300)
    truth, result = h.trace_to_truth(target, "--json", "--no-follow")
    records = h.keeps_contract("spans", result)
    h.equal([r for r in records if r["type"] == "span"], [], "--no-follow: no span of a child")
    ledger = records[-1]["ledger"]
    h.equal(ledger["heap"]["allocs"], 0, "--no-follow: no allocation of a child")
    h.equal(ledger["children"]["followed"], 0, "--no-follow: followed")
    target.is_healthy()


spans_are_complete()
heap_is_complete_after_the_gap()
# Room for the 400 blocks of all children, of which the table of blocks alive holds 112.
heap_is_complete_after_the_gap("--max-live", "512")
heap_says_what_it_missed()
a_child_older_than_the_trace()
only_the_parent()
