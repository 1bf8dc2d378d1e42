/* SPDX-License-Identifier: BSD-2-Clause */
/* Which functions the user wants as spans: -f 'LIB:GLOB' or -f 'GLOB'. */
#ifndef PERFTRACE_PROBE_FUNCTION_RULES_H
#define PERFTRACE_PROBE_FUNCTION_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/vec.h"

struct function_rule {
	char *object; /* glob over file names; NULL = the executable */
	char *name;   /* glob over names as linkers and as programmers write them */
};

typedef VEC(struct function_rule) function_rule_list;

/*
 * Parses "LIB:GLOB" or "GLOB". The colon is the first one that is not part of "::", so that
 * "ns::f" is a function of the executable.
 */
int function_rule__parse(const char *text, function_rule_list *rules, struct error *err);
void function_rules__free(function_rule_list *rules);

/* Is the object one the rule looks into? "libfoo" and "libfoo.so.1" name libfoo.so.1.2, too. */
bool function_rule__wants_object(const struct function_rule *rule, const char *path,
				 bool is_executable);
/*
 * Does the rule choose a function? By its symbol, or by its demangled name (NULL = it has none),
 * with or without the parameters and a template's return type. A name without wildcards means exactly that name.
 */
bool function_rule__wants(const struct function_rule *rule, const char *symbol,
			  const char *demangled);
/* "int max<int>(int, int)" as "max<int>"; false if it has no parameters, or no room in `out`. */
bool function_name__plain(const char *demangled, char *out, size_t size);

#endif
