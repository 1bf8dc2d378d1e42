#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
"""Files made to deceive whoever reads them, mapped by the target; and names that lead to a FIFO, a
directory, a socket, a device by the time perftrace opens them. perftrace attaches in time and
counts exactly, the target is none the worse for it."""
import os
import socket
import time

import harness as h
import hostile_elf

SECONDS = 15  # on a busy machine; it takes one


def check_run(target, what, *args):
    begin = time.monotonic()
    tracer = h.Tracer("--json", "--no-log", *args, "-p", target.pid)
    took = time.monotonic() - begin
    h.check(took < SECONDS, f"{what}: attached in time", f"{took:.1f} s")
    target.go()
    truth = target.truth()
    time.sleep(0.2)
    result = tracer.stop()
    records = h.keeps_contract("spans", result)
    heap = records[-1]["ledger"]["heap"]
    for key in ("allocs", "frees"):
        h.equal(heap[key], truth[key], f"{what}: {key}")
    h.equal([r for r in records if r["type"] == "span"], [], f"{what}: spans")
    h.equal(records[-1]["ledger"]["balanced"], True, f"{what}: ledger.balanced")
    h.check("\0" not in result.err and "\x1b" not in result.err, f"{what}: messages are text")
    return result


def all_at_once():
    with open(f"{h.TARGETS}/leaky", "rb") as f:
        contents = hostile_elf.files(f.read())
    os.mkdir("files")
    for name, content in contents.items():
        with open(f"files/{name}", "wb") as f:
            f.write(content)
    paths = [f"files/{name}" for name in contents]
    target = h.Target("mapper", *paths)
    result = check_run(target, "hostile ELF files", "-v")
    h.check("could not be read as ELF" in result.err, "what is no ELF file is counted", result.err)

    begin = time.monotonic()
    listing = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json"))
    took = time.monotonic() - begin
    h.check(took < SECONDS, "probes: in time", f"{took:.1f} s")
    forged = {p["symbol"]: p for p in listing["probes"] if p["symbol"].startswith("forged:")}
    for name in ("ret__start", "five__start", "header__start"):
        h.check(forged.get(f"forged:{name}", {}).get("refused"), f"{name} is refused",
                forged.get(f"forged:{name}"))
    for name in ("far__start", "far__done"):
        h.check(forged.get(f"forged:{name}", {"refused": 1})["refused"], f"{name} is not probed",
                forged.get(f"forged:{name}"))
    target.is_healthy()

    # Each alone: nothing one of them does hides behind another.
    for path in paths:
        target = h.Target("mapper", path)
        result = h.perftrace("probes", "-p", target.pid, "--json", timeout=SECONDS)
        h.check("malloc" in result.out, f"{path}: malloc is still found")
        target.end()


def shrunk():
    """The file has become shorter than what is mapped, as when it is being overwritten."""
    with open(f"{h.TARGETS}/leaky", "rb") as f:
        content = f.read()
    for size in (0, 100, len(content) // 2):
        with open("shrinking", "wb") as f:
            f.write(content)
        target = h.Target("mapper", "shrinking")
        os.truncate("shrinking", size)
        tracer = h.Tracer("leaks", "-p", target.pid, "--json", "-d", "60")
        target.go()
        truth = target.truth()
        document = h.keeps_contract("leaks", tracer.stop())
        h.equal(document["heap"]["live_blocks"], truth["live_blocks"],
                f"shrunk to {size}: heap.live_blocks")
        with open("shrinking", "wb") as f:  # else its own look at the bytes would kill the target
            f.write(content)
        target.is_healthy()


def names_lead_elsewhere():
    """Without the rights for map_files files are opened by name. Nothing of another kind is opened,
    let alone waited for."""
    with open(f"{h.TARGETS}/leaky", "rb") as f:
        content = f.read()
    names = ("fifo", "directory", "socket", "device", "link", "other", "gone")
    for name in names:
        with open(name, "wb") as f:
            f.write(content)
    target = h.Target("mapper", *names)
    for name in names:
        os.unlink(name)
    os.mkfifo("fifo")
    os.mkdir("directory")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket")
    os.mknod("device", 0o20666, os.makedev(4, 64))  # a serial line
    os.symlink("fifo", "link")
    with open("other", "wb") as f:
        f.write(content)
    with h.limited():
        result = check_run(target, "names that lead elsewhere", "-v")
    h.check(f"{len(names)} mapped files could not be read" in result.err, "none of them was taken "
            "for what is mapped", result.err)
    target.is_healthy()
    listener.close()


all_at_once()
shrunk()
names_lead_elsewhere()
