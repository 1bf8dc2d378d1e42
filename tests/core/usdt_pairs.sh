#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# USDT pairs that a program already has, with and without semaphores, scoped, unscoped, unwound.
. "${0%/*}/lib.sh"

target usdt_pairs 12
all_of spans --json
read_document
expect "spans" "10 demo.batch ok
2 demo.batch unwound
12 demo.io ok
36 demo.step ok
12 demo.task ok
12 demo.tx ok" "$(each span name status)"
expect "the target says the same" "10 2 12" \
	"$(truth spans.demo.batch.count) $(truth unwound.demo.batch) $(truth spans.demo.tx.count)"
expect "contexts" "12 demo.batch 0 batch
12 demo.io 1 disk
36 demo.step 1 load" "$(each span name depth context | grep -v -e demo.t)"
expect "a start's semaphore" "1 demo.task task 0" "$(each span name context | grep 'task 0$')"
expect "an end's string" "3 demo.tx 0 deadlock" "$(each span name depth context | grep deadlock)"
expect_ledger summary
target_is_healthy

target usdt_pairs 10
all_of spans -u 'demo:tx__start..tx__commit|tx__abort'
expect "text: transactions" 10 "$(grep -c '\] demo.tx: ' $out)"
expect "text: others" 0 "$(grep '^\[' $out | grep -vc '\] demo.tx: ')"
grep -q '^DATA .* 0 lost, books balanced' $out || fail "text: the ledger: $(grep ^DATA $out)"
target_is_healthy
finish
