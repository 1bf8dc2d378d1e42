#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Ctrl-C, SIGTERM and SIGHUP at any moment: it ends soon, with 0 and a report once it was attached;
# a second Ctrl-C does not wait.
. "${0%/*}/lib.sh"

waits_for_ctrl_c() {
	grep -q '^SigBlk:.*[2367abef]$' /proc/$tracer/status
}

# after SIGNAL SECONDS: a run that gets that signal then.
after() {
	what="SIG$1 after $2 s"
	trace leaks --json -p "$target"
	# A shell's background processes begin with Ctrl-C ignored.
	[ "$1" != INT ] || within 10 "Ctrl-C to be waited for" waits_for_ctrl_c
	sleep "$2"
	kill "-$1" "$tracer"
	wait "$tracer"
	code=$?
	if grep -q '^> attached to' $err; then
		expect "$what: exit code" 0 $code
		read_document
		expect "$what: a report" perftrace/leaks/1 "$(document schema)"
	else
		# Before it could install anything it may also just die of the signal.
		case $code in
		0 | 130 | 129 | 143) ;;
		*) fail "$what: exit code $code before the attach" ;;
		esac
	fi
}

target leaky
after TERM 0
after INT 0.1
after INT 0.3
after HUP 0.8

trace_attached leaks -p "$target"
kill -INT "$tracer"
sleep 0.06 # two in one look at the signals are one
kill -INT "$tracer"
wait "$tracer"
code=$?
[ $code = 0 ] || [ $code = 130 ] || fail "two signals: exit code $code"
target_is_healthy
finish
