#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A process becomes another program while it is traced: what that one does a tenth of a second later
is seen exactly, by its own allocator, pairs and functions, with probes that do it no harm."""
import collections

import harness as h

# The kernel lets links of the old program go one after the other before it makes new ones; single:
# a link per probe.
DELAY_MS = {"session": 100, "multi": 400, "single": 1500}


def becomes(program, *args):
    return h.Target("becomes", f"{h.TARGETS}/{program}", *args)


def spans_of(records):
    return dict(collections.Counter(s["name"] for s in records if s["type"] == "span"))


def family(program):
    """The same work, dynamically linked or with a malloc of its own inside."""
    target = becomes(program, "image", 0, 1, DELAY_MS["session"])
    truth, result = h.trace_to_truth(target, "--json", "--no-log")
    records = h.keeps_contract("spans", result)
    h.equal(spans_of(records), {n: s["count"] for n, s in truth["spans"].items()},
            f"{program}: spans")
    ledger = records[-1]["ledger"]
    heap = ledger["heap"]
    # A beginning program has a few blocks of its C library's, if the probes are there in time.
    library = heap["allocs"] - 7 - truth["allocs"]
    h.check(0 <= library <= 10, f"{program}: allocs", (heap["allocs"], truth["allocs"]))
    h.equal((heap["frees"], heap["live"], heap["gone"]),
            (truth["frees"], truth["live_blocks"] + library, 7), f"{program}: frees, live, gone")
    h.equal((ledger["lost"], ledger["balanced"]), (0, True), f"{program}: ledger")
    h.equal({r["comm"] for r in records if r["type"] == "span"}, {program}, f"{program}: comm")
    target.is_healthy()

    target = becomes(program, "image", 0, 1, DELAY_MS["session"])
    truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60")
    document = h.keeps_contract("leaks", result)
    found = {c["stack"][0]["function"]: c["live_blocks"] for c in document["candidates"]}
    h.equal(found.get(truth["function"]), truth["live_blocks"], f"{program}: its call site")
    h.check("main" not in found, f"{program}: none of the program that it was", found)
    target.is_healthy()


def functions(program, link):
    target = becomes(program, "image", 0, 1, DELAY_MS[link])
    truth, result = h.trace_to_truth(target, "spans", "--json", "-f", "family_work",
                                     env={"PERFTRACE_LINK": link})
    records = h.keeps_contract("spans", result)
    h.equal(spans_of(records), {"family_work": 1}, f"{program}, {link}: functions")
    target.is_healthy()


def into_a_thrower(link):
    """In C returns may be hooked; in what it becomes that would be the end."""
    target = becomes("thrower", 100)
    tracer = h.Tracer("spans", "--json", "-f", "sometimes*", "-f", "between*", "-p", target.pid,
                      env={"PERFTRACE_LINK": link})
    target.go()
    h.wait_until(lambda: target.out().count("ready ") == 2, 10, "the other program")
    h.time.sleep(DELAY_MS[link] / 1000)
    target.go()
    truth = target.truth()
    h.time.sleep(0.2)
    records = h.keeps_contract("spans", tracer.stop())
    found = collections.Counter((s["name"], s["status"]) for s in records if s["type"] == "span")
    h.equal(dict(found), {(n, s): truth[k] for n in ("sometimes(int)", "between(int)")
                          for s, k in (("ok", "returned"), ("unwound", "thrown"))},
            f"{link}: calls of a C++ program")
    target.is_healthy()


for program in ("execer", "execer_static"):
    family(program)
    functions(program, "session")
for link in ("multi", "single"):
    functions("execer", link)
for link in ("session", "multi", "single"):
    into_a_thrower(link)
