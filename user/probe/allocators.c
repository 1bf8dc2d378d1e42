// SPDX-License-Identifier: BSD-2-Clause
#include "probe/allocators.h"

#include <string.h>

#include "abi/heap.h"
#include "probe/place.h"

/* Shapes that the C family does not have. */
#define SIZED(size)	     (HEAP_ALLOCATES | HEAP_SIZE(size))
#define COUNTED(count, size) (HEAP_ALLOCATES | HEAP_COUNT(count) | HEAP_SIZE(size))
#define RESIZED(block, size) (HEAP_REALLOCATES | HEAP_BLOCK(block) | HEAP_SIZE(size))
#define RECOUNTED(block, n, size) \
	(HEAP_REALLOCATES | HEAP_BLOCK(block) | HEAP_COUNT(n) | HEAP_SIZE(size))
/* Whoever frees may do it through another function of its family. */
#define FREED (HEAP_FREE | HEAP_FORWARDS)

static const struct allocator_function c_family[] = {
	{"malloc", HEAP_MALLOC},
	{"calloc", HEAP_CALLOC},
	{"realloc", HEAP_REALLOC},
	{"reallocarray", HEAP_REALLOCARRAY},
	{"reallocf", HEAP_REALLOC | HEAP_FREES_ALWAYS},
	{"posix_memalign", HEAP_POSIX_MEMALIGN},
	{"memalign", HEAP_MEMALIGN},
	{"aligned_alloc", HEAP_MEMALIGN},
	{"valloc", HEAP_MALLOC},
	{"pvalloc", HEAP_MALLOC},
	{"free", FREED},
	{"cfree", FREED},
	{"vfree", FREED},
	{"free_sized", FREED},
	{"free_aligned_sized", FREED},
};

static const struct allocator_function cxx_family[] = {
	{"_Znwm", HEAP_MALLOC | HEAP_THROWS},
	{"_Znam", HEAP_MALLOC | HEAP_THROWS},
	{"_ZnwmSt11align_val_t", HEAP_MALLOC | HEAP_ALIGN(2) | HEAP_THROWS},
	{"_ZnamSt11align_val_t", HEAP_MALLOC | HEAP_ALIGN(2) | HEAP_THROWS},
	{"_ZnwmRKSt9nothrow_t", HEAP_MALLOC},
	{"_ZnamRKSt9nothrow_t", HEAP_MALLOC},
	{"_ZnwmSt11align_val_tRKSt9nothrow_t", HEAP_MALLOC | HEAP_ALIGN(2)},
	{"_ZnamSt11align_val_tRKSt9nothrow_t", HEAP_MALLOC | HEAP_ALIGN(2)},
	{"_ZdlPv", FREED},
	{"_ZdaPv", FREED},
	{"_ZdlPvm", FREED},
	{"_ZdaPvm", FREED},
	{"_ZdlPvSt11align_val_t", FREED},
	{"_ZdaPvSt11align_val_t", FREED},
	{"_ZdlPvmSt11align_val_t", FREED},
	{"_ZdaPvmSt11align_val_t", FREED},
	{"_ZdlPvRKSt9nothrow_t", FREED},
	{"_ZdaPvRKSt9nothrow_t", FREED},
	{"_ZdlPvSt11align_val_tRKSt9nothrow_t", FREED},
	{"_ZdaPvSt11align_val_tRKSt9nothrow_t", FREED},
};

static const struct allocator_function extended_family[] = {
	{"mallocx", HEAP_MALLOC | HEAP_FLAGS(2)},
	{"rallocx", HEAP_REALLOC | HEAP_FLAGS(3)},
	{"xallocx", HEAP_RESIZES | HEAP_BLOCK(1) | HEAP_SIZE(2) | HEAP_FLAGS(4)},
	{"dallocx", FREED},
	{"sdallocx", FREED},
};

static const struct allocator_function tcmalloc_family[] = {
	{"malloc_skip_new_handler", HEAP_MALLOC},
	{"new", HEAP_MALLOC | HEAP_THROWS},
	{"newarray", HEAP_MALLOC | HEAP_THROWS},
	{"new_aligned", HEAP_MALLOC | HEAP_ALIGN(2) | HEAP_THROWS},
	{"newarray_aligned", HEAP_MALLOC | HEAP_ALIGN(2) | HEAP_THROWS},
	{"new_nothrow", HEAP_MALLOC},
	{"newarray_nothrow", HEAP_MALLOC},
	{"new_aligned_nothrow", HEAP_MALLOC | HEAP_ALIGN(2)},
	{"newarray_aligned_nothrow", HEAP_MALLOC | HEAP_ALIGN(2)},
	{"delete", FREED},
	{"deletearray", FREED},
	{"delete_sized", FREED},
	{"deletearray_sized", FREED},
	{"delete_aligned", FREED},
	{"deletearray_aligned", FREED},
	{"delete_sized_aligned", FREED},
	{"deletearray_sized_aligned", FREED},
	{"delete_nothrow", FREED},
	{"deletearray_nothrow", FREED},
	{"delete_aligned_nothrow", FREED},
	{"deletearray_aligned_nothrow", FREED},
};

static const struct allocator_function mimalloc_family[] = {
	{"malloc_small", HEAP_MALLOC},
	{"zalloc", HEAP_MALLOC},
	{"zalloc_small", HEAP_MALLOC},
	{"mallocn", HEAP_CALLOC},
	{"reallocn", HEAP_REALLOCARRAY},
	{"rezalloc", HEAP_REALLOC},
	{"recalloc", HEAP_REALLOCARRAY},
	{"expand", HEAP_REALLOC},
	{"malloc_aligned", SIZED(1) | HEAP_ALIGN(2)},
	{"malloc_aligned_at", SIZED(1) | HEAP_ALIGN(2)},
	{"zalloc_aligned", SIZED(1) | HEAP_ALIGN(2)},
	{"zalloc_aligned_at", SIZED(1) | HEAP_ALIGN(2)},
	{"calloc_aligned", COUNTED(1, 2) | HEAP_ALIGN(3)},
	{"calloc_aligned_at", COUNTED(1, 2) | HEAP_ALIGN(3)},
	{"realloc_aligned", RESIZED(1, 2) | HEAP_ALIGN(3)},
	{"realloc_aligned_at", RESIZED(1, 2) | HEAP_ALIGN(3)},
	{"rezalloc_aligned", RESIZED(1, 2) | HEAP_ALIGN(3)},
	{"rezalloc_aligned_at", RESIZED(1, 2) | HEAP_ALIGN(3)},
	{"recalloc_aligned", RECOUNTED(1, 2, 3) | HEAP_ALIGN(4)},
	{"recalloc_aligned_at", RECOUNTED(1, 2, 3) | HEAP_ALIGN(4)},
	{"aligned_recalloc", RECOUNTED(1, 2, 3) | HEAP_ALIGN(4)},
	{"aligned_offset_recalloc", RECOUNTED(1, 2, 3) | HEAP_ALIGN(4)},
	{"free_size", FREED},
	{"free_aligned", FREED},
	{"free_size_aligned", FREED},
	{"new", HEAP_MALLOC | HEAP_THROWS},
	{"new_n", HEAP_CALLOC | HEAP_THROWS},
	{"new_aligned", SIZED(1) | HEAP_ALIGN(2) | HEAP_THROWS},
	{"new_nothrow", HEAP_MALLOC},
	{"new_aligned_nothrow", SIZED(1) | HEAP_ALIGN(2)},
	{"new_realloc", HEAP_REALLOC | HEAP_THROWS},
	{"new_reallocn", HEAP_REALLOCARRAY | HEAP_THROWS},
	{"heap_malloc", SIZED(2)},
	{"heap_malloc_small", SIZED(2)},
	{"heap_zalloc", SIZED(2)},
	{"heap_calloc", COUNTED(2, 3)},
	{"heap_mallocn", COUNTED(2, 3)},
	{"heap_realloc", RESIZED(2, 3)},
	{"heap_reallocn", RECOUNTED(2, 3, 4)},
	{"heap_reallocf", RESIZED(2, 3) | HEAP_FREES_ALWAYS},
	{"heap_rezalloc", RESIZED(2, 3)},
	{"heap_recalloc", RECOUNTED(2, 3, 4)},
	{"heap_malloc_aligned", SIZED(2) | HEAP_ALIGN(3)},
	{"heap_malloc_aligned_at", SIZED(2) | HEAP_ALIGN(3)},
	{"heap_zalloc_aligned", SIZED(2) | HEAP_ALIGN(3)},
	{"heap_zalloc_aligned_at", SIZED(2) | HEAP_ALIGN(3)},
	{"heap_calloc_aligned", COUNTED(2, 3) | HEAP_ALIGN(4)},
	{"heap_calloc_aligned_at", COUNTED(2, 3) | HEAP_ALIGN(4)},
	{"heap_realloc_aligned", RESIZED(2, 3) | HEAP_ALIGN(4)},
	{"heap_realloc_aligned_at", RESIZED(2, 3) | HEAP_ALIGN(4)},
	{"heap_rezalloc_aligned", RESIZED(2, 3) | HEAP_ALIGN(4)},
	{"heap_rezalloc_aligned_at", RESIZED(2, 3) | HEAP_ALIGN(4)},
	{"heap_recalloc_aligned", RECOUNTED(2, 3, 4) | HEAP_ALIGN(5)},
	{"heap_recalloc_aligned_at", RECOUNTED(2, 3, 4) | HEAP_ALIGN(5)},
	{"heap_alloc_new", SIZED(2) | HEAP_THROWS},
	{"heap_alloc_new_n", COUNTED(2, 3) | HEAP_THROWS},
};

/* C++ (the Itanium ABI's name) before the exception takes memory, and anybody else. */
static const struct allocator_function raise_family[] = {
	{"__cxa_allocate_exception", HEAP_RAISES},
	{"_Unwind_RaiseException", HEAP_RAISES},
};

#define FAMILY(functions) functions, sizeof(functions) / sizeof(functions[0])

static const struct family {
	const char *prefix;
	enum allocator_group group;
	const char *label;
	const struct allocator_function *functions;
	size_t n;
} families[] = {
	{"", ALLOCATOR_C, NULL, FAMILY(c_family)},
	{"", ALLOCATOR_CXX, NULL, FAMILY(cxx_family)},
	{"", ALLOCATOR_EXTENDED, NULL, FAMILY(extended_family)},
	{"", ALLOCATOR_RAISES, NULL, FAMILY(raise_family)},
	{"je_", ALLOCATOR_PREFIXED, "jemalloc (je_)", FAMILY(c_family)},
	{"je_", ALLOCATOR_PREFIXED, "jemalloc (je_)", FAMILY(extended_family)},
	{"_rjem_", ALLOCATOR_PREFIXED, "jemalloc (_rjem_)", FAMILY(c_family)},
	{"_rjem_", ALLOCATOR_PREFIXED, "jemalloc (_rjem_)", FAMILY(extended_family)},
	{"tc_", ALLOCATOR_PREFIXED, "tcmalloc (tc_)", FAMILY(c_family)},
	{"tc_", ALLOCATOR_PREFIXED, "tcmalloc (tc_)", FAMILY(tcmalloc_family)},
	{"mi_", ALLOCATOR_PREFIXED, "mimalloc (mi_)", FAMILY(c_family)},
	{"mi_", ALLOCATOR_PREFIXED, "mimalloc (mi_)", FAMILY(mimalloc_family)},
};

#define FAMILIES (sizeof(families) / sizeof(families[0]))

static const struct allocator_function *find_in(const struct family *family, const char *name,
						size_t len)
{
	for (size_t i = 0; i < family->n; i++) {
		const struct allocator_function *f = &family->functions[i];

		if (f->name[0] == name[0] && !strncmp(f->name, name, len) && !f->name[len])
			return f;
	}
	return NULL;
}

bool allocators__match(const char *symbol, size_t len, struct allocator_match *out)
{
	for (size_t i = 0; i < FAMILIES; i++) {
		const struct family *family = &families[i];
		size_t prefix = strlen(family->prefix);

		if (len <= prefix || strncmp(symbol, family->prefix, prefix))
			continue;
		out->function = find_in(family, symbol + prefix, len - prefix);
		if (!out->function)
			continue;
		out->group = family->group;
		out->label = family->label;
		return true;
	}
	return false;
}

bool description__allocates(uint32_t description)
{
	uint32_t kind = description & HEAP_KIND_MASK;

	return kind == HEAP_ALLOCATES || kind == HEAP_STORES;
}

bool description__frees(uint32_t description)
{
	return (description & HEAP_KIND_MASK) == HEAP_FREES;
}

uint32_t description__registers(uint32_t description)
{
	static const uint32_t registers[] = {0,		 PLACE_ARG1, PLACE_ARG2, PLACE_ARG3,
					     PLACE_ARG4, PLACE_ARG5, PLACE_ARG6, 0};

	return registers[HEAP_ARGUMENT(description, HEAP_SIZE)] |
	       registers[HEAP_ARGUMENT(description, HEAP_COUNT)] |
	       registers[HEAP_ARGUMENT(description, HEAP_BLOCK)] |
	       registers[HEAP_ARGUMENT(description, HEAP_ALIGN)] |
	       registers[HEAP_ARGUMENT(description, HEAP_OUT)] |
	       registers[HEAP_ARGUMENT(description, HEAP_FLAGS)];
}

uint32_t description__relocate(uint32_t description, const uint8_t *now)
{
	static const uint32_t fields[] = {HEAP_SIZE(1),	 HEAP_COUNT(1), HEAP_BLOCK(1),
					  HEAP_ALIGN(1), HEAP_OUT(1),	HEAP_FLAGS(1)};
	uint32_t out = description;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint32_t n = (description / fields[i]) & 7;

		out = (out & ~(fields[i] * 7)) | fields[i] * now[n];
	}
	return out;
}

const struct allocator_function *allocators__family(size_t index, const char **prefix, size_t *n)
{
	if (index >= FAMILIES)
		return NULL;
	*prefix = families[index].prefix;
	*n = families[index].n;
	return families[index].functions;
}
