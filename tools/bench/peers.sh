# SPDX-License-Identifier: BSD-2-Clause
# Sourced by run.sh. The hot loop under tools that have to start the program or preload into it.

# peer NAME COMMAND...: a few rounds of it.
peer() {
	name=$1
	shift
	if ! command -v "$name" >/dev/null; then
		note "$name: n/a, it is not installed"
		return
	fi
	progress "malloc+free, $name"
	start "$@" "$alloc" 4 64 >"$dir/peer.out" 2>"$dir/peer.err"
	stop "$started" CONT # waits
	[ "$status" -eq 0 ] || fail "$name: $(tail -n 1 "$dir/peer.err")"
	sed -n 's/^pair_ns //p' "$dir/peer.out" >"$dir/heap.$name"
}

measure_peers() {
	peer heaptrack heaptrack -o "$dir/heaptrack"
	peer valgrind valgrind --tool=memcheck -q
}

peer_row() {
	[ -s "$dir/heap.$1" ] || return
	echo "| malloc + free of 64 B under $1, ns | $(best heap untraced) | | | | $(best heap "$1")" \
		"under $1, which $2 |"
}

peer_rows() {
	peer_row heaptrack 'has to be preloaded or injected'
	peer_row valgrind 'has to start the program, and runs it on one CPU'
}
