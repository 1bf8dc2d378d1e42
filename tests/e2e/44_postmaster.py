#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Fifty children that allocate in their first moment, by fork, vfork and exec, posix_spawn: with
--inode-wide nothing is missing; without it never too much is seen, and what is missing is told."""
import harness as h

CHILDREN, BLOCKS = 50, 40
NUMBERS = ("allocs", "frees", "alloc_bytes", "freed_bytes")


def trace(how, *args, code=0):
    target = h.Target("postmaster", how, CHILDREN, BLOCKS)
    tracer = h.Tracer("leaks", "-p", target.pid, "--json", "-d", "60", "--follow", "--strict",
                      *args)
    target.go()
    truth = target.truth()
    h.time.sleep(0.2)
    result = tracer.stop(code=code)
    document = h.keeps_contract("leaks", result)
    h.equal(document["ledger"]["children"]["followed"], CHILDREN, f"{how} {args}: followed")
    h.equal((document["ledger"]["balanced"], document["ledger"]["lost"]), (True, 0),
            f"{how} {args}: ledger.balanced, lost")
    # Whatever was missed, the parent's own are there, and dead children hold nothing.
    for key in ("live_blocks", "live_bytes"):
        h.equal(document["heap"][key], truth[key], f"{how} {args}: {key}")
    target.is_healthy()
    return truth, document, result


def everything(how):
    truth, document, result = trace(how, "--inode-wide")
    for key in NUMBERS:
        h.equal(document["heap"][key], truth[key], f"{how}, inode-wide: {key}")
    h.equal(document["ledger"]["heap"]["gone"], truth["gone"], f"{how}, inode-wide: gone")
    h.equal(document["heap"]["unknown_frees"], truth["inherited_frees"],
            f"{how}, inode-wide: frees of what was inherited")
    children = document["ledger"]["children"]
    h.equal((children["never_linked"], children["gap_ns_total"]), (0, 0),
            f"{how}, inode-wide: no gap")
    h.check("more per malloc and free while this runs" in result.err, "others' price is told",
            result.err)


def what_is_missing_is_told(how):
    """Exit code 6 comes from --strict."""
    truth, document, result = trace(how, code=6)
    for key in NUMBERS:
        h.check(document["heap"][key] <= truth[key], f"{how}: {key}, at most",
                (document["heap"][key], truth[key]))
    children = document["ledger"]["children"]
    h.check(children["never_linked"] > 0 or children["gap_ns_total"] > 0, f"{how}: the gap",
            children)
    h.check(any(n.startswith("children:") for n in document["notes"]), f"{how}: a note says so",
            document["notes"])
    h.check("incomplete" in result.err, f"{how}: and a last word", result.err)


def spans_need_no_width():
    """Of a program that nobody else runs: functions of its own executable, also behind an exec."""
    for how in ("fork", "spawn"):
        target = h.Target("postmaster", how, CHILDREN, BLOCKS)
        truth, result = h.trace_to_truth(target, "spans", "--json", "--follow", "--strict", "-f",
                                         "child_work")
        records = h.keeps_contract("spans", result)
        spans = [r for r in records if r["type"] == "span"]
        h.equal(({s["status"] for s in spans}, len(spans)), ({"ok"}, CHILDREN),
                f"{how}: spans of children")
        h.equal(len({s["pid"] for s in spans}), CHILDREN, f"{how}: their processes")
        target.is_healthy()


for how in ("fork", "vfork", "spawn"):
    everything(how)
    what_is_missing_is_told(how)
spans_need_no_width()
