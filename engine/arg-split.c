/* A flag with several values in one text. */
#include "engine/arg-split.h"

#include <errno.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/value-text.h"
#include "engine/yaml.h"

bool arg_split_is_on(const struct value *split)
{
	return split && split->type != VALUE_NULL &&
	       !(split->type == VALUE_BOOL && !split->boolean);
}

const char *arg_split_separator(const struct value *split)
{
	struct str separator = value_str(split);

	return separator.len == 0 || str_is(separator, "shlex") ? NULL : separator.data;
}

static int split_shell(struct str text, char ***ret)
{
	_cleanup_(strv_freep) char **words = NULL;
	int r = strv_split_shell(text, &words);

	for (size_t i = 0; r == 0 && words && words[i]; i++)
		r = strv_append(ret, str_from(words[i]));
	return r;
}

/* Empty parts are dropped, as by Guild. */
static int split_at(struct str text, const char *separator, char ***ret)
{
	size_t n = strlen(separator);

	while (text.len > 0) {
		const char *end = memmem(text.data, text.len, separator, n);
		size_t len = end ? (size_t)(end - text.data) : text.len;
		int r = len > 0 ? strv_append(ret, (struct str){ text.data, len }) : 0;

		if (r < 0)
			return r;
		len += end ? n : 0;
		text.data += len;
		text.len -= len;
	}
	return 0;
}

int arg_split_words(const struct value *value, const struct value *split, char ***ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	const char *separator = arg_split_separator(split);
	int r = value_encode_arg(value, separator, &text);

	if (r < 0)
		return r;
	return separator ? split_at(strbuf_str(&text), separator, ret)
			 : split_shell(strbuf_str(&text), ret);
}

static int append_copy(struct value *list, const struct value *item)
{
	struct value copy = VALUE_INIT;
	int r = value_copy(item, &copy);

	return r < 0 ? r : value_append(list, &copy);
}

int arg_split_list(const struct value *value, const struct value *split,
		   struct value *ret)
{
	_cleanup_(strv_freep) char **words = NULL;
	int r = 0;

	if (value->type == VALUE_LIST) {
		for (size_t i = 0; r == 0 && i < value->list.n_items; i++)
			r = append_copy(ret, &value->list.items[i]);
		return r;
	}
	r = arg_split_words(value, split, &words);
	for (size_t i = 0; r == 0 && words && words[i]; i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		struct value item = VALUE_INIT;

		r = value_decode(str_from(words[i]), &item, &why);
		if (r == 0)
			r = value_append(ret, &item);
	}
	return r;
}

/* A word as a shell reads it; one in quotes of its own is not buried in more of them. */
static int add_word(struct str word, struct strbuf *ret)
{
	bool plain = str_starts(word, "'");

	for (size_t i = 0; i < word.len; i++)
		plain = plain && !strchr("\"\\$`", word.data[i]);
	if (!plain)
		return strbuf_add_shell(ret, word);
	strbuf_addc(ret, '"');
	strbuf_addstr(ret, word);
	return strbuf_addc(ret, '"');
}

int arg_split_join(const struct value *list, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->list.n_items; i++) {
		_cleanup_(strbuf_done) struct strbuf word = STRBUF_INIT;

		r = yaml_format_line(&list->list.items[i], YAML_QUOTE_NEEDED, &word);
		if (r == 0 && i > 0)
			r = strbuf_addc(&text, ' ');
		if (r == 0)
			r = add_word(strbuf_str(&word), &text);
	}
	return r < 0 ? r : value_string(ret, strbuf_str(&text));
}
