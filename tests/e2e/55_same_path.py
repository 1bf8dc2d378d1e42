#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The same call path in several processes of the same build is one call site, wherever their addresses
and files lie; that of another build is another."""
import os
import shutil
import signal

import harness as h
import stacks

# Starts them at SIGUSR1, ends with them.
PARENT = """
trap 'for p in {programs}; do $p & pids="$pids $!"; done' USR1
trap 'kill $pids; wait; exit 0' TERM
sleep 1000 &
pids=$!
echo ready $$
while :; do wait; done
"""


def mine_of(document):
    h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
    return stacks.by_size(document).get(777, [])


def named_one_by_one():
    targets = [h.Target("chain", 300), h.Target("chain", 500),
               h.Target("chain", 100, path=f"{os.getcwd()}/copy")]
    tracer = h.Tracer("leaks", "--json", "-d", "60",
                      *(a for t in targets for a in ("-p", t.pid)))
    for t in targets:
        t.go()
    truths = [t.truth() for t in targets]
    h.time.sleep(0.2)
    document = h.keeps_contract("leaks", tracer.stop())
    mine = mine_of(document)
    h.equal([(c["live_blocks"], c["live_bytes"], c["allocs"]) for c in mine],
            [(900, 900 * 777, 900)], "-p A -p B -p C: one call site with the books of all")
    for c in mine:
        h.equal(stacks.names(c)[:len(truths[0]["path"])], truths[0]["path"], "the path")
    stacks.check_complete(document, "-p A -p B -p C", at_least=900)
    for t in targets:
        t.is_healthy()


def ready_pids(parent):
    return [int(l.split()[1]) for l in parent.out().splitlines() if l.startswith("ready ")][1:]


def below_one_parent(what, programs, want):
    """`programs` as children of a process that is none of them. `want`: blocks of each site."""
    with open("parent.sh", "w", encoding="ascii") as f:
        f.write(PARENT.replace("{programs}", " ".join(f'"{p}"' for p in programs)))
    parent = h.Target("sh", "parent.sh", path="/bin/sh")
    tracer = h.Tracer("leaks", "--json", "-d", "60", "--follow", "-p", parent.pid)
    parent.go()
    h.wait_until(lambda: len(ready_pids(parent)) == len(programs), 10, f"{what}: the children")
    h.time.sleep(0.5)
    for pid in ready_pids(parent):
        os.kill(pid, signal.SIGUSR1)
    h.wait_until(lambda: parent.out().count("truth ") == len(programs), 10, f"{what}: their truth")
    h.time.sleep(0.2)
    document = h.keeps_contract("leaks", tracer.stop())
    mine = mine_of(document)
    if not h.equal(sorted(c["live_blocks"] for c in mine), sorted(want), f"{what}: blocks by site"):
        for c in mine:
            print("   ", stacks.text(c))
    h.equal({stacks.names(c)[0] for c in mine}, {"leaf"}, f"{what}: the caller")
    parent.is_healthy()


CHAIN = f"{h.TARGETS}/chain"
shutil.copy(CHAIN, "copy")
named_one_by_one()
below_one_parent("one build", [f"{CHAIN} 300", f"{CHAIN} 200", f"{os.getcwd()}/copy 500"], [1000])
below_one_parent("two builds", [f"{CHAIN} 300", f"{CHAIN}_static_pie 500"], [300, 500])
