#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The same call path in several processes of the same build is one call site, wherever their
addresses and files lie; that of another build is another."""
import os
import shutil

import harness as h
import stacks

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


def two_builds():
    targets = [h.Target("chain", 300), h.Target("chain_static_pie", 500)]
    tracer = h.Tracer("leaks", "--json", "-d", "60",
                      *(a for t in targets for a in ("-p", t.pid)))
    for t in targets:
        t.go()
    for t in targets:
        t.truth()
    h.time.sleep(0.2)
    mine = mine_of(h.keeps_contract("leaks", tracer.stop()))
    h.equal({(stacks.module(c["stack"][0]), c["live_blocks"]) for c in mine},
            {("chain", 300), ("chain_static_pie", 500)}, "two builds: blocks by site")
    for t in targets:
        t.is_healthy()


CHAIN = f"{h.TARGETS}/chain"
shutil.copy(CHAIN, "copy")
named_one_by_one()
two_builds()
