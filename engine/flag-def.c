/* The definition of one flag, and the values that it takes. */
#include "engine/flag-def.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/arg-split.h"
#include "engine/cleanup.h"
#include "engine/number.h"
#include "engine/path.h"
#include "engine/value-text.h"

static const char *const type_names[] = {
	[FLAG_STRING] = "string",
	[FLAG_INT] = "int",
	[FLAG_FLOAT] = "float",
	[FLAG_NUMBER] = "number",
	[FLAG_BOOLEAN] = "boolean",
	[FLAG_PATH] = "path",
	[FLAG_EXISTING_PATH] = "existing-path",
};

const char *flag_type_name(enum flag_type type)
{
	return type_names[type];
}

bool flag_type_is_known(struct str name)
{
	for (size_t i = FLAG_STRING; i <= FLAG_EXISTING_PATH; i++) {
		if (str_is(name, type_names[i]))
			return true;
	}
	return str_is(name, "auto");
}

static void choice_done(struct flag_choice *choice)
{
	value_done(&choice->value);
	free(choice->alias);
	free(choice->description);
	flags_done(&choice->flags);
}

void flag_def_done(struct flag_def *flag_def)
{
	for (size_t i = 0; i < flag_def->n_choices; i++)
		choice_done(&flag_def->choices[i]);
	free(flag_def->choices);
	free(flag_def->name);
	free(flag_def->alias);
	free(flag_def->description);
	value_done(&flag_def->default_value);
	value_done(&flag_def->min);
	value_done(&flag_def->max);
	value_done(&flag_def->source);
	*flag_def = FLAG_DEF_INIT;
}

static int mistake(const char *attr, const char *right, struct strbuf *ret_why)
{
	strbuf_addf(ret_why, "'%s' %s", attr, right);
	return -EINVAL;
}

/* A text attribute; Guild takes numbers for text here too. */
static int read_text(const struct value *value, const char *attr, char **ret,
		     struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (!value || value->type == VALUE_NULL)
		return 0;
	if (value->type == VALUE_LIST || value->type == VALUE_MAP)
		return mistake(attr, "is a text", ret_why);
	if (value->type == VALUE_STRING)
		strbuf_addstr(&text, value_str(value));
	else
		(void)value_encode_flag(value, &text);
	*ret = strbuf_take(&text);
	return *ret ? 0 : -ENOMEM;
}

static int read_bool(const struct value *value, const char *attr, bool *ret,
		     struct strbuf *ret_why)
{
	if (!value || value->type == VALUE_NULL)
		return 0;
	if (value->type != VALUE_BOOL)
		return mistake(attr, "is yes or no", ret_why);
	*ret = value->boolean;
	return 0;
}

static int read_type(const struct value *value, enum flag_type *ret,
		     struct strbuf *ret_why)
{
	if (!value || value->type == VALUE_NULL || value_is_string(value, "auto"))
		return 0;
	for (size_t i = FLAG_STRING; i <= FLAG_EXISTING_PATH; i++) {
		if (value_is_string(value, type_names[i])) {
			*ret = (enum flag_type)i;
			return 0;
		}
	}
	return mistake(
		"type",
		"is one of string, int, float, number, boolean, path, existing-path",
		ret_why);
}

static int read_limit(const struct value *value, const char *attr, struct value *ret,
		      struct strbuf *ret_why)
{
	if (!value || value->type == VALUE_NULL)
		return 0;
	if (value->type != VALUE_INT && value->type != VALUE_FLOAT)
		return mistake(attr, "is a number", ret_why);
	return value_copy(value, ret);
}

static int read_choice(const struct value *item, struct flag_choice *choice,
		       struct strbuf *ret_why)
{
	const struct value *value = value_get(item, "value");
	const struct value *flags = value_get(item, "flags");
	int r;

	if (item->type != VALUE_MAP)
		return value_copy(item, &choice->value);
	r = value ? value_copy(value, &choice->value) : 0;
	if (r == 0)
		r = read_text(value_get(item, "alias"), "alias", &choice->alias, ret_why);
	if (r == 0)
		r = read_text(value_get(item, "description"), "description",
			      &choice->description, ret_why);
	if (r == 0 && flags && flags_from_value(flags, &choice->flags) < 0)
		r = mistake("flags", "of a choice is a map: write NAME: VALUE lines",
			    ret_why);
	return r;
}

static int read_choices(const struct value *list, struct flag_def *flag_def,
			struct strbuf *ret_why)
{
	int r = 0;

	if (!list || list->type == VALUE_NULL)
		return 0;
	if (list->type != VALUE_LIST)
		return mistake("choices", "is a list of values", ret_why);
	flag_def->choices = calloc(list->list.n_items + 1, sizeof(*flag_def->choices));
	if (!flag_def->choices)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < list->list.n_items; i++)
		r = read_choice(&list->list.items[i],
				&flag_def->choices[flag_def->n_choices++], ret_why);
	return r;
}

static int read_attrs(const struct value *body, struct flag_def *flag_def,
		      struct strbuf *ret_why)
{
	const struct value *default_value = value_get(body, "default");
	int r;

	r = value_copy(body, &flag_def->source);
	if (r == 0 && default_value)
		r = value_copy(default_value, &flag_def->default_value);
	if (r == 0)
		r = read_text(value_get(body, "description"), "description",
			      &flag_def->description, ret_why);
	if (r == 0)
		r = read_text(value_get(body, "alias"), "alias", &flag_def->alias,
			      ret_why);
	if (r == 0)
		r = read_type(value_get(body, "type"), &flag_def->type, ret_why);
	if (r == 0)
		r = read_bool(value_get(body, "required"), "required",
			      &flag_def->required, ret_why);
	if (r == 0)
		r = read_bool(value_get(body, "allow-other"), "allow-other",
			      &flag_def->allow_other, ret_why);
	if (r == 0)
		r = read_limit(value_get(body, "min"), "min", &flag_def->min, ret_why);
	if (r == 0)
		r = read_limit(value_get(body, "max"), "max", &flag_def->max, ret_why);
	return r < 0 ? r : read_choices(value_get(body, "choices"), flag_def, ret_why);
}

int flag_def_read(struct str name, const struct value *body, struct flag_def *ret,
		  struct strbuf *ret_why)
{
	_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;
	int r;

	if (name.len == 0 || memchr(name.data, '\n', name.len) ||
	    memchr(name.data, '=', name.len) || memchr(name.data, ' ', name.len)) {
		strbuf_adds(ret_why, "a flag's name has no blank, newline or '='");
		return -EINVAL;
	}
	flag_def.name = str_dup(name);
	if (!flag_def.name)
		return -ENOMEM;
	r = body->type == VALUE_MAP ? read_attrs(body, &flag_def, ret_why)
				    : value_copy(body, &flag_def.default_value);
	if (r < 0)
		return r;
	*ret = flag_def;
	flag_def = FLAG_DEF_INIT;
	return 0;
}

static int refuse(const struct flag_def *flag_def, const struct value *value,
		  struct strbuf *ret_why)
{
	strbuf_adds(ret_why, "invalid value ");
	(void)value_encode_flag(value, ret_why);
	strbuf_addf(ret_why, " for %s: ", flag_def->name);
	return -EINVAL;
}

static int refuse_type(const struct flag_def *flag_def, const struct value *value,
		       struct strbuf *ret_why)
{
	refuse(flag_def, value, ret_why);
	strbuf_addf(ret_why, "invalid value for type '%s': write a %s",
		    type_names[flag_def->type],
		    flag_def->type == FLAG_INT ? "whole number" : "number");
	return -EINVAL;
}

static int refuse_open(const struct flag_def *flag_def, const struct value *value,
		       struct strbuf *ret_why)
{
	refuse(flag_def, value, ret_why);
	strbuf_adds(ret_why, "a quote is open: write words, as in a shell");
	return -EINVAL;
}

static int set_text(struct value *value, enum value_type type, struct str text)
{
	struct value made = VALUE_INIT;
	int r = value_string(&made, text);

	if (r < 0)
		return r;
	made.type = type;
	value_done(value);
	*value = made;
	return 0;
}

/* Python's int(x), but for a float, which is an error (3.3). */
static int to_int(struct value *value)
{
	_cleanup_(strbuf_done) struct strbuf digits = STRBUF_INIT;
	int r;

	switch (value->type) {
	case VALUE_INT:
		return 0;
	case VALUE_BOOL:
		return value_int(value, value->boolean);
	case VALUE_STRING:
		r = number_parse_int(value_str(value), &digits);
		return r < 0 ? r : set_text(value, VALUE_INT, strbuf_str(&digits));
	case VALUE_NULL:
	case VALUE_FLOAT:
	case VALUE_DATE:
	case VALUE_LIST:
	case VALUE_MAP:
		break;
	}
	return -EINVAL;
}

static int to_float(struct value *value)
{
	double real;
	int r;

	switch (value->type) {
	case VALUE_FLOAT:
		return 0;
	case VALUE_BOOL:
		value_float(value, value->boolean);
		return 0;
	case VALUE_INT:
	case VALUE_STRING:
		r = number_parse_float((struct str){ value->text.data, value->text.len },
				       &real);
		if (r < 0)
			return r;
		value_done(value);
		value_float(value, real);
		return 0;
	case VALUE_NULL:
	case VALUE_DATE:
	case VALUE_LIST:
	case VALUE_MAP:
		break;
	}
	return -EINVAL;
}

static int to_number(struct value *value)
{
	int r;

	if (value->type == VALUE_INT || value->type == VALUE_FLOAT ||
	    value->type == VALUE_BOOL)
		return 0;
	r = to_int(value);
	return r == -EINVAL ? to_float(value) : r;
}

/* Python's bool(x): what is not empty and not zero. */
static int to_boolean(struct value *value)
{
	bool boolean = true;

	switch (value->type) {
	case VALUE_BOOL:
		return 0;
	case VALUE_INT:
		boolean = strcmp(value->text.data, "0") != 0;
		break;
	case VALUE_FLOAT:
		boolean = value->real != 0;
		break;
	case VALUE_STRING:
		boolean = value->text.len > 0;
		break;
	case VALUE_LIST:
		boolean = value->list.n_items > 0;
		break;
	case VALUE_MAP:
		boolean = value->map.n_pairs > 0;
		break;
	case VALUE_NULL:
	case VALUE_DATE:
		break;
	}
	value_done(value);
	value_bool(value, boolean);
	return 0;
}

/* Python's str(x). */
static int to_string(struct value *value)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r;

	if (value->type == VALUE_STRING)
		return 0;
	r = value->type == VALUE_DATE
		    ? strbuf_add(&text, value->text.data, value->text.len)
		    : value_encode_python(value, &text);
	return r < 0 ? r : set_text(value, VALUE_STRING, strbuf_str(&text));
}

/* ~/x and x as absolute paths; the text of ~user stays. */
static int to_path(struct value *value, const char *dir)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	const char *home = getenv("HOME");
	struct str text;
	int r = to_string(value);

	if (r < 0)
		return r;
	text = value_str(value);
	if (home && text.len > 0 && text.data[0] == '~' &&
	    (text.len == 1 || text.data[1] == '/')) {
		strbuf_adds(&path, home);
		strbuf_add(&path, text.data + 1, text.len - 1);
	} else if (text.len > 0 && text.data[0] != '/' && text.data[0] != '~' && dir) {
		strbuf_addf(&path, "%s/", dir);
		while (str_starts(text, "./")) {
			text.data += 2;
			text.len -= 2;
		}
		strbuf_addstr(&path, text);
	} else {
		return 0;
	}
	return strbuf_error(&path) < 0 ? -ENOMEM
				       : set_text(value, VALUE_STRING, strbuf_str(&path));
}

static int check_path(const struct flag_def *flag_def, const struct value *value,
		      struct strbuf *ret_why)
{
	_cleanup_close_ int fd = path_open(AT_FDCWD, value_str(value).data);

	if (fd >= 0)
		return 0;
	refuse(flag_def, value, ret_why);
	strbuf_addf(ret_why,
		    "%s does not exist: write the path of what is there, seen from the"
		    " project",
		    value_str(value).data);
	return -EINVAL;
}

static int coerce_one(const struct flag_def *flag_def, const char *dir,
		      struct value *value, struct strbuf *ret_why)
{
	int r = 0;

	switch (flag_def->type) {
	case FLAG_AUTO:
		return 0;
	case FLAG_STRING:
		r = to_string(value);
		break;
	case FLAG_INT:
		r = to_int(value);
		break;
	case FLAG_FLOAT:
		r = to_float(value);
		break;
	case FLAG_NUMBER:
		r = to_number(value);
		break;
	case FLAG_BOOLEAN:
		r = to_boolean(value);
		break;
	case FLAG_PATH:
		return to_path(value, dir);
	case FLAG_EXISTING_PATH:
		r = to_path(value, dir);
		return r < 0 ? r : check_path(flag_def, value, ret_why);
	}
	return r == -EINVAL ? refuse_type(flag_def, value, ret_why) : r;
}

/* How the flag's text is split into several values; NULL: it is not. */
static const struct value *split_of(const struct flag_def *flag_def)
{
	const struct value *split = value_get(&flag_def->source, "arg-split");

	return arg_split_is_on(split) ? split : NULL;
}

/* Each part of a text becomes the flag's type, and they a text again. */
static int coerce_parts(const struct flag_def *flag_def, const char *dir,
			struct value *value, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(strv_freep) char **words = NULL;
	const struct value *split = split_of(flag_def);
	const char *separator = arg_split_separator(split);
	int r = arg_split_words(value, split, &words);

	if (r == -EINVAL)
		return refuse_open(flag_def, value, ret_why);
	for (size_t i = 0; r == 0 && i < strv_length(words); i++) {
		_cleanup_(strbuf_done) struct strbuf word = STRBUF_INIT;
		_cleanup_(value_done) struct value item = VALUE_INIT;

		r = value_string(&item, str_from(words[i]));
		if (r == 0)
			r = coerce_one(flag_def, dir, &item, ret_why);
		if (r == 0)
			r = value_encode_arg(&item, NULL, &word);
		if (i > 0)
			strbuf_adds(&text, separator ? separator : " ");
		if (r == 0)
			r = separator ? strbuf_addstr(&text, strbuf_str(&word))
				      : strbuf_add_shell(&text, strbuf_str(&word));
	}
	return r < 0 ? r : set_text(value, VALUE_STRING, strbuf_str(&text));
}

int flag_def_coerce(const struct flag_def *flag_def, const char *dir, struct value *value,
		    struct strbuf *ret_why)
{
	int r = 0;

	if (value->type == VALUE_NULL || flag_def->type == FLAG_AUTO)
		return 0;
	if (value->type == VALUE_STRING && split_of(flag_def))
		return coerce_parts(flag_def, dir, value, ret_why);
	if (value->type != VALUE_LIST)
		return coerce_one(flag_def, dir, value, ret_why);
	for (size_t i = 0; r == 0 && i < value->list.n_items; i++) {
		if (value->list.items[i].type != VALUE_NULL)
			r = coerce_one(flag_def, dir, &value->list.items[i], ret_why);
	}
	return r;
}

/* For texts and paths 1 is the text "1"; what is quoted or bracketed is still decoded. */
static bool keeps_text(const struct flag_def *flag_def, struct str text)
{
	if (flag_def->type != FLAG_STRING && flag_def->type != FLAG_PATH &&
	    flag_def->type != FLAG_EXISTING_PATH)
		return false;
	return text.len == 0 || !strchr("['\"{", text.data[0]);
}

int flag_def_decode(const struct flag_def *flag_def, struct str text, const char *dir,
		    struct value *ret, struct strbuf *ret_why)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r;

	r = keeps_text(flag_def, text) ? value_string(&value, text)
				       : value_decode(text, &value, ret_why);
	if (r == 0)
		r = flag_def_coerce(flag_def, dir, &value, ret_why);
	if (r < 0)
		return r;
	*ret = value;
	value = VALUE_INIT;
	return 0;
}

const struct flag_choice *flag_def_choice(const struct flag_def *flag_def,
					  const struct value *value)
{
	for (size_t i = 0; i < flag_def->n_choices; i++) {
		const struct flag_choice *choice = &flag_def->choices[i];

		if (value_equal(&choice->value, value) ||
		    (choice->alias && value_is_string(value, choice->alias)))
			return choice;
	}
	return NULL;
}

static int check_choice(const struct flag_def *flag_def, const struct value *value,
			struct strbuf *ret_why)
{
	/* What is false is never checked (3.4). */
	if (flag_def->n_choices == 0 || flag_def->allow_other || value_is_false(value) ||
	    flag_def_choice(flag_def, value))
		return 0;
	strbuf_addf(ret_why,
		    "Unsupported value for '%s' - supported values are:", flag_def->name);
	for (size_t i = 0; i < flag_def->n_choices; i++) {
		const struct flag_choice *choice = &flag_def->choices[i];

		strbuf_adds(ret_why, i > 0 ? ", " : " ");
		if (choice->alias)
			strbuf_adds(ret_why, choice->alias);
		else
			(void)value_encode_request(&choice->value, ret_why);
	}
	return -EINVAL;
}

static bool number_of(const struct value *value, double *ret)
{
	if (value->type == VALUE_FLOAT)
		*ret = value->real;
	else if (value->type != VALUE_INT ||
		 number_parse_float((struct str){ value->text.data, value->text.len },
				    ret) < 0)
		return false;
	return true;
}

/* Adds what would be right. */
static void add_range(const struct flag_def *flag_def, struct strbuf *ret_why)
{
	strbuf_adds(ret_why, ": write a number");
	if (flag_def->min.type != VALUE_NULL) {
		strbuf_adds(ret_why, " from ");
		(void)value_encode_flag(&flag_def->min, ret_why);
	}
	if (flag_def->max.type != VALUE_NULL) {
		strbuf_adds(ret_why, " up to ");
		(void)value_encode_flag(&flag_def->max, ret_why);
	}
}

static int check_limits(const struct flag_def *flag_def, const struct value *value,
			struct strbuf *ret_why)
{
	double number, min, max;
	bool is_less, is_greater;

	if (!number_of(value, &number))
		return 0;
	is_less = number_of(&flag_def->min, &min) && number < min;
	is_greater = number_of(&flag_def->max, &max) && number > max;
	if (!is_less && !is_greater)
		return 0;
	refuse(flag_def, value, ret_why);
	strbuf_addf(ret_why, "out of range (%s than %s ", is_less ? "less" : "greater",
		    is_less ? "min" : "max");
	(void)value_encode_flag(is_less ? &flag_def->min : &flag_def->max, ret_why);
	strbuf_addc(ret_why, ')');
	add_range(flag_def, ret_why);
	return -ERANGE;
}

static int check_one(const struct flag_def *flag_def, const struct value *value,
		     struct strbuf *ret_why)
{
	int r = check_choice(flag_def, value, ret_why);

	return r < 0 ? r : check_limits(flag_def, value, ret_why);
}

int flag_def_check(const struct flag_def *flag_def, const struct value *value,
		   struct strbuf *ret_why)
{
	_cleanup_(value_done) struct value parts = { .type = VALUE_LIST };
	int r = 0;

	if (value->type == VALUE_STRING && split_of(flag_def)) {
		r = arg_split_list(value, split_of(flag_def), &parts);
		if (r == -EINVAL)
			return refuse_open(flag_def, value, ret_why);
		for (size_t i = 0; r == 0 && i < parts.list.n_items; i++)
			r = check_one(flag_def, &parts.list.items[i], ret_why);
		return r;
	}
	if (value->type != VALUE_LIST)
		return check_one(flag_def, value, ret_why);
	for (size_t i = 0; r == 0 && i < value->list.n_items; i++)
		r = flag_def_check(flag_def, &value->list.items[i], ret_why);
	return r;
}
