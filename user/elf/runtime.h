/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which language runtime the code of an ELF image lives in, as far as it decides whether the
 * return of its functions may be hooked: a return probe replaces the return address on the stack,
 * and whoever walks or moves the stack meanwhile (an exception, a panic, Go's growing stacks)
 * meets an address that belongs to nobody.
 *
 * Found from sections, notes and symbols, also of stripped files. In doubt an image can unwind.
 */
#ifndef PERFTRACE_ELF_RUNTIME_H
#define PERFTRACE_ELF_RUNTIME_H

#include <stdbool.h>

#include "elf/image.h"

enum runtime_kind {
	RUNTIME_C, /* nothing else was found */
	RUNTIME_CXX,
	RUNTIME_RUST,
	RUNTIME_GO, /* also a C program with Go linked into it, and the other way round */
};

struct elf_runtime {
	enum runtime_kind kind;
	/*
	 * Exceptions or panics may begin in its code or pass through it. (They pass through every
	 * frame below the one that throws, also through C without a handler.)
	 */
	bool can_unwind;
	const char *why; /* constant phrase: what shows that it can unwind; NULL: it cannot */
	/*
	 * It is there to serve others: a C++ runtime, or an allocator with its operator new. Its
	 * exceptions only ever begin in calls from other code that can unwind.
	 */
	bool serves_others;
	/* Stacks of its threads grow by moving or in pieces (Go, gcc -fsplit-stack). */
	bool moves_stacks;
	/*
	 * It uses coroutines (makecontext, Boost.Context, ...) or signal handlers with stacks of
	 * their own: the kernel takes frames on a lower stack for left and forgets their hooks.
	 */
	bool switches_stacks;
};

/* 0; -ENOMEM. What cannot be read counts as absent, but see above: in doubt it can unwind. */
int elf_runtime__detect(const struct elf_image *img, struct elf_runtime *out);

/* "C", "C++", "Rust", "Go" */
const char *runtime_kind__name(enum runtime_kind kind);

/* All the images of one process, taken together; zero-initialise. */
struct process_runtime {
	bool can_unwind;      /* no frame of the process is safe from being unwound */
	const char *why;      /* of the first image that can */
	bool has_go;	      /* some of it is Go: its goroutines call C on other stacks */
	bool switches_stacks; /* frames may be left on one stack and entered on another */
};

void process_runtime__add(struct process_runtime *all, const struct elf_runtime *image);

#endif
