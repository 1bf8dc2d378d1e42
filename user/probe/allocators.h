/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions by which allocators hand memory out and take it back, by name: the C family, C++
 * operators, jemalloc's and mimalloc's own, and the same under the prefixes they are built with.
 * Sources: ISO C23 7.24.3, the Itanium C++ ABI's names for [new.delete], jemalloc(3), mimalloc.h,
 * gperftools' tcmalloc.h. What they take is described as in bpf/abi/heap.h.
 *
 * Left out on purpose: strdup and others that call malloc; glibc's __libc_malloc and its kin,
 * which are the same addresses, or what an interposer calls below itself; mi_strdup, whose size is
 * in no argument; and whatever frees many blocks at once (mi_heap_destroy).
 */
#ifndef PERFTRACE_PROBE_ALLOCATORS_H
#define PERFTRACE_PROBE_ALLOCATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum allocator_group {
	ALLOCATOR_C,	    /* malloc, free, ... */
	ALLOCATOR_CXX,	    /* operator new and delete */
	ALLOCATOR_EXTENDED, /* mallocx, sdallocx, ... */
	ALLOCATOR_PREFIXED, /* any of them under a name of its own: it serves besides malloc */
	ALLOCATOR_RAISES,   /* none: how exceptions begin that may leave an allocator */
};

struct allocator_function {
	const char *name;     /* without the prefix */
	uint32_t description; /* bpf/abi/heap.h */
};

struct allocator_match {
	enum allocator_group group;
	const char *label; /* of ALLOCATOR_PREFIXED: "jemalloc (_rjem_)"; else NULL */
	const struct allocator_function *function;
};

/* Is `symbol` (without a version) a function of an allocator? */
bool allocators__match(const char *symbol, size_t len, struct allocator_match *out);

/* Does the description hand out memory, or take it back? realloc is neither here. */
bool description__allocates(uint32_t description);
bool description__frees(uint32_t description);
/* The registers in which its arguments are: PLACE_ARG* of probe/place.h. */
uint32_t description__registers(uint32_t description);

/* The description for a probe where argument N is in the register of argument now[N]. */
uint32_t description__relocate(uint32_t description, const uint8_t *now);

/* For tests: all families, one after the other; NULL behind the last one. */
const struct allocator_function *allocators__family(size_t index, const char **prefix, size_t *n);

#endif
