#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# alone: linking a child waits for what others link and unlink, for seconds on kernels before 6.6
# fork: children's spans are complete, their heap is once they have probes of their own.
. "${0%/*}/lib.sh"

target forker 4
all_of spans --json --follow
read_document
expect "spans of all children" "10 child.work ok number 0
10 child.work ok number 1
10 child.work ok number 2
10 child.work ok number 3" "$(each span name status context)"
expect "followed" 4 "$(summary ledger.children.followed)"
expect_ledger summary
target_is_healthy

# The children wait until they certainly have probes.
target forker 3 1000
all_of leaks --json --follow
read_document
for key in allocs frees alloc_bytes freed_bytes; do
	expect "children: heap.$key" "$(truth $key)" "$(document heap.$key)"
done
expect "a dead child holds nothing" 0 "$(document heap.live_blocks)"
expect "blocks gone with children" "$(truth died_blocks)" "$(document ledger.heap.gone)"
expect_ledger document
target_is_healthy
finish
