#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Spans of perftrace.h, as text and as JSON: how many, in which order, how deep, left by longjmp.
. "${0%/*}/lib.sh"

target spans 1 1
all_of spans
await_truth
# Line, indentation and context; times apart.
sed '/^SPANS/,$d; 1d; s/^\[[^]]*\] \[[^]]*\] //; s/: [0-9.]*[mu]*s /: T /; s/: [0-9.]*[mu]*s$/: T/
	s/^\[mem: [^]]*\] //; s/ ([+-].* since .*)$//; /^$/d' $out >lines
cat >wanted <<'END'
[PHASE1] expecting 50 queries
query_engine.phase1: T (50 queries)
  ec2.describe_instances: T (us-east-1)
[CACHE] GET_MISS ec2:us-east-1
  rds.describe_db_instances: T (us-east-1)
CHECKPOINT: phase1_complete - 314 resources
[PHASE2] expecting 45 queries
query_engine.phase2: T (45 resources)
[CACHE] GET_HIT ec2:us-east-1
  recurse: T
    recurse: T
      recurse: T
        recurse: T
          recurse: T
  abandoned: T (unwound)
handover: T (committed)
CHECKPOINT: phase2_complete - 314 resources
END
cmp -s lines wanted || fail "lines, in order: $(cat $out)"
# It touched 64 MB more; kernels before 6.2 let each thread keep some pages to itself for a while.
grown=$(sed -n 's/.*phase2_complete.*(+\([0-9]*\)\.[0-9]*MB since phase1_complete)$/\1/p' $out)
[ "${grown:-0}" -ge 60 ] && [ "$grown" -le 68 ] || fail "growth since phase1_complete: '$grown' MB"
grep -q '^DATA .* 0 lost, books balanced' $out || fail "the ledger: $(grep ^DATA $out)"
target_is_healthy

target spans 1 3
all_of spans --json
read_document
expect "spans" "3 abandoned unwound
3 ec2.describe_instances ok
3 handover ok
3 query_engine.phase1 ok
3 query_engine.phase2 ok
3 rds.describe_db_instances ok
15 recurse ok" "$(each span name status)"
expect "threads" "11 worker-1
11 worker-2
11 worker-3" "$(each span comm)"
expect "checkpoints" "3 phase1_complete 314 resources
3 phase2_complete 314 resources" "$(each checkpoint name context)"
expect "events" "6 CACHE
3 PHASE1
3 PHASE2" "$(each event tag)"
expect_ledger summary
# Nothing is shorter than it slept.
awk '/ dur_ns=/ { ns = substr($2, 8) } / name=/ { name = substr($2, 6) } / type=span/ { spans++ }
	/ status=/ && name == "query_engine.phase1" && ns < 20000000 { print "phase1 took " ns; exit }
	' $out.flat >short
expect "durations" "" "$(cat short)"
target_is_healthy
finish
