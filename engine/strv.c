/* A NULL-terminated array of texts. */
#include "engine/strv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"

size_t strv_length(char *const *strv)
{
	size_t n = 0;

	while (strv && strv[n])
		n++;
	return n;
}

void strv_free(char **strv)
{
	for (size_t i = 0; strv && strv[i]; i++)
		free(strv[i]);
	free(strv);
}

int strv_take(char ***strv, char *text)
{
	return strv_take_at(strv, strv_length(*strv), text);
}

int strv_take_at(char ***strv, size_t n, char *text)
{
	char **grown;

	if (!text)
		return -ENOMEM;
	/* Room doubles at powers of two, so that n appends cost n. */
	if ((n & (n + 1)) == 0) {
		grown = reallocarray(*strv, 2 * (n + 1), sizeof(*grown));
		if (!grown) {
			free(text);
			return -ENOMEM;
		}
		*strv = grown;
	}
	(*strv)[n] = text;
	(*strv)[n + 1] = NULL;
	return 0;
}

int strv_append(char ***strv, struct str text)
{
	return strv_take(strv, str_dup(text));
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Takes one word off @rest, which begins with one. */
static int take_word(struct str *rest, struct strbuf *word)
{
	size_t i = 0;
	char quote = '\0';

	for (; i < rest->len && (quote || !is_space(rest->data[i])); i++) {
		char c = rest->data[i];

		if (quote && c == quote) {
			quote = '\0';
		} else if (!quote && (c == '\'' || c == '"')) {
			quote = c;
		} else if (c == '\\' && quote != '\'') {
			if (++i == rest->len)
				return -EINVAL;
			/* Inside double quotes only \ and " lose the backslash. */
			if (quote && rest->data[i] != '\\' && rest->data[i] != '"')
				strbuf_addc(word, c);
			strbuf_addc(word, rest->data[i]);
		} else {
			strbuf_addc(word, c);
		}
	}
	rest->data += i;
	rest->len -= i;
	return quote ? -EINVAL : strbuf_error(word);
}

int strv_split_shell(struct str text, char ***ret)
{
	_cleanup_(strv_freep) char **words = calloc(1, sizeof(*words));
	int r;

	if (!words)
		return -ENOMEM;
	for (;;) {
		_cleanup_(strbuf_done) struct strbuf word = STRBUF_INIT;

		while (text.len > 0 && is_space(text.data[0])) {
			text.data++;
			text.len--;
		}
		if (text.len == 0)
			break;
		r = take_word(&text, &word);
		if (r == 0)
			r = strv_take(&words, strbuf_take(&word));
		if (r < 0)
			return r;
	}
	*ret = take_ptr(words);
	return 0;
}
