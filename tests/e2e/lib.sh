# SPDX-License-Identifier: BSD-2-Clause
# Checks for cases in shell, as support/harness.py has them: failures are printed and remembered,
# and finish, the last line of a case, exits with 1 if there was any.

failures=0

fail() {
	printf 'FAILED: %s\n' "$*"
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
