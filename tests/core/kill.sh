#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of a perftrace that is attached: no probe stays, the target does its work to the end.
. "${0%/*}/lib.sh"
. "${0%/*}/code.sh"

private_libc
target leaky
trace_attached leaks -p "$target"
has_probes || fail "there were probes to leave behind"
go
sleep 0.5
kill -KILL "$tracer"
wait "$tracer"
expect "killed" 137 $?
within 10 "the probes to go" no_probes
await_truth
expect "the target did all its work" "1000 12000" "$(truth leaked_blocks) $(truth allocs)"
target_is_healthy

# The same with spans; semaphores are let go of, too, and the next one sees everything.
target usdt_pairs 10
trace_attached spans -p "$target"
has_probes || fail "there were span probes to leave behind"
kill -KILL "$tracer"
wait "$tracer"
within 10 "the span probes to go" no_probes
all_of spans --json
read_document
expect "spans after it" "10 demo.tx ok" "$(each span name status | grep tx)"
expect_ledger summary
target_is_healthy
finish
