#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
"""Programs whose unwind information is rubbish, loops, lies or bombs, that are cut short while they
are read, whose symbols' names are escapes or have a million letters: perftrace lives, attaches in
time and counts exactly; a stack that cannot be followed ends with a reason that is counted."""
import os
import random
import re
import struct
import threading

import harness as h
import stacks

SECONDS = 15  # on a busy machine; it takes one
BLOCKS = 300


def sections(path):
    """{name: (file offset, size)}"""
    found = {}
    for line in h.run("readelf", "-SW", path).splitlines():
        m = re.match(r"\s*\[\s*\d+\] (\S+)\s+\S+\s+[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+)", line)
        if m:
            found[m[1]] = (int(m[2], 16), int(m[3], 16))
    return found


def entries(data):
    """(offset, length, is a CIE) of what .eh_frame holds."""
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from("<II", data, at)
        if not length:
            return
        yield at, length, kind == 0
        at += 4 + length


# Each takes .eh_frame and returns it changed.

def garbage(data):
    return bytearray(random.Random(1).randbytes(len(data)))


def zeros(data):
    return bytearray(len(data))


def ones(data):
    return bytearray(b"\xff" * len(data))


def own_cie(data):
    """Every FDE calls itself its CIE."""
    for at, _, is_cie in entries(bytes(data)):
        if not is_cie:
            struct.pack_into("<I", data, at + 4, 4)
    return data


def other_fde(data):
    """Every FDE calls the one before it its CIE: a chain to the front."""
    before = None
    for at, _, is_cie in entries(bytes(data)):
        if not is_cie:
            if before is not None:
                struct.pack_into("<I", data, at + 4, at + 4 - before)
            before = at
    return data


def leb_bombs(data):
    """Instructions that are numbers without end."""
    for at, length, is_cie in entries(bytes(data)):
        if not is_cie and length > 20:
            data[at + 17:at + 4 + length] = b"\x0e" + b"\x80" * (length - 14)
    return data


def remember_bombs(data):
    for at, length, is_cie in entries(bytes(data)):
        if not is_cie and length > 20:
            data[at + 17:at + 4 + length] = b"\x0a" * (length - 13)
    return data


def restores_of_nothing(data):
    for at, length, is_cie in entries(bytes(data)):
        if not is_cie and length > 20:
            data[at + 17:at + 4 + length] = b"\x0b" * (length - 13)
    return data


def whole_address_space(data):
    """Every FDE covers everything: all of them overlap."""
    for at, length, is_cie in entries(bytes(data)):
        if not is_cie and length > 16:
            struct.pack_into("<i", data, at + 8, -(1 << 31))
            struct.pack_into("<I", data, at + 12, 0xffffffff)
    return data


def lies(data):
    """The CFA is where the stack pointer was long before, and below: frames go nowhere."""
    for at, length, is_cie in entries(bytes(data)):
        if not is_cie and length > 20:
            data[at + 17:at + 4 + length] = b"\x0c\x06\x00" + b"\0" * (length - 16)
    return data


def endless_length(data):
    struct.pack_into("<I", data, 0, 0xfffffff0)
    return data


def long_form(data):
    struct.pack_into("<IQ", data, 0, 0xffffffff, 1 << 63)
    return data


CHANGES = (garbage, zeros, ones, own_cie, other_fde, leb_bombs, remember_bombs,
           restores_of_nothing, whole_address_space, lies, endless_length, long_form)


def patched(change, section=".eh_frame", source="chain"):
    path = os.path.abspath(f"{change.__name__}{section}")
    with open(f"{h.TARGETS}/{source}", "rb") as f:
        content = bytearray(f.read())
    offset, size = sections(f"{h.TARGETS}/{source}")[section]
    content[offset:offset + size] = change(content[offset:offset + size])
    with open(path, "wb") as f:
        f.write(content)
    os.chmod(path, 0o755)
    return path


def survive(programs):
    """Exact books, the leaf named, every stack accounted for. `programs`: {what: path}. Returns the
    stacks' books and the call sites of each."""
    found = {}
    begin = h.time.monotonic()
    done = stacks.leaks_of(programs.values(), "--json", name="chain", args=(BLOCKS,))
    took = h.time.monotonic() - begin
    h.check(took < SECONDS, f"{len(programs)} programs: in time", f"{took:.1f} s")
    for what, (_, result) in zip(programs, done):
        document = h.keeps_contract("leaks", result)
        mine = stacks.by_size(document).get(777, [])
        h.equal(sum(c["live_blocks"] for c in mine), BLOCKS, f"{what}: blocks")
        h.equal({stacks.names(c)[0] for c in mine}, {"leaf"}, f"{what}: the caller")
        h.equal((document["ledger"]["lost"], document["ledger"]["balanced"]), (0, True),
                f"{what}: the books")
        books = stacks.ledger(document)
        print(f"{what}: {books}", flush=True)
        h.check(books["captured"] >= BLOCKS, f"{what}: stacks were taken", books)
        h.equal(books["complete"] + sum(books[r] for r in stacks.REASONS), books["captured"],
                f"{what}: every stack has its end or a reason: {books}")
        found[what] = books, mine
    return found


def hostile_tables():
    changes = CHANGES if h.LONG else CHANGES[::2]
    found = survive({c.__name__: patched(c) for c in changes})
    for what, (books, _) in found.items():
        # The chain's frames have no frame pointers: nobody can follow them all.
        h.check(books["complete"] < books["captured"], f"{what}: nothing is made up", books)
    # The index does not matter when the entries are right.
    what = "index of garbage"
    books, mine = survive({what: patched(garbage, ".eh_frame_hdr")})[what]
    h.equal(books["complete"], books["captured"], f"{what}: complete")
    h.equal(stacks.names(mine[0])[-1], "_start", f"{what}: the outermost frame")


def hostile_names():
    name = "leaf\x1b[31m\x07\n\x9b"
    million = "m" * (1 << 20)
    with open("names", "w", encoding="latin-1") as f:
        f.write(f"link_with_room {million}\n")
    h.run("objcopy", "--redefine-syms=names", f"{h.TARGETS}/chain", "named")
    h.run("strip", "--strip-debug", "named")
    with open("named", "rb") as f:
        content = f.read()
    at = content.rindex(b"\0link_plain\0")
    evil = name.encode("latin-1")[:10].ljust(10, b"\x1b")
    with open("named", "wb") as f:
        f.write(content[:at + 1] + evil + content[at + 11:])
    for options in ((), ("--json",)):
        target = h.Target("chain", BLOCKS, path=os.path.abspath("named"))
        _, result = h.trace_to_truth(target, "leaks", "-d", "60", *options)
        h.check(not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b]", result.out + result.err),
                "names: no control character", repr(result.out[:300]))
        h.check(len(result.out) < 20000, "names: one of 1 MiB is cut or left out", len(result.out))
        h.check("leaf" in result.out and "link_by_pointer" in result.out, "names: the others are")
        if options:
            h.keeps_contract("leaks", result)
        target.is_healthy()


def cut_while_read():
    """A library that shrinks and grows under the reader's hands."""
    source = h.run("sh", "-c", "readlink -f /usr/lib/x86_64-linux-gnu/libcrypto.so.*").split()[0]
    with open(source, "rb") as f:
        content = f.read()
    with open("shrinking.so", "wb") as f:
        f.write(content)
    over = threading.Event()

    def shrink():
        chance = random.Random(2)
        while not over.is_set():
            os.truncate("shrinking.so", chance.randrange(len(content)))
            h.time.sleep(0.001)
            with open("shrinking.so", "r+b") as f:
                f.write(content)

    # Not run by anybody, and mapped by one who does not look at it.
    target = h.Process(["sh", "-c", "exec python3 -c '\n"
                        "import mmap, os, signal, time\n"
                        "f = open(\"shrinking.so\", \"rb\")\n"
                        "m = mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE,"
                        " prot=mmap.PROT_READ | mmap.PROT_EXEC)\n"
                        "print(\"ready\", flush=True)\n"
                        "kept = []\n"
                        "while True: kept.append(bytearray(3000)); time.sleep(0.005)\n'"],
                       env={"PYTHONMALLOC": "malloc"})
    h.wait_until(lambda: "ready" in target.out(), 10, "the target")
    thread = threading.Thread(target=shrink)
    thread.start()
    try:
        for _ in range(20 if h.LONG else 4):
            document = h.keeps_contract("leaks", h.perftrace("leaks", "--json", "-d", "300ms", "-p",
                                                             target.pid))
            h.equal(document["ledger"]["balanced"], True, "cut while read: ledger.balanced")
    finally:
        over.set()
        thread.join()
    h.check(target.alive(), "cut while read: the target lives on")


hostile_tables()
hostile_names()
cut_while_read()
