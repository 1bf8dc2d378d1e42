#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh BUILD_DIR: what tracing costs the traced program, its neighbours, and whoever waits for the
# detach; one Markdown table. Ends by itself in about two minutes and leaves nothing running. Exits
# with a non-zero status when something that is installed could not be measured. Needs root.
#
# Times on a shared machine only mean something beside each other: a row's columns are measured in
# turns, on one and the same process, and the best round of each stands for it. The floor is what the
# kernel takes for programs that do nothing at the very sites that perftrace chooses.
set -u

build=${1:?usage: run.sh BUILD_DIR}
perftrace=${PERFTRACE:-$build/perftrace}
here=$(dirname "$0")
REPEATS=3
ROUNDS=4         # of 200 ms, per turn
ATTACH_SECONDS=15
LIFETIME=170     # bounds everything that is started here, should this script be killed
KILL_AFTER=15    # seconds a tracer has for its end before it counts as hanging

dir=$(mktemp -d) || exit 1
pids='' mounted='' failed=0
: >"$dir/notes"

clean_up() {
	trap - EXIT INT TERM HUP
	for pid in $pids; do
		kill "$pid" 2>/dev/null
	done
	wait
	[ -z "$mounted" ] || umount /sys/kernel/tracing
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT TERM HUP

note() {
	echo "- $*" >>"$dir/notes"
}

fail() {
	note "$*"
	failed=1
}

progress() {
	[ ! -t 2 ] || printf '\r\033[K%s' "$*" >&2
}

# start COMMAND...: in the background; sets `started`. A signal sent there reaches COMMAND.
start() {
	timeout --foreground -k $KILL_AFTER $LIFETIME "$@" &
	started=$!
	pids="$pids $started"
}

# stop PID [SIGNAL]: sets `status`, and `took` to the seconds from the signal to the exit.
stop() {
	begin=$(date +%s%N)
	kill -s "${2:-TERM}" "$1" 2>/dev/null
	wait "$1" 2>/dev/null # it would say "Terminated"
	status=$?
	took=$(echo "$begin $(date +%s%N)" | awk '{ printf "%.3f", ($2 - $1) / 1e9 }')
	pids=$(echo "$pids" | sed "s/ $1\$//; s/ $1 / /")
}

# wait_until SECONDS CONDITION...
wait_until() {
	tries=$(($1 * 20))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

floor=$build/tools/bench/floor
alloc=$build/tests/targets/bench_alloc
libc=$(ldd "$alloc" | awk '/libc\.so/ { print $3 }')

. "$here/rounds.sh"
. "$here/heap.sh"
. "$here/spans.sh"
. "$here/redis.sh"
. "$here/attach.sh"
. "$here/stacks.sh"
. "$here/postgres.sh"
. "$here/peers.sh"

[ "$(id -u)" = 0 ] || { echo "bench: needs root" >&2; exit 1; }
if ! [ -e /sys/kernel/tracing/events ] && ! [ -e /sys/kernel/debug/tracing/events ]; then
	mount -t tracefs tracefs /sys/kernel/tracing && mounted=1
fi

awk -v cpus="$(nproc)" '$1 > cpus / 2 {
	printf "- the machine was busy with other things when this began (load %s): do it again\n", $1
}' /proc/loadavg >>"$dir/notes"

# The bystander has a CPU to itself, or it would also pay for the time perftrace runs.
if [ "$(nproc)" -ge 2 ]; then
	crowd='taskset -c 0' alone='taskset -c 1'
else
	crowd='' alone=''
fi

measure_heap
measure_random
measure_peers
measure_spans usdt
measure_spans macro
measure_function
measure_redis
measure_bystander
measure_libraries
measure_detach
measure_stacks
measure_names
measure_postgres
progress
for cell in heap.bpftrace usdt.bpftrace heap.bpftrace.took; do
	[ -s "$dir/$cell" ] || fail "$cell: n/a, no turn of it succeeded"
done

cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
cat <<EOT
Kernel $(uname -r), $(nproc) CPUs (${cpu:-unknown}), $("$perftrace" --version | head -n 1), \
$(bpftrace --version). Best of $((REPEATS * ROUNDS)) rounds in $REPEATS turns; only ratios carry over.

| measured | untraced | floor | perftrace | bpftrace | judged |
|---|---:|---:|---:|---:|---|
EOT
heap_rows
peer_rows
span_rows
redis_row
bystander_row
attach_rows
stack_rows
cat <<EOT
| Ctrl-C to exit, heap, s | | | $(worst heap perftrace.took) | $(worst heap bpftrace.took) | \
$(ratio heap perftrace.took heap bpftrace.took worst) of bpftrace |
| Ctrl-C to exit, PostgreSQL, s | | | $(worst postgres perftrace.took) | \
$(worst postgres bpftrace.took) | \
$(ratio postgres perftrace.took postgres bpftrace.took worst) of bpftrace |
EOT
echo
sort -u "$dir/notes"
exit $failed
