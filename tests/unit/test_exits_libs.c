// SPDX-License-Identifier: BSD-2-Clause
/*
 * The exits of every named function of real libraries and programs, held against objdump: each is
 * an instruction of its kind that objdump sees as well, and no return of a function is missing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "disassembly.h"
#include "elf/openfile.h"
#include "probe/function_exits.h"

struct reason {
	const char *why;
	unsigned int count;
};

struct tally {
	unsigned int functions, exits, returns, faults;
	VEC(struct reason) refused;
};

static void count_refusal(struct tally *t, const char *why)
{
	struct reason *r;

	vec_for_each (&t->refused, r) {
		if (!strcmp(r->why, why)) {
			r->count++;
			return;
		}
	}
	r = vec_push(&t->refused);
	*r = (struct reason){why, 1};
}

static bool is_of_kind(const struct exit_site *site, const char *text)
{
	const char *m = disassembly_mnemonic(text);
	uint64_t target = 0;

	switch (site->kind) {
	case EXIT_RET:
		return !strncmp(m, "ret", 3);
	case EXIT_TAIL_JMP:
	case EXIT_TAIL_JCC:
		return m[0] == 'j' &&
		       (strncmp(m, "jmp", 3) == 0) == (site->kind == EXIT_TAIL_JMP) &&
		       disassembly_target(text, &target) && target == site->target;
	case EXIT_TAIL_INDIRECT:
		return !strncmp(m, "jmp", 3) && strchr(m, '*');
	}
	return false;
}

static void fault(struct tally *t, const struct elf_symbol *s, uint64_t vaddr, const char *what)
{
	if (t->faults++ < 20)
		fprintf(stderr, "%s: %#lx: %s\n", s->name, (unsigned long)vaddr, what);
}

static bool has_exit(const struct exits *exits, int64_t offset)
{
	const struct exit_site *site;

	vec_for_each (&exits->sites, site) {
		if (site->offset == offset)
			return true;
	}
	return false;
}

static void check_function(const struct disassembly *d, const struct elf_symbol *s,
			   const struct exits *exits, struct tally *t)
{
	const struct exit_site *site;

	vec_for_each (&exits->sites, site) {
		uint64_t vaddr = s->vaddr + (uint64_t)site->offset;
		const struct disassembly_line *line = disassembly__at(d, vaddr);

		if (!line || !is_of_kind(site, line->text))
			fault(t, s, vaddr, line ? line->text : "no instruction");
		t->exits++;
	}
	for (size_t i = disassembly__find(d, s->vaddr); i < d->lines.len; i++) {
		const struct disassembly_line *line = &d->lines.data[i];

		if (line->vaddr >= s->vaddr + s->size)
			break;
		if (strncmp(disassembly_mnemonic(line->text), "ret", 3))
			continue;
		t->returns++;
		if (!has_exit(exits, (int64_t)(line->vaddr - s->vaddr)))
			fault(t, s, line->vaddr, "a return is missing");
	}
}

static bool is_wanted(const struct elf_symbols *symbols, size_t i)
{
	const struct elf_symbol *s = elf_symbols__at(symbols, i);

	return s->size && !s->indirect && !strstr(s->name, ".cold") &&
	       (!i || elf_symbols__at(symbols, i - 1)->vaddr != s->vaddr);
}

static struct tally check_file(const char *path)
{
	struct function_source source = {0};
	struct disassembly d = {0};
	struct elf_image *image;
	struct elf_symbols *symbols;
	struct fde_index *fdes = NULL;
	struct tally t = {0};
	struct reason *r;
	int fd = open_regular(AT_FDCWD, path);

	if (fd < 0)
		fail_msg("%s is missing", path);
	assert_int_equal(elf_image__open_fd(fd, &image, NULL), 0);
	assert_int_equal(elf_symbols__load(image, &symbols), 0);
	assert_int_equal(fde_index__load(image, &fdes), 0);
	disassembly__load(&d, path);
	source = (struct function_source){image, symbols, fdes};
	for (size_t i = 0; i < elf_symbols__count(symbols); i++) {
		const struct elf_symbol *s = elf_symbols__at(symbols, i);
		struct exits exits = {0};

		if (!is_wanted(symbols, i))
			continue;
		assert_int_equal(function_exits__find(&source, s->vaddr, s->size, &exits), 0);
		t.functions++;
		if (exits.refused)
			count_refusal(&t, exits.refused);
		else
			check_function(&d, s, &exits, &t);
		exits__free(&exits);
	}
	fprintf(stderr, "%s: %u functions, %u exits, %u returns\n", path, t.functions, t.exits,
		t.returns);
	vec_for_each (&t.refused, r)
		fprintf(stderr, "  %u refused: %s\n", r->count, r->why);
	disassembly__free(&d);
	fde_index__free(fdes);
	elf_symbols__free(symbols);
	elf_image__free(image);
	return t;
}

/* `functions`: at least so many; `refused`: at most so many that do return. */
static void check(const char *path, unsigned int functions, unsigned int refused)
{
	struct tally t = check_file(path);
	unsigned int returning = 0;
	struct reason *r;

	vec_for_each (&t.refused, r)
		returning += strcmp(r->why, "it never returns") ? r->count : 0;
	assert_int_equal(t.faults, 0);
	assert_true(t.functions >= functions);
	assert_true(returning <= refused);
	vec_free(&t.refused);
}

#define LIB "/usr/lib/x86_64-linux-gnu/"

static void libc(void **state)
{
	/* setcontext, swapcontext, clone, vfork */
	check(LIB "libc.so.6", 2000, 6);
}

static void libstdcxx(void **state)
{
	check(LIB "libstdc++.so.6", 3500, 4);
}

static void allocators(void **state)
{
	check(LIB "libjemalloc.so.2", 30, 0);
	check(LIB "libtcmalloc_minimal.so.4", 200, 0);
	check(LIB "libmimalloc.so.2.0", 100, 0);
}

static void python(void **state)
{
	check("/usr/bin/python3", 1000, 5);
}

static void postgres(void **state)
{
	check("/usr/lib/postgresql/15/bin/postgres", 9000, 9);
}

/* ---- parts that the compiler split off, with and without symbols ---- */

static const char split_source[] =
	"#include <stdexcept>\n#include <string>\n#include <vector>\n"
	"extern \"C\" void fail(const char *) __attribute__((cold));"
	"void fail(const char *s) { throw std::runtime_error(s); }"
	"int handles(int i) { try { std::string s(i, 'x'); if (i % 3 == 0) fail(s.c_str());"
	"  return s.size(); } catch (const std::logic_error &) { return -1; }"
	"  catch (const std::exception &e) { return std::string(e.what()).size(); } }"
	"int cleans(int i) { std::vector<int> v(i); return handles(i) + v.size(); }"
	"int chooses(int i) { switch (i) { case 0: return handles(3); case 1: return cleans(2);"
	"  case 2: return handles(9) + 1; case 3: return handles(1) * 2; case 4: return 77;"
	"  case 5: return cleans(1); default: fail(\"no\"); return 0; } }"
	"int main(int n, char **) { return handles(n) + cleans(n) + chooses(n); }";

struct opened {
	struct elf_image *image;
	struct elf_symbols *symbols;
	struct fde_index *fdes;
};

static void open_file(const char *path, struct opened *o)
{
	assert_int_equal(elf_image__open_fd(open_regular(AT_FDCWD, path), &o->image, NULL), 0);
	assert_int_equal(elf_symbols__load(o->image, &o->symbols), 0);
	assert_int_equal(fde_index__load(o->image, &o->fdes), 0);
}

static void close_file(struct opened *o)
{
	fde_index__free(o->fdes);
	elf_symbols__free(o->symbols);
	elf_image__free(o->image);
}

static void find(const struct opened *o, const struct elf_symbol *s, struct exits *out)
{
	const struct function_source source = {o->image, o->symbols, o->fdes};

	assert_int_equal(function_exits__find(&source, s->vaddr, s->size, out), 0);
}

static const struct elf_symbol *cold_part(const struct opened *o, const struct elf_symbol *s)
{
	char name[ELF_STRING_MAX + 8];

	snprintf(name, sizeof(name), "%s.cold", s->name);
	return elf_symbols__lookup(o->symbols, name, NULL);
}

static void compare(const struct opened *whole, const struct opened *stripped,
		    const struct elf_symbol *s)
{
	struct exits a = {0}, b = {0};

	find(whole, s, &a);
	find(stripped, s, &b);
	if (a.refused ? !b.refused : b.refused || a.sites.len != b.sites.len)
		fail_msg("%s: %zu exits (%s), stripped %zu (%s)", s->name, a.sites.len,
			 a.refused ? a.refused : "ok", b.sites.len, b.refused ? b.refused : "ok");
	for (size_t i = 0; i < a.sites.len; i++)
		assert_int_equal(a.sites.data[i].offset, b.sites.data[i].offset);
	exits__free(&a);
	exits__free(&b);
}

static void split_functions(void **state)
{
	static const char *const names[] = {"_Z7handlesi", "_Z6cleansi", "_Z7choosesi", "main"};
	char directory[] = "/tmp/test_exits.XXXXXX", command[4096], path[64], bare[64];
	struct opened whole, stripped;
	unsigned int colds = 0;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/whole", directory);
	snprintf(bare, sizeof(bare), "%s/stripped", directory);
	snprintf(command, sizeof(command), "g++ -O2 -x c++ - -o %s && strip -o %s %s", path, bare,
		 path);
	FILE *f = popen(command, "w");
	assert_non_null(f);
	fputs(split_source, f);
	assert_int_equal(pclose(f), 0);
	open_file(path, &whole);
	open_file(bare, &stripped);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_symbol *s = elf_symbols__lookup(whole.symbols, names[i], NULL);

		assert_non_null(s);
		colds += cold_part(&whole, s) != NULL;
		compare(&whole, &stripped, s);
	}
	assert_true(colds > 0);
	close_file(&whole);
	close_file(&stripped);
	unlink(path);
	unlink(bare);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libc),	      cmocka_unit_test(libstdcxx),
		cmocka_unit_test(allocators), cmocka_unit_test(python),
		cmocka_unit_test(postgres),   cmocka_unit_test(split_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
