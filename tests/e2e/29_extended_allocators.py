#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What allocators offer beside malloc: jemalloc's mallocx and its kin, mimalloc's mi_ functions."""
import books
import harness as h

truth, document = books.exact("alloc_mallocx", "jemalloc")
h.check(truth["failed"] > 0, "some xallocx failed", truth)
truth, document = books.exact("alloc_mimalloc", "mimalloc")
# The same library, loaded but not the one that serves malloc: its own functions still count.
truth, document = books.document_of("alloc_mimalloc", preload="libtcmalloc_minimal.so.4")
books.check("mimalloc beside tcmalloc", "tcmalloc + mimalloc (mi_)", truth, document)
