#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Code made at run time: its frames are followed by their frame pointers and named by the map that
the process writes for perf; a map that is not the process's own, or no map at all, is not believed
and hurts nobody."""
import os
import re
import shutil

import harness as h
import stacks

BELOW = ["call_made", "main"]


class Map:
    """/tmp/perf-PID.map, gone when done with."""

    def __init__(self, pid):
        self.path = f"/tmp/perf-{pid}.map"

    def write(self, content):
        with open(self.path, "wb") as f:
            f.write(content)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.path.lexists(self.path):
            os.remove(self.path)


def lines(truth, outer=b"made.outer", inner=b"made.inner"):
    return b"%x %x %s\n%x %x %s\n" % (truth["outer"], truth["size"], outer,
                                      truth["inner"], truth["size"], inner)


def jitted(what, prepare, *options):
    """`prepare` makes the map, between the target's work and its end."""
    target = h.Target("jitted")
    with Map(target.pid) as made:
        tracer = h.Tracer("leaks", "-d", "60", "-p", target.pid, *options)
        target.go()
        truth = target.truth()
        prepare(made, truth)
        h.time.sleep(0.2)
        result = tracer.stop(timeout=10)
        h.check(result.seconds < 12, f"{what}: in time", f"{result.seconds:.1f} s")
    target.is_healthy()
    return truth, result


def names_are(what, prepare, made_names):
    truth, result = jitted(what, prepare, "--json")
    document = h.keeps_contract("leaks", result)
    mine = stacks.with_blocks_of(document, 888)
    if not mine:
        return
    h.equal(mine["live_blocks"], truth["blocks"], f"{what}: blocks")
    h.equal([f["function"] for f in mine["stack"][:5]], ["lost_below_jit", *made_names, *BELOW],
            f"{what}: frames")
    h.equal(stacks.names(mine)[-1], "_start", f"{what}: the outermost frame")
    stacks.check_complete(document, what, at_least=truth["blocks"])


def honest(made, truth):
    made.write(lines(truth))


def overlapping(made, truth):
    """Code that was thrown away and made anew: the last line is the one that holds."""
    made.write(lines(truth, b"old.outer", b"old.inner") + lines(truth))


def nobody(_made, _truth):
    pass


def a_link(made, truth):
    made.write(lines(truth))
    os.rename(made.path, "elsewhere.map")
    os.symlink(os.path.abspath("elsewhere.map"), made.path)


def a_strangers(made, truth):
    made.write(lines(truth))
    os.chown(made.path, 65534, 65534)


def a_fifo(made, _truth):
    os.mkfifo(made.path)


def a_directory(made, _truth):
    os.mkdir("a-directory")
    os.symlink(os.path.abspath("a-directory"), made.path)


def gigabytes(made, truth):
    made.write(lines(truth))
    os.truncate(made.path, 3 << 30)


def rubbish(made, truth):
    """Among it, and after lines of every wrong shape, what is right still counts."""
    made.write(b"\n\0\xff\xfe zz 10 name\n-1 -1 name\nffffffffffffffff ffffffffffffffff wraps\n"
               b"10 0 empty\n6a0000000000\n6a0000000000 20\n" + lines(truth)
               + b"9" * 100000 + b"\n7 " + b"x" * 300000)


def escapes(made, truth):
    made.write(lines(truth, b"\x1b[31mred\x07 \xff\xfe\r", b"long" * (1 << 18)))


def refused_maps():
    for prepare in (nobody, a_link, a_strangers, a_fifo, a_directory):
        names_are(prepare.__name__, prepare, [None, None])


def hostile_names():
    truth, result = jitted("escapes", escapes)
    h.check(not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", result.out), "escapes: no control character",
            repr(result.out[:500]))
    h.check("[31mred" in result.out, "escapes: the name is there, escaped", result.out[:2000])
    h.check(len(result.out) < 100000, "a name of 1 MiB is cut", len(result.out))
    _, result = jitted("escapes", escapes, "--json")
    h.keeps_contract("leaks", result)
    for prepare in (gigabytes, rubbish):
        truth, result = jitted(prepare.__name__, prepare, "--json")
        mine = stacks.with_blocks_of(h.keeps_contract("leaks", result), 888)
        if mine and prepare is rubbish:
            h.equal([f["function"] for f in mine["stack"][1:3]], ["made.inner", "made.outer"],
                    "rubbish: the lines that make sense")
        h.check(mine and mine["live_blocks"] == truth["blocks"], f"{prepare.__name__}: blocks")


NODE = """
const fs = require("fs");
const kept = [];
function keepBuffer(n) { kept.push(new ArrayBuffer(n)); }
function middleOfIt(n) { keepBuffer(n); return kept.length; }
function loop(times) { for (let i = 0; i < times; i++) middleOfIt(54321); }
process.on("SIGTERM", () => process.exit(0));
process.once("SIGUSR1", () => {
  loop(300);
  fs.writeSync(1, "truth {\\"blocks\\": 300}\\n");
});
setInterval(() => {}, 1000);
fs.writeSync(1, "ready " + process.pid + "\\n");
"""


def node():
    program = shutil.which("node")
    if not program:
        h.give_up("node is not installed. make deps installs it.")
    with open("program.js", "w", encoding="ascii") as f:
        f.write(NODE)
    target = h.Target("node", "--perf-basic-prof", "--interpreted-frames-native-stack",
                      "--no-opt", "program.js", path=program)
    with Map(target.pid):
        truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60",
                                         "--stack-depth", "128", "--top", "1000")
        document = h.keeps_contract("leaks", result)
    mine = [c for c in document["candidates"] if c["live_bytes"] >= 54321 * c["live_blocks"]
            and any("keepBuffer" in (f["function"] or "") for f in c["stack"])]
    h.equal(sum(c["live_blocks"] for c in mine), truth["blocks"], "node: the buffers of keepBuffer")
    for c in mine[:3]:
        at = [next((i for i, n in enumerate(f["function"] or "" for f in c["stack"]) if wanted in n),
                   None) for wanted in ("keepBuffer", "middleOfIt", "loop")]
        h.check(None not in at and at == sorted(at), "node: its functions, in order",
                stacks.text(c))
    target.is_healthy()


names_are("honest", honest, ["made.inner", "made.outer"])
names_are("overlapping", overlapping, ["made.inner", "made.outer"])
refused_maps()
hostile_names()
node()
