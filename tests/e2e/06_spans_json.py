#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""spans --json: one object per line, ids and parents make the tree, and the counts are exact."""
import collections

import harness as h

ROUNDS, THREADS = (40, 16) if h.LONG else (10, 4)

target = h.Target("spans", ROUNDS, THREADS)
truth, result = h.trace_to_truth(target, "spans", "--json")
records = h.keeps_contract("spans", result)
spans = [r for r in records if r["type"] == "span"]
summary = records[-1]

ended = collections.Counter(s["name"] for s in spans if s["status"] == "ok")
h.equal(dict(ended), {n: s["count"] for n, s in truth["spans"].items()}, "spans that ended")
unwound = collections.Counter(s["name"] for s in spans if s["status"] == "unwound")
h.equal(dict(unwound), truth["unwound"], "spans that were unwound")
h.equal({s["status"] for s in spans}, {"ok", "unwound"}, "statuses")

for name, want in truth["spans"].items():
    mine = [s for s in spans if s["name"] == name]
    h.check(all(want["min_ns"] <= s["dur_ns"] < 10**10 for s in mine), f"{name}: durations",
            sorted(s["dur_ns"] for s in mine)[:3])
    if "depth" in want:
        h.equal({s["depth"] for s in mine}, {want["depth"]}, f"{name}: depth")
    if "context" in want:
        h.equal({s["context"] for s in mine}, {want["context"]}, f"{name}: context")
depths = collections.Counter(s["depth"] for s in spans if s["name"] == "recurse")
n = ROUNDS * THREADS
h.equal(dict(depths), {d: n for d in range(1, truth["spans"]["recurse"]["deepest"] + 1)},
        "recurse: depths")

by_id = {s["id"]: s for s in spans}
parents = collections.Counter(
    (s["name"], by_id[s["parent"]]["name"] if s["parent"] in by_id else None) for s in spans)
h.equal(dict(parents), {
    ("query_engine.phase1", None): n, ("ec2.describe_instances", "query_engine.phase1"): n,
    ("rds.describe_db_instances", "query_engine.phase1"): n, ("query_engine.phase2", None): n,
    ("recurse", "query_engine.phase2"): n, ("recurse", "recurse"): 4 * n,
    ("abandoned", "query_engine.phase2"): n, ("handover", None): n}, "who is below whom")
h.equal(len({s["tid"] for s in spans}), THREADS, "threads")
h.equal({s["pid"] for s in spans}, {target.pid}, "pid")
h.equal({s["comm"] for s in spans}, {f"worker-{i + 1}" for i in range(THREADS)}, "comm")

checkpoints = [r for r in records if r["type"] == "checkpoint"]
h.equal(dict(collections.Counter(c["name"] for c in checkpoints)), truth["checkpoints"],
        "checkpoints")
h.equal({c["context"] for c in checkpoints}, {truth["checkpoint_context"]}, "their contexts")
events = [r for r in records if r["type"] == "event"]
h.equal(dict(collections.Counter(e["tag"] for e in events)), truth["events"], "events")

stats = {s["name"]: s for s in summary["spans"]}
h.equal(set(stats), set(truth["spans"]) | set(truth["unwound"]), "names in the summary")
h.equal(summary["ledger"]["lost"], 0, "ledger.lost")
h.equal(summary["ledger"]["balanced"], True, "ledger.balanced")
books = summary["ledger"]["spans"]
h.equal(books["starts"], len(spans), "ledger: starts")
h.equal((books["unfinished"], books["open"], books["orphan_ends"]), (0, 0, 0), "ledger: leftovers")
target.is_healthy()
