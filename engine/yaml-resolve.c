/*
 * The resolver: the patterns of YAML 1.1 that PyYAML has, written out by hand, since
 * regcomp(3) follows the locale and has no linear bound.
 */
#include "engine/yaml-resolve.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "engine/cleanup.h"
#include "engine/date.h"
#include "engine/number.h"

static const char *const tag_names[] = {
	[YAML_TAG_NULL] = "null",   [YAML_TAG_BOOL] = "bool",
	[YAML_TAG_INT] = "int",	    [YAML_TAG_FLOAT] = "float",
	[YAML_TAG_STR] = "str",	    [YAML_TAG_TIMESTAMP] = "timestamp",
	[YAML_TAG_SEQ] = "seq",	    [YAML_TAG_MAP] = "map",
	[YAML_TAG_MERGE] = "merge", [YAML_TAG_VALUE] = "value",
};

const char *yaml_tag_name(enum yaml_tag tag)
{
	return tag_names[tag];
}

enum yaml_tag yaml_tag_named(const char *tag)
{
	size_t prefix_len = strlen(YAML_TAG_PREFIX);

	if (strncmp(tag, YAML_TAG_PREFIX, prefix_len) != 0)
		return YAML_TAG_UNKNOWN;
	for (int i = 0; i < YAML_TAG_UNKNOWN; i++) {
		if (strcmp(tag + prefix_len, tag_names[i]) == 0)
			return (enum yaml_tag)i;
	}
	return YAML_TAG_UNKNOWN;
}

/* The words of a type: in lower case, Capital or UPPER, and no other mixture. */
static bool is_word(struct str text, const char *lower)
{
	size_t len = strlen(lower);
	bool upper;

	if (text.len != len || strncasecmp(text.data, lower, len) != 0)
		return false;
	if (memcmp(text.data + 1, lower + 1, len - 1) == 0)
		return true;
	upper = true;
	for (size_t i = 0; i < len; i++)
		upper = upper && text.data[i] >= 'A' && text.data[i] <= 'Z';
	return upper;
}

static bool is_bool(struct str text, bool *ret)
{
	static const struct {
		const char *word;
		bool boolean;
	} words[] = {
		{ "yes", true }, { "no", false },    { "true", true },
		{ "on", true },	 { "false", false }, { "off", false },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (is_word(text, words[i].word)) {
			*ret = words[i].boolean;
			return true;
		}
	}
	return false;
}

/* A place in a text that a pattern goes through; it ends with a NUL. */
struct cursor {
	const char *at;
	const char *end;
};

static char peek(const struct cursor *cursor)
{
	return cursor->at < cursor->end ? *cursor->at : '\0';
}

static bool at_end(const struct cursor *cursor)
{
	return cursor->at == cursor->end;
}

static bool take_any(struct cursor *cursor, const char *set)
{
	if (at_end(cursor) || *cursor->at == '\0' || !strchr(set, *cursor->at))
		return false;
	cursor->at++;
	return true;
}

static size_t take_all(struct cursor *cursor, const char *set)
{
	size_t n = 0;

	while (take_any(cursor, set))
		n++;
	return n;
}

#define DIGITS	"0123456789"
#define DIGITS_ DIGITS "_"
#define HEXITS_ DIGITS_ "abcdefABCDEF"
#define OCTALS_ "01234567_"

/* (:[0-5]?[0-9])+ */
static bool take_base60(struct cursor *cursor)
{
	size_t n = 0;

	for (; take_any(cursor, ":"); n++) {
		const char *first = cursor->at;
		size_t n_digits = take_all(cursor, DIGITS);

		if (n_digits < 1 || n_digits > 2 || (n_digits == 2 && *first > '5'))
			return false;
	}
	return n > 0;
}

static bool is_int(struct str text)
{
	struct cursor cursor = { text.data, text.data + text.len };
	char first;

	take_any(&cursor, "+-");
	first = peek(&cursor);
	if (!take_any(&cursor, DIGITS))
		return false;
	if (first != '0') {
		take_all(&cursor, DIGITS_);
		return at_end(&cursor) || (take_base60(&cursor) && at_end(&cursor));
	}
	if (at_end(&cursor))
		return true;
	if (take_any(&cursor, "b"))
		return take_all(&cursor, "01_") > 0 && at_end(&cursor);
	if (take_any(&cursor, "x"))
		return take_all(&cursor, HEXITS_) > 0 && at_end(&cursor);
	return take_all(&cursor, OCTALS_) > 0 && at_end(&cursor);
}

/* ([eE][-+]?[0-9]+)? and the end */
static bool ends_with_exponent(struct cursor *cursor, bool needs_sign)
{
	if (take_any(cursor, "eE")) {
		if (!take_any(cursor, "+-") && needs_sign)
			return false;
		if (take_all(cursor, DIGITS) == 0)
			return false;
	}
	return at_end(cursor);
}

/*
 * PyYAML wants a point, and a sign in an exponent. Guild's second pattern adds
 * exponents without either, and lone underscores behind a point.
 */
static bool is_float(struct str text)
{
	struct cursor cursor = { text.data, text.data + text.len };
	bool has_sign = take_any(&cursor, "+-");
	struct str rest = { cursor.at, (size_t)(cursor.end - cursor.at) };

	if (str_is(rest, ".inf") || str_is(rest, ".Inf") || str_is(rest, ".INF"))
		return true;
	if (str_is(rest, ".nan") || str_is(rest, ".NaN") || str_is(rest, ".NAN"))
		return !has_sign;
	if (take_any(&cursor, "."))
		return !has_sign && take_all(&cursor, DIGITS_) > 0 &&
		       ends_with_exponent(&cursor, true);
	if (!take_any(&cursor, DIGITS))
		return false;
	take_all(&cursor, DIGITS_);
	if (take_any(&cursor, ".")) {
		take_all(&cursor, DIGITS_);
		return ends_with_exponent(&cursor, false);
	}
	if (peek(&cursor) == 'e' || peek(&cursor) == 'E')
		return ends_with_exponent(&cursor, false);
	if (!take_base60(&cursor) || !take_any(&cursor, "."))
		return false;
	take_all(&cursor, DIGITS_);
	return at_end(&cursor);
}

enum yaml_tag yaml_resolve(struct str text)
{
	bool boolean;

	if (text.len == 0 || str_is(text, "~") || is_word(text, "null"))
		return YAML_TAG_NULL;
	if (is_bool(text, &boolean))
		return YAML_TAG_BOOL;
	if (is_float(text))
		return YAML_TAG_FLOAT;
	if (is_int(text))
		return YAML_TAG_INT;
	if (date_is_form(text))
		return YAML_TAG_TIMESTAMP;
	if (str_is(text, "<<"))
		return YAML_TAG_MERGE;
	if (str_is(text, "="))
		return YAML_TAG_VALUE;
	return YAML_TAG_STR;
}

static int construct_int(struct str text, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf digits = STRBUF_INIT;
	char *data;
	size_t len;
	int r;

	r = number_parse_yaml_int(text, &digits);
	if (r < 0)
		return r;
	len = digits.len;
	data = strbuf_take(&digits);
	if (!data)
		return -ENOMEM;
	*ret = (struct value){ .type = VALUE_INT, .text = { data, len } };
	return 0;
}

static int construct_float(struct str text, struct value *ret)
{
	double real;
	int r;

	r = number_parse_yaml_float(text, &real);
	if (r < 0)
		return r;
	value_float(ret, real);
	return 0;
}

static int construct_date(struct str text, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf iso = STRBUF_INIT;
	struct date date;
	int r;

	r = date_parse(text, &date);
	if (r < 0)
		return r;
	r = date_format(&date, &iso);
	if (r < 0)
		return r;
	r = value_string(ret, strbuf_str(&iso));
	if (r < 0)
		return r;
	ret->type = VALUE_DATE;
	return 0;
}

/* Under a tag "YES" and "yEs" are alike. */
static int construct_bool(struct str text, struct value *ret)
{
	char lower[6] = "";
	bool boolean;

	if (text.len >= sizeof(lower))
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++)
		lower[i] = (char)(text.data[i] | 0x20);
	if (!is_bool((struct str){ lower, text.len }, &boolean))
		return -EINVAL;
	value_bool(ret, boolean);
	return 0;
}

int yaml_construct(struct str text, enum yaml_tag tag, struct value *ret)
{
	switch (tag) {
	case YAML_TAG_NULL:
		*ret = VALUE_INIT;
		return 0;
	case YAML_TAG_BOOL:
		return construct_bool(text, ret);
	case YAML_TAG_INT:
		return construct_int(text, ret);
	case YAML_TAG_FLOAT:
		return construct_float(text, ret);
	case YAML_TAG_STR:
		return value_string(ret, text);
	case YAML_TAG_TIMESTAMP:
		return construct_date(text, ret);
	case YAML_TAG_SEQ:
	case YAML_TAG_MAP:
	case YAML_TAG_MERGE:
	case YAML_TAG_VALUE:
	case YAML_TAG_UNKNOWN:
		break;
	}
	return -EINVAL;
}
