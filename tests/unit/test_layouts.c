// SPDX-License-Identifier: BSD-2-Clause
/* Layouts of this very process and of children of it, in front of a kernel side of a few lines. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "code_file.h"
#include "session/layouts.h"
#include "target/code_glance.h"

#define SHARDS	   16
#define PAGES	   65536
#define TARGETS	   8
#define SHOWN	   64
#define CODE_BYTES 65536
#define LATER	   (11 * NSEC_PER_SEC) /* by then everybody was looked at, how dear it ever is */

/* ---- the kernel side: linked in place of session/kernel.c ---- */

static struct {
	struct unwind_memory memory;
	struct {
		uint32_t tgid;
		uint64_t layout;
	} targets[TARGETS];
	struct {
		uint64_t number;
		struct unwind_layout value;
	} shown[SHOWN];
	size_t n_shown, published;
	uint64_t last_number;
} fake;

uint64_t kernel__new_number(struct kernel *k)
{
	return ++fake.last_number;
}

int kernel__layout(const struct kernel *k, uint32_t tgid, uint64_t *layout)
{
	for (int i = 0; i < TARGETS; i++) {
		if (fake.targets[i].tgid != tgid)
			continue;
		*layout = fake.targets[i].layout;
		return 0;
	}
	return -ENOENT;
}

int kernel__set_layout(struct kernel *k, uint32_t tgid, uint64_t layout)
{
	for (int i = 0; i < TARGETS; i++) {
		if (fake.targets[i].tgid != tgid)
			continue;
		fake.targets[i].layout = layout;
		return 0;
	}
	return -ENOENT;
}

int kernel__unwind_memory(struct kernel *k, struct unwind_memory *memory)
{
	*memory = fake.memory;
	return 0;
}

static struct unwind_layout *shown(uint64_t number)
{
	for (size_t i = 0; i < fake.n_shown; i++)
		if (fake.shown[i].number == number)
			return &fake.shown[i].value;
	return NULL;
}

static int publish(void *arg, uint64_t number, const struct unwind_layout *value)
{
	size_t i = 0;

	fake.published++;
	while (i < fake.n_shown && fake.shown[i].number != number)
		i++;
	if (!value && i < fake.n_shown)
		fake.shown[i] = fake.shown[--fake.n_shown];
	if (!value)
		return 0;
	assert_true(i < SHOWN);
	fake.n_shown += i == fake.n_shown;
	fake.shown[i].number = number;
	fake.shown[i].value = *value;
	return 0;
}

static void become_target(pid_t pid, uint64_t layout)
{
	for (int i = 0; i < TARGETS; i++) {
		if (fake.targets[i].tgid && fake.targets[i].tgid != (uint32_t)pid)
			continue;
		fake.targets[i].tgid = pid;
		fake.targets[i].layout = layout;
		return;
	}
	fail();
}

static uint64_t layout_of(pid_t pid)
{
	uint64_t layout = 0;

	kernel__layout(NULL, pid, &layout);
	return layout;
}

/* Does the kernel side know code at `address`? */
static bool knows(uint64_t number, const void *address)
{
	const struct unwind_layout *layout = shown(number);
	uint64_t pc = (uintptr_t)address;

	for (uint32_t i = 0; layout && i < layout->n; i++) {
		const struct unwind_mapping *m = &fake.memory.mappings[layout->first + i];

		if (pc >= m->start && pc < m->end)
			return true;
	}
	return false;
}

/* ---- the room ---- */

struct room {
	struct symbolizer *symbolizer;
	struct layouts *layouts;
	struct code_file a, b;
	uint64_t now_ns;
	int loaded; /* how often somebody was told */
};

static void *zeroes(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static struct room begin(void)
{
	struct room r = {.symbolizer = symbolizer__new(), .now_ns = clock_monotonic_ns()};

	memset(&fake, 0, sizeof(fake));
	fake.memory = (struct unwind_memory){
		.halves = zeroes(SHARDS * sizeof(struct unwind_shard)),
		.n_halves = SHARDS * UNWIND_SHARD_HALVES,
		.pages = zeroes(PAGES * sizeof(struct unwind_page)),
		.n_pages = PAGES,
		.rules = zeroes(UNWIND_RULES_MAX * sizeof(struct unwind_rule)),
		.mappings = zeroes(UNWIND_MAPPINGS_MAX * sizeof(struct unwind_mapping)),
		.n_mappings = UNWIND_MAPPINGS_MAX,
		.publish = publish,
	};
	r.layouts = layouts__new(r.symbolizer);
	assert_non_null(r.layouts);
	assert_int_equal(layouts__bind(r.layouts, NULL), 0);
	code_file__write(&r.a, code_dir, "liba.so", 1, 0x1000, CODE_BYTES);
	code_file__write(&r.b, code_dir, "libb.so", 2, 0x1000, CODE_BYTES);
	return r;
}

static void end(struct room *r)
{
	layouts__free(r->layouts);
	symbolizer__free(r->symbolizer);
	munmap(fake.memory.halves, SHARDS * sizeof(struct unwind_shard));
	munmap(fake.memory.pages, PAGES * sizeof(struct unwind_page));
	munmap(fake.memory.rules, UNWIND_RULES_MAX * sizeof(struct unwind_rule));
	munmap(fake.memory.mappings, UNWIND_MAPPINGS_MAX * sizeof(struct unwind_mapping));
}

static void note_loaded(void *arg, pid_t pid)
{
	((struct room *)arg)->loaded++;
}

static void tick(struct room *r, uint64_t after_ns)
{
	r->now_ns += after_ns;
	layouts__tick(r->layouts, r->now_ns, note_loaded, r);
}

static void *map_code(const struct code_file *f, void *at)
{
	int fd = f ? open(f->path, O_RDONLY | O_CLOEXEC) : -1;
	void *p = mmap(at, CODE_BYTES, PROT_READ | PROT_EXEC,
		       MAP_PRIVATE | (at ? MAP_FIXED : 0) | (f ? 0 : MAP_ANONYMOUS), fd,
		       f ? CODE_OFFSET : 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	if (fd >= 0)
		close(fd);
	return p;
}

static const char *module_at(struct room *r, uint64_t layout, const void *address)
{
	struct frame frame;

	symbolizer__resolve(r->symbolizer, layout, (uintptr_t)address + 16, false, &frame);
	return frame.module ? frame.module : "";
}

static void begin_with_self(struct room *r)
{
	fake.last_number = 7;
	become_target(getpid(), 7);
	layouts__add(r->layouts, getpid());
	tick(r, 0);
	assert_true(knows(7, begin));
	assert_string_equal(module_at(r, 7, begin), "test_layouts");
	assert_int_equal(r->loaded, 0);
}

/* ---- cases ---- */

static void added_code_keeps_the_number(void **state)
{
	struct room r = begin();
	uint64_t seed;
	void *code;

	begin_with_self(&r);
	seed = shown(7)->seed;
	code = map_code(&r.a, NULL);
	tick(&r, LATER);
	assert_int_equal(layout_of(getpid()), 7);
	assert_true(knows(7, code));
	assert_true(shown(7)->seed != seed);
	assert_string_equal(module_at(&r, 7, code), "liba.so");
	assert_int_equal(r.loaded, 1);
	munmap(code, CODE_BYTES);
	end(&r);
}

/* The addresses of a library that is gone keep their names, and the next one there gets its own. */
static void reused_addresses_keep_apart(void **state)
{
	struct room r = begin();
	uint64_t first, second;
	void *code;

	begin_with_self(&r);
	code = map_code(&r.a, NULL);
	tick(&r, LATER);
	munmap(code, CODE_BYTES);
	tick(&r, LATER);
	first = layout_of(getpid());
	assert_true(first > 7);
	assert_false(knows(first, code));
	assert_true(knows(first, begin));
	assert_null(shown(7)); /* nobody has it any more */
	map_code(&r.b, code);
	tick(&r, LATER);
	assert_int_equal(layout_of(getpid()), first);
	/* In one step. */
	map_code(&r.a, code);
	tick(&r, LATER);
	second = layout_of(getpid());
	assert_true(second > first);
	assert_true(knows(second, code));
	assert_string_equal(module_at(&r, 7, code), "liba.so");
	assert_string_equal(module_at(&r, first, code), "libb.so");
	assert_string_equal(module_at(&r, second, code), "liba.so");
	munmap(code, CODE_BYTES);
	end(&r);
}

/* JITs make and drop code all the time: that must not multiply call sites. */
static void made_code_keeps_the_number(void **state)
{
	struct room r = begin();
	void *code;

	begin_with_self(&r);
	for (int i = 0; i < 5; i++) {
		code = map_code(NULL, NULL);
		tick(&r, LATER);
		assert_true(knows(7, code));
		munmap(code, CODE_BYTES);
		tick(&r, LATER);
		assert_false(knows(7, code));
	}
	assert_int_equal(layout_of(getpid()), 7);
	assert_int_equal(r.loaded, 0);
	/* A library where such code was is another thing. */
	map_code(&r.a, code);
	tick(&r, LATER);
	assert_true(layout_of(getpid()) > 7);
	assert_string_equal(module_at(&r, layout_of(getpid()), code), "liba.so");
	munmap(code, CODE_BYTES);
	end(&r);
}

static void who_shares_and_changes_leaves(void **state)
{
	struct room r = begin();
	pid_t child;
	void *code;

	begin_with_self(&r);
	child = fork();
	if (!child) {
		alarm(10);
		pause();
		_exit(0);
	}
	become_target(child, 7);
	layouts__add(r.layouts, child);
	tick(&r, LATER);
	assert_int_equal(layout_of(child), 7);
	assert_int_equal(layout_of(getpid()), 7);
	code = map_code(&r.a, NULL);
	tick(&r, LATER);
	assert_int_equal(layout_of(child), 7);
	assert_true(layout_of(getpid()) > 7);
	assert_false(knows(7, code));
	assert_true(knows(7, begin));
	assert_true(knows(layout_of(getpid()), code));
	/* The last one who goes takes it along, all but its names. */
	layouts__remove(r.layouts, child);
	assert_null(shown(7));
	assert_string_equal(module_at(&r, 7, begin), "test_layouts");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	munmap(code, CODE_BYTES);
	end(&r);
}

static void another_program_is_another_layout(void **state)
{
	struct room r = begin();

	begin_with_self(&r);
	fake.last_number = 20;
	become_target(getpid(), 20);
	layouts__add(r.layouts, getpid());
	assert_null(shown(7));
	tick(&r, 0);
	assert_true(knows(20, begin));
	end(&r);
}

static void unknown_code_is_looked_for_at_once(void **state)
{
	struct room r = begin();
	size_t published;
	void *code;

	begin_with_self(&r);
	code = map_code(&r.a, NULL);
	tick(&r, 1);
	assert_false(knows(7, code)); /* it is not time yet */
	layouts__unknown_code(r.layouts, getpid());
	tick(&r, NSEC_PER_MSEC);
	assert_true(knows(7, code));
	/* Asked again and again for nothing: nothing is published. */
	published = fake.published;
	for (int i = 0; i < 1000; i++) {
		layouts__unknown_code(r.layouts, getpid());
		tick(&r, NSEC_PER_MSEC);
	}
	assert_int_equal(fake.published, published);
	munmap(code, CODE_BYTES);
	end(&r);
}

/* Each of 2,000 changes would be a number of its own, and each number has its own call sites. */
static void endless_reloading_is_bounded(void **state)
{
	struct room r = begin();
	uint64_t before;
	void *code;

	begin_with_self(&r);
	code = map_code(&r.a, NULL);
	before = fake.last_number;
	for (int i = 0; i < 200; i++) {
		map_code(i % 2 ? &r.a : &r.b, code);
		tick(&r, LATER);
	}
	assert_in_range(fake.last_number - before, 32, 40);
	munmap(code, CODE_BYTES);
	end(&r);
}

static void who_is_gone_is_no_harm(void **state)
{
	struct room r = begin();
	struct maps maps = {0};
	pid_t child = fork();

	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	layouts__add(r.layouts, child); /* never a target */
	layouts__remove(r.layouts, child);
	assert_int_equal(layouts__update(r.layouts, child, &maps), -ENOENT);
	become_target(child, 3);
	layouts__add(r.layouts, child);
	layouts__unknown_code(r.layouts, child);
	tick(&r, 0);
	layouts__refresh(r.layouts);
	layouts__remove(r.layouts, child);
	assert_int_equal(fake.n_shown, 0);
	end(&r);
}

static void glances_see_code_only(void **state)
{
	static const char before[] =
		"1000-2000 r-xp 00000000 08:01 77                /bin/app\n"
		"3000-4000 rw-p 00000000 00:00 0                 [heap]\n"
		"5000-6000 r-xp 00000000 00:00 0 \n"
		"6000-7000 r-xp 00000000 00:01 9                 /memfd:jit (deleted)\n";
	static const char heap[] =
		"1000-2000 r-xp 00000000 08:01 77                /bin/app\n"
		"3000-9000 rw-p 00000000 00:00 0                 [heap]\n"
		"5000-6000 r-xp 00000000 00:00 0 \n"
		"6000-7000 r-xp 00000000 00:01 9                 /memfd:jit (deleted)\n";
	static const char made[] =
		"1000-2000 r-xp 00000000 08:01 77                /bin/app\n"
		"5000-6000 r-xp 00000000 00:00 0 \n"
		"6000-8000 r-xp 00000000 00:01 9                 /memfd:jit (deleted)\n";
	static const char file[] =
		"1000-2000 r-xp 00000000 08:01 78                /bin/app\n"
		"5000-6000 r-xp 00000000 00:00 0 \n"
		"6000-7000 r-xp 00000000 00:01 9                 /memfd:jit (deleted)\n";
	struct code_glance a, b;

	code_glance__parse(before, sizeof(before) - 1, &a);
	code_glance__parse(heap, sizeof(heap) - 1, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	code_glance__parse(made, sizeof(made) - 1, &b);
	assert_true(a.files == b.files && a.made != b.made);
	code_glance__parse(file, sizeof(file) - 1, &b);
	assert_true(a.files != b.files && a.made == b.made);
	code_glance__parse("garbage\n\n r-x\n1-2 r-xp", 22, &b);
	assert_int_equal(code_glance(getpid(), &a), 0);
	assert_true(a.files);
	assert_int_equal(code_glance(getpid(), &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(added_code_keeps_the_number),
		cmocka_unit_test(reused_addresses_keep_apart),
		cmocka_unit_test(made_code_keeps_the_number),
		cmocka_unit_test(who_shares_and_changes_leaves),
		cmocka_unit_test(another_program_is_another_layout),
		cmocka_unit_test(unknown_code_is_looked_for_at_once),
		cmocka_unit_test(endless_reloading_is_bounded),
		cmocka_unit_test(who_is_gone_is_no_harm),
		cmocka_unit_test(glances_see_code_only),
	};

	return cmocka_run_group_tests(tests, code_dir__make, code_dir__remove);
}
