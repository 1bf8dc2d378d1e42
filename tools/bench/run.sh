#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh BUILD_DIR: what tracing costs the traced program, its neighbours, and whoever waits for the
# detach; one Markdown table. Ends by itself in about two minutes and leaves nothing running. Exits
# with a non-zero status when something that is installed could not be measured. Needs root.
#
# Times on a shared machine only mean something beside each other: a row's columns are measured in
# turns, REPEATS times, on one and the same process, and the best round of each stands for it.
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

. "$here/rounds.sh"
. "$here/postgres.sh"

[ "$(id -u)" = 0 ] || { echo "bench: needs root" >&2; exit 1; }
if ! [ -e /sys/kernel/tracing/events ] && ! [ -e /sys/kernel/debug/tracing/events ]; then
	mount -t tracefs tracefs /sys/kernel/tracing && mounted=1
fi

# The bystander has a CPU to itself, or it would also pay for the time perftrace runs.
if [ "$(nproc)" -ge 2 ]; then
	crowd='taskset -c 0' alone='taskset -c 1'
else
	crowd='' alone=''
fi

alloc=$build/tests/targets/bench_alloc
span=$build/tests/targets/bench_span
libc=$(ldd "$alloc" | awk '/libc\.so/ { print $3 }')

# The same job: the size at entry, the live set with the stack at return, out again at free.
cat >"$dir/heap.bt" <<EOT
uprobe:$libc:malloc { @size[tid] = arg0; }
uretprobe:$libc:malloc /@size[tid]/ { @live[retval] = (@size[tid], ustack); delete(@size[tid]); }
uprobe:$libc:free { delete(@live[arg0]); }
END { clear(@live); clear(@size); }
EOT
cat >"$dir/span.bt" <<EOT
usdt:$span:demo:task__start { @start[tid] = nsecs; }
usdt:$span:demo:task__done /@start[tid]/ { @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }
END { clear(@start); }
EOT

measure_heap() {
	start_target heap "$alloc" 0 64 || return
	for turn in $(seq $REPEATS); do
		progress "malloc+free, turn $turn of $REPEATS"
		untraced heap
		traced heap perftrace "$perftrace" leaks -p "$target"
		traced heap bpftrace bpftrace -p "$target" "$dir/heap.bt"
	done
	stop "$target_job"
}

measure_spans() {
	start_target "$1" "$span" 0 "$1" || return
	for turn in $(seq $REPEATS); do
		progress "spans ($1), turn $turn of $REPEATS"
		untraced "$1"
		traced "$1" perftrace "$perftrace" spans -p "$target" -o "$dir/spans.log"
		note_lost_spans "$1"
		[ "$1" != usdt ] || traced "$1" bpftrace bpftrace -p "$target" "$dir/span.bt"
	done
	stop "$target_job"
}

# Its pair is taken in equal stretches while the neighbour is untraced, and is under perftrace.
measure_bystander() {
	start_target bystander $alone "$alloc" 0 64 || return
	bystander=$target_job
	start_target neighbour $crowd "$alloc" 0 64 || return
	untraced neighbour
	for turn in $(seq $REPEATS); do
		progress "bystander, turn $turn of $REPEATS"
		untraced bystander
		traced neighbour perftrace $crowd "$perftrace" leaks -p "$target" -q
	done
	stop "$target_job"
	stop "$bystander"
}

measure_heap
measure_spans usdt
measure_spans macro
measure_bystander
measure_postgres
progress
for cell in heap.bpftrace usdt.bpftrace heap.bpftrace.took; do
	[ -s "$dir/$cell" ] || fail "$cell: n/a, no turn of it succeeded"
done

cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
cat <<EOT
Kernel $(uname -r), $(nproc) CPUs (${cpu:-unknown}), $("$perftrace" --version | head -n 1), \
$(bpftrace --version). Best of $((REPEATS * ROUNDS)) rounds in $REPEATS turns; only ratios carry over.

| measured | untraced | perftrace | bpftrace | ratio |
|---|---:|---:|---:|---|
EOT
row 'malloc + free of 64 B, ns' heap "$(ratio heap perftrace heap bpftrace) of bpftrace"
row 'span of a USDT pair, ns' usdt "$(ratio usdt perftrace usdt bpftrace) of bpftrace"
row 'span of PERF_START + PERF_END, ns' macro "$(ratio macro perftrace usdt perftrace) of the USDT pair"
note 'PERF_START + PERF_END, bpftrace: n/a, it has no such spans; its USDT pair is the comparison'
cat <<EOT
| malloc + free of an untraced bystander, ns | $(best bystander untraced) | \
$(best bystander perftrace) | | $(ratio bystander perftrace bystander untraced) of before |
| Ctrl-C to exit, heap, s | | $(worst heap perftrace.took) | $(worst heap bpftrace.took) | \
$(ratio heap perftrace.took heap bpftrace.took worst) of bpftrace |
| Ctrl-C to exit, PostgreSQL, s | | $(worst postgres perftrace.took) | \
$(worst postgres bpftrace.took) | \
$(ratio postgres perftrace.took postgres bpftrace.took worst) of bpftrace |
EOT
echo
sort -u "$dir/notes"
exit $failed
