/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocators that only the user knows: --alloc 'LIB:FUNCTION(size=arg2)' and
 * --free 'LIB:FUNCTION(ptr=arg1)'.
 */
#ifndef PERFTRACE_PROBE_ALLOC_RULES_H
#define PERFTRACE_PROBE_ALLOC_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/vec.h"
#include "probe/function_rules.h"

struct alloc_rule {
	char *text;		   /* as the user wrote it */
	function_rule_list target; /* one element: in which object, which function */
	uint32_t description;	   /* bpf/abi/heap.h */
	bool frees;		   /* given with --free */
};

typedef VEC(struct alloc_rule) alloc_rule_list;

/*
 * Parses one rule and adds it. The object and the function are named as with -f; without LIB it
 * is the executable. What the arguments mean stands in parentheses behind the name:
 *
 *	--alloc: size=argN (default arg1), count=argN (bytes are count * size), align=argN,
 *		 ptr=argN (a block that is replaced, as by realloc; "old" is the same), out=argN
 *		 (the block's address is stored there and 0 returned, as by posix_memalign)
 *	--free:  ptr=argN (default arg1)
 *
 * with N from 1 to 6: integers and pointers, floating-point arguments not counted.
 */
int alloc_rule__parse(const char *text, bool frees, alloc_rule_list *rules, struct error *err);
void alloc_rules__free(alloc_rule_list *rules);

#endif
