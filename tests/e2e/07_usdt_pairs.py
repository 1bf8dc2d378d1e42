#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""USDT pairs that a program already has: found by name, string arguments become the context,
missing ends are healed, pairs that are not scoped stay out of the nesting, -u chooses."""
import collections

import harness as h
import spanlog

ROUNDS = 100


def trace(*args, complete=True):
    target = h.Target("usdt_pairs", ROUNDS)
    truth, result = h.trace_to_truth(target, "spans", "--json", *args)
    records = h.keeps_contract("spans", result)
    target.is_healthy()
    spans = [r for r in records if r["type"] == "span"]
    ok = collections.Counter(s["name"] for s in spans if s["status"] == "ok")
    unwound = collections.Counter(s["name"] for s in spans if s["status"] == "unwound")
    ledger = records[-1]["ledger"]
    h.equal(ledger["balanced"], True, f"{args}: ledger.balanced")
    if complete:
        h.equal(ledger["lost"], 0, f"{args}: ledger.lost")
        h.equal({s["status"] for s in spans} - {"ok", "unwound"}, set(), f"{args}: other statuses")
    return truth, spans, dict(ok), dict(unwound)


def all_pairs():
    truth, spans, ok, unwound = trace()
    h.equal(ok, {n: s["count"] for n, s in truth["spans"].items()}, "spans that ended")
    h.equal(unwound, truth["unwound"], "spans that were unwound")
    contexts = collections.defaultdict(collections.Counter)
    for s in spans:
        contexts[s["name"]][s["context"]] += 1
    h.equal(dict(contexts["demo.task"]), {f"task {i}": 1 for i in range(ROUNDS)}, "task contexts")
    h.equal(dict(contexts["demo.step"]), {"load": 3 * ROUNDS}, "step contexts")
    h.equal(dict(contexts["demo.io"]), {"disk": ROUNDS}, "io contexts")
    h.equal(dict(contexts["demo.batch"]), {"batch": ROUNDS}, "batch contexts")
    h.equal(contexts["demo.tx"]["deadlock"], truth["spans"]["demo.tx"]["aborts"],
            "an end's string argument is context, too")

    # The transaction begins and ends in different frames: it is nobody's parent.
    by_id = {s["id"]: s for s in spans}
    above = collections.Counter(
        (s["name"], by_id[s["parent"]]["name"] if s["parent"] else None) for s in spans)
    h.equal(dict(above), {("demo.tx", None): ROUNDS, ("demo.task", None): ROUNDS,
                          ("demo.batch", None): ROUNDS, ("demo.step", "demo.task"): 3 * ROUNDS,
                          ("demo.io", "demo.task"): ROUNDS}, "who is below whom")


def text():
    target = h.Target("usdt_pairs", 10)
    _, result = h.trace_to_truth(target, "spans")
    target.is_healthy()
    log = spanlog.Log(result.out)
    for error in log.errors + log.tree_errors():
        h.fail(f"log: {error}")
    counts = collections.Counter((l.name, l.depth) for l in log.of("span"))
    h.equal(dict(counts), {("demo.tx", 0): 10, ("demo.task", 0): 10, ("demo.batch", 0): 10,
                           ("demo.step", 1): 30, ("demo.io", 1): 10}, "lines")


def chosen_pair():
    truth, spans, ok, unwound = trace("-u", "demo:tx__start..tx__commit|tx__abort")
    h.equal((ok, unwound), ({"demo.tx": ROUNDS}, {}), "-u START..END|END2")
    # Aborted ones never end then: they may only be unfinished, or counted as lost.
    _, _, ok, unwound = trace("-u", "demo:tx__start..tx__commit", complete=False)
    h.equal(ok, {"demo.tx": truth["spans"]["demo.tx"]["commits"]}, "-u with one of two ends")
    _, _, ok, _ = trace("-u", "demo:io-start..io-done")
    h.equal(ok, {"demo.io": ROUNDS}, "-u with a name as it stands in the note")
    _, _, ok, _ = trace("-u", "demo:s*")
    h.equal(ok, {"demo.step": 3 * ROUNDS}, "-u PROVIDER:GLOB")


def nothing_matches():
    """In a program with other pairs, and in one with perftrace.h spans, which -u has not named."""
    for program in ("usdt_pairs", "spans"):
        target = h.Target(program, 1)
        result = h.perftrace("spans", "-p", target.pid, "-d", "500ms", "-u",
                             "demo:nothing__start..nothing__end", code=3)
        h.check("-u" in result.err and result.err.count("\n") == 1,
                f"{program}: -u without a match: one line", result.err)
        target.end()


all_pairs()
text()
chosen_pair()
nothing_matches()
