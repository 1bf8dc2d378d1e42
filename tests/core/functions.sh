#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Whole functions as spans: counts, recursion, one left by longjmp, and a C++ program whose
# exceptions pass through: it lives on.
. "${0%/*}/lib.sh"

target spans 1 1
all_of spans --json -f recurse -f abandon -f phase2
read_document
expect "calls" "1 abandon 1 unwound
1 phase2 0 ok
1 recurse 1 ok
1 recurse 2 ok
1 recurse 3 ok
1 recurse 4 ok
1 recurse 5 ok" "$(each span name depth status)"
expect_ledger summary
target_is_healthy

target usdt_pairs 12
all_of spans --json -f step -f io -f batch
read_document
expect "calls" "12 batch ok
12 io ok
36 step ok" "$(each span name status)"
expect_ledger summary
target_is_healthy

target thrower 100
all_of spans --json -f sometimes -f between
read_document
expect "the target's exceptions" "75 25" "$(truth returned) $(truth thrown)"
expect "calls" "75 between(int) 0 ok
25 between(int) 0 unwound
75 sometimes(int) 1 ok
25 sometimes(int) 1 unwound" "$(each span name depth status)"
expect_ledger summary
target_is_healthy
finish
