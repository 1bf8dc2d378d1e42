// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/fde.h"
#include "elf/fde_index.h"
#include "elf/openfile.h"
#include "elf/runtime.h"
#include "elf/symbols.h"

#define LIB "/usr/lib/x86_64-linux-gnu/"

static char directory[] = "/tmp/test_runtime.XXXXXX", file[64];

static int make_directory(void **state)
{
	return mkdtemp(directory) ? 0 : -1;
}

static int drop_directory(void **state)
{
	unlink(file);
	return rmdir(directory);
}

static struct elf_image *open_image(const char *path)
{
	struct elf_image *img;
	int fd = open_regular(AT_FDCWD, path);

	if (fd < 0)
		fail_msg("%s is missing", path);
	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	return img;
}

static struct elf_runtime detect(const char *path)
{
	struct elf_image *img = open_image(path);
	struct elf_runtime rt;

	assert_int_equal(elf_runtime__detect(img, &rt), 0);
	assert_int_equal(rt.can_unwind, rt.why != NULL);
	elf_image__free(img);
	return rt;
}

/* Compiles a program or library of these few words. */
static struct elf_runtime compiled(const char *language, const char *options, const char *source)
{
	char command[1024];

	snprintf(file, sizeof(file), "%s/it", directory);
	snprintf(command, sizeof(command), "printf '%%s' '%s' | gcc -O1 -x %s - -o %s %s", source,
		 language, file, options);
	assert_int_equal(system(command), 0);
	return detect(file);
}

static void plain_c(void **state)
{
	static const char *const all[] = {LIB "libc.so.6", LIB "libm.so.6", "/bin/sh",
					  "/lib64/ld-linux-x86-64.so.2"};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct elf_runtime rt = detect(all[i]);

		assert_int_equal(rt.kind, RUNTIME_C);
		assert_false(rt.can_unwind);
		assert_false(rt.switches_stacks);
		assert_false(rt.moves_stacks);
	}
	assert_false(compiled("c", "", "int main(void) {}").can_unwind);
	/* All of libgcc's unwinder is in it, for pthread_cancel(). */
	assert_false(compiled("c", "-static", "int main(void) {}").can_unwind);
	/* C with cleanups throws nothing. */
	assert_false(compiled("c", "-fexceptions",
			      "void g(int *p) {} int f(void);"
			      "int main(void) { __attribute__((cleanup(g))) int x = 0; return x; }")
			     .can_unwind);
}

static void cxx(void **state)
{
	struct elf_runtime rt = compiled("c++", "-lstdc++", "int main() { throw 1; }");

	assert_int_equal(rt.kind, RUNTIME_CXX);
	assert_true(rt.can_unwind);
	assert_false(rt.serves_others);
	assert_string_equal(rt.why, "C++ exceptions");
	/* No exceptions of its own, but those of the library go through it. */
	rt = compiled("c++", "-fno-exceptions -Wl,--no-as-needed -lstdc++", "int main() {}");
	assert_true(rt.can_unwind);
	/* Nothing left to tell what it is. */
	rt = compiled("c++", "-static -s -lstdc++", "int main() { throw 1; }");
	assert_true(rt.can_unwind);

	rt = detect(LIB "libstdc++.so.6");
	assert_true(rt.can_unwind && rt.serves_others);
	rt = detect(LIB "libjemalloc.so.2");
	assert_true(rt.can_unwind && rt.serves_others);
}

static void rust(void **state)
{
	struct elf_runtime rt =
		compiled("c", "", "void rust_eh_personality(void) {} int main(void) {}");

	assert_int_equal(rt.kind, RUNTIME_RUST);
	assert_true(rt.can_unwind);
	rt = compiled("c", "-s",
		      "__asm__(\".ident \\\"rustc version 1.80.0\\\"\"); int main(void) {}");
	assert_int_equal(rt.kind, RUNTIME_RUST);
}

static void go(void **state)
{
	struct elf_runtime rt = compiled("c", "-s",
					 "__attribute__((section(\".go.buildinfo\"))) const char "
					 "b[9] = \"x\"; int main(void) {}");

	assert_int_equal(rt.kind, RUNTIME_GO);
	assert_true(rt.moves_stacks);
	rt = compiled(
		"c", "",
		"void m(void) __asm__(\"runtime.morestack\"); void m(void) {} int main(void) {}");
	assert_int_equal(rt.kind, RUNTIME_GO);
	rt = compiled("c", "-s",
		      "__asm__(\".pushsection .note.go.buildid,\\\"a\\\",@note; .long 4, 4, 4;"
		      ".asciz \\\"Go\\\"; .balign 4; .long 7; .popsection\"); int main(void) {}");
	assert_int_equal(rt.kind, RUNTIME_GO);
	/* A name that only sounds like it. */
	rt = compiled("c", "", "int runtime; int main(void) { return runtime; }");
	assert_int_equal(rt.kind, RUNTIME_C);
	assert_string_equal(runtime_kind__name(RUNTIME_GO), "Go");
}

static void other_stacks(void **state)
{
	static const char contexts[] = "#include <ucontext.h>\nstatic ucontext_t a, b;"
				       "int main(void) { return swapcontext(&a, &b); }";

	assert_true(compiled("c", "-s", contexts).switches_stacks);
	assert_true(compiled("c", "-fsplit-stack", "int main(void) {}").moves_stacks);
	assert_false(detect(LIB "libcrypto.so.3").switches_stacks);
	assert_true(compiled("c", "-shared -fPIC",
			     "int ASYNC_start_job(void); int f(void) { return ASYNC_start_job(); }")
			    .switches_stacks);
}

static void a_process_is_as_dangerous_as_its_images(void **state)
{
	struct elf_runtime c = detect(LIB "libc.so.6"), jemalloc = detect(LIB "libjemalloc.so.2"),
			   libstdcxx = detect(LIB "libstdc++.so.6"),
			   thrower = compiled("c++", "-lstdc++", "int main() { throw 1; }");
	struct process_runtime all = {0};

	process_runtime__add(&all, &c);
	process_runtime__add(&all, &jemalloc);
	process_runtime__add(&all, &libstdcxx);
	assert_false(all.can_unwind); /* a C program with jemalloc */
	process_runtime__add(&all, &thrower);
	process_runtime__add(&all, &c);
	assert_true(all.can_unwind);
	assert_string_equal(all.why, "C++ exceptions");
	assert_false(all.has_go || all.switches_stacks);
}

/* Landing pads of libstdc++ lie in functions and begin instructions that nothing falls into. */
static void landing_pads(void **state)
{
	struct elf_image *img = open_image(LIB "libstdc++.so.6");
	struct fde_index *index;
	unsigned int functions = 0, with_pads = 0, framed = 0, pads_inside = 0, pads_total = 0;
	uint64_t at = 0, entry;

	assert_int_equal(fde_index__load(img, &index), 0);
	while (!fde_index__next_start(index, at, &at)) {
		vaddr_list pads = {0};
		const uint64_t *pad;
		struct fde fde;

		assert_int_equal(fde_index__entry(index, at, &entry), 0);
		assert_int_equal(fde__read(img, entry, &fde), 0);
		assert_int_equal(fde.start, at);
		assert_true(!fde.lsda || fde.has_personality);
		assert_int_equal(fde__landing_pads(img, &fde, &pads), 0);
		vec_for_each (&pads, pad)
			pads_inside += *pad > fde.start && *pad < fde.end;
		pads_total += pads.len;
		with_pads += pads.len > 0;
		framed += fde.starts_with_frame;
		functions++;
		vec_free(&pads);
	}
	assert_int_equal(fde_index__entry(index, at + 1, &entry), -ENOENT);
	assert_true(functions > 3000 && with_pads > 200 && framed > 100);
	assert_int_equal(pads_inside, pads_total);
	fde_index__free(index);
	elf_image__free(img);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_c),
		cmocka_unit_test(cxx),
		cmocka_unit_test(rust),
		cmocka_unit_test(go),
		cmocka_unit_test(other_stacks),
		cmocka_unit_test(a_process_is_as_dangerous_as_its_images),
		cmocka_unit_test(landing_pads),
	};

	return cmocka_run_group_tests(tests, make_directory, drop_directory);
}
