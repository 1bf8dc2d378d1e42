#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mkinitrd.py OUTPUT ENTRY...: writes a Linux initial file system with the entries given.

ENTRY is HOST-FILE (at the same path in the guest), HOST-FILE:GUEST-PATH, or DIRECTORY:GUEST-PATH
(all regular files in it). Programs bring the shared libraries they are linked with, at the host's
paths. Directories are made as needed. The format is "newc", see the kernel's
Documentation/driver-api/early-userspace/buffer-format.rst; not compressed, because the guest is
slower at unpacking than the host is at handing over.
"""
import os
import re
import stat
import subprocess
import sys

MODE_DIR = stat.S_IFDIR | 0o755


def libraries(path):
    """What ldd says a program needs, the loader included. None for scripts and static programs."""
    with open(path, "rb") as f:
        if f.read(4) != b"\x7fELF":
            return []
    done = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    said = done.stdout.decode()
    if "not found" in said:
        sys.exit(f"mkinitrd: {path} lacks a library: {said}")
    return re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", said, re.M)


class Tree:
    def __init__(self):
        self.files = {}  # path in the guest: path on the host
        self.directories = set()

    def add(self, host, guest=None):
        guest = os.path.normpath(guest or host)
        if guest in self.files:
            return
        self.files[guest] = host
        self.add_directory(os.path.dirname(guest))
        for library in libraries(host):
            self.add(library)

    def add_directory(self, guest):
        while guest != "/":
            self.directories.add(guest)
            guest = os.path.dirname(guest)


def record(out, number, name, mode, data=b""):
    """One file: 13 hexadecimal fields, name, content; both padded to four bytes."""
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
    out.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))


def write(tree, path):
    with open(path + ".new", "wb") as out:
        number = 0
        # Parents sort before what is in them.
        for name in sorted(tree.directories | set(tree.files)):
            number += 1
            if name in tree.directories:
                record(out, number, name.lstrip("/"), MODE_DIR)
                continue
            with open(tree.files[name], "rb") as f:
                mode = stat.S_IFREG | (os.fstat(f.fileno()).st_mode & 0o777)
                record(out, number, name.lstrip("/"), mode, f.read())
        record(out, 0, "TRAILER!!!", 0)
    os.rename(path + ".new", path)


def main(argv):
    if len(argv) < 3:
        sys.exit(__doc__.splitlines()[0])
    tree = Tree()
    for directory in ("/dev", "/proc", "/sys", "/tmp", "/root"):
        tree.add_directory(directory)
    for entry in argv[2:]:
        host, _, guest = entry.partition(":")
        if os.path.isdir(host):
            for name in sorted(os.listdir(host)):
                if os.path.isfile(f"{host}/{name}"):
                    tree.add(f"{host}/{name}", f"{guest or host}/{name}")
        else:
            tree.add(host, guest)
    write(tree, argv[1])


if __name__ == "__main__":
    main(sys.argv)
