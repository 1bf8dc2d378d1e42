// SPDX-License-Identifier: BSD-2-Clause
#include "probe/function_rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* The colon between LIB and GLOB; NULL if there is none. */
static const char *separator(const char *text)
{
	for (const char *c = strchr(text, ':'); c; c = strchr(c, ':')) {
		if (c[1] != ':')
			return c;
		c += 2;
	}
	return NULL;
}

int function_rule__parse(const char *text, function_rule_list *rules, struct error *err)
{
	const char *colon = separator(text), *name = colon ? colon + 1 : text;
	struct function_rule *rule;

	if (!*name || colon == text)
		return error_set(err, EXIT_USAGE, -EINVAL,
				 "-f: '%s' is not a function or LIB:FUNCTION (try -f 'parse_*', -f "
				 "'libz.so:deflate' or -f 'ns::Class::*')",
				 text);
	rule = vec_push(rules);
	if (!rule)
		return -ENOMEM;
	rule->name = strdup(name);
	if (!rule->name)
		return -ENOMEM;
	if (!colon)
		return 0;
	rule->object = strndup(text, colon - text);
	return rule->object ? 0 : -ENOMEM;
}

void function_rules__free(function_rule_list *rules)
{
	struct function_rule *rule;

	vec_for_each (rules, rule) {
		free(rule->object);
		free(rule->name);
	}
	vec_free(rules);
}

bool function_rule__wants_object(const struct function_rule *rule, const char *path,
				 bool is_executable)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t len;

	if (!rule->object)
		return is_executable;
	if (strchr(rule->object, '/'))
		return !fnmatch(rule->object, path, 0);
	if (!fnmatch(rule->object, base, 0))
		return true;
	len = strlen(rule->object);
	if (strncmp(base, rule->object, len))
		return false;
	return !strncmp(base + len, ".so", 3) ||
	       (len > 3 && base[len] == '.' && !strcmp(rule->object + len - 3, ".so"));
}

/* "ns::f(int) const" as "ns::f"; false if there are no parameters to leave out. */
static bool without_parameters(const char *demangled, char *out, size_t size)
{
	size_t len = strlen(demangled), depth = 0;
	const char *close = strrchr(demangled, ')');

	/* From the last ')' back to the '(' it closes: parameters may hold parentheses. */
	for (const char *c = close; c && c >= demangled; c--) {
		depth += *c == ')';
		depth -= *c == '(';
		if (depth)
			continue;
		len = c - demangled;
		break;
	}
	if (!close || depth || !len || len >= size)
		return false;
	memcpy(out, demangled, len);
	out[len] = '\0';
	return true;
}

bool function_rule__wants(const struct function_rule *rule, const char *symbol,
			  const char *demangled)
{
	char plain[1024];

	if (!fnmatch(rule->name, symbol, 0))
		return true;
	if (!demangled)
		return false;
	if (!strcmp(rule->name, demangled) || !fnmatch(rule->name, demangled, 0))
		return true;
	return without_parameters(demangled, plain, sizeof(plain)) &&
	       (!strcmp(rule->name, plain) || !fnmatch(rule->name, plain, 0));
}
