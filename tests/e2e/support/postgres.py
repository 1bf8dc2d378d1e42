# SPDX-License-Identifier: BSD-2-Clause
"""A private PostgreSQL 15 cluster, reached by its Unix socket only.

The server is a copy of the installed one under a name of its own: whether perftrace may probe an
executable in all its processes depends on who else runs it, and this machine may have another
PostgreSQL.
"""
import glob
import os
import shutil
import tempfile

import harness as h

VERSION = 15


class Cluster:
    def __init__(self):
        bins = glob.glob(f"/usr/lib/postgresql/{VERSION}/bin")
        if not bins:
            h.give_up(f"postgresql-{VERSION} is not installed. make deps installs it.")
        self.bin = bins[0]
        # initdb refuses root, and the socket's path may have 107 characters only.
        self.directory = tempfile.mkdtemp(prefix="perftrace-pg.", dir="/tmp")
        shutil.chown(self.directory, "postgres", "postgres")
        self.data = f"{self.directory}/data"
        self.program = f"{self.directory}/private-pg"
        self.server = None

    def as_postgres(self, *argv, check_code=True, timeout=60):
        return h.run("runuser", "-u", "postgres", "--", *argv, cwd=self.directory,
                     check_code=check_code, timeout=timeout)

    def start(self):
        self.as_postgres(f"{self.bin}/initdb", "-D", self.data, "-A", "trust", "--no-sync",
                         "-E", "UTF8", "--locale=C")
        shutil.copy(f"{self.bin}/postgres", self.program)
        self.server = h.Process(
            ["runuser", "-u", "postgres", "--", self.program, "-D", self.data,
             "-k", self.directory, "-c", "listen_addresses=", "-c", "fsync=off",
             "-c", "jit=off", "-c", "autovacuum=off"])
        h.wait_until(lambda: self.query("select 1", check_code=False).strip() == "1" or
                     not self.server.alive(), 30, "PostgreSQL to start")
        if not self.server.alive():
            h.give_up(f"PostgreSQL did not start: {self.server.err()}")

    def postmaster(self):
        with open(f"{self.data}/postmaster.pid", encoding="ascii") as f:
            return int(f.readline())

    def query(self, sql, check_code=True):
        return self.as_postgres(f"{self.bin}/psql", "-h", self.directory, "-XAtq", "-c", sql,
                                "postgres", check_code=check_code)

    def pgbench(self, *args, timeout=60):
        return self.as_postgres(f"{self.bin}/pgbench", "-h", self.directory, *args, "postgres",
                                timeout=timeout)

    def start_stranger(self):
        """Another process of the same executable, which is none of this server's."""
        shutil.copytree(self.data, f"{self.directory}/other", symlinks=True)
        os.remove(f"{self.directory}/other/postmaster.pid")
        h.run("chown", "-R", "postgres:postgres", f"{self.directory}/other")
        read, self._write = os.pipe()
        stranger = h.Process(["runuser", "-u", "postgres", "--", self.program, "--single",
                              "-D", f"{self.directory}/other", "postgres"], stdin=read)
        h.wait_until(lambda: "backend>" in stranger.out() or not stranger.alive(), 20,
                     f"a single-user PostgreSQL: {stranger.err()}")
        h.check(stranger.alive(), "the stranger lives", stranger.err())
        return stranger

    def end_stranger(self, stranger):
        os.close(self._write)
        stranger.wait(20)

    def stop(self):
        if self.server and self.server.alive():
            self.as_postgres(f"{self.bin}/pg_ctl", "-D", self.data, "-m", "fast", "-s", "stop",
                             check_code=False)
            self.server.wait(30)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
