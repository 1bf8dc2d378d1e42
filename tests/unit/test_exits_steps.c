// SPDX-License-Identifier: BSD-2-Clause
/*
 * Exits against what really happens: a child runs functions of libc, one instruction at a time,
 * and its stack pointer tells when a function was entered and left. Each function of known exits
 * has to be left through one of them, and an exit has to leave it.
 *
 * With a command as arguments that is stepped instead, in all objects it starts with, by hand:
 * test_exits_steps build/tests/targets/exceptions
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "elf/openfile.h"
#include "probe/function_exits.h"
#include "target/maps.h"

/* A sanitizer's own work is stepped through as well; the child is left at that, then. */
#define STEPS_MAX 120000
#ifdef __SANITIZE_ADDRESS__
#define ENTERED_MIN 60
#else
#define ENTERED_MIN 200
#endif

struct function {
	const char *name;
	uint64_t start, end; /* in the process */
	struct exits exits;
};

/* An object's code, and which function begins at each byte of it. */
struct object {
	uint64_t start, end; /* in the process */
	uint32_t *entry;     /* 1 + index into `functions`, per byte */
	struct elf_image *image;
	struct elf_symbols *symbols;
};

struct frame {
	uint32_t function;
	uint64_t sp; /* at the entry */
};

static VEC(struct object) objects;
static VEC(struct function) functions;
static VEC(struct frame) stack;
static unsigned int entered, left, unwound, missed, wrong;
static char **command;

/* ---- what may be stepped through ---- */

static void add_function(const struct function_source *source, struct object *object, uint64_t bias,
			 const struct elf_symbol *symbol)
{
	uint64_t start = symbol->vaddr + bias;
	struct exits exits = {0};
	struct function *f;

	if (!symbol->size || symbol->indirect || start < object->start || start >= object->end ||
	    object->entry[start - object->start])
		return;
	assert_int_equal(function_exits__find(source, symbol->vaddr, symbol->size, &exits), 0);
	if (exits.refused) {
		exits__free(&exits);
		return;
	}
	f = vec_push(&functions);
	assert_non_null(f);
	*f = (struct function){symbol->name, start, start + symbol->size, exits};
	object->entry[start - object->start] = (uint32_t)functions.len;
}

static void add_object(const struct mapping *m)
{
	struct function_source source;
	struct fde_index *fdes = NULL;
	struct object *object = vec_push(&objects);
	uint64_t vaddr;

	assert_non_null(object);
	assert_int_equal(elf_image__open_fd(open_regular(AT_FDCWD, m->path), &object->image, NULL),
			 0);
	assert_int_equal(elf_symbols__load(object->image, &object->symbols), 0);
	fde_index__load(object->image, &fdes);
	assert_int_equal(elf_image__offset_to_vaddr(object->image, m->file_offset, &vaddr), 0);
	object->start = m->start;
	object->end = m->end;
	object->entry = calloc(m->end - m->start, sizeof(object->entry[0]));
	assert_non_null(object->entry);
	source = (struct function_source){object->image, object->symbols, fdes};
	for (size_t i = 0; i < elf_symbols__count(object->symbols); i++)
		add_function(&source, object, m->start - vaddr,
			     elf_symbols__at(object->symbols, i));
	fde_index__free(fdes);
}

static bool is_wanted(const struct mapping *m)
{
	return m->executable && m->inode &&
	       (command ? m->path[0] == '/' : !!strstr(m->path, "/libc.so"));
}

static void look_at_objects(pid_t pid)
{
	struct maps maps = {0};
	const struct mapping *m;

	assert_int_equal(maps__load(pid, &maps), 0);
	vec_for_each (&maps.list, m) {
		bool known = false;
		const struct object *o;

		vec_for_each (&objects, o)
			known |= o->start == m->start;
		if (!known && is_wanted(m))
			add_object(m);
	}
	maps__free(&maps);
}

static uint32_t function_at(uint64_t ip)
{
	const struct object *o;

	vec_for_each (&objects, o) {
		if (ip >= o->start && ip < o->end)
			return o->entry[ip - o->start];
	}
	return 0;
}

static const struct exit_site *exit_at(const struct function *f, uint64_t ip)
{
	const struct exit_site *site;

	vec_for_each (&f->exits.sites, site) {
		if (f->start + (uint64_t)site->offset == ip)
			return site;
	}
	return NULL;
}

/* ---- one step ---- */

static void complain(unsigned int *count, const char *what, const struct function *f, uint64_t ip)
{
	if ((*count)++ < 20)
		fprintf(stderr, "%s: %s at +%#lx\n", f->name, what, (long)(ip - f->start));
}

/* The instruction at `was` has been executed with the stack pointer at `was_sp`. */
static void pass_exit(uint64_t was, uint64_t was_sp, uint64_t ip, uint64_t sp)
{
	const struct frame *top = &stack.data[stack.len - 1];
	const struct function *f = &functions.data[top->function];
	const struct exit_site *site = exit_at(f, was);

	if (!site || was_sp != top->sp)
		return;
	if (site->kind == EXIT_TAIL_JCC && ip > was && ip - was <= 6)
		return; /* not taken */
	if (site->kind == EXIT_RET ? sp <= top->sp : ip > f->start && ip < f->end)
		complain(&wrong, "an exit does not leave", f, was);
	stack.len--;
	left++;
}

static void step(uint64_t was, uint64_t was_sp, uint64_t ip, uint64_t sp)
{
	uint32_t entry = function_at(ip);

	if (stack.len)
		pass_exit(was, was_sp, ip, sp);
	while (stack.len && sp > stack.data[stack.len - 1].sp) {
		const struct frame *top = &stack.data[stack.len - 1];

		if (sp <= top->sp + 16)
			complain(&missed, "left by no exit", &functions.data[top->function], was);
		else
			unwound++; /* an exception, longjmp */
		stack.len--;
	}
	if (entry && stack.len && stack.data[stack.len - 1].sp == sp) {
		const struct frame *top = &stack.data[stack.len - 1];
		const struct function *f = &functions.data[top->function];

		if (top->function == entry - 1 && f->exits.reenters)
			return;
		complain(&missed, "jumped out by no exit", f, was);
		stack.len--;
	}
	if (entry) {
		struct frame *frame = vec_push(&stack);

		assert_non_null(frame);
		*frame = (struct frame){entry - 1, sp};
		entered++;
	}
}

/* ---- the child ---- */

static int ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void use_libc(void)
{
	char text[256], wide[64], *end;
	int numbers[12];
	struct tm tm = {.tm_year = 123, .tm_mon = 10, .tm_mday = 14};
	regex_t regex;
	FILE *f = fopen("/dev/null", "w");

	for (int i = 0; i < 12; i++)
		numbers[i] = (i * 7919) % 101;
	qsort(numbers, 12, sizeof(numbers[0]), ascending);
	snprintf(text, sizeof(text), "%s %5d %-8g %#lx %.3e %c %p", "word", numbers[3], 3.25,
		 0x1234567L, 1e20, 'x', (void *)text);
	fprintf(f, "%s %f\n", text, strtod("2.718281828459045", &end));
	fprintf(f, "%ld %llu\n", strtol("-0x7fff", &end, 0), strtoull("123456789012", &end, 10));
	strftime(text, sizeof(text), "%A %d %B %Y %H:%M:%S", &tm);
	if (!regcomp(&regex, "^ab*c", REG_NOSUB)) {
		regexec(&regex, "abbc", 0, NULL, 0);
		regfree(&regex);
	}
	sscanf("12 34.5 word", "%d %lf %63s", numbers, (double *)text, wide);
	for (int i = 1; i < 3000; i *= 9) {
		char *p = malloc((size_t)i), *q;

		memset(p, i, (size_t)i);
		q = realloc(p, (size_t)i * 2);
		memmove(q + 1, q, (size_t)i);
		q[i] = '\0';
		numbers[0] += strlen(q) + (strchr(q, 'a') != NULL) + strcasecmp(q, "abc");
		free(strdup(q));
		free(q);
	}
	free(calloc(3, 5));
	mbstowcs((wchar_t *)text, "gr\xc3\xbc\xc3\x9f", 20);
	getenv("HOME");
	fclose(f);
}

static void be_stepped(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	if (command)
		execvp(command[0], command);
	else
		use_libc();
	_exit(0);
}

/* Objects come with execve and with the dynamic linker. */
static bool is_new_code(uint64_t ip)
{
	static uint64_t known;
	const struct object *o;

	if (ip >> 12 == known)
		return false;
	known = ip >> 12;
	vec_for_each (&objects, o) {
		if (ip >= o->start && ip < o->end)
			return false;
	}
	return true;
}

static unsigned long step_through(pid_t pid)
{
	struct user_regs_struct regs = {0};
	uint64_t ip = 0, sp = 0;
	unsigned long steps = 0;
	int status;

	for (;;) {
		int pass_on = 0;

		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			break;
		if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
			pass_on = WSTOPSIG(status);
		if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
			break;
		if (!steps || (command && is_new_code(regs.rip)))
			look_at_objects(pid);
		if (steps)
			step(ip, sp, regs.rip, regs.rsp);
		ip = regs.rip;
		sp = regs.rsp;
		if (steps++ == STEPS_MAX && !command)
			kill(pid, SIGKILL);
		ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(intptr_t)pass_on);
	}
	assert_true(WIFEXITED(status) || WIFSIGNALED(status));
	return steps;
}

static void functions_are_left_by_their_exits(void **state)
{
	unsigned long steps;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		be_stepped();
	steps = step_through(pid);
	fprintf(stderr, "%lu steps, %u functions entered, %u left, %u unwound\n", steps, entered,
		left, unwound);
	assert_true(entered > ENTERED_MIN);
	assert_true(left + stack.len + unwound == entered);
	assert_true(left > entered * 9 / 10);
	assert_int_equal(missed, 0);
	assert_int_equal(wrong, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_left_by_their_exits),
	};

	command = argc > 1 ? argv + 1 : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
