#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""C++ built as distributions build it, -O2 -fomit-frame-pointer: virtual calls, exceptions, signal
handlers, tail calls, inlining, callbacks, threads, variable and realigned frames. Every stack is
what it must be by construction, and frame by frame what gdb says of the same program."""
import json
import os

import harness as h
import stacks

GDB_SCRIPT = f"{h.TOP}/tests/e2e/support/gdb_stacks.py"
# Allocator frames on top, which are not the caller's.
ALLOCATOR = ("malloc", "operator new")
DEPTH = 128


def expected(path):
    """"*44,walk,main" as a list."""
    names = []
    for name in path.split(","):
        names += ["recursion"] * int(name[1:]) if name[0] == "*" else [name]
    return names


def gdb_says(program, sizes):
    h.run("gdb", "-batch", "-nx", "-x", GDB_SCRIPT, "--args", program, "1", "now",
          env={**os.environ, "SIZES": ",".join(sizes), "OUTPUT": "gdb.json"})
    return json.loads(h.read_text("gdb.json"))


def physical(stack):
    """gdb's frames that have one of their own, without the allocator."""
    frames = [f for f in stack if not f["inlined"]]
    while frames and any(a in (frames[0]["name"] or "") for a in ALLOCATOR):
        frames = frames[1:]
    return frames


def same_frames(size, candidate, reference):
    """Module by module and address by address: names may be missing in a stripped library."""
    ours = [f for f in candidate["stack"] if not f["inlined"]]
    while ours and any(a in (ours[0]["function"] or "") for a in ALLOCATOR):
        ours = ours[1:]
    theirs = physical(reference)
    if len(theirs) > DEPTH:
        theirs = theirs[:len(ours)]
        h.check(len(ours) >= DEPTH - 2, f"{size}: {len(ours)} frames of {len(theirs)} are kept")
        h.equal(candidate.get("truncated"), True, f"{size}: truncated")
    got = [(stacks.module(f), f["offset"]) for f in ours]
    for i, f in enumerate(theirs[:len(got)]):
        # Exact addresses, those of a handler's return and of what was interrupted, are kept as if
        # an instruction of one byte had been called there.
        exact = f["signal"] or i and theirs[i - 1]["signal"]
        if exact and got[i] == (f["module"], f["offset"] + 1):
            got[i] = (f["module"], f["offset"])
    h.equal(got, [(f["module"], f["offset"]) for f in theirs], f"{size}: frames as gdb has them")


def same_inlined(size, candidate, reference, program):
    """Of the program itself, which has debug information."""
    h.equal([(stacks.bare(f["function"]), f["inlined"]) for f in candidate["stack"]
             if stacks.module(f) == program],
            [(stacks.bare(f["name"]), f["inlined"]) for f in reference
             if f["module"] == program][:DEPTH], f"{size}: inlined frames as gdb has them")


def deep():
    target = h.Target("deep")
    truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60",
                                     "--stack-depth", str(DEPTH), "--top", "1000")
    document = h.keeps_contract("leaks", result)
    target.is_healthy()
    reference = gdb_says(f"{h.TARGETS}/deep", sorted(truth["lost"]))
    h.equal(sorted(reference), sorted(truth["lost"]), "gdb has seen all of them")
    for size, path in sorted(truth["lost"].items()):
        candidate = stacks.with_blocks_of(document, int(size))
        if not candidate:
            continue
        want = expected(path)
        got = stacks.names(candidate, of="deep")
        if len(want) < DEPTH:
            h.equal(got[:len(want)], want, f"{size}: functions of the program")
            h.check(stacks.names(candidate)[-1] in stacks.OUTERMOST
                    and set(got[len(want):]) <= {"_start"}, f"{size}: down to the outermost frame",
                    stacks.text(candidate))
        same_frames(size, candidate, reference[size])
        if len(want) < DEPTH:
            same_inlined(size, candidate, reference[size], "deep")
    books = stacks.ledger(document)
    # One of the paths is deeper than what is kept, and that is said.
    h.equal(books["captured"] - books["complete"], books["depth"], "what is not complete is deep")
    h.check(books["depth"] >= 1, "the deep one is counted", books)
    h.equal(document["ledger"]["balanced"], True, "ledger.balanced")


def chains():
    for name in ("chain", "chain_static", "chain_static_pie", "chain_musl_static"):
        target = h.Target(name)
        truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60")
        document = h.keeps_contract("leaks", result)
        target.is_healthy()
        mine = stacks.with_blocks_of(document, 777)
        if not mine:
            continue
        h.equal(mine["live_blocks"], truth["blocks"], f"{name}: blocks")
        names, path = stacks.names(mine), truth["path"]
        h.equal(names[:len(path) + 1], [*path, "main"], f"{name}: the whole path")
        if name == "chain_musl_static":
            # musl describes no frames of its own: the path ends with who called main, and says so.
            h.check(len(names) > len(path) + 1, f"{name}: main's caller", stacks.text(mine))
        else:
            h.equal(names[-1], "_start", f"{name}: the outermost frame")
            stacks.check_complete(document, name, at_least=truth["blocks"])


deep()
chains()
