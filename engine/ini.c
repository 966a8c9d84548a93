/* INI files as values. */
#include "engine/ini.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "engine/cleanup.h"
#include "engine/number.h"
#include "engine/value-text.h"

#define MAX_REFERENCE_DEPTH 10 /* as Python */

/* A file while it is read; values are texts until all of it is known. */
struct reader {
	struct value sections;
	struct value *section; /* NULL: none has begun */
	struct strbuf option, text;
	bool has_option; /* one that may go on on the next line */
	size_t indent;	 /* of its line */
	unsigned int line;
	struct strbuf *why;
};

static void reader_done(struct reader *reader)
{
	value_done(&reader->sections);
	strbuf_done(&reader->option);
	strbuf_done(&reader->text);
}

static int mistake(const struct reader *reader, const char *what)
{
	strbuf_addf(reader->why, "line %u: %s", reader->line, what);
	return -EBADMSG;
}

static struct value *find(struct value *map, struct str key)
{
	return (struct value *)(uintptr_t)value_get(map, key.data);
}

static int add_text(struct value *map, struct str key, struct str text)
{
	struct value key_value = VALUE_INIT, value = VALUE_INIT;
	int r = value_string(&key_value, key);

	if (r == 0)
		r = value_string(&value, text);
	if (r == 0)
		r = value_add_pair(map, &key_value, &value);
	value_done(&key_value);
	value_done(&value);
	return r;
}

/* Ends an option: blank lines at its end are none of it. */
static int end_option(struct reader *reader)
{
	struct str text = str_strip(strbuf_str(&reader->text));
	int r;

	if (!reader->has_option)
		return 0;
	r = add_text(reader->section, strbuf_str(&reader->option), text);
	reader->has_option = false;
	strbuf_reset(&reader->option);
	strbuf_reset(&reader->text);
	return r;
}

static int begin_section(struct reader *reader, struct str line)
{
	const char *end = memrchr(line.data, ']', line.len);
	_cleanup_free_ char *name = NULL;
	struct value section = { .type = VALUE_MAP };
	int r;

	if (!end || end == line.data + 1)
		return mistake(reader, "a section is [NAME]");
	name = str_dup((struct str){ line.data + 1, (size_t)(end - line.data - 1) });
	if (!name)
		return -ENOMEM;
	if (find(&reader->sections, str_from(name)) && strcmp(name, INI_DEFAULT) != 0)
		return mistake(reader, "the section is there already");
	if (!find(&reader->sections, str_from(name))) {
		r = value_put(&reader->sections, str_from(name), &section);
		if (r < 0)
			return r;
	}
	reader->section = find(&reader->sections, str_from(name));
	return 0;
}

static int begin_option(struct reader *reader, struct str line)
{
	size_t len = 0;
	struct str name;

	while (len < line.len && line.data[len] != '=' && line.data[len] != ':')
		len++;
	name = str_strip((struct str){ line.data, len });
	if (len == line.len || name.len == 0)
		return mistake(reader, "an option is NAME = VALUE");
	if (!reader->section)
		return mistake(reader, "a [SECTION] must come before its options");
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		strbuf_addc(&reader->option,
			    c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
	}
	line.data += len + 1;
	line.len -= len + 1;
	strbuf_addstr(&reader->text, str_strip(line));
	reader->has_option = true;
	return strbuf_error(&reader->option) < 0 || strbuf_error(&reader->text) < 0
		       ? -ENOMEM
		       : 0;
}

static size_t indent_of(struct str line)
{
	size_t n = 0;

	while (n < line.len && (line.data[n] == ' ' || line.data[n] == '\t'))
		n++;
	return n;
}

/* A line that is indented more than its option goes on with it. */
static int read_line(struct reader *reader, struct str line)
{
	size_t indent = indent_of(line);
	struct str content = str_strip(line);
	int r;

	if (content.len > 0 && (content.data[0] == '#' || content.data[0] == ';'))
		return 0;
	if (content.len == 0)
		return reader->has_option ? strbuf_addc(&reader->text, '\n') : 0;
	if (reader->has_option && indent > reader->indent) {
		strbuf_addc(&reader->text, '\n');
		return strbuf_addstr(&reader->text, content);
	}
	reader->indent = indent;
	r = end_option(reader);
	if (r < 0)
		return r;
	return content.data[0] == '[' ? begin_section(reader, content)
				      : begin_option(reader, content);
}

static int read_lines(struct reader *reader, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		int r;

		reader->line++;
		r = read_line(reader, line);
		if (r < 0)
			return r;
	}
	return end_option(reader);
}

static int check_twice(const struct reader *reader)
{
	for (size_t i = 0; i < reader->sections.map.n_pairs; i++) {
		struct value_pair *pair = &reader->sections.map.pairs[i];
		size_t n = pair->value.map.n_pairs;
		int r = value_drop_double_keys(&pair->value);

		if (r < 0)
			return r;
		if (pair->value.map.n_pairs == n)
			continue;
		strbuf_addf(reader->why, "an option of [%s] is there twice",
			    value_str(&pair->key).data);
		return -EBADMSG;
	}
	return 0;
}

/* %(name)s is another option of the section or of DEFAULT, and %% a percent sign. */
struct expansion {
	const struct value *section, *defaults;
	size_t n_references;
	struct strbuf *why;
};

static int expand(struct expansion *expansion, struct str text, size_t depth,
		  struct strbuf *ret);

static int expand_reference(struct expansion *expansion, struct str name, size_t depth,
			    struct strbuf *ret)
{
	_cleanup_free_ char *copy = str_dup(name);
	const struct value *value;

	if (!copy)
		return -ENOMEM;
	for (char *c = copy; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
	value = value_get(expansion->section, copy);
	if (!value)
		value = value_get(expansion->defaults, copy);
	if (!value || depth >= MAX_REFERENCE_DEPTH ||
	    ++expansion->n_references > INI_MAX_REFERENCES) {
		strbuf_adds(expansion->why, "the reference %(");
		strbuf_addstr(expansion->why, name);
		strbuf_adds(expansion->why,
			    value ? ")s is one of too many, or leads to itself"
				  : ")s is to no option");
		return -EBADMSG;
	}
	return expand(expansion, value_str(value), depth + 1, ret);
}

static int expand(struct expansion *expansion, struct str text, size_t depth,
		  struct strbuf *ret)
{
	while (text.len > 0) {
		const char *sign = memchr(text.data, '%', text.len);
		size_t n = sign ? (size_t)(sign - text.data) : text.len;
		const char *end;
		int r = strbuf_add(ret, text.data, n);

		text.data += n;
		text.len -= n;
		if (r < 0 || text.len == 0)
			return r;
		end = str_starts(text, "%(") ? memmem(text.data, text.len, ")s", 2)
					     : NULL;
		if (str_starts(text, "%%")) {
			n = 2;
			r = strbuf_addc(ret, '%');
		} else if (end) {
			n = (size_t)(end + 2 - text.data);
			r = expand_reference(expansion,
					     (struct str){ text.data + 2, n - 4 }, depth,
					     ret);
		} else {
			strbuf_adds(expansion->why,
				    "a '%' that stands for itself is '%%'");
			r = -EBADMSG;
		}
		if (r < 0)
			return r;
		text.data += n;
		text.len -= n;
	}
	return 0;
}

static bool is_one_of(struct str text, const char *const *words)
{
	for (; *words; words++) {
		if (text.len == strlen(*words) &&
		    strncasecmp(text.data, *words, text.len) == 0)
			return true;
	}
	return false;
}

/* As Guild: a whole number, a float, a boolean, or the text. */
static int typed(struct str text, struct value *ret)
{
	static const char *const yes[] = { "yes", "true", "on", NULL };
	static const char *const no[] = { "no", "false", "off", NULL };
	_cleanup_(strbuf_done) struct strbuf digits = STRBUF_INIT;
	double real;
	int r = number_parse_int(text, &digits);

	if (r == 0) {
		r = value_string(ret, strbuf_str(&digits));
		if (r == 0)
			ret->type = VALUE_INT;
		return r;
	}
	if (r != -EINVAL)
		return r;
	if (number_parse_float(text, &real) == 0)
		value_float(ret, real);
	else if (is_one_of(text, yes) || is_one_of(text, no))
		value_bool(ret, is_one_of(text, yes));
	else
		return value_string(ret, text);
	return 0;
}

/* The options of @section as they are meant. */
static int expand_section(struct expansion *expansion, const struct value *section,
			  struct value *ret)
{
	ret->type = VALUE_MAP;
	expansion->section = section;
	for (size_t i = 0; i < section->map.n_pairs; i++) {
		const struct value_pair *pair = &section->map.pairs[i];
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		struct value key = VALUE_INIT, value = VALUE_INIT;
		int r = expand(expansion, value_str(&pair->value), 0, &text);

		if (r == 0)
			r = typed(strbuf_str(&text), &value);
		if (r == 0)
			r = value_copy(&pair->key, &key);
		if (r == 0)
			r = value_add_pair(ret, &key, &value);
		value_done(&key);
		value_done(&value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int expand_all(struct reader *reader, struct value *ret)
{
	struct expansion expansion = {
		.defaults = value_get(&reader->sections, INI_DEFAULT),
		.why = reader->why,
	};

	ret->type = VALUE_MAP;
	for (size_t i = 0; i < reader->sections.map.n_pairs; i++) {
		const struct value_pair *pair = &reader->sections.map.pairs[i];
		_cleanup_(value_done) struct value section = VALUE_INIT;
		struct value key = VALUE_INIT;
		int r = expand_section(&expansion, &pair->value, &section);

		if (r == 0)
			r = value_copy(&pair->key, &key);
		if (r == 0)
			r = value_add_pair(ret, &key, &section);
		value_done(&key);
		if (r < 0)
			return r;
	}
	return 0;
}

int ini_parse(struct str text, struct value *ret, struct strbuf *ret_why)
{
	_cleanup_(reader_done) struct reader reader = {
		.sections = { .type = VALUE_MAP },
		.why = ret_why,
	};
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r;

	if (!str_is_utf8(text)) {
		strbuf_adds(ret_why, "line 1: the file is no UTF-8 text");
		return -EBADMSG;
	}
	r = read_lines(&reader, text);
	if (r == 0)
		r = check_twice(&reader);
	if (r == 0)
		r = expand_all(&reader, &value);
	if (r < 0)
		return r;
	*ret = value;
	value = VALUE_INIT;
	return 0;
}

/* Python's str(), with what configparser reads as something else written such that it
 * is not. */
static int add_value(const struct value *value, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = value->type == VALUE_STRING || value->type == VALUE_DATE
			? strbuf_add(&text, value->text.data, value->text.len)
			: value_encode_python(value, &text);

	for (size_t i = 0; r == 0 && i < text.len; i++) {
		char c = text.data[i];

		strbuf_addc(ret, c);
		if (c == '\n')
			strbuf_addc(ret, '\t');
		else if (c == '%')
			strbuf_addc(ret, '%');
	}
	return r < 0 ? r : strbuf_error(ret);
}

static int add_option(const struct value_pair *pair, struct strbuf *ret)
{
	int r;

	if (pair->key.type == VALUE_STRING)
		strbuf_addstr(ret, value_str(&pair->key));
	else
		(void)value_encode_python(&pair->key, ret);
	strbuf_adds(ret, " = ");
	r = add_value(&pair->value, ret);
	return r < 0 ? r : strbuf_addc(ret, '\n');
}

static int add_section(const char *name, const struct value *options, struct strbuf *ret)
{
	_cleanup_free_ const struct value_pair **pairs = value_sorted_pairs(options);
	int r = pairs ? strbuf_addf(ret, "[%s]\n", name) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < options->map.n_pairs; i++)
		r = add_option(pairs[i], ret);
	return r < 0 ? r : strbuf_addc(ret, '\n');
}

int ini_format(const struct value *sections, struct strbuf *ret)
{
	_cleanup_free_ const struct value_pair **pairs = value_sorted_pairs(sections);
	const struct value *defaults = value_get(sections, INI_DEFAULT);
	int r = pairs ? 0 : -ENOMEM;

	if (r == 0 && defaults && defaults->map.n_pairs > 0)
		r = add_section(INI_DEFAULT, defaults, ret);
	for (size_t i = 0; r == 0 && i < sections->map.n_pairs; i++) {
		if (!value_is_string(&pairs[i]->key, INI_DEFAULT))
			r = add_section(value_str(&pairs[i]->key).data, &pairs[i]->value,
					ret);
	}
	return r;
}
