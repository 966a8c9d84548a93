/* Values as Python's repr() prints them. */
#include <errno.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/date.h"
#include "engine/number.h"
#include "engine/utf8.h"
#include "engine/value-text.h"
#include "engine/yaml.h"

/*
 * What Python holds for unprintable: controls, blanks other than ' ', format and private
 * characters (categories C and Z), without those that Unicode has not assigned yet.
 */
static bool is_printable(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x0, 0x1f },	      { 0x7f, 0xa0 },	    { 0xad, 0xad },
		{ 0x600, 0x605 },     { 0x61c, 0x61c },	    { 0x6dd, 0x6dd },
		{ 0x70f, 0x70f },     { 0x890, 0x891 },	    { 0x8e2, 0x8e2 },
		{ 0x1680, 0x1680 },   { 0x180e, 0x180e },   { 0x2000, 0x200f },
		{ 0x2028, 0x202f },   { 0x205f, 0x206f },   { 0x3000, 0x3000 },
		{ 0xe000, 0xf8ff },   { 0xfdd0, 0xfdef },   { 0xfeff, 0xfeff },
		{ 0xfff0, 0xfffb },   { 0xfffe, 0xffff },   { 0x110bd, 0x110bd },
		{ 0x110cd, 0x110cd }, { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff }, { 0xf0000, 0x10ffff },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return false;
	}
	return true;
}

static void add_char(struct strbuf *ret, uint32_t c, struct str bytes, char quote)
{
	if (c == '\\' || c == (unsigned char)quote)
		strbuf_addf(ret, "\\%c", (int)c);
	else if (c == '\n')
		strbuf_adds(ret, "\\n");
	else if (c == '\r')
		strbuf_adds(ret, "\\r");
	else if (c == '\t')
		strbuf_adds(ret, "\\t");
	else if (is_printable(c) && (c < 0x80 || bytes.len > 1))
		strbuf_addstr(ret, bytes);
	else
		strbuf_addf(ret,
			    c <= 0xff	  ? "\\x%02x"
			    : c <= 0xffff ? "\\u%04x"
					  : "\\U%08x",
			    c);
}

static int add_string(struct str text, struct strbuf *ret)
{
	bool has_single = text.len > 0 && memchr(text.data, '\'', text.len);
	bool has_double = text.len > 0 && memchr(text.data, '"', text.len);
	char quote = has_single && !has_double ? '"' : '\'';
	size_t len;
	uint32_t c;

	strbuf_addc(ret, quote);
	for (size_t i = 0; i < text.len; i += len) {
		len = utf8_first((struct str){ text.data + i, text.len - i }, &c);
		add_char(ret, c, (struct str){ text.data + i, len }, quote);
	}
	return strbuf_addc(ret, quote);
}

static int add_date(const struct value *value, struct strbuf *ret)
{
	struct date date;
	int r;

	r = date_parse((struct str){ value->text.data, value->text.len }, &date);
	return r < 0 ? r : date_format_python(&date, ret);
}

static int add_value(const struct value *value, size_t depth, struct strbuf *ret);

static int add_list(const struct value *list, size_t depth, struct strbuf *ret)
{
	int r = 0;

	strbuf_addc(ret, '[');
	for (size_t i = 0; r == 0 && i < list->list.n_items; i++) {
		strbuf_adds(ret, i > 0 ? ", " : "");
		r = add_value(&list->list.items[i], depth, ret);
	}
	strbuf_addc(ret, ']');
	return r;
}

static int add_map(const struct value *map, size_t depth, struct strbuf *ret)
{
	int r = 0;

	strbuf_addc(ret, '{');
	for (size_t i = 0; r == 0 && i < map->map.n_pairs; i++) {
		strbuf_adds(ret, i > 0 ? ", " : "");
		r = add_value(&map->map.pairs[i].key, depth, ret);
		strbuf_adds(ret, ": ");
		if (r == 0)
			r = add_value(&map->map.pairs[i].value, depth, ret);
	}
	strbuf_addc(ret, '}');
	return r;
}

static int add_value(const struct value *value, size_t depth, struct strbuf *ret)
{
	if (depth > YAML_MAX_DEPTH)
		return -E2BIG;
	switch (value->type) {
	case VALUE_NULL:
		return strbuf_adds(ret, "None");
	case VALUE_BOOL:
		return strbuf_adds(ret, value->boolean ? "True" : "False");
	case VALUE_FLOAT:
		return number_format_float(value->real, ret);
	case VALUE_INT:
		return strbuf_add(ret, value->text.data, value->text.len);
	case VALUE_STRING:
		return add_string(value_str(value), ret);
	case VALUE_DATE:
		return add_date(value, ret);
	case VALUE_LIST:
		return add_list(value, depth + 1, ret);
	case VALUE_MAP:
		return add_map(value, depth + 1, ret);
	}
	return -EINVAL;
}

int value_encode_python(const struct value *value, struct strbuf *ret)
{
	int r;

	r = add_value(value, 0, ret);
	return r < 0 ? r : strbuf_error(ret);
}
