#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What cannot be done is refused with one line and the exit code of its kind; ends are told.
. "${0%/*}/lib.sh"

target leaky
free=$(($(cat /proc/sys/kernel/pid_max) - 1))
while [ -e /proc/$free ]; do
	free=$((free - 1))
done
for command in '' leaks spans probes; do
	refused 4 "no process $free" $command -p $free
	refused 2 "nonsense" $command --nonsense -p "$target"
done
refused 3 "no spans" spans -p "$target"
refused 3 "kernel thread" leaks -p 2
refused 2 "-d" leaks -p "$target" -d 0
refused 1 "cannot write" leaks -p "$target" -d 200ms -o no/such/directory/file
"$PERFTRACE" --help >help.out 2>&1
expect "--help" 0 $?
"$PERFTRACE" --version | grep -q '^perftrace [0-9]' || fail "--version"

# With a time limit it ends by itself; so it does when the target ends.
trace leaks --json -p "$target" -d 300ms
ended 0
read_document
expect_ledger document
target_is_healthy

target leaky
trace_attached leaks --json -p "$target"
go
await_truth
target_is_healthy
ended 0
grep -q exited $err || fail "it says why it ended: $(cat $err)"
read_document
expect_ledger document
expect "the blocks it died with are reported" 1000 "$(document 'candidates[0].live_blocks')"
finish
