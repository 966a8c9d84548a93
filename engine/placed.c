/* A value in its place in nested maps. */
#include "engine/placed.h"

#include <errno.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/value-text.h"

static struct value *find(struct value *map, struct str key)
{
	for (size_t i = 0; i < map->map.n_pairs; i++) {
		struct value_pair *pair = &map->map.pairs[i];

		if (pair->key.type == VALUE_STRING && str_eq(value_str(&pair->key), key))
			return &pair->value;
	}
	return NULL;
}

/* The key of @map, as long as can be, that @name begins with; NULL for none. */
static struct value *find_longest(struct value *map, struct str name, struct str *ret_key)
{
	struct value *found = find(map, name);
	const char *dot;

	*ret_key = name;
	while (!found && (dot = memrchr(ret_key->data, '.', ret_key->len))) {
		ret_key->len = (size_t)(dot - ret_key->data);
		found = find(map, *ret_key);
	}
	return found;
}

static int refuse(struct str name, struct str key, const struct value *there,
		  struct strbuf *ret_why)
{
	strbuf_add_quoted(ret_why, name);
	strbuf_adds(ret_why, " cannot be nested: conflicts with {");
	strbuf_add_quoted(ret_why, key);
	strbuf_adds(ret_why, ": ");
	(void)value_encode_python(there, ret_why);
	strbuf_adds(ret_why, "}");
	return -EINVAL;
}

/* Makes maps down to the last part of the name. */
static int put_new(struct value *map, struct str name, struct value *item)
{
	const char *dot = memchr(name.data, '.', name.len);
	struct value inner = { .type = VALUE_MAP };
	struct str key = name;
	int r;

	if (!dot)
		return value_put(map, name, item);
	key.len = (size_t)(dot - name.data);
	name.len -= key.len + 1;
	name.data += key.len + 1;
	r = put_new(&inner, name, item);
	if (r < 0) {
		value_done(&inner);
		return r;
	}
	return value_put(map, key, &inner);
}

static size_t depth_of(struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < name.len; i++)
		n += name.data[i] == '.';
	return n;
}

int placed_put(struct value *map, struct str name, struct value *item,
	       struct strbuf *ret_why)
{
	_cleanup_(value_done) struct value taken = *item;
	struct str rest = name, key;
	struct value *there;

	*item = VALUE_INIT;
	if (depth_of(name) > PLACED_MAX_DEPTH) {
		strbuf_add_quoted(ret_why, name);
		strbuf_addf(ret_why, " has more than %d dots", PLACED_MAX_DEPTH);
		return -EINVAL;
	}
	while ((there = find_longest(map, rest, &key))) {
		if (key.len == rest.len)
			return value_put(map, rest, &taken);
		if (there->type != VALUE_MAP)
			return refuse(name, key, there, ret_why);
		map = there;
		rest.data += key.len + 1;
		rest.len -= key.len + 1;
	}
	return put_new(map, rest, &taken);
}
