#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""USDT arguments wherever compilers leave them: every site of one name brings its own text, and what
cannot be read is left out, no more. Semaphores of an executable and of libraries all go up, and down
again."""
import os

import harness as h

LIBRARIES = [f"{h.TARGETS}/libguarded_{x}.so" for x in "ab"]


def contexts(what, target, *args, link=None):
    tracer = h.Tracer("spans", "--json", *args, "-p", target.pid,
                      env={"PERFTRACE_LINK": link} if link else None)
    target.go()
    truth = target.truth()
    h.time.sleep(0.2)
    records = h.keeps_contract("spans", tracer.stop())
    spans = sorted((r for r in records if r["type"] == "span"), key=lambda r: r["start"])
    h.equal({s["status"] for s in spans}, {"ok"}, f"{what}: statuses")
    ledger = records[-1]["ledger"]
    h.equal((ledger["lost"], ledger["balanced"], ledger["unmatched"]), (0, True, 0),
            f"{what}: lost, balanced, unmatched")
    return truth, [(s["name"], s["context"]) for s in spans]


def ops(truth, without=()):
    """By default all texts; an argument that is no text in some program is none in all."""
    return [("operands.op", None if i in without else text)
            for i, text in enumerate(truth["texts"])]


def semaphore_of(pid, path):
    """As the process has it now; the symbol's place is that of .probes."""
    for line in h.run("readelf", "-SW", path).splitlines():
        fields = line.replace("[ ", "[").split()
        if len(fields) > 4 and fields[1] == ".probes":
            address = int(fields[3], 16)
    with open(f"/proc/{pid}/maps", encoding="ascii") as f:
        base = next(int(l.split("-")[0], 16) for l in f if l.rstrip().endswith(path))
    with open(f"/proc/{pid}/mem", "rb") as f:
        f.seek(base + address)
        return int.from_bytes(f.read(2), "little")


def everywhere(link):
    target = h.Target("operands", *LIBRARIES)
    files = [os.path.realpath(p) for p in (f"{h.TARGETS}/operands", *LIBRARIES)]
    h.equal([semaphore_of(target.pid, p) for p in files], [0, 0, 0], f"{link}: before")
    tracer = h.Tracer("spans", "-p", target.pid, "-o", "/dev/null", env={"PERFTRACE_LINK": link})
    h.check(all(semaphore_of(target.pid, p) > 0 for p in files), f"{link}: semaphores are up",
            [semaphore_of(target.pid, p) for p in files])
    tracer.stop()
    h.equal([semaphore_of(target.pid, p) for p in files], [0, 0, 0], f"{link}: after")

    truth, found = contexts(link, target, link=link)
    want = [*ops(truth), ("operands.guarded", "executable"),
            *(("library.guarded", path) for path in LIBRARIES)]
    h.equal(found, want * truth["times"], f"{link}: texts, in order")
    target.is_healthy()


def without_symbols():
    """The arguments that need them are left out; the sites are traced."""
    h.run("strip", "-o", "stripped", f"{h.TARGETS}/operands")
    target = h.Target("stripped", path="./stripped")
    truth, found = contexts("stripped", target, "-u", "operands:op")
    h.equal(found, ops(truth, truth["by_symbol"]) * truth["times"], "stripped: texts")
    target.is_healthy()


def at_fixed_addresses():
    h.run("gcc", "-D_GNU_SOURCE", "-O2", "-no-pie", f"-I{h.TOP}/tests/targets",
          f"{h.TOP}/tests/targets/operands.c", "-o", "fixed")
    target = h.Target("fixed", path="./fixed")
    truth, found = contexts("not relocatable", target, "-u", "operands:op")
    h.equal(found, ops(truth) * truth["times"], "not relocatable: texts")
    target.is_healthy()


for link in ("session", "multi", "single"):
    everywhere(link)
without_symbols()
at_fixed_addresses()
