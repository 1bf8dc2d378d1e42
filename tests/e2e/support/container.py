#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A small container: container.py bind|overlay[,OPTION] ROOT SCRATCH COMMAND [ARGS]

Runs COMMAND as process 1 of its own PID namespace, in its own mount namespace whose root is ROOT
itself or an overlay of it (its upper layer in memory), entered with pivot_root. Nothing of the
host's files is left in there. Prints "host PID" with the PID seen outside, waits, and ends as
COMMAND ended. SIGTERM and SIGINT are COMMAND's business.

Nothing is mounted outside the namespace, so nothing has to be cleaned up.

As a module: make_root() fills a ROOT, Contained is a harness Target inside.
"""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWPID = 0x20000, 0x20000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
SYS_PIVOT_ROOT = 155

libc = ctypes.CDLL(None, use_errno=True)


def need(result, what):
    if result:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source, target, kind, flags=0, data=""):
    need(libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()),
         f"mount {kind} on {target}")


def new_root(how, root, scratch):
    if how == "bind":
        mount(root, root, "", MS_BIND)
        return root
    mount("tmpfs", scratch, "tmpfs")
    for name in ("upper", "work", "merged"):
        os.mkdir(f"{scratch}/{name}")
    mount("overlay", f"{scratch}/merged", "overlay", 0,
          f"lowerdir={root},upperdir={scratch}/upper,workdir={scratch}/work"
          + how.removeprefix("overlay"))
    return f"{scratch}/merged"


def enter(how, root, scratch):
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    root = new_root(how, root, scratch)
    os.makedirs(f"{root}/old", exist_ok=True)
    os.makedirs(f"{root}/proc", exist_ok=True)
    mount("proc", f"{root}/proc", "proc")
    os.chdir(root)
    need(libc.syscall(SYS_PIVOT_ROOT, b".", b"old"), "pivot_root")
    os.chdir("/")
    need(libc.umount2(b"/old", MNT_DETACH), "umount")


def main():
    how, root, scratch, *command = sys.argv[1:]
    need(libc.unshare(CLONE_NEWNS | CLONE_NEWPID), "unshare")
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.read(read, 1)
        enter(how, os.path.abspath(root), os.path.abspath(scratch))
        os.execv(command[0], command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _: os.kill(pid, n))
    print(f"host {pid}", flush=True)
    os.write(write, b"x")
    status = os.waitpid(pid, 0)[1]
    sys.exit(os.waitstatus_to_exitcode(status) & 255)


def libraries_of(program):
    """Files it is linked with, by ldd."""
    said = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True).stdout.decode()
    return re.findall(r"(/\S+) \(0x", said)


def make_root(root, programs):
    """Copies of programs to /bin and of their libraries to where they look for them."""
    os.makedirs(f"{root}/bin", exist_ok=True)
    for program in programs:
        shutil.copy(program, f"{root}/bin/")
        for library in libraries_of(program):
            os.makedirs(root + os.path.dirname(library), exist_ok=True)
            shutil.copy(library, root + library)


if __name__ == "__main__":
    main()
else:
    import harness as h

    class Contained(h.Target):
        """A target program from ROOT/bin, seen by its PID on the host."""

        def __init__(self, name, *args, root, how="bind"):
            scratch = f"{os.path.abspath(root)}.scratch.{len(h._started)}"
            os.makedirs(scratch, exist_ok=True)
            super().__init__(name, how, root, scratch, f"/bin/{name}", *args, path=__file__)
            self.pid = int(self._line("host", 10))
