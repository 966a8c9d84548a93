/* A model of guild.yml made whole. */
#include "engine/guild-model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/guild-params.h"
#include "engine/value-text.h"

/* A configuration may be named several times, by several: no more look-ups than this. */
#define MAX_REFERENCES 200

void guild_model_done(struct guild_model *model)
{
	value_done(&model->data);
	free(model->problem);
	*model = GUILD_MODEL_INIT;
}

static int put_copy(struct value *map, struct str key, const struct value *value)
{
	struct value copy = VALUE_INIT;
	int r = value_copy(value, &copy);

	return r < 0 ? r : value_put(map, key, &copy);
}

static struct value *member(struct value *map, struct str key)
{
	for (size_t i = 0; i < map->map.n_pairs; i++) {
		if (map->map.pairs[i].key.type == VALUE_STRING &&
		    str_eq(value_str(&map->map.pairs[i].key), key))
			return &map->map.pairs[i].value;
	}
	return NULL;
}

/* Is it one of what a model does not take from those that it extends? */
static bool is_own(struct str key)
{
	return str_is(key, "model") || str_is(key, "config") || str_is(key, "extends") ||
	       str_is(key, "default");
}

/* What @child does not say comes from @parent, down all maps. */
static int fill(struct value *child, const struct value *parent, bool is_top)
{
	int r = 0;

	if (child->type != VALUE_MAP || parent->type != VALUE_MAP)
		return 0;
	for (size_t i = 0; r == 0 && i < parent->map.n_pairs; i++) {
		const struct value_pair *pair = &parent->map.pairs[i];
		struct value *own;

		if (pair->key.type != VALUE_STRING ||
		    (is_top && is_own(value_str(&pair->key))))
			continue;
		own = member(child, value_str(&pair->key));
		r = own ? fill(own, &pair->value, false)
			: put_copy(child, value_str(&pair->key), &pair->value);
	}
	return r;
}

/* An item on the way up the parents. */
struct child {
	const struct child *below;
	const struct guild_item *item;
	unsigned int *n_more; /* how many may still be looked up */
};

static int extend(const struct guild_doc *doc, const struct child *child,
		  struct value *data, struct strbuf *ret_why);

static int extend_by(const struct guild_doc *doc, const struct child *child,
		     struct str name, struct value *data, struct strbuf *ret_why)
{
	struct child above = { child, guild_doc_find(doc, name), child->n_more };
	_cleanup_(value_done) struct value parent = VALUE_INIT;
	int r;

	if (!above.item) {
		strbuf_adds(ret_why, "extends: there is no model or config ");
		strbuf_add_quoted(ret_why, name);
		return -EINVAL;
	}
	for (const struct child *seen = child; seen; seen = seen->below) {
		if (seen->item == above.item || *above.n_more == 0) {
			strbuf_addf(ret_why, "extends: '%s' extends itself",
				    above.item->name);
			return -EINVAL;
		}
	}
	--*above.n_more;
	r = value_copy(&above.item->data, &parent);
	if (r == 0)
		r = extend(doc, &above, &parent, ret_why);
	return r < 0 ? r : fill(data, &parent, true);
}

static int extend(const struct guild_doc *doc, const struct child *child,
		  struct value *data, struct strbuf *ret_why)
{
	const struct value *extends = value_get(&child->item->data, "extends");
	int r = 0;

	if (!extends || extends->type == VALUE_NULL)
		return 0;
	if (extends->type == VALUE_STRING)
		return extend_by(doc, child, value_str(extends), data, ret_why);
	if (extends->type != VALUE_LIST) {
		strbuf_adds(ret_why,
			    "extends is the name of a model or config, or a list");
		return -EINVAL;
	}
	for (size_t i = 0; r == 0 && i < extends->list.n_items; i++)
		r = extend_by(doc, child, value_str(&extends->list.items[i]), data,
			      ret_why);
	return r;
}

static int apply_params(struct value *data)
{
	_cleanup_(value_done) struct value params = VALUE_INIT;
	const struct value *given = value_get(data, "params");
	int r;

	if (!given || given->type != VALUE_MAP)
		return 0;
	r = value_copy(given, &params);
	return r < 0 ? r : guild_params_resolve(data, &params);
}

/* The words of a reference CONFIG, MODEL:OP, OP or :OP, with #NAME,NAME. */
struct reference {
	struct str place, operation, names;
};

static struct reference split_reference(struct str text)
{
	struct reference reference = { 0 };
	const char *hash = text.len > 0 ? memchr(text.data, '#', text.len) : NULL;
	const char *colon;

	if (hash) {
		reference.names =
			(struct str){ hash + 1,
				      text.len - (size_t)(hash + 1 - text.data) };
		text.len = (size_t)(hash - text.data);
	}
	colon = text.len > 0 ? memchr(text.data, ':', text.len) : NULL;
	if (colon) {
		reference.operation =
			(struct str){ colon + 1,
				      text.len - (size_t)(colon + 1 - text.data) };
		text.len = (size_t)(colon - text.data);
	}
	reference.place = text;
	return reference;
}

static const struct value *get(const struct value *map, struct str key)
{
	for (size_t i = 0; map && map->type == VALUE_MAP && i < map->map.n_pairs; i++) {
		if (str_eq(value_str(&map->map.pairs[i].key), key))
			return &map->map.pairs[i].value;
	}
	return NULL;
}

/* Where the section is to be found that a reference names; NULL: nowhere. */
static const struct value *find_place(const struct guild_doc *doc,
				      const struct guild_model *model,
				      const struct reference *reference)
{
	const struct guild_item *item =
		reference->place.len > 0 ? guild_doc_find(doc, reference->place) : NULL;
	const struct value *data = item ? &item->data : NULL;

	if (reference->operation.len > 0) {
		if (reference->place.len == 0 || item == model->item)
			data = &model->data;
		return get(value_get(data, "operations"), reference->operation);
	}
	return data ? data : get(value_get(&model->data, "operations"), reference->place);
}

static bool is_named(struct str names, struct str name)
{
	struct str one;

	if (names.len == 0)
		return true;
	while (str_split(&names, ',', &one)) {
		if (str_eq(str_strip(one), name))
			return true;
	}
	return false;
}

/* An $include being resolved. */
struct inclusion {
	const struct guild_doc *doc;
	const struct guild_model *model;
	const char *section;
	unsigned int n_more; /* how many may still be looked up */
	struct strbuf *why;
};

static int include_map(struct inclusion *inclusion, const struct value *given,
		       struct str names, struct value *ret);

static int include_one(struct inclusion *inclusion, struct str text, struct value *ret)
{
	struct reference reference = split_reference(text);
	const struct value *place =
		find_place(inclusion->doc, inclusion->model, &reference);
	const struct value *map = place ? value_get(place, inclusion->section) : NULL;

	if (!place || inclusion->n_more == 0) {
		strbuf_adds(inclusion->why, "$include: ");
		strbuf_add_quoted(inclusion->why, text);
		strbuf_adds(inclusion->why,
			    place ? " includes itself"
				  : " names nothing: write CONFIG, OP or MODEL:OP, and"
				    " maybe #NAME,NAME");
		return -EINVAL;
	}
	inclusion->n_more--;
	return map ? include_map(inclusion, map, reference.names, ret) : 0;
}

static int include_all(struct inclusion *inclusion, const struct value *include,
		       struct value *ret)
{
	int r = 0;

	if (include->type != VALUE_LIST)
		return include_one(inclusion, value_str(include), ret);
	for (size_t i = 0; r == 0 && i < include->list.n_items; i++)
		r = include_one(inclusion, value_str(&include->list.items[i]), ret);
	return r;
}

/* Maps of one name are put together; else the later goes before. */
static int put_over(struct value *map, const struct value_pair *pair)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
	struct value copy = VALUE_INIT;
	struct value *own;
	int r = 0;

	if (pair->key.type == VALUE_STRING)
		strbuf_addstr(&name, value_str(&pair->key));
	else
		(void)value_encode_flag(&pair->key, &name);
	if (strbuf_error(&name) < 0)
		return -ENOMEM;
	own = member(map, strbuf_str(&name));
	if (!own || own->type != VALUE_MAP || pair->value.type != VALUE_MAP) {
		r = value_copy(&pair->value, &copy);
		if (pair->key.line > 0)
			copy.line = pair->key.line;
		return r < 0 ? r : value_put(map, strbuf_str(&name), &copy);
	}
	for (size_t i = 0; r == 0 && i < pair->value.map.n_pairs; i++)
		r = put_copy(own, value_str(&pair->value.map.pairs[i].key),
			     &pair->value.map.pairs[i].value);
	return r;
}

/* What an $include names comes first, and the map's own over it. */
static int include_map(struct inclusion *inclusion, const struct value *given,
		       struct str names, struct value *ret)
{
	const struct value *include = value_get(given, "$include");
	int r = include ? include_all(inclusion, include, ret) : 0;

	for (size_t i = 0; r == 0 && given->type == VALUE_MAP && i < given->map.n_pairs;
	     i++) {
		const struct value_pair *pair = &given->map.pairs[i];

		if (pair->key.type != VALUE_STRING &&
		    strcmp(inclusion->section, "operations") == 0)
			continue;
		if (!value_is_string(&pair->key, "$include") &&
		    is_named(names, value_str(&pair->key)))
			r = put_over(ret, pair);
	}
	return r;
}

int guild_model_include(const struct guild_doc *doc, const struct guild_model *model,
			const char *section, const struct value *given, struct value *ret,
			struct strbuf *ret_why)
{
	_cleanup_(value_done) struct value map = { .type = VALUE_MAP,
						   .line = given->line };
	const struct value *params = value_get(&model->data, "params");
	struct inclusion inclusion = { doc, model, section, MAX_REFERENCES, ret_why };
	int r = include_map(&inclusion, given, str_from(NULL), &map);

	if (r == 0 && params && params->type == VALUE_MAP)
		r = guild_params_resolve(&map, params);
	if (r < 0)
		return r;
	*ret = map;
	map = VALUE_INIT;
	return 0;
}

/* The text of an operation is its `main`, and nothing is an empty map. */
static int make_map(struct value *operation)
{
	struct value map = { .type = VALUE_MAP, .line = operation->line };
	int r = 0;

	if (operation->type != VALUE_STRING && operation->type != VALUE_NULL)
		return 0;
	if (operation->type == VALUE_STRING)
		r = value_put(&map, STR("main"), operation);
	if (r == 0)
		*operation = map;
	return r;
}

/* What all operations of the model have, where they don't say otherwise. */
static int add_defaults(struct value *operation, const struct value *defaults)
{
	int r = 0;

	for (size_t i = 0;
	     r == 0 && operation->type == VALUE_MAP && i < defaults->map.n_pairs; i++) {
		const struct value_pair *pair = &defaults->map.pairs[i];

		if (pair->key.type == VALUE_STRING &&
		    !member(operation, value_str(&pair->key)))
			r = put_copy(operation, value_str(&pair->key), &pair->value);
	}
	return r;
}

static int make_operations(const struct guild_doc *doc, struct guild_model *model,
			   struct strbuf *why)
{
	const struct value *given = value_get(&model->data, "operations");
	const struct value *defaults = value_get(&model->data, "operation-defaults");
	struct value operations = VALUE_INIT;
	int r;

	if (!given || given->type != VALUE_MAP) {
		if (given && given->type != VALUE_NULL)
			strbuf_adds(why, "operations is a map: write NAME: lines");
		return given && given->type != VALUE_NULL ? -EINVAL : 0;
	}
	r = guild_model_include(doc, model, "operations", given, &operations, why);
	for (size_t i = 0; r == 0 && i < operations.map.n_pairs; i++) {
		struct value *operation = &operations.map.pairs[i].value;

		if (operation->line == 0)
			operation->line = operations.map.pairs[i].key.line;
		r = make_map(operation);
		if (r == 0 && defaults && defaults->type == VALUE_MAP)
			r = add_defaults(operation, defaults);
	}
	if (r == 0)
		return value_put(&model->data, STR("operations"), &operations);
	value_done(&operations);
	return r;
}

/* The keys that a model has; another is a slip of the pen. */
static int check_keys(const struct guild_model *model, struct strbuf *why)
{
	static const char *const keys[] = {
		"model",      "default",	 "description",	    "extends",
		"params",     "flags",		 "operations",	    "operation-defaults",
		"sourcecode", "python-requires", "plugins",	    "extra",
		"references", "resources",	 "disable-plugins",
	};

	for (size_t i = 0; i < model->data.map.n_pairs; i++) {
		struct str key = value_str(&model->data.map.pairs[i].key);
		bool known = false;

		for (size_t j = 0; j < sizeof(keys) / sizeof(keys[0]); j++)
			known |= str_is(key, keys[j]);
		if (known)
			continue;
		strbuf_add_quoted(why, key);
		strbuf_adds(why, " is no attribute of a model: remove it");
		return -EINVAL;
	}
	return 0;
}

int guild_model_make(const struct guild_doc *doc, const struct guild_item *item,
		     struct guild_model *ret)
{
	_cleanup_(guild_model_done) struct guild_model model = { .item = item };
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT, problem = STRBUF_INIT;
	unsigned int n_more = MAX_REFERENCES;
	struct child child = { NULL, item, &n_more };
	int r = value_copy(&item->data, &model.data);

	if (r == 0)
		r = extend(doc, &child, &model.data, &why);
	if (r == 0)
		r = check_keys(&model, &why);
	if (r == 0)
		r = apply_params(&model.data);
	if (r == 0)
		r = make_operations(doc, &model, &why);
	if (r < 0 && r != -EINVAL)
		return r;
	if (r < 0) {
		strbuf_addf(&problem, "%s: line %u: ", item->file,
			    item->data.line ? item->data.line : 1);
		if (item->name[0])
			strbuf_addf(&problem, "model %s: ", item->name);
		strbuf_addstr(&problem, strbuf_str(&why));
		model.problem = strbuf_take(&problem);
		if (!model.problem)
			return -ENOMEM;
	}
	*ret = model;
	model = GUILD_MODEL_INIT;
	return 0;
}
