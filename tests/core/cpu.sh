#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# CPU samples: as many as CPU time was used, complete stacks, the shares of two functions, and the
# kernel's part.
. "${0%/*}/lib.sh"

# about WHAT PERCENT WANTED GOT
about() {
	awk -v off="$2" -v want="$3" -v got="$4" \
		'BEGIN { exit !(got >= want * (1 - off / 100) && got <= want * (1 + off / 100)) }' ||
		fail "$1: got '$4', want about '$3'"
}

# samples [WORD]: how many in stacks with that function.
samples() {
	awk -v word="$1" '{ n = $NF; sub(/ [0-9]+$/, "") }
		!word || index($0 ";", ";" word ";") { sum += n }
		END { print sum + 0 }' $out
}

profile() {
	all_of cpu --folded -F 499
	wanted=$(awk -v ns="$(truth cpu_ns)" 'BEGIN { print ns / 1e9 * 499 }')
	about "samples" 15 "$wanted" "$(samples)"
	# The C library's clone has instructions without unwind information around its system call.
	[ "$(samples "[incomplete]")" -le 2 ] || fail "incomplete: $(grep -F "[incomplete]" $out)"
	target_is_healthy
}

target burner 2 500
profile
about "in burn_three" 12 "$(($(samples) * 3 / 4))" "$(samples burn_three)"
# All of burn_one() is called through it, and next to nothing is spent in it itself.
outside=$(($(samples recurse) - $(samples burn_one)))
[ "$outside" -ge 0 ] && [ "$outside" -le 5 ] ||
	fail "through the recursion: $(samples recurse) samples for $(samples burn_one)"
# Whatever burns was called by its thread's beginning; the rest is the start of threads.
cut=$(grep -F ";burn_" $out | grep -vF -e ";thread;" -e "[incomplete]") || :
[ -z "$cut" ] || fail "not from the beginning: $cut"
about "in threads" 10 "$(samples)" "$(samples thread)"

target burner 1 500 kernel
profile
about "in read(2)" 10 "$(samples)" "$(samples do_syscall_64_[k])"
about "for burn_kernel" 10 "$(samples)" "$(samples burn_kernel)"
finish
