#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every command loads all it has to load: the kernel's verifier has no word to say, with -v.
. "${0%/*}/lib.sh"

loads() {
	trace "$@" -v
	wait "$tracer"
	expect "perftrace $* -v: exit code ($(tail -n 1 $err))" 0 $?
	[ -s $out ] || fail "perftrace $* -v: no output"
	if grep -i -e libbpf -e verifier -e 'load failed' $err >words; then
		fail "perftrace $* -v: $(cat words)"
	fi
}

target usdt_pairs 1
loads --no-log -d 100ms --follow -p "$target"
loads leaks -d 100ms --no-follow -p "$target"
loads spans -d 100ms --no-follow -p "$target"
loads probes --json -p "$target"
read_document
refused=$(grep ' probes.*\.refused=' $out.flat | grep -v '=null$')
expect "probes that are refused" "" "$refused"
[ "$(grep -c ' probes.*\.refused=' $out.flat)" -gt 15 ] || fail "probes are listed: $(cat $out)"
target_is_healthy
finish
