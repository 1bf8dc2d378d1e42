#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Functions whose return is hooked, by this perftrace or by another, have a foreign return address
on the stack: stacks go through them all the same."""
import harness as h
import stacks

FUNCTIONS = ("-f", "chain:link_*", "-f", "chain:leaf", "-f", "chain:work")


def by_itself(link):
    target = h.Target("chain", 200)
    truth, result = h.trace_to_truth(target, "--json", "--no-log", *FUNCTIONS,
                                     env={"PERFTRACE_LINK": link})
    records = h.keeps_contract("spans", result)
    summary = records[-1]
    h.equal({s["name"]: s["count"] for s in summary["spans"]}["leaf"], truth["blocks"],
            f"{link}: spans of leaf")
    stacks.check_complete(summary, link, at_least=truth["blocks"])
    h.equal((summary["ledger"]["lost"], summary["ledger"]["balanced"]), (0, True),
            f"{link}: the books")
    target.is_healthy()


def by_another():
    target = h.Target("chain", 200)
    other = h.Tracer("spans", "--json", *FUNCTIONS, "-p", target.pid)
    truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60")
    document = h.keeps_contract("leaks", result)
    mine = stacks.with_blocks_of(document, 777)
    if mine:
        path = [*truth["path"], "main"]
        h.equal(stacks.names(mine)[:len(path)], path, "by another: the path")
        h.equal(stacks.names(mine)[-1], "_start", "by another: the outermost frame")
    stacks.check_complete(document, "by another", at_least=truth["blocks"])
    other.stop()
    target.is_healthy()


for how in ("session", "multi", "single"):
    by_itself(how)
by_another()
