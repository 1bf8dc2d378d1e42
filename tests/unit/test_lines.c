// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "built_object.h"
#include "mapped_program.h"
#include "session/call_lines.h"
#include "stack/lines_cell.h"
#include "stack/lines_worker.h"

/*
 * What happens where is said by this text itself. The two calls of operator new in take_two() are
 * inlined from twice(), at depth two; the marks are symbols at the instruction behind each call.
 */
static const char source[] =
	"#include <new>\n" /*  1 */
	"#define MARK(name) asm volatile(\".globl \" #name \"\\n\" #name \":\")\n"
	"namespace shop {\n" /*  3 */
	"struct basket { char room[40]; };\n"
	"static inline __attribute__((always_inline)) basket *fetch(int n)\n"
	"{\n"						      /*  6 */
	"	basket *b = new basket[n]; MARK(mark_new);\n" /*  7 */
	"	return b;\n"
	"}\n"
	"struct clerk {\n" /* 10 */
	"	basket *got;\n"
	"	inline __attribute__((always_inline)) void serve(int n)\n"
	"	{\n"
	"		got = fetch(n);\n" /* 14 */
	"	}\n"
	"	__attribute__((noinline)) void open(int n);\n"
	"};\n"
	"void clerk::open(int n)\n" /* 18 */
	"{\n"
	"	serve(n + 1);\n" /* 20 */
	"}\n"
	"}\n"
	"int main(int argc, char **)\n" /* 23 */
	"{\n"
	"	shop::clerk c;\n"
	"	c.open(argc); MARK(mark_main);\n" /* 26 */
	"	return c.got == nullptr;\n"
	"}\n";

static uint64_t vaddr_of(const char *name)
{
	return built_vaddr("prog.nm", name);
}

static void build(const char *how)
{
	write_text("prog.cc", source);
	sh("%s prog.cc -o prog && nm prog >prog.nm", how);
}

/* ---- what the worker finds ---- */

struct answer {
	unsigned int calls;
	uint32_t count;
	struct source_frame frames[SOURCE_FRAMES_MAX];
	char texts[SOURCE_FRAMES_MAX][2][256];
};

static void take(void *arg, size_t index, const struct source_frame *frames, uint32_t count)
{
	struct answer *a = (struct answer *)arg + index;

	a->calls++;
	a->count = count;
	for (uint32_t i = 0; i < count; i++) {
		a->frames[i] = frames[i];
		snprintf(a->texts[i][0], sizeof(a->texts[i][0]), "%s",
			 frames[i].function ? frames[i].function : "");
		snprintf(a->texts[i][1], sizeof(a->texts[i][1]), "%s",
			 frames[i].file ? frames[i].file : "");
	}
}

static void expect(const struct answer *a, uint32_t i, const char *function, uint32_t line,
		   bool inlined)
{
	const char *file = a->texts[i][1];

	assert_true(i < a->count);
	assert_string_equal(a->texts[i][0], function);
	assert_int_equal(a->frames[i].line, line);
	assert_int_equal(a->frames[i].inlined, inlined);
	/* As in the debug information: with its directory. */
	assert_int_equal(strncmp(file, built_dir, strlen(built_dir)), 0);
	assert_string_equal(file + strlen(built_dir), "/prog.cc");
}

static struct answer *ask(const char *file, uint64_t *vaddrs, size_t n, int wanted)
{
	struct answer *answers = calloc(n, sizeof(*answers));
	struct lines_files files = {.dwarf = open_regular(AT_FDCWD, file), .common = -1};
	int ret;

	assert_true(files.dwarf >= 0);
	ret = lines_worker__ask(&files, vaddrs, n, take, answers);
	assert_int_equal(ret, wanted);
	close(files.dwarf);
	return answers;
}

static void check_known_program(const char *file)
{
	uint64_t vaddrs[] = {vaddr_of("mark_new") - 1, vaddr_of("mark_main") - 1, 1};
	struct answer *a = ask(file, vaddrs, 3, 0);

	assert_int_equal(a[0].count, 3);
	expect(&a[0], 0, "fetch", 7, true);
	expect(&a[0], 1, "_ZN4shop5clerk5serveEi", 14, true);
	expect(&a[0], 2, "_ZN4shop5clerk4openEi", 20, false);
	assert_int_equal(a[1].count, 1);
	expect(&a[1], 0, "main", 26, false);
	assert_int_equal(a[2].calls, 0);
	free(a);
}

static void known_program(void **state)
{
	build("g++ -O2 -g -gdwarf-5");
	check_known_program("prog");
	build("g++ -O2 -g -gdwarf-4 -no-pie");
	check_known_program("prog");
	/* Without .debug_aranges, as clang writes it. */
	sh("objcopy --remove-section .debug_aranges prog");
	check_known_program("prog");
}

static void elsewhere_and_compressed(void **state)
{
	build("g++ -O2 -g -gz");
	check_known_program("prog");
	build("g++ -O2 -g");
	sh("objcopy --only-keep-debug prog prog.debug && strip prog");
	check_known_program("prog.debug");
	free(ask("prog", &(uint64_t){1}, 1, -EIO)); /* nothing left in there */
}

/* ---- whole stacks ---- */

static void stacks_are_expanded(void **state)
{
	struct heap_frame *frames = calloc(3, sizeof(*frames));
	struct call_lines_stack stack = {&frames, &(uint32_t){3}};
	char path[128], expected[128];
	struct symbolizer *sym = symbolizer__new();
	struct source_facts facts = {0};

	build("g++ -O2 -g");
	snprintf(path, sizeof(path), "%s/prog", built_dir);
	snprintf(expected, sizeof(expected), "%s/prog.cc", built_dir);
	add_program(sym, path);
	frames[0] = (struct heap_frame){.function = "operator new", .module = "/lib/other.so"};
	frames[1] = (struct heap_frame){
		.function = "by its symbol", .module = path, .offset = vaddr_of("mark_new")};
	frames[2] = (struct heap_frame){.module = path, .offset = vaddr_of("mark_main")};
	/* The file's own build-id, which is how a copy of its path finds it. */
	sh("readelf -n prog | sed -n 's/.*Build ID: //p' | tr -d '\\n' >id");
	FILE *f = fopen("id", "r");
	char id[64] = "";

	assert_int_equal(fscanf(f, "%63s", id), 1);
	fclose(f);
	frames[1].build_id = frames[2].build_id = id;
	assert_int_equal(call_lines__add(sym, &stack, 1, &facts), 0);
	assert_int_equal(*stack.depth, 5);
	assert_string_equal(frames[0].function, "operator new");
	assert_null(frames[0].file);
	assert_string_equal(frames[1].function, "fetch");
	assert_true(frames[1].inlined);
	assert_int_equal(frames[1].line, 7);
	assert_string_equal(frames[1].file, expected);
	assert_int_equal(frames[1].offset, vaddr_of("mark_new"));
	assert_string_equal(frames[2].function, "shop::clerk::serve(int)");
	assert_true(frames[2].inlined);
	assert_string_equal(frames[3].function, "by its symbol");
	assert_false(frames[3].inlined);
	assert_int_equal(frames[3].line, 20);
	assert_string_equal(frames[4].function, "main");
	assert_int_equal(frames[4].line, 26);
	assert_int_equal(facts.objects, 1);
	assert_int_equal(facts.unreadable + facts.too_slow, 0);
	free(frames);
	symbolizer__free(sym);
}

/* ---- hostile files ---- */

static void expect_we_live(const char *file, const char *what)
{
	uint64_t vaddrs[] = {vaddr_of("mark_new") - 1, vaddr_of("mark_main") - 1, 0, UINT64_MAX};
	struct answer *answers = calloc(4, sizeof(*answers));
	uint64_t before = clock_monotonic_ns();
	struct lines_files files = {.dwarf = open_regular(AT_FDCWD, file), .common = -1};
	int ret = lines_worker__ask(&files, vaddrs, 4, take, answers);

	if (ret && ret != -EIO && ret != -ETIMEDOUT)
		fail_msg("%s: %d", what, ret);
	assert_true(clock_monotonic_ns() - before < (LINES_WORKER_SECONDS + 1) * NSEC_PER_SEC);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left behind */
	close(files.dwarf);
	free(answers);
}

static void random_dwarf(void **state)
{
	static const char *const sections[] = {".debug_info", ".debug_abbrev",	 ".debug_line",
					       ".debug_str",  ".debug_rnglists", ".debug_aranges"};
	uint8_t noise[4096];

	build("g++ -O2 -g");
	srand(11);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		for (size_t k = 0; k < sizeof(noise); k++)
			noise[k] = (uint8_t)rand();
		write_file("noise", noise, sizeof(noise));
		sh("objcopy --update-section %s=noise prog bad 2>/dev/null", sections[i]);
		expect_we_live("bad", sections[i]);
	}
}

/* Single bytes of a sound file: most of it still makes sense, which leads deeper. */
static void changed_bytes(void **state)
{
	struct elf_image *img;
	struct elf_section sec;
	int fd;

	build("g++ -O2 -g");
	img = open_built("prog");
	srand(12);
	for (int round = 0; round < 40; round++) {
		const char *name = round % 2 ? ".debug_info" : ".debug_abbrev";

		assert_int_equal(elf_image__section(img, name, &sec), 0);
		sh("cp prog bad");
		fd = open("bad", O_WRONLY | O_CLOEXEC);
		for (int k = 0; k < 1 + round % 5; k++) {
			uint8_t byte = (uint8_t)rand();

			assert_int_equal(pwrite(fd, &byte, 1,
						(off_t)(sec.offset + (uint64_t)rand() % sec.size)),
					 1);
		}
		close(fd);
		expect_we_live("bad", name);
	}
	elf_image__free(img);
}

static void not_even_elf(void **state)
{
	build("g++ -O2 -g");
	write_text("bad", "#!/bin/sh\n");
	expect_we_live("bad", "a script");
	write_text("bad", "");
	expect_we_live("bad", "an empty file");
	sh("head -c 3000 prog >bad");
	expect_we_live("bad", "a part of a file");
}

/* ---- the walls ---- */

/* The descriptors of others, and signals, stay with us; the asker has no child afterwards. */
static void nothing_is_left(void **state)
{
	int before, after;
	uint64_t at;

	build("g++ -O2 -g");
	at = vaddr_of("mark_new") - 1;
	before = dup(0);
	close(before);
	for (int i = 0; i < 20; i++) {
		struct answer *a = ask("prog", &at, 1, 0);

		assert_int_equal(a->count, 3);
		free(a);
	}
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* What a worker that was taken over could do: nothing but read its file and answer. */
static int try_to_break_out(int file, int answers, int foreign)
{
	struct rlimit limit;
	int fds[] = {answers, file};
	char byte;

	if (lines_cell__enter(fds, 2))
		return 2;
	if (write(fds[0], "x", 1) != 1 || pread(fds[1], &byte, 1, 0) != 1)
		return 3;
	if (open("/dev/null", O_RDONLY) >= 0 || open("prog", O_RDONLY) >= 0)
		return 4;
	if (fcntl(foreign, F_GETFD) != -1 || read(foreign, &byte, 1) != -1)
		return 5;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || fork() >= 0 || !kill(getppid(), 0))
		return 6;
	if (!setuid(0) || !prctl(PR_SET_DUMPABLE, 1) || !ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return 7;
	if (!getrlimit(RLIMIT_CORE, &limit))
		return 8;
	return 42;
}

static void the_cell_holds(void **state)
{
	int file, ends[2], foreign, status;
	char byte;
	pid_t pid;

	build("g++ -O2 -g");
	file = open("prog", O_RDONLY | O_CLOEXEC);
	foreign = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	foreign = fcntl(foreign, F_DUPFD, 200);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid)
		_exit(try_to_break_out(file, ends[1], foreign));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 42)
		fail_msg("status %x", status);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(foreign);
	close(file);
	close(ends[0]);
	close(ends[1]);
}

/* 300 000 units without any address, asked one by one for each of 2 000 addresses. */
static void slow_files_are_given_up(void **state)
{
	static const uint8_t unit[] = {8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8, 1};
	static const uint8_t abbreviation[] = {1, 0x11, 0, 0, 0, 0};
	size_t n = 300000, questions = 2000;
	uint8_t *info = malloc(n * sizeof(unit));
	uint64_t *vaddrs = calloc(questions, sizeof(*vaddrs)), before;

	build("g++ -O2 -g");
	for (size_t i = 0; i < n; i++)
		memcpy(info + i * sizeof(unit), unit, sizeof(unit));
	for (size_t i = 0; i < questions; i++)
		vaddrs[i] = i;
	write_file("info", info, n * sizeof(unit));
	write_file("abbrev", abbreviation, sizeof(abbreviation));
	sh("objcopy --update-section .debug_info=info --update-section .debug_abbrev=abbrev "
	   "--remove-section .debug_aranges prog slow");
	before = clock_monotonic_ns();
	free(ask("slow", vaddrs, questions, -ETIMEDOUT));
	assert_true(clock_monotonic_ns() - before < (LINES_WORKER_SECONDS + 1) * NSEC_PER_SEC);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	free(info);
	free(vaddrs);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, built_dir__make, built_dir__remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(known_program),	       CASE(elsewhere_and_compressed),
		CASE(stacks_are_expanded),     CASE(random_dwarf),
		CASE(changed_bytes),	       CASE(not_even_elf),
		CASE(nothing_is_left),	       CASE(the_cell_holds),
		CASE(slow_files_are_given_up),
	};

	if (!source_lines_supported) {
		print_message("made without libdw: nothing to test\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
