/*
 * Encodes values for those who read them: labels, programs, and the requests that a
 * user may write back.
 */
#include "engine/value-text.h"

#include <errno.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/yaml.h"

#define LABEL_DECIMALS 5 /* of a float, cut and not rounded */

/* A string's repr() once more, as Guild does it to text that is quoted already. */
static int add_python_string(struct strbuf *text, struct strbuf *ret)
{
	const struct value string = { .type = VALUE_STRING,
				      .text = { text->data, text->len } };

	if (strbuf_error(text) < 0)
		return -ENOMEM;
	return value_encode_python(&string, ret);
}

static int add_flag(const struct value *value, size_t depth, struct strbuf *ret);

static int add_item(const struct value *item, size_t depth, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r;

	r = add_flag(item, depth, &text);
	if (r < 0)
		return r;
	if (item->type == VALUE_STRING && strchr(strbuf_cstr(&text), ','))
		return add_python_string(&text, ret);
	return strbuf_addstr(ret, strbuf_str(&text));
}

static int add_list(const struct value *list, size_t depth, struct strbuf *ret)
{
	int r = 0;

	strbuf_addc(ret, '[');
	for (size_t i = 0; r == 0 && i < list->list.n_items; i++) {
		strbuf_adds(ret, i > 0 ? ", " : "");
		r = add_item(&list->list.items[i], depth, ret);
	}
	strbuf_addc(ret, ']');
	return r;
}

static int add_map(const struct value *map, size_t depth, struct strbuf *ret)
{
	_cleanup_free_ const struct value_pair **pairs = value_sorted_pairs(map);
	int r = 0;

	if (!pairs)
		return -ENOMEM;
	strbuf_addc(ret, '{');
	for (size_t i = 0; r == 0 && i < map->map.n_pairs; i++) {
		strbuf_adds(ret, i > 0 ? ", " : "");
		r = add_flag(&pairs[i]->key, depth, ret);
		strbuf_adds(ret, ": ");
		if (r == 0)
			r = add_flag(&pairs[i]->value, depth, ret);
	}
	strbuf_addc(ret, '}');
	return r;
}

static int add_flag(const struct value *value, size_t depth, struct strbuf *ret)
{
	if (depth > YAML_MAX_DEPTH)
		return -E2BIG;
	switch (value->type) {
	case VALUE_BOOL:
		return strbuf_adds(ret, value->boolean ? "yes" : "no");
	case VALUE_LIST:
		return add_list(value, depth + 1, ret);
	case VALUE_MAP:
		return add_map(value, depth + 1, ret);
	case VALUE_NULL:
	case VALUE_INT:
	case VALUE_FLOAT:
	case VALUE_STRING:
	case VALUE_DATE:
		break;
	}
	return yaml_format_inline(value, ret);
}

int value_encode_flag(const struct value *value, struct strbuf *ret)
{
	int r;

	r = add_flag(value, 0, ret);
	return r < 0 ? r : strbuf_error(ret);
}

/*
 * As a word of a list for a shell. Guild puts double quotes around 'x'; where a shell
 * would look into these, the longer way of strbuf_add_shell() is right.
 */
static int add_shell_word(struct str text, struct strbuf *ret)
{
	if (text.len < 2 || text.data[0] != '\'' || text.data[text.len - 1] != '\'')
		return strbuf_add_shell(ret, text);
	for (size_t i = 1; i + 1 < text.len; i++) {
		if (strchr("'\"\\$`!", text.data[i]))
			return strbuf_add_shell(ret, text);
	}
	strbuf_addc(ret, '"');
	strbuf_addstr(ret, text);
	return strbuf_addc(ret, '"');
}

static int add_joined(const struct value *list, const char *split, struct strbuf *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->list.n_items; i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		if (i > 0)
			strbuf_adds(ret, split ? split : " ");
		r = value_encode_flag(&list->list.items[i], &text);
		if (r < 0)
			return r;
		if (split)
			r = strbuf_addstr(ret, strbuf_str(&text));
		else
			r = add_shell_word(strbuf_str(&text), ret);
	}
	return r;
}

int value_encode_arg(const struct value *value, const char *split, struct strbuf *ret)
{
	switch (value->type) {
	case VALUE_NULL:
		return 0;
	case VALUE_BOOL:
		return strbuf_adds(ret, value->boolean ? "1" : "");
	case VALUE_STRING:
		return strbuf_addstr(ret, value_str(value));
	case VALUE_LIST:
		return add_joined(value, split, ret);
	case VALUE_INT:
	case VALUE_FLOAT:
	case VALUE_DATE:
	case VALUE_MAP:
		break;
	}
	return value_encode_python(value, ret);
}

/* Cuts "1.23456789e+17" to "1.23456e+17". */
static int add_cut_float(const char *text, struct strbuf *ret)
{
	const char *point = strchr(text, '.');
	size_t n_decimals = point ? strspn(point + 1, "0123456789") : 0;

	if (n_decimals <= LABEL_DECIMALS)
		return strbuf_adds(ret, text);
	strbuf_add(ret, text, (size_t)(point - text) + 1 + LABEL_DECIMALS);
	return strbuf_adds(ret, point + 1 + n_decimals);
}

int value_encode_label(const struct value *value, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	char first;
	int r;

	r = value_encode_flag(value, &text);
	if (r < 0)
		return r;
	first = strbuf_cstr(&text)[0];
	if (value->type == VALUE_FLOAT)
		return add_cut_float(text.data, ret);
	if (value->type == VALUE_STRING && strchr(text.data, ' ') && first != '\'' &&
	    first != '"')
		return add_python_string(&text, ret);
	return strbuf_addstr(ret, strbuf_str(&text));
}

/* The end of the quotes that begin at @i, or 0 when they have none. */
static size_t quoted_end(struct str text, size_t i)
{
	char quote = text.data[i];

	for (i++; i < text.len; i++) {
		if (text.data[i] == '\\' && quote == '"')
			i++;
		else if (text.data[i] == quote)
			return i + 1;
	}
	return 0;
}

/*
 * The end of the brackets at the beginning, or 0 when they have none. Quotes open where
 * an item begins: behind a bracket, a comma, or a colon and a blank.
 */
static size_t brackets_end(struct str text)
{
	size_t depth = 0;
	bool at_item = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (at_item && strchr("'\"", c)) {
			i = quoted_end(text, i);
			if (i == 0)
				return 0;
			i--;
		} else if (strchr("]}", c) && --depth == 0) {
			return i + 1;
		} else if (strchr("[{", c)) {
			depth++;
		}
		at_item = strchr("[{,", c) ||
			  (c == ' ' && (at_item || text.data[i - 1] == ':'));
	}
	return 0;
}

/* Whether a text that begins with neither quotes nor brackets is one word. */
static bool is_plain_word(struct str text)
{
	size_t depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == ' ' || (depth > 0 && strchr("'\"", c)))
			return false;
		if (strchr("]}", c) && depth-- == 0)
			return false;
		if (strchr("[{", c))
			depth++;
	}
	return depth == 0;
}

/* Whether a request takes @text as one word (engine/request.c). */
static bool is_word(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] < ' ')
			return false;
	}
	if (text.len == 0)
		return true;
	if (strchr("'\"", text.data[0])) {
		size_t end = quoted_end(text, 0);

		/* 'it''s' goes on. */
		while (end > 0 && end < text.len && text.data[end] == '\'')
			end = quoted_end(text, end);
		return end == text.len;
	}
	if (strchr("[{", text.data[0]))
		return brackets_end(text) == text.len;
	return is_plain_word(text);
}

/* A string in single quotes, where no escape can be; else nothing. */
static int add_single_quoted(struct str text, struct strbuf *ret)
{
	strbuf_addc(ret, '\'');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\'')
			strbuf_addc(ret, '\'');
		strbuf_addc(ret, text.data[i]);
	}
	return strbuf_addc(ret, '\'');
}

/* A date and time without its blank, which in quotes would be a string. */
static int add_time(const struct value *date, struct strbuf *ret)
{
	for (size_t i = 0; i < date->text.len; i++)
		strbuf_addc(ret, date->text.data[i] == ' ' ? 'T' : date->text.data[i]);
	return strbuf_error(ret);
}

/* The ways to write a value, the nicest first; the last one is always right. */
static int add_candidate(const struct value *value, int i, struct strbuf *ret)
{
	switch (i) {
	case 0:
		return value_encode_flag(value, ret);
	case 1:
		if (value->type == VALUE_STRING)
			return add_single_quoted(value_str(value), ret);
		if (value->type == VALUE_DATE)
			return add_time(value, ret);
		return yaml_format_line(value, YAML_QUOTE_NEEDED, ret);
	default:
		return yaml_format_line(value, YAML_QUOTE_ALL, ret);
	}
}

/* 1 when a request gives @value for @text, 0 when not, or -ENOMEM. */
static int reads_back(struct str text, const struct value *value)
{
	_cleanup_(value_done) struct value decoded = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r;

	if (!is_word(text))
		return 0;
	r = value_decode(text, &decoded, &why);
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	return value_identical(&decoded, value);
}

int value_encode_request(const struct value *value, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = 0;

	for (int i = 0; r == 0 && i < 3; i++) {
		strbuf_reset(&text);
		r = add_candidate(value, i, &text);
		if (r == 0 && i < 2)
			r = reads_back(strbuf_str(&text), value);
	}
	return r < 0 ? r : strbuf_addstr(ret, strbuf_str(&text));
}
