/* The patterns of output scalars, and what they find in a line. */
#include "engine/scalar-rules.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/number.h"
#include "engine/pattern.h"
#include "engine/utf8.h"

/* From a pattern that takes too long in so many lines, nothing more is expected. */
#define SLOW_MAX 10

/* A decimal of so few digits is its own shortest form. */
#define PLAIN_DIGITS 15

/* Of a vector register, and more. */
#define PADDING 64

struct rule {
	char *key; /* NULL: the pattern says it */
	char *text;
	struct pattern *pattern;
	unsigned int n_names;
	unsigned int key_group, value_group; /* _key and _val, or 0 */
	unsigned int n_slow;
};

struct scalar_rules {
	struct rule *rules;
	size_t n_rules;
	struct flags flags;
	struct strbuf problems;
	struct strbuf line; /* what is matched */
};

static const struct {
	const char *alias, *pattern;
} aliases[] = {
	{ "\\key", "[_a-zA-Z]\\S*" },
	{ "\\value", "(?:[-+]?[0-9]*\\.?(?:[0-9]+)?(?:[eE][-+]?[0-9]+)?|[nN][aA][nN]"
		     "|[-+]?[iI][nN][fF])" },
	{ "\\step", "[0-9]+" },
};

static const char *const default_patterns[] = {
	"^\\key:\\s+\\value\\s+\\((?:step\\s+)?(?P<step>\\step)\\)$",
	"^(\\key):\\s+(\\value)(?:\\s+\\(.*\\))?$",
};

static void rule_done(struct rule *rule)
{
	free(rule->key);
	free(rule->text);
	pattern_free(rule->pattern);
}

static int replace_aliases(struct str text, struct strbuf *ret)
{
	while (text.len > 0) {
		size_t i = 0;

		while (i < 3 && !str_starts(text, aliases[i].alias))
			i++;
		if (i < 3)
			strbuf_adds(ret, aliases[i].pattern);
		else
			strbuf_addc(ret, text.data[0]);
		text.len -= i < 3 ? strlen(aliases[i].alias) : 1;
		text.data += i < 3 ? strlen(aliases[i].alias) : 1;
	}
	return strbuf_error(ret);
}

static int add_problem(struct scalar_rules *rules, struct str text, struct str why)
{
	strbuf_adds(&rules->problems, "# output-scalars: ");
	strbuf_add_quoted(&rules->problems, text);
	strbuf_adds(&rules->problems, " is no pattern: ");
	strbuf_addstr(&rules->problems, why);
	return strbuf_addc(&rules->problems, '\n');
}

/* How the groups of the pattern are meant. -EINVAL with a sentence when they can't be. */
static int judge_groups(struct rule *rule, struct strbuf *ret_why)
{
	unsigned int n = pattern_n_groups(rule->pattern);

	for (unsigned int i = 1; i <= n; i++) {
		const char *name = pattern_group_name(rule->pattern, i);

		rule->n_names += name != NULL;
		if (name && strcmp(name, "_key") == 0)
			rule->key_group = i;
		else if (name && strcmp(name, "_val") == 0)
			rule->value_group = i;
	}
	if (rule->n_names == 0 && n == 2) {
		rule->key_group = 1;
		rule->value_group = 2;
	} else if (rule->n_names == 0 && n == 1 && !rule->key) {
		strbuf_adds(ret_why,
			    "the value has no key: it has one group and no name");
		return -EINVAL;
	} else if (rule->n_names == 0 && n != 1) {
		strbuf_addf(ret_why, "it has %u groups, not 1 or 2", n);
		return -EINVAL;
	}
	return 0;
}

static int compile(struct rule *rule, struct str text, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf whole = STRBUF_INIT;
	int r = replace_aliases(text, &whole);

	if (r == 0)
		r = pattern_new((struct str){ strbuf_cstr(&whole), whole.len },
				&rule->pattern, ret_why);
	return r < 0 ? r : judge_groups(rule, ret_why);
}

/* @key may be NULL. */
static int add_rule(struct scalar_rules *rules, const char *key, struct str text)
{
	_cleanup_(rule_done) struct rule rule = { .key = key ? strdup(key) : NULL,
						  .text = str_dup(text) };
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct rule *grown;
	int r;

	if (!rule.text || (key && !rule.key))
		return -ENOMEM;
	r = compile(&rule, text, &why);
	if (r == -EINVAL)
		return add_problem(rules, text, strbuf_str(&why));
	if (r < 0)
		return r;
	grown = reallocarray(rules->rules, rules->n_rules + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	rules->rules = grown;
	rules->rules[rules->n_rules++] = rule;
	rule = (struct rule){ 0 };
	return 0;
}

static int add_value(struct scalar_rules *rules, const struct value *key,
		     const struct value *value)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;

	if (value->type != VALUE_STRING)
		return add_problem(rules, key ? value_str(key) : STR(""),
				   STR("a pattern is a text"));
	if (key && key->type == VALUE_STRING)
		strbuf_addstr(&name, value_str(key));
	else if (key && key->type == VALUE_INT)
		strbuf_adds(&name, key->text.data);
	else if (key)
		return add_problem(rules, value_str(value), STR("its key is no text"));
	if (strbuf_error(&name) < 0)
		return -ENOMEM;
	return add_rule(rules, key ? strbuf_cstr(&name) : NULL, value_str(value));
}

static int add_map(struct scalar_rules *rules, const struct value *map)
{
	const struct value_pair **pairs = value_sorted_pairs(map);
	int r = pairs ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < map->map.n_pairs; i++)
		r = add_value(rules, &pairs[i]->key, &pairs[i]->value);
	free(pairs);
	return r;
}

static int add_item(struct scalar_rules *rules, const struct value *item)
{
	return item->type == VALUE_MAP ? add_map(rules, item)
				       : add_value(rules, NULL, item);
}

static int add_defaults(struct scalar_rules *rules, const struct flags *flags)
{
	int r = flags_copy(flags, &rules->flags);

	for (size_t i = 0; r == 0 && i < 2; i++)
		r = add_rule(rules, NULL, str_from(default_patterns[i]));
	return r;
}

static int add_spec(struct scalar_rules *rules, const struct value *spec)
{
	int r = 0;

	if (spec->type == VALUE_BOOL && !spec->boolean)
		return 0;
	if (spec->type != VALUE_LIST)
		return add_item(rules, spec);
	for (size_t i = 0; r == 0 && i < spec->list.n_items; i++)
		r = add_item(rules, &spec->list.items[i]);
	return r;
}

int scalar_rules_new(const struct value *spec, const struct flags *flags,
		     struct scalar_rules **ret)
{
	_cleanup_(scalar_rules_freep) struct scalar_rules *rules =
		calloc(1, sizeof(*rules));
	int r;

	if (!rules)
		return -ENOMEM;
	r = !spec || spec->type == VALUE_NULL ? add_defaults(rules, flags)
					      : add_spec(rules, spec);
	if (r == 0)
		r = strbuf_error(&rules->problems);
	if (r < 0)
		return r;
	*ret = take_ptr(rules);
	return 0;
}

void scalar_rules_free(struct scalar_rules *rules)
{
	if (!rules)
		return;
	for (size_t i = 0; i < rules->n_rules; i++)
		rule_done(&rules->rules[i]);
	free(rules->rules);
	flags_done(&rules->flags);
	strbuf_done(&rules->problems);
	strbuf_done(&rules->line);
	free(rules);
}

size_t scalar_rules_count(const struct scalar_rules *rules)
{
	return rules->n_rules;
}

void scalar_line_done(struct scalar_line *line)
{
	for (size_t i = 0; i < line->n_allocated; i++) {
		strbuf_done(&line->items[i].name);
		strbuf_done(&line->items[i].value);
	}
	free(line->items);
	*line = SCALAR_LINE_INIT;
}

static void line_reset(struct scalar_line *line)
{
	line->n_items = 0;
	line->has_step = false;
}

/* What Python's str.rstrip() takes away. */
static bool is_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 ||
	       c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	       c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static struct str strip_end(struct str text)
{
	while (text.len > 0) {
		size_t i = text.len - 1;
		uint32_t c;

		while (i > 0 && ((unsigned char)text.data[i] & 0xc0) == 0x80)
			i--;
		(void)utf8_first((struct str){ text.data + i, text.len - i }, &c);
		if (!is_space(c))
			break;
		text.len = i;
	}
	return text;
}

/* Is it matched as it is: ASCII, and nothing that is dropped? */
static bool is_simple(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] < 9 || (unsigned char)text.data[i] > 0x7f)
			return false;
	}
	return true;
}

/* Can @second follow @first in a character of more than one byte? */
static bool may_follow(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return first >= 0xc2 && first <= 0xf4 && (second & 0xc0) == 0x80;
	}
}

/* How much of @text, which begins with no character, Python drops for it. */
static size_t bad_length(struct str text)
{
	unsigned char first = (unsigned char)text.data[0];
	size_t need = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4, len = 2;

	if (text.len < 2 || !may_follow(first, (unsigned char)text.data[1]))
		return 1;
	while (len < need && len < text.len &&
	       ((unsigned char)text.data[len] & 0xc0) == 0x80)
		len++;
	return len;
}

/* Drops what Guild drops: bytes below 9, and what is no UTF-8. */
static int clean(struct str text, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf bytes = STRBUF_INIT;
	struct str rest;

	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] >= 9)
			strbuf_addc(&bytes, text.data[i]);
	}
	for (rest = strbuf_str(&bytes); rest.len > 0;) {
		uint32_t c;
		size_t len = utf8_first(rest, &c);

		if (len == 1 && c > 0x7f)
			len = bad_length(rest);
		else
			strbuf_add(ret, rest.data, len);
		rest.data += len;
		rest.len -= len;
	}
	return strbuf_error(&bytes) < 0 ? -ENOMEM : strbuf_error(ret);
}

/*
 * The value of most lines, a decimal of few digits: its shortest form without any
 * arithmetic. False for all others.
 */
static bool format_plain(struct str text, struct strbuf *ret)
{
	bool negative = text.len > 0 && text.data[0] == '-';
	const char *point;
	size_t n_whole, len;

	text.data += negative;
	text.len -= negative;
	point = memchr(text.data, '.', text.len);
	n_whole = point ? (size_t)(point - text.data) : text.len;
	for (size_t i = 0; i < text.len; i++) {
		if (i != n_whole && (text.data[i] < '0' || text.data[i] > '9'))
			return false;
	}
	if (n_whole == 0 || text.len > PLAIN_DIGITS ||
	    (n_whole > 1 && text.data[0] == '0'))
		return false;
	if (text.data[0] == '0' && point &&
	    (text.len < 3 ||
	     memcmp(point, ".0000", text.len < 6 ? text.len - 1 : 5) == 0))
		return false; /* zero, or so small that it may get an exponent */
	if (text.data[0] == '0' && !point)
		return false;
	for (len = text.len; point && len > n_whole + 2 && text.data[len - 1] == '0';)
		len--;
	if (negative)
		strbuf_addc(ret, '-');
	strbuf_add(ret, text.data, len);
	if (len <= n_whole + 1)
		strbuf_adds(ret, point ? "0" : ".0");
	return true;
}

/* Appends Python's repr(float(@text)). 0; -EINVAL when it is no number; -ENOMEM. */
static int format_number(struct str text, struct strbuf *ret)
{
	double real;
	int r;

	if (format_plain(text, ret))
		return strbuf_error(ret);
	r = number_parse_float(text, &real);
	return r < 0 ? r : number_format_float(real, ret);
}

static int set_step(struct scalar_line *line, struct str text)
{
	double real;
	int r = number_parse_float(text, &real);

	if (r < 0)
		return r == -EINVAL ? 0 : r;
	if (!(fabs(real) < 0x1p63))
		return 0; /* Guild can't take it either */
	line->has_step = true;
	line->step = (int64_t)real;
	return 0;
}

static struct scalar *find_item(struct scalar_line *line, struct str name)
{
	for (size_t i = 0; i < line->n_items; i++) {
		if (str_eq(strbuf_str(&line->items[i].name), name))
			return &line->items[i];
	}
	return NULL;
}

/* An item of no name yet, for find_item() to see only when it is complete. */
static struct scalar *next_item(struct scalar_line *line)
{
	struct scalar *grown;

	if (line->n_items < line->n_allocated)
		return &line->items[line->n_items];
	grown = reallocarray(line->items, line->n_allocated + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	line->items = grown;
	line->items[line->n_allocated] = (struct scalar){ .name = STRBUF_INIT };
	return &line->items[line->n_allocated++];
}

static int put_item(struct scalar_rules *rules, struct scalar_line *line, struct str name,
		    struct str text)
{
	struct scalar *item = find_item(line, name);
	_cleanup_(strbuf_done) struct strbuf value = STRBUF_INIT;
	int r = format_number(text, &value);

	if (r < 0)
		return r == -EINVAL ? 0 : r;
	if (!item) {
		item = next_item(line);
		if (!item)
			return -ENOMEM;
		strbuf_reset(&item->name);
		if (strbuf_addstr(&item->name, name) < 0)
			return -ENOMEM;
		item->ignored = flags_find(&rules->flags, strbuf_cstr(&item->name));
		line->n_items++;
	}
	strbuf_reset(&item->value);
	return strbuf_addstr(&item->value, strbuf_str(&value));
}

static int put(struct scalar_rules *rules, struct scalar_line *line, struct str name,
	       struct str text)
{
	return str_is(name, "step") ? set_step(line, text)
				    : put_item(rules, line, name, text);
}

static int put_named(struct scalar_rules *rules, const struct rule *rule,
		     const struct pattern_search *search, struct scalar_line *line)
{
	struct str text;
	int r = 0;

	for (unsigned int i = 1; r == 0 && i <= pattern_n_groups(rule->pattern); i++) {
		const char *name = pattern_group_name(rule->pattern, i);

		if (name && pattern_group(rule->pattern, search, i, &text))
			r = put(rules, line, str_from(name), text);
	}
	return r;
}

static int put_match(struct scalar_rules *rules, const struct rule *rule,
		     const struct pattern_search *search, struct scalar_line *line)
{
	struct str name, text;

	if (rule->key_group && rule->value_group)
		return pattern_group(rule->pattern, search, rule->key_group, &name) &&
				       pattern_group(rule->pattern, search,
						     rule->value_group, &text)
			       ? put(rules, line, name, text)
			       : 0;
	if (rule->n_names > 0)
		return put_named(rules, rule, search, line);
	return pattern_group(rule->pattern, search, 1, &text)
		       ? put(rules, line, str_from(rule->key), text)
		       : 0;
}

static int match_rule(struct scalar_rules *rules, struct rule *rule, struct str text,
		      struct scalar_line *line)
{
	struct pattern_search search = { .text = text };
	int r;

	while ((r = pattern_next(rule->pattern, &search)) == 1) {
		r = put_match(rules, rule, &search, line);
		if (r < 0)
			return r;
	}
	if (r == -E2BIG) {
		rule->n_slow++;
		return 0;
	}
	return r;
}

/*
 * Puts @text where it can be matched, with zeros behind it: PCRE2 reads whole vectors,
 * and valgrind is right to ask what it makes of the rest.
 */
static int prepare_line(struct scalar_rules *rules, struct str text)
{
	char *end;
	int r;

	strbuf_reset(&rules->line);
	if (is_simple(text))
		r = strbuf_add(&rules->line, text.data, text.len);
	else
		r = clean(text, &rules->line);
	end = strbuf_reserve(&rules->line, PADDING);
	if (!end)
		return -ENOMEM;
	memset(end, 0, PADDING);
	return r;
}

int scalar_rules_match(struct scalar_rules *rules, struct str text,
		       struct scalar_line *ret)
{
	int r = prepare_line(rules, text);

	line_reset(ret);
	text = strip_end((struct str){ rules->line.data, rules->line.len });
	for (size_t i = 0; r == 0 && i < rules->n_rules; i++) {
		if (rules->rules[i].n_slow < SLOW_MAX)
			r = match_rule(rules, &rules->rules[i], text, ret);
	}
	return r;
}

int scalar_rules_problems(const struct scalar_rules *rules, struct strbuf *ret)
{
	strbuf_addstr(ret, strbuf_str(&rules->problems));
	for (size_t i = 0; i < rules->n_rules; i++) {
		const struct rule *rule = &rules->rules[i];

		if (rule->n_slow == 0)
			continue;
		strbuf_adds(ret, "# output-scalars: ");
		strbuf_add_quoted(ret, str_from(rule->text));
		strbuf_addf(ret, " takes too long in %u line%s, %s\n", rule->n_slow,
			    rule->n_slow > 1 ? "s" : "",
			    rule->n_slow < SLOW_MAX ? "which it was not looked for in"
						    : "so nothing more was looked for");
	}
	return strbuf_error(ret);
}

int scalar_rules_slow(const struct scalar_rules *rules, struct strbuf *ret)
{
	for (size_t i = 0; i < rules->n_rules; i++)
		strbuf_addf(ret, " %u", rules->rules[i].n_slow);
	return strbuf_error(ret);
}

int scalar_rules_set_slow(struct scalar_rules *rules, struct str text)
{
	struct str rest = str_strip(text), word;

	for (size_t i = 0; i < rules->n_rules; i++) {
		char *end;

		if (!str_split(&rest, ' ', &word) || word.len == 0 || word.len > 9)
			return -EINVAL;
		rules->rules[i].n_slow = (unsigned int)strtoul(word.data, &end, 10);
		if (end != word.data + word.len)
			return -EINVAL;
	}
	return rest.len == 0 ? 0 : -EINVAL;
}
