#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Options that all commands share: help, version, names, several processes, -q, -v, --strict,
--color, and whose the files are under sudo."""
import os
import re
import shutil

import harness as h


def help_and_version():
    for command in ([], ["leaks"], ["spans"], ["cpu"], ["probes"]):
        result = h.perftrace(*command, "--help")
        h.check("--pid" in result.out and not result.err, f"{command}: --help", result.err)
        h.check(max(map(len, result.out.splitlines())) <= 100, f"{command}: --help is narrow")
    overview = h.perftrace("--help").out
    offered = set(re.findall(r"^  perftrace (\w+) ", overview, re.M))
    h.equal(offered, {"leaks", "spans", "cpu", "run", "probes"}, "commands offered")
    for planned in ("mem", "allocs", "record", "report", "compare", "cpu", "offcpu", "locks",
                    "serve", "run", "doctor"):
        if planned not in offered:
            h.perftrace(planned, code=2)
    h.check(re.match(r"perftrace \d+\.\d+\.\d+\n", h.perftrace("--version").out), "--version")


def names():
    shutil.copy(f"{h.TARGETS}/leaky", "e2e-by-name")
    targets = [h.Target("e2e-by-name", path="./e2e-by-name") for _ in range(2)]
    tracer = h.Tracer("leaks", "-n", "e2e-by-name", "--json", "-d", "60")
    for target in targets:
        target.go()
    truths = [target.truth() for target in targets]
    document = h.keeps_contract("leaks", tracer.stop())
    h.equal(document["heap"]["live_blocks"], sum(t["live_blocks"] for t in truths),
            "-n: the heaps of all of that name")
    h.equal(document["ledger"]["lost"], 0, "-n: ledger.lost")
    for target in targets:
        target.is_healthy()


def several():
    targets = [h.Target("spans", 2, 1), h.Target("exceptions", 10)]
    tracer = h.Tracer("spans", "-p", targets[0].pid, "-p", targets[1].pid, "--json")
    for target in targets:
        target.go()
    truths = [target.truth() for target in targets]
    records = h.keeps_contract("spans", tracer.stop())
    spans = [r for r in records if r["type"] == "span"]
    for target, truth in zip(targets, truths):
        h.equal(sum(s["pid"] == target.pid for s in spans),
                sum(s["count"] for s in truth["spans"].values()) +
                sum(truth["unwound"].values()), f"two -p: spans of {target.argv[0]}")
        target.is_healthy()


def loud_and_quiet():
    target = h.Target("leaky")
    args = ("leaks", "-p", target.pid, "-d", "300ms")
    normal, quiet, verbose = (h.perftrace(*args, *more) for more in ([], ["-q"], ["-v"]))
    h.check(normal.err.startswith("> attached to"), "standard error tells the progress", normal.err)
    h.equal(quiet.err, "", "-q")
    h.check(len(verbose.err) > len(normal.err), "-v", verbose.err)
    h.check("\x1b" not in normal.out + normal.err, "no colours into a file")
    never = h.perftrace(*args, "--color", "never")
    h.check("\x1b" not in never.out, "--color never")
    target.is_healthy()

    target = h.Target("leaky")
    _, colored = h.trace_to_truth(target, "leaks", "-d", "60", "--color", "always")
    h.check("\x1b[" in colored.out, "--color always", colored.out)
    _, plain = h.trace_to_truth(h.Target("leaky"), "leaks", "-d", "60", "--color", "always",
                                env={"NO_COLOR": "1"})
    h.check("leak_here" in plain.out, "NO_COLOR with --color always")
    target.is_healthy()


def strict():
    """Without a loss 0, with one 6; the report is the same."""
    target = h.Target("sites")
    truth, result = h.trace_to_truth(target, "leaks", "--json", "--strict", "-d", "60")
    h.equal(h.keeps_contract("leaks", result)["heap"]["live_blocks"], truth["live_blocks"],
            "--strict without a loss")
    target.is_healthy()
    target = h.Target("sites")
    tracer = h.Tracer("leaks", "-p", target.pid, "--json", "--strict", "--max-live", "100")
    target.go()
    target.truth()
    result = tracer.stop(code=6)
    document = h.keeps_contract("leaks", result)
    lost = document["ledger"]["lost"]
    h.equal(document["heap"]["live_blocks"] + lost, truth["live_blocks"],
            "--max-live: live and lost make all")
    h.check(lost > 500, "--max-live 100: most is lost", lost)
    h.check("--strict" in result.err, "--strict says why", result.err)
    target.is_healthy()


def lost_spans():
    """A ring of one page, and a perftrace that cannot read it for a while: what did not fit is
    counted, exactly."""
    target = h.Target("usdt_pairs", 1000)
    tracer = h.Tracer("spans", "-p", target.pid, "--json", "--ring", "4K")
    target.go()
    tracer.signal(h.signal.SIGSTOP)
    h.time.sleep(0.3)
    tracer.signal(h.signal.SIGCONT)
    target.truth(timeout=60)
    records = h.keeps_contract("spans", tracer.stop())
    ledger = records[-1]["ledger"]
    received = sum(r["type"] == "span" and r["status"] != "open" for r in records)
    books = ledger["spans"]
    h.equal(received + ledger["lost"],
            books["ends"] + books["unwound"] + books["unfinished"], "received and lost make all")
    h.check(ledger["lost"] > 0, "a ring of one page loses", ledger)
    h.equal(ledger["balanced"], True, "ledger.balanced")
    target.is_healthy()


def files_belong_to_the_user():
    nobody = 65534
    os.mkdir("theirs", 0o755)
    os.chown("theirs", nobody, nobody)
    target = h.Target("leaky")
    sudo = {"SUDO_UID": str(nobody), "SUDO_GID": str(nobody), "SUDO_USER": "nobody"}
    h.perftrace("leaks", "-p", target.pid, "-d", "300ms", "-o", "theirs/report", env=sudo)
    h.perftrace("-p", target.pid, "-d", "300ms", env=sudo | {"XDG_DATA_HOME":
                                                             os.path.abspath("theirs")})
    for path in ("theirs/report", "theirs/perftrace", "theirs/perftrace/logs/perf_timing.log"):
        if h.check(os.path.exists(path), f"{path} is there"):
            h.equal(os.stat(path).st_uid, nobody, f"{path} is the invoking user's")
    target.is_healthy()


help_and_version()
names()
several()
loud_and_quiet()
strict()
lost_spans()
files_belong_to_the_user()
