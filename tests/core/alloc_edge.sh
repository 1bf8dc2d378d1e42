#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Failed, zero-sized, overflowing calls, every shape of realloc, older blocks, reused addresses.
. "${0%/*}/lib.sh"

target alloc_edge
all_of leaks --json
read_document
expect_heap
expect_ledger document
expect "missed frees" 0 "$(document ledger.heap.conflicts)"
# What holds no byte is no candidate; two of the four live blocks are malloc(0).
expect "candidate" old_ones "$(document 'candidates[0].stack[0].function')"
expect "its blocks" 2 "$(document 'candidates[0].live_blocks')"
expect "its bytes" 1280 "$(document 'candidates[0].live_bytes')"
target_is_healthy
finish
