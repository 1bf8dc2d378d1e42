# SPDX-License-Identifier: BSD-2-Clause
"""Breakpoints in a process' code, seen from outside: memory against the file it was mapped from."""
import glob
import os
import shutil

import harness as h


def private_libc():
    """Environment for a target with a C library of its own: a probe that somebody else on this
    machine has on the installed one does not show in it."""
    directory = os.path.abspath("lib")
    if not os.path.isdir(directory):
        os.mkdir(directory)
        shutil.copy(glob.glob("/lib/x86_64-linux-gnu/libc.so.6")[0], directory)
    return {"LD_LIBRARY_PATH": directory}


def mappings(pid):
    """(begin, end, file offset, path) of executable mappings of files."""
    for line in h.read_text(f"/proc/{pid}/maps").splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
            begin, end = (int(x, 16) for x in fields[0].split("-"))
            yield begin, end, int(fields[2], 16), fields[5]


def patched(pid):
    """[(path, file offset)] of bytes of code that differ from the file."""
    found = []
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for begin, end, offset, path in mappings(pid):
            with open(path, "rb") as file:
                file.seek(offset)
                original = file.read(end - begin)
            memory.seek(begin)
            code = memory.read(len(original))
            if code != original:
                found += [(path, offset + i) for i in range(len(original))
                          if code[i] != original[i]]
    return found


def bytes_at(pid, path, offset):
    """The byte of the process' code that was mapped from there."""
    for begin, end, start, name in mappings(pid):
        if name == path and start <= offset < start + end - begin:
            with open(f"/proc/{pid}/mem", "rb") as memory:
                memory.seek(begin + offset - start)
                return memory.read(1)
    return None


def check_clean(pid):
    h.equal(patched(pid), [], f"bytes of code that differ from the file in {pid}")
