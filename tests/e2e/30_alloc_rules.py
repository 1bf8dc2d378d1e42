#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""--alloc and --free: allocators that only the user knows, and what is wrong with a rule."""
import books
import harness as h

RULES = ("--alloc", "pool_get(size=arg2)", "--free", "pool_put(ptr=arg2)",
         "--alloc", "pool_resize(size=arg2, old=arg3)", "--alloc", "pool_grid(count=arg3,size=arg4)",
         "--alloc", "alloc_pool*:pool_store(size=arg4,align=arg5,out=arg6)")


def with_rules():
    books.exact("alloc_pool", "glibc malloc + --alloc", *RULES)
    # A program that exceptions may pass through: no return is hooked.
    truth, document = books.exact("alloc_pool_unwinding", "glibc malloc + --alloc", *RULES)
    h.check(truth["allocs"] > truth["malloc"]["allocs"], "the pool is more than malloc", truth)
    # Without them it is malloc alone.
    truth, document = books.document_of("alloc_pool")
    for key in books.TOTALS:
        h.equal(document["heap"][key], truth["malloc"][key], f"without rules: heap.{key}")


def results_of(name):
    """Places where results are read because the return is not hooked."""
    target = h.Target(name)
    rows = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json", *RULES))
    target.is_healthy()
    return [p for p in rows["probes"]
            if p["symbol"] == "pool_get" and "not hooked" in (p["why"] or "")]


def listed():
    h.equal(results_of("alloc_pool"), [], "plain C: the return is hooked")
    h.check(results_of("alloc_pool_unwinding"), "where exceptions may pass it is not")
    target = h.Target("alloc_pool")
    rows = h.keeps_contract("probes", h.perftrace("probes", "-p", target.pid, "--json", *RULES))
    names = {p["symbol"] for p in rows["probes"] if p["kind"] == "alloc"}
    h.check({"pool_get", "pool_put", "pool_resize", "pool_grid", "pool_store"} <= names,
            "probes lists them", names)
    target.is_healthy()


def wrong():
    target = h.Target("alloc_pool")
    cases = (
        (2, "--alloc", "pool_get(size=arg7)", "argN"),
        (2, "--alloc", "pool_get(bytes=arg2)", "size=argN"),
        (2, "--alloc", "pool_get(size=arg1,size=arg2)", "size=argN"),
        (2, "--free", "pool_put(size=arg1)", "ptr=argN"),
        (2, "--alloc", "pool_get(ptr=arg1)", "which argument is the size"),
        (2, "--alloc", "", "does not name a function"),
        (2, "--alloc", "(size=arg1)", "does not name a function"),
        (3, "--alloc", "pool_gte(size=arg2)", "Did you mean pool_get?"),
        (3, "--alloc", "libnone.so:pool_get(size=arg2)", "no library libnone.so"),
        (3, "--free", "libc.so.6:pool_put", "no function pool_put in libc.so.6"),
    )
    for code, option, rule, words in cases:
        result = h.perftrace("leaks", "-p", target.pid, "-d", "1", option, rule, code=code)
        h.check(words in result.err and result.err.count("\n") == 1, f"{option} '{rule}'",
                result.err)
    result = h.perftrace("spans", "-p", target.pid, "--alloc", "pool_get", code=2)
    h.check("does not take --alloc" in result.err, "spans have no heap", result.err)
    target.is_healthy()


with_rules()
listed()
wrong()
