# SPDX-License-Identifier: BSD-2-Clause
"""What the end-to-end cases share: targets with known truth, perftrace runs, and checks.

A case runs in an empty directory of its own. Checks that fail are printed and remembered; the
case goes on, so that one run tells everything, and exits with 1 at its end. Whatever a case
started is ended when it ends, however that comes about, and nothing else ever is.
"""
import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import contract

PERFTRACE = os.environ["PERFTRACE"]
TARGETS = os.environ["TARGETS"]
TOP = os.environ["TOP"]
LONG = os.environ.get("PERFTRACE_LONG", "") not in ("", "0")

_started = []
_failures = []


# ---- checks ----

def fail(what):
    """Remembers a failure and goes on."""
    _failures.append(what)
    print(f"FAILED: {what}", flush=True)


def check(condition, what, detail=""):
    if not condition:
        fail(what if detail == "" else f"{what}: {detail}")
    return bool(condition)


def difference(got, want):
    """Short: of long lists and texts only the first place where they part."""
    text = f"got {got!r}, want {want!r}"
    if len(text) > 1000 and type(got) is type(want) and isinstance(got, (list, str)):
        at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b),
                  min(len(got), len(want)))
        text = (f"lengths {len(got)} and {len(want)}, from {at} on: got {got[at:at + 3]!r:.400}, "
                f"want {want[at:at + 3]!r:.400}")
    return text if len(text) <= 2000 else text[:2000] + "..."


def equal(got, want, what):
    return check(got == want, what, difference(got, want))


def give_up(what):
    """For what makes the rest of the case pointless."""
    fail(what)
    sys.exit(1)


def keeps_contract(kind, result):
    """`kind` is cpu, leaks, probes or spans (a stream). Returns the document or the records."""
    try:
        if kind == "spans":
            value = [json.loads(line) for line in result.out.splitlines()]
        else:
            value = json.loads(result.out)
    except ValueError as e:
        give_up(f"{kind}: not JSON ({e}): {result.out[:200]!r}; {result.err.strip()}")
    for breach in contract.CHECKS[kind](value):
        fail(f"{kind} contract: {breach}")
    return value


# ---- waiting ----

def wait_until(condition, timeout, what):
    """Polls until condition() is true and returns its value; gives up on the case otherwise."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            give_up(f"waited {timeout} s for {what}")
        time.sleep(0.01)


def read_text(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


# ---- processes ----

class Process:
    """A process of ours, with its output in files, so that no pipe can ever block it."""
    _count = 0

    def __init__(self, argv, env=None, stdin=subprocess.DEVNULL, stdout=None, stderr=None,
                 **popen):
        Process._count += 1
        self.argv = [str(a) for a in argv]
        base = f"{Process._count:02}.{os.path.basename(self.argv[0])}"
        self.out_path, self.err_path = f"{base}.out", f"{base}.err"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                self.argv, stdin=stdin, stdout=out if stdout is None else stdout,
                stderr=err if stderr is None else stderr,
                env={**os.environ, **(env or {})}, **popen)
        self.pid = self.popen.pid
        _started.append(self)

    def out(self):
        return read_text(self.out_path)

    def err(self):
        return read_text(self.err_path)

    def alive(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def wait(self, timeout):
        """Exit code; the case ends when there is none in time."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            give_up(f"{' '.join(self.argv)} still runs after {timeout} s; its last words: "
                    f"{self.err()[-300:]!r}")

    def end(self):
        """SIGTERM, and SIGKILL for whoever does not hear."""
        for number in (signal.SIGTERM, signal.SIGCONT, signal.SIGKILL):
            self.signal(number)
            if number == signal.SIGTERM:
                continue
            try:
                self.popen.wait(5)
                return
            except subprocess.TimeoutExpired:
                pass


class Target(Process):
    """A program of tests/targets: ready, go (SIGUSR1), truth, stop."""

    def __init__(self, name, *args, path=None, **popen):
        super().__init__([path or f"{TARGETS}/{name}", *args], **popen)
        self._line("ready", 10)

    def _line(self, word, timeout):
        def find():
            for line in self.out().split("\n")[:-1]:
                if line.startswith(word + " "):
                    return line[len(word) + 1:]
            if not self.alive():
                give_up(f"{self.argv[0]} ended with {self.popen.returncode} before {word!r}: "
                        f"{self.err()}")
            return None
        return wait_until(find, timeout, f"{word!r} of {self.argv[0]}")

    def go(self):
        os.kill(self.pid, signal.SIGUSR1)

    def truth(self, timeout=30):
        return json.loads(self._line("truth", timeout))

    def is_healthy(self):
        """Alive, and ends by its own will when told to."""
        if not check(self.alive(), f"{self.argv[0]} lives on"):
            return
        self.signal(signal.SIGTERM)
        equal(self.wait(10), 0, f"exit code of {self.argv[0]}")


class Result:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds


class Tracer(Process):
    """A perftrace in the background."""

    def __init__(self, *args, attached=True, **popen):
        self._begin = time.monotonic()
        super().__init__([PERFTRACE, *args], **popen)
        if attached:
            self.wait_attached()

    def wait_attached(self, timeout=30):
        def look():
            if "> attached to " in self.err():
                return True
            if not self.alive():
                give_up(f"perftrace {' '.join(self.argv[1:])} ended with "
                        f"{self.popen.returncode}: {self.err().strip()}")
            return False
        wait_until(look, timeout, "perftrace to attach")

    def interrupt(self):
        self.signal(signal.SIGINT)

    def finish(self, timeout=30, code=0):
        """Waits for the end, which comes by itself or was asked for; checks the exit code."""
        got = self.wait(timeout)
        result = Result(got, self.out(), self.err(), time.monotonic() - self._begin)
        if code is not None and got != code:
            fail(f"perftrace {' '.join(self.argv[1:])}: exit code {got}, want {code}; "
                 f"{result.err.strip()}")
        return result

    def stop(self, timeout=30, code=0):
        self.interrupt()
        return self.finish(timeout, code)


def perftrace(*args, timeout=30, code=0, **popen):
    """A whole run; code None = any."""
    return Tracer(*args, attached=False, **popen).finish(timeout, code)


@contextlib.contextmanager
def limited():
    """Inside, every perftrace has only the capabilities it asks for, none that opens map_files."""
    global PERFTRACE
    real = PERFTRACE
    with open("limited-perftrace", "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\nexec setpriv --bounding-set=-all,+bpf,+perfmon,+sys_ptrace "
                f"--inh-caps=-all {real} \"$@\"\n")
    os.chmod("limited-perftrace", 0o755)
    PERFTRACE = os.path.abspath("limited-perftrace")
    try:
        yield
    finally:
        PERFTRACE = real


def run(*argv, timeout=60, check_code=True, **popen):
    """Another program, to its end; its standard output."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if check_code and done.returncode:
        give_up(f"{' '.join(str(a) for a in argv)}: exit code {done.returncode}: {out}{err}")
    return out


def trace_to_truth(target, *args, settle=0.3, **popen):
    """Attaches, lets the target do its work, stops. Returns (truth, Result)."""
    tracer = Tracer(*args, "-p", target.pid, **popen)
    target.go()
    truth = target.truth()
    time.sleep(settle)
    return truth, tracer.stop()


# ---- what the kernel holds ----

def loaded_programs():
    """Ids of loaded BPF programs by name."""
    programs = {}
    for p in json.loads(run("bpftool", "-j", "prog", "show")):
        programs.setdefault(p.get("name", ""), set()).add(p["id"])
    return programs


def _on_term(_number, _frame):
    fail("out of time")
    sys.exit(1)


# Out of time: leave through _end() below.
signal.signal(signal.SIGTERM, _on_term)


@atexit.register
def _end():
    for process in reversed(_started):
        if process.alive():
            process.end()
    sys.stdout.flush()
    sys.stderr.flush()
    if _failures:
        os._exit(1)
