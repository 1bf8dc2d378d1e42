# SPDX-License-Identifier: BSD-2-Clause
# Breakpoints in the target, seen from outside: its code in memory against the files it is from.

# A C library of the targets' own: a probe that somebody else has on the installed one does not
# show in it.
private_libc() {
	mkdir lib
	cp /lib/x86_64-linux-gnu/libc.so.6 lib/
	LD_LIBRARY_PATH=$PWD/lib
	export LD_LIBRARY_PATH
}

# Prints the files whose mapped code differs.
changed_code() {
	grep ' r-xp .* /' "/proc/$target/maps" >maps
	while read -r range _ offset _ _ path; do
		begin=$((0x${range%-*}))
		pages=$(((0x${range#*-} - begin) / 4096))
		dd if="$path" of=code.file bs=4096 skip=$((0x$offset / 4096)) count=$pages 2>/dev/null
		dd if="/proc/$target/mem" of=code.memory bs=4096 skip=$((begin / 4096)) count=$pages \
			2>/dev/null
		cmp -s code.file code.memory || echo "$path"
	done <maps
}

has_probes() {
	[ -n "$(changed_code)" ]
}

no_probes() {
	[ -z "$(changed_code)" ]
}

code_is_clean() {
	expect "code that differs from its file" "" "$(changed_code)"
}
