#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A block whose free was missed is noticed when its address comes again: it leaves the books, is
# counted as lost, and what is live is right all the same.
. "${0%/*}/lib.sh"

target vanisher 20
all_of leaks --json
read_document
expect "allocations" 20 "$(document heap.allocs)"
expect "missed frees" "$(truth missed)" "$(document ledger.heap.conflicts)"
expect "they are lost events" 19 "$(document ledger.lost)"
expect "and of no other kind" 19 "$(document ledger.incidents.heap_conflicts)"
expect "heap.live_blocks" 1 "$(document heap.live_blocks)"
expect "heap.live_bytes" 1048576 "$(document heap.live_bytes)"
expect "ledger.balanced" true "$(document ledger.balanced)"
target_is_healthy
finish
