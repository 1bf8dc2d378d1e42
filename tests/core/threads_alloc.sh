#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Threads free blocks that others allocated: every event of every thread is booked, once.
. "${0%/*}/lib.sh"

target threads_alloc 6 4000
all_of leaks --json
read_document
expect_heap
expect_ledger document
expect "missed frees" 0 "$(document ledger.heap.conflicts)"
target_is_healthy
finish
