/* The flags of an operation of guild.yml, and what is imported from its script. */
#include <errno.h>
#include <string.h>

#include "engine/config.h"
#include "engine/guild-reader.h"
#include "engine/r-script.h"

static bool lists(const struct value *list, struct str name)
{
	for (size_t i = 0; list && list->type == VALUE_LIST && i < list->list.n_items;
	     i++) {
		if (str_eq(value_str(&list->list.items[i]), name))
			return true;
	}
	return list && list->type == VALUE_STRING && str_eq(value_str(list), name);
}

static bool imports_all(const struct value *import)
{
	return import && (value_is_string(import, "all") ||
			  (import->type == VALUE_BOOL && import->boolean));
}

/* Is the script's flag @name imported? Unless said otherwise, if guild.yml names it
 * (5.5). */
static bool is_imported(const struct guild_reader *reader, struct str name)
{
	const struct value *import = value_get(reader->place->body, "flags-import");

	if (lists(value_get(reader->place->body, "flags-import-skip"), name))
		return false;
	if (import && import->type != VALUE_NULL)
		return imports_all(import) || lists(import, name);
	return value_get(&reader->flags, name.data) != NULL;
}

bool guild_reader_imports(const struct guild_reader *reader)
{
	const struct value *import = value_get(reader->place->body, "flags-import");

	if (!import || import->type == VALUE_NULL)
		return reader->flags.type == VALUE_MAP && reader->flags.map.n_pairs > 0;
	return imports_all(import) || import->type == VALUE_STRING ||
	       (import->type == VALUE_LIST && import->list.n_items > 0);
}

/* What there is to import: a map; NULL for nothing. */
static const struct value *importable(const struct guild_reader *reader)
{
	struct str dest = reader->definition.flags_dest;

	if (config_file(dest).len > 0 || r_script_is(dest))
		return reader->config.type == VALUE_MAP ? &reader->config : NULL;
	return reader->script ? reader->script->flags : NULL;
}

static int put_copy(struct value *map, struct str key, const struct value *value)
{
	struct value copy = VALUE_INIT;
	int r = value_copy(value, &copy);

	return r < 0 ? r : value_put(map, key, &copy);
}

/* A default stands for a map with it. */
static int make_map(struct value *body)
{
	struct value map = { .type = VALUE_MAP, .line = body->line };
	int r;

	if (body->type == VALUE_MAP)
		return 0;
	r = value_put(&map, STR("default"), body);
	*body = map;
	return r;
}

/* Fills @body with what the script or the file says and guild.yml does not. */
static int add_imported(const struct guild_reader *reader, struct str name,
			struct value *body)
{
	const struct value *attrs = value_get(importable(reader), name.data);
	int r = 0;

	if (!attrs || !is_imported(reader, name))
		return 0;
	r = make_map(body);
	for (size_t i = 0; r == 0 && i < attrs->map.n_pairs; i++) {
		const struct value_pair *pair = &attrs->map.pairs[i];

		if (!value_get(body, value_str(&pair->key).data))
			r = put_copy(body, value_str(&pair->key), &pair->value);
	}
	return r;
}

/* Unless a flag says itself whether it is an argument, the operation does. */
static int add_arg_skip(const struct guild_reader *reader, struct value *body)
{
	const struct value *skip =
		value_get(reader->place->body, "default-flag-arg-skip");
	struct value yes;

	if (!skip || skip->type != VALUE_BOOL || !skip->boolean ||
	    value_get(body, "arg-skip"))
		return 0;
	value_bool(&yes, true);
	return make_map(body) < 0 ? -ENOMEM : value_put(body, STR("arg-skip"), &yes);
}

/* As Guild, which takes an unknown type for none, and says so. */
static int check_type(struct guild_reader *reader, struct str name, struct value *body)
{
	const struct value *type = value_get(body, "type");
	struct value none = VALUE_INIT;

	if (!type || type->type != VALUE_STRING || flag_type_is_known(value_str(type)))
		return 0;
	strbuf_addf(&reader->remarks, "flag %s: unknown flag type %s, assuming 'auto'.\n",
		    name.data, value_str(type).data);
	return value_put(body, STR("type"), &none);
}

static int add_flag(struct guild_reader *reader, const struct value *where,
		    struct str name, const struct value *given)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value body = VALUE_INIT;
	int r = value_copy(given, &body);

	if (r == 0)
		r = add_imported(reader, name, &body);
	if (r == 0)
		r = add_arg_skip(reader, &body);
	if (r == 0)
		r = check_type(reader, name, &body);
	if (r == 0)
		r = definition_read_flag(&reader->definition, reader->operation, name,
					 &body, &why);
	if (r != -EINVAL)
		return r;
	guild_reader_note(reader, where, "flag %s: %s", name.data, strbuf_cstr(&why));
	return 0;
}

/* What the script or the file has and guild.yml does not name. */
static int import_rest(struct guild_reader *reader)
{
	const struct value *flags = importable(reader);
	int r = 0;

	for (size_t i = 0; r == 0 && flags && i < flags->map.n_pairs; i++) {
		const struct value_pair *pair = &flags->map.pairs[i];
		struct str name = value_str(&pair->key);

		if (is_imported(reader, name) && !value_get(&reader->flags, name.data))
			r = add_flag(reader, reader->place->body, name, &pair->value);
	}
	return r;
}

static int read_given(struct guild_reader *reader)
{
	const struct value *given = value_get(reader->place->body, "flags");
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r;

	reader->flags.type = VALUE_MAP;
	if (!given || given->type == VALUE_NULL)
		return 0;
	if (given->type != VALUE_MAP) {
		guild_reader_note(reader, given,
				  "flags is a map: write NAME: DEFAULT lines");
		return 0;
	}
	r = guild_model_include(reader->place->doc, reader->place->model, "flags", given,
				&reader->flags, &why);
	if (r == -EINVAL)
		guild_reader_note(reader, given, "flags: %s", strbuf_cstr(&why));
	return r == -EINVAL ? 0 : r;
}

int guild_reader_flags(struct guild_reader *reader)
{
	int r = read_given(reader);

	for (size_t i = 0; r == 0 && i < reader->flags.map.n_pairs; i++) {
		const struct value_pair *pair = &reader->flags.map.pairs[i];

		r = add_flag(reader, &pair->value, value_str(&pair->key), &pair->value);
	}
	return r < 0 ? r : import_rest(reader);
}
