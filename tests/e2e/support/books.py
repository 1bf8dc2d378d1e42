# SPDX-License-Identifier: BSD-2-Clause
"""One heap trace of a target that keeps its own books, compared number by number."""
import harness as h

LIBS = "/usr/lib/x86_64-linux-gnu"
TOTALS = ("allocs", "frees", "alloc_bytes", "freed_bytes", "live_blocks", "live_bytes", "failed",
          "unknown_frees")


def document_of(name, *args, target_args=(), preload=None, settle=0.2):
    """(truth, document) of one trace of a target, which must survive it."""
    env = {"LD_PRELOAD": f"{LIBS}/{preload}"} if preload else None
    target = h.Target(name, *target_args, env=env)
    truth, result = h.trace_to_truth(target, "leaks", "--json", "-d", "60", *args, settle=settle)
    document = h.keeps_contract("leaks", result)
    target.is_healthy()
    return truth, document


def check(what, allocator, truth, document, extra=None):
    """`extra`: what the runtime does besides what the target counts, by name of the total."""
    extra = extra or {}
    h.equal(document["target"]["allocator"], allocator, f"{what}: target.allocator")
    for key in TOTALS:
        h.equal(document["heap"][key], truth[key] + extra.get(key, 0), f"{what}: heap.{key}")
    h.equal(document["ledger"]["lost"], 0, f"{what}: ledger.lost")
    h.equal(document["ledger"]["balanced"], True, f"{what}: ledger.balanced")
    if "function" in truth:
        first = document["candidates"][0] if document["candidates"] else {"stack": [{}]}
        h.equal(first["stack"][0].get("function", "").split("(")[0], truth["function"],
                f"{what}: who holds the most")
        h.equal(first.get("live_blocks"), truth["kept"], f"{what}: how many blocks it holds")


def exact(name, allocator, *args, **how):
    what = f"{name}, {how['preload']}" if how.get("preload") else name
    truth, document = document_of(name, *args, **how)
    check(what, allocator, truth, document)
    return truth, document
