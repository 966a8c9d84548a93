/* The part of a job that is about source code. */
#include "engine/prepare-source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/strv.h"

/* Adds the patterns of one rule: a list, or a map of its type and a list. */
static int add_rule(struct source_rules *rules, bool include, const struct value *what)
{
	enum source_rule_type type = SOURCE_RULE_FILE;
	const struct value *patterns = what;
	char **words = NULL;

	for (int i = 0; i < SOURCE_RULE_N_TYPES; i++) {
		const char *name = source_rule_type_name((enum source_rule_type)i);

		if (name && value_get(what, name)) {
			type = (enum source_rule_type)i;
			patterns = value_get(what, name);
		}
	}
	if (patterns->type != VALUE_LIST)
		return 0;
	for (size_t i = 0; i < patterns->list.n_items; i++) {
		int r = strv_append(&words, value_str(&patterns->list.items[i]));

		if (r < 0) {
			strv_free(words);
			return r;
		}
	}
	return source_rules_add(rules, include, type, words);
}

static int add_rules(const struct value *source, struct source_rules *rules)
{
	const struct value *select = value_get(source, "select");
	int r = 0;

	for (size_t i = 0;
	     r == 0 && select && select->type == VALUE_LIST && i < select->list.n_items;
	     i++) {
		const struct value *include =
			value_get(&select->list.items[i], "include");
		const struct value *exclude =
			value_get(&select->list.items[i], "exclude");

		if (include || exclude)
			r = add_rule(rules, include != NULL, include ? include : exclude);
	}
	return r;
}

/* @path seen from where it begins, without detours, and with a '/' at its end. */
static int add_prefix(struct str path, struct strbuf *ret)
{
	_cleanup_(strv_freep) char **parts = NULL;
	struct str part;
	size_t n = 0;

	if (str_starts(path, "/"))
		strbuf_addc(ret, '/');
	while (str_split(&path, '/', &part)) {
		if (part.len == 0 || str_is(part, "."))
			continue;
		if (str_is(part, "..") && n > 0 && strcmp(parts[n - 1], "..") != 0) {
			free(parts[--n]);
			parts[n] = NULL;
			continue;
		}
		if (strv_append(&parts, part) < 0)
			return -ENOMEM;
		n++;
	}
	for (size_t i = 0; i < n; i++)
		strbuf_addf(ret, "%s/", parts[i]);
	return strbuf_error(ret);
}

/* Gives @text away, NULL when there is none of it. 0 or -ENOMEM. */
static int give(struct strbuf *text, char **ret)
{
	if (strbuf_error(text) == 0 && text->len == 0)
		return 0;
	*ret = strbuf_take(text);
	return *ret ? 0 : -ENOMEM;
}

static int set_places(const struct operation *operation, const char *project,
		      struct job *job)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT, prefix = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf dest = STRBUF_INIT;
	struct str root = operation_source_root(operation);
	int r = source_dest_normalize(operation_source_dest(operation), &dest);

	if (r < 0)
		return r;
	if (!str_starts(root, "/"))
		strbuf_adds(&path, project);
	if (root.len > 0 && !str_starts(root, "/"))
		strbuf_addc(&path, '/');
	strbuf_addstr(&path, root);
	r = add_prefix(root, &prefix);
	if (r == 0)
		r = give(&path, &job->source.root);
	if (r == 0)
		r = give(&prefix, &job->source.prefix);
	return r < 0 ? r : give(&dest, &job->source.dest);
}

int prepare_source(const struct operation *operation, const char *project,
		   struct job *job)
{
	const struct value *digest = value_get(&operation->source, "digest");
	int r = set_places(operation, project, job);

	if (r == 0)
		r = add_rules(&operation->source, &job->source.rules);
	if (r < 0)
		return r;
	job->source.python = operation->is_python;
	job->source.no_digest = digest && digest->type == VALUE_BOOL && !digest->boolean;
	job->source.project = strdup(project);
	if (!job->source.project)
		return -ENOMEM;
	if (operation->program) {
		job->source.also = strdup(operation->program);
		if (!job->source.also)
			return -ENOMEM;
	}
	return 0;
}
