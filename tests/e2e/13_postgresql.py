#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
"""PostgreSQL under pgbench, traced by its postmaster's PID: every transaction's UPDATE is a span,
nesting is right, errors leave unwound spans, and the server does not notice the detach."""
import collections
import re
import time

import harness as h
import postgres
import spanlog

CLIENTS, TRANSACTIONS = (8, 2000) if h.LONG else (4, 200)


def transactions(report):
    return int(re.search(r"number of transactions actually processed: (\d+)", report).group(1))


def stop(tracer, what):
    """Seconds from Ctrl-C to the end: probes of all backends are gone then."""
    begin = time.monotonic()
    result = tracer.stop(timeout=20)
    seconds = time.monotonic() - begin
    h.check(seconds < 5, f"{what}: stops in {seconds:.1f} s")
    return result


def updates(spans):
    return sum("UPDATE pgbench_accounts" in (s.context or "") for s in spans)


def new_backends(cluster):
    """pgbench connects while perftrace runs: its backends are born under its eyes."""
    tracer = h.Tracer("spans", "-p", cluster.postmaster(), "-o", "spans.log")
    report = cluster.pgbench("-c", str(CLIENTS), "-t", str(TRANSACTIONS), timeout=90)
    time.sleep(0.3)
    result = stop(tracer, "new backends")
    log = spanlog.Log(h.read_text("spans.log"))
    for error in (log.errors + log.tree_errors())[:20]:
        h.fail(f"log: {error}")
    lost = re.search(r"^DATA .* events, ([\d ]+) lost, books balanced$", result.out, re.M)
    if not h.check(lost, "the ledger's line", result.out):
        return
    lost = int(lost.group(1).replace(" ", ""))
    queries = log.of("span", "postgresql.query")
    seen, wanted = updates(queries), transactions(report)
    # In the long run the machine may be too busy to read along; then the ledger has counted it.
    h.check(seen == wanted if not lost or not h.LONG else wanted - lost <= seen <= wanted,
            "queries that update pgbench_accounts",
            f"{seen} of {wanted}\n{result.err}{result.out}")
    h.equal({q.depth for q in queries}, {0}, "depth of a query")
    for part in ("parse", "plan", "execute"):
        depths = collections.Counter(l.depth for l in log.of("span", f"postgresql.query-{part}"))
        h.check(depths[1] >= 3 * seen and 0 not in depths, f"query-{part} is below query",
                dict(depths))
    h.check(log.of("span", "postgresql.transaction"), "transactions are spans")
    h.check(any(re.match(r"postgresql\.query ", l) for l in result.out.splitlines()),
            "the summary has the queries", result.out)


def json_tree(cluster):
    """The same, machine-readable: ids make the tree."""
    tracer = h.Tracer("spans", "-p", cluster.postmaster(), "--json")
    report = cluster.pgbench("-c", "2", "-t", "50")
    time.sleep(0.3)
    records = h.keeps_contract("spans", stop(tracer, "json"))
    spans = [r for r in records if r["type"] == "span"]
    h.equal(sum(s["name"] == "postgresql.query" and "UPDATE pgbench_accounts" in
                (s["context"] or "") for s in spans), transactions(report), "json: updates")
    by_id = {s["id"]: s for s in spans}
    above = collections.Counter(by_id[s["parent"]]["name"] if s["parent"] else None
                                for s in spans if s["name"] == "postgresql.query-execute")
    # Also below itself: PortalRun and PortalRunMulti both fire it.
    h.equal(set(above), {"postgresql.query", "postgresql.query-execute"},
            "query-execute is below query")
    h.equal({s["parent"] for s in spans if s["name"] == "postgresql.transaction"}, {None},
            "a transaction straddles queries: it has no parent")
    h.equal(records[-1]["ledger"]["lost"], 0, "json: ledger.lost")


def errors(cluster):
    """PostgreSQL fires no query-done when a statement fails; the next statement heals it."""
    tracer = h.Tracer("spans", "-p", cluster.postmaster(), "-u", "postgresql:query", "--json")
    cluster.as_postgres("sh", "-c", f"{cluster.bin}/psql -h {cluster.directory} -XAtq postgres "
                        + " ".join(f"-c 'select {i}/0' -c 'select {i}'" for i in range(1, 6))
                        + " 2>/dev/null")
    time.sleep(0.3)
    records = h.keeps_contract("spans", stop(tracer, "errors"))
    queries = [r for r in records if r["type"] == "span" and r["name"] == "postgresql.query"]
    found = collections.Counter((s["context"], s["status"], s["depth"]) for s in queries)
    want = {(f"select {i}/0", "unwound", 0): 1 for i in range(1, 6)}
    want |= {(f"select {i}", "ok", 0): 1 for i in range(1, 6)}
    h.equal(dict(found), want, "failing queries are unwound, the others not below them")


def beside_a_stranger(cluster):
    """Somebody else runs the same executable and must not pay, so every backend gets probes of its
    own some milliseconds after its birth. What it did until then is missing, and that is said;
    what is there is right."""
    stranger = cluster.start_stranger()
    tracer = h.Tracer("spans", "-p", cluster.postmaster(), "--json", "-u", "postgresql:query",
                      "-u", "postgresql:transaction")
    report = cluster.pgbench("-n", "-c", str(CLIENTS), "-t", str(TRANSACTIONS), timeout=90)
    time.sleep(0.3)
    records = h.keeps_contract("spans", stop(tracer, "beside a stranger"))
    cluster.end_stranger(stranger)
    queries = [r for r in records if r["type"] == "span" and r["name"] == "postgresql.query"]
    seen = sum("UPDATE pgbench_accounts" in (s["context"] or "") for s in queries)
    wanted = transactions(report)
    h.check(wanted * 0.5 <= seen <= wanted, "beside a stranger: updates", f"{seen} of {wanted}")
    h.equal({s["status"] for s in queries}, {"ok"},
            "beside a stranger: no query is called unwound or unfinished")
    h.equal({s["depth"] for s in queries}, {0}, "beside a stranger: depth")
    children = records[-1]["ledger"]["children"]
    h.check(children["followed"] >= CLIENTS and children["gap_ns_max"] > 0,
            "beside a stranger: the ledger tells of the gap", children)
    h.check(any(n.startswith("children:") for n in records[-1]["notes"]), "and so does a note",
            records[-1]["notes"])


with postgres.Cluster() as cluster:
    cluster.pgbench("-i", "-s", "1", "-q")
    new_backends(cluster)
    json_tree(cluster)
    errors(cluster)
    beside_a_stranger(cluster)
    h.equal(cluster.query("select 6*7").strip(), "42", "PostgreSQL is healthy afterwards")
    h.check("terminated" not in cluster.server.err(), "no backend died", cluster.server.err())
