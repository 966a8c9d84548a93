/* The parameters of guild.yml: {{name}} in texts. */
#include "engine/guild-params.h"

#include <errno.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/value-text.h"

/* No more than this many rounds for a text, and bytes for all of a value. */
#define PARAM_ROUNDS  100
#define PARAM_MAX_LEN (4u << 20)

static int add_param_text(const struct value *value, struct strbuf *ret)
{
	return value->type == VALUE_STRING ? strbuf_addstr(ret, value_str(value))
					   : value_encode_python(value, ret);
}

/* The next {{name}} of @text; false when there is none. */
static bool find_ref(struct str text, struct str *ret_before, struct str *ret_name,
		     struct str *ret_after)
{
	for (size_t i = 0; i + 4 <= text.len; i++) {
		const char *start = text.data + i, *end;

		if (start[0] != '{' || start[1] != '{')
			continue;
		end = memmem(start + 2, text.len - i - 2, "}}", 2);
		if (!end)
			return false;
		*ret_before = (struct str){ text.data, i };
		*ret_name =
			str_strip((struct str){ start + 2, (size_t)(end - start) - 2 });
		*ret_after =
			(struct str){ end + 2, text.len - (size_t)(end + 2 - text.data) };
		return true;
	}
	return false;
}

static const struct value *find_param(const struct value *params, struct str name)
{
	for (size_t i = 0; params->type == VALUE_MAP && i < params->map.n_pairs; i++) {
		if (str_eq(value_str(&params->map.pairs[i].key), name))
			return &params->map.pairs[i].value;
	}
	return NULL;
}

/* One round over a text: 1 when something was replaced. @room: bytes that may come. */
static int replace_params(struct value *value, const struct value *params, size_t *room)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct str rest = value_str(value), before, name, after;
	struct value made = VALUE_INIT;
	bool some = false;
	int r;

	while (find_ref(rest, &before, &name, &after)) {
		const struct value *param = find_param(params, name);

		if (param && before.len == 0 && after.len == 0 && text.len == 0) {
			size_t depth, cost = value_cost(param, &depth);

			if (cost > *room)
				return 0;
			*room -= cost;
			r = value_copy(param, &made);
			if (r < 0)
				return r;
			made.line = value->line;
			value_done(value);
			*value = made;
			return 1;
		}
		strbuf_addstr(&text, before);
		if (param)
			(void)add_param_text(param, &text);
		else
			strbuf_add(&text, before.data + before.len,
				   (size_t)(after.data - before.data) - before.len);
		some |= param != NULL;
		rest = after;
		if (text.len > *room)
			return 0;
	}
	if (!some)
		return 0;
	*room -= text.len;
	strbuf_addstr(&text, rest);
	r = strbuf_error(&text);
	if (r == 0)
		r = value_string(&made, strbuf_str(&text));
	if (r < 0)
		return r;
	made.line = value->line;
	value_done(value);
	*value = made;
	return 1;
}

static int resolve_params(struct value *value, const struct value *params, size_t *room)
{
	int r = 0;

	if (value->type == VALUE_STRING) {
		for (unsigned int i = 0; i < PARAM_ROUNDS; i++) {
			r = value->type == VALUE_STRING
				    ? replace_params(value, params, room)
				    : 0;
			if (r <= 0)
				return r;
		}
		return 0;
	}
	if (value->type == VALUE_LIST) {
		for (size_t i = 0; r == 0 && i < value->list.n_items; i++)
			r = resolve_params(&value->list.items[i], params, room);
	} else if (value->type == VALUE_MAP) {
		for (size_t i = 0; r == 0 && i < value->map.n_pairs; i++)
			r = resolve_params(&value->map.pairs[i].value, params, room);
	}
	return r;
}

int guild_params_resolve(struct value *value, const struct value *params)
{
	size_t room = PARAM_MAX_LEN;

	return resolve_params(value, params, &room);
}
