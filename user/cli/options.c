// SPDX-License-Identifier: BSD-2-Clause
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "abi/heap.h"
#include "session/sampler.h"

#define DURATION_MAX_S (366.0 * 24 * 3600)

enum option_id {
	OPT_PID = 'p',
	OPT_NAME = 'n',
	OPT_UNIT = 'U',
	OPT_DURATION = 'd',
	OPT_INTERVAL = 'i',
	OPT_OUTPUT = 'o',
	OPT_ALL = 'a',
	OPT_PAIR = 'u',
	OPT_FUNCTION = 'f',
	OPT_FREQUENCY = 'F',
	OPT_VERBOSE = 'v',
	OPT_QUIET = 'q',
	OPT_HELP = 'h',
	OPT_JSON = 256,
	OPT_FOLLOW,
	OPT_NO_FOLLOW,
	OPT_STRICT,
	OPT_DRY_RUN,
	OPT_RING,
	OPT_MODE,
	OPT_MAX_LIVE,
	OPT_INODE_WIDE,
	OPT_STACK_DEPTH,
	OPT_TOP,
	OPT_MIN_SIZE,
	OPT_OLDER,
	OPT_MIN,
	OPT_NO_LOG,
	OPT_COLOR,
	OPT_ALLOC,
	OPT_FREE,
	OPT_CGROUP,
	OPT_USER,
	OPT_FOLDED,
};

static const struct option_row {
	int id;
	const char *name;
	const char *value; /* what stands for it in the help; NULL = a switch */
	unsigned int groups;
	const char *help;
} table[] = {
	{OPT_PID, "pid", "PID", OPTIONS_TARGET, "the process to look at; may be repeated"},
	{OPT_NAME, "name", "NAME", OPTIONS_TARGET,
	 "all processes whose name or executable is NAME"},
	{OPT_UNIT, "unit", "UNIT", OPTIONS_TARGET,
	 "all processes of a systemd unit and their children"},
	{OPT_CGROUP, "cgroup", "PATH", OPTIONS_TARGET,
	 "all processes in a control group and below it, and their children"},
	{OPT_USER, "user", "USER", OPTIONS_LAUNCH,
	 "start COMMAND as USER (default: who started perftrace, also under sudo)"},
	{OPT_ALL, "all", NULL, OPTIONS_ALL, "every process; its heap only in mode exact"},
	{OPT_DURATION, "duration", "TIME", OPTIONS_RUN,
	 "stop after TIME (5, 500ms, 2m); else Ctrl-C or the target's exit"},
	{OPT_INTERVAL, "interval", "TIME", OPTIONS_TIMER,
	 "how often memory (bare) or the top list (leaks) is shown"},
	{OPT_PAIR, "pair", "PROVIDER:START..END|END2", OPTIONS_SPANS | OPTIONS_LIST,
	 "only these USDT pairs; PROVIDER:GLOB chooses among those found"},
	{OPT_FUNCTION, "function", "LIB:GLOB", OPTIONS_SPANS | OPTIONS_LIST,
	 "functions as spans; GLOB alone: of the executable"},
	{OPT_MIN, "min", "TIME", OPTIONS_SPANS,
	 "write only spans of at least TIME (10ms); all are counted"},
	{OPT_FREQUENCY, "frequency", "HZ", OPTIONS_CPU,
	 "samples a second on each CPU, 1 to 10000 (default 99)"},
	{OPT_FOLDED, "folded", NULL, OPTIONS_CPU, "folded stacks, for flame graphs"},
	{OPT_OUTPUT, "output", "FILE", OPTIONS_RUN | OPTIONS_LIST,
	 "write there instead of standard output"},
	{OPT_JSON, "json", NULL, OPTIONS_RUN | OPTIONS_LIST, "machine-readable output"},
	{OPT_FOLLOW, "follow", NULL, OPTIONS_RUN,
	 "trace children, too (default if some run the same program)"},
	{OPT_NO_FOLLOW, "no-follow", NULL, OPTIONS_RUN, "do not trace children"},
	{OPT_INODE_WIDE, "inode-wide", NULL, OPTIONS_HEAP | OPTIONS_SPANS,
	 "link libraries for all who map them: no gap, others pay"},
	{OPT_MODE, "mode", "MODE", OPTIONS_HEAP, "how the heap is traced: exact (auto = exact)"},
	{OPT_TOP, "top", "N", OPTIONS_HEAP | OPTIONS_CPU, "list at most N call sites or functions"},
	{OPT_OLDER, "older", "TIME", OPTIONS_AGE, "only blocks that are older than TIME"},
	{OPT_MIN_SIZE, "min-size", "SIZE", OPTIONS_HEAP,
	 "only call sites that hold at least SIZE (64K, 1M)"},
	{OPT_ALLOC, "alloc", "LIB:FN(size=argN)", OPTIONS_HEAP | OPTIONS_LIST,
	 "FN hands out memory, too (count=, align=, ptr=, out=argN)"},
	{OPT_FREE, "free", "LIB:FN(ptr=argN)", OPTIONS_HEAP | OPTIONS_LIST,
	 "FN takes it back; both may be repeated"},
	{OPT_MAX_LIVE, "max-live", "N", OPTIONS_HEAP, "room for N blocks alive at once"},
	{OPT_STACK_DEPTH, "stack-depth", "N", OPTIONS_HEAP | OPTIONS_CPU,
	 "frames kept of a call stack, 0 to 128; 0 is cheapest"},
	{OPT_RING, "ring", "SIZE", OPTIONS_RUN, "buffer between kernel and perftrace"},
	{OPT_NO_LOG, "no-log", NULL, OPTIONS_LOG, "do not append to the default log as well"},
	{OPT_DRY_RUN, "dry-run", NULL, OPTIONS_DRY_RUN,
	 "list the probes that would be set and what they cost; set none"},
	{OPT_STRICT, "strict", NULL, OPTIONS_RUN, "exit 6 if any event was lost"},
	{OPT_COLOR, "color", "WHEN", OPTIONS_COMMON, "auto, always or never"},
	{OPT_VERBOSE, "verbose", NULL, OPTIONS_COMMON, "say more on standard error"},
	{OPT_QUIET, "quiet", NULL, OPTIONS_COMMON, "say nothing on standard error but errors"},
	{OPT_HELP, "help", NULL, OPTIONS_COMMON, "this text"},
};

#define ROWS (sizeof(table) / sizeof(table[0]))

void options__init(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->ring_bytes = 8 << 20;
	o->live_max = 1 << 20;
	o->top = 10;
	o->cpu_hz = 99; /* not 100: out of step with what programs do at round times */
	o->stack_depth = STACK_DEPTH_MAX;
}

void options__free(struct options *o)
{
	vec_free(&o->pids);
	pair_rules__free(&o->rules);
	alloc_rules__free(&o->alloc_rules);
	function_rules__free(&o->functions);
}

/* A number with a unit from a list; the whole text must be used up. */
static bool parse_scaled(const char *text, const char *const *units, const double *scales, size_t n,
			 double *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtod(text, &end);
	if (errno || strspn(text, "0123456789.") != (size_t)(end - text))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(end, units[i])) {
			*value *= scales[i];
			return true;
		}
	}
	return false;
}

bool parse_duration(const char *text, uint64_t *ns)
{
	static const char *const units[] = {"", "s", "ms", "us", "m", "min", "h", "d"};
	static const double scales[] = {1, 1, 1e-3, 1e-6, 60, 60, 3600, 86400};
	double seconds;

	if (!parse_scaled(text, units, scales, sizeof(scales) / sizeof(scales[0]), &seconds) ||
	    seconds > DURATION_MAX_S)
		return false;
	*ns = (uint64_t)(seconds * 1e9 + 0.5);
	return true;
}

bool parse_size(const char *text, uint64_t *bytes)
{
	static const char *const units[] = {"",	  "B", "K", "KB", "k", "M",
					    "MB", "m", "G", "GB", "g"};
	static const double scales[] = {1,	 1,	  1 << 10, 1 << 10, 1 << 10, 1 << 20,
					1 << 20, 1 << 20, 1 << 30, 1 << 30, 1 << 30};
	double value;

	if (!parse_scaled(text, units, scales, sizeof(scales) / sizeof(scales[0]), &value) ||
	    value > (double)(1ULL << 50))
		return false;
	*bytes = (uint64_t)value;
	return true;
}

static bool parse_count(const char *text, uint64_t max, uint64_t *n)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*n = strtoull(text, &end, 10);
	return !errno && !*end && *n <= max;
}

static int bad_value(const struct option_row *row, const char *value, const char *expected,
		     struct error *err)
{
	return error_set(err, EXIT_USAGE, -EINVAL, "--%s: '%s' is not %s", row->name, value,
			 expected);
}

static int set_duration(const struct option_row *row, const char *value, uint64_t *ns,
			struct error *err)
{
	if (!parse_duration(value, ns) || !*ns)
		return bad_value(row, value, "a time (try 30, 500ms or 5m)", err);
	return 0;
}

static int add_pid(struct options *o, const struct option_row *row, const char *value,
		   struct error *err)
{
	uint64_t n;
	pid_t *slot;

	if (!parse_count(value, INT_MAX, &n) || !n)
		return bad_value(row, value, "a process ID (pgrep -a NAME finds it)", err);
	slot = vec_push(&o->pids);
	if (!slot)
		return -ENOMEM;
	*slot = n;
	return 0;
}

static int set_ring(struct options *o, const struct option_row *row, const char *value,
		    struct error *err)
{
	uint64_t bytes, rounded = 4096;

	if (!parse_size(value, &bytes) || !bytes || bytes > 1ULL << 30)
		return bad_value(row, value, "a size up to 1G (try 8M)", err);
	while (rounded < bytes) /* the kernel wants a power of two */
		rounded *= 2;
	o->ring_bytes = rounded;
	return 0;
}

static int set_color(struct options *o, const struct option_row *row, const char *value,
		     struct error *err)
{
	static const char *const names[] = {"auto", "always", "never"};

	for (size_t i = 0; i < 3; i++) {
		if (!strcmp(value, names[i])) {
			o->color = i;
			return 0;
		}
	}
	return bad_value(row, value, "auto, always or never", err);
}

static int apply(struct options *o, const struct option_row *row, const char *value,
		 struct error *err)
{
	uint64_t n = 0;

	switch (row->id) {
	case OPT_PID:
		return add_pid(o, row, value, err);
	case OPT_NAME:
		o->name = value;
		return *value ? 0 : bad_value(row, value, "a process name", err);
	case OPT_UNIT:
		o->unit = value;
		return *value && !strchr(value, '/') ? 0 : bad_value(row, value, "a unit", err);
	case OPT_CGROUP:
		o->cgroup = value;
		return *value ? 0 : bad_value(row, value, "a control group", err);
	case OPT_USER:
		o->user = value;
		return *value ? 0 : bad_value(row, value, "a user", err);
	case OPT_DURATION:
		o->duration_set = true;
		return set_duration(row, value, &o->duration_ns, err);
	case OPT_INTERVAL:
		o->interval_set = true;
		return set_duration(row, value, &o->interval_ns, err);
	case OPT_OLDER:
		return set_duration(row, value, &o->older_ns, err);
	case OPT_MIN:
		return set_duration(row, value, &o->min_ns, err);
	case OPT_OUTPUT:
		o->output = value;
		return *value ? 0 : bad_value(row, value, "a file name", err);
	case OPT_FUNCTION:
		return function_rule__parse(value, &o->functions, err);
	case OPT_PAIR:
		return pair_rule__parse(value, &o->rules, err);
	case OPT_ALLOC:
		return alloc_rule__parse(value, false, &o->alloc_rules, err);
	case OPT_FREE:
		return alloc_rule__parse(value, true, &o->alloc_rules, err);
	case OPT_MODE:
		if (strcmp(value, "exact") && strcmp(value, "auto"))
			return bad_value(row, value, "a mode of this version: exact or auto", err);
		o->mode_exact = !strcmp(value, "exact");
		return 0;
	case OPT_TOP:
		if (!parse_count(value, 100000, &n) || !n)
			return bad_value(row, value, "a number from 1 to 100000", err);
		o->top = n;
		return 0;
	case OPT_MIN_SIZE:
		if (!parse_size(value, &o->min_size))
			return bad_value(row, value, "a size (try 64K or 1M)", err);
		return 0;
	case OPT_MAX_LIVE:
		if (!parse_count(value, 100000000, &n) || !n)
			return bad_value(row, value, "a number of blocks (try 4000000)", err);
		o->live_max = n;
		return 0;
	case OPT_ALL:
		o->everybody = true;
		return 0;
	case OPT_INODE_WIDE:
		o->inode_wide = true;
		return 0;
	case OPT_STACK_DEPTH:
		if (!parse_count(value, STACK_DEPTH_MAX, &n))
			return bad_value(row, value, "a number of frames up to 128", err);
		o->stack_depth = n;
		return 0;
	case OPT_RING:
		return set_ring(o, row, value, err);
	case OPT_COLOR:
		return set_color(o, row, value, err);
	case OPT_FOLLOW:
		o->follow = FOLLOW_ON;
		return 0;
	case OPT_NO_FOLLOW:
		o->follow = FOLLOW_OFF;
		return 0;
	case OPT_FREQUENCY:
		if (!parse_count(value, SAMPLER_HZ_MAX, &n) || !n)
			return bad_value(row, value, "a number of samples a second, 1 to 10000",
					 err);
		o->cpu_hz = n;
		return 0;
	case OPT_FOLDED:
		o->folded = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_DRY_RUN:
		o->dry_run = true;
		return 0;
	case OPT_STRICT:
		o->strict = true;
		return 0;
	case OPT_NO_LOG:
		o->no_log = true;
		return 0;
	case OPT_VERBOSE:
		o->verbose = true;
		return 0;
	case OPT_QUIET:
		o->quiet = true;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	}
	return -EINVAL;
}

/* getopt's tables, made from ours. */
static void build_getopt(struct option long_options[ROWS + 1], char *short_options,
			 enum argument_kind takes)
{
	if (takes == ARGUMENT_COMMAND)
		*short_options++ = '+'; /* the first word that is no option ends them */
	*short_options++ = ':';		/* tell a missing value from an unknown option */
	for (size_t i = 0; i < ROWS; i++) {
		long_options[i] = (struct option){table[i].name,
						  table[i].value ? required_argument : no_argument,
						  NULL, table[i].id};
		if (table[i].id < 256) {
			*short_options++ = table[i].id;
			if (table[i].value)
				*short_options++ = ':';
		}
	}
	*short_options = '\0';
	memset(&long_options[ROWS], 0, sizeof(long_options[ROWS]));
}

static const struct option_row *find_row(int id)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (table[i].id == id)
			return &table[i];
	}
	return NULL;
}

/* What getopt complained about, in a sentence; it leaves the option's id in optopt. */
static int refuse(int c, char **argv, const char *command, struct error *err)
{
	const struct option_row *known = find_row(optopt);
	char help[64];

	snprintf(help, sizeof(help), "perftrace %s%s--help", command ? command : "",
		 command ? " " : "");
	if (c == ':')
		return error_set(err, EXIT_USAGE, -EINVAL, "%s needs a value. %s explains it.",
				 argv[optind - 1], help);
	if (known && !known->value)
		return error_set(err, EXIT_USAGE, -EINVAL, "--%s takes no value. %s explains it.",
				 known->name, help);
	if (optopt > 0 && optopt < 256)
		return error_set(err, EXIT_USAGE, -EINVAL, "unknown option -%c. %s lists them.",
				 optopt, help);
	return error_set(err, EXIT_USAGE, -EINVAL, "unknown option %s. %s lists them.",
			 argv[optind - 1], help);
}

int options__parse(struct options *o, int argc, char **argv, unsigned int groups,
		   enum argument_kind takes, const char *command, struct error *err)
{
	struct option long_options[ROWS + 1];
	char short_options[ROWS * 2 + 3];
	int c;

	build_getopt(long_options, short_options, takes);
	opterr = 0;
	optind = 0; /* begin anew, with this table's idea of where options end */
	while ((c = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		const struct option_row *row = find_row(c);
		int ret;

		if (!row)
			return refuse(c, argv, command, err);
		if (!(row->groups & groups))
			return error_set(
				err, EXIT_USAGE, -EINVAL,
				"%s does not take --%s. perftrace %s%s--help lists what it "
				"takes.",
				command ? command : "perftrace -p", row->name,
				command ? command : "", command ? " " : "");
		ret = apply(o, row, optarg, err);
		if (ret)
			return ret;
	}
	if (takes == ARGUMENT_COMMAND) {
		o->command = optind < argc ? argv + optind : NULL;
		return 0;
	}
	if (optind < argc && takes == ARGUMENT_ONE)
		o->argument = argv[optind++];
	if (optind < argc)
		return error_set(err, EXIT_USAGE, -EINVAL,
				 "unexpected argument '%s'. Did you mean -p %s?", argv[optind],
				 argv[optind]);
	return 0;
}

void options__print_help(FILE *out, unsigned int groups)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct option_row *row = &table[i];
		char left[80];
		int n = 0;

		if (!(row->groups & groups))
			continue;
		if (row->id < 256)
			n = snprintf(left, sizeof(left), "-%c, ", row->id);
		else
			n = snprintf(left, sizeof(left), "    ");
		snprintf(left + n, sizeof(left) - n, "--%s%s%s", row->name, row->value ? " " : "",
			 row->value ? row->value : "");
		if (strlen(left) > 22)
			fprintf(out, "  %s\n  %-22s %s\n", left, "", row->help);
		else
			fprintf(out, "  %-22s %s\n", left, row->help);
	}
}
