# SPDX-License-Identifier: BSD-2-Clause
# Sourced by run.sh. malloc and free: in a hot loop, among many live blocks, and next door.

LIVE=200000
# Rounds after which nearly all of them are from after the attach: 1 - e^-5, 130 000 pairs in one.
RENEWED=8

# The same job: the size at entry, the live set with the stack at return, out again at free.
cat >"$dir/heap.bt" <<EOT
uprobe:$libc:malloc { @size[tid] = arg0; }
uretprobe:$libc:malloc /@size[tid]/ { @live[retval] = (@size[tid], ustack); delete(@size[tid]); }
uprobe:$libc:free { delete(@live[arg0]); }
END { clear(@live); clear(@size); }
EOT

measure_heap() {
	start_target heap "$alloc" 0 64 || return
	for turn in $(seq $REPEATS); do
		progress "malloc+free, turn $turn of $REPEATS"
		untraced heap
		traced heap floor "$floor" "$target"
		traced heap bare "$perftrace" leaks -p "$target" --stack-depth 0
		traced heap perftrace "$perftrace" leaks -p "$target"
		traced heap bpftrace bpftrace -p "$target" "$dir/heap.bt"
	done
	stop "$target_job"
}

measure_random() {
	start_target random "$alloc" 0 64 $LIVE || return
	skip=$RENEWED
	for turn in 1 2; do
		progress "$LIVE live blocks, turn $turn of 2"
		untraced random
		traced random floor "$floor" "$target"
		traced random bare "$perftrace" leaks -p "$target" --stack-depth 0
	done
	skip=0
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

heap_rows() {
	row 'malloc + free of 64 B, without stacks, ns' heap bare \
		"$(goal heap bare heap floor 1.25) of the floor"
	row 'malloc + free of 64 B, ns' heap perftrace \
		"$(ratio heap bpftrace heap perftrace) times cheaper than bpftrace"
	row "the same among $LIVE live blocks, without stacks, ns" random bare \
		"$(goal random bare random floor 1.5) of the floor"
}

bystander_row() {
	row 'malloc + free of an untraced bystander, ns' bystander perftrace \
		"$(goal bystander perftrace bystander untraced 1.02) of before"
}
