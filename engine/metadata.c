/* A run's label, tags and comments: text, and what Guild stores. */
#include "engine/metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "engine/cleanup.h"
#include "engine/value-text.h"
#include "engine/value.h"
#include "engine/yaml.h"

#define UTF8_MAX 4

const char *metadata_attr(enum metadata which)
{
	static const char *const names[] = {
		[METADATA_LABEL] = "label",
		[METADATA_TAGS] = "tags",
		[METADATA_COMMENT] = "comments",
	};

	return names[which];
}

/* The attribute; null where there is none. */
static int read_attr(const struct run *run, enum metadata which, struct value *ret)
{
	int r = run_attr(run, metadata_attr(which), ret);

	return r == -ENOENT ? 0 : r;
}

/* What a scalar is as text: Guild reads a tag 1 that somebody wrote by hand, too. */
static int add_scalar(const struct value *value, struct strbuf *ret)
{
	if (value->type == VALUE_STRING)
		return strbuf_addstr(ret, value_str(value));
	return value->type == VALUE_NULL
		       ? 0
		       : yaml_format_line(value, YAML_QUOTE_NEEDED, ret);
}

/* One line, whatever somebody has put into it. */
static int add_line(const struct value *value, struct strbuf *ret)
{
	size_t start = ret->len;
	int r = add_scalar(value, ret);

	for (size_t i = start; r == 0 && i < ret->len; i++) {
		if (ret->data[i] == '\n')
			ret->data[i] = ' ';
	}
	return r < 0 ? r : strbuf_addc(ret, '\n');
}

/* What a comment is in the text of all. */
static int add_body(const struct value *comment, struct strbuf *ret)
{
	const struct value *body = value_get(comment, "body");

	if (!body)
		return 0;
	(void)strbuf_addstr(ret, value_str(body));
	return strbuf_addc(ret, '\n');
}

int metadata_read(const struct run *run, enum metadata which, struct strbuf *ret)
{
	_cleanup_(value_done) struct value attr = VALUE_INIT;
	int r = read_attr(run, which, &attr);

	if (r == 0 && which == METADATA_LABEL && attr.type != VALUE_NULL)
		r = add_line(&attr, ret);
	for (size_t i = 0; r == 0 && which != METADATA_LABEL && attr.type == VALUE_LIST &&
			   i < attr.list.n_items;
	     i++)
		r = which == METADATA_TAGS ? add_line(&attr.list.items[i], ret)
					   : add_body(&attr.list.items[i], ret);
	return r < 0 ? r : strbuf_error(ret);
}

/* Without the beginning of a character whose end may still come. */
static struct str without_cut(struct str text)
{
	for (size_t n = 1; n < UTF8_MAX && n <= text.len; n++) {
		unsigned char c = (unsigned char)text.data[text.len - n];

		if (c < 0x80)
			break;
		if (c >= 0xc2 && c <= 0xf4) {
			text.len -= n;
			break;
		}
	}
	return text;
}

static bool is_text(struct str text, bool complete)
{
	return str_is_utf8(text) || (!complete && str_is_utf8(without_cut(text)));
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes the first word off @rest. */
static bool next_word(struct str *rest, struct str *ret)
{
	while (rest->len > 0 && is_blank(rest->data[0]))
		*rest = (struct str){ rest->data + 1, rest->len - 1 };
	*ret = (struct str){ rest->data, 0 };
	while (rest->len > 0 && !is_blank(rest->data[0])) {
		*rest = (struct str){ rest->data + 1, rest->len - 1 };
		ret->len++;
	}
	return ret->len > 0;
}

static bool is_change(struct str word)
{
	return word.data[0] == '+' || word.data[0] == '-';
}

static int check_tags(struct str text, bool complete, struct strbuf *ret_why)
{
	struct str rest = text, word;

	while (next_word(&rest, &word)) {
		if (word.len > 1 || !is_change(word) || (!complete && rest.len == 0))
			continue;
		strbuf_add_quoted(ret_why, word);
		strbuf_adds(ret_why, " names no tag: write +TAG to add one, -TAG to "
				     "remove one, or all that there are to be");
		return -EINVAL;
	}
	return 0;
}

static int check_label(struct str text, struct strbuf *ret_why)
{
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	if (text.len == 0 || !memchr(text.data, '\n', text.len))
		return 0;
	strbuf_adds(ret_why, "a label is one line");
	return -EINVAL;
}

int metadata_check(enum metadata which, struct str text, bool complete,
		   struct strbuf *ret_why)
{
	if (text.len > METADATA_MAX_LEN) {
		strbuf_addf(ret_why, "%s has at most %u bytes", metadata_attr(which),
			    METADATA_MAX_LEN);
		return -EFBIG;
	}
	if (!is_text(text, complete)) {
		strbuf_addf(ret_why, "%s is UTF-8 text without NUL, and this is none",
			    metadata_attr(which));
		return -EINVAL;
	}
	switch (which) {
	case METADATA_LABEL:
		return check_label(text, ret_why);
	case METADATA_TAGS:
		return check_tags(text, complete, ret_why);
	case METADATA_COMMENT:
		break;
	}
	return 0;
}

static int make_label(const struct value *old, struct str text, struct strbuf *ret)
{
	_cleanup_(value_done) struct value label = VALUE_INIT;
	int r;

	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	if (str_strip(text).len == 0)
		return old->type != VALUE_NULL;
	r = value_string(&label, text);
	if (r < 0 || value_identical(&label, old))
		return r;
	r = yaml_format(&label, ret);
	return r < 0 ? r : 1;
}

/* A set of words, sorted by their bytes as Python sorts text. */
struct words {
	struct str *items; /* views */
	size_t n_items;
};

static void words_done(struct words *words)
{
	free(words->items);
}

static int compare_words(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static void remove_word(struct words *words, struct str word)
{
	size_t n = 0;

	for (size_t i = 0; i < words->n_items; i++) {
		if (!str_eq(words->items[i], word))
			words->items[n++] = words->items[i];
	}
	words->n_items = n;
}

static int add_word(struct words *words, struct str word)
{
	struct str *items =
		reallocarray(words->items, words->n_items + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	words->items = items;
	words->items[words->n_items++] = word;
	return 0;
}

static void sort_words(struct words *words)
{
	size_t n = 0;

	if (words->n_items > 0)
		qsort(words->items, words->n_items, sizeof(*words->items), compare_words);
	for (size_t i = 0; i < words->n_items; i++) {
		if (n == 0 || !str_eq(words->items[n - 1], words->items[i]))
			words->items[n++] = words->items[i];
	}
	words->n_items = n;
}

/* The lines that the tags are as text. */
static int split_lines(struct str text, struct words *ret)
{
	struct str line;
	int r = 0;

	while (r == 0 && str_split(&text, '\n', &line))
		r = add_word(ret, line);
	sort_words(ret);
	return r;
}

/* Words replace what there is, if there are any; then those with a sign change that. */
static int apply_words(struct words *tags, struct str text)
{
	struct str rest = text, word;
	bool replaces = str_strip(text).len == 0;
	int r = 0;

	while (next_word(&rest, &word))
		replaces |= !is_change(word);
	if (replaces)
		tags->n_items = 0;
	for (rest = text; r == 0 && next_word(&rest, &word);) {
		if (!is_change(word))
			r = add_word(tags, word);
	}
	for (rest = text; r == 0 && next_word(&rest, &word);) {
		struct str name = { word.data + 1, word.len - 1 };

		if (word.data[0] == '-')
			remove_word(tags, name);
		else if (word.data[0] == '+')
			r = add_word(tags, name);
	}
	sort_words(tags);
	return r;
}

static bool same_words(const struct words *a, const struct words *b)
{
	if (a->n_items != b->n_items)
		return false;
	for (size_t i = 0; i < a->n_items; i++) {
		if (!str_eq(a->items[i], b->items[i]))
			return false;
	}
	return true;
}

static int format_words(const struct words *words, struct strbuf *ret)
{
	_cleanup_(value_done) struct value list = { .type = VALUE_LIST };
	int r = 0;

	for (size_t i = 0; r == 0 && i < words->n_items; i++) {
		struct value word = VALUE_INIT;

		r = value_string(&word, words->items[i]);
		if (r == 0)
			r = value_append(&list, &word);
	}
	return r < 0 ? r : yaml_format(&list, ret);
}

static int make_tags(struct str old_text, struct str text, struct strbuf *ret)
{
	_cleanup_(words_done) struct words old = { 0 }, tags = { 0 };
	int r = split_lines(old_text, &old);

	if (r == 0)
		r = split_lines(old_text, &tags);
	if (r == 0)
		r = apply_words(&tags, text);
	if (r < 0 || same_words(&old, &tags))
		return r;
	r = format_words(&tags, ret);
	return r < 0 ? r : 1;
}

/* HOST, or what the system calls itself (1.6). */
static int host_value(struct value *ret)
{
	const char *host = getenv("HOST");
	struct utsname system;

	if (host && host[0])
		return value_string(ret, str_from(host));
	return uname(&system) < 0 ? -errno : value_string(ret, str_from(system.nodename));
}

static int put(struct value *map, const char *key, int r, struct value *item)
{
	if (r == 0)
		return value_put(map, str_from(key), item);
	value_done(item);
	return r;
}

static int append_ours(struct value *list, struct str body)
{
	_cleanup_(value_done) struct value comment = { .type = VALUE_MAP };
	struct value item = VALUE_INIT;
	struct timespec now;
	int r;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	r = put(&comment, "body", value_string(&item, body), &item);
	if (r == 0)
		r = put(&comment, "host", host_value(&item), &item);
	if (r == 0)
		r = put(&comment, "time",
			value_int(&item,
				  (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000),
			&item);
	if (r == 0)
		r = put(&comment, "user", value_string(&item, str_from(getenv("USER"))),
			&item);
	return r < 0 ? r : value_append(list, &comment);
}

static int append_copy(struct value *list, const struct value *comment)
{
	struct value copy = VALUE_INIT;
	int r = value_copy(comment, &copy);

	return r < 0 ? r : value_append(list, &copy);
}

/* Takes what @comment is off the start of @text, or off its end, if it is there. */
static bool take_body(const struct value *comment, bool from_end, struct str *text)
{
	_cleanup_(strbuf_done) struct strbuf body = STRBUF_INIT;
	size_t start;

	if (add_body(comment, &body) < 0 || body.len > text->len)
		return false;
	start = from_end ? text->len - body.len : 0;
	if (!str_eq((struct str){ text->data + start, body.len }, strbuf_str(&body)))
		return false;
	/* What is taken off the end must be whole lines. */
	if (from_end && start > 0 && text->data[start - 1] != '\n')
		return false;
	if (!from_end)
		text->data += body.len;
	text->len -= body.len;
	return true;
}

/* The comments of @old that @text still has around @text, which is what is left. */
static int merge_comments(const struct value *old, struct str text, struct value *ret)
{
	size_t n = old->type == VALUE_LIST ? old->list.n_items : 0, n_first = 0, n_last;
	int r = 0;

	while (n_first < n && take_body(&old->list.items[n_first], false, &text))
		n_first++;
	for (n_last = n; n_last > n_first; n_last--) {
		if (!take_body(&old->list.items[n_last - 1], true, &text))
			break;
	}
	for (size_t i = 0; r == 0 && i < n_first; i++)
		r = append_copy(ret, &old->list.items[i]);
	if (r == 0 && str_strip(text).len > 0)
		r = append_ours(ret, (struct str){ text.data, text.len - 1 });
	for (size_t i = n_last; r == 0 && i < n; i++)
		r = append_copy(ret, &old->list.items[i]);
	return r;
}

static int make_comments(const struct value *old, struct str text, struct strbuf *ret)
{
	_cleanup_(value_done) struct value comments = { .type = VALUE_LIST };
	_cleanup_(strbuf_done) struct strbuf whole = STRBUF_INIT;
	int r;

	/* Each line has its end, also the last. */
	strbuf_addstr(&whole, text);
	if (text.len > 0 && text.data[text.len - 1] != '\n')
		strbuf_addc(&whole, '\n');
	r = strbuf_error(&whole);
	if (r == 0)
		r = merge_comments(old, strbuf_str(&whole), &comments);
	if (r < 0)
		return r;
	if (comments.list.n_items == 0)
		return old->type == VALUE_LIST && old->list.n_items > 0;
	if (value_identical(&comments, old))
		return 0;
	r = yaml_format(&comments, ret);
	return r < 0 ? r : 1;
}

int metadata_make(const struct run *run, enum metadata which, struct str text,
		  struct strbuf *ret_attr, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf old_text = STRBUF_INIT;
	_cleanup_(value_done) struct value old = VALUE_INIT;
	int r = metadata_check(which, text, true, ret_why);

	if (r == 0)
		r = read_attr(run, which, &old);
	if (r == 0)
		r = metadata_read(run, which, &old_text);
	if (r < 0)
		return r;
	switch (which) {
	case METADATA_LABEL:
		return make_label(&old, text, ret_attr);
	case METADATA_TAGS:
		return make_tags(strbuf_str(&old_text), text, ret_attr);
	case METADATA_COMMENT:
		break;
	}
	return make_comments(&old, text, ret_attr);
}
