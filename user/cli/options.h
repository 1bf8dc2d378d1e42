/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of all commands, from one table that drives parsing and --help alike. An option that a
 * command does not take is refused there, not ignored.
 */
#ifndef PERFTRACE_CLI_OPTIONS_H
#define PERFTRACE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "probe/alloc_rules.h"
#include "probe/pairs.h"
#include "session/session.h"

/* Which commands take an option: commands list the groups they take. */
enum option_group {
	OPTIONS_COMMON = 1 << 0,   /* -v -q --color --help */
	OPTIONS_TARGET = 1 << 1,   /* -p -n -U --cgroup */
	OPTIONS_RUN = 1 << 2,	   /* -d -o --json --follow --strict --ring */
	OPTIONS_HEAP = 1 << 3,	   /* --mode --max-live --top --min-size --alloc --free */
	OPTIONS_AGE = 1 << 4,	   /* --older */
	OPTIONS_SPANS = 1 << 5,	   /* -u */
	OPTIONS_TIMER = 1 << 6,	   /* -i */
	OPTIONS_LOG = 1 << 7,	   /* --no-log */
	OPTIONS_LIST = 1 << 8,	   /* -u, --alloc, --json, -o of commands that attach nothing */
	OPTIONS_LAUNCH = 1 << 9,   /* --user */
	OPTIONS_ALL = 1 << 10,	   /* -a */
	OPTIONS_DRY_RUN = 1 << 11, /* --dry-run */
	OPTIONS_CPU = 1 << 12,	   /* -F --folded --top */
};

/* What may follow the options. */
enum argument_kind {
	ARGUMENT_NONE,
	ARGUMENT_ONE,
	ARGUMENT_COMMAND, /* a command with its own options: ours end where it begins */
};

enum color_mode {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
};

struct options {
	pid_list pids;
	bool everybody;	  /* -a */
	bool inode_wide;  /* links for all who map a file */
	bool mode_exact;  /* --mode exact was said */
	const char *name; /* -n */
	const char *cgroup, *unit;
	const char *user;     /* whom `run` starts COMMAND as; NULL = who started perftrace */
	char *const *command; /* COMMAND and its arguments, NULL at the end; NULL = none */
	const char *argument; /* the one positional argument some commands take */
	uint64_t duration_ns, interval_ns;
	bool duration_set, interval_set;
	const char *output;
	uint32_t cpu_hz; /* samples a second on each CPU */
	bool folded;
	bool json, strict, dry_run, verbose, quiet, no_log, help;
	enum follow_mode follow;
	enum color_mode color;
	pair_rule_list rules;
	alloc_rule_list alloc_rules;
	function_rule_list functions;
	size_t ring_bytes, live_max, top;
	uint32_t stack_depth;
	uint64_t older_ns, min_size, min_ns;
};

/* Defaults. */
void options__init(struct options *o);
void options__free(struct options *o);
/* Parses argv[1..]; `groups` are those of the command. */
int options__parse(struct options *o, int argc, char **argv, unsigned int groups,
		   enum argument_kind takes, const char *command, struct error *err);
/* The lines of --help for the options of `groups`. */
void options__print_help(FILE *out, unsigned int groups);

/* "5", "1.5s", "500ms", "2m", "1h" into nanoseconds; false if it is none or out of range. */
bool parse_duration(const char *text, uint64_t *ns);
/* "10", "64K", "8M", "1G" into bytes. */
bool parse_size(const char *text, uint64_t *bytes);

#endif
