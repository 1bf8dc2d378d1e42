#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the kernel's verifier goes through for each BPF program, and how long the programs are after
# it, against what was recorded in verified.txt: 10 % more is a failure. Loading costs a second for
# about a million; 6.1 refuses at a million. To record: put what is printed there.
. "${0%/*}/lib.sh"

kernel=$(uname -r | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')
"$TARGETS/verified" >now 2>errors || fail "not every program loads: $(cat now errors)"
awk -v kernel="$kernel" '
	FNR == NR { if ($1 == kernel) { verified[$2] = $3; translated[$2] = $4 } next }
	!($1 in verified) { print $1, "is not recorded"; next }
	$2 > verified[$1] * 1.1 { print $1 ": verified", $2, "instead of", verified[$1] }
	$3 > translated[$1] * 1.1 { print $1 ": translated", $3, "instead of", translated[$1] }
	{ delete verified[$1] }
	END { for (name in verified) print name, "is recorded, but does not exist" }
' "${0%/*}/verified.txt" now >differences
[ ! -s differences ] || fail "$(cat differences)
$(sed "s/^/$kernel /" now)"
[ "$(wc -l <now)" -ge 10 ] || fail "programs: $(cat now)"
finish
