#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Programs that a careless tracer kills: confined ones that may make no system call more, and those
whose functions do something else with their return address than to return. All end as they would
have, on every way to link, and what was traced is exact."""
import collections
import subprocess

import harness as h

LINKS = ("session", "multi", "single")


def spans_of(records):
    return collections.Counter(s["name"] for s in records if s["type"] == "span")


def confined(how, link):
    what = f"{how}, {link}"
    target = h.Target("confined", how, stdin=subprocess.PIPE)
    calls = 0
    runs = {("leaks", "-d", "60"): {},
            ("spans", "-f", "step"): {"step"},
            ("-f", "step", "-u", "perftrace:*"): {"step", "confined.step"}}
    if link == "single":  # it takes long to let go, one probe after the other
        runs = dict(list(runs.items())[-1:])
    for command, names in runs.items():
        tracer = h.Tracer(*command, "--json", "-p", target.pid, env={"PERFTRACE_LINK": link})
        target.popen.stdin.write(b"x")
        target.popen.stdin.flush()
        calls += 1000
        h.wait_until(lambda: f'truth {{"calls":{calls}}}\n' in target.out() or not target.alive(),
                     20, f"{what}, {command}: the work")
        h.time.sleep(0.2)
        if not h.check(target.alive(), f"{what}, {command}: the target lives on"):
            return
        records = h.keeps_contract("leaks" if "leaks" in command else "spans", tracer.stop())
        if isinstance(records, list):
            h.equal(dict(spans_of(records)), {n: 1000 for n in names}, f"{what}, {command}: spans")
            ledger = records[-1]["ledger"]
        else:
            ledger = records["ledger"]
        if "spans" not in command:
            h.equal((ledger["heap"]["allocs"], ledger["heap"]["frees"], ledger["heap"]["live"]),
                    (1000, 1000, 0), f"{what}, {command}: allocs, frees, live")
        h.equal((ledger["lost"], ledger["balanced"]), (0, True), f"{what}, {command}: ledger")
    target.popen.stdin.close()
    h.equal(target.wait(10), 0, f"{what}: exit code")


def special_functions(link):
    """Each is traced in another way, and the program's own functions as ever."""
    target = h.Target("returns", "a", "b")
    rules = ("libc.so.6:_setjmp", "libc.so.6:*sigsetjmp", "libc.so.6:dlsym", "jump")
    truth, result = h.trace_to_truth(target, "spans", "--json",
                                     *(x for rule in rules for x in ("-f", rule)),
                                     env={"PERFTRACE_LINK": link})
    h.equal((truth["jumps"], truth["symbols"], truth["arguments"]), (truth["times"],) * 2 + (2,),
            f"{link}: jumps, symbols, arguments")
    spans = spans_of(h.keeps_contract("spans", result))
    for name in ("_setjmp", "dlsym", "jump"):
        h.equal(spans[name], truth["times"], f"{link}: {name}")
    h.check(spans["__sigsetjmp"] >= truth["times"], f"{link}: what _setjmp jumps to", spans)
    target.is_healthy()


def from_the_first_instruction():
    """_start is not called: what lies on its stack are the arguments."""
    tracer = h.Tracer("run", "-f", "*", "--no-log", "-o", "run.log", "--", f"{h.TARGETS}/returns",
                      "one", "two", "three", attached=False)
    child = h.wait_until(lambda: [int(l.split()[1]) for l in tracer.out().splitlines()
                                  if l.startswith("ready ")], 20, "ready")[0]
    h.os.kill(child, h.signal.SIGUSR1)
    line = h.wait_until(lambda: [l for l in tracer.out().splitlines() if l.startswith("truth ")],
                        20, "truth")[0]
    truth = h.json.loads(line[len("truth "):])
    h.equal(truth["arguments"], 3, "run -f '*': arguments")
    h.os.kill(child, h.signal.SIGTERM)
    result = tracer.finish()
    h.check("_start: nobody calls it" in result.err or "-v names them" in result.err,
            "_start is refused", result.err)
    h.check(" jump: " in h.read_text("run.log"), "functions are traced", h.read_text("run.log"))


def stack_of_a_signal(link):
    target = h.Target("altstack")
    truth, result = h.trace_to_truth(target, "spans", "--json", "-f", "outer", "-f", "inner", "-f",
                                     "on_signal", env={"PERFTRACE_LINK": link})
    h.equal(truth["done"], truth["times"], f"{link}: signals handled")
    spans = spans_of(h.keeps_contract("spans", result))
    h.equal(dict(spans), {n: truth["times"] for n in ("outer", "inner", "on_signal")},
            f"{link}: spans")
    target.is_healthy()


for link in LINKS:
    for how in ("strict", "filter"):
        confined(how, link)
    special_functions(link)
    stack_of_a_signal(link)
from_the_first_instruction()
