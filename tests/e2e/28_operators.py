#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
"""operator new and delete, also where they are no malloc, and exceptions that leave them."""
import books
import harness as h


def exact(name, allocator, preload=None, throws=True):
    what = f"{name}, {preload}" if preload else name
    truth, document = books.document_of(name, preload=preload,
                                        target_args=[] if throws else ["0"])
    h.check((truth["thrown"] > 0) == throws, f"{what}: exceptions were thrown, and caught", truth)
    heap = document["heap"]
    # An exception is a block as well, for as long as it lives.
    thrown = heap["allocs"] - truth["allocs"]
    h.check(truth["thrown"] <= thrown <= truth["thrown"] + truth["refused"],
            f"{what}: one block for each exception", thrown)
    size = heap["alloc_bytes"] - truth["alloc_bytes"]
    h.check(size % max(thrown, 1) == 0 and size // max(thrown, 1) <= 256,
            f"{what}: and those are small", (size, thrown))
    books.check(what, allocator, truth, document,
                {"allocs": thrown, "frees": thrown, "alloc_bytes": size, "freed_bytes": size})


def exact_but_for_the_unwinder(name, allocator):
    """Linked statically it sorts its tables at the first exception, and keeps them."""
    truth, document = books.document_of(name)
    heap = document["heap"]
    kept = heap["live_blocks"] - truth["live_blocks"]
    thrown = heap["allocs"] - truth["allocs"]
    h.equal(heap["frees"] - truth["frees"], thrown - kept, f"{name}: frees")
    h.check(0 <= kept <= 2, f"{name}: tables kept", kept)
    h.equal(heap["failed"], truth["failed"], f"{name}: failed")
    h.equal(heap["unknown_frees"], truth["unknown_frees"], f"{name}: unknown_frees")
    h.check(truth["thrown"] <= thrown <= truth["thrown"] + truth["refused"] + 4,
            f"{name}: blocks of exceptions", thrown)
    h.equal(document["target"]["allocator"], allocator, f"{name}: target.allocator")
    h.equal(document["ledger"]["lost"], 0, f"{name}: ledger.lost")
    h.equal([(c["stack"][0]["function"], c["live_blocks"]) for c in document["candidates"]
             if c["live_blocks"] > 2], [("keep_here()", truth["kept"])], f"{name}: candidates")


exact("alloc_cxx", "jemalloc", "libjemalloc.so.2")
exact("alloc_cxx", "tcmalloc", "libtcmalloc.so.4")
exact("alloc_cxx", "mimalloc", "libmimalloc.so.2", throws=False)
exact("alloc_cxx_jemalloc", "jemalloc")
exact("alloc_cxx_tcmalloc", "tcmalloc")
exact("alloc_cxx_mimalloc", "mimalloc", throws=False)
exact("alloc_cxx_own", "operator new of alloc_cxx_own + glibc malloc")
exact_but_for_the_unwinder("alloc_cxx_static", "glibc malloc (linked in)")
exact_but_for_the_unwinder("alloc_cxx_tcmalloc_static", "tcmalloc (linked in)")

# libstdc++'s operators call malloc: nothing is probed twice, nothing counted twice.
target = h.Target("alloc_cxx")
rows = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json"))["probes"]
h.equal([p["symbol"] for p in rows if p["kind"] == "alloc" and p["symbol"].startswith("_Z")], [],
        "operators probed under glibc")
target.is_healthy()

# Where they are probed their returns are not hooked, and the fast path's probes are cheap ones.
target = h.Target("alloc_cxx_tcmalloc")
rows = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json"))["probes"]
results = [p for p in rows if p["symbol"] in ("_Znwm", "_Znam")
           and "not hooked" in (p["why"] or "")]
h.check(len(results) >= 2 and sum(p["instruction"].startswith("j") for p in results) >= 2,
        "operator new's results are read at branches", results)
target.is_healthy()
