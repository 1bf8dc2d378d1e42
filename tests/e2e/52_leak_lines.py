#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The leak of a C++ program: function, file and line of the `new`, inlined frames included, and the
whole path from main; with the debug information inside, split off, wrong, in part, and gone."""
import os
import re
import secrets
import shutil

import harness as h
import stacks

SOURCE = "leak_site.cc"
BUILD_IDS = "/usr/lib/debug/.build-id"


class Scan:
    """What is said of one program, and checked of it: `leaks` runs of several go side by side."""

    def __init__(self, what, program, check, *args):
        self.what, self.program, self.check, self.args = what, os.path.abspath(program), check, args


def run_scans(*scans):
    done = stacks.leaks_of([s.program for s in scans], "--json")
    for scan, (truth, result) in zip(scans, done):
        document = h.keeps_contract("leaks", result)
        stacks.check_complete(document, scan.what, at_least=truth["blocks"])
        mine = stacks.with_blocks_of(document, truth["bytes"] // truth["blocks"])
        if not h.check(mine, f"{scan.what}: the leak is found"):
            continue
        h.equal((mine["live_blocks"], mine["live_bytes"]), (truth["blocks"], truth["bytes"]),
                f"{scan.what}: its books")
        while mine["stack"] and "operator new" in (mine["stack"][0]["function"] or ""):
            mine["stack"] = mine["stack"][1:]
        scan.check(scan.what, truth, own(mine, scan.program), *scan.args)


def own(candidate, program):
    return [f for f in candidate["stack"] if stacks.module(f) == os.path.basename(program)]


def has_lines(what, truth, frames):
    path = truth["path"]
    h.equal([[stacks.bare(f["function"]), f["line"], f["inlined"]] for f in frames[:len(path)]],
            path, f"{what}: functions, lines, inlined")
    h.equal({os.path.basename(f["file"] or "") for f in frames[:len(path)]}, {SOURCE},
            f"{what}: files")
    h.equal([stacks.bare(f["function"]) for f in frames[len(path):]], ["_start"],
            f"{what}: below main")


def has_names(what, truth, frames):
    """Symbols only: what was inlined is a part of its caller."""
    path = [name for name, _, inlined in truth["path"] if not inlined]
    h.equal([stacks.bare(f["function"]) for f in frames][:len(path)], path, f"{what}: functions")
    h.equal({f["line"] for f in frames}, {None}, f"{what}: no line is made up")
    h.equal({f["inlined"] for f in frames}, {False}, f"{what}: nor an inlined frame")


def has_no_names(what, truth, frames, build_id):
    """The module, the address in it and its build-id are what is left."""
    h.equal({f["function"] for f in frames}, {None}, f"{what}: no function is made up")
    h.equal(len(frames), 1 + sum(not inlined for *_, inlined in truth["path"]),
            f"{what}: all frames are there")
    h.equal({f["build_id"] for f in frames}, {build_id}, f"{what}: build-ids")


def as_text(program, stripped, build_id):
    (truth, result), (_, bare) = stacks.leaks_of([program, os.path.abspath(stripped)])
    report, at = result.out, 0
    for name, line, inlined in truth["path"]:
        found = re.compile(rf"^ +{re.escape(name)}\b[^\n]*{re.escape(SOURCE)}:{line}\b[^\n]*$",
                           re.M).search(report, at)
        if not h.check(found, f"text: {name} with {SOURCE}:{line}, in its place", report):
            return
        h.equal("inlined" in found.group(), inlined, f"text: {name}: inlined: {found.group()}")
        at = found.end()
    nameless = re.findall(rf"{stripped}\+0x[0-9a-f]+ \[{build_id[:8]}", bare.out)
    h.check(len(nameless) >= sum(not inlined for *_, inlined in truth["path"]),
            "text: module+address [build-id]", bare.out)


def build(program, build_id):
    """A copy of the program with a build-id of our own: the file below /usr/lib/debug is ours."""
    h.run("g++", "-std=c++17", "-D_GNU_SOURCE", "-O2", "-g", "-fomit-frame-pointer",
          f"-I{h.TOP}/user/include", f"-Wl,--build-id=0x{build_id}",
          f"{h.TOP}/tests/targets/{SOURCE}", "-o", program)


def split(program, stripped, *, link=None):
    """Debug information to stripped.debug; `link` names it in the program."""
    h.run("objcopy", "--only-keep-debug", program, f"{stripped}.debug")
    h.run("strip", "-o", stripped, program)
    if link:
        h.run("objcopy", f"--add-gnu-debuglink={link}", stripped)


def mini(program, name, broken=False):
    """As Fedora has it: symbols of functions, xz-compressed, in .gnu_debugdata."""
    keep = ["main", *(s for s in h.run("nm", program).split() if s.startswith("_ZN4shop"))]
    h.run("objcopy", "--only-keep-debug", program, "mini.full")
    h.run("objcopy", "-S", "--remove-section", ".comment",
          *(f"--keep-symbol={s}" for s in keep), "mini.full", "mini.debug")
    h.run("xz", "-f", "mini.debug")
    if broken:
        with open("mini.debug.xz", "r+b") as f:
            f.seek(40)
            f.write(b"\xff" * 40)
    h.run("strip", "-o", name, program)
    h.run("objcopy", "--add-section", ".gnu_debugdata=mini.debug.xz", name)


ID = secrets.token_hex(20)
DIRECTORY = f"{BUILD_IDS}/{ID[:2]}"
DEBUG_FILE = f"{DIRECTORY}/{ID[2:]}.debug"


def all_kinds():
    build("whole", ID)
    build("other", secrets.token_hex(20))
    h.run("strip", "--strip-debug", "-o", "symbols_only", "whole")
    h.run("strip", "-o", "bare", "whole")
    split("whole", "by_link", link="by_link.debug")
    split("whole", "in_dir", link="in_dir.debug")
    os.mkdir(".debug")
    os.rename("in_dir.debug", ".debug/in_dir.debug")
    # Another program's, under the same name: its build-id and its checksum give it away.
    split("whole", "wrong_link", link="wrong_link.debug")
    h.run("objcopy", "--only-keep-debug", "other", "wrong_link.debug")
    mini("whole", "mini")
    mini("whole", "broken_mini", broken=True)
    run_scans(Scan("debug information inside", f"{h.TARGETS}/leak_site", has_lines),
              Scan("symbols only", "symbols_only", has_names),
              Scan("stripped", "bare", has_no_names, ID),
              Scan("debug file by its link", "by_link", has_lines))
    run_scans(Scan("debug file in .debug", "in_dir", has_lines),
              Scan("debug file with a wrong checksum", "wrong_link", has_no_names, ID),
              Scan(".gnu_debugdata", "mini", has_names),
              Scan("broken .gnu_debugdata", "broken_mini", has_no_names, ID))
    as_text(f"{h.TARGETS}/leak_site", "bare", ID)


def by_build_id():
    split("whole", "by_id")
    made = [d for d in ("/usr/lib/debug", BUILD_IDS, DIRECTORY) if not os.path.isdir(d)]
    os.makedirs(DIRECTORY, exist_ok=True)
    try:
        shutil.copy("by_id.debug", DEBUG_FILE)
        run_scans(Scan("debug file by build-id", "by_id", has_lines))
        # It says of itself that it is another's: its names are not believed.
        h.run("objcopy", "--only-keep-debug", "other", DEBUG_FILE)
        run_scans(Scan("debug file with a wrong build-id", "by_id", has_no_names, ID))
        with open(DEBUG_FILE, "wb") as f:
            f.write(b"\x7fELF" + secrets.token_bytes(5000))
        run_scans(Scan("debug file of rubbish", "by_id", has_no_names, ID))
    finally:
        if os.path.exists(DEBUG_FILE):
            os.remove(DEBUG_FILE)
        for d in reversed(made):
            try:
                os.rmdir(d)
            except OSError:
                pass


all_kinds()
by_build_id()
