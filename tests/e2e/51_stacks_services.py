#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
"""Debian's services, built without frame pointers: at least 99.5 % of the stacks that are taken
reach the outermost frame, and they are the stacks of these programs."""
import os
import socket
import time

import harness as h
import postgres
import stacks

SHARE = 0.995
ALL = ("--json", "--top", "100000", "-d", "60")
SECONDS = 20 if h.LONG else 2

# Allocations by C code at the end of long ways: the codecs of json, decimal, zlib, sqlite3.
PYTHON = """
import os, signal, threading
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
import decimal, json, re, sqlite3, time, zlib
def work(seconds, kept):
    db = sqlite3.connect(":memory:")
    db.execute("create table t (a integer, b text)")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        text = json.dumps({str(i): [i, i / 3, "x" * i] for i in range(100)})
        kept.append(json.loads(text))
        zlib.decompress(zlib.compress(text.encode()))
        db.executemany("insert into t values (?, ?)", [(i, text) for i in range(20)])
        db.execute("select a, group_concat(b) from t group by a order by a").fetchall()
        kept.append(decimal.Decimal(2).sqrt(decimal.Context(prec=3000)))
        re.sub(r"(\\\\d+)", lambda m: m.group(1) * 2, text)
        db.execute("delete from t")
        del kept[:-50]
print("ready", os.getpid(), flush=True)
if signal.sigwait([signal.SIGUSR1, signal.SIGTERM]) == signal.SIGUSR1:
    kept = []
    others = [threading.Thread(target=work, args=(SECONDS, kept)) for _ in range(2)]
    for t in others:
        t.start()
    work(SECONDS, kept)
    for t in others:
        t.join()
    print('truth {}', flush=True)
    signal.sigwait([signal.SIGTERM])
"""


def judge(what, document, functions, at_least):
    """`functions`: of each group one is on every stack, whatever the ledger calls complete."""
    books = stacks.ledger(document)
    print(f"{what}: {books}", flush=True)
    stacks.check_complete(document, what, SHARE, at_least)
    h.equal(document["ledger"]["balanced"], True, f"{what}: ledger.balanced")
    wrong = 0
    for c in document["candidates"]:
        names = set(stacks.names(c))
        missing = [group for group in functions if not names & group]
        if missing and not c.get("truncated"):
            wrong += c["allocs"]
            print(f"{what}: without {missing[0]}: {stacks.text(c)}")
    listed = sum(c["allocs"] for c in document["candidates"])
    h.check(wrong <= listed * (1 - SHARE), f"{what}: where its stacks end", f"{wrong} of {listed}")


def of_postgresql():
    with postgres.Cluster() as cluster:
        cluster.pgbench("-i", "-s", "1", "-q")
        tracer = h.Tracer("leaks", *ALL, "-p", cluster.postmaster())
        # Backends at work when it ends have what they hold.
        load = h.Process(["runuser", "-u", "postgres", "--", f"{cluster.bin}/pgbench", "-h",
                          cluster.directory, "-n", "-c", "2", "-T", "60", "postgres"],
                         cwd=cluster.directory)
        time.sleep(SECONDS)
        document = h.keeps_contract("leaks", tracer.stop())
        load.end()
        judge("PostgreSQL", document, [{"_start"}, {"main"}], 1000)
        h.check(document["candidates"], "PostgreSQL: backends hold memory", document["heap"])
        h.equal(cluster.query("select 6*7").strip(), "42", "PostgreSQL is healthy afterwards")


def of_redis():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    server = h.Process(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                        "--appendonly", "no", "--daemonize", "no", "--dir", os.getcwd()])
    h.wait_until(lambda: h.run("redis-cli", "-p", port, "ping", check_code=False).strip() == "PONG",
                 10, "redis-server to answer")
    tracer = h.Tracer("leaks", *ALL, "-p", server.pid)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        h.run("redis-benchmark", "-p", port, "-q", "-n", "4000", "-r", "5000", "-P", "4", "-t",
              "set,get,lpush,hset,zadd,sadd,spop,mset")
    document = h.keeps_contract("leaks", tracer.stop())
    judge("redis-server", document, [{"_start", "clone", "clone3"}], 10000)
    server.signal(h.signal.SIGTERM)
    h.equal(server.wait(10), 0, "redis-server's exit code")


def of_python():
    if not os.path.exists("/usr/bin/python3.11"):
        h.give_up("python3.11 of Debian is not installed. make deps installs it.")
    with open("program.py", "w", encoding="utf-8") as f:
        f.write(PYTHON.replace("SECONDS", str(SECONDS)))
    target = h.Target("python3.11", "-I", "program.py", path="/usr/bin/python3.11",
                      env={"PYTHONMALLOC": "default"})
    _, result = h.trace_to_truth(target, "leaks", *ALL)
    document = h.keeps_contract("leaks", result)
    judge("python3.11", document, [{"_start", "clone", "clone3"},
                                   {"Py_BytesMain", "start_thread", "pthread_create", "clone3"}],
          10000)
    target.is_healthy()


def of_cxx():
    target = h.Target("deep", 200)
    _, result = h.trace_to_truth(target, "leaks", *ALL, "--stack-depth", "128")
    document = h.keeps_contract("leaks", result)
    target.is_healthy()
    books = stacks.ledger(document)
    print(f"deep: {books}", flush=True)
    # The path of 150 frames is deeper than what is kept; all others must be whole.
    deep = books["depth"]
    h.equal(deep, 200, "deep: as many as were walked are too deep")
    h.check((books["complete"] + deep) / max(books["captured"], 1) >= SHARE, "deep: complete", books)


of_cxx()
of_python()
of_redis()
of_postgresql()
