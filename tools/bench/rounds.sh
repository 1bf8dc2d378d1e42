# SPDX-License-Identifier: BSD-2-Clause
# Sourced by run.sh. A target prints one line "pair_ns X" per round for as long as it lives; a turn
# is some rounds of it, and $dir/ROW.COLUMN collects the rounds of every turn.

# start_target ROW COMMAND...: sets `target` (its PID) and `target_job` (for stop).
start_target() {
	row=$1
	shift
	: >"$dir/$row"
	start "$@" >"$dir/$row" 2>"$dir/$row.err"
	target_job=$started
	if ! wait_until 5 grep -q '^ready' "$dir/$row"; then
		fail "$row: the target did not start: $(tail -n 1 "$dir/$row.err")"
		return 1
	fi
	target=$(sed -n 's/^ready //p' "$dir/$row")
}

# rounds_since N FILE: true when at least ROUNDS rounds follow line N.
rounds_since() {
	[ "$(wc -l <"$2")" -ge $(($1 + ROUNDS)) ]
}

# take ROW COLUMN [SKIP]: ROUNDS whole rounds from now on; the one that is under way does not count,
# nor do SKIP more.
take() {
	now=$(($(wc -l <"$dir/$1") + 1 + ${3:-0}))
	wait_until $ATTACH_SECONDS rounds_since $now "$dir/$1" || return 1
	tail -n +$((now + 1)) "$dir/$1" | sed -n 's/^pair_ns //p' | head -n $ROUNDS >>"$dir/$1.$2"
}

# The kernel takes the probes of a tracer that was killed away a while after its end.
untraced() {
	sleep 0.2
	wait_until 5 is_itself "$1" || fail "$1: still slow after the tracer's end"
	take "$1" untraced || fail "$1, untraced: the target stopped"
}

# slow_rounds ROW N: how many of the last N rounds took more than 20 untraced ones; loading a
# tracer disturbs by less than that, a probe by more.
slow_rounds() {
	tail -n "$2" "$dir/$1" | awk -v limit="$(best "$1" untraced)" '
		$1 == "pair_ns" && limit != "n/a" && $2 > 20 * limit { n++ }
		END { print n + 0 }'
}

is_slowed() {
	[ "$(slow_rounds "$1" 2)" -eq 2 ]
}

is_itself() {
	[ "$(slow_rounds "$1" 1)" -eq 0 ]
}

# traced ROW COLUMN TRACER...: rounds under TRACER, then its time from Ctrl-C to exit. `skip` rounds
# do not count: blocks of before the tracer have to be gone first.
skip=0
traced() {
	row=$1 column=$2
	shift 2
	has_hung "$row" "$column" && return
	wait_until 5 is_itself "$row" || fail "$row: still slow after the last tracer's end"
	start "$@" >"$dir/tracer.out" 2>"$dir/tracer.err"
	job=$started
	if ! wait_until $ATTACH_SECONDS is_slowed "$row"; then
		stop "$job" INT
		fail "$row, $column: not attached: $(tail -n 1 "$dir/tracer.err")"
		return
	fi
	take "$row" "$column" $skip || fail "$row, $column: the target stopped"
	[ "$row" != neighbour ] || take bystander "$column"
	stop "$job" INT
	judge_end "$row" "$column"
}

# judge_end ROW COLUMN: after stop. bpftrace hangs now and then when the map it clears at its end
# still changes; that costs it a turn. perftrace has no excuse.
judge_end() {
	if [ "$status" -eq 0 ]; then
		echo "$took" >>"$dir/$1.$2.took"
		return
	fi
	echo "$took" >>"$dir/$1.$2.bad"
	note "$1, $2: status $status $took s after Ctrl-C: $(tail -n 1 "$dir/tracer.err")"
	[ "$2" = bpftrace ] || failed=1
}

# has_hung ROW COLUMN: two bad ends, and there is no further turn.
has_hung() {
	[ -e "$dir/$1.$2.bad" ] && [ "$(wc -l <"$dir/$1.$2.bad")" -ge 2 ]
}

# A tracer that loses records does less than it says; how many belongs beside the time.
note_lost_spans() {
	lost=$(sed -n 's/^DATA *\(.* lost\).*/\1/p' "$dir/tracer.out")
	[ -z "$lost" ] || note "$1, perftrace, turn $turn: $lost"
	rm -f "$dir/spans.log"
}

best() {
	sort -n "$dir/$1.$2" 2>/dev/null | head -n 1 | grep . || echo n/a
}

worst() {
	sort -n "$dir/$1.$2" 2>/dev/null | tail -n 1 | grep . || echo n/a
}

# ratio ROW COLUMN ROW COLUMN [best|worst]
ratio() {
	how=${5:-best}
	echo "$($how "$1" "$2") $($how "$3" "$4")" |
		awk '/n\/a/ { print "n/a"; next } { printf "%.3f\n", $1 / $2 }'
}

# goal ROW COLUMN ROW COLUMN LIMIT: "1.17 of the floor (goal 1.25)" without the words.
goal() {
	echo "$(ratio "$1" "$2" "$3" "$4") $5" |
		awk '$1 == "n/a" { print $1; next } { printf "%s (goal: at most %s)\n", $1, $2 }'
}

# row TITLE ROW COLUMN JUDGED: COLUMN is perftrace's.
row() {
	cell() { [ ! -e "$dir/$1.$2" ] || best "$1" "$2"; }
	echo "| $1 | $(best "$2" untraced) | $(cell "$2" floor) | $(best "$2" "$3") |" \
		"$(cell "$2" bpftrace) | $4 |"
}
