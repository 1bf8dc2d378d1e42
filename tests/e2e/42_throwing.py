#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""C++ exceptions through functions that are traced as spans: the program ends as it would have, and
every call is counted, as ended or as unwound, on every way to link."""
import collections
import json

import harness as h

MANY = 125000 if h.LONG else 12500  # four of five throw


def run(times, *args, link=None):
    """(truth, records); the target has ended by itself with 0."""
    target = h.Target("throwing", times)
    env = {"PERFTRACE_LINK": link} if link else None
    tracer = h.Tracer("spans", "-f", "job::*", "--json", *args, "-p", target.pid, env=env)
    target.go()
    truth = target.truth(60)
    h.time.sleep(0.3)
    result = tracer.stop()
    target.is_healthy()
    return truth, result


def check_counts(what, truth, summary):
    got = {s["name"]: (s["count"] - s["unwound"], s["unwound"], s["unfinished"])
           for s in summary["spans"]}
    h.equal(got, {n: (c[0], c[1], 0) for n, c in truth["calls"].items()},
            f"{what}: returned, unwound, unfinished")
    ledger = summary["ledger"]
    h.equal((ledger["lost"], ledger["balanced"], ledger["unmatched"]), (0, True, 0),
            f"{what}: lost, balanced, unmatched")


def many():
    # Only the counts: spans that are too short for --min are counted, not written.
    truth, result = run(MANY, "--min", "1h")
    h.equal(truth["caught"], MANY // 5 * 4, "exceptions thrown and caught")
    check_counts("many", truth, json.loads(result.out.splitlines()[-1]))


def shape(what, *args, link=None):
    truth, result = run(50, *args, link=link)
    records = h.keeps_contract("spans", result)
    check_counts(what, truth, records[-1])
    spans = {s["id"]: s for s in records if s["type"] == "span"}
    outermost = collections.defaultdict(set)
    for s in spans.values():
        parent = spans[s["parent"]]["name"] if s["parent"] else None
        if parent != s["name"]:
            outermost[s["name"]].add((s["depth"], parent))
    parents = {"job::top(int)": None, "job::after(int)": None, "job::middle(int)": "job::top(int)",
               "job::handle(int)": "job::top(int)", "job::rethrower(int)": "job::middle(int)",
               "job::guard::~guard()": "job::middle(int)",
               "job::depth(int, int)": "job::rethrower(int)"}
    for name, (_, _, depth) in truth["calls"].items():
        h.equal(outermost[name], {(depth, parents[name])}, f"{what}: depth and parent of {name}")


many()
shape("few")
shape("multi", link="multi")
shape("single", link="single")
shape("inode-wide", "--inode-wide")
shape("without macros beside", "-u", "perftrace:*")
