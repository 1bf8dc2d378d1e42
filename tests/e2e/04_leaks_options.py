#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""leaks: --top, --min-size, --older, -i, and -o with what makes a file safe."""
import json
import os
import re
import stat

import harness as h


def sites(document):
    return {c["stack"][0]["function"]: [c["live_blocks"], c["live_bytes"]]
            for c in document["candidates"]}


def options_choose_sites():
    """The target stays, so each run attaches to a process of its own; all go at the same time."""
    runs = {"all": (), "top": ("--top", "2"), "large": ("--min-size", "100K"),
            "larger": ("--min-size", "90K"), "none": ("--min-size", "1G"),
            "old": ("--older", "1s"), "young": ("--older", "1m")}
    targets = {name: h.Target("sites") for name in runs}
    tracers = {name: h.Tracer("leaks", "-p", targets[name].pid, "-d", "60", "--json", *args)
               for name, args in runs.items()}
    for target in targets.values():
        target.go()
    found = {}
    for name, tracer in tracers.items():
        truth = targets[name].truth()
        found[name] = h.keeps_contract("leaks", tracer.stop())
        targets[name].end()
        for key in ("allocs", "live_blocks", "live_bytes"):
            h.equal(found[name]["heap"][key], truth[key], f"{runs[name]}: heap.{key}")
    every = truth["sites"]
    h.equal(list(sites(found["all"])), ["one", "many", "few"], "largest first")
    h.equal(sites(found["all"]), every, "all sites")
    h.equal(list(sites(found["top"])), ["one", "many"], "--top 2")
    h.equal(list(sites(found["large"])), ["one"], "--min-size 100K")
    h.equal(list(sites(found["larger"])), ["one", "many"], "--min-size 90K")
    h.equal(sites(found["none"]), {}, "--min-size 1G")
    h.equal(sites(found["old"]), {"few": every["few"]}, "--older 1s")
    h.equal(sites(found["young"]), {}, "--older 1m")


def intervals_repeat_the_list():
    target = h.Target("leaky")
    tracer = h.Tracer("leaks", "-p", target.pid, "-i", "300ms", "-d", "3")
    target.go()
    result = tracer.finish()
    target.end()
    lists = [l for l in result.out.splitlines() if re.match(r"\d\d:\d\d:\d\d  .* live in ", l)]
    h.check(7 <= len(lists) <= 11, "-i 300ms in 3 s: lists", len(lists))
    h.check(len(set(l.split("  ", 1)[1] for l in lists)) >= 3, "the lists follow the leak", lists)
    tail = result.out[result.out.rindex(lists[-1]):]
    h.check("leak_here" in tail and "\nDATA " in tail, "the report comes after the lists", tail)


def files_are_safe():
    path = "report.json"
    with open(path, "w", encoding="utf-8") as f:
        f.write("the old one")
    os.chmod(path, 0o640)
    inode = os.stat(path).st_ino
    target = h.Target("leaky")
    tracer = h.Tracer("leaks", "-p", target.pid, "--json", "-d", "60", "-o", path)
    h.equal(h.read_text(path), "the old one", "the old file stands while the run goes on")
    target.go()
    target.truth()
    result = tracer.stop()
    h.equal(result.out, "", "-o: standard output")
    h.check(os.stat(path).st_ino != inode, "-o replaces, it does not overwrite")
    result.out = h.read_text(path)
    document = h.keeps_contract("leaks", result)
    h.equal(document["heap"]["live_blocks"], 1000, "-o: live_blocks")

    fresh = "fresh.json"
    h.perftrace("leaks", "-p", target.pid, "--json", "-d", "500ms", "-o", fresh)
    json.loads(h.read_text(fresh))
    h.equal(stat.S_IMODE(os.stat(fresh).st_mode), 0o600, "mode of a new file")

    os.symlink("elsewhere.json", "link.json")
    refused = h.perftrace("leaks", "-p", target.pid, "-d", "500ms", "-o", "link.json", code=1)
    h.check("symbolic link" in refused.err, "a symbolic link is refused", refused.err)
    h.check(not os.path.exists("elsewhere.json"), "and not followed")
    h.equal([f for f in os.listdir(".") if f.startswith(".")], [], "no temporary file is left")
    target.is_healthy()


options_choose_sites()
intervals_repeat_the_list()
files_are_safe()
