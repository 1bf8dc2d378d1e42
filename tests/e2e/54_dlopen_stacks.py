#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What addresses mean changes while it is traced: libraries that take each other's place, another
program by exec, children. Every call site is named after what was mapped when it was called, and a
tenth of a second after a mapping has come its stacks are complete."""
import harness as h
import stacks


def plugins(turns, pause_ms):
    """Two libraries in turns at one address: the same code, but another function."""
    what = f"reuse, {pause_ms} ms"
    libraries = [f"{h.TARGETS}/libreused_{name}.so" for name in ("first", "second")]
    target = h.Target("reuse", *libraries, turns, pause_ms)
    truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60")
    document = h.keeps_contract("leaks", result)
    h.equal(truth["same_address"], True, f"{what}: they take each other's place")
    found = {}
    for c in stacks.by_size(document).get(555, []):
        names = stacks.names(c)
        site = (names[0], names[1], stacks.module(c["stack"][0]))
        found[site] = found.get(site, 0) + c["live_blocks"]
        h.equal(names[-1], "_start", f"{what}: the outermost frame")
    h.equal(found, {("first_site", "site", "libreused_first.so"): truth["calls"],
                    ("second_site", "site", "libreused_second.so"): truth["calls"]},
            f"{what}: blocks by site")
    stacks.check_complete(document, what, at_least=2 * truth["calls"])
    h.equal(document["ledger"]["balanced"], True, f"{what}: ledger.balanced")
    target.is_healthy()


def after_exec():
    """The program that follows is another one, of other addresses."""
    with open("becomes.sh", "w", encoding="ascii") as f:
        f.write(f"trap 'exec {h.TARGETS}/chain 300' USR1\necho ready $$\n"
                "while :; do sleep 0.05; done\n")
    target = h.Target("sh", "becomes.sh", path="/bin/sh")
    tracer = h.Tracer("leaks", "--json", "-d", "60", "-p", target.pid)
    target.go()
    h.wait_until(lambda: target.out().count("ready ") == 2, 10, "the other program")
    h.time.sleep(0.3)
    target.go()
    truth = target.truth()
    h.time.sleep(0.2)
    document = h.keeps_contract("leaks", tracer.stop())
    mine = stacks.with_blocks_of(document, 777)
    if mine:
        h.equal(mine["live_blocks"], truth["blocks"], "exec: blocks")
        names = stacks.names(mine)
        h.equal(names[:len(truth["path"])], truth["path"], "exec: the path")
        h.equal(names[-1], "_start", "exec: the outermost frame")
    target.is_healthy()


def children():
    """Born while traced; what they do is complete from the first."""
    target = h.Target("chain", 100, 3)
    truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60", "--follow")
    document = h.keeps_contract("leaks", result)
    mine = stacks.by_size(document).get(777, [])
    h.equal(sum(c["live_blocks"] for c in mine), truth["blocks"], "fork: blocks")
    h.equal(len(mine), 1, "fork: children of one program are one call site")
    for c in mine:
        h.equal(stacks.names(c)[:len(truth["path"])], truth["path"], "fork: the path")
    stacks.check_complete(document, "fork", at_least=truth["blocks"])
    target.is_healthy()


plugins(4, 100)
if h.LONG:
    for _ in range(20):
        plugins(10, 100)
after_exec()
children()
