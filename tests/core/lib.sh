# SPDX-License-Identifier: BSD-2-Clause
# What the core cases share. They are POSIX sh with the common tools only, so that they run
# unchanged on this machine and in a guest that has nothing but busybox. A case runs
# in an empty directory with PERFTRACE and TARGETS set; checks that fail are printed and remembered,
# and finish, its last line, exits with 1 if there was any.

failures=0
started=

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# expect WHAT WANTED GOT
expect() {
	[ "$2" = "$3" ] || fail "$1: got '$3', want '$2'"
}

# For what makes the rest of the case pointless.
give_up() {
	fail "$@"
	exit 1
}

finish() {
	[ "$failures" = 0 ]
	exit
}

# Whatever a case started ends with it.
end_all() {
	code=$?
	for pid in $started; do
		kill -KILL "$pid" 2>/dev/null
	done
	exit $code
}
trap end_all EXIT
trap 'exit 1' TERM INT HUP

# within SECONDS WHAT COMMAND...: until the command succeeds.
within() {
	tries=$(($1 * 10))
	what=$2
	shift 2
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || give_up "waited in vain for $what"
		sleep 0.1
	done
}

# ---- targets: ready, go (SIGUSR1), truth, stop; see tests/targets/common.h ----

targets=0

# target NAME ARGUMENTS...: $target is its pid.
target() {
	targets=$((targets + 1))
	said=target.$targets
	"$TARGETS/$@" >$said 2>&1 &
	target=$!
	started="$started $target"
	within 10 "$1 to be ready" grep -qs '^ready ' $said
}

go() {
	kill -USR1 "$target"
}

# Waits for what the target says it has done; `truth KEY` then tells.
await_truth() {
	within 60 "the target's truth" grep -qs '^truth ' $said
	sed -n 's/^truth //p' $said | flatten >truth.flat
}

truth() {
	field truth.flat "$1"
}

# Alive, and ends by its own will when told to.
target_is_healthy() {
	kill -TERM "$target" 2>/dev/null || fail "the target lives on"
	wait "$target"
	expect "the target's exit code" 0 $?
}

# ---- tracers ----

tracers=0

# trace ARGUMENTS...: a perftrace in the background, $tracer is its pid, $out and $err its output.
trace() {
	tracers=$((tracers + 1))
	out=tracer.$tracers.out
	err=tracer.$tracers.err
	"$PERFTRACE" "$@" >$out 2>$err &
	tracer=$!
	started="$started $tracer"
}

has_attached_or_ended() {
	grep -qs '^> attached to ' $err || ! kill -0 "$tracer" 2>/dev/null
}

trace_attached() {
	trace "$@"
	within 30 "perftrace to attach" has_attached_or_ended
	grep -q '^> attached to ' $err || give_up "perftrace $*: $(cat $err)"
}

# ended CODE: waits for its end.
ended() {
	wait "$tracer"
	expect "exit code of perftrace ($(tail -n 1 $err))" "$1" $?
}

# Ctrl-C, and a report.
stop() {
	kill -INT "$tracer"
	ended 0
}

# all_of COMMAND...: traces all the target does, from go to truth. The pause lets what was done last
# arrive.
all_of() {
	trace_attached "$@" -p "$target"
	go
	await_truth
	sleep 0.2
	stop
}

# refused CODE WORDS ARGUMENTS...: one line that says WORDS, and nothing on standard output.
refused() {
	code=$1
	words=$2
	shift 2
	trace "$@"
	wait "$tracer"
	expect "perftrace $*: exit code" "$code" $?
	expect "perftrace $*: lines of standard error" 1 "$(grep -c '' $err)"
	grep -q "^perftrace: .*$words" $err || fail "perftrace $*: says '$(cat $err)', not '$words'"
	[ ! -s $out ] || fail "perftrace $*: standard output is not empty: $(cat $out)"
}

# ---- JSON ----

flatten() {
	awk -f "${0%/*}/flatten.awk" "$@"
}

# field FLAT PATH [RECORD=1]
field() {
	awk -v head="${3:-1} $2=" 'index($0, head) == 1 { print substr($0, length(head) + 1); exit }' \
		"$1"
}

# The document that the tracer wrote; `document PATH` then tells.
read_document() {
	flatten $out >$out.flat || give_up "standard output is not JSON: $(head -c 300 $out)"
}

document() {
	field $out.flat "$1"
}

# The last record of a stream is its summary.
summary() {
	field $out.flat "$1" "$(sed -n '$s/ .*//p' $out.flat)"
}

# each TYPE FIELDS...: of all records of that type, how often which values: "20 demo.tx ok".
each() {
	awk -v wanted="$*" '
	function show() {
		if (record == "" || value["type"] != want[1])
			return
		line = ""
		for (i = 2; i <= n; i++)
			line = line (i > 2 ? " " : "") value[want[i]]
		seen[line]++
	}
	BEGIN { n = split(wanted, want, " ") }
	$1 != record { show(); split("", value); record = $1 }
	{
		rest = substr($0, length($1) + 2)
		at = index(rest, "=")
		value[substr(rest, 1, at - 1)] = substr(rest, at + 1)
	}
	END { show(); for (line in seen) print seen[line], line }' $out.flat | sort -k2
}

# ---- books ----

# outermost CANDIDATE: the function of its stack's last frame.
outermost() {
	awk -v head="1 $1.stack[" 'index($0, head) == 1 && /\]\.function=/ {
		sub(/.*\]\.function=/, "")
		last = $0
	}
	END { print last }' $out.flat
}

# expect_complete N: N stacks and more, all of them down to the outermost frame.
expect_complete() {
	[ "$(document ledger.stacks.captured)" -ge "$1" ] ||
		fail "stacks taken: $(document ledger.stacks.captured), not $1"
	expect "complete stacks" "$(document ledger.stacks.captured)" \
		"$(document ledger.stacks.complete)"
}

# What a heap document must agree with the target about.
expect_heap() {
	for key in allocs frees alloc_bytes freed_bytes live_blocks live_bytes failed unknown_frees; do
		[ -n "$(truth $key)" ] || fail "the target tells of $key"
		expect "heap.$key" "$(truth $key)" "$(document heap.$key)"
	done
}

# expect_ledger document|summary
expect_ledger() {
	expect "ledger.lost" 0 "$($1 ledger.lost)"
	expect "ledger.balanced" true "$($1 ledger.balanced)"
}
