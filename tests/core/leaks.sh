#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# One call site loses 1000 blocks of 1234 bytes, all else is freed: it is named, exactly.
. "${0%/*}/lib.sh"

target leaky
all_of leaks --json
read_document
expect "schema" perftrace/leaks/1 "$(document schema)"
expect_heap
expect_ledger document
first='candidates[0]'
expect "function" leak_here "$(document "$first.stack[0].function")"
expect "its caller" main "$(document "$first.stack[1].function")"
expect "the outermost frame" _start "$(outermost "$first")"
expect_complete 12000
expect "component" leaky "$(document "$first.component")"
expect "live_blocks" 1000 "$(document "$first.live_blocks")"
expect "live_bytes" 1234000 "$(document "$first.live_bytes")"
expect "allocs" 1000 "$(document "$first.allocs")"
expect "frees" 0 "$(document "$first.frees")"
expect "a second candidate" "" "$(document 'candidates[1].live_blocks')"
expect "target.comm" leaky "$(document target.comm)"
expect "target.allocator" "glibc malloc" "$(document target.allocator)"
target_is_healthy

target leaky
all_of leaks
grep -q '1000 block' $out || fail "text: 1000 blocks: $(cat $out)"
expect "text: the first frame" leak_here "$(awk '/^OUTSTANDING/ { getline; print $1 }' $out)"
grep -q '^DATA .* 0 lost, books balanced' $out || fail "text: the ledger: $(grep ^DATA $out)"
target_is_healthy
finish
