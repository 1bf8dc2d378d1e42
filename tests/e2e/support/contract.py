# SPDX-License-Identifier: BSD-2-Clause
"""The JSON contract of perftrace's documents and streams, as its users rely on it.

Each check takes a parsed value and returns a list of breaches, each with its path. Besides names
and types they hold the numbers against each other: books balance, sums are sums, a tree is a tree.
What is null must be named in the notes, unless null is a value of its own (a root's parent).
"""
import re

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")
VERDICTS = ("definite", "probable", "growing-cache", "plateau", "startup", "pool",
            "insufficient-data")
STATUSES = ("ok", "unwound", "unfinished", "open")


class Checker:
    def __init__(self):
        self.breaches = []
        self.nulls = {}  # field name -> path of the first null

    def breach(self, path, what):
        self.breaches.append(f"{path}: {what}")

    def claim(self, condition, path, what):
        if not condition:
            self.breach(path, what)

    def object(self, path, value, shape):
        """`shape` maps field names to types; a name with "?" may be null (noted), with "~" is
        null by nature."""
        if not isinstance(value, dict):
            self.breach(path, f"{value!r} is no object")
            return False
        good = True
        for name, kind in shape.items():
            key = name.rstrip("?~")
            where = f"{path}.{key}"
            if key not in value:
                self.breach(where, "missing")
                good = False
            elif value[key] is None:
                if name.endswith("?"):
                    self.nulls.setdefault(key, where)
                elif not name.endswith("~"):
                    self.breach(where, "null")
                    good = False
            elif not self.typed(value[key], kind):
                self.breach(where, f"{value[key]!r:.60} is not {kind}")
                good = False
        return good

    @staticmethod
    def typed(value, kind):
        if isinstance(kind, tuple):
            return value in kind
        if kind == "time":
            return isinstance(value, str) and bool(TIME.match(value))
        if kind == "size":
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if kind == "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        if kind == "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return isinstance(value, {"text": str, "flag": bool, "list": list, "object": dict}[kind])

    def notes(self, path, notes):
        """Every null has its reason."""
        if not isinstance(notes, list) or not all(isinstance(n, str) and n for n in notes):
            self.breach(path, "not a list of sentences")
            return
        text = "\n".join(notes)
        for key, where in self.nulls.items():
            self.claim(re.search(rf"\b{re.escape(key)}\b", text), where,
                       "null, and no note says why")


# ---- shared objects ----

TARGET = {"pid": "size", "comm": "text", "exe?": "text", "allocator?": "text", "started?": "time"}
RSS = {"start_bytes?": "size", "end_bytes?": "size", "growth_bytes?": "integer",
       "slope_bytes_per_hour?": "number"}
OVERHEAD = {"probe_hits": "size", "estimated_percent?": "number", "tracer_cpu_percent?": "number",
            "tracer_rss_bytes?": "size"}
LEDGER = {"seen": "size", "lost": "size", "unmatched": "size", "balanced": "flag",
          "stacks~": "object"}
SPAN_BOOKS = {k: "size" for k in ("starts", "ends", "unwound", "unfinished", "dropped", "open",
                                  "orphan_ends")}
HEAP_BOOKS = {k: "size" for k in ("allocs", "frees", "live", "in_flight", "gone", "lost",
                                  "unknown_frees")}
STACK_QUALITY = {"captured": "size", "complete": "size", "complete_share": "number",
                 "cut_shares": "object"}
STOPS = ("no_mapping", "no_rule", "read_fault", "depth", "no_tables")
FRAME = {"function~": "text", "module~": "text", "build_id~": "text", "offset~": "size",
         "file~": "text", "line~": "size", "inlined": "flag"}


def _rss(c, path, rss):
    if c.object(path, rss, RSS) and rss["growth_bytes"] is not None:
        c.claim(rss["growth_bytes"] == rss["end_bytes"] - rss["start_bytes"], path,
                "growth is not end - start")


def _ledger(c, path, ledger):
    if not c.object(path, ledger, LEDGER):
        return
    residuals = []
    spans, heap = ledger.get("spans"), ledger.get("heap")
    if spans is not None and c.object(f"{path}.spans", spans, SPAN_BOOKS):
        residuals.append(spans["starts"] - sum(
            spans[k] for k in ("ends", "unwound", "unfinished", "dropped", "open")))
    if heap is not None and c.object(f"{path}.heap", heap, HEAP_BOOKS):
        residuals.append(heap["allocs"] - sum(
            heap[k] for k in ("frees", "live", "in_flight", "gone", "lost")))
    stacks = ledger.get("stacks")
    if stacks is not None and c.object(f"{path}.stacks", stacks, STACK_QUALITY):
        cut = stacks["cut_shares"]
        c.claim(tuple(cut) == STOPS, f"{path}.stacks.cut_shares", f"names {list(cut)}")
        c.claim(stacks["captured"] > 0, f"{path}.stacks", "there, but none was captured")
        c.claim(abs(stacks["complete_share"] * stacks["captured"] - stacks["complete"]) < 1e-6
                * stacks["captured"], f"{path}.stacks", "the share is not complete / captured")
        c.claim(abs(stacks["complete_share"] + sum(cut.values()) - 1) < 1e-6, f"{path}.stacks",
                "the shares do not add up to 1")
    c.claim(ledger["balanced"] == (not any(residuals)), path,
            f"balanced is {ledger['balanced']}, the residuals are {residuals}")


# ---- perftrace leaks --json ----

HEAP = {**{k: "size" for k in ("allocs", "frees", "alloc_bytes", "freed_bytes", "live_bytes",
                               "live_blocks", "peak_live_bytes", "unknown_frees")},
        "sampled": "flag"}
CANDIDATE = {"verdict?": VERDICTS, "component?": "text", "live_bytes": "size",
             "live_blocks": "size", "allocs": "size", "frees": "size", "average_bytes": "number",
             "growth_bytes_per_hour?": "number", "first_seen": "time", "last_seen": "time",
             "retainer?": "object", "stack": "list", "evidence": "list"}


def _candidate(c, path, candidate):
    if not c.object(path, candidate, CANDIDATE):
        return
    for i, frame in enumerate(candidate["stack"]):
        c.object(f"{path}.stack[{i}]", frame, FRAME)
    c.claim(candidate["live_blocks"] > 0, path, "no live block")
    c.claim(candidate["live_blocks"] <= candidate["allocs"], path, "more live than allocated")
    c.claim(abs(candidate["average_bytes"] * candidate["live_blocks"] - candidate["live_bytes"])
            <= candidate["live_blocks"] * 0.5, path, "average is not bytes / blocks")
    c.claim(candidate["first_seen"] <= candidate["last_seen"], path, "first seen after last seen")
    c.claim(all(isinstance(e, str) for e in candidate["evidence"]), path, "evidence is not text")


def leaks(document):
    c = Checker()
    shape = {"schema": ("perftrace/leaks/1",), "target": "object", "duration_s": "number",
             "rss": "object", "heap?": "object", "candidates": "list", "patterns": "list",
             "recommendations": "list", "ledger": "object", "overhead": "object", "notes": "list"}
    if not c.object("$", document, shape):
        return c.breaches
    c.object("$.target", document["target"], TARGET)
    c.object("$.overhead", document["overhead"], OVERHEAD)
    _rss(c, "$.rss", document["rss"])
    _ledger(c, "$.ledger", document["ledger"])
    for i, candidate in enumerate(document["candidates"]):
        _candidate(c, f"$.candidates[{i}]", candidate)
    heap = document["heap"]
    if heap is not None and c.object("$.heap", heap, HEAP) and not c.breaches:
        for key in ("live_bytes", "live_blocks"):
            listed = sum(x[key] for x in document["candidates"])
            c.claim(listed <= heap[key], f"$.heap.{key}", f"candidates hold {listed}")
        c.claim(heap["peak_live_bytes"] >= heap["live_bytes"], "$.heap", "peak below live")
        books = document["ledger"].get("heap")
        if document["ledger"]["balanced"] and books:
            c.claim(heap["live_blocks"] == books["live"], "$.heap", "live is not the ledger's")
    c.notes("$.notes", document["notes"])
    return c.breaches


# ---- perftrace probes --json ----

PROBE = {"kind": "text", "object": "text", "symbol?": "text", "offset?": "size",
         "site_offset?": "size", "instruction~": "text", "method~": "text",
         "expected_ns?": "number", "refused~": "text"}


def probes(document):
    c = Checker()
    if not c.object("$", document, {"schema": ("perftrace/probes/1",), "target": "object",
                                    "probes": "list", "notes": "list"}):
        return c.breaches
    c.object("$.target", document["target"], TARGET)
    for i, probe in enumerate(document["probes"]):
        c.object(f"$.probes[{i}]", probe, PROBE)
    c.notes("$.notes", document["notes"])
    return c.breaches


# ---- streams: perftrace spans --json, perftrace -p --json ----

SPAN = {"type": ("span",), "start": "time", "pid": "size", "tid": "size", "comm": "text",
        "name": "text", "context~": "text", "depth": "size", "id": "text", "parent~": "text",
        "dur_ns?": "size", "cpu_ns?": "size", "wait_ns?": "size", "wait_reason?": "text",
        "runq_ns?": "size", "switches?": "size", "faults?": "object",
        "rss_delta_bytes?": "integer", "rss_error_bytes?": "size", "alloc_count?": "size",
        "alloc_bytes?": "size", "retained_bytes?": "integer", "status": STATUSES}
RECORDS = {
    "span": SPAN,
    "checkpoint": {"time": "time", "pid": "size", "tid": "size", "comm": "text", "name": "text",
                   "context~": "text", "rss_bytes?": "size", "growth_bytes?": "integer"},
    "event": {"time": "time", "pid": "size", "tid": "size", "tag": "text", "text~": "text"},
    "sample": {"time": "time", "pid": "size",
               **{f"{k}_bytes?": "size" for k in ("rss", "heap", "virtual", "resident", "shared",
                                                  "text", "data", "stack")}},
    "summary": {"spans": "list", "rss": "object", "ledger": "object", "overhead": "object",
                "notes": "list"},
}
DURATIONS = ("min", "p50", "p90", "p95", "p99", "p999", "max")
STAT = {"name": "text", "count": "size", "unwound": "size", "unfinished": "size",
        **{f"{k}_ns?": "number" for k in ("total", "self", "avg", *DURATIONS)}}


def _stat(c, path, stat):
    if not c.object(path, stat, STAT) or not stat["count"]:
        return
    times = [stat[f"{k}_ns"] for k in DURATIONS]
    c.claim(times == sorted(times), path, f"percentiles out of order: {times}")
    c.claim(stat["self_ns"] <= stat["total_ns"], path, "self above total")
    c.claim(stat["min_ns"] <= stat["avg_ns"] <= stat["max_ns"], path, "average out of range")


def nanoseconds(time):
    """Of the day: enough to compare within a run that does not cross midnight."""
    h, m, s, ns = re.match(r".*T(\d\d):(\d\d):(\d\d)\.(\d{9})Z$", time).groups()
    return ((int(h) * 60 + int(m)) * 60 + int(s)) * 10**9 + int(ns)


def _tree(c, spans, lost):
    """Parents come first, on the same thread, one level up, and last longer than their children.
    Where spans were lost, a parent may be one of them."""
    by_id = {}
    for path, span in spans:
        if span["status"] == "open":
            by_id.setdefault(span["id"], span)
            continue
        c.claim(span["id"] not in by_id or by_id[span["id"]]["status"] == "open", path,
                "id used twice")
        by_id[span["id"]] = span
        if span["parent"] is None:
            c.claim(span["depth"] == 0, path, f"no parent at depth {span['depth']}")
            continue
        parent = by_id.get(span["parent"])
        if not parent:
            c.claim(lost, path, "its parent has not come before it")
            continue
        c.claim((span["pid"], span["tid"]) == (parent["pid"], parent["tid"]), path,
                "its parent is on another thread")
        c.claim(span["depth"] == parent["depth"] + 1, path, "not one level below its parent")
        begin, above = nanoseconds(span["start"]), nanoseconds(parent["start"])
        c.claim(begin >= above, path, "starts before its parent")
        if parent["dur_ns"] is not None and span["dur_ns"] is not None:
            # Wall-clock stamps are rounded to the clock's offset, renewed now and then.
            c.claim(begin + span["dur_ns"] <= above + parent["dur_ns"] + 1000, path,
                    "ends after its parent")


def _summary(c, path, summary, spans):
    for i, stat in enumerate(summary["spans"]):
        _stat(c, f"{path}.spans[{i}]", stat)
    c.object(f"{path}.overhead", summary["overhead"], OVERHEAD)
    _rss(c, f"{path}.rss", summary["rss"])
    _ledger(c, f"{path}.ledger", summary["ledger"])
    if c.breaches or summary["ledger"]["lost"]:
        return
    for stat in summary["spans"]:
        mine = [s for _, s in spans if s["name"] == stat["name"] and s["status"] != "open"]
        ended = [s for s in mine if s["status"] != "unfinished"]
        for key, got in (("count", len(ended)),
                         ("unwound", sum(s["status"] == "unwound" for s in mine)),
                         ("unfinished", len(mine) - len(ended)),
                         ("total_ns", sum(s["dur_ns"] for s in ended) if ended else None)):
            c.claim(stat[key] == got, f"{path}.spans.{stat['name']}.{key}",
                    f"{stat[key]}, but the stream has {got}")


def spans(records):
    c = Checker()
    found = []
    for n, record in enumerate(records, 1):
        path = f"line {n}"
        kind = record.get("type") if isinstance(record, dict) else None
        if kind not in RECORDS:
            c.breach(path, f"type {kind!r}")
        elif c.object(path, record, RECORDS[kind]) and kind == "span":
            found.append((path, record))
    summaries = [r for r in records if r.get("type") == "summary"]
    if len(summaries) != 1 or records[-1] is not summaries[0]:
        c.breach("stream", "does not end with its one summary")
        return c.breaches
    _tree(c, found, summaries[0].get("ledger", {}).get("lost"))
    if not c.breaches:
        _summary(c, "summary", summaries[0], found)
        c.notes("summary.notes", summaries[0]["notes"])
    return c.breaches


# ---- perftrace cpu --json ----

CPU = {"schema": ("perftrace/cpu/1",), "target": "object", "duration_s": "number", "hz": "size",
       "cpus": "size", "samples": "size", "kernel_samples": "size", "complete_samples": "size",
       "lost": "size", "cpu_ns?": "size", "stacks": "list", "functions": "list",
       "ledger": "object", "overhead": "object", "notes": "list"}
CPU_STACK = {"count": "size", "comm": "text", "pid": "size", "kernel_frames": "size",
             "complete": "flag", "stack": "list"}
CPU_FUNCTION = {"function~": "text", "module~": "text", "function_start~": "size",
                "kernel": "flag", "inlined": "flag", "flat": "size", "cum": "size"}


def _names(stack):
    """A function is its name in its module, or where it starts there, the kernel's apart; without
    a frame it is nothing."""
    if not stack["stack"]:
        return [(None, None, None, False)]
    return [(f["function"], f["module"], f.get("function_start"), i < stack["kernel_frames"])
            for i, f in enumerate(stack["stack"])]


def _functions(c, document):
    """What the functions say is what the stacks add up to."""
    flat, cum = {}, {}
    for stack in document["stacks"]:
        names = _names(stack)
        flat[names[0]] = flat.get(names[0], 0) + stack["count"]
        for name in set(names):
            cum[name] = cum.get(name, 0) + stack["count"]
    for i, f in enumerate(document["functions"]):
        name = (f["function"], f["module"], f["function_start"], f["kernel"])
        c.claim((f["flat"], f["cum"]) == (flat.get(name, 0), cum.pop(name, None)),
                f"functions[{i}]", "flat and cum are not those of the stacks")
    c.claim(not cum, "functions", f"missing: {list(cum)[:3]}")


def cpu(document):
    c = Checker()
    if not c.object("cpu", document, CPU):
        return c.breaches
    c.object("target", document["target"], TARGET)
    c.object("overhead", document["overhead"], OVERHEAD)
    _ledger(c, "ledger", document["ledger"])
    for i, stack in enumerate(document["stacks"]):
        path = f"stacks[{i}]"
        if not c.object(path, stack, CPU_STACK):
            continue
        c.claim(stack["count"] > 0, path, "no samples")
        for k, frame in enumerate(stack["stack"]):
            c.object(f"{path}.stack[{k}]", frame, FRAME)
    for i, function in enumerate(document["functions"]):
        c.object(f"functions[{i}]", function, CPU_FUNCTION)
    if c.breaches:
        return c.breaches
    stacks, functions = document["stacks"], document["functions"]
    for key, got in (("samples", sum(s["count"] for s in stacks)),
                     ("samples", sum(f["flat"] for f in functions)),
                     ("kernel_samples", sum(s["count"] for s in stacks if s["kernel_frames"])),
                     ("complete_samples", sum(s["count"] for s in stacks if s["complete"]))):
        c.claim(document[key] == got, key, f"{document[key]}, but there are {got}")
    c.claim(document["ledger"]["seen"] == document["samples"] + document["lost"], "ledger.seen",
            "not samples + lost")
    c.claim([s["count"] for s in stacks] == sorted((s["count"] for s in stacks), reverse=True),
            "stacks", "not by weight")
    _functions(c, document)
    c.notes("notes", document["notes"])
    return c.breaches


CHECKS = {"cpu": cpu, "leaks": leaks, "probes": probes, "spans": spans}
