# SPDX-License-Identifier: BSD-2-Clause
"""gdb's Python: the backtrace at malloc's first instruction for every size in $SIZES, to $OUTPUT.

gdb -batch -nx -x gdb_stacks.py --args PROGRAM ARGUMENTS... Each stack is a list of frames, leaf
first: {"name", "inlined", "module", "offset"}; the offset is that of the return address (of an
interrupted frame: of the instruction) in its file's addresses. Frames that gdb only infers, those
of tail calls, are not on the stack and are left out.
"""
import json
import os

import gdb

sizes = {int(s) for s in os.environ["SIZES"].split(",")}
found = {}
mappings = []


def read_mappings():
    """(start, end, file, base): the base is where the file's address 0 lies."""
    mappings.clear()
    lowest = {}
    with open(f"/proc/{gdb.selected_inferior().pid}/maps", encoding="ascii") as f:
        for line in f:
            field = line.split(None, 5)
            if len(field) < 6:
                continue
            start, end = (int(x, 16) for x in field[0].split("-"))
            name = field[5].strip()
            lowest.setdefault(name, start - int(field[2], 16))
            mappings.append((start, end, name, lowest[name]))


def fixed_address(name):
    """An executable that is not position-independent is addressed as it is."""
    try:
        with open(name, "rb") as f:
            return f.read(18)[16] == 2
    except OSError:
        return False


def place(pc):
    for start, end, name, base in mappings:
        if start <= pc < end:
            return os.path.basename(name), pc if fixed_address(name) else pc - base
    return None, pc


def backtrace():
    frame, stack = gdb.newest_frame(), []
    read_mappings()
    while frame is not None and frame.is_valid():
        kind = frame.type()
        if kind != gdb.TAILCALL_FRAME:
            module, offset = place(frame.pc())
            stack.append({"name": frame.name(), "inlined": kind == gdb.INLINE_FRAME,
                          "module": module, "offset": offset,
                          "signal": kind == gdb.SIGTRAMP_FRAME})
        frame = frame.older()
    return stack


class AtMalloc(gdb.Breakpoint):
    def stop(self):
        size = int(gdb.parse_and_eval("$rdi"))
        if size in sizes and size not in found:
            found[size] = backtrace()
        return False


for command in ("set pagination off", "set confirm off", "set debuginfod enabled off",
                "set backtrace limit 1000", "set backtrace past-main on",
                "handle SIGUSR1 SIGUSR2 SIGILL SIGURG nostop noprint pass", "break main", "run"):
    gdb.execute(command)
at = AtMalloc("*malloc")
gdb.execute("continue")
with open(os.environ["OUTPUT"], "w", encoding="ascii") as f:
    json.dump(found, f)
