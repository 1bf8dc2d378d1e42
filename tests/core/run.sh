#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A command that perftrace starts is traced from its first instruction; its status is passed on.
. "${0%/*}/lib.sh"

"$PERFTRACE" run --json --no-log -o report -- "$TARGETS/early" 3 >said 2>err
expect "status ($(tail -n 1 err))" 3 $?
sed -n 's/^truth //p' said | flatten >truth.flat
out=report
read_document
expect "spans" "1 early.library ok
1 early.main ok
1 early.program ok" "$(each span name status)"
for key in allocs frees; do
	[ -n "$(truth $key)" ] || fail "the target tells of $key"
	expect "heap.$key" "$(truth $key)" "$(summary ledger.heap.$key)"
done
expect_ledger summary

"$PERFTRACE" run --no-log -q -- sh -c 'kill -9 $$' >said 2>&1
expect "status of who is killed" 137 $?
finish
