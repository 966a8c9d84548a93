/* JSON documents as values. */
#include "engine/json-value.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/number.h"
#include "engine/utf8.h"
#include "engine/value-text.h"

static int value_of(const json_t *json, size_t depth, struct value *ret);

static int list_of(const json_t *json, size_t depth, struct value *ret)
{
	int r = 0;

	ret->type = VALUE_LIST;
	for (size_t i = 0; r == 0 && i < json_array_size(json); i++) {
		struct value item = VALUE_INIT;

		r = value_of(json_array_get(json, i), depth, &item);
		if (r == 0)
			r = value_append(ret, &item);
		else
			value_done(&item);
	}
	return r;
}

static int map_of(const json_t *json, size_t depth, struct value *ret)
{
	const json_t *member;
	const char *name;
	int r = 0;

	ret->type = VALUE_MAP;
	json_object_foreach((json_t *)(uintptr_t)json, name, member)
	{
		struct value key = VALUE_INIT, item = VALUE_INIT;

		r = value_of(member, depth, &item);
		if (r == 0)
			r = value_string(&key, str_from(name));
		if (r == 0)
			r = value_add_pair(ret, &key, &item);
		value_done(&item);
		if (r < 0)
			break;
	}
	return r;
}

static int value_of(const json_t *json, size_t depth, struct value *ret)
{
	if (depth > JSON_VALUE_MAX_DEPTH)
		return -E2BIG;
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return map_of(json, depth + 1, ret);
	case JSON_ARRAY:
		return list_of(json, depth + 1, ret);
	case JSON_STRING:
		return value_string(ret, (struct str){ json_string_value(json),
						       json_string_length(json) });
	case JSON_INTEGER:
		return value_int(ret, json_integer_value(json));
	case JSON_REAL:
		value_float(ret, json_real_value(json));
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
		value_bool(ret, json_is_true(json));
		return 0;
	case JSON_NULL:
		break;
	}
	return 0;
}

int json_value_parse(struct str text, struct value *ret, struct strbuf *ret_why)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	json_error_t error;
	json_auto_t *json =
		json_loadb(text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	int r;

	if (!json) {
		if (json_error_code(&error) == json_error_out_of_memory)
			return -ENOMEM;
		strbuf_addf(ret_why, "line %d: %s", error.line > 0 ? error.line : 1,
			    error.text);
		return -EBADMSG;
	}
	r = value_of(json, 0, &value);
	if (r < 0)
		return r;
	*ret = value;
	value = VALUE_INIT;
	return 0;
}

static int add_escape(uint32_t c, struct strbuf *ret)
{
	static const char *const names = "\"\"\\\\\nn\rr\tt\bb\ff";

	for (const char *name = names; *name; name += 2) {
		if ((uint32_t)*name != c)
			continue;
		strbuf_addc(ret, '\\');
		return strbuf_addc(ret, name[1]);
	}
	if (c < 0x10000)
		return strbuf_addf(ret, "\\u%04x", c);
	c -= 0x10000;
	return strbuf_addf(ret, "\\u%04x\\u%04x", 0xd800 + (c >> 10),
			   0xdc00 + (c & 0x3ff));
}

static int add_string(struct str text, struct strbuf *ret)
{
	strbuf_addc(ret, '"');
	while (text.len > 0) {
		uint32_t c;
		size_t len = utf8_first(text, &c);

		if (c >= ' ' && c <= '~' && c != '"' && c != '\\')
			strbuf_addc(ret, (char)c);
		else
			(void)add_escape(c, ret);
		text.data += len;
		text.len -= len;
	}
	return strbuf_addc(ret, '"');
}

static int add_value(const struct value *value, size_t depth, struct strbuf *ret);

static int add_list(const struct value *list, size_t depth, struct strbuf *ret)
{
	int r = strbuf_addc(ret, '[');

	for (size_t i = 0; r == 0 && i < list->list.n_items; i++) {
		strbuf_adds(ret, i > 0 ? ", " : "");
		r = add_value(&list->list.items[i], depth, ret);
	}
	return r < 0 ? r : strbuf_addc(ret, ']');
}

/* A key is a string, whatever it was. */
static int add_key(const struct value *key, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r;

	if (key->type == VALUE_STRING || key->type == VALUE_DATE)
		return add_string((struct str){ key->text.data, key->text.len }, ret);
	r = add_value(key, 0, &text);
	return r < 0 ? r : add_string(strbuf_str(&text), ret);
}

static int add_map(const struct value *map, size_t depth, struct strbuf *ret)
{
	_cleanup_free_ const struct value_pair **pairs = value_sorted_pairs(map);
	int r = pairs ? strbuf_addc(ret, '{') : -ENOMEM;

	for (size_t i = 0; r == 0 && i < map->map.n_pairs; i++) {
		strbuf_adds(ret, i > 0 ? ", " : "");
		r = add_key(&pairs[i]->key, ret);
		if (r == 0)
			r = strbuf_adds(ret, ": ");
		if (r == 0)
			r = add_value(&pairs[i]->value, depth, ret);
	}
	return r < 0 ? r : strbuf_addc(ret, '}');
}

static int add_float(double real, struct strbuf *ret)
{
	if (isnan(real))
		return strbuf_adds(ret, "NaN");
	if (isinf(real))
		return strbuf_adds(ret, real < 0 ? "-Infinity" : "Infinity");
	return number_format_float(real, ret);
}

static int add_value(const struct value *value, size_t depth, struct strbuf *ret)
{
	if (depth > JSON_VALUE_MAX_DEPTH)
		return -E2BIG;
	switch (value->type) {
	case VALUE_NULL:
		return strbuf_adds(ret, "null");
	case VALUE_BOOL:
		return strbuf_adds(ret, value->boolean ? "true" : "false");
	case VALUE_INT:
		return strbuf_add(ret, value->text.data, value->text.len);
	case VALUE_FLOAT:
		return add_float(value->real, ret);
	case VALUE_STRING:
	case VALUE_DATE:
		return add_string((struct str){ value->text.data, value->text.len }, ret);
	case VALUE_LIST:
		return add_list(value, depth + 1, ret);
	case VALUE_MAP:
		return add_map(value, depth + 1, ret);
	}
	return 0;
}

int json_value_format(const struct value *value, struct strbuf *ret)
{
	size_t start = ret->len;
	int r = add_value(value, 0, ret);

	if (r == 0)
		r = strbuf_error(ret);
	if (r < 0)
		strbuf_truncate(ret, start);
	return r;
}
