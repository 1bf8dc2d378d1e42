#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
"""perftrace run: a command traced from its first instruction, whose status, signals, standard
streams and user are as if it had been started without perftrace."""
import json
import os
import shutil
import signal

import harness as h

EARLY = f"{h.TARGETS}/early"
NOBODY = 65534


def run(*args, **more):
    return h.perftrace("run", *args, **more)


def truth_of(text):
    lines = [l for l in text.splitlines() if l.startswith("truth ")]
    if not h.check(len(lines) == 1, "one truth", text):
        h.give_up("no truth")
    return json.loads(lines[0][6:])


def statuses():
    quiet = ("--no-log", "-q", "-o", "report")
    for command, code in ((["true"], 0), (["false"], 1), (["sh", "-c", "exit 7"], 7),
                          (["sh", "-c", "kill -9 $$"], 137), (["sh", "-c", "kill -15 $$"], 143),
                          ([EARLY, "6"], 6)):
        result = run(*quiet, "--", *command, code=None)
        h.equal(result.code, code, f"{command}: status ({result.err.strip()})")
        h.equal(result.err, "", f"{command}: -q")
    h.equal(run(*quiet, "sh", "-c", "exit 4", code=4).err, "", "without --")


def streams_are_its_own():
    with open("in", "w", encoding="ascii") as f:
        f.write("from standard input\n")
    with open("in", "rb") as stdin:
        result = run("--no-log", "-o", "report", "--", "sh", "-c", "cat; echo to stderr >&2",
                     stdin=stdin)
    h.check(result.out.startswith("from standard input\n"), "standard output is the command's",
            result.out)
    h.check("to stderr\n" in result.err, "so is standard error", result.err)
    h.check("from standard" not in h.read_text("report"), "-o takes none of it")


def everything_is_seen(program):
    """What constructors of libraries and of the program do, and main, once each."""
    what = os.path.basename(program)
    result = run("--json", "--no-log", "-o", f"{what}.json", "--", program, "3", code=3)
    truth = truth_of(result.out)
    result.out = h.read_text(f"{what}.json")
    records = h.keeps_contract("spans", result)
    spans = [r for r in records if r["type"] == "span"]
    h.equal([s["name"] for s in spans][-1:], ["early.main"], f"{what}: main comes last")
    h.equal(sorted(s["name"] for s in spans), ["early.library", "early.main", "early.program"],
            f"{what}: spans")
    h.equal({s["pid"] for s in spans}, {truth["pid"]}, f"{what}: their process")
    heap = records[-1]["ledger"]["heap"]
    h.equal(heap["frees"], truth["frees"], f"{what}: ledger.heap.frees")
    if what == "early":
        h.equal(heap["allocs"], truth["allocs"], f"{what}: ledger.heap.allocs")
    else:
        # The C library's own start, before any constructor, is part of a static program.
        h.check(truth["allocs"] < heap["allocs"] < truth["allocs"] + 20,
                f"{what}: ledger.heap.allocs", heap["allocs"])
    h.equal(records[-1]["ledger"]["balanced"], True, f"{what}: ledger.balanced")
    h.equal(records[-1]["ledger"]["lost"], 0, f"{what}: ledger.lost")


def the_summary_tells_the_sites():
    result = run("--no-log", "--", EARLY, "0")
    truth = truth_of(result.out)
    for words in ("construct_library", "construct_program", "early.library",
                  f"{truth['live_bytes'] / 1024:.1f} KB", "books balanced"):
        h.check(words in result.out, f"the summary has {words!r}", result.out)
    h.check("ended (status 0)" in result.err, "standard error tells how it ended", result.err)
    h.check(f"-p {truth['pid']}" not in result.out, "no advice about a process that is gone",
            result.out)


def refusals():
    """One line; nothing has been run."""
    with open("plain", "w", encoding="ascii") as f:
        f.write("no program\n")
    with open("script", "w", encoding="ascii") as f:
        f.write("#!/no/such/interpreter\n")
    os.chmod("script", 0o755)
    with open("tiny.c", "w", encoding="ascii") as f:
        f.write("#include <stdio.h>\nint main(void) { remove(\"witness\"); }\n")
    h.run("gcc", "-m32", "-static", "tiny.c", "-o", "tiny32")
    with open("witness", "w", encoding="ascii"):
        pass
    for args, code, says in ((["--", "no-such-command-here"], 4, "no-such-command-here"),
                             (["--", "./not-here"], 4, "./not-here"),
                             (["--", "./script"], 4, "interpreter"),
                             (["--", "./plain"], 3, "Permission denied"),
                             (["--", "./tiny32"], 3, "32-bit"),
                             (["--user", "no-such-user-here", "true"], 2, "no-such-user-here"),
                             (["-o", "no/such/directory/file", "rm", "witness"], 1,
                              "cannot write"),
                             (["-p", "1", "--", "true"], 2, "--pid"), (["--"], 2, "COMMAND"),
                             ([], 2, "COMMAND")):
        result = run(*args, code=code)
        lines = result.err.splitlines()
        h.check(lines and says in lines[-1] and lines[-1].startswith("perftrace: "),
                f"{args}: says {says!r}", result.err)
        h.equal(result.out, "", f"{args}: standard output")
    h.check(os.path.exists("witness"), "nothing was run")


def libraries_are_missing():
    """ld.so ends it; its words and its status come through."""
    shutil.copy(EARLY, "orphan")
    result = run("--no-log", "--", "./orphan", "0", code=127)
    h.check("libearly.so" in result.err, "ld.so's own words", result.err)
    h.check("nothing to trace" in result.err, "and perftrace's", result.err)


def started(*args, program=EARLY, **more):
    """A perftrace in a process group of its own, as in a terminal, and the command's PID, once it
    waits."""
    tracer = h.Tracer("run", "--no-log", *args, "-o", "report", "--", program, "5", "wait",
                      attached=False, start_new_session=True, **more)
    h.wait_until(lambda: "waiting\n" in tracer.out() or not tracer.alive(), 20,
                 "the command to wait")
    return tracer, truth_of(tracer.out())["pid"]


def ctrl_c_reaches_both():
    tracer, _ = started()
    os.killpg(tracer.pid, signal.SIGINT)
    result = tracer.finish(code=5)
    h.check("got 2\n" in result.out, "the command has seen Ctrl-C", result.out)
    h.check("SPANS" in result.out, "the summary follows its end", result.out)


def one_that_does_not_hear():
    """The first Ctrl-C waits for it, the second leaves it alone."""
    tracer = h.Tracer("run", "--no-log", "--", EARLY, "5", "ignore", attached=False,
                      start_new_session=True)
    h.wait_until(lambda: "waiting\n" in tracer.out() or not tracer.alive(), 20, "it to wait")
    pid = truth_of(tracer.out())["pid"]
    os.killpg(tracer.pid, signal.SIGINT)
    h.wait_until(lambda: "another Ctrl-C" in tracer.err(), 5, "the first Ctrl-C to be answered")
    h.time.sleep(0.3)
    h.check(tracer.alive(), "the first Ctrl-C waits for the command")
    os.killpg(tracer.pid, signal.SIGINT)
    tracer.finish(timeout=5, code=130)
    h.check(os.path.exists(f"/proc/{pid}"), "the second one leaves it alone")
    os.kill(pid, signal.SIGKILL)


def other_signals_are_passed_on():
    tracer, _ = started()
    tracer.signal(signal.SIGTERM)  # to perftrace alone
    result = tracer.finish(code=5)
    h.check("got 15\n" in result.out, "the command has got SIGTERM", result.out)


def perftrace_is_killed():
    tracer, pid = started()
    tracer.signal(signal.SIGKILL)
    tracer.wait(10)
    h.time.sleep(0.2)
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        h.check(f.read().rpartition(")")[2].split()[0] == "S", "the command lives on, untraced")
    os.kill(pid, signal.SIGKILL)


def for_a_while():
    """-d: the report comes then, and the command is waited for."""
    tracer = h.Tracer("run", "--no-log", "-d", "500ms", "--", EARLY, "5", "wait", attached=False)
    h.wait_until(lambda: "SPANS" in tracer.out() or not tracer.alive(), 20, "the report")
    h.time.sleep(0.2)
    h.check(tracer.alive(), "-d: perftrace stays until the command's end")
    os.kill(truth_of(tracer.out())["pid"], signal.SIGINT)
    tracer.finish(code=5)


def users():
    """Under sudo the user behind it, --user whom one likes, else who we are."""
    # Where nobody may go, too.
    shutil.copytree(os.path.dirname(EARLY), "/tmp/perftrace-e2e-run",
                    ignore=lambda _, names: {n for n in names if n[:5] != "early"} - {"libearly.so"})
    program = "/tmp/perftrace-e2e-run/early"
    home = h.run("sh", "-c", "getent passwd nobody | cut -d: -f6").strip()
    sudo = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY), "SUDO_USER": "nobody"}
    try:
        for args, env, uid in (([], {}, 0), ([], sudo, NOBODY), (["--user", "nobody"], {}, NOBODY),
                               (["--user", str(NOBODY)], {}, NOBODY),
                               (["--user", "root"], sudo, 0)):
            result = run("--no-log", "-q", "-o", "/dev/null", *args, "--", program, "0", env=env)
            truth = truth_of(result.out)
            what = f"run {' '.join(args)} {'under sudo' if env else ''}"
            h.equal((truth["uid"], truth["euid"], truth["gid"]), (uid, uid, uid), what)
            if uid:
                h.equal(truth["home"], home, f"{what}: HOME")
                h.equal(truth["groups"], 1, f"{what}: groups")
        # Nobody's set-user-ID program still becomes root: it is traced, not weakened.
        program += "_static"  # ld.so would not look for libraries beside a set-user-ID program
        os.chmod(program, 0o4755)
        result = run("--no-log", "--json", "-o", "records", "--user", "nobody", "--", program, "0")
        truth = truth_of(result.out)
        h.equal((truth["uid"], truth["euid"]), (NOBODY, 0), "set-user-ID")
        with open("records", encoding="utf-8") as f:
            last = json.loads(f.readlines()[-1])
        h.equal(sum(s["count"] for s in last["spans"]), 3, "set-user-ID: spans")
    finally:
        shutil.rmtree("/tmp/perftrace-e2e-run")


def closed_stdout():
    """Nobody reads the results: the command goes on, and its status counts."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        result = run("--no-log", "--", "sh", "-c", "sleep 0.5; exit 9", stdout=pipe, code=9)
    h.check("cannot write" not in result.err, "closed standard output: quiet", result.err)


def failures_of_the_report():
    """They show only where the command itself has succeeded."""
    for status in (0, 7):
        result = run("--no-log", "-o", "/dev/full", "--", EARLY, str(status), code=status or 1)
        h.check("No space left" in result.err, "a full disk is told", result.err)
    for status in (0, 7):
        result = run("--no-log", "--strict", "--max-live", "1", "-o", "report", "--", EARLY,
                     str(status), code=status or 6)
        if not status:
            h.check("--strict" in result.err, "--strict says why", result.err)


statuses()
streams_are_its_own()
everything_is_seen(EARLY)
everything_is_seen(f"{EARLY}_static")
the_summary_tells_the_sites()
refusals()
libraries_are_missing()
ctrl_c_reaches_both()
one_that_does_not_hear()
other_signals_are_passed_on()
perftrace_is_killed()
for_a_while()
users()
closed_stdout()
failures_of_the_report()
