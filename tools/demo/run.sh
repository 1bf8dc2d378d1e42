#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh BUILD_DIR: starts the demo service, drives it, and looks at it with perftrace from outside:
# first its spans and memory, then its leak. Ends by itself and leaves nothing running. Exits with
# a non-zero status when perftrace failed or did not find the leak. Needs root.
set -u

build=${1:?usage: run.sh BUILD_DIR}
perftrace=${PERFTRACE:-$build/perftrace}
live_seconds=8
leak_seconds=5
lines_shown=18

dir=$(mktemp -d) || exit 1
service='' load='' tracer=''

clean_up() {
	trap - EXIT INT TERM HUP
	for pid in $tracer $load $service; do
		kill "$pid" 2>/dev/null
	done
	wait
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT TERM HUP

fail() {
	echo "demo: $*" >&2
	exit 1
}

heading() {
	printf '\n=== %s\n' "$*"
}

# trace FILE ARGUMENTS...: in the background, so that a signal to this script is not kept waiting.
trace() {
	out=$1
	shift
	heading "perftrace $*"
	"$perftrace" "$@" >"$out" &
	tracer=$!
	wait "$tracer"
	status=$?
	tracer=
}

# Of a long log: the header, one query of one worker as a tree, and all of the summary.
abridged() {
	awk -v shown="$lines_shown" '
		/^SPANS/ { summary = 1; if (lines) print "..." }
		NR == 1 || summary { print; next }
		!worker && / query_engine\.phase1: .*\(/ && !/unfinished/ { worker = $2; print "..." }
		worker && $2 == worker && lines < shown { lines++; print }' "$1"
}

# The lifetimes are bounds in case this script is killed; normally it ends both.
: >"$dir/service"
"$build/demo/demo_service" 120 >"$dir/service" &
service=$!
tries=0
until port=$(sed -n 's/^port //p' "$dir/service") && [ -n "$port" ]; do
	tries=$((tries + 1))
	[ "$tries" -le 50 ] || fail "the service did not start"
	sleep 0.1
done
"$build/demo/demo_load" "$port" 100 >"$dir/load" &
load=$!
heading "demo_service runs as PID $service on 127.0.0.1:$port, three clients are asking"

trace "$dir/live" -p "$service" -d "$live_seconds" --no-log
abridged "$dir/live"
[ "$status" -eq 0 ] || fail "perftrace -p exited with $status"

trace "$dir/leaks" leaks -p "$service" -d "$leak_seconds"
cat "$dir/leaks"
[ "$status" -eq 0 ] || fail "perftrace leaks exited with $status"

kill -0 "$service" 2>/dev/null || fail "the service did not survive"
grep -q 'query_engine\.phase1' "$dir/live" || fail "no span query_engine.phase1 was seen"
grep -q 'session_copy' "$dir/leaks" || fail "the leak in session_copy was not found"
heading "found: session_copy(), called by handle_login(), leaks on failed logins"
