#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whatever cannot be done is refused with one line on standard error, nothing on standard output,
and the exit code of its kind."""
import os
import shutil
import subprocess

import harness as h


def refused(code, *args, says=(), command=None, **popen):
    """`command` replaces the plain call: its last words are a perftrace."""
    what = " ".join(command or args)
    if command:
        process = h.Process(command, **popen)
        result = h.Result(process.wait(30), process.out(), process.err(), 0)
    else:
        result = h.perftrace(*args, code=None, **popen)
    h.equal(result.code, code, f"{what}: exit code ({result.err.strip()})")
    lines = result.err.splitlines()
    h.check(len(lines) == 1 and lines[0].startswith("perftrace: "), f"{what}: one line", lines)
    h.equal(result.out, "", f"{what}: standard output")
    for words in [says] if isinstance(says, str) else says:
        h.check(words in result.err, f"{what}: says {words!r}", result.err)
    return result


def every_command(code, *args, **more):
    refused(code, *args, **more)
    for command in ("leaks", "spans", "cpu", "probes"):
        refused(code, command, *args, **more)


def no_such_process():
    free = int(h.read_text("/proc/sys/kernel/pid_max")) - 1
    while os.path.exists(f"/proc/{free}"):
        free -= 1
    every_command(4, "-p", str(free), says=(f"no process {free}", "pgrep"))
    every_command(4, "-n", "no-such-program-here", says="no-such-program-here")


def kernel_thread():
    pid = h.run("sh", "-c", "ps -e -o pid=,ppid= | awk '$2 == 2 { print $1; exit }'").strip()
    every_command(3, "-p", pid, says="kernel thread")


def zombie():
    child = subprocess.Popen(["true"])
    h.wait_until(lambda: ") Z " in h.read_text(f"/proc/{child.pid}/stat"), 5, "a zombie")
    every_command(3, "-p", str(child.pid), says="zombie")
    child.wait()


def itself():
    for command in ("", "leaks", "spans", "cpu", "probes"):
        refused(2, command=["sh", "-c", f"exec {h.PERFTRACE} {command} -p $$"], says="itself")


def a_thread_is_no_process():
    target = h.Target("spans", 1, 1)
    tid = next(t for t in os.listdir(f"/proc/{target.pid}/task") if int(t) != target.pid)
    refused(4, "leaks", "-p", tid, says="thread")
    target.end()


def not_root(target):
    shutil.copy(h.PERFTRACE, "/tmp/")  # nobody may not enter the build directory
    copy = f"/tmp/{os.path.basename(h.PERFTRACE)}"
    try:
        for command in ([], ["leaks"], ["spans"], ["cpu"]):
            refused(3, command=["runuser", "-u", "nobody", "--", copy, *command, "-p",
                                str(target.pid)], says="sudo")
    finally:
        os.remove(copy)


def thirty_two_bits():
    with open("tiny.c", "w", encoding="ascii") as f:
        f.write("#include <unistd.h>\nint main(void) { for (;;) pause(); }\n")
    h.run("gcc", "-m32", "-static", "tiny.c", "-o", "tiny32")
    tiny = h.Process(["./tiny32"])
    h.wait_until(lambda: "tiny32" in os.readlink(f"/proc/{tiny.pid}/exe"), 5, "tiny32 to run")
    every_command(3, "-p", str(tiny.pid), says="32-bit")
    tiny.end()


def static():
    """Its malloc is in the symbol table of the executable itself."""
    target = h.Target("leaky_static")
    refused(3, "spans", "-p", str(target.pid), says="no spans")
    tracer = h.Tracer("leaks", "-p", target.pid, "--json", "-d", "60", attached=False)
    h.wait_until(lambda: "attached to" in tracer.err() or not tracer.alive(), 20, "perftrace")
    if tracer.alive():
        target.go()
        truth = target.truth()
        document = h.keeps_contract("leaks", tracer.stop())
        first = document["candidates"][0] if document["candidates"] else None
        h.equal(first and first["live_blocks"], truth["leaked_blocks"], "static: live_blocks")
        h.equal(first and first["stack"][0]["function"], "leak_here", "static: function")
        h.equal(document["ledger"]["balanced"], True, "static: ledger.balanced")
    else:
        result = tracer.finish(code=3)
        h.check(len(result.err.splitlines()) == 1, "static: one line", result.err)
    target.end()


def no_spans(target):
    refused(3, "spans", "-p", str(target.pid), says="no spans")


def output_files(usdt):
    pid = str(usdt.pid)
    for args in (["leaks", "-d", "300ms"], ["spans", "-d", "300ms"], ["probes"],
                 ["--no-log", "-d", "300ms"]):
        refused(1, *args, "-p", pid, "-o", "no/such/directory/file", says="cannot write")
        refused(1, *args, "-p", pid, "-o", "/", says="cannot write")
    os.mkdir("open", 0o777)
    os.chmod("open", 0o777)
    refused(1, "leaks", "-p", pid, "-d", "300ms", "-o", "open/file", says="cannot write")


def full_disk(target, usdt):
    """What goes to a full disk fails, and leaves the reason as the last line."""
    for args in (["leaks", "-d", "300ms", "-p", target.pid], ["probes", "-p", target.pid],
                 ["spans", "-d", "300ms", "-p", usdt.pid],
                 ["--no-log", "-d", "300ms", "-p", target.pid]):
        for way in ("-o", "stdout"):
            if way == "-o":
                result = h.perftrace(*args, "-o", "/dev/full", code=None)
            else:
                with open("/dev/full", "wb") as full:
                    result = h.perftrace(*args, code=None, stdout=full)
            what = f"{args[0]} to /dev/full ({way})"
            h.equal(result.code, 1, f"{what}: exit code")
            last = (result.err.splitlines() or [""])[-1]
            h.check(last.startswith("perftrace: cannot write") and "No space left" in last,
                    f"{what}: the last line says why", result.err)


def closed_stdout(target):
    """A reader that goes away ends the run quietly."""
    pid = ["-p", target.pid]
    for args in (["leaks", "-d", "500ms", *pid], ["probes", *pid], ["--help"],
                 ["--no-log", "-i", "100ms", "-d", "20", *pid]):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            result = h.perftrace(*args, code=None, stdout=pipe)
        what = f"{args[0]} to a closed pipe"
        h.equal(result.code, 0, f"{what}: exit code ({result.err})")
        h.check("cannot write" not in result.err, f"{what}: quiet", result.err)
        h.check(result.seconds < 10, f"{what}: it does not go on", result.seconds)


def wrong_usage(target):
    pid = str(target.pid)
    refused(2, "--no-such-option", "-p", pid, says="--no-such-option")
    refused(2, "leaks", "-x", "-p", pid, says="-x")
    refused(2, "nonsense", says="nonsense")
    refused(2, "leaks", says="-p")
    refused(2, "-p", says="-p")
    for option, values in {
            "-p": ["", "0", "-1", "abc", "1x", "99999999999999999999", "4294967297"],
            "-d": ["", "0", "-1", "abc", "5x", "1e9", "nan", "inf", "99999999999999999999"],
            "-i": ["0", "-5", "often"],
            "--top": ["0", "-1", "many", "99999999999999999999"],
            "--min-size": ["-1", "10kk", "big", "99999999999999999999G"],
            "--older": ["-1s", "old"],
            "--max-live": ["0", "-1", "x"],
            "--ring": ["0", "-1", "10kk", "99G"],
            "--mode": ["", "approximate"],
            "--color": ["blue"],
            "-o": [""]}.items():
        for value in values:
            where = [] if option == "-p" else ["-p", pid]
            refused(2, "leaks", *where, option, value)
    for value in ("", "x", "postgresql", "a:", ":b", "a:b..", "a:..b"):
        refused(2, "spans", "-p", pid, "-u", value, says="-u")
    refused(2, "spans", "-p", pid, "--top", "3", says="--top")
    refused(2, "leaks", "-p", pid, "superfluous", says="superfluous")
    bare = h.perftrace(code=2)
    h.check("perftrace -p PID" in bare.err and bare.out == "", "without arguments: the overview")


target, usdt = h.Target("leaky"), h.Target("usdt_pairs", 1)
no_such_process()
kernel_thread()
zombie()
itself()
a_thread_is_no_process()
not_root(target)
thirty_two_bits()
static()
no_spans(target)
output_files(usdt)
full_disk(target, usdt)
closed_stdout(target)
wrong_usage(target)
target.is_healthy()
usdt.end()
