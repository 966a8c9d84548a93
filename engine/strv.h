/* A NULL-terminated array of texts, as argv and environ are. */
#pragma once

#include <stddef.h>

#include "engine/strbuf.h"

size_t strv_length(char *const *strv); /* NULL has none */
void strv_free(char **strv);

static inline void strv_freep(char ***strv)
{
	strv_free(*strv);
}

/* Appends a copy of @text. 0, or -ENOMEM and the array as it was. */
int strv_append(char ***strv, struct str text);

/* Appends @text itself, which must be malloc'ed; it is freed on failure. NULL is -ENOMEM.
 */
int strv_take(char ***strv, char *text);

/* The same where it is known that there are @n already, for those that may be many. */
int strv_take_at(char ***strv, size_t n, char *text);

/*
 * Splits @text as a POSIX shell does, without expanding anything (Python's shlex.split).
 * 0, -EINVAL when a quote stays open, -ENOMEM.
 */
int strv_split_shell(struct str text, char ***ret);
