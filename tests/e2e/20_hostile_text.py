#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A target with terminal escapes, brackets, newlines and invalid UTF-8 in its comm, its path, its
span names and contexts: no control byte comes out, lines stay lines, JSON stays JSON."""
import os

import harness as h
import spanlog

SOURCE = r"""
#include <perftrace.h>
#include <pthread.h>
#include "common.h"

int main(void)
{
	static char text[] = "a\033]52;c;aGk=\a\033[31m\r\nb\xff\xfe\xc3\x28 \xe2\x80\xae ]:\x7f\xc2\x9b";
	static char name[] = "evil\033[2J\n] name\xff";

	static char long_name[100], long_text[400];

	memset(long_name, 'n', sizeof(long_name) - 1);
	memset(long_text, 't', sizeof(long_text) - 1);
	pthread_setname_np(pthread_self(), "\033[31m]:\n\xff x");
	target_start();
	target_ready();
	target_wait_go();
	PERF_START(name);
	sleep_ms(2);
	PERF_END(name, text);
	PERF_CHECKPOINT(name, text);
	PERF_EVENT(name, text);
	PERF_START(long_name);
	PERF_END(long_name, long_text);
	opaque(malloc(4321));
	target_truth("{}");
	target_idle();
}
"""


def printable(what, text):
    raw = text.encode("utf-8", "surrogateescape")
    bad = sorted({b for b in raw if b < 0x20 and b != 0x0a or b == 0x7f})
    h.check(not bad, f"{what}: control bytes", bad)
    try:
        points = {hex(ord(c)) for c in raw.decode("utf-8") if 0x80 <= ord(c) < 0xa0
                  or ord(c) in range(0x202a, 0x202f) or ord(c) in range(0x2066, 0x206a)}
        h.check(not points, f"{what}: unsafe characters", points)
    except UnicodeDecodeError as e:
        h.fail(f"{what}: not UTF-8: {e}")


directory = b"di\033[31mr\n\xff"
os.mkdir(directory)
with open("evil.c", "w", encoding="utf-8") as f:
    f.write(SOURCE)
program = directory + b"/evil\x07]"
h.run("gcc", "-D_GNU_SOURCE", "-g", "-O1", "-fno-omit-frame-pointer", "-pthread",
      f"-I{h.TOP}/user/include", f"-I{h.TOP}/tests/targets", "evil.c", "-o", "evil")
os.rename(b"evil", program)


def start():
    return h.Target("evil", path=os.fsdecode(program))


target = start()
_, result = h.trace_to_truth(target, "--no-log")
printable("text", result.out)
printable("standard error", result.err)
log = spanlog.Log(result.out)
for error in log.errors:
    h.fail(f"log: {error}")
spans = log.of("span")
h.equal(len(spans), 2, "two spans, two lines")
h.check("aGk=" in (spans[0].context or "") if spans else False, "the context is told", result.out)
h.equal((len(log.of("checkpoint")), len(log.of("event"))), (1, 1), "one checkpoint, one event")
target.is_healthy()

target = start()
_, result = h.trace_to_truth(target, "--json")
printable("stream", result.out)
records = h.keeps_contract("spans", result)
h.equal([r["type"] for r in records if r["type"] != "sample"],
        ["span", "checkpoint", "event", "span", "summary"], "records")
first, checkpoint, event, second = [r for r in records if r["type"] in
                                    ("span", "checkpoint", "event")]
for text in (first["context"], checkpoint["context"], event["text"]):
    h.check("\x1b]52;c;aGk=" in (text or ""), "JSON keeps what can be kept", text)
# As perftrace.h promises: 63 bytes of a name, 255 of a context.
h.equal((second["name"], second["context"]), ("n" * 63, "t" * 255), "long name, long context")
target.is_healthy()

for args in (["leaks", "-d", "500ms"], ["leaks", "-d", "500ms", "--json"], ["probes"],
             ["probes", "--json"]):
    target = start()
    result = h.perftrace(*args, "-p", target.pid)
    printable(" ".join(args), result.out)
    printable(" ".join(args) + ": standard error", result.err)
    if "--json" in args:
        h.keeps_contract(args[0], result)
    target.is_healthy()

# Its own complaints are about untrusted text, too.
target = h.Target("usdt_pairs", 1)
for args in (["spans", "-p", target.pid, "-u", "evil\033[31m:a..b"], ["-n", "\033[31mno\nbody"],
             ["\033[31mcommand"], ["-p", "1\n2"], ["leaks", "-o", "\033[31m/\n/x", "-p", target.pid],
             ["--opt\033[31mion"]):
    result = h.perftrace(*args, code=None)
    h.check(result.code in (1, 2, 3, 4), f"{args!r}: exit code", result.code)
    printable(f"{args!r}", result.err)
    h.equal(result.err.count("\n"), 1, f"{args!r}: one line")
target.end()
