// SPDX-License-Identifier: BSD-2-Clause
/*
 * Functions in a plan: chosen among those that this very program has, each written for the test, so
 * that its entry and its exits are known.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/notice.h"
#include "cli/function_offer.h"
#include "cli/price.h"
#include "probe/plan.h"
#include "target/everybody.h"

#define FX_MANY 2100

/* clang-format off */
#define FUNCTION(name, body) \
	".balign 16\n.type " name ",@function\n" name ": " body "\n.size " name ",.-" name "\n"

__asm__(".pushsection .text\n"
	FUNCTION("fx_plain", "push %rbx; mov %rdi,%rbx; pop %rbx; ret")
	/* The first instruction that is cheap comes after others. */
	FUNCTION("fx_moved", "mov %rdi,%rax; xor %ecx,%ecx; push %rbx; pop %rbx; ret")
	FUNCTION("fx_frame", "sub $0x18,%rsp; call fx_plain; add $0x18,%rsp; ret")
	FUNCTION("fx_two_ways", "test %rdi,%rdi; jne 1f; xor %eax,%eax; ret; 1: jmp fx_plain")
	/* The first cheap instruction is a way out, on a condition. */
	FUNCTION("fx_early", "test %rdi,%rdi; je fx_plain; xor %eax,%eax; ret")
	FUNCTION("fx_leaves", "je fx_plain; xor %eax,%eax; ret")
	FUNCTION("fx_jumps", "jmp fx_plain")
	FUNCTION("fx_returns", "ret")
	FUNCTION("fx_loop", "dec %edi; jne fx_loop; ret")
	/* A prefix that uprobes refuse. */
	FUNCTION("fx_locked", "lock incl (%rdi); ret")
	FUNCTION("fx_locked_moved", "lock incl (%rdi); push %rbx; pop %rbx; ret")
	FUNCTION("fx_locked_early", "lock decl (%rdi); je fx_plain; ret")
	/* An exit that cannot be certain: its frame is still there. */
	FUNCTION("fx_strange", "push %rbx; jmp fx_plain+1")
	FUNCTION("fx_plain.cold", "push %rbx; pop %rbx; ret")
	FUNCTION("fx_plain.cold.7", "push %rbx; pop %rbx; ret")
	FUNCTION("fx_plain.coldest", "push %rbx; pop %rbx; ret")
	".type fx_choice,@gnu_indirect_function\nfx_choice: lea fx_plain(%rip),%rax; ret\n"
	".size fx_choice,.-fx_choice\n"
	/* Names of one function: that of other files comes first. */
	".balign 16\n.globl alias_global\n.type alias_local,@function\n.type alias_global,@function\n"
	"alias_local: alias_global: push %rbx; pop %rbx; ret\n"
	".size alias_local,.-alias_local\n.size alias_global,.-alias_global\n"
	/* namespace unit { int twice(int); template <> int most<int>(int); } */
	FUNCTION("_ZN4unit5twiceEi", "push %rbx; pop %rbx; ret")
	FUNCTION("_ZN4unit4mostIiEEiT_", "push %rbx; pop %rbx; ret")
	".macro one_of_many\n" FUNCTION("many_\\@", "push %rbx; pop %rbx; ret") ".endm\n"
	".rept 2100\none_of_many\n.endr\n"
	".popsection\n");
/* clang-format on */

/* ---- plans ---- */

struct planned {
	struct plan plan;
	function_rule_list rules;
};

static void add_rules(function_rule_list *rules, const char *texts)
{
	char copy[256], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", texts);
	for (char *text = strtok_r(copy, " ", &save); text; text = strtok_r(NULL, " ", &save))
		assert_int_equal(function_rule__parse(text, rules, NULL), 0);
}

/* This program's file as the one object of a plan. `why`: returns must not be hooked; or NULL. */
static void plan_own_file(struct planned *p, const char *rules, const char *why,
			  enum runtime_kind kind)
{
	struct plan_hazards hazards = {.return_hook = why};
	struct plan_image image = {.is_new = true};
	struct plan_object *object;

	memset(p, 0, sizeof(*p));
	add_rules(&p->rules, rules);
	object = vec_push(&p->plan.objects);
	assert_non_null(object);
	object->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_true(object->fd >= 0);
	object->path = strdup("/opt/unit/program");
	object->is_executable = true;
	object->runtime.kind = kind;
	assert_int_equal(
		elf_image__open_fd(fcntl(object->fd, F_DUPFD_CLOEXEC, 0), &image.image, NULL), 0);
	assert_int_equal(plan_functions__add(&p->plan, &image, &p->rules, &hazards), 0);
	elf_image__free(image.image);
}

static void done(struct planned *p)
{
	plan__free(&p->plan);
	function_rules__free(&p->rules);
}

static const struct plan_probe *entry_of(const struct plan *plan, const char *name)
{
	const struct plan_probe *probe, *found = NULL;

	vec_for_each (&plan->probes, probe) {
		if (probe->kind != PLAN_FUNCTION || strcmp(probe->symbol, name) ||
		    plan->sites.data[probe->cookie].role != SITE_START)
			continue;
		assert_null(found);
		found = probe;
	}
	return found;
}

/* The n-th exit of a function; NULL: it has no more. */
static const struct plan_probe *exit_of(const struct plan *plan, const char *name, size_t n)
{
	const struct plan_probe *probe;

	vec_for_each (&plan->probes, probe)
		if (probe->kind == PLAN_FUNCTION && !strcmp(probe->symbol, name) &&
		    plan->sites.data[probe->cookie].role == SITE_END && !n--)
			return probe;
	return NULL;
}

static size_t exits_of(const struct plan *plan, const char *name)
{
	size_t n = 0;

	while (exit_of(plan, name, n))
		n++;
	return n;
}

static const struct span_site *site_of(const struct plan *plan, const struct plan_probe *probe)
{
	assert_non_null(probe);
	assert_true(probe->cookie < plan->sites.len);
	return &plan->sites.data[probe->cookie];
}

/* What must hold for whatever was planned. */
static void assert_sound(const struct plan *plan)
{
	const struct plan_probe *probe, *other;

	assert_int_equal(plan->sites.len, plan->probes.len);
	vec_for_each (&plan->probes, probe) {
		const struct span_site *site = site_of(plan, probe);
		const struct plan_pair *pair = &plan->pairs.data[site->pair];

		assert_true(site->pair < plan->pairs.len);
		assert_true(pair->is_function);
		assert_string_equal(pair->name, probe->symbol);
		assert_int_equal(pair->abi.scoped_hint, 1);
		assert_int_equal(pair->abi.by_name, 0);
		if (probe->refused)
			continue;
		assert_true(probe->offset > 0);
		assert_true(probe->instruction[0] != '\0');
		/* Two probes at one place have no order. */
		for (other = plan->probes.data; other < probe; other++) {
			assert_true(other->cookie != probe->cookie);
			if (!other->refused && other->site_offset == probe->site_offset &&
			    site_of(plan, other)->pair == site->pair)
				fail_msg("two probes of %s at one place", probe->symbol);
		}
	}
}

/* What is at the probe's site, byte by byte. */
static void assert_code(const struct plan *plan, const struct plan_probe *probe, const char *bytes)
{
	uint8_t code[16];

	assert_int_equal(
		pread(plan->objects.data[probe->object].fd, code, sizeof(code), probe->site_offset),
		sizeof(code));
	assert_memory_equal(code, bytes, strlen(bytes));
}

/* ---- how ends are seen ---- */

static void returns_are_hooked(void **state)
{
	const struct plan_probe *probe;
	struct planned p;

	plan_own_file(&p, "fx_plain fx_moved fx_frame fx_two_ways fx_early fx_jumps", NULL,
		      RUNTIME_C);
	assert_sound(&p.plan);
	assert_int_equal(p.plan.functions, 6);
	assert_int_equal(plan__count(&p.plan, PLAN_FUNCTION), 6);
	vec_for_each (&p.plan.probes, probe) {
		assert_int_equal(probe->hook, HOOK_CALL);
		assert_null(probe->refused);
		assert_non_null(probe->why);
		assert_int_equal(site_of(&p.plan, probe)->role, SITE_START);
		/* The return address must be at [rsp]. */
		assert_int_equal(site_of(&p.plan, probe)->stack_moved, 0);
	}
	probe = entry_of(&p.plan, "fx_moved");
	assert_int_equal(probe->site_offset - probe->offset, 5);
	assert_true(probe->emulated);
	assert_code(&p.plan, probe, "\x53"); /* push %rbx */
	probe = entry_of(&p.plan, "fx_frame");
	assert_int_equal(probe->site_offset, probe->offset);
	assert_false(probe->emulated);
	done(&p);
}

static void exits_are_probed(void **state)
{
	static const char why[] = "the test says so";
	const struct plan_probe *probe;
	struct planned p;

	plan_own_file(&p, "fx_plain fx_frame fx_two_ways fx_moved", why, RUNTIME_CXX);
	assert_sound(&p.plan);
	vec_for_each (&p.plan.probes, probe) {
		assert_int_equal(probe->hook, HOOK_SITE);
		assert_null(probe->refused);
		if (site_of(&p.plan, probe)->role == SITE_END) {
			assert_string_equal(probe->why, why);
			assert_int_equal(probe->offset, entry_of(&p.plan, probe->symbol)->offset);
			assert_int_equal(site_of(&p.plan, probe)->pair,
					 site_of(&p.plan, entry_of(&p.plan, probe->symbol))->pair);
			assert_int_equal(site_of(&p.plan, probe)->condition, 0);
		}
	}
	assert_int_equal(exits_of(&p.plan, "fx_plain"), 1);
	assert_code(&p.plan, exit_of(&p.plan, "fx_plain", 0), "\xc3");
	assert_int_equal(exits_of(&p.plan, "fx_two_ways"), 2);
	assert_code(&p.plan, exit_of(&p.plan, "fx_two_ways", 0), "\xc3");
	assert_false(exit_of(&p.plan, "fx_two_ways", 0)->emulated);
	assert_true(exit_of(&p.plan, "fx_two_ways", 1)->emulated); /* jmp */
	/* The program adds what rsp has moved. */
	probe = entry_of(&p.plan, "fx_frame");
	assert_int_equal(probe->site_offset - probe->offset, 4);
	assert_int_equal(site_of(&p.plan, probe)->stack_moved, 0x18);
	assert_code(&p.plan, probe, "\xe8");
	assert_int_equal(site_of(&p.plan, entry_of(&p.plan, "fx_moved"))->stack_moved, 0);
	done(&p);
}

/* Where the best place for the entry is a way out the entry makes room. */
static void the_entry_keeps_away_from_exits(void **state)
{
	const struct plan_probe *probe;
	struct planned p;

	plan_own_file(&p, "fx_early", "because", RUNTIME_CXX);
	assert_sound(&p.plan);
	probe = entry_of(&p.plan, "fx_early");
	assert_null(probe->refused);
	assert_int_equal(probe->site_offset, probe->offset);
	assert_int_equal(site_of(&p.plan, probe)->stack_moved, 0);
	assert_false(probe->emulated);
	assert_non_null(strstr(probe->instruction, "test"));
	assert_non_null(strstr(probe->why, "way out"));
	assert_int_equal(exits_of(&p.plan, "fx_early"), 2);
	probe = exit_of(&p.plan, "fx_early", 0);
	assert_int_equal(site_of(&p.plan, probe)->condition, 1 + 4); /* je */
	assert_int_equal(probe->site_offset - probe->offset, 3);
	assert_int_equal(site_of(&p.plan, exit_of(&p.plan, "fx_early", 1))->condition, 0);
	done(&p);
	/* With hooked returns there is no need to. */
	plan_own_file(&p, "fx_early", NULL, RUNTIME_C);
	probe = entry_of(&p.plan, "fx_early");
	assert_int_equal(probe->site_offset - probe->offset, 3);
	assert_true(probe->emulated);
	done(&p);
}

static void refusals(void **state)
{
	static const struct {
		const char *name, *hooked, *by_exits; /* NULL: not refused */
	} all[] = {
		{"fx_plain", NULL, NULL},
		{"fx_jumps", NULL, "name that one"},
		{"fx_returns", NULL, "nothing to time"},
		{"fx_leaves", NULL, "first instruction may leave it"},
		{"fx_loop", "inside a loop", "inside a loop"},
		{"fx_locked", "instruction cannot be probed", "instruction cannot be probed"},
		{"fx_locked_moved", NULL, NULL},
		{"fx_locked_early", NULL, "instruction cannot be probed"},
		{"fx_strange", NULL, "frame still in place"},
		{"fx_choice", "IFUNC", "IFUNC"},
	};

	for (int exits = 0; exits < 2; exits++) {
		struct planned p;

		plan_own_file(&p, "fx_*", exits ? "because" : NULL, RUNTIME_CXX);
		assert_sound(&p.plan);
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			const char *want = exits ? all[i].by_exits : all[i].hooked;
			const struct plan_probe *probe = entry_of(&p.plan, all[i].name);

			if (!probe)
				fail_msg("no %s", all[i].name);
			if (!want != !probe->refused || (want && !strstr(probe->refused, want)))
				fail_msg("%s: %s", all[i].name, probe->refused);
			/* All or nothing. */
			for (size_t n = 0; exit_of(&p.plan, all[i].name, n); n++)
				assert_ptr_equal(exit_of(&p.plan, all[i].name, n)->refused,
						 probe->refused);
			if (exits && !want)
				assert_true(exits_of(&p.plan, all[i].name) > 0);
		}
		done(&p);
	}
}

static void stacks_that_move(void **state)
{
	const struct plan_probe *probe;
	struct planned p;

	plan_own_file(&p, "fx_*", "because", RUNTIME_GO);
	assert_true(p.plan.probes.len >= 8);
	assert_int_equal(plan__count(&p.plan, PLAN_FUNCTION), 0);
	vec_for_each (&p.plan.probes, probe)
		assert_non_null(strstr(probe->refused, "Go"));
	done(&p);
}

/* ---- which functions are chosen ---- */

static void names(void **state)
{
	struct planned p;

	plan_own_file(&p, "fx_plain* alias_local alias_* unit::twice program:unit::most<int>", NULL,
		      RUNTIME_C);
	assert_sound(&p.plan);
	/* No parts of functions, though they have names like theirs. */
	assert_non_null(entry_of(&p.plan, "fx_plain"));
	assert_non_null(entry_of(&p.plan, "fx_plain.coldest"));
	assert_null(entry_of(&p.plan, "fx_plain.cold"));
	assert_null(entry_of(&p.plan, "fx_plain.cold.7"));
	/* One function, one span. */
	assert_non_null(entry_of(&p.plan, "alias_global"));
	assert_null(entry_of(&p.plan, "alias_local"));
	assert_non_null(entry_of(&p.plan, "unit::twice(int)"));
	assert_non_null(entry_of(&p.plan, "int unit::most<int>(int)"));
	assert_int_equal(p.plan.functions, 5);
	assert_int_equal(p.plan.probes.len, 5);
	assert_int_equal(plan__span_pairs(&p.plan), 0); /* those of USDT */
	assert_false(plan__has_own_macros(&p.plan) && p.plan.sites.data[0].pair);
	done(&p);
	/* An alias that is asked for has the name that was asked for. */
	plan_own_file(&p, "alias_local", NULL, RUNTIME_C);
	assert_non_null(entry_of(&p.plan, "alias_local"));
	assert_int_equal(p.plan.probes.len, 1);
	done(&p);
}

static void searches(void **state)
{
	struct planned p;

	plan_own_file(&p, "fx_plain fx_plian libnothing.so:f *:fx_j?mps unit::twcie zzzzzzzzzz",
		      NULL, RUNTIME_C);
	assert_int_equal(p.plan.searches.len, 6);
	assert_int_equal(p.plan.searches.data[0].objects, 1);
	assert_int_equal(p.plan.searches.data[0].found, 1);
	assert_int_equal(p.plan.searches.data[1].objects, 1);
	assert_int_equal(p.plan.searches.data[1].found, 0);
	assert_string_equal(p.plan.searches.data[1].nearest.best, "fx_plain");
	assert_int_equal(p.plan.searches.data[2].objects, 0);
	assert_int_equal(p.plan.searches.data[2].found, 0);
	assert_int_equal(p.plan.searches.data[3].found, 1);
	assert_string_equal(p.plan.searches.data[4].nearest.best, "unit::twice");
	assert_string_equal(p.plan.searches.data[5].nearest.best, "");
	assert_int_equal(p.plan.functions, 2);
	done(&p);
}

static void too_many(void **state)
{
	struct process root = {.pid = 42, .exe = "/opt/unit/program"};
	struct error err = {0};
	struct planned p;

	plan_own_file(&p, "many_*", "because", RUNTIME_C);
	assert_int_equal(p.plan.functions, FX_MANY);
	assert_int_equal(p.plan.pairs.len, PLAN_FUNCTIONS_MAX);
	assert_int_equal(p.plan.probes.len, 2 * PLAN_FUNCTIONS_MAX);
	assert_int_equal(function_offer__check(&p.plan, &p.rules, &root, &err), -E2BIG);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_string_equal(err.text, "-f chooses 2100 functions; 2000 are traced at most. Narrow "
				      "the glob.");
	err = (struct error){0};
	everybody__open(&root);
	assert_int_equal(function_offer__check(&p.plan, &p.rules, &root, &err), -E2BIG);
	done(&p);
}

/* ---- what the user is told ---- */

static void assert_offer(const char *rules, const char *why, int ret, const char *text)
{
	struct process root = {.pid = 42, .exe = "/opt/unit/program"};
	struct error err = {0};
	struct planned p;

	plan_own_file(&p, rules, why, RUNTIME_C);
	assert_int_equal(function_offer__check(&p.plan, &p.rules, &root, &err), ret);
	assert_int_equal(err.exit_code, ret ? EXIT_UNSUPPORTED : 0);
	assert_string_equal(err.text, text);
	done(&p);
}

static void offers(void **state)
{
	assert_offer("fx_plain", NULL, 0, "");
	assert_offer("fx_jumps fx_plain", "because", 0, ""); /* one is enough */
	assert_offer("fx_plian", NULL, -ENOENT,
		     "no function 'fx_plian' in the executable of 42. Did you mean 'fx_plain'? "
		     "perftrace probes -p 42 -f '*' lists those with symbols.");
	assert_offer("fx_plain prog*:unit::twcie", NULL, -ENOENT,
		     "no function 'unit::twcie' in prog* of 42. Did you mean 'unit::twice'? "
		     "perftrace probes -p 42 -f 'prog*:*' lists those with symbols.");
	assert_offer("zzzzzzzzzz", NULL, -ENOENT,
		     "no function 'zzzzzzzzzz' in the executable of 42. perftrace probes -p 42 -f "
		     "'*' lists those with symbols.");
	assert_offer(
		"libnothing.so:f", NULL, -ENOENT,
		"no file called 'libnothing.so' is mapped by 42, or it has no symbols. grep xp "
		"/proc/42/maps lists them.");
	assert_offer(
		"fx_jumps", "because", -ENOTSUP,
		"cannot trace fx_jumps of 42: it only jumps on to another function: name that one. "
		"perftrace probes -p 42 -f GLOB lists what can be traced.");
}

static void an_offer_of_nothing(void **state)
{
	struct process root = {.pid = 42, .exe = "/opt/unit/program"};
	function_rule_list rules = {0};
	struct error err = {0};
	struct plan plan = {0};

	assert_int_equal(function_offer__check(&plan, &rules, &root, &err), 0);
	add_rules(&rules, "f");
	assert_int_equal(function_offer__check(&plan, &rules, &root, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'/opt/unit/program'"));
	everybody__open(&root); /* somebody who has it may come */
	assert_int_equal(function_offer__check(&plan, &rules, &root, NULL), 0);
	function_rules__free(&rules);
}

static void refuse_from(void **state)
{
	static const char first[] = "first", second[] = "second";
	struct planned p;

	plan_own_file(&p, "fx_plain fx_moved fx_frame", NULL, RUNTIME_C);
	plan__refuse_from(&p.plan, 3, first); /* none */
	assert_int_equal(plan__count(&p.plan, PLAN_FUNCTION), 3);
	plan__refuse_from(&p.plan, 2, first);
	assert_int_equal(plan__count(&p.plan, PLAN_FUNCTION), 2);
	assert_string_equal(p.plan.probes.data[2].refused, first);
	plan__refuse_from(&p.plan, 0, second);
	assert_int_equal(plan__count(&p.plan, PLAN_FUNCTION), 0);
	done(&p);
}

static enum notice_level told_level;
static char told[512];

static void hear(enum notice_level level, const char *line)
{
	if (level == NOTICE_DETAIL)
		return;
	assert_int_equal(told[0], '\0');
	told_level = level;
	snprintf(told, sizeof(told), "%s", line);
}

static void what_others_pay(void **state)
{
	struct process everybody, one = {.pid = 42};
	struct link_support support = {0};
	struct probe_costs costs;
	struct options options;
	struct plan plan = {0};

	options__init(&options);
	price__get(&plan, &one, &options, &support,
		   &costs); /* nothing to be told: nothing is measured */
	everybody__open(&everybody);
	notice_set_sink(hear);
	price__tell_others(&plan, &one, &options, &support, &costs);
	assert_string_equal(told, "");
	price__tell_others(&plan, &everybody, &options, &support, &costs);
	assert_string_equal(told, "every program pays for the probes it runs into");
	assert_int_equal(told_level, NOTICE_INFO);
	told[0] = '\0';
	options.inode_wide = true;
	price__tell_others(&plan, &one, &options, &support, &costs);
	assert_string_equal(told,
			    "every program with these libraries pays for the probes it runs into");
	notice_set_sink(NULL);
	options__free(&options);
}

/* ---- of processes ---- */

static pid_t start_self(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Functions of the program and of a library, for two processes that share both. */
static void processes(void **state)
{
	static const char why[] = "the test says so";
	const struct plan_probe *probe;
	function_rule_list rules = {0};
	struct plan plan = {0};
	size_t probes = 0, loaders = 0;

	add_rules(&rules, "fx_plain libc.so:abs*");
	for (int i = 0; i < 2; i++) {
		struct plan_options options = {.functions = &rules, .no_return_hooks = why};
		pid_t pid = start_self();
		struct process process;
		struct maps maps = {0};

		assert_int_equal(process__open(pid, &process, NULL), 0);
		assert_int_equal(maps__load(pid, &maps), 0);
		assert_int_equal(plan__add_process(&plan, &process, &maps, &options, NULL), 0);
		assert_string_equal(plan__no_return_hooks(&plan, &process), why);
		process.exe_inode++;
		assert_null(plan__no_return_hooks(&plan, &process));
		if (!i)
			probes = plan.probes.len;
		assert_int_equal(plan.probes.len, probes); /* the second adds nothing */
		maps__free(&maps);
		process__close(&process);
		end_child(pid);
	}
	assert_int_equal(plan.searches.len, 2);
	assert_int_equal(plan.searches.data[0].objects, 1);
	assert_int_equal(plan.searches.data[1].objects, 1);
	assert_true(plan.searches.data[1].found >= 1);
	assert_true(plan.objects.data[entry_of(&plan, "fx_plain")->object].is_executable);
	assert_non_null(strstr(plan.objects.data[entry_of(&plan, "abs")->object].path, "/libc"));
	assert_int_equal(plan.programs.len, 1);
	vec_for_each (&plan.probes, probe) {
		if (probe->kind != PLAN_LOADER)
			continue;
		loaders++;
		assert_string_equal(probe->symbol, "_dl_debug_state");
		assert_non_null(strstr(plan.objects.data[probe->object].path, "/ld-"));
		assert_int_equal(probe->hook, HOOK_SITE);
		assert_null(probe->refused);
		assert_true(probe->site_offset > 0);
	}
	assert_int_equal(loaders, 1);
	plan__free(&plan);
	function_rules__free(&rules);
}

/* ---- hazards ---- */

static struct process some_process(void)
{
	return (struct process){.pid = getpid(), .exe_dev = 1, .exe_inode = 2};
}

/* A process that maps one file for each runtime; `n` of them as code. */
static void map_runtimes(struct plan *plan, struct maps *maps, const struct elf_runtime *all,
			 size_t n, bool executable)
{
	for (size_t i = 0; i < n; i++) {
		struct plan_object *object = vec_push(&plan->objects);
		struct mapping *m = vec_push(&maps->list);

		assert_true(object && m);
		object->fd = -1;
		object->inode = m->inode = 100 + plan->objects.len;
		object->runtime = all[i];
		m->executable = executable;
	}
}

static const char *hazard_of(const struct elf_runtime *all, size_t n, bool executable,
			     const char *no_return_hooks)
{
	struct plan_options options = {.no_return_hooks = no_return_hooks};
	struct process process = some_process();
	struct plan_hazards hazards;
	struct plan plan = {0};
	struct maps maps = {0};

	map_runtimes(&plan, &maps, all, n, executable);
	assert_int_equal(plan_hazards__find(&plan, &process, &maps, &options, &hazards), 0);
	assert_ptr_equal(plan__no_return_hooks(&plan, &process), hazards.return_hook);
	vec_free(&maps.list);
	plan__free(&plan);
	return hazards.return_hook;
}

static void hazards(void **state)
{
	static const struct elf_runtime c = {.kind = RUNTIME_C},
					cxx = {.kind = RUNTIME_CXX,
					       .can_unwind = true,
					       .why = "C++ exceptions"},
					libstdcxx = {.kind = RUNTIME_CXX,
						     .can_unwind = true,
						     .why = "its own",
						     .serves_others = true},
					go = {.kind = RUNTIME_GO, .moves_stacks = true},
					coroutines = {.kind = RUNTIME_C, .switches_stacks = true};
	const struct elf_runtime harmless[] = {c, libstdcxx, c}, throws[] = {c, libstdcxx, cxx},
				 all[] = {cxx, coroutines, go}, switches[] = {c, cxx, coroutines};

	assert_null(hazard_of(NULL, 0, true, NULL));
	assert_null(hazard_of(harmless, 3, true, NULL));
	assert_string_equal(hazard_of(throws, 3, true, NULL), "C++ exceptions");
	assert_null(hazard_of(throws, 3, false, NULL)); /* mapped, but not as code */
	assert_non_null(strstr(hazard_of(all, 3, true, NULL), "Go"));
	assert_non_null(strstr(hazard_of(switches, 3, true, NULL), "coroutines"));
	assert_string_equal(hazard_of(harmless, 3, true, "asked for"), "asked for");
	assert_string_equal(hazard_of(all, 3, true, "asked for"), "asked for");
}

/* What is loaded later counts, what is unloaded later does not take it back, others are not it. */
static void hazards_of_a_program(void **state)
{
	static const struct elf_runtime c = {.kind = RUNTIME_C}, rust = {.kind = RUNTIME_RUST,
									 .can_unwind = true,
									 .why = "Rust panics"};
	struct process process = some_process(), other = some_process();
	const struct plan_options options = {0};
	struct plan_hazards hazards;
	struct plan plan = {0};
	struct maps maps = {0};

	map_runtimes(&plan, &maps, &c, 1, true);
	assert_int_equal(plan_hazards__find(&plan, &process, &maps, &options, &hazards), 0);
	assert_null(hazards.return_hook);
	map_runtimes(&plan, &maps, &rust, 1, true);
	assert_int_equal(plan_hazards__find(&plan, &process, &maps, &options, &hazards), 0);
	assert_string_equal(hazards.return_hook, "Rust panics");
	maps.list.len = 1;
	assert_int_equal(plan_hazards__find(&plan, &process, &maps, &options, &hazards), 0);
	assert_string_equal(hazards.return_hook, "Rust panics");
	other.exe_inode = 3;
	assert_null(plan__no_return_hooks(&plan, &other));
	assert_int_equal(plan_hazards__find(&plan, &other, &maps, &options, &hazards), 0);
	assert_null(hazards.return_hook);
	assert_int_equal(plan.programs.len, 2);
	vec_free(&maps.list);
	plan__free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_are_hooked),
		cmocka_unit_test(exits_are_probed),
		cmocka_unit_test(the_entry_keeps_away_from_exits),
		cmocka_unit_test(refusals),
		cmocka_unit_test(stacks_that_move),
		cmocka_unit_test(names),
		cmocka_unit_test(searches),
		cmocka_unit_test(too_many),
		cmocka_unit_test(offers),
		cmocka_unit_test(an_offer_of_nothing),
		cmocka_unit_test(refuse_from),
		cmocka_unit_test(what_others_pay),
		cmocka_unit_test(processes),
		cmocka_unit_test(hazards),
		cmocka_unit_test(hazards_of_a_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
