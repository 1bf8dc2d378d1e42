#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
"""Programs in mount and PID namespaces of their own: as exact as outside, and named as inside."""
import collections
import os

import container
import harness as h
import stacks


def all_spans(truth):
    return {**{n: s["count"] for n, s in truth["spans"].items()}, **truth["unwound"]}


def leaks_are_exact(root, how):
    target = container.Contained("leaky", root=root, how=how)
    truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60")
    document = h.keeps_contract("leaks", result)
    for key in ("allocs", "frees", "alloc_bytes", "freed_bytes", "live_blocks", "live_bytes"):
        h.equal(document["heap"][key], truth[key], f"{how}: heap.{key}")
    first = (document["candidates"] or [None])[0]
    h.equal(first and [f["function"] for f in first["stack"][:2]], ["leak_here", "main"],
            f"{how}: the leaking stack")
    h.equal(first and first["stack"][-1]["function"], "_start", f"{how}: its outermost frame")
    stacks.check_complete(document, how, at_least=1000)
    h.equal(first and first["stack"][0]["module"], "/bin/leaky", f"{how}: its module")
    h.equal(document["target"]["exe"], "/bin/leaky", f"{how}: the path as seen inside")
    h.equal(document["target"]["pid"], target.pid, f"{how}: the PID as seen outside")
    h.equal(document["ledger"]["balanced"], True, f"{how}: ledger.balanced")
    target.is_healthy()


def spans_are_exact(root, how):
    target = container.Contained("spans", 3, 2, root=root, how=how)
    truth, result = h.trace_to_truth(target, "spans", "--json")
    records = h.keeps_contract("spans", result)
    spans = [r for r in records if r["type"] == "span"]
    h.equal(dict(collections.Counter(s["name"] for s in spans)),
            all_spans(truth), f"{how}: spans")
    h.equal({s["pid"] for s in spans}, {target.pid}, f"{how}: their process")
    h.equal(records[-1]["ledger"]["lost"], 0, f"{how}: ledger.lost")
    target.is_healthy()


def two_of_one_image(root, how):
    """Their executable is one file of the image: each event must be seen once, not twice."""
    targets = [container.Contained("spans", 2, 2, root=root, how=how) for _ in range(2)]
    tracer = h.Tracer("spans", "-n", "spans", "--json", "--follow")
    for target in targets:
        target.go()
    truths = [target.truth() for target in targets]
    h.time.sleep(0.3)
    records = h.keeps_contract("spans", tracer.stop())
    spans = [r for r in records if r["type"] == "span"]
    for target, truth in zip(targets, truths):
        h.equal(dict(collections.Counter(s["name"] for s in spans if s["pid"] == target.pid)),
                all_spans(truth), f"{how}: spans of each of two")
        target.is_healthy()


def found_by_name(root, how):
    """Also by a name that does not fit into comm."""
    os.link(f"{root}/bin/leaky", f"{root}/bin/a-long-name-of-a-program")
    target = container.Contained("a-long-name-of-a-program", root=root, how=how)
    tracer = h.Tracer("leaks", "-n", "a-long-name-of-a-program", "--json", "-d", "60")
    target.go()
    truth = target.truth()
    document = h.keeps_contract("leaks", tracer.stop())
    h.equal(document["heap"]["live_blocks"], truth["live_blocks"], f"{how}: -n")
    os.unlink(f"{root}/bin/a-long-name-of-a-program")
    target.is_healthy()


container.make_root("root", [f"{h.TARGETS}/{name}" for name in ("leaky", "spans")])
# Without xino inode numbers in maps are not those that stat shows.
for how in ("bind", "overlay", "overlay,xino=off"):
    leaks_are_exact("root", how)
    with h.limited():
        leaks_are_exact("root", how)
    spans_are_exact("root", how)
    two_of_one_image("root", how)
    found_by_name("root", how)
