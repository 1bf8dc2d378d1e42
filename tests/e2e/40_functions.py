#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Functions as spans: exact counts, nesting and statuses for whatever C does with its frames, alone
and beside pairs and macros, on every way to link."""
import collections

import harness as h
import spanlog

ROUNDS = 10


def trace(*args, rounds=ROUNDS, threads=1, command=("spans",), env=None):
    target = h.Target("functions", rounds, threads)
    truth, result = h.trace_to_truth(target, *command, *args, env=env)
    target.is_healthy()
    return truth, result


def records_of(*args, **how):
    truth, result = trace(*args, "--json", **how)
    return truth, h.keeps_contract("spans", result)


def spans_of(records):
    return [r for r in records if r["type"] == "span"]


def status_of(truth, name):
    return "unwound" if name in truth["unwound"] else "ok"


def balanced(records, what):
    ledger = records[-1]["ledger"]
    h.equal((ledger["lost"], ledger["balanced"], ledger["unmatched"]), (0, True, 0),
            f"{what}: lost, balanced, unmatched")


def as_json(threads, env=None):
    what = f"{threads} threads, {(env or {}).get('PERFTRACE_LINK', 'session')}"
    truth, records = records_of("-f", "fn_*", threads=threads, env=env)
    by_thread = collections.defaultdict(list)
    # Of what begins at one instant the outer one comes first.
    for s in sorted(spans_of(records), key=lambda s: (s["start"], s["depth"])):
        by_thread[s["comm"]].append((s["depth"], s["name"], s["status"]))
    want = [(depth, name, status_of(truth, name)) for depth, name in truth["shape"]] * ROUNDS
    h.equal(sorted(by_thread), [f"worker-{i + 1}" for i in range(threads)], f"{what}: threads")
    for comm, shape in by_thread.items():
        h.equal(shape, want, f"{what}: spans of {comm}")
    for s in spans_of(records):
        if s["name"] == "fn_outer":
            h.check(truth["outer_ns"] <= s["dur_ns"] < 1e9, f"{what}: duration", s["dur_ns"])
    balanced(records, what)


def as_text():
    truth, result = trace("-f", "fn_*")
    log = spanlog.Log(result.out)
    for error in log.errors + log.tree_errors():
        h.fail(f"log: {error}")
    h.equal([[l.depth, l.name] for l in log.of("span")], truth["shape"] * ROUNDS, "text: spans")
    for l in log.of("span"):
        h.equal(l.status or "ok", status_of(truth, l.name), f"text: status of {l.name}")
        h.equal(l.context, None, f"text: context of {l.name}")
    h.check(" 0 lost, books balanced" in log.summary, "text: the ledger", log.summary)


def shorter_ones_are_counted():
    _, result = trace("-f", "fn_*", "--min", "1ms", "--json")
    records = [h.json.loads(line) for line in result.out.splitlines()]
    h.equal({s["name"] for s in spans_of(records)}, {"fn_outer"}, "--min: spans")
    counts = {s["name"]: s["count"] for s in records[-1]["spans"]}
    h.equal((counts["fn_outer"], counts["fn_leaf"]), (ROUNDS, 6 * ROUNDS), "--min: counts")


def too_deep():
    """No deeper than the kernel keeps track; what is deeper is told, and what follows is right."""
    for link in ("session", "multi", "single"):
        truth, records = records_of("-f", "deep_recurse", "-f", "fn_outer",
                                    env={"PERFTRACE_LINK": link})
        spans = [s for s in spans_of(records) if s["name"] == "deep_recurse"]
        h.equal([s["depth"] for s in sorted(spans, key=lambda s: s["depth"])], list(range(64)),
                f"deep, {link}: depths")
        h.equal({s["status"] for s in spans}, {"ok"}, f"deep, {link}: statuses")
        h.check(all(s["dur_ns"] >= 1e6 for s in spans), f"deep, {link}: durations")
        ledger = records[-1]["ledger"]
        h.equal((ledger["lost"], ledger["balanced"]), (truth["deep"] - 64, True),
                f"deep, {link}: the rest is lost, and told")
        h.equal(sum(s["name"] == "fn_outer" for s in spans_of(records)), ROUNDS,
                f"deep, {link}: others")


def in_a_library():
    for glob in ("libfunctions.so:lib_*", "libfunctions:lib_*", "*/libfunctions.so:lib_*"):
        truth, records = records_of("-f", glob)
        h.equal(dict(collections.Counter(s["name"] for s in spans_of(records))), truth["lib"], glob)
        h.equal(dict(collections.Counter((s["name"], s["depth"]) for s in spans_of(records))),
                {("lib_work", 0): ROUNDS, ("lib_helper", 1): 2 * ROUNDS}, f"{glob}: depths")
        balanced(records, glob)


def beside_others():
    """-f alone asks for functions alone; with -u for both, in one tree."""
    truth, records = records_of("-f", "with_a_span")
    h.equal({s["name"] for s in spans_of(records)}, {"with_a_span"}, "-f alone")

    _, records = records_of("-f", "with_a_span", "-u", "perftrace:*")
    spans = spans_of(records)
    names = {s["id"]: s["name"] for s in spans}
    h.equal(collections.Counter((s["name"], names.get(s["parent"])) for s in spans),
            {("with_a_span", None): truth["named"], ("named", "with_a_span"): truth["named"]},
            "-f and -u: spans and their parents")
    balanced(records, "-f and -u")

    truth, result = trace("-f", "fn_outer", "--json", "--no-log", command=())
    records = h.keeps_contract("spans", result)
    h.equal({s["name"] for s in spans_of(records)}, {"fn_outer"}, "bare: spans")
    h.check(records[-1]["ledger"]["heap"]["allocs"] >= 0, "bare: the heap, too")
    balanced(records, "bare")


def a_loop_at_its_entry():
    """It passes its first instruction again and again; it is called once, or not traced."""
    target = h.Target("functions", ROUNDS)
    tracer = h.Tracer("spans", "-f", "loops_to_entry", "-f", "fn_outer", "--json", "-p", target.pid)
    target.go()
    truth = target.truth()
    h.time.sleep(0.2)
    result = tracer.stop()
    records = h.keeps_contract("spans", result)
    seen = sum(s["name"] == "loops_to_entry" for s in spans_of(records))
    if seen or "loops_to_entry" not in result.err:
        h.equal(seen, truth["loops"], "a loop at its entry: calls")
    balanced(records, "a loop at its entry")
    target.is_healthy()


def twice_named():
    """All names of a function lead to it."""
    truth, records = records_of("-f", "libfunctions.so:also_lib_work")
    h.equal(len(spans_of(records)), truth["lib"]["lib_work"], "an alias")
    truth, records = records_of("-f", "libfunctions.so:lib_work", "-f", "libfunctions.so:*_work")
    h.equal(len(spans_of(records)), truth["lib"]["lib_work"], "chosen by two rules")


as_json(1)
as_json(2)
as_json(1, env={"PERFTRACE_LINK": "multi"})
as_json(1, env={"PERFTRACE_LINK": "single"})
as_text()
shorter_ones_are_counted()
too_deep()
in_a_library()
beside_others()
a_loop_at_its_entry()
twice_named()
