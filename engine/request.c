/* A request's text, word by word. */
#include "engine/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/value-text.h"

/* Where the parser stands in the text of one request. */
struct parser {
	struct str rest;   /* of the current line */
	bool line_goes_on; /* the current line may still get more text */
	struct request *request;
	struct strbuf *why;
};

void request_done(struct request *request)
{
	flags_done(&request->flags);
	flags_done(&request->texts);
	free(request->unfinished);
	*request = REQUEST_INIT;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Returns the length of a quoted text at the start of @text with its quotes, 0 if open.
 */
static size_t quoted_length(struct str text)
{
	char quote = text.data[0];

	for (size_t i = 1; i < text.len; i++) {
		bool is_pair = i + 1 < text.len && text.data[i + 1] == quote;

		if (quote == '"' && text.data[i] == '\\')
			i++;
		else if (quote == '\'' && text.data[i] == quote && is_pair)
			i++; /* 'it''s' */
		else if (text.data[i] == quote)
			return i + 1;
	}
	return 0;
}

/*
 * Returns the length of a bracketed text with its brackets, 0 if open. A quote opens
 * only where an item or a value begins, so that [it's] is closed; {"a":"b"} has two.
 */
static size_t bracketed_length(struct str text)
{
	bool item_begins = false;
	size_t depth = 0, after_quote = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if ((c == '\'' || c == '"') && item_begins) {
			size_t len = quoted_length(
				(struct str){ text.data + i, text.len - i });

			if (len == 0)
				return 0;
			i += len - 1;
			after_quote = i + 1;
		} else if (c == '[' || c == '{') {
			depth++;
		} else if (c == ']' || c == '}') {
			if (--depth == 0)
				return i + 1;
		}
		item_begins = c == '[' || c == '{' || c == ',' ||
			      (item_begins && is_blank(c)) ||
			      (is_blank(c) && i > 0 && text.data[i - 1] == ':') ||
			      (c == ':' && i > 0 && i == after_quote);
	}
	return 0;
}

/* Returns the length of the value at the start of @text; -EINVAL when it stays open. */
static ssize_t value_length(struct str text)
{
	size_t len = 0;

	if (text.len > 0 && strchr("'\"[{", text.data[0])) {
		bool is_quote = text.data[0] == '\'' || text.data[0] == '"';

		len = is_quote ? quoted_length(text) : bracketed_length(text);
		if (len == 0)
			return -EINVAL;
	}
	while (len < text.len && !is_blank(text.data[len]))
		len++; /* [1, 2]*3 is one value */
	return (ssize_t)len;
}

static void advance(struct parser *parser, size_t len)
{
	parser->rest.data += len;
	parser->rest.len -= len;
}

static int parse_option(struct parser *parser, struct str word)
{
	struct request *request = parser->request;

	if (str_is(word, "--needed"))
		request->needed = true;
	else if (str_is(word, "--force-flags"))
		request->force_flags = true;
	else if (str_is(word, "--force-sourcecode"))
		request->force_sourcecode = true;
	else {
		strbuf_add_quoted(parser->why, word);
		strbuf_adds(
			parser->why,
			" is neither name=value nor one of the options --needed,"
			" --force-flags, --force-sourcecode (no blanks around '=', and"
			" quotes around a value that has some: name='a b')");
		return -EINVAL;
	}
	return 0;
}

static int open_value(struct parser *parser, struct str name)
{
	strbuf_adds(parser->why, "the value of ");
	strbuf_add_quoted(parser->why, name);
	strbuf_addf(parser->why,
		    " begins with %c, which is still open at the end of the line:"
		    " close it on the same line (a newline in a value is \"\\n\")",
		    parser->rest.data[0]);
	return -EINVAL;
}

static int leave_unfinished(struct parser *parser, struct str name)
{
	free(parser->request->unfinished);
	parser->request->unfinished = str_dup(name);
	parser->rest.len = 0;
	return parser->request->unfinished ? 0 : -ENOMEM;
}

static int parse_value(struct parser *parser, struct str name)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	ssize_t len = value_length(parser->rest);
	struct str text;
	int r;

	if (parser->line_goes_on && (len < 0 || (size_t)len == parser->rest.len))
		return leave_unfinished(parser, name);
	if (len < 0)
		return open_value(parser, name);

	text = (struct str){ parser->rest.data, (size_t)len };
	r = value_decode(text, &value, parser->why);
	if (r < 0)
		return r;
	advance(parser, (size_t)len);
	r = flags_add(&parser->request->flags, name, &value);
	if (r == 0)
		r = value_string(&value, text);
	return r < 0 ? r : flags_add(&parser->request->texts, name, &value);
}

static int parse_word(struct parser *parser)
{
	struct str word = parser->rest;
	size_t len = 0;

	while (len < word.len && !is_blank(word.data[len]) && word.data[len] != '=')
		len++;
	word.len = len;
	if (len > 0 && word.data[0] == '#') {
		strbuf_add_quoted(parser->why, word);
		strbuf_adds(parser->why, " begins with '#': a comment has its own line");
		return -EINVAL;
	}
	if (len < parser->rest.len && parser->rest.data[len] == '=' && len > 0) {
		advance(parser, len + 1);
		return parse_value(parser, word);
	}
	if (len == parser->rest.len && parser->line_goes_on) {
		parser->rest.len = 0;
		return 0;
	}
	if (len == 0) {
		strbuf_adds(parser->why, "a word begins with '=': write name=value");
		return -EINVAL;
	}
	advance(parser, len);
	return parse_option(parser, word);
}

static int parse_line(struct parser *parser)
{
	int r;

	while (parser->rest.len > 0 && is_blank(parser->rest.data[0]))
		advance(parser, 1);
	if (parser->rest.len > 0 && parser->rest.data[0] == '#')
		return 0;

	while (parser->rest.len > 0) {
		r = parse_word(parser);
		if (r < 0)
			return r;
		while (parser->rest.len > 0 && is_blank(parser->rest.data[0]))
			advance(parser, 1);
	}
	return 0;
}

/* Can @text, the first bytes of a character, be followed by others that make it one? */
static bool is_half_character(struct str text)
{
	unsigned char lead = (unsigned char)text.data[0];
	size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	char low[4], high[4];

	if (lead < 0xc0 || text.len >= len)
		return false;
	/* Only the second byte is ever restricted, and never to the middle. */
	memset(low, 0x80, sizeof(low));
	memset(high, 0xbf, sizeof(high));
	memcpy(low, text.data, text.len);
	memcpy(high, text.data, text.len);
	return str_is_utf8((struct str){ low, len }) ||
	       str_is_utf8((struct str){ high, len });
}

/* Leaves out the first bytes of a character whose others may still come. */
static struct str without_half_character(struct str text)
{
	for (size_t n = 1; n <= 3 && n <= text.len; n++) {
		struct str end = { text.data + text.len - n, n };

		if (is_half_character(end))
			return (struct str){ text.data, text.len - n };
	}
	return text;
}

static int check_bytes(struct str text, bool complete, struct strbuf *ret_why)
{
	if (text.len > REQUEST_MAX_LEN) {
		strbuf_addf(ret_why, "a request has at most %u bytes", REQUEST_MAX_LEN);
		return -E2BIG;
	}
	if (text.len > 0 && memchr(text.data, '\0', text.len)) {
		strbuf_adds(ret_why, "a request is text and has no NUL byte");
		return -EINVAL;
	}
	if (!str_is_utf8(complete ? text : without_half_character(text))) {
		strbuf_adds(ret_why, "a request is UTF-8 text, and this is none");
		return -EINVAL;
	}
	return 0;
}

int request_parse(struct str text, bool complete, struct request *ret,
		  struct strbuf *ret_why)
{
	_cleanup_(request_done) struct request request = REQUEST_INIT;
	struct parser parser = { .request = &request, .why = ret_why };
	bool ends_with_newline = text.len > 0 && text.data[text.len - 1] == '\n';
	int r;

	r = check_bytes(text, complete, ret_why);
	if (r < 0)
		return r;

	while (str_split(&text, '\n', &parser.rest)) {
		parser.line_goes_on = !complete && text.len == 0 && !ends_with_newline;
		r = parse_line(&parser);
		if (r < 0)
			return r;
	}
	r = flags_sort(&request.flags);
	if (r == 0)
		r = flags_sort(&request.texts);
	if (r < 0)
		return r;

	*ret = request;
	request = REQUEST_INIT;
	return 0;
}
