#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 150
"""Every allocator, linked in every way: which one serves is found, and each call is booked once."""
import books
import harness as h

# name, how it is preloaded, what it is called
exact = (
    ("alloc_family", None, "glibc malloc"),
    ("alloc_family_static", None, "glibc malloc (linked in)"),
    ("alloc_family_static_pie", None, "glibc malloc (linked in)"),
    ("alloc_family_musl", None, "musl malloc"),
    ("alloc_family_musl_static", None, "musl malloc (linked in)"),
    ("alloc_family", "libjemalloc.so.2", "jemalloc"),
    ("alloc_family", "libtcmalloc.so.4", "tcmalloc"),
    ("alloc_family", "libtcmalloc_minimal.so.4", "tcmalloc"),
    ("alloc_family", "libmimalloc.so.2", "mimalloc"),
    ("alloc_family_jemalloc", None, "jemalloc"),
    ("alloc_family_tcmalloc", None, "tcmalloc"),
    ("alloc_family_mimalloc", None, "mimalloc"),
    ("alloc_family_jemalloc_inside", None, "jemalloc (linked in)"),
    ("alloc_family_tcmalloc_inside", None, "tcmalloc (linked in)"),
    # What is preloaded comes before what is linked; what is in the executable before both.
    ("alloc_family_jemalloc", "libmimalloc.so.2", "mimalloc"),
    ("alloc_family_own", "libjemalloc.so.2", "malloc of alloc_family_own"),
    ("alloc_family_own_static", None, "malloc of alloc_family_own_static"),
    # A second heap beside malloc: under another name.
    ("alloc_pool_prefixed", None, "jemalloc (_rjem_) + glibc malloc"),
)
for name, preload, allocator in exact:
    books.exact(name, allocator, preload=preload)

# A library that was loaded late and has a malloc for itself alone.
books.exact("alloc_plugin", "glibc malloc + malloc of plugin.so",
            target_args=[f"{h.TARGETS}/plugin.so"])

# No names, no malloc: that is said, not guessed.
target = h.Target("alloc_family_stripped")
result = h.perftrace("leaks", "-p", target.pid, "-d", "5", code=3)
h.check("statically linked and stripped" in result.err, "why there is no heap", result.err)
target.is_healthy()
