# SPDX-License-Identifier: BSD-2-Clause
# Sourced by run.sh. A span in a hot loop: of a USDT pair, of our own macros, of a whole function.

span=$build/tests/targets/bench_span

cat >"$dir/span.bt" <<EOT
usdt:$span:demo:task__start { @start[tid] = nsecs; }
usdt:$span:demo:task__done /@start[tid]/ { @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }
END { clear(@start); }
EOT

measure_spans() {
	start_target "$1" "$span" 0 "$1" || return
	for turn in 1 2; do
		progress "spans ($1), turn $turn of 2"
		untraced "$1"
		traced "$1" perftrace "$perftrace" spans -p "$target" -o "$dir/spans.log"
		note_lost_spans "$1"
		[ "$1" != usdt ] || traced "$1" bpftrace bpftrace -p "$target" "$dir/span.bt"
	done
	stop "$target_job"
}

# --min, as one would choose for a function that is called a million times in a second.
measure_function() {
	start_target function "$build/tests/targets/bench_function" || return
	for turn in 1 2; do
		progress "function, turn $turn of 2"
		untraced function
		traced function floor "$floor" "$target" operation
		traced function perftrace "$perftrace" spans -p "$target" -f operation --min 10ms \
			-o "$dir/spans.log"
		note_lost_spans function
	done
	stop "$target_job"
}

span_rows() {
	row 'span of a USDT pair, ns' usdt perftrace \
		"$(ratio usdt perftrace usdt bpftrace) of bpftrace, which keeps a histogram only"
	row 'span of PERF_START + PERF_END, ns' macro perftrace \
		"$(ratio macro perftrace usdt perftrace) of the USDT pair"
	row 'span of a function, --min 10ms, ns' function perftrace \
		"$(goal function perftrace function floor 1.25) of the floor"
	note 'PERF_START + PERF_END, bpftrace: n/a, it has no such spans; its USDT pair is the comparison'
}
