#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Stopping in the middle of the target's work leaves it as it was: its code is that of the file, it
# goes on and comes to the right end, and it can be traced again.
. "${0%/*}/lib.sh"
. "${0%/*}/code.sh"

private_libc
target leaky
trace_attached leaks --json -p "$target"
go
sleep 0.5
stop
read_document
expect_ledger document
seen=$(document heap.allocs)
[ "$seen" -gt 100 ] && [ "$seen" -lt 12000 ] || fail "it was stopped in the middle: $seen calls"
code_is_clean
await_truth
expect "the target did all its work" "1000 12000" "$(truth leaked_blocks) $(truth allocs)"
target_is_healthy

target usdt_pairs 8
trace_attached spans -p "$target"
stop
code_is_clean
all_of spans --json
read_document
expect "traced again" "24 demo.step ok" "$(each span name status | grep step)"
expect_ledger summary
code_is_clean
target_is_healthy
finish
