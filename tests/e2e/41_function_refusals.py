#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""-f: what cannot be traced is refused in one line that says why and what to do; what can be is
listed with its price, and a list attaches nothing."""
import time

import codepatch
import harness as h

CALLS = 10


def refused(what, code, *says, command=("spans",)):
    begin = time.monotonic()
    result = h.perftrace(*command, "-p", target.pid, *what, "-d", "1", code=code)
    lines = result.err.splitlines()
    h.equal(len(lines), 1, f"{what}: lines of {result.err!r}")
    h.check(lines and lines[0].startswith("perftrace: "), f"{what}: begins with the program's name")
    for text in says:
        h.check(text in result.err, f"{what}: says {text!r}", result.err)
    h.equal(result.out, "", f"{what}: standard output")
    h.check(time.monotonic() - begin < 5, f"{what}: in time", time.monotonic() - begin)


def functions(document):
    return {p["symbol"]: p for p in document["probes"] if p["kind"] == "function"}


def listed(*command):
    document = h.keeps_contract("probes", h.perftrace(*command, "-p", target.pid, "--json"))
    return functions(document), document


def wrong_rules():
    for bad in ("", ":f", "libc.so.6:"):
        refused(("-f", bad), 2, "-f", "is not a function or LIB:FUNCTION")
    refused(("-f", "no_such*"), 3, "no function 'no_such*' in the executable",
            f"perftrace probes -p {target.pid} -f '*' lists")
    refused(("-f", "slepes"), 3, "Did you mean 'sleeps'?")
    refused(("-f", "sleeps", "-f", "slepes"), 3, "Did you mean 'sleeps'?")
    refused(("-f", "libc.so.6:malocc"), 3, "no function 'malocc' in libc.so.6",
            "Did you mean 'malloc'?")
    refused(("-f", "libnothere.so:f"), 3, "no file called 'libnothere.so' is mapped")
    refused(("-f", "no_such*"), 3, "no function 'no_such*'", command=())
    # The list of what there is refuses them in the same words.
    for rule, says in (("slepes", "Did you mean 'sleeps'?"), ("libnothere.so:f", "is mapped")):
        result = h.perftrace("probes", "-p", target.pid, "-f", rule, code=3)
        h.check(says in result.err and not result.out, f"probes -f {rule}", result.err)


def no_functions_of_their_own():
    refused(("-f", "chosen"), 3, "cannot trace chosen", "IFUNC")
    refused(("-f", "_start"), 3, "cannot trace _start", "nobody calls it")
    # Of two that are called so, one is.
    result = h.perftrace("spans", "-p", target.pid, "-f", "libc.so.6:memcpy", "-d", "100ms")
    h.check("1 function\n" in result.err and "no probe on memcpy" in result.err
            and "IFUNC" in result.err, "memcpy: the IFUNC is refused, its elder is not", result.err)


def only_a_jump():
    """It has returned when the function that it jumps to has."""
    victim = h.Target("jumps")
    truth, result = h.trace_to_truth(victim, "spans", "-f", "only_jumps", "-f", "sleeps", "-f",
                                     "real_work", "--json")
    records = h.keeps_contract("spans", result)
    spans = {s["id"]: s for s in records if s["type"] == "span"}
    for name, parent in (("only_jumps", None), ("real_work", "only_jumps"), ("sleeps", None)):
        mine = [s for s in spans.values() if s["name"] == name]
        h.equal((len(mine), {s["status"] for s in mine}), (truth["calls"], {"ok"}), name)
        h.equal({spans[s["parent"]]["name"] if s["parent"] else None for s in mine}, {parent},
                f"{name}: parent")
    victim.is_healthy()


def lists():
    """Each chosen function once, with its site, method and price; the same by all three ways."""
    rules = ("-f", "real_work", "-f", "sleeps", "-f", "chosen")
    for command in (("probes",), ("spans", "--dry-run"), ("--dry-run",)):
        found, document = listed(*command, *rules)
        h.equal(set(found), {"real_work", "sleeps", "chosen"}, f"{command}: functions")
        for name in ("real_work", "sleeps"):
            h.check(found[name]["refused"] is None and found[name]["expected_ns"] > 20
                    and found[name]["method"] == "session", f"{command}: {name}", found[name])
        h.check("IFUNC" in (found["chosen"]["refused"] or ""), f"{command}: chosen")
        h.check(document["totals"]["span_max_ns"] >= document["totals"]["span_min_ns"] > 20,
                f"{command}: the price of a span", document["totals"])
        text = h.perftrace(*command, "-p", target.pid, *rules).out
        h.check("2 functions" in text.splitlines()[0], f"{command}: text", text.splitlines()[0])
    codepatch.check_clean(target.pid)


def too_many():
    """50 000 functions are counted, not traced; a part of them is."""
    with open("many.c", "w", encoding="ascii") as f:
        f.write('#include "common.h"\n'
                '__asm__(".text\\n.altmacro\\n.macro one n\\n'
                '.globl tiny_\\\\n\\n.type tiny_\\\\n, @function\\n'
                'tiny_\\\\n: push %rax\\npop %rax\\nret\\n.size tiny_\\\\n, . - tiny_\\\\n\\n.endm\\n'
                '.set i, 0\\n.rept 50000\\none %i\\n.set i, i + 1\\n.endr\\n");\n'
                'void tiny_7(void); void tiny_49999(void);\n'
                'int main(void) { target_start(); target_ready(); target_wait_go();\n'
                'for (int i = 0; i < 10; i++) { tiny_7(); tiny_49999(); }\n'
                'target_truth("{}"); target_idle(); }\n')
    h.run("gcc", "-D_GNU_SOURCE", f"-I{h.TOP}/tests/targets", "many.c", "-o", "many")
    global target
    target = h.Target("many", path="./many")
    refused(("-f", "tiny_*"), 2, "50000 functions", "2000 are traced at most", "Narrow")
    refused(("-f", "tiny_*"), 2, "50000 functions", command=())
    refused(("-f", "tiny_*", "--dry-run"), 2, "50000 functions")
    result = h.perftrace("probes", "-p", target.pid, "-f", "tiny_*")
    h.check("50000 functions" in result.err and "2000 are listed" in result.err,
            "probes: a part of them is listed, and told", result.err)
    # 1111 of them, attached and detached in time.
    tracer = h.Tracer("spans", "-f", "tiny_*9999", "-f", "tiny_7*", "--json", "-p", target.pid)
    target.go()
    target.truth()
    time.sleep(0.2)
    records = h.keeps_contract("spans", tracer.stop(timeout=10))
    h.equal({s["name"]: s["count"] for s in records[-1]["spans"]},
            {"tiny_7": CALLS, "tiny_49999": CALLS}, "a part of 50 000")
    target.is_healthy()


def stripped():
    h.run("strip", "-o", "stripped", f"{h.TARGETS}/jumps")
    global target
    target = h.Target("stripped", path="./stripped")
    for rule in ("*", "sleeps"):
        refused(("-f", rule), 3, "the executable of", "it is stripped")
    found, _ = listed("probes", "-f", "libc.so.6:clock_nanosleep")
    h.equal(set(found), {"clock_nanosleep"}, "its libraries still name theirs")
    result = h.perftrace("probes", "-p", target.pid)
    h.check("malloc" in result.out, "without -f nothing is refused", result.err)
    target.is_healthy()


target = h.Target("jumps", env=codepatch.private_libc())
wrong_rules()
no_functions_of_their_own()
lists()
target.is_healthy()
only_a_jump()
too_many()
stripped()
