#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""perftrace.h leaves USDT notes of the usual kind: bpftrace reads and counts them, and a semaphore
raised by another tracer does not disturb perftrace, nor perftrace the other."""
import collections
import re

import harness as h

ROUNDS = 5


def notes():
    text = h.run("readelf", "-nW", f"{h.TARGETS}/spans")
    found = collections.Counter(re.findall(r"Provider: (\S+)\s+Name: (\S+)", text))
    h.check({("perftrace", "span_start"), ("perftrace", "span_end"), ("perftrace", "checkpoint"),
             ("perftrace", "event")} <= set(found), "readelf -n lists our probes", found)
    listed = h.run("bpftrace", "-l", f"usdt:{h.TARGETS}/spans:*").split()
    h.check(any(l.endswith(":perftrace:span_start") for l in listed), "bpftrace -l lists them",
            listed)


def start_bpftrace(target):
    binary = f"{h.TARGETS}/spans"
    script = "".join(
        f'usdt:{binary}:perftrace:{probe} {{ printf("{probe} %s\\n", str(arg0)); }} '
        for probe in ("span_start", "span_end", "checkpoint", "event"))
    tracer = h.Process(["bpftrace", "-q", "-p", target.pid, "-e",
                        'BEGIN { printf("attached\\n"); } ' + script])
    h.wait_until(lambda: "attached" in tracer.out() or not tracer.alive(), 30, "bpftrace")
    h.check(tracer.alive(), "bpftrace runs", tracer.err())
    return tracer


def events(tracer):
    h.time.sleep(0.5)
    tracer.interrupt = lambda: tracer.signal(h.signal.SIGINT)
    tracer.interrupt()
    tracer.wait(20)
    return collections.Counter(l for l in tracer.out().splitlines() if " " in l)


def check_events(found, truth, what):
    for name, want in truth["spans"].items():
        h.equal(found[f"span_start {name}"], want["count"], f"{what}: starts of {name}")
        h.equal(found[f"span_end {name}"], want["count"], f"{what}: ends of {name}")
    for name, count in truth["checkpoints"].items():
        h.equal(found[f"checkpoint {name}"], count, f"{what}: {name}")
    for tag, count in truth["events"].items():
        h.equal(found[f"event {tag}"], count, f"{what}: {tag}")


notes()
target = h.Target("spans", ROUNDS, 1)
tracer = start_bpftrace(target)
target.go()
truth = target.truth()
check_events(events(tracer), truth, "bpftrace")
target.is_healthy()

# Both at once. perftrace leaves first, and bpftrace goes on seeing.
target = h.Target("spans", ROUNDS, 1)
tracer = start_bpftrace(target)
truth, result = h.trace_to_truth(target, "spans", "--json")
records = h.keeps_contract("spans", result)
counts = collections.Counter(r["name"] for r in records if r["type"] == "span")
h.equal({n: counts[n] for n in truth["spans"]},
        {n: s["count"] for n, s in truth["spans"].items()}, "beside bpftrace: perftrace")
check_events(events(tracer), truth, "beside perftrace")
target.is_healthy()
