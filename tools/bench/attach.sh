# SPDX-License-Identifier: BSD-2-Clause
# Sourced by run.sh. Attaching to a process that maps many libraries, leaving one with many probes.

LIBRARIES=100
PROBES=500 # that many functions many_NNN are in bench_function

# attached COLUMN JOB: waits until perftrace says so; its own word for how long it took.
attached() {
	wait_until $ATTACH_SECONDS grep -q 'attached to' "$dir/tracer.err" || return 1
	sed -n 's/^> attached to .* in \([0-9]*\) ms.*/\1/p' "$dir/tracer.err" >>"$dir/$1"
}

measure_libraries() {
	progress "attach to $LIBRARIES libraries"
	mkdir "$dir/lib" || return
	echo 'int library_function(int n) { return n + 1; }' >"$dir/lib/one.c"
	if ! ${CC:-gcc} -shared -fPIC -g -o "$dir/lib/one.so" "$dir/lib/one.c" 2>"$dir/lib/err"; then
		fail "libraries: not built: $(tail -n 1 "$dir/lib/err")"
		return
	fi
	for i in $(seq $LIBRARIES); do
		cp "$dir/lib/one.so" "$dir/lib/lib$i.so"
	done
	start_target libraries "$build/tests/targets/bench_libraries" "$dir"/lib/lib*.so || return
	for turn in 1 2 3; do
		begin=$(date +%s%N)
		start "$perftrace" -p "$target" --no-log >"$dir/tracer.out" 2>"$dir/tracer.err"
		job=$started
		if ! attached libraries.attach; then
			stop "$job" INT
			fail "libraries: not attached: $(tail -n 1 "$dir/tracer.err")"
			break
		fi
		echo "$begin $(date +%s%N)" | awk '{ printf "%.0f\n", ($2 - $1) / 1e6 }' \
			>>"$dir/libraries.all"
		stop "$job" INT
		judge_end libraries perftrace
	done
	note "attach: $(best libraries all) ms from the start of the program to that line"
	stop "$target_job"
}

measure_detach() {
	progress "detach $PROBES probes"
	start_target probes "$build/tests/targets/bench_function" || return
	for turn in 1 2 3; do
		start "$perftrace" spans -p "$target" -f 'many_*' >"$dir/tracer.out" \
			2>"$dir/tracer.err"
		job=$started
		if attached probes.attach && grep -q " $PROBES functions" "$dir/tracer.err"; then
			stop "$job" INT
			judge_end probes perftrace
		else
			stop "$job" INT
			fail "probes: not attached to $PROBES functions: $(tail -n 1 "$dir/tracer.err")"
			break
		fi
	done
	stop "$target_job"
}

attach_rows() {
	echo "| attach to a process with $LIBRARIES more libraries, ms | | |" \
		"$(best libraries attach) | | (goal: less than 300) |"
	echo "| Ctrl-C to exit, $PROBES functions, s | | | $(worst probes perftrace.took) | |" \
		"(goal: less than 1) |"
}
