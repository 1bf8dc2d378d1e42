// SPDX-License-Identifier: BSD-2-Clause
#include "probe/alloc_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/heap.h"

struct arguments {
	uint32_t size, count, block, align, out; /* numbers; 0 = not given */
};

static const struct {
	const char *name;
	size_t offset; /* in struct arguments */
	bool of_frees; /* --free knows it, too */
} keys[] = {
	{"size", offsetof(struct arguments, size), false},
	{"count", offsetof(struct arguments, count), false},
	{"ptr", offsetof(struct arguments, block), true},
	{"old", offsetof(struct arguments, block), false},
	{"align", offsetof(struct arguments, align), false},
	{"out", offsetof(struct arguments, out), false},
};

static const char *option_of(bool frees)
{
	return frees ? "--free" : "--alloc";
}

static int bad_argument(const char *text, const char *part, size_t len, bool frees,
			struct error *err)
{
	return error_set(
		err, EXIT_USAGE, -EINVAL,
		"%s '%s': '%.*s' is none of %s. N is 1 to %d, as in '%s'.", option_of(frees), text,
		(int)(len < 64 ? len : 64), part,
		frees ? "ptr=argN" : "size=argN, count=argN, ptr=argN, align=argN, out=argN",
		HEAP_ARGUMENT_MAX, frees ? "LIB:FUNCTION(ptr=arg1)" : "LIB:FUNCTION(size=arg2)");
}

/* "size=arg2", without spaces around it. */
static bool take_argument(const char *part, size_t len, bool frees, struct arguments *out)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t n = strlen(keys[i].name);
		const char *value = part + n;
		uint32_t *slot = (uint32_t *)((char *)out + keys[i].offset);

		if (len != n + 5 || strncmp(part, keys[i].name, n) || strncmp(value, "=arg", 4) ||
		    (frees && !keys[i].of_frees))
			continue;
		if (value[4] < '1' || value[4] > '0' + HEAP_ARGUMENT_MAX || *slot)
			return false;
		*slot = value[4] - '0';
		return true;
	}
	return false;
}

static int take_arguments(const char *text, const char *list, size_t len, bool frees,
			  struct arguments *out, struct error *err)
{
	const char *end = list + len;

	while (list < end) {
		const char *comma = memchr(list, ',', end - list), *next = comma ? comma : end;
		const char *last = next;

		while (list < last && *list == ' ')
			list++;
		while (last > list && last[-1] == ' ')
			last--;
		if (!take_argument(list, last - list, frees, out))
			return bad_argument(text, list, last - list, frees, err);
		list = comma ? comma + 1 : end;
	}
	return 0;
}

static int describe(const char *text, bool frees, struct arguments a, uint32_t *description,
		    struct error *err)
{
	if (frees) {
		*description = HEAP_FREES | HEAP_BLOCK(a.block ? a.block : 1) | HEAP_FORWARDS;
		return 0;
	}
	if (a.block && a.out)
		return error_set(err, EXIT_USAGE, -EINVAL,
				 "--alloc '%s': a function that takes a block and stores another "
				 "(ptr and out) cannot be described. Leave one of them out.",
				 text);
	if (!a.size && (a.block == 1 || a.count == 1 || a.out == 1 || a.align == 1))
		return error_set(err, EXIT_USAGE, -EINVAL,
				 "--alloc '%s': which argument is the size? Add size=argN.", text);
	*description = (a.block ? HEAP_REALLOCATES
			: a.out ? HEAP_STORES
				: HEAP_ALLOCATES) |
		       HEAP_SIZE(a.size ? a.size : 1) | HEAP_COUNT(a.count) | HEAP_BLOCK(a.block) |
		       HEAP_ALIGN(a.align) | HEAP_OUT(a.out);
	return 0;
}

/*
 * Where the argument list begins. The last pair of parentheses is one if it is empty or holds a
 * '='; else it is part of a C++ name, as in "ns::get(int)".
 */
static const char *argument_list(const char *text)
{
	size_t len = strlen(text);
	const char *open = strrchr(text, '(');

	if (!open || text[len - 1] != ')')
		return NULL;
	return open[1] == ')' || strchr(open, '=') ? open : NULL;
}

static int parse_rule(const char *text, bool frees, struct alloc_rule *rule, struct error *err)
{
	const char *list = argument_list(text);
	struct arguments arguments = {0};
	struct error inner = {0};
	char *target;
	int ret;

	rule->frees = frees;
	rule->text = strdup(text);
	target = strndup(text, list ? (size_t)(list - text) : strlen(text));
	ret = rule->text && target ? 0 : -ENOMEM;
	if (!ret)
		ret = function_rule__parse(target, &rule->target, &inner);
	free(target);
	if (ret == -EINVAL)
		return error_set(
			err, EXIT_USAGE, ret,
			"%s '%s' does not name a function. Write LIB:FUNCTION or FUNCTION, "
			"as in %s.",
			option_of(frees), text,
			frees ? "--free 'libpool.so:pool_put(ptr=arg2)'"
			      : "--alloc 'libpool.so:pool_get(size=arg2)'");
	if (!ret && list)
		ret = take_arguments(text, list + 1, strlen(list) - 2, frees, &arguments, err);
	return ret ? ret : describe(text, frees, arguments, &rule->description, err);
}

int alloc_rule__parse(const char *text, bool frees, alloc_rule_list *rules, struct error *err)
{
	struct alloc_rule *rule = vec_push(rules);

	return rule ? parse_rule(text, frees, rule, err) : -ENOMEM;
}

void alloc_rules__free(alloc_rule_list *rules)
{
	struct alloc_rule *rule;

	vec_for_each (rules, rule) {
		free(rule->text);
		function_rules__free(&rule->target);
	}
	vec_free(rules);
}
