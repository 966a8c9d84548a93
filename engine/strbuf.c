/* Text: views, and a buffer that grows. */
#include "engine/strbuf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTED_MAX 64 /* characters of a user's text that a message repeats */

struct str str_from(const char *text)
{
	return text ? (struct str){ text, strlen(text) } : (struct str){ "", 0 };
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool str_is(struct str a, const char *b)
{
	return str_eq(a, str_from(b));
}

bool str_starts(struct str text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

bool str_ends(struct str text, const char *suffix)
{
	size_t len = strlen(suffix);

	return text.len >= len && memcmp(text.data + text.len - len, suffix, len) == 0;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_strip(struct str text)
{
	while (text.len > 0 && is_space(text.data[0])) {
		text.data++;
		text.len--;
	}
	while (text.len > 0 && is_space(text.data[text.len - 1]))
		text.len--;
	return text;
}

/* Returns the length of the well-formed UTF-8 character at @s, or 0. */
static size_t utf8_length(const unsigned char *s, size_t len)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code;
	size_t n;

	if (s[0] < 0x80)
		return s[0] ? 1 : 0;
	if (s[0] >= 0xc2 && s[0] < 0xe0)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] < 0xf0)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] < 0xf5)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;

	code = s[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return n;
}

bool str_is_utf8(struct str text)
{
	for (size_t i = 0, n; i < text.len; i += n) {
		n = utf8_length((const unsigned char *)text.data + i, text.len - i);
		if (n == 0)
			return false;
	}
	return true;
}

bool str_split(struct str *rest, char separator, struct str *ret_piece)
{
	const char *end;

	if (rest->len == 0)
		return false;

	end = memchr(rest->data, separator, rest->len);
	ret_piece->data = rest->data;
	ret_piece->len = end ? (size_t)(end - rest->data) : rest->len;
	rest->data += ret_piece->len + (end ? 1 : 0);
	rest->len -= ret_piece->len + (end ? 1 : 0);
	return true;
}

char *str_dup(struct str text)
{
	char *copy = malloc(text.len + 1);

	if (!copy)
		return NULL;
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return copy;
}

void strbuf_done(struct strbuf *buf)
{
	free(buf->data);
	*buf = STRBUF_INIT;
}

void strbuf_reset(struct strbuf *buf)
{
	buf->failed = false;
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

char *strbuf_reserve(struct strbuf *buf, size_t len)
{
	size_t size = buf->size ? buf->size : 64;
	char *data;

	if (buf->failed)
		return NULL;
	if (len > SIZE_MAX / 4 - buf->len - 1) {
		buf->failed = true;
		return NULL;
	}

	while (size < buf->len + len + 1)
		size *= 2;
	if (size > buf->size) {
		data = realloc(buf->data, size);
		if (!data) {
			buf->failed = true;
			return NULL;
		}
		buf->data = data;
		buf->size = size;
	}
	return buf->data + buf->len;
}

void strbuf_grew(struct strbuf *buf, size_t len)
{
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void strbuf_truncate(struct strbuf *buf, size_t len)
{
	if (len >= buf->len)
		return;
	buf->len = len;
	buf->data[len] = '\0';
}

int strbuf_add(struct strbuf *buf, const void *data, size_t len)
{
	char *end = strbuf_reserve(buf, len);

	if (!end)
		return -ENOMEM;
	if (len > 0)
		memcpy(end, data, len);
	strbuf_grew(buf, len);
	return 0;
}

int strbuf_adds(struct strbuf *buf, const char *text)
{
	return strbuf_add(buf, text, strlen(text));
}

int strbuf_addc(struct strbuf *buf, char c)
{
	return strbuf_add(buf, &c, 1);
}

int strbuf_addstr(struct strbuf *buf, struct str text)
{
	return strbuf_add(buf, text.data, text.len);
}

int strbuf_vaddf(struct strbuf *buf, const char *format, va_list args)
{
	va_list measure;
	char *end;
	int len;

	va_copy(measure, args);
	len = vsnprintf(NULL, 0, format, measure);
	va_end(measure);
	if (len < 0) {
		buf->failed = true;
		return -ENOMEM;
	}

	end = strbuf_reserve(buf, (size_t)len);
	if (!end)
		return -ENOMEM;
	(void)vsnprintf(end, (size_t)len + 1, format, args);
	strbuf_grew(buf, (size_t)len);
	return 0;
}

int strbuf_addf(struct strbuf *buf, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = strbuf_vaddf(buf, format, args);
	va_end(args);
	return r;
}

static bool is_shell_safe(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c != '\0' && strchr("@%+=:,./-_", c));
}

int strbuf_add_shell(struct strbuf *buf, struct str text)
{
	bool safe = text.len > 0;

	for (size_t i = 0; safe && i < text.len; i++)
		safe = is_shell_safe(text.data[i]);
	if (safe)
		return strbuf_addstr(buf, text);

	strbuf_addc(buf, '\'');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\'')
			strbuf_adds(buf, "'\"'\"'");
		else
			strbuf_addc(buf, text.data[i]);
	}
	return strbuf_addc(buf, '\'');
}

int strbuf_add_quoted(struct strbuf *buf, struct str text)
{
	size_t i = 0;
	size_t n_shown = 0;

	strbuf_addc(buf, '\'');
	while (i < text.len && n_shown++ < QUOTED_MAX) {
		const unsigned char *s = (const unsigned char *)text.data + i;
		size_t n = utf8_length(s, text.len - i);

		if (n == 0 || s[0] < 0x20 || s[0] == 0x7f) {
			strbuf_addf(buf, "\\x%02x", s[0]);
			n = 1;
		} else {
			strbuf_add(buf, s, n);
		}
		i += n;
	}
	if (i < text.len)
		strbuf_adds(buf, "...");
	return strbuf_addc(buf, '\'');
}

int strbuf_error(const struct strbuf *buf)
{
	return buf->failed ? -ENOMEM : 0;
}

struct str strbuf_str(const struct strbuf *buf)
{
	return (struct str){ buf->data ? buf->data : "", buf->len };
}

const char *strbuf_cstr(const struct strbuf *buf)
{
	return buf->data ? buf->data : "";
}

char *strbuf_take(struct strbuf *buf)
{
	char *text = NULL;

	if (!buf->failed && strbuf_reserve(buf, 0)) {
		text = buf->data;
		text[buf->len] = '\0';
		buf->data = NULL;
	}
	strbuf_done(buf);
	return text;
}
