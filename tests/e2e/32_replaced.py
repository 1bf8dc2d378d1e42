#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Files that are deleted, or replaced by others under their name, while a program runs them: what
runs is traced and named, never what has taken its name."""
import os
import shutil

import harness as h
import stacks

NAME = "a-long-program-name"  # more than comm holds


def libc():
    return h.run("sh", "-c", f"ldd {h.TARGETS}/leaky | sed -n 's/.*libc.so.6 => \\([^ ]*\\).*/\\1/p'"
                 ).strip()


def start(directory):
    """leaky with an executable and a libc of its own."""
    os.mkdir(directory)
    shutil.copy(f"{h.TARGETS}/leaky", f"{directory}/{NAME}")
    shutil.copy(libc(), f"{directory}/libc.so.6")
    return h.Target("leaky", path=os.path.abspath(f"{directory}/{NAME}"),
                    env={"LD_LIBRARY_PATH": os.path.abspath(directory)})


def check_leaks(target, what, *by):
    tracer = h.Tracer("leaks", *(by or ("-p", target.pid)), "--json", "-d", "60")
    target.go()
    truth = target.truth()
    document = h.keeps_contract("leaks", tracer.stop())
    for key in ("allocs", "frees", "alloc_bytes", "freed_bytes", "live_blocks", "live_bytes"):
        h.equal(document["heap"][key], truth[key], f"{what}: heap.{key}")
    first = (document["candidates"] or [None])[0]
    h.equal(first and [f["function"] for f in first["stack"][:2]], ["leak_here", "main"],
            f"{what}: the leaking stack")
    h.equal(first and first["stack"][-1]["function"], "_start", f"{what}: its outermost frame")
    stacks.check_complete(document, what, at_least=1000)
    h.equal(document["target"]["exe"], target.argv[0], f"{what}: its path, as it was")
    h.equal(document["ledger"]["balanced"], True, f"{what}: ledger.balanced")
    target.is_healthy()


def deleted():
    target = start("deleted")
    for name in (NAME, "libc.so.6"):
        os.unlink(f"deleted/{name}")
    check_leaks(target, "deleted")


def deleted_but_found_by_name():
    target = start("byname")
    os.unlink(f"byname/{NAME}")
    check_leaks(target, "deleted, -n", "-n", NAME)


def replaced():
    """As a package manager does it: a new file is renamed over the old one."""
    target = start("replaced")
    shutil.copy(f"{h.TARGETS}/spans", "replaced/new")
    os.rename("replaced/new", f"replaced/{NAME}")
    with open("replaced/new", "wb") as f:
        f.write(b"\x7fELF, but not the libc that runs" * 1000)
    os.rename("replaced/new", "replaced/libc.so.6")
    check_leaks(target, "replaced")


def called_deleted():
    """A file that is really called like what the kernel says of deleted ones."""
    os.mkdir("called")
    shutil.copy(f"{h.TARGETS}/leaky", "called/leaky (deleted)")
    check_leaks(h.Target("leaky", path=os.path.abspath("called/leaky (deleted)")),
                "called (deleted)")


deleted()
deleted_but_found_by_name()
replaced()
called_deleted()
