/*
 * `sourcecode` of an operation of guild.yml, and of its model: the forms that Guild
 * takes, made one. (Section 1.12 of guild-behaviour.md.)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/guild-reader.h"
#include "engine/source-rule.h"
#include "engine/yaml.h"

#define WHAT_IT_IS "sourcecode is a pattern, a list of patterns and rules, a map, or no"

/* One `sourcecode`, of the operation or the model. */
struct source {
	struct value select; /* a list of rules in the form of operation.source */
	bool is_disabled;    /* no files at all */
	const struct value *root, *dest, *digest; /* borrowed; NULL: not said */
};

static int put_patterns(struct value *map, const char *key, struct value *patterns)
{
	return value_put(map, str_from(key), patterns);
}

/* Appends a rule with @patterns, which it takes over. */
static int add_rule(struct source *source, bool include, const char *type,
		    struct value *patterns)
{
	struct value rule = { .type = VALUE_MAP };
	struct value typed = { .type = VALUE_MAP };
	int r = 0;

	if (type) {
		r = put_patterns(&typed, type, patterns);
		patterns = &typed;
	}
	if (r == 0)
		r = put_patterns(&rule, include ? "include" : "exclude", patterns);
	value_done(&typed);
	if (r < 0) {
		value_done(&rule);
		return r;
	}
	return value_append(&source->select, &rule);
}

static int add_simple(struct source *source, bool include, struct str pattern)
{
	struct value list = { .type = VALUE_LIST };
	struct value item = VALUE_INIT;
	int r = value_string(&item, pattern);

	if (r == 0)
		r = value_append(&list, &item);
	if (r < 0) {
		value_done(&list);
		return r;
	}
	return add_rule(source, include, NULL, &list);
}

static bool are_texts(const struct value *list)
{
	for (size_t i = 0; i < list->list.n_items; i++)
		if (list->list.items[i].type != VALUE_STRING)
			return false;
	return true;
}

/*
 * A pattern or a list as a list; a text in brackets is a list, too. -EINVAL for anything
 * else.
 */
static int read_patterns(const struct value *given, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct str text = value_str(given);
	struct value item = VALUE_INIT;
	int r;

	ret->type = VALUE_LIST;
	if (str_starts(text, "[") && str_ends(text, "]")) {
		r = yaml_parse(text, ret, &why);
		if (r < 0)
			return r == -ENOMEM ? r : -EINVAL;
	} else if (given->type == VALUE_LIST) {
		r = value_copy(given, ret);
		if (r < 0)
			return r;
	} else if (given->type == VALUE_STRING) {
		r = value_string(&item, text);
		return r < 0 ? r : value_append(ret, &item);
	}
	return given->type != VALUE_MAP && given->type != VALUE_NULL &&
			       ret->type == VALUE_LIST && are_texts(ret)
		       ? 0
		       : -EINVAL;
}

/* What is included or excluded, after that word. */
static int read_rule_body(struct guild_reader *reader, struct source *source,
			  bool include, const struct value *body)
{
	_cleanup_(value_done) struct value patterns = VALUE_INIT;
	const struct value *given = body;
	const char *type = NULL;
	int r;

	for (int i = 0; body->type == VALUE_MAP && i < SOURCE_RULE_N_TYPES; i++) {
		const char *name = source_rule_type_name((enum source_rule_type)i);

		if (name && value_get(body, name)) {
			type = name;
			given = value_get(body, name);
		}
	}
	r = body->type == VALUE_MAP && (!type || body->map.n_pairs > 1)
		    ? -EINVAL
		    : read_patterns(given, &patterns);
	if (r == -EINVAL)
		guild_reader_note(reader, body,
				  "sourcecode: what is %s is a pattern, a list of them,"
				  " or a map of one of dir, text, binary",
				  include ? "included" : "excluded");
	return r < 0 ? (r == -EINVAL ? 0 : r)
		     : add_rule(source, include, type, &patterns);
}

static int read_rule(struct guild_reader *reader, struct source *source,
		     const struct value *item)
{
	const struct value *include = value_get(item, "include");
	const struct value *exclude = value_get(item, "exclude");

	if (item->type == VALUE_STRING)
		return add_simple(source, true, value_str(item));
	if (item->type != VALUE_MAP || item->map.n_pairs != 1 || (!include && !exclude)) {
		guild_reader_note(reader, item,
				  "sourcecode: a rule is a pattern, or one of include:"
				  " PATTERN and exclude: PATTERN");
		return 0;
	}
	return read_rule_body(reader, source, include != NULL,
			      include ? include : exclude);
}

/* Texts alone say all that is to be taken; rules come after the default ones. */
static int read_select(struct guild_reader *reader, struct source *source,
		       const struct value *select)
{
	int r = 0;

	source->select.type = VALUE_LIST;
	source->is_disabled = (select->type == VALUE_BOOL && !select->boolean) ||
			      (select->type == VALUE_LIST && select->list.n_items == 0);
	if (source->is_disabled || select->type == VALUE_NULL)
		return 0;
	if (select->type == VALUE_STRING) {
		r = add_simple(source, false, STR("*"));
		return r < 0 ? r : add_simple(source, true, value_str(select));
	}
	if (select->type != VALUE_LIST) {
		guild_reader_note(reader, select, WHAT_IT_IS);
		return 0;
	}
	if (are_texts(select))
		r = add_simple(source, false, STR("*"));
	for (size_t i = 0; r == 0 && i < select->list.n_items; i++)
		r = read_rule(reader, source, &select->list.items[i]);
	return r;
}

/* Is the value of @key a text? Null says nothing. */
static const struct value *text_of(struct guild_reader *reader, const struct value *map,
				   const char *key)
{
	const struct value *value = value_get(map, key);

	if (!value || value->type == VALUE_NULL)
		return NULL;
	if (value->type == VALUE_STRING && value_str(value).len > 0)
		return value;
	guild_reader_note(reader, value, "sourcecode: %s is a path", key);
	return NULL;
}

/* Guild passes over what it does not know, with a warning. */
static void remark_unknown(struct guild_reader *reader, const struct value *map)
{
	static const char *const keys[] = { "select", "root", "dest", "digest" };

	for (size_t i = 0; i < map->map.n_pairs; i++) {
		const struct value *key = &map->map.pairs[i].key;
		bool known = false;

		for (size_t j = 0; j < sizeof(keys) / sizeof(keys[0]); j++)
			known |= value_is_string(key, keys[j]);
		if (known)
			continue;
		strbuf_adds(&reader->remarks, "sourcecode: ");
		strbuf_add_quoted(&reader->remarks, value_str(key));
		strbuf_adds(&reader->remarks,
			    " is none of select, root, dest and digest; it has no effect"
			    " here.\n");
	}
}

static int read_source(struct guild_reader *reader, const struct value *given,
		       struct source *source)
{
	static const struct value nothing = { .type = VALUE_NULL };
	const struct value *select;

	source->select.type = VALUE_LIST;
	if (!given)
		return 0;
	if (given->type != VALUE_MAP)
		return read_select(reader, source, given);
	remark_unknown(reader, given);
	source->root = text_of(reader, given, "root");
	source->dest = text_of(reader, given, "dest");
	source->digest = value_get(given, "digest");
	if (source->digest && source->digest->type == VALUE_NULL)
		source->digest = NULL;
	if (source->digest && source->digest->type != VALUE_BOOL)
		guild_reader_note(reader, source->digest,
				  "sourcecode: digest is yes or no");
	select = value_get(given, "select");
	return read_select(reader, source, select ? select : &nothing);
}

static bool says(const struct value *digest, bool what)
{
	return digest && digest->type == VALUE_BOOL && digest->boolean == what;
}

static int set_path(const struct value *path, char **ret)
{
	*ret = str_dup(value_str(path));
	return *ret ? 0 : -ENOMEM;
}

/* What the operation says goes before what its model says. */
static int set_places(struct guild_reader *reader, const struct source *own,
		      const struct source *model)
{
	const struct value *root = own->root ? own->root : model->root;
	const struct value *dest = own->dest ? own->dest : model->dest;
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	int r = root ? set_path(root, &reader->definition.source_root) : 0;

	if (r < 0 || !dest)
		return r;
	r = source_dest_normalize(value_str(dest), &path);
	if (r == -EINVAL) {
		guild_reader_note(reader, dest,
				  "sourcecode: dest is a path below the run's directory,"
				  " and not in its .guild");
		return 0;
	}
	return r < 0 ? r : set_path(dest, &reader->definition.source_dest);
}

/* Moves the rules of @source to the end of @select. */
static int take_rules(struct value *select, struct source *source)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < source->select.list.n_items; i++)
		r = value_append(select, &source->select.list.items[i]);
	return r;
}

static int set_rules(struct guild_reader *reader, struct source *own,
		     struct source *model)
{
	_cleanup_(value_done) struct value select = { .type = VALUE_LIST };
	struct value *ret = &reader->operation->source;
	struct source none = { .select.type = VALUE_LIST };
	int r = 0;

	if (own->is_disabled || (model->is_disabled && own->select.list.n_items == 0)) {
		r = add_simple(&none, false, STR("*"));
		if (r == 0)
			r = take_rules(&select, &none);
		value_done(&none.select);
	} else {
		r = take_rules(&select, model);
		if (r == 0)
			r = take_rules(&select, own);
	}
	if (r == 0 && select.list.n_items > 0)
		r = value_put(ret, STR("select"), &select);
	if (r == 0 && (says(own->digest, false) ||
		       (!says(own->digest, true) && says(model->digest, false)))) {
		struct value no;

		value_bool(&no, false);
		r = value_put(ret, STR("digest"), &no);
	}
	return r;
}

int guild_reader_source(struct guild_reader *reader)
{
	struct source own = { .select = VALUE_INIT }, model = { .select = VALUE_INIT };
	int r = read_source(reader, value_get(&reader->place->model->data, "sourcecode"),
			    &model);

	if (r == 0)
		r = read_source(reader, value_get(reader->place->body, "sourcecode"),
				&own);
	if (r == 0)
		r = set_places(reader, &own, &model);
	if (r == 0)
		r = set_rules(reader, &own, &model);
	value_done(&own.select);
	value_done(&model.select);
	return r;
}
