# SPDX-License-Identifier: BSD-2-Clause
# Sourced by run.sh. redis-benchmark SET against a private redis-server that is traced exactly, and
# against one whose malloc and free bpftrace only counts.

start_redis() {
	start redis-server --port 0 --unixsocket "$dir/redis.sock" --save '' --appendonly no \
		--dir "$dir" >"$dir/redis.log" 2>&1
	redis_job=$started
	wait_until 5 redis_answers
}

redis_answers() {
	redis=$(redis-cli -s "$dir/redis.sock" info server 2>/dev/null | tr -d '\r' |
		sed -n 's/^process_id://p')
	[ -n "$redis" ]
}

# load COLUMN REQUESTS: requests per second.
load() {
	timeout 20 redis-benchmark -s "$dir/redis.sock" -t set -n "$2" -q 2>&1 | tr '\r' '\n' |
		sed -n 's/^SET: \([0-9.]*\) requests per second.*/\1/p' | tail -n 1 >>"$dir/redis.$1"
}

# loaded COLUMN REQUESTS ATTACHED_TEXT TRACER...
loaded() {
	column=$1 requests=$2 text=$3
	shift 3
	has_hung redis "$column" && return
	start "$@" >"$dir/tracer.out" 2>"$dir/tracer.err"
	job=$started
	if wait_until $ATTACH_SECONDS grep -qsh "$text" "$dir/tracer.err" "$dir/tracer.out"; then
		load "$column" "$requests"
	else
		fail "redis, $column: not attached: $(tail -n 1 "$dir/tracer.err")"
	fi
	stop "$job" INT
	judge_end redis "$column"
}

measure_redis() {
	if ! command -v redis-server >/dev/null || ! command -v redis-benchmark >/dev/null; then
		note "redis: n/a, Debian's redis-server and redis-tools are not installed"
		return
	fi
	progress redis
	if ! start_redis; then
		fail "redis: did not start: $(tail -n 1 "$dir/redis.log")"
		return
	fi
	allocator=$(awk '/libjemalloc/ { print $6; exit }' "/proc/$redis/maps")
	: "${allocator:=$libc}"
	note "redis: its malloc is that of ${allocator##*/}; perftrace keeps its books, bpftrace counts"
	for turn in 1 2 3; do
		progress "redis, turn $turn of 3"
		load untraced 100000
		loaded floor 60000 '^attached' "$floor" "$redis"
		loaded perftrace 60000 'attached to' "$perftrace" leaks -p "$redis" -d 100
		loaded bpftrace 5000 '^attached' bpftrace -p "$redis" -e \
			"uprobe:$allocator:malloc { @malloc = count(); }
			 uprobe:$allocator:free { @free = count(); }
			 interval:ms:100 /!@told/ { printf(\"attached\n\"); @told = 1; }"
	done
	kill -0 "$redis" 2>/dev/null || fail "redis: did not survive"
	stop "$redis_job"
}

redis_row() {
	[ -s "$dir/redis.perftrace" ] || return
	gain=$(ratio redis perftrace redis bpftrace worst)
	echo "| redis-benchmark SET, requests/s | $(worst redis untraced) | $(worst redis floor) |" \
		"$(worst redis perftrace) | $(worst redis bpftrace) |" \
		"$gain times what is left under bpftrace (goal: at least 10) |"
}
