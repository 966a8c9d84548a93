/* Rules that select source code. */
#include "engine/source-rule.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/cleanup.h"
#include "engine/strv.h"
#include "engine/utf8.h"

void source_rules_done(struct source_rules *rules)
{
	for (size_t i = 0; i < rules->n_items; i++)
		strv_free(rules->items[i].patterns);
	free(rules->items);
	*rules = SOURCE_RULES_INIT;
}

int source_rules_add(struct source_rules *rules, bool include, enum source_rule_type type,
		     char **patterns)
{
	struct source_rule *items =
		reallocarray(rules->items, rules->n_items + 1, sizeof(*items));

	if (!items) {
		strv_free(patterns);
		return -ENOMEM;
	}
	rules->items = items;
	items[rules->n_items++] = (struct source_rule){ include, type, patterns };
	return 0;
}

const char *source_rule_type_name(enum source_rule_type type)
{
	static const char *const names[SOURCE_RULE_N_TYPES] = {
		[SOURCE_RULE_TEXT] = "text",
		[SOURCE_RULE_BINARY] = "binary",
		[SOURCE_RULE_DIR] = "dir",
	};

	return names[type];
}

/* A pattern may begin with '/', which says that it is for the whole path. */
static struct str without_slashes(struct str pattern)
{
	while (str_starts(pattern, "/")) {
		pattern.data++;
		pattern.len--;
	}
	return pattern;
}

static bool is_directory(int root_fd, const char *pattern)
{
	struct stat st;
	const char *path = without_slashes(str_from(pattern)).data;

	return fstatat(root_fd, *path ? path : ".", &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static int resolve_pattern(int root_fd, const struct source_rule *rule,
			   const char *pattern, char ***ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	strbuf_adds(&text, pattern);
	if (rule->type == SOURCE_RULE_FILE && is_directory(root_fd, pattern))
		strbuf_adds(&text,
			    *pattern && !str_ends(str_from(pattern), "/") ? "/*" : "*");
	return strbuf_error(&text) < 0 ? -ENOMEM : strv_append(ret, strbuf_str(&text));
}

int source_rules_resolve(const struct source_rules *rules, int root_fd,
			 struct source_rules *ret)
{
	for (size_t i = 0; i < rules->n_items; i++) {
		const struct source_rule *rule = &rules->items[i];
		char **patterns = NULL;
		int r = 0;

		for (size_t j = 0; r == 0 && j < strv_length(rule->patterns); j++)
			r = resolve_pattern(root_fd, rule, rule->patterns[j], &patterns);
		if (r == 0)
			r = source_rules_add(ret, rule->include, rule->type, patterns);
		else
			strv_free(patterns);
		if (r < 0)
			return r;
	}
	return 0;
}

static struct str last_name(struct str path)
{
	const char *slash = path.len > 0 ? memrchr(path.data, '/', path.len) : NULL;

	if (slash) {
		path.len -= (size_t)(slash + 1 - path.data);
		path.data = slash + 1;
	}
	return path;
}

bool source_rule_matches(const struct source_rule *rule, struct str path)
{
	for (char **pattern = rule->patterns; pattern && *pattern; pattern++) {
		struct str text = strchr(*pattern, '/') ? path : last_name(path);

		if (source_rule_fnmatch(without_slashes(str_from(*pattern)), text))
			return true;
	}
	return false;
}

bool source_rules_exclude_all(const struct source_rules *rules)
{
	for (size_t i = 0; i < rules->n_items; i++) {
		const struct source_rule *rule = &rules->items[i];

		if (rule->include || rule->type != SOURCE_RULE_FILE)
			continue;
		for (char **pattern = rule->patterns; pattern && *pattern; pattern++)
			if (strcmp(*pattern, "*") == 0)
				return true;
	}
	return false;
}

int source_dest_normalize(struct str text, struct strbuf *ret)
{
	size_t start = ret->len;
	struct str part;

	if (str_starts(text, "/"))
		return -EINVAL;
	while (str_split(&text, '/', &part)) {
		if (part.len == 0 || str_is(part, "."))
			continue;
		if (str_is(part, ".."))
			return -EINVAL;
		strbuf_addstr(ret, part);
		strbuf_addc(ret, '/');
	}
	if (strbuf_error(ret) < 0)
		return -ENOMEM;
	/* Where Guild had the source code before it put it into the run's directory. */
	return strncmp(strbuf_cstr(ret) + start, ".guild/", 7) == 0 &&
			       strncmp(strbuf_cstr(ret) + start, ".guild/sourcecode/",
				       18) != 0
		       ? -EINVAL
		       : 0;
}

/* Takes the first character off @text. */
static uint32_t take_character(struct str *text)
{
	uint32_t c;
	size_t len = utf8_first(*text, &c);

	text->data += len;
	text->len -= len;
	return c;
}

/*
 * The part of a pattern after "[": what stands in the brackets, taken off with them.
 * False when they are not closed: then '[' is a character like others.
 */
static bool take_brackets(struct str *pattern, struct str *ret)
{
	size_t start = str_starts(*pattern, "!") ? 1 : 0;
	const char *end;

	/* A ']' in the first place is one of the characters. */
	if (start + 1 >= pattern->len)
		return false;
	end = memchr(pattern->data + start + 1, ']', pattern->len - start - 1);
	if (!end)
		return false;
	*ret = (struct str){ pattern->data, (size_t)(end - pattern->data) };
	pattern->len -= ret->len + 1;
	pattern->data = end + 1;
	return true;
}

static bool is_among(struct str set, uint32_t c)
{
	bool negated = str_starts(set, "!");
	bool found = false;

	if (negated)
		(void)take_character(&set);
	while (set.len > 0) {
		uint32_t first = take_character(&set), last = first;

		if (set.len > 1 && set.data[0] == '-') {
			(void)take_character(&set);
			last = take_character(&set);
		}
		found |= c >= first && c <= last;
	}
	return found != negated;
}

/* Takes a piece that is no '*' off both, if it matches. */
static bool take_one(struct str *pattern, struct str *text)
{
	uint32_t wanted, c;
	struct str set;

	if (pattern->len == 0 || text->len == 0)
		return false;
	wanted = take_character(pattern);
	c = take_character(text);
	if (wanted == '?')
		return true;
	if (wanted == '[' && take_brackets(pattern, &set))
		return is_among(set, c);
	return wanted == c;
}

bool source_rule_fnmatch(struct str pattern, struct str text)
{
	/* Where to go on when the last '*' has to take one character more. */
	struct str pattern_again = { 0 }, text_again = { 0 };
	bool has_star = false;

	for (;;) {
		if (str_starts(pattern, "*")) {
			(void)take_character(&pattern);
			pattern_again = pattern;
			text_again = text;
			has_star = true;
			continue;
		}
		if (pattern.len == 0 && text.len == 0)
			return true;
		if (take_one(&pattern, &text))
			continue;
		if (!has_star || text_again.len == 0)
			return false;
		(void)take_character(&text_again);
		pattern = pattern_again;
		text = text_again;
	}
}
