/* guild.yml and the files that it includes, as one list of items. */
#include "engine/guild-doc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/path.h"
#include "engine/yaml.h"

#define FILE_MAX_LEN (4u << 20)
#define MAX_FILES    100

/* One file on the way down the includes. */
struct source {
	const struct source *above;
	const char *file;
	int dir_fd; /* of the project */
	struct guild_doc *doc;
	unsigned int *n_files;
};

void guild_doc_done(struct guild_doc *doc)
{
	for (size_t i = 0; i < doc->n_items; i++) {
		free(doc->items[i].kind);
		free(doc->items[i].name);
		free(doc->items[i].file);
		value_done(&doc->items[i].data);
	}
	free(doc->items);
	free(doc->mistake);
	*doc = GUILD_DOC_INIT;
}

const struct guild_item *guild_doc_find(const struct guild_doc *doc, struct str name)
{
	for (size_t i = 0; i < doc->n_items; i++) {
		const struct guild_item *item = &doc->items[i];

		if (str_is(name, item->name) && (strcmp(item->kind, "model") == 0 ||
						 strcmp(item->kind, "config") == 0))
			return item;
	}
	return NULL;
}

/* Notes the first mistake. */
static int __attribute__((format(printf, 3, 4)))
note(const struct source *source, unsigned int line, const char *format, ...)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	va_list args;

	if (source->doc->mistake)
		return 0;
	strbuf_addf(&text, "%s: line %u: ", source->file, line > 0 ? line : 1);
	va_start(args, format);
	(void)strbuf_vaddf(&text, format, args);
	va_end(args);
	source->doc->mistake = strbuf_take(&text);
	return source->doc->mistake ? 0 : -ENOMEM;
}

/* Takes @data over, also on failure. */
static int add_item(const struct source *source, const char *kind, struct str name,
		    struct value *data)
{
	struct guild_doc *doc = source->doc;
	struct guild_item item = { .data = *data };
	struct guild_item *items;

	*data = VALUE_INIT;
	items = reallocarray(doc->items, doc->n_items + 1, sizeof(*items));
	if (items)
		doc->items = items;
	item.kind = strdup(kind);
	item.name = str_dup(name);
	item.file = strdup(source->file);
	if (!items || !item.kind || !item.name || !item.file) {
		free(item.kind);
		free(item.name);
		free(item.file);
		value_done(&item.data);
		return -ENOMEM;
	}
	items[doc->n_items++] = item;
	return 0;
}

/* The short form: its operations are those of a model without a name. */
static int add_short_form(const struct source *source, const struct value *operations)
{
	_cleanup_(value_done) struct value model = { .type = VALUE_MAP };
	struct value copy = VALUE_INIT, defaults = VALUE_INIT;
	const struct value *given = value_get(operations, "operation-defaults");
	int r = value_copy(operations, &copy);

	if (r == 0 && given)
		r = value_copy(given, &defaults);
	if (r == 0 && given)
		r = value_put(&model, STR("operation-defaults"), &defaults);
	if (r == 0)
		r = value_put(&model, STR("operations"), &copy);
	value_done(&copy);
	return r < 0 ? r : add_item(source, "model", STR(""), &model);
}

/* Which of an item's keys says what it is; NULL, with a mistake noted, for none. */
static const char *kind_of(const struct source *source, const struct value *item,
			   unsigned int line)
{
	static const char *const kinds[] = { "model", "config", "package", "include",
					     "test" };
	const char *kind = NULL;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!value_get(item, kinds[i]))
			continue;
		if (kind)
			(void)note(source, line,
				   "an item is a %s or a %s: make two of it", kind,
				   kinds[i]);
		else
			kind = kinds[i];
	}
	if (!kind)
		(void)note(source, line,
			   "an item of the list is a map with one of model, config,"
			   " include, package or test");
	return kind;
}

static int read_file(const struct source *source);

static int read_included(const struct source *source, unsigned int line, struct str path)
{
	_cleanup_(strbuf_done) struct strbuf file = STRBUF_INIT;
	const char *slash = strrchr(source->file, '/');
	struct source below = *source;

	/* Seen from the file that includes it. */
	if (slash && path.len > 0 && path.data[0] != '/')
		strbuf_add(&file, source->file, (size_t)(slash - source->file) + 1);
	strbuf_addstr(&file, path);
	if (strbuf_error(&file) < 0)
		return -ENOMEM;
	for (const struct source *above = source; above; above = above->above) {
		if (strcmp(above->file, strbuf_cstr(&file)) == 0)
			return note(source, line, "include: %s includes itself",
				    above->file);
	}
	if (++*source->n_files > MAX_FILES)
		return note(source, line, "include: there are more than %d files",
			    MAX_FILES);
	below.above = source;
	below.file = strbuf_cstr(&file);
	return read_file(&below);
}

static int read_include(const struct source *source, const struct value *include,
			unsigned int line)
{
	int r = 0;

	line = include->line ? include->line : line;
	if (include->type == VALUE_STRING)
		return read_included(source, line, value_str(include));
	if (include->type != VALUE_LIST)
		return note(source, line, "include is the path of a file, or a list");
	for (size_t i = 0; r == 0 && i < include->list.n_items; i++)
		r = read_included(source, line, value_str(&include->list.items[i]));
	return r;
}

static int read_item(const struct source *source, const struct value *item)
{
	_cleanup_(value_done) struct value data = VALUE_INIT;
	const char *kind = kind_of(source, item, item->line);
	const struct value *name = kind ? value_get(item, kind) : NULL;
	int r;

	if (!name)
		return 0;
	if (strcmp(kind, "include") == 0)
		return read_include(source, name, item->line);
	if (name->type != VALUE_STRING)
		return note(source, item->line, "the name of a %s is a text", kind);
	if (strcmp(kind, "model") == 0 || strcmp(kind, "config") == 0) {
		if (guild_doc_find(source->doc, value_str(name)))
			return note(source, item->line, "there is a second %s '%s'", kind,
				    value_str(name).data);
	}
	r = value_copy(item, &data);
	return r < 0 ? r : add_item(source, kind, value_str(name), &data);
}

static int read_value(const struct source *source, const struct value *value)
{
	int r = 0;

	if (value->type == VALUE_NULL)
		return 0;
	if (value->type == VALUE_MAP)
		return add_short_form(source, value);
	if (value->type != VALUE_LIST)
		return note(source, 1, "write a map of operations or a list of models");
	for (size_t i = 0; r == 0 && i < value->list.n_items; i++)
		r = read_item(source, &value->list.items[i]);
	return r;
}

/* A line of a text that is no YAML: how far it is indented, and what it names. */
struct line {
	size_t indent; /* without the "- " of a list's item */
	bool is_item;
	struct str name, rest;
};

static struct str unquoted(struct str name)
{
	if (name.len >= 2 && (name.data[0] == '\'' || name.data[0] == '"') &&
	    name.data[name.len - 1] == name.data[0])
		return (struct str){ name.data + 1, name.len - 2 };
	return name;
}

/* False for what is no `name:` line. */
static bool read_line(struct str text, struct line *ret)
{
	const char *colon;

	*ret = (struct line){ 0 };
	while (ret->indent < text.len && text.data[ret->indent] == ' ')
		ret->indent++;
	text.data += ret->indent;
	text.len -= ret->indent;
	if (str_starts(text, "- ")) {
		ret->is_item = true;
		ret->indent += 2;
		text.data += 2;
		text.len -= 2;
	}
	colon = text.len > 0 ? memchr(text.data, ':', text.len) : NULL;
	if (!colon || colon == text.data || strchr("#-[{&*!|>%@`", text.data[0]))
		return false;
	ret->name = unquoted((struct str){ text.data, (size_t)(colon - text.data) });
	ret->rest = str_strip(
		(struct str){ colon + 1, text.len - (size_t)(colon + 1 - text.data) });
	return ret->name.len > 0;
}

/* What a scan of lines has made out of a file that can't be parsed. */
struct scan {
	const struct source *source;
	bool is_list;
	char *model;
	size_t operations_at; /* indentation of `operations:`, plus one; 0: not in it */
	size_t names_at;      /* indentation of the operations' names; 0: not known yet */
	struct value operations;
};

static int end_model(struct scan *scan)
{
	_cleanup_(value_done) struct value data = { .type = VALUE_MAP };
	_cleanup_free_ char *model = take_ptr(scan->model);
	int r;

	scan->operations_at = 0;
	if (!model)
		return 0;
	r = value_put(&data, STR("operations"), &scan->operations);
	scan->operations = VALUE_INIT;
	return r < 0 ? r : add_item(scan->source, "model", str_from(model), &data);
}

static int add_operation(struct scan *scan, struct str name)
{
	struct value none = VALUE_INIT;

	return value_put(&scan->operations, name, &none);
}

static int scan_list_line(struct scan *scan, const struct line *line)
{
	int r = line->is_item && line->indent == 2 ? end_model(scan) : 0;

	if (r < 0)
		return r;
	if (line->indent == 2)
		scan->operations_at = 0;
	if (line->indent == 2 && str_is(line->name, "model") && !scan->model) {
		scan->model = str_dup(unquoted(line->rest));
		return scan->model ? 0 : -ENOMEM;
	}
	if (line->indent == 2 && str_is(line->name, "operations")) {
		scan->operations_at = line->indent + 1;
		scan->names_at = 0;
		return 0;
	}
	if (scan->operations_at == 0 || line->indent < scan->operations_at)
		return 0;
	if (scan->names_at == 0)
		scan->names_at = line->indent;
	return line->indent == scan->names_at ? add_operation(scan, line->name) : 0;
}

/* The names of operations by the look of the lines, where there is no better way. */
static int scan_names(const struct source *source, struct str text)
{
	struct scan scan = { .source = source };
	struct str rest = text, piece;
	struct line line;
	int r = 0;

	while (r == 0 && str_split(&rest, '\n', &piece)) {
		if (!str_is_utf8(piece) || !read_line(piece, &line))
			continue;
		if (line.indent == 0 && !scan.is_list && !scan.model) {
			scan.model = strdup("");
			r = scan.model ? 0 : -ENOMEM;
		}
		scan.is_list |= line.is_item && !scan.model;
		if (r == 0 && scan.is_list)
			r = scan_list_line(&scan, &line);
		else if (r == 0 && line.indent == 0 && !line.is_item)
			r = add_operation(&scan, line.name);
	}
	if (r == 0)
		r = end_model(&scan);
	free(scan.model);
	value_done(&scan.operations);
	return r;
}

static int note_yaml(const struct source *source, const struct strbuf *why)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (source->doc->mistake)
		return 0;
	strbuf_addf(&text, "%s: %s", source->file, strbuf_cstr(why));
	source->doc->mistake = strbuf_take(&text);
	return source->doc->mistake ? 0 : -ENOMEM;
}

static int read_text(const struct source *source, struct str text)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r = yaml_parse(text, &value, &why);

	if (r == 0)
		return read_value(source, &value);
	if (r == -ENOMEM)
		return r;
	r = note_yaml(source, &why);
	return r < 0 ? r : scan_names(source, text);
}

static int read_file(const struct source *source)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = path_read(source->dir_fd, source->file, FILE_MAX_LEN, &text);

	if (file_is_lack(r))
		return r;
	if (r < 0)
		return note(source->above, 1, "include: %s can't be read: %s",
			    source->file, strerror(-r));
	return read_text(source, strbuf_str(&text));
}

int guild_doc_read(int dir_fd, struct str text, struct guild_doc *ret)
{
	_cleanup_(guild_doc_done) struct guild_doc doc = GUILD_DOC_INIT;
	unsigned int n_files = 1;
	struct source source = {
		.file = "guild.yml", .dir_fd = dir_fd, .doc = &doc, .n_files = &n_files
	};
	int r = read_text(&source, text);

	if (r < 0)
		return r;
	doc.n_files = n_files;
	*ret = doc;
	doc = GUILD_DOC_INIT;
	return 0;
}
