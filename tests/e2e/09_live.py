#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bare perftrace -p: lines, memory at intervals, the default log, and a summary of everything."""
import os
import stat

import harness as h
import spanlog

LOG = "perftrace/logs/perf_timing.log"


def summary_parts(text):
    """First words of the summary's lines, without the tables' rows."""
    return [w for w in (l.split("  ")[0].split(" (")[0] for l in text.splitlines())
            if w in ("SPANS", "MEMORY", "LEAKS", "DATA", "COST", "NOTE", "NEXT")]


def default_log():
    """In XDG_DATA_HOME, else below the home directory; appended to, header by header."""
    data, home = os.path.abspath("data"), os.environ["HOME"]
    os.mkdir(data)
    target = h.Target("spans", 2, 2)
    truth, result = h.trace_to_truth(target, "-i", "100s", env={"XDG_DATA_HOME": data})
    path = f"{data}/{LOG}"
    if not h.check(os.path.exists(path), "the default log", result.err):
        return
    h.check(path in result.err, "its path is told on standard error", result.err)
    h.equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "its mode")
    screen, log = spanlog.Log(result.out), spanlog.Log(h.read_text(path))
    for error in screen.errors + screen.tree_errors() + log.errors + log.tree_errors():
        h.fail(f"log: {error}")
    h.equal(h.read_text(path).rstrip(), result.out[:result.out.index(screen.summary)].rstrip(),
            "the log has the lines of the screen, without the summary")
    counts = {n: len(log.of("span", n)) for n in truth["spans"]}
    h.equal(counts, {n: s["count"] for n, s in truth["spans"].items()}, "spans in the log")
    parts = [p for p in summary_parts(screen.summary) if p not in ("NOTE", "COST")]
    h.equal(parts, ["SPANS", "MEMORY", "LEAKS", "DATA", "NEXT"], "parts of the summary")
    h.check(" 0 lost, books balanced" in screen.summary, "the ledger", screen.summary)

    size = os.path.getsize(path)
    h.perftrace("-p", target.pid, "-d", "500ms", env={"XDG_DATA_HOME": data})
    text = h.read_text(path)
    h.check(len(text) > size and text.count("# perftrace ") == 2, "a second run is appended",
            text)
    h.check(os.listdir(home) == [], "nothing is written to the home directory then")

    h.perftrace("-p", target.pid, "-d", "500ms")
    h.check(os.path.exists(f"{home}/.local/share/{LOG}"), "without XDG_DATA_HOME: ~/.local/share")
    os.remove(f"{home}/.local/share/{LOG}")
    h.perftrace("-p", target.pid, "-d", "500ms", "--no-log")
    h.perftrace("-p", target.pid, "-d", "500ms", "-o", "chosen.log")
    h.check(not os.path.exists(f"{home}/.local/share/{LOG}"), "--no-log and -o: no default log")
    h.check(h.read_text("chosen.log").startswith("# perftrace "), "-o has the lines")
    target.is_healthy()


def leak_and_intervals():
    target = h.Target("leaky")
    tracer = h.Tracer("-p", target.pid, "--no-log", "-i", "1", "-d", "4")
    target.go()
    target.truth()
    result = tracer.finish()
    log = spanlog.Log(result.out)
    for error in log.errors:
        h.fail(f"log: {error}")
    ticks = log.of("checkpoint", "interval")
    h.check(3 <= len(ticks) <= 4, "-i 1 in 4 s: lines", len(ticks))
    h.check(all(t.mb and float(t.mb) > 0 for t in ticks), "each with its memory")
    h.check(any(t.growth for t in ticks[1:]), "and its growth", [t.growth for t in ticks])
    h.check("leak_here" in log.summary, "the summary names the leak", log.summary)
    h.check("1,000 blocks" in log.summary or "1000 blocks" in log.summary, "and its size",
            log.summary)
    target.is_healthy()


def json_stream():
    target = h.Target("spans", 2, 1)
    tracer = h.Tracer("-p", target.pid, "--json", "-i", "500ms", "-d", "3")
    target.go()
    truth = target.truth()
    result = tracer.finish()
    records = h.keeps_contract("spans", result)
    samples = [r for r in records if r["type"] == "sample"]
    h.check(5 <= len(samples) <= 6, "-i 500ms in 3 s: samples", len(samples))
    for key in ("rss_bytes", "resident_bytes", "virtual_bytes", "data_bytes", "stack_bytes"):
        h.check(all(isinstance(s[key], int) and s[key] > 0 for s in samples), f"samples: {key}")
    spans = [r for r in records if r["type"] == "span"]
    h.equal(len([s for s in spans if s["status"] == "ok"]),
            sum(s["count"] for s in truth["spans"].values()), "spans that ended")
    h.check(not os.path.exists(f"{os.environ['HOME']}/.local/share/{LOG}"),
            "--json writes no default log")
    target.is_healthy()


default_log()
leak_and_intervals()
json_stream()
