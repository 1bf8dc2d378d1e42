#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""spans in text: every line of a known form, exact counts and nesting, and the shell one-liners
that users are told to ask the log with."""
import collections

import harness as h
import spanlog

ROUND = [("span", 0, "query_engine.phase1", "50 queries"),
         ("span", 1, "ec2.describe_instances", "us-east-1"),
         ("span", 1, "rds.describe_db_instances", "us-east-1"),
         ("checkpoint", None, "phase1_complete", "314 resources"),
         ("span", 0, "query_engine.phase2", "45 resources"),
         ("span", 1, "recurse", None), ("span", 2, "recurse", None), ("span", 3, "recurse", None),
         ("span", 4, "recurse", None), ("span", 5, "recurse", None),
         ("span", 1, "abandoned", None),
         ("span", 0, "handover", "committed"),
         ("checkpoint", None, "phase2_complete", "314 resources")]


def one_thread(rounds):
    target = h.Target("spans", rounds, 1)
    truth, result = h.trace_to_truth(target, "spans")
    log = spanlog.Log(result.out)
    for error in log.errors + log.tree_errors():
        h.fail(f"log: {error}")
    if h.check(log.header, "the log begins with a header", result.out[:200]):
        h.equal(int(log.header["pid"]), target.pid, "header: pid")
        h.check(log.header["exe"].endswith("/spans"), "header: executable", log.header["exe"])
    h.check(log.lines and log.lines[0].number == 2, "the header is the first line")

    shape = [(l.kind, l.depth if l.kind == "span" else None, l.name, l.context)
             for l in log.lines if l.kind != "event"]
    h.equal(shape, ROUND * rounds, "lines, in order")
    h.equal({l.comm for l in log.lines}, {"worker-1"}, "comm")
    times = [l.time for l in log.lines]
    h.equal(times, sorted(times), "time stamps of one thread rise")
    for name, want in truth["spans"].items():
        for l in log.of("span", name):
            h.check(l.ns >= want["min_ns"] * 0.999 and l.ns < 10e9, f"{name}'s duration",
                    l.duration)
    h.equal({l.status for l in log.of("span", "abandoned")}, {"unwound"}, "abandoned's status")
    h.equal({l.status for l in log.of("span") if l.name != "abandoned"}, {None}, "other statuses")
    events = collections.Counter(l.tag for l in log.of("event"))
    h.equal(dict(events), truth["events"], "events")
    h.equal([l.text for l in log.of("event")][:4],
            ["expecting 50 queries", "GET_MISS ec2:us-east-1", "expecting 45 queries",
             "GET_HIT ec2:us-east-1"], "their texts, in order")
    h.check(" 0 lost, books balanced" in log.summary, "the ledger", log.summary)
    memory(log, truth)
    target.is_healthy()
    return result.out


def memory(log, truth):
    for l in log.of("checkpoint"):
        h.check(l.mb is not None, f"{l.name} has its memory")
    for l in log.of("checkpoint", "phase2_complete"):
        if h.check(l.growth and l.since == "phase1_complete", "growth since phase1_complete"):
            grown = float(l.growth[:-2])
            h.check(abs(grown - truth["touched_bytes"] / 2**20) < 3, "it is what was touched",
                    l.growth)


def asks(path, rounds):
    """The seed's questions: phases, and memory, which must be sorted as a number of MB."""
    phases = h.run("sh", "-c", r"grep '\.phase1:\|\.phase2:' spans.log").splitlines()
    h.equal(len(phases), 2 * rounds, "grep finds the phases")
    largest = h.run("sh", "-c", "grep CHECKPOINT: spans.log | sort -t: -k4 -n").splitlines()
    sizes = [float(l.split("[mem: ")[1].split("MB")[0]) for l in largest]
    h.equal(len(sizes), 2 * rounds, "checkpoints")
    h.equal(sizes, sorted(sizes), "sort -t: -k4 -n sorts by memory")
    cache = h.run("sh", "-c", "grep -ic 'cache.*hit' spans.log || true").strip()
    h.equal(cache, str(rounds), "grep -i 'cache.*hit'")


def many_threads(rounds, threads):
    target = h.Target("spans", rounds, threads)
    truth, result = h.trace_to_truth(target, "spans", "-o", "threads.log")
    log = spanlog.Log(h.read_text("threads.log"))
    h.check("SPANS" in result.out and "SPANS" not in h.read_text("threads.log"),
            "with -o the summary goes to standard output and not into the log")
    for error in log.errors + log.tree_errors():
        h.fail(f"{threads} threads: {error}")
    counts = collections.Counter(l.name for l in log.of("span"))
    want = {n: s["count"] for n, s in truth["spans"].items()} | truth["unwound"]
    h.equal(dict(counts), want, f"{threads} threads: counts")
    by_thread = collections.defaultdict(list)
    for l in log.lines:
        if l.kind != "event":
            by_thread[l.comm].append((l.kind, l.depth if l.kind == "span" else None, l.name,
                                      l.context))
    h.equal(sorted(by_thread), sorted(f"worker-{i + 1}" for i in range(threads)), "threads")
    for comm, shape in by_thread.items():
        h.check(sorted(map(str, shape)) == sorted(map(str, ROUND * rounds)),
                f"{comm}: its lines", shape[:20])
    target.is_healthy()


text = one_thread(3)
with open("spans.log", "w", encoding="utf-8") as f:
    f.write(text)
asks("spans.log", 3)
many_threads(*((50, 16) if h.LONG else (10, 8)))
