# SPDX-License-Identifier: BSD-2-Clause
# Sourced by run.sh. A private PostgreSQL on a Unix socket, under load: how long do tracers with all
# its USDT probes (perftrace: and its heap) take from Ctrl-C to exit?

pg=/usr/lib/postgresql/15/bin

as_postgres() {
	start setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$dir/pg" \
		LC_ALL=C "$@" >>"$dir/pg.log" 2>&1
}

run_as_postgres() {
	as_postgres "$@"
	stop "$started" CONT
	return "$status"
}

start_postgres() {
	chmod 711 "$dir"
	mkdir "$dir/pg" && chown postgres: "$dir/pg" && chmod 700 "$dir/pg" || return 1
	run_as_postgres "$pg/initdb" -D "$dir/pg/data" -A trust --no-sync || return 1
	as_postgres "$pg/postgres" -D "$dir/pg/data" -c listen_addresses= -c fsync=off \
		-c unix_socket_directories="$dir/pg"
	postmaster_job=$started
	wait_until 10 run_as_postgres "$pg/pg_isready" -q -h "$dir/pg" || return 1
	run_as_postgres "$pg/pgbench" -h "$dir/pg" -i -s 1 -q postgres || return 1
	as_postgres "$pg/pgbench" -h "$dir/pg" -n -c 4 -T $LIFETIME postgres
	pgbench_job=$started
	postmaster=$(head -n 1 "$dir/pg/data/postmaster.pid")
	wait_until 5 backend_runs
}

backend_runs() {
	backend=$(grep -l '^PPid:[[:space:]]*'"$postmaster\$" /proc/[0-9]*/status 2>/dev/null |
		while IFS=/ read -r _ _ pid _; do
			grep -aq 'postgres: .*\[local\]' "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
		done | head -n 1)
	[ -n "$backend" ]
}

# detach COLUMN ATTACHED_TEXT TRACER...
detach() {
	column=$1 text=$2
	shift 2
	has_hung postgres "$column" && return
	start "$@" >"$dir/tracer.out" 2>"$dir/tracer.err"
	job=$started
	if ! wait_until $((2 * ATTACH_SECONDS)) grep -qh "$text" "$dir/tracer.err" "$dir/tracer.out"; then
		stop "$job" INT
		fail "postgres, $column: not attached: $(tail -n 1 "$dir/tracer.err")"
		return
	fi
	# perftrace says what it attached to.
	sed -n "s/^> attached to [0-9]*/- postgres, $column: attached to/p" "$dir/tracer.err" |
		sed 's/ in [0-9]* ms//' >>"$dir/notes"
	sleep 2
	stop "$job" INT
	judge_end postgres "$column"
	kill -0 "$pgbench_job" 2>/dev/null || fail "postgres, $column: pgbench did not survive"
}

measure_postgres() {
	if ! [ -x $pg/postgres ]; then
		note "PostgreSQL: n/a, Debian's postgresql-15 is not installed"
		return
	fi
	progress "PostgreSQL"
	if ! start_postgres; then
		fail "PostgreSQL: did not start: $(tail -n 1 "$dir/pg.log")"
		return
	fi
	note "postgres: perftrace on the postmaster and its children, bpftrace on one backend, no heap"
	for turn in 1 2; do
		detach perftrace 'attached to' "$perftrace" -p "$postmaster" --no-log -o "$dir/pg.spans"
		rm -f "$dir/pg.spans"
	done
	detach bpftrace '^attached' bpftrace -p "$backend" -e \
		"usdt:$pg/postgres:postgresql:* { @[probe] = count(); }
		 interval:ms:100 /!@told/ { printf(\"attached\n\"); @told = 1; } END { clear(@); }"
	measure_first_stacks
	stop "$pgbench_job"
	stop "$postmaster_job" INT
}
