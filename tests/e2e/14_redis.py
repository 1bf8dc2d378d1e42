#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""redis-server: its allocator is libjemalloc, whose malloc is another than glibc's."""
import os
import re
import socket
import time

import harness as h

KEYS = 20000 if h.LONG else 3000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


port = free_port()
server = h.Process(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                    "--appendonly", "no", "--daemonize", "no", "--dir", os.getcwd()])


def cli(*args):
    return h.run("redis-cli", "-p", port, *args, check_code=False).strip()


h.wait_until(lambda: cli("ping") == "PONG", 10, "redis-server to answer")
tracer = h.Tracer("leaks", "-p", server.pid, "--json", "-d", "60")
with open("keys", "w", encoding="ascii") as f:
    f.writelines(f"SET key:{i:06} value-{i:06}\n" for i in range(KEYS))
with open("keys", "rb") as f:
    said = h.subprocess.run(["redis-cli", "-p", port, "--pipe"], stdin=f, timeout=30,
                            stdout=h.subprocess.PIPE, stderr=h.subprocess.STDOUT,
                            check=False).stdout.decode()
h.check(f"replies: {KEYS}" in said, "the keys are set", said)
time.sleep(0.3)
document = h.keeps_contract("leaks", tracer.stop())
h.check(re.search("jemalloc", document["target"]["allocator"] or ""), "target.allocator",
        document["target"]["allocator"])
heap = document["heap"]
# A key is at least its name, its value's object and its entry in the table.
h.check(heap["live_blocks"] >= 2 * KEYS, "live blocks grow with the keys", heap)
h.check(heap["live_bytes"] >= 40 * KEYS, "live bytes grow with the keys", heap)
h.equal(document["ledger"]["balanced"], True, "ledger.balanced")
h.equal(document["ledger"]["lost"], 0, "ledger.lost")
h.check(document["rss"]["growth_bytes"] > 0, "RSS grows", document["rss"])
h.check(document["candidates"] and document["candidates"][0]["live_blocks"] >= KEYS / 2,
        "the keys' call sites are found", [c["live_blocks"] for c in document["candidates"]])

# What DEL gives back is seen as freed.
tracer = h.Tracer("leaks", "-p", server.pid, "--json", "-d", "60")
h.equal(cli("flushall", "sync"), "OK", "flushall")
time.sleep(0.3)
document = h.keeps_contract("leaks", tracer.stop())
h.check(document["heap"]["unknown_frees"] >= 2 * KEYS, "frees of blocks from before the attach",
        document["heap"])
h.check(document["heap"]["live_blocks"] < 100, "and nothing else is counted", document["heap"])

h.equal(cli("set", "after", "all"), "OK", "redis-server is healthy afterwards")
h.equal(cli("get", "after"), "all", "and remembers")
server.signal(h.signal.SIGTERM)
h.equal(server.wait(10), 0, "its exit code")
