/*
 * Text: struct str is a view of bytes that somebody else owns, struct strbuf a
 * buffer that grows.
 *
 * A strbuf is for building: add to it as often as you like and look at the
 * result once. After one failed addition all later ones fail too and the text
 * stays as it was, so a caller may ignore the single results and ask
 * strbuf_error() at the end.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct str {
	const char *data; /* not NUL-terminated */
	size_t len;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })

struct str str_from(const char *text); /* NULL gives an empty view */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *b);
bool str_starts(struct str text, const char *prefix);
bool str_ends(struct str text, const char *suffix);
struct str str_strip(struct str text); /* without blanks and newlines at both ends */
bool str_is_utf8(struct str text);     /* well-formed UTF-8, without NUL */

/*
 * Takes what stands before the first @separator off @rest. False when @rest is
 * empty; a separator at the very end gives no empty last piece.
 */
bool str_split(struct str *rest, char separator, struct str *ret_piece);

/* Returns a NUL-terminated copy that the caller frees, or NULL for no memory. */
char *str_dup(struct str text);

struct strbuf {
	char *data; /* NUL-terminated after the first addition; NULL before */
	size_t len; /* bytes, without the NUL */
	size_t size;
	bool failed;
};

#define STRBUF_INIT ((struct strbuf){ 0 })

void strbuf_done(struct strbuf *buf);
void strbuf_reset(struct strbuf *buf); /* empty again, and forgets a failure */

/* Each returns 0, or -ENOMEM and leaves the text as it was. */
int strbuf_add(struct strbuf *buf, const void *data, size_t len);
int strbuf_adds(struct strbuf *buf, const char *text);
int strbuf_addc(struct strbuf *buf, char c);
int strbuf_addstr(struct strbuf *buf, struct str text);
int strbuf_addf(struct strbuf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int strbuf_vaddf(struct strbuf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Adds @text so that a POSIX shell reads it as one word (as Python's shlex.quote). */
int strbuf_add_shell(struct strbuf *buf, struct str text);

/*
 * Adds @text for a message: at most 64 characters, with control bytes and what
 * is no UTF-8 as \xNN, in single quotes.
 */
int strbuf_add_quoted(struct strbuf *buf, struct str text);

/* Room for @len more bytes at the end; NULL for no memory. Then strbuf_grew(). */
char *strbuf_reserve(struct strbuf *buf, size_t len);
void strbuf_grew(struct strbuf *buf, size_t len);
void strbuf_truncate(struct strbuf *buf, size_t len);

int strbuf_error(const struct strbuf *buf);	 /* 0, or -ENOMEM if anything was lost */
struct str strbuf_str(const struct strbuf *buf); /* a view until the next change */
const char *strbuf_cstr(const struct strbuf *buf); /* never NULL */

/* Gives the text away, NUL-terminated; the caller frees. NULL if anything was lost. */
char *strbuf_take(struct strbuf *buf);
