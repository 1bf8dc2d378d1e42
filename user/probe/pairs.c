// SPDX-License-Identifier: BSD-2-Clause
#include "probe/pairs.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_CAP 256

/*
 * How programs call the two ends of an operation. Of the groups of a start word the first one
 * with a probe present is taken, whole: a transaction ends in commit or abort.
 */
static const struct {
	const char *start;
	const char *ends[12][4];
} words[] = {
	{"start",
	 {{"done"},
	  {"end"},
	  {"stop"},
	  {"finish"},
	  {"finished"},
	  {"complete"},
	  {"completed"},
	  {"commit", "abort", "rollback"},
	  {"return"},
	  {"exit"}}},
	{"begin", {{"end"}, {"done"}, {"finish"}, {"complete"}, {"commit", "abort", "rollback"}}},
	{"entry", {{"return"}, {"exit"}, {"done"}}},
	{"enter", {{"exit"}, {"leave"}, {"return"}}},
	{"send", {{"recv"}, {"receive"}}},
	{"request", {{"response"}, {"reply"}}},
};

/* Copies `name` with every "__" turned into "-". */
static void normalise(const char *name, char out[NAME_CAP])
{
	size_t n = 0;

	while (*name && n < NAME_CAP - 1) {
		if (name[0] == '_' && name[1] == '_') {
			out[n++] = '-';
			name += 2;
		} else {
			out[n++] = *name++;
		}
	}
	out[n] = '\0';
}

bool usdt_name__equal(const char *a, const char *b)
{
	char x[NAME_CAP], y[NAME_CAP];

	normalise(a, x);
	normalise(b, y);
	return !strcmp(x, y);
}

static const char *find_name(const struct usdt_name *names, size_t n, const char *provider,
			     const char *normal)
{
	for (size_t i = 0; i < n; i++) {
		char other[NAME_CAP];

		if (strcmp(names[i].provider, provider))
			continue;
		normalise(names[i].name, other);
		if (!strcmp(other, normal))
			return names[i].name;
	}
	return NULL;
}

/* Index into `words` if the normalised name ends in "-start", "_begin" ...; *base_len before it. */
static int start_word(const char *normal, size_t *base_len)
{
	size_t len = strlen(normal);

	for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		size_t word_len = strlen(words[w].start);
		char separator;

		if (len < word_len + 2 || strcmp(normal + len - word_len, words[w].start))
			continue;
		separator = normal[len - word_len - 1];
		if (separator != '-' && separator != '_')
			continue;
		*base_len = len - word_len - 1;
		return w;
	}
	return -1;
}

/* Fills pair->ends from the first group of end words that exists. */
static int find_ends(struct usdt_pair *pair, const struct usdt_name *names, size_t n, int word,
		     const char *normal, size_t base_len)
{
	for (size_t g = 0; g < 12 && words[word].ends[g][0] && !pair->n_ends; g++) {
		for (size_t e = 0; e < 4 && words[word].ends[g][e]; e++) {
			char wanted[NAME_CAP + 16];
			const char *found;

			snprintf(wanted, sizeof(wanted), "%.*s%s", (int)base_len + 1, normal,
				 words[word].ends[g][e]);
			found = find_name(names, n, pair->provider, wanted);
			if (!found)
				continue;
			pair->ends[pair->n_ends] = strdup(found);
			if (!pair->ends[pair->n_ends])
				return -ENOMEM;
			pair->n_ends++;
		}
	}
	return 0;
}

static void free_pair(struct usdt_pair *pair)
{
	free(pair->provider);
	free(pair->start);
	free(pair->span_name);
	for (size_t i = 0; i < pair->n_ends; i++)
		free(pair->ends[i]);
	memset(pair, 0, sizeof(*pair));
}

/* Moves the pair into the list if nothing failed and it is wanted, else frees it. */
static int keep_pair(struct usdt_pair *pair, int ret, bool wanted, usdt_pair_list *out)
{
	struct usdt_pair *slot = !ret && wanted ? vec_push(out) : NULL;

	if (slot) {
		*slot = *pair;
		return 0;
	}
	free_pair(pair);
	return ret ? ret : wanted ? -ENOMEM : 0;
}

static int set_names(struct usdt_pair *pair, const struct usdt_name *start, const char *normal,
		     size_t base_len)
{
	pair->provider = strdup(start->provider);
	pair->start = strdup(start->name);
	if (!pair->provider || !pair->start ||
	    asprintf(&pair->span_name, "%s.%.*s", start->provider, (int)base_len, normal) < 0) {
		pair->span_name = NULL;
		return -ENOMEM;
	}
	return 0;
}

static bool already_listed(const usdt_pair_list *list, const struct usdt_name *start)
{
	struct usdt_pair *pair;

	vec_for_each (list, pair) {
		if (!strcmp(pair->provider, start->provider) && !strcmp(pair->start, start->name))
			return true;
	}
	return false;
}

/* Does any rule without explicit ends choose this pair? */
static bool chosen_by_glob(const struct usdt_pair *pair, const pair_rule_list *rules)
{
	const char *base = pair->span_name + strlen(pair->provider) + 1;
	struct pair_rule *rule;

	if (!rules || !rules->len)
		return true;
	vec_for_each (rules, rule) {
		char normal[NAME_CAP], pattern[NAME_CAP];

		if (rule->n_ends || fnmatch(rule->provider, pair->provider, 0))
			continue;
		normalise(pair->start, normal);
		normalise(rule->start, pattern);
		if (!fnmatch(pattern, base, 0) || !fnmatch(pattern, normal, 0))
			return true;
	}
	return false;
}

static int add_by_words(const struct usdt_name *names, size_t n, const struct usdt_name *start,
			const pair_rule_list *rules, usdt_pair_list *out)
{
	struct usdt_pair pair = {0};
	char normal[NAME_CAP];
	size_t base_len;
	int word, ret;

	normalise(start->name, normal);
	word = start_word(normal, &base_len);
	if (word < 0 || already_listed(out, start))
		return 0;
	ret = set_names(&pair, start, normal, base_len);
	if (!ret)
		ret = find_ends(&pair, names, n, word, normal, base_len);
	return keep_pair(&pair, ret, pair.n_ends && chosen_by_glob(&pair, rules), out);
}

static int add_by_rule(const struct usdt_name *names, size_t n, const struct pair_rule *rule,
		       const struct usdt_name *start, usdt_pair_list *out)
{
	struct usdt_pair pair = {0};
	char normal[NAME_CAP];
	size_t base_len;
	int ret;

	if (already_listed(out, start))
		return 0;
	normalise(start->name, normal);
	if (start_word(normal, &base_len) < 0)
		base_len = strlen(normal);
	ret = set_names(&pair, start, normal, base_len);
	for (size_t e = 0; !ret && e < rule->n_ends; e++) {
		char wanted[NAME_CAP];
		const char *found;

		normalise(rule->ends[e], wanted);
		found = find_name(names, n, start->provider, wanted);
		if (!found)
			continue;
		pair.ends[pair.n_ends] = strdup(found);
		if (pair.ends[pair.n_ends])
			pair.n_ends++;
		else
			ret = -ENOMEM;
	}
	return keep_pair(&pair, ret, pair.n_ends, out);
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct usdt_pair *)a)->span_name,
		      ((const struct usdt_pair *)b)->span_name);
}

int usdt_pairs__find(const struct usdt_name *names, size_t n, const pair_rule_list *rules,
		     usdt_pair_list *out)
{
	struct pair_rule *rule;
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++) {
		if (!strcmp(names[i].provider, PERFTRACE_PROVIDER))
			continue;
		/* What the user named goes before what words suggest. */
		for (rule = rules ? rules->data : NULL;
		     rule && rule < rules->data + rules->len && !ret; rule++) {
			if (rule->n_ends && !fnmatch(rule->provider, names[i].provider, 0) &&
			    usdt_name__equal(rule->start, names[i].name))
				ret = add_by_rule(names, n, rule, &names[i], out);
		}
		if (!ret)
			ret = add_by_words(names, n, &names[i], rules, out);
	}
	if (out->len)
		qsort(out->data, out->len, sizeof(*out->data), compare_pairs);
	return ret;
}

void usdt_pairs__free(usdt_pair_list *list)
{
	struct usdt_pair *pair;

	vec_for_each (list, pair)
		free_pair(pair);
	vec_free(list);
}

static int bad_rule(const char *text, struct error *err)
{
	return error_set(err, EXIT_USAGE, -EINVAL,
			 "-u: '%s' is not PROVIDER:START..END or PROVIDER:GLOB (try -u "
			 "'postgresql:query__start..query__done')",
			 text);
}

int pair_rule__parse(const char *text, pair_rule_list *rules, struct error *err)
{
	const char *colon = strchr(text, ':'), *dots;
	struct pair_rule *rule;
	char *ends, *end, *save = NULL;

	if (!colon || colon == text || !colon[1])
		return bad_rule(text, err);
	dots = strstr(colon + 1, "..");
	if (dots && (dots == colon + 1 || !dots[2]))
		return bad_rule(text, err);
	rule = vec_push(rules);
	if (!rule)
		return -ENOMEM;
	rule->provider = strndup(text, colon - text);
	rule->start = dots ? strndup(colon + 1, dots - colon - 1) : strdup(colon + 1);
	if (!rule->provider || !rule->start)
		return -ENOMEM;
	if (!dots)
		return 0;
	ends = strdup(dots + 2);
	if (!ends)
		return -ENOMEM;
	for (end = strtok_r(ends, "|", &save); end; end = strtok_r(NULL, "|", &save)) {
		if (rule->n_ends == PAIR_ENDS_MAX) {
			free(ends);
			return error_set(err, EXIT_USAGE, -EINVAL,
					 "-u: '%s' names more than %d ends", text, PAIR_ENDS_MAX);
		}
		rule->ends[rule->n_ends] = strdup(end);
		if (!rule->ends[rule->n_ends]) {
			free(ends);
			return -ENOMEM;
		}
		rule->n_ends++;
	}
	free(ends);
	return rule->n_ends ? 0 : bad_rule(text, err);
}

void pair_rules__free(pair_rule_list *rules)
{
	struct pair_rule *rule;

	vec_for_each (rules, rule) {
		free(rule->provider);
		free(rule->start);
		for (size_t i = 0; i < rule->n_ends; i++)
			free(rule->ends[i]);
	}
	vec_free(rules);
}
