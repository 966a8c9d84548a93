/* A configuration file that takes an operation's flags. */
#include "engine/config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "engine/arg-split.h"
#include "engine/cleanup.h"
#include "engine/ini.h"
#include "engine/json-value.h"
#include "engine/placed.h"
#include "engine/value-text.h"
#include "engine/yaml.h"

#define PREFIX	"config:"
#define IN_FILE ".in"

/* How a file is read and written, by the end of its name. */
static const struct format {
	const char *end;
	int (*parse)(struct str text, struct value *ret, struct strbuf *ret_why);
	int (*format)(const struct value *value, struct strbuf *ret);
	bool is_ini;
} formats[] = {
	{ ".yml", yaml_parse, yaml_format },
	{ ".yaml", yaml_parse, yaml_format },
	{ ".json", json_value_parse, json_value_format },
	{ ".ini", ini_parse, ini_format, true },
	{ ".cfg", ini_parse, ini_format, true },
};

struct str config_file(struct str flags_dest)
{
	if (!str_starts(flags_dest, PREFIX))
		return str_from(NULL);
	flags_dest.data += strlen(PREFIX);
	flags_dest.len -= strlen(PREFIX);
	return flags_dest;
}

static bool ends_with(struct str text, const char *end)
{
	size_t len = strlen(end);

	return text.len > len && strncasecmp(text.data + text.len - len, end, len) == 0;
}

static struct str without_in(struct str file)
{
	if (ends_with(file, IN_FILE))
		file.len -= strlen(IN_FILE);
	return file;
}

static const struct format *format_of(struct str file)
{
	file = without_in(file);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (ends_with(file, formats[i].end))
			return &formats[i];
	}
	return NULL;
}

/* Below the project, and in the run no file of Guild's own. */
static bool is_plain(struct str file)
{
	struct str place;

	if (file.len == 0 || file.data[0] == '/' || str_starts(file, ".guild/"))
		return false;
	while (str_split(&file, '/', &place)) {
		if (place.len == 0 || str_is(place, ".") || str_is(place, ".."))
			return false;
	}
	return true;
}

int config_check_place(struct str file, struct strbuf *ret_why)
{
	if (is_plain(file))
		return 0;
	strbuf_adds(ret_why, "config: names a file of the project: write its path, seen"
			     " from guild.yml");
	return -EINVAL;
}

int config_check(struct str file, struct strbuf *ret_why)
{
	int r = config_check_place(file, ret_why);

	if (r < 0 || format_of(file))
		return r;
	strbuf_adds(ret_why, "config type for ");
	strbuf_addstr(ret_why, file);
	strbuf_adds(ret_why, " not supported: the file is .yml, .yaml, .json, .ini or"
			     " .cfg, or one of these with .in");
	return -EINVAL;
}

int config_add_target(struct str file, struct strbuf *ret)
{
	return strbuf_addstr(ret, without_in(file));
}

int config_parse(struct str file, struct str text, struct value *ret,
		 struct strbuf *ret_why)
{
	const struct format *format = format_of(file);
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r = format->parse(text, &value, &why);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		strbuf_addstr(ret_why, file);
		strbuf_addf(ret_why, ": %s",
			    why.len > 0 ? strbuf_cstr(&why) : "it is nested too deeply");
		return -EINVAL;
	}
	if (value.type == VALUE_NULL)
		value.type = VALUE_MAP;
	if (value.type != VALUE_MAP) {
		strbuf_addstr(ret_why, file);
		strbuf_adds(ret_why, " is no map: write NAME: VALUE lines");
		return -EINVAL;
	}
	*ret = value;
	value = VALUE_INIT;
	return 0;
}

static const char *type_of(const struct value *value)
{
	switch (value->type) {
	case VALUE_STRING:
		return "string";
	case VALUE_BOOL:
		return "boolean";
	case VALUE_INT:
	case VALUE_FLOAT:
		return "number";
	case VALUE_NULL:
	case VALUE_DATE:
	case VALUE_LIST:
	case VALUE_MAP:
		break;
	}
	return NULL;
}

/* The attributes of a flag with this default. */
static int attrs_of(const struct value *value, struct value *ret)
{
	struct value default_value = VALUE_INIT, other = VALUE_INIT;
	const char *type = type_of(value);
	int r;

	ret->type = VALUE_MAP;
	r = value->type == VALUE_LIST ? arg_split_join(value, &default_value)
				      : value_copy(value, &default_value);
	if (r == 0)
		r = value_put(ret, STR("default"), &default_value);
	if (r == 0 && type)
		r = value_string(&other, str_from(type));
	if (r == 0 && type)
		r = value_put(ret, STR("type"), &other);
	if (r == 0 && value->type == VALUE_LIST) {
		value_bool(&other, true);
		r = value_put(ret, STR("arg-split"), &other);
	}
	return r;
}

static bool is_flag_name(struct str name)
{
	return name.len > 0 && !memchr(name.data, ' ', name.len) &&
	       !memchr(name.data, '=', name.len) && !memchr(name.data, '\n', name.len);
}

/* Adds the flags of @map, whose names begin with @prefix. */
static int add_flags(const struct value *map, struct str prefix, struct value *ret,
		     struct strbuf *ret_why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < map->map.n_pairs; i++) {
		const struct value_pair *pair = &map->map.pairs[i];
		_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
		struct value key = VALUE_INIT, attrs = VALUE_INIT;

		if (pair->key.type != VALUE_STRING || pair->value.type == VALUE_DATE)
			continue;
		strbuf_addstr(&name, prefix);
		strbuf_addstr(&name, value_str(&pair->key));
		if (pair->value.type == VALUE_MAP) {
			strbuf_addc(&name, '.');
			r = add_flags(&pair->value, strbuf_str(&name), ret, ret_why);
			continue;
		}
		if (!is_flag_name(strbuf_str(&name)))
			continue;
		if (ret->map.n_pairs >= CONFIG_MAX_FLAGS) {
			strbuf_addf(ret_why, "it has more than %d values",
				    CONFIG_MAX_FLAGS);
			return -EINVAL;
		}
		r = value_string(&key, strbuf_str(&name));
		if (r == 0)
			r = attrs_of(&pair->value, &attrs);
		if (r == 0)
			r = value_add_pair(ret, &key, &attrs);
		value_done(&key);
		value_done(&attrs);
	}
	return r;
}

int config_flags(const struct value *document, struct value *ret, struct strbuf *ret_why)
{
	int r;

	ret->type = VALUE_MAP;
	r = add_flags(document, str_from(NULL), ret, ret_why);
	return r < 0 ? r : value_drop_double_keys(ret);
}

static int value_of_flag(const struct flag *flag, const struct value *attrs,
			 struct value *ret)
{
	const struct value *split = value_get(attrs, "arg-split");

	if (!arg_split_is_on(split) || flag->value.type == VALUE_MAP)
		return value_copy(&flag->value, ret);
	ret->type = VALUE_LIST;
	return arg_split_list(&flag->value, split, ret);
}

/* A section and the option in it, which both may have dots; a new section has none. */
static struct str section_of(const struct value *document, struct str name)
{
	const char *dot = memchr(name.data, '.', name.len);
	struct str found = { name.data, dot ? (size_t)(dot - name.data) : 0 };

	for (size_t i = 0; i < document->map.n_pairs; i++) {
		struct str known = value_str(&document->map.pairs[i].key);

		if (known.len > found.len && known.len < name.len &&
		    memcmp(known.data, name.data, known.len) == 0 &&
		    name.data[known.len] == '.')
			found = (struct str){ name.data, known.len };
	}
	return found;
}

static int put_option(struct value *document, struct str name, struct value *item,
		      struct strbuf *ret_why)
{
	_cleanup_(value_done) struct value taken = *item;
	_cleanup_(value_done) struct value section = { .type = VALUE_MAP };
	struct str key = section_of(document, name);
	_cleanup_free_ char *key_text = str_dup(key.len > 0 ? key : STR(INI_DEFAULT));
	_cleanup_free_ char *whole = str_dup(name);
	const struct value *old;
	int r;

	*item = VALUE_INIT;
	if (!key_text || !whole)
		return -ENOMEM;
	if (value_get(document, whole)) {
		strbuf_add_quoted(ret_why, name);
		strbuf_adds(ret_why, " is a section: a flag of it is SECTION.OPTION");
		return -EINVAL;
	}
	if (key.len > 0) {
		name.data += key.len + 1;
		name.len -= key.len + 1;
	}
	old = value_get(document, key_text);
	r = old ? value_copy(old, &section) : 0;
	if (r == 0)
		r = value_put(&section, name, &taken);
	return r < 0 ? r : value_put(document, str_from(key_text), &section);
}

static int put_flag(const struct format *format, const struct flag *flag,
		    const struct value *cmd_flags, struct value *document,
		    struct strbuf *ret_why)
{
	const struct value *attrs = value_get(cmd_flags, flag->name);
	struct str place = value_str(value_get(attrs, "arg-name"));
	struct value value = VALUE_INIT;
	int r = value_of_flag(flag, attrs, &value);

	if (r < 0) {
		value_done(&value);
		if (r == -EINVAL)
			strbuf_addf(ret_why,
				    "the value of %s can't be split: write it in"
				    " words",
				    flag->name);
		return r;
	}
	if (place.len == 0)
		place = str_from(flag->name);
	return format->is_ini ? put_option(document, place, &value, ret_why)
			      : placed_put(document, place, &value, ret_why);
}

int config_render(struct str file, struct str text, const struct value *cmd_flags,
		  const struct flags *flags, struct strbuf *ret, struct strbuf *ret_why)
{
	_cleanup_(value_done) struct value document = VALUE_INIT;
	const struct format *format = format_of(file);
	int r = config_parse(file, text, &document, ret_why);

	for (size_t i = 0; r == 0 && i < flags->n_items; i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		if (flags->items[i].value.type == VALUE_NULL)
			continue;
		r = put_flag(format, &flags->items[i], cmd_flags, &document, &why);
		if (r < 0) {
			strbuf_addstr(ret_why, file);
			strbuf_addf(ret_why, ": %s", strbuf_cstr(&why));
		}
	}
	if (r < 0)
		return r;
	r = format->format(&document, ret);
	if (r == 0 && !str_ends(strbuf_str(ret), "\n"))
		r = strbuf_addc(ret, '\n');
	return r == -E2BIG ? -EINVAL : r;
}
