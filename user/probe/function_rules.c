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

/* Whether only ".so" and a version are missing: what was asked for is the file, or a link to it. */
static bool is_ending(const char *object, const char *rest)
{
	const char *so = strstr(object, ".so");

	if (so && (!so[3] || so[3] == '.'))
		return *rest == '.';
	return !strncmp(rest, ".so", 3) && (!rest[3] || rest[3] == '.');
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
	return len && !strncmp(base, rule->object, len) && is_ending(rule->object, base + len);
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

/* Where the operator's name begins, whose characters are no brackets; else the end. */
static const char *before_operator(const char *name)
{
	const char *at = name;

	while ((at = strstr(at, "operator")) && at != name && at[-1] != ' ' && at[-1] != ':')
		at++;
	return at ? at : name + strlen(name);
}

/*
 * "int max<int>" from "max<int>" on: instances of templates have their return type in front. The
 * last space outside of brackets is what ends it.
 */
static size_t return_type_len(const char *plain)
{
	size_t depth = 0;

	for (const char *c = before_operator(plain); c > plain; c--) {
		if (c[-1] == '>' || c[-1] == ')')
			depth++;
		else if ((c[-1] == '<' || c[-1] == '(') && depth)
			depth--;
		else if (c[-1] == ' ' && !depth)
			return c - plain;
	}
	return 0;
}

bool function_name__plain(const char *demangled, char *out, size_t size)
{
	size_t skip;

	if (!without_parameters(demangled, out, size))
		return false;
	skip = return_type_len(out);
	memmove(out, out + skip, strlen(out + skip) + 1);
	return true;
}

static bool matches(const char *pattern, const char *name)
{
	return !strcmp(pattern, name) || !fnmatch(pattern, name, 0);
}

bool function_rule__wants(const struct function_rule *rule, const char *symbol,
			  const char *demangled)
{
	char plain[1024];
	size_t skip;

	if (!fnmatch(rule->name, symbol, 0))
		return true;
	if (!demangled)
		return false;
	if (matches(rule->name, demangled))
		return true;
	if (!without_parameters(demangled, plain, sizeof(plain)))
		return false;
	skip = return_type_len(plain);
	return matches(rule->name, plain) || (skip && (matches(rule->name, plain + skip) ||
						       matches(rule->name, demangled + skip)));
}
