# SPDX-License-Identifier: BSD-2-Clause
# Sourced by run.sh. What a call stack costs: 44 frames without frame pointers and with them, beside
# the kernel's own walk of frame pointers; names beside eu-addr2line's; and how soon after the attach
# PostgreSQL's stacks are whole.

ADDRESSES=20000
named_file=/usr/lib/postgresql/15/bin/postgres

# In $dir/stacks: "many no_fp own NS RATIO", added to a probe that takes no stack; see stack_floor.c.
measure_stacks() {
	progress "stacks of 44 frames"
	"$build/tools/bench/stack_floor" "$build/tools/bench/stack_floor.o" 44 8 \
		>"$dir/stacks" 2>"$dir/stacks.err" ||
		fail "stacks: $(tail -n 1 "$dir/stacks.err")"
}

# added CODE WALK: nanoseconds of the row for frames of many functions.
added() {
	awk -v way="$1 $2" '$1 == "many" && $2 " " $3 == way { printf "%.0f\n", $4; found = 1 }
		END { if (!found) print "n/a" }' "$dir/stacks"
}

# added_goal CODE LIMIT
added_goal() {
	awk -v code="$1" -v limit="$2" '$1 == "many" && $2 == code && $3 == "own" {
			printf "%.2f of bpf_get_stack (goal: at most %s)\n", $5, limit
		}' "$dir/stacks"
}

# In $dir/names: "postgres: 20000 addresses, N named; perftrace A ns, eu-addr2line B ns, C times".
measure_names() {
	progress "names of $ADDRESSES addresses"
	"$build/tools/bench/symbolize_rate" "$named_file" $ADDRESSES >"$dir/names" \
		2>"$dir/names.err" || fail "names: $(tail -n 1 "$dir/names.err")"
}

# name_of FIELD: its number.
name_of() {
	sed -n "$1" "$dir/names" | grep . || echo n/a
}

# number KEY: of the report.
number() {
	grep -o "\"$1\": *[0-9]*" "$dir/first.json" | grep -o '[0-9]*$'
}

# From the beginning of the attach to the end of the shortest trace that has stacks, all of them
# whole. $postmaster is under load.
measure_first_stacks() {
	progress "first stacks of PostgreSQL"
	for turn in $(seq $REPEATS); do
		for ms in 10 50 100 200 300 1000; do
			"$perftrace" leaks -p "$postmaster" --json -d ${ms}ms >"$dir/first.json" \
				2>"$dir/tracer.err" || continue
			captured=$(number captured) complete=$(number complete)
			[ "${captured:-0}" -gt 0 ] || continue
			[ $((complete * 1000)) -ge $((captured * 995)) ] || continue
			sed -n 's/^> attached to .* in \([0-9]*\) ms.*/\1/p' "$dir/tracer.err" |
				awk -v ms=$ms '{ print $1 + ms }' >>"$dir/postgres.first"
			break
		done
	done
	[ -s "$dir/postgres.first" ] ||
		fail "postgres: no whole stacks a second after the attach: $(tail -n 1 "$dir/tracer.err")"
}

stack_rows() {
	echo "| stack of 44 frames: the kernel's walk by frame pointers, ns | | |" \
		"$(added fp kernel) | | what bpf_get_stack takes |"
	echo "| the same, ours, without frame pointers, ns | | | $(added no_fp own) | |" \
		"$(added_goal no_fp 0.4) |"
	echo "| the same, ours, by frame pointers, ns | | | $(added fp own) | |" \
		"$(added_goal fp 0.15) |"
	echo "| name of an address (of $ADDRESSES in postgres), ns | | |" \
		"$(name_of 's/.*perftrace \([0-9.]*\) ns.*/\1/p') | |" \
		"$(name_of 's/.*, \([0-9.]*\) times.*/\1/p') times faster than eu-addr2line (goal: 20) |"
	echo "| first stacks of PostgreSQL, ms from the attach's begin | | |" \
		"$(best postgres first) | | (goal: at most 300) |"
}
