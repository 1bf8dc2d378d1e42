#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Libraries that are loaded while tracing, closed, and loaded again elsewhere: a tenth of a second
later their functions, pairs, macros and blocks are all seen."""
import collections
import os

import harness as h


def trace(*args, link="session", pause_ms=100):
    target = h.Target("plugins", f"{h.TARGETS}/libplug_elder.so", f"{h.TARGETS}/libplug_younger.so",
                      100, pause_ms)
    tracer = h.Tracer(*args, "--json", "-p", target.pid, env={"PERFTRACE_LINK": link})
    target.go()
    truth = target.truth()
    h.time.sleep(0.2)
    result = tracer.stop()
    h.equal(truth["moved"], True, "the library came back elsewhere")
    target.is_healthy()
    return truth, result


def spans(what, names, *args, **how):
    truth, result = trace(*args, **how)
    records = h.keeps_contract("spans", result)
    found = [r for r in records if r["type"] == "span"]
    h.equal(dict(collections.Counter(s["name"] for s in found)),
            {n: truth["calls"] for n in names}, f"{what}: spans")
    h.equal({s["status"] for s in found}, {"ok"}, f"{what}: statuses")
    if "plug.job" in names:
        h.equal({s["context"] for s in found if s["name"] == "plug.job"}, {"from the plugin"},
                f"{what}: context")
    ledger = records[-1]["ledger"]
    h.equal((ledger["lost"], ledger["balanced"], ledger["unmatched"]), (0, True, 0),
            f"{what}: lost, balanced, unmatched")


def heap():
    truth, result = trace("leaks", "-d", "60")
    document = h.keeps_contract("leaks", result)
    mine = [c for c in document["candidates"] if c["stack"][0]["function"] == "plug_outer"]
    h.equal({tuple(f["function"] for f in c["stack"][-4:-3] + c["stack"][-1:]) for c in mine},
            {("main", "_start")}, "heap: down to main and below")
    h.equal(sum(c["live_blocks"] for c in mine), truth["calls"], "heap: blocks of plug_outer")
    h.equal({os.path.basename(c["stack"][0]["module"]) for c in mine} - {"libplug_elder.so"},
            {"libplug_younger.so"}, "heap: who holds them")


FUNCTIONS = ("plug_outer", "plug_inner")
ALL = (*FUNCTIONS, "plug.job", "plugged")
EVERYTHING = ("-f", "libplug_*:plug_*", "-u", "plug:*", "-u", "perftrace:*")
spans("pairs and macros", ALL[2:], "spans")
spans("functions", FUNCTIONS, "spans", "-f", "libplug_*:plug_*")
heap()
# More links take their time, the more so on a busy machine.
spans("multi", FUNCTIONS, "spans", "-f", "libplug_*:plug_*", link="multi", pause_ms=300)
spans("single", FUNCTIONS, "spans", "-f", "libplug_*:plug_*", link="single", pause_ms=1000)
spans("all of it", ALL, "--no-log", *EVERYTHING, pause_ms=300)
spans("inode-wide", ALL, "spans", "--inode-wide", *EVERYTHING, pause_ms=300)
