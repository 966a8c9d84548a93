/*
 * Writes YAML documents byte for byte as PyYAML's safe_dump does: which style a scalar
 * takes, and where brackets and indents go.
 */
#include "engine/yaml.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/number.h"
#include "engine/yaml-page.h"
#include "engine/yaml-resolve.h"

#define MAX_KEY_LEN 128 /* characters of a key and its tag that stand before a ":" */

struct writer {
	struct page page;
	bool flow;   /* lists and maps in brackets, from the top */
	bool strict; /* quote y and n too, which others read as booleans */
	size_t flow_level;
};

/* Where a node stands. */
enum context {
	IN_LIST,
	IN_MAP,
	AS_KEY, /* on one line, before its ":" */
};

/* What a text allows: PyYAML's analyze_scalar. */
struct analysis {
	size_t n_chars;
	bool multiline;
	bool flow_plain;
	bool block_plain;
	bool single_quoted;
};

/* Signs that mean something in the middle of a text, at @i, or at its beginning. */
static void analyze_sign(struct str text, size_t i, bool *flow_sign, bool *block_sign)
{
	char c = text.data[i];
	bool blank_before = i == 0 || text.data[i - 1] == ' ';
	bool blank_behind = i + 1 == text.len || text.data[i + 1] == ' ';

	if (i == 0 && c != '\0' && strchr("#,[]{}&*!|>'\"%@`", c))
		*flow_sign = *block_sign = true;
	if (c == '-' && i == 0 && blank_behind)
		*flow_sign = *block_sign = true;
	if (c == '#' && blank_before)
		*flow_sign = *block_sign = true;
	if (c == ':' || (c == '?' && i == 0)) {
		*flow_sign = true;
		*block_sign = *block_sign || blank_behind;
	}
	if (c != '\0' && strchr(",?[]{}", c))
		*flow_sign = true;
}

/* U+0085, U+2028 and U+2029 break lines too. */
static bool is_break(struct str text, size_t i)
{
	struct str rest = { text.data + i, text.len - i };

	return text.data[i] == '\n' || str_starts(rest, "\xc2\x85") ||
	       str_starts(rest, "\xe2\x80\xa8") || str_starts(rest, "\xe2\x80\xa9");
}

static void analyze(struct str text, struct analysis *ret)
{
	bool flow_sign = str_starts(text, "---") || str_starts(text, "...");
	bool block_sign = flow_sign;
	bool special = false;	     /* needs escapes */
	bool blank_at_break = false; /* that quotes would fold away */
	bool blank_at_end = false;

	*ret = (struct analysis){ 0 };
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool at_end = i == 0 || i + 1 == text.len;

		analyze_sign(text, i, &flow_sign, &block_sign);
		special = special || (c != '\n' && (c < ' ' || c > '~'));
		if (c == ' ' && at_end)
			blank_at_end = true;
		if (c == ' ' && i > 0 && text.data[i - 1] == '\n')
			blank_at_break = true;
		if (c == '\n' && i > 0 && text.data[i - 1] == ' ')
			blank_at_break = true;
		ret->multiline = ret->multiline || is_break(text, i);
		ret->n_chars += ((unsigned char)c & 0xc0) != 0x80;
	}
	ret->single_quoted = !special && !blank_at_break;
	ret->block_plain = ret->single_quoted && text.len > 0 && !ret->multiline &&
			   !blank_at_end && !block_sign;
	ret->flow_plain = ret->single_quoted && text.len > 0 && !ret->multiline &&
			  !blank_at_end && !flow_sign;
}

/* A scalar as text, and what type it must be read as. */
struct scalar {
	struct strbuf buf; /* of what is no string */
	struct str text;
	enum yaml_tag tag;
	struct analysis analysis;
};

static void scalar_done(struct scalar *scalar)
{
	strbuf_done(&scalar->buf);
}

/* YAML wants a point before an exponent where Python has none. */
static int format_float(double real, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf plain = STRBUF_INIT;
	const char *exponent;

	if (isnan(real))
		return strbuf_adds(ret, ".nan");
	if (isinf(real))
		return strbuf_adds(ret, real < 0 ? "-.inf" : ".inf");
	if (number_format_float(real, &plain) < 0)
		return -ENOMEM;
	exponent = strchr(plain.data, 'e');
	if (!exponent || strchr(plain.data, '.'))
		return strbuf_addstr(ret, strbuf_str(&plain));
	return strbuf_addf(ret, "%.*s.0%s", (int)(exponent - plain.data), plain.data,
			   exponent);
}

/* 0, -EINVAL for a list or a map, or -ENOMEM. */
static int scalar_init(struct scalar *scalar, const struct value *value)
{
	int r = 0;

	*scalar = (struct scalar){ .tag = YAML_TAG_STR };
	switch (value->type) {
	case VALUE_NULL:
		scalar->tag = YAML_TAG_NULL;
		r = strbuf_adds(&scalar->buf, "null");
		break;
	case VALUE_BOOL:
		scalar->tag = YAML_TAG_BOOL;
		r = strbuf_adds(&scalar->buf, value->boolean ? "true" : "false");
		break;
	case VALUE_FLOAT:
		scalar->tag = YAML_TAG_FLOAT;
		r = format_float(value->real, &scalar->buf);
		break;
	case VALUE_INT:
		scalar->tag = YAML_TAG_INT;
		break;
	case VALUE_DATE:
		scalar->tag = YAML_TAG_TIMESTAMP;
		break;
	case VALUE_STRING:
		break;
	case VALUE_LIST:
	case VALUE_MAP:
		return -EINVAL;
	}
	if (r < 0)
		return r;
	scalar->text = scalar->buf.data
			       ? strbuf_str(&scalar->buf)
			       : (struct str){ value->text.data, value->text.len };
	analyze(scalar->text, &scalar->analysis);
	return 0;
}

/* Whether the text alone, without quotes, says the right thing. */
static bool is_plain(const struct writer *writer, const struct scalar *scalar)
{
	const struct analysis *analysis = &scalar->analysis;

	if (!(writer->flow_level > 0 ? analysis->flow_plain : analysis->block_plain))
		return false;
	if (scalar->tag != YAML_TAG_STR)
		return true;
	if (writer->page.escape_all || yaml_resolve(scalar->text) != YAML_TAG_STR)
		return false;
	return !writer->strict || scalar->text.len != 1 ||
	       !strchr("yYnN", scalar->text.data[0]);
}

static bool is_single_quoted(const struct writer *writer, const struct scalar *scalar,
			     enum context context)
{
	if (writer->page.escape_all && scalar->tag == YAML_TAG_STR)
		return false;
	if (scalar->analysis.multiline && (context == AS_KEY || writer->page.one_line))
		return false;
	return scalar->analysis.single_quoted;
}

static void put_scalar(struct writer *writer, const struct scalar *scalar,
		       enum context context)
{
	size_t indent = writer->page.indent;
	bool is_indented = writer->page.is_indented;
	bool may_fold = context != AS_KEY;

	page_indent_more(&writer->page, true);
	if (is_plain(writer, scalar)) {
		page_put_plain(&writer->page, scalar->text, may_fold);
	} else {
		/* In brackets a time can't be plain, for its colons. */
		if (scalar->tag != YAML_TAG_STR) {
			page_put_sign(&writer->page, "!!", true);
			page_put_sign(&writer->page, yaml_tag_name(scalar->tag), false);
		}
		if (is_single_quoted(writer, scalar, context))
			page_put_single_quoted(&writer->page, scalar->text, may_fold);
		else
			page_put_double_quoted(&writer->page, scalar->text, may_fold);
	}
	writer->page.indent = indent;
	writer->page.is_indented = is_indented;
}

static int put_node(struct writer *writer, const struct value *value,
		    enum context context, size_t depth);

static int put_list(struct writer *writer, const struct value *list, enum context context,
		    bool flow, size_t depth)
{
	/* A list that is the value of a key stands under the key, not to its right. */
	bool same_indent = !flow && context == IN_MAP && !writer->page.only_indented;
	int r = 0;

	if (flow) {
		page_put_open(&writer->page, "[");
		writer->flow_level++;
	}
	if (!same_indent)
		page_indent_more(&writer->page, flow);
	for (size_t i = 0; r == 0 && i < list->list.n_items; i++) {
		if (flow && i > 0)
			page_put_sign(&writer->page, ",", false);
		if (!flow || page_is_full(&writer->page, 0))
			page_put_indent(&writer->page);
		if (!flow)
			page_put_block_sign(&writer->page, "-");
		r = put_node(writer, &list->list.items[i], IN_LIST, depth);
	}
	if (flow) {
		writer->flow_level--;
		page_put_sign(&writer->page, "]", false);
	}
	return r;
}

static int put_pair(struct writer *writer, const struct value_pair *pair, size_t depth)
{
	_cleanup_(scalar_done) struct scalar key = { 0 };
	bool flow = writer->flow_level > 0;
	size_t len;
	int r;

	r = scalar_init(&key, &pair->key);
	if (r < 0)
		return r;
	len = strlen("!!") + strlen(yaml_tag_name(key.tag)) + key.analysis.n_chars;
	if (key.text.len > 0 && !key.analysis.multiline && len < MAX_KEY_LEN) {
		put_scalar(writer, &key, AS_KEY);
		page_put_sign(&writer->page, ":", false);
	} else if (flow) {
		page_put_sign(&writer->page, "?", true);
		put_scalar(writer, &key, IN_MAP);
		if (page_is_full(&writer->page, 0))
			page_put_indent(&writer->page);
		page_put_sign(&writer->page, ":", true);
	} else {
		page_put_block_sign(&writer->page, "?");
		put_scalar(writer, &key, IN_MAP);
		page_put_indent(&writer->page);
		page_put_block_sign(&writer->page, ":");
	}
	return put_node(writer, &pair->value, IN_MAP, depth);
}

static int put_map(struct writer *writer, const struct value *map, bool flow,
		   size_t depth)
{
	_cleanup_free_ const struct value_pair **pairs = value_sorted_pairs(map);
	int r = 0;

	if (!pairs)
		return -ENOMEM;
	if (flow) {
		page_put_open(&writer->page, "{");
		writer->flow_level++;
	}
	page_indent_more(&writer->page, flow);
	for (size_t i = 0; r == 0 && i < map->map.n_pairs; i++) {
		if (flow && i > 0)
			page_put_sign(&writer->page, ",", false);
		if (!flow || page_is_full(&writer->page, 0))
			page_put_indent(&writer->page);
		r = put_pair(writer, pairs[i], depth);
	}
	if (flow) {
		writer->flow_level--;
		page_put_sign(&writer->page, "}", false);
	}
	return r;
}

static int put_node(struct writer *writer, const struct value *value,
		    enum context context, size_t depth)
{
	_cleanup_(scalar_done) struct scalar scalar = { 0 };
	size_t indent = writer->page.indent;
	bool is_indented = writer->page.is_indented;
	bool flow = writer->flow || writer->flow_level > 0;
	int r;

	if (depth > YAML_MAX_DEPTH)
		return -E2BIG;
	if (value->type == VALUE_LIST) {
		flow = flow || value->list.n_items == 0;
		r = put_list(writer, value, context, flow, depth + 1);
	} else if (value->type == VALUE_MAP) {
		flow = flow || value->map.n_pairs == 0;
		r = put_map(writer, value, flow, depth + 1);
	} else {
		r = scalar_init(&scalar, value);
		if (r == 0)
			put_scalar(writer, &scalar, context);
	}
	writer->page.indent = indent;
	writer->page.is_indented = is_indented;
	return r;
}

/* Appends the whole document, or nothing. */
static int put_document(struct writer *writer, const struct value *value)
{
	size_t start = writer->page.out->len;
	int r;

	r = put_node(writer, value, IN_LIST, 0);
	if (r == 0)
		r = strbuf_error(writer->page.out);
	if (r < 0)
		strbuf_truncate(writer->page.out, start);
	return r;
}

int yaml_format(const struct value *value, struct strbuf *ret)
{
	struct writer writer = { .page = PAGE_INIT(ret), .strict = true };
	int r;

	r = put_document(&writer, value);
	return r < 0 ? r : strbuf_addc(ret, '\n');
}

int yaml_format_inline(const struct value *value, struct strbuf *ret)
{
	struct writer writer = { .page = PAGE_INIT(ret), .flow = true };

	return put_document(&writer, value);
}

int yaml_format_line(const struct value *value, enum yaml_quoting quoting,
		     struct strbuf *ret)
{
	struct writer writer = { .page = PAGE_INIT(ret), .flow = true };

	writer.page.one_line = true;
	writer.page.escape_all = quoting == YAML_QUOTE_ALL;

	return put_document(&writer, value);
}
