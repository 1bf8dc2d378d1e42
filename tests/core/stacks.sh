#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Programs without frame pointers: the whole path of the leak is named, and every stack is complete.
. "${0%/*}/lib.sh"

for name in chain chain_static; do
	target $name 200
	all_of leaks --json
	read_document
	expect_ledger document
	i=0
	for function in leaf link_with_room link_with_numbers link_by_pointer link_plain work main; do
		expect "$name: frame $i" $function \
			"$(document "candidates[0].stack[$i].function")"
		i=$((i + 1))
	done
	expect "$name: live_blocks" 200 "$(document 'candidates[0].live_blocks')"
	expect "$name: the outermost frame" _start "$(outermost 'candidates[0]')"
	expect_complete 200
	target_is_healthy
done
finish
