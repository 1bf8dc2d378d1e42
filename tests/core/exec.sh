#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# alone: see children.sh
# exec in the traced process: the old image's blocks are gone, the new image's work is seen.
. "${0%/*}/lib.sh"

target execer self 2 1000
all_of --json --no-log
read_document
expect "spans of both images" "20 image.work ok" "$(each span name status)"
expect "allocations of both images" "$(truth allocs)" "$(summary ledger.heap.allocs)"
expect "frees of both images" "$(truth frees)" "$(summary ledger.heap.frees)"
expect "only the last image's blocks are live" 40 "$(summary ledger.heap.live)"
expect_ledger summary
target_is_healthy
finish
