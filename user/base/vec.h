/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A growing array of any type:
 *
 *	struct maps { VEC(struct mapping) list; };
 *	struct mapping *m = vec_push(&maps->list);   // zeroed new element, NULL when out of memory
 *	vec_for_each(&maps->list, m) ...
 *	vec_free(&maps->list);
 *
 * Zero-initialise. Pointers to elements are valid until the next push.
 */
#ifndef PERFTRACE_BASE_VEC_H
#define PERFTRACE_BASE_VEC_H

#include <stddef.h>

#define VEC(type)                     \
	struct {                      \
		type *data;           \
		size_t len, capacity; \
	}

#define vec_push(v)                                                                          \
	((__typeof__((v)->data))vec_push_raw((void **)&(v)->data, &(v)->len, &(v)->capacity, \
					     sizeof(*(v)->data)))
#define vec_for_each(v, it) for ((it) = (v)->data; (v)->data && (it) < (v)->data + (v)->len; (it)++)
#define vec_free(v)                           \
	do {                                  \
		vec_free_raw((v)->data);      \
		(v)->data = NULL;             \
		(v)->len = (v)->capacity = 0; \
	} while (0)

void *vec_push_raw(void **data, size_t *len, size_t *capacity, size_t element_size);
void vec_free_raw(void *data);

#endif
