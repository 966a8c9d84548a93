/*
 * Reads YAML documents: libyaml's events become values. What is done here is what
 * PyYAML's composer and constructor do: types, anchors, merge keys, double keys.
 */
#include "engine/yaml.h"

#include <errno.h>
#include <search.h>
#include <string.h>
#include <yaml.h>

#include "engine/cleanup.h"
#include "engine/yaml-resolve.h"

/*
 * What anchors and aliases may copy: far more than a program writes that shares its
 * lists, and no bomb.
 */
#define COPY_COST_BASE	   (1u << 20)
#define COPY_COST_PER_BYTE 8

/* libyaml looks through all earlier ones at each: a sane text has none. */
#define MAX_DIRECTIVES 100

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* A named value. Trees of tsearch(3) hold them by name. */
struct anchor {
	char *name;
	struct value value;
	size_t cost;  /* of one copy, in bytes */
	size_t depth; /* of lists and maps in it */
	bool is_open; /* still being read: an alias to it would never end */
};

struct reader {
	yaml_parser_t parser;
	void *anchors;
	size_t cost_left;
	struct strbuf *why;
};

static void anchor_free(void *data)
{
	struct anchor *anchor = data;

	if (!anchor)
		return;
	value_done(&anchor->value);
	free(anchor->name);
	free(anchor);
}

DEFINE_CLEANUP(struct anchor, anchor_free);

static int compare_anchors(const void *a, const void *b)
{
	return strcmp(((const struct anchor *)a)->name, ((const struct anchor *)b)->name);
}

static void event_done(yaml_event_t *event)
{
	yaml_event_delete(event);
}

static void reader_done(struct reader *reader)
{
	yaml_parser_delete(&reader->parser);
	tdestroy(reader->anchors, anchor_free);
}

static int refuse(struct reader *reader, size_t line, int error, const char *what)
{
	if (strbuf_addf(reader->why, "line %zu: %s", line + 1, what) < 0)
		return -ENOMEM;
	return error;
}

static int refuse_word(struct reader *reader, const yaml_event_t *event, struct str word,
		       const char *what)
{
	strbuf_addf(reader->why, "line %zu: ", event->start_mark.line + 1);
	strbuf_add_quoted(reader->why, word);
	strbuf_addf(reader->why, " %s", what);
	return strbuf_error(reader->why) < 0 ? -ENOMEM : -EBADMSG;
}

/* The next event, of which the caller disposes; libyaml has emptied it on failure. */
static int next_event(struct reader *reader, yaml_event_t *ret)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem;
	size_t line;

	if (yaml_parser_parse(&reader->parser, ret))
		return 0;
	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	problem = parser->problem ? parser->problem : "no YAML";
	/* Of a character that YAML has no place for, libyaml tells the offset alone. */
	line = parser->error == YAML_READER_ERROR ? parser->mark.line
						  : parser->problem_mark.line;
	strbuf_addf(reader->why, "line %zu: ", line + 1);
	if (parser->context && *parser->context)
		strbuf_addf(reader->why, "%s, ", parser->context);
	strbuf_adds(reader->why, problem);
	return strbuf_error(reader->why) < 0 ? -ENOMEM : -EBADMSG;
}

/* Registers the anchor of a node before it is read. */
static int open_anchor(struct reader *reader, const yaml_event_t *event, const char *name,
		       struct anchor **ret)
{
	_cleanup_(anchor_freep) struct anchor *anchor = calloc(1, sizeof(*anchor));
	struct anchor **place;

	if (!anchor)
		return -ENOMEM;
	anchor->name = strdup(name);
	if (!anchor->name)
		return -ENOMEM;
	anchor->is_open = true;

	place = tsearch(anchor, &reader->anchors, compare_anchors);
	if (!place)
		return -ENOMEM;
	if (*place != anchor)
		return refuse_word(reader, event, str_from(name), "is anchored twice");
	*ret = take_ptr(anchor);
	return 0;
}

/*
 * Keeps a copy for the aliases to come. A copy, since the value itself moves while the
 * lists around it grow; it counts against the same limit.
 */
static int close_anchor(struct reader *reader, const yaml_event_t *event,
			struct anchor *anchor, const struct value *value)
{
	anchor->cost = value_cost(value, &anchor->depth);
	if (anchor->cost > reader->cost_left)
		return refuse(reader, event->start_mark.line, -E2BIG,
			      "the anchors hold too much");
	reader->cost_left -= anchor->cost;
	anchor->is_open = false;
	return value_copy(value, &anchor->value);
}

static int read_alias(struct reader *reader, const yaml_event_t *event, size_t depth,
		      struct value *ret)
{
	struct anchor key = { .name = (char *)event->data.alias.anchor };
	struct anchor **found = tfind(&key, &reader->anchors, compare_anchors);
	struct str name = str_from(key.name);
	struct anchor *anchor;

	if (!found)
		return refuse_word(reader, event, name, "is an alias without an anchor");
	anchor = *found;
	if (anchor->is_open)
		return refuse_word(reader, event, name,
				   "is an alias inside of its anchor");
	if (depth + anchor->depth > YAML_MAX_DEPTH)
		return refuse(reader, event->start_mark.line, -E2BIG,
			      "lists and maps are too deep");
	if (anchor->cost > reader->cost_left)
		return refuse(reader, event->start_mark.line, -E2BIG,
			      "the aliases expand to too much");
	reader->cost_left -= anchor->cost;
	return value_copy(&anchor->value, ret);
}

/*
 * The type of a scalar: by its tag, else by its text when it has no quotes. The tag "!"
 * makes quoted text be read as if it had none.
 */
static enum yaml_tag scalar_tag(const yaml_event_t *event)
{
	struct str text = { (const char *)event->data.scalar.value,
			    event->data.scalar.length };
	const char *tag = (const char *)event->data.scalar.tag;

	if (tag && strcmp(tag, "!") != 0)
		return yaml_tag_named(tag);
	return tag || event->data.scalar.plain_implicit ? yaml_resolve(text)
							: YAML_TAG_STR;
}

static int read_scalar(struct reader *reader, const yaml_event_t *event, bool is_key,
		       struct value *ret)
{
	struct str text = { (const char *)event->data.scalar.value,
			    event->data.scalar.length };
	enum yaml_tag tag = scalar_tag(event);
	int r;

	/* "=" is a type without a meaning, except as a key. */
	if (is_key && tag == YAML_TAG_VALUE)
		tag = YAML_TAG_STR;
	r = yaml_construct(text, tag, ret);
	if (r != -EINVAL)
		return r;
	switch (tag) {
	case YAML_TAG_MERGE:
	case YAML_TAG_VALUE:
		return refuse_word(reader, event, text,
				   "has a meaning of its own in YAML; quote it");
	case YAML_TAG_UNKNOWN:
		return refuse_word(reader, event,
				   str_from((const char *)event->data.scalar.tag),
				   "is no known type");
	case YAML_TAG_NULL:
	case YAML_TAG_BOOL:
	case YAML_TAG_INT:
	case YAML_TAG_FLOAT:
	case YAML_TAG_STR:
	case YAML_TAG_TIMESTAMP:
	case YAML_TAG_SEQ:
	case YAML_TAG_MAP:
		break;
	}
	strbuf_addf(reader->why, "line %zu: ", event->start_mark.line + 1);
	strbuf_add_quoted(reader->why, text);
	strbuf_addf(reader->why, " is no valid %s", yaml_tag_name(tag));
	return strbuf_error(reader->why) < 0 ? -ENOMEM : -EBADMSG;
}

/* A list or a map can't be another type. */
static int check_tag(struct reader *reader, const yaml_event_t *event,
		     const yaml_char_t *tag, enum yaml_tag expected)
{
	struct str word = str_from((const char *)tag);

	if (!tag || str_is(word, "!") || yaml_tag_named(word.data) == expected)
		return 0;
	return refuse_word(reader, event, word,
			   expected == YAML_TAG_SEQ ? "is no type of a list"
						    : "is no type of a map");
}

static int read_node(struct reader *reader, const yaml_event_t *event, size_t depth,
		     bool is_key, struct value *ret);

static int read_list(struct reader *reader, const yaml_event_t *start, size_t depth,
		     struct value *ret)
{
	int r;

	ret->type = VALUE_LIST;
	r = check_tag(reader, start, start->data.sequence_start.tag, YAML_TAG_SEQ);
	while (r == 0) {
		_cleanup_(event_done) yaml_event_t event = { 0 };
		_cleanup_(value_done) struct value item = VALUE_INIT;

		r = next_event(reader, &event);
		if (r < 0)
			break;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		r = read_node(reader, &event, depth, false, &item);
		if (r == 0)
			r = value_append(ret, &item);
	}
	return r;
}

/* Moves the pairs of @from to the end of those of @map. */
static int add_pairs(struct value *map, struct value *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->map.n_pairs; i++)
		r = value_add_pair(map, &from->map.pairs[i].key,
				   &from->map.pairs[i].value);
	return r;
}

/*
 * Takes the value of "<<" in: a map, or a list of maps of which the first to have a key
 * wins, so that the last goes in first. The map's own pairs come after all of them.
 */
static int merge(struct reader *reader, const yaml_event_t *event, struct value *value,
		 struct value *merged)
{
	size_t i;
	int r = 0;

	if (value->type == VALUE_MAP)
		return add_pairs(merged, value);
	if (value->type != VALUE_LIST)
		return refuse(reader, event->start_mark.line, -EBADMSG,
			      "'<<' takes a map or a list of maps");
	for (i = value->list.n_items; r == 0 && i > 0; i--) {
		if (value->list.items[i - 1].type != VALUE_MAP)
			return refuse(reader, event->start_mark.line, -EBADMSG,
				      "'<<' takes a map or a list of maps");
		r = add_pairs(merged, &value->list.items[i - 1]);
	}
	return r;
}

static int read_pair(struct reader *reader, const yaml_event_t *key_event, size_t depth,
		     struct value *map, struct value *merged)
{
	_cleanup_(event_done) yaml_event_t event = { 0 };
	_cleanup_(value_done) struct value key = VALUE_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;
	bool is_merge = key_event->type == YAML_SCALAR_EVENT &&
			scalar_tag(key_event) == YAML_TAG_MERGE;
	int r = 0;

	if (!is_merge)
		r = read_node(reader, key_event, depth, true, &key);
	if (r < 0)
		return r;
	if (key.type == VALUE_LIST || key.type == VALUE_MAP)
		return refuse(reader, key_event->start_mark.line, -EBADMSG,
			      "a list or a map can't be a key");

	r = next_event(reader, &event);
	if (r < 0)
		return r;
	r = read_node(reader, &event, depth, false, &value);
	if (r < 0)
		return r;
	if (is_merge)
		return merge(reader, key_event, &value, merged);
	return value_add_pair(map, &key, &value);
}

static int read_map(struct reader *reader, const yaml_event_t *start, size_t depth,
		    struct value *ret)
{
	_cleanup_(value_done) struct value own = { .type = VALUE_MAP };
	int r;

	/* Merged pairs stand before the map's own, which win over them. */
	ret->type = VALUE_MAP;
	r = check_tag(reader, start, start->data.mapping_start.tag, YAML_TAG_MAP);
	while (r == 0) {
		_cleanup_(event_done) yaml_event_t event = { 0 };

		r = next_event(reader, &event);
		if (r < 0)
			break;
		if (event.type != YAML_MAPPING_END_EVENT) {
			r = read_pair(reader, &event, depth, &own, ret);
			continue;
		}
		r = add_pairs(ret, &own);
		return r < 0 ? r : value_drop_double_keys(ret);
	}
	return r;
}

static const char *anchor_name(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return (const char *)event->data.scalar.anchor;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return (const char *)event->data.sequence_start.anchor;
	if (event->type == YAML_MAPPING_START_EVENT)
		return (const char *)event->data.mapping_start.anchor;
	return NULL;
}

/* Reads the node that begins with @event; on failure @ret holds what there was of it. */
static int read_node(struct reader *reader, const yaml_event_t *event, size_t depth,
		     bool is_key, struct value *ret)
{
	const char *name = anchor_name(event);
	struct anchor *anchor = NULL;
	int r = 0;

	if (name)
		r = open_anchor(reader, event, name, &anchor);
	if (r < 0)
		return r;
	if (event->type == YAML_ALIAS_EVENT)
		r = read_alias(reader, event, depth, ret);
	else if (event->type == YAML_SCALAR_EVENT)
		r = read_scalar(reader, event, is_key, ret);
	else if (depth == YAML_MAX_DEPTH)
		r = refuse(reader, event->start_mark.line, -E2BIG,
			   "lists and maps are too deep");
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		r = read_list(reader, event, depth + 1, ret);
	else
		r = read_map(reader, event, depth + 1, ret);
	if (r < 0)
		return r;
	ret->line = (unsigned int)event->start_mark.line + 1;
	return anchor ? close_anchor(reader, event, anchor, ret) : 0;
}

/* Reads the stream, which must have one document at most. */
static int read_stream(struct reader *reader, struct value *ret)
{
	bool any = false;
	int r;

	for (;;) {
		_cleanup_(event_done) yaml_event_t event = { 0 };

		r = next_event(reader, &event);
		if (r < 0)
			return r;
		if (event.type == YAML_STREAM_END_EVENT)
			return 0;
		if (event.type == YAML_STREAM_START_EVENT ||
		    event.type == YAML_DOCUMENT_END_EVENT)
			continue;
		if (event.type == YAML_DOCUMENT_START_EVENT) {
			if (any)
				return refuse(reader, event.start_mark.line, -EBADMSG,
					      "a second document; there can be only one");
			any = true;
			continue;
		}
		r = read_node(reader, &event, 0, false, ret);
		if (r < 0)
			return r;
	}
}

static bool has_many_directives(struct str text)
{
	size_t n = 0;
	struct str line;

	while (n <= MAX_DIRECTIVES && str_split(&text, '\n', &line))
		n += line.len > 0 && line.data[0] == '%';
	return n > MAX_DIRECTIVES;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_in_word(char c)
{
	return is_alnum(c) || c == '_' || c == '.' || c == '-' || c == '+';
}

/*
 * Most attributes of a run are a number or a name on a line. Where nothing can mean
 * something else to YAML, no parser is made, which costs more than reading the file.
 */
static bool is_plain_word(struct str text, struct str *ret)
{
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	for (size_t i = 0; i < text.len; i++)
		if (i == 0 ? !is_alnum(text.data[i]) : !is_in_word(text.data[i]))
			return false;
	*ret = text;
	return text.len > 0;
}

int yaml_parse(struct str text, struct value *ret, struct strbuf *ret_why)
{
	_cleanup_(reader_done) struct reader reader = {
		.cost_left = COPY_COST_BASE + COPY_COST_PER_BYTE * text.len,
		.why = ret_why,
	};
	_cleanup_(value_done) struct value value = VALUE_INIT;
	struct str word;
	int r;

	if (text.len > YAML_MAX_LEN)
		return refuse(&reader, 0, -E2BIG, "the document is too long");
	if (is_plain_word(text, &word) &&
	    yaml_construct(word, yaml_resolve(word), ret) == 0) {
		ret->line = 1;
		return 0;
	}
	if (has_many_directives(text))
		return refuse(&reader, 0, -E2BIG, "too many lines begin with '%'");
	if (!yaml_parser_initialize(&reader.parser))
		return -ENOMEM;
	if (str_starts(text, BYTE_ORDER_MARK)) {
		text.data += strlen(BYTE_ORDER_MARK);
		text.len -= strlen(BYTE_ORDER_MARK);
	}
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.data,
				     text.len);
	/* Told, or it would read as UTF-16 what begins like that. */
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);

	r = read_stream(&reader, &value);
	if (r < 0)
		return r;
	*ret = value;
	value = VALUE_INIT;
	return 0;
}
