#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""perftrace cpu: shares, counts and stacks against programs whose CPU time is known."""
import os
import re

import harness as h

HZ = 499


def burn(*args, how=(), hz=HZ, threads=1, ms=600):
    """A burner and a profile of all it does; (truth, Result)."""
    target = h.Target("burner", threads, ms, *how)
    tracer = h.Tracer("cpu", "-F", str(hz), "-p", target.pid, *args)
    target.go()
    truth = target.truth()
    h.time.sleep(0.2)
    result = tracer.stop()
    target.is_healthy()
    return truth, result


def near(got, want, sigmas, what):
    """`want` of the samples as a share, within what chance allows."""
    share, n = want
    bound = sigmas * (share * (1 - share) / n) ** 0.5
    h.check(abs(got - share) <= bound, what, f"{got:.3f}, want {share} ± {bound:.3f}")


def cum(document, function):
    return sum(f["cum"] for f in document["functions"] if f["function"] == function)


def shares_and_counts(threads):
    what = f"{threads} threads"
    truth, result = burn("--json", threads=threads, ms=800 // threads)
    d = h.keeps_contract("cpu", result)
    n = d["samples"]
    expected = truth["cpu_ns"] / 1e9 * HZ
    h.check(abs(n / expected - 1) < 0.1, f"{what}: samples", f"{n}, want {expected:.0f}")
    h.check(abs(d["cpu_ns"] / truth["cpu_ns"] - 1) < 0.05, f"{what}: CPU time", d["cpu_ns"])
    h.equal((d["lost"], d["hz"], d["cpus"]), (0, HZ, os.cpu_count()), f"{what}: lost, hz, cpus")
    near(cum(d, "burn_three") / n, (0.75, n), 4, f"{what}: burn_three")
    near(cum(d, "burn_one") / n, (0.25, n), 4, f"{what}: burn_one")
    # Recursive, and once per stack all the same.
    h.equal(cum(d, "recurse"), cum(d, "burn_one"), f"{what}: recurse calls burn_one")
    h.check(cum(d, "work") > 0.98 * n, f"{what}: all is in work()", cum(d, "work"))
    h.check(d["complete_samples"] >= 0.99 * n, f"{what}: complete stacks",
            f"{d['complete_samples']} of {n}")
    comms = {s["comm"] for s in d["stacks"]}
    h.check({f"burner-{i + 1}" for i in range(threads)} <= comms, f"{what}: threads", comms)
    h.equal({s["pid"] for s in d["stacks"]}, {d["target"]["pid"]}, f"{what}: process")


def the_table():
    truth, result = burn("--top", "200")
    lines = result.out.splitlines()
    h.check(re.match(r"\S+s of CPU time in \S+ s \(0\.\d\d CPUs\), \S+ % of it in the kernel; "
                     r"\d+ samples at 499 Hz$", lines[0]), "the answer comes first", lines[0])
    rows = {}
    for line in lines:
        row = re.match(r" *(\S+s) +(\S+) % +(\S+) % +(\S+s) +(\S+) %  (\S+)", line)
        if row:
            rows[row[6]] = row
    for function, share in (("burn_three", 75), ("burn_one", 25), ("work", 100)):
        if h.check(function in rows, f"text: {function} is in the table", result.out):
            h.check(abs(float(rows[function][5]) - share) < 8, f"text: cum% of {function}",
                    rows[function][5])
    sums = [float(row[3]) for row in rows.values()]
    h.equal(sums, sorted(sums), "text: sum% only grows")
    h.check(sums[-1] == 100.0, "text: and ends with all", sums[-1:])
    seen, expected = map(int, re.search(r"(\d+) samples, (\d+) expected of", result.out).groups())
    h.check(abs(seen / expected - 1) < 0.1, "text: expected and seen", (seen, expected))
    h.check(" 0 lost" in result.out and "NEXT    perftrace cpu -p" in result.out,
            "text: DATA and NEXT", result.out)


def folded_stacks():
    truth, result = burn("--folded")
    total, leaves = 0, {}
    for line in result.out.splitlines():
        stack, count = re.match(r"(.*) (\d+)$", line).groups()
        frames = stack.split(";")
        # It gets its name at its beginning; till then it has its process'.
        name = "burner-1" if "work" in frames else frames[0]
        h.equal(frames[0], name, "folded: the thread comes first")
        h.check(name in ("burner", "burner-1"), "folded: a thread of the burner", name)
        total += int(count)
        for function in ("burn_three", "burn_one"):
            if function in frames:
                leaves[function] = leaves.get(function, 0) + int(count)
                # From the thread's beginning, without a gap.
                at = frames.index("thread")
                want = ["thread", "work"] + (["recurse"] * 6 if function == "burn_one" else [])
                h.equal(frames[at:at + len(want) + 1], want + [function], "folded: the path")
    near(leaves.get("burn_three", 0) / total, (0.75, total), 4, "folded: burn_three")
    h.check(abs(total / (truth["cpu_ns"] / 1e9 * HZ) - 1) < 0.1, "folded: samples", total)
    lines = [l.rsplit(" ", 1)[0] for l in result.out.splitlines()]
    h.equal(len(lines), len(set(lines)), "folded: each stack once")


def the_kernels_part():
    _, result = burn("--folded", how=["kernel"], ms=300)
    inside = total = 0
    for line in result.out.splitlines():
        stack, count = line.rsplit(" ", 1)
        total += int(count)
        frames = stack.split(";")
        first = next((i for i, f in enumerate(frames) if f.endswith("_[k]")), len(frames))
        h.check(all(f.endswith("_[k]") for f in frames[first:]), "kernel: above the user's", line)
        if first < len(frames) and "burn_kernel" in frames[:first]:
            inside += int(count)
    h.check(inside > 0.9 * total, "kernel: read(2) for burn_kernel()", f"{inside} of {total}")


def several_processes():
    targets = [h.Target("burner", 1, 400) for _ in range(2)]
    tracer = h.Tracer("cpu", "-n", "burner", "-F", str(HZ), "--json")
    truths = {}
    for t in targets:
        t.go()
    for t in targets:
        truths[t.pid] = t.truth()["cpu_ns"]
    d = h.keeps_contract("cpu", tracer.stop())
    for pid, ns in truths.items():
        mine = sum(s["count"] for s in d["stacks"] if s["pid"] == pid)
        h.check(abs(mine / (ns / 1e9 * HZ) - 1) < 0.15, "two processes: samples of each", mine)
    tracer = h.Tracer("cpu", "-a", "-F", str(HZ), "--json")
    h.time.sleep(0.5)
    d = h.keeps_contract("cpu", tracer.stop())
    h.equal(d["target"]["pid"], 0, "-a: everybody")
    h.check(tracer.pid not in {s["pid"] for s in d["stacks"]}, "-a: but not perftrace")
    for t in targets:
        t.is_healthy()


def children_and_their_programs():
    """A child that becomes another program: its own stacks by its own code."""
    code = "import time\ne = time.process_time() + 0.5\nwhile time.process_time() < e: pass"
    read, write = os.pipe()
    script = f'read go; /usr/bin/python3 -c "{code}"; echo done; read end'
    shell = h.Process(["/bin/sh", "-c", script], stdin=read)
    tracer = h.Tracer("cpu", "--follow", "-F", str(HZ), "--json", "-p", shell.pid)
    os.write(write, b"\n")
    h.wait_until(lambda: "done" in shell.out(), 20, "the child's end")
    d = h.keeps_contract("cpu", tracer.stop())
    os.close(write)
    mine = [s for s in d["stacks"] if s["comm"] == "python3"]
    n = sum(s["count"] for s in mine)
    h.check(n > 0.5 * HZ * 0.9, "a child: samples", n)
    h.check(shell.pid not in {s["pid"] for s in mine}, "a child: its own process")
    complete = sum(s["count"] for s in mine if s["complete"])
    h.check(complete >= 0.95 * n, "a child: complete stacks", f"{complete} of {n}")
    inside = sum(s["count"] for s in mine
                 if "_PyEval_EvalFrameDefault" in [f["function"] for f in s["stack"]])
    h.check(inside > 0.7 * n, "a child: the names of its program", f"{inside} of {n}")


def the_target_ends():
    target = h.Target("burner", 1, 300, "exit")
    tracer = h.Tracer("cpu", "-F", str(HZ), "--top", "200", "-p", target.pid)
    target.go()
    result = tracer.finish()
    h.check("target exited (status 3)" in result.err, "exit: is told", result.err)
    h.check("burn_three" in result.out and "clone3" in result.out, "exit: names are still there",
            result.out)
    h.check("NEXT    perftrace -n burner" in result.out, "exit: NEXT", result.out)


def ends_and_files():
    target = h.Target("burner")
    result = h.perftrace("cpu", "-p", target.pid, "-d", "700ms", "-o", "out.json", "--json")
    h.check(result.seconds < 10, "-d", result.seconds)
    h.equal(result.out, "", "-o: nothing on standard output")
    document = h.Result(0, h.read_text("out.json"), "", 0)
    d = h.keeps_contract("cpu", document)
    h.check(d["samples"] <= 1, "a process that waits has no samples", d["samples"])
    h.check(0.6 < d["duration_s"] < 2, "its duration", d["duration_s"])
    result = h.perftrace("cpu", "-p", target.pid, "-d", "500ms", "-F", "10")
    h.check(result.out.startswith("no sample in ") and "flat" not in result.out,
            "nothing to see is a sentence", result.out)
    target.is_healthy()


def refusals():
    target = h.Target("burner")
    for args, says in ((("-F", "0"), "1 to 10000"), (("-F", "10001"), "1 to 10000"),
                       (("-F", "fast"), "--frequency"), (("--folded", "--json"), "choose one"),
                       (("-u", "x:*"), "does not take"), (("--mode", "exact"), "does not take")):
        result = h.perftrace("cpu", "-p", target.pid, *args, code=2)
        h.check(says in result.err and not result.out, f"{args}: says why", result.err)
    h.perftrace("leaks", "-p", target.pid, "-F", "99", code=2)
    before = h.loaded_programs()
    result = h.perftrace("cpu", "-p", target.pid, "-F", "49", "--dry-run")
    h.check("49 Hz" in result.out and "no probe" in result.out, "--dry-run", result.out)
    dry = h.perftrace("cpu", "-p", target.pid, "--dry-run", "--json")
    h.equal(h.keeps_contract("probes", dry)["sampler"]["hz"], 99, "--dry-run --json")
    h.equal("cpu_sample" in h.loaded_programs(), "cpu_sample" in before, "--dry-run loads nothing")
    target.is_healthy()


def as_often_as_can_be():
    truth, result = burn("--json", hz=10000, ms=200)
    d = h.keeps_contract("cpu", result)
    expected = truth["cpu_ns"] / 1e9 * 10000
    h.check(abs(d["samples"] / expected - 1) < 0.1, "10000 Hz: samples",
            f"{d['samples']}, want {expected:.0f}")


def nothing_is_left():
    h.wait_until(lambda: "cpu_sample" not in h.loaded_programs(), 5, "the sampler to be unloaded")


def a_real_program():
    code = "import time\ne = time.time() + 20\nwhile time.time() < e: sorted(range(2000))"
    target = h.Process(["/usr/bin/python3", "-c", code])
    tracer = h.Tracer("cpu", "-p", target.pid, "-d", "1", "--json", "-F", str(HZ))
    d = h.keeps_contract("cpu", tracer.finish())
    expected = d["cpu_ns"] / 1e9 * HZ
    h.check(expected > 50 and abs(d["samples"] / expected - 1) < 0.1, "python: samples",
            f"{d['samples']}, want {expected:.0f}")
    h.check(d["complete_samples"] >= 0.99 * d["samples"], "python: complete stacks",
            f"{d['complete_samples']} of {d['samples']}")
    h.check(cum(d, "_PyEval_EvalFrameDefault") > 0.9 * d["samples"], "python: the interpreter")
    target.end()


shares_and_counts(1)
shares_and_counts(4)
the_table()
folded_stacks()
the_kernels_part()
several_processes()
children_and_their_programs()
the_target_ends()
ends_and_files()
refusals()
as_often_as_can_be()
a_real_program()
with h.limited():
    shares_and_counts(1)
nothing_is_left()
