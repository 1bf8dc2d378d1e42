#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A target that ends during the run, in any way, leaves a complete report; one that ends during the
attach a report or one sentence; perftrace never hangs."""

import harness as h


def start(*args):
    """exiter does not wait to be told, so it is started first and has a moment."""
    return h.Target("exiter", *args)


def ends_during_the_run(how, number, code):
    target = start("2500", how, number)
    result = h.perftrace("--no-log", "--json", "-p", target.pid)
    h.equal(target.wait(5), code, f"{how} {number}: the target's own end")
    records = h.keeps_contract("spans", result)
    h.check(2 < result.seconds < 8, f"{how}: the run ends with the target", result.seconds)
    h.check("exited" in result.err, f"{how}: it says why it ended", result.err)
    summary = records[-1]
    h.equal(summary["ledger"]["balanced"], True, f"{how}: ledger.balanced")
    lost = summary["ledger"]["lost"]
    if how == "threads":
        # 63 busy threads leave little time to read along: then every missing span is counted.
        books = summary["ledger"]["spans"]
        received = sum(r["type"] == "span" and r["status"] != "open" for r in records)
        h.equal(received + summary["ledger"]["incidents"].get("ring_spans_lost", 0), books["ends"] + books["unwound"] + books["unfinished"],
                f"{how}: spans received and lost")
    else:
        h.equal(lost, 0, f"{how}: ledger.lost")
    h.check(summary["ledger"]["heap"]["live"] > 100, f"{how}: the blocks it died with are reported",
            summary["ledger"]["heap"])
    return records


def leak_scan_of_the_dying():
    target = start("2000")
    result = h.perftrace("leaks", "--json", "-p", target.pid)
    document = h.keeps_contract("leaks", result)
    first = document["candidates"][0] if document["candidates"] else {"stack": [{}]}
    h.equal([(f.get("function"), f.get("inlined")) for f in first["stack"][:2]],
            [("live", True), ("main", False)], "symbols and lines survive the target")
    h.equal(first["stack"][-1].get("function"), "_start", "of all frames")
    h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
    target.wait(5)


def ends_during_the_attach():
    """At all moments from before the attach to after it."""
    for ms in range(0, 1000, 50 if h.LONG else 150):
        target = start(str(ms))
        result = h.perftrace("leaks", "--json", "-p", target.pid, timeout=20, code=None)
        target.wait(5)
        if result.code == 0:
            h.keeps_contract("leaks", result)
        else:
            # Dead and not yet reaped by us, its parent, it may be met as a zombie.
            h.check(result.code in (3, 4), f"exits after {ms} ms: exit code", result.code)
            lines = result.err.splitlines()
            h.check(len(lines) == 1 and lines[0].startswith("perftrace: "),
                    f"exits after {ms} ms: one line", lines)
            h.equal(result.out, "", f"exits after {ms} ms: standard output")


ends_during_the_run("code", 0, 0)
ends_during_the_run("code", 7, 7)
ends_during_the_run("signal", 9, -9)
ends_during_the_run("signal", 11, -11)
records = ends_during_the_run("threads", 3, 3)
spans = [r for r in records if r["type"] == "span"]
h.check(sum(s["name"] == "exiter.busy" and s["status"] == "ok" for s in spans) > 1000,
        "threads: spans that ended", len(spans))
leak_scan_of_the_dying()
ends_during_the_attach()
